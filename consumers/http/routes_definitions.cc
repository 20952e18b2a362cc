// What is defined: profiles and who has which, overrides, quotas, enforcement and zone. A change is an event; If-Match
// becomes what that event expects to replace, so that the log tells two who change one thing apart.
#include <fmt/format.h>

#include "consumers/event_json.h"
#include "consumers/http/routes.h"
#include "core/check.h"
#include "state/codec.h"
#include "state/limit_view.h"

namespace odometer {

namespace {

void WriteDefined(JsonWriter& json, const Defined& defined) {
  json.Key("definition");
  defined.id.is_nil() ? json.Null() : json.Text(defined.id.ToString());
  json.Field("who", defined.who).Field("why", defined.why);
}

void WriteLimits(JsonWriter& json, const std::vector<Limit>& limits) {
  json.Key("limits").Array();
  for (const Limit& limit : limits) {
    json.Object().Field("meter", MeterName(limit.meter)).Field("window", WindowName(limit.window)).Key("over");
    limit.over ? json.Text(ScopeName(*limit.over)) : json.Null();
    json.Key("cap");
    limit.cap ? json.Int(*limit.cap) : json.Null();
    json.Field("mode", ModeName(limit.mode));
    json.Field("when_unavailable", WhenUnavailableName(limit.when_unavailable)).End();
  }
  json.End();
}

std::vector<Limit> LimitsOf(const std::vector<LimitItem>& items) {
  std::vector<Limit> limits;
  for (const LimitItem& item : items) limits.push_back(item.ToLimit());
  return limits;
}

void WriteOneProfile(JsonWriter& json, std::string_view name, const ProfileRow& row, const BuiltInProfile* built_in) {
  bool is_own = !row.defined.id.is_nil();
  json.Object().Field("name", name).Field("description", row.description);
  json.Key("built_in").Bool(!is_own).Field("assigned", row.assigned);
  WriteDefined(json, row.defined);
  WriteLimits(json, is_own || built_in == nullptr ? LimitsOf(row.limits) : built_in->limits);
  json.End();
}

void AddTag(const Defined& defined, HttpResponse* response) {
  if (!defined.id.is_nil()) response->headers.emplace_back("ETag", '"' + defined.id.ToString() + '"');
}

// `"expected":"…"` of If-Match and If-None-Match; empty without them.
Result<std::string> ExpectedOf(const HttpRequest& request) {
  Result<std::string_view> match = OnlyHeader(request, "if-match"), none = OnlyHeader(request, "if-none-match");
  if (!match.ok()) return match.status();
  if (!none.ok()) return none.status();
  if (!none->empty() && (!match->empty() || *none != "*"))
    return Status(Code::kInvalid, "If-None-Match is * alone: there must be nothing yet");
  if (!none->empty()) return fmt::format(R"(,"expected":"{}")", Uuid().ToString());
  if (match->empty()) return std::string();
  std::string_view tag = *match;
  bool is_quoted = tag.size() > 2 && tag.front() == '"' && tag.back() == '"';
  std::optional<Uuid> id = is_quoted ? Uuid::Parse(tag.substr(1, tag.size() - 2)) : std::nullopt;
  if (!id) return Status(Code::kInvalid, "If-Match is one ETag as it was given: a UUID in quotes");
  return fmt::format(R"(,"expected":"{}")", id->ToString());
}

// Writes the overrides that stand after that user's, at most `limit`; `next`: the last one's user, if more stand.
Status WriteOverrides(JsonWriter& json, const View& view, const std::string& tenant,
                      const std::optional<std::string>& after, int64_t limit, std::optional<std::string>* next) {
  std::string all = KeyBuilder().Begin(RowKind::kOverride).Text(tenant).str();
  std::string begin = after ? KeyBuilder().Begin(RowKind::kOverride).Text(tenant).Text(*after).str() : all;
  Status failure;
  std::string last;
  int64_t written = 0;
  Status scanned = view.Scan(begin, PrefixEnd(all), [&](std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view of_tenant, user;
    LimitsRow row;
    bool is_read = reader.Text(&of_tenant) && reader.Text(&user) && DecodeRow(value, &row);
    if (!is_read) failure = Status(Code::kCorrupt, "store: an override's row cannot be read");
    if (!is_read || row.limits.empty() || (after && user == *after)) return is_read;
    if (written++ == limit) {
      *next = last;
      return false;
    }
    json.Object().Field("level", LevelName(user.empty() ? Level::kTenantOverride : Level::kUserOverride));
    json.Field("user", user);
    WriteDefined(json, row.defined);
    WriteLimits(json, LimitsOf(row.limits));
    json.End();
    last = user;
    return true;
  });
  return scanned.ok() ? failure : scanned;
}

std::string TextField(std::string_view name, std::string_view value) {
  JsonWriter json;
  json.Text(value);
  return fmt::format(R"(,"{}":{})", name, json.Take());
}

}  // namespace

// Appends the body as an event of that type, with these fields before its own.
Result<HttpResponse> Api::Define(const Call& call, EventType type, const std::string& fields) {
  Result<std::string> expected = ExpectedOf(*call.request);
  if (!expected.ok()) return expected.status();
  std::string_view sent = call.request->body.empty() ? "{}" : std::string_view(call.request->body);
  Result<std::string> body = AsEvent(sent, fmt::format(R"("type":"{}"{}{})", TypeName(type), fields, *expected));
  if (!body.ok()) return body.status();
  Result<ParsedEvents> parsed = ParseOne(call, *body);
  if (!parsed.ok()) return parsed.status();
  const ParsedEvent& item = parsed->items.front();
  if (item.error) return FailItem(call, *item.error);
  Uuid id = item.event.id;
  return Decide(call, item.event, [&](Runner& runner, uint64_t offset, const Runner::Answered&) {
    JsonWriter json;
    json.Object().Field("definition", id.ToString());
    json.Field("position", Position{runner.partition(), offset + 1}.ToToken()).End();
    HttpResponse response = JsonResponse(json);
    response.headers.emplace_back("ETag", '"' + id.ToString() + '"');
    return Result<HttpResponse>(std::move(response));
  });
}

// --- profiles

Result<HttpResponse> Api::ListProfiles(const Call& call) {
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  JsonWriter json;
  json.Object().Key("profiles").Array();
  LimitView limits(*reading->view);
  for (const BuiltInProfile& built_in : BuiltInProfiles()) {
    Result<const ProfileRow*> row = limits.Profile(call.tenant, built_in.name);
    if (!row.ok()) return row.status();
    WriteOneProfile(json, built_in.name, *row == nullptr ? ProfileRow() : **row, &built_in);
  }
  Status failure;
  std::string begin = KeyBuilder().Begin(RowKind::kProfile).Text(call.tenant).str();
  Status scanned = reading->view->Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view tenant, name;
    ProfileRow row;
    if (!reader.Text(&tenant) || !reader.Text(&name) || !DecodeRow(value, &row))
      failure = Status(Code::kCorrupt, "store: a profile's row cannot be read");
    if (failure.ok() && FindBuiltIn(name) == nullptr && !row.defined.id.is_nil())
      WriteOneProfile(json, name, row, nullptr);
    return failure.ok();
  });
  if (!scanned.ok()) return scanned;
  if (!failure.ok()) return failure;
  json.End();
  WriteAsOf(json, reading->as_of());
  json.End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetProfile(const Call& call) {
  Result<std::string> name = call.PathText(0);
  if (!name.ok()) return name.status();
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  LimitView limits(*reading->view);
  Result<const ProfileRow*> row = limits.Profile(call.tenant, *name);
  if (!row.ok()) return row.status();
  ProfileRow profile = *row == nullptr ? ProfileRow() : **row;
  const BuiltInProfile* built_in = FindBuiltIn(*name);
  if (profile.defined.id.is_nil() && built_in == nullptr)
    return Status(Code::kNotFound, "there is no profile of this name; GET /v1/profiles lists them");
  JsonWriter json;
  WriteOneProfile(json, *name, profile, built_in);
  HttpResponse response = JsonResponse(json);
  AddTag(profile.defined, &response);
  return response;
}

Result<HttpResponse> Api::PutProfile(const Call& call) {
  Result<std::string> name = call.PathText(0);
  if (!name.ok()) return name.status();
  return Define(call, EventType::kProfileDefined, TextField("name", *name));
}

Result<HttpResponse> Api::DeleteProfile(const Call& call) {
  Result<std::string> name = call.PathText(0);
  if (!name.ok()) return name.status();
  return Define(call, EventType::kProfileDefined, TextField("name", *name) + R"(,"deleted":true)");
}

// --- who has which

Result<HttpResponse> Api::AnswerProfileOf(const Call& call, std::string_view user) {
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  LimitView limits(*reading->view);
  Result<const AssignmentRow*> row = limits.Assignment(call.tenant, user);
  if (!row.ok()) return row.status();
  AssignmentRow assigned = *row == nullptr ? AssignmentRow() : **row;
  JsonWriter json;
  json.Object().Field("user", user).Key("profile");
  assigned.profile.empty() ? json.Null() : json.Text(assigned.profile);
  WriteDefined(json, assigned.defined);
  WriteAsOf(json, reading->as_of());
  json.End();
  HttpResponse response = JsonResponse(json);
  AddTag(assigned.defined, &response);
  return response;
}

Result<HttpResponse> Api::GetUserProfile(const Call& call) {
  Result<std::string> user = call.PathText(0);
  return user.ok() ? AnswerProfileOf(call, *user) : user.status();
}
Result<HttpResponse> Api::PutUserProfile(const Call& call) {
  Result<std::string> user = call.PathText(0);
  if (!user.ok()) return user.status();
  return Define(call, EventType::kProfileAssigned, TextField("user", *user));
}
Result<HttpResponse> Api::GetFallbackProfile(const Call& call) { return AnswerProfileOf(call, ""); }
Result<HttpResponse> Api::PutFallbackProfile(const Call& call) { return Define(call, EventType::kProfileAssigned, ""); }

// --- overrides and quotas

Result<HttpResponse> Api::AnswerLimits(const Reading& reading, const LimitsRow* row) {
  LimitsRow standing = row == nullptr ? LimitsRow() : *row;
  JsonWriter json;
  json.Object();
  WriteDefined(json, standing.defined);
  WriteLimits(json, LimitsOf(standing.limits));
  WriteAsOf(json, reading.as_of());
  json.End();
  HttpResponse response = JsonResponse(json);
  AddTag(standing.defined, &response);
  return response;
}

Result<HttpResponse> Api::AnswerOverrideOf(const Call& call, std::string_view user) {
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  LimitView limits(*reading->view);
  Result<const LimitsRow*> row = limits.Override(call.tenant, user);
  return row.ok() ? AnswerLimits(*reading, *row) : row.status();
}

Result<HttpResponse> Api::GetUserOverride(const Call& call) {
  Result<std::string> user = call.PathText(0);
  return user.ok() ? AnswerOverrideOf(call, *user) : user.status();
}
Result<HttpResponse> Api::PutUserOverride(const Call& call) {
  Result<std::string> user = call.PathText(0);
  if (!user.ok()) return user.status();
  return Define(call, EventType::kLimitOverridden, TextField("user", *user));
}
Result<HttpResponse> Api::GetTenantOverride(const Call& call) { return AnswerOverrideOf(call, ""); }
Result<HttpResponse> Api::PutTenantOverride(const Call& call) { return Define(call, EventType::kLimitOverridden, ""); }

// All that stand, the tenant-wide one before those of users. A page begins after the last user of the one before, as of
// its own view.
Result<HttpResponse> Api::ListOverrides(const Call& call) {
  Result<int64_t> limit = call.Limit(100, 1000);
  if (!limit.ok()) return limit.status();
  uint64_t filter = FilterHash({"overrides", call.tenant});
  std::optional<std::string> after, next;
  if (std::optional<std::string_view> token = call.Parameter("cursor")) {
    Result<Cursor> cursor = Cursor::FromToken(*token, filter, 0);
    if (!cursor.ok()) return cursor.status();
    after = cursor->text;
  }
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  JsonWriter json;
  json.Object().Field("tenant", call.tenant).Key("data").Array();
  ODOMETER_RETURN_IF_ERROR(WriteOverrides(json, *reading->view, call.tenant, after, *limit, &next));
  json.End().Key("next_cursor");
  next ? json.Text(Cursor{filter, {}, *next}.ToToken()) : json.Null();
  json.Key("has_more").Bool(next.has_value());
  WriteAsOf(json, reading->as_of());
  json.End();
  return JsonResponse(json);
}

// All that stand, in the order of their levels.
Result<HttpResponse> Api::ListQuotas(const Call& call) {
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  JsonWriter json;
  json.Object().Key("quotas").Array();
  Status failure;
  std::string begin = KeyBuilder().Begin(RowKind::kQuota).Text(call.tenant).str();
  Status scanned = reading->view->Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view tenant, user, project, collection;
    int64_t level = 0;
    LimitsRow row;
    bool is_read = reader.Text(&tenant) && reader.Number(&level) && reader.Text(&user) && reader.Text(&project) &&
                   reader.Text(&collection) && DecodeRow(value, &row);
    if (!is_read) failure = Status(Code::kCorrupt, "store: a quota's row cannot be read");
    if (!is_read || row.limits.empty()) return is_read;
    json.Object().Field("level", QuotaLevelName(static_cast<QuotaLevel>(level)));
    json.Field("user", user).Field("project", project).Field("collection", collection);
    WriteDefined(json, row.defined);
    WriteLimits(json, LimitsOf(row.limits));
    json.End();
    return true;
  });
  if (!scanned.ok()) return scanned;
  if (!failure.ok()) return failure;
  json.End();
  WriteAsOf(json, reading->as_of());
  json.End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::PutQuota(const Call& call) { return Define(call, EventType::kQuotaSet, ""); }

// --- enforcement and zone

Result<HttpResponse> Api::GetPolicy(const Call& call) {
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  LimitView limits(*reading->view);
  Result<const PolicyRow*> row = limits.Policy(call.tenant);
  if (!row.ok()) return row.status();
  PolicyRow policy = *row == nullptr ? PolicyRow() : **row;
  JsonWriter json;
  json.Object().Field("enforcement", EnforcementName(static_cast<Enforcement>(policy.enforcement)));
  json.Key("enforced").Object();
  WriteDefined(json, policy.enforced);
  json.End().Field("zone", policy.zone.empty() ? std::string_view("UTC") : policy.zone).Key("zoned").Object();
  WriteDefined(json, policy.zoned);
  json.End().Field("definitions", policy.definitions);
  WriteAsOf(json, reading->as_of());
  json.End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::PutEnforcement(const Call& call) { return Define(call, EventType::kEnforcementSet, ""); }
Result<HttpResponse> Api::PutZone(const Call& call) { return Define(call, EventType::kZoneSet, ""); }

}  // namespace odometer
