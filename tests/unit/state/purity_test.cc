// A fold is a function of the set of events: not of their order, of repetitions, or of where commits fall.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

constexpr int64_t kStartUs = 1'701'201'600'000'000;
// All are appended at the end, so that an event's place does not depend on its turn.
constexpr int64_t kEndUs = kStartUs + 400 * kUsPerDay;

// What docs/figures.md lets depend on the order: counts and drops of collections (by position in the log), seqs shared
// by tenants, which of two contents of one id came first, and which names came too late to stand by name.
bool IsFreeOfOrder(const Event& event) {
  return event.type != EventType::kVectorsCounted && event.type != EventType::kCollectionDropped && !IsOwn(event.type);
}

// Names few enough that all of them have room.
std::string_view Tamed(std::string_view name) {
  static constexpr std::string_view kNames[] = {"alpha", "beta", "gamma", "delta"};
  return name.empty() ? name : kNames[name.size() % std::size(kNames)];
}

void Tame(Event* event) {
  event->producer.reset();
  event->turn.provider = Tamed(event->turn.provider);
  event->turn.model_requested = Tamed(event->turn.model_requested);
  event->turn.model_served = Tamed(event->turn.model_served);
  event->amendment.provider = Tamed(event->amendment.provider);
  event->amendment.model = Tamed(event->amendment.model);
  for (Interaction& item : event->interactions) item.model = Tamed(item.model);
}

class PurityTest : public testing::Test {
 protected:
  PurityTest() {
    std::cout << "seed " << seed_ << "\n";
    MixOptions options{.seed = seed_, .start_us = kStartUs, .duplicate_percent = 0, .hostile_percent = 0};
    options.with_gap_reports = false;
    options.limits_percent = 0;  // an ask is judged by what is before it
    options.with_big_amounts = false;
    Mix mix(options);
    while (static_cast<int>(events_.size()) < (IsFullRun() ? 3000 : 400)) {
      DecodedEvent decoded(mix.Next().bytes);
      if (decoded.reason() != Reason::kNone || !IsFreeOfOrder(decoded.event())) continue;
      Tame(&decoded.event());
      events_.push_back(Encode(decoded.event()));
    }
  }
  void Shuffle(std::vector<std::string>* events) {
    for (size_t i = events->size(); i > 1; --i) std::swap((*events)[i - 1], (*events)[random_.Below(i)]);
  }
  std::map<std::string, FieldMap> RowsOf(const std::vector<std::string>& events, uint64_t commit_percent) {
    TestPartition partition;
    for (const std::string& event : events) {
      partition.ApplyBytes(event, kEndUs);
      if (!random_.Percent(commit_percent)) continue;
      random_.Percent(20) ? partition.Restart() : partition.Commit();
    }
    return partition.Rows();
  }
  void ExpectSame(const std::map<std::string, FieldMap>& have, const std::map<std::string, FieldMap>& want) {
    EXPECT_EQ(have.size(), want.size()) << "seed " << seed_;
    for (const auto& [name, fields] : want) {
      auto row = have.find(name);
      ASSERT_NE(row, have.end()) << name << " seed " << seed_;
      for (const auto& [field, value] : fields) {
        auto found = row->second.find(field);
        ASSERT_NE(found, row->second.end()) << name << "." << field << " seed " << seed_;
        ASSERT_EQ(found->second, value) << name << "." << field << " seed " << seed_;
      }
      ASSERT_EQ(row->second.size(), fields.size()) << name << " seed " << seed_;
    }
  }

  uint64_t seed_ = SeedFromEnvironment(71);
  Random random_{seed_};
  std::vector<std::string> events_;
};

TEST_F(PurityTest, TheOrderOfEventsDoesNotMatter) {
  std::map<std::string, FieldMap> want = RowsOf(events_, 0);
  EXPECT_GT(want.size(), 300u);
  for (int run = 0; run < 6; ++run) {
    std::vector<std::string> shuffled = events_;
    run == 0 ? std::reverse(shuffled.begin(), shuffled.end()) : Shuffle(&shuffled);
    ExpectSame(RowsOf(shuffled, 0), want);
  }
}

TEST_F(PurityTest, DuplicatesChangeNothingWhereverTheyStand) {
  std::map<std::string, FieldMap> want = RowsOf(events_, 0);
  for (int run = 0; run < 3; ++run) {
    std::vector<std::string> doubled = events_;
    doubled.insert(doubled.end(), events_.begin(), events_.end());
    Shuffle(&doubled);
    ExpectSame(RowsOf(doubled, 0), want);
  }
}

TEST_F(PurityTest, CommitsAndRestartsChangeNothingWhereverTheyFall) {
  std::map<std::string, FieldMap> want = RowsOf(events_, 0);
  ExpectSame(RowsOf(events_, 100), want);
  for (uint64_t percent : {50, 10, 2}) ExpectSame(RowsOf(events_, percent), want);
}

TEST_F(PurityTest, WhatWasNotCommittedIsFoldedAgainToTheSame) {
  TestPartition partition;
  partition.Commit();
  std::map<std::string, FieldMap> want = RowsOf(events_, 0);
  size_t next = 0;
  while (next < events_.size()) {
    size_t stop = std::min<size_t>(events_.size(), next + random_.Below(40));
    uint64_t before = partition.projection().meta().cursor;
    for (size_t i = next; i < stop; ++i) partition.ApplyBytes(events_[i], kEndUs);
    if (random_.Percent(50)) {
      partition.Crash();
      ASSERT_EQ(partition.projection().meta().cursor, before) << "the cursor falls back with the rows";
      continue;
    }
    partition.Commit();
    next = stop;
  }
  ExpectSame(partition.Rows(), want);
}

}  // namespace
}  // namespace odometer
