// tests/unit/consumers/query_fixture.h: the moment at which queries are asked, and the random rows they are asked of.
#pragma once

#include <cstdint>
#include <iostream>

#include "core/period.h"
#include "tests/support/random.h"

namespace odometer {

inline constexpr int64_t kNowUs = 1'700'000'000'000'000;  // 2023-11-14T22:13:20Z
inline const int64_t kNowHour = HourOf(FoldTime{kNowUs});

inline Random Seeded() {
  uint64_t seed = SeedFromEnvironment(7);
  std::cout << "ODOMETER_SEED=" << seed << "\n";
  return Random(seed);
}

}  // namespace odometer
