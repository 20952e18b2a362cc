// backup and restore: the log and a checkpoint of the stores in one directory, with a manifest that says what is in it.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"
#include "consumers/refold.h"
#include "log/file_system.h"
#include "log/local_log.h"
#include "log/log_manifest.h"
#include "state/hash.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr char kManifest[] = "backup.json";

struct BackupFlags {
  std::string data_dir;
  std::string into;
};
struct RestoreFlags {
  std::string from;
  std::string data_dir;
};

std::string HashText(const std::array<uint64_t, 2>& hash) {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash[1]),
                static_cast<unsigned long long>(hash[0]));
  return text;
}

// Copies at most the bytes that the file had when it was looked at: a log's last segment may grow meanwhile. The copy
// is on stable storage when this returns.
Status CopyFile(const fs::path& from, const fs::path& to, uint64_t size, std::string* hash) {
  Result<std::unique_ptr<File>> in = PosixFileSystem().Open(from.string(), FileSystem::Mode::kRead);
  if (!in.ok()) return in.status();
  std::error_code failed;
  fs::create_directories(to.parent_path(), failed);
  Result<std::unique_ptr<File>> out = PosixFileSystem().Open(to.string(), FileSystem::Mode::kCreate);
  if (!out.ok()) return out.status();
  std::string buffer(1 << 20, '\0');
  std::string hashes;
  for (uint64_t at = 0; at < size;) {
    Result<size_t> got = (*in)->ReadAt(at, buffer.data(), std::min<uint64_t>(buffer.size(), size - at));
    if (!got.ok()) return got.status();
    if (*got == 0) return {Code::kIo, from.string() + " became shorter while it was copied"};
    std::string_view part(buffer.data(), *got);
    ODOMETER_RETURN_IF_ERROR((*out)->WriteAt(at, part));
    hashes += HashText(Hash128Of(part));
    at += *got;
  }
  *hash = HashText(Hash128Of(hashes));
  ODOMETER_RETURN_IF_ERROR((*out)->Sync());
  return PosixFileSystem().SyncDirectory(to.parent_path().string());
}

Status AddFile(const fs::path& from, const fs::path& to, const fs::path& name, uint64_t size, ordered_json* files) {
  std::string hash;
  ODOMETER_RETURN_IF_ERROR(CopyFile(from, to, size, &hash));
  files->push_back({{"path", name.string()}, {"size_bytes", size}, {"hash", hash}});
  return Status::Ok();
}

// Everything below `from`, into `to`; each file into `files`.
Status CopyTree(const fs::path& from, const fs::path& to, const std::string& name, bool with_segments,
                ordered_json* files) {
  std::error_code failed;
  std::vector<fs::path> paths;
  for (fs::recursive_directory_iterator it(from, failed), end; !failed && it != end; it.increment(failed)) {
    if (it->is_regular_file()) paths.push_back(it->path());
  }
  if (failed) return {Code::kIo, "cannot list " + from.string() + ": " + failed.message()};
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    fs::path relative = fs::relative(path, from);
    if (relative.filename() == "lock" || relative.filename() == "LOCK") continue;
    if (relative.extension() == ".seg" && !with_segments) continue;
    uint64_t size = fs::file_size(path, failed);
    if (failed) return {Code::kIo, "cannot look at " + path.string() + ": " + failed.message()};
    ODOMETER_RETURN_IF_ERROR(AddFile(path, to / relative, fs::path(name) / relative, size, files));
  }
  return Status::Ok();
}

// The segments of a log as far as they hold whole frames: what lies behind them may be written while it is copied.
Status CopySegments(const fs::path& from, const fs::path& to, ordered_json* files) {
  LocalLog::Options options;
  options.read_only = true;
  Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(PosixFileSystem(), SystemClock(), from.string(), options);
  if (!log.ok()) return log.status();
  for (uint32_t partition = 0; partition < (*log)->partitions(); ++partition) {
    if (!(*log)->holds(partition)) continue;
    fs::path directory = fs::path(SegmentsPath("log", partition));
    for (const SegmentInfo& segment : (*log)->segments(partition)) {
      fs::path relative = directory / SegmentName(segment.base_offset);
      ODOMETER_RETURN_IF_ERROR(AddFile(from.parent_path() / relative, to / relative, relative, segment.bytes, files));
    }
  }
  return Status::Ok();
}

// Of a copy of another log all that there is: it only grows, and what it lacks is read from its source again.
Status CopyLog(const fs::path& from, const fs::path& to, ordered_json* files) {
  Result<LogManifest> manifest = ReadManifest(PosixFileSystem(), from.string());
  if (!manifest.ok()) return manifest.status();
  bool is_copy = !manifest->copy_of.empty();
  ODOMETER_RETURN_IF_ERROR(CopyTree(from, to / "log", "log", is_copy, files));
  return is_copy ? Status::Ok() : CopySegments(from, to, files);
}

Status WriteManifest(const fs::path& directory, const ordered_json& manifest) {
  Result<std::unique_ptr<File>> out =
      PosixFileSystem().Open((directory / kManifest).string(), FileSystem::Mode::kCreate);
  if (!out.ok()) return out.status();
  ODOMETER_RETURN_IF_ERROR((*out)->WriteAt(0, manifest.dump(1) + "\n"));
  ODOMETER_RETURN_IF_ERROR((*out)->Sync());
  return PosixFileSystem().SyncDirectory(directory.string());
}

// Where to copy the stores from: a checkpoint of the daemon that runs there, or the stores themselves.
Result<std::string> StoresOf(const BackupFlags& flags, const Context& context, bool* is_checkpoint) {
  std::ifstream file(flags.data_dir + "/http.address");
  std::string address;
  if (!(file >> address)) return flags.data_dir + "/state";
  HttpClient client({.server = "http://" + address, .tenant = context.tenant});
  Result<HttpResponse> response = client.Post("/v1/admin/checkpoint", "{}", "application/json");
  if (!response.ok()) return flags.data_dir + "/state";
  json answer = json::parse(response->body, nullptr, false);
  if (response->status / 100 != 2 || !answer.is_object())
    return Status(Code::kUnavailable, "the daemon made no checkpoint: " + FailureOf(*response).message);
  *is_checkpoint = true;
  return answer["directory"].get<std::string>();
}

int RunBackup(const BackupFlags& flags, Context& context) {
  std::error_code failed;
  if (fs::exists(flags.into, failed) && !fs::is_empty(flags.into, failed))
    return context.Fail({kExitUsage, flags.into + " is not empty"});
  bool is_checkpoint = false;
  // The stores first: the log that is copied after them holds everything that they were folded from.
  Result<std::string> stores = StoresOf(flags, context, &is_checkpoint);
  if (!stores.ok()) return context.Fail(FailureOf(stores.status()));
  ordered_json files = ordered_json::array();
  fs::create_directories(flags.into, failed);
  Status copied = CopyTree(*stores, fs::path(flags.into) / "state", "state", false, &files);
  if (is_checkpoint) fs::remove_all(*stores, failed);
  if (copied.ok()) copied = CopyLog(fs::path(flags.data_dir) / "log", flags.into, &files);
  if (copied.ok()) copied = WriteManifest(flags.into, {{"format", 1}, {"files", files}});
  if (!copied.ok()) return context.Fail(FailureOf(copied));
  if (context.json) {
    *context.out << Dumped({{"directory", flags.into}, {"files", files.size()}}) << "\n";
  } else {
    *context.out << "backup: " << files.size() << " files in " << flags.into << "\n";
  }
  return kExitFine;
}

// Every file of the manifest, each checked against its hash.
Status CopyAll(const json& files, const RestoreFlags& flags) {
  for (const json& file : files) {
    std::string path = file.value("path", "");
    std::string hash;
    if (path.empty() || path.find("..") != std::string::npos || path.front() == '/') {
      return {Code::kCorrupt, "the manifest names a bad path: " + path};
    }
    ODOMETER_RETURN_IF_ERROR(CopyFile(fs::path(flags.from) / path, fs::path(flags.data_dir) / path,
                                      file.value("size_bytes", uint64_t{0}), &hash));
    if (hash != file.value("hash", "")) {
      return {Code::kCorrupt, "file " + path + " of the backup is damaged: its hash differs; nothing was restored"};
    }
  }
  return Status::Ok();
}

int RunRestore(const RestoreFlags& flags, Context& context) {
  std::ifstream in(fs::path(flags.from) / kManifest);
  json manifest = json::parse(in, nullptr, false);
  if (!manifest.is_object() || !manifest.value("files", json()).is_array()) {
    return context.Fail({kExitBadData, flags.from + " is no whole backup: its " + kManifest + " cannot be read"});
  }
  std::error_code failed;
  if (fs::exists(flags.data_dir, failed) && !fs::is_empty(flags.data_dir, failed)) {
    return context.Fail({kExitUsage, flags.data_dir + " is not empty: restore into a new directory"});
  }
  Status copied = CopyAll(manifest["files"], flags);
  if (!copied.ok()) {
    // Half a data directory is none: a second try finds it empty again.
    fs::remove_all(flags.data_dir, failed);
    return context.Fail(FailureOf(copied));
  }
  if (context.json) {
    *context.out << Dumped({{"data_dir", flags.data_dir}, {"files", manifest["files"].size()}}) << "\n";
  } else {
    *context.out << "restored " << manifest["files"].size() << " files into " << flags.data_dir
                 << "; start odometerd on it, or audit it first\n";
  }
  return kExitFine;
}

}  // namespace

void RegisterBackupVerbs(::CLI::App& app, Context& context) {
  auto backup_flags = std::make_shared<BackupFlags>();
  ::CLI::App* backup =
      app.add_subcommand("backup", "Copy the log and a checkpoint of the stores, also from a running daemon");
  backup->add_option("directory", backup_flags->into, "Where to; new or empty")->required();
  backup->add_option("--data-dir", backup_flags->data_dir, "The daemon's data directory")
      ->envname("ODOMETER_DATA_DIR")
      ->required();
  backup->footer("Example:\n  odometer backup --data-dir data backups/monday");
  backup->callback([backup_flags, &context] { context.exit_code = RunBackup(*backup_flags, context); });

  auto restore_flags = std::make_shared<RestoreFlags>();
  ::CLI::App* restore = app.add_subcommand("restore", "Make a data directory from a backup, checking every file");
  restore->add_option("directory", restore_flags->from, "The backup")->required();
  restore->add_option("--data-dir", restore_flags->data_dir, "The data directory to make; new or empty")->required();
  restore->footer("Example:\n  odometer restore backups/monday --data-dir data");
  restore->callback([restore_flags, &context] { context.exit_code = RunRestore(*restore_flags, context); });
}

}  // namespace odometer::cli
