#include "tests/support/model_limit_rows.h"

#include <set>

namespace odometer::model {

namespace {

int64_t StepUs(Window window) {
  if (window == Window::kRollingMinute) return kUsPerSecond;
  return window == Window::kRollingHour ? 60 * kUsPerSecond : kUsPerHour;
}

int64_t LengthUs(Window window) {
  if (window == Window::kRollingMinute) return 60 * kUsPerSecond;
  return window == Window::kRollingHour ? kUsPerHour : kUsPerDay;
}

// Steps that are as old as the window is long, but for the newest one's.
int64_t StepsBehind(Window window) { return LengthUs(window) / StepUs(window); }

}  // namespace

void Counter::Add(int64_t at_us, Int amount, const Zone& zone) {
  if (IsRolling(window)) {
    int64_t step = FloorDiv(at_us, StepUs(window));
    newest_step = std::max(newest_step, step);
    if (step >= newest_step - StepsBehind(window)) steps[step] += amount;
    steps.erase(steps.begin(), steps.lower_bound(newest_step - StepsBehind(window)));
    return;
  }
  if (IsCalendar(window)) {
    if (IsSpanOver(at_us)) {
      span = SpanOf(window, zone, at_us);
      used = 0;
    }
    if (at_us < span.start_us) return;
  }
  used += amount;
}

// A step overlaps the window (at − length, at] if its last microsecond lies in it.
Int Counter::UsedAt(int64_t at_us) const {
  if (IsCalendar(window)) return IsSpanOver(at_us) ? Int{0} : used;
  if (!IsRolling(window)) return used;
  Int sum = 0;
  for (const auto& [step, amount] : steps) {
    int64_t last_us = (step + 1) * StepUs(window) - 1;
    if (last_us > at_us - LengthUs(window)) sum += amount;
  }
  return sum;
}

Int Counter::Total() const {
  Int sum = used;
  for (const auto& [step, amount] : steps) sum += amount;
  return sum;
}

std::optional<int64_t> Counter::FreeAt(int64_t at_us, Int fits) const {
  std::set<int64_t> moments = {at_us};  // when a step has left, the sum is another one
  for (const auto& [step, amount] : steps) moments.insert((step + 1) * StepUs(window) - 1 + LengthUs(window));
  for (int64_t moment : moments) {
    if (moment >= at_us && UsedAt(moment) <= fits) return moment;
  }
  return std::nullopt;
}

void LimitUseRow::Clamp() {
  auto clamp = [](Int* figure) { *figure = std::clamp<Int>(*figure, INT64_MIN, INT64_MAX); };
  for (auto& [meter, amount] : burned) clamp(&amount);
  for (auto& [key, counter] : counters) {
    clamp(&counter.used);
    for (auto& [step, amount] : counter.steps) clamp(&amount);
  }
}

void FieldWriter::Steps(std::string_view name, Window window, int64_t newest, const std::map<int64_t, Int>& steps) {
  newest = std::max(newest, FloorDiv(moment_us_, StepUs(window)));
  std::string text(WindowName(window));
  char before = ' ';
  for (const auto& [step, amount] : steps) {
    if (amount == 0 || step < newest - StepsBehind(window)) continue;
    text += before + std::to_string(step) + "=" + ToText(amount);
    before = ',';
  }
  Text(name, text);
}

}  // namespace odometer::model
