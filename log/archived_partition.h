// log/archived_partition.h: ArchivedPartition, a partition of another log of which every record that is read is first
// copied, byte for byte, into segment files of this machine.
//
//   auto partition = ArchivedPartition::Open(files, clock, options, kafka.partition(3), store.cursor()).value();
//   auto reader = partition->Read(store.cursor()).value();   // from the copy as far as it goes, then from the source
//
// The copy is what a turn is looked up in, what an audit folds, and what proves that the source is still the log that
// was read: SyncTo() compares the last copied record with the source's at the same offset.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "log/event_log.h"
#include "log/file_system.h"
#include "log/local_partition.h"

namespace odometer {

// Thread-safe; its readers are each confined to one thread and must go before it. The source must outlive it.
class ArchivedPartition : public PartitionLog {
 public:
  struct Options {
    std::string directory;  // of this partition's segments
    Uuid log_id;
    uint64_t segment_bytes_max = kSegmentBytesMax;
  };
  // The copy is cut to `cursor`: what lies above it was read, and folded by nobody. It may end below it (a power loss
  // takes what was not synced): then what is missing is read from the source again before anything else.
  // kCorrupt: the copy is damaged, or the source is not what was copied.
  static Result<std::unique_ptr<ArchivedPartition>> Open(FileSystem& files, Clock& clock, Options options,
                                                         PartitionLog& source, uint64_t cursor);

  uint32_t partition() const override { return source_.partition(); }
  OffsetRange range() const override;
  Result<Appended> Append(std::span<const std::string_view> events) override { return source_.Append(events); }
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override;
  Result<OwnedRecord> Fetch(uint64_t offset) override;
  Status SyncTo(uint64_t offset) override;
  Status ForgetFrom(uint64_t offset) override;
  void Acknowledge(uint64_t next_offset) override { source_.Acknowledge(next_offset); }
  void Wake() override {
    ++wakes_;
    source_.Wake();
  }

 private:
  class Reader;

  ArchivedPartition(FileSystem& files, Clock& clock, Options options, PartitionLog& source)
      : files_(files), clock_(clock), options_(std::move(options)), source_(source) {}

  Result<std::shared_ptr<LocalPartition>> OpenCopy(uint64_t cursor);
  Status FillTo(uint64_t cursor);
  Status CopyIn(std::span<const Record> records);
  std::shared_ptr<LocalPartition> copy() const;

  FileSystem& files_;
  Clock& clock_;
  const Options options_;
  PartitionLog& source_;
  std::atomic<uint64_t> wakes_ = 0;
  mutable std::mutex mutex_;
  std::shared_ptr<LocalPartition> copy_;  // guarded by mutex_; another one after ForgetFrom()
};

}  // namespace odometer
