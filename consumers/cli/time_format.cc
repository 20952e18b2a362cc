#include "consumers/cli/time_format.h"

#include "consumers/cli/decimal.h"
#include "core/period.h"
#include "core/time.h"

namespace odometer::cli {

namespace {

struct Parts {
  int64_t year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
  int64_t fraction_us = 0;
  int64_t offset_minutes = 0;
};

// Reads its text from left to right; every method says whether it found what it wants.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool Literal(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool Number(size_t digits, int64_t* value) {
    if (rest_.size() < digits) return false;
    *value = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      *value = *value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }
  bool Fraction(int64_t* us) {
    size_t digits = 0;
    *us = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      if (digits < 6) *us = *us * 10 + (rest_[digits] - '0');
    }
    for (size_t i = digits; i < 6; ++i) *us *= 10;
    rest_.remove_prefix(digits);
    return digits > 0;
  }
  bool Offset(int64_t* minutes) {
    if (Literal('Z')) return true;
    bool is_west = !rest_.empty() && rest_[0] == '-';
    if (!Literal('+') && !Literal('-')) return false;
    int64_t hour = 0, minute = 0;
    if (!Number(2, &hour)) return false;
    Literal(':');
    if (!Number(2, &minute) || hour > 23 || minute > 59) return false;
    *minutes = (hour * 60 + minute) * (is_west ? -1 : 1);
    return true;
  }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool ReadPart(char conversion, Cursor& cursor, Parts* parts) {
  switch (conversion) {
    case 'Y': return cursor.Number(4, &parts->year);
    case 'm': return cursor.Number(2, &parts->month);
    case 'd': return cursor.Number(2, &parts->day);
    case 'H': return cursor.Number(2, &parts->hour);
    case 'M': return cursor.Number(2, &parts->minute);
    case 'S': return cursor.Number(2, &parts->second);
    case 'f': return cursor.Fraction(&parts->fraction_us);
    case 'z': return cursor.Offset(&parts->offset_minutes);
    case '%': return cursor.Literal('%');
    default: return false;
  }
}

std::optional<int64_t> Us(const Parts& parts) {
  if (parts.month < 1 || parts.month > 12 || parts.hour > 23 || parts.minute > 59 || parts.second > 59) {
    return std::nullopt;
  }
  CivilDay civil{parts.year, static_cast<int>(parts.month), static_cast<int>(parts.day)};
  int64_t day = DayNumber(civil);
  CivilDay back = CivilOf(day);  // tells 31 November from 1 December
  if (back.month != civil.month || back.day != civil.day) return std::nullopt;
  int64_t minutes = parts.hour * 60 + parts.minute - parts.offset_minutes;
  return day * kUsPerDay + (minutes * 60 + parts.second) * kUsPerSecond + parts.fraction_us;
}

std::optional<int64_t> ReadPattern(std::string_view pattern, std::string_view text) {
  Cursor cursor(text);
  Parts parts;
  for (size_t i = 0; i < pattern.size(); ++i) {
    bool is_conversion = pattern[i] == '%';
    if (is_conversion) ++i;
    bool found = is_conversion ? ReadPart(pattern[i], cursor, &parts) : cursor.Literal(pattern[i]);
    if (!found) return std::nullopt;
  }
  if (!cursor.is_at_end()) return std::nullopt;
  return Us(parts);
}

}  // namespace

Result<TimeFormat> TimeFormat::Parse(std::string_view text) {
  TimeFormat format;
  format.text_ = text;
  if (text == "rfc3339") return format;
  if (text == "unix_s" || text == "unix_ms" || text == "unix_us") {
    format.kind_ = Kind::kUnix;
    format.power_ = text == "unix_s" ? 6 : text == "unix_ms" ? 3 : 0;
    return format;
  }
  format.kind_ = Kind::kPattern;
  bool has_year = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') continue;
    ++i;
    if (i == text.size() || std::string_view("YmdHMSfz%").find(text[i]) == std::string_view::npos) {
      return Status(Code::kInvalid, "time format \"" + format.text_ + "\": only %Y %m %d %H %M %S %f %z %% are known");
    }
    has_year |= text[i] == 'Y';
  }
  if (!has_year) {
    return Status(Code::kInvalid, "time format \"" + format.text_ +
                                      "\" is not rfc3339, unix_s, unix_ms, unix_us or a pattern with %Y");
  }
  return format;
}

std::optional<int64_t> TimeFormat::Read(std::string_view text) const {
  if (kind_ == Kind::kRfc3339) return ParseTime(text);
  if (kind_ == Kind::kPattern) return ReadPattern(text_, text);
  Result<int64_t> us = TruncateDecimal(text, power_);
  return us.ok() ? std::optional<int64_t>(*us) : std::nullopt;
}

}  // namespace odometer::cli
