#include "state/ring.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>

#include "tests/support/random.h"

namespace odometer {
namespace {

TEST(Ring, HoldsTheHourOfTheNewestAdditionAndTheTwentyFourBefore) {
  Ring ring;
  ring.Add(1000, 3);
  ring.Add(976, 2);
  ring.Add(975, 9);
  EXPECT_EQ(ring.newest_hour, 1000);
  EXPECT_EQ(ring.At(1000), 3u);
  EXPECT_EQ(ring.At(976), 2u);
  EXPECT_EQ(ring.At(975), 0u);
  EXPECT_EQ(ring.Sum(), 5u);
}

TEST(Ring, AnOldAdditionDoesNotMoveIt) {
  Ring ring;
  ring.Add(1000, 1);
  Ring before = ring;
  ring.Add(500, 1);
  EXPECT_EQ(ring, before);
}

TEST(Ring, BucketsThatItMovesPastAreEmptyWhenTheyComeAgain) {
  Ring ring;
  ring.Add(100, 7);
  ring.Add(101, 1);
  ring.Add(125, 1);  // the bucket that hour 100 had
  EXPECT_EQ(ring.At(100), 0u);
  EXPECT_EQ(ring.At(101), 1u);
  EXPECT_EQ(ring.Sum(), 2u);
  ring.Add(10'000, 1);
  EXPECT_EQ(ring.Sum(), 1u);
}

TEST(Ring, AgingIsACopyAndNeverGoesBack) {
  Ring ring;
  ring.Add(100, 4);
  Ring before = ring;
  EXPECT_EQ(ring.AgedTo(124).Sum(), 4u);
  EXPECT_EQ(ring.AgedTo(125).Sum(), 0u);
  EXPECT_EQ(ring.AgedTo(3), before);
  EXPECT_EQ(ring, before);
}

TEST(Ring, SubtractsOnlyFromAnHourThatItStillHolds) {
  Ring ring;
  ring.Add(100, 4);
  ring.Subtract(100, 1);
  ring.Subtract(70, 1);
  ring.Subtract(101, 1);
  EXPECT_EQ(ring.At(100), 3u);
  EXPECT_EQ(ring.Sum(), 3u);
}

TEST(Ring, TheFirstHoursOfTheEpochHaveNoHoursBefore) {
  Ring ring;
  ring.Add(0, 1);
  ring.Add(3, 1);
  EXPECT_FALSE(ring.Holds(-1));
  EXPECT_TRUE(ring.Holds(0));
  EXPECT_EQ(ring.Sum(), 2u);
}

TEST(Ring, SaysWhetherABucketHasRoom) {
  Ring ring;
  ring.Add(100, UINT32_MAX - 1);
  EXPECT_TRUE(ring.CanAdd(100, 1));
  EXPECT_FALSE(ring.CanAdd(100, 2));
  EXPECT_TRUE(ring.CanAdd(99, UINT32_MAX));
}

// The rule of docs/figures.md, said again over every addition since the beginning.
TEST(RingProperty, CountsWhatAScanOfAllAdditionsCounts) {
  uint64_t seed = SeedFromEnvironment(11);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int run = 0; run < 200; ++run) {
    Ring ring;
    std::map<int64_t, uint64_t> all;
    int64_t newest = 0;
    for (int i = 0; i < 60; ++i) {
      int64_t hour = std::max<int64_t>(0, newest + random.Between(-40, random.Percent(5) ? 60 : 3));
      bool counts = hour > newest - Ring::kHours;
      newest = std::max(newest, hour);
      if (counts) all[hour] += 2;
      ring.Add(hour, 2);
      uint64_t sum = 0;
      for (int64_t h = newest - 60; h <= newest + 1; ++h) {
        uint64_t want = h > newest - Ring::kHours && all.contains(h) ? all[h] : 0;
        ASSERT_EQ(ring.At(h), want) << "seed " << seed << " run " << run << " hour " << h;
        sum += want;
      }
      ASSERT_EQ(ring.Sum(), sum);
      ASSERT_EQ(ring.newest_hour, newest);
    }
  }
}

TEST(RingProperty, TheOrderOfAdditionsDoesNotMatter) {
  uint64_t seed = SeedFromEnvironment(12);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int run = 0; run < 200; ++run) {
    std::vector<int64_t> hours;
    for (int i = 0; i < 40; ++i) hours.push_back(1000 + random.Between(0, 60));
    Ring first, second;
    for (int64_t hour : hours) first.Add(hour, 1);
    for (size_t i = hours.size(); i > 1; --i) std::swap(hours[i - 1], hours[random.Below(i)]);
    for (int64_t hour : hours) second.Add(hour, 1);
    ASSERT_EQ(first, second) << "seed " << seed << " run " << run;
  }
}

}  // namespace
}  // namespace odometer
