// log/event_log.h: EventLog, one ordered log of records per partition, and the contract that each implementation keeps.
//
//   std::unique_ptr<EventReader> reader = log.partition(3).Read(cursor).value();
//   for (;;) {
//     Result<std::span<const Record>> batch = reader->Poll(4096, 50'000);   // valid until the next Poll
//     if (!batch.ok()) return batch.status();
//     for (const Record& record : *batch) Fold(record);
//   }
//
// What every implementation promises:
//  - Offsets of a partition rise; record 0 is Genesis, written when the log is created. A reader gives each record that
//    the log holds, once, in order, from where it was opened. `next_offset` after a poll is the position to resume
//    from; offsets may have holes, so it is never computed by counting.
//  - append_time never falls within a partition, and has the form AppendTimeOf() gives.
//  - Append() returns when the events are as durable as the log was opened to make them, or with an error; then none of
//    them is in the log, or (kUnavailable, "outcome unknown") perhaps all are: ids make the retry safe.
//  - The events of one Append() are adjacent and in order.
//  - Nothing is guessed over: a damaged record is an error that names its place (kCorrupt), not a gap.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/record.h"
#include "core/status.h"
#include "core/time.h"

namespace odometer {

// partition + next offset: everything below it has been seen. On the wire: an opaque token.
struct Position {
  uint32_t partition = 0;
  uint64_t next_offset = 0;
  std::string ToToken() const;
  static Result<Position> FromToken(std::string_view token);
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Appended {
  uint64_t first_offset = 0;
  uint64_t next_offset = 0;   // of the last event, plus 1
  AppendTime append_time;
};

// [start, end): the records that the log holds now.
struct OffsetRange {
  uint64_t start = 0;
  uint64_t end = 0;
};

// Confined to one thread.
class EventReader {
 public:
  virtual ~EventReader() = default;
  // Waits at most wait_us for a first record, then gives what is there, at most records_max. Empty when nothing came.
  // The records live until the next Poll. Sees only records that are durable.
  virtual Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) = 0;
  // Where the next Poll goes on.
  virtual uint64_t next_offset() const = 0;
};

// A record that owns its bytes.
struct OwnedRecord {
  uint64_t offset = 0;
  AppendTime append_time;
  std::unique_ptr<uint64_t[]> storage;  // 8-aligned
  std::string_view bytes;

  static OwnedRecord Copy(const Record& record);
};

// One partition. Thread-safe; readers are not.
class PartitionLog {
 public:
  virtual ~PartitionLog() = default;
  virtual uint32_t partition() const = 0;
  virtual OffsetRange range() const = 0;
  // kDiskFull or kIo leave the log as it was and usable: a later Append may succeed.
  virtual Result<Appended> Append(std::span<const std::string_view> events) = 0;
  // As Append(), for who reads on at once: nobody that waits for records is woken by it, where the log can do that.
  virtual Result<Appended> AppendQuietly(std::span<const std::string_view> events) { return Append(events); }
  // `from` may be range().end, not above it (kInvalid); below range().start is kNotFound.
  virtual Result<std::unique_ptr<EventReader>> Read(uint64_t from) = 0;
  // What is at hand, for readers beside the one that folds: a log with a copy gives of the copy only. Its end is that
  // of held(), and it does not wait.
  virtual Result<std::unique_ptr<EventReader>> ReadHeld(uint64_t from) { return Read(from); }
  virtual OffsetRange held() const { return range(); }
  // The record at exactly this offset, or kNotFound.
  virtual Result<OwnedRecord> Fetch(uint64_t offset) = 0;
  // The records at exactly these offsets, in that order. What they wait for they wait for together, where the log can.
  virtual Result<std::vector<OwnedRecord>> FetchAll(std::span<const uint64_t> offsets);
  // How many calls of Fetch() it is worth while to make side by side: each may wait for another machine.
  virtual size_t fetches_at_once() const { return 1; }
  // Makes everything below `offset` durable, and proves that the log still is the one that was opened, as far as that
  // can change; a store calls it before it makes a cursor durable. kCorrupt: it is another one; the message says what
  // differs. kUnavailable: nobody can say so now.
  virtual Status SyncTo(uint64_t offset) = 0;
  // Makes blocked Polls return early, once.
  virtual void Wake() = 0;
  // Whether one may wait for records apart from reading them, by Await().
  virtual bool can_await() const { return false; }
  // Returns when there is a record at or above `offset`, after wait_us, or on a Wake() that `seen_wakes` has not seen.
  virtual void Await(uint64_t offset, int64_t wait_us, uint64_t* seen_wakes) {
    (void)offset, (void)wait_us, (void)seen_wakes;
  }
  // Whether Append() waits for no other machine and for no device: a thread that must not be kept may call it.
  virtual bool is_instant() const { return false; }
  // Readers may have been given records at or above `offset` that are not this log's: keeps nothing of them. The caller
  // has closed its readers.
  virtual Status ForgetFrom(uint64_t offset) {
    (void)offset;
    return Status::Ok();
  }
  // Everything below next_offset is in a durable store: told to whoever counts lag. A failure means nothing.
  virtual void Acknowledge(uint64_t next_offset) { (void)next_offset; }
};

class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual Uuid log_id() const = 0;
  virtual uint32_t partitions() const = 0;
  virtual PartitionLog& partition(uint32_t partition) = 0;
};

// The bytes of record 0, and what they say. Shared by all implementations.
std::string GenesisBytes(const Uuid& log_id, uint32_t partition, uint32_t partitions, int64_t now_us);
// kCorrupt when the record is not this log's Genesis for this partition; the message says what differs.
Status CheckGenesis(const Record& record, const Uuid& log_id, uint32_t partition, uint32_t partitions);

}  // namespace odometer
