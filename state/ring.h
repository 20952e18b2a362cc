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

  // The newest bucket stands beside its hour, so that an event of that hour moves one cache line.
  int64_t newest_hour = 0;
  uint32_t newest = 0;
  std::array<uint32_t, kHours> older{};  // the bucket of hour h at h mod 25; 0 at the newest hour's place

  bool Holds(int64_t hour) const { return hour >= 0 && hour <= newest_hour && hour > newest_hour - kHours; }
  uint32_t At(int64_t hour) const {
    if (hour == newest_hour) return newest;
    return Holds(hour) ? older[static_cast<size_t>(hour % kHours)] : 0;
  }
  // For an hour that it holds.
  uint32_t& Bucket(int64_t hour) { return hour == newest_hour ? newest : older[static_cast<size_t>(hour % kHours)]; }

  void MoveTo(int64_t hour) {
    if (hour <= newest_hour) return;
    older[static_cast<size_t>(newest_hour % kHours)] = newest;
    if (hour - newest_hour >= kHours) {
      older.fill(0);
    } else {
      for (int64_t h = newest_hour + 1; h <= hour; ++h) older[static_cast<size_t>(h % kHours)] = 0;
    }
    newest = 0;
    newest_hour = hour;
  }

  bool CanAdd(int64_t hour, uint32_t n) const { return At(hour) <= UINT32_MAX - n; }
  void Add(int64_t hour, uint32_t n) {
    MoveTo(hour);
    if (Holds(hour)) Bucket(hour) += n;
  }
  void Subtract(int64_t hour, uint32_t n) {
    if (Holds(hour)) Bucket(hour) -= n;
  }

  // Every bucket from the newest to the oldest.
  template <class F>
  void ForEachBack(F&& f) const {
    f(newest);
    int64_t at = newest_hour % kHours;
    for (int64_t back = 1; back < kHours; ++back) {
      at = at == 0 ? kHours - 1 : at - 1;
      f(older[static_cast<size_t>(at)]);
    }
  }

  Ring AgedTo(int64_t hour) const {
    Ring copy = *this;
    copy.MoveTo(hour);
    return copy;
  }
  uint64_t Sum() const {
    uint64_t sum = newest;
    for (uint32_t bucket : older) sum += bucket;
    return sum;
  }

  friend bool operator==(const Ring&, const Ring&) = default;
};

}  // namespace odometer
