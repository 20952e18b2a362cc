// log/log_manifest.h: LogManifest, what the segments under a directory belong to: the file log.manifest beside them.
//
//   odometer log 1
//   log_id 018f3c1e-…
//   partitions 8
//   placement_version 1
//   copy_of kafka://… (cluster …)      only where the segments are a copy of another log, and nobody appends to them
//   crc32c 123456                      of the lines above
#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"
#include "core/status.h"
#include "log/file_system.h"

namespace odometer {

struct LogManifest {
  Uuid log_id;
  uint32_t partitions = 0;
  std::string copy_of;  // "" for a log of its own

  std::string Encode() const;
};

// kNotFound: there is none. kCorrupt: damaged, or of another version.
Result<LogManifest> ReadManifest(FileSystem& files, const std::string& directory);
// Replaces what is there at once; on stable storage when it returns.
Status WriteManifest(FileSystem& files, const std::string& directory, const LogManifest& manifest);

std::string ManifestPath(const std::string& directory);
// "DIR/p00003", where the segments of a partition are.
std::string SegmentsPath(const std::string& directory, uint32_t partition);

}  // namespace odometer
