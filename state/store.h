// state/store.h: Store, the rows of one partition on disk with the cursor that belongs to them, and View, a consistent
// read of it.
//
//   std::unique_ptr<Store> store = Store::Open(options).value();
//   uint64_t from = store->cursor();                       // where folding goes on
//   store->Commit(std::move(rows), next_cursor);           // rows and cursor in one atomic write
//   std::shared_ptr<const View> view = store->NewView();   // what has been committed; never blocks the fold
//
// One writer thread; NewView() and Views are thread-safe. One process has a store open (kConflict for a second).
// A crash loses at most commits that were not yet synced, never a part of one; the log has their records.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "state/codec.h"
#include "state/keys.h"
#include "state/meta.h"
#include "state/postings.h"
#include "state/rows.h"

namespace rocksdb {
class DB;
class Env;
}  // namespace rocksdb

namespace odometer {

// Changes of one commit, in any order (in key order they are cheapest); the last change of a key counts.
class RowBatch {
 public:
  void Put(std::string_view key, std::string_view value) { Add(key, value, false); }
  void Delete(std::string_view key) { Add(key, {}, true); }
  void Clear();  // keeps its memory, unless that is much and was of little use
  size_t bytes() const;
  size_t count() const { return rows_.size(); }
  // Of the rows whose keys begin with `prefix`, in key order. Brings the batch into that order.
  template <class F>
  void ForEachKey(std::string_view prefix, F&& f) {
    Sort();
    auto at = std::lower_bound(rows_.begin(), rows_.end(), prefix,
                               [](const Row& row, std::string_view wanted) { return KeyOf(row) < wanted; });
    for (; at != rows_.end() && KeyOf(*at).starts_with(prefix); ++at) f(KeyOf(*at));
  }

 private:
  friend class Store;
  struct Row {
    const char* at;  // of its key, in a block; the value follows
    uint32_t key_bytes;
    uint32_t value_bytes;
    bool is_deleted;
  };
  struct Block {
    std::unique_ptr<char[]> memory;
    size_t size = 0;
  };
  static std::string_view KeyOf(const Row& row) { return {row.at, row.key_bytes}; }
  static std::string_view ValueOf(const Row& row) { return {row.at + row.key_bytes, row.value_bytes}; }
  void Add(std::string_view key, std::string_view value, bool is_deleted);
  // Room for a row that the block at hand has none for.
  void NextBlock(size_t size);
  // In key order, each key once.
  void Sort();

  // What was added stays where it is: a batch that grows copies nothing.
  std::vector<Block> blocks_;
  size_t next_block_ = 0;
  char* free_ = nullptr;  // of the block before next_block_, to its end
  char* free_end_ = nullptr;
  size_t bytes_ = 0;  // of keys and values
  std::vector<Row> rows_;
  bool is_sorted_ = true;
};

// Rows as they were at one commit. Thread-safe.
class View {
 public:
  virtual ~View() = default;

  // Cursor, counts, log time and identity of that commit.
  virtual const MetaRow& meta() const = 0;

  // The bytes at a key; nullopt when there are none; kCorrupt or kIo when they cannot be read.
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  // Keys in [begin, end) in order, until the callback answers false.
  virtual Status Scan(std::string_view begin, std::string_view end,
                      const std::function<bool(std::string_view key, std::string_view value)>& row) const = 0;
  // The same from the end.
  virtual Status ScanBack(std::string_view begin, std::string_view end,
                          const std::function<bool(std::string_view key, std::string_view value)>& row) const = 0;
  // For a cache of what an earlier view said: the keys under a prefix that commits beyond `cursor` have written, at
  // least up to this view. nullopt when that is not known, as the first time that a prefix is asked for.
  virtual std::optional<std::vector<std::string>> WrittenSince(std::string_view prefix, uint64_t cursor) const {
    (void)prefix, (void)cursor;
    return std::nullopt;
  }
};

struct StoreOptions {
  std::string path;
  rocksdb::Env* env = nullptr;  // null: the machine's; a test gives one in memory
  Uuid log_id;                  // the store belongs to this log,
  uint32_t partition = 0;       // this partition
  uint32_t partitions = 1;      // of this many; kConflict when it was made for others, naming both
  bool read_only = false;       // of a checkpoint; log_id, partition and partitions are then taken from it
  // What a killed process leaves to replay, row by row, is the rows of up to three (decision 0013).
  uint64_t memtable_bytes = 8ull << 20;
  // A commit of so many rows becomes a file of its own instead of going through log and memtable row by row.
  size_t file_rows_min = 50'000;
};

class Store {
 public:
  // kConflict: another process has it, or it was made for another log, partition or count. kOutdated: another fold
  // version made it. kCorrupt or kIo: it cannot be read.
  static Result<std::unique_ptr<Store>> Open(const StoreOptions& options);
  ~Store();

  const MetaRow& meta() const { return meta_; }
  uint64_t cursor() const { return meta_.cursor; }
  bool is_new() const { return is_new_; }

  // Writes rows and meta as one: a write of RocksDB's, or a file that it takes in. On kDiskFull or kIo nothing was
  // written and the same commit may be tried again.
  Status Commit(RowBatch& rows, const MetaRow& meta);
  // Makes all commits durable against power loss.
  Status Sync();
  Result<std::optional<std::string>> Get(std::string_view key) const;
  // The last key before a key that the store has not got, and the first one after it; "" where there is none.
  Result<std::pair<std::string, std::string>> Around(std::string_view key) const;
  std::shared_ptr<const View> NewView() const;
  // A copy that opens as a store of its own, at the last commit, in a directory that must not exist.
  Status Checkpoint(const std::string& directory) const;

 private:
  Store() = default;
  struct Impl;
  Status Write(RowBatch& rows, const MetaRow& meta);
  Status WriteFile(RowBatch& rows, const MetaRow& meta);

  std::shared_ptr<Impl> impl_;
  MetaRow meta_;
  bool is_new_ = false;
};

// Typed reads over any View: nullopt when there is no such row, kCorrupt when its bytes are not a row.
template <class Row>
Result<std::optional<Row>> ReadRow(const View& view, std::string_view key) {
  Result<std::optional<std::string>> bytes = view.Get(key);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<Row>();
  Row row;
  if (!DecodeRow(**bytes, &row)) return Status(Code::kCorrupt, "store: a row's bytes cannot be read");
  return std::optional<Row>(std::move(row));
}

}  // namespace odometer
