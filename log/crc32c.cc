#include "log/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace odometer {

namespace {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b]: what byte b does to the checksum when k more bytes follow it, so that 8 bytes take one step.
constexpr Tables MakeTables() {
  constexpr uint32_t kReversedPolynomial = 0x82f63b78;
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t k = 1; k < tables.size(); ++k) {
      uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

uint32_t Load32(const unsigned char* bytes) {
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

#if defined(__x86_64__)
// One step of the instruction waits for the one before it, so three lanes go side by side; what a lane's checksum
// becomes when kLaneBytes more follow is looked up.
constexpr size_t kLaneBytes = 64;

using LaneTables = std::array<std::array<uint32_t, 256>, 4>;

constexpr LaneTables MakeLaneTables() {
  LaneTables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t place = 0; place < tables.size(); ++place) {
      uint32_t crc = byte << (8 * place);
      for (size_t i = 0; i < kLaneBytes; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
      tables[place][byte] = crc;
    }
  }
  return tables;
}

constexpr LaneTables kLaneTables = MakeLaneTables();

uint32_t PastLane(uint32_t crc) {
  return kLaneTables[0][crc & 0xff] ^ kLaneTables[1][crc >> 8 & 0xff] ^ kLaneTables[2][crc >> 16 & 0xff] ^
         kLaneTables[3][crc >> 24];
}

template <class T>
T Load(const char* at) {
  T word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

__attribute__((target("sse4.2"))) uint32_t Crc32cHardware(uint32_t crc, const void* bytes, size_t size) {
  const char* at = static_cast<const char*>(bytes);
  uint64_t state = ~crc;
  for (; size >= 3 * kLaneBytes; at += 3 * kLaneBytes, size -= 3 * kLaneBytes) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < kLaneBytes; i += 8) {
      state = _mm_crc32_u64(state, Load<uint64_t>(at + i));
      second = _mm_crc32_u64(second, Load<uint64_t>(at + kLaneBytes + i));
      third = _mm_crc32_u64(third, Load<uint64_t>(at + 2 * kLaneBytes + i));
    }
    state = PastLane(PastLane(static_cast<uint32_t>(state)) ^ static_cast<uint32_t>(second)) ^ third;
  }
  for (; size >= 8; at += 8, size -= 8) state = _mm_crc32_u64(state, Load<uint64_t>(at));
  uint32_t tail = static_cast<uint32_t>(state);
  if (size >= 4) {
    tail = _mm_crc32_u32(tail, Load<uint32_t>(at));
    at += 4;
    size -= 4;
  }
  for (; size > 0; ++at, --size) tail = _mm_crc32_u8(tail, static_cast<unsigned char>(*at));
  return ~tail;
}
#endif

using Function = uint32_t (*)(uint32_t, const void*, size_t);

Function Best() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return Crc32cHardware;
#endif
  return Crc32cPortable;
}

}  // namespace

uint32_t Crc32cPortable(uint32_t crc, const void* bytes, size_t size) {
  const unsigned char* at = static_cast<const unsigned char*>(bytes);
  uint32_t state = ~crc;
  for (; size >= 8; at += 8, size -= 8) {
    uint32_t low = Load32(at) ^ state;
    uint32_t high = Load32(at + 4);
    state = kTables[7][low & 0xff] ^ kTables[6][low >> 8 & 0xff] ^    //
            kTables[5][low >> 16 & 0xff] ^ kTables[4][low >> 24] ^    //
            kTables[3][high & 0xff] ^ kTables[2][high >> 8 & 0xff] ^  //
            kTables[1][high >> 16 & 0xff] ^ kTables[0][high >> 24];
  }
  for (; size > 0; ++at, --size) state = (state >> 8) ^ kTables[0][(state ^ *at) & 0xff];
  return ~state;
}

uint32_t Crc32c(uint32_t crc, const void* bytes, size_t size) {
  static const Function best = Best();
  return best(crc, bytes, size);
}

}  // namespace odometer
