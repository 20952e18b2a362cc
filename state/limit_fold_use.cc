// What limits have used, of LimitFold: counters, what they begin with, and what facts add.

#include <algorithm>

#include "core/period.h"
#include "core/planted.h"
#include "state/limit_fold.h"

namespace odometer {

namespace {

// The nearest that there is. What may be refused was seen to have room; a lease that expires has to be added.
int64_t SumOf(int64_t figure, int64_t amount) {
  __int128 sum = static_cast<__int128>(figure) + amount;
  return static_cast<int64_t>(std::clamp<__int128>(sum, INT64_MIN, INT64_MAX));
}

// What a fact adds is that of its own hour, day or month: what came late for it is not of this one.
void Add(Counter* counter, const Zone& zone, int64_t amount, int64_t at_us) {
  auto window = static_cast<Window>(counter->window);
  if (IsRolling(window)) {
    int64_t standing = counter->steps.At(counter->steps.StepOf(at_us));
    counter->steps.Add(at_us, SumOf(standing, amount) - standing);
    return;
  }
  if (IsCalendar(window)) {
    MoveTo(zone, at_us, counter);
    if (at_us < counter->start_us) return;
  }
  counter->used = SumOf(counter->used, amount);
}

bool CanAdd(const Counter& counter, __int128 amount, int64_t at_us) {
  if (amount > INT64_MAX || amount < INT64_MIN) return false;
  if (IsRolling(static_cast<Window>(counter.window))) return counter.steps.CanAdd(at_us, static_cast<int64_t>(amount));
  __int128 sum = counter.used + amount;
  return sum <= INT64_MAX && sum >= INT64_MIN;
}

// Whether what both do is counted by the same row. Of one tenant, and both lie in the scope or neither.
bool AreOneIn(Scope scope, const Subject& a, const Subject& b) {
  bool is_by_user = scope == Scope::kUser || scope == Scope::kUserInProject;
  bool is_by_project = scope != Scope::kTenant && scope != Scope::kUser;
  return (!is_by_user || a.user == b.user) && (!is_by_project || a.project == b.project) &&
         (scope != Scope::kCollection || a.collection == b.collection);
}

}  // namespace

Result<LimitFold::UseNode*> LimitFold::UseOf(Scope scope, const Subject& subject) {
  return tables_.limit_uses.Find(UseKey(tables_.key, scope, subject).view());
}

Result<LimitFold::UseNode*> LimitFold::MakeUse(Scope scope, const Subject& subject) {
  Result<UseNode*> node = tables_.limit_uses.FindOrMake(UseKey(tables_.key, scope, subject).view());
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
  subject_name_.clear();
  for (std::string_view part : {subject.tenant, subject.user, subject.project, subject.collection}) {
    subject_name_ += std::to_string(part.size());
    subject_name_ += ':';
    subject_name_ += part;
  }
  // One record asks for the same again and again.
  if (last_resolved_ != nullptr && last_resolved_->first == subject_name_) return &last_resolved_->second;
  auto known = resolved_.find(subject_name_);
  if (known == resolved_.end()) {
    ODOMETER_RETURN_IF_ERROR(Resolve(*this, subject, &limits_));
    if (resolved_.size() >= kSubjectsMax) resolved_.clear();
    known = resolved_.try_emplace(subject_name_, limits_).first;
  }
  last_resolved_ = &*known;
  return static_cast<const std::vector<AppliedLimit>*>(&known->second);
}

// A counter is made by the first ask or fact of its scope that a limit applies to, and stays.
Status LimitFold::EnsureCounters(const Subject& subject, const std::vector<AppliedLimit>& limits, int64_t at_us) {
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, Policy(subject.tenant));
  for (const AppliedLimit& limit : limits) {
    Window window = limit.limit.window;
    if (!IsCounted(window)) continue;
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(limit.scope, subject));
    if (use != nullptr && FindCounter(use->row.counters, limit.limit.meter, window) != nullptr) continue;
    Result<Counter> counter = NewCounter(*this, limit, subject, ZoneOf(policy), at_us);
    if (!counter.ok()) return counter.status();
    ODOMETER_ASSIGN(use, MakeUse(limit.scope, subject));
    std::vector<Counter>& counters = use->row.counters;
    counters.push_back(std::move(*counter));
    std::sort(counters.begin(), counters.end(), [](const Counter& a, const Counter& b) {
      return std::pair(a.meter, a.window) < std::pair(b.meter, b.window);
    });
  }
  return Status::Ok();
}

Status LimitFold::AddTo(const Subject& subject, const MeterSums& amounts, int64_t at_us) {
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, Policy(subject.tenant));
  const Zone& zone = ZoneOf(policy);
  if (options_.on_use) options_.on_use(subject, amounts, at_us);
  bool is_off = policy == nullptr || static_cast<Enforcement>(policy->enforcement) == Enforcement::kOff;
  const std::vector<AppliedLimit>* limits = nullptr;
  if (!is_off) {
    ODOMETER_ASSIGN(limits, LimitsOf(subject));
    ODOMETER_RETURN_IF_ERROR(LookForCrossings(subject, *limits, false));
  }
  ODOMETER_RETURN_IF_ERROR(ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(scope, subject));
    if (use == nullptr || use->row.counters.empty()) return Status::Ok();
    for (Counter& counter : use->row.counters) {
      auto amount = static_cast<int64_t>(amounts[counter.meter - 1]);
      if (amount != 0) Add(&counter, zone, amount, at_us);
    }
    tables_.limit_uses.MarkDirty(use);
    return Status::Ok();
  }));
  return is_off ? Status::Ok() : LookForCrossings(subject, *limits, true);
}

// Before the subject's use grows, and after.
Status LimitFold::LookForCrossings(const Subject& subject, const std::vector<AppliedLimit>& limits, bool has_grown) {
  for (const AppliedLimit& limit : limits) {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(limit.scope, subject));
    if (!has_grown && (use == nullptr || use->row.crossings.empty())) continue;
    std::optional<Standing> standing;
    ODOMETER_ASSIGN(standing, StandingNow(limit, subject, use));
    if (!standing) continue;
    if (use != nullptr && Crossings::Lower(*standing, &use->row)) tables_.limit_uses.MarkDirty(use);
    if (!has_grown || !Crossings::HasReached(*standing)) continue;
    ODOMETER_ASSIGN(use, MakeUse(limit.scope, subject));
    crossings_.Raise(subject, *standing, moment_, &use->row);
  }
  return Status::Ok();
}

// nullopt: nothing counts it yet.
Result<std::optional<Standing>> LimitFold::StandingNow(const AppliedLimit& limit, const Subject& subject,
                                                       const UseNode* use) {
  Standing standing;
  standing.limit = &limit;
  if (!IsCounted(limit.limit.window)) {
    ODOMETER_ASSIGN(standing.used, GaugeOf(*this, limit.scope, subject, limit.limit.meter));
    return std::optional(standing);
  }
  if (use != nullptr) standing.counter = FindCounter(use->row.counters, limit.limit.meter, limit.limit.window);
  if (standing.counter == nullptr) return std::optional<Standing>();
  standing.used = UsedAt(*standing.counter, moment_.at_us);
  return std::optional(standing);
}

// Whether every counter of the subject's scopes has room for the amounts, also one whose span is another; and what is
// held there, if they are to be held.
Result<bool> LimitFold::HasRoom(const Subject& subject, const MeterSums& amounts, int64_t at_us, bool are_held) {
  bool has_room = true;
  Status looked = ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(scope, subject));
    if (use == nullptr) return Status::Ok();
    for (const Counter& counter : use->row.counters) has_room &= CanAdd(counter, amounts[counter.meter - 1], at_us);
    for (size_t i = 0; i < kMeters && are_held; ++i) has_room &= use->row.held[i] + amounts[i] <= INT64_MAX;
    return Status::Ok();
  });
  if (!looked.ok()) return looked;
  return has_room;
}

// --- facts

Result<Reason> LimitFold::Prepare(Event* event, uint32_t slot, AppendTime append, int64_t log_time_us) {
  if (event->type == EventType::kTurnRecorded) event->turn.is_admitted = false;
  named_ask_ = nullptr;
  moment_ = {log_time_us, event->id};
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, PolicyIn(slot, event->tenant));
  parts_.clear();
  if (!event->ask && policy == nullptr && !options_.on_use) return Reason::kNone;
  PartsOf(*event, append, &parts_);
  if (parts_.empty()) return Reason::kNone;
  if (event->ask) ODOMETER_RETURN_IF_ERROR(NameAsk(event));
  for (const FactPart& part : parts_) {
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
  ODOMETER_ASSIGN(ask, FindAsk(event->tenant, *event->ask));
  if (ask == nullptr) return Status::Ok();
  const AskRow& row = ask->row;
  const Subject& subject = parts_.front().subject;
  bool is_its = (row.user.empty() || row.user == subject.user) &&
                (row.project.empty() || row.project == subject.project || subject.project.empty());
  auto state = static_cast<AskState>(row.state);
  // What is spent of a lease is charged or reported by the lease, also when the fact comes after its end.
  bool is_charged = row.type == EventType::kLeaseAsked && (state == AskState::kSettled || state == AskState::kExpired);
  bool is_live = (state == AskState::kAdmitted && !row.spent) || state == AskState::kOpen || is_charged;
  if (!is_its || !is_live) return Status::Ok();
  named_ask_ = ask;
  FactPart& part = parts_.front();
  part.at_us = std::max(part.at_us, row.verdict.judged_us);
  // What the ask has been charged for already is not added again; a hold is replaced, so all of its fact is.
  if (row.type == EventType::kHoldAsked) return Status::Ok();
  for (const AmountItem& item : row.amounts) {
    __int128& amount = part.amounts[item.meter - 1];
    bool is_lease = row.type == EventType::kLeaseAsked;
    if (PlantedBug("lease_counted_twice") && is_lease) continue;
    amount = is_lease ? 0 : std::max<__int128>(amount - item.amount, 0);
    if (!is_lease && item.meter == static_cast<uint8_t>(Meter::kRequests) && event->type == EventType::kTurnRecorded)
      event->turn.is_admitted = true;
  }
  return Status::Ok();
}

// Whether every counter of the part's scopes has room for what the record's parts add to it: of a rolling one, to the
// part's step.
Result<bool> LimitFold::HasRoomWithOthers(const FactPart& part) {
  bool has_room = true;
  Status looked = ForEachScope(part.subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, UseOf(scope, part.subject));
    if (use == nullptr) return Status::Ok();
    for (const Counter& counter : use->row.counters) {
      bool is_rolling = IsRolling(static_cast<Window>(counter.window));
      __int128 sum = 0, here = 0;
      for (const FactPart& other : parts_) {
        if (!AreOneIn(scope, part.subject, other.subject)) continue;
        sum += other.amounts[counter.meter - 1];
        bool is_here = !is_rolling || counter.steps.StepOf(other.at_us) == counter.steps.StepOf(part.at_us);
        if (is_here) here += other.amounts[counter.meter - 1];
      }
      has_room &= sum <= INT64_MAX && CanAdd(counter, here, part.at_us);
    }
    return Status::Ok();
  });
  if (!looked.ok()) return looked;
  return has_room;
}

// No part of a batch is negative: if each had room for all of it, no closer look is needed.
Result<bool> LimitFold::HasRoomForParts() {
  MeterSums sums{};
  for (const FactPart& part : parts_) {
    for (size_t i = 0; i < kMeters; ++i) sums[i] += part.amounts[i];
  }
  for (const FactPart& part : parts_) {
    bool has_room = false;
    ODOMETER_ASSIGN(has_room, HasRoom(part.subject, sums, part.at_us, false));
    if (!has_room && parts_.size() > 1) ODOMETER_ASSIGN(has_room, HasRoomWithOthers(part));
    if (!has_room) return false;
  }
  if (named_ask_ == nullptr || named_ask_->row.type != EventType::kHoldAsked) return true;
  // It is written down what became of each amount that was held.
  for (const AmountItem& item : named_ask_->row.amounts) {
    __int128 used = parts_.front().amounts[item.meter - 1];
    if (used > INT64_MAX || used < INT64_MIN) return false;
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
  for (const FactPart& part : parts_) ODOMETER_RETURN_IF_ERROR(AddTo(part.subject, part.amounts, part.at_us));
  return Status::Ok();
}

}  // namespace odometer
