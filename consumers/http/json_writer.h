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
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>

#include "core/period.h"

namespace odometer {

class JsonWriter {
 public:
  // Room for a short answer from the start.
  JsonWriter() : out_(kUsualBytes, '\0') {}

  JsonWriter& Object() { return Open('{', '}'); }
  JsonWriter& Array() { return Open('[', ']'); }
  // Ends the innermost object or array.
  JsonWriter& End() {
    *Room(1) = ends_.back();
    ++size_;
    ends_.pop_back();
    comma_ = true;
    return *this;
  }
  JsonWriter& Key(std::string_view name) {
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
    Quote(text, 0);
    return *this;
  }
  // Null for a time that has not been (below 0).
  JsonWriter& Time(int64_t us) {
    if (us < 0) return Null();
    char text[kTimeTextBytesMax];
    return Text({text, PutTime(us, text)});
  }
  // JSON that was written elsewhere.
  JsonWriter& Raw(std::string_view json) { return Plain(json); }

  JsonWriter& Field(std::string_view name, int64_t value) { return Key(name).Int(value); }
  JsonWriter& Field(std::string_view name, std::string_view value) { return Key(name).Text(value); }

  // Until more is written.
  std::string_view text() const { return {out_.data(), size_}; }
  std::string Take() {
    out_.resize(size_);
    return std::move(out_);
  }

 private:
  static constexpr size_t kUsualBytes = 2048;
  static constexpr size_t kWord = sizeof(uint64_t);
  static constexpr uint64_t kEach = ~uint64_t{0} / 255;  // a word of ones: times a byte, a word of that byte

  // Where so many bytes more may be written.
  char* Room(size_t bytes) {
    if (out_.size() - size_ < bytes) out_.resize(std::max(size_ + bytes, 2 * out_.size()));
    return out_.data() + size_;
  }
  JsonWriter& Open(char begin, char end) {
    Plain({&begin, 1});
    ends_ += end;
    comma_ = false;
    return *this;
  }
  JsonWriter& Plain(std::string_view token) {
    char* at = Room(token.size() + 1);
    *at = ',';
    std::copy(token.begin(), token.end(), at + comma_);
    size_ += token.size() + comma_;
    comma_ = true;
    return *this;
  }
  // Whether JSON would have written one of eight bytes otherwise: a control character, a quote, a backslash, DEL.
  static bool HasEscaped(uint64_t word) {
    constexpr uint64_t kHigh = kEach * 0x80;
    auto has_below = [](uint64_t bytes, uint64_t least) { return (bytes - kEach * least) & ~bytes & kHigh; };
    return (has_below(word, 0x20) | has_below(word ^ kEach * '"', 1) | has_below(word ^ kEach * '\\', 1) |
            has_below(word ^ kEach * 0x7f, 1)) != 0;
  }
  // With one more character after it, unless that is 0.
  void Quote(std::string_view text, char after) {
    char* quote = Room(text.size() + 4 + kWord);
    *quote = ',';
    quote += comma_;
    *quote = '"';
    char* end = std::copy(text.begin(), text.end(), quote + 1);
    std::memset(end, ' ', kWord);  // the last word of it is whole
    bool is_escaped = false;
    for (const char* at = quote + 1; at < end; at += kWord) {
      uint64_t word;
      std::memcpy(&word, at, kWord);
      is_escaped |= HasEscaped(word);
    }
    if (is_escaped) return QuoteEscaped(text, after);
    *end++ = '"';
    *end = after;
    size_ = static_cast<size_t>(end - out_.data()) + (after != 0);
    comma_ = true;
  }
  void QuoteEscaped(std::string_view text, char after);

  std::string out_;  // its first size_ bytes
  size_t size_ = 0;
  std::string ends_;
  bool comma_ = false;
};

inline void JsonWriter::QuoteEscaped(std::string_view text, char after) {
  static const char* const kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (char c : text) {
    if (!HasEscaped(kEach * static_cast<unsigned char>(c))) {
      quoted += c;
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else {
      quoted += "\\u00";
      quoted += kHex[(c >> 4) & 15];
      quoted += kHex[c & 15];
    }
  }
  quoted += '"';
  if (after != 0) quoted += after;
  Plain(quoted);
}

}  // namespace odometer
