// consumers/http/json_writer.h: JsonWriter, JSON written front to back into one string.
//
//   JsonWriter json;
//   json.Object().Key("user").Text(user).Key("tokens").Int(tokens).End();
//   return json.Take();
//
// An integer beyond ±2^53 is written as a string, so that no reader rounds it. Times are RFC 3339 in UTC. Confined to
// one thread.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "core/period.h"

namespace odometer {

class JsonWriter {
 public:
  // Room for a short answer from the start.
  JsonWriter() { out_.reserve(kUsualBytes); }

  JsonWriter& Object() { return Open('{', '}'); }
  JsonWriter& Array() { return Open('[', ']'); }
  // Ends the innermost object or array.
  JsonWriter& End() {
    out_ += ends_.back();
    ends_.pop_back();
    comma_ = true;
    return *this;
  }
  JsonWriter& Key(std::string_view name) {
    Comma();
    Quote(name, ':');
    comma_ = false;
    return *this;
  }

  JsonWriter& Int(int64_t value) {
    constexpr int64_t kExact = int64_t{1} << 53;
    bool exact = value >= -kExact && value <= kExact;
    char digits[24];
    std::string_view number(digits, static_cast<size_t>(std::to_chars(digits, std::end(digits), value).ptr - digits));
    return exact ? Plain(number) : Text(number);
  }
  JsonWriter& Unsigned(uint64_t value) {
    if (value <= INT64_MAX) return Int(static_cast<int64_t>(value));
    return Plain('"' + std::to_string(value) + '"');
  }
  JsonWriter& Bool(bool value) { return Plain(value ? "true" : "false"); }
  JsonWriter& Null() { return Plain("null"); }
  JsonWriter& Text(std::string_view text) {
    Comma();
    Quote(text);
    return *this;
  }
  // Null for a time that has not been (below 0).
  JsonWriter& Time(int64_t us) { return us < 0 ? Null() : Text(TimeToString(us)); }
  // JSON that was written elsewhere.
  JsonWriter& Raw(std::string_view json) { return Plain(json); }

  JsonWriter& Field(std::string_view name, int64_t value) { return Key(name).Int(value); }
  JsonWriter& Field(std::string_view name, std::string_view value) { return Key(name).Text(value); }

  const std::string& text() const { return out_; }
  std::string Take() { return std::move(out_); }

 private:
  static constexpr size_t kUsualBytes = 2048;

  JsonWriter& Open(char begin, char end) {
    Comma();
    out_ += begin;
    ends_ += end;
    comma_ = false;
    return *this;
  }
  JsonWriter& Plain(std::string_view token) {
    Comma();
    out_ += token;
    return *this;
  }
  void Comma() {
    if (comma_) out_ += ',';
    comma_ = true;
  }
  // Without anything that JSON would have written otherwise.
  static bool IsPlain(std::string_view text);
  // With one more character after it, unless that is 0.
  void Quote(std::string_view text, char after = 0);
  void QuoteEscaped(std::string_view text);

  std::string out_;
  std::string ends_;
  bool comma_ = false;
};

inline bool JsonWriter::IsPlain(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"' || c == '\\') return false;
  }
  return true;
}

inline void JsonWriter::Quote(std::string_view text, char after) {
  constexpr size_t kShortMost = 60;
  if (!IsPlain(text)) {
    QuoteEscaped(text);
    if (after != 0) out_ += after;
    return;
  }
  if (text.size() > kShortMost) {
    out_.append(1, '"').append(text).append(1, '"');
    if (after != 0) out_ += after;
    return;
  }
  // In one piece: an answer is made of some hundred of these.
  char quoted[kShortMost + 3];
  quoted[0] = '"';
  std::copy(text.begin(), text.end(), quoted + 1);
  quoted[text.size() + 1] = '"';
  quoted[text.size() + 2] = after;
  out_.append(quoted, text.size() + (after != 0 ? 3 : 2));
}

inline void JsonWriter::QuoteEscaped(std::string_view text) {
  static const char* const kHex = "0123456789abcdef";
  out_ += '"';
  for (char c : text) {
    if (IsPlain({&c, 1})) {
      out_ += c;
    } else if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else {
      out_ += "\\u00";
      out_ += kHex[(c >> 4) & 15];
      out_ += kHex[c & 15];
    }
  }
  out_ += '"';
}

}  // namespace odometer
