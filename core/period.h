// core/period.h: hours, days and months of UTC, as plain numbers. Spans are half-open: [start, end).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace odometer {

// Hours and days since 1970-01-01T00:00Z; floor division, so that the last microsecond of an hour is still in it.
inline int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
inline int64_t HourOf(FoldTime time) { return FloorDiv(time.us, kUsPerHour); }
inline int64_t DayOf(FoldTime time) { return FloorDiv(time.us, kUsPerDay); }

struct CivilDay {
  int64_t year = 1970;
  int month = 1;  // 1..12
  int day = 1;    // 1..31
};
CivilDay CivilOf(int64_t day);      // days since 1970-01-01
int64_t DayNumber(CivilDay civil);  // its inverse

// A billing month: months since January 1970.
struct Period {
  int64_t month = 0;
  static Period Of(FoldTime time) { return OfDay(DayOf(time)); }
  static Period OfDay(int64_t day);
  static std::optional<Period> Parse(std::string_view text);  // "2023-11"
  std::string ToString() const;
  int64_t first_day() const;
  int64_t start_us() const { return first_day() * kUsPerDay; }
  int64_t end_us() const { return Period{month + 1}.start_us(); }
  friend auto operator<=>(const Period&, const Period&) = default;
};

// "2023-11-16"
std::string DayToString(int64_t day);
// RFC 3339 in UTC with microseconds: "2023-11-16T18:17:03.979960Z"
std::string TimeToString(int64_t us);
// The same, written to where kTimeTextBytesMax fit; answers how many there are.
constexpr size_t kTimeTextBytesMax = 48;
size_t PutTime(int64_t us, char* to);
// RFC 3339 with any offset and up to 9 fraction digits (finer than a microsecond is truncated).
std::optional<int64_t> ParseTime(std::string_view text);

}  // namespace odometer
