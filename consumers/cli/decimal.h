// consumers/cli/decimal.h: decimal text to scaled integers, digit by digit: no amount ever passes through floating
// point.
//
//   Result<Scaled> cost = ScaleDecimal("0.0000375", 9);   // dollars to nano-dollars: 37500, exact
#pragma once

#include <cstdint>
#include <string_view>

#include "core/status.h"

namespace odometer::cli {

struct Scaled {
  int64_t value = 0;
  bool is_exact = true;  // false: digits finer than the result were rounded half to even
};

// text × 10^power. Text is what JSON calls a number ("-1.5e-3"), also with a leading "+" and zeros. kInvalid: it is not
// a number, or the result is beyond 64 bits.
Result<Scaled> ScaleDecimal(std::string_view text, int power);
// The same, but finer digits are cut off, towards the past: for times.
Result<int64_t> TruncateDecimal(std::string_view text, int power);

}  // namespace odometer::cli
