#include "log/segment.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "log/crc32c.h"

namespace odometer {

namespace {

static_assert(std::endian::native == std::endian::little, "segments are little-endian and are used as they lie");

constexpr char kMagic[9] = "odomseg\n";
constexpr uint16_t kFormatVersion = 1;
constexpr uint16_t kFlagHoles = 1;

constexpr uint32_t kLenNull = uint32_t{1} << 31;
constexpr uint32_t kLenAfterSync = uint32_t{1} << 30;

constexpr size_t kNameDigits = 20;
constexpr std::string_view kNameSuffix = ".seg";

template <class T>
T Load(const char* at) {
  T number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

template <class T>
void Store(char* at, T number) {
  std::memcpy(at, &number, sizeof number);
}

uint32_t FrameChecksum(const char* frame, size_t frame_bytes, uint32_t header_checksum) {
  return Crc32c(Crc32c(header_checksum, frame, 4), frame + 8, frame_bytes - 8);
}

}  // namespace

std::string SegmentHeader::Encode() const {
  std::string bytes(kSegmentHeaderBytes, '\0');
  char* at = bytes.data();
  std::memcpy(at, kMagic, 8);
  Store(at + 8, kFormatVersion);
  Store(at + 10, may_have_holes ? kFlagHoles : uint16_t{0});
  Store(at + 12, partition);
  Store(at + 16, base_offset);
  std::memcpy(at + 24, log_id.bytes.data(), 16);
  Store(at + 40, append_time_before.us);
  Store(at + 48, bytes_before);
  Store(at + 56, checksum_before);
  Store(at + 60, Crc32c(0, at, 60));
  return bytes;
}

Result<SegmentHeader> SegmentHeader::Decode(std::string_view bytes, const std::string& path) {
  auto damaged = [&path](const std::string& what) { return Status(Code::kCorrupt, path + ": " + what); };
  if (bytes.size() < kSegmentHeaderBytes) return damaged("the header is cut off");
  const char* at = bytes.data();
  if (std::memcmp(at, kMagic, 8) != 0) return damaged("not a segment file");
  if (Load<uint32_t>(at + 60) != Crc32c(0, at, 60)) return damaged("the header fails its checksum");
  if (uint16_t version = Load<uint16_t>(at + 8); version != kFormatVersion) {
    return damaged("format version " + std::to_string(version) + ", this program knows 1");
  }
  uint16_t flags = Load<uint16_t>(at + 10);
  if ((flags & ~kFlagHoles) != 0) return damaged("unknown flags " + std::to_string(flags));
  SegmentHeader header;
  header.partition = Load<uint32_t>(at + 12);
  header.base_offset = Load<uint64_t>(at + 16);
  std::memcpy(header.log_id.bytes.data(), at + 24, 16);
  header.append_time_before.us = Load<int64_t>(at + 40);
  header.bytes_before = Load<uint64_t>(at + 48);
  header.checksum_before = Load<uint32_t>(at + 56);
  header.may_have_holes = (flags & kFlagHoles) != 0;
  return header;
}

uint32_t SegmentHeader::Checksum() const { return Load<uint32_t>(Encode().data() + 60); }

std::string SegmentName(uint64_t base_offset) {
  std::string digits = std::to_string(base_offset);
  return std::string(kNameDigits - digits.size(), '0') + digits + std::string(kNameSuffix);
}

std::optional<uint64_t> SegmentBaseOf(std::string_view name) {
  if (name.size() != kNameDigits + kNameSuffix.size() || !name.ends_with(kNameSuffix)) return std::nullopt;
  uint64_t base_offset = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, base_offset);
  if (error != std::errc() || end != name.data() + kNameDigits) return std::nullopt;
  return base_offset;
}

void EncodeFrame(const Frame& frame, uint32_t header_checksum, std::string* out) {
  const Record& record = frame.record;
  ODOMETER_CHECK(record.bytes.size() <= kFramePayloadBytesMax);
  uint32_t len = record.bytes.data() == nullptr ? kLenNull : static_cast<uint32_t>(record.bytes.size());
  if (frame.after_sync) len |= kLenAfterSync;
  size_t start = out->size();
  size_t frame_bytes = FrameBytes(record.bytes.size());
  out->resize(start + frame_bytes);
  char* at = out->data() + start;
  Store(at, len);
  Store(at + 8, record.offset);
  Store(at + 16, record.append_time.us);
  if (!record.bytes.empty()) std::memcpy(at + kFrameHeaderBytes, record.bytes.data(), record.bytes.size());
  Store(at + 4, FrameChecksum(at, frame_bytes, header_checksum));
}

FrameState DecodeFrame(const char* bytes, size_t available, uint32_t header_checksum, Frame* frame,
                       size_t* frame_bytes) {
  *frame_bytes = 0;
  if (available < kFrameHeaderBytes) return FrameState::kIncomplete;
  uint32_t len = Load<uint32_t>(bytes);
  size_t payload_bytes = len & ~(kLenNull | kLenAfterSync);
  bool is_null = (len & kLenNull) != 0;
  if (payload_bytes > kFramePayloadBytesMax || (is_null && payload_bytes != 0)) return FrameState::kDamaged;
  *frame_bytes = FrameBytes(payload_bytes);
  if (available < *frame_bytes) return FrameState::kIncomplete;
  if (Load<uint32_t>(bytes + 4) != FrameChecksum(bytes, *frame_bytes, header_checksum)) return FrameState::kDamaged;
  frame->after_sync = (len & kLenAfterSync) != 0;
  frame->record.offset = Load<uint64_t>(bytes + 8);
  frame->record.append_time.us = Load<int64_t>(bytes + 16);
  frame->record.bytes = is_null ? std::string_view() : std::string_view(bytes + kFrameHeaderBytes, payload_bytes);
  return FrameState::kWhole;
}

void SparseIndex::Add(Entry entry) {
  if (!first_) {
    first_ = entry;
    return;
  }
  uint64_t last = steps_.empty() ? first_->position : At(steps_.back()).position;
  if (entry.position < last + kEveryBytes) return;
  uint64_t offsets = entry.offset - first_->offset;
  uint64_t eights = (entry.position - first_->position) / 8;
  if (std::max(offsets, eights) > UINT32_MAX) return;
  steps_.push_back({static_cast<uint32_t>(offsets), static_cast<uint32_t>(eights)});
}

void SparseIndex::Add(const SparseIndex& later) {
  if (later.first_) Add(*later.first_);
  for (const Step& step : later.steps_) Add(later.At(step));
}

std::optional<SparseIndex::Span> SparseIndex::Find(uint64_t offset) const {
  if (!first_ || offset < first_->offset) return std::nullopt;
  auto above = std::upper_bound(steps_.begin(), steps_.end(), offset - first_->offset,
                                [](uint64_t wanted, const Step& step) { return wanted < step.offsets; });
  Span span{above == steps_.begin() ? *first_ : At(*(above - 1)), std::nullopt};
  if (above != steps_.end()) span.end_position = At(*above).position;
  return span;
}

void SparseIndex::Clear() {
  first_.reset();
  steps_.clear();
}

SparseIndex::Entry SparseIndex::At(const Step& step) const {
  return {first_->offset + step.offsets, first_->position + uint64_t{step.eights} * 8};
}

AlignedBuffer::AlignedBuffer(size_t size)
    : size_((size + 63) / 64 * 64), bytes_(static_cast<char*>(std::aligned_alloc(64, size_))) {
  ODOMETER_CHECK(bytes_ != nullptr);
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::Open(FileSystem& files, const std::string& path,
                                                           size_t buffer_bytes) {
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  char bytes[kSegmentHeaderBytes];
  Result<size_t> got = (*file)->ReadAt(0, bytes, sizeof bytes);
  if (!got.ok()) return got.status();
  Result<SegmentHeader> header = SegmentHeader::Decode(std::string_view(bytes, *got), path);
  if (!header.ok()) return header.status();
  return std::unique_ptr<SegmentReader>(new SegmentReader(path, std::move(*file), *header, buffer_bytes));
}

SegmentReader::SegmentReader(std::string path, std::unique_ptr<File> file, SegmentHeader header, size_t buffer_bytes)
    : path_(std::move(path)),
      file_(std::move(file)),
      header_(header),
      header_checksum_(header.Checksum()),
      next_offset_(header.base_offset),
      buffer_(std::max(buffer_bytes, kFrameHeaderBytes)) {}

void SegmentReader::Seek(SparseIndex::Entry entry) {
  ODOMETER_CHECK(entry.position % 8 == 0 && entry.position >= kSegmentHeaderBytes);
  position_ = buffer_position_ = entry.position;
  next_offset_ = entry.offset;
  buffered_bytes_ = 0;
}

Result<size_t> SegmentReader::Read(uint64_t end, size_t records_max, std::vector<Record>* records) {
  size_t count = 0;
  Frame frame;
  while (count < records_max && position_ < end) {
    if (TakeBuffered(&frame)) {
      records->push_back(frame.record);
      ++count;
      continue;
    }
    if (count > 0) break;  // the buffer holds their bytes
    ODOMETER_RETURN_IF_ERROR(Fill(end));
  }
  return count;
}

Result<bool> SegmentReader::ReadFrame(uint64_t end, Frame* frame) {
  if (position_ >= end) return false;
  while (!TakeBuffered(frame)) ODOMETER_RETURN_IF_ERROR(Fill(end));
  return true;
}

bool SegmentReader::TakeBuffered(Frame* frame) {
  size_t skip = position_ - buffer_position_;
  size_t frame_bytes;
  FrameState state = DecodeFrame(buffer_.data() + skip, buffered_bytes_ - skip, header_checksum_, frame, &frame_bytes);
  if (state != FrameState::kWhole) return false;
  uint64_t offset = frame->record.offset;
  if (offset != next_offset_ && (!header_.may_have_holes || offset < next_offset_)) return false;
  position_ += frame_bytes;
  next_offset_ = offset + 1;
  return true;
}

Status SegmentReader::Fill(uint64_t end) {
  size_t skip = position_ - buffer_position_;
  size_t left = buffered_bytes_ - skip;
  Frame frame;
  size_t frame_bytes;
  FrameState state = DecodeFrame(buffer_.data() + skip, left, header_checksum_, &frame, &frame_bytes);
  if (state == FrameState::kDamaged) return Damaged("the frame fails its checksum");
  if (state == FrameState::kWhole) return Damaged("found offset " + std::to_string(frame.record.offset));
  if (position_ + std::max(frame_bytes, kFrameHeaderBytes) > end) return Damaged("the frame is cut off");
  if (frame_bytes > buffer_.size()) {
    AlignedBuffer larger(frame_bytes);
    std::memcpy(larger.data(), buffer_.data() + skip, left);
    buffer_ = std::move(larger);
  } else {
    std::memmove(buffer_.data(), buffer_.data() + skip, left);
  }
  buffer_position_ = position_;
  buffered_bytes_ = left;
  size_t wanted = std::min<uint64_t>(buffer_.size() - left, end - position_ - left);
  Result<size_t> got = file_->ReadAt(position_ + left, buffer_.data() + left, wanted);
  if (!got.ok()) return got.status();
  buffered_bytes_ += *got;
  if (*got < wanted) return Damaged("the file ends before byte " + std::to_string(end));
  return Status::Ok();
}

Status SegmentReader::Damaged(const std::string& what) const {
  return Status(Code::kCorrupt, path_ + ": at byte " + std::to_string(position_) + ", where offset " +
                                    std::to_string(next_offset_) + " is expected: " + what);
}

}  // namespace odometer
