#include "consumers/fresh_id.h"

#include <array>
#include <random>

namespace odometer {

Uuid FreshId(int64_t now_us) {
  std::random_device device;
  std::array<uint8_t, 10> random;
  for (uint8_t& byte : random) byte = static_cast<uint8_t>(device());
  return Uuid7(now_us, random);
}

std::array<uint8_t, 10> FreshBytes() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  uint64_t words[2] = {generator(), generator()};
  std::array<uint8_t, 10> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(words[i / 8] >> (i % 8 * 8));
  return bytes;
}

}  // namespace odometer
