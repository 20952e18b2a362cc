#include "log/local_log.h"

#include <gtest/gtest.h>

#include <thread>

#include "log/log_manifest.h"
#include "tests/unit/log/local_log_fixture.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

TEST_F(LocalLogTest, OpensOnlyWhatWasCreated) {
  MemoryFileSystem files;
  EXPECT_EQ(TryOpen(files).status().code(), Code::kNotFound);
  Create(files, 3);
  std::unique_ptr<LocalLog> log = Open(files);
  EXPECT_EQ(log->log_id(), kLogId);
  EXPECT_EQ(log->partitions(), 3u);
  EXPECT_TRUE(log->tail_cuts().empty());
}

TEST_F(LocalLogTest, CreatesALogOnceAndOfASaneSize) {
  MemoryFileSystem files;
  EXPECT_EQ(LocalLog::Create(files, clock_, kDirectory, kLogId, 0).code(), Code::kInvalid);
  EXPECT_EQ(LocalLog::Create(files, clock_, kDirectory, kLogId, 257).code(), Code::kInvalid);
  Create(files);
  EXPECT_EQ(LocalLog::Create(files, clock_, kDirectory, kLogId, 1).code(), Code::kConflict);
}

TEST_F(LocalLogTest, ACreationThatFailsAnywhereCanBeRepeated) {
  for (bool fail_sync : {false, true}) {
    for (uint64_t n = 1;; ++n) {
      MemoryFileSystem files(n);
      fail_sync ? files.FailSync(n, Code::kIo) : files.FailWrite(n, Code::kDiskFull);
      Status status = LocalLog::Create(files, clock_, kDirectory, kLogId, 2);
      if (status.ok()) {
        EXPECT_GT(n, 4u);
        break;
      }
      files.Crash(MemoryFileSystem::Survives::kPrefix);
      Result<std::unique_ptr<LocalLog>> log = TryOpen(files);
      if (!log.ok()) {
        EXPECT_EQ(log.status().code(), Code::kNotFound) << log.status().ToString();
        Status again = LocalLog::Create(files, clock_, kDirectory, kLogId, 2);
        ASSERT_TRUE(again.ok()) << "fault " << n << ": " << again.ToString();
        log = TryOpen(files);
      }
      ASSERT_TRUE(log.ok()) << log.status().ToString();
      EXPECT_TRUE(Append(**log, {"event"}).ok());
    }
  }
}

TEST_F(LocalLogTest, SegmentsWithoutAManifestAreNotOverwritten) {
  MemoryFileSystem files;
  Create(files);
  ASSERT_TRUE(Append(*Open(files), {"precious"}).ok());
  ASSERT_TRUE(files.Remove(kDirectory + "/log.manifest").ok());
  EXPECT_EQ(LocalLog::Create(files, clock_, kDirectory, kLogId, 1).code(), Code::kConflict);
}

TEST_F(LocalLogTest, AnotherNumberOfPartitionsConflictsAndSaysBoth) {
  MemoryFileSystem files;
  Create(files, 3);
  LocalLog::Options options;
  options.partitions = 8;
  Status status = TryOpen(files, options).status();
  EXPECT_EQ(status.code(), Code::kConflict);
  EXPECT_EQ(status.message(), "/log: the log has 3 partitions, expected 8");
  options.partitions = 3;
  EXPECT_TRUE(TryOpen(files, options).ok());
}

TEST_F(LocalLogTest, APartitionWithoutSegmentsIsDamageInALogAndAnotherDaemonsInACopy) {
  MemoryFileSystem files;
  Create(files, 2);
  ASSERT_TRUE(files.Remove(kDirectory + "/p00001/" + SegmentName(0)).ok());
  LocalLog::Options options;
  options.read_only = true;
  EXPECT_EQ(TryOpen(files, options).status().code(), Code::kCorrupt);
  ASSERT_TRUE(files.Remove(kDirectory + "/log.manifest").ok());
  ASSERT_TRUE(WriteManifest(files, kDirectory, {kLogId, 2, "topic t of cluster c"}).ok());
  std::unique_ptr<LocalLog> copy = Open(files, options);
  EXPECT_EQ(copy->partitions(), 2u);
  EXPECT_TRUE(copy->holds(0));
  EXPECT_FALSE(copy->holds(1));
  EXPECT_FALSE(copy->holds(2));
  EXPECT_TRUE(copy->Refresh().ok());
}

TEST_F(LocalLogTest, ASecondWriterConflicts) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> log = Open(files);
  Status status = TryOpen(files).status();
  EXPECT_EQ(status.code(), Code::kConflict);
  EXPECT_EQ(status.message(), "/log: another daemon has this log open");
  log.reset();
  EXPECT_TRUE(TryOpen(files).ok());
}

TEST(LocalLog, ASecondWriterOnARealDiskConflicts) {
  TempDirectory directory;
  std::string path = directory.path() + "/deep/log";
  const Uuid log_id = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
  ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), SystemClock(), path, log_id, 2).ok());
  auto log = LocalLog::Open(PosixFileSystem(), SystemClock(), path, {});
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(LocalLog::Open(PosixFileSystem(), SystemClock(), path, {}).status().code(), Code::kConflict);
  LocalLog::Options read_only;
  read_only.read_only = true;
  EXPECT_TRUE(LocalLog::Open(PosixFileSystem(), SystemClock(), path, read_only).ok());
}

TEST_F(LocalLogTest, AReadOnlyLogSeesWhatIsThereAndAfterARefreshWhatCame) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> writer = Open(files, SmallSegments(400));
  ASSERT_TRUE(Append(*writer, {"a", "b"}).ok());
  LocalLog::Options options;
  options.read_only = true;
  std::unique_ptr<LocalLog> reader = Open(files, options);
  EXPECT_EQ(ReadAll(*reader).events, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Append(*reader, {"x"}).status().code(), Code::kInvalid);
  std::vector<std::string> all = {"a", "b"};
  for (int i = 0; i < 40; ++i) {
    all.push_back("event " + std::to_string(i));
    ASSERT_TRUE(Append(*writer, {all.back()}).ok());
    if (i % 7 != 0) continue;
    EXPECT_LT(ReadAll(*reader).events.size(), all.size());
    ASSERT_TRUE(reader->Refresh().ok());
    Read read = ReadAll(*reader);
    EXPECT_EQ(read.events, all) << read.status.ToString();
    EXPECT_EQ(reader->partition(0).Fetch(2).value().bytes, "b");
  }
}

TEST(LocalLog, AReadOnlyLogBesideABusyWriterSeesWholeRecordsInOrder) {
  TempDirectory directory;
  const Uuid log_id = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
  ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), SystemClock(), directory.path(), log_id, 1).ok());
  LocalLog::Options options;
  options.fsync = false;
  options.segment_bytes_max = 20'000;
  auto writer = LocalLog::Open(PosixFileSystem(), SystemClock(), directory.path(), options).value();
  options.read_only = true;
  auto reader = LocalLog::Open(PosixFileSystem(), SystemClock(), directory.path(), options).value();
  constexpr uint64_t kEvents = 2000;
  std::thread appender([&writer] {
    for (uint64_t i = 1; i <= kEvents; ++i) {
      std::string event = std::to_string(i) + std::string(i % 600, 'e');
      std::string_view view = event;
      EXPECT_TRUE(writer->partition(0).Append({&view, 1}).ok());
    }
  });
  std::unique_ptr<EventReader> records = reader->partition(0).Read(1).value();
  Status status;
  for (uint64_t seen = 0; status.ok() && seen < kEvents;) {
    status = reader->Refresh();
    Result<std::span<const Record>> batch = records->Poll(100, 0);
    if (!batch.ok()) status = batch.status();
    if (!status.ok()) break;
    for (const Record& record : *batch) {
      ++seen;
      EXPECT_EQ(record.bytes, std::to_string(seen) + std::string(seen % 600, 'e'));
    }
  }
  appender.join();
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST_F(LocalLogTest, AReadOnlyOpeningLeavesATornTailAlone) {
  MemoryFileSystem files;
  Create(files);
  ASSERT_TRUE(Append(*Open(files), {"whole"}).ok());
  std::string torn = files.Contents(SegmentPath(0)) + std::string(30, 'x');
  std::unique_ptr<MemoryFileSystem> disk = WithSegment(files, torn);
  LocalLog::Options options;
  options.read_only = true;
  EXPECT_EQ(ReadAll(*Open(*disk, options)).events, std::vector<std::string>{"whole"});
  EXPECT_EQ(disk->Contents(SegmentPath(0)), torn);
}

TEST_F(LocalLogTest, AppendTimeNeverFallsThoughTheClockDoes) {
  MemoryFileSystem files;
  Create(files);
  AppendTime last;
  for (int restart = 0; restart < 4; ++restart) {
    std::unique_ptr<LocalLog> log = Open(files, SmallSegments(250));
    for (int i = 0; i < 5; ++i) {
      clock_.Advance(i == 0 ? kUsPerHour : -kUsPerHour);
      AppendTime append_time = Append(*log, {"some event of some length"}).value().append_time;
      EXPECT_GE(append_time, last);
      EXPECT_EQ(append_time.us % 1000, 999);
      last = append_time;
    }
    clock_.Advance(-kUsPerDay);
  }
}

TEST_F(LocalLogTest, SegmentsAreFilledInOrderAndSearchedInAnyOrder) {
  MemoryFileSystem files;
  Create(files);
  std::vector<std::string> sent;
  {
    std::unique_ptr<LocalLog> log = Open(files, SmallSegments(2000));
    for (int i = 0; i < 100; ++i) {
      sent.push_back("event " + std::to_string(i) + std::string(50, '.'));
      ASSERT_TRUE(Append(*log, {sent.back()}).ok());
    }
  }
  std::vector<std::string> names = files.List(kDirectory + "/p00000").value();
  EXPECT_GT(names.size(), 4u);
  for (const std::string& name : names) EXPECT_LE(files.Contents(kDirectory + "/p00000/" + name).size(), 2000u);
  std::unique_ptr<LocalLog> log = Open(files);
  for (size_t i : {99, 0, 50, 25, 75, 1, 98}) {
    EXPECT_EQ(log->partition(0).Fetch(i + 1).value().bytes, sent[i]);
    std::vector<std::string> rest(sent.begin() + static_cast<ptrdiff_t>(i), sent.end());
    EXPECT_EQ(ReadAll(*log, i + 1).events, rest);
  }
}

TEST_F(LocalLogTest, AnAppendLargerThanASegmentStaysInOnePiece) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> log = Open(files, SmallSegments(300));
  std::vector<std::string> events(20, std::string(100, 'e'));
  ASSERT_TRUE(Append(*log, events).ok());
  ASSERT_TRUE(Append(*log, {"next"}).ok());
  EXPECT_EQ(files.List(kDirectory + "/p00000").value(),
            (std::vector<std::string>{SegmentName(0), SegmentName(1), SegmentName(21)}));
  EXPECT_EQ(ReadAll(*log).events.size(), 21u);
}

TEST_F(LocalLogTest, TheLargestEventIsTakenAndALargerOneRefused) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> log = Open(files);
  std::string event(kPayloadBytesMax, 'e');
  ASSERT_TRUE(Append(*log, {event}).ok());
  EXPECT_TRUE(log->partition(0).Fetch(1).value().bytes == event);
  event += 'e';
  EXPECT_EQ(Append(*log, {"small", event}).status().code(), Code::kInvalid);
  EXPECT_EQ(log->partition(0).range().end, 2u);
}

TEST_F(LocalLogTest, AFullDiskFailsTheAppendAndNothingElse) {
  for (uint64_t bytes_left = 0; bytes_left < 300; bytes_left += 7) {
    MemoryFileSystem files;
    Create(files);
    std::unique_ptr<LocalLog> log = Open(files, SmallSegments(400));
    ASSERT_TRUE(Append(*log, {"before"}).ok());
    files.SetBytesLeft(bytes_left);
    std::vector<std::string> expected = {"before"};
    Status status;
    for (int i = 0; status.ok() && i < 20; ++i) {
      std::vector<std::string> events = {"event " + std::to_string(i), std::string(40, 'f')};
      status = Append(*log, events).status();
      if (status.ok()) expected.insert(expected.end(), events.begin(), events.end());
    }
    EXPECT_EQ(status.code(), Code::kDiskFull) << status.ToString();
    EXPECT_EQ(ReadAll(*log).events, expected);
    EXPECT_EQ(Append(*log, {std::string(400, 'f')}).status().code(), Code::kDiskFull);
    files.SetBytesLeft(std::nullopt);
    ASSERT_TRUE(Append(*log, {"after"}).ok());
    expected.push_back("after");
    EXPECT_EQ(ReadAll(*log).events, expected);
    log.reset();
    files.Crash(MemoryFileSystem::Survives::kNothing);
    log = Open(files);
    EXPECT_EQ(log->tail_cut_bytes(), 0u);
    EXPECT_EQ(ReadAll(*log).events, expected);
  }
}

TEST_F(LocalLogTest, ADiskFoundFullBySyncIsTakenBack) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> log = Open(files);
  ASSERT_TRUE(Append(*log, {"before"}).ok());
  files.FailSync(1, Code::kDiskFull);
  EXPECT_EQ(Append(*log, {"refused"}).status().code(), Code::kDiskFull);
  EXPECT_EQ(ReadAll(*log).events, std::vector<std::string>{"before"});
  ASSERT_TRUE(Append(*log, {"after"}).ok());
  log.reset();
  files.Crash(MemoryFileSystem::Survives::kNothing);
  EXPECT_EQ(ReadAll(*Open(files)).events, (std::vector<std::string>{"before", "after"}));
}

TEST_F(LocalLogTest, AfterAFailedSyncNothingIsAppendedUntilItIsReopened) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> log = Open(files);
  ASSERT_TRUE(Append(*log, {"before"}).ok());
  files.FailSync(1, Code::kIo);
  EXPECT_EQ(Append(*log, {"unknown"}).status().code(), Code::kUnavailable);
  Status status = Append(*log, {"refused"}).status();
  EXPECT_EQ(status.code(), Code::kIo);
  EXPECT_NE(status.message().find("must be reopened"), std::string::npos);
  EXPECT_EQ(ReadAll(*log).events, std::vector<std::string>{"before"});
  log.reset();
  log = Open(files);
  ASSERT_TRUE(Append(*log, {"after"}).ok());
  EXPECT_EQ(ReadAll(*log).events, (std::vector<std::string>{"before", "after"}));
}

TEST_F(LocalLogTest, AFailedWriteThatCannotBeTakenBackNeedsAReopening) {
  MemoryFileSystem files;
  Create(files);
  std::unique_ptr<LocalLog> log = Open(files);
  ASSERT_TRUE(Append(*log, {"before"}).ok());
  files.FailWrite(1, Code::kIo);
  EXPECT_EQ(Append(*log, {"refused"}).status().code(), Code::kIo);
  ASSERT_TRUE(Append(*log, {"usable"}).ok());
  files.FailWrite(1, Code::kIo);
  files.FailTruncate(1, Code::kIo);
  EXPECT_EQ(Append(*log, {"unknown"}).status().code(), Code::kUnavailable);
  EXPECT_EQ(Append(*log, {"refused"}).status().code(), Code::kIo);
  log.reset();
  EXPECT_TRUE(IsPrefix({"before", "usable"}, ReadAll(*Open(files)).events));
}

TEST_F(LocalLogTest, SyncToMakesWrittenRecordsDurable) {
  MemoryFileSystem files;
  Create(files);
  LocalLog::Options written;
  written.fsync = false;
  std::unique_ptr<LocalLog> log = Open(files, written);
  uint64_t syncs = files.syncs();
  uint64_t end = Append(*log, {"a", "b"}).value().next_offset;
  EXPECT_EQ(files.syncs(), syncs);
  EXPECT_EQ(ReadAll(*log).events.size(), 2u);
  ASSERT_TRUE(log->partition(0).SyncTo(end).ok());
  EXPECT_EQ(files.syncs(), syncs + 1);
  ASSERT_TRUE(log->partition(0).SyncTo(end).ok());
  EXPECT_EQ(files.syncs(), syncs + 1);
  ASSERT_TRUE(Append(*log, {"c"}).ok());
  log.reset();
  files.Crash(MemoryFileSystem::Survives::kNothing);
  EXPECT_EQ(ReadAll(*Open(files)).events, (std::vector<std::string>{"a", "b"}));
}

TEST_F(LocalLogTest, WhatAKilledProcessWroteIsDurableOnceOpened) {
  MemoryFileSystem files;
  Create(files);
  LocalLog::Options written;
  written.fsync = false;
  std::unique_ptr<LocalLog> log = Open(files, written);
  ASSERT_TRUE(Append(*log, {"a"}).ok());
  log.reset();
  log = Open(files);
  EXPECT_EQ(ReadAll(*log).events, std::vector<std::string>{"a"});
  log.reset();
  files.Crash(MemoryFileSystem::Survives::kNothing);
  EXPECT_EQ(ReadAll(*Open(files)).events, std::vector<std::string>{"a"});
}

// After a failed sync the kernel may hold pages that it calls clean, though the disk never got them.
TEST_F(LocalLogTest, WhatAFailedSyncLeftInTheCacheIsWrittenAnewOnOpening) {
  MemoryFileSystem files;
  Create(files);
  LocalLog::Options written;
  written.fsync = false;
  std::unique_ptr<LocalLog> log = Open(files, written);
  ASSERT_TRUE(Append(*log, {"a", "b"}).ok());
  files.FailSync(1, Code::kIo);
  EXPECT_FALSE(log->partition(0).SyncTo(3).ok());
  log.reset();
  log = Open(files);
  EXPECT_EQ(ReadAll(*log).events, (std::vector<std::string>{"a", "b"}));
  log.reset();
  files.Crash(MemoryFileSystem::Survives::kNothing);
  EXPECT_EQ(ReadAll(*Open(files)).events, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace odometer
