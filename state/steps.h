// state/steps.h: Steps, the counter of a rolling window: int64 amounts by the step of time in which they fell, so that
// the sum over the window never under-counts and over-counts by at most one step.
//
//   Steps steps{.window = Window::kRollingHour};    // 61 steps of a minute
//   if (!steps.Add(us, 3)) return Overflow();       // nothing changed
//   __int128 used = steps.Sum(now_us);              // in (now − 1 h, now], the oldest minute whole
//   steps.FreesAt(now_us, 49);                      // when at most 49 are left of it; nullopt: never
//
// It moves by its own additions only; who compares or reads a copy later calls AgedTo(). Equal contents are equal
// structs: nothing is kept of empty steps at the old end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/check.h"
#include "core/limit.h"
#include "core/period.h"
#include "core/time.h"

namespace odometer {

struct Steps {
  Window window = Window::kRollingHour;
  int64_t newest = 0;           // the step that counts[0] is of: floor(us / StepUs(window)); never goes back
  std::vector<int64_t> counts;  // from the newest back to the last that is not 0; at most CountOf(window)

  static int64_t StepUs(Window window) {
    ODOMETER_CHECK(IsRolling(window));
    if (window == Window::kRollingMinute) return kUsPerSecond;
    return window == Window::kRollingHour ? 60 * kUsPerSecond : kUsPerHour;
  }
  // One more than the window is long: it begins and ends within a step.
  static size_t CountOf(Window window) { return window == Window::kRolling24h ? 25 : 61; }
  static int64_t LengthUs(Window window) { return static_cast<int64_t>(CountOf(window) - 1) * StepUs(window); }
  // Where the oldest step begins that reaches into the window before a moment.
  static int64_t StartOf(Window window, int64_t at_us) {
    return FloorDiv(at_us - LengthUs(window) + 1, StepUs(window)) * StepUs(window);
  }
  static int64_t NewestMax(Window window) { return kEventTimeLimitUs / StepUs(window); }  // no event is placed later

  int64_t StepOf(int64_t us) const { return FloorDiv(us, StepUs(window)); }
  // Whether the amount's step has room for it.
  bool CanAdd(int64_t us, int64_t amount) const {
    int64_t sum;
    return !__builtin_add_overflow(At(StepOf(us)), amount, &sum);
  }
  // Moves forward when `us` is in a newer step; ignores what is older than the steps that it holds. `amount` may be
  // negative. False: the step has no room for it, and nothing changed.
  bool Add(int64_t us, int64_t amount) {
    if (!CanAdd(us, amount)) return false;
    MoveTo(us);
    int64_t back = newest - StepOf(us);
    if (back >= static_cast<int64_t>(CountOf(window))) return true;
    size_t place = static_cast<size_t>(back);
    if (place >= counts.size()) counts.resize(place + 1);
    counts[place] += amount;
    Trim();
    return true;
  }

  void MoveTo(int64_t us) {
    int64_t by = StepOf(us) - newest;
    if (by <= 0) return;
    newest += by;
    int64_t stay = std::max<int64_t>(static_cast<int64_t>(CountOf(window)) - by, 0);
    if (stay < static_cast<int64_t>(counts.size())) counts.resize(static_cast<size_t>(stay));
    Trim();
    if (!counts.empty()) counts.insert(counts.begin(), static_cast<size_t>(by), 0);
  }
  Steps AgedTo(int64_t us) const {
    Steps copy = *this;
    copy.MoveTo(us);
    return copy;
  }

  // Of a step; 0 for one that it does not hold.
  int64_t At(int64_t step) const {
    int64_t back = newest - step;
    return back >= 0 && back < static_cast<int64_t>(counts.size()) ? counts[static_cast<size_t>(back)] : 0;
  }

  // All steps that reach into the window before `at_us`, (at_us − length, at_us], and all behind it: to a reader that
  // is behind, what lies ahead counts. Of what has left the newest window nothing is known any more, so such a reader
  // gets at least what a reader at the newest step gets.
  __int128 Sum(int64_t at_us) const {
    __int128 sum = 0;
    for (size_t back = HeldAt(at_us); back > 0; --back) sum += counts[back - 1];
    return sum;
  }

  // The first instant from `at_us` on at which Sum() is `needed` or less if nothing is added; nullopt: there is none.
  std::optional<int64_t> FreesAt(int64_t at_us, int64_t needed) const {
    __int128 sum = Sum(at_us);
    if (sum <= needed) return at_us;
    for (size_t back = HeldAt(at_us); back > 0; --back) {
      sum -= counts[back - 1];
      if (sum <= needed) return LeavesAt(newest - static_cast<int64_t>(back - 1));
    }
    return std::nullopt;
  }

  friend bool operator==(const Steps&, const Steps&) = default;

 private:
  // The first instant whose window does not reach into the step: that of its last microsecond, one length later.
  int64_t LeavesAt(int64_t step) const { return (step + 1) * StepUs(window) - 1 + LengthUs(window); }
  // How many of the counts reach into the window before `at_us`, or lie behind it.
  size_t HeldAt(int64_t at_us) const {
    int64_t oldest = StepOf(at_us - LengthUs(window) + 1);
    return static_cast<size_t>(std::clamp<int64_t>(newest - oldest + 1, 0, static_cast<int64_t>(counts.size())));
  }
  void Trim() {
    while (!counts.empty() && counts.back() == 0) counts.pop_back();
  }
};

}  // namespace odometer
