#include "core/period.h"

#include <gtest/gtest.h>

#include <limits>

namespace odometer {
namespace {

bool IsLeap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int LengthOf(int64_t year, int month) {
  constexpr int kLengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeap(year) ? 29 : kLengths[month - 1];
}

// Walks a calendar of its own beside the one under test.
TEST(Period, EveryDayFrom1970To2100IsInItsMonthAndTheMonthsTile) {
  int64_t day = 0;
  for (int64_t year = 1970; year <= 2100; ++year) {
    for (int month = 1; month <= 12; ++month) {
      Period period{(year - 1970) * 12 + month - 1};
      ASSERT_EQ(period.first_day(), day);
      for (int of_month = 1; of_month <= LengthOf(year, month); ++of_month, ++day) {
        CivilDay civil = CivilOf(day);
        ASSERT_EQ(civil.year, year);
        ASSERT_EQ(civil.month, month);
        ASSERT_EQ(civil.day, of_month);
        ASSERT_EQ(DayNumber(civil), day);
        ASSERT_EQ(Period::OfDay(day), period);
      }
      ASSERT_EQ(period.end_us(), day * kUsPerDay);
    }
  }
  EXPECT_EQ(DayToString(day), "2101-01-01");
}

TEST(Period, DaysBefore1970AndFarAheadComeBack) {
  for (int64_t day : {int64_t{-1}, int64_t{-719'528}, int64_t{-719'529}, kEventTimeLimitUs / kUsPerDay}) {
    EXPECT_EQ(DayNumber(CivilOf(day)), day) << day;
  }
  EXPECT_EQ(DayToString(-1), "1969-12-31");
  EXPECT_EQ(DayToString(kEventTimeLimitUs / kUsPerDay - 1), "9999-12-31");
  EXPECT_EQ(Period::OfDay(-1).ToString(), "1969-12");
}

TEST(Period, TheLastMicrosecondBelongsToItsMonthDayAndHour) {
  int64_t march = *ParseTime("2024-03-01T00:00:00Z");
  FoldTime last{march - 1};
  EXPECT_EQ(Period::Of(last).ToString(), "2024-02");
  EXPECT_EQ(Period::Of(FoldTime{march}).ToString(), "2024-03");
  EXPECT_EQ(DayToString(DayOf(last)), "2024-02-29");
  EXPECT_EQ(HourOf(last) + 1, HourOf(FoldTime{march}));
}

TEST(Period, FloorDivisionRoundsDownOnBothSidesOfZero) {
  EXPECT_EQ(FloorDiv(7, 2), 3);
  EXPECT_EQ(FloorDiv(-7, 2), -4);
  EXPECT_EQ(FloorDiv(-8, 2), -4);
  EXPECT_EQ(FloorDiv(-1, kUsPerDay), -1);
  EXPECT_EQ(FloorDiv(0, kUsPerDay), 0);
  EXPECT_EQ(HourOf(FoldTime{-1}), -1);
}

TEST(Period, TextComesBackAndAnythingElseIsRefused) {
  for (int64_t month : {0, 11, 12, 647, 1571}) {
    EXPECT_EQ(Period::Parse(Period{month}.ToString()), Period{month});
  }
  EXPECT_EQ(Period::Parse("2023-11")->month, 646);
  for (const char* text : {"", "2023", "2023-1", "2023-00", "2023-13", "2023/11", "1969-12", "20231-1", "2023-11-01",
                           "2023-1x", "-023-11", "+023-11"}) {
    EXPECT_EQ(Period::Parse(text), std::nullopt) << text;
  }
}

TEST(TimeText, ComesBackToTheMicrosecond) {
  for (int64_t us : {int64_t{0}, int64_t{1}, int64_t{1'700'158'623'979'960}, kEventTimeLimitUs - 1, int64_t{-1}}) {
    EXPECT_EQ(ParseTime(TimeToString(us)), us) << us;
  }
  EXPECT_EQ(TimeToString(1'700'158'623'979'960), "2023-11-16T18:17:03.979960Z");
  EXPECT_EQ(TimeToString(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(TimeToString(kEventTimeLimitUs - 1), "9999-12-31T23:59:59.999999Z");
}

TEST(TimeText, TakesEveryFormOfRfc3339) {
  int64_t expected = 1'700'158'623'000'000;
  EXPECT_EQ(ParseTime("2023-11-16T18:17:03Z"), expected);
  EXPECT_EQ(ParseTime("2023-11-16t18:17:03z"), expected);
  EXPECT_EQ(ParseTime("2023-11-16 18:17:03Z"), expected);
  EXPECT_EQ(ParseTime("2023-11-16T18:17:03+00:00"), expected);
  EXPECT_EQ(ParseTime("2023-11-16T18:17:03-00:00"), expected);
  EXPECT_EQ(ParseTime("2023-11-16T23:47:03+05:30"), expected);
  EXPECT_EQ(ParseTime("2023-11-16T10:17:03-08:00"), expected);
  EXPECT_EQ(ParseTime("2023-11-17T18:16:03+23:59"), expected);
  EXPECT_EQ(ParseTime("2023-11-16T18:17:03.5Z"), expected + 500'000);
  EXPECT_EQ(ParseTime("2023-11-16T18:17:03.979960Z"), expected + 979'960);
  EXPECT_EQ(ParseTime("2023-11-16T18:17:03.123456789Z"), expected + 123'456);
}

TEST(TimeText, LeapDaysAreDaysOfLeapYearsOnly) {
  EXPECT_TRUE(ParseTime("2024-02-29T00:00:00Z").has_value());
  EXPECT_TRUE(ParseTime("2000-02-29T00:00:00Z").has_value());
  EXPECT_EQ(ParseTime("2023-02-29T00:00:00Z"), std::nullopt);
  EXPECT_EQ(ParseTime("2100-02-29T00:00:00Z"), std::nullopt);
  EXPECT_EQ(ParseTime("2024-04-31T00:00:00Z"), std::nullopt);
}

TEST(TimeText, AnythingElseIsRefused) {
  for (const char* text :
       {"", "2023-11-16", "2023-11-16T18:17:03", "2023-11-16T18:17Z", "2023-11-16T24:00:00Z", "2023-11-16T18:60:00Z",
        "2023-11-16T18:17:60Z", "2023-00-16T18:17:03Z", "2023-13-16T18:17:03Z", "2023-11-00T18:17:03Z",
        "2023-11-16T18:17:03.Z", "2023-11-16T18:17:03.1234567890Z", "2023-11-16T18:17:03,5Z",
        "2023-11-16T18:17:03+0530", "2023-11-16T18:17:03+24:00", "2023-11-16T18:17:03+05:60", "2023-11-16T18:17:03ZZ",
        " 2023-11-16T18:17:03Z", "2023-11-16T18:17:03Z ", "+023-11-16T18:17:03Z", "2023-11-16_18:17:03Z",
        "2023-1116T18:17:030Z"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace odometer
