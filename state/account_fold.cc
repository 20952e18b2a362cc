#include "state/account_fold.h"

#include <algorithm>

#include "core/period.h"
#include "state/amounts.h"

namespace odometer {

namespace {

bool NeedsCare(const Event& event) {
  switch (event.type) {
    case EventType::kTurnAmended: {
      const Amendment& amendment = event.amendment;
      return Large(amendment.tokens_delta) || Large(amendment.llm_calls_delta) ||
             Large(amendment.provided_cost_delta_nano_usd) || Large(amendment.rag_output_tokens_saved_delta);
    }
    case EventType::kInteractionBatch:
      return true;
    case EventType::kInteractionRecorded: {
      const Interaction& fact = event.interactions.front();
      CostParts cost = fact.provided_cost.value_or(CostParts());
      return Large(fact.tokens) || Large(fact.db_operations) || Large(fact.api_calls) || Large(fact.compute_us) ||
             Large(fact.duration_us.value_or(0)) || Large(cost.ai_tokens_nano_usd) || Large(cost.db_ops_nano_usd) ||
             Large(cost.api_calls_nano_usd) || Large(cost.compute_time_nano_usd);
    }
    default:
      return false;
  }
}

// Whether (time, id) is later than what a row holds.
bool IsLater(FoldTime time, const EventId& id, int64_t held_us, const EventId& held_id) {
  if (PlantedBug("last_arrival_wins")) return true;
  return time.us != held_us ? time.us > held_us : id > held_id;
}

}  // namespace

Result<Reason> AccountFold::Fold(const Event& event, const Ahead& ahead, const Record& record) {
  refusal_ = Reason::kNone;
  places_.clear();
  Status folded = FoldOne(event, ahead, record);
  bool fits = change_.Finish();
  if (!folded.ok()) return folded;
  if (refusal_ != Reason::kNone) return refusal_;
  if (!fits) return Reason::kOverflow;
  Post(record.offset);
  return Reason::kNone;
}

Result<Reason> AccountFold::AddRequests(std::string_view tenant, std::string_view user, FoldTime time,
                                        int64_t requests) {
  refusal_ = Reason::kNone;
  places_.clear();
  Rows rows;
  rows.time = time;
  if (user.empty()) {
    Result<TenantNode*> node = tables_.tenants.FindOrMake(tables_.key.Begin(RowKind::kTenant).Text(tenant).view());
    if (!node.ok()) return node.status();
    change_.Begin(true);
    change_.Touch(tables_.tenants, *node);
    change_.Add(*node, (*node)->row.usage.requests, requests);
    return change_.Finish() ? Reason::kNone : Reason::kOverflow;
  }
  ODOMETER_RETURN_IF_ERROR(ResolveUser(unknown_, tenant, user, time, &rows));
  change_.Begin(true);
  TouchAll(rows);
  auto add = [&](auto* node) { change_.Add(node, node->row.usage.requests, requests); };
  add(rows.account);
  add(rows.period);
  add(rows.tenant);
  change_.Add(rows.day, rows.day->row.requests, requests);
  int64_t hour = HourOf(time);
  for (int64_t i = 0; i < requests; ++i) {
    change_.AddToRing(rows.account, rows.account->row.requests_ring, hour);
    change_.AddCount(rows.day, rows.day->row.hours[static_cast<size_t>(hour % 24)]);
  }
  bool fits = change_.Finish();
  if (refusal_ != Reason::kNone) return refusal_;
  return fits ? Reason::kNone : Reason::kOverflow;
}

Status AccountFold::FoldOne(const Event& event, const Ahead& ahead, const Record& record) {
  AppendTime append = record.append_time;
  switch (event.type) {
    case EventType::kTurnRecorded:
      return FoldTurn(event, ahead, record);
    case EventType::kTurnAmended:
      return FoldAmendment(event, ahead, append);
    case EventType::kSessionStarted:
    case EventType::kSessionRenamed:
    case EventType::kSessionEnded:
    case EventType::kSessionSummarized:
      return FoldSession(event, ahead, append);
    case EventType::kInteractionRecorded:
    case EventType::kInteractionBatch:
      return FoldInteractions(event, ahead, append);
    case EventType::kCaseChampioned:
    case EventType::kCollectionSubscribed:
    case EventType::kCollectionUnsubscribed:
      return FoldKnowledge(event, ahead, append);
    case EventType::kConfigChanged:
      return FoldConfig(event, ahead, append);
    default:
      ODOMETER_CHECK(false && "not an account event");
  }
  return Status::Ok();
}

#define ODOMETER_RESOLVE(table, into, build)               \
  do {                                                     \
    auto node_ = tables_.table.FindOrMake((build).view()); \
    if (!node_.ok()) return node_.status();                \
    into = *node_;                                         \
  } while (0)

Result<AccountFold::Rows> AccountFold::Resolve(const Ahead& ahead, std::string_view tenant, std::string_view user,
                                               std::string_view session, FoldTime time, const Service* service) {
  Rows rows;
  rows.time = time;
  ODOMETER_RETURN_IF_ERROR(ResolveUser(ahead, tenant, user, time, &rows));
  if (service != nullptr) ODOMETER_RETURN_IF_ERROR(ResolveService(tenant, time, *service, &rows));
  if (!session.empty()) ODOMETER_RETURN_IF_ERROR(ResolveSession(ahead, tenant, user, session, &rows));
  return rows;
}

Result<AccountNode*> AccountFold::AccountOf(const Ahead& ahead, std::string_view tenant, std::string_view user) {
  if (AccountNode* account = ahead.AccountIn(tables_, user)) return account;
  if (ahead.IsOf(user)) return tables_.accounts.FindOrMake(ahead.account_key(), ahead.account_hash());
  return tables_.accounts.FindOrMake(tables_.key.Begin(RowKind::kAccount).Text(tenant).Text(user).view());
}

Status AccountFold::ResolveUser(const Ahead& ahead, std::string_view tenant, std::string_view user, FoldTime time,
                                Rows* rows) {
  Result<AccountNode*> account = AccountOf(ahead, tenant, user);
  if (!account.ok()) return account.status();
  rows->account = *account;
  return ResolveBeyond(ahead, tenant, user, time, rows);
}

// Tenant, period and day: the account's node mostly knows them. Its tally is closed, so that they are whole.
Status AccountFold::ResolveBeyond(const Ahead& ahead, std::string_view tenant, std::string_view user, FoldTime time,
                                  Rows* rows) {
  KeyBuilder& key = tables_.key;
  tables_.CloseTally(rows->account);
  int64_t month = Period::Of(time).month;
  if (PlantedBug("off_by_one_month") && time.us % kUsPerDay > 23 * kUsPerHour) ++month;
  int64_t day = DayOf(time);
  NodeHints<AccountRow>& hints = rows->account->hints;
  if (hints.of == tables_.hints_generation() && hints.month == month && hints.day == day) {
    rows->tenant = hints.tenant;
    rows->period = hints.period;
    rows->day = hints.in_day;
    return Status::Ok();
  }
  ODOMETER_RESOLVE(tenants, rows->tenant, key.Begin(RowKind::kTenant).Text(tenant));
  bool is_new = ahead.IsNew(user, month, day);
  key.Begin(RowKind::kPeriod).Text(tenant).Text(user).Number(month);
  uint64_t hash = is_new ? ahead.period_hash() : HashOf(key.view());
  Result<PeriodNode*> period = tables_.periods.FindOrMake(key.view(), hash);
  if (!period.ok()) return period.status();
  key.Begin(RowKind::kDay).Text(tenant).Text(user).Number(day);
  hash = is_new ? ahead.day_hash() : HashOf(key.view());
  Result<DayNode*> in_day = tables_.days.FindOrMake(key.view(), hash);
  if (!in_day.ok()) return in_day.status();
  rows->period = *period;
  rows->day = *in_day;
  hints.of = tables_.hints_generation();
  hints.tenant = rows->tenant;
  hints.month = month;
  hints.day = day;
  hints.period = rows->period;
  hints.in_day = rows->day;
  hints.session = nullptr;
  return Status::Ok();
}

Result<SessionNode*> AccountFold::FindSession(const Ahead& ahead, std::string_view tenant, std::string_view user,
                                              std::string_view session) {
  if (SessionNode* known = ahead.SessionIn(tables_, user, session)) return known;
  if (ahead.IsOf(user, session)) return tables_.sessions.FindOrMake(ahead.session_key(), ahead.session_hash());
  KeyBuilder& key = tables_.key.Begin(RowKind::kSession).Text(tenant).Text(user).Text(session);
  return tables_.sessions.FindOrMake(key.view());
}

Status AccountFold::ResolveSession(const Ahead& ahead, std::string_view tenant, std::string_view user,
                                   std::string_view session, Rows* rows) {
  KeyBuilder& key = tables_.key;
  Result<SessionNode*> found = FindSession(ahead, tenant, user, session);
  if (!found.ok()) return found.status();
  rows->session = *found;
  int64_t first_us = rows->session->row.first_us;
  if (first_us == kNever || rows->time.us >= first_us) return Status::Ok();
  FoldTime before{first_us};
  ODOMETER_RESOLVE(periods, rows->old_period,
                   key.Begin(RowKind::kPeriod).Text(tenant).Text(user).Number(Period::Of(before).month));
  ODOMETER_RESOLVE(days, rows->old_day, key.Begin(RowKind::kDay).Text(tenant).Text(user).Number(DayOf(before)));
  return Status::Ok();
}

Status AccountFold::ResolveService(std::string_view tenant, FoldTime time, const Service& service, Rows* rows) {
  KeyBuilder& key = tables_.key;
  key.Begin(RowKind::kServiceDay).Text(tenant).Number(DayOf(time));
  ODOMETER_RESOLVE(service_days, rows->service, key.Text(service.service).Text(service.operation).Text(service.model));
  return Status::Ok();
}

bool AccountFold::IsHigh(const Rows& rows) const {
  bool high = rows.tenant->high || rows.account->high || rows.period->high || rows.day->high;
  high |= rows.session != nullptr && rows.session->high;
  return high || (rows.service != nullptr && rows.service->high);
}

bool AccountFold::IsNearlyFull(const TenantNode* tenant) const { return tenant->row.users + 128 >= options_.users_max; }

void AccountFold::TouchAll(const Rows& rows) {
  change_.Touch(tables_.tenants, rows.tenant);
  bool new_user = rows.account->made;
  change_.Touch(tables_.accounts, rows.account);
  change_.Touch(tables_.periods, rows.period);
  change_.Touch(tables_.days, rows.day);
  if (rows.service != nullptr) change_.Touch(tables_.service_days, rows.service);
  if (new_user) {
    rows.account->made = false;  // a batch may name the user again
    if (rows.tenant->row.users >= options_.users_max) {
      refusal_ = Reason::kCardinality;
      change_.Fail();
    }
    change_.Add(rows.tenant, rows.tenant->row.users, 1);
  }
  if (rows.session != nullptr) TouchSession(rows);
}

void AccountFold::TouchSession(const Rows& rows) {
  SessionRow& session = rows.session->row;
  change_.Touch(tables_.sessions, rows.session);
  if (session.first_us == kNever) {
    change_.Add(rows.account, rows.account->row.usage.sessions, 1);
    change_.Add(rows.tenant, rows.tenant->row.usage.sessions, 1);
    change_.Add(rows.period, rows.period->row.usage.sessions, 1);
    change_.Add(rows.day, rows.day->row.sessions, 1);
    change_.AddToRing(rows.account, rows.account->row.sessions_ring, HourOf(rows.time));
  } else if (rows.time.us < session.first_us && !PlantedBug("session_stays_where_first_seen")) {
    MoveSession(rows);
  }
  Extend(rows.time.us, &session.first_us, &session.last_us);
}

// An earlier fact of a known session moves its beginning.
void AccountFold::MoveSession(const Rows& rows) {
  int64_t old_hour = HourOf(FoldTime{rows.session->row.first_us});
  if (rows.old_period != nullptr && rows.old_period != rows.period) {
    change_.Touch(tables_.periods, rows.old_period);
    change_.Add(rows.old_period, rows.old_period->row.usage.sessions, -1);
    change_.Add(rows.period, rows.period->row.usage.sessions, 1);
  }
  if (rows.old_day != nullptr && rows.old_day != rows.day) {
    change_.Touch(tables_.days, rows.old_day);
    change_.Add(rows.old_day, rows.old_day->row.sessions, -1);
    change_.Add(rows.day, rows.day->row.sessions, 1);
  }
  if (old_hour != HourOf(rows.time)) {
    rows.account->row.sessions_ring.Subtract(old_hour, 1);
    change_.AddToRing(rows.account, rows.account->row.sessions_ring, HourOf(rows.time));
  }
}

// Turns and interactions are use; amendments and sessions are not.
void AccountFold::UseAt(const Rows& rows) {
  Extend(rows.time.us, &rows.account->row.first_use_us, &rows.account->row.last_use_us);
  Extend(rows.time.us, &rows.period->row.first_use_us, &rows.period->row.last_use_us);
}

void AccountFold::Envelope(const Event& event, AppendTime append, TenantNode* tenant) {
  bool ahead = event.event_time.us > append.us;
  int64_t greatest = PlaceAt(event.event_time, append).us;
  if (event.type == EventType::kInteractionBatch) {
    for (const Interaction& item : event.interactions) {
      ahead |= item.event_time.us > append.us;
      greatest = std::max(greatest, PlaceAt(item.event_time, append).us);
    }
  }
  tenant->row.max_fold_us = std::max(tenant->row.max_fold_us, greatest);
  if (ahead) change_.Add(tenant, tenant->row.clock_ahead_events, 1);
}

Status AccountFold::FoldAmendment(const Event& event, const Ahead& ahead, AppendTime append) {
  const Amendment& amendment = event.amendment;
  FoldTime time =
      PlaceAt(PlantedBug("amendment_in_its_own_month") ? event.event_time : amendment.original_time, append);
  Service service{amendment.service, amendment.operation, amendment.model};
  Result<Rows> resolved = Resolve(ahead, event.tenant, amendment.user, amendment.session, time, &service);
  if (!resolved.ok()) return resolved.status();
  Rows& rows = *resolved;
  change_.Begin(odometer::NeedsCare(event) || NeedsCare(rows));
  TouchAll(rows);
  Envelope(event, append, rows.tenant);
  change_.Add(rows.account, rows.account->row.events, 1);
  auto add = [&](auto* node) {
    Usage& usage = node->row.usage;
    change_.Add(node, usage.amendments, 1);
    change_.Add(node, usage.llm_calls, amendment.llm_calls_delta);
    change_.AddTokens(node, usage.tokens, amendment.tokens_delta);
    change_.Add(node, usage.cost_ai_tokens_nano_usd, amendment.provided_cost_delta_nano_usd);
    change_.Add(node, usage.rag_output_tokens_saved, amendment.rag_output_tokens_saved_delta);
    AddNamed(node, amendment.model, amendment.provider, 0, TotalOf(amendment.tokens_delta));
  };
  add(rows.account);
  add(rows.period);
  add(rows.tenant);
  auto add_sums = [&](auto* node) {
    change_.Add(node, node->row.llm_calls, amendment.llm_calls_delta);
    change_.AddTokens(node, node->row.tokens, amendment.tokens_delta);
    change_.Add(node, node->row.cost_nano_usd, amendment.provided_cost_delta_nano_usd);
  };
  add_sums(rows.day);
  add_sums(rows.service);
  change_.Add(rows.service, rows.service->row.amendments, 1);
  if (rows.session != nullptr) {
    add_sums(rows.session);
    change_.Add(rows.session, rows.session->row.amendments, 1);
  }
  places_.push_back(
      {rows.account, rows.session,
       Posting{0, PlaceAt(amendment.original_time, append).us, event.type, 0, amendment.original_id,
               static_cast<int64_t>(TotalOf(amendment.tokens_delta)), amendment.provided_cost_delta_nano_usd}});
  return Status::Ok();
}

Status AccountFold::FoldSession(const Event& event, const Ahead& ahead, AppendTime append) {
  const SessionFact& fact = event.session;
  FoldTime time = PlaceAt(event.event_time, append);
  Result<Rows> resolved = Resolve(ahead, event.tenant, fact.user, fact.session, time, nullptr);
  if (!resolved.ok()) return resolved.status();
  Rows& rows = *resolved;
  change_.Begin(NeedsCare(rows));
  TouchAll(rows);
  Envelope(event, append, rows.tenant);
  change_.Add(rows.account, rows.account->row.events, 1);
  SessionRow& session = rows.session->row;
  bool names =
      event.type == EventType::kSessionRenamed || (event.type == EventType::kSessionStarted && !fact.name.empty());
  if (names && IsLater(time, event.id, session.name_us, session.name_id)) {
    session.name = fact.name;
    session.name_us = time.us;
    session.name_id = event.id;
  }
  bool state = event.type == EventType::kSessionStarted || event.type == EventType::kSessionEnded;
  if (state && IsLater(time, event.id, session.state_us, session.state_id)) {
    session.ended = event.type == EventType::kSessionEnded;
    session.state_us = time.us;
    session.state_id = event.id;
  }
  if (event.type == EventType::kSessionSummarized && IsLater(time, event.id, session.summary_us, session.summary_id)) {
    session.summary = fact.summary;
    session.key_points.assign(fact.key_points.begin(), fact.key_points.end());
    session.summary_us = time.us;
    session.summary_id = event.id;
  }
  return Status::Ok();
}

void AccountFold::AddInteraction(const Rows& rows, const Interaction& fact) {
  CostParts cost = fact.provided_cost.value_or(CostParts());
  auto add = [&](auto* node) {
    Usage& usage = node->row.usage;
    auto plus = [&](int64_t& figure, int64_t delta) { change_.Add(node, figure, delta); };
    plus(usage.interactions_by_kind[static_cast<size_t>(fact.kind) - 1], 1);
    plus(usage.interactions_by_status[static_cast<size_t>(fact.status) - 1], 1);
    change_.AddTokens(node, usage.tokens, fact.tokens);
    plus(usage.cost_ai_tokens_nano_usd, cost.ai_tokens_nano_usd);
    plus(usage.cost_db_ops_nano_usd, cost.db_ops_nano_usd);
    plus(usage.cost_api_calls_nano_usd, cost.api_calls_nano_usd);
    plus(usage.cost_compute_time_nano_usd, cost.compute_time_nano_usd);
    plus(fact.provided_cost ? usage.priced_facts : usage.unpriced_facts, 1);
    plus(usage.db_operations, fact.db_operations);
    plus(usage.api_calls, fact.api_calls);
    plus(usage.compute_us, fact.compute_us);
    AddNamed(node, fact.model, {}, 0, TotalOf(fact.tokens));
  };
  add(rows.account);
  add(rows.period);
  add(rows.tenant);
  auto add_sums = [&](auto* node) {
    change_.Add(node, node->row.interactions, 1);
    change_.AddTokens(node, node->row.tokens, fact.tokens);
    change_.AddWide(node, node->row.cost_nano_usd, TotalOf(cost));
  };
  add_sums(rows.day);
  add_sums(rows.service);
  change_.Add(rows.service, rows.service->row.duration_us, fact.duration_us.value_or(0));
  if (rows.session != nullptr) add_sums(rows.session);
}

Status AccountFold::FoldInteractions(const Event& event, const Ahead& ahead, AppendTime append) {
  bool begun = false;
  for (const Interaction& fact : event.interactions) {
    if (PlantedBug("batch_partly_folded") && &fact != &event.interactions.front() &&
        &fact == &event.interactions.back())
      break;
    Service service{fact.service, fact.operation, fact.model};
    Result<Rows> resolved =
        Resolve(ahead, event.tenant, fact.user, fact.session, PlaceAt(fact.event_time, append), &service);
    if (!resolved.ok()) return resolved.status();
    Rows& rows = *resolved;
    if (!begun) change_.Begin(odometer::NeedsCare(event) || NeedsCare(rows));
    TouchAll(rows);
    if (!begun) {
      Envelope(event, append, rows.tenant);
      change_.Add(rows.account, rows.account->row.events, 1);
    }
    begun = true;
    UseAt(rows);
    AddInteraction(rows, fact);
    CostParts cost = fact.provided_cost.value_or(CostParts());
    places_.push_back({rows.account, rows.session,
                       Posting{0, rows.time.us, event.type, static_cast<uint8_t>(fact.status), fact.id,
                               static_cast<int64_t>(TotalOf(fact.tokens)), static_cast<int64_t>(TotalOf(cost))}});
  }
  return Status::Ok();
}

Status AccountFold::FoldKnowledge(const Event& event, const Ahead& ahead, AppendTime append) {
  FoldTime time = PlaceAt(event.event_time, append);
  Result<Rows> resolved = Resolve(ahead, event.tenant, event.knowledge.user, {}, time, nullptr);
  if (!resolved.ok()) return resolved.status();
  Rows& rows = *resolved;
  change_.Begin(NeedsCare(rows));
  TouchAll(rows);
  Envelope(event, append, rows.tenant);
  change_.Add(rows.account, rows.account->row.events, 1);
  if (event.type != EventType::kCaseChampioned) return Subscribe(event, rows, time);
  auto add = [&](auto* node) { change_.Add(node, node->row.usage.champion_cases, 1); };
  add(rows.account);
  add(rows.period);
  add(rows.tenant);
  return Status::Ok();
}

Status AccountFold::Subscribe(const Event& event, const Rows& rows, FoldTime time) {
  RowTable<SubscriptionRow>::Node* node = nullptr;
  ODOMETER_RESOLVE(subscriptions, node,
                   tables_.key.Begin(RowKind::kSubscription)
                       .Text(event.tenant)
                       .Text(event.knowledge.user)
                       .Text(event.knowledge.collection));
  change_.Touch(tables_.subscriptions, node);
  SubscriptionRow& row = node->row;
  if (!IsLater(time, event.id, row.state_us, row.state_id)) return Status::Ok();
  bool subscribed = event.type == EventType::kCollectionSubscribed;
  int64_t change = (subscribed ? 1 : 0) - (row.subscribed ? 1 : 0);
  change_.Add(rows.account, rows.account->row.collections_subscribed, change);
  row.subscribed = subscribed;
  row.state_us = time.us;
  row.state_id = event.id;
  return Status::Ok();
}

Status AccountFold::FoldConfig(const Event& event, const Ahead& ahead, AppendTime append) {
  FoldTime time = PlaceAt(event.event_time, append);
  Result<Rows> resolved = Resolve(ahead, event.tenant, event.config.user, {}, time, nullptr);
  if (!resolved.ok()) return resolved.status();
  Rows& rows = *resolved;
  change_.Begin(NeedsCare(rows));
  TouchAll(rows);
  Envelope(event, append, rows.tenant);
  change_.Add(rows.account, rows.account->row.events, 1);
  auto add = [&](auto* node) { change_.Add(node, node->row.usage.config_changes, 1); };
  add(rows.account);
  add(rows.period);
  add(rows.tenant);
  change_.Add(rows.day, rows.day->row.config_changes, 1);
  return Status::Ok();
}

#undef ODOMETER_RESOLVE

void AccountFold::Post(uint64_t offset) {
  for (Found& place : places_) {
    place.posting.offset = offset;
    tables_.pending.Add(place.posting, &place.account->hints.postings,
                        place.session == nullptr ? nullptr : &place.session->hints.postings);
  }
}

}  // namespace odometer
