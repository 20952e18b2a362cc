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

}  // namespace odometer
