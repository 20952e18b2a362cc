// consumers/cli/time_format.h: TimeFormat, how a source writes its times. All are UTC unless the text has an offset.
//
//   TimeFormat format = TimeFormat::Parse("%Y-%m-%d %H:%M:%S.%f").value();
//   std::optional<int64_t> us = format.Read("2023-11-16 18:17:03.9799600");   // 1700158623979960
//
// Formats: "rfc3339", "unix_s", "unix_ms", "unix_us" (numbers, also with decimals), or a pattern of %Y %m %d %H %M %S,
// %f (a fraction of any length), %z ("Z", "+0100" or "+01:00"), %% and literal text. Digits finer than a microsecond
// are cut off.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/status.h"

namespace odometer::cli {

class TimeFormat {
 public:
  static Result<TimeFormat> Parse(std::string_view text);
  // Microseconds since the epoch; nullopt when the text is not of this format.
  std::optional<int64_t> Read(std::string_view text) const;
  const std::string& text() const { return text_; }

 private:
  enum class Kind { kRfc3339, kUnix, kPattern };
  Kind kind_ = Kind::kRfc3339;
  int power_ = 0;  // of kUnix: 10^power microseconds are its unit
  std::string text_;
};

}  // namespace odometer::cli
