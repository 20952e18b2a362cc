#include "state/steps.h"

#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <vector>

#include "core/period.h"
#include "state/age.h"
#include "state/codec.h"
#include "state/table.h"
#include "tests/support/random.h"
#include "tests/unit/state/row_fields.h"

namespace odometer {
namespace {

constexpr Window kWindows[] = {Window::kRollingMinute, Window::kRollingHour, Window::kRolling24h};

int64_t Us(const char* text) { return ParseTime(text).value(); }
int64_t SumOf(const Steps& steps, int64_t us) { return static_cast<int64_t>(steps.Sum(us)); }

TEST(Steps, AWindowIsItsStepsLessOne) {
  EXPECT_EQ(Steps::LengthUs(Window::kRollingMinute), 60'000'000);
  EXPECT_EQ(Steps::LengthUs(Window::kRollingHour), kUsPerHour);
  EXPECT_EQ(Steps::LengthUs(Window::kRolling24h), kUsPerDay);
  EXPECT_EQ(Steps::CountOf(Window::kRollingMinute), 61u);
  EXPECT_EQ(Steps::CountOf(Window::kRollingHour), 61u);
  EXPECT_EQ(Steps::CountOf(Window::kRolling24h), 25u);
}

struct Edge {
  Window window;
  const char* added;
  const char* last;   // the last microsecond at which it counts
  const char* first;  // the first at which it does not
};

// The whole step leaves together, one window after its own last microsecond.
constexpr Edge kEdges[] = {
    {Window::kRollingMinute, "2024-02-29T23:59:30Z", "2024-03-01T00:00:30.999998Z", "2024-03-01T00:00:30.999999Z"},
    {Window::kRollingMinute, "2024-02-29T23:59:30.999999Z", "2024-03-01T00:00:30.999998Z",
     "2024-03-01T00:00:30.999999Z"},
    {Window::kRollingMinute, "2024-02-29T23:59:31Z", "2024-03-01T00:00:31.999998Z", "2024-03-01T00:00:31.999999Z"},
    {Window::kRollingHour, "2023-11-16T12:00:00Z", "2023-11-16T13:00:59.999998Z", "2023-11-16T13:00:59.999999Z"},
    {Window::kRollingHour, "2023-11-16T12:00:59.999999Z", "2023-11-16T13:00:59.999998Z", "2023-11-16T13:00:59.999999Z"},
    {Window::kRollingHour, "2023-11-16T12:01:00Z", "2023-11-16T13:01:59.999998Z", "2023-11-16T13:01:59.999999Z"},
    {Window::kRolling24h, "2023-12-31T12:00:00Z", "2024-01-01T12:59:59.999998Z", "2024-01-01T12:59:59.999999Z"},
    {Window::kRolling24h, "2023-12-31T12:59:59.999999Z", "2024-01-01T12:59:59.999998Z", "2024-01-01T12:59:59.999999Z"},
    {Window::kRolling24h, "2023-12-31T13:00:00Z", "2024-01-01T13:59:59.999998Z", "2024-01-01T13:59:59.999999Z"},
};

TEST(Steps, AnAmountCountsUntilItsStepHasLeftTheWindow) {
  for (const Edge& edge : kEdges) {
    Steps steps{.window = edge.window};
    EXPECT_TRUE(steps.Add(Us(edge.added), 5));
    EXPECT_EQ(SumOf(steps, Us(edge.added)), 5) << edge.added;
    EXPECT_EQ(SumOf(steps, Us(edge.last)), 5) << edge.added;
    EXPECT_EQ(SumOf(steps, Us(edge.first)), 0) << edge.added;
    EXPECT_EQ(steps.FreesAt(Us(edge.added), 4), Us(edge.first)) << edge.added;
    EXPECT_EQ(steps.FreesAt(Us(edge.last), 0), Us(edge.first)) << edge.added;
    EXPECT_EQ(steps.FreesAt(Us(edge.first), 0), Us(edge.first)) << edge.added;
    // It is exactly as old as the window is long when the last microsecond of its step is.
    int64_t step_us = Steps::StepUs(edge.window);
    int64_t end = (FloorDiv(Us(edge.added), step_us) + 1) * step_us;
    EXPECT_EQ(Us(edge.first), end - 1 + Steps::LengthUs(edge.window));
  }
}

TEST(Steps, ItHoldsTheStepOfTheNewestAdditionAndAWindowBefore) {
  for (Window window : kWindows) {
    int64_t step_us = Steps::StepUs(window), now = 5'000'000 * step_us;
    int64_t held = now - Steps::LengthUs(window);
    Steps steps{.window = window};
    EXPECT_TRUE(steps.Add(now, 1));
    EXPECT_TRUE(steps.Add(held, 10));
    EXPECT_TRUE(steps.Add(held - 1, 100));
    EXPECT_TRUE(steps.Add(now + step_us - 1, 1000));
    EXPECT_EQ(SumOf(steps, now), 1011);
    EXPECT_EQ(steps.At(5'000'000), 1001);
    EXPECT_EQ(steps.counts.size(), Steps::CountOf(window));
    EXPECT_TRUE(steps.Add(now + step_us, 10'000));  // the oldest step leaves
    EXPECT_EQ(SumOf(steps, now), 11'001);
  }
}

TEST(Steps, AnOldAdditionDoesNotMoveItAndOneThatIsTooOldChangesNothing) {
  Steps steps{.window = Window::kRollingHour};
  steps.Add(Us("2023-11-16T12:00:00Z"), 1);
  Steps before = steps;
  EXPECT_TRUE(steps.Add(Us("2023-11-16T10:59:59.999999Z"), 7));
  EXPECT_EQ(steps, before);
  EXPECT_TRUE(steps.Add(Us("1970-01-01T00:00:00Z"), INT64_MAX));
  EXPECT_EQ(steps, before);
  EXPECT_TRUE(steps.Add(Us("2023-11-16T11:00:00Z"), 7));
  EXPECT_EQ(steps.newest, before.newest);
  EXPECT_EQ(SumOf(steps, Us("2023-11-16T12:00:00Z")), 8);
}

TEST(Steps, AReaderThatIsBehindCountsWhatLiesAhead) {
  Steps steps{.window = Window::kRollingMinute};
  steps.Add(Us("2023-11-16T12:00:00Z"), 1);
  steps.Add(Us("2023-11-16T12:00:20Z"), 2);
  EXPECT_EQ(SumOf(steps, Us("2023-11-16T12:00:10Z")), 3);
  EXPECT_EQ(SumOf(steps, Us("2023-11-16T11:00:00Z")), 3);
  EXPECT_EQ(SumOf(steps, 0), 3);
  EXPECT_EQ(steps.FreesAt(Us("2023-11-16T11:00:00Z"), 2), Us("2023-11-16T12:01:00.999999Z"));
}

TEST(Steps, ACorrectionTakesFromItsOwnStep) {
  Steps steps{.window = Window::kRollingHour};
  int64_t noon = Us("2023-11-16T12:00:00Z"), later = Us("2023-11-16T12:30:00Z");
  steps.Add(noon, 10);
  steps.Add(later, 4);
  steps.Add(noon, -3);
  EXPECT_EQ(SumOf(steps, later), 11);
  steps.Add(later, -6);
  EXPECT_EQ(SumOf(steps, later), 5);
  EXPECT_EQ(SumOf(steps, noon + kUsPerHour + 59'999'999), -2);
  steps.Add(noon, -7);
  steps.Add(later, 2);
  EXPECT_EQ(steps, (Steps{.window = Window::kRollingHour, .newest = later / 60'000'000}));
}

TEST(Steps, AStepWithoutRoomRefusesAndNothingChanges) {
  Steps steps{.window = Window::kRollingHour};
  int64_t noon = Us("2023-11-16T12:00:00Z"), later = Us("2023-11-16T12:30:00Z");
  EXPECT_TRUE(steps.Add(noon, INT64_MAX - 1));
  EXPECT_TRUE(steps.Add(later, INT64_MAX));
  Steps before = steps;
  EXPECT_TRUE(steps.CanAdd(noon, 1));
  EXPECT_FALSE(steps.CanAdd(noon, 2));
  EXPECT_FALSE(steps.Add(noon, 2));
  EXPECT_FALSE(steps.Add(later, 1));
  EXPECT_EQ(steps, before);
  EXPECT_TRUE(steps.Sum(later) == static_cast<__int128>(INT64_MAX) * 2 - 1);
  EXPECT_EQ(steps.FreesAt(later, INT64_MAX), noon + kUsPerHour + 59'999'999);
  EXPECT_TRUE(steps.CanAdd(later + 60'000'000, INT64_MIN));
  EXPECT_TRUE(steps.Add(noon, INT64_MIN));
  EXPECT_EQ(steps.At(noon / 60'000'000), -2);
  EXPECT_TRUE(steps.Add(noon, INT64_MIN + 2));
  EXPECT_FALSE(steps.Add(noon, -1));
}

TEST(Steps, TheInstantThatFreesIsTheFirstOfSeveral) {
  Steps steps{.window = Window::kRollingHour};
  int64_t noon = Us("2023-11-16T12:00:00Z"), minute = 60'000'000, left = kUsPerHour + minute - 1;
  steps.Add(noon, 10);
  steps.Add(noon + 10 * minute, 20);
  steps.Add(noon + 20 * minute, 30);
  int64_t now = noon + 25 * minute + 3;
  EXPECT_EQ(steps.FreesAt(now, 60), now);
  EXPECT_EQ(steps.FreesAt(now, 59), noon + left);
  EXPECT_EQ(steps.FreesAt(now, 50), noon + left);
  EXPECT_EQ(steps.FreesAt(now, 49), noon + 10 * minute + left);
  EXPECT_EQ(steps.FreesAt(now, 29), noon + 20 * minute + left);
  EXPECT_EQ(steps.FreesAt(now, 0), noon + 20 * minute + left);
  EXPECT_EQ(steps.FreesAt(now, -1), std::nullopt);
  EXPECT_EQ(Steps().FreesAt(now, 0), now);
  EXPECT_EQ(Steps().FreesAt(now, -1), std::nullopt);
  // A step below zero: the sum is low only while that step counts.
  steps.Add(noon + 20 * minute, -60);
  steps.Add(noon + 21 * minute, 5);
  EXPECT_EQ(steps.FreesAt(now, -5), noon + left);
  EXPECT_EQ(steps.FreesAt(now, -6), noon + 10 * minute + left);
  EXPECT_EQ(steps.FreesAt(now, -26), std::nullopt);
}

TEST(Steps, AgingIsACopyAndNeverGoesBack) {
  Steps steps{.window = Window::kRolling24h};
  steps.Add(100 * kUsPerHour, 4);
  Steps before = steps;
  EXPECT_EQ(SumOf(steps.AgedTo(125 * kUsPerHour - 1), 0), 4);
  EXPECT_EQ(SumOf(steps.AgedTo(125 * kUsPerHour), 0), 0);
  EXPECT_EQ(steps.AgedTo(3 * kUsPerHour), before);
  EXPECT_EQ(steps, before);
  EXPECT_EQ(steps.AgedTo(125 * kUsPerHour), (Steps{.window = Window::kRolling24h, .newest = 125}));
}

TEST(StepsDeathTest, OnlyRollingWindowsHaveSteps) {
  for (Window window : {Window::kHour, Window::kMonth, Window::kLifetime, Window::kGauge})
    EXPECT_DEATH(Steps::StepUs(window), "CHECK failed");
}

// A row as the tables have them.
struct Sample {
  Ring ring;
  Steps steps;
  std::vector<Steps> more;
  int64_t after = 0;
  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("ring", row.ring);
    v("steps", row.steps);
    v("more", row.more);
    v("after", row.after);
  }
};

std::string Bytes(const Steps& steps) {
  std::string bytes;
  RowWriter(&bytes).Write(steps);
  return bytes;
}
bool Reads(std::string_view bytes, Steps* steps) {
  RowReader reader(bytes);
  reader.Read(*steps);
  return reader.done();
}

TEST(StepsBytes, AreTheWindowTheNewestStepAndTheCountsBackToTheLastThatIsNotZero) {
  Steps steps{.window = Window::kRolling24h};
  EXPECT_EQ(Bytes(steps), std::string("\x03\x00\x00", 3));
  steps.Add(10 * kUsPerHour, 1);
  steps.Add(12 * kUsPerHour, -2);
  EXPECT_EQ(Bytes(steps), std::string("\x03\x18\x03\x03\x00\x02", 6));
  steps.Add(10 * kUsPerHour, -1);
  EXPECT_EQ(Bytes(steps), std::string("\x03\x18\x01\x03", 4));
}

TEST(StepsBytes, ThatNoAdditionsMakeAreRefused) {
  Steps steps;
  EXPECT_TRUE(Reads(std::string("\x01\x02\x02\x00\x02", 5), &steps));
  EXPECT_EQ(steps, (Steps{.window = Window::kRollingMinute, .newest = 1, .counts = {0, 1}}));
  for (std::string bytes :
       {std::string("\x00\x02\x01\x02", 4), std::string("\x04\x02\x01\x02", 4),      // no such window
        std::string("\x81\x02\x02\x01\x02", 5),                                      // likewise
        std::string("\x01\x01\x01\x02", 4),                                          // a step of −1
        std::string("\x01\x02\x02\x02\x00", 5), std::string("\x01\x02\x01\x00", 4),  // a 0 at the end
        std::string("\x01\x02\x02\x02", 4)}) {                                       // cut
    EXPECT_FALSE(Reads(bytes, &steps));
    EXPECT_TRUE(steps.counts.empty());
  }
  for (Window window : kWindows) {
    Steps most{.window = window, .newest = Steps::NewestMax(window)};
    most.counts.assign(Steps::CountOf(window), 1);
    EXPECT_TRUE(Reads(Bytes(most), &steps));
    EXPECT_EQ(steps, most);
    most.counts.push_back(1);
    EXPECT_FALSE(Reads(Bytes(most), &steps));
    most.counts.pop_back();
    most.newest += 1;
    EXPECT_FALSE(Reads(Bytes(most), &steps));
  }
}

TEST(StepsBytes, ComeBackAndNoPieceOfThemIsARow) {
  uint64_t seed = SeedFromEnvironment(41);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int run = 0; run < 300; ++run) {
    Sample row, again;
    ValueFiller filler(random);
    Sample::Fields(row, filler);
    std::string bytes = EncodeRow(row);
    ASSERT_TRUE(DecodeRow(bytes, &again));
    ASSERT_EQ(again.steps, row.steps) << "seed " << seed;
    ASSERT_EQ(again.more, row.more) << "seed " << seed;
    ASSERT_EQ(EncodeRow(again), bytes) << "seed " << seed;
    for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 40)
      ASSERT_FALSE(DecodeRow(std::string_view(bytes).substr(0, size), &again)) << "seed " << seed;
    ValueChanger none(UINT64_MAX);
    Sample::Fields(row, none);
    for (uint64_t number = 0; number < none.values(); ++number) {
      Sample changed = row;
      ValueChanger changer(number);
      Sample::Fields(changed, changer);
      ASSERT_NE(EncodeRow(changed), bytes) << "value " << number << ", seed " << seed;
    }
    bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
    if (DecodeRow(bytes, &again)) AgeRow(&again, static_cast<int64_t>(random.Below(kEventTimeLimitUs)));
  }
}

TEST(AgeRow, MovesRingsAndStepsWhereverTheyStandAndNothingBack) {
  Sample row;
  row.ring.Add(1000, 2);
  row.steps.Add(1000 * kUsPerHour, 3);
  row.more = {Steps{.window = Window::kRollingMinute}, Steps{.window = Window::kRolling24h}};
  for (Steps& steps : row.more) steps.Add(1000 * kUsPerHour, 4);
  row.after = 7;
  Sample aged = row;
  AgeRow(&aged, 1000 * kUsPerHour - 1);
  EXPECT_EQ(EncodeRow(aged), EncodeRow(row));
  int64_t moment = 1001 * kUsPerHour + 60'000'000;
  AgeRow(&aged, moment);
  EXPECT_EQ(aged.ring, row.ring.AgedTo(1001));
  EXPECT_EQ(aged.steps, (Steps{.window = Window::kRollingHour, .newest = 60'061}));
  EXPECT_EQ(aged.more[0].newest, 3'603'660);
  EXPECT_EQ(aged.more[1].newest, 1001);
  EXPECT_EQ(SumOf(aged.more[1], moment), 4);
  EXPECT_EQ(aged.after, 7);
}

TEST(StepsHigh, AHighStepMakesItsRowHigh) {
  for (int64_t amount : {kHighFigure, kHighFigure + 1, -kHighFigure - 1}) {
    Sample row;
    row.more.emplace_back().Add(kUsPerDay, amount);
    row.more.back().Add(2 * kUsPerDay, 1);
    row.more.back().Add(2 * kUsPerDay - 60'000'000, amount);
    HighFinder finder;
    Sample::Fields(row, finder);
    EXPECT_EQ(finder.high, amount != kHighFigure) << amount;
  }
}

class StepsProperty : public testing::Test {
 protected:
  struct Added {
    int64_t us;
    int64_t amount;
  };

  StepsProperty() { std::cout << "seed " << seed_ << "\n"; }

  // Additions that go forward by fits, some late, some far too late.
  std::vector<Added> RandomAdditions(Window window, int64_t amount_min) {
    int64_t step_us = Steps::StepUs(window), length_us = Steps::LengthUs(window);
    int64_t now = random_.Between(2 * length_us, 1000 * length_us);
    std::vector<Added> all;
    for (int i = 0; i < 80; ++i) {
      now += random_.Percent(50) ? random_.Between(0, step_us) : random_.Between(0, length_us / 10);
      if (random_.Percent(3)) now += random_.Between(0, 2 * length_us);
      int64_t us = random_.Percent(25) ? now - random_.Between(0, length_us + 3 * step_us) : now;
      if (random_.Percent(20)) us = FloorDiv(us, step_us) * step_us - static_cast<int64_t>(random_.Below(2));
      all.push_back({us, random_.Between(amount_min, 100)});
    }
    return all;
  }
  // Moments that are edges more often than not.
  int64_t RandomMoment(const Steps& steps, int64_t from_us) {
    int64_t step_us = Steps::StepUs(steps.window), length_us = Steps::LengthUs(steps.window);
    int64_t us = from_us + random_.Between(0, length_us + 2 * step_us);
    if (random_.Percent(30)) return us;
    return std::max(from_us, FloorDiv(us, step_us) * step_us + random_.Between(-2, 1));
  }

  uint64_t seed_ = SeedFromEnvironment(42);
  Random random_{seed_};
};

TEST_F(StepsProperty, NeverUnderCountsAndOverCountsByAtMostOneStep) {
  for (int run = 0; run < 600; ++run) {
    Window window = kWindows[run % 3];
    int64_t step_us = Steps::StepUs(window), length_us = Steps::LengthUs(window);
    Steps steps{.window = window};
    std::vector<Added> so_far;
    int64_t newest_us = 0;
    for (const Added& added : RandomAdditions(window, 0)) {
      ASSERT_TRUE(steps.Add(added.us, added.amount));
      so_far.push_back(added);
      newest_us = std::max(newest_us, added.us);
      int64_t at = RandomMoment(steps, newest_us);
      int64_t least = 0, most = 0;
      for (const Added& one : so_far) {
        if (one.us > at - length_us) least += one.amount;
        if (one.us > at - length_us - step_us) most += one.amount;
      }
      ASSERT_GE(SumOf(steps, at), least) << "seed " << seed_ << " run " << run << " at " << at;
      ASSERT_LE(SumOf(steps, at), most) << "seed " << seed_ << " run " << run << " at " << at;
    }
  }
}

TEST_F(StepsProperty, CountsByStepsWhatAScanOfAllAdditionsCounts) {
  for (int run = 0; run < 600; ++run) {
    Window window = kWindows[run % 3];
    int64_t step_us = Steps::StepUs(window), length_us = Steps::LengthUs(window);
    int64_t size = static_cast<int64_t>(Steps::CountOf(window));
    Steps steps{.window = window};
    std::vector<Added> so_far;
    int64_t newest = 0;
    for (const Added& added : RandomAdditions(window, -100)) {
      ASSERT_TRUE(steps.Add(added.us, added.amount));
      so_far.push_back(added);
      newest = std::max(newest, FloorDiv(added.us, step_us));
      ASSERT_EQ(steps.newest, newest);
      ASSERT_TRUE(steps.counts.empty() || steps.counts.back() != 0);
      ASSERT_LE(steps.counts.size(), Steps::CountOf(window));
      // Also for readers that are behind.
      int64_t at = RandomMoment(steps, newest * step_us - static_cast<int64_t>(random_.Below(2)) * length_us);
      int64_t want = 0;
      for (const Added& one : so_far) {
        int64_t end = (FloorDiv(one.us, step_us) + 1) * step_us;
        bool held = FloorDiv(one.us, step_us) > newest - size;
        if (held && end - 1 > at - length_us) want += one.amount;
      }
      ASSERT_EQ(SumOf(steps, at), want) << "seed " << seed_ << " run " << run << " at " << at;
    }
  }
}

TEST_F(StepsProperty, TheInstantThatFreesIsTheFirstAtWhichTheSumIsSmallEnough) {
  for (int run = 0; run < 600; ++run) {
    Window window = kWindows[run % 3];
    int64_t step_us = Steps::StepUs(window);
    Steps steps{.window = window};
    for (const Added& added : RandomAdditions(window, run % 2 == 0 ? 0 : -60)) steps.Add(added.us, added.amount);
    int64_t at = RandomMoment(steps, steps.newest * step_us);
    int64_t needed = random_.Between(-20, SumOf(steps, at) + 5);
    // The sum changes nowhere but one microsecond before a full step.
    std::optional<int64_t> want;
    if (SumOf(steps, at) <= needed) want = at;
    int64_t last = at + Steps::LengthUs(window) + 3 * step_us;
    for (int64_t us = (FloorDiv(at + 1, step_us) + 1) * step_us - 1; us <= last && !want; us += step_us) {
      if (SumOf(steps, us) <= needed) want = us;
    }
    ASSERT_EQ(steps.FreesAt(at, needed), want) << "seed " << seed_ << " run " << run;
    if (want && *want != at) {
      ASSERT_GT(SumOf(steps, *want - 1), needed) << "seed " << seed_ << " run " << run;
    }
    ASSERT_EQ(SumOf(steps, last), 0) << "seed " << seed_ << " run " << run;
  }
}

TEST_F(StepsProperty, NeitherTheOrderOfAdditionsNorWhenItIsAgedMatters) {
  for (int run = 0; run < 300; ++run) {
    Window window = kWindows[run % 3];
    std::vector<Added> all = RandomAdditions(window, -100);
    Steps first{.window = window}, second{.window = window}, aged{.window = window};
    int64_t newest_us = 0;
    for (const Added& added : all) {
      first.Add(added.us, added.amount);
      newest_us = std::max(newest_us, added.us);
      aged.Add(added.us, added.amount);
      if (random_.Percent(30)) aged = aged.AgedTo(newest_us);
    }
    for (size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random_.Below(i)]);
    for (const Added& added : all) second.Add(added.us, added.amount);
    ASSERT_EQ(first, second) << "seed " << seed_ << " run " << run;
    ASSERT_EQ(first, aged) << "seed " << seed_ << " run " << run;
  }
}

}  // namespace
}  // namespace odometer
