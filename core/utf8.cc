#include "core/utf8.h"

namespace odometer {

namespace {

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Bytes of the valid character at the start of `at`, a non-ASCII one; 0 if there is none.
size_t MultiByteLength(const uint8_t* at, size_t left) {
  uint8_t lead = at[0];
  if (lead < 0xc2 || lead > 0xf4) return 0;
  size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (left < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(at[i])) return 0;
  }
  if (lead == 0xe0 && at[1] < 0xa0) return 0;   // overlong
  if (lead == 0xed && at[1] >= 0xa0) return 0;  // surrogates
  if (lead == 0xf0 && at[1] < 0x90) return 0;   // overlong
  if (lead == 0xf4 && at[1] >= 0x90) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

bool IsUtf8AtLength(std::string_view text) {
  const uint8_t* at = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* end = at + text.size();
  while (at < end) {
    if (*at < 0x80) {
      ++at;
      continue;
    }
    size_t length = MultiByteLength(at, static_cast<size_t>(end - at));
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace odometer
