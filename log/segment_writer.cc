#include "log/segment_writer.h"

#include <algorithm>

namespace odometer {

namespace {

// So much between two syncs is a log that is being caught up with: little of it is read before long, and its pages
// would push out those that are.
constexpr uint64_t kCatchUpBytes = 32 << 20;
constexpr size_t kKeepBytesMax = 8 << 20;  // of the encoding buffer, from one Write() to the next
constexpr uint64_t kNoRoom = UINT64_MAX;
constexpr uint64_t kSmallOfRoom = 16;  // a write of more than this part of the room makes none
constexpr size_t kAnewBytes = 1 << 20;     // that are read and written back at once

// A file of this name that holds no records is what a failed attempt left behind.
Status RemoveLeftover(FileSystem& files, const std::string& path) {
  Result<bool> exists = files.Exists(path);
  if (!exists.ok()) return exists.status();
  if (!*exists) return Status::Ok();
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  Result<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.status();
  if (*size > kSegmentHeaderBytes) return Status(Code::kConflict, path + ": exists and holds records");
  return files.Remove(path);
}

Status WriteHeader(FileSystem& files, const std::string& directory, const SegmentHeader& header, File& file) {
  ODOMETER_RETURN_IF_ERROR(file.WriteAt(0, header.Encode()));
  ODOMETER_RETURN_IF_ERROR(file.Sync());
  return files.SyncDirectory(directory);
}

// The file, its header and its name are on stable storage when this returns.
Result<std::unique_ptr<File>> CreateSegment(FileSystem& files, const std::string& directory,
                                            const SegmentHeader& header) {
  std::string path = directory + "/" + SegmentName(header.base_offset);
  ODOMETER_RETURN_IF_ERROR(RemoveLeftover(files, path));
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kCreate);
  if (!file.ok()) return file.status();
  Status status = WriteHeader(files, directory, header, **file);
  if (status.ok()) return std::move(*file);
  (void)files.Remove(path);  // if this fails too, RemoveLeftover() or the next opening does it
  return status;
}

}  // namespace

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Create(FileSystem& files, const std::string& directory,
                                                             const SegmentHeader& header, uint64_t segment_bytes_max) {
  Result<std::unique_ptr<File>> file = CreateSegment(files, directory, header);
  if (!file.ok()) return file.status();
  End end{header.base_offset, kSegmentHeaderBytes, header.base_offset, header.append_time_before};
  return std::unique_ptr<SegmentWriter>(
      new SegmentWriter(files, directory, header, std::move(*file), end, end.position, segment_bytes_max));
}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::Resume(FileSystem& files, const std::string& directory,
                                                             const SegmentHeader& header, const End& end,
                                                             uint64_t synced_position, uint64_t segment_bytes_max) {
  std::string path = directory + "/" + SegmentName(header.base_offset);
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kWrite);
  if (!file.ok()) return file.status();
  return std::unique_ptr<SegmentWriter>(
      new SegmentWriter(files, directory, header, std::move(*file), end, synced_position, segment_bytes_max));
}

SegmentWriter::SegmentWriter(FileSystem& files, std::string directory, SegmentHeader header,
                             std::unique_ptr<File> file, End end, uint64_t synced_position, uint64_t segment_bytes_max)
    : files_(files),
      directory_(std::move(directory)),
      segment_bytes_max_(segment_bytes_max),
      header_(header),
      file_(std::move(file)),
      end_(end),
      synced_position_(synced_position),
      found_end_(end.position) {}

SegmentWriter::~SegmentWriter() {
  if (!is_broken()) (void)CutRoom();
}

Status SegmentWriter::Write(std::span<const Record> records, Durable durable) {
  if (is_broken()) return broken_;
  written_.Clear();
  if (!records.empty()) ODOMETER_RETURN_IF_ERROR(RollIfFull(records));
  const End before = end_;
  if (!records.empty()) {
    EncodeAll(records);
    if (Status status = file_->WriteAt(before.position, frames_); !status.ok()) {
      Status undone = Undo(before.position);
      return undone.ok() ? status : undone;
    }
    end_.position += frames_.size();
    end_.next_offset = records.back().offset + 1;
    end_.append_time = records.back().append_time;
    if (durable == Durable::kYes) MakeRoom();
  }
  if (durable == Durable::kNo || is_synced()) return Status::Ok();
  Status status = SyncFile(before.position);
  if (!status.ok()) end_ = before;
  return status;
}

Status SegmentWriter::Unsynced::Sync() const {
  ODOMETER_RETURN_IF_ERROR(file->Sync());
  if (to_position - from_position >= kCatchUpBytes) file->LetGo(from_position, to_position - from_position);
  return Status::Ok();
}

std::optional<SegmentWriter::Unsynced> SegmentWriter::BeginSync() {
  if (is_broken() || synced_position_ < found_end_) return std::nullopt;
  std::string path = directory_ + "/" + SegmentName(header_.base_offset);
  Result<std::unique_ptr<File>> file = files_.Open(path, FileSystem::Mode::kWrite);
  if (!file.ok()) return std::nullopt;
  return Unsynced{std::move(*file), header_.base_offset, synced_position_, end_.position, end_.next_offset};
}

// Of a segment before this one: it was synced before this one was begun.
Status SegmentWriter::EndSync(const Unsynced& unsynced, const Status& synced) {
  if (is_broken()) return broken_;
  if (!synced.ok()) return Break(synced);
  if (unsynced.base_offset == header_.base_offset)
    synced_position_ = std::max(synced_position_, unsynced.to_position);
  return Status::Ok();
}

Status SegmentWriter::RollIfFull(std::span<const Record> records) {
  uint64_t bytes = 0;
  for (const Record& record : records) bytes += FrameBytes(record.bytes.size());
  bool is_empty = end_.position == kSegmentHeaderBytes;
  if (is_empty || end_.position + bytes <= segment_bytes_max_) return Status::Ok();
  bool has_room = room_end_ > end_.position;
  ODOMETER_RETURN_IF_ERROR(CutRoom());
  if (has_room || !is_synced()) ODOMETER_RETURN_IF_ERROR(SyncFile(end_.position));
  SegmentHeader next = header_;
  next.base_offset = end_.next_offset;
  next.append_time_before = end_.append_time;
  next.bytes_before = end_.position;
  next.checksum_before = header_.Checksum();
  Result<std::unique_ptr<File>> file = CreateSegment(files_, directory_, next);
  if (!file.ok()) return file.status();
  header_ = next;
  file_ = std::move(*file);
  end_.base_offset = next.base_offset;
  end_.position = synced_position_ = found_end_ = kSegmentHeaderBytes;
  room_end_ = 0;
  return Status::Ok();
}

void SegmentWriter::EncodeAll(std::span<const Record> records) {
  if (frames_.capacity() > kKeepBytesMax) frames_ = std::string();
  frames_.clear();
  const uint32_t header_checksum = header_.Checksum();
  bool after_sync = is_synced();
  for (const Record& record : records) {
    written_.Add({record.offset, end_.position + frames_.size()});
    EncodeFrame({record, after_sync}, header_checksum, &frames_);
    after_sync = false;
  }
}

// No room is no error: the next sync takes longer.
void SegmentWriter::MakeRoom() {
  if (room_end_ >= end_.position || frames_.size() > room_bytes_ / kSmallOfRoom) return;
  if (end_.position + room_bytes_ > segment_bytes_max_) return;
  room_end_ = end_.position + room_bytes_;
  if (file_->WriteAt(end_.position, std::string(room_bytes_, '\0')).ok()) return;
  room_end_ = kNoRoom;
  (void)file_->Truncate(end_.position);  // others may need what it took
}

Status SegmentWriter::CutRoom() {
  if (room_end_ <= end_.position) return Status::Ok();
  ODOMETER_RETURN_IF_ERROR(file_->Truncate(end_.position));
  if (room_end_ != kNoRoom) room_end_ = 0;
  return Status::Ok();
}

// After a failed sync the kernel may have dropped the pages and called them clean, so a second sync that succeeds
// proves nothing. Only a full disk can be taken back, and only if nothing but the last Write() was at stake.
Status SegmentWriter::SyncFile(uint64_t undo_to) {
  Status status = SyncAll();
  if (status.ok()) {
    uint64_t synced_bytes = end_.position - synced_position_;
    if (synced_bytes >= kCatchUpBytes) file_->LetGo(synced_position_, synced_bytes);
    synced_position_ = end_.position;
    return status;
  }
  if (status.code() == Code::kDiskFull && synced_position_ == undo_to) {
    Status undone = Undo(undo_to);
    return undone.ok() ? status : undone;
  }
  if (undo_to < end_.position) (void)file_->Truncate(undo_to);
  return Break(status);
}

Status SegmentWriter::SyncAll() {
  std::string chunk;
  for (uint64_t position = synced_position_; position < found_end_;) {
    chunk.resize(std::min<uint64_t>(kAnewBytes, found_end_ - position));
    Result<size_t> got = file_->ReadAt(position, chunk.data(), chunk.size());
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    ODOMETER_RETURN_IF_ERROR(file_->WriteAt(position, std::string_view(chunk.data(), *got)));
    position += *got;
  }
  return file_->Sync();
}

Status SegmentWriter::Undo(uint64_t position) {
  Status status = file_->Truncate(position);
  // Synced, or a power loss could bring back what the caller is told is not in the log.
  if (status.ok()) status = SyncAll();
  if (!status.ok()) return Break(status);
  synced_position_ = position;
  room_end_ = room_bytes_ == 0 ? 0 : kNoRoom;  // it may be what the disk had no space for
  return Status::Ok();
}

Status SegmentWriter::Break(const Status& cause) {
  broken_ = Status(Code::kIo, directory_ + " must be reopened: " + cause.message());
  return Status(Code::kUnavailable, "outcome unknown: " + cause.message());
}

}  // namespace odometer
