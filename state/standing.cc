#include "state/standing.h"

#include <algorithm>
#include <utility>

#include "core/period.h"
#include "core/planted.h"

namespace odometer {

namespace {

int64_t FigureOf(const TurnUsage& usage, int64_t config_changes, int64_t cost, Meter meter) {
  switch (meter) {
    case Meter::kRequests:
      return usage.requests;
    case Meter::kLlmCalls:
      return usage.llm_calls;
    case Meter::kConfigChanges:
      return config_changes;
    case Meter::kInputTokens:
      return usage.tokens.input();
    case Meter::kOutputTokens:
      return usage.tokens.output_tokens;
    case Meter::kTotalTokens:
      return usage.tokens.total();
    case Meter::kCost:
      return cost;
    default:
      return 0;
  }
}
int64_t FigureOf(const Usage& usage, Meter meter) {
  return FigureOf(usage, usage.config_changes, usage.cost_nano_usd(), meter);
}
int64_t FigureOf(const DayRow& day, Meter meter) {
  TurnUsage usage;
  usage.requests = day.requests;
  usage.llm_calls = day.llm_calls;
  usage.tokens = day.tokens;
  return FigureOf(usage, day.config_changes, day.cost_nano_usd, meter);
}

bool IsOfUsage(Meter meter) { return meter <= Meter::kCost; }

void AddHours(const Ring& ring, Counter* counter) {
  for (int64_t back = Ring::kHours - 1; back >= 0; --back) {
    int64_t hour = ring.newest_hour - back;
    if (uint32_t n = ring.At(hour); n != 0) counter->steps.Add(hour * kUsPerHour, n);
  }
  counter->counting_since_us = std::max<int64_t>(ring.newest_hour - Ring::kHours + 1, 0) * kUsPerHour;
}

bool IsSpan(const Counter& counter, int64_t start_us, int64_t end_us) {
  return counter.start_us == start_us && counter.end_us == end_us;
}

Status SeedUser(LimitSource& source, const Subject& subject, int64_t at_us, Counter* counter) {
  auto meter = static_cast<Meter>(counter->meter);
  auto window = static_cast<Window>(counter->window);
  if (!IsOfUsage(meter)) return Status::Ok();
  const AccountRow* account = nullptr;
  ODOMETER_ASSIGN(account, source.Account(subject));
  Period period = Period::Of(FoldTime{at_us});
  int64_t day = DayOf(FoldTime{at_us});
  if (window == Window::kLifetime) {
    if (account != nullptr) counter->used = FigureOf(account->usage, meter);
    counter->counting_since_us = 0;
  } else if (window == Window::kRolling24h && meter == Meter::kRequests) {
    if (account != nullptr) AddHours(account->requests_ring, counter);
  } else if (window == Window::kMonth && IsSpan(*counter, period.start_us(), period.end_us())) {
    const PeriodRow* row = nullptr;
    ODOMETER_ASSIGN(row, source.UserPeriod(subject, period));
    if (row != nullptr) counter->used = FigureOf(row->usage, meter);
    counter->counting_since_us = counter->start_us;
  } else if (window == Window::kDay && IsSpan(*counter, day * kUsPerDay, (day + 1) * kUsPerDay)) {
    const DayRow* row = nullptr;
    ODOMETER_ASSIGN(row, source.UserDay(subject, day));
    if (row != nullptr) counter->used = FigureOf(*row, meter);
    counter->counting_since_us = counter->start_us;
  }
  return Status::Ok();
}

Status SeedProject(LimitSource& source, Scope scope, const Subject& subject, Counter* counter) {
  bool is_known = static_cast<Meter>(counter->meter) == Meter::kSearches &&
                  static_cast<Window>(counter->window) == Window::kRolling24h;
  if (!is_known) return Status::Ok();
  const ProjectRow* row = nullptr;
  ODOMETER_ASSIGN(row, scope == Scope::kUserInProject ? source.UserInProject(subject) : source.Project(subject));
  if (row != nullptr) AddHours(row->searches_ring, counter);
  return Status::Ok();
}

template <class Row>
int64_t GaugeIn(const Row* row, Meter meter) {
  if (row == nullptr) return 0;
  if (meter == Meter::kVectors) return row->vectors;
  if (meter == Meter::kBytes) return row->bytes;
  if constexpr (requires { row->collections; })
    return row->collections;
  else
    return 0;
}

}  // namespace

Result<int64_t> GaugeOf(LimitSource& source, Scope scope, const Subject& subject, Meter meter) {
  auto in = [&](const auto& row) -> Result<int64_t> {
    if (!row.ok()) return row.status();
    return GaugeIn(*row, meter);
  };
  switch (scope) {
    case Scope::kTenant:
      return in(source.Tenant(subject));
    case Scope::kProject:
      return in(source.Project(subject));
    case Scope::kUserInProject:
      return in(source.UserInProject(subject));
    case Scope::kCollection:
      return in(source.Collection(subject));
    case Scope::kUser:
      return in(source.UserGauges(subject));
  }
  return int64_t{0};
}

const Counter* FindCounter(const std::vector<Counter>& counters, Meter meter, Window window) {
  auto wanted = std::pair(static_cast<uint8_t>(meter), static_cast<uint8_t>(window));
  auto at = std::partition_point(counters.begin(), counters.end(),
                                 [&](const Counter& c) { return std::pair(c.meter, c.window) < wanted; });
  return at != counters.end() && std::pair(at->meter, at->window) == wanted ? &*at : nullptr;
}

void MoveTo(const Zone& zone, int64_t at_us, Counter* counter) {
  if (at_us < counter->end_us) return;
  Span span = SpanOf(static_cast<Window>(counter->window), zone, at_us);
  counter->start_us = span.start_us;
  counter->end_us = span.end_us;
  counter->used = 0;
}

Result<Counter> NewCounter(LimitSource& source, const AppliedLimit& limit, const Subject& subject, const Zone& zone,
                           int64_t at_us) {
  Counter counter;
  counter.meter = static_cast<uint8_t>(limit.limit.meter);
  counter.window = static_cast<uint8_t>(limit.limit.window);
  counter.counting_since_us = at_us;
  if (IsRolling(limit.limit.window)) counter.steps.window = limit.limit.window;
  if (IsCalendar(limit.limit.window)) MoveTo(zone, at_us, &counter);
  if (PlantedBug("counter_from_zero")) return counter;
  if (limit.scope == Scope::kUser) ODOMETER_RETURN_IF_ERROR(SeedUser(source, subject, at_us, &counter));
  if (limit.scope == Scope::kProject || limit.scope == Scope::kUserInProject)
    ODOMETER_RETURN_IF_ERROR(SeedProject(source, limit.scope, subject, &counter));
  return counter;
}

Result<Standing> StandingOf(LimitSource& source, const AppliedLimit& limit, const Subject& subject, const Zone& zone,
                            int64_t at_us, std::deque<Counter>* made) {
  Standing standing;
  standing.limit = &limit;
  const LimitUseRow* use = nullptr;
  ODOMETER_ASSIGN(use, source.Use(limit.scope, subject));
  if (use != nullptr) {
    standing.held = use->held[static_cast<size_t>(limit.limit.meter) - 1];
    standing.counter = FindCounter(use->counters, limit.limit.meter, limit.limit.window);
  }
  if (!IsCounted(limit.limit.window)) {
    ODOMETER_ASSIGN(standing.used, GaugeOf(source, limit.scope, subject, limit.limit.meter));
    return standing;
  }
  if (standing.counter == nullptr) {
    Result<Counter> counter = NewCounter(source, limit, subject, zone, at_us);
    if (!counter.ok()) return counter.status();
    standing.counter = &made->emplace_back(std::move(*counter));
  }
  standing.used = UsedAt(*standing.counter, at_us);
  return standing;
}

}  // namespace odometer
