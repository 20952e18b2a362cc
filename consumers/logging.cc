#include "consumers/logging.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <vector>

#include "consumers/http/json_writer.h"
#include "core/utf8.h"

namespace odometer {
namespace {

constexpr size_t kKindsMax = 1000;

int LevelNumber(std::string_view level) {
  static const std::string_view kLevels[] = {"debug", "info", "warn", "error", "off"};
  for (int i = 0; i < 5; ++i) {
    if (level == kLevels[i]) return i;
  }
  return 1;
}

std::string KindOf(std::string_view level, std::string_view text) {
  std::string kind(level);
  for (char c : text) {
    if (c < '0' || c > '9') kind += c;
  }
  return kind.substr(0, 200);
}

std::string Printable(std::string_view text) {
  static const char* const kHex = "0123456789abcdef";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

struct Pair {
  std::string_view name;
  std::string_view value;
};

// The name=value words of a text; the rest is its message.
std::vector<Pair> PairsOf(std::string_view text, std::string* message) {
  std::vector<Pair> pairs;
  while (!text.empty()) {
    size_t end = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    size_t equals = word.find('=');
    bool pair = equals != std::string_view::npos && equals > 0 &&
                word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == equals;
    if (pair) {
      pairs.push_back({word.substr(0, equals), word.substr(equals + 1)});
    } else {
      *message += (message->empty() ? "" : " ") + std::string(word);
    }
  }
  return pairs;
}

void ToStderr(const std::string& line) {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_logger_mt("odometerd");
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  logger->info("{}", line);
}

}  // namespace

LogLines::LogLines(Clock& clock, LogFormat format, std::string_view level, std::function<void(const std::string&)> sink)
    : clock_(clock), format_(format), level_(LevelNumber(level)), sink_(sink ? std::move(sink) : ToStderr) {}

int64_t LogLines::Admit(const std::string& kind) {
  int64_t now_us = clock_.MonotonicUs();
  std::lock_guard lock(mutex_);
  if (windows_.size() > kKindsMax) windows_.clear();
  Window& window = windows_[kind];
  int64_t left_out = 0;
  if (window.lines == 0 || now_us - window.begun_us >= kWindowUs) {
    left_out = static_cast<int64_t>(window.left_out);
    window = {now_us, 0, 0};
  }
  if (window.lines >= kLinesPerWindow) {
    ++window.left_out;
    return -1;
  }
  ++window.lines;
  return left_out;
}

std::string LogLines::Format(std::string_view level, std::string_view text, int64_t left_out) const {
  std::string time = TimeToString(clock_.NowUs());
  if (format_ == LogFormat::kText) {
    std::string line = time + " " + std::string(level) + " " + Printable(text);
    if (left_out > 0) line += " left_out=" + std::to_string(left_out);
    return line;
  }
  std::string message;
  std::vector<Pair> pairs = PairsOf(text, &message);
  JsonWriter json;
  json.Object().Field("time", time).Field("level", level).Field("message", IsUtf8(message) ? message : Printable("?"));
  for (const Pair& pair : pairs) {
    bool taken = pair.name == "time" || pair.name == "level" || pair.name == "message";
    if (!taken && IsUtf8(pair.value)) json.Field(pair.name, pair.value);
  }
  if (left_out > 0) json.Field("left_out", left_out);
  json.End();
  return json.Take();
}

void LogLines::Write(std::string_view level, std::string_view text) {
  if (LevelNumber(level) < level_ || level_ == 4) return;
  int64_t left_out = Admit(KindOf(level, text));
  if (left_out < 0) return;
  sink_(Format(level, text, left_out));
}

}  // namespace odometer
