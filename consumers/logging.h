// consumers/logging.h: LogLines, the daemon's own log: one line per occurrence on stderr, text or JSON, so many of a
// kind in a while and no more.
//
//   LogLines lines(clock, LogFormat::kText, "info");
//   lines.Write("warn", "partition=3 offset=17 quarantined reason=conflict");
//
// Thread-safe. Text from outside is escaped: no caller can begin a line.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "core/time.h"

namespace odometer {

enum class LogFormat { kText, kJson };

class LogLines {
 public:
  // At most this many lines of one kind in a window; the first line of the next window says how many were left out.
  static constexpr uint64_t kLinesPerWindow = 10;
  static constexpr int64_t kWindowUs = 10 * kUsPerSecond;

  // level: the least that is written: "debug", "info", "warn", "error" or "off". sink: takes finished lines without
  // their newline; stderr by default.
  LogLines(Clock& clock, LogFormat format, std::string_view level,
           std::function<void(const std::string& line)> sink = nullptr);

  // text: words and name=value pairs. Lines that differ in digits only are of one kind.
  void Write(std::string_view level, std::string_view text);

 private:
  struct Window {
    int64_t begun_us = 0;
    uint64_t lines = 0;
    uint64_t left_out = 0;
  };
  // How many were left out before this line; −1 when this one is left out too.
  int64_t Admit(const std::string& kind);
  std::string Format(std::string_view level, std::string_view text, int64_t left_out) const;

  Clock& clock_;
  LogFormat format_;
  int level_;
  std::function<void(const std::string&)> sink_;
  std::mutex mutex_;  // guards the windows
  std::map<std::string, Window> windows_;
};

}  // namespace odometer
