// Many users and one profile: who would change, what that would mean, and the change.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "consumers/event_json.h"
#include "consumers/fresh_id.h"
#include "consumers/http/limit_json.h"
#include "consumers/http/routes.h"
#include "state/codec.h"
#include "state/limit_view.h"

namespace odometer {

// What a call asks for, and what stood when it was read.
struct Assignments {
  std::string profile, who, why;
  bool is_preview = false;
  std::map<std::string, std::string> users;  // with the profile that each had; "": none
};

namespace {

constexpr size_t kUsersMax = 10'000;
constexpr int64_t kFoldWaitUs = 30 * kUsPerSecond;

// A view in which a user has another profile than is assigned.
class Supposing : public LimitView {
 public:
  Supposing(const View& view, const std::string& profile) : LimitView(view) { row_.profile = profile; }
  Result<const AssignmentRow*> Assignment(std::string_view, std::string_view) override { return &row_; }

 private:
  AssignmentRow row_;
};

Status Wrong(const std::string& what) { return {Code::kInvalid, what}; }

Status TakeBody(const std::string& body, Assignments* asked, std::string* from_profile) {
  nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) return Wrong(R"(the body is an object: {"users":["ann"],"who":"root","why":"…"})");
  for (const auto& [name, value] : json.items()) {
    std::string* into = name == "who" ? &asked->who : name == "why" ? &asked->why : nullptr;
    if (name == "from_profile") into = from_profile;
    if (into != nullptr && value.is_string()) {
      *into = value.get<std::string>();
    } else if (name == "preview" && value.is_boolean()) {
      asked->is_preview = value.get<bool>();
    } else if (name == "users" && value.is_array()) {
      for (const auto& user : value) {
        if (!user.is_string() || user.get<std::string>().empty()) return Wrong("'users' is an array of ids");
        asked->users[user.get<std::string>()];
      }
    } else {
      return Wrong("'" + name + "' is not known here, or not of its type");
    }
  }
  if (asked->who.empty() || asked->why.empty()) return Wrong("say 'who' decides this and 'why'");
  return Status::Ok();
}

// All to whom a profile is assigned; to the fallback's user, nobody, no other is given.
Status AddUsersOf(const View& view, const std::string& tenant, const std::string& profile, Assignments* asked) {
  std::string begin = KeyBuilder().Begin(RowKind::kAssignment).Text(tenant).str();
  Status failure;
  ODOMETER_RETURN_IF_ERROR(view.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view its_tenant, user;
    AssignmentRow row;
    if (!reader.Text(&its_tenant) || !reader.Text(&user) || !DecodeRow(value, &row))
      failure = Status(Code::kCorrupt, "store: an assignment's row cannot be read");
    if (failure.ok() && !user.empty() && row.profile == profile) asked->users[std::string(user)];
    return failure.ok();
  }));
  return failure;
}

std::string EventsOf(const Assignments& asked) {
  nlohmann::json events = nlohmann::json::array();
  for (const auto& [user, before] : asked.users) {
    if (before == asked.profile) continue;
    events.push_back({{"type", "ProfileAssigned"},
                      {"user", user},
                      {"profile", asked.profile},
                      {"who", asked.who},
                      {"why", asked.why}});
  }
  return events.dump();
}

Status WriteAssigned(JsonWriter& json, const View& view, const std::string& tenant, const std::string& user,
                     const std::string& before, std::string_view outcome, const std::string& profile, int64_t now_us) {
  json.Object().Field("user", user).Key("profile_before");
  before.empty() ? json.Null() : json.Text(before);
  json.Field("outcome", outcome).Key("exceeded").Array();
  Supposing limits(view, profile);
  Result<Verdict> verdict = limits.Check({tenant, user, {}, {}}, {}, now_us);
  if (!verdict.ok()) return verdict.status();
  for (const LimitStatus& limit : verdict->limits) {
    if (PercentOf(limit) >= 100) WriteLimit(json, limit, false);
  }
  json.End().End();
  return Status::Ok();
}

}  // namespace

Result<HttpResponse> Api::PostAssign(const Call& call) {
  Result<std::string> name = call.PathText(0);
  if (!name.ok()) return name.status();
  Assignments asked;
  std::string from_profile;
  ODOMETER_RETURN_IF_ERROR(TakeBody(call.request->body, &asked, &from_profile));
  asked.profile = *name;
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  if (!from_profile.empty()) ODOMETER_RETURN_IF_ERROR(AddUsersOf(*reading->view, call.tenant, from_profile, &asked));
  if (asked.users.size() > kUsersMax)
    return Fail(call, {422, "too-many",
                       fmt::format("at most {} users at once; these are {}", kUsersMax, asked.users.size()), 0});
  LimitView limits(*reading->view);
  Result<const ProfileRow*> row = limits.Profile(call.tenant, asked.profile);
  if (!row.ok()) return row.status();
  bool is_defined = FindBuiltIn(asked.profile) != nullptr || (*row != nullptr && !(*row)->defined.id.is_nil());
  if (!is_defined)
    return Fail(call, {422, "unknown-profile", "no profile has this name; GET /v1/profiles lists them", 0});
  for (auto& [user, before] : asked.users) {
    Result<const AssignmentRow*> assigned = limits.Assignment(call.tenant, user);
    if (!assigned.ok()) return assigned.status();
    if (*assigned != nullptr) before = (*assigned)->profile;
  }
  std::string body = EventsOf(asked);
  if (asked.is_preview || body == "[]") return AnswerAssign(call, asked, *reading, {}, "");
  JsonOptions options{call.tenant, "api", &daemon_.clock(), [] { return FreshBytes(); }, kUsersMax};
  Result<ParsedEvents> parsed = ParseEvents(body, JsonBody::kWhole, options);
  if (!parsed.ok()) return parsed.status();
  std::map<std::string, Uuid> sent;
  std::vector<std::string> bytes;
  for (const ParsedEvent& item : parsed->items) {
    if (item.error) return FailItem(call, *item.error);
    sent[std::string(item.event.definition.user)] = item.event.id;
    bytes.push_back(Encode(item.event));
  }
  std::vector<std::string_view> events(bytes.begin(), bytes.end());
  Runner& runner = RunnerOfTenant(call);
  Result<HttpResponse> answered = HttpResponse();
  Result<HttpResponse> response = Append(call, runner, events, [&](const Appended& appended) {
    std::shared_ptr<const View> view = WaitFor(runner, appended.next_offset, kFoldWaitUs);
    if (view == nullptr) {
      answered = Fail(call, {503, "fold-late", "the assignments are in the log and will be folded", 1});
      return HttpResponse();
    }
    reading->view = view;
    answered = AnswerAssign(call, asked, *reading, sent, Position{runner.partition(), appended.next_offset}.ToToken());
    return HttpResponse();
  });
  return response.ok() && response->status != 200 ? std::move(response) : std::move(answered);
}

Result<HttpResponse> Api::AnswerAssign(const Call& call, const Assignments& asked, const Reading& reading,
                                       const std::map<std::string, Uuid>& sent, const std::string& position) {
  LimitView limits(*reading.view);
  int64_t changed = 0, unchanged = 0, refused = 0;
  JsonWriter users;
  users.Array();
  for (const auto& [user, before] : asked.users) {
    std::string_view outcome = before == asked.profile ? "unchanged" : "changed";
    if (auto event = sent.find(user); event != sent.end()) {
      Result<const AssignmentRow*> row = limits.Assignment(call.tenant, user);
      if (!row.ok()) return row.status();
      bool stands = *row != nullptr && (*row)->profile == asked.profile;
      if (!stands) outcome = "refused";
    }
    ++(outcome == "changed" ? changed : outcome == "unchanged" ? unchanged : refused);
    ODOMETER_RETURN_IF_ERROR(
        WriteAssigned(users, *reading.view, call.tenant, user, before, outcome, asked.profile, reading.now_us));
  }
  users.End();
  JsonWriter json;
  json.Object().Field("profile", asked.profile).Key("preview").Bool(asked.is_preview);
  json.Field("changed", changed).Field("unchanged", unchanged).Field("refused", refused);
  json.Key("users").Raw(users.Take()).Key("position");
  position.empty() ? json.Null() : json.Text(position);
  WriteAsOf(json, reading.as_of());
  json.End();
  return JsonResponse(json);
}

}  // namespace odometer
