// log/segment.h: the segment file, the one form in which records lie on disk, and SegmentReader, which reads one.
//
// A partition is a directory of segment files. Each is named by the offset it begins at, in 20 decimal digits:
// 00000000000000000000.seg. All numbers are little-endian, every frame begins at a multiple of 8.
//
//   The file begins with 64 bytes:
//      0  8  magic            "odomseg\n"
//      8  2  format version   1
//     10  2  flags            bit 0: offsets may have holes (a copy of a Kafka log); the others are 0
//     12  4  partition
//     16  8  base offset      the offset that the first record has (at least, where offsets may have holes)
//     24 16  log id
//     40  8  append time before: of the last record of the segment before this one, 0 in the first segment
//     48  8  bytes before:    the whole size of the segment before this one, 0 in the first segment
//     56  4  crc32c before:   the one at 60 of the segment before this one, 0 in the first segment
//     60  4  crc32c           of bytes 0 to 59
//   Then frames, one a record:
//      0  4  len              bits 0-28: bytes of the payload, at most 16 MiB (2^24), in a copy 128 MiB (2^27)
//                             bit 31: null payload (then the bits below are 0): no value at all, unlike one of 0 bytes
//                             bit 30: everything before this frame was on stable storage when this frame was written
//                             bit 29: 0
//      4  4  crc32c           of the 4 bytes of len and then of bytes 8 to the end of the frame, padding included,
//                             continued from the header's crc32c: a frame is valid in its own file only
//      8  8  offset
//     16  8  append time      signed, microseconds since 1970-01-01T00:00Z
//     24     payload, then zeros up to a multiple of 8
//
// After the last frame of a log's last segment zeros may follow, which a writer put there to write over. Or it may end
// in the middle of a frame (a torn tail): segment_directory.h says when that is cut off and when it is damage.
// Everything here is thread-compatible.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "log/event_log.h"
#include "log/file_system.h"

namespace odometer {

inline constexpr size_t kSegmentHeaderBytes = 64;
inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kPayloadBytesMax = 16 << 20;
// In a copy of another log, whose producers may compress: what the fold then says of it is its own matter.
inline constexpr size_t kFramePayloadBytesMax = 128 << 20;
inline constexpr uint64_t kSegmentBytesMax = uint64_t{256} << 20;

struct SegmentHeader {
  Uuid log_id;
  uint32_t partition = 0;
  uint64_t base_offset = 0;
  AppendTime append_time_before;
  uint64_t bytes_before = 0;
  uint32_t checksum_before = 0;
  bool may_have_holes = false;

  std::string Encode() const;
  // kCorrupt says what is wrong with the header of `path`.
  static Result<SegmentHeader> Decode(std::string_view bytes, const std::string& path);
  // What the checksums of the frames continue from.
  uint32_t Checksum() const;
  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

// "00000000000000000042.seg" for 42, and back.
std::string SegmentName(uint64_t base_offset);
std::optional<uint64_t> SegmentBaseOf(std::string_view name);

inline constexpr size_t FrameBytes(size_t payload_bytes) { return kFrameHeaderBytes + (payload_bytes + 7) / 8 * 8; }

// bytes.data() == nullptr is a null payload.
struct Frame {
  Record record;
  bool after_sync = false;
};
// Adds the stored form to `out`.
void EncodeFrame(const Frame& frame, uint32_t header_checksum, std::string* out);

enum class FrameState {
  kWhole,       // and its checksum is right
  kIncomplete,  // needs more bytes than there are
  kDamaged,     // no frame begins here
};
// Looks at the frame that begins at `bytes`, of which `available` are there. Fills `frame` (whose payload points into
// `bytes`) and `frame_bytes` when it is whole; only `frame_bytes` when it is incomplete and its length is known (else
// 0).
FrameState DecodeFrame(const char* bytes, size_t available, uint32_t header_checksum, Frame* frame,
                       size_t* frame_bytes);

// Where in a segment a record begins, for a record about every 16 KiB: 8 bytes each.
class SparseIndex {
 public:
  struct Entry {
    uint64_t offset = 0;
    uint64_t position = 0;
  };
  // From an entry to the next one.
  struct Span {
    Entry begin;
    std::optional<uint64_t> end_position;  // nothing: up to the end
  };
  // In rising order; keeps what is far enough from the last one kept.
  void Add(Entry entry);
  void Add(const SparseIndex& later);
  // From the last entry at or below the offset; nothing when all are above it.
  std::optional<Span> Find(uint64_t offset) const;
  bool empty() const { return !first_.has_value(); }
  // Keeps its memory.
  void Clear();

 private:
  // Beyond the first entry; what is farther away than that is found by reading on.
  struct Step {
    uint32_t offsets = 0;
    uint32_t eights = 0;  // of bytes
  };
  Entry At(const Step& step) const;

  static constexpr uint64_t kEveryBytes = 16 << 10;
  std::optional<Entry> first_;
  std::vector<Step> steps_;
};

// 8-aligned bytes that one owner reads into.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t size);
  char* data() { return bytes_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  size_t size_;
  std::unique_ptr<char, Free> bytes_;
};

// Reads the records of one segment in order, verifying the checksum and the offset of each, through one buffer:
// nothing is allocated for a record.
class SegmentReader {
 public:
  // Large enough to make a read cheap, small enough to stay in a core's second cache until the records are used.
  static constexpr size_t kBufferBytes = 256 << 10;

  // Checks the header; kCorrupt when it is not one. The reader then stands at the first record.
  static Result<std::unique_ptr<SegmentReader>> Open(FileSystem& files, const std::string& path,
                                                     size_t buffer_bytes = kBufferBytes);

  const SegmentHeader& header() const { return header_; }
  // Of the frame that comes next, and the offset that it must have (or at least have, with holes).
  uint64_t position() const { return position_; }
  uint64_t next_offset() const { return next_offset_; }
  // Goes on at a frame that begins at the entry's position with exactly or at least the entry's offset.
  void Seek(SparseIndex::Entry entry);
  // What lies from here to byte `end` is read soon: a device brings it meanwhile.
  void Expect(uint64_t end) { file_->Expect(position_, end - position_); }

  // Adds at most records_max records that end at or before `end`, a position where a frame ends, and returns how many:
  // 0 only at `end`. Fewer than asked when the buffer is used up; their bytes live until the next call.
  // kCorrupt names file, position and expected offset, and leaves the reader before the damage.
  Result<size_t> Read(uint64_t end, size_t records_max, std::vector<Record>* records);
  // The same for one record, which also tells after_sync; false at `end`.
  Result<bool> ReadFrame(uint64_t end, Frame* frame);
  Result<uint64_t> FileSize() const { return file_->Size(); }

 private:
  SegmentReader(std::string path, std::unique_ptr<File> file, SegmentHeader header, size_t buffer_bytes);

  // The next frame, if the buffer holds all of it.
  bool TakeBuffered(Frame* frame);
  // Reads on after TakeBuffered() gave none: an error when that was not for want of bytes that lie before `end`.
  Status Fill(uint64_t end);
  Status Damaged(const std::string& what) const;

  const std::string path_;
  const std::unique_ptr<File> file_;
  const SegmentHeader header_;
  const uint32_t header_checksum_;
  uint64_t position_ = kSegmentHeaderBytes;
  uint64_t next_offset_;
  AlignedBuffer buffer_;
  uint64_t buffer_position_ = kSegmentHeaderBytes;  // in the file, of the buffer's first byte
  size_t buffered_bytes_ = 0;
};

}  // namespace odometer
