#include "state/streams.h"

#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "tests/support/random.h"

namespace odometer {
namespace {

using Intervals = std::vector<IntervalSet::Interval>;

TEST(IntervalSet, NeighboursJoin) {
  IntervalSet set;
  for (uint64_t seq : {1, 2, 5, 4, 9}) set.Insert(seq);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}, {4, 5}, {9, 9}}));
  set.Insert(3);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 5}, {9, 9}}));
  EXPECT_EQ(set.count(), 6u);
  EXPECT_EQ(set.greatest(), 9u);
}

TEST(IntervalSet, ARangeSwallowsWhatItCovers) {
  IntervalSet set;
  for (uint64_t seq : {10, 20, 30, 40}) set.Insert(seq);
  set.InsertRange(15, 31);
  EXPECT_EQ(set.intervals(), (Intervals{{10, 10}, {15, 31}, {40, 40}}));
  EXPECT_EQ(set.count(), 19u);
  set.InsertRange(11, 14);
  set.InsertRange(32, 39);
  EXPECT_EQ(set.intervals(), (Intervals{{10, 40}}));
}

TEST(IntervalSet, RemovingFromTheMiddleSplits) {
  IntervalSet set;
  set.InsertRange(5, 9);
  set.Remove(7);
  set.Remove(100);
  EXPECT_EQ(set.intervals(), (Intervals{{5, 6}, {8, 9}}));
  set.Remove(5);
  set.Remove(6);
  EXPECT_EQ(set.intervals(), (Intervals{{8, 9}}));
  EXPECT_EQ(set.count(), 2u);
}

TEST(IntervalSet, TheEndsOfTheRangeOfSeqsFit) {
  constexpr uint64_t kLast = uint64_t{1} << 62;
  IntervalSet set;
  set.InsertRange(1, kLast);
  EXPECT_EQ(set.count(), kLast);
  EXPECT_TRUE(set.Contains(kLast));
  EXPECT_FALSE(set.Contains(kLast + 1));
  EXPECT_FALSE(set.Contains(0));
  EXPECT_TRUE(set.MissingFrom(1, kLast).empty());
}

TEST(IntervalSetProperty, IsASetOfNumbers) {
  uint64_t seed = SeedFromEnvironment(41);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int run = 0; run < 100; ++run) {
    IntervalSet set;
    std::set<uint64_t> want;
    uint64_t limit = 10 + random.Below(60);
    for (int step = 0; step < 60; ++step) {
      uint64_t first = 1 + random.Below(limit), last = first + random.Below(8);
      uint64_t choice = random.Below(10);
      if (choice < 5) {
        size_t foretold = set.SizeWith(first);
        set.Insert(first);
        ASSERT_EQ(set.intervals().size(), foretold) << "seed " << seed;
        want.insert(first);
      } else if (choice < 7) {
        set.InsertRange(first, last);
        for (uint64_t seq = first; seq <= last; ++seq) want.insert(seq);
      } else {
        set.Remove(first);
        want.erase(first);
      }
      std::set<uint64_t> missing, want_missing;
      for (const IntervalSet::Interval& part : set.MissingFrom(first, last)) {
        for (uint64_t seq = part.first; seq <= part.last; ++seq) missing.insert(seq);
      }
      for (uint64_t seq = first; seq <= last; ++seq) {
        if (!want.contains(seq)) want_missing.insert(seq);
      }
      ASSERT_EQ(missing, want_missing) << "seed " << seed;
      for (uint64_t seq = 0; seq <= limit + 10; ++seq) {
        ASSERT_EQ(set.Contains(seq), want.contains(seq)) << "seed " << seed;
      }
      ASSERT_EQ(set.count(), want.size());
      ASSERT_EQ(set.greatest(), want.empty() ? 0 : *want.rbegin());
      for (size_t i = 1; i < set.intervals().size(); ++i) {
        ASSERT_GT(set.intervals()[i].first, set.intervals()[i - 1].last + 1) << "seed " << seed;
      }
    }
  }
}

TEST(StreamRow, RemembersTheHashesOfTheLastSixtyFourInserted) {
  StreamRow row;
  for (uint64_t seq = 1; seq <= 200; ++seq) row.Remember(seq, seq * 1000);
  EXPECT_EQ(row.FindRecent(136), nullptr);
  for (uint64_t seq = 137; seq <= 200; ++seq) {
    ASSERT_NE(row.FindRecent(seq), nullptr) << seq;
    EXPECT_EQ(row.FindRecent(seq)->hash, seq * 1000);
  }
  EXPECT_EQ(row.recent.size(), 64u);
}

TEST(StreamRow, MissingIsWhatIsNeitherSeenNorLostBelowTheGreatest) {
  StreamRow row;
  EXPECT_EQ(row.missing(), 0);
  row.seen.InsertRange(1, 4);
  row.seen.Insert(10);
  EXPECT_EQ(row.missing(), 5);
  row.lost.InsertRange(5, 6);
  EXPECT_EQ(row.missing(), 3);
  row.lost.Insert(20);  // reported before anything so late was seen
  EXPECT_EQ(row.missing(), 12);
}

}  // namespace
}  // namespace odometer
