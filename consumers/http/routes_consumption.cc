// GET /v1/consumption/…: what users of one tenant have used.
#include <algorithm>

#include "consumers/event_json.h"
#include "consumers/http/routes.h"
#include "consumers/queries_cursor.h"
#include "consumers/queries_sessions.h"

namespace odometer {
namespace {

struct FetchedEvent {
  OwnedRecord record;
  Event event;
};

Result<FetchedEvent> DecodeAs(EventType type, OwnedRecord record) {
  FetchedEvent fetched;
  fetched.record = std::move(record);
  bool is_it = Decode(fetched.record.bytes, &fetched.event) == Reason::kNone && fetched.event.type == type;
  if (is_it) return fetched;
  return Status(Code::kCorrupt,
                "offset " + std::to_string(fetched.record.offset) + ": not the event that its posting says");
}

// A turn's figures with what amended them; sums saturate, each part was in range.
struct TurnFigures {
  TokenFigures tokens;
  int64_t llm_calls = 0;
  std::optional<int64_t> cost_nano_usd;
  int64_t rag_output_tokens_saved = 0;

  void AddTokens(const Tokens& add) {
    AddSaturating(tokens.input_uncached_tokens, add.input_uncached);
    AddSaturating(tokens.cache_read_tokens, add.cache_read);
    AddSaturating(tokens.cache_write_5m_tokens, add.cache_write_5m);
    AddSaturating(tokens.cache_write_1h_tokens, add.cache_write_1h);
    AddSaturating(tokens.output_tokens, add.output);
    AddSaturating(tokens.reasoning_tokens, add.reasoning);
  }
  void AddCost(int64_t add) {
    int64_t sum = cost_nano_usd.value_or(0);
    AddSaturating(sum, add);
    cost_nano_usd = sum;
  }
  void Add(const Turn& turn) {
    AddTokens(turn.tokens);
    AddSaturating(llm_calls, turn.llm_calls.value_or(1));
    if (turn.provided_cost_nano_usd) AddCost(*turn.provided_cost_nano_usd);
    AddSaturating(rag_output_tokens_saved, turn.rag_output_tokens_saved);
  }
  void Add(const Amendment& amendment) {
    AddTokens(amendment.tokens_delta);
    AddSaturating(llm_calls, amendment.llm_calls_delta);
    if (amendment.provided_cost_delta_nano_usd != 0) AddCost(amendment.provided_cost_delta_nano_usd);
    AddSaturating(rag_output_tokens_saved, amendment.rag_output_tokens_saved_delta);
  }
};

void WriteFetched(JsonWriter& json, const FetchedEvent& fetched) {
  json.Key("offset").Unsigned(fetched.record.offset);
  json.Key("append_time").Time(fetched.record.append_time.us);
  json.Key("event").Raw(EventToJson(fetched.event));
}

// Writes one turn with what amended it, as an object: its record, and those of its amendments, are the next.
Status WriteTurn(JsonWriter& json, const TurnEntry& entry, std::vector<OwnedRecord>::iterator& record) {
  EventType type = entry.unmatched ? EventType::kTurnAmended : EventType::kTurnRecorded;
  Result<FetchedEvent> original = DecodeAs(type, std::move(*record++));
  if (!original.ok()) return original.status();
  TurnFigures figures;
  entry.unmatched ? figures.Add(original->event.amendment) : figures.Add(original->event.turn);
  JsonWriter amendments;
  amendments.Array();
  for (size_t i = 0; i < entry.amendments.size(); ++i) {
    Result<FetchedEvent> amendment = DecodeAs(EventType::kTurnAmended, std::move(*record++));
    if (!amendment.ok()) return amendment.status();
    figures.Add(amendment->event.amendment);
    amendments.Object();
    WriteFetched(amendments, *amendment);
    amendments.End();
  }
  amendments.End();
  json.Object();
  WriteFetched(json, *original);
  json.Key("placed_at").Time(entry.posting.time_us);
  json.Key("amended").Bool(!entry.amendments.empty()).Key("unmatched").Bool(entry.unmatched);
  WriteTokens(json, figures.tokens);
  json.Field("llm_calls", figures.llm_calls);
  WriteQuotient(json, "cost_nano_usd", figures.cost_nano_usd);
  json.Field("rag_output_tokens_saved", figures.rag_output_tokens_saved);
  json.Key("amendments").Raw(amendments.text()).End();
  return Status::Ok();
}

// The filters of the users' table, as its cursors carry them.
constexpr std::string_view kSortNames[] = {"total_tokens", "cost", "success_rate", "requests", "last_used", "user"};

}  // namespace

Status Api::WriteTurns(JsonWriter& json, PartitionLog& log, std::span<const TurnEntry* const> turns) {
  std::vector<uint64_t> offsets;
  for (const TurnEntry* turn : turns) {
    offsets.push_back(turn->posting.offset);
    offsets.insert(offsets.end(), turn->amendments.begin(), turn->amendments.end());
  }
  Result<std::vector<OwnedRecord>> records = log.FetchAll(offsets);
  if (!records.ok()) return Internal(records.status());
  auto record = records->begin();
  for (const TurnEntry* turn : turns) {
    if (Status written = WriteTurn(json, *turn, record); !written.ok()) return Internal(written);
  }
  return Status::Ok();
}

Result<HttpResponse> Api::GetSummary(const Call& call) {
  Result<std::string> user = call.RequiredText("user");
  if (!user.ok()) return user.status();
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  auto summary = ReadAccountSummary(*reading->view, call.tenant, *user, reading->now_us);
  if (!summary.ok()) return Internal(summary.status());
  if (!summary->has_value()) return NeverSeen("this user");
  std::vector<const TurnEntry*> costliest;
  for (const TurnEntry& turn : (*summary)->costliest_turns) costliest.push_back(&turn);
  JsonWriter turns;
  turns.Array();
  ODOMETER_RETURN_IF_ERROR(WriteTurns(turns, reading->runner->log(), costliest));
  turns.End();
  JsonWriter json;
  WriteAccountSummary(json, call.tenant, *user, **summary, reading->now_us, turns.text(), reading->as_of());
  return JsonResponse(json);
}

Status Api::WriteSystemSummary(JsonWriter& json, const Call& call, const Reading& reading, const UserTable& table) {
  auto found = ReadSystemSummary(table, reading.now_us);
  if (!found.ok()) return Internal(found.status());
  if (!found->has_value()) return NeverSeen("anything of this kind");
  const SystemSummary& summary = **found;
  const TenantRow& tenant = summary.tenant;
  json.Object().Field("tenant", call.tenant);
  WriteAsOf(json, reading.AsOfView(*table.view));
  json.Field("users", tenant.users).Field("projects", tenant.projects);
  json.Field("active_users_last_24h", summary.active_users_last_24h);
  json.Field("active_users_this_month", summary.active_users_this_month);
  json.Field("average_tokens_per_user", tenant.users == 0 ? 0 : tenant.usage.tokens.total() / tenant.users);
  json.Field("events", tenant.events);
  WriteUsage(json, tenant.usage);
  json.Field("clock_ahead_events", tenant.clock_ahead_events);
  json.Field("missing_events", tenant.missing_events).Field("lost_events", tenant.lost_events);
  json.Key("max_fold").Time(tenant.max_fold_us);
  json.Field("vectors", tenant.vectors).Field("bytes", tenant.bytes).Field("collections", tenant.collections);
  json.Field("vector_operations", tenant.operations).Field("searches", tenant.searches);
  json.Key("requests_this_hour").Unsigned(summary.this_hour.requests);
  json.Key("requests_last_24h").Unsigned(summary.last_24h.requests);
  json.Key("turns_last_24h").Unsigned(summary.last_24h.turns);
  json.Key("sessions_last_24h").Unsigned(summary.last_24h.sessions);
  json.Key("velocity").Array();
  for (const HourSum& point : summary.velocity) {
    json.Object().Key("hour").Time(point.hour * kUsPerHour);
    json.Key("requests").Unsigned(point.requests).Key("turns").Unsigned(point.turns).End();
  }
  json.End().Key("days").Array();
  for (const SystemSummary::Day& day : summary.days) {
    json.Object()
        .Field("day", DayToString(day.day))
        .Field("turns", day.row.turns)
        .Field("amendments", day.row.amendments);
    json.Field("interactions", day.row.interactions).Field("vector_operations", day.row.vector_operations);
    json.Field("llm_calls", day.row.llm_calls);
    WriteTokens(json, day.row.tokens);
    json.Field("cost_nano_usd", day.row.cost_nano_usd).End();
  }
  json.End();
  WriteShares(json.Key("models"), tenant.models.names.All(), tenant.models.other);
  WriteShares(json.Key("providers"), tenant.providers.names.All(), tenant.providers.other);
  return WriteCostliest(json, reading, summary);
}

Status Api::WriteCostliest(JsonWriter& json, const Reading& reading, const SystemSummary& summary) {
  if (!summary.costliest_known) {
    json.Key("active_sessions").Null().Key("costliest_sessions").Null().Key("costliest_turns").Null().End();
    return Status::Ok();
  }
  json.Field("active_sessions", summary.active_sessions);
  json.Key("costliest_sessions").Array();
  for (const SystemSummary::Session& session : summary.costliest_sessions) {
    json.Object().Field("user", session.user).Key("session");
    WriteSession(json, session.entry.session, session.entry.row, reading.now_us);
    json.End();
  }
  json.End().Key("costliest_turns").Array();
  std::vector<const TurnEntry*> costliest;
  for (const SystemSummary::Turn& turn : summary.costliest_turns) costliest.push_back(&turn.entry);
  ODOMETER_RETURN_IF_ERROR(WriteTurns(json, reading.runner->log(), costliest));
  json.End().End();
  return Status::Ok();
}

Result<HttpResponse> Api::GetSystemSummary(const Call& call) {
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  Result<std::shared_ptr<const UserTable>> table = TableOf(call, *reading);
  if (!table.ok()) return table.status();
  JsonWriter json;
  ODOMETER_RETURN_IF_ERROR(WriteSystemSummary(json, call, *reading, **table));
  return JsonResponse(json);
}

Result<std::shared_ptr<const UserTable>> Api::TableOf(const Call& call, const Reading& reading) {
  Result<std::optional<Position>> position = call.PositionToken("min_position");
  if (!position.ok()) return position.status();
  uint64_t least = position->has_value() ? (*position)->next_offset : 0;
  auto table = users_.Get([runner = reading.runner] { return runner->view(); }, call.tenant, least);
  if (!table.ok()) return Internal(table.status());
  renewing_.Wake();
  return table;
}

Status Api::WriteUserRow(JsonWriter& json, const View& view, const std::string& tenant, const std::string& user,
                         std::optional<Period> period, int64_t now_us, std::optional<int64_t> threshold) {
  KeyBuilder key;
  AccountRow account;
  PeriodRow in_period;
  if (period) {
    key.Begin(RowKind::kPeriod).Text(tenant).Text(user).Number(period->month);
    ODOMETER_ASSIGN_OR_RETURN(in_period, RowOrEmpty<PeriodRow>(view, key));
  } else {
    key.Begin(RowKind::kAccount).Text(tenant).Text(user);
    ODOMETER_ASSIGN_OR_RETURN(account, RowOrEmpty<AccountRow>(view, key));
  }
  json.Object().Field("user", user).Field("user_uuid", Uuid5(kNamespaceDns, user).ToString());
  WriteUsage(json, period ? in_period.usage : account.usage);
  json.Key("first_use").Time(period ? in_period.first_use_us : account.first_use_us);
  json.Key("last_use").Time(period ? in_period.last_use_us : account.last_use_us);
  int64_t hour = HourOf(FoldTime{now_us});
  auto of_now = [&](const char* name, auto&& value) {
    json.Key(name);
    period ? json.Null() : json.Unsigned(static_cast<uint64_t>(value));
  };
  of_now("events", account.events);
  of_now("collections_subscribed", account.collections_subscribed);
  of_now("requests_this_hour", account.requests_ring.AgedTo(hour).At(hour));
  of_now("requests_last_24h", account.requests_ring.AgedTo(hour).Sum());
  of_now("turns_last_24h", account.turns_ring.AgedTo(hour).Sum());
  of_now("sessions_last_24h", account.sessions_ring.AgedTo(hour).Sum());
  if (threshold) ODOMETER_RETURN_IF_ERROR(WriteLimitsNear(json, view, {tenant, user, {}, {}}, *threshold, now_us));
  json.End();
  return Status::Ok();
}

Result<HttpResponse> Api::PageOfNames(const Call& call, const Reading& reading, const PinnedListing& listing,
                                      const NamesPage& page) {
  size_t end = std::min(listing.names.size(), page.from + page.limit);
  JsonWriter json;
  json.Object().Field("tenant", call.tenant);
  WriteAsOf(json, reading.AsOfView(*listing.view));
  json.Key("total_count").Unsigned(listing.names.size());
  json.Key("next_cursor");
  bool more = end < listing.names.size();
  Cursor next{listing.filter, {static_cast<int64_t>(listing.id), static_cast<int64_t>(end)}, ""};
  more ? json.Text(next.ToToken()) : json.Null();
  json.Key("has_more").Bool(more);
  json.Key("data").Array();
  for (size_t i = page.from; i < end; ++i) {
    Status written = page.write(json, *listing.view, listing.names[i]);
    if (!written.ok()) return Internal(written);
  }
  json.End().End();
  return JsonResponse(json);
}

Result<std::optional<Api::PinnedAt>> Api::GoOn(const Call& call, uint64_t filter) {
  std::optional<std::string_view> token = call.Parameter("cursor");
  if (!token) return std::optional<PinnedAt>();
  Result<Cursor> cursor = Cursor::FromToken(*token, filter, 2);
  if (!cursor.ok()) return cursor.status();
  PinnedAt at{users_.Find(static_cast<uint64_t>(cursor->numbers[0]), filter), static_cast<size_t>(cursor->numbers[1])};
  return std::optional<PinnedAt>(std::move(at));
}

HttpResponse Api::StartAgain(const Call& call) const {
  return Fail(call, {410, "cursor-expired",
                     "the listing that this cursor belongs to is gone; start again without a cursor", 0});
}

Result<HttpResponse> Api::GetUsers(const Call& call) {
  Result<size_t> sort = call.OneOf("sort", {std::begin(kSortNames), std::end(kSortNames)}, 0);
  if (!sort.ok()) return sort.status();
  Result<size_t> order = call.OneOf("order", {"asc", "desc"}, kSortNames[*sort] == "user" ? 0 : 1);
  if (!order.ok()) return order.status();
  Result<std::optional<Period>> period = call.Month("period");
  if (!period.ok()) return period.status();
  Result<int64_t> limit = call.Limit(100, 1000);
  if (!limit.ok()) return limit.status();
  Result<int64_t> threshold = call.Number("threshold", 0, 1, 1000);
  if (!threshold.ok()) return threshold.status();
  std::optional<int64_t> near = *threshold == 0 ? std::optional<int64_t>() : *threshold;
  if (near && (*period || call.Parameter("sort") || call.Parameter("order")))
    return Status(Code::kInvalid, "with 'threshold' users come by how much of a limit they have used, as it is now");
  uint64_t filter =
      FilterHash({"users", call.tenant, kSortNames[*sort], *order == 0 ? "asc" : "desc",
                  period->has_value() ? (*period)->ToString() : std::string(), std::to_string(*threshold)});
  Result<std::optional<PinnedAt>> at = GoOn(call, filter);
  if (!at.ok()) return at.status();
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  if (!at->has_value()) {
    Result<std::shared_ptr<const UserTable>> table = TableOf(call, *reading);
    if (!table.ok()) return table.status();
    if (near) {
      Result<std::vector<std::string>> names = UsersNear(call, **table, *near, reading->now_us);
      if (!names.ok()) return Internal(names.status());
      *at = PinnedAt{users_.Pin((*table)->view, std::move(*names), filter), 0};
    } else {
      auto listing = users_.Sorted(**table, *UserSortFromName(kSortNames[*sort]), *order == 0, *period, filter);
      if (!listing.ok()) return Internal(listing.status());
      *at = PinnedAt{*listing, 0};
    }
  }
  if ((*at)->listing == nullptr) return StartAgain(call);
  NamesPage page{(*at)->from, static_cast<size_t>(*limit),
                 [&](JsonWriter& json, const View& view, const std::string& user) {
                   return WriteUserRow(json, view, call.tenant, user, *period, reading->now_us, near);
                 }};
  return PageOfNames(call, *reading, *(*at)->listing, page);
}

Result<HttpResponse> Api::GetSessions(const Call& call) {
  Result<std::string> user = call.RequiredText("user");
  if (!user.ok()) return user.status();
  Result<int64_t> limit = call.Limit(50, 1000);
  if (!limit.ok()) return limit.status();
  uint64_t filter = FilterHash({"sessions", call.tenant, *user});
  Result<std::optional<PinnedAt>> at = GoOn(call, filter);
  if (!at.ok()) return at.status();
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  if (!at->has_value()) {
    auto sessions = ListSessions(*reading->view, call.tenant, *user);
    if (!sessions.ok()) return Internal(sessions.status());
    if (!sessions->has_value()) return NeverSeen("this user");
    *at = PinnedAt{users_.Pin(reading->view, **std::move(sessions), filter), 0};
  }
  if ((*at)->listing == nullptr) return StartAgain(call);
  NamesPage page{(*at)->from, static_cast<size_t>(*limit),
                 [&](JsonWriter& json, const View& view, const std::string& session) {
                   KeyBuilder key;
                   key.Begin(RowKind::kSession).Text(call.tenant).Text(*user).Text(session);
                   SessionRow row;
                   ODOMETER_ASSIGN_OR_RETURN(row, RowOrEmpty<SessionRow>(view, key));
                   WriteSession(json, session, row, reading->now_us);
                   return Status::Ok();
                 }};
  return PageOfNames(call, *reading, *(*at)->listing, page);
}

Result<HttpResponse> Api::GetTurns(const Call& call) {
  Result<std::string> user = call.RequiredText("user");
  if (!user.ok()) return user.status();
  Result<std::optional<std::string>> session = call.Text("session");
  if (!session.ok()) return session.status();
  Result<int64_t> limit = call.Limit(50, 500);
  if (!limit.ok()) return limit.status();
  uint64_t filter =
      FilterHash({"turns", call.tenant, *user, session->has_value() ? "session" : "", session->value_or("")});
  Cursor cursor{filter, {INT64_MAX, INT64_MAX}, ""};
  if (std::optional<std::string_view> token = call.Parameter("cursor")) {
    ODOMETER_ASSIGN_OR_RETURN(cursor, Cursor::FromToken(*token, filter, 2));
  }
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  uint64_t newest = reading->view->meta().cursor;
  if (cursor.numbers[0] == INT64_MAX) cursor.numbers[0] = static_cast<int64_t>(newest);
  if (static_cast<uint64_t>(cursor.numbers[0]) > newest) return StartAgain(call);
  auto account = reading->view->Get(KeyBuilder().Begin(RowKind::kAccount).Text(call.tenant).Text(*user).view());
  if (!account.ok()) return Internal(account.status());
  if (!account->has_value()) return NeverSeen("this user");
  auto list =
      ListTurns(*reading->view, call.tenant, *user, session->value_or(""), static_cast<uint64_t>(cursor.numbers[0]));
  if (!list.ok()) return Internal(list.status());
  return PageOfTurns(call, *reading, *list, cursor, static_cast<size_t>(*limit));
}

Result<HttpResponse> Api::PageOfTurns(const Call& call, const Reading& reading, const TurnList& list, Cursor cursor,
                                      size_t limit) {
  auto after = std::lower_bound(list.entries.begin(), list.entries.end(), static_cast<uint64_t>(cursor.numbers[1]),
                                [](const TurnEntry& entry, uint64_t offset) { return entry.posting.offset >= offset; });
  size_t left = static_cast<size_t>(list.entries.end() - after);
  auto end = after + static_cast<ptrdiff_t>(std::min(limit, left));
  JsonWriter json;
  json.Object().Field("tenant", call.tenant);
  WriteAsOf(json, reading.as_of());
  json.Key("total_count").Unsigned(list.entries.size());
  bool more = left > limit;
  json.Key("next_cursor");
  if (more) {
    cursor.numbers[1] = static_cast<int64_t>((end - 1)->posting.offset);
    json.Text(cursor.ToToken());
  } else {
    json.Null();
  }
  json.Key("has_more").Bool(more).Key("data").Array();
  std::vector<const TurnEntry*> turns;
  for (auto entry = after; entry != end; ++entry) turns.push_back(&*entry);
  ODOMETER_RETURN_IF_ERROR(WriteTurns(json, reading.runner->log(), turns));
  json.End().End();
  return JsonResponse(json);
}

}  // namespace odometer
