// What limits have used, of LimitFold: counters, what they begin with, and what facts add.

#include <algorithm>

#include "core/period.h"
#include "state/amounts.h"
#include "state/limit_fold.h"

namespace odometer {

namespace {

constexpr std::array<Scope, 5> kScopes = {Scope::kTenant, Scope::kUser, Scope::kProject, Scope::kUserInProject,
                                          Scope::kCollection};

bool LiesIn(Scope scope, const Subject& subject) {
  bool has_user = !subject.user.empty(), has_project = !subject.project.empty();
  switch (scope) {
    case Scope::kTenant:
      return true;
    case Scope::kUser:
      return has_user;
    case Scope::kProject:
      return has_project;
    case Scope::kUserInProject:
      return has_user && has_project;
    case Scope::kCollection:
      return has_project && !subject.collection.empty();
  }
  return false;
}

size_t At(Meter meter) { return static_cast<size_t>(meter) - 1; }

bool IsBefore(const Counter& counter, Meter meter, Window window) {
  return std::pair(counter.meter, counter.window) <
         std::pair(static_cast<uint8_t>(meter), static_cast<uint8_t>(window));
}

Counter* Find(std::vector<Counter>& counters, Meter meter, Window window) {
  auto at = std::partition_point(counters.begin(), counters.end(),
                                 [&](const Counter& counter) { return IsBefore(counter, meter, window); });
  bool is_it = at != counters.end() && at->meter == static_cast<uint8_t>(meter) &&
               at->window == static_cast<uint8_t>(window);
  return is_it ? &*at : nullptr;
}

// A gauge is counted for a user over all projects; the other scopes have rows of their own that say it.
bool IsCounted(Window window, Scope scope) { return window != Window::kGauge || scope == Scope::kUser; }

void MoveTo(Counter* counter, const Zone& zone, int64_t at_us) {
  if (at_us < counter->end_us) return;
  Span span = SpanOf(static_cast<Window>(counter->window), zone, at_us);
  counter->start_us = span.start_us;
  counter->end_us = span.end_us;
  counter->used = 0;
}

// What a fact adds is that of its own hour, day or month: what came late for it is not of this one.
void Add(Counter* counter, const Zone& zone, int64_t amount, int64_t at_us) {
  auto window = static_cast<Window>(counter->window);
  if (IsRolling(window)) {
    counter->steps.Add(at_us, amount);
    return;
  }
  if (IsCalendar(window)) {
    MoveTo(counter, zone, at_us);
    if (at_us < counter->start_us) return;
  }
  counter->used += amount;
}

bool CanAdd(const Counter& counter, __int128 amount, int64_t at_us) {
  if (amount > INT64_MAX || amount < INT64_MIN) return false;
  if (IsRolling(static_cast<Window>(counter.window))) return counter.steps.CanAdd(at_us, static_cast<int64_t>(amount));
  __int128 sum = counter.used + amount;
  return sum <= INT64_MAX && sum >= INT64_MIN;
}

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

template <class Row>
Result<const Row*> RowOf(RowTable<Row>& table, KeyBuilder& key) {
  auto node = table.Find(key.view());
  if (!node.ok()) return node.status();
  return *node == nullptr ? static_cast<const Row*>(nullptr) : &(*node)->row;
}

void AddTokens(const Tokens& tokens, std::array<__int128, kMeters>* amounts) {
  __int128 total = TotalOf(tokens);
  (*amounts)[At(Meter::kInputTokens)] += total - tokens.output;
  (*amounts)[At(Meter::kOutputTokens)] += tokens.output;
  (*amounts)[At(Meter::kTotalTokens)] += total;
}

void AddHours(const Ring& ring, Counter* counter) {
  for (int64_t back = Ring::kHours - 1; back >= 0; --back) {
    int64_t hour = ring.newest_hour - back;
    if (uint32_t n = ring.At(hour); n != 0) counter->steps.Add(hour * kUsPerHour, n);
  }
  counter->counting_since_us = std::max<int64_t>(ring.newest_hour - Ring::kHours + 1, 0) * kUsPerHour;
}

}  // namespace

#define ODOMETER_ASSIGN(into, expression)       \
  do {                                          \
    auto result_ = (expression);                \
    if (!result_.ok()) return result_.status(); \
    into = *result_;                            \
  } while (0)

template <class F>
Status LimitFold::ForEachScope(const Subject& subject, F&& f) {
  for (Scope scope : kScopes) {
    if (LiesIn(scope, subject)) ODOMETER_RETURN_IF_ERROR(f(scope));
  }
  return Status::Ok();
}

KeyBuilder& LimitFold::UseKey(Scope scope, const Subject& subject) {
  bool has_user = scope == Scope::kUser || scope == Scope::kUserInProject;
  bool has_project = scope != Scope::kTenant && scope != Scope::kUser;
  tables_.key.Begin(RowKind::kLimitUse).Text(subject.tenant).Number(static_cast<int64_t>(scope));
  tables_.key.Text(has_user ? subject.user : std::string_view());
  tables_.key.Text(has_project ? subject.project : std::string_view());
  return tables_.key.Text(scope == Scope::kCollection ? subject.collection : std::string_view());
}

Result<LimitFold::UseNode*> LimitFold::UseOf(Scope scope, const Subject& subject) {
  return tables_.limit_uses.Find(UseKey(scope, subject).view());
}

Result<LimitFold::UseNode*> LimitFold::MakeUse(Scope scope, const Subject& subject) {
  Result<UseNode*> node = tables_.limit_uses.FindOrMake(UseKey(scope, subject).view());
  if (!node.ok()) return node;
  (*node)->made = false;  // nothing is refused once it is made
  tables_.limit_uses.MarkDirty(*node);
  return node;
}

Result<const std::vector<AppliedLimit>*> LimitFold::LimitsOf(const Subject& subject) {
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, Policy(subject.tenant));
  limits_.clear();
  if (policy == nullptr || policy->definitions == 0) return static_cast<const std::vector<AppliedLimit>*>(&limits_);
  constexpr size_t kSubjectsMax = 100'000;
  std::string name;
  for (std::string_view part : {subject.tenant, subject.user, subject.project, subject.collection}) {
    name += std::to_string(part.size());
    name += ':';
    name += part;
  }
  if (auto known = resolved_.find(name); known != resolved_.end()) return &known->second;
  ODOMETER_RETURN_IF_ERROR(Resolve(*this, subject, &limits_));
  if (resolved_.size() >= kSubjectsMax) resolved_.clear();
  return static_cast<const std::vector<AppliedLimit>*>(&(resolved_[std::move(name)] = limits_));
}

// A counter is made by the first ask or fact of its scope that a limit applies to, and stays.
Status LimitFold::EnsureCounters(const Subject& subject, const std::vector<AppliedLimit>& limits, int64_t at_us) {
  for (const AppliedLimit& limit : limits) {
    Window window = limit.limit.window;
    if (!IsCounted(window, limit.scope)) continue;
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(limit.scope, subject));
    if (use != nullptr && Find(use->row.counters, limit.limit.meter, window) != nullptr) continue;
    Result<Counter> counter = NewCounter(limit, subject, at_us);
    if (!counter.ok()) return counter.status();
    ODOMETER_ASSIGN(use, MakeUse(limit.scope, subject));
    std::vector<Counter>& counters = use->row.counters;
    auto at = std::partition_point(counters.begin(), counters.end(),
                                   [&](const Counter& c) { return IsBefore(c, limit.limit.meter, window); });
    counters.insert(at, std::move(*counter));
  }
  return Status::Ok();
}

Result<Counter> LimitFold::NewCounter(const AppliedLimit& limit, const Subject& subject, int64_t at_us) {
  Counter counter;
  counter.meter = static_cast<uint8_t>(limit.limit.meter);
  counter.window = static_cast<uint8_t>(limit.limit.window);
  counter.counting_since_us = at_us;
  counter.steps.window = limit.limit.window;
  if (IsCalendar(limit.limit.window)) {
    const PolicyRow* policy = nullptr;
    ODOMETER_ASSIGN(policy, Policy(subject.tenant));
    MoveTo(&counter, ZoneOf(policy), at_us);
  }
  if (limit.scope == Scope::kUser) ODOMETER_RETURN_IF_ERROR(SeedUser(subject, at_us, &counter));
  if (limit.scope == Scope::kProject || limit.scope == Scope::kUserInProject)
    ODOMETER_RETURN_IF_ERROR(SeedProject(limit.scope, subject, at_us, &counter));
  return counter;
}

// Where a row that bills already has the figure for just this window, the counter goes on from it.
Status LimitFold::SeedUser(const Subject& subject, int64_t at_us, Counter* counter) {
  auto meter = static_cast<Meter>(counter->meter);
  auto window = static_cast<Window>(counter->window);
  if (!IsOfUsage(meter)) return Status::Ok();
  KeyBuilder& key = tables_.key;
  AccountNode* account = nullptr;
  ODOMETER_ASSIGN(account, tables_.accounts.Find(key.Begin(RowKind::kAccount).Text(subject.tenant).Text(subject.user).view()));
  if (account == nullptr) {
    if (window == Window::kLifetime) counter->counting_since_us = 0;
    return Status::Ok();
  }
  tables_.CloseTally(account);
  FoldTime time{at_us};
  if (window == Window::kLifetime) {
    counter->used = FigureOf(account->row.usage, meter);
    counter->counting_since_us = 0;
  } else if (window == Window::kRolling24h && meter == Meter::kRequests) {
    AddHours(account->row.requests_ring, counter);
  } else if (window == Window::kMonth && counter->start_us == Period::Of(time).start_us() &&
             counter->end_us == Period::Of(time).end_us()) {
    const PeriodRow* period = nullptr;
    key.Begin(RowKind::kPeriod).Text(subject.tenant).Text(subject.user).Number(Period::Of(time).month);
    ODOMETER_ASSIGN(period, RowOf(tables_.periods, key));
    if (period != nullptr) counter->used = FigureOf(period->usage, meter);
    counter->counting_since_us = counter->start_us;
  } else if (window == Window::kDay && counter->start_us == DayOf(time) * kUsPerDay &&
             counter->end_us == (DayOf(time) + 1) * kUsPerDay) {
    const DayRow* day = nullptr;
    key.Begin(RowKind::kDay).Text(subject.tenant).Text(subject.user).Number(DayOf(time));
    ODOMETER_ASSIGN(day, RowOf(tables_.days, key));
    if (day != nullptr) counter->used = FigureOf(*day, meter);
    counter->counting_since_us = counter->start_us;
  }
  return Status::Ok();
}

Status LimitFold::SeedProject(Scope scope, const Subject& subject, int64_t, Counter* counter) {
  if (static_cast<Meter>(counter->meter) != Meter::kSearches ||
      static_cast<Window>(counter->window) != Window::kRolling24h) {
    return Status::Ok();
  }
  const ProjectRow* row = nullptr;
  bool is_user = scope == Scope::kUserInProject;
  KeyBuilder& key = tables_.key.Begin(is_user ? RowKind::kProjectUser : RowKind::kProject).Text(subject.tenant);
  if (is_user) key.Text(subject.user);
  ODOMETER_ASSIGN(row, RowOf(is_user ? tables_.project_users : tables_.projects, key.Text(subject.project)));
  if (row != nullptr) AddHours(row->searches_ring, counter);
  return Status::Ok();
}

Result<int64_t> LimitFold::GaugeOf(Scope scope, const Subject& subject, Meter meter) {
  auto of = [&](const auto* row) -> int64_t {
    if (row == nullptr) return 0;
    if (meter == Meter::kVectors) return row->vectors;
    if (meter == Meter::kBytes) return row->bytes;
    if constexpr (requires { row->collections; })
      return row->collections;
    else
      return 0;
  };
  KeyBuilder& key = tables_.key;
  switch (scope) {
    case Scope::kTenant: {
      const TenantRow* row = nullptr;
      ODOMETER_ASSIGN(row, RowOf(tables_.tenants, key.Begin(RowKind::kTenant).Text(subject.tenant)));
      return of(row);
    }
    case Scope::kProject: {
      const ProjectRow* row = nullptr;
      key.Begin(RowKind::kProject).Text(subject.tenant).Text(subject.project);
      ODOMETER_ASSIGN(row, RowOf(tables_.projects, key));
      return of(row);
    }
    case Scope::kUserInProject: {
      const ProjectRow* row = nullptr;
      key.Begin(RowKind::kProjectUser).Text(subject.tenant).Text(subject.user).Text(subject.project);
      ODOMETER_ASSIGN(row, RowOf(tables_.project_users, key));
      return of(row);
    }
    case Scope::kCollection: {
      const CollectionRow* row = nullptr;
      key.Begin(RowKind::kCollection).Text(subject.tenant).Text(subject.project).Text(subject.collection);
      ODOMETER_ASSIGN(row, RowOf(tables_.collections, key));
      return of(row);
    }
    case Scope::kUser:
      break;
  }
  return int64_t{0};
}

Result<Standing> LimitFold::StandingOf(const AppliedLimit& limit, const Subject& subject, int64_t at_us) {
  Standing standing;
  standing.limit = &limit;
  UseNode* use = nullptr;
  ODOMETER_ASSIGN(use, UseOf(limit.scope, subject));
  if (use != nullptr) {
    standing.held = use->row.held[At(limit.limit.meter)];
    standing.counter = Find(use->row.counters, limit.limit.meter, limit.limit.window);
    if (standing.counter != nullptr) standing.used = UsedAt(*standing.counter, at_us);
  }
  if (!IsCounted(limit.limit.window, limit.scope))
    ODOMETER_ASSIGN(standing.used, GaugeOf(limit.scope, subject, limit.limit.meter));
  return standing;
}

Status LimitFold::AddTo(const Subject& subject, const Amounts& amounts, int64_t at_us) {
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, Policy(subject.tenant));
  const Zone& zone = ZoneOf(policy);
  return ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(scope, subject));
    if (use == nullptr || use->row.counters.empty()) return Status::Ok();
    for (Counter& counter : use->row.counters) {
      auto amount = static_cast<int64_t>(amounts[counter.meter - 1]);
      if (amount != 0) Add(&counter, zone, amount, at_us);
    }
    tables_.limit_uses.MarkDirty(use);
    return Status::Ok();
  });
}

// Whether every counter and every hold of the subject's scopes has room for the amounts.
Result<bool> LimitFold::HasRoom(const Subject& subject, const Amounts& amounts, int64_t at_us) {
  bool has_room = true;
  Status looked = ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(scope, subject));
    if (use == nullptr) return Status::Ok();
    for (const Counter& counter : use->row.counters) has_room &= CanAdd(counter, amounts[counter.meter - 1], at_us);
    for (size_t i = 0; i < kMeters; ++i) has_room &= use->row.held[i] + amounts[i] <= INT64_MAX;
    return Status::Ok();
  });
  if (!looked.ok()) return looked;
  return has_room;
}

// --- facts

void LimitFold::PartsOf(const Event& event, AppendTime append) {
  parts_.clear();
  Part part;
  part.subject.tenant = event.tenant;
  part.at_us = PlaceAt(event.event_time, append).us;
  auto add = [&](Meter meter, __int128 amount) { part.amounts[At(meter)] += amount; };
  if (event.type == EventType::kTurnRecorded) {
    const Turn& turn = event.turn;
    part.subject.user = turn.user;
    add(Meter::kRequests, 1);
    add(Meter::kLlmCalls, turn.llm_calls.value_or(1));
    AddTokens(turn.tokens, &part.amounts);
    add(Meter::kCost, turn.provided_cost_nano_usd.value_or(0));
  } else if (event.type == EventType::kTurnAmended) {
    const Amendment& amendment = event.amendment;
    part.subject.user = amendment.user;
    part.at_us = PlaceAt(amendment.original_time, append).us;
    add(Meter::kLlmCalls, amendment.llm_calls_delta);
    AddTokens(amendment.tokens_delta, &part.amounts);
    add(Meter::kCost, amendment.provided_cost_delta_nano_usd);
  } else if (event.type == EventType::kConfigChanged) {
    part.subject.user = event.config.user;
    part.subject.project = event.config.project;
    add(Meter::kConfigChanges, 1);
  } else if (IsVector(event.type)) {
    const Operation& operation = event.operation;
    part.subject = {event.tenant, operation.user, operation.project, operation.collection};
    if (operation.status != OperationStatus::kQuotaExceeded) {
      add(Meter::kOperations, 1);
      if (event.type == EventType::kVectorsSearched) add(Meter::kSearches, 1);
    }
    add(Meter::kVectors, operation.vectors_delta);
    add(Meter::kBytes, operation.bytes_delta);
  } else if (event.type == EventType::kInteractionRecorded || event.type == EventType::kInteractionBatch) {
    for (const Interaction& fact : event.interactions) {
      Part its;
      its.subject.tenant = event.tenant;
      its.subject.user = fact.user;
      its.at_us = PlaceAt(fact.event_time, append).us;
      AddTokens(fact.tokens, &its.amounts);
      its.amounts[At(Meter::kCost)] += TotalOf(fact.provided_cost.value_or(CostParts()));
      parts_.push_back(its);
    }
    return;
  } else {
    return;
  }
  parts_.push_back(part);
}

Result<Reason> LimitFold::Prepare(Event* event, AppendTime append, int64_t log_time_us) {
  if (event->type == EventType::kTurnRecorded) event->turn.is_admitted = false;
  named_ask_ = nullptr;
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, Policy(event->tenant));
  parts_.clear();
  if (!event->ask && policy == nullptr) return Reason::kNone;
  PartsOf(*event, append);
  if (parts_.empty()) return Reason::kNone;
  if (event->ask) ODOMETER_RETURN_IF_ERROR(NameAsk(event));
  for (const Part& part : parts_) {
    const std::vector<AppliedLimit>* limits = nullptr;
    ODOMETER_ASSIGN(limits, LimitsOf(part.subject));
    ODOMETER_RETURN_IF_ERROR(EnsureCounters(part.subject, *limits, log_time_us));
  }
  bool has_room = false;
  ODOMETER_ASSIGN(has_room, HasRoomForParts());
  return has_room ? Reason::kNone : Reason::kOverflow;
}

// Finds the ask that the fact names, if it is allowed, of the fact's own user, and not used up.
Status LimitFold::NameAsk(Event* event) {
  AskNode* ask = nullptr;
  ODOMETER_ASSIGN(ask, tables_.asks.Find(tables_.key.Begin(RowKind::kAsk).Text(event->tenant).Id(*event->ask).view()));
  if (ask == nullptr) return Status::Ok();
  const AskRow& row = ask->row;
  const Subject& subject = parts_.front().subject;
  bool is_its = (row.user.empty() || row.user == subject.user) && (row.project.empty() || row.project == subject.project ||
                                                                    subject.project.empty());
  auto state = static_cast<AskState>(row.state);
  bool is_live = (state == AskState::kAdmitted && !row.spent) || state == AskState::kOpen;
  if (!is_its || !is_live) return Status::Ok();
  named_ask_ = ask;
  Part& part = parts_.front();
  part.at_us = std::max(part.at_us, row.verdict.judged_us);
  // What the ask has been charged for already is not added again; a hold is replaced, so all of its fact is.
  if (row.type == EventType::kHoldAsked) return Status::Ok();
  for (const AmountItem& item : row.amounts) {
    __int128& amount = part.amounts[item.meter - 1];
    bool is_lease = row.type == EventType::kLeaseAsked;
    amount = is_lease ? 0 : std::max<__int128>(amount - item.amount, 0);
    if (!is_lease && item.meter == static_cast<uint8_t>(Meter::kRequests) && event->type == EventType::kTurnRecorded)
      event->turn.is_admitted = true;
  }
  return Status::Ok();
}

// The parts of a batch are looked at together, as if all were of each one's subject.
Result<bool> LimitFold::HasRoomForParts() {
  Amounts sums{};
  for (const Part& part : parts_) {
    for (size_t i = 0; i < kMeters; ++i) sums[i] += part.amounts[i];
  }
  for (const Part& part : parts_) {
    Result<bool> has_room = HasRoom(part.subject, sums, part.at_us);
    if (!has_room.ok() || !*has_room) return has_room;
  }
  return true;
}

Status LimitFold::Take(const Event& event) {
  if (named_ask_ != nullptr) {
    AskRow& row = named_ask_->row;
    tables_.asks.MarkDirty(named_ask_);
    row.spent = true;
    if (row.type == EventType::kHoldAsked) {
      ODOMETER_RETURN_IF_ERROR(GiveBack(event.tenant, named_ask_));
      row.settled.clear();
      for (const AmountItem& item : row.amounts) {
        auto used = static_cast<int64_t>(parts_.front().amounts[item.meter - 1]);
        row.settled.push_back({item.meter, used});
      }
      Close(named_ask_, AskState::kSettled, parts_.front().at_us, event.id);
    }
  }
  for (const Part& part : parts_) ODOMETER_RETURN_IF_ERROR(AddTo(part.subject, part.amounts, part.at_us));
  return Status::Ok();
}

#undef ODOMETER_ASSIGN

}  // namespace odometer
