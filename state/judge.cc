#include "state/judge.h"

#include <algorithm>

#include "core/planted.h"

namespace odometer {

namespace {

// Spent by whatever is asked, so a limit of theirs that is reached refuses it all the same.
bool IsBudget(Meter meter) { return meter >= Meter::kInputTokens && meter <= Meter::kCost; }

int64_t AskedFor(std::span<const Amount> amounts, Meter meter) {
  for (const Amount& amount : amounts) {
    if (amount.meter == meter) return amount.amount;
  }
  return 0;
}

bool Exceeds(const Standing& standing, int64_t asked) {
  __int128 taken = static_cast<__int128>(standing.used) + standing.held;
  int64_t cap = *standing.limit->limit.cap;
  if (PlantedBug("cap_off_by_one") && asked > 0) return taken + asked > cap + 1;
  if (asked > 0) return taken + asked > cap;
  return IsBudget(standing.limit->limit.meter) && taken >= cap;
}

// A counter stays in the span that it is in until its end, whatever the zone has become.
int64_t EndOfSpan(const AskedOf& asked, const Standing& standing) {
  if (standing.counter != nullptr && asked.at_us < standing.counter->end_us) return standing.counter->end_us;
  return SpanOf(standing.limit->limit.window, *asked.zone, asked.at_us).end_us;
}

// When the ask would fit if nothing else came; kNever: not by time alone.
int64_t FitsAt(const AskedOf& asked, const Standing& standing, int64_t amount) {
  const Limit& limit = standing.limit->limit;
  __int128 room = static_cast<__int128>(*limit.cap) - standing.held - std::max<int64_t>(amount, 1);
  if (room < 0 || standing.counter == nullptr) return kNever;
  if (IsRolling(limit.window))
    return standing.counter->steps.FreesAt(asked.at_us, static_cast<int64_t>(room)).value_or(kNever);
  if (IsCalendar(limit.window)) return EndOfSpan(asked, standing);
  return kNever;
}

int64_t ResetOf(const AskedOf& asked, const Standing& standing, int64_t amount, bool exceeded) {
  const Limit& limit = standing.limit->limit;
  if (IsCalendar(limit.window)) return EndOfSpan(asked, standing);
  return exceeded && IsRolling(limit.window) ? FitsAt(asked, standing, amount) : kNever;
}

LimitStatus StatusOf(const AskedOf& asked, const Standing& standing) {
  const AppliedLimit& applied = *standing.limit;
  const Limit& limit = applied.limit;
  LimitStatus status;
  status.meter = static_cast<uint8_t>(limit.meter);
  status.window = static_cast<uint8_t>(limit.window);
  status.over = static_cast<uint8_t>(applied.scope);
  status.mode = static_cast<uint8_t>(limit.mode);
  status.when_unavailable = static_cast<uint8_t>(limit.when_unavailable);
  status.level = static_cast<uint8_t>(applied.level);
  status.source = applied.source;
  status.definition = applied.definition;
  status.cap = *limit.cap;
  status.used = standing.used;
  status.held = standing.held;
  status.asked = AskedFor(asked.amounts, limit.meter);
  status.exceeded = Exceeds(standing, status.asked);
  status.reset_us = ResetOf(asked, standing, status.asked, status.exceeded);
  return status;
}

}  // namespace

int64_t UsedAt(const Counter& counter, int64_t at_us) {
  auto window = static_cast<Window>(counter.window);
  if (IsRolling(window)) {
    __int128 sum = counter.steps.Sum(at_us);
    return static_cast<int64_t>(std::clamp<__int128>(sum, INT64_MIN, INT64_MAX));
  }
  if (IsCalendar(window)) return at_us < counter.end_us ? counter.used : 0;
  return counter.used;
}

Verdict Judge(const AskedOf& asked, std::span<const Standing> standings) {
  Verdict verdict;
  verdict.enforcement = static_cast<uint8_t>(asked.enforcement);
  verdict.judged_us = asked.at_us;
  bool waits = false, is_timely = true;
  for (const Standing& standing : standings) {
    LimitStatus status = StatusOf(asked, standing);
    if (status.exceeded && standing.limit->limit.mode == LimitMode::kHard) {
      verdict.refusal = static_cast<uint8_t>(Refusal::kLimit);
      int64_t fits_us = FitsAt(asked, standing, status.asked);
      waits = true;
      is_timely &= fits_us != kNever;
      verdict.retry_at_us = std::max(verdict.retry_at_us, fits_us);
    }
    verdict.limits.push_back(std::move(status));
  }
  if (waits && !is_timely) verdict.retry_at_us = kNever;
  if (asked.has_too_many_holds) {
    verdict.refusal = static_cast<uint8_t>(Refusal::kTooManyHolds);
    verdict.retry_at_us = kNever;
  }
  bool is_refused = verdict.refusal != static_cast<uint8_t>(Refusal::kNone);
  // Too many holds are a bound of the row, not of a policy.
  verdict.allowed = !is_refused || (asked.enforcement == Enforcement::kObserve && !asked.has_too_many_holds);
  return verdict;
}

}  // namespace odometer
