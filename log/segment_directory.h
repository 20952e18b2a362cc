// log/segment_directory.h: OpenSegments(), which finds the segments of one partition's directory and where they end.
//
// Of earlier segments only headers are read: that they belong to this log and partition, that each is the one and as
// long as the next one's header says. The last segment is read to its end. What may end it:
//  - whole frames: nothing to do;
//  - zeros: room that a writer made and did not come to use; it is cut off;
//  - a torn tail, the trace of a write that a crash cut short: it is cut off, and told;
//  - anything else is kCorrupt, with file, position and the offset that was expected there.
// A damaged frame is a torn tail when nothing that was written after it can have been acknowledged: no valid frame
// follows, or those that follow were written together with it (none has after_sync) and a 512-byte sector that the disk
// never got, all zeros, explains the damage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "log/segment.h"
#include "log/segment_writer.h"

namespace odometer {

struct SegmentInfo {
  uint64_t base_offset = 0;
  uint64_t bytes = 0;  // up to the end of its last frame
};

// What an opening cut off, and where.
struct TailCut {
  uint32_t partition = 0;
  std::string path;
  uint64_t position = 0;
  uint64_t bytes = 0;
  uint64_t expected_offset = 0;
};

struct OpenedSegments {
  std::vector<SegmentInfo> segments;  // at least one, by base_offset
  SegmentHeader last_header;
  SparseIndex last_index;
  SegmentWriter::End end;
  uint64_t synced_position = 0;  // in the last segment: what lies below it is known to be on stable storage
  std::optional<TailCut> cut;
};

struct OpenSegmentsOptions {
  // Changes nothing on disk: a torn tail is left alone, and may be a write under way.
  bool read_only = false;
  // Records below it were on stable storage: damage to one is never a torn tail.
  uint64_t durable_offset = 0;
  // false: of a copy, which may be read from its source again. What needs no cut is left as it is: not synced, from
  // synced_position on.
  bool sync = true;
  // Where an earlier opening by the same reader ended: what it has read is not read (or put into last_index) again.
  std::optional<SegmentWriter::End> known_end;
};

// kNotFound when the directory is not there or has no segment. Unless read_only or without sync, what remains is on
// stable storage afterwards.
Result<OpenedSegments> OpenSegments(FileSystem& files, const std::string& directory, const Uuid& log_id,
                                    uint32_t partition, const OpenSegmentsOptions& options);

// Of a copy of another log: removes every record at or above `offset`, and a first segment without any. kNotFound when
// there is no segment then. What cannot be read is left to OpenSegments() to judge.
Status CutSegments(FileSystem& files, const std::string& directory, uint64_t offset);

// kCorrupt when the header belongs to another log, partition or place than the file's.
Status CheckSegmentHeader(const SegmentHeader& header, const Uuid& log_id, uint32_t partition, uint64_t base_offset,
                          const std::string& path);

}  // namespace odometer
