// state/ring.h: Ring, 25 hourly buckets that end at the newest hour seen: a rolling 24 hours that never under-counts.
//
//   ring.Add(HourOf(time), 1);          // moves the ring when the hour is new; an hour that has left it is ignored
//   Ring now = ring.AgedTo(hour);       // a copy; the row itself moves only by its own events
#pragma once

#include <array>
#include <cstdint>

#include "core/time.h"

namespace odometer {

struct Ring {
  static constexpr int64_t kHours = 25;
  static constexpr int64_t kHourMax = kEventTimeLimitUs / kUsPerHour;  // no event is placed later

  int64_t newest_hour = 0;
  std::array<uint32_t, kHours> buckets{};  // the bucket of hour h is at h mod 25

  bool Holds(int64_t hour) const { return hour >= 0 && hour <= newest_hour && hour > newest_hour - kHours; }
  uint32_t At(int64_t hour) const { return Holds(hour) ? buckets[hour % kHours] : 0; }

  void MoveTo(int64_t hour) {
    if (hour <= newest_hour) return;
    if (hour - newest_hour >= kHours) {
      buckets.fill(0);
    } else {
      for (int64_t h = newest_hour + 1; h <= hour; ++h) buckets[h % kHours] = 0;
    }
    newest_hour = hour;
  }

  bool CanAdd(int64_t hour, uint32_t n) const { return At(hour) <= UINT32_MAX - n; }
  void Add(int64_t hour, uint32_t n) {
    MoveTo(hour);
    if (Holds(hour)) buckets[hour % kHours] += n;
  }
  void Subtract(int64_t hour, uint32_t n) {
    if (Holds(hour)) buckets[hour % kHours] -= n;
  }

  Ring AgedTo(int64_t hour) const {
    Ring copy = *this;
    copy.MoveTo(hour);
    return copy;
  }
  uint64_t Sum() const {
    uint64_t sum = 0;
    for (uint32_t bucket : buckets) sum += bucket;
    return sum;
  }

  friend bool operator==(const Ring&, const Ring&) = default;
};

}  // namespace odometer
