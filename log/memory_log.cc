#include "log/memory_log.h"

#include <algorithm>
#include <chrono>

#include "log/segment.h"

namespace odometer {

class MemoryPartition::Reader : public EventReader {
 public:
  Reader(MemoryPartition& log, uint64_t from, uint64_t seen_wakes)
      : log_(log), next_offset_(from), seen_wakes_(seen_wakes) {}

  Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) override {
    records_.clear();
    if (records_max == 0) return std::span<const Record>();
    std::unique_lock lock(log_.mutex_);
    if (log_.records_.size() <= next_offset_ && wait_us > 0) {
      auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(std::min(wait_us, kUsPerHour));
      log_.appended_.wait_until(
          lock, deadline, [this] { return log_.records_.size() > next_offset_ || log_.wakes_ != seen_wakes_; });
      if (log_.records_.size() <= next_offset_) seen_wakes_ = log_.wakes_;
    }
    size_t end = log_.records_.size();
    if (end < next_offset_) {
      return Status(Code::kCorrupt, "the log ends at offset " + std::to_string(end) + ", below this reader's " +
                                        std::to_string(next_offset_));
    }
    size_t count = std::min<size_t>(records_max, end - next_offset_);
    for (size_t i = 0; i < count; ++i) {
      const OwnedRecord& record = log_.records_[next_offset_ + i];
      records_.push_back({record.offset, record.append_time, record.bytes});
    }
    next_offset_ += count;
    return std::span<const Record>(records_);
  }

  uint64_t next_offset() const override { return next_offset_; }

 private:
  MemoryPartition& log_;
  uint64_t next_offset_;
  uint64_t seen_wakes_;
  std::vector<Record> records_;
};

MemoryPartition::MemoryPartition(Clock& clock, uint32_t partition, bool synced)
    : clock_(clock), partition_(partition), synced_(synced) {}

MemoryPartition::~MemoryPartition() = default;

OffsetRange MemoryPartition::range() const {
  std::lock_guard lock(mutex_);
  return {0, records_.size()};
}

Result<Appended> MemoryPartition::Append(std::span<const std::string_view> events) {
  for (std::string_view event : events) {
    if (event.size() > kPayloadBytesMax) return Status(Code::kInvalid, "an event above 16 MiB");
  }
  std::lock_guard lock(mutex_);
  return AppendLocked(events, std::max(AppendTimeOf(clock_.NowUs()), append_time_));
}

Result<Appended> MemoryPartition::AppendAt(std::span<const std::string_view> events, AppendTime append_time) {
  std::lock_guard lock(mutex_);
  if (append_time < append_time_) return Status(Code::kInvalid, "append time below that of the last record");
  return AppendLocked(events, append_time);
}

Appended MemoryPartition::AppendLocked(std::span<const std::string_view> events, AppendTime append_time) {
  uint64_t first = records_.size();
  if (events.empty()) return {first, first, append_time_};
  for (std::string_view event : events) {
    records_.push_back(OwnedRecord::Copy({records_.size(), append_time, event}));
  }
  append_time_ = append_time;
  if (synced_) synced_end_ = records_.size();
  appended_.notify_all();
  return {first, records_.size(), append_time};
}

Result<std::unique_ptr<EventReader>> MemoryPartition::Read(uint64_t from) {
  std::lock_guard lock(mutex_);
  if (from > records_.size()) {
    return Status(Code::kInvalid, "offset " + std::to_string(from) + " is above the end of the log, " +
                                      std::to_string(records_.size()));
  }
  return std::unique_ptr<EventReader>(std::make_unique<Reader>(*this, from, wakes_));
}

Result<OwnedRecord> MemoryPartition::Fetch(uint64_t offset) {
  std::lock_guard lock(mutex_);
  if (offset >= records_.size()) return Status(Code::kNotFound, "no record at offset " + std::to_string(offset));
  const OwnedRecord& record = records_[offset];
  return OwnedRecord::Copy({record.offset, record.append_time, record.bytes});
}

Status MemoryPartition::SyncTo(uint64_t offset) {
  std::lock_guard lock(mutex_);
  if (offset > records_.size()) {
    return Status(Code::kInvalid, "cannot sync to offset " + std::to_string(offset) + ", the log ends at " +
                                      std::to_string(records_.size()));
  }
  synced_end_ = std::max(synced_end_, offset);
  return Status::Ok();
}

void MemoryPartition::Wake() {
  std::lock_guard lock(mutex_);
  ++wakes_;
  appended_.notify_all();
}

void MemoryPartition::DropUnsynced() {
  std::lock_guard lock(mutex_);
  while (records_.size() > synced_end_) {
    dropped_.push_back(std::move(records_.back()));
    records_.pop_back();
  }
  append_time_ = records_.empty() ? AppendTime{} : records_.back().append_time;
}

MemoryLog::MemoryLog(Clock& clock, const Uuid& log_id, uint32_t partitions, bool fsync) : log_id_(log_id) {
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    partitions_.push_back(std::make_unique<MemoryPartition>(clock, partition, fsync));
    std::string genesis = GenesisBytes(log_id, partition, partitions, clock.NowUs());
    std::string_view event = genesis;
    ODOMETER_CHECK(partitions_.back()->Append({&event, 1}).ok());
    ODOMETER_CHECK(partitions_.back()->SyncTo(1).ok());
  }
}

MemoryPartition& MemoryLog::memory_partition(uint32_t partition) {
  ODOMETER_CHECK(partition < partitions_.size());
  return *partitions_[partition];
}

void MemoryLog::DropUnsynced() {
  for (const std::unique_ptr<MemoryPartition>& partition : partitions_) partition->DropUnsynced();
}

}  // namespace odometer
