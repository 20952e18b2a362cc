// core/time.h: the three times that never mix, and the Clock that everything outside a fold is given.
//
// event_time is what a host's clock said; append_time is what the log said; now is for metrics, readiness and how far a
// live read ages. A fold sees the first two only. All are microseconds since 1970-01-01T00:00:00Z.
#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstdint>

namespace odometer {

struct EventTime {
  int64_t us = 0;
  friend auto operator<=>(const EventTime&, const EventTime&) = default;
};
struct AppendTime {
  int64_t us = 0;
  friend auto operator<=>(const AppendTime&, const AppendTime&) = default;
};
// Where an event belongs: in which hour, day and month. A host's clock that runs ahead cannot move it.
struct FoldTime {
  int64_t us = 0;
  friend auto operator<=>(const FoldTime&, const FoldTime&) = default;
};
inline FoldTime PlaceAt(EventTime event, AppendTime append) { return FoldTime{std::min(event.us, append.us)}; }

inline constexpr int64_t kUsPerSecond = 1'000'000;
inline constexpr int64_t kUsPerMinute = 60 * kUsPerSecond;
inline constexpr int64_t kUsPerHour = 3600 * kUsPerSecond;
inline constexpr int64_t kUsPerDay = 24 * kUsPerHour;
// Events are taken from 1970 up to, not including, the year 10000.
inline constexpr int64_t kEventTimeLimitUs = 253'402'300'800 * kUsPerSecond;

// Both logs give the append time of a record as the last microsecond of its millisecond.
inline AppendTime AppendTimeOf(int64_t now_us) { return AppendTime{now_us / 1000 * 1000 + 999}; }

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowUs() = 0;        // wall time
  virtual int64_t MonotonicUs() = 0;  // for waiting and measuring; never goes back
};

// The machine's clock; only main() and tests name it.
Clock& SystemClock();

// Moves when told to. Thread-safe.
class ManualClock : public Clock {
 public:
  explicit ManualClock(int64_t now_us) : now_us_(now_us) {}
  int64_t NowUs() override { return now_us_.load(); }
  int64_t MonotonicUs() override { return now_us_.load(); }
  void Set(int64_t now_us) { now_us_ = now_us; }
  void Advance(int64_t us) { now_us_ += us; }

 private:
  std::atomic<int64_t> now_us_;
};

}  // namespace odometer
