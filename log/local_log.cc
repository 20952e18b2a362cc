#include "log/local_log.h"

#include "core/placement.h"
#include "log/at_once.h"
#include "log/log_manifest.h"

namespace odometer {

namespace {

std::string LockPath(const std::string& directory) { return directory + "/lock"; }

std::string ParentOf(const std::string& path) {
  size_t slash = path.find_last_not_of('/');
  slash = path.find_last_of('/', slash);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Also the names of the new directories, in their parents, are on stable storage afterwards.
Status MakeDirectories(FileSystem& files, const std::string& path) {
  Result<bool> exists = files.Exists(path);
  if (!exists.ok()) return exists.status();
  if (*exists) return Status::Ok();
  std::string parent = ParentOf(path);
  if (parent != path && parent != ".") ODOMETER_RETURN_IF_ERROR(MakeDirectories(files, parent));
  ODOMETER_RETURN_IF_ERROR(files.CreateDirectories(path));
  return files.SyncDirectory(parent);
}

Result<std::unique_ptr<File>> TakeLock(FileSystem& files, const std::string& directory) {
  Result<std::unique_ptr<File>> lock = files.Lock(LockPath(directory));
  if (lock.ok() || lock.status().code() != Code::kConflict) return lock;
  return Status(Code::kConflict, directory + ": another daemon has this log open");
}

// Clears what an unfinished Create() left in a partition's directory: one segment with at most its Genesis. More than
// that is somebody's log.
Status ClearUnfinished(FileSystem& files, const std::string& directory) {
  Result<std::vector<std::string>> names = files.List(directory);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    std::string path = directory + "/" + name;
    Status conflict(Code::kConflict, path + ": segments without a log.manifest; move them away or mend the manifest");
    if (name != SegmentName(0)) return conflict;
    Result<std::unique_ptr<SegmentReader>> reader = SegmentReader::Open(files, path);
    if (!reader.ok() && reader.status().code() != Code::kCorrupt) return reader.status();
    Result<std::unique_ptr<File>> file = files.Open(path, FileSystem::Mode::kRead);
    if (!file.ok()) return file.status();
    Result<uint64_t> bytes = (*file)->Size();
    if (!bytes.ok()) return bytes.status();
    Frame genesis;
    bool has_genesis = reader.ok() && (*reader)->ReadFrame(*bytes, &genesis).ok();
    if (*bytes > (has_genesis ? (*reader)->position() : 1024)) return conflict;
    ODOMETER_RETURN_IF_ERROR(files.Remove(path));
  }
  return Status::Ok();
}

Status CreatePartition(FileSystem& files, Clock& clock, const std::string& directory, const LogManifest& manifest,
                       uint32_t partition) {
  std::string path = SegmentsPath(directory, partition);
  ODOMETER_RETURN_IF_ERROR(MakeDirectories(files, path));
  ODOMETER_RETURN_IF_ERROR(ClearUnfinished(files, path));
  SegmentHeader header;
  header.log_id = manifest.log_id;
  header.partition = partition;
  Result<std::unique_ptr<SegmentWriter>> writer = SegmentWriter::Create(files, path, header, kSegmentBytesMax);
  if (!writer.ok()) return writer.status();
  int64_t now_us = clock.NowUs();
  std::string genesis = GenesisBytes(manifest.log_id, partition, manifest.partitions, now_us);
  Record record{0, AppendTimeOf(now_us), genesis};
  return (*writer)->Write({&record, 1}, SegmentWriter::Durable::kYes);
}

Status CheckFirstRecord(LocalPartition& log, const Uuid& log_id, uint32_t partitions) {
  Result<OwnedRecord> genesis = log.Fetch(0);
  if (!genesis.ok()) return genesis.status();
  Record record{genesis->offset, genesis->append_time, genesis->bytes};
  return CheckGenesis(record, log_id, log.partition(), partitions);
}

}  // namespace

Status LocalLog::Create(FileSystem& files, Clock& clock, const std::string& directory, const Uuid& log_id,
                        uint32_t partitions) {
  if (partitions == 0 || partitions > kSlots) {
    return Status(Code::kInvalid,
                  "a log has 1 to " + std::to_string(kSlots) + " partitions, not " + std::to_string(partitions));
  }
  ODOMETER_RETURN_IF_ERROR(MakeDirectories(files, directory));
  // Also when it was there: an earlier Create() or its maker may have been killed before the name was synced.
  ODOMETER_RETURN_IF_ERROR(files.SyncDirectory(ParentOf(directory)));
  Result<std::unique_ptr<File>> lock = TakeLock(files, directory);
  if (!lock.ok()) return lock.status();
  Result<bool> exists = files.Exists(ManifestPath(directory));
  if (!exists.ok()) return exists.status();
  if (*exists) return Status(Code::kConflict, directory + ": has a log already");
  LogManifest manifest{log_id, partitions, ""};
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    ODOMETER_RETURN_IF_ERROR(CreatePartition(files, clock, directory, manifest, partition));
  }
  return WriteManifest(files, directory, manifest);
}

Result<std::unique_ptr<LocalLog>> LocalLog::Open(FileSystem& files, Clock& clock, const std::string& directory,
                                                 const Options& options) {
  Result<LogManifest> manifest = ReadManifest(files, directory);
  if (!manifest.ok()) return manifest.status();
  if (options.partitions != 0 && options.partitions != manifest->partitions) {
    return Status(Code::kConflict, directory + ": the log has " + std::to_string(manifest->partitions) +
                                       " partitions, expected " + std::to_string(options.partitions));
  }
  if (!options.read_only && !manifest->copy_of.empty()) {
    return Status(Code::kConflict, directory + ": these segments are a copy of " + manifest->copy_of +
                                       "; nobody appends to them: start with --log");
  }
  std::unique_ptr<File> lock;
  if (!options.read_only) {
    Result<std::unique_ptr<File>> taken = TakeLock(files, directory);
    if (!taken.ok()) return taken.status();
    lock = std::move(*taken);
  }
  std::unique_ptr<LocalLog> log(new LocalLog(manifest->log_id, std::move(lock)));
  log->is_copy_ = !manifest->copy_of.empty();
  log->partitions_.resize(manifest->partitions);
  std::vector<std::optional<TailCut>> cuts(manifest->partitions);
  ODOMETER_RETURN_IF_ERROR(DoAtOnce(manifest->partitions, options.open_threads_max, [&](size_t partition) {
    return log->OpenPartition(files, clock, directory, options, static_cast<uint32_t>(partition), &cuts[partition]);
  }));
  for (const std::optional<TailCut>& cut : cuts) {
    if (cut) log->tail_cuts_.push_back(*cut);
  }
  return log;
}

Status LocalLog::OpenPartition(FileSystem& files, Clock& clock, const std::string& directory, const Options& options,
                               uint32_t partition, std::optional<TailCut>* cut) {
  std::string path = SegmentsPath(directory, partition);
  OpenSegmentsOptions open_options;
  open_options.read_only = options.read_only;
  open_options.durable_offset = 1;  // the manifest says that Genesis was written
  Result<OpenedSegments> opened = OpenSegments(files, path, log_id_, partition, open_options);
  if (is_copy_ && opened.status().code() == Code::kNotFound) return Status::Ok();
  if (!opened.ok() && opened.status().code() == Code::kNotFound) {
    return Status(Code::kCorrupt, "partition " + std::to_string(partition) + " is gone: " + opened.status().message());
  }
  if (!opened.ok()) return opened.status();
  *cut = opened->cut;
  std::unique_ptr<SegmentWriter> writer;
  if (!options.read_only) {
    Result<std::unique_ptr<SegmentWriter>> resumed = SegmentWriter::Resume(
        files, path, opened->last_header, opened->end, opened->synced_position, options.segment_bytes_max);
    if (!resumed.ok()) return resumed.status();
    writer = std::move(*resumed);
    if (options.fsync) writer->set_room_bytes(options.room_bytes);
  }
  partitions_[partition] =
      std::make_unique<LocalPartition>(files, clock, LocalPartition::Options{path, log_id_, partition, options.fsync},
                                       std::move(*opened), std::move(writer));
  return CheckFirstRecord(*partitions_[partition], log_id_, partitions());
}

PartitionLog& LocalLog::partition(uint32_t partition) {
  ODOMETER_CHECK(holds(partition));
  return *partitions_[partition];
}

uint64_t LocalLog::tail_cut_bytes() const {
  uint64_t bytes = 0;
  for (const TailCut& cut : tail_cuts_) bytes += cut.bytes;
  return bytes;
}

Status LocalLog::Refresh() {
  for (const std::unique_ptr<LocalPartition>& partition : partitions_) {
    if (partition != nullptr) ODOMETER_RETURN_IF_ERROR(partition->Refresh());
  }
  return Status::Ok();
}

}  // namespace odometer
