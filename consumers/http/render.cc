#include "consumers/http/render.h"

namespace odometer {
namespace {

constexpr int64_t kVelocityHours = 24;

// A row's Fields() visitor for rows of plain figures.
struct FigureWriter {
  JsonWriter& json;
  void operator()(const char* name, int64_t value) { json.Field(name, value); }
};

void WriteHourPoint(JsonWriter& json, int64_t hour, uint64_t requests, uint64_t turns) {
  json.Object().Key("hour").Time(hour * kUsPerHour);
  json.Key("requests").Unsigned(requests).Key("turns").Unsigned(turns).End();
}

void WriteToday(JsonWriter& json, const DayRow& today) {
  json.Field("requests_today", today.requests);
  json.Field("turns_today", today.turns);
  json.Field("llm_calls_today", today.llm_calls);
  json.Field("interactions_today", today.interactions);
  json.Field("config_changes_today", today.config_changes);
  json.Field("sessions_today", today.sessions);
  json.Field("input_uncached_tokens_today", today.tokens.input_uncached_tokens);
  json.Field("cache_read_tokens_today", today.tokens.cache_read_tokens);
  json.Field("cache_write_5m_tokens_today", today.tokens.cache_write_5m_tokens);
  json.Field("cache_write_1h_tokens_today", today.tokens.cache_write_1h_tokens);
  json.Field("input_tokens_today", today.tokens.input());
  json.Field("output_tokens_today", today.tokens.output_tokens);
  json.Field("reasoning_tokens_today", today.tokens.reasoning_tokens);
  json.Field("tokens_today", today.tokens.total());
  json.Field("cost_nano_usd_today", today.cost_nano_usd);
}

void WriteMonth(JsonWriter& json, const AccountSummary& summary) {
  json.Object();
  json.Field("period", summary.period.ToString());
  json.Key("period_started_at").Time(summary.period.start_us());
  json.Key("period_ends_at").Time(summary.period.end_us());
  json.Key("period_closed").Bool(false);
  WriteUsage(json, summary.in_period.usage);
  json.Key("first_use").Time(summary.in_period.first_use_us);
  json.Key("last_use").Time(summary.in_period.last_use_us);
  json.Field("peak_requests_per_hour", summary.peaks.requests_per_hour);
  json.Field("peak_requests_per_day", summary.peaks.requests_per_day);
  WriteShares(json.Key("models"), summary.in_period.models.names.All(), summary.in_period.models.other);
  WriteShares(json.Key("providers"), summary.in_period.providers.names.All(), summary.in_period.providers.other);
  json.End();
}

}  // namespace

void WriteAsOf(JsonWriter& json, const AsOf& as_of) {
  json.Key("as_of").Object();
  json.Field("position", Position{as_of.partition, as_of.cursor}.ToToken());
  json.Key("time").Time(as_of.now_us);
  json.Key("lag").Unsigned(as_of.log_end > as_of.cursor ? as_of.log_end - as_of.cursor : 0);
  json.End();
}

void WriteTokens(JsonWriter& json, const TokenFigures& tokens) {
  TokenFigures::Fields(tokens, FigureWriter{json});
  json.Field("input_tokens", tokens.input());
  json.Field("total_tokens", tokens.total());
}

void WriteQuotient(JsonWriter& json, std::string_view name, std::optional<int64_t> value) {
  json.Key(name);
  value ? json.Int(*value) : json.Null();
}

void WriteUsage(JsonWriter& json, const Usage& usage) {
  Usage::Fields(usage, FigureWriter{json});
  json.Field("turns", usage.turns_total());
  json.Field("input_tokens", usage.tokens.input());
  json.Field("total_tokens", usage.tokens.total());
  json.Field("cost_nano_usd", usage.cost_nano_usd());
  json.Key("rag_cost_saved_nano_usd").Null();
  WriteQuotient(json, "success_rate_hundredths", Hundredths(usage.turns[0], usage.turns_total()));
  WriteQuotient(json, "rag_activation_rate_hundredths", Hundredths(usage.rag_turns, usage.turns_total()));
}

void WriteLimits(JsonWriter& json, const std::vector<LimitStatus>& limits) {
  struct Named {
    const char* cap;
    const char* left;
    Meter meter;
    Window window;
  };
  static constexpr Named kNamed[] = {
      {"input_tokens_limit", "input_tokens_remaining", Meter::kInputTokens, Window::kMonth},
      {"output_tokens_limit", "output_tokens_remaining", Meter::kOutputTokens, Window::kMonth},
      {"prompts_per_hour_limit", "requests_hour_remaining", Meter::kRequests, Window::kRollingHour},
      {"prompts_per_day_limit", "requests_day_remaining", Meter::kRequests, Window::kRolling24h}};
  for (const Named& named : kNamed) {
    auto limit = std::find_if(limits.begin(), limits.end(), [&](const LimitStatus& status) {
      return status.meter == static_cast<uint8_t>(named.meter) && status.window == static_cast<uint8_t>(named.window) &&
             status.over == static_cast<uint8_t>(Scope::kUser);
    });
    bool is_capped = limit != limits.end();
    WriteQuotient(json, named.cap, is_capped ? std::optional<int64_t>(limit->cap) : std::nullopt);
    WriteQuotient(json, named.left, is_capped ? std::optional<int64_t>(LeftOf(*limit)) : std::nullopt);
  }
}

void WriteCell(JsonWriter& json, const HourCell& cell) { HourCell::Fields(cell, FigureWriter{json}); }

void WriteProject(JsonWriter& json, const ProjectRow& row, int64_t now_hour, bool of_a_user) {
  json.Key("first_use").Time(row.first_use_us).Key("last_use").Time(row.last_use_us);
  json.Key("operations").Array();
  for (size_t i = 0; i < kOperationKinds; ++i) {
    const OperationFigures& figures = row.operations[i];
    json.Object().Field("operation", OperationName(static_cast<OperationKind>(i)));
    json.Field("count", figures.count());
    for (size_t s = 0; s < kOperationStatuses; ++s) {
      json.Field(StatusName(static_cast<OperationStatus>(s + 1)), figures.by_status[s]);
    }
    json.Field("requested", figures.requested).Field("succeeded", figures.succeeded);
    json.Field("payload_bytes", figures.payload_bytes);
    json.Field("duration_us", figures.duration_us).Field("timed", figures.timed).End();
  }
  json.End();
  json.Field("inserted", row.inserted).Field("results", row.results).Field("filtered", row.filtered);
  json.Field("vectors", row.vectors).Field("bytes", row.bytes).Field("collections", row.collections);
  Ring searches = row.searches_ring.AgedTo(now_hour);
  json.Key("searches_last_24h").Unsigned(searches.Sum());
  if (of_a_user) return;
  json.Field("events", row.events);
  json.Field("correction_vectors", row.correction_vectors).Field("correction_bytes", row.correction_bytes);
  json.Field("dropped_vectors", row.dropped_vectors).Field("dropped_bytes", row.dropped_bytes);
}

void WriteShares(JsonWriter& json, std::vector<NameCount> names, const NameFigures& other) {
  json.Array();
  for (const NameShare& share : SharesOf(std::move(names), other)) {
    json.Object().Field("name", share.is_other ? std::string_view("other") : share.count.name.view());
    json.Key("is_other").Bool(share.is_other);
    json.Field("turns", share.count.turns).Field("tokens", share.count.tokens);
    json.Field("turns_share_hundredths", share.turns_share).Field("tokens_share_hundredths", share.tokens_share).End();
  }
  json.End();
}

void WriteVelocity(JsonWriter& json, const Ring& requests, const Ring& turns) {
  json.Array();
  for (int64_t back = kVelocityHours - 1; back >= 0; --back) {
    int64_t hour = requests.newest_hour - back;
    WriteHourPoint(json, hour, requests.At(hour), turns.At(hour));
  }
  json.End();
}

void WriteSession(JsonWriter& json, std::string_view session, const SessionRow& row, int64_t now_us) {
  json.Object().Field("session", session).Field("name", row.name);
  json.Key("first").Time(row.first_us).Key("last").Time(row.last_us);
  json.Key("ended").Bool(row.ended).Key("active").Bool(IsActive(row, now_us));
  json.Field("turns", row.turns).Field("amendments", row.amendments).Field("interactions", row.interactions);
  json.Field("llm_calls", row.llm_calls);
  WriteTokens(json, row.tokens);
  json.Field("cost_nano_usd", row.cost_nano_usd);
  json.Key("last_turn_number").Unsigned(row.last_turn_number);
  json.Field("summary", row.summary);
  json.Key("key_points").Array();
  for (const std::string& point : row.key_points) json.Text(point);
  json.End().End();
}

void WriteAccountSummary(JsonWriter& json, std::string_view tenant, std::string_view user,
                         const AccountSummary& summary, int64_t now_us,
                         std::string_view costliest_turns, const AsOf& as_of) {
  const AccountRow& account = summary.account;
  json.Object().Field("tenant", tenant).Field("user", user);
  json.Field("user_uuid", Uuid5(kNamespaceDns, user).ToString());
  WriteAsOf(json, as_of);
  json.Field("events", account.events);
  WriteUsage(json, account.usage);
  json.Key("first_use").Time(account.first_use_us).Key("last_use").Time(account.last_use_us);
  json.Field("collections_subscribed", account.collections_subscribed);
  json.Key("subscribed_collections").Array();
  for (const std::string& name : summary.subscriptions) json.Text(name);
  json.End();
  WriteToday(json, summary.today);
  json.Key("requests_this_hour").Unsigned(account.requests_ring.At(account.requests_ring.newest_hour));
  json.Key("hour_resets_at").Time((HourOf(FoldTime{now_us}) + 1) * kUsPerHour);
  json.Key("day_resets_at").Time((DayOf(FoldTime{now_us}) + 1) * kUsPerDay);
  json.Key("requests_last_24h").Unsigned(account.requests_ring.Sum());
  json.Key("turns_last_24h").Unsigned(account.turns_ring.Sum());
  json.Key("sessions_last_24h").Unsigned(account.sessions_ring.Sum());
  json.Field("active_sessions", summary.sessions.active);
  WriteLimits(json, summary.limits);
  json.Field("open_holds", summary.open_holds);
  WriteMonth(json.Key("period"), summary);
  WriteVelocity(json.Key("velocity"), account.requests_ring, account.turns_ring);
  WriteShares(json.Key("models"), account.models.names.All(), account.models.other);
  WriteShares(json.Key("providers"), account.providers.names.All(), account.providers.other);
  json.Key("costliest_sessions").Array();
  for (const SessionEntry& entry : summary.sessions.costliest) WriteSession(json, entry.session, entry.row, now_us);
  json.End();
  json.Key("costliest_turns").Raw(costliest_turns).End();
}

}  // namespace odometer
