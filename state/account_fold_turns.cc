// The turns of AccountFold: nearly all of what a log holds, so nearly all of them go a shorter way.

#include <algorithm>

#include "core/period.h"
#include "state/account_fold.h"
#include "state/amounts.h"

namespace odometer {

namespace {

// No amount of a turn is below 0, and an OR is no smaller than its parts.
bool NeedsCare(const Turn& turn) {
  const Tokens& tokens = turn.tokens;
  int64_t bits = tokens.input_uncached | tokens.cache_read | tokens.cache_write_5m | tokens.cache_write_1h |
                 tokens.output | tokens.reasoning | turn.llm_calls.value_or(0) | turn.duration_us.value_or(0) |
                 turn.time_to_first_token_us.value_or(0) | turn.provided_cost_nano_usd.value_or(0) |
                 turn.rag_output_tokens_saved;
  return (static_cast<uint64_t>(bits) | turn.turn_number.value_or(0)) > static_cast<uint64_t>(kLargeAmount);
}

FoldTime TimeOf(const Event& event, AppendTime append) {
  return PlantedBug("clock_ahead_trusted") ? FoldTime{event.event_time.us} : PlaceAt(event.event_time, append);
}

TurnUsage UsageOf(const Turn& turn) {
  TurnUsage usage;
  AddTurn(turn, &usage);
  return usage;
}

// What a turn adds to its session's and its service's day's rows, by add(a figure, how much).
template <class Add>
[[gnu::always_inline]] inline void AddTokens(const Tokens& tokens, TokenFigures* to, Add&& add) {
  add(to->input_uncached_tokens, tokens.input_uncached);
  add(to->cache_read_tokens, tokens.cache_read);
  add(to->cache_write_5m_tokens, tokens.cache_write_5m);
  add(to->cache_write_1h_tokens, tokens.cache_write_1h);
  add(to->output_tokens, tokens.output);
  add(to->reasoning_tokens, tokens.reasoning);
}
template <class Add>
[[gnu::always_inline]] inline void AddTo(const Turn& turn, SessionRow* session, Add&& add) {
  add(session->turns, 1);
  add(session->llm_calls, turn.llm_calls.value_or(1));
  AddTokens(turn.tokens, &session->tokens, add);
  add(session->cost_nano_usd, turn.provided_cost_nano_usd.value_or(0));
}
template <class Add>
[[gnu::always_inline]] inline void AddTo(const Turn& turn, ServiceDayRow* service, Add&& add) {
  add(service->turns, 1);
  add(service->llm_calls, turn.llm_calls.value_or(1));
  AddTokens(turn.tokens, &service->tokens, add);
  add(service->cost_nano_usd, turn.provided_cost_nano_usd.value_or(0));
  add(service->duration_us, turn.duration_us.value_or(0));
}

[[gnu::always_inline]] inline Posting PostingOf(const Event& event, FoldTime time, uint64_t offset) {
  const Turn& turn = event.turn;
  return {offset,   time.us,
          event.type, static_cast<uint8_t>(turn.status),
          event.id, static_cast<int64_t>(TotalOf(turn.tokens)),
          turn.provided_cost_nano_usd.value_or(0)};
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
  AddTo(turn, &session, [&](int64_t& figure, int64_t more) { change_.Add(node, figure, more); });
  change_.Set(node, session.last_turn_number,
              std::max<__int128>(session.last_turn_number, turn.turn_number.value_or(0)));
}

Status AccountFold::FoldTurn(const Event& event, const Ahead& ahead, const Record& record) {
  Result<bool> tallied = TallyTurn(event, ahead, record);
  if (!tallied.ok()) return tallied.status();
  if (*tallied) return Status::Ok();
  const Turn& turn = event.turn;
  AppendTime append = record.append_time;
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
  AddTo(turn, &rows.service->row, [&](int64_t& figure, int64_t more) { change_.Add(rows.service, figure, more); });
  places_.push_back({rows.account, rows.session, PostingOf(event, time, record.offset)});
  return Status::Ok();
}

// Every way to false comes before the first change; rows that it has made by then are FoldTurn()'s to fill.
Result<bool> AccountFold::TallyTurn(const Event& event, const Ahead& ahead, const Record& record) {
  const Turn& turn = event.turn;
  if (turn.is_admitted || odometer::NeedsCare(turn)) return false;
  FoldTime time = TimeOf(event, record.append_time);
  Tallied its;
  if (!NamesOf(turn, &its.names)) return false;
  ODOMETER_ASSIGN(its.account, AccountOf(ahead, event.tenant, turn.user));
  NodeHints<AccountRow>& hints = its.account->hints;
  its.is_opened = !hints.tally.Takes(time) || hints.of != tables_.hints_generation();
  if (its.is_opened) {
    bool can_open = false;
    ODOMETER_ASSIGN(can_open, OpenTally(event, ahead, time, its.account));
    if (!can_open) return false;
  }
  its.model = hints.tally.models.PlaceOf(its.names.model);
  its.provider = hints.tally.providers.PlaceOf(its.names.provider);
  bool has_room = its.model < TurnTally::kModels && its.provider < TurnTally::kProviders;
  if (!has_room || hints.tenant->high) return false;
  ODOMETER_ASSIGN(its.service, ServiceDayOf(event, time, its.names, hints.tenant));
  if (its.service->high) return false;
  if (!turn.session.empty()) {
    ODOMETER_ASSIGN(its.session, SessionOf(event, ahead, its.account));
    if (its.session->high || time.us < its.session->row.first_us) return false;
  }
  AddToTally(event, time, its);
  Envelope(event, record.append_time, hints.tenant);
  tables_.pending.Add(PostingOf(event, time, record.offset), &hints.postings,
                      its.session == nullptr ? nullptr : &its.session->hints.postings);
  return true;
}

void AccountFold::AddToTally(const Event& event, FoldTime time, const Tallied& its) {
  const Turn& turn = event.turn;
  NodeHints<AccountRow>& hints = its.account->hints;
  auto add = [](int64_t& figure, int64_t more) { figure += more; };
  change_.Begin(false);
  change_.Touch(tables_.tenants, hints.tenant);
  if (its.is_opened) TouchOpened(its.account);
  bool begins_session = false;
  if (its.session != nullptr) {
    SessionRow& session = its.session->row;
    begins_session = session.first_us == kNever;
    change_.Touch(tables_.sessions, its.session);
    Extend(time.us, &session.first_us, &session.last_us);
    AddTo(turn, &session, add);
    session.last_turn_number = std::max(session.last_turn_number, static_cast<int64_t>(turn.turn_number.value_or(0)));
  }
  change_.Touch(tables_.service_days, its.service);
  AddTo(turn, &its.service->row, add);
  auto tokens = static_cast<int64_t>(TotalOf(turn.tokens));
  hints.tally.Add(turn, time, begins_session);
  if (!turn.model().empty()) hints.tally.models.Add(its.model, its.names.model, tokens);
  if (!turn.provider.empty()) hints.tally.providers.Add(its.provider, its.names.provider, tokens);
  AddTurnToTenant(turn, begins_session, its.names, hints.tenant);
}

// Closes it for the hour that it is of, and opens it for that of the turn, unless a row needs care or the user may be
// refused.
Result<bool> AccountFold::OpenTally(const Event& event, const Ahead& ahead, FoldTime time, AccountNode* account) {
  Rows rows;
  rows.account = account;
  ODOMETER_RETURN_IF_ERROR(ResolveBeyond(ahead, event.tenant, event.turn.user, time, &rows));
  if (IsHigh(rows) || (account->made && IsNearlyFull(rows.tenant))) return false;
  account->hints.tally.begin_us = HourOf(time) * kUsPerHour;
  return true;
}

// The rows that an open tally is of change by the turns in it. A new user counts with the first.
void AccountFold::TouchOpened(AccountNode* account) {
  NodeHints<AccountRow>& hints = account->hints;
  if (account->made) change_.Add(hints.tenant, hints.tenant->row.users, 1);
  change_.Touch(tables_.accounts, account);
  change_.Touch(tables_.periods, hints.period);
  change_.Touch(tables_.days, hints.in_day);
}

bool AccountFold::NamesOf(const Turn& turn, Names* names) {
  NameIds& ids = tables_.names;
  *names = {ids.Of(turn.model()), ids.Of(turn.provider), ids.Of(turn.service), ids.Of(turn.operation)};
  return names->model != NameIds::kNone && names->provider != NameIds::kNone && names->service != NameIds::kNone &&
         names->operation != NameIds::kNone;
}

Result<ServiceDayNode*> AccountFold::ServiceDayOf(const Event& event, FoldTime time, const Names& names,
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

// Mostly that of the user's turn before.
Result<SessionNode*> AccountFold::SessionOf(const Event& event, const Ahead& ahead, AccountNode* account) {
  NodeHints<AccountRow>& hints = account->hints;
  std::string_view name = event.turn.session;
  if (hints.session != nullptr && hints.session->key.GoesOnWith(account->key.size(), name)) return hints.session;
  Result<SessionNode*> session = FindSession(ahead, event.tenant, event.turn.user, name);
  if (!session.ok()) return session;
  hints.session = *session;
  hints.session_digest = DigestOf(name).Hash();
  return session;
}

void AccountFold::AddTurnToTenant(const Turn& turn, bool begins_session, const Names& names, TenantNode* tenant) {
  TenantRow& row = tenant->row;
  auto tokens = static_cast<int64_t>(TotalOf(turn.tokens));
  AddTurn(turn, &row.usage);
  if (begins_session) ++row.usage.sessions;
  auto add = [&](NameFigures& figures) {
    ++figures.turns;
    figures.tokens += tokens;
  };
  if (!turn.model().empty()) add(FiguresOf(turn.model(), names.model, &row.models, &tenant->hints.models));
  if (!turn.provider.empty()) add(FiguresOf(turn.provider, names.provider, &row.providers, &tenant->hints.providers));
}

}  // namespace odometer
