#include "core/time.h"

#include <gtest/gtest.h>

namespace odometer {
namespace {

TEST(Time, AClockThatRunsAheadCannotMoveAnEvent) {
  EXPECT_EQ(PlaceAt(EventTime{5}, AppendTime{9}), FoldTime{5});
  EXPECT_EQ(PlaceAt(EventTime{9}, AppendTime{5}), FoldTime{5});
}

TEST(Time, AnAppendTimeIsTheLastMicrosecondOfItsMillisecond) {
  EXPECT_EQ(AppendTimeOf(0).us, 999);
  EXPECT_EQ(AppendTimeOf(999).us, 999);
  EXPECT_EQ(AppendTimeOf(1000).us, 1999);
  EXPECT_EQ(AppendTimeOf(1'700'000'000'123'456).us, 1'700'000'000'123'999);
}

TEST(Time, AManualClockMovesOnlyWhenTold) {
  ManualClock clock(100);
  EXPECT_EQ(clock.NowUs(), 100);
  clock.Advance(5);
  EXPECT_EQ(clock.NowUs(), 105);
  EXPECT_EQ(clock.MonotonicUs(), 105);
  clock.Set(3);
  EXPECT_EQ(clock.NowUs(), 3);
}

TEST(Time, TheMachinesClockIsInMicroseconds) {
  EXPECT_GT(SystemClock().NowUs(), 1'600'000'000'000'000);
  EXPECT_LT(SystemClock().NowUs(), kEventTimeLimitUs);
  int64_t before = SystemClock().MonotonicUs();
  EXPECT_LE(before, SystemClock().MonotonicUs());
}

}  // namespace
}  // namespace odometer
