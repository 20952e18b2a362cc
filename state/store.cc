#include "state/store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

#include "core/planted.h"
#include "core/scheduling.h"
#include "state/written_keys.h"

namespace odometer {

namespace {

// Of a batch: each is twice the one before, up to 1 MiB.
constexpr size_t kFirstBlockBytes = 16u << 10;
constexpr size_t kDoubledMost = 6;
// A batch that holds more gives it back when it was not half full.
constexpr size_t kBatchBytesKept = 64u << 20;
constexpr int kRunsMost = 6;                    // sorted runs, before some of them are merged
constexpr uint64_t kRunFileBytes = 1ull << 30;  // of a run's files: most runs are one
constexpr uint64_t kUnderWayBytes = 1u << 20;   // of a file that is being written, from one hint to the next

// RocksDB asserts on a null pointer, even of no bytes.
rocksdb::Slice SliceOf(std::string_view text) { return {text.data() == nullptr ? "" : text.data(), text.size()}; }
std::string_view ViewOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Status FromRocks(const std::string& doing, const rocksdb::Status& status) {
  if (status.ok()) return Status::Ok();
  std::string text = "store: " + doing + ": " + status.ToString();
  if (status.IsNoSpace()) return {Code::kDiskFull, text};
  if (status.IsCorruption()) return {Code::kCorrupt, text};
  if (text.find("No space left") != std::string::npos) return {Code::kDiskFull, text};
  if (text.find("lock") != std::string::npos) return {Code::kConflict, text + " (is another daemon running on it?)"};
  if (text.find("Read-only file system") != std::string::npos)
    text += "; mount it writable, or name a data directory that is";
  return {Code::kIo, text};
}

// RocksDB writes a log of its own beside the data; on a full disk that write must not be what ends the process.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class Listener : public rocksdb::EventListener {
 public:
  // On a thread of flushes: there is one for all stores.
  void OnFlushBegin(rocksdb::DB*, const rocksdb::FlushJobInfo&) override {
    static thread_local bool gives_way = false;
    if (!std::exchange(gives_way, true)) GiveWay();
  }
  // The runner tries again itself, with Resume(); a recovery thread of RocksDB's own would only hold it off.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// So that the filters of runs know which users have rows there.
class UserPrefix : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "odometer.user.1"; }
  bool InDomain(const rocksdb::Slice& key) const override { return UserPrefixSize(ViewOf(key)) > 0; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), UserPrefixSize(ViewOf(key))};
  }
};

// Whether all keys from begin to before end are of one user and kind. Others must be read in total order: a run may
// be passed over by the prefix of the first key alone.
bool IsOfOneUser(std::string_view begin, std::string_view end) {
  size_t size = UserPrefixSize(begin);
  return size > 0 && !end.empty() && end <= PrefixEnd(begin.substr(0, size));
}

rocksdb::Options RocksOptions(const StoreOptions& options) {
  rocksdb::Options rocks;
  rocks.info_log = std::make_shared<NoLog>();
  rocks.listeners.push_back(std::make_shared<Listener>());
  rocks.create_if_missing = !options.read_only;
  if (options.env != nullptr) rocks.env = options.env;
  rocks.write_buffer_size = options.memtable_bytes;
  rocks.max_write_buffer_number = 3;
  rocks.max_background_jobs = 2;
  // Keys come back all over the store, so a merge into a level rewrites all of it, the more the larger the store is.
  // Runs of like size are merged instead: a row is written as often as the store has doubled, and few files are open.
  rocks.compaction_style = rocksdb::kCompactionStyleUniversal;
  rocks.level0_file_num_compaction_trigger = kRunsMost;
  rocks.target_file_size_base = kRunFileBytes;
  rocks.bytes_per_sync = kUnderWayBytes;
  rocks.prefix_extractor = std::make_shared<UserPrefix>();
  // Of keys that are new, as most are that are looked for, a memtable says so without a search.
  rocks.memtable_whole_key_filtering = true;
  rocks.memtable_prefix_bloom_size_ratio = 0.1;
  rocks.paranoid_checks = true;
  rocks.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  rocks.info_log_level = rocksdb::InfoLogLevel::ERROR_LEVEL;
  rocks.keep_log_file_num = 2;
  rocks.max_open_files = 256;
  // Files that a merge has replaced are unlinked by a thread of RocksDB's, not by who was the last to read them.
  rocks.avoid_unnecessary_blocking_io = true;
  // Rows come in key order within their kind: each insert goes on from the last of its kind, not from the list's head.
  rocks.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  // The upper levels are written anew all the time, the lower ones hold nearly all of the bytes.
  rocks.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_cache = rocksdb::NewLRUCache(16 << 20);
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return rocks;
}

}  // namespace

void RowBatch::Add(std::string_view key, std::string_view value, bool is_deleted) {
  if (!rows_.empty() && KeyOf(rows_.back()) >= key) is_sorted_ = false;
  size_t size = key.size() + value.size();
  if (static_cast<size_t>(free_end_ - free_) < size) NextBlock(size);
  rows_.push_back({free_, static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size()), is_deleted});
  free_ = std::copy(key.begin(), key.end(), free_);
  free_ = std::copy(value.begin(), value.end(), free_);
  bytes_ += size;
}

void RowBatch::NextBlock(size_t size) {
  if (next_block_ == blocks_.size()) blocks_.emplace_back();
  Block& block = blocks_[next_block_++];
  if (block.size < size) {
    block.size = std::max(size, kFirstBlockBytes << std::min<size_t>(next_block_ - 1, kDoubledMost));
    block.memory = std::make_unique_for_overwrite<char[]>(block.size);
  }
  free_ = block.memory.get();
  free_end_ = free_ + block.size;
}

void RowBatch::Sort() {
  if (is_sorted_) return;
  std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return KeyOf(a) < KeyOf(b); });
  // The last of a key stays.
  auto is_same = [](const Row& a, const Row& b) { return KeyOf(a) == KeyOf(b); };
  auto last = std::unique(rows_.rbegin(), rows_.rend(), is_same);
  rows_.erase(rows_.begin(), last.base());
  is_sorted_ = true;
}

void RowBatch::Clear() {
  size_t held = 0;
  for (const Block& block : blocks_) held += block.size;
  if (held > kBatchBytesKept && bytes_ < held / 2) {
    blocks_.clear();
    rows_ = std::vector<Row>();
  }
  next_block_ = 0;
  free_ = free_end_ = nullptr;
  bytes_ = 0;
  rows_.clear();
  is_sorted_ = true;
}
size_t RowBatch::bytes() const { return bytes_ + rows_.size() * sizeof(Row); }

struct Store::Impl {
  std::unique_ptr<rocksdb::DB> db;
  StoreOptions options;
  bool needs_resume = false;
  WrittenKeys written;
  rocksdb::WriteBatch held_back;  // of a planted bug only
};

namespace {

class RocksView : public View {
 public:
  RocksView(std::shared_ptr<void> owner, rocksdb::DB* db, WrittenKeys* written, MetaRow meta)
      : owner_(std::move(owner)), db_(db), written_(written), snapshot_(db->GetSnapshot()), meta_(std::move(meta)) {}
  ~RocksView() override { db_->ReleaseSnapshot(snapshot_); }

  const MetaRow& meta() const override { return meta_; }

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot_;
    std::string value;
    rocksdb::Status status = db_->Get(read, SliceOf(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return FromRocks("read", status);
    return std::optional<std::string>(std::move(value));
  }

  Status Scan(std::string_view begin, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return Walk(begin, end, row, false);
  }
  Status ScanBack(std::string_view begin, std::string_view end,
                  const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return Walk(begin, end, row, true);
  }
  std::optional<std::vector<std::string>> WrittenSince(std::string_view prefix, uint64_t cursor) const override {
    return written_->Since(prefix, cursor);
  }

 private:
  Status Walk(std::string_view begin, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& row, bool back) const {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot_;
    rocksdb::Slice lower = SliceOf(begin), upper = SliceOf(end);
    read.iterate_lower_bound = &lower;
    if (!end.empty()) read.iterate_upper_bound = &upper;
    read.total_order_seek = back || !IsOfOneUser(begin, end);
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read));
    back ? it->SeekToLast() : it->Seek(lower);
    while (it->Valid() && row(ViewOf(it->key()), ViewOf(it->value()))) back ? it->Prev() : it->Next();
    return FromRocks("scan", it->status());
  }

  std::shared_ptr<void> owner_;
  rocksdb::DB* db_;
  WrittenKeys* written_;
  const rocksdb::Snapshot* snapshot_;
  MetaRow meta_;
};

// Of a commit that becomes a file. What a killed process left there is overwritten by the next.
std::string FilePath(const StoreOptions& options) { return options.path + "/commit.sst.new"; }

std::string MetaKey() { return KeyBuilder().Begin(RowKind::kMeta).str(); }

// The fold version is the first field of the meta row in every version; what follows it may be anything in another one.
Status CheckFoldVersion(std::string_view meta_bytes, const std::string& path) {
  uint64_t version = RowReader(meta_bytes).Unsigned();
  if (version == kFoldVersion) return Status::Ok();
  return {Code::kOutdated, "store " + path + " was folded by fold version " + std::to_string(version) +
                               ", this program's is " + std::to_string(kFoldVersion)};
}

Status CheckIdentity(const MetaRow& meta, const StoreOptions& options) {
  auto differs = [&](const std::string& what, const std::string& stored, const std::string& asked) {
    return Status(Code::kConflict, "store " + options.path + " was made for " + what + " " + stored + ", not " + asked);
  };
  if (options.read_only) return Status::Ok();
  if (meta.log_id != options.log_id) return differs("log", meta.log_id.ToString(), options.log_id.ToString());
  if (meta.partition != options.partition)
    return differs("partition", std::to_string(meta.partition), std::to_string(options.partition));
  if (meta.partitions != options.partitions) {
    return differs("a log of", std::to_string(meta.partitions) + " partitions", std::to_string(options.partitions));
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  std::unique_ptr<Store> store(new Store());
  store->impl_ = std::make_shared<Impl>();
  store->impl_->options = options;
  rocksdb::DB* db = nullptr;
  rocksdb::Options rocks = RocksOptions(options);
  // Of all stores: merges take what the fold and its readers leave; where that is too little, RocksDB has writes wait
  // for them. Where it cannot be had, they only take more.
  (void)rocks.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW, rocksdb::CpuPriority::kIdle);
  rocksdb::Status opened = options.read_only ? rocksdb::DB::OpenForReadOnly(rocks, options.path, &db)
                                             : rocksdb::DB::Open(rocks, options.path, &db);
  if (!opened.ok()) return FromRocks("open " + options.path, opened);
  store->impl_->db.reset(db);

  Result<std::optional<std::string>> bytes = store->Get(MetaKey());
  if (!bytes.ok()) return bytes.status();
  store->is_new_ = !bytes->has_value();
  if (store->is_new_) {
    if (options.read_only) return Status(Code::kNotFound, "store " + options.path + " holds no committed rows");
    store->meta_.log_id = options.log_id;
    store->meta_.partition = options.partition;
    store->meta_.partitions = options.partitions;
    return store;
  }
  ODOMETER_RETURN_IF_ERROR(CheckFoldVersion(**bytes, options.path));
  if (!DecodeRow(**bytes, &store->meta_))
    return Status(Code::kCorrupt, "store " + options.path + ": its meta row cannot be read");
  ODOMETER_RETURN_IF_ERROR(CheckIdentity(store->meta_, options));
  return store;
}

Store::~Store() = default;

Status Store::Commit(RowBatch& rows, const MetaRow& meta) {
  if (impl_->needs_resume) {
    // Without it RocksDB refuses every later write, though the disk has room again.
    rocksdb::Status resumed = impl_->db->Resume();
    if (!resumed.ok()) return FromRocks("resume after a failed write", resumed);
    impl_->needs_resume = false;
  }
  impl_->written.Note(rows, meta.cursor);
  bool is_large = rows.count() >= impl_->options.file_rows_min && !PlantedBug("cursor_before_state");
  Status written = is_large ? WriteFile(rows, meta) : Write(rows, meta);
  if (!written.ok()) {
    impl_->needs_resume = true;
    return written;
  }
  meta_ = meta;
  is_new_ = false;
  return Status::Ok();
}

Status Store::Write(RowBatch& rows, const MetaRow& meta) {
  rocksdb::WriteBatch batch(rows.bytes());
  for (const RowBatch::Row& row : rows.rows_) {
    if (row.is_deleted) {
      batch.Delete(SliceOf(rows.KeyOf(row)));
    } else {
      batch.Put(SliceOf(rows.KeyOf(row)), SliceOf(rows.ValueOf(row)));
    }
  }
  batch.Put(SliceOf(MetaKey()), EncodeRow(meta));
  if (PlantedBug("cursor_before_state")) {
    // The cursor goes out now, the rows with the next commit: a crash between the two loses them.
    impl_->held_back.Put(SliceOf(MetaKey()), EncodeRow(meta));
    std::swap(impl_->held_back, batch);
  }
  return FromRocks("commit", impl_->db->Write(rocksdb::WriteOptions(), &batch));
}

// A sorted file takes its place beside the others as a whole. RocksDB writes out first what stands in its memory under
// the same keys, and the meta row does in every commit: the commits before this one are never behind it on disk.
Status Store::WriteFile(RowBatch& rows, const MetaRow& meta) {
  rows.Sort();
  std::string path = FilePath(impl_->options);
  rocksdb::SstFileWriter file(rocksdb::EnvOptions(), impl_->db->GetOptions());
  rocksdb::Status status = file.Open(path);
  std::string meta_key = MetaKey();
  bool is_meta_written = false;
  auto put_meta = [&] {
    status = file.Put(SliceOf(meta_key), EncodeRow(meta));
    is_meta_written = true;
  };
  for (const RowBatch::Row& row : rows.rows_) {
    if (!status.ok()) break;
    rocksdb::Slice key = SliceOf(rows.KeyOf(row));
    if (!is_meta_written && rows.KeyOf(row) >= meta_key) put_meta();
    if (!status.ok() || rows.KeyOf(row) == meta_key) continue;
    status = row.is_deleted ? file.Delete(key) : file.Put(key, SliceOf(rows.ValueOf(row)));
  }
  if (status.ok() && !is_meta_written) put_meta();
  if (status.ok()) status = file.Finish();
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  if (status.ok()) status = impl_->db->IngestExternalFile({path}, ingest);
  impl_->db->GetEnv()->DeleteFile(path).PermitUncheckedError();  // moved away, unless it failed
  return FromRocks("commit", status);
}

Status Store::Sync() { return FromRocks("sync", impl_->db->SyncWAL()); }

Result<std::optional<std::string>> Store::Get(std::string_view key) const {
  // What the fold looks for is in no order, and then in RAM: it would only take the cache from readers.
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  std::string value;
  rocksdb::Status status = impl_->db->Get(read, SliceOf(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return FromRocks("read", status);
  return std::optional<std::string>(std::move(value));
}

Result<std::pair<std::string, std::string>> Store::Around(std::string_view key) const {
  std::pair<std::string, std::string> neighbours;
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  std::unique_ptr<rocksdb::Iterator> rows(impl_->db->NewIterator(read));
  rows->SeekForPrev(SliceOf(key));
  if (rows->Valid()) neighbours.first = rows->key().ToString();
  if (!rows->status().ok()) return FromRocks("read", rows->status());
  rows->Seek(SliceOf(key));
  if (rows->Valid()) neighbours.second = rows->key().ToString();
  if (!rows->status().ok()) return FromRocks("read", rows->status());
  return neighbours;
}

std::shared_ptr<const View> Store::NewView() const {
  return std::make_shared<RocksView>(impl_, impl_->db.get(), &impl_->written, meta_);
}

Status Store::Checkpoint(const std::string& directory) const {
  rocksdb::Checkpoint* checkpoint = nullptr;
  rocksdb::Status made = rocksdb::Checkpoint::Create(impl_->db.get(), &checkpoint);
  if (!made.ok()) return FromRocks("checkpoint", made);
  std::unique_ptr<rocksdb::Checkpoint> owned(checkpoint);
  return FromRocks("checkpoint to " + directory, owned->CreateCheckpoint(directory));
}

}  // namespace odometer
