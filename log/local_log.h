// log/local_log.h: LocalLog, the embedded log: segment files under a directory of this machine, written by one process.
//
//   Status created = LocalLog::Create(PosixFileSystem(), SystemClock(), "data/log", log_id, kDefaultPartitions);
//   Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(PosixFileSystem(), SystemClock(), "data/log", {});
//   for (const TailCut& cut : (*log)->tail_cuts()) Report(cut);   // what a crash left half-written
//   Result<Appended> appended = (*log)->partition(3).Append({&bytes, 1});
//
// Under the directory:
//   log.manifest  log id, number of partitions, placement version; written last, so a log that has it is whole
//   lock          held by the one that may append
//   p00003/       the segments of partition 3 (segment.h has their bytes)
// Offsets of a partition are dense from 0.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/event_log.h"
#include "log/file_system.h"
#include "log/local_partition.h"

namespace odometer {

// Thread-safe. Goes after all readers of its partitions.
class LocalLog : public EventLog {
 public:
  struct Options {
    // true: an append returns when it is on stable storage; appends at the same time share one sync.
    // false ("written"): when the operating system has it; a power loss may take what was not synced since.
    bool fsync = true;
    uint64_t segment_bytes_max = kSegmentBytesMax;
    // With fsync: SegmentWriter::set_room_bytes().
    uint64_t room_bytes = 0;
    // Takes no lock, changes nothing, and sees what was there when it was opened or refreshed. Beside a writer it may
    // see records that the writer has not yet acknowledged.
    bool read_only = false;
    // How many partitions the log must have; 0 takes any number.
    uint32_t partitions = 0;
    // How many partitions are opened at once: each reads its last segment and waits for a sync.
    size_t open_threads_max = 1;
  };

  // kConflict when the directory has a log, or segments of one that lost its manifest; kInvalid unless 1 ≤ partitions
  // ≤ kSlots. What a crash or an error leaves is no log yet, and a second Create() makes it one.
  static Status Create(FileSystem& files, Clock& clock, const std::string& directory, const Uuid& log_id,
                       uint32_t partitions);
  // kNotFound: no log there. kConflict: another has it open, or it has another number of partitions. kCorrupt: damage
  // in a manifest, a header, the last segment of a partition or a Genesis; damage elsewhere is found when it is read.
  static Result<std::unique_ptr<LocalLog>> Open(FileSystem& files, Clock& clock, const std::string& directory,
                                                const Options& options);

  Uuid log_id() const override { return log_id_; }
  uint32_t partitions() const override { return static_cast<uint32_t>(partitions_.size()); }
  // One that it holds.
  PartitionLog& partition(uint32_t partition) override;

  // Of another log: nobody appends to it.
  bool is_copy() const { return is_copy_; }
  // Of one that it holds: LocalPartition::segments().
  std::vector<SegmentInfo> segments(uint32_t partition) const { return partitions_[partition]->segments(); }
  // A copy has segments of the partitions that its daemon owned; an embedded log of all.
  bool holds(uint32_t partition) const { return partition < partitions_.size() && partitions_[partition] != nullptr; }
  // What the opening cut off.
  const std::vector<TailCut>& tail_cuts() const { return tail_cuts_; }
  uint64_t tail_cut_bytes() const;
  // Read-only: takes in what a writer has appended since.
  Status Refresh();

 private:
  LocalLog(const Uuid& log_id, std::unique_ptr<File> lock) : log_id_(log_id), lock_(std::move(lock)) {}

  Status OpenPartition(FileSystem& files, Clock& clock, const std::string& directory, const Options& options,
                       uint32_t partition, std::optional<TailCut>* cut);

  const Uuid log_id_;
  const std::unique_ptr<File> lock_;  // null when read-only
  bool is_copy_ = false;
  std::vector<std::unique_ptr<LocalPartition>> partitions_;  // null where a copy holds none
  std::vector<TailCut> tail_cuts_;
};

}  // namespace odometer
