// What may be done: asks and their verdicts, the ends of holds, and how limits stand.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "consumers/event_json.h"
#include "consumers/explain.h"
#include "consumers/fresh_id.h"
#include "consumers/http/limit_json.h"
#include "consumers/http/routes.h"
#include "state/codec.h"
#include "state/judge.h"
#include "state/limit_view.h"

namespace odometer {

namespace {

constexpr int64_t kVerdictWaitUs = 5 * kUsPerSecond;
constexpr int64_t kHoldTtlUs = 300 * kUsPerSecond;  // of a reserve, and of a lease, that says none
constexpr int64_t kLeaseTtlUs = 60 * kUsPerSecond;
constexpr size_t kHoldsMax = 1'000;
constexpr size_t kBegunBytesMax = 16 << 10;  // a longer body is read by a handler

// kNone: the request is none.
EventType TypeOfAsk(const HttpRequest& request) {
  if (request.method != "POST") return EventType::kNone;
  if (request.target == "/v1/limits/admit") return EventType::kAdmitAsked;
  if (request.target == "/v1/limits/reserve") return EventType::kHoldAsked;
  return request.target == "/v1/limits/lease" ? EventType::kLeaseAsked : EventType::kNone;
}

// Whether the object has such a member.
bool Says(std::string_view body, const char* member) {
  nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  return json.is_object() && json.contains(member);
}

std::string FieldsOfAsk(EventType type, std::string_view body) {
  std::string fields = fmt::format("\"type\":\"{}\"", TypeName(type));
  if (type == EventType::kAdmitAsked || Says(body, "ttl_us")) return fields;
  return fields + fmt::format(",\"ttl_us\":{}", type == EventType::kLeaseAsked ? kLeaseTtlUs : kHoldTtlUs);
}

// What the fold says to an event that is in the log but changes nothing.
Problem ProblemOfRefusal(Reason reason) {
  switch (reason) {
    case Reason::kConflict:
      return {409, "conflict", "the id was given to another event before", 0};
    case Reason::kNotExpected:
      return {412, "not-expected", "something else stands there by now: read it again, and say If-Match with its ETag",
              0};
    case Reason::kProfileInUse:
      return {409, "profile-in-use", "somebody has this profile: give them another one first", 0};
    case Reason::kUnknownProfile:
      return {422, "unknown-profile", "no profile has this name; GET /v1/profiles lists them", 0};
    default:
      return {422, "refused", fmt::format("the log holds it, but it was not folded: {}", ReasonName(reason)), 0};
  }
}

constexpr const char* kNoSuchAsk = "no ask of this tenant in the last 7 days has that id: nothing was changed";

Result<std::optional<AskRow>> ReadAsk(const View& view, std::string_view tenant, const Uuid& id) {
  Result<std::optional<AskRow>> row =
      ReadRow<AskRow>(view, KeyBuilder().Begin(RowKind::kAsk).Text(tenant).Id(id).view());
  if (row.ok() && row->has_value() && (*row)->gone_us <= view.meta().log_time_us) return std::optional<AskRow>();
  return row;
}

}  // namespace

Result<std::string> AsEvent(std::string_view body, std::string_view fields) {
  size_t begin = body.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || body[begin] != '{')
    return Status(Code::kInvalid, R"(the body is an object: {"user":"ann","amounts":{"requests":1}})");
  std::string_view rest = body.substr(begin + 1);
  size_t next = rest.find_first_not_of(" \t\r\n");
  bool is_empty = next == std::string_view::npos || rest[next] == '}';
  return fmt::format("{{{}{}{}", fields, is_empty ? "" : ",", rest);
}

Result<ParsedEvents> Api::ParseOne(const Call& call, const std::string& body) {
  JsonOptions options{call.tenant, "api", &daemon_.clock(), [] { return FreshBytes(); }, 1};
  Result<ParsedEvents> parsed = ParseEvents(body, JsonBody::kWhole, options);
  if (parsed.ok() && parsed->items.size() != 1) return Status(Code::kInvalid, "the body is one object");
  return parsed;
}

// Appends the event and answers with what the fold made of it.
Result<HttpResponse> Api::Decide(
    const Call& call, const Event& event,
    const std::function<Result<HttpResponse>(Runner&, uint64_t offset, const Runner::Answered&)>& answer) {
  Runner& runner = RunnerOfTenant(call);
  std::string bytes = Encode(event);
  std::string_view one = bytes;
  Result<HttpResponse> decided = HttpResponse();
  auto answer_folded = [&](const Appended& appended) {
    runner.FoldNow();
    std::optional<Runner::Answered> answered;
    for (int64_t left_us = kVerdictWaitUs; !answered && left_us > 0 && !stopping_; left_us -= kUsPerSecond)
      answered = runner.WaitForAnswer(appended.first_offset, kUsPerSecond);
    if (!answered) {
      decided = FailVerdictLate(call);
    } else if (answered->outcome.kind == Outcome::Kind::kQuarantined) {
      decided = Fail(call, ProblemOfRefusal(answered->outcome.reason));
    } else {
      decided = answer(runner, appended.first_offset, *answered);
    }
    return HttpResponse();
  };
  Result<HttpResponse> response = Append(call, runner, {&one, 1}, answer_folded, true);
  // Append() itself refused: there is no position yet.
  return response.ok() && response->status != 200 ? std::move(response) : std::move(decided);
}

HttpResponse Api::FailVerdictLate(const Call& call) {
  return Fail(call, {503, "verdict-late",
                     "the ask is in the log and will be judged; ask again with the same id to be told", 1});
}

// What the sender is told of a body that is no ask; nullopt: it is the first of `parsed`.
std::optional<HttpResponse> Api::ReadAsked(const Call& call, EventType type, ParsedEvents* parsed) {
  Result<std::string> body = AsEvent(call.request->body, FieldsOfAsk(type, call.request->body));
  if (!body.ok()) return FailWith(call, body.status());
  Result<ParsedEvents> read = ParseOne(call, *body);
  if (!read.ok()) return FailWith(call, read.status());
  *parsed = std::move(*read);
  const ParsedEvent& item = parsed->items.front();
  return item.error ? std::optional(FailItem(call, *item.error)) : std::nullopt;
}

Result<HttpResponse> Api::Ask(const Call& call, EventType type) {
  ParsedEvents parsed;
  if (std::optional<HttpResponse> refused = ReadAsked(call, type, &parsed)) return *std::move(refused);
  const Event& event = parsed.items.front().event;
  return Decide(call, event, [&](Runner& runner, uint64_t offset, const Runner::Answered& answered) {
    return AnswerAsk(call, event.id, runner, offset, answered);
  });
}

bool Api::Begin(HttpRequest& request, const HttpReply& reply) {
  EventType type = TypeOfAsk(request);
  bool is_taken = type != EventType::kNone && request.body.size() <= kBegunBytesMax;
  Result<std::string> tenant = is_taken ? TenantOf(request) : Status(Code::kInvalid, "");
  if (!tenant.ok() || !daemon_.owns(daemon_.PartitionOfTenant(*tenant))) return false;
  Runner& runner = daemon_.runner(daemon_.PartitionOfTenant(*tenant));
  if (!runner.log().can_await()) return false;
  auto begun = std::make_shared<Begun>();
  begun->begun_us = daemon_.clock().MonotonicUs();
  begun->request = std::move(request);
  begun->call = NewCall(begun->request);
  begun->call.route = begun->call.instance;
  begun->call.tenant = *std::move(tenant);
  begun->reply = reply;
  ParsedEvents parsed;
  if (std::optional<HttpResponse> refused = ReadAsked(begun->call, type, &parsed)) {
    reply([this, begun, refused = *std::move(refused)] { return Finish(begun->call, begun->begun_us, refused); },
          false);
    return true;
  }
  const Event& event = parsed.items.front().event;
  runner.Ask(Encode(event), [this, begun, id = event.id, &runner](const Runner::Judged& judged) {
    auto answer = [this, begun, id, &runner, judged] {
      return Finish(begun->call, begun->begun_us, AnswerJudged(begun->call, id, runner, judged));
    };
    begun->reply(std::move(answer), judged.more);
  });
  return true;
}

void Api::EndRound() {
  for (uint32_t partition : daemon_.owned()) daemon_.runner(partition).JudgeAsked();
}

HttpResponse Api::AnswerJudged(const Call& call, const Uuid& id, Runner& runner, const Runner::Judged& judged) try {
  if (!judged.is_sent) return FailNotSent(call, runner);
  NoteAppended(runner, judged.appended);
  if (!judged.appended.ok()) return FailAppend(call, runner, judged.appended);
  if (!judged.answered) return FailVerdictLate(call);
  if (judged.answered->outcome.kind == Outcome::Kind::kQuarantined)
    return Fail(call, ProblemOfRefusal(judged.answered->outcome.reason));
  return AnswerAsk(call, id, runner, judged.offset, *judged.answered);
} catch (const std::exception&) {
  return Fail(call, {500, "internal", "the request could not be handled", 0});
}

HttpResponse Api::FailItem(const Call& call, const ItemError& error) const {
  std::string where = error.field.empty() ? "" : "'" + error.field + "': ";
  std::string kind = error.reason;
  std::replace(kind.begin(), kind.end(), '_', '-');
  return Fail(call, {422, kind, where + error.message, 0});
}

HttpResponse Api::AnswerAsk(const Call& call, const Uuid& id, Runner& runner, uint64_t offset,
                            const Runner::Answered& answered) {
  bool is_duplicate = answered.outcome.kind == Outcome::Kind::kDuplicate;
  const std::shared_ptr<const AskRow>& ask = answered.ask;
  if (ask == nullptr)
    return Fail(
        call,
        {409, "conflict",
         "this id is of an event that is no ask, or of one whose verdict is no longer kept: ask with a new id", 0});
  JsonWriter json;
  json.Object();
  WriteAsk(json, id, *ask);
  WriteVerdict(json, ask->verdict);
  json.Key("duplicate").Bool(is_duplicate).Field("position", Position{runner.partition(), offset + 1}.ToToken()).End();
  HttpResponse response = JsonResponse(json);
  AddRateLimits(ask->verdict, &response);
  return response;
}

Result<HttpResponse> Api::PostAdmit(const Call& call) { return Ask(call, EventType::kAdmitAsked); }
Result<HttpResponse> Api::PostReserve(const Call& call) { return Ask(call, EventType::kHoldAsked); }
Result<HttpResponse> Api::PostLease(const Call& call) { return Ask(call, EventType::kLeaseAsked); }

// As an ask of the same amounts would be answered now; nothing is written.
Result<HttpResponse> Api::PostCheck(const Call& call) {
  Result<std::string> body = AsEvent(call.request->body, FieldsOfAsk(EventType::kHoldAsked, ""));
  if (!body.ok()) return body.status();
  Result<ParsedEvents> parsed = ParseOne(call, *body);
  if (!parsed.ok()) return parsed.status();
  const ParsedEvent& item = parsed->items.front();
  if (item.error) return FailItem(call, *item.error);
  const struct Ask& asked = item.event.asked;
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  LimitView limits(*reading->view);
  Subject subject{call.tenant, asked.user, asked.project, asked.collection};
  Result<Verdict> verdict = limits.Check(subject, asked.amounts, reading->now_us);
  if (!verdict.ok()) return verdict.status();
  JsonWriter json;
  json.Object();
  WriteVerdict(json, *verdict);
  WriteAsOf(json, reading->as_of());
  json.End();
  HttpResponse response = JsonResponse(json);
  AddRateLimits(*verdict, &response);
  return response;
}

Result<HttpResponse> Api::EndHold(const Call& call, bool is_release) {
  Result<std::string> text = call.PathText(0);
  if (!text.ok()) return text.status();
  std::optional<Uuid> hold = Uuid::Parse(*text);
  if (!hold) return Status(Code::kInvalid, "a hold's id is a UUID");
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  Result<std::optional<AskRow>> row = ReadAsk(*reading->view, call.tenant, *hold);
  if (row.ok() && !row->has_value()) {
    // A verdict is handed out before it is committed.
    uint64_t end = reading->runner->state().log_end;
    std::shared_ptr<const View> view = WaitFor(*reading->runner, end, kVerdictWaitUs);
    if (view == nullptr) return Fail(call, {503, "fold-late", "what was asked last has not been folded yet", 1});
    row = ReadAsk(*view, call.tenant, *hold);
  }
  if (!row.ok()) return row.status();
  if (!row->has_value()) return Fail(call, {404, "not-found", kNoSuchAsk, 0});
  bool is_lease = row->has_value() && (*row)->type == EventType::kLeaseAsked;
  EventType type = is_release ? EventType::kHoldReleased
                   : is_lease ? EventType::kLeaseSettled
                              : EventType::kHoldSettled;
  std::string fields = fmt::format(R"("type":"{}","hold":"{}")", TypeName(type), hold->ToString());
  if (type == EventType::kLeaseSettled && !Says(call.request->body, "final")) fields += ",\"final\":true";
  Result<std::string> body = AsEvent(call.request->body.empty() ? "{}" : call.request->body, fields);
  if (!body.ok()) return body.status();
  Result<ParsedEvents> parsed = ParseOne(call, *body);
  if (!parsed.ok()) return parsed.status();
  const ParsedEvent& item = parsed->items.front();
  if (item.error) return FailItem(call, *item.error);
  const Event& event = item.event;
  return Decide(call, event, [&](Runner& runner, uint64_t offset, const Runner::Answered& answered) {
    return AnswerEnd(call, event, runner, offset, answered);
  });
}

Result<HttpResponse> Api::AnswerEnd(const Call& call, const Event& event, Runner& runner, uint64_t offset,
                                    const Runner::Answered& answered) {
  std::shared_ptr<const AskRow> ask = answered.ask;
  bool is_duplicate = answered.outcome.kind == Outcome::Kind::kDuplicate;
  if (is_duplicate) {
    std::shared_ptr<const View> view = WaitFor(runner, offset + 1, kVerdictWaitUs);
    if (view == nullptr) return Status(Code::kUnavailable, "not folded yet");
    Result<std::optional<AskRow>> row = ReadAsk(*view, call.tenant, event.end.hold);
    if (!row.ok()) return row.status();
    if (row->has_value()) ask = std::make_shared<const AskRow>(std::move(**row));
  }
  if (ask == nullptr) return Fail(call, {404, "not-found", kNoSuchAsk, 0});
  bool is_open_lease = ask->type == EventType::kLeaseAsked && !event.end.is_final &&
                       static_cast<AskState>(ask->state) == AskState::kOpen;
  if (ask->closed_by != event.id && !is_open_lease) {
    return Fail(call, {409, "hold-closed",
                       fmt::format("this {} is {} already: nothing was changed",
                                   ask->type == EventType::kLeaseAsked ? "lease" : "hold", AskStateName(ask->state)),
                       0});
  }
  JsonWriter json;
  json.Object();
  WriteAsk(json, event.end.hold, *ask);
  json.Key("overrun");
  std::vector<AmountItem> overrun;
  for (const AmountItem& used : ask->settled) {
    auto held = std::find_if(ask->amounts.begin(), ask->amounts.end(),
                             [&](const AmountItem& item) { return item.meter == used.meter; });
    int64_t amount = held == ask->amounts.end() ? 0 : held->amount;
    if (used.amount > amount) overrun.push_back({used.meter, used.amount - amount});
  }
  WriteAmounts(json, overrun);
  json.Key("duplicate").Bool(is_duplicate).Field("position", Position{runner.partition(), offset + 1}.ToToken()).End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::PostSettle(const Call& call) { return EndHold(call, false); }
Result<HttpResponse> Api::PostRelease(const Call& call) { return EndHold(call, true); }

// The open ones, those that expire first before others.
Result<HttpResponse> Api::GetHolds(const Call& call) {
  Result<std::optional<std::string>> user = call.Text("user");
  if (!user.ok()) return user.status();
  Result<int64_t> limit = call.Limit(100, kHoldsMax);
  if (!limit.ok()) return limit.status();
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  JsonWriter json;
  json.Object().Key("holds").Array();
  int64_t shown = 0;
  bool has_more = false;
  Status failure;
  std::string begin = KeyBuilder().Begin(RowKind::kHoldDue).str();
  Status scanned = reading->view->Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view) {
    KeyReader reader(key);
    int64_t due_us = 0;
    std::string_view tenant;
    Uuid id;
    if (!reader.Number(&due_us) || !reader.Text(&tenant) || !reader.Id(&id) || tenant != call.tenant) return true;
    Result<std::optional<AskRow>> row = ReadAsk(*reading->view, call.tenant, id);
    if (!row.ok()) failure = row.status();
    if (!row.ok() || !row->has_value()) return row.ok();
    if (*user && (*row)->user != **user) return true;
    has_more = shown == *limit;
    if (has_more) return false;
    json.Object();
    WriteAsk(json, id, **row);
    json.End();
    ++shown;
    return true;
  });
  if (!scanned.ok()) return scanned;
  if (!failure.ok()) return failure;
  json.End().Key("has_more").Bool(has_more);
  WriteAsOf(json, reading->as_of());
  json.End();
  return JsonResponse(json);
}

// What applies to a subject, from which level, and how it stands.
Result<HttpResponse> Api::GetLimits(const Call& call) {
  Result<std::optional<std::string>> user = call.Text("user"), project = call.Text("project"),
                                     collection = call.Text("collection");
  for (const auto* each : {&user, &project, &collection}) {
    if (!each->ok()) return each->status();
  }
  if (!*user && !*project) return Status(Code::kInvalid, "name a user, a project, or both");
  if (*collection && !*project) return Status(Code::kInvalid, "a collection is one of a project: name it, too");
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  LimitView limits(*reading->view);
  auto text = [](const std::optional<std::string>& value) {
    return value ? std::string_view(*value) : std::string_view();
  };
  Subject subject{call.tenant, text(*user), text(*project), text(*collection)};
  Result<Verdict> verdict = limits.Check(subject, {}, reading->now_us);
  if (!verdict.ok()) return verdict.status();
  JsonWriter json;
  json.Object().Field("user", subject.user).Field("project", subject.project).Field("collection", subject.collection);
  json.Field("enforcement", EnforcementName(static_cast<Enforcement>(verdict->enforcement)));
  ODOMETER_RETURN_IF_ERROR(WriteProfile(json, limits, subject));
  int64_t most = 0;
  for (const LimitStatus& limit : verdict->limits) most = std::max(most, PercentOf(limit));
  json.Field("warning", WarningOf(most)).Key("limits").Array();
  for (const LimitStatus& limit : verdict->limits) WriteLimit(json, limit, false);
  json.End();
  WriteAsOf(json, reading->as_of());
  json.End();
  HttpResponse response = JsonResponse(json);
  AddRateLimits(*verdict, &response);
  return response;
}

Status Api::WriteProfile(JsonWriter& json, LimitView& limits, const Subject& subject) {
  std::optional<FoundProfile> profile;
  Level level = Level::kProfile;
  ODOMETER_RETURN_IF_ERROR(FindProfile(limits, subject, level, &profile));
  if (!profile) {
    level = Level::kFallbackProfile;
    ODOMETER_RETURN_IF_ERROR(FindProfile(limits, subject, level, &profile));
  }
  json.Key("profile");
  profile ? json.Text(profile->name) : json.Null();
  json.Field("profile_level", LevelName(profile ? level : Level::kBuiltIn));
  return Status::Ok();
}

Result<std::vector<std::string>> Api::UsersNear(const Call& call, const UserTable& table, int64_t threshold,
                                                int64_t now_us) {
  std::set<std::string> users;
  for (const auto& entry : table.users) users.insert(entry->user);
  // And those who have only asked, only used vectors, or only been given something.
  auto add = [&](const KeyBuilder& key, bool has_scope) {
    return table.view->Scan(key.view(), PrefixEnd(key.view()), [&](std::string_view at, auto) {
      KeyReader reader(at);
      std::string_view tenant, user;
      int64_t scope = 0;
      if (reader.Text(&tenant) && (!has_scope || reader.Number(&scope)) && reader.Text(&user) && !user.empty())
        users.insert(std::string(user));
      return true;
    });
  };
  KeyBuilder key;
  ODOMETER_RETURN_IF_ERROR(
      add(key.Begin(RowKind::kLimitUse).Text(call.tenant).Number(static_cast<int64_t>(Scope::kUser)), true));
  ODOMETER_RETURN_IF_ERROR(add(key.Begin(RowKind::kOverride).Text(call.tenant), false));
  ODOMETER_RETURN_IF_ERROR(add(key.Begin(RowKind::kAssignment).Text(call.tenant), false));
  std::vector<std::pair<int64_t, std::string>> found;
  for (const std::string& user : users) {
    LimitView limits(*table.view);
    Result<Verdict> verdict = limits.Check({call.tenant, user, {}, {}}, {}, now_us);
    if (!verdict.ok()) return verdict.status();
    int64_t most = -1;
    for (const LimitStatus& limit : verdict->limits) most = std::max(most, PercentOf(limit));
    if (most >= threshold) found.emplace_back(-most, user);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& [percent, user] : found) names.push_back(std::move(user));
  return names;
}

Status Api::WriteLimitsNear(JsonWriter& json, const View& view, const Subject& subject, int64_t threshold,
                            int64_t now_us) {
  LimitView limits(view);
  Result<Verdict> verdict = limits.Check(subject, {}, now_us);
  if (!verdict.ok()) return verdict.status();
  json.Key("limits").Array();
  for (const LimitStatus& limit : verdict->limits) {
    if (PercentOf(limit) >= threshold) WriteLimit(json, limit, false);
  }
  json.End();
  return Status::Ok();
}

Result<HttpResponse> Api::GetQuotaStatus(const Call& call) {
  Result<std::string> user = call.RequiredText("user");
  if (!user.ok()) return user.status();
  return GetLimits(call);
}

}  // namespace odometer
