// A Runner on a log that fails when the test says so.
#include "consumers/runner.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "log/memory_log.h"
#include "state/dump.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");

// Thread-safe.
class FailingPartition : public PartitionLog {
 public:
  explicit FailingPartition(PartitionLog& log) : log_(log) {}

  uint32_t partition() const override { return log_.partition(); }
  OffsetRange range() const override { return log_.range(); }
  Result<Appended> Append(std::span<const std::string_view> events) override {
    if (Status failed = Get(append_); !failed.ok()) return failed;
    return log_.Append(events);
  }
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override {
    if (Status failed = Get(read_); !failed.ok()) return failed;
    Result<std::unique_ptr<EventReader>> reader = log_.Read(from);
    if (!reader.ok()) return reader.status();
    return std::unique_ptr<EventReader>(std::make_unique<Reader>(*this, std::move(*reader)));
  }
  Result<OwnedRecord> Fetch(uint64_t offset) override { return log_.Fetch(offset); }
  Status SyncTo(uint64_t offset) override {
    ++syncs;
    Status failed = Get(sync_);
    return failed.ok() ? log_.SyncTo(offset) : failed;
  }
  void Wake() override { log_.Wake(); }

  void FailRead(const Status& status) { Set(&read_, status); }
  void FailPoll(const Status& status) { Set(&poll_, status); }
  void FailSync(const Status& status) { Set(&sync_, status); }
  void FailAppend(const Status& status) { Set(&append_, status); }

  std::atomic<int> syncs = 0;

 private:
  class Reader : public EventReader {
   public:
    Reader(FailingPartition& log, std::unique_ptr<EventReader> reader) : log_(log), reader_(std::move(reader)) {}
    Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) override {
      if (Status failed = log_.Get(log_.poll_); !failed.ok()) return failed;
      return reader_->Poll(records_max, wait_us);
    }
    uint64_t next_offset() const override { return reader_->next_offset(); }

   private:
    FailingPartition& log_;
    std::unique_ptr<EventReader> reader_;
  };

  Status Get(const Status& status) const {
    std::lock_guard lock(mutex_);
    return status;
  }
  void Set(Status* status, const Status& to) {
    std::lock_guard lock(mutex_);
    *status = to;
  }

  PartitionLog& log_;
  mutable std::mutex mutex_;
  Status read_, poll_, sync_, append_;
};

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() : log_(memory_.partition(0)) {
    options_.poll_wait_us = 1000;
    Reopen();
  }
  void Reopen() {
    runner_.reset();
    StoreOptions options;
    options.path = directory_.path() + "/store";
    options.log_id = kLogId;
    options.partitions = 1;
    runner_ = std::make_unique<Runner>(log_, Store::Open(options).value(), clock_, options_);
  }
  void Append() {
    std::string_view event = "not an event";
    ASSERT_TRUE(log_.Append({&event, 1}).ok());
  }
  static bool Await(const std::function<bool()>& is_so) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!is_so()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  // Folds one record a second of the clock, `age_us` after it was appended, until a commit; answers after how many
  // seconds.
  int64_t SecondsToCommit(int64_t age_us) {
    for (int i = 0; i < 20; ++i) Append();
    clock_.Advance(age_us);
    uint64_t commits = runner_->state().commits;
    int64_t seconds = 0;
    for (; runner_->state().commits == commits && seconds < 100; ++seconds) {
      if (seconds > 0) clock_.Advance(kUsPerSecond);
      EXPECT_TRUE(runner_->Step(0).ok());
    }
    return seconds - 1;
  }

  void AppendTurnOf(const std::string& user) {
    Event turn;
    turn.type = EventType::kTurnRecorded;
    turn.id = Uuid5(kNamespaceDns, user + std::to_string(log_.range().end));
    turn.tenant = "default";
    turn.event_time = EventTime{clock_.NowUs()};
    turn.turn.user = user;
    std::string bytes = Encode(turn);
    std::string_view view = bytes;
    ASSERT_TRUE(log_.Append({&view, 1}).ok());
  }

  void AppendTurnsOfThree() {
    for (const char* user : {"ann", "bob", "cid"}) AppendTurnOf(user);
    Append();
  }

  void ExpectCommits(std::initializer_list<uint64_t> after_each_step) {
    for (uint64_t commits : after_each_step) {
      ASSERT_TRUE(runner_->Step(0).ok());
      EXPECT_EQ(runner_->state().commits, commits) << "at " << runner_->state().committed.cursor;
    }
  }

  TempDirectory directory_;
  RunnerOptions options_;
  ManualClock clock_{1'700'000'000'000'000};
  MemoryLog memory_{clock_, kLogId, 1};
  FailingPartition log_;
  std::unique_ptr<Runner> runner_;
};

TEST_F(RunnerTest, ACrossingThatWasCommittedAndNotToldIsToldAfterARestartThoughNothingElseComes) {
  auto append = [&](EventType type, auto&& fill) {
    Event event;
    event.type = type;
    event.id = Uuid5(kNamespaceDns, TypeName(type));
    event.tenant = "default";
    event.event_time = EventTime{clock_.NowUs()};
    fill(event);
    std::string bytes = Encode(event);
    std::string_view view = bytes;
    ASSERT_TRUE(log_.Append({&view, 1}).ok());
  };
  append(EventType::kLimitOverridden, [](Event& event) {
    Limit limit;
    limit.cap = 1;
    event.definition.user = "ann";
    event.definition.limits = {limit};
    event.definition.who = event.definition.why = "test";
  });
  append(EventType::kTurnRecorded, [](Event& event) { event.turn.user = "ann"; });
  uint64_t end = log_.range().end;
  log_.FailAppend(Status(Code::kDiskFull, "full"));
  ASSERT_TRUE(runner_->Step(0).ok());
  EXPECT_EQ(runner_->state().committed.cursor, end);
  EXPECT_EQ(runner_->state().crossings_waiting, 3u) << "80, 95 and 100 percent";
  runner_->Abandon();
  log_.FailAppend(Status::Ok());
  Reopen();
  ASSERT_TRUE(runner_->Step(0).ok());
  EXPECT_EQ(log_.range().end, end + 3) << "though no record came";
  ASSERT_TRUE(runner_->Step(0).ok());
  EXPECT_EQ(runner_->state().crossings_waiting, 0u);
  EXPECT_EQ(log_.range().end, end + 3) << "each once";
}

TEST_F(RunnerTest, TheFurtherItIsBehindTheMoreRecordsShareACommit) {
  options_.batch_records_max = 1;
  Reopen();
  EXPECT_EQ(SecondsToCommit(600 * kUsPerSecond), 10) << "and no later";
  while (runner_->state().committed.cursor < log_.range().end) ASSERT_TRUE(runner_->Step(0).ok());
  EXPECT_EQ(SecondsToCommit(3 * kUsPerSecond), 3) << "half as long as it is behind by then";
  while (runner_->state().committed.cursor < log_.range().end) ASSERT_TRUE(runner_->Step(0).ok());
  EXPECT_EQ(SecondsToCommit(kUsPerSecond), 1) << "as soon as when it is up to date";
}

TEST_F(RunnerTest, SoManyChangedRowsAreCommittedHoweverFarItIsBehind) {
  options_.batch_records_max = 1;
  options_.backlog_rows_max = 12;
  Reopen();
  AppendTurnsOfThree();
  clock_.Advance(kUsPerHour);
  ExpectCommits({0, 0, 0, 1});  // Genesis; tenant, service_day and account, period, day, id of each
}

TEST_F(RunnerTest, WhatIsCommittedBesideTheFoldIsWhatIsCommittedInItsTurn) {
  for (int i = 0; i < 500; ++i) AppendTurnOf("user-" + std::to_string(i % 40));
  clock_.Advance(kUsPerHour);
  options_.batch_records_max = 1;
  options_.backlog_rows_max = 12;
  Reopen();
  while (runner_->state().committed.cursor < log_.range().end) ASSERT_TRUE(runner_->Step(0).ok());
  std::map<std::string, FieldMap> in_turn = DumpLogical(*runner_->view()).value();
  uint64_t commits = runner_->state().commits;
  runner_.reset();
  std::filesystem::remove_all(directory_.path() + "/store");
  Reopen();
  runner_->Start();
  std::shared_ptr<const View> view = runner_->WaitFor(log_.range().end, 10'000'000);
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(DumpLogical(*view).value(), in_turn);
  EXPECT_EQ(runner_->state().commits, commits) << "each is ended before the next";
  EXPECT_TRUE(runner_->Stop().ok());
}

// What was read since the log was last shown to be the right one is not taken for committed because a commit of what
// came before it ends.
TEST_F(RunnerTest, ALogThatTurnsOutToBeAnotherOneWhileACommitIsWrittenIsNotTakenForTheRightOne) {
  for (int i = 0; i < 100; ++i) AppendTurnOf("user-" + std::to_string(i));
  clock_.Advance(kUsPerHour);
  options_.batch_records_max = 1;
  options_.backlog_rows_max = 12;
  Reopen();
  runner_->Start();
  ASSERT_TRUE(Await([&] { return runner_->state().commits > 2; }));
  log_.FailPoll({Code::kCorrupt, "another log"});
  log_.FailSync({Code::kCorrupt, "another log"});
  ASSERT_TRUE(Await([&] { return !runner_->is_log_verified(); }));
  uint64_t cursor = 0;
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_FALSE(runner_->is_log_verified());
    cursor = runner_->state().committed.cursor;
  }
  EXPECT_EQ(runner_->state().committed.cursor, cursor);
  log_.FailPoll(Status::Ok());
  log_.FailSync(Status::Ok());
  EXPECT_NE(runner_->WaitFor(log_.range().end, 10'000'000), nullptr) << "it goes on by itself";
}

TEST_F(RunnerTest, FewerChangedRowsThanThatAreCommittedWhenItIsNotBehind) {
  options_.batch_records_max = 1;
  options_.uncommitted_rows_max = 12;
  Reopen();
  AppendTurnsOfThree();
  ExpectCommits({0, 0, 0, 1});
}

TEST_F(RunnerTest, APollThatFailsIsAskedAboutFirstAndNothingIsAppendedUntilItReadsAgain) {
  ASSERT_TRUE(runner_->Step(0).ok());
  EXPECT_TRUE(runner_->is_log_verified());
  for (Code code : {Code::kUnavailable, Code::kCorrupt, Code::kNotFound, Code::kInvalid}) {
    log_.FailPoll({code, "no such offset"});
    int syncs = log_.syncs;
    EXPECT_FALSE(runner_->Step(0).ok());
    EXPECT_EQ(log_.syncs, syncs + 1);
    EXPECT_EQ(runner_->state().failing_step, "poll");
    EXPECT_FALSE(runner_->is_log_verified()) << CodeName(code);
    log_.FailPoll({});
    EXPECT_TRUE(runner_->Step(0).ok());
    EXPECT_TRUE(runner_->is_log_verified());
    EXPECT_EQ(runner_->state().failing_step, "");
  }
}

TEST_F(RunnerTest, ALogThatIsAnotherOneIsNamedWhereThePollFailsToo) {
  ASSERT_TRUE(runner_->Step(0).ok());
  Append();
  log_.FailPoll({Code::kUnavailable, "all brokers are away"});
  log_.FailSync({Code::kCorrupt, "log_id is another"});
  EXPECT_FALSE(runner_->Step(0).ok());
  EXPECT_EQ(runner_->state().failing_step, "verify");
  EXPECT_EQ(runner_->state().failure, "log_id is another");
  EXPECT_FALSE(runner_->is_log_verified());
}

TEST_F(RunnerTest, ALogThatCannotBeOpenedToReadIsAskedAboutToo) {
  log_.FailRead({Code::kNotFound, "no longer in the log"});
  EXPECT_FALSE(runner_->Step(0).ok());
  EXPECT_EQ(log_.syncs, 1);
  EXPECT_FALSE(runner_->is_log_verified());
}

TEST_F(RunnerTest, ADiskThatTakesNoCopyClosesNoDoor) {
  ASSERT_TRUE(runner_->Step(0).ok());
  log_.FailPoll({Code::kDiskFull, "no space"});
  EXPECT_FALSE(runner_->Step(0).ok());
  EXPECT_TRUE(runner_->is_log_verified());
}

TEST_F(RunnerTest, ASyncThatFailedWhileNothingWasToCommitIsNoFaultOnceItSucceeds) {
  runner_->Start();
  ASSERT_NE(runner_->WaitFor(1, 10 * kUsPerSecond), nullptr);
  log_.FailSync({Code::kIo, "must be reopened"});
  ASSERT_TRUE(Await([&] {
    clock_.Advance(kUsPerSecond);
    return runner_->state().failing_step == "append";
  }));
  log_.FailSync({});
  EXPECT_TRUE(Await([&] { return runner_->state().failing_step.empty(); }));
  int syncs = log_.syncs;
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(log_.syncs, syncs + 1) << "asked without end";
}

TEST_F(RunnerTest, AbandonedItCommitsNothingMore) {
  log_.FailSync({Code::kUnavailable, "nobody answers"});
  EXPECT_FALSE(runner_->Step(0).ok());
  log_.FailSync({});
  runner_->Abandon();
  int syncs = log_.syncs;
  runner_.reset();
  EXPECT_EQ(log_.syncs, syncs);
  StoreOptions options;
  options.path = directory_.path() + "/store";
  options.log_id = kLogId;
  EXPECT_EQ(Store::Open(options).value()->cursor(), 0u);
}

TEST_F(RunnerTest, OnceItsStopHasBegunItCommitsByItself) {
  log_.FailSync({Code::kUnavailable, "nobody answers"});
  EXPECT_FALSE(runner_->Step(0).ok());
  log_.FailSync({});
  runner_->BeginStop();
  runner_->Start();
  EXPECT_TRUE(Await([&] { return runner_->state().committed.cursor == 1; }));
  EXPECT_TRUE(runner_->Stop().ok());
  EXPECT_TRUE(runner_->Stop().ok());
}

}  // namespace
}  // namespace odometer
