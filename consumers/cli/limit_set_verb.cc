// odometer limits set: one limit of a user, a project, a collection or the tenant, with the others of its definition as
// they stand.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"
#include "core/limit.h"
#include "log/event_log.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct SetFlags {
  std::string user, project, collection, meter, window, cap, over, mode, when_unavailable, who, why;
  bool is_of_every_user = false, is_removed = false, is_preview = false;
};

// The definition that a limit belongs into.
struct Target {
  std::string level;  // as GET /v1/limits calls it
  std::string path;   // of its PUT
  ordered_json own;   // what the body says of whom, beside the limits
};

// What stands there.
struct Standing {
  json definition;  // null: nothing
  json limits = json::array();
};

const char* const kNil = "00000000-0000-0000-0000-000000000000";

// What is wrong with the flags before anybody is asked; "": nothing.
std::string Wrong(const SetFlags& flags) {
  std::optional<Meter> meter = MeterFromName(flags.meter);
  std::optional<Window> window = WindowFromName(flags.window);
  if (!meter) return "--meter: '" + flags.meter + "' is none: say requests, total_tokens, searches, vectors, …";
  if (!window) return "--window: '" + flags.window + "' is none: say rolling_hour, day, month, lifetime, gauge, …";
  if (!CanLimit(*meter, *window))
    return IsGauge(*meter) ? flags.meter + " are what there is now: say --window gauge"
                           : "gauge is for vectors, collections and bytes: say a window such as rolling_hour";
  bool is_number = !flags.cap.empty() && flags.cap.find_first_not_of("0123456789") == std::string::npos;
  if (flags.is_removed != flags.cap.empty()) return "say either --cap or --remove";
  if (!flags.is_removed && !is_number && flags.cap != "none")
    return "--cap: '" + flags.cap + "' is none: say a whole number, or none for no limit";
  if (!flags.collection.empty() && flags.project.empty()) return "a collection is one of a project: say --project, too";
  if (!flags.collection.empty() && !flags.user.empty())
    return "a collection's limit is of all its users together: leave --user out";
  if (flags.is_of_every_user && !(flags.user + flags.project).empty())
    return "--every-user is of the whole tenant: leave --user and --project out";
  return "";
}

Target TargetOf(const SetFlags& flags) {
  if (flags.is_of_every_user) return {"tenant_override", "/v1/override", ordered_json::object()};
  bool is_of_user = !flags.user.empty() && flags.project.empty();
  if (is_of_user)
    return {"user_override", "/v1/users/" + PercentEncoded(flags.user) + "/override", ordered_json::object()};
  std::string level = flags.project.empty()      ? "tenant"
                      : !flags.collection.empty() ? "collection"
                      : !flags.user.empty()       ? "user_project"
                                                  : "project";
  ordered_json own = {{"level", level}};
  if (!flags.user.empty()) own["user"] = flags.user;
  if (!flags.project.empty()) own["project"] = flags.project;
  if (!flags.collection.empty()) own["collection"] = flags.collection;
  return {level + "_quota", "/v1/quotas", own};
}

// With all that is in the log by now: a definition is answered for before a view shows it.
std::optional<json> GetNewest(HttpClient& client, const std::string& path, Failure* failure) {
  std::optional<json> answer = GetJson(client, path, failure);
  if (!answer) return answer;
  json as_of = answer->value("as_of", json::object());
  Result<Position> at = Position::FromToken(as_of.value("position", ""));
  int64_t lag = IntegerOf(as_of.value("lag", json()));
  if (!at.ok() || lag == 0) return answer;
  at->next_offset += static_cast<uint64_t>(lag);
  return GetJson(client, path + QueryString({{"min_position", at->ToToken()}, {"wait_ms", "10000"}}), failure);
}

std::optional<Standing> Read(HttpClient& client, const Target& target, Failure* failure) {
  std::optional<json> answer = GetNewest(client, target.path, failure);
  if (!answer) return std::nullopt;
  auto of = [](const json& row) {
    return Standing{row.value("definition", json()), row.value("limits", json::array())};
  };
  if (!answer->contains("quotas")) return of(*answer);
  for (const json& quota : (*answer)["quotas"]) {
    bool is_it = quota.value("level", "") == target.own["level"];
    for (const char* part : {"user", "project", "collection"})
      is_it &= quota.value(part, "") == target.own.value(part, "");
    if (is_it) return of(quota);
  }
  return Standing();
}

bool IsOf(const json& limit, const SetFlags& flags) {
  return limit.value("meter", "") == flags.meter && limit.value("window", "") == flags.window;
}

// The limit as it stands; null: there is none.
json FindIn(const json& limits, const SetFlags& flags) {
  auto found = std::find_if(limits.begin(), limits.end(), [&](const json& limit) { return IsOf(limit, flags); });
  return found == limits.end() ? json() : *found;
}

// As the daemon writes it: a number up to 2^53, else a text of its digits; null for "none".
json CapOf(const std::string& text) {
  constexpr int64_t kNumberMax = int64_t{1} << 53;
  int64_t cap = 0;
  bool is_read = std::from_chars(text.data(), text.data() + text.size(), cap).ec == std::errc();
  if (text == "none") return json();
  return is_read && cap <= kNumberMax ? json(cap) : json(text);
}

// What flags do not say stays as it stands.
json Changed(const json& before, const SetFlags& flags) {
  json limit = before.is_null() ? json{{"meter", flags.meter}, {"window", flags.window}} : before;
  limit["cap"] = CapOf(flags.cap);
  if (!flags.over.empty()) limit["over"] = flags.over;
  if (!flags.mode.empty()) limit["mode"] = flags.mode;
  if (!flags.when_unavailable.empty()) limit["when_unavailable"] = flags.when_unavailable;
  return limit;
}

std::string ShownLimit(const json& limit) {
  if (limit.is_null()) return "not there";
  std::string text = limit.value("cap", json()).is_null() ? "no limit" : CellOf(limit, "cap");
  if (limit.value("mode", "hard") != "hard") text += " " + limit.value("mode", "");
  return text;
}

void Show(const ordered_json& report, const SetFlags& flags, Context& context) {
  if (context.json) {
    *context.out << Dumped(report) << "\n";
    return;
  }
  *context.out << report["level"].get<std::string>() << ": " << flags.meter << "/" << flags.window << " was "
               << ShownLimit(report["before"]) << ", " << (flags.is_preview ? "would be " : "is ")
               << ShownLimit(report["after"]);
  if (!flags.is_preview) *context.out << ", in force since position " << CellOf(json(report), "position");
  *context.out << "\n";
}

// The definition with the limit as it shall be, in place of what was read.
ordered_json BodyOf(const SetFlags& flags, const Target& target, const Standing& standing, const json& after) {
  json limits = json::array();
  for (const json& limit : standing.limits) {
    if (!IsOf(limit, flags)) limits.push_back(limit);
  }
  if (!after.is_null()) limits.push_back(after);
  ordered_json body = target.own;
  body["limits"] = limits;
  body["expected"] = standing.definition.is_null() ? json(kNil) : standing.definition;
  body["who"] = flags.who;
  body["why"] = flags.why;
  return body;
}

std::optional<json> Put(HttpClient& client, const Target& target, const ordered_json& body, Failure* failure) {
  Result<HttpResponse> response = client.Put(target.path, Dumped(body), "application/json");
  json answer = response.ok() ? json::parse(response->body, nullptr, false) : json();
  if (!response.ok()) {
    *failure = FailureOf(response.status());
  } else if (response->status == 412) {
    *failure = {kExitBadData, "somebody changed the " + target.level + " meanwhile: nothing was set; try again"};
  } else if (response->status != 200) {
    *failure = FailureOf(*response);
  } else if (!answer.is_object()) {
    *failure = {kExitBadData, "the daemon answered something that is not JSON"};
  } else {
    return answer;
  }
  return std::nullopt;
}

int Set(const SetFlags& flags, Context& context) {
  if (std::string wrong = Wrong(flags); !wrong.empty()) return context.Fail({kExitUsage, wrong});
  Target target = TargetOf(flags);
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Failure failure;
  std::optional<Standing> standing = Read(client, target, &failure);
  if (!standing) return context.Fail(failure);
  json before = FindIn(standing->limits, flags), after = flags.is_removed ? json() : Changed(before, flags);
  if (flags.is_removed && before.is_null())
    return context.Fail({kExitBadData, "no limit of " + flags.meter + "/" + flags.window + " stands in the " +
                                           target.level + ": odometer limits show says which level decides"});
  ordered_json report = {{"level", target.level}, {"before", before}, {"after", after}, {"preview", flags.is_preview}};
  if (!flags.is_preview) {
    std::optional<json> answer = Put(client, target, BodyOf(flags, target, *standing, after), &failure);
    if (!answer) return context.Fail(failure);
    report["definition"] = answer->value("definition", json());
    report["position"] = answer->value("position", json());
  }
  Show(report, flags, context);
  return kExitFine;
}

constexpr const char* kHelp =
    "Of whom it is says where it goes:\n"
    "  --user                  the user's override, which goes before profiles\n"
    "  --every-user            the tenant-wide override, which goes before all others\n"
    "  --project               the project's quota, of all its users together\n"
    "  --user, --project       the user's quota in the project\n"
    "  --project, --collection the collection's quota\n"
    "  none of them            the tenant's quota, of all its users and projects together\n"
    "The other limits there stay, and so does what is not said of this one. Somebody else's change meanwhile is not\n"
    "undone: the command fails then.\n\n"
    "Examples:\n"
    "  odometer limits set --user ann --meter requests --window rolling_hour --cap 500 --who root --why 'load test'\n"
    "  odometer limits set --project docs --meter vectors --window gauge --cap 1000000 --who root --why 'new disk'\n"
    "  odometer limits set --user ann --meter requests --window rolling_hour --remove --who root --why 'test is over'";

}  // namespace

void RegisterLimitsSetVerb(::CLI::App& limits, Context& context) {
  auto flags = std::make_shared<SetFlags>();
  ::CLI::App* set = limits.add_subcommand("set", "Set one limit, and leave the others beside it as they are");
  set->add_option("--user", flags->user);
  set->add_option("--project", flags->project);
  set->add_option("--collection", flags->collection, "Of the project");
  set->add_flag("--every-user", flags->is_of_every_user, "Each user of the tenant for himself");
  set->add_option("--meter", flags->meter, "Such as requests, total_tokens, searches, vectors")->required();
  set->add_option("--window", flags->window, "Such as rolling_hour, day, month, lifetime; gauge")->required();
  set->add_option("--cap", flags->cap, "A whole number; 0: nothing is allowed; none: no limit, whatever others say");
  set->add_flag("--remove", flags->is_removed, "Take it out: the next level decides again");
  set->add_option("--over", flags->over, "Over whom it is counted, where not over whom it is of")
      ->check(::CLI::IsMember({"tenant", "user", "project", "user_in_project", "collection"}));
  set->add_option("--mode", flags->mode, "hard (default) refuses, soft warns")
      ->check(::CLI::IsMember({"hard", "soft"}));
  set->add_option("--when-unavailable", flags->when_unavailable, "What a client does that cannot ask; deny by default")
      ->check(::CLI::IsMember({"allow", "deny", "last_known"}));
  set->add_flag("--preview,--dry-run", flags->is_preview, "Show what would change; change nothing");
  set->add_option("--who", flags->who, "Who decides this")->required();
  set->add_option("--why,--reason", flags->why, "Why, for whoever asks later")->required();
  set->callback([flags, &context] { context.exit_code = Set(*flags, context); });
  set->footer(kHelp);
}

}  // namespace odometer::cli
