#include "producer/host_clock.h"

#include <time.h>

namespace odometer {

namespace {

class CoarseClock : public Clock {
 public:
  int64_t NowUs() override { return SystemClock().NowUs(); }
  int64_t MonotonicUs() override {
    timespec at{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
    return at.tv_sec * kUsPerSecond + at.tv_nsec / 1000;
  }
};

}  // namespace

Clock& HostClock() {
  static CoarseClock clock;
  return clock;
}

}  // namespace odometer
