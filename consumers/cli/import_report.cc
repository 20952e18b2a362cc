#include "consumers/cli/import_report.h"

#include <algorithm>

#include "consumers/cli/output.h"

namespace odometer::cli {

namespace {

using nlohmann::ordered_json;

std::string Count(uint64_t value) { return Grouped(static_cast<int64_t>(value)); }

ordered_json FileJson(const FileReport& report) {
  ordered_json file = {{"file", report.path}, {"sha256", report.sha256}, {"rows_read", report.rows_read}};
  file.update(report.totals.ToJson());
  file["bad_rows"] = report.bad_rows;
  file["rounded_rows"] = report.rounded_rows;
  file["position"] = report.totals.position.empty() ? ordered_json(nullptr) : ordered_json(report.totals.position);
  file["rejects"] = report.rejects_path.empty() ? ordered_json(nullptr) : ordered_json(report.rejects_path);
  return file;
}

void PrintFiles(const std::vector<FileReport>& files, std::ostream& out) {
  std::vector<Column> columns = {{"file"}};
  for (const char* title : {"rows", "sent", "applied", "duplicates", "quarantined", "refused", "bad rows"}) {
    columns.push_back({title, Align::kRight});
  }
  Table table(columns);
  for (const FileReport& report : files) {
    const SendTotals& totals = report.totals;
    table.Add({report.path, Count(report.rows_read), Count(totals.sent), Count(totals.applied),
               Count(totals.duplicates), Count(totals.quarantined), Count(totals.refused), Count(report.bad_rows)});
  }
  if (table.rows() > 0) table.Print(out);
}

void PrintEvent(const ordered_json& event, std::ostream& out) {
  Table table({{"  field"}, {"value"}});
  const ordered_json flat = event.flatten();
  for (const auto& [path, value] : flat.items()) {
    std::string name = path.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    table.Add({"  " + name, value.is_string() ? value.get<std::string>() : value.dump()});
  }
  table.Print(out);
}

void PrintPreview(const ImportReport& report, std::ostream& out) {
  for (const ordered_json& entry : report.preview) {
    out << entry["file"].get<std::string>() << " row " << entry["row"].get<uint64_t>();
    if (entry.contains("reason")) {
      out << ": " << entry["reason"].get<std::string>() << ": " << Shown(entry["message"].get<std::string>(), 200);
    }
    out << "\n";
    if (entry.contains("event")) PrintEvent(entry["event"], out);
  }
  for (const FileReport& file : report.files) {
    out << file.path << ": " << Count(file.rows_read - file.bad_rows) << " events of " << Count(file.rows_read)
        << " rows, " << Count(file.bad_rows) << " bad rows\n";
  }
}

}  // namespace

uint64_t ImportReport::rejected() const {
  uint64_t sum = 0;
  for (const FileReport& file : files) sum += file.rejected();
  return sum;
}

ordered_json ImportReport::ToJson() const {
  ordered_json json = {{"source", source}, {"tenant", tenant}, {"dry_run", is_dry_run}, {"shift_us", shift_us}};
  json["note"] = note.empty() ? ordered_json(nullptr) : ordered_json(note);
  json["files"] = ordered_json::array();
  for (const FileReport& file : files) json["files"].push_back(FileJson(file));
  if (is_dry_run) json["preview"] = preview;
  return json;
}

void ImportReport::Print(std::ostream& out) const {
  if (is_dry_run) {
    PrintPreview(*this, out);
  } else {
    PrintFiles(files, out);
  }
  if (!note.empty()) out << note << "\n";
  uint64_t pending = 0;
  for (const FileReport& file : files) pending += file.totals.pending;
  if (pending > 0) out << Count(pending) << " accepted, their outcome not known yet\n";
  if (shift_us != 0) {
    out << "times are shifted by " << shift_us << " us, which is part of the ids; the same events again: --shift-us "
        << shift_us << "\n";
  }
  for (const FileReport& file : files) {
    if (file.rounded_rows > 0) {
      out << file.path << ": " << Count(file.rounded_rows)
          << " rows had finer amounts than are kept: rounded half to even\n";
    }
    if (!file.rejects_path.empty()) {
      out << file.path << ": " << Count(file.rejected()) << " rows rejected, see " << file.rejects_path << "\n";
    }
  }
  if (is_dry_run) out << "dry run: nothing was sent\n";
}

std::string AssignmentNote(const ImportMap& map) {
  std::string note;
  const UserRule& users = map.users;
  if (users.assignment != UserAssignment::kField) {
    note = "the rows name no users: they are assigned ";
    note += users.assignment == UserAssignment::kRoundRobin ? "round robin" : "by a hash of the row";
    note += " to " + Count(users.count) + " users";
  }
  if (map.sessions.run_of > 0) {
    note += note.empty() ? "the rows name no sessions: they are assigned in" : ",";
    note += " sessions of " + Count(map.sessions.run_of) + " rows";
  }
  return note;
}

}  // namespace odometer::cli
