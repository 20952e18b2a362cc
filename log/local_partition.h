// log/local_partition.h: LocalPartition, one partition of a LocalLog: group commit and readers over its segments.
//
// Group commit without a thread of its own: callers of Append() queue up; the first in the queue takes all that wait
// (up to a bound), writes and syncs them together while others queue behind it, then wakes them with their answers and
// hands the lead to the next. SyncTo() lets the others write on while it waits for the disk.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "log/event_log.h"
#include "log/segment_directory.h"
#include "log/segment_writer.h"

namespace odometer {

// Thread-safe; its readers are each confined to one thread and must go before it.
class LocalPartition : public PartitionLog {
 public:
  struct Options {
    std::string directory;
    Uuid log_id;
    uint32_t partition = 0;
    bool fsync = true;
  };

  // Without a writer it is read-only: Append() is kInvalid, Refresh() finds what others have appended.
  LocalPartition(FileSystem& files, Clock& clock, Options options, OpenedSegments opened,
                 std::unique_ptr<SegmentWriter> writer);
  ~LocalPartition() override;

  uint32_t partition() const override { return options_.partition; }
  OffsetRange range() const override;
  // Beyond the contract: kInvalid for an event above kPayloadBytesMax and in a read-only log; kUnavailable and then kIo
  // for good when a sync failed: the log must be reopened. In `written` mode the bytes are with the operating system
  // when it returns: they outlive this process, not the machine.
  Result<Appended> Append(std::span<const std::string_view> events) override;
  Result<Appended> AppendQuietly(std::span<const std::string_view> events) override;
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override;
  Result<OwnedRecord> Fetch(uint64_t offset) override;
  Result<std::vector<OwnedRecord>> FetchAll(std::span<const uint64_t> offsets) override;
  Status SyncTo(uint64_t offset) override;
  void Wake() override;
  bool can_await() const override { return true; }
  void Await(uint64_t offset, int64_t wait_us, uint64_t* seen_wakes) override;
  bool is_instant() const override { return !options_.fsync; }

  // For a copy of another log, which nobody appends to: writes records with the offsets and times that they have there,
  // above all that it holds. Not synced. One thread at a time.
  Status CopyIn(std::span<const Record> records);
  // As they are now, the last one up to the end of its last frame.
  std::vector<SegmentInfo> segments() const;
  // Read-only: takes in what has been appended since the opening or the last Refresh().
  Status Refresh();

 private:
  class Reader;
  struct Waiter;
  // The part of a segment that may be read.
  struct Extent {
    uint64_t base_offset = 0;
    uint64_t bytes = 0;
    uint64_t end_offset = 0;
  };

  Result<Appended> AppendAs(Waiter& waiter, std::span<const std::string_view> events);
  Status SyncBeside(std::unique_lock<std::mutex>& lock);
  // Calls f while nobody writes.
  void Apart(std::unique_lock<std::mutex>& lock, const std::function<void()>& f);
  // Returns when the waiter's events are written, by this caller as the leader or by another.
  Status Await(std::unique_lock<std::mutex>& lock, Waiter& waiter);
  size_t GroupSize() const;
  Status WriteGroup(std::span<Waiter* const> group, uint64_t first_offset, AppendTime append_time);
  void Publish(bool is_quiet);
  void Finish(size_t group_size, const Status& status);

  // Waits for a record at `offset` and gives where it lies; nothing when none came in time, or on a Wake() that this
  // reader has not seen.
  std::optional<Extent> AwaitRecord(uint64_t offset, int64_t wait_us, uint64_t* seen_wakes);
  Extent ExtentOf(uint64_t offset) const;
  // A reader that stands at the record with this offset.
  Result<std::unique_ptr<SegmentReader>> OpenAt(const Extent& extent, uint64_t offset);
  Result<SparseIndex::Span> FindSpan(const Extent& extent, uint64_t offset);
  // What one record is fetched with: it lies between where the reader stands and byte `end`.
  struct Sought {
    uint64_t offset = 0;
    uint64_t end = 0;
    std::unique_ptr<SegmentReader> reader;
  };
  Result<Sought> Seek(uint64_t offset);
  Result<OwnedRecord> Take(Sought& sought);
  std::string PathOf(uint64_t base_offset) const { return options_.directory + "/" + SegmentName(base_offset); }

  FileSystem& files_;
  Clock& clock_;
  const Options options_;
  const std::unique_ptr<SegmentWriter> writer_;  // the leader's
  std::vector<Record> group_records_;            // the leader's, reused

  mutable std::mutex mutex_;
  std::condition_variable appended_;
  std::condition_variable synced_;
  // All below: guarded by mutex_.
  std::deque<Waiter*> queue_;
  std::vector<SegmentInfo> segments_;
  std::map<uint64_t, SparseIndex> indexes_;  // by base offset; of earlier segments only those that were searched
  SegmentWriter::End end_;
  uint64_t synced_offset_;
  bool is_syncing_ = false;
  uint64_t wakes_ = 0;
};

}  // namespace odometer
