// state/text_digest.h: short texts compared without a call; TextDigest, one in three numbers: texts that differ in one
// of them differ.
//
//   TextDigest digest = DigestOf(name);
//   if (digest == known && (name.size() <= TextDigest::kWhole || name == known_name)) …   // it is that name
//
// The digest of a text of up to kWhole bytes is all of it. Of a longer one it holds both ends, and says nothing of what
// is between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace odometer {

struct TextDigest {
  static constexpr size_t kWhole = 16;

  uint64_t first = 0, last = 0;
  size_t size = 0;

  // Names often differ in their last bytes only: both halves of the product depend on every bit.
  uint64_t Hash() const {
    constexpr uint64_t kMix1 = 0x9e3779b97f4a7c15, kMix2 = 0xc2b2ae3d27d4eb4f;
    unsigned __int128 product = static_cast<unsigned __int128>(first ^ kMix1) * (last ^ kMix2 ^ size);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  friend bool operator==(const TextDigest& a, const TextDigest& b) {
    return ((a.first ^ b.first) | (a.last ^ b.last) | (a.size ^ b.size)) == 0;
  }
};

// The two loads of a text of 4 to 15 bytes overlap.
[[gnu::always_inline]] inline TextDigest DigestOf(std::string_view text) {
  const char* at = text.data();
  size_t size = text.size();
  auto load = [at]<class T>(size_t place, T word) {
    std::memcpy(&word, at + place, sizeof word);
    return uint64_t{word};
  };
  if (size >= 8) return {load(0, uint64_t{}), load(size - 8, uint64_t{}), size};
  if (size >= 4) return {load(0, uint32_t{}), load(size - 4, uint32_t{}), size};
  if (size == 0) return {};
  return {load(0, uint8_t{}) | load(size / 2, uint8_t{}) << 8, load(size - 1, uint8_t{}), size};
}

// Whether `size` bytes, 8 at least, are the same; without a call, for short ones.
[[gnu::always_inline]] inline bool IsSameText(const char* a, const char* b, size_t size) {
  auto differs = [a, b](size_t at) {
    uint64_t first, second;
    std::memcpy(&first, a + at, sizeof first);
    std::memcpy(&second, b + at, sizeof second);
    return first ^ second;
  };
  uint64_t bits = differs(size - sizeof(uint64_t));
  for (size_t at = 0; at + sizeof(uint64_t) < size; at += sizeof(uint64_t)) bits |= differs(at);
  return bits == 0;
}

}  // namespace odometer
