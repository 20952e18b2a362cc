#include "consumers/cli/decimal.h"

#include <algorithm>
#include <optional>
#include <string>

namespace odometer::cli {

namespace {

// digits × 10^exponent
struct Decimal {
  bool is_negative = false;
  std::string digits;  // no leading zeros; "" is 0
  int64_t exponent = 0;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Far beyond what 64 bits hold, far below what could overflow an exponent.
constexpr int64_t kExponentMax = 100'000;

std::optional<int64_t> ParseExponent(std::string_view text) {
  bool is_negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty() || !std::all_of(text.begin(), text.end(), IsDigit)) return std::nullopt;
  int64_t value = 0;
  for (char digit : text) value = std::min(value * 10 + (digit - '0'), kExponentMax);
  return is_negative ? -value : value;
}

std::optional<Decimal> Parse(std::string_view text) {
  Decimal decimal;
  decimal.is_negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::optional<int64_t> exponent = ParseExponent(text.substr(e + 1));
    if (!exponent.has_value()) return std::nullopt;
    decimal.exponent = *exponent;
    text = text.substr(0, e);
  }
  size_t digits = 0;
  bool has_point = false;
  for (char c : text) {
    if (c == '.' && !has_point) {
      has_point = true;
      continue;
    }
    if (!IsDigit(c)) return std::nullopt;
    ++digits;
    if (has_point) --decimal.exponent;
    if (c != '0' || !decimal.digits.empty()) decimal.digits += c;
  }
  if (digits == 0) return std::nullopt;
  return decimal;
}

Status NotANumber(std::string_view text) {
  return {Code::kInvalid, "\"" + std::string(text.substr(0, 64)) + "\" is not a number"};
}
Status TooLarge(std::string_view text) {
  return {Code::kInvalid, "\"" + std::string(text.substr(0, 64)) + "\" is beyond 64 bits"};
}

// 1 when the digits after the first `whole` weigh more than half of the last kept one, 0 when half, -1 when less.
int CompareToHalf(std::string_view tail) {
  if (tail.empty() || tail[0] != '5') return !tail.empty() && tail[0] > '5' ? 1 : -1;
  return tail.find_first_not_of('0', 1) == std::string_view::npos ? 0 : 1;
}

// What is kept in front of the unit, and the digits behind it.
struct Split {
  std::string whole;
  std::string tail;
};

std::optional<Split> SplitAtUnit(const Decimal& decimal, int power) {
  int64_t exponent = decimal.exponent + power;
  if (decimal.digits.empty()) return Split{};
  auto size = static_cast<int64_t>(decimal.digits.size());
  if (size + exponent > 19) return std::nullopt;
  if (exponent >= 0) return Split{decimal.digits + std::string(exponent, '0'), ""};
  if (-exponent >= size) {
    // "0.0…": one zero in front is enough to tell that the tail is below a half.
    bool is_far = -exponent > size;
    return Split{"", is_far ? "0" + decimal.digits : decimal.digits};
  }
  return Split{decimal.digits.substr(0, size + exponent), decimal.digits.substr(size + exponent)};
}

// The negative of the digits, so that INT64_MIN fits.
std::optional<int64_t> Negated(std::string_view digits) {
  int64_t value = 0;
  for (char digit : digits) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit - '0', &value)) {
      return std::nullopt;
    }
  }
  return value;
}

}  // namespace

Result<Scaled> ScaleDecimal(std::string_view text, int power) {
  std::optional<Decimal> decimal = Parse(text);
  if (!decimal.has_value()) return NotANumber(text);
  std::optional<Split> split = SplitAtUnit(*decimal, power);
  if (!split.has_value()) return TooLarge(text);
  std::optional<int64_t> negated = Negated(split->whole);
  if (!negated.has_value()) return TooLarge(text);
  Scaled scaled{*negated, split->tail.find_first_not_of('0') == std::string::npos};
  int half = CompareToHalf(split->tail);
  bool rounds_away = half > 0 || (half == 0 && scaled.value % 2 != 0);
  if (rounds_away && __builtin_sub_overflow(scaled.value, 1, &scaled.value)) return TooLarge(text);
  if (!decimal->is_negative && __builtin_sub_overflow(int64_t{0}, scaled.value, &scaled.value)) return TooLarge(text);
  return scaled;
}

Result<int64_t> TruncateDecimal(std::string_view text, int power) {
  std::optional<Decimal> decimal = Parse(text);
  if (!decimal.has_value()) return NotANumber(text);
  std::optional<Split> split = SplitAtUnit(*decimal, power);
  if (!split.has_value()) return TooLarge(text);
  std::optional<int64_t> value = Negated(split->whole);
  if (!value.has_value()) return TooLarge(text);
  bool is_below = decimal->is_negative && split->tail.find_first_not_of('0') != std::string::npos;
  if (is_below && __builtin_sub_overflow(*value, 1, &*value)) return TooLarge(text);
  if (!decimal->is_negative && __builtin_sub_overflow(int64_t{0}, *value, &*value)) return TooLarge(text);
  return *value;
}

}  // namespace odometer::cli
