// core/utf8.h: whether a text is UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
// A NUL is a character like any other.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace odometer {

// Whole words, the last one overlapping the one before.
inline bool IsAscii(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  const char* at = text.data();
  size_t size = text.size();
  uint64_t bits = 0;
  if (size >= 8) {
    uint64_t word, last;
    std::memcpy(&word, at, sizeof word);
    std::memcpy(&last, at + size - 8, sizeof last);
    bits = word | last;
    for (size_t i = 8; i + 8 < size; i += 8) {
      std::memcpy(&word, at + i, sizeof word);
      bits |= word;
    }
  } else if (size >= 4) {
    uint32_t first, last;
    std::memcpy(&first, at, sizeof first);
    std::memcpy(&last, at + size - 4, sizeof last);
    bits = first | last;
  } else if (size > 0) {
    bits = static_cast<uint8_t>(at[0] | at[size / 2] | at[size - 1]);
  }
  return (bits & kHighBits) == 0;
}

// For a text that need not be ASCII.
bool IsUtf8AtLength(std::string_view text);

// Nearly every text is ASCII.
inline bool IsUtf8(std::string_view text) { return IsAscii(text) || IsUtf8AtLength(text); }

}  // namespace odometer
