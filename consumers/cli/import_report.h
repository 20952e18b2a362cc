// consumers/cli/import_report.h: ImportReport, what an import did or, dry, would do; as JSON and for people.
//
// Every row ends in exactly one figure of its file: bad_rows, or sent; and every sent one in accepted or refused.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "consumers/cli/event_sender.h"
#include "consumers/cli/import_map.h"

namespace odometer::cli {

struct FileReport {
  std::string path;
  std::string sha256;
  uint64_t rows_read = 0;
  uint64_t bad_rows = 0;  // could not be made into an event
  uint64_t rounded_rows = 0;
  SendTotals totals;
  std::string rejects_path;  // "" when nothing was rejected

  uint64_t rejected() const { return bad_rows + totals.refused + totals.quarantined; }
};

struct ImportReport {
  std::string source;
  std::string tenant;
  std::string note;  // see AssignmentNote()
  int64_t shift_us = 0;
  bool is_dry_run = false;
  std::vector<FileReport> files;
  // Of a dry run: {file, row, event} or {file, row, reason, message}.
  nlohmann::ordered_json preview = nlohmann::ordered_json::array();

  uint64_t rejected() const;
  nlohmann::ordered_json ToJson() const;
  void Print(std::ostream& out) const;
};

// "the rows name no users: they are assigned round robin to 100 users, sessions of 20 rows"; "" where rows name both.
std::string AssignmentNote(const ImportMap& map);

}  // namespace odometer::cli
