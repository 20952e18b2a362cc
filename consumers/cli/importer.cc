#include "consumers/cli/importer.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "consumers/cli/import_report.h"
#include "consumers/cli/output.h"
#include "consumers/cli/progress.h"
#include "consumers/cli/row_mapper.h"

namespace odometer::cli {

namespace {

using nlohmann::ordered_json;

struct OpenFile {
  std::ifstream stream;
  std::unique_ptr<RowReader> reader;
  uint64_t bytes = 0;
};

Result<std::unique_ptr<OpenFile>> OpenRows(const std::string& path, const ImportOptions& options) {
  auto file = std::make_unique<OpenFile>();
  file->stream.open(path, std::ios::binary);
  std::error_code error;
  if (!file->stream || std::filesystem::is_directory(path, error)) {
    return Status(Code::kNotFound, path + ": cannot be opened");
  }
  file->bytes = std::filesystem::file_size(path, error);
  if (error) file->bytes = 0;
  Result<std::unique_ptr<RowReader>> reader = RowReader::Open(options.format, file->stream);
  if (!reader.ok()) return Status(Code::kInvalid, path + ": " + reader.status().message());
  file->reader = std::move(*reader);
  if (options.format != RowFormat::kCsv) return file;
  const std::vector<std::string>& columns = file->reader->columns();
  for (const std::string& wanted : options.map.SourcePaths()) {
    if (std::find(columns.begin(), columns.end(), wanted) != columns.end()) continue;
    std::string names;
    for (const std::string& column : columns) names += (names.empty() ? "" : ", ") + column;
    return Status(Code::kInvalid, path + ": the map asks for column \"" + wanted + "\"; there are: " + names);
  }
  return file;
}

// FILE.rejected.jsonl: made at the first rejected row, so that a clean import leaves no file, and no stale one.
class Rejects {
 public:
  Rejects(std::string path, bool is_shared) : path_(std::move(path)) {
    std::error_code ignored;
    if (!is_shared) std::filesystem::remove(path_, ignored);
  }

  void Write(const std::string& file, uint64_t row, const Refusal& why, const std::string& raw) {
    if (!stream_.is_open()) stream_.open(path_, std::ios::app | std::ios::binary);
    ordered_json line = {{"file", file}, {"row", row}, {"reason", why.reason}, {"message", why.message}};
    if (!why.field.empty()) line["field"] = why.field;
    line["raw"] = raw;
    stream_ << Dumped(line) << "\n";
  }
  bool is_used() const { return stream_.is_open(); }
  bool is_good() { return !stream_.is_open() || stream_.flush().good(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::ofstream stream_;
};

class ImportRun {
 public:
  ImportRun(ImportOptions options, Context& context, Clock& clock)
      : options_(std::move(options)),
        context_(context),
        clock_(clock),
        client_({.server = context.server, .tenant = context.tenant}) {
    report_.source = options_.map.source();
    report_.tenant = context.tenant;
    report_.note = AssignmentNote(options_.map);
    report_.is_dry_run = options_.is_dry_run;
  }

  int Run() {
    std::optional<Failure> failure = FindShift();
    if (!failure && !options_.is_dry_run && !options_.rejects_path.empty()) {
      std::error_code ignored;
      std::filesystem::remove(options_.rejects_path, ignored);
    }
    for (size_t i = 0; i < options_.files.size() && !failure; ++i) failure = RunFile(options_.files[i]);
    report_.shift_us = options_.shift_us;
    if (context_.json) {
      *context_.out << Dumped(report_.ToJson()) << "\n";
    } else {
      report_.Print(*context_.out);
    }
    if (!failure) return report_.rejected() > 0 ? kExitPartial : kExitFine;
    if (failure->exit_code == kExitUnreachable && !report_.files.empty() && report_.files.back().totals.sent > 0) {
      failure->message += "\nWhat was sent is kept; the same import again goes on from there without counting twice.";
    }
    return context_.Fail(*failure);
  }

 private:
  // The shift that brings the latest row of all files to now.
  std::optional<Failure> FindShift() {
    if (!options_.shift_to_now) return std::nullopt;
    std::optional<int64_t> latest;
    for (const std::string& path : options_.files) {
      Result<std::unique_ptr<OpenFile>> file = OpenRows(path, options_);
      if (!file.ok()) return FailureOf(file.status());
      RowMapper mapper(options_.map, {});
      for (Row row; (*file)->reader->Next(&row);) {
        if (std::optional<int64_t> time = mapper.TimeOf(row)) latest = std::max(latest.value_or(*time), *time);
      }
    }
    if (!latest.has_value()) return Failure{kExitBadData, "--shift-to-now: no row has a time"};
    options_.shift_us = clock_.NowUs() - *latest;
    return std::nullopt;
  }

  std::optional<Failure> RunFile(const std::string& path) {
    Result<std::string> sha256 = Sha256OfFile(path);
    if (!sha256.ok()) return FailureOf(sha256.status());
    Result<std::unique_ptr<OpenFile>> file = OpenRows(path, options_);
    if (!file.ok()) return FailureOf(file.status());
    FileReport& report = report_.files.emplace_back();
    report.path = path;
    report.sha256 = *sha256;
    bool is_shared = !options_.rejects_path.empty() || options_.is_dry_run;
    Rejects rejects(options_.rejects_path.empty() ? path + ".rejected.jsonl" : options_.rejects_path, is_shared);
    SenderOptions sender_options = options_.sender;
    sender_options.on_refused = [&](const SentEvent& event, const Refusal& why) {
      rejects.Write(path, event.number, why, event.raw);
    };
    EventSender sender(EventSender::PosterOf(client_), std::move(sender_options));
    std::optional<Failure> failure = SendRows(**file, &report, sender, rejects);
    report.totals = sender.totals();
    if (rejects.is_used()) report.rejects_path = rejects.path();
    if (!failure && !rejects.is_good()) failure = Failure{kExitBadData, rejects.path() + ": cannot be written"};
    return failure;
  }

  std::optional<Failure> SendRows(OpenFile& file, FileReport* report, EventSender& sender, Rejects& rejects) {
    RowMapper mapper(options_.map, {StemOf(report->path), report->sha256, options_.shift_us});
    Progress progress(*context_.err, isatty(STDERR_FILENO) == 1, report->path, file.bytes, clock_);
    for (Row row; file.reader->Next(&row);) {
      ++report->rows_read;
      MappedRow mapped = mapper.Map(row);
      report->rounded_rows += mapped.is_rounded;
      if (options_.is_dry_run) {
        Preview(*report, row, mapped);
      } else if (!mapped.is_bad()) {
        if (auto failure = sender.Add({row.number, Dumped(mapped.event), std::move(row.raw)})) return failure;
      }
      if (mapped.is_bad()) {
        ++report->bad_rows;
        if (!options_.is_dry_run) rejects.Write(report->path, row.number, {mapped.reason, "", mapped.message}, row.raw);
      }
      progress.Update(report->rows_read, file.reader->bytes_read());
    }
    if (file.stream.bad()) return Failure{kExitBadData, report->path + ": cannot be read to its end"};
    return options_.is_dry_run ? std::nullopt : sender.Flush();
  }

  void Preview(const FileReport& report, const Row& row, const MappedRow& mapped) {
    uint64_t& shown = mapped.is_bad() ? shown_bad_ : shown_;
    if (shown >= options_.preview_rows) return;
    ++shown;
    ordered_json entry = {{"file", report.path}, {"row", row.number}};
    if (mapped.is_bad()) {
      entry["reason"] = mapped.reason;
      entry["message"] = mapped.message;
    } else {
      entry["event"] = mapped.event;
    }
    report_.preview.push_back(std::move(entry));
  }

  ImportOptions options_;
  Context& context_;
  Clock& clock_;
  HttpClient client_;
  ImportReport report_;
  uint64_t shown_ = 0;
  uint64_t shown_bad_ = 0;
};

}  // namespace

int Import(ImportOptions options, Context& context, Clock& clock) {
  return ImportRun(std::move(options), context, clock).Run();
}

}  // namespace odometer::cli
