#include "state/store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <filesystem>

#include "state/written_keys.h"
#include "tests/unit/log/temp_directory.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

MetaRow At(const Store& store, uint64_t cursor) {
  MetaRow meta = store.meta();
  meta.cursor = cursor;
  return meta;
}

void Put(Store& store, const std::string& key, const std::string& value, uint64_t cursor) {
  RowBatch batch;
  batch.Put(key, value);
  Status committed = store.Commit(batch, At(store, cursor));
  ASSERT_TRUE(committed.ok()) << committed.ToString();
}

std::string ValueAt(const View& view, std::string_view key) {
  Result<std::optional<std::string>> value = view.Get(key);
  return !value.ok() ? value.status().ToString() : value->value_or("(none)");
}

TEST(Store, ANewOneStandsAtTheBeginningOfItsLog) {
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  EXPECT_TRUE(store->is_new());
  EXPECT_EQ(store->cursor(), 0u);
  EXPECT_EQ(store->meta().log_id, kTestLogId);
}

TEST(Store, RowsAndCursorComeBackTogether) {
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  Put(*store, "k", "one", 7);
  EXPECT_FALSE(store->is_new());
  store.reset();
  store = disk.Open();
  EXPECT_FALSE(store->is_new());
  EXPECT_EQ(store->cursor(), 7u);
  EXPECT_EQ(**store->Get("k"), "one");
  EXPECT_FALSE((*store->Get("l")).has_value());
}

TEST(Store, TheLastChangeOfAKeyInABatchCounts) {
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  RowBatch batch;
  batch.Put("a", "1");
  batch.Put("a", "2");
  batch.Put("b", "1");
  batch.Delete("b");
  batch.Put(std::string_view(), std::string_view());
  EXPECT_EQ(batch.count(), 5u);
  ASSERT_TRUE(store->Commit(batch, At(*store, 1)).ok());
  EXPECT_EQ(**store->Get("a"), "2");
  EXPECT_FALSE((*store->Get("b")).has_value());
}

TEST(Store, AViewIsOfItsCommitAndOutlivesItsStore) {
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  Put(*store, "k", "one", 1);
  std::shared_ptr<const View> view = store->NewView();
  Put(*store, "k", "two", 2);
  EXPECT_EQ(ValueAt(*view, "k"), "one");
  EXPECT_EQ(view->meta().cursor, 1u);
  EXPECT_EQ(ValueAt(*store->NewView(), "k"), "two");
  EXPECT_EQ(store->NewView()->meta().cursor, 2u);
  store.reset();
  EXPECT_EQ(ValueAt(*view, "k"), "one");
}

TEST(Store, AViewTellsWhichKeysUnderAPrefixWereWrittenSinceAnEarlierOne) {
  using Keys = std::vector<std::string>;
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  Put(*store, "a1", "1", 5);
  std::shared_ptr<const View> first = store->NewView();
  EXPECT_EQ(first->WrittenSince("a", 0), std::nullopt);  // nobody had asked
  EXPECT_EQ(first->WrittenSince("a", 5), Keys());
  Put(*store, "a2", "1", 6);
  Put(*store, "b", "1", 7);
  std::shared_ptr<const View> second = store->NewView();
  Put(*store, "a1", "2", 8);
  Put(*store, "a1", "3", 9);
  std::shared_ptr<const View> third = store->NewView();
  EXPECT_EQ(third->WrittenSince("a", 5), (Keys{"a1", "a2"}));
  EXPECT_EQ(third->WrittenSince("a", 6), Keys{"a1"});
  EXPECT_EQ(third->WrittenSince("a", 9), Keys());
  EXPECT_EQ(third->WrittenSince("b", 5), std::nullopt);
  store.reset();
  EXPECT_EQ(third->WrittenSince("a", 8), Keys{"a1"});
}

TEST(Store, KeysOfACommitThatBecomesAFileAreKnownAsWritten) {
  MemoryDisk disk;
  StoreOptions options = disk.options();
  options.file_rows_min = 1;
  std::unique_ptr<Store> store = Store::Open(options).value();
  EXPECT_EQ(store->NewView()->WrittenSince("a", 0), std::vector<std::string>());
  RowBatch batch;
  batch.Put("b", "1");
  batch.Put("a2", "1");
  batch.Put("a1", "1");
  ASSERT_TRUE(store->Commit(batch, At(*store, 1)).ok());
  EXPECT_EQ(store->NewView()->WrittenSince("a", 0), (std::vector<std::string>{"a1", "a2"}));
}

TEST(WrittenKeys, OfAPrefixThatNobodyAsksForAreForgottenBeforeTheyBecomeTooMany) {
  WrittenKeys written;
  ASSERT_TRUE(written.Since("often", 0).has_value());
  ASSERT_TRUE(written.Since("once", 0).has_value());
  constexpr uint64_t kCommits = 200;
  for (uint64_t commit = 1; commit <= kCommits; ++commit) {
    RowBatch batch;
    for (size_t i = 0; i < 2 * WrittenKeys::kKeysMax / kCommits; ++i) batch.Put("once" + std::to_string(i), "");
    batch.Put("often", "");
    written.Note(batch, commit);
    ASSERT_EQ(written.Since("often", commit - 1), std::vector<std::string>{"often"});
  }
  EXPECT_EQ(written.Since("once", kCommits - 1), std::nullopt);
  EXPECT_EQ(written.Since("once", kCommits), std::vector<std::string>());
}

TEST(WrittenKeys, OfAPrefixThatIsAskedForAgainAndAgainStayKnownHoweverManyTheyAre) {
  WrittenKeys written;
  ASSERT_TRUE(written.Since("a", 0).has_value());
  for (uint64_t commit = 1; commit <= 50; ++commit) {
    RowBatch batch;
    for (size_t i = 0; i < WrittenKeys::kKeysMax / 10; ++i) batch.Put("a" + std::to_string(i), "");
    written.Note(batch, commit);
    std::optional<std::vector<std::string>> keys = written.Since("a", commit - 1);
    ASSERT_TRUE(keys.has_value()) << "commit " << commit;
    ASSERT_EQ(keys->size(), WrittenKeys::kKeysMax / 10);
  }
  EXPECT_EQ(written.Since("a", 0), std::nullopt);
}

TEST(Store, ABatchHoldsRowsOfEverySizeAndIsUsedAgainWithoutTheFormerOnes) {
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  RowBatch batch;
  auto value_of = [](int row) {
    return std::string(row % 100 == 99 ? 3u << 20 : 50'000u, static_cast<char>('a' + row % 26));
  };
  for (int commit = 0; commit < 3; ++commit) {
    batch.Clear();
    // The memory of the large one is too much for the small one after it.
    int rows = commit == 1 ? 5 : 2'000;
    uint64_t bytes = 0;
    for (int row = 0; row < rows; ++row) {
      std::string key = std::to_string(commit) + "/" + std::to_string(1'000'000 + row), value = value_of(row);
      batch.Put(key, value);
      bytes += key.size() + value.size();
    }
    EXPECT_EQ(batch.count(), static_cast<size_t>(rows));
    EXPECT_GE(batch.bytes(), bytes);
    ASSERT_TRUE(store->Commit(batch, At(*store, commit + 1)).ok());
    int seen = 0;
    std::string prefix = std::to_string(commit) + "/";
    ASSERT_TRUE(store->NewView()->Scan(prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view value) {
      return key == prefix + std::to_string(1'000'000 + seen) && value == value_of(seen++);
    }).ok());
    EXPECT_EQ(seen, rows);
  }
}

TEST(Store, AScanGivesItsRangeInOrderUntilItIsToldToStop) {
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  RowBatch batch;
  for (const char* key : {"a1", "a2", "a3", "b1"}) batch.Put(key, key);
  ASSERT_TRUE(store->Commit(batch, At(*store, 1)).ok());
  std::shared_ptr<const View> view = store->NewView();
  auto keys = [&](auto walk, size_t most) {
    std::string seen;
    EXPECT_TRUE(walk([&](std::string_view key, std::string_view value) {
                  EXPECT_EQ(key, value);
                  seen += std::string(key) + " ";
                  return --most > 0;
                }).ok());
    return seen;
  };
  EXPECT_EQ(keys([&](auto row) { return view->Scan("a2", "b1", row); }, 9), "a2 a3 ");
  EXPECT_EQ(keys([&](auto row) { return view->ScanBack("a1", "b1", row); }, 2), "a3 a2 ");
  EXPECT_EQ(keys([&](auto row) { return view->Scan("b", "", row); }, 9), "b1 ");
  EXPECT_EQ(keys([&](auto row) { return view->Scan("c", "d", row); }, 9), "");
}

// --- commits that become files

class StoreOfFiles : public testing::Test {
 protected:
  std::unique_ptr<Store> Open() {
    StoreOptions options = disk_.options();
    options.file_rows_min = 3;
    return Store::Open(options).value();
  }
  // A commit of `rows` rows, every other one deleted when it was there.
  static void Commit(Store& store, uint64_t cursor, int rows) {
    RowBatch batch;
    for (int i = rows; i-- > 0;) {
      std::string key = (i % 3 == 0 ? "A" : "z") + std::to_string(i);
      if (i % 2 == 0) batch.Put(key, "overwritten");
      if (i % 2 == 0 || cursor % 2 == 0) {
        batch.Put(key, std::to_string(cursor));
      } else {
        batch.Delete(key);
      }
    }
    Status committed = store.Commit(batch, At(store, cursor));
    ASSERT_TRUE(committed.ok()) << committed.ToString();
  }
  static std::string All(const View& view) {
    std::string all;
    EXPECT_TRUE(view.Scan({}, {},
                          [&](std::string_view key, std::string_view value) {
                            if (key[0] != static_cast<char>(RowKind::kMeta))
                              all += std::string(key) + "=" + std::string(value) + " ";
                            return true;
                          })
                    .ok());
    return all;
  }

  MemoryDisk disk_;
};

TEST_F(StoreOfFiles, HoldTheSameRowsAsOneThatWritesRowByRow) {
  MemoryDisk other;
  std::unique_ptr<Store> files = Open(), rows = other.Open();
  for (uint64_t cursor = 1; cursor <= 40; ++cursor) {
    int count = static_cast<int>(cursor * 7 % 11);  // also less than make a file
    Commit(*files, cursor, count);
    Commit(*rows, cursor, count);
    ASSERT_EQ(All(*files->NewView()), All(*rows->NewView())) << cursor;
    ASSERT_EQ(files->NewView()->meta().cursor, cursor);
    if (cursor % 8 != 0) continue;
    files.reset();
    files = Open();
    ASSERT_EQ(files->cursor(), cursor);
    ASSERT_EQ(All(*files->NewView()), All(*rows->NewView())) << cursor;
  }
}

TEST_F(StoreOfFiles, AViewFromBeforeDoesNotSeeThem) {
  std::unique_ptr<Store> store = Open();
  Commit(*store, 2, 8);
  std::shared_ptr<const View> view = store->NewView();
  std::string before = All(*view);
  Commit(*store, 3, 20);
  Commit(*store, 4, 1);
  EXPECT_EQ(All(*view), before);
  EXPECT_EQ(view->meta().cursor, 2u);
}

// A disk that has no room for new files while it is full.
class FullDisk : public rocksdb::EnvWrapper {
 public:
  using rocksdb::EnvWrapper::EnvWrapper;
  rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    if (is_full) return rocksdb::Status::NoSpace();
    return rocksdb::EnvWrapper::NewWritableFile(name, file, options);
  }
  bool is_full = false;
};

TEST_F(StoreOfFiles, OneThatDoesNotFitOnTheDiskChangesNothingAndFitsLater) {
  FullDisk disk(disk_.env());
  StoreOptions options = disk_.options();
  options.env = &disk;
  options.file_rows_min = 3;
  std::unique_ptr<Store> store = Store::Open(options).value();
  Commit(*store, 2, 8);
  std::string before = All(*store->NewView());
  RowBatch batch;
  for (const char* key : {"a", "b", "c"}) batch.Put(key, "new");
  disk.is_full = true;
  EXPECT_EQ(store->Commit(batch, At(*store, 3)).code(), Code::kDiskFull);
  EXPECT_EQ(All(*store->NewView()), before);
  EXPECT_EQ(store->cursor(), 2u);
  disk.is_full = false;
  EXPECT_TRUE(store->Commit(batch, At(*store, 3)).ok());
  EXPECT_EQ(**store->Get("c"), "new");
  EXPECT_EQ(store->cursor(), 3u);
}

class ReadOnlyDisk : public rocksdb::EnvWrapper {
 public:
  using rocksdb::EnvWrapper::EnvWrapper;
  rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>*,
                                  const rocksdb::EnvOptions&) override {
    return rocksdb::Status::IOError("While open a file for appending: " + name, "Read-only file system");
  }
};

TEST_F(StoreOfFiles, OnAReadOnlyFileSystemTheErrorSaysWhatToDo) {
  ReadOnlyDisk disk(disk_.env());
  StoreOptions options = disk_.options();
  options.env = &disk;
  Status status = Store::Open(options).status();
  EXPECT_EQ(status.code(), Code::kIo) << status.ToString();
  EXPECT_NE(status.message().find("/store"), std::string::npos) << status.ToString();
  EXPECT_NE(status.message().find("mount it writable"), std::string::npos) << status.ToString();
}

// What a process that is killed leaves to replay.
TEST(Store, ItsWriteAheadLogNeverHoldsMoreThanFourMemtablesAndACommit) {
  MemoryDisk disk;
  StoreOptions options = disk.options();
  options.memtable_bytes = 1 << 20;
  std::unique_ptr<Store> store = Store::Open(options).value();
  constexpr uint64_t kRows = 2000, kRowBytes = 100;
  for (uint64_t cursor = 1; cursor <= 60; ++cursor) {
    RowBatch batch;
    for (uint64_t row = 0; row < kRows; ++row) {
      batch.Put(KeyBuilder().Begin(RowKind::kDay).Number(static_cast<int64_t>(row * 60 + cursor)).view(),
                std::string(kRowBytes, 'v'));
    }
    MetaRow meta = store->meta();
    meta.cursor = cursor;
    ASSERT_TRUE(store->Commit(batch, meta).ok());
    uint64_t bytes = 0;
    std::vector<std::string> names;
    ASSERT_TRUE(disk.env()->GetChildren(options.path, &names).ok());
    for (const std::string& name : names) {
      uint64_t size = 0;
      if (name.ends_with(".log") && disk.env()->GetFileSize(options.path + "/" + name, &size).ok()) bytes += size;
    }
    // Three that stand, and the log of one that was written out and is being removed.
    ASSERT_LE(bytes, 4 * options.memtable_bytes + kRows * kRowBytes * 2) << cursor;
  }
}

TEST_F(StoreOfFiles, WhatAKilledProcessLeftBehindDoesNoHarm) {
  Commit(*Open(), 2, 8);
  std::unique_ptr<rocksdb::WritableFile> left;
  ASSERT_TRUE(disk_.env()->NewWritableFile(disk_.options().path + "/commit.sst.new", &left, {}).ok());
  ASSERT_TRUE(left->Append("half a file").ok());
  left.reset();
  std::unique_ptr<Store> store = Open();
  EXPECT_EQ(store->cursor(), 2u);
  Commit(*store, 4, 8);
  EXPECT_EQ(store->cursor(), 4u);
  EXPECT_FALSE(disk_.env()->FileExists(disk_.options().path + "/commit.sst.new").ok());
}

TEST(Store, ItBelongsToOneLogPartitionAndNumberOfPartitions) {
  MemoryDisk disk;
  Put(*disk.Open(), "k", "v", 1);
  StoreOptions right = disk.options();
  StoreOptions log = right, partition = right, partitions = right;
  log.log_id.bytes[0] = 0xff;
  partition.partition = 1;
  partition.partitions = partitions.partitions = 4;
  for (const StoreOptions& wrong : {log, partition, partitions}) {
    Result<std::unique_ptr<Store>> store = Store::Open(wrong);
    EXPECT_EQ(store.status().code(), Code::kConflict);
    EXPECT_NE(store.status().message().find("was made for"), std::string::npos) << store.status().ToString();
  }
  EXPECT_TRUE(Store::Open(right).ok());
}

TEST(Store, OfAnotherFoldVersionItIsNotRead) {
  MemoryDisk disk;
  {
    std::unique_ptr<Store> store = disk.Open();
    MetaRow meta = store->meta();
    meta.fold_version = kFoldVersion + 1;
    RowBatch batch;
    ASSERT_TRUE(store->Commit(batch, meta).ok());
  }
  Result<std::unique_ptr<Store>> store = Store::Open(disk.options());
  EXPECT_EQ(store.status().code(), Code::kOutdated) << store.status().ToString();
}

TEST(Store, OfAFoldVersionWhoseMetaRowHasAnotherShapeItIsOutdatedNotDamaged) {
  MemoryDisk disk;
  rocksdb::Options rocks;
  rocks.env = disk.env();
  rocks.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(rocks, "/store", &db).ok());
  ASSERT_TRUE(db->Put({}, KeyBuilder().Begin(RowKind::kMeta).str(), std::string("\x7f\xff\xff", 3)).ok());
  delete db;
  Result<std::unique_ptr<Store>> store = Store::Open(disk.options());
  EXPECT_EQ(store.status().code(), Code::kOutdated) << store.status().ToString();
}

class StoreOnDisk : public testing::Test {
 protected:
  StoreOptions Options(const std::string& name) const {
    StoreOptions options;
    options.path = directory_.path() + "/" + name;
    options.log_id = kTestLogId;
    return options;
  }
  TempDirectory directory_;
};

TEST_F(StoreOnDisk, ASecondDaemonIsRefused) {
  std::unique_ptr<Store> store = Store::Open(Options("s")).value();
  Result<std::unique_ptr<Store>> second = Store::Open(Options("s"));
  EXPECT_EQ(second.status().code(), Code::kConflict) << second.status().ToString();
}

TEST_F(StoreOnDisk, ACheckpointIsAStoreOfItsOwnAtTheLastCommit) {
  std::unique_ptr<Store> store = Store::Open(Options("s")).value();
  Put(*store, "k", "one", 1);
  ASSERT_TRUE(store->Checkpoint(directory_.path() + "/copy").ok());
  Put(*store, "k", "two", 2);
  StoreOptions options = Options("copy");
  options.read_only = true;
  options.log_id = Uuid();
  {
    std::unique_ptr<Store> read = Store::Open(options).value();
    EXPECT_EQ(read->cursor(), 1u);
    EXPECT_EQ(read->meta().log_id, kTestLogId);
    EXPECT_EQ(**read->Get("k"), "one");
  }
  std::unique_ptr<Store> written = Store::Open(Options("copy")).value();
  Put(*written, "k", "three", 3);
  EXPECT_EQ(**store->Get("k"), "two");
  EXPECT_FALSE(store->Checkpoint(directory_.path() + "/copy").ok()) << "the directory exists";
}

TEST_F(StoreOnDisk, ReadOnlyMakesNothing) {
  StoreOptions options = Options("absent");
  options.read_only = true;
  EXPECT_FALSE(Store::Open(options).ok());
  EXPECT_FALSE(std::filesystem::exists(options.path + "/CURRENT"));
}

TEST_F(StoreOnDisk, SyncedCommitsAreThereForAReader) {
  std::unique_ptr<Store> store = Store::Open(Options("s")).value();
  Put(*store, "k", "one", 1);
  EXPECT_TRUE(store->Sync().ok());
  store.reset();
  StoreOptions options = Options("s");
  options.read_only = true;
  EXPECT_EQ(**Store::Open(options).value()->Get("k"), "one");
}

}  // namespace
}  // namespace odometer
