// Syncs beside appends, and the room that small synced appends find.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>

#include "log/segment.h"
#include "tests/unit/log/local_log_fixture.h"

namespace odometer {
namespace {

// A log whose appends are written and not synced, of which a thread syncs what there is; the disk takes its time.
class LocalLogSyncTest : public LocalLogTest {
 protected:
  using Hold = MemoryFileSystem::Hold;

  ~LocalLogSyncTest() override { files_.ReleaseSync(); }

  void Begin(Hold where, const std::string& event = "a", uint64_t segment_bytes_max = kSegmentBytesMax) {
    Create(files_);
    LocalLog::Options written = SmallSegments(segment_bytes_max);
    written.fsync = false;
    log_ = Open(files_, written);
    ASSERT_TRUE(Append(*log_, {event}).ok());
    if (fails_) files_.FailSync(1, Code::kIo);
    files_.HoldSync(where);
    synced_ = std::async(std::launch::async, [this] { return SyncTo(2); });
    files_.AwaitHeldSync();
  }
  Status End() {
    files_.ReleaseSync();
    return synced_.get();
  }
  // Fails, rather than to wait for ever, where it has to wait for the sync.
  void AppendMeanwhile(const std::string& event) {
    auto appended = std::async(std::launch::async, [&] { return Append(*log_, {event}).status(); });
    EXPECT_EQ(appended.wait_for(std::chrono::seconds(10)), std::future_status::ready);
    if (appended.wait_for(std::chrono::seconds(0)) != std::future_status::ready) files_.ReleaseSync();
    EXPECT_TRUE(appended.get().ok());
  }
  Status SyncTo(uint64_t offset) { return log_->partition(0).SyncTo(offset); }
  std::vector<bool> AfterSync() {
    auto reader = SegmentReader::Open(files_, SegmentPath(0)).value();
    std::vector<bool> after_sync;
    Frame frame;
    while (reader->ReadFrame(reader->FileSize().value(), &frame).value()) after_sync.push_back(frame.after_sync);
    return after_sync;
  }
  std::vector<std::string> EventsAfterPowerLoss() {
    log_.reset();
    files_.Crash(MemoryFileSystem::Survives::kNothing);
    return ReadAll(*Open(files_)).events;
  }

  MemoryFileSystem files_;
  bool fails_ = false;
  std::unique_ptr<LocalLog> log_;
  std::future<Status> synced_;
};

TEST_F(LocalLogSyncTest, AppendsGoOnMeanwhile) {
  Begin(Hold::kBegin);
  AppendMeanwhile("b");
  EXPECT_EQ(ReadAll(*log_).events, (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(End().ok());
  AppendMeanwhile("c");
  ASSERT_TRUE(SyncTo(4).ok());
  EXPECT_EQ(EventsAfterPowerLoss(), (std::vector<std::string>{"a", "b", "c"}));
}

// Of what came meanwhile nobody knows whether the disk has it.
TEST_F(LocalLogSyncTest, OnlyWhatWasThereWhenItBeganIsDurable) {
  Begin(Hold::kReturn);
  AppendMeanwhile("b");
  ASSERT_TRUE(End().ok());
  uint64_t syncs = files_.syncs();
  ASSERT_TRUE(SyncTo(2).ok());
  EXPECT_EQ(files_.syncs(), syncs);
  AppendMeanwhile("c");
  ASSERT_TRUE(SyncTo(3).ok());
  EXPECT_EQ(files_.syncs(), syncs + 1);
  AppendMeanwhile("d");
  // Genesis, a, b, c, d
  EXPECT_EQ(AfterSync(), (std::vector<bool>{true, true, false, false, true}));
}

TEST_F(LocalLogSyncTest, ASegmentThatWasBegunMeanwhileIsNotTheOneThatWasSynced) {
  Begin(Hold::kReturn, std::string(100, 'a'), 200);
  AppendMeanwhile(std::string(100, 'b'));  // in a segment of its own, as long as the one before
  ASSERT_TRUE(End().ok());
  AppendMeanwhile(std::string(100, 'c'));
  EXPECT_EQ(EventsAfterPowerLoss(), (std::vector<std::string>{std::string(100, 'a'), std::string(100, 'b')}));
}

TEST_F(LocalLogSyncTest, IfItFailsTheLogMustBeReopened) {
  fails_ = true;
  Begin(Hold::kBegin);
  AppendMeanwhile("b");
  EXPECT_EQ(End().code(), Code::kUnavailable);
  EXPECT_EQ(Append(*log_, {"refused"}).status().code(), Code::kIo);
  EXPECT_FALSE(SyncTo(2).ok());
  log_.reset();
  EXPECT_EQ(ReadAll(*Open(files_)).events, (std::vector<std::string>{"a", "b"}));
}

// The disk tells of its error once.
TEST_F(LocalLogSyncTest, WhileOneThatFailedHasNotSaidSoNoOtherSucceeds) {
  fails_ = true;
  Begin(Hold::kReturn);
  AppendMeanwhile("b");
  auto other = std::async(std::launch::async, [this] { return SyncTo(3); });
  EXPECT_EQ(other.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_FALSE(End().ok());
  EXPECT_FALSE(other.get().ok());
}

// A log whose appends are synced and find room.
class LocalLogRoomTest : public LocalLogTest {
 protected:
  static constexpr uint64_t kRoom = 4096;

  LocalLogRoomTest() { Create(files_); }
  static LocalLog::Options WithRoom(uint64_t segment_bytes_max = kSegmentBytesMax) {
    LocalLog::Options options = SmallSegments(segment_bytes_max);
    options.room_bytes = kRoom;
    return options;
  }
  size_t FileBytes() const { return files_.Contents(SegmentPath(0)).size(); }

  MemoryFileSystem files_;
};

TEST_F(LocalLogRoomTest, SmallAppendsGoWhereThereIsRoomAndAStopLeavesNone) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  ASSERT_TRUE(Append(*log, {"a"}).ok());
  size_t bytes = FileBytes();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(*log, {"b"}).ok());
  EXPECT_EQ(FileBytes(), bytes);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(*log, {"c"}).ok());
  EXPECT_GT(FileBytes(), bytes);
  EXPECT_EQ(ReadAll(*log).events.size(), 201u);
  log.reset();
  size_t frames = 200 * FrameBytes(1);
  EXPECT_LT(FileBytes(), frames + 1000);
  EXPECT_EQ(ReadAll(*Open(files_)).events.size(), 201u);
}

TEST_F(LocalLogRoomTest, ALargeAppendMakesNoneAndUsesWhatThereIs) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  ASSERT_TRUE(Append(*log, {std::string(1000, 'a')}).ok());
  size_t bytes = FileBytes();
  ASSERT_TRUE(Append(*log, {"b"}).ok());
  EXPECT_EQ(FileBytes(), bytes + FrameBytes(1) + kRoom);
  ASSERT_TRUE(Append(*log, {std::string(1000, 'c')}).ok());
  EXPECT_EQ(FileBytes(), bytes + FrameBytes(1) + kRoom);
}

TEST_F(LocalLogRoomTest, WhatAKillLeavesOfItIsNoTornTail) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  for (const char* event : {"a", "b", "c"}) ASSERT_TRUE(Append(*log, {event}).ok());
  files_.Crash(MemoryFileSystem::Survives::kNothing);
  log.reset();
  EXPECT_GT(FileBytes(), kRoom);
  LocalLog::Options read_only;
  read_only.read_only = true;
  EXPECT_EQ(ReadAll(*Open(files_, read_only)).events, (std::vector<std::string>{"a", "b", "c"}));
  log = Open(files_, WithRoom());
  EXPECT_TRUE(log->tail_cuts().empty());
  EXPECT_LT(FileBytes(), kRoom);
  ASSERT_TRUE(Append(*log, {"d"}).ok());
  EXPECT_EQ(ReadAll(*log).events, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(LocalLogRoomTest, AFullSegmentHasNone) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom(3 * kRoom));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Append(*log, {std::string(40, 'e')}).ok());
  files_.Crash(MemoryFileSystem::Survives::kNothing);
  log.reset();
  log = Open(files_);  // each segment is as long as the next one says
  EXPECT_GT(files_.List(kDirectory + "/p00000").value().size(), 4u);
  EXPECT_EQ(ReadAll(*log).events.size(), 1000u);
}

TEST_F(LocalLogRoomTest, ADiskWithoutRoomForItTakesEventsToTheLastByte) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  files_.SetBytesLeft(10 * FrameBytes(1));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(*log, {"a"}).ok()) << i;
  EXPECT_EQ(Append(*log, {"b"}).status().code(), Code::kDiskFull);
  files_.SetBytesLeft(std::nullopt);
  ASSERT_TRUE(Append(*log, {"c"}).ok());
  EXPECT_EQ(ReadAll(*log).events.size(), 11u);
}

// A file system may say only at the sync that it had no space for the zeros.
TEST_F(LocalLogRoomTest, IsNotTriedAgainWhereASyncFoundTheDiskFull) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  files_.FailSync(1, Code::kDiskFull);
  EXPECT_EQ(Append(*log, {"a"}).status().code(), Code::kDiskFull);
  size_t bytes = FileBytes();
  ASSERT_TRUE(Append(*log, {"a"}).ok());
  EXPECT_EQ(FileBytes(), bytes + FrameBytes(1));
}

TEST_F(LocalLogRoomTest, WhoOpensItBesideTheWriterFindsNoDamage) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  ASSERT_TRUE(Append(*log, {"a"}).ok());
  LocalLog::Options read_only;
  read_only.read_only = true;
  int meanwhile = 0;
  for (uint64_t n = 1; n < 30; ++n) {
    int left = 10;
    std::function<void()> append = [&] {
      ASSERT_TRUE(Append(*log, {"b", "c", "d"}).ok());
      if (--left > 0) files_.BeforeRead(1, append);
      ++meanwhile;
    };
    files_.BeforeRead(n, append);
    Result<std::unique_ptr<LocalLog>> reader = TryOpen(files_, read_only);
    ASSERT_TRUE(reader.ok()) << "before read " << n << ": " << reader.status().ToString();
    files_.BeforeRead(n, [&] { ASSERT_TRUE(Append(*log, {"e", "f"}).ok()); });
    ASSERT_TRUE((*reader)->Refresh().ok()) << "before read " << n;
  }
  files_.BeforeRead(0, nullptr);
  EXPECT_GT(meanwhile, 50);
}

TEST_F(LocalLogRoomTest, WhoOpensItWhileItIsCutOffFindsNoDamage) {
  LocalLog::Options read_only;
  read_only.read_only = true;
  int meanwhile = 0;
  for (uint64_t n = 1; n < 30; ++n) {
    std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
    ASSERT_TRUE(Append(*log, {"a"}).ok());
    files_.BeforeRead(n, [&] {
      log.reset();
      ++meanwhile;
    });
    Result<std::unique_ptr<LocalLog>> reader = TryOpen(files_, read_only);
    files_.BeforeRead(0, nullptr);
    ASSERT_TRUE(reader.ok()) << "before read " << n << ": " << reader.status().ToString();
    EXPECT_EQ((*reader)->partition(0).range().end, n + 1);
  }
  EXPECT_GT(meanwhile, 3);
}

TEST_F(LocalLogRoomTest, WhatItTookIsGivenBackWhereTheDiskHadNotEnough) {
  std::unique_ptr<LocalLog> log = Open(files_, WithRoom());
  files_.SetBytesLeft(kRoom / 2);
  size_t bytes = FileBytes();
  ASSERT_TRUE(Append(*log, {"a"}).ok());
  EXPECT_EQ(FileBytes(), bytes + FrameBytes(1));
}

}  // namespace
}  // namespace odometer
