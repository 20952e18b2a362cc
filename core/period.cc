#include "core/period.h"

#include <algorithm>
#include <cstdio>

namespace odometer {

// The proleptic Gregorian calendar in 400-year eras that begin on 1 March.
CivilDay CivilOf(int64_t day) {
  int64_t shifted = day + 719468;
  int64_t era = FloorDiv(shifted, 146097);
  int64_t day_of_era = shifted - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t march_month = (5 * day_of_year + 2) / 153;
  CivilDay civil;
  civil.day = static_cast<int>(day_of_year - (153 * march_month + 2) / 5 + 1);
  civil.month = static_cast<int>(march_month < 10 ? march_month + 3 : march_month - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  return civil;
}

int64_t DayNumber(CivilDay civil) {
  int64_t year = civil.year - (civil.month <= 2 ? 1 : 0);
  int64_t era = FloorDiv(year, 400);
  int64_t year_of_era = year - era * 400;
  int64_t march_month = civil.month > 2 ? civil.month - 3 : civil.month + 9;
  int64_t day_of_year = (153 * march_month + 2) / 5 + civil.day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

Period Period::OfDay(int64_t day) {
  CivilDay civil = CivilOf(day);
  return Period{(civil.year - 1970) * 12 + civil.month - 1};
}

int64_t Period::first_day() const {
  int64_t year = FloorDiv(month, 12);
  return DayNumber({1970 + year, static_cast<int>(month - year * 12 + 1), 1});
}

namespace {

bool Digits(std::string_view text, size_t at, size_t count, int64_t* out) {
  if (at + count > text.size()) return false;
  int64_t value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  *out = value;
  return true;
}

int DaysInMonth(int64_t year, int64_t month) {
  Period period{(year - 1970) * 12 + month - 1};
  return static_cast<int>(Period{period.month + 1}.first_day() - period.first_day());
}

// "Z", "+05:30", "-08:00": microseconds to take off.
bool ParseOffset(std::string_view text, int64_t* offset_us) {
  if (text == "Z" || text == "z") {
    *offset_us = 0;
    return true;
  }
  int64_t hours = 0, minutes = 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return false;
  if (!Digits(text, 1, 2, &hours) || !Digits(text, 4, 2, &minutes) || hours > 23 || minutes > 59) return false;
  *offset_us = (hours * 60 + minutes) * 60 * kUsPerSecond * (text[0] == '-' ? -1 : 1);
  return true;
}

}  // namespace

std::optional<Period> Period::Parse(std::string_view text) {
  int64_t year = 0, month = 0;
  if (text.size() != 7 || text[4] != '-' || !Digits(text, 0, 4, &year) || !Digits(text, 5, 2, &month))
    return std::nullopt;
  if (month < 1 || month > 12 || year < 1970) return std::nullopt;
  return Period{(year - 1970) * 12 + month - 1};
}

namespace {

// The last `digits` of them.
void PutDigits(int64_t number, int digits, char* to) {
  for (; digits > 0; number /= 10) to[--digits] = static_cast<char>('0' + number % 10);
}

size_t PutDay(int64_t day, char* to) {
  CivilDay civil = CivilOf(day);
  if (civil.year < 0 || civil.year > 9999) {
    int size = std::snprintf(to, kTimeTextBytesMax, "%04lld-%02d-%02d", static_cast<long long>(civil.year), civil.month,
                             civil.day);
    return static_cast<size_t>(size);
  }
  PutDigits(civil.year, 4, to);
  PutDigits(civil.month, 2, to + 5);
  PutDigits(civil.day, 2, to + 8);
  to[4] = to[7] = '-';
  return 10;
}

}  // namespace

std::string Period::ToString() const { return DayToString(first_day()).substr(0, 7); }

std::string DayToString(int64_t day) {
  char text[kTimeTextBytesMax];
  return {text, PutDay(day, text)};
}

size_t PutTime(int64_t us, char* to) {
  int64_t day = FloorDiv(us, kUsPerDay);
  int64_t rest = us - day * kUsPerDay;
  size_t day_size = PutDay(day, to);
  constexpr std::string_view kTime = "T00:00:00.000000Z";
  char* text = to + day_size;
  std::copy(kTime.begin(), kTime.end(), text);
  PutDigits(rest / kUsPerHour, 2, text + 1);
  PutDigits(rest / (60 * kUsPerSecond) % 60, 2, text + 4);
  PutDigits(rest / kUsPerSecond % 60, 2, text + 7);
  PutDigits(rest % kUsPerSecond, 6, text + 10);
  return day_size + kTime.size();
}

std::string TimeToString(int64_t us) {
  char text[kTimeTextBytesMax];
  return {text, PutTime(us, text)};
}

std::optional<int64_t> ParseTime(std::string_view text) {
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  bool shape = text.size() >= 20 && text[4] == '-' && text[7] == '-' &&
               (text[10] == 'T' || text[10] == 't' || text[10] == ' ') && text[13] == ':' && text[16] == ':';
  if (!shape || !Digits(text, 0, 4, &year) || !Digits(text, 5, 2, &month) || !Digits(text, 8, 2, &day) ||
      !Digits(text, 11, 2, &hour) || !Digits(text, 14, 2, &minute) || !Digits(text, 17, 2, &second)) {
    return std::nullopt;
  }
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59) {
    return std::nullopt;
  }
  size_t at = 19;
  int64_t fraction_us = 0;
  if (text[at] == '.') {
    int64_t scale = 100'000;
    size_t digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      fraction_us += (text[at] - '0') * scale;
      scale /= 10;
    }
    if (digits == 0 || digits > 9) return std::nullopt;
  }
  int64_t offset_us = 0;
  if (!ParseOffset(text.substr(at), &offset_us)) return std::nullopt;
  int64_t days = DayNumber({year, static_cast<int>(month), static_cast<int>(day)});
  return ((days * 24 + hour) * 60 + minute) * 60 * kUsPerSecond + second * kUsPerSecond + fraction_us - offset_us;
}

}  // namespace odometer
