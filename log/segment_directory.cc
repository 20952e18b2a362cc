#include "log/segment_directory.h"

#include <algorithm>
#include <cstring>

#include "core/planted.h"

namespace odometer {

namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr size_t kScanBytes = 1 << 20;

struct Found {
  uint64_t base_offset = 0;
  std::string path;
  uint64_t bytes = 0;
};

Result<uint64_t> SizeOf(FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  return (*file)->Size();
}

Result<std::vector<Found>> FindSegments(FileSystem& files, const std::string& directory) {
  Result<std::vector<std::string>> names = files.List(directory);
  if (!names.ok()) return names.status();
  std::vector<Found> found;
  for (const std::string& name : *names) {
    if (!name.ends_with(".seg")) continue;
    std::string path = directory + "/" + name;
    std::optional<uint64_t> base_offset = SegmentBaseOf(name);
    if (!base_offset) return Status(Code::kCorrupt, path + ": not the name of a segment");
    Result<uint64_t> bytes = SizeOf(files, path);
    if (!bytes.ok()) return bytes.status();
    found.push_back({*base_offset, path, *bytes});
  }
  if (found.empty()) return Status(Code::kNotFound, directory + ": no segments");
  return found;
}

// Judges what begins at a damaged frame of the last segment.
class Tail {
 public:
  Tail(const File& file, const SegmentHeader& header, uint64_t file_bytes, const SegmentReader& stopped)
      : file_(file),
        header_checksum_(header.Checksum()),
        may_have_holes_(header.may_have_holes),
        file_bytes_(file_bytes),
        start_(stopped.position()),
        expected_offset_(stopped.next_offset()) {}

  // True: torn, may be cut. False: damage to something that was whole once.
  Result<bool> IsTorn() const {
    Frame frame;
    Result<size_t> misplaced = FrameAt(start_, &frame);
    if (!misplaced.ok()) return misplaced.status();
    if (*misplaced != 0) return false;
    bool is_explained = false;
    for (uint64_t position = start_ + 8;;) {
      Result<std::optional<Valid>> valid = NextFrame(position);
      if (!valid.ok()) return valid.status();
      if (!*valid) return true;
      if ((*valid)->after_sync) return false;
      if (!is_explained) {
        Result<bool> has_lost = HasLostSector((*valid)->position);
        if (!has_lost.ok()) return has_lost.status();
        if (!*has_lost) return false;
        is_explained = true;
      }
      position = (*valid)->end;
    }
  }

 private:
  struct Valid {
    uint64_t position = 0;
    uint64_t end = 0;
    bool after_sync = false;
  };

  // The first valid frame that begins at `position` or after it.
  Result<std::optional<Valid>> NextFrame(uint64_t position) const {
    Result<std::optional<Valid>> here = ValidAt(position);
    if (!here.ok() || *here) return here;
    AlignedBuffer chunk(kScanBytes + kFrameHeaderBytes);
    while (position + kFrameHeaderBytes <= file_bytes_) {
      Result<size_t> got = file_.ReadAt(position, chunk.data(), kScanBytes + kFrameHeaderBytes);
      if (!got.ok()) return got.status();
      size_t at = 0;
      for (; at + kFrameHeaderBytes <= *got; at += 8) {
        if (!MayBeFrame(chunk.data() + at, position + at)) continue;
        Result<std::optional<Valid>> valid = ValidAt(position + at);
        if (!valid.ok() || *valid) return valid;
      }
      if (at == 0) break;
      position += at;
    }
    return std::optional<Valid>();
  }

  Result<std::optional<Valid>> ValidAt(uint64_t position) const {
    Frame frame;
    Result<size_t> frame_bytes = FrameAt(position, &frame);
    if (!frame_bytes.ok()) return frame_bytes.status();
    if (*frame_bytes == 0) return std::optional<Valid>();
    return std::optional<Valid>(Valid{position, position + *frame_bytes, frame.after_sync});
  }

  // A cheap look at the offset, so that few checksums are computed.
  bool MayBeFrame(const char* header, uint64_t position) const {
    uint64_t offset;
    std::memcpy(&offset, header + 8, sizeof offset);
    uint64_t between_max = (position - start_) / kFrameHeaderBytes;
    return offset >= expected_offset_ && (may_have_holes_ || offset - expected_offset_ <= between_max);
  }

  // The bytes of the valid frame that begins there, 0 when there is none.
  Result<size_t> FrameAt(uint64_t position, Frame* frame) const {
    char header[kFrameHeaderBytes];
    Result<size_t> got = file_.ReadAt(position, header, sizeof header);
    if (!got.ok()) return got.status();
    size_t frame_bytes;
    FrameState state = DecodeFrame(header, *got, header_checksum_, frame, &frame_bytes);
    if (state == FrameState::kWhole) return frame_bytes;
    if (state == FrameState::kDamaged || frame_bytes == 0 || position + frame_bytes > file_bytes_) return size_t{0};
    AlignedBuffer bytes(frame_bytes);
    got = file_.ReadAt(position, bytes.data(), frame_bytes);
    if (!got.ok()) return got.status();
    state = DecodeFrame(bytes.data(), *got, header_checksum_, frame, &frame_bytes);
    frame->record.bytes = std::string_view();  // they go with this function
    return state == FrameState::kWhole ? frame_bytes : size_t{0};
  }

  // Whether between the damage and a valid frame lies a sector that the disk never got. The sector in which the valid
  // frame begins was written.
  Result<bool> HasLostSector(uint64_t valid) const {
    for (uint64_t from = start_; from < valid;) {
      uint64_t to = (from / kSectorBytes + 1) * kSectorBytes;
      if (to > valid) break;
      char sector[kSectorBytes];
      Result<size_t> got = file_.ReadAt(from, sector, to - from);
      if (!got.ok()) return got.status();
      if (std::all_of(sector, sector + *got, [](char byte) { return byte == 0; })) return true;
      from = to;
    }
    return false;
  }

  const File& file_;
  const uint32_t header_checksum_;
  const bool may_have_holes_;
  const uint64_t file_bytes_;
  const uint64_t start_;
  const uint64_t expected_offset_;
};

Result<SegmentHeader> ReadHeader(FileSystem& files, const Found& found, const Uuid& log_id, uint32_t partition) {
  Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files, found.path, kSegmentHeaderBytes);
  if (!reader.ok()) return reader.status();
  SegmentHeader header = (*reader)->header();
  ODOMETER_RETURN_IF_ERROR(CheckSegmentHeader(header, log_id, partition, found.base_offset, found.path));
  return header;
}

// A last file without a record is the start of a segment that a crash cut short, or that waits for its first record;
// the next Write() makes it again. What its header says of the segment before it is true in either case.
Status DropEmptyLast(FileSystem& files, bool read_only, std::vector<Found>* found, uint64_t* whole_bytes) {
  if (found->size() < 2 || found->back().bytes > kSegmentHeaderBytes) return Status::Ok();
  std::string path = found->back().path;
  if (Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files, path, kSegmentHeaderBytes);
      reader.ok()) {
    *whole_bytes = (*reader)->header().bytes_before;
  }
  found->pop_back();
  if (read_only) return Status::Ok();
  return files.Remove(path);
}

// Reads all headers; gives the last one's.
Result<SegmentHeader> CheckChain(FileSystem& files, const std::vector<Found>& found, const Uuid& log_id,
                                 uint32_t partition) {
  SegmentHeader header;
  for (size_t i = 0; i < found.size(); ++i) {
    uint64_t bytes_before = i == 0 ? 0 : found[i - 1].bytes;
    uint32_t checksum_before = i == 0 ? 0 : header.Checksum();
    Result<SegmentHeader> read = ReadHeader(files, found[i], log_id, partition);
    if (!read.ok()) return read.status();
    header = *read;
    if (header.checksum_before != checksum_before) {
      return Status(Code::kCorrupt, found[i].path + ": the segment before it is missing or another");
    }
    if (header.bytes_before != bytes_before) {
      return Status(Code::kCorrupt, found[i].path + ": says that the segment before it has " +
                                        std::to_string(header.bytes_before) + " bytes, it has " +
                                        std::to_string(bytes_before));
    }
  }
  return header;
}

// Reads whole frames up to the first that is not; true when that is the end of the file. What lies before *proven is
// known to have been synced.
Result<bool> ReadToEnd(SegmentReader& reader, uint64_t file_bytes, OpenedSegments* opened, uint64_t* proven,
                       Status* damage) {
  Frame frame;
  for (;;) {
    uint64_t position = reader.position();
    Result<bool> got = reader.ReadFrame(file_bytes, &frame);
    if (!got.ok() && got.status().code() != Code::kCorrupt) return got.status();
    opened->end.position = position;
    opened->end.next_offset = reader.next_offset();
    if (!got.ok()) {
      *damage = got.status();
      return false;
    }
    if (!*got) return true;
    if (frame.after_sync) *proven = position;
    opened->end.append_time = frame.record.append_time;
    opened->last_index.Add({frame.record.offset, position});
  }
}

// Whether the file holds nothing but zeros from there on, and more than a frame can begin with.
Result<bool> IsRoom(const File& file, uint64_t position, uint64_t file_bytes) {
  if (file_bytes - position < 8) return false;
  AlignedBuffer chunk(kScanBytes);
  for (;;) {
    Result<size_t> got = file.ReadAt(position, chunk.data(), chunk.size());
    if (!got.ok()) return got.status();
    if (*got == 0) return true;
    if (!std::all_of(chunk.data(), chunk.data() + *got, [](char byte) { return byte == 0; })) return false;
    position += *got;
  }
}

// A torn tail, or room, of which there is nothing to tell.
Status CutTail(FileSystem& files, const Found& last, uint32_t partition, OpenedSegments* opened) {
  Result<std::unique_ptr<File>> file = files.Open(last.path, FileSystem::Mode::kWrite);
  if (!file.ok()) return file.status();
  Result<bool> is_room = IsRoom(**file, opened->end.position, last.bytes);
  if (!is_room.ok()) return is_room.status();
  uint64_t bytes = last.bytes - opened->end.position;
  if (PlantedBug("torn_tail_accepted")) {
    opened->end.position += (bytes + 7) / 8 * 8;
    return (*file)->Truncate(opened->end.position);
  }
  ODOMETER_RETURN_IF_ERROR((*file)->Truncate(opened->end.position));
  if (!*is_room) opened->cut = TailCut{partition, last.path, opened->end.position, bytes, opened->end.next_offset};
  return (*file)->Sync();
}

// Puts the last segment's bytes from `proven` on onto stable storage, with the names in its directory. A process that
// was killed may have left them in the page cache only; after a failed sync the kernel may even call them clean, so
// they are written again, as they are.
Status SyncLast(FileSystem& files, const std::string& directory, const Found& last, uint64_t proven, uint64_t end) {
  Result<std::unique_ptr<File>> file = files.Open(last.path, FileSystem::Mode::kWrite);
  if (!file.ok()) return file.status();
  AlignedBuffer chunk(kScanBytes);
  for (uint64_t position = proven; position < end;) {
    Result<size_t> got = (*file)->ReadAt(position, chunk.data(), std::min<uint64_t>(chunk.size(), end - position));
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    ODOMETER_RETURN_IF_ERROR((*file)->WriteAt(position, std::string_view(chunk.data(), *got)));
    position += *got;
  }
  ODOMETER_RETURN_IF_ERROR((*file)->Sync());
  return files.SyncDirectory(directory);
}

// `damage` unless the last segment ends there with a torn tail.
Status CheckTorn(FileSystem& files, const Found& last, const SegmentReader& reader, const Status& damage) {
  Result<std::unique_ptr<File>> file = files.Open(last.path, FileSystem::Mode::kRead);
  if (!file.ok()) return file.status();
  Result<bool> is_torn = Tail(**file, reader.header(), last.bytes, reader).IsTorn();
  if (!is_torn.ok()) return is_torn.status();
  return *is_torn ? Status::Ok() : damage;
}

Status ReadLast(FileSystem& files, const Found& last, const OpenSegmentsOptions& options, uint64_t whole_bytes,
                uint64_t* proven, OpenedSegments* opened) {
  Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files, last.path);
  if (!reader.ok()) return reader.status();
  opened->end = {last.base_offset, kSegmentHeaderBytes, last.base_offset, opened->last_header.append_time_before};
  if (options.known_end && options.known_end->base_offset == last.base_offset) {
    opened->end = *options.known_end;
    (*reader)->Seek({opened->end.next_offset, opened->end.position});
  }
  Found now = last;
  Result<bool> is_whole = false;
  Status damage, torn;
  auto read_on = [&] {
    is_whole = ReadToEnd(**reader, now.bytes, opened, proven, &damage);
    torn = is_whole.ok() && !*is_whole ? CheckTorn(files, now, **reader, damage) : Status::Ok();
  };
  read_on();
  // Beside a writer: what was half there, or still zeros, may be a frame by now, and room may have been cut off.
  for (uint64_t seen = 0; options.read_only && !torn.ok();) {
    Result<uint64_t> size = (*reader)->FileSize();
    if (!size.ok()) return size.status();
    if (opened->end.position == seen && *size >= now.bytes) break;
    seen = opened->end.position;
    now.bytes = std::min(now.bytes, *size);
    (*reader)->Seek({opened->end.next_offset, opened->end.position});
    read_on();
  }
  if (!is_whole.ok()) return is_whole.status();
  if (opened->end.position < whole_bytes || opened->end.next_offset < options.durable_offset) {
    if (!*is_whole) return damage;
    return Status(Code::kCorrupt, last.path + ": ends at byte " + std::to_string(last.bytes) + " with offset " +
                                      std::to_string(opened->end.next_offset) + ", but was whole up to byte " +
                                      std::to_string(whole_bytes) + " and offset " +
                                      std::to_string(options.durable_offset));
  }
  if (*is_whole) return Status::Ok();
  if (!torn.ok()) return torn;
  return options.read_only ? Status::Ok() : CutTail(files, last, opened->last_header.partition, opened);
}

}  // namespace

Status CutSegments(FileSystem& files, const std::string& directory, uint64_t offset) {
  Result<std::vector<Found>> found = FindSegments(files, directory);
  if (!found.ok()) return found.status();
  std::sort(found->begin(), found->end(), [](const Found& a, const Found& b) { return a.base_offset < b.base_offset; });
  // From the last one, so that a crash leaves no hole between two.
  while (found->size() > 1 && found->back().base_offset >= offset) {
    ODOMETER_RETURN_IF_ERROR(files.Remove(found->back().path));
    ODOMETER_RETURN_IF_ERROR(files.SyncDirectory(directory));
    found->pop_back();
  }
  const Found& last = found->back();
  if (found->size() == 1 && last.base_offset == 0 && last.bytes <= kSegmentHeaderBytes) {
    // Its header was perhaps never synced; no record was.
    ODOMETER_RETURN_IF_ERROR(files.Remove(last.path));
    return Status(Code::kNotFound, directory + ": no segments");
  }
  if (offset == UINT64_MAX) return Status::Ok();
  Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files, last.path);
  if (!reader.ok()) return Status::Ok();
  Frame frame;
  for (;;) {
    uint64_t position = (*reader)->position();
    Result<bool> got = (*reader)->ReadFrame(last.bytes, &frame);
    if (!got.ok() || !*got) return Status::Ok();
    if (frame.record.offset < offset) continue;
    Result<std::unique_ptr<File>> file = files.Open(last.path, FileSystem::Mode::kWrite);
    if (!file.ok()) return file.status();
    ODOMETER_RETURN_IF_ERROR((*file)->Truncate(position));
    return (*file)->Sync();
  }
}

Status CheckSegmentHeader(const SegmentHeader& header, const Uuid& log_id, uint32_t partition, uint64_t base_offset,
                          const std::string& path) {
  std::string what;
  if (header.log_id != log_id) {
    what = "log " + header.log_id.ToString() + ", expected " + log_id.ToString();
  } else if (header.partition != partition) {
    what = "partition " + std::to_string(header.partition) + ", expected " + std::to_string(partition);
  } else if (header.base_offset != base_offset) {
    what = "offset " + std::to_string(header.base_offset) + ", expected " + std::to_string(base_offset);
  }
  return what.empty() ? Status::Ok() : Status(Code::kCorrupt, path + ": belongs to " + what);
}

Result<OpenedSegments> OpenSegments(FileSystem& files, const std::string& directory, const Uuid& log_id,
                                    uint32_t partition, const OpenSegmentsOptions& options) {
  Result<std::vector<Found>> found = FindSegments(files, directory);
  if (!found.ok()) return found.status();
  uint64_t whole_bytes = 0;
  ODOMETER_RETURN_IF_ERROR(DropEmptyLast(files, options.read_only, &*found, &whole_bytes));
  Result<SegmentHeader> last_header = CheckChain(files, *found, log_id, partition);
  if (!last_header.ok()) return last_header.status();
  OpenedSegments opened;
  opened.last_header = *last_header;
  const Found& last = found->back();
  opened.synced_position = kSegmentHeaderBytes;
  ODOMETER_RETURN_IF_ERROR(ReadLast(files, last, options, whole_bytes, &opened.synced_position, &opened));
  if (!options.read_only && (options.sync || opened.cut)) {
    ODOMETER_RETURN_IF_ERROR(SyncLast(files, directory, last, opened.synced_position, opened.end.position));
    opened.synced_position = opened.end.position;
  }
  for (const Found& segment : *found) opened.segments.push_back({segment.base_offset, segment.bytes});
  opened.segments.back().bytes = opened.end.position;
  return opened;
}

}  // namespace odometer
