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

INSTANTIATE_TEST_SUITE_P(OnLog, RunnerThreadsTest, testing::Values("memory", "local"),
                         [](const auto& log) { return log.param; });

}  // namespace
}  // namespace odometer
