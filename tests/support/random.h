// tests/support/random.h: Random, a small generator that gives the same numbers on every machine (splitmix64).
//
//   Random random(SeedFromEnvironment(7));   // ODOMETER_SEED if set; print it in the test
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace odometer {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // 0 … count − 1; 0 for a count of 0.
  uint64_t Below(uint64_t count) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * count) >> 64);
  }
  // first … last, both included.
  int64_t Between(int64_t first, int64_t last) {
    return first + static_cast<int64_t>(Below(static_cast<uint64_t>(last - first) + 1));
  }
  bool Percent(uint64_t percent) { return Below(100) < percent; }
  bool PerMille(uint64_t per_mille) { return Below(1000) < per_mille; }
  template <class List>
  const auto& Pick(const List& list) {
    return list[Below(list.size())];
  }

 private:
  uint64_t state_;
};

inline uint64_t SeedFromEnvironment(uint64_t otherwise) {
  const char* text = std::getenv("ODOMETER_SEED");
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace odometer
