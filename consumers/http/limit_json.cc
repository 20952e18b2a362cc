#include "consumers/http/limit_json.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "state/resolve.h"

namespace odometer {

namespace {

// Seconds from a moment to another, rounded up: who waits as long finds it done.
int64_t SecondsUntil(int64_t until_us, int64_t from_us) {
  return std::max<int64_t>((until_us - from_us + kUsPerSecond - 1) / kUsPerSecond, 1);
}

// What was asked for is not used yet where the ask was judged before it was taken.
int64_t RemainingOf(LimitStatus limit, bool is_taken) {
  if (is_taken) limit.cap -= limit.asked;
  return LeftOf(limit);
}

int64_t WindowSeconds(Window window) {
  switch (window) {
    case Window::kRollingMinute:
      return 60;
    case Window::kRollingHour:
    case Window::kHour:
      return 3600;
    case Window::kRolling24h:
    case Window::kDay:
      return 86400;
    default:
      return 0;
  }
}

// An integer of a structured field has at most 15 digits (RFC 9651): of a greater one, the greatest.
constexpr int64_t kFieldIntegerMax = 999'999'999'999'999;

void AddParameter(std::string_view name, int64_t value, std::string* to) {
  char digits[24];
  *to += name;
  to->append(digits, std::to_chars(digits, std::end(digits), std::min(value, kFieldIntegerMax)).ptr);
}

void WriteMover(JsonWriter& json, const Mover& mover) {
  json.Object().Key("offset").Unsigned(mover.offset).Key("id");
  mover.id.is_nil() ? json.Null() : json.Text(mover.id.ToString());
  json.Field("type", mover.type == EventType::kNone ? "LeaseExpired" : TypeName(mover.type));
  json.Field("user", mover.user).Key("at").Time(mover.at_us).Field("amount", mover.amount).End();
}

}  // namespace

std::string_view AskStateName(uint8_t state) {
  switch (static_cast<AskState>(state)) {
    case AskState::kRefused:
      return "refused";
    case AskState::kAdmitted:
      return "admitted";
    case AskState::kOpen:
      return "open";
    case AskState::kSettled:
      return "settled";
    case AskState::kReleased:
      return "released";
    case AskState::kExpired:
      return "expired";
  }
  return "";
}

std::string_view RefusalName(uint8_t refusal) {
  switch (static_cast<Refusal>(refusal)) {
    case Refusal::kNone:
      return "";
    case Refusal::kLimit:
      return "limit";
    case Refusal::kTooManyHolds:
      return "too_many_holds";
    case Refusal::kOverflow:
      return "overflow";
  }
  return "";
}

int64_t PercentOf(const LimitStatus& limit) {
  if (limit.cap == 0) return 100;
  __int128 percent = (static_cast<__int128>(limit.used) + limit.held) * 100 / limit.cap;
  return static_cast<int64_t>(std::clamp<__int128>(percent, 0, INT64_MAX));
}

std::string_view WarningOf(int64_t percent) {
  if (percent >= 100) return "critical";
  if (percent >= 95) return "urgent";
  return percent >= 80 ? "warning" : "none";
}

void WriteAmounts(JsonWriter& json, const std::vector<AmountItem>& amounts) {
  json.Object();
  for (const AmountItem& item : amounts) json.Field(MeterName(static_cast<Meter>(item.meter)), item.amount);
  json.End();
}

void WriteVerdict(JsonWriter& json, const Verdict& verdict) {
  json.Key("allowed").Bool(verdict.allowed);
  json.Field("enforcement", EnforcementName(static_cast<Enforcement>(verdict.enforcement)));
  json.Key("refused_by");
  verdict.refusal == 0 ? json.Null() : json.Text(RefusalName(verdict.refusal));
  json.Key("judged_at").Time(verdict.judged_us).Key("retry_after_s");
  verdict.retry_at_us < 0 ? json.Null() : json.Int(SecondsUntil(verdict.retry_at_us, verdict.judged_us));
  json.Key("limits").Array();
  for (const LimitStatus& limit : verdict.limits) WriteLimit(json, limit, verdict.allowed);
  json.End();
}

void WriteAsk(JsonWriter& json, const Uuid& id, const AskRow& ask) {
  json.Field("id", id.ToString()).Field("type", TypeName(ask.type)).Field("state", AskStateName(ask.state));
  json.Field("user", ask.user).Field("project", ask.project).Field("collection", ask.collection);
  json.Key("amounts");
  WriteAmounts(json, ask.amounts);
  json.Key("expires_at").Time(ask.due_us).Key("closed_at").Time(ask.closed_us).Key("settled");
  WriteAmounts(json, ask.settled);
}

void AddRateLimits(const Verdict& verdict, HttpResponse* response) {
  std::string policies, states;
  policies.reserve(128);
  states.reserve(128);
  for (const LimitStatus& limit : verdict.limits) {
    auto window = static_cast<Window>(limit.window);
    if (static_cast<LimitMode>(limit.mode) == LimitMode::kSoft) continue;  // nobody has to wait for it
    for (std::string* text : {&policies, &states}) {
      *text += text->empty() ? "\"" : ", \"";
      *text += MeterName(static_cast<Meter>(limit.meter));
      *text += '-';
      *text += WindowName(window);
      *text += '-';
      *text += ScopeName(static_cast<Scope>(limit.over));
      *text += '"';
    }
    AddParameter(";q=", limit.cap, &policies);
    if (int64_t seconds = WindowSeconds(window)) AddParameter(";w=", seconds, &policies);
    AddParameter(";r=", RemainingOf(limit, verdict.allowed), &states);
    if (limit.reset_us >= 0) AddParameter(";t=", SecondsUntil(limit.reset_us, verdict.judged_us), &states);
  }
  if (!policies.empty()) {
    response->headers.emplace_back("RateLimit-Policy", std::move(policies));
    response->headers.emplace_back("RateLimit", std::move(states));
  }
  if (!verdict.allowed && verdict.retry_at_us >= 0) {
    response->headers.emplace_back("Retry-After", std::to_string(SecondsUntil(verdict.retry_at_us, verdict.judged_us)));
  }
}

void WriteLimit(JsonWriter& json, const LimitStatus& limit, bool is_taken) {
  json.Object().Field("meter", MeterName(static_cast<Meter>(limit.meter)));
  json.Field("window", WindowName(static_cast<Window>(limit.window)));
  json.Field("over", ScopeName(static_cast<Scope>(limit.over)));
  json.Field("mode", ModeName(static_cast<LimitMode>(limit.mode)));
  json.Field("when_unavailable", WhenUnavailableName(static_cast<WhenUnavailable>(limit.when_unavailable)));
  json.Field("level", LevelName(static_cast<Level>(limit.level))).Field("source", limit.source);
  json.Key("definition");
  limit.definition.is_nil() ? json.Null() : json.Text(limit.definition.ToString());
  json.Field("cap", limit.cap).Field("used", limit.used).Field("held", limit.held).Field("asked", limit.asked);
  json.Field("remaining", RemainingOf(limit, is_taken)).Field("percent", PercentOf(limit));
  json.Field("warning", WarningOf(PercentOf(limit)));
  json.Key("exceeded").Bool(limit.exceeded).Key("resets_at").Time(limit.reset_us).End();
}

void WriteExplanation(JsonWriter& json, const Explanation& explanation) {
  json.Field("position", explanation.position.ToToken()).Key("as_of").Time(explanation.as_of_us);
  json.Field("user", explanation.user).Field("project", explanation.project);
  json.Field("collection", explanation.collection);
  WriteVerdict(json, explanation.verdict);
  json.Key("moved_by").Array();
  for (size_t i = 0; i < explanation.limits.size(); ++i) {
    const ExplainedLimit& limit = explanation.limits[i];
    const LimitStatus& status = explanation.verdict.limits[i];
    json.Object().Field("meter", MeterName(static_cast<Meter>(status.meter)));
    json.Field("window", WindowName(static_cast<Window>(status.window)));
    json.Field("over", ScopeName(static_cast<Scope>(status.over)));
    json.Key("counting_since").Time(limit.counting_since_us).Key("window_start").Time(limit.window_start_us);
    json.Key("events").Unsigned(limit.events).Key("greatest").Array();
    for (const Mover& mover : limit.movers) WriteMover(json, mover);
    json.End().End();
  }
  json.End().Key("answered");
  if (!explanation.asked) {
    json.Null();
    return;
  }
  json.Object();
  WriteVerdict(json, explanation.asked->verdict);
  json.End();
}

}  // namespace odometer
