#include "core/zone.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "core/period.h"
#include "tests/support/random.h"

namespace odometer {
namespace {


int64_t Us(const char* text) { return ParseTime(text).value(); }

Zone Make(int64_t first_offset_s, std::vector<std::pair<const char*, int64_t>> shifts) {
  Zone zone{first_offset_s, {}};
  for (const auto& [at, offset_s] : shifts) zone.shifts.push_back({Us(at), offset_s});
  return zone;
}

Zone Berlin() {
  return Make(3600, {{"2023-03-26T01:00:00Z", 7200},
                     {"2023-10-29T01:00:00Z", 3600},
                     {"2024-03-31T01:00:00Z", 7200},
                     {"2024-10-27T01:00:00Z", 3600}});
}
Zone NewYork() {
  return Make(-18000, {{"2023-11-05T06:00:00Z", -18000},  // a shift that changes nothing
                       {"2024-03-10T07:00:00Z", -14400},
                       {"2024-11-03T06:00:00Z", -18000}});
}
Zone Kolkata() { return Make(19800, {}); }
Zone Kathmandu() { return Make(19800, {{"1985-12-31T18:30:00Z", 20700}}); }
Zone LordHowe() {
  return Make(37800,
              {{"2023-09-30T15:30:00Z", 39600}, {"2024-04-06T15:00:00Z", 37800}, {"2024-10-05T15:30:00Z", 39600}});
}
Zone SaoPaulo() {
  return Make(-10800,
              {{"2017-10-15T03:00:00Z", -7200}, {"2018-02-18T02:00:00Z", -10800}, {"2018-11-04T03:00:00Z", -7200}});
}
Zone Cairo() { return Make(7200, {{"2023-04-27T22:00:00Z", 10800}, {"2023-10-26T21:00:00Z", 7200}}); }
Zone Apia() {
  return Make(-39600,
              {{"2011-09-24T14:00:00Z", -36000}, {"2011-12-30T10:00:00Z", 50400}, {"2012-03-31T14:00:00Z", 46800}});
}
Zone Caracas() { return Make(-14400, {{"2007-12-09T07:00:00Z", -16200}, {"2016-05-01T07:00:00Z", -14400}}); }
// Its clock went from 00:01 back to 22:01 of the day before.
Zone StJohns() { return Make(-12600, {{"1988-04-03T03:31:00Z", -5400}, {"1988-10-30T01:31:00Z", -12600}}); }
// 1844-12-31 was left out; its local time had seconds.
Zone Manila() { return Make(-57368, {{"1844-12-31T15:56:08Z", 29032}}); }

std::string Text(Span span) { return TimeToString(span.start_us) + " " + TimeToString(span.end_us); }

// The spans before and behind meet this one, and every edge of it lies where it should.
void ExpectSpan(Window window, const Zone& zone, const char* start, const char* end) {
  Span want{Us(start), Us(end)};
  for (int64_t us : {want.start_us, want.start_us + (want.end_us - want.start_us) / 2, want.end_us - 1}) {
    EXPECT_EQ(Text(SpanOf(window, zone, us)), Text(want)) << WindowName(window) << " at " << TimeToString(us);
  }
  EXPECT_EQ(TimeToString(SpanOf(window, zone, want.start_us - 1).end_us), TimeToString(want.start_us));
  EXPECT_EQ(TimeToString(SpanOf(window, zone, want.end_us).start_us), TimeToString(want.end_us));
}

TEST(Zone, AnOffsetBeginsWithTheMicrosecondOfItsShift) {
  Zone zone = Berlin();
  EXPECT_EQ(zone.OffsetAt(Us("1970-01-01T00:00:00Z")), 3600);
  EXPECT_EQ(zone.OffsetAt(Us("2024-03-31T01:00:00Z") - 1), 3600);
  EXPECT_EQ(zone.OffsetAt(Us("2024-03-31T01:00:00Z")), 7200);
  EXPECT_EQ(zone.OffsetAt(Us("2024-10-27T01:00:00Z") - 1), 7200);
  EXPECT_EQ(zone.OffsetAt(Us("2024-10-27T01:00:00Z")), 3600);
  EXPECT_EQ(zone.OffsetAt(kEventTimeLimitUs), 3600);
  EXPECT_EQ(Manila().OffsetAt(Us("1844-12-31T15:56:08Z") - 1), -57368);
}

TEST(Zone, OneWithoutAnythingIsUtc) {
  Zone utc;
  EXPECT_EQ(utc.OffsetAt(0), 0);
  ExpectSpan(Window::kHour, utc, "2023-11-16T18:00:00Z", "2023-11-16T19:00:00Z");
  ExpectSpan(Window::kDay, utc, "2023-11-16T00:00:00Z", "2023-11-17T00:00:00Z");
  ExpectSpan(Window::kMonth, utc, "2023-11-01T00:00:00Z", "2023-12-01T00:00:00Z");
  ExpectSpan(Window::kHour, utc, "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z");
  ExpectSpan(Window::kDay, utc, "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z");
  EXPECT_EQ(SpanOf(Window::kMonth, utc, kEventTimeLimitUs - 1).end_us, kEventTimeLimitUs);
}

TEST(Zone, MonthsEndWhereTheCalendarSays) {
  for (const Zone& zone : {Zone{}, Zone{20700, {}}, Zone{-kZoneOffsetMaxS, {}}, Zone{kZoneOffsetMaxS, {}}}) {
    for (int64_t month = Period::Parse("1999-12")->month; month < 420; ++month) {
      Period period{month};
      int64_t offset_us = zone.first_offset_s * kUsPerSecond;
      Span want{period.start_us() - offset_us, period.end_us() - offset_us};
      ASSERT_EQ(SpanOf(Window::kMonth, zone, want.start_us), want) << period.ToString();
      ASSERT_EQ(SpanOf(Window::kMonth, zone, want.end_us - 1), want) << period.ToString();
    }
  }
}

TEST(Zone, ALeapDayIsADayAndLengthensItsMonth) {
  ExpectSpan(Window::kDay, Berlin(), "2024-02-28T23:00:00Z", "2024-02-29T23:00:00Z");
  ExpectSpan(Window::kMonth, Berlin(), "2024-01-31T23:00:00Z", "2024-02-29T23:00:00Z");
  ExpectSpan(Window::kDay, NewYork(), "2024-02-29T05:00:00Z", "2024-03-01T05:00:00Z");
  ExpectSpan(Window::kMonth, NewYork(), "2023-02-01T05:00:00Z", "2023-03-01T05:00:00Z");
  ExpectSpan(Window::kDay, Kathmandu(), "2024-02-28T18:15:00Z", "2024-02-29T18:15:00Z");
}

TEST(Zone, ADayOfDaylightSavingHas23Or25Hours) {
  ExpectSpan(Window::kDay, Berlin(), "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z");
  ExpectSpan(Window::kDay, Berlin(), "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z");
  ExpectSpan(Window::kMonth, Berlin(), "2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z");
  ExpectSpan(Window::kMonth, Berlin(), "2024-09-30T22:00:00Z", "2024-10-31T23:00:00Z");
  ExpectSpan(Window::kDay, NewYork(), "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z");
  ExpectSpan(Window::kDay, NewYork(), "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z");
  ExpectSpan(Window::kMonth, NewYork(), "2024-11-01T04:00:00Z", "2024-12-01T05:00:00Z");
}

TEST(Zone, AnHourThatComesTwiceIsTwoHoursAndOneThatIsSkippedIsNone) {
  ExpectSpan(Window::kHour, Berlin(), "2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z");
  ExpectSpan(Window::kHour, Berlin(), "2024-10-27T01:00:00Z", "2024-10-27T02:00:00Z");
  ExpectSpan(Window::kHour, Berlin(), "2024-03-31T00:00:00Z", "2024-03-31T01:00:00Z");
  ExpectSpan(Window::kHour, Berlin(), "2024-03-31T01:00:00Z", "2024-03-31T02:00:00Z");
  ExpectSpan(Window::kHour, NewYork(), "2024-11-03T05:00:00Z", "2024-11-03T06:00:00Z");
  ExpectSpan(Window::kHour, NewYork(), "2024-11-03T06:00:00Z", "2024-11-03T07:00:00Z");
}

TEST(Zone, OffsetsOfHalfAndThreeQuarterHoursMoveEveryEdge) {
  ExpectSpan(Window::kHour, Kolkata(), "2023-11-16T18:30:00Z", "2023-11-16T19:30:00Z");
  ExpectSpan(Window::kDay, Kolkata(), "2023-11-15T18:30:00Z", "2023-11-16T18:30:00Z");
  ExpectSpan(Window::kMonth, Kolkata(), "2023-10-31T18:30:00Z", "2023-11-30T18:30:00Z");
  ExpectSpan(Window::kHour, Kathmandu(), "2023-11-16T18:15:00Z", "2023-11-16T19:15:00Z");
  ExpectSpan(Window::kDay, Kathmandu(), "2023-11-15T18:15:00Z", "2023-11-16T18:15:00Z");
  ExpectSpan(Window::kMonth, Kathmandu(), "2023-10-31T18:15:00Z", "2023-11-30T18:15:00Z");
}

TEST(Zone, AShiftOfAQuarterOfAnHourAtMidnightShortensTheFirstHourDayAndMonth) {
  ExpectSpan(Window::kHour, Kathmandu(), "1985-12-31T17:30:00Z", "1985-12-31T18:30:00Z");
  ExpectSpan(Window::kHour, Kathmandu(), "1985-12-31T18:30:00Z", "1985-12-31T19:15:00Z");
  ExpectSpan(Window::kDay, Kathmandu(), "1985-12-31T18:30:00Z", "1986-01-01T18:15:00Z");
  ExpectSpan(Window::kMonth, Kathmandu(), "1985-12-31T18:30:00Z", "1986-01-31T18:15:00Z");
}

TEST(Zone, AShiftOfHalfAnHourLeavesAnHourOf30MinutesOrMakesOneOf90) {
  ExpectSpan(Window::kHour, LordHowe(), "2024-10-05T14:30:00Z", "2024-10-05T15:30:00Z");
  ExpectSpan(Window::kHour, LordHowe(), "2024-10-05T15:30:00Z", "2024-10-05T16:00:00Z");
  ExpectSpan(Window::kHour, LordHowe(), "2024-04-06T14:00:00Z", "2024-04-06T15:30:00Z");
  ExpectSpan(Window::kHour, LordHowe(), "2024-04-06T15:30:00Z", "2024-04-06T16:30:00Z");
  ExpectSpan(Window::kDay, LordHowe(), "2024-04-06T13:00:00Z", "2024-04-07T13:30:00Z");
  ExpectSpan(Window::kDay, LordHowe(), "2024-10-05T13:30:00Z", "2024-10-06T13:00:00Z");
  ExpectSpan(Window::kHour, Caracas(), "2007-12-09T06:00:00Z", "2007-12-09T07:30:00Z");
  ExpectSpan(Window::kHour, Caracas(), "2016-05-01T06:30:00Z", "2016-05-01T07:00:00Z");
  ExpectSpan(Window::kHour, Caracas(), "2016-05-01T07:00:00Z", "2016-05-01T08:00:00Z");
}

TEST(Zone, ADayWithoutAMidnightBeginsWhereItsClockBegins) {
  ExpectSpan(Window::kDay, SaoPaulo(), "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z");
  ExpectSpan(Window::kDay, SaoPaulo(), "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z");
  ExpectSpan(Window::kDay, Cairo(), "2023-04-26T22:00:00Z", "2023-04-27T22:00:00Z");
  ExpectSpan(Window::kDay, Cairo(), "2023-04-27T22:00:00Z", "2023-04-28T21:00:00Z");
}

// 24:00 is never shown: the clock goes back to 23:00 in the moment in which the day would have ended.
TEST(Zone, AMidnightThatIsPutOffByAnHourEndsADayOf25Hours) {
  ExpectSpan(Window::kDay, SaoPaulo(), "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z");
  ExpectSpan(Window::kDay, Cairo(), "2023-10-25T21:00:00Z", "2023-10-26T22:00:00Z");
  ExpectSpan(Window::kHour, Cairo(), "2023-10-26T20:00:00Z", "2023-10-26T21:00:00Z");
  ExpectSpan(Window::kHour, Cairo(), "2023-10-26T21:00:00Z", "2023-10-26T22:00:00Z");
}

TEST(Zone, WhatIsLivedAgainOfADayBelongsToTheDayThatHadBegun) {
  ExpectSpan(Window::kDay, StJohns(), "1988-10-29T01:30:00Z", "1988-10-30T01:30:00Z");
  ExpectSpan(Window::kDay, StJohns(), "1988-10-30T01:30:00Z", "1988-10-31T03:30:00Z");
  // An hour of one minute, one of 59, and full ones again.
  ExpectSpan(Window::kHour, StJohns(), "1988-10-30T01:30:00Z", "1988-10-30T01:31:00Z");
  ExpectSpan(Window::kHour, StJohns(), "1988-10-30T01:31:00Z", "1988-10-30T02:30:00Z");
  ExpectSpan(Window::kHour, StJohns(), "1988-10-30T02:30:00Z", "1988-10-30T03:30:00Z");
}

TEST(Zone, WhatIsLivedAgainOfAMonthBelongsToTheMonthThatHadBegun) {
  Zone zone = Make(0, {{"2024-05-01T00:10:00Z", -3600}});
  ExpectSpan(Window::kMonth, zone, "2024-04-01T00:00:00Z", "2024-05-01T00:00:00Z");
  ExpectSpan(Window::kMonth, zone, "2024-05-01T00:00:00Z", "2024-06-01T01:00:00Z");
  ExpectSpan(Window::kDay, zone, "2024-05-01T00:00:00Z", "2024-05-02T01:00:00Z");
}

TEST(Zone, TheNeighboursOfASkippedDayMeet) {
  ExpectSpan(Window::kDay, Apia(), "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z");  // the 29th
  ExpectSpan(Window::kDay, Apia(), "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z");  // the 31st
  ExpectSpan(Window::kHour, Apia(), "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z");
  ExpectSpan(Window::kHour, Apia(), "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z");
  ExpectSpan(Window::kMonth, Apia(), "2011-12-01T10:00:00Z", "2011-12-31T10:00:00Z");
  ExpectSpan(Window::kDay, Manila(), "1844-12-30T15:56:08Z", "1844-12-31T15:56:08Z");  // the 30th
  ExpectSpan(Window::kDay, Manila(), "1844-12-31T15:56:08Z", "1845-01-01T15:56:08Z");  // the 1st
  ExpectSpan(Window::kMonth, Manila(), "1844-12-01T15:56:08Z", "1844-12-31T15:56:08Z");
}

TEST(Zone, AMonthMayLoseItsFirstDayOrBeOneHourLongAndStillTilesTime) {
  Zone first_skipped = Make(-36000, {{"2024-03-01T10:00:00Z", 50400}});
  ExpectSpan(Window::kMonth, first_skipped, "2024-02-01T10:00:00Z", "2024-03-01T10:00:00Z");
  ExpectSpan(Window::kDay, first_skipped, "2024-02-29T10:00:00Z", "2024-03-01T10:00:00Z");
  ExpectSpan(Window::kMonth, first_skipped, "2024-03-01T10:00:00Z", "2024-03-31T10:00:00Z");
  // The last hour of the only day of March that it has.
  Zone back_and_forth = Make(0, {{"2024-02-29T23:00:00Z", 3600}, {"2024-03-01T00:00:00Z", 0}});
  ExpectSpan(Window::kMonth, back_and_forth, "2024-02-01T00:00:00Z", "2024-02-29T23:00:00Z");
  ExpectSpan(Window::kMonth, back_and_forth, "2024-02-29T23:00:00Z", "2024-04-01T00:00:00Z");
}

TEST(Zone, AShiftThatChangesNothingIsSeenInNoSpan) {
  Zone zone = Make(19800, {{"2023-11-16T18:17:03.000001Z", 19800}, {"2023-11-16T18:17:04Z", 19800}});
  for (Window window : {Window::kHour, Window::kDay, Window::kMonth}) {
    for (const ZoneShift& shift : zone.shifts) {
      EXPECT_EQ(SpanOf(window, zone, shift.at_us), SpanOf(window, Kolkata(), shift.at_us));
      EXPECT_EQ(SpanOf(window, zone, shift.at_us - 1), SpanOf(window, Kolkata(), shift.at_us));
    }
  }
}

TEST(Zone, AShiftWithinAnHourToAnotherMinuteOfItEndsNoHour) {
  Zone forth = Make(0, {{"2024-06-01T12:10:00Z", 1200}});
  ExpectSpan(Window::kHour, forth, "2024-06-01T12:00:00Z", "2024-06-01T12:40:00Z");
  Zone back = Make(0, {{"2024-06-01T12:50:00Z", -1200}});
  ExpectSpan(Window::kHour, back, "2024-06-01T12:00:00Z", "2024-06-01T13:20:00Z");
  Zone to_its_start = Make(0, {{"2024-06-01T12:50:00Z", -3000}});
  ExpectSpan(Window::kHour, to_its_start, "2024-06-01T12:00:00Z", "2024-06-01T12:50:00Z");
  ExpectSpan(Window::kHour, to_its_start, "2024-06-01T12:50:00Z", "2024-06-01T13:50:00Z");
}

TEST(ZoneDeathTest, OnlyCalendarWindowsHaveSpans) {
  for (Window window : {Window::kRollingHour, Window::kRolling24h, Window::kLifetime, Window::kGauge})
    EXPECT_DEATH(SpanOf(window, Zone{}, 0), "CHECK failed");
}

class ZoneProperty : public testing::Test {
 protected:
  ZoneProperty() { std::cout << "seed " << seed_ << "\n"; }

  // Shifts and offsets are multiples of the grain; some shifts are months apart, some minutes.
  Zone RandomZone(int64_t from_us, int64_t until_us, int64_t grain_s) {
    int64_t offset_max = kZoneOffsetMaxS / grain_s;
    int64_t span_us = until_us - from_us;
    auto offset = [&](int64_t before) {
      if (random_.Percent(50)) return random_.Between(-offset_max, offset_max) * grain_s;
      int64_t near = before + random_.Between(-7200 / grain_s, 7200 / grain_s) * grain_s;
      return std::clamp(near, -kZoneOffsetMaxS, kZoneOffsetMaxS);
    };
    Zone zone{offset(0), {}};
    int64_t at = from_us;
    int64_t last = zone.first_offset_s;
    for (uint64_t n = random_.Below(40); n > 0; --n) {
      int64_t step_us = random_.Percent(50) ? span_us / 20 : random_.Percent(50) ? 3 * kUsPerDay : 3 * kUsPerHour;
      at += random_.Between(1, step_us / (grain_s * kUsPerSecond)) * grain_s * kUsPerSecond;
      if (at >= until_us) break;
      last = offset(last);
      zone.shifts.push_back({at, last});
    }
    return zone;
  }

  std::string Show(const Zone& zone) {
    std::string text = "seed " + std::to_string(seed_) + " zone " + std::to_string(zone.first_offset_s);
    for (const ZoneShift& shift : zone.shifts)
      text += ", " + TimeToString(shift.at_us) + " " + std::to_string(shift.offset_s);
    return text;
  }

  uint64_t seed_ = SeedFromEnvironment(31);
  Random random_{seed_};
};

// The definitions of core/zone.h, said again over every five minutes of 100 days: where a span begins.
constexpr int64_t kGrainUs = 5 * kUsPerMinute;
std::vector<int64_t> EdgesByWalking(Window window, const Zone& zone, int64_t from_us, int64_t until_us) {
  std::vector<int64_t> edges;
  int64_t latest = INT64_MIN, before = 0;
  size_t shift = 0;
  int64_t offset_s = zone.first_offset_s;
  for (int64_t us = from_us; us < until_us; us += kGrainUs) {
    if (shift < zone.shifts.size() && zone.shifts[shift].at_us == us) offset_s = zone.shifts[shift++].offset_s;
    int64_t local = us + offset_s * kUsPerSecond;
    latest = std::max(latest, local);
    CivilDay civil = CivilOf(FloorDiv(latest, kUsPerDay));
    int64_t name = FloorDiv(local, kUsPerHour);
    if (window == Window::kDay) name = DayNumber(civil);
    if (window == Window::kMonth) name = civil.year * 12 + civil.month;
    bool is_full_hour = window == Window::kHour && local % kUsPerHour == 0;
    if (us != from_us && (is_full_hour || name != before)) edges.push_back(us);
    before = name;
  }
  return edges;
}

TEST_F(ZoneProperty, SpansAreThoseOfAWalkAlongTheClock) {
  int64_t from_us = Us("2023-12-20T00:00:00Z");
  int64_t until_us = from_us + 100 * kUsPerDay;
  for (int run = 0; run < 60; ++run) {
    Zone zone = RandomZone(from_us, until_us, 300);
    for (Window window : {Window::kHour, Window::kDay, Window::kMonth}) {
      std::vector<int64_t> edges = EdgesByWalking(window, zone, from_us, until_us);
      ASSERT_GT(edges.size(), 1u) << Show(zone);
      for (size_t i = 0; i + 1 < edges.size(); ++i) {
        Span want{edges[i], edges[i + 1]};
        for (int64_t us = want.start_us; us < want.end_us; us += kGrainUs) {
          Span got = SpanOf(window, zone, us);
          ASSERT_TRUE(got == want) << Text(got) << " at " << TimeToString(us) << ", not " << Text(want) << "; "
                                   << Show(zone);
        }
        ASSERT_TRUE(SpanOf(window, zone, want.end_us - 1) == want) << Text(want) << "; " << Show(zone);
      }
    }
  }
}

TEST_F(ZoneProperty, SpansTileTime) {
  int64_t from_us = Us("2023-01-01T00:00:00Z");
  int64_t until_us = from_us + 400 * kUsPerDay;
  for (int run = 0; run < 60; ++run) {
    Zone zone = RandomZone(from_us, until_us, run % 2 == 0 ? 1 : 900);
    for (ZoneShift& shift : zone.shifts) {
      if (random_.Percent(30)) shift.at_us += random_.Between(1, kUsPerSecond - 1);  // the order stays
    }
    for (Window window : {Window::kHour, Window::kDay, Window::kMonth}) {
      Span span = SpanOf(window, zone, from_us - 40 * kUsPerDay);
      while (span.start_us < until_us + 40 * kUsPerDay) {
        ASSERT_LT(span.start_us, span.end_us) << Show(zone);
        int64_t inside = random_.Between(span.start_us, span.end_us - 1);
        ASSERT_TRUE(SpanOf(window, zone, inside) == span) << TimeToString(inside) << " " << Show(zone);
        ASSERT_TRUE(SpanOf(window, zone, span.end_us - 1) == span) << Show(zone);
        Span next = SpanOf(window, zone, span.end_us);
        ASSERT_EQ(next.start_us, span.end_us) << Show(zone);
        span = next;
      }
    }
  }
}

TEST_F(ZoneProperty, WithoutShiftsHoursAndDaysAreOfTheUsualLengthAndLieInEachOther) {
  for (int run = 0; run < 2000; ++run) {
    Zone zone{random_.Between(-kZoneOffsetMaxS, kZoneOffsetMaxS), {}};
    int64_t us = random_.Between(0, kEventTimeLimitUs);
    Span hour = SpanOf(Window::kHour, zone, us), day = SpanOf(Window::kDay, zone, us);
    Span month = SpanOf(Window::kMonth, zone, us);
    ASSERT_EQ(hour.end_us - hour.start_us, kUsPerHour);
    ASSERT_EQ(day.end_us - day.start_us, kUsPerDay);
    ASSERT_TRUE(month.start_us <= day.start_us && day.end_us <= month.end_us);
    ASSERT_TRUE(day.start_us <= hour.start_us && hour.end_us <= day.end_us);
    ASSERT_TRUE(hour.start_us <= us && us < hour.end_us);
  }
}

}  // namespace
}  // namespace odometer
