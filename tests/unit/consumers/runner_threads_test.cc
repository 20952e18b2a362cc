// A Runner as a daemon has it: threads that append, wait, look and copy while it folds. The thread sanitizer runs this.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "consumers/runner.h"
#include "core/event.h"
#include "core/time.h"
#include "log/file_system.h"
#include "log/local_log.h"
#include "log/memory_log.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

constexpr int64_t kLongUs = 60 * kUsPerSecond;
constexpr int kWriters = 4;
constexpr int kAppends = 40;  // of each writer

// "memory" or "local": the log that the runner reads.
class RunnerThreadsTest : public testing::TestWithParam<std::string> {
 protected:
  RunnerThreadsTest() {
    Uuid log_id = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
    if (GetParam() == "memory") {
      log_ = std::make_unique<MemoryLog>(clock_, log_id, 1);
    } else {
      std::string path = directory_.path() + "/log";
      LocalLog::Options options;
      options.segment_bytes_max = 16 << 10;  // so that it goes from one segment to the next meanwhile
      EXPECT_TRUE(LocalLog::Create(PosixFileSystem(), clock_, path, log_id, 1).ok());
      log_ = std::move(LocalLog::Open(PosixFileSystem(), clock_, path, options)).value();
    }
    StoreOptions store;
    store.path = directory_.path() + "/store";
    store.log_id = log_id;
    store.partitions = 1;
    RunnerOptions options;
    options.batch_records_max = 7;
    options.poll_wait_us = 1000;
    options.commit_interval_us = 2000;
    runner_ = std::make_unique<Runner>(log_->partition(0), Store::Open(store).value(), clock_, options);
  }

  // One turn and one record that is no event, adjacent; then what a handler does that answers with their outcome.
  void AppendAndAwait(const std::string& key) {
    Event turn;
    turn.type = EventType::kTurnRecorded;
    turn.id = Uuid5(kNamespaceDns, key);
    turn.tenant = "default";
    turn.event_time = EventTime{clock_.NowUs()};
    turn.turn.user = key;
    std::string bytes = Encode(turn);
    std::vector<std::string_view> events = {bytes, "not an event"};
    Result<Appended> appended = log_->partition(0).Append(events);
    ASSERT_TRUE(appended.ok()) << appended.status().ToString();
    std::shared_ptr<const View> view = runner_->WaitFor(appended->next_offset, kLongUs);
    ASSERT_NE(view, nullptr) << key;
    EXPECT_GE(view->meta().cursor, appended->next_offset);
    std::optional<Outcome> first = runner_->OutcomeAt(appended->first_offset);
    std::optional<Outcome> second = runner_->OutcomeAt(appended->first_offset + 1);
    ASSERT_TRUE(first && second) << key;
    EXPECT_EQ(first->kind, Outcome::Kind::kApplied);
    EXPECT_EQ(second->kind, Outcome::Kind::kQuarantined);
  }

  TempDirectory directory_;
  Clock& clock_ = SystemClock();
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Runner> runner_;
};

TEST_P(RunnerThreadsTest, WhatEachOfManyThreadsAppendedIsInTheViewThatItWaitedFor) {
  runner_->Start();
  std::atomic<bool> over = false;
  std::thread looks([&] {
    uint64_t cursor = 0;
    while (!over) {
      std::shared_ptr<const View> view = runner_->view();
      EXPECT_TRUE(view->meta().conserves());
      EXPECT_GE(view->meta().cursor, cursor) << "a later view holds less";
      cursor = view->meta().cursor;
      EXPECT_TRUE(runner_->state().failing_step.empty());
      EXPECT_TRUE(runner_->is_log_verified());
    }
  });
  std::thread copies([&] {
    for (int i = 0; !over; ++i) {
      Result<uint64_t> copied = runner_->Checkpoint(directory_.path() + "/copy-" + std::to_string(i));
      ASSERT_TRUE(copied.ok()) << copied.status().ToString();
      EXPECT_LE(*copied, log_->partition(0).range().end);
      EXPECT_EQ(runner_->WaitFor(UINT64_MAX, 10'000), nullptr);
    }
  });
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this, writer] {
      for (int i = 0; i < kAppends; ++i) AppendAndAwait(std::to_string(writer) + "-" + std::to_string(i));
    });
  }
  for (std::thread& writer : writers) writer.join();
  over = true;
  looks.join();
  copies.join();
  ASSERT_TRUE(runner_->Stop().ok());
  MetaRow meta = runner_->view()->meta();
  EXPECT_EQ(meta.cursor, 1u + 2 * kWriters * kAppends) << "Genesis, and two records an append";
  EXPECT_EQ(meta.quarantined_total(), uint64_t{kWriters} * kAppends);
  EXPECT_EQ(meta.applied_total(), 1u + kWriters * kAppends);
}

TEST_P(RunnerThreadsTest, AStopLetsGoAllThatWaitAndCommitsWhatWasFolded) {
  runner_->Start();
  AppendAndAwait("first");
  std::vector<std::thread> waiting;
  std::atomic<int> let_go = 0;
  for (int i = 0; i < kWriters; ++i) {
    waiting.emplace_back([&] {
      EXPECT_EQ(runner_->WaitFor(UINT64_MAX, kLongUs), nullptr);
      ++let_go;
    });
  }
  std::string_view event = "not an event";
  for (int i = 0; i < kAppends; ++i) ASSERT_TRUE(log_->partition(0).Append({&event, 1}).ok());
  runner_->BeginStop();
  for (std::thread& each : waiting) each.join();
  EXPECT_EQ(let_go, kWriters);
  ASSERT_TRUE(runner_->Stop().ok());
  EXPECT_TRUE(runner_->view()->meta().conserves());
  EXPECT_LE(runner_->view()->meta().cursor, log_->partition(0).range().end);
}

TEST_P(RunnerThreadsTest, EachOfManyWhoAskIsAnsweredWhoeverFoldsAndAllOfItIsCommitted) {
  runner_->Start();
  std::vector<std::thread> askers;
  for (int asker = 0; asker < kWriters; ++asker) {
    askers.emplace_back([this, asker] {
      for (int i = 0; i < kAppends; ++i) {
        Event ask;
        ask.type = EventType::kAdmitAsked;
        ask.id = Uuid5(kNamespaceDns, std::to_string(asker) + "-" + std::to_string(i));
        ask.tenant = "default";
        ask.event_time = EventTime{clock_.NowUs()};
        ask.asked.user = "ann";
        ask.asked.amounts = {{Meter::kRequests, 1}};
        std::string bytes = Encode(ask);
        std::string_view one = bytes;
        Result<Appended> appended = log_->partition(0).AppendQuietly({&one, 1});
        ASSERT_TRUE(appended.ok()) << appended.status().ToString();
        runner_->FoldNow();
        std::optional<Runner::Answered> answered = runner_->WaitForAnswer(appended->first_offset, kLongUs);
        ASSERT_TRUE(answered.has_value() && answered->ask != nullptr);
        EXPECT_TRUE(answered->ask->verdict.allowed);
      }
    });
  }
  for (std::thread& asker : askers) asker.join();
  uint64_t end = log_->partition(0).range().end;
  ASSERT_NE(runner_->WaitFor(end, kLongUs), nullptr) << "nobody has told the thread to commit";
  ASSERT_TRUE(runner_->Stop().ok());
  EXPECT_EQ(runner_->view()->meta().applied_total(), 1u + kWriters * kAppends);
  runner_->FoldNow();  // after the end: nothing
}

// Where the log lets one wait apart from reading.
class AskersTest : public RunnerThreadsTest {};

std::string AskOf(const std::string& key) {
  Event ask;
  ask.type = EventType::kAdmitAsked;
  ask.id = Uuid5(kNamespaceDns, key);
  ask.tenant = "default";
  ask.event_time = EventTime{SystemClock().NowUs()};
  ask.asked.user = "ann";
  ask.asked.amounts = {{Meter::kRequests, 1}};
  return Encode(ask);
}

// Turns come in between, somebody waits for views, and every asker has many asks under way.
TEST_P(AskersTest, AsksByTheRoundAreEachToldOnceInTheLogsOrderWhileOthersAppendAndRead) {
  runner_->Start();
  constexpr int kRound = 10;
  std::atomic<int> told = 0, allowed = 0;
  std::vector<std::thread> askers;
  for (int asker = 0; asker < kWriters; ++asker) {
    askers.emplace_back([&, asker] {
      for (int round = 0; round < kAppends; ++round) {
        for (int i = 0; i < kRound; ++i) {
          runner_->Ask(AskOf(std::to_string(asker) + "-" + std::to_string(round * kRound + i)),
                       [&](const Runner::Judged& judged) {
                         allowed += judged.appended.ok() && judged.answered && judged.answered->ask != nullptr &&
                                    judged.answered->ask->verdict.allowed;
                         ++told;
                       });
        }
        runner_->JudgeAsked();
      }
    });
  }
  askers.emplace_back([this] {
    for (int i = 0; i < kAppends; ++i) AppendAndAwait("between-" + std::to_string(i));
  });
  for (std::thread& asker : askers) asker.join();
  constexpr int kAsks = kWriters * kAppends * kRound;
  while (told < kAsks) std::this_thread::yield();
  EXPECT_EQ(allowed, kAsks);
  ASSERT_NE(runner_->WaitFor(log_->partition(0).range().end, kLongUs), nullptr);
  ASSERT_TRUE(runner_->Stop().ok());
  EXPECT_EQ(told, kAsks) << "each once";
  EXPECT_EQ(runner_->view()->meta().applied_total(), 1u + kAsks + kAppends);
}

// A log whose every third sync fails, and takes its time.
class StumblingLog : public PartitionLog {
 public:
  explicit StumblingLog(PartitionLog& log) : log_(log) {}
  uint32_t partition() const override { return log_.partition(); }
  OffsetRange range() const override { return log_.range(); }
  Result<Appended> Append(std::span<const std::string_view> events) override { return log_.Append(events); }
  Result<Appended> AppendQuietly(std::span<const std::string_view> events) override {
    return log_.AppendQuietly(events);
  }
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override { return log_.Read(from); }
  Result<OwnedRecord> Fetch(uint64_t offset) override { return log_.Fetch(offset); }
  Status SyncTo(uint64_t offset) override {
    std::this_thread::yield();
    if (++syncs % 3 == 0 && stumbles) return Status(Code::kIo, "it stumbles");
    return log_.SyncTo(offset);
  }
  void Wake() override { log_.Wake(); }
  bool can_await() const override { return log_.can_await(); }
  void Await(uint64_t offset, int64_t wait_us, uint64_t* seen_wakes) override {
    log_.Await(offset, wait_us, seen_wakes);
  }
  bool is_instant() const override { return log_.is_instant(); }

  std::atomic<int> syncs = 0;
  std::atomic<bool> stumbles = true;

 private:
  PartitionLog& log_;
};

TEST_P(AskersTest, ACommitThatFailsWhileOthersAskIsTriedAgainAndNothingIsLostOrDoubled) {
  StumblingLog log(log_->partition(0));
  runner_.reset();
  RunnerOptions options;
  options.asks_linger_us = 500;
  StoreOptions store;
  store.path = directory_.path() + "/store";
  store.log_id = log_->log_id();
  store.partitions = 1;
  runner_ = std::make_unique<Runner>(log, Store::Open(store).value(), clock_, options);
  runner_->Start();
  std::atomic<int> told = 0, allowed = 0;
  std::vector<std::thread> askers;
  for (int asker = 0; asker < kWriters; ++asker) {
    askers.emplace_back([&, asker] {
      for (int i = 0; i < kAppends; ++i) {
        runner_->Ask(AskOf(std::to_string(asker) + "-" + std::to_string(i)), [&](const Runner::Judged& judged) {
          allowed += judged.answered && judged.answered->ask != nullptr && judged.answered->ask->verdict.allowed;
          ++told;
        });
        runner_->JudgeAsked();
      }
    });
  }
  for (std::thread& asker : askers) asker.join();
  int asked = kWriters * kAppends;
  while (log.syncs < 4) {  // so that one has failed
    ASSERT_NE(runner_->WaitFor(log.range().end, kLongUs), nullptr);
    runner_->Ask(AskOf("more-" + std::to_string(asked)), [&](const Runner::Judged& judged) {
      allowed += judged.answered.has_value();
      ++told;
    });
    runner_->JudgeAsked();
    ++asked;
    while (told < asked) std::this_thread::yield();
  }
  while (told < asked) std::this_thread::yield();
  uint64_t end = log.range().end;
  ASSERT_NE(runner_->WaitFor(end, kLongUs), nullptr);
  EXPECT_EQ(told, asked);
  EXPECT_EQ(allowed, asked);
  EXPECT_TRUE(runner_->state().failing_step.empty()) << runner_->state().failure;
  EXPECT_EQ(runner_->view()->meta().applied_total(), end);
  log.stumbles = false;
  EXPECT_TRUE(runner_->Stop().ok());
  runner_.reset();
}

TEST_P(AskersTest, WhoAskedIsToldAtAStopToo) {
  runner_->Start();
  std::atomic<int> told = 0;
  std::thread asker([&] {
    for (int i = 0; i < kAppends; ++i) {
      runner_->Ask(AskOf(std::to_string(i)), [&](const Runner::Judged&) { ++told; });
      runner_->JudgeAsked();
    }
  });
  runner_->BeginStop();
  asker.join();
  ASSERT_TRUE(runner_->Stop().ok());
  EXPECT_EQ(told, kAppends);
}

TEST_P(RunnerThreadsTest, WhoAsksFoldsWhereTheLogLetsItAndTheThreadStandsStill) {
  bool can_fold = log_->partition(0).can_await();
  ASSERT_EQ(can_fold, GetParam() == "local");
  ASSERT_TRUE(runner_->Step(0).ok());  // Genesis; the thread is not started
  std::string_view event = "not an event";
  Result<Appended> appended = log_->partition(0).AppendQuietly({&event, 1});
  ASSERT_TRUE(appended.ok());
  runner_->FoldNow();
  EXPECT_EQ(runner_->OutcomeAt(appended->first_offset).has_value(), can_fold);
  EXPECT_LT(runner_->view()->meta().cursor, appended->next_offset) << "the thread commits";
}

INSTANTIATE_TEST_SUITE_P(OnLog, AskersTest, testing::Values("local"), [](const auto& log) { return log.param; });
INSTANTIATE_TEST_SUITE_P(OnLog, RunnerThreadsTest, testing::Values("memory", "local"),
                         [](const auto& log) { return log.param; });

}  // namespace
}  // namespace odometer
