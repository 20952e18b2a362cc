#include "log/archived_partition.h"

#include <algorithm>
#include <ranges>

#include "log/at_once.h"

namespace odometer {

namespace {

constexpr int64_t kFillWaitUs = kUsPerSecond;

}  // namespace

class ArchivedPartition::Reader : public EventReader {
 public:
  Reader(ArchivedPartition& log, uint64_t from) : log_(log), next_offset_(from), seen_wakes_(log.wakes_) {}

  Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) override {
    if (source_ == nullptr && next_offset_ < log_.copy()->range().end) return PollCopy(records_max);
    copy_reader_.reset();
    if (source_ == nullptr) {
      ODOMETER_RETURN_IF_ERROR(log_.FillTo(next_offset_));
      Result<std::unique_ptr<EventReader>> source = log_.source_.Read(next_offset_);
      if (!source.ok()) return source.status();
      source_ = std::move(*source);
      // A wake from before the source had this reader is this poll's, too.
      if (seen_wakes_ != log_.wakes_) wait_us = 0;
      seen_wakes_ = log_.wakes_;
    }
    Result<std::span<const Record>> records = source_->Poll(records_max, wait_us);
    if (!records.ok()) {
      source_.reset();
      return records;
    }
    // What cannot be copied is not given: its reader stays in front of it.
    if (Status copied = log_.CopyIn(next_offset_, source_->next_offset(), *records); !copied.ok()) {
      source_.reset();
      return copied;
    }
    next_offset_ = source_->next_offset();
    return records;
  }

  uint64_t next_offset() const override { return next_offset_; }

 private:
  Result<std::span<const Record>> PollCopy(size_t records_max) {
    if (copy_reader_ == nullptr) {
      copy_ = log_.copy();
      Result<std::unique_ptr<EventReader>> reader = copy_->Read(next_offset_);
      if (!reader.ok()) return reader.status();
      copy_reader_ = std::move(*reader);
    }
    Result<std::span<const Record>> records = copy_reader_->Poll(records_max, 0);
    if (records.ok()) next_offset_ = copy_reader_->next_offset();
    return records;
  }

  ArchivedPartition& log_;
  uint64_t next_offset_;
  uint64_t seen_wakes_;
  std::shared_ptr<LocalPartition> copy_;  // before its reader
  std::unique_ptr<EventReader> copy_reader_;
  std::unique_ptr<EventReader> source_;
};

Result<std::unique_ptr<ArchivedPartition>> ArchivedPartition::Open(FileSystem& files, Clock& clock, Options options,
                                                                   PartitionLog& source, uint64_t cursor) {
  std::unique_ptr<ArchivedPartition> partition(new ArchivedPartition(files, clock, std::move(options), source));
  Result<std::shared_ptr<LocalPartition>> copy = partition->OpenCopy(UINT64_MAX);
  if (!copy.ok()) return copy.status();
  partition->copy_ = std::move(*copy);
  partition->filled_to_ = partition->copy_->range().end;
  if (cursor > 0 && partition->filled_to_ > cursor) ODOMETER_RETURN_IF_ERROR(partition->CutTo(cursor));
  ODOMETER_RETURN_IF_ERROR(partition->SyncTo(partition->filled_to_));
  if (partition->filled_to_ >= cursor) return partition;
  ODOMETER_RETURN_IF_ERROR(partition->FillTo(cursor));
  if (partition->copy_->range().end > cursor) ODOMETER_RETURN_IF_ERROR(partition->ForgetFrom(cursor));
  return partition;
}

// What lies above the cursor may have come from elsewhere. What lies below it may not: if it is not the source's, all
// is left as it is, for it may be the last copy there is.
Status ArchivedPartition::CutTo(uint64_t cursor) {
  ODOMETER_RETURN_IF_ERROR(source_.SyncTo(cursor));
  Result<std::optional<OwnedRecord>> last = LastBelow(cursor);
  if (!last.ok()) return last.status();
  if (*last) ODOMETER_RETURN_IF_ERROR(CompareAt(**last));
  return ForgetFrom(cursor);
}

Result<std::optional<OwnedRecord>> ArchivedPartition::LastBelow(uint64_t offset) {
  std::shared_ptr<LocalPartition> copy = this->copy();
  const uint64_t start = copy->range().start;
  for (uint64_t span = 256;; span *= 16) {
    uint64_t from = std::max(start, offset - std::min(offset, span));
    Result<std::unique_ptr<EventReader>> reader = copy->Read(from);
    if (!reader.ok()) return reader.status();
    std::optional<OwnedRecord> last;
    while ((*reader)->next_offset() < offset) {
      Result<std::span<const Record>> records = (*reader)->Poll(span, 0);
      if (!records.ok()) return records.status();
      if (records->empty()) break;
      for (const Record& record : std::ranges::reverse_view(*records)) {
        if (record.offset >= offset) continue;
        last = OwnedRecord::Copy(record);
        break;
      }
    }
    if (last || from == start) return last;
  }
}

Result<std::shared_ptr<LocalPartition>> ArchivedPartition::OpenCopy(uint64_t cursor) {
  const std::string& directory = options_.directory;
  ODOMETER_RETURN_IF_ERROR(files_.CreateDirectories(directory));
  Status cut = CutSegments(files_, directory, cursor);
  OpenSegmentsOptions open_options;
  open_options.sync = false;
  Result<OpenedSegments> opened =
      cut.ok() ? OpenSegments(files_, directory, options_.log_id, source_.partition(), open_options)
               : Result<OpenedSegments>(cut);
  if (opened.status().code() == Code::kNotFound) {
    SegmentHeader header;
    header.log_id = options_.log_id;
    header.partition = source_.partition();
    header.may_have_holes = true;
    Result<std::unique_ptr<SegmentWriter>> made =
        SegmentWriter::Create(files_, directory, header, options_.segment_bytes_max);
    if (!made.ok()) return made.status();
    made->reset();
    opened = OpenSegments(files_, directory, options_.log_id, source_.partition(), open_options);
  }
  if (!opened.ok()) return opened.status();
  Result<std::unique_ptr<SegmentWriter>> writer = SegmentWriter::Resume(
      files_, directory, opened->last_header, opened->end, opened->synced_position, options_.segment_bytes_max);
  if (!writer.ok()) return writer.status();
  LocalPartition::Options local{directory, options_.log_id, source_.partition(), false};
  return std::make_shared<LocalPartition>(files_, clock_, std::move(local), std::move(*opened), std::move(*writer));
}

Status ArchivedPartition::FillTo(uint64_t offset) {
  uint64_t from = 0;
  {
    std::lock_guard lock(mutex_);
    from = filled_to_;
  }
  if (from >= offset) return Status::Ok();
  Reader reader(*this, from);
  while (reader.next_offset() < offset) {
    Result<std::span<const Record>> records = reader.Poll(4096, kFillWaitUs);
    if (!records.ok()) return records.status();
    if (!records->empty() || reader.next_offset() >= offset) continue;
    // Nobody answers, or there is no more.
    ODOMETER_RETURN_IF_ERROR(source_.SyncTo(offset));
    if (source_.range().end <= reader.next_offset()) {
      return Status(Code::kCorrupt, options_.directory + ": was read up to offset " + std::to_string(offset) +
                                        ", the log ends at " + std::to_string(reader.next_offset()));
    }
  }
  return Status::Ok();
}

std::shared_ptr<LocalPartition> ArchivedPartition::copy() const {
  std::lock_guard lock(mutex_);
  return copy_;
}

OffsetRange ArchivedPartition::range() const {
  OffsetRange source = source_.range(), copied = copy()->range();
  return {std::min(source.start, copied.start), std::max(source.end, copied.end)};
}

Status ArchivedPartition::CopyIn(uint64_t from, uint64_t next, std::span<const Record> records) {
  std::shared_ptr<LocalPartition> copy;
  {
    std::lock_guard lock(mutex_);
    copy = copy_;
    if (from > filled_to_) {
      return Status(Code::kInvalid, options_.directory + ": read from offset " + std::to_string(from) +
                                        ", and the copy was filled to " + std::to_string(filled_to_));
    }
  }
  uint64_t end = copy->range().end;
  size_t known = 0;
  while (known < records.size() && records[known].offset < end) ++known;
  if (known < records.size()) {
    Status copied = copy->CopyIn(records.subspan(known));
    if (copied.code() == Code::kIo || copied.code() == Code::kUnavailable) {
      Status mended = Mend();
      return mended.ok() ? copied : mended;
    }
    if (!copied.ok()) return copied;
  }
  std::lock_guard lock(mutex_);
  filled_to_ = std::max(filled_to_, next);
  return Status::Ok();
}

Status ArchivedPartition::Mend() {
  Result<std::shared_ptr<LocalPartition>> fresh = OpenCopy(UINT64_MAX);
  if (!fresh.ok()) return fresh.status();
  std::lock_guard lock(mutex_);
  copy_ = std::move(*fresh);
  filled_to_ = copy_->range().end;
  return Status::Ok();
}

Result<std::unique_ptr<EventReader>> ArchivedPartition::Read(uint64_t from) {
  OffsetRange held = range();
  if (from > held.end) {
    // The source says it in its own words, or knows of more by now.
    Result<std::unique_ptr<EventReader>> reader = source_.Read(from);
    if (!reader.ok()) return reader.status();
  }
  if (from < held.start)
    return Status(Code::kNotFound,
                  options_.directory + ": offset " + std::to_string(from) + " is no longer in the log");
  return std::unique_ptr<EventReader>(std::make_unique<Reader>(*this, from));
}

// Of the copy as it was when the reader was opened.
class ArchivedPartition::HeldReader : public EventReader {
 public:
  HeldReader(std::shared_ptr<LocalPartition> copy, std::unique_ptr<EventReader> reader)
      : copy_(std::move(copy)), reader_(std::move(reader)) {}
  Result<std::span<const Record>> Poll(size_t records_max, int64_t) override { return reader_->Poll(records_max, 0); }
  uint64_t next_offset() const override { return reader_->next_offset(); }

 private:
  std::shared_ptr<LocalPartition> copy_;  // before its reader
  std::unique_ptr<EventReader> reader_;
};

Result<std::unique_ptr<EventReader>> ArchivedPartition::ReadHeld(uint64_t from) {
  std::shared_ptr<LocalPartition> copy = this->copy();
  // Above the copy's end the source may have holes only: nothing to give there.
  Result<std::unique_ptr<EventReader>> reader = copy->Read(std::min(from, copy->range().end));
  if (!reader.ok()) return reader.status();
  return std::unique_ptr<EventReader>(std::make_unique<HeldReader>(std::move(copy), std::move(*reader)));
}

Result<OwnedRecord> ArchivedPartition::Fetch(uint64_t offset) {
  std::shared_ptr<LocalPartition> copy = this->copy();
  return offset < copy->range().end ? copy->Fetch(offset) : source_.Fetch(offset);
}

Result<std::vector<OwnedRecord>> ArchivedPartition::FetchAll(std::span<const uint64_t> offsets) {
  std::shared_ptr<LocalPartition> copy = this->copy();
  uint64_t end = copy->range().end;
  bool has_all = std::all_of(offsets.begin(), offsets.end(), [end](uint64_t offset) { return offset < end; });
  return has_all ? copy->FetchAll(offsets) : PartitionLog::FetchAll(offsets);
}

// Not synced: what a power loss takes of the copy is read from the source again.
Status ArchivedPartition::SyncTo(uint64_t offset) {
  std::shared_ptr<LocalPartition> copy = this->copy();
  uint64_t end = copy->range().end;
  std::optional<OwnedRecord> newest;
  if (end > 0) {
    Result<OwnedRecord> fetched = copy->Fetch(end - 1);
    if (!fetched.ok()) return fetched.status();
    newest = std::move(*fetched);
  }
  // A log that lost records and took others may agree again at its end; where it agreed before, it does not.
  bool has_earlier = verified_ && verified_->offset + 1 < end;
  auto ask = [&](size_t question) {
    if (question == 0) return source_.SyncTo(offset);
    if (question == 1) return has_earlier ? CompareAt(*verified_) : Status::Ok();
    return newest ? CompareAt(*newest) : Status::Ok();
  };
  Status verified = DoAtOnce(3, source_.fetches_at_once(), ask);
  // Where the log begins is known after the first question: what seems to be gone may have been trimmed.
  if (verified.code() == Code::kCorrupt) verified = DoAtOnce(3, 1, ask);
  ODOMETER_RETURN_IF_ERROR(verified);
  if (newest) verified_ = std::move(newest);
  return Status::Ok();
}

Status ArchivedPartition::CompareAt(const OwnedRecord& copied) {
  if (source_.range().start > copied.offset) return Status::Ok();  // trimmed; Genesis said whose it is
  Result<OwnedRecord> held = source_.Fetch(copied.offset);
  if (!held.ok() && held.status().code() != Code::kNotFound) return held.status();
  bool is_same = held.ok() && held->append_time == copied.append_time && held->bytes == copied.bytes &&
                 (held->bytes.data() == nullptr) == (copied.bytes.data() == nullptr);
  if (is_same) return Status::Ok();
  return Status(
      Code::kCorrupt,
      "partition " + std::to_string(partition()) + ": the log's record at offset " + std::to_string(copied.offset) +
          (held.ok() ? " is another than the one that was read from it" : ", which was read from it, is gone") +
          ": the log was cut or made anew");
}

Status ArchivedPartition::ForgetFrom(uint64_t offset) {
  ODOMETER_RETURN_IF_ERROR(source_.ForgetFrom(offset));
  if (verified_ && verified_->offset >= offset) verified_.reset();
  if (copy()->range().end > offset) {
    Result<std::shared_ptr<LocalPartition>> fresh = OpenCopy(offset);
    if (!fresh.ok()) return fresh.status();
    std::lock_guard lock(mutex_);
    copy_ = std::move(*fresh);
  }
  std::lock_guard lock(mutex_);
  filled_to_ = std::max(std::min(offset, filled_to_), copy_->range().end);
  return Status::Ok();
}

}  // namespace odometer
