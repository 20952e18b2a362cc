#include "state/limit_fold.h"

#include <algorithm>

#include "core/planted.h"

namespace odometer {

namespace {

Subject SubjectOf(std::string_view tenant, const AskRow& ask) {
  return {tenant, ask.user, ask.project, ask.collection};
}

MeterSums AmountsOf(const std::vector<AmountItem>& items) {
  MeterSums amounts{};
  for (const AmountItem& item : items) amounts[item.meter - 1] += item.amount;
  return amounts;
}

std::vector<AmountItem> ItemsOf(const std::vector<Amount>& amounts) {
  std::vector<AmountItem> items;
  items.reserve(amounts.size());
  for (const Amount& amount : amounts) items.push_back({static_cast<uint8_t>(amount.meter), amount.amount});
  std::sort(items.begin(), items.end(), [](const AmountItem& a, const AmountItem& b) { return a.meter < b.meter; });
  return items;
}

KeyBuilder& DueKey(KeyBuilder& key, int64_t due_us, std::string_view tenant, const Uuid& id) {
  return key.Begin(RowKind::kHoldDue).Number(due_us).Text(tenant).Id(id);
}

}  // namespace

Status LimitFold::Open(const Store& store) {
  ODOMETER_RETURN_IF_ERROR(crossings_.Open(store));
  std::string begin = KeyBuilder().Begin(RowKind::kHoldDue).str();
  return store.NewView()->Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view) {
    KeyReader reader(key);
    int64_t due_us = 0;
    std::string_view tenant;
    Uuid id;
    if (reader.Number(&due_us) && reader.Text(&tenant) && reader.Id(&id))
      due_.insert({due_us, {std::string(tenant), id}});
    return true;
  });
}

std::optional<int64_t> LimitFold::next_due_us() const {
  return due_.empty() ? std::nullopt : std::optional<int64_t>(due_.begin()->first);
}

Status LimitFold::ExpireUntil(int64_t log_time_us) {
  while (!due_.empty() && due_.begin()->first <= log_time_us) {
    Due due = *due_.begin();
    ODOMETER_RETURN_IF_ERROR(Expire(due.second, due.first));
  }
  return Status::Ok();
}

void LimitFold::WriteDue(RowBatch* batch) const {
  KeyBuilder key;
  for (const auto& [due, is_open] : due_changes_) {
    std::string_view name = DueKey(key, due.first, due.second.tenant, due.second.id).view();
    if (is_open) {
      batch->Put(name, EncodeRow(DueRow()));
    } else {
      batch->Delete(name);
    }
  }
}

Status LimitFold::RemoveGone(const Store& store, int64_t log_time_us) {
  return retention_.Remove(store, tables_.asks, log_time_us);
}

void LimitFold::WriteTo(RowKind kind, RowBatch* batch) const {
  if (kind == RowKind::kHoldDue) return WriteDue(batch);
  if (kind == RowKind::kAskGone) return retention_.WriteTo(batch);
  crossings_.WriteTo(kind, batch);
}

void LimitFold::MarkClean() {
  due_changes_.clear();
  retention_.MarkClean();
  crossings_.MarkClean();
}

Reason LimitFold::FoldCrossed(const Event& event, uint64_t offset) {
  return crossings_.ReadBack(event, offset) ? Reason::kNone : Reason::kNotCrossed;
}

Result<const AskRow*> LimitFold::FirstOf(const Event& ask, int64_t log_time_us) {
  moment_ = {log_time_us, ask.id};
  Result<AskNode*> node = FindAsk(ask.tenant, ask.id);
  if (!node.ok()) return node.status();
  return *node == nullptr ? nullptr : static_cast<const AskRow*>(&(*node)->row);
}

// Asks, ends and definitions are events of the tenant as a whole; an ask stands in its tenant's time, too.
Result<Reason> LimitFold::Fold(const Event& event, int64_t log_time_us) {
  last_ask_ = nullptr;
  moment_ = {log_time_us, event.id};
  Result<Reason> folded = IsAsk(event.type)       ? FoldAsk(event, log_time_us)
                          : IsHoldEnd(event.type) ? FoldEnd(event, log_time_us)
                                                  : FoldDefinition(event);
  if (!folded.ok() || *folded != Reason::kNone) return folded;
  Result<TenantNode*> tenant =
      tables_.tenants.FindOrMake(tables_.key.Begin(RowKind::kTenant).Text(event.tenant).view());
  if (!tenant.ok()) return tenant.status();
  change_.Begin(false);
  change_.Touch(tables_.tenants, *tenant);
  change_.Add(*tenant, (*tenant)->row.events, 1);
  if (IsAsk(event.type)) (*tenant)->row.max_fold_us = std::max((*tenant)->row.max_fold_us, log_time_us);
  change_.Finish();
  return Reason::kNone;
}

// --- asks

Result<Reason> LimitFold::FoldAsk(const Event& event, int64_t log_time_us) {
  const Ask& asked = event.asked;
  Subject subject{event.tenant, asked.user, asked.project, asked.collection};
  Result<Verdict> judged = JudgeAsk(event, subject, log_time_us);
  if (!judged.ok()) return judged.status();
  bool is_admit = event.type == EventType::kAdmitAsked;
  if (judged->allowed && is_admit) {
    for (const Amount& amount : asked.amounts) {
      if (amount.meter != Meter::kRequests) continue;
      Result<Reason> counted = accounts_.AddRequests(event.tenant, asked.user, FoldTime{log_time_us}, amount.amount);
      if (!counted.ok() || *counted != Reason::kNone) return counted;
    }
  }
  Result<AskNode*> node =
      tables_.asks.FindOrMake(tables_.key.Begin(RowKind::kAsk).Text(event.tenant).Id(event.id).view());
  if (!node.ok()) return node.status();
  (*node)->made = false;
  tables_.asks.MarkDirty(*node);
  AskRow& row = (*node)->row;
  row = AskRow();
  row.type = event.type;
  row.user = asked.user;
  row.project = asked.project;
  row.collection = asked.collection;
  row.amounts = ItemsOf(asked.amounts);
  row.verdict = std::move(*judged);
  row.state = static_cast<uint8_t>(!row.verdict.allowed ? AskState::kRefused
                                   : is_admit           ? AskState::kAdmitted
                                                        : AskState::kOpen);
  last_ask_ = &row;
  ODOMETER_RETURN_IF_ERROR(Count(subject, row.verdict.allowed));
  if (row.verdict.allowed)
    ODOMETER_RETURN_IF_ERROR(is_admit ? Admit(event, subject, log_time_us) : Hold(event, subject, &row));
  row.gone_us = std::max(row.verdict.judged_us, row.due_us) + kAskKeptUs;
  retention_.Add(row.gone_us, event.tenant, event.id);
  return Reason::kNone;
}

// Null: there is none, or it is no longer kept.
Result<LimitFold::AskNode*> LimitFold::FindAsk(std::string_view tenant, const Uuid& id) {
  Result<AskNode*> ask = tables_.asks.Find(tables_.key.Begin(RowKind::kAsk).Text(tenant).Id(id).view());
  bool is_gone = ask.ok() && *ask != nullptr && (*ask)->row.gone_us <= moment_.at_us;
  return is_gone && !PlantedBug("gone_ask_kept") ? static_cast<AskNode*>(nullptr) : ask;
}

Result<Verdict> LimitFold::JudgeAsk(const Event& event, const Subject& subject, int64_t log_time_us) {
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, Policy(event.tenant));
  AskedOf asked{.at_us = log_time_us,
                .amounts = event.asked.amounts,
                .enforcement = Enforcement::kOn,
                .zone = &ZoneOf(policy),
                .has_too_many_holds = false};
  if (policy != nullptr) asked.enforcement = static_cast<Enforcement>(policy->enforcement);
  std::vector<Standing> standings;
  std::deque<Counter> made;  // none: they are ensured
  const std::vector<AppliedLimit>* limits = nullptr;
  ODOMETER_ASSIGN(limits, LimitsOf(subject));
  ODOMETER_RETURN_IF_ERROR(EnsureCounters(subject, *limits, log_time_us));
  if (asked.enforcement != Enforcement::kOff) {
    for (const AppliedLimit& limit : *limits) {
      Result<Standing> standing = StandingOf(*this, limit, subject, *asked.zone, log_time_us, &made);
      if (!standing.ok()) return standing.status();
      standings.push_back(*standing);
    }
  }
  if (event.type != EventType::kAdmitAsked) ODOMETER_ASSIGN(asked.has_too_many_holds, HasTooManyHolds(subject));
  Verdict verdict = Judge(asked, standings);
  bool has_room = false;
  ODOMETER_ASSIGN(has_room, HasRoom(subject, AmountsOf(ItemsOf(event.asked.amounts)), log_time_us, true));
  if (!has_room) {
    verdict.allowed = false;
    verdict.refusal = static_cast<uint8_t>(Refusal::kOverflow);
  }
  return verdict;
}

Result<bool> LimitFold::HasTooManyHolds(const Subject& subject) {
  UseNode* use = nullptr;
  ODOMETER_ASSIGN(use, UseOf(HoldOwner(subject), subject));
  return use != nullptr && use->row.open_holds >= kOpenHoldsMax;
}

Status LimitFold::Count(const Subject& subject, bool allowed) {
  for (Scope scope : {Scope::kTenant, HoldOwner(subject)}) {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, MakeUse(scope, subject));
    ++(allowed ? use->row.admitted : use->row.refused);
  }
  return Status::Ok();
}

Status LimitFold::Admit(const Event& event, const Subject& subject, int64_t log_time_us) {
  return AddTo(subject, AmountsOf(ItemsOf(event.asked.amounts)), log_time_us);
}

Status LimitFold::Hold(const Event& event, const Subject& subject, AskRow* row) {
  row->due_us = row->verdict.judged_us + event.asked.ttl_us;
  due_.insert({row->due_us, {std::string(event.tenant), event.id}});
  due_changes_.push_back({{row->due_us, {std::string(event.tenant), event.id}}, true});
  return ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, MakeUse(scope, subject));
    for (const AmountItem& item : row->amounts) use->row.held[item.meter - 1] += item.amount;
    if (scope == HoldOwner(subject)) ++use->row.open_holds;
    return Status::Ok();
  });
}

// --- the ends of holds

// What names no hold of this tenant, or one that is closed otherwise, changes nothing and says so by what is found.
Result<Reason> LimitFold::FoldEnd(const Event& event, int64_t log_time_us) {
  AskNode* ask = nullptr;
  ODOMETER_ASSIGN(ask, FindAsk(event.tenant, event.end.hold));
  if (ask == nullptr) return Reason::kNone;
  last_ask_ = &ask->row;
  bool is_lease = ask->row.type == EventType::kLeaseAsked;
  if (event.type != EventType::kHoldReleased && is_lease != (event.type == EventType::kLeaseSettled))
    return Reason::kNone;
  auto state = static_cast<AskState>(ask->row.state);
  if (state == AskState::kOpen) return EndOpen(event, ask, log_time_us);
  bool is_settled = event.type != EventType::kHoldReleased;
  return state == AskState::kExpired && is_settled ? SettleLate(event, ask, log_time_us) : Reason::kNone;
}

Result<Reason> LimitFold::EndOpen(const Event& event, AskNode* ask, int64_t log_time_us) {
  AskRow& row = ask->row;
  Subject subject = SubjectOf(event.tenant, row);
  if (event.type == EventType::kHoldReleased) {
    tables_.asks.MarkDirty(ask);
    ODOMETER_RETURN_IF_ERROR(GiveBack(event.tenant, ask));
    Close(ask, AskState::kReleased, log_time_us, event.id);
    return Reason::kNone;
  }
  bool is_lease = row.type == EventType::kLeaseAsked;
  bool is_final = !is_lease || event.end.is_final;
  std::vector<AmountItem> settled = ItemsOf(event.end.amounts);
  // A lease was charged where it was granted; a hold's amounts come when they are said.
  int64_t at_us = is_lease ? row.verdict.judged_us : log_time_us;
  bool has_room = true;
  if (is_final) ODOMETER_ASSIGN(has_room, HasRoom(subject, AmountsOf(settled), at_us, false));
  if (!has_room) return Reason::kOverflow;
  tables_.asks.MarkDirty(ask);
  row.settled = std::move(settled);
  if (!is_final) return Reason::kNone;
  ODOMETER_RETURN_IF_ERROR(GiveBack(event.tenant, ask));
  ODOMETER_RETURN_IF_ERROR(AddTo(subject, AmountsOf(row.settled), at_us));
  Close(ask, AskState::kSettled, log_time_us, event.id);
  return Reason::kNone;
}

// Of a hold: a plain fact. Of a lease: what burned becomes used, and only what is above it is added.
Result<Reason> LimitFold::SettleLate(const Event& event, AskNode* ask, int64_t log_time_us) {
  AskRow& row = ask->row;
  MeterSums amounts = AmountsOf(ItemsOf(event.end.amounts)), unburned{};
  Subject subject = SubjectOf(event.tenant, row);
  bool is_lease = row.type == EventType::kLeaseAsked;
  int64_t at_us = is_lease ? row.verdict.judged_us : log_time_us;
  if (is_lease) {
    MeterSums charged = AmountsOf(row.amounts), reported = AmountsOf(row.settled);
    for (size_t i = 0; i < kMeters; ++i) {
      __int128 burned = std::max<__int128>(charged[i] - reported[i], 0);
      __int128 still = std::max<__int128>(charged[i] - amounts[i], 0);
      unburned[i] = burned - std::min(burned, still);
      amounts[i] = std::max<__int128>(amounts[i] - std::max(charged[i], reported[i]), 0);
    }
  }
  bool has_room = false;
  ODOMETER_ASSIGN(has_room, HasRoom(subject, amounts, at_us, false));
  if (!has_room) return Reason::kOverflow;
  tables_.asks.MarkDirty(ask);
  if (is_lease) {
    ODOMETER_RETURN_IF_ERROR(ForEachScope(subject, [&](Scope scope) -> Status {
      UseNode* use = nullptr;
      ODOMETER_ASSIGN(use, MakeUse(scope, subject));
      for (size_t i = 0; i < kMeters; ++i) use->row.burned[i] -= static_cast<int64_t>(unburned[i]);
      return Status::Ok();
    }));
  }
  ODOMETER_RETURN_IF_ERROR(AddTo(subject, amounts, at_us));
  row.settled = ItemsOf(event.end.amounts);
  row.state = static_cast<uint8_t>(AskState::kSettled);
  row.closed_us = log_time_us;
  row.closed_by = event.id;
  return Reason::kNone;
}

// The held amounts of every scope it was held in.
Status LimitFold::GiveBack(std::string_view tenant, AskNode* ask) {
  const AskRow& row = ask->row;
  Subject subject = SubjectOf(tenant, row);
  return ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, MakeUse(scope, subject));
    for (const AmountItem& item : row.amounts) use->row.held[item.meter - 1] -= item.amount;
    if (scope == HoldOwner(subject)) --use->row.open_holds;
    return Status::Ok();
  });
}

void LimitFold::Close(AskNode* ask, AskState state, int64_t at_us, const Uuid& by) {
  AskRow& row = ask->row;
  row.state = static_cast<uint8_t>(state);
  row.closed_us = at_us;
  row.closed_by = by;
  KeyReader reader(ask->key.view());
  std::string_view tenant;
  Uuid id;
  reader.Text(&tenant);
  reader.Id(&id);
  Due due{row.due_us, {std::string(tenant), id}};
  due_.erase(due);
  due_changes_.push_back({due, false});
}

// A hold that nobody settled held nothing; a lease was spent as far as anybody knows.
Status LimitFold::Expire(const Key& key, int64_t due_us) {
  AskNode* ask = nullptr;
  ODOMETER_ASSIGN(ask, tables_.asks.Find(tables_.key.Begin(RowKind::kAsk).Text(key.tenant).Id(key.id).view()));
  if (ask == nullptr) return Status(Code::kCorrupt, "store: an open hold has no row");
  moment_ = {due_us, key.id};
  tables_.asks.MarkDirty(ask);
  if (!PlantedBug("expired_hold_kept")) ODOMETER_RETURN_IF_ERROR(GiveBack(key.tenant, ask));
  if (ask->row.type == EventType::kLeaseAsked) ODOMETER_RETURN_IF_ERROR(Burn(key.tenant, ask->row));
  Close(ask, AskState::kExpired, due_us, Uuid());
  return Status::Ok();
}

Status LimitFold::Burn(std::string_view tenant, const AskRow& ask) {
  Subject subject = SubjectOf(tenant, ask);
  MeterSums charged = AmountsOf(ask.amounts), reported = AmountsOf(ask.settled);
  MeterSums used{};
  for (size_t i = 0; i < kMeters; ++i) used[i] = std::max(charged[i], reported[i]);
  ODOMETER_RETURN_IF_ERROR(ForEachScope(subject, [&](Scope scope) -> Status {
    UseNode* use = nullptr;
    ODOMETER_ASSIGN(use, MakeUse(scope, subject));
    for (size_t i = 0; i < kMeters; ++i) {
      __int128 burned = use->row.burned[i] + std::max<__int128>(charged[i] - reported[i], 0);
      use->row.burned[i] = static_cast<int64_t>(std::min<__int128>(burned, INT64_MAX));
    }
    return Status::Ok();
  }));
  return AddTo(subject, used, ask.verdict.judged_us);
}

}  // namespace odometer
