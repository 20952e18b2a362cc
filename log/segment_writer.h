// log/segment_writer.h: SegmentWriter, which writes the segments of one partition's directory, one after another.
//
//   SegmentWriter writer = ...;                        // of an opened directory (segment_directory.h)
//   Status status = writer.Write(records, SegmentWriter::Durable::kYes);
//   if (status.ok()) Publish(writer.end(), writer.written());
//
// What a Write() gives is adjacent in one segment and all or nothing. When a segment is full, it is synced before the
// next one is made, so at most the last segment of a directory can be torn.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "log/segment.h"

namespace odometer {

// Confined to one thread at a time.
class SegmentWriter {
 public:
  enum class Durable { kYes, kNo };

  // Where the records end.
  struct End {
    uint64_t base_offset = 0;  // of the last segment
    uint64_t position = 0;     // in it
    uint64_t next_offset = 0;
    AppendTime append_time;    // of the last record
  };

  // Begins the first segment of a directory that has none. kDiskFull and kIo leave none.
  static Result<std::unique_ptr<SegmentWriter>> Create(FileSystem& files, const std::string& directory,
                                                       const SegmentHeader& header, uint64_t segment_bytes_max);
  // Goes on at `end`, where the file that has this header ends; below synced_position it must be on stable storage.
  // What lies between the two is written anew before the first sync: a sync that failed before may have made the kernel
  // call it clean.
  static Result<std::unique_ptr<SegmentWriter>> Resume(FileSystem& files, const std::string& directory,
                                                       const SegmentHeader& header, const End& end,
                                                       uint64_t synced_position, uint64_t segment_bytes_max);

  ~SegmentWriter();

  // From now on small writes that are synced find so many bytes of zeros where they go: a sync then has no new length
  // of the file to write. Zeros that were not used are cut off when the segment is full, and when the writer goes; what
  // a crash leaves of them is no torn tail. 0, as it is at first: none.
  void set_room_bytes(uint64_t bytes) { room_bytes_ = bytes; }

  // Writes the records, which go on at end().next_offset, and with kYes everything up to them to stable storage.
  //   kDiskFull, kIo  nothing of it is in the segments; a later Write() may succeed unless is_broken()
  //   kUnavailable    what is on the disk is not known (a sync failed); is_broken()
  // Once is_broken(), every call is kIo: the directory must be opened anew, which looks at what is really there.
  Status Write(std::span<const Record> records, Durable durable);
  Status Sync() { return Write({}, Durable::kYes); }

  // What has been written and not synced, for another thread to sync while Write() goes on. One at a time, from
  // BeginSync() to EndSync().
  struct Unsynced {
    std::unique_ptr<File> file;  // a handle of its own: of a failure it is told, and so is the writer's
    uint64_t base_offset = 0;
    uint64_t from_position = 0;
    uint64_t to_position = 0;
    uint64_t next_offset = 0;

    // From any thread.
    Status Sync() const;
  };
  // Nothing where only Sync() can do it.
  std::optional<Unsynced> BeginSync();
  // What came of it. kUnavailable, kIo: as Write().
  Status EndSync(const Unsynced& unsynced, const Status& synced);

  const End& end() const { return end_; }
  bool is_synced() const { return synced_position_ == end_.position; }
  bool is_broken() const { return !broken_.ok(); }
  // Of the last Write(): the first record and then one about every 16 KiB.
  const SparseIndex& written() const { return written_; }

 private:
  SegmentWriter(FileSystem& files, std::string directory, SegmentHeader header, std::unique_ptr<File> file, End end,
                uint64_t synced_position, uint64_t segment_bytes_max);

  Status RollIfFull(std::span<const Record> records);
  void EncodeAll(std::span<const Record> records);
  void MakeRoom();
  Status CutRoom();
  Status SyncFile(uint64_t undo_to);
  // Syncs the file, after writing anew what was found in it and is not known to have been synced.
  Status SyncAll();
  // Takes back what was written after `position`.
  Status Undo(uint64_t position);
  Status Break(const Status& cause);

  FileSystem& files_;
  const std::string directory_;
  const uint64_t segment_bytes_max_;
  SegmentHeader header_;
  std::unique_ptr<File> file_;
  End end_;
  uint64_t synced_position_;
  uint64_t room_bytes_ = 0;
  uint64_t room_end_ = 0;  // if above end_.position; kNoRoom: none is made in this segment any more
  uint64_t found_end_;  // of what was in the file before the first Write()
  std::string frames_;  // reused
  SparseIndex written_;
  Status broken_;
};

}  // namespace odometer
