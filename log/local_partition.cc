#include "log/local_partition.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace odometer {

namespace {

constexpr size_t kGroupBytesMax = 4 << 20;  // what one leader writes at once, if there is more than one waiter
constexpr size_t kFetchBufferBytes = 32 << 10;  // a span of an index is seldom larger
constexpr size_t kFetchedAtOnce = 16;
constexpr int64_t kWaitUsMax = kUsPerHour;

size_t BytesOf(std::span<const std::string_view> events) {
  size_t bytes = 0;
  for (std::string_view event : events) bytes += FrameBytes(event.size());
  return bytes;
}

}  // namespace

struct LocalPartition::Waiter {
  std::span<const std::string_view> events;
  bool wants_sync = false;
  bool is_quiet = false;
  bool is_apart = false;  // of no group
  size_t bytes = 0;
  Appended appended;
  bool is_done = false;
  Status status;
  std::condition_variable turn;
};

class LocalPartition::Reader : public EventReader {
 public:
  Reader(LocalPartition& log, uint64_t from, uint64_t seen_wakes)
      : log_(log), next_offset_(from), seen_wakes_(seen_wakes) {}

  Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) override {
    records_.clear();
    if (records_max == 0) return std::span<const Record>();
    std::optional<Extent> extent = log_.AwaitRecord(next_offset_, wait_us, &seen_wakes_);
    if (!extent) return std::span<const Record>();
    if (segment_ == nullptr || segment_->header().base_offset != extent->base_offset) {
      Result<std::unique_ptr<SegmentReader>> opened = log_.OpenAt(*extent, next_offset_);
      if (!opened.ok()) return opened.status();
      segment_ = std::move(*opened);
    }
    Result<size_t> count = segment_->Read(extent->bytes, records_max, &records_);
    if (!count.ok()) return count.status();
    if (*count == 0) {
      return Status(Code::kCorrupt, log_.PathOf(extent->base_offset) + ": ends with offset " +
                                        std::to_string(next_offset_) + ", expected to go on to " +
                                        std::to_string(extent->end_offset));
    }
    next_offset_ = segment_->next_offset();
    return std::span<const Record>(records_);
  }

  uint64_t next_offset() const override { return next_offset_; }

 private:
  LocalPartition& log_;
  uint64_t next_offset_;
  uint64_t seen_wakes_;
  std::unique_ptr<SegmentReader> segment_;
  std::vector<Record> records_;
};

LocalPartition::LocalPartition(FileSystem& files, Clock& clock, Options options, OpenedSegments opened,
                               std::unique_ptr<SegmentWriter> writer)
    : files_(files),
      clock_(clock),
      options_(std::move(options)),
      writer_(std::move(writer)),
      segments_(std::move(opened.segments)),
      end_(opened.end),
      synced_offset_(writer_ == nullptr || writer_->is_synced() ? end_.next_offset : end_.base_offset) {
  indexes_[end_.base_offset] = std::move(opened.last_index);
}

LocalPartition::~LocalPartition() = default;

OffsetRange LocalPartition::range() const {
  std::lock_guard lock(mutex_);
  return {segments_.front().base_offset, end_.next_offset};
}

Result<Appended> LocalPartition::Append(std::span<const std::string_view> events) {
  Waiter waiter;
  return AppendAs(waiter, events);
}

Result<Appended> LocalPartition::AppendQuietly(std::span<const std::string_view> events) {
  Waiter waiter;
  waiter.is_quiet = true;
  return AppendAs(waiter, events);
}

Result<Appended> LocalPartition::AppendAs(Waiter& waiter, std::span<const std::string_view> events) {
  if (writer_ == nullptr) return Status(Code::kInvalid, options_.directory + ": opened to read only");
  for (std::string_view event : events) {
    if (event.size() > kPayloadBytesMax) {
      return Status(Code::kInvalid, "an event of " + std::to_string(event.size()) + " bytes; the log takes at most " +
                                        std::to_string(kPayloadBytesMax));
    }
  }
  waiter.events = events;
  waiter.bytes = BytesOf(events);
  std::unique_lock lock(mutex_);
  if (events.empty()) return Appended{end_.next_offset, end_.next_offset, end_.append_time};
  ODOMETER_RETURN_IF_ERROR(Await(lock, waiter));
  return waiter.appended;
}

Status LocalPartition::CopyIn(std::span<const Record> records) {
  for (const Record& record : records) {
    if (record.bytes.size() > kFramePayloadBytesMax) {
      return Status(Code::kInvalid, options_.directory + ": the record at offset " + std::to_string(record.offset) +
                                        " has " + std::to_string(record.bytes.size()) +
                                        " bytes; a copy takes at most " + std::to_string(kFramePayloadBytesMax));
    }
  }
  ODOMETER_RETURN_IF_ERROR(writer_->Write(records, SegmentWriter::Durable::kNo));
  std::lock_guard lock(mutex_);
  Publish(false);
  return Status::Ok();
}

Status LocalPartition::SyncTo(uint64_t offset) {
  std::unique_lock lock(mutex_);
  if (offset > end_.next_offset) {
    return Status(Code::kInvalid, options_.directory + ": cannot sync to offset " + std::to_string(offset) +
                                      ", the log ends at " + std::to_string(end_.next_offset));
  }
  if (writer_ == nullptr) return Status::Ok();
  // One after another: of an error of the disk each handle is told once, one that is opened afterwards not at all.
  synced_.wait(lock, [this] { return !is_syncing_; });
  if (offset <= synced_offset_) return Status::Ok();
  is_syncing_ = true;
  Status status = SyncBeside(lock);
  is_syncing_ = false;
  synced_.notify_all();
  return status;
}

Status LocalPartition::SyncBeside(std::unique_lock<std::mutex>& lock) {
  std::optional<SegmentWriter::Unsynced> unsynced;
  Apart(lock, [&] { unsynced = writer_->BeginSync(); });
  if (!unsynced) {
    Waiter waiter;
    waiter.wants_sync = true;
    return Await(lock, waiter);
  }
  lock.unlock();
  Status status = unsynced->Sync();
  unsynced->file.reset();
  lock.lock();
  Apart(lock, [&] { status = writer_->EndSync(*unsynced, status); });
  if (status.ok()) synced_offset_ = std::max(synced_offset_, unsynced->next_offset);
  return status;
}

void LocalPartition::Apart(std::unique_lock<std::mutex>& lock, const std::function<void()>& f) {
  Waiter waiter;
  waiter.is_apart = true;
  queue_.push_back(&waiter);
  while (queue_.front() != &waiter) waiter.turn.wait(lock);
  lock.unlock();
  f();
  lock.lock();
  Finish(1, Status::Ok());
}

Status LocalPartition::Await(std::unique_lock<std::mutex>& lock, Waiter& waiter) {
  queue_.push_back(&waiter);
  while (!waiter.is_done && queue_.front() != &waiter) waiter.turn.wait(lock);
  if (waiter.is_done) return waiter.status;
  // The group stays at the front of the queue while it is written, so nobody else leads.
  std::vector<Waiter*> group(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(GroupSize()));
  AppendTime append_time = std::max(AppendTimeOf(clock_.NowUs()), end_.append_time);
  uint64_t first_offset = end_.next_offset;
  lock.unlock();
  Status status = WriteGroup(group, first_offset, append_time);
  lock.lock();
  bool is_quiet = std::all_of(group.begin(), group.end(), [](const Waiter* each) { return each->is_quiet; });
  if (status.ok()) Publish(is_quiet);
  Finish(group.size(), status);
  return status;
}

size_t LocalPartition::GroupSize() const {
  size_t count = 1;
  size_t bytes = queue_.front()->bytes;
  auto joins = [&](const Waiter& waiter) { return !waiter.is_apart && bytes + waiter.bytes <= kGroupBytesMax; };
  while (count < queue_.size() && joins(*queue_[count])) bytes += queue_[count++]->bytes;
  return count;
}

Status LocalPartition::WriteGroup(std::span<Waiter* const> group, uint64_t first_offset, AppendTime append_time) {
  bool wants_sync = options_.fsync;
  uint64_t offset = first_offset;
  group_records_.clear();
  for (Waiter* waiter : group) {
    wants_sync |= waiter->wants_sync;
    waiter->appended = {offset, offset + waiter->events.size(), append_time};
    for (std::string_view event : waiter->events) group_records_.push_back({offset++, append_time, event});
  }
  return writer_->Write(group_records_, wants_sync ? SegmentWriter::Durable::kYes : SegmentWriter::Durable::kNo);
}

void LocalPartition::Publish(bool is_quiet) {
  const SegmentWriter::End& end = writer_->end();
  if (end.base_offset != end_.base_offset) segments_.push_back({end.base_offset, 0});
  segments_.back().bytes = end.position;
  indexes_[end.base_offset].Add(writer_->written());
  end_ = end;
  if (writer_->is_synced()) synced_offset_ = end.next_offset;
  if (!is_quiet) appended_.notify_all();
}

void LocalPartition::Finish(size_t group_size, const Status& status) {
  for (size_t i = 0; i < group_size; ++i) {
    Waiter* waiter = queue_.front();
    queue_.pop_front();
    waiter->status = status;
    waiter->is_done = true;
    waiter->turn.notify_one();  // with the lock held: the waiter is on its caller's stack
  }
  if (!queue_.empty()) queue_.front()->turn.notify_one();
}

void LocalPartition::Wake() {
  std::lock_guard lock(mutex_);
  ++wakes_;
  appended_.notify_all();
}

void LocalPartition::Await(uint64_t offset, int64_t wait_us, uint64_t* seen_wakes) {
  AwaitRecord(offset, wait_us, seen_wakes);
}

Result<std::unique_ptr<EventReader>> LocalPartition::Read(uint64_t from) {
  std::lock_guard lock(mutex_);
  std::string what = options_.directory + ": offset " + std::to_string(from) + " is ";
  if (from < segments_.front().base_offset) return Status(Code::kNotFound, what + "no longer in the log");
  if (from > end_.next_offset) {
    return Status(Code::kInvalid, what + "above the end of the log, " + std::to_string(end_.next_offset));
  }
  return std::unique_ptr<EventReader>(std::make_unique<Reader>(*this, from, wakes_));
}

std::optional<LocalPartition::Extent> LocalPartition::AwaitRecord(uint64_t offset, int64_t wait_us,
                                                                  uint64_t* seen_wakes) {
  std::unique_lock lock(mutex_);
  if (end_.next_offset > offset) return ExtentOf(offset);
  if (wait_us <= 0) return std::nullopt;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(std::min(wait_us, kWaitUsMax));
  appended_.wait_until(lock, deadline, [&] { return end_.next_offset > offset || wakes_ != *seen_wakes; });
  if (end_.next_offset > offset) return ExtentOf(offset);
  *seen_wakes = wakes_;
  return std::nullopt;
}

LocalPartition::Extent LocalPartition::ExtentOf(uint64_t offset) const {
  auto is_after = [](uint64_t wanted, const SegmentInfo& segment) { return wanted < segment.base_offset; };
  auto after = std::upper_bound(segments_.begin(), segments_.end(), offset, is_after);
  const SegmentInfo& segment = *(after - 1);
  return {segment.base_offset, segment.bytes, after == segments_.end() ? end_.next_offset : after->base_offset};
}

Result<std::unique_ptr<SegmentReader>> LocalPartition::OpenAt(const Extent& extent, uint64_t offset) {
  std::string path = PathOf(extent.base_offset);
  Result<std::unique_ptr<SegmentReader>> opened = SegmentReader::Open(files_, path);
  if (!opened.ok()) return opened.status();
  SegmentReader& reader = **opened;
  ODOMETER_RETURN_IF_ERROR(
      CheckSegmentHeader(reader.header(), options_.log_id, options_.partition, extent.base_offset, path));
  if (offset == extent.base_offset) return opened;
  Result<SparseIndex::Span> span = FindSpan(extent, offset);
  if (!span.ok()) return span.status();
  reader.Seek(span->begin);
  Frame frame;
  while (reader.next_offset() < offset) {
    uint64_t position = reader.position();
    Result<bool> got = reader.ReadFrame(extent.bytes, &frame);
    if (!got.ok()) return got.status();
    if (!*got) {
      return Status(Code::kCorrupt, path + ": ends with offset " + std::to_string(reader.next_offset()) +
                                        ", expected to hold " + std::to_string(offset));
    }
    // Where offsets have holes, the first record above is where reading goes on.
    if (frame.record.offset >= offset) reader.Seek({frame.record.offset, position});
    if (frame.record.offset >= offset) break;
  }
  return opened;
}

Result<SparseIndex::Span> LocalPartition::FindSpan(const Extent& extent, uint64_t offset) {
  const SparseIndex::Span whole{{extent.base_offset, kSegmentHeaderBytes}, std::nullopt};
  {
    std::lock_guard lock(mutex_);
    auto known = indexes_.find(extent.base_offset);
    if (known != indexes_.end()) return known->second.Find(offset).value_or(whole);
  }
  // An earlier segment that nobody has searched yet; the lock is not held, for it is read from end to end.
  Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files_, PathOf(extent.base_offset));
  if (!reader.ok()) return reader.status();
  SparseIndex index;
  for (;;) {
    uint64_t position = (*reader)->position();
    Frame frame;
    Result<bool> got = (*reader)->ReadFrame(extent.bytes, &frame);
    if (!got.ok()) return got.status();
    if (!*got) break;
    index.Add({frame.record.offset, position});
  }
  std::lock_guard lock(mutex_);
  return indexes_.try_emplace(extent.base_offset, std::move(index)).first->second.Find(offset).value_or(whole);
}

Result<LocalPartition::Sought> LocalPartition::Seek(uint64_t offset) {
  Extent extent;
  {
    std::lock_guard lock(mutex_);
    if (offset < segments_.front().base_offset || offset >= end_.next_offset) {
      return Status(Code::kNotFound, options_.directory + ": no record at offset " + std::to_string(offset));
    }
    extent = ExtentOf(offset);
  }
  Result<SparseIndex::Span> span = FindSpan(extent, offset);
  if (!span.ok()) return span.status();
  std::string path = PathOf(extent.base_offset);
  uint64_t end = std::min(extent.bytes, span->end_position.value_or(extent.bytes));
  size_t buffer_bytes = std::min<uint64_t>(kFetchBufferBytes, end - span->begin.position);
  Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files_, path, buffer_bytes);
  if (!reader.ok()) return reader.status();
  ODOMETER_RETURN_IF_ERROR(
      CheckSegmentHeader((*reader)->header(), options_.log_id, options_.partition, extent.base_offset, path));
  (*reader)->Seek(span->begin);
  return Sought{offset, end, std::move(*reader)};
}

Result<OwnedRecord> LocalPartition::Take(Sought& sought) {
  SegmentReader& reader = *sought.reader;
  while (reader.next_offset() <= sought.offset) {
    Frame frame;
    Result<bool> got = reader.ReadFrame(sought.end, &frame);
    if (!got.ok()) return got.status();
    if (!*got) break;
    if (frame.record.offset == sought.offset) return OwnedRecord::Copy(frame.record);
  }
  if (reader.header().may_have_holes)
    return Status(Code::kNotFound, options_.directory + ": no record at offset " + std::to_string(sought.offset));
  return Status(Code::kCorrupt, PathOf(reader.header().base_offset) + ": byte " + std::to_string(reader.position()) +
                                    " is after offset " + std::to_string(sought.offset) + ", which was not found");
}

Result<OwnedRecord> LocalPartition::Fetch(uint64_t offset) {
  Result<Sought> sought = Seek(offset);
  if (!sought.ok()) return sought.status();
  return Take(*sought);
}

Result<std::vector<OwnedRecord>> LocalPartition::FetchAll(std::span<const uint64_t> offsets) {
  std::vector<OwnedRecord> records;
  records.reserve(offsets.size());
  while (records.size() < offsets.size()) {
    std::vector<Sought> next;
    size_t count = std::min(kFetchedAtOnce, offsets.size() - records.size());
    for (uint64_t offset : offsets.subspan(records.size(), count)) {
      Result<Sought> sought = Seek(offset);
      if (!sought.ok()) return sought.status();
      sought->reader->Expect(sought->end);
      next.push_back(std::move(*sought));
    }
    for (Sought& sought : next) {
      Result<OwnedRecord> record = Take(sought);
      if (!record.ok()) return record.status();
      records.push_back(std::move(*record));
    }
  }
  return records;
}

std::vector<SegmentInfo> LocalPartition::segments() const {
  std::lock_guard lock(mutex_);
  return segments_;
}

Status LocalPartition::Refresh() {
  OpenSegmentsOptions options;
  options.read_only = true;
  {
    std::lock_guard lock(mutex_);
    options.known_end = end_;
  }
  Result<OpenedSegments> opened =
      OpenSegments(files_, options_.directory, options_.log_id, options_.partition, options);
  if (!opened.ok()) return opened.status();
  std::lock_guard lock(mutex_);
  if (opened->end.next_offset <= end_.next_offset) return Status::Ok();
  if (opened->end.base_offset != end_.base_offset) indexes_.erase(end_.base_offset);  // it has grown since
  indexes_[opened->end.base_offset].Add(opened->last_index);
  segments_ = std::move(opened->segments);
  end_ = opened->end;
  synced_offset_ = end_.next_offset;
  appended_.notify_all();
  return Status::Ok();
}

}  // namespace odometer
