// log/memory_log.h: MemoryLog, the EventLog contract in this process's memory, for tests, examples and simulations.
//
//   ManualClock clock(1'700'000'000'000'000);
//   MemoryLog log(clock, log_id, 8);
//   log.memory_partition(3).AppendAt(events, AppendTime{1'700'000'001'000'999});   // a record with the time it needs
//
// The same calls on the same clock give the same records. Offsets are dense from 0, and nothing is ever trimmed.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "log/event_log.h"

namespace odometer {

// Thread-safe; readers are each confined to one thread and must go before it.
class MemoryPartition : public PartitionLog {
 public:
  // synced: whether an append is durable at once, or only after SyncTo().
  MemoryPartition(Clock& clock, uint32_t partition, bool synced);
  ~MemoryPartition() override;

  uint32_t partition() const override { return partition_; }
  OffsetRange range() const override;
  Result<Appended> Append(std::span<const std::string_view> events) override;
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override;
  Result<OwnedRecord> Fetch(uint64_t offset) override;
  Status SyncTo(uint64_t offset) override;
  void Wake() override;

  // Instead of the clock's time; kInvalid when it is below that of the last record.
  Result<Appended> AppendAt(std::span<const std::string_view> events, AppendTime append_time);
  // What a power loss does: records that were not synced are gone, and their offsets are given again. A reader that is
  // past the new end gets kCorrupt.
  void DropUnsynced();

 private:
  class Reader;

  Appended AppendLocked(std::span<const std::string_view> events, AppendTime append_time);

  Clock& clock_;
  const uint32_t partition_;
  const bool synced_;
  mutable std::mutex mutex_;
  std::condition_variable appended_;
  // All below: guarded by mutex_.
  std::deque<OwnedRecord> records_;  // record i has offset i
  std::vector<OwnedRecord> dropped_;  // a reader may still point into them
  uint64_t synced_end_ = 0;
  AppendTime append_time_;
  uint64_t wakes_ = 0;
};

// Thread-safe.
class MemoryLog : public EventLog {
 public:
  // Writes a Genesis into each partition, as every log does. fsync: false leaves appends unsynced until SyncTo().
  MemoryLog(Clock& clock, const Uuid& log_id, uint32_t partitions, bool fsync = true);

  Uuid log_id() const override { return log_id_; }
  uint32_t partitions() const override { return static_cast<uint32_t>(partitions_.size()); }
  PartitionLog& partition(uint32_t partition) override { return memory_partition(partition); }
  MemoryPartition& memory_partition(uint32_t partition);
  void DropUnsynced();

 private:
  const Uuid log_id_;
  std::vector<std::unique_ptr<MemoryPartition>> partitions_;
};

}  // namespace odometer
