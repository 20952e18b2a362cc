// The turns of AccountFold: nearly all of what a log holds, so nearly all of them go a shorter way.

#include <algorithm>

#include "core/period.h"
#include "state/account_fold.h"
#include "state/amounts.h"

namespace odometer {

namespace {

bool NeedsCare(const Turn& turn) {
  return Large(turn.tokens) || Large(turn.llm_calls.value_or(0)) || Large(turn.duration_us.value_or(0)) ||
         Large(turn.time_to_first_token_us.value_or(0)) || Large(turn.provided_cost_nano_usd.value_or(0)) ||
         Large(turn.rag_output_tokens_saved) || turn.turn_number.value_or(0) > static_cast<uint64_t>(kLargeAmount);
}

FoldTime TimeOf(const Event& event, AppendTime append) {
  return PlantedBug("clock_ahead_trusted") ? FoldTime{event.event_time.us} : PlaceAt(event.event_time, append);
}

TurnUsage UsageOf(const Turn& turn) {
  TurnUsage usage;
  usage.requests = turn.is_admitted ? 0 : 1;
  usage.llm_calls = turn.llm_calls.value_or(1);
  usage.turns[static_cast<size_t>(turn.status) - 1] = 1;
  usage.tokens = {turn.tokens.input_uncached, turn.tokens.cache_read, turn.tokens.cache_write_5m,
                  turn.tokens.cache_write_1h, turn.tokens.output,     turn.tokens.reasoning};
  usage.cost_ai_tokens_nano_usd = turn.provided_cost_nano_usd.value_or(0);
  (turn.provided_cost_nano_usd ? usage.priced_facts : usage.unpriced_facts) = 1;
  usage.duration_us = turn.duration_us.value_or(0);
  usage.timed_turns = turn.duration_us ? 1 : 0;
  usage.first_token_us = turn.time_to_first_token_us.value_or(0);
  usage.first_token_turns = turn.time_to_first_token_us ? 1 : 0;
  if (turn.has_rag) {
    usage.rag_turns = turn.rag_used ? 1 : 0;
    usage.rag_guided_turns = turn.rag_guided ? 1 : 0;
    usage.rag_output_tokens_saved = turn.rag_output_tokens_saved;
    usage.rag_unpriced_turns = turn.rag_output_tokens_saved > 0 ? 1 : 0;
  }
  return usage;
}

// The figures of a name in a tenant's table, whose first places `ids` knows.
template <size_t kNames, size_t kKnown>
NameFigures& FiguresOf(std::string_view name, uint32_t id, NameTable<kNames>* table,
                       std::array<uint32_t, kKnown>* ids) {
  static_assert(kKnown <= kNames);
  for (size_t at = 0; at < kKnown; ++at) {
    if ((*ids)[at] == id) return table->names[at];
  }
  NameFigures& figures = table->Slot(name);
  for (size_t at = 0; at < std::min(kKnown, table->names.size()); ++at) {
    if (&table->names[at] == &figures) (*ids)[at] = id;
  }
  return figures;
}

}  // namespace

void AccountFold::AddTurnUsage(const Rows& rows, const Turn& turn) {
  TurnUsage usage = UsageOf(turn);
  __int128 tokens = TotalOf(turn.tokens);
  auto add = [&](auto* node) {
    change_.AddUsage(node, node->row.usage, usage);
    AddNamed(node, turn.model(), turn.provider, 1, tokens);
  };
  add(rows.account);
  add(rows.period);
  add(rows.tenant);
}

void AccountFold::AddTurnToSession(const Turn& turn, FoldTime time, SessionNode* node) {
  SessionRow& session = node->row;
  Extend(time.us, &session.first_us, &session.last_us);
  change_.Add(node, session.turns, 1);
  change_.Add(node, session.llm_calls, turn.llm_calls.value_or(1));
  change_.AddTokens(node, session.tokens, turn.tokens);
  change_.Add(node, session.cost_nano_usd, turn.provided_cost_nano_usd.value_or(0));
  change_.Set(node, session.last_turn_number,
              std::max<__int128>(session.last_turn_number, turn.turn_number.value_or(0)));
}

void AccountFold::AddTurnToService(const Turn& turn, RowTable<ServiceDayRow>::Node* node) {
  ServiceDayRow& row = node->row;
  change_.Add(node, row.turns, 1);
  change_.Add(node, row.llm_calls, turn.llm_calls.value_or(1));
  change_.AddTokens(node, row.tokens, turn.tokens);
  change_.Add(node, row.cost_nano_usd, turn.provided_cost_nano_usd.value_or(0));
  change_.Add(node, row.duration_us, turn.duration_us.value_or(0));
}

void AccountFold::Place(const Event& event, FoldTime time, AccountNode* account, SessionNode* session) {
  const Turn& turn = event.turn;
  places_.push_back({account, session,
                     Posting{0, time.us, event.type, static_cast<uint8_t>(turn.status), event.id,
                             static_cast<int64_t>(TotalOf(turn.tokens)), turn.provided_cost_nano_usd.value_or(0)}});
}

Status AccountFold::FoldTurn(const Event& event, const Ahead& ahead, AppendTime append) {
  Result<bool> tallied = TallyTurn(event, ahead, append);
  if (!tallied.ok()) return tallied.status();
  if (*tallied) return Status::Ok();
  const Turn& turn = event.turn;
  FoldTime time = TimeOf(event, append);
  Service service{turn.service, turn.operation, turn.model()};
  Result<Rows> resolved = Resolve(ahead, event.tenant, turn.user, turn.session, time, &service);
  if (!resolved.ok()) return resolved.status();
  Rows& rows = *resolved;
  change_.Begin(odometer::NeedsCare(turn) || NeedsCare(rows));
  TouchAll(rows);
  Envelope(event, append, rows.tenant);
  UseAt(rows);
  AddTurnUsage(rows, turn);

  int64_t hour = HourOf(time);
  change_.Add(rows.account, rows.account->row.events, 1);
  if (!turn.is_admitted) change_.AddToRing(rows.account, rows.account->row.requests_ring, hour);
  change_.AddToRing(rows.account, rows.account->row.turns_ring, hour);
  if (PlantedBug("ring_advanced_by_reads")) rows.account->row.turns_ring.MoveTo(HourOf(FoldTime{append.us}) + 1);

  DayRow& day = rows.day->row;
  change_.Add(rows.day, day.requests, turn.is_admitted ? 0 : 1);
  change_.Add(rows.day, day.turns, 1);
  change_.Add(rows.day, day.llm_calls, turn.llm_calls.value_or(1));
  change_.AddTokens(rows.day, day.tokens, turn.tokens);
  change_.Add(rows.day, day.cost_nano_usd, turn.provided_cost_nano_usd.value_or(0));
  if (!turn.is_admitted) change_.AddCount(rows.day, day.hours[static_cast<size_t>(hour % 24)]);

  if (rows.session != nullptr) AddTurnToSession(turn, time, rows.session);
  AddTurnToService(turn, rows.service);
  Place(event, time, rows.account, rows.session);
  return Status::Ok();
}

// Every way to false comes before the first change.
Result<bool> AccountFold::TallyTurn(const Event& event, const Ahead& ahead, AppendTime append) {
  const Turn& turn = event.turn;
  AccountNode* account = ahead.AccountIn(tables_, turn.user);
  if (account == nullptr || account->hints.of != tables_.hints_generation() || turn.is_admitted) return false;
  TurnTally& tally = account->hints.tally;
  TenantNode* tenant = account->hints.tenant;
  FoldTime time = TimeOf(event, append);
  if (tenant->high || odometer::NeedsCare(turn)) return false;
  if ((!tally.Covers(time) || tally.turns == TurnTally::kTurnsMax) && !OpenTally(account, time)) return false;
  Names names;
  if (!NamesOf(turn, &names)) return false;
  uint32_t model = tally.models.PlaceOf(names.model), provider = tally.providers.PlaceOf(names.provider);
  if (model == TurnTally::kModels || provider == TurnTally::kProviders) return false;
  Result<RowTable<ServiceDayRow>::Node*> service = ServiceDayOf(event, time, names, tenant);
  if (!service.ok()) return service.status();
  SessionNode* session = nullptr;
  if (!turn.session.empty()) {
    Result<SessionNode*> found = SessionOf(event, ahead);
    if (!found.ok()) return found.status();
    session = *found;
    if (session->high || time.us < session->row.first_us) return false;
  }
  if ((*service)->high) return false;

  change_.Begin(false);
  TurnUsage usage = UsageOf(turn);
  int64_t tokens = static_cast<int64_t>(TotalOf(turn.tokens));
  if (session != nullptr) {
    change_.Touch(tables_.sessions, session);
    usage.sessions = session->row.first_us == kNever ? 1 : 0;
    AddTurnToSession(turn, time, session);
  }
  tally.Add(usage, time);
  if (!turn.model().empty()) tally.models.Add(model, names.model, tokens);
  if (!turn.provider.empty()) tally.providers.Add(provider, names.provider, tokens);
  change_.Touch(tables_.tenants, tenant);
  Envelope(event, append, tenant);
  AddTurnToTenant(turn, usage, names, tenant);
  change_.Touch(tables_.service_days, *service);
  AddTurnToService(turn, *service);
  Place(event, time, account, session);
  return true;
}

// For turns of that hour of the day that the account's hints are of.
bool AccountFold::OpenTally(AccountNode* account, FoldTime time) {
  NodeHints<AccountRow>& hints = account->hints;
  tables_.CloseTally(account);
  bool is_high = account->high || hints.period->high || hints.in_day->high;
  if (DayOf(time) != hints.day || is_high) return false;
  hints.tally.begin_us = HourOf(time) * kUsPerHour;
  tables_.accounts.MarkDirty(account);
  tables_.periods.MarkDirty(hints.period);
  tables_.days.MarkDirty(hints.in_day);
  return true;
}

bool AccountFold::NamesOf(const Turn& turn, Names* names) {
  NameIds& ids = tables_.names;
  *names = {ids.Of(turn.model()), ids.Of(turn.provider), ids.Of(turn.service), ids.Of(turn.operation)};
  return names->model != NameIds::kNone && names->provider != NameIds::kNone && names->service != NameIds::kNone &&
         names->operation != NameIds::kNone;
}

Result<RowTable<ServiceDayRow>::Node*> AccountFold::ServiceDayOf(const Event& event, FoldTime time, const Names& names,
                                                                 TenantNode* tenant) {
  NodeHints<TenantRow>& hints = tenant->hints;
  int64_t day = DayOf(time);
  if (hints.day != day || hints.of != tables_.service_days.generation()) {
    hints.services = {};
    hints.day = day;
    hints.of = tables_.service_days.generation();
  }
  for (const auto& known : hints.services) {
    if (known.model == names.model && known.service == names.service && known.operation == names.operation)
      return known.node;
  }
  Rows rows;
  const Turn& turn = event.turn;
  ODOMETER_RETURN_IF_ERROR(
      ResolveService(event.tenant, time, Service{turn.service, turn.operation, turn.model()}, &rows));
  hints.services[hints.next_service++ % hints.services.size()] = {names.service, names.operation, names.model,
                                                                  rows.service};
  return rows.service;
}

Result<SessionNode*> AccountFold::SessionOf(const Event& event, const Ahead& ahead) {
  const Turn& turn = event.turn;
  if (SessionNode* session = ahead.SessionIn(tables_, turn.user, turn.session)) return session;
  KeyBuilder& key = tables_.key.Begin(RowKind::kSession).Text(event.tenant).Text(turn.user).Text(turn.session);
  return tables_.sessions.FindOrMake(key.view());
}

void AccountFold::AddTurnToTenant(const Turn& turn, const TurnUsage& usage, const Names& names, TenantNode* tenant) {
  TenantRow& row = tenant->row;
  int64_t tokens = static_cast<int64_t>(TotalOf(turn.tokens));
  row.usage.Add(usage);
  auto add = [&](NameFigures& figures) {
    ++figures.turns;
    figures.tokens += tokens;
  };
  if (!turn.model().empty()) add(FiguresOf(turn.model(), names.model, &row.models, &tenant->hints.models));
  if (!turn.provider.empty()) add(FiguresOf(turn.provider, names.provider, &row.providers, &tenant->hints.providers));
}

}  // namespace odometer
