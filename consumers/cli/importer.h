// consumers/cli/importer.h: Import, one run of `odometer import`: files through a map to the daemon, and a report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consumers/cli/context.h"
#include "consumers/cli/event_sender.h"
#include "consumers/cli/import_map.h"
#include "core/time.h"

namespace odometer::cli {

struct ImportOptions {
  ImportMap map;
  RowFormat format = RowFormat::kCsv;
  std::vector<std::string> files;
  std::string rejects_path;   // "": FILE.rejected.jsonl beside each file
  bool is_dry_run = false;
  uint64_t preview_rows = 3;  // shown by a dry run
  bool shift_to_now = false;
  int64_t shift_us = 0;
  SenderOptions sender;       // on_refused is the import's own
};

// Runs all files; answers the exit code. Reports on context.out, progress and errors on context.err.
int Import(ImportOptions options, Context& context, Clock& clock);

}  // namespace odometer::cli
