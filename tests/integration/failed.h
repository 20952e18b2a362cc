// tests/integration/failed.h: how a program of the integration tests ends when something is not as it must be.
#pragma once

#include <string>

namespace odometer {

struct Failed {
  std::string what;
};

inline void Require(bool holds, const std::string& what) {
  if (!holds) throw Failed{what};
}

}  // namespace odometer
