// Asks, their ends and expiry, and the facts that name them: sections 5 of docs/limits.md, and what they add to.

#include <tuple>

#include "core/period.h"
#include "tests/support/model.h"

namespace odometer {

using model::AmountOf;
using model::Amounts;
using model::AskRow;
using model::AskState;
using model::CountedFact;
using model::Int;
using model::RowName;
using model::Subject;

namespace {

constexpr int kOpenHoldsMax = 1000;
constexpr int64_t kKeptUs = 604'800'000'000;

Subject SubjectOf(const Ask& ask) {
  return {std::string(ask.user), std::string(ask.project), std::string(ask.collection)};
}

// In the order of meters.
std::vector<Amount> InOrder(std::vector<Amount> amounts) {
  std::sort(amounts.begin(), amounts.end(), [](const Amount& a, const Amount& b) { return a.meter < b.meter; });
  return amounts;
}

Amounts Greater(Amounts one, const Amounts& other) {
  for (const auto& [meter, amount] : other) one[meter] = std::max(one[meter], amount);
  return one;
}

// What of `one` is above `other`, meter by meter.
Amounts Above(const Amounts& one, const Amounts& other) {
  Amounts above;
  for (const auto& [meter, amount] : one) above[meter] = std::max<Int>(amount - AmountOf(other, meter), 0);
  return above;
}

}  // namespace

std::string Model::AskName(const EventId& id) const { return RowName("ask", event_.tenant).Text(id.ToString()).Take(); }

std::string Model::UseName(Scope scope, const Subject& parts) const {
  RowName name("limit_use", event_.tenant);
  return name.Number(static_cast<int64_t>(scope)).Text(parts.user).Text(parts.project).Text(parts.collection).Take();
}

model::LimitUseRow& Model::TouchUse(Scope scope, const Subject& parts) {
  return Touch(&Tables::limit_use, UseName(scope, parts));
}

// The user's row; where no user is named, the project's.
model::LimitUseRow& Model::TouchAsker(const Subject& subject) {
  Scope scope = subject.user.empty() ? Scope::kProject : Scope::kUser;
  return TouchUse(scope, *model::PartsIn(scope, subject));
}

// --- Expiry

void Model::ExpireDue() {
  while (!due_.empty() && std::get<int64_t>(*due_.begin()) <= log_us_) {
    auto [due_us, tenant, id] = *due_.begin();
    due_.erase(due_.begin());
    event_ = Event();
    event_.tenant = tenant;
    event_.id = id;
    const AskRow* ask = Find(&Tables::ask, AskName(id));
    if (ask != nullptr && ask->state == AskState::kOpen && ask->due_us == due_us) {
      Expire(Touch(&Tables::ask, AskName(id)));
      KeepNewRows();
    }
    event_ = Event();
  }
}

void Model::Expire(AskRow& ask) {
  GiveBack(ask);
  ask.state = AskState::kExpired;
  ask.closed_us = ask.due_us;
  if (ask.type != EventType::kLeaseAsked) return;
  Amounts charge = model::AmountsOf(ask.amounts);
  Amounts report = model::AmountsOf(ask.settled);
  AddUse(ask.subject, Greater(charge, report), ask.verdict.judged_us, ask.due_us);
  for (Scope scope : model::ScopesOf(ask.subject)) {
    model::LimitUseRow& use = TouchUse(scope, *model::PartsIn(scope, ask.subject));
    for (const auto& [meter, amount] : Above(charge, report)) use.burned[meter] += amount;
    use.Clamp();
  }
}

void Model::ForgetGone() {
  while (!gone_.empty() && gone_.begin()->first <= log_us_) {
    auto ask = rows_.ask.find(gone_.begin()->second);
    if (ask != rows_.ask.end() && ask->second.gone_us <= log_us_) rows_.ask.erase(ask);
    gone_.erase(gone_.begin());
  }
}

// Called of every ask that is kept, so that each moment of its row is noted, also one that a later row takes back.
void Model::NoteMoments(const std::string& name, const AskRow& ask) {
  if (ask.state == AskState::kOpen) due_.emplace(ask.due_us, ask.tenant, ask.id);
  gone_.emplace(ask.gone_us, name);
}

// --- Counters

void Model::MakeCounters() {
  bool is_looked_at = options_.off_makes_counters || Policy().enforcement != Enforcement::kOff;
  if (IsAsk(event_.type) && is_looked_at) MakeCountersOf(SubjectOf(event_.asked));
  if (event_.type <= EventType::kConfigChanged) {
    for (const CountedFact& fact : FactsAtHand()) MakeCountersOf(fact.subject);
  }
  KeepNewRows();  // they stay, whatever becomes of the record
}

void Model::MakeCountersOf(const Subject& subject) {
  for (const model::Applying& applying : LimitsOn(subject)) {
    if (!model::HasCounter(applying.limit.window)) continue;
    Subject parts = *model::PartsIn(applying.over, subject);
    std::pair key(applying.limit.meter, applying.limit.window);
    const model::LimitUseRow* use = Find(&Tables::limit_use, UseName(applying.over, parts));
    if (use != nullptr && use->counters.contains(key)) continue;
    model::Counter counter = FreshCounter(applying.over, parts, key.first, key.second);
    TouchUse(applying.over, parts).counters[key] = counter;
  }
}

// Begins with what rows already say.
model::Counter Model::FreshCounter(Scope scope, const Subject& parts, Meter meter, Window window) const {
  model::Counter counter;
  counter.window = window;
  counter.counting_since_us = log_us_;
  if (IsCalendar(window)) counter.span = SpanOf(window, Policy().zone, log_us_);
  std::string project_user = RowName("project_user", event_.tenant).Text(parts.user).Text(parts.project).Take();
  std::string project = RowName("project", event_.tenant).Text(parts.project).Take();
  bool is_over_project = scope == Scope::kProject || scope == Scope::kUserInProject;
  if (is_over_project && meter == Meter::kSearches && window == Window::kRolling24h) {
    const model::ProjectRow* row =
        scope == Scope::kProject ? Find(&Tables::project, project) : Find(&Tables::project_user, project_user);
    if (row != nullptr) SeedRing(row->searches_ring, &counter);
  }
  if (scope != Scope::kUser || meter > Meter::kCost) return counter;

  const model::AccountRow* account = Find(&Tables::account, RowName("account", event_.tenant).Text(parts.user).Take());
  if (window == Window::kLifetime) {
    counter.used = account == nullptr ? Int{0} : AmountOf(model::AmountsOf(account->usage), meter);
    counter.counting_since_us = 0;
  }
  if (window == Window::kRolling24h && meter == Meter::kRequests && account != nullptr) {
    SeedRing(account->requests_ring, &counter);
  }
  FoldTime now{log_us_};
  Period month = Period::Of(now);
  if (window == Window::kMonth && counter.span == Span{month.start_us(), month.end_us()}) {
    RowName name("period", event_.tenant);
    const model::PeriodRow* row = Find(&Tables::period, name.Text(parts.user).Number(month.month).Take());
    counter.used = row == nullptr ? Int{0} : AmountOf(model::AmountsOf(row->usage), meter);
    counter.counting_since_us = counter.span.start_us;
  }
  int64_t day = DayOf(now);
  if (window == Window::kDay && counter.span == Span{day * kUsPerDay, (day + 1) * kUsPerDay}) {
    RowName name("day", event_.tenant);
    const model::DayRow* row = Find(&Tables::day, name.Text(parts.user).Number(day).Take());
    counter.used = row == nullptr ? Int{0} : AmountOf(model::AmountsOf(*row), meter);
    counter.counting_since_us = counter.span.start_us;
  }
  counter.used = std::clamp<Int>(counter.used, INT64_MIN, INT64_MAX);
  return counter;
}

void Model::SeedRing(const model::HourRing& ring, model::Counter* counter) const {
  for (const auto& [hour, count] : ring.buckets) counter->Add(hour * kUsPerHour, count, Zone());
  counter->counting_since_us = std::max<int64_t>(ring.newest - model::kRingHours, 0) * kUsPerHour;
}

void Model::AddToCounters(const Subject& subject, const Amounts& amounts, int64_t at_us) {
  Zone zone = Policy().zone;
  for (Scope scope : model::ScopesOf(subject)) {
    Subject parts = *model::PartsIn(scope, subject);
    const model::LimitUseRow* standing = Find(&Tables::limit_use, UseName(scope, parts));
    if (standing == nullptr || standing->counters.empty()) continue;
    for (auto& [key, counter] : TouchUse(scope, parts).counters) {
      Int amount = AmountOf(amounts, key.first);
      if (amount != 0) counter.Add(at_us, amount, zone);
    }
  }
}

// --- Facts

std::vector<CountedFact> Model::FactsAtHand() const {
  EventType type = event_.type;
  std::vector<CountedFact> facts;
  if (type == EventType::kTurnRecorded) {
    const Turn& turn = event_.turn;
    facts.push_back({{std::string(turn.user), "", ""}, model::AmountsOf(turn), EnvelopePlace().us});
  } else if (type == EventType::kTurnAmended) {
    const Amendment& amendment = event_.amendment;
    facts.push_back({{std::string(amendment.user), "", ""},
                     model::AmountsOf(amendment),
                     PlaceAt(amendment.original_time, append_).us});
  } else if (type == EventType::kInteractionRecorded || type == EventType::kInteractionBatch) {
    for (const Interaction& item : event_.interactions) {
      facts.push_back({{std::string(item.user), "", ""}, model::AmountsOf(item), PlaceAt(item.event_time, append_).us});
    }
  } else if (type == EventType::kConfigChanged) {
    const ConfigChange& config = event_.config;
    facts.push_back({{std::string(config.user), std::string(config.project), ""},
                     {{Meter::kConfigChanges, 1}},
                     EnvelopePlace().us});
  } else if (IsVector(type)) {
    const Operation& operation = event_.operation;
    facts.push_back({{std::string(operation.user), std::string(operation.project), std::string(operation.collection)},
                     model::AmountsOf(type, operation),
                     EnvelopePlace().us});
  }
  return facts;
}

// The ask that the fact may settle or spend, and what that changes of the fact itself.
void Model::FindNamedAsk() {
  named_.clear();
  is_request_admitted_ = false;
  do_amounts_fit_ = true;
  if (event_.type > EventType::kConfigChanged || !event_.ask.has_value()) return;
  const AskRow* ask = Find(&Tables::ask, AskName(*event_.ask));
  if (ask == nullptr) return;
  std::vector<CountedFact> facts = FactsAtHand();
  if (facts.empty()) return;  // of a session, or of what is known: it counts nothing
  Subject of = facts.front().subject;
  bool is_same_user = ask->subject.user.empty() || ask->subject.user == of.user;
  bool is_same_project = ask->subject.project.empty() || of.project.empty() || ask->subject.project == of.project;
  bool is_to_be_found = (ask->state == AskState::kAdmitted && !ask->is_spent) || ask->state == AskState::kOpen;
  bool is_lease = ask->type == EventType::kLeaseAsked;  // which speaks for its own meters, unless it was given back
  is_to_be_found |= is_lease && (ask->state == AskState::kSettled || ask->state == AskState::kExpired);
  if (!is_same_user || !is_same_project || !is_to_be_found) return;
  named_ = AskName(*event_.ask);
  is_request_admitted_ = event_.type == EventType::kTurnRecorded && ask->type == EventType::kAdmitAsked &&
                         model::AmountsOf(ask->amounts).contains(Meter::kRequests);
}

void Model::CountFacts() {
  std::vector<CountedFact> facts = FactsAtHand();
  if (!named_.empty()) SettleNamedAsk(&facts.front());
  do_amounts_fit_ &= HasRoom(facts);  // of what is left to add
  for (const CountedFact& fact : facts) AddUse(fact.subject, fact.amounts, fact.place_us, log_us_);
}

// Whether every counter has room for all that the record adds to the scope, wherever in time it falls; and, of an ask,
// what is held there.
bool Model::HasRoom(const std::vector<CountedFact>& facts) const {
  std::map<std::string, Amounts> sums;  // by scope
  for (const CountedFact& fact : facts) {
    for (Scope scope : model::ScopesOf(fact.subject)) {
      Amounts& sum = sums[UseName(scope, *model::PartsIn(scope, fact.subject))];
      for (const auto& [meter, amount] : fact.amounts) sum[meter] += amount;
    }
  }
  model::FitCheck check;
  for (const auto& [name, sum] : sums) {
    const model::LimitUseRow* use = Find(&Tables::limit_use, name);
    if (use == nullptr) continue;
    for (const auto& [meter, amount] : sum) {
      if (IsAsk(event_.type)) check.Sum(AmountOf(use->held, meter) + amount);
      for (const auto& [key, counter] : use->counters) {
        if (key.first != meter) continue;
        check.Sum(amount);
        if (!IsRolling(key.second)) check.Sum(counter.used + amount);  // of a rolling one, each step has room
      }
    }
  }
  return check.fits();
}

void Model::SettleNamedAsk(CountedFact* fact) {
  AskRow& ask = Touch(&Tables::ask, named_);
  ask.is_spent = true;
  fact->place_us = std::max(fact->place_us, ask.verdict.judged_us);
  if (ask.type == EventType::kHoldAsked) {
    GiveBack(ask);
    ask.state = AskState::kSettled;
    ask.closed_us = fact->place_us;
    ask.closed_by = event_.id;
    model::FitCheck check;
    for (const Amount& held : ask.amounts) {
      Int used = AmountOf(fact->amounts, held.meter);
      check.Sum(used);
      ask.settled.push_back({held.meter, static_cast<int64_t>(used)});
    }
    do_amounts_fit_ &= check.fits();
    return;
  }
  for (const Amount& asked : ask.amounts) {
    Int& adds = fact->amounts[asked.meter];
    if (ask.type == EventType::kLeaseAsked) adds = 0;
    if (ask.type == EventType::kAdmitAsked) adds = std::max<Int>(adds - asked.amount, 0);
  }
}

// --- Asks

void Model::FoldAsk() {
  AskRow& ask = Touch(&Tables::ask, AskName(event_.id));
  ask.id = event_.id;
  ask.type = event_.type;
  ask.subject = SubjectOf(event_.asked);
  ask.amounts = InOrder(event_.asked.amounts);
  ask.verdict = Judge(ask);
  for (model::LimitUseRow* use : {&TouchUse(Scope::kTenant, {}), &TouchAsker(ask.subject)}) {
    (ask.verdict.is_allowed ? use->admitted : use->refused) += 1;
  }
  ask.gone_us = log_us_ + kKeptUs;
  if (!ask.verdict.is_allowed) return;
  if (ask.type == EventType::kAdmitAsked) {
    ask.state = AskState::kAdmitted;
    CountAdmit(ask);
  } else {
    ask.state = AskState::kOpen;
    ask.due_us = log_us_ + event_.asked.ttl_us;
    ask.gone_us = ask.due_us + kKeptUs;
    Hold(ask, +1);
  }
}

// What a refused ask says was to be done to a project.
std::optional<EventType> Model::RefusedOperation() const {
  auto asks_for = [this](std::initializer_list<Meter> meters) {
    for (const Amount& amount : event_.asked.amounts) {
      for (Meter meter : meters) {
        if (amount.meter == meter && amount.amount > 0) return true;
      }
    }
    return false;
  };
  if (event_.asked.project.empty()) return std::nullopt;
  if (asks_for({Meter::kCollections})) return EventType::kCollectionCreated;
  if (asks_for({Meter::kSearches})) return EventType::kVectorsSearched;
  if (asks_for({Meter::kVectors, Meter::kBytes})) return EventType::kVectorsAdded;
  return std::nullopt;
}

// Once the ask itself is folded: then what it counts as, all of it or nothing.
void Model::CountRefused() {
  const AskRow* ask = Find(&Tables::ask, AskName(event_.id));
  std::optional<EventType> type = RefusedOperation();
  if (ask == nullptr || ask->verdict.is_allowed || !type.has_value()) return;
  Event record = event_;
  event_.type = *type;
  event_.event_time.us = append_.us = log_us_;
  event_.operation = Operation();
  event_.operation.user = record.asked.user;
  event_.operation.project = record.asked.project;
  event_.operation.collection = record.asked.collection;
  event_.operation.status = OperationStatus::kQuotaExceeded;
  is_over_cardinality_ = false;
  FoldOperation();
  std::string project = RowName("project", event_.tenant).Text(event_.operation.project).Take();
  Touch(&Tables::project, project).events -= 1;  // the ask is one of the tenant's
  if (NewRowsFit() && !is_over_cardinality_) {
    KeepNewRows();
    Remember();
  }
  new_ = Tables();
  event_ = record;
}

void Model::CountAdmit(const AskRow& ask) {
  Amounts amounts = model::AmountsOf(ask.amounts);
  AddUse(ask.subject, amounts, log_us_, log_us_);
  Int requests = AmountOf(amounts, Meter::kRequests);
  if (requests == 0) return;
  if (ask.subject.user.empty()) {
    TouchTenant().usage.requests += requests;
    return;
  }
  FoldTime now{log_us_};
  Place at = TouchPlace(ask.subject.user, now);
  for (model::Usage* usage : {&at.account.usage, &at.period.usage, &at.tenant.usage}) usage->requests += requests;
  at.account.requests_ring.Add(HourOf(now));
  at.day.requests += requests;
  at.day.hours[static_cast<size_t>(HourOf(now) - DayOf(now) * 24)] += requests;
}

model::Verdict Model::Judge(const AskRow& ask) {
  model::Verdict verdict;
  verdict.judged_us = log_us_;
  verdict.enforcement = Policy().enforcement;
  bool is_refused = false;
  bool passes = true;
  if (verdict.enforcement != Enforcement::kOff) {
    for (const model::Applying& applying : LimitsOn(ask.subject)) {
      model::Status status = Stand(ask, applying);
      if (status.is_exceeded && status.limit.mode == LimitMode::kHard) {
        is_refused = true;
        passes &= PassesByTime(status);
        verdict.retry_at_us = std::max(verdict.retry_at_us, status.reset_us);
      }
      verdict.limits.push_back(std::move(status));
    }
  }
  if (!passes) verdict.retry_at_us = model::kNone;
  bool is_hold = ask.type != EventType::kAdmitAsked;
  bool has_many_holds = is_hold && TouchAsker(ask.subject).open_holds >= kOpenHoldsMax;
  bool lets_through = verdict.enforcement != Enforcement::kOn;
  if (!HasRoom({{ask.subject, model::AmountsOf(ask.amounts), log_us_}})) {
    verdict.refusal = model::Refusal::kOverflow;
  } else if (has_many_holds) {
    verdict.refusal = model::Refusal::kTooManyHolds;
  } else if (is_refused && !lets_through) {
    verdict.refusal = model::Refusal::kLimit;
  } else {
    verdict.is_allowed = true;
    if (is_refused) verdict.refusal = model::Refusal::kLimit;
  }
  return verdict;
}

model::Status Model::Stand(const AskRow& ask, const model::Applying& applying) const {
  const Limit& limit = applying.limit;
  Subject parts = *model::PartsIn(applying.over, ask.subject);
  model::Status status{limit, applying.over, applying.level, applying.source, applying.definition};
  const model::LimitUseRow* use = Find(&Tables::limit_use, UseName(applying.over, parts));
  const model::Counter* counter = nullptr;
  if (model::HasCounter(limit.window)) counter = &use->counters.at({limit.meter, limit.window});
  status.used = counter == nullptr ? GaugeOf(applying.over, parts, limit.meter) : counter->UsedAt(log_us_);
  status.held = use == nullptr ? Int{0} : AmountOf(use->held, limit.meter);
  status.asked = AmountOf(model::AmountsOf(ask.amounts), limit.meter);

  Int cap = *limit.cap;
  if (status.asked > 0) {
    status.is_exceeded = status.used + status.held + status.asked > cap;
  } else {
    status.is_exceeded = model::IsBudget(limit.meter) && status.used + status.held >= cap;
  }
  if (IsCalendar(limit.window)) {
    bool is_over = counter->IsSpanOver(log_us_) || !options_.reset_keeps_span;
    Span span = is_over ? SpanOf(limit.window, Policy().zone, log_us_) : counter->span;
    status.reset_us = span.end_us;
  }
  if (IsRolling(limit.window) && status.is_exceeded) {
    Int fits = cap - status.held - std::max<Int>(status.asked, 1);
    if (fits >= 0) status.reset_us = counter->FreeAt(log_us_, fits).value_or(model::kNone);
  }
  status.used = std::clamp<Int>(status.used, INT64_MIN, INT64_MAX);  // a rolling window's steps fit, not their sum
  return status;
}

// Whether the ask would fit at reset_us if nothing came.
bool Model::PassesByTime(const model::Status& status) const {
  if (IsCalendar(status.limit.window)) {
    return status.held + std::max<Int>(status.asked, 1) <= *status.limit.cap;
  }
  return status.reset_us != model::kNone;
}

Int Model::GaugeOf(Scope scope, const Subject& parts, Meter meter) const {
  auto of = [&](const auto* row) {
    if (row == nullptr) return Int{0};
    return meter == Meter::kVectors ? row->vectors : meter == Meter::kBytes ? row->bytes : row->collections;
  };
  if (scope == Scope::kUser) return of(Find(&Tables::user_gauges, GaugesName(parts.user)));
  if (scope == Scope::kTenant) return of(Find(&Tables::tenant, RowName("tenant", event_.tenant).Take()));
  if (scope == Scope::kProject) {
    return of(Find(&Tables::project, RowName("project", event_.tenant).Text(parts.project).Take()));
  }
  if (scope == Scope::kUserInProject) {
    RowName name("project_user", event_.tenant);
    return of(Find(&Tables::project_user, name.Text(parts.user).Text(parts.project).Take()));
  }
  RowName name("collection", event_.tenant);
  const model::CollectionRow* row = Find(&Tables::collection, name.Text(parts.project).Text(parts.collection).Take());
  if (row == nullptr || meter == Meter::kCollections) return 0;
  return meter == Meter::kVectors ? row->vectors : row->bytes;
}

void Model::Hold(const AskRow& ask, int sign) {
  for (Scope scope : model::ScopesOf(ask.subject)) {
    model::LimitUseRow& use = TouchUse(scope, *model::PartsIn(scope, ask.subject));
    for (const Amount& amount : ask.amounts) use.held[amount.meter] += sign * Int{amount.amount};
  }
  TouchAsker(ask.subject).open_holds += sign;
}

void Model::GiveBack(const AskRow& ask) { Hold(ask, -1); }

// --- Ends

void Model::FoldEnd() {
  std::string name = AskName(event_.end.hold);
  const AskRow* standing = Find(&Tables::ask, name);
  if (standing == nullptr || standing->type == EventType::kAdmitAsked) return;
  bool is_lease = standing->type == EventType::kLeaseAsked;
  if (event_.type == EventType::kHoldSettled && is_lease) return;
  if (event_.type == EventType::kLeaseSettled && !is_lease) return;
  if (standing->state == AskState::kOpen) EndOpen(Touch(&Tables::ask, name));
  bool is_settled = event_.type != EventType::kHoldReleased;
  if (standing->state == AskState::kExpired && is_settled) EndExpired(Touch(&Tables::ask, name));
}

void Model::EndOpen(AskRow& ask) {
  const HoldEnd& end = event_.end;
  bool is_settled = event_.type != EventType::kHoldReleased;
  bool is_report = event_.type == EventType::kLeaseSettled && !end.is_final;
  if (is_settled) ask.settled = InOrder(end.amounts);
  if (is_report) return;
  bool is_lease = ask.type == EventType::kLeaseAsked;
  int64_t at_us = is_lease ? ask.verdict.judged_us : log_us_;
  if (is_settled) do_amounts_fit_ = HasRoom({{ask.subject, model::AmountsOf(end.amounts), at_us}});
  GiveBack(ask);
  ask.state = is_settled ? AskState::kSettled : AskState::kReleased;
  ask.closed_us = log_us_;
  ask.closed_by = event_.id;
  if (is_settled) AddUse(ask.subject, model::AmountsOf(end.amounts), at_us, log_us_);
}

// It had been given back already, and of a lease the charge or its last report was added.
void Model::EndExpired(AskRow& ask) {
  Amounts amounts = model::AmountsOf(event_.end.amounts);
  if (ask.type == EventType::kLeaseAsked) {
    Amounts charge = model::AmountsOf(ask.amounts);
    Amounts report = model::AmountsOf(ask.settled);
    for (Scope scope : model::ScopesOf(ask.subject)) {
      model::LimitUseRow& use = TouchUse(scope, *model::PartsIn(scope, ask.subject));
      for (const auto& [meter, burned] : Above(charge, report)) {
        use.burned[meter] -= std::min(burned, AmountOf(Above(amounts, report), meter));
      }
    }
    Amounts above = Above(amounts, Greater(charge, report));
    do_amounts_fit_ = HasRoom({{ask.subject, above, ask.verdict.judged_us}});
    AddUse(ask.subject, above, ask.verdict.judged_us, log_us_);
  } else {
    do_amounts_fit_ = HasRoom({{ask.subject, amounts, log_us_}});
    AddUse(ask.subject, amounts, log_us_, log_us_);
  }
  ask.state = AskState::kSettled;
  ask.closed_us = log_us_;
  ask.closed_by = event_.id;
  ask.settled = InOrder(event_.end.amounts);
}

}  // namespace odometer
