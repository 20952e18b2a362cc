// log/archived_partition.h: ArchivedPartition, a partition of another log of which every record that is read is first
// copied, byte for byte, into segment files of this machine.
//
//   auto partition = ArchivedPartition::Open(files, clock, options, kafka.partition(3), store.cursor()).value();
//   auto reader = partition->Read(store.cursor()).value();   // from the copy as far as it goes, then from the source
//
// The copy is what a turn is looked up in, what an audit folds, and what proves that the source is still the log that
// was read: SyncTo() compares the last copied record, and the one that was last when it passed before, with the
// source's at the same offsets.
//
// One reader of Read() at a time goes on beyond the copy's end, the Runner's; all others use ReadHeld().
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
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
  // The copy is cut to `cursor`: what lies above it was read, and folded by nobody. With cursor 0 it is kept whole: an
  // empty store is folded from it. It may end below the cursor (a power loss takes what was not synced): then what is
  // missing is read from the source again before anything else.
  // kCorrupt: the copy is damaged, or the source is not what was copied.
  static Result<std::unique_ptr<ArchivedPartition>> Open(FileSystem& files, Clock& clock, Options options,
                                                         PartitionLog& source, uint64_t cursor);

  uint32_t partition() const override { return source_.partition(); }
  OffsetRange range() const override;
  Result<Appended> Append(std::span<const std::string_view> events) override { return source_.Append(events); }
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override;
  Result<std::unique_ptr<EventReader>> ReadHeld(uint64_t from) override;
  OffsetRange held() const override { return copy()->range(); }
  Result<OwnedRecord> Fetch(uint64_t offset) override;
  Result<std::vector<OwnedRecord>> FetchAll(std::span<const uint64_t> offsets) override;
  Status SyncTo(uint64_t offset) override;
  Status ForgetFrom(uint64_t offset) override;
  void Acknowledge(uint64_t next_offset) override { source_.Acknowledge(next_offset); }
  void Wake() override {
    ++wakes_;
    source_.Wake();
  }

 private:
  class Reader;
  class HeldReader;

  ArchivedPartition(FileSystem& files, Clock& clock, Options options, PartitionLog& source)
      : files_(files), clock_(clock), options_(std::move(options)), source_(source) {}

  Result<std::shared_ptr<LocalPartition>> OpenCopy(uint64_t cursor);
  Status CutTo(uint64_t cursor);
  // The copy's last record below the offset, if it has one.
  Result<std::optional<OwnedRecord>> LastBelow(uint64_t offset);
  // Reads from the source what the copy lacks below the offset.
  Status FillTo(uint64_t offset);
  // What was read of the source in [from, next): from must not lie above what the copy was filled to.
  Status CopyIn(uint64_t from, uint64_t next, std::span<const Record> records);
  Status CompareAt(const OwnedRecord& copied);
  // After a write that failed for good: the copy as it is on the disk.
  Status Mend();
  std::shared_ptr<LocalPartition> copy() const;

  FileSystem& files_;
  Clock& clock_;
  const Options options_;
  PartitionLog& source_;
  std::atomic<uint64_t> wakes_ = 0;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::shared_ptr<LocalPartition> copy_;  // another one after ForgetFrom()
  uint64_t filled_to_ = 0;                // the copy's end, or above it where the source has only holes

  std::optional<OwnedRecord> verified_;  // the last one when SyncTo() last passed; of the thread that folds
};

}  // namespace odometer
