// consumers/http/json_writer.h: JsonWriter, JSON written front to back into one string.
//
//   JsonWriter json;
//   json.Object().Key("user").Text(user).Key("tokens").Int(tokens).End();
//   return json.Take();
//
// An integer beyond ±2^53 is written as a string, so that no reader rounds it. Times are RFC 3339 in UTC. Confined to
// one thread.
#pragma once

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
    Quote(name);
    out_ += ':';
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
  void Quote(std::string_view text);

  std::string out_;
  std::string ends_;
  bool comma_ = false;
};

inline void JsonWriter::Quote(std::string_view text) {
  static const char* const kHex = "0123456789abcdef";
  auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '"' && c != '\\'; };
  out_ += '"';
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out_ += text.substr(0, plain);
    if (plain == text.size()) break;
    char c = text[plain];
    text.remove_prefix(plain + 1);
    out_ += '\\';
    if (c == '"' || c == '\\') {
      out_ += c;
    } else {
      out_ += "u00";
      out_ += kHex[(c >> 4) & 15];
      out_ += kHex[c & 15];
    }
  }
  out_ += '"';
}

}  // namespace odometer
