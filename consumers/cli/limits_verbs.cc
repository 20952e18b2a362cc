// odometer limits, check, holds, profiles and quotas.
#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/time_zone.h"
#include "consumers/cli/verbs.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct LimitFlags {
  std::string user, project, collection;
  std::vector<std::string> amounts;  // METER=N
  std::vector<std::string> limits;   // METER/WINDOW=CAP
  std::string who, why, level, profile, id, enforcement, from_profile, zone;
  std::vector<std::string> users;
  bool is_preview = false;
};

// "METER=N" pairs as an object of amounts; a Failure says which is none.
std::optional<ordered_json> AmountsOf(const std::vector<std::string>& texts, Failure* failure) {
  ordered_json amounts = ordered_json::object();
  for (const std::string& text : texts) {
    size_t at = text.find('=');
    if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
      *failure = {kExitUsage, "'" + text + "' is no amount: say METER=N, such as requests=1"};
      return std::nullopt;
    }
    amounts[text.substr(0, at)] = text.substr(at + 1);
  }
  return amounts;
}

// "METER/WINDOW=CAP", a cap of "none" for no limit.
std::optional<ordered_json> LimitsOf(const std::vector<std::string>& texts, Failure* failure) {
  ordered_json limits = ordered_json::array();
  for (const std::string& text : texts) {
    size_t slash = text.find('/'), equals = text.find('=');
    if (slash == std::string::npos || equals == std::string::npos || slash > equals || equals + 1 == text.size()) {
      *failure = {kExitUsage, "'" + text +
                                  "' is no limit: say METER/WINDOW=CAP, such as requests/rolling_hour=50, "
                                  "or =none for no limit"};
      return std::nullopt;
    }
    ordered_json limit = {{"meter", text.substr(0, slash)}, {"window", text.substr(slash + 1, equals - slash - 1)}};
    std::string cap = text.substr(equals + 1);
    if (cap != "none") limit["cap"] = cap;
    limits.push_back(std::move(limit));
  }
  return limits;
}

using Method = Result<HttpResponse> (HttpClient::*)(const std::string&, const std::string&, const std::string&);

// Sends a body and shows the answer: as JSON, or by `show`.
int Send(Context& context, Method method, const std::string& path, const ordered_json& body,
         const std::function<int(const json&)>& show) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Result<HttpResponse> response = (client.*method)(path, Dumped(body), "application/json");
  if (!response.ok()) return context.Fail(FailureOf(response.status()));
  if (response->status != 200) return context.Fail(FailureOf(*response));
  json answer = json::parse(response->body, nullptr, false);
  if (!answer.is_object()) return context.Fail({kExitBadData, "the daemon answered something that is not JSON"});
  if (context.json) *context.out << Dumped(answer) << "\n";
  return show(answer);
}

int GetAndShow(Context& context, const std::string& path, const std::function<void(const json&)>& show) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Failure failure;
  std::optional<json> answer = GetJson(client, path, &failure);
  if (!answer) return context.Fail(failure);
  context.json ? void(*context.out << Dumped(*answer) << "\n") : show(*answer);
  return kExitFine;
}

void PrintLimits(const json& limits, Context& context) {
  Table table({{"meter"},
               {"window"},
               {"over"},
               {"used", Align::kRight},
               {"held", Align::kRight},
               {"cap", Align::kRight},
               {"%", Align::kRight},
               {"warning"},
               {"resets at"},
               {"level"},
               {"of"}});
  for (const json& limit : limits) {
    table.Add({CellOf(limit, "meter"), CellOf(limit, "window"), CellOf(limit, "over"), CellOf(limit, "used"),
               CellOf(limit, "held"), CellOf(limit, "cap"), CellOf(limit, "percent"), CellOf(limit, "warning"),
               CellOf(limit, "resets_at"), CellOf(limit, "level"), CellOf(limit, "source")});
  }
  if (limits.empty()) {
    *context.out << "no limit applies\n";
  } else {
    table.Print(*context.out);
  }
}

int ShowLimits(const LimitFlags& flags, Context& context) {
  std::string path =
      "/v1/limits" + QueryString({{"user", flags.user}, {"project", flags.project}, {"collection", flags.collection}});
  return GetAndShow(context, path, [&](const json& answer) {
    *context.out << "profile " << CellOf(answer, "profile") << " (" << CellOf(answer, "profile_level")
                 << "), enforcement " << CellOf(answer, "enforcement") << "\n";
    PrintLimits(answer.value("limits", json::array()), context);
  });
}

int Check(const LimitFlags& flags, Context& context) {
  Failure failure;
  std::optional<ordered_json> amounts = AmountsOf(flags.amounts, &failure);
  if (!amounts) return context.Fail(failure);
  ordered_json body = {{"amounts", *amounts}};
  if (!flags.user.empty()) body["user"] = flags.user;
  if (!flags.project.empty()) body["project"] = flags.project;
  if (!flags.collection.empty()) body["collection"] = flags.collection;
  return Send(context, &HttpClient::Post, "/v1/limits/check", body, [&](const json& verdict) {
    bool is_allowed = verdict.value("allowed", false);
    if (!context.json) {
      *context.out << (is_allowed ? "allowed" : "refused");
      if (verdict.value("retry_after_s", json()).is_number())
        *context.out << "; may fit in " << verdict["retry_after_s"] << " s";
      *context.out << "\n";
      PrintLimits(verdict.value("limits", json::array()), context);
    }
    return is_allowed ? kExitFine : kExitDrift;
  });
}

// A definition: what the path does not say, with who and why.
int Define(const LimitFlags& flags, const std::string& path, ordered_json body, Context& context,
           Method method = &HttpClient::Put) {
  Failure failure;
  if (body.contains("limits")) {
    std::optional<ordered_json> limits = LimitsOf(flags.limits, &failure);
    if (!limits) return context.Fail(failure);
    body["limits"] = *limits;
  }
  body["who"] = flags.who;
  body["why"] = flags.why;
  return Send(context, method, path, body, [&](const json& answer) {
    if (!context.json) *context.out << "in force since position " << CellOf(answer, "position") << "\n";
    return kExitFine;
  });
}

int ListHolds(const LimitFlags& flags, Context& context) {
  return GetAndShow(context, "/v1/limits/holds" + QueryString({{"user", flags.user}}), [&](const json& answer) {
    Table table({{"id"}, {"type"}, {"user"}, {"project"}, {"amounts"}, {"expires at"}});
    for (const json& hold : answer.value("holds", json::array())) {
      table.Add({CellOf(hold, "id"), CellOf(hold, "type"), CellOf(hold, "user"), CellOf(hold, "project"),
                 CellOf(hold, "amounts"), CellOf(hold, "expires_at")});
    }
    table.rows() == 0 ? void(*context.out << "nothing is held\n") : table.Print(*context.out);
  });
}

int ReleaseHold(const LimitFlags& flags, Context& context) {
  ordered_json body = ordered_json::object();
  if (!flags.why.empty()) body["reason"] = flags.why;
  std::string path = "/v1/limits/holds/" + PercentEncoded(flags.id) + "/release";
  return Send(context, &HttpClient::Post, path, body, [&](const json& hold) {
    if (!context.json) *context.out << "hold " << CellOf(hold, "id") << " is " << CellOf(hold, "state") << "\n";
    return kExitFine;
  });
}

std::string ShownLimits(const json& limits) {
  std::string text;
  for (const json& limit : limits) {
    text += (text.empty() ? "" : ", ") + CellOf(limit, "meter") + "/" + CellOf(limit, "window") + "=";
    text += limit.value("cap", json()).is_null() ? "none" : CellOf(limit, "cap");
  }
  return text;
}

int ListProfiles(Context& context) {
  return GetAndShow(context, "/v1/profiles", [&](const json& answer) {
    Table table({{"profile"}, {"built in"}, {"users", Align::kRight}, {"limits"}});
    for (const json& profile : answer.value("profiles", json::array())) {
      table.Add({CellOf(profile, "name"), profile.value("built_in", false) ? "yes" : "no", CellOf(profile, "assigned"),
                 ShownLimits(profile.value("limits", json::array()))});
    }
    table.Print(*context.out);
  });
}

// All pages.
int ListOverrides(Context& context) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  json all = {{"data", json::array()}};
  for (std::string cursor;;) {
    Failure failure;
    std::optional<json> page =
        GetJson(client, "/v1/overrides" + QueryString({{"limit", "1000"}, {"cursor", cursor}}), &failure);
    if (!page) return context.Fail(failure);
    const json rows = page->value("data", json::array()), next = page->value("next_cursor", json());
    for (const json& row : rows) all["data"].push_back(row);
    all["as_of"] = page->value("as_of", json());
    if (!next.is_string()) break;
    cursor = next.get<std::string>();
  }
  if (context.json) {
    *context.out << Dumped(all) << "\n";
    return kExitFine;
  }
  Table table({{"of"}, {"limits"}, {"who"}, {"why"}});
  for (const json& row : all["data"]) {
    std::string user = row.value("user", "");
    table.Add({user.empty() ? "every user" : "user " + user, ShownLimits(row.value("limits", json::array())),
               CellOf(row, "who"), CellOf(row, "why")});
  }
  table.rows() == 0 ? void(*context.out << "nothing is overridden\n") : table.Print(*context.out);
  return kExitFine;
}

int AssignMany(const LimitFlags& flags, Context& context) {
  ordered_json body = {{"users", flags.users}, {"preview", flags.is_preview}, {"who", flags.who}, {"why", flags.why}};
  if (!flags.from_profile.empty()) body["from_profile"] = flags.from_profile;
  std::string path = "/v1/profiles/" + PercentEncoded(flags.profile) + "/assign";
  return Send(context, &HttpClient::Post, path, body, [&](const json& answer) {
    int exit_code = IntegerOf(answer.value("refused", json())) == 0 ? kExitFine : kExitPartial;
    if (context.json) return exit_code;
    Table table({{"user"}, {"profile before"}, {"outcome"}, {"used up with it"}});
    for (const json& user : answer.value("users", json::array())) {
      std::string exceeded;
      for (const json& limit : user.value("exceeded", json::array()))
        exceeded += (exceeded.empty() ? "" : ", ") + CellOf(limit, "meter") + "/" + CellOf(limit, "window");
      table.Add({CellOf(user, "user"), CellOf(user, "profile_before"), CellOf(user, "outcome"), exceeded});
    }
    table.Print(*context.out);
    *context.out << (flags.is_preview ? "would change " : "changed ") << CellOf(answer, "changed") << ", unchanged "
                 << CellOf(answer, "unchanged") << ", refused " << CellOf(answer, "refused") << "\n";
    return exit_code;
  });
}

int Assign(const LimitFlags& flags, Context& context) {
  bool is_of_many = flags.users.size() > 1 || !flags.from_profile.empty() || flags.is_preview;
  if (is_of_many && flags.profile.empty())
    return context.Fail({kExitUsage, "a profile is taken away from one user at a time: --user"});
  if (is_of_many) return AssignMany(flags, context);
  std::string path =
      flags.users.empty() ? "/v1/fallback-profile" : "/v1/users/" + PercentEncoded(flags.users.front()) + "/profile";
  return Define(flags, path, {{"profile", flags.profile}}, context);
}

int ListQuotas(Context& context) {
  return GetAndShow(context, "/v1/quotas", [&](const json& answer) {
    Table table({{"level"}, {"user"}, {"project"}, {"collection"}, {"limits"}});
    for (const json& quota : answer.value("quotas", json::array())) {
      table.Add({CellOf(quota, "level"), CellOf(quota, "user"), CellOf(quota, "project"), CellOf(quota, "collection"),
                 ShownLimits(quota.value("limits", json::array()))});
    }
    table.rows() == 0 ? void(*context.out << "no quota is set\n") : table.Print(*context.out);
  });
}

void AddWhoAndWhy(::CLI::App* verb, LimitFlags* flags) {
  verb->add_option("--who", flags->who, "Who decides this")->required();
  verb->add_option("--why", flags->why, "Why, for whoever asks later")->required();
}
void AddLimits(::CLI::App* verb, LimitFlags* flags) {
  verb->add_option("--limit", flags->limits,
                   "METER/WINDOW=CAP, again for more; CAP none: no limit. None at all: as before");
}
void AddSubject(::CLI::App* verb, LimitFlags* flags) {
  verb->add_option("--user", flags->user);
  verb->add_option("--project", flags->project);
  verb->add_option("--collection", flags->collection, "Of the project");
}

void RegisterZone(::CLI::App* limits, Context& context) {
  auto flags = std::make_shared<LimitFlags>();
  ::CLI::App* zone = limits->add_subcommand("zone", "Whose hours, days and months the calendar windows are");
  zone->add_option("name", flags->zone, "Such as Europe/Berlin, or UTC")->required();
  AddWhoAndWhy(zone, flags.get());
  zone->callback([flags, &context] {
    Result<ordered_json> shifts = ZoneFromDatabase(flags->zone);
    context.exit_code = shifts.ok() ? Define(*flags, "/v1/policy/zone", *shifts, context)
                                    : context.Fail({kExitUsage, std::string(shifts.status().message())});
  });
  zone->footer(
      "The shifts of 1970 to 2069 are taken from this machine's tz database and written into the log; the fold knows "
      "no "
      "other.\nA window that has begun ends as it would have.\n"
      "Example:\n  odometer limits zone Europe/Berlin --who root --why 'our customers live there'");
}

void RegisterLimits(::CLI::App& app, Context& context) {
  ::CLI::App* limits = app.add_subcommand("limits", "What applies to whom, and how it stands");
  limits->require_subcommand(1);
  RegisterZone(limits, context);
  RegisterLimitsSetVerb(*limits, context);
  limits->add_subcommand("overrides", "All overrides that stand")->callback([&context] {
    context.exit_code = ListOverrides(context);
  });
  auto shown = std::make_shared<LimitFlags>();
  ::CLI::App* show = limits->add_subcommand("show", "The limits of a user, a project or both");
  AddSubject(show, shown.get());
  show->callback([shown, &context] { context.exit_code = ShowLimits(*shown, context); });
  show->footer("Example:\n  odometer limits show --user ann");

  auto overridden = std::make_shared<LimitFlags>();
  ::CLI::App* override_of =
      limits->add_subcommand("override", "Override limits of one user, or of all, in place of those before");
  override_of->add_option("--user", overridden->user, "Without: every user of the tenant");
  AddLimits(override_of, overridden.get());
  AddWhoAndWhy(override_of, overridden.get());
  override_of->callback([overridden, &context] {
    bool is_of_all = overridden->user.empty();
    std::string path = is_of_all ? "/v1/override" : "/v1/users/" + PercentEncoded(overridden->user) + "/override";
    context.exit_code = Define(*overridden, path, {{"limits", ordered_json::array()}}, context);
  });
  override_of->footer(
      "Example:\n  odometer limits override --user ann --limit requests/rolling_hour=500 --who root --why 'load test'");

  auto enforced = std::make_shared<LimitFlags>();
  ::CLI::App* enforce = limits->add_subcommand("enforce", "Enforce limits, only observe, or look at none");
  enforce->add_option("mode", enforced->enforcement)->required()->check(::CLI::IsMember({"on", "observe", "off"}));
  AddWhoAndWhy(enforce, enforced.get());
  enforce->callback([enforced, &context] {
    context.exit_code = Define(*enforced, "/v1/policy/enforcement", {{"enforcement", enforced->enforcement}}, context);
  });
}

void RegisterCheck(::CLI::App& app, Context& context) {
  auto flags = std::make_shared<LimitFlags>();
  ::CLI::App* check = app.add_subcommand("check", "Whether this may proceed now; changes nothing");
  AddSubject(check, flags.get());
  check->add_option("--amount", flags->amounts, "METER=N, again for more")->required();
  check->callback([flags, &context] { context.exit_code = Check(*flags, context); });
  check->footer("Exit code 0: allowed, 1: refused.\n\nExample:\n  odometer check --user ann --amount requests=1");
}

void RegisterHolds(::CLI::App& app, Context& context) {
  ::CLI::App* holds = app.add_subcommand("holds", "Amounts that are held and not yet used");
  holds->require_subcommand(1);
  auto listed = std::make_shared<LimitFlags>();
  ::CLI::App* list = holds->add_subcommand("list", "The open ones, those that expire first before others");
  list->add_option("--user", listed->user, "Only of this one");
  list->callback([listed, &context] { context.exit_code = ListHolds(*listed, context); });
  auto released = std::make_shared<LimitFlags>();
  ::CLI::App* release = holds->add_subcommand("release", "Give back what one holds");
  release->add_option("id", released->id)->required();
  release->add_option("--why", released->why);
  release->callback([released, &context] { context.exit_code = ReleaseHold(*released, context); });
}

void RegisterProfiles(::CLI::App& app, Context& context) {
  ::CLI::App* profiles = app.add_subcommand("profiles", "Sets of limits by name, and who has which");
  profiles->require_subcommand(1);
  profiles->add_subcommand("list", "The built-in ones and the tenant's own")->callback([&context] {
    context.exit_code = ListProfiles(context);
  });
  auto defined = std::make_shared<LimitFlags>();
  ::CLI::App* set = profiles->add_subcommand("set", "Define a profile, or change it");
  set->add_option("name", defined->profile)->required();
  AddLimits(set, defined.get());
  AddWhoAndWhy(set, defined.get());
  set->callback([defined, &context] {
    std::string path = "/v1/profiles/" + PercentEncoded(defined->profile);
    context.exit_code = Define(*defined, path, {{"limits", ordered_json::array()}}, context);
  });
  auto deleted = std::make_shared<LimitFlags>();
  ::CLI::App* remove = profiles->add_subcommand("delete", "Take a profile away that nobody has");
  remove->add_option("name", deleted->profile)->required();
  AddWhoAndWhy(remove, deleted.get());
  remove->callback([deleted, &context] {
    std::string path = "/v1/profiles/" + PercentEncoded(deleted->profile);
    context.exit_code = Define(*deleted, path, ordered_json::object(), context, &HttpClient::Delete);
  });
  remove->footer(
      "Who has it must be given another one first: profiles assign NEW --from-profile OLD.\n"
      "Example:\n  odometer profiles delete Team --who root --why 'nobody is in it'");
  auto assigned = std::make_shared<LimitFlags>();
  ::CLI::App* assign = profiles->add_subcommand("assign", "Give users a profile; without any: all who have none");
  assign->add_option("name", assigned->profile, "Empty: none any more")->required();
  assign->add_option("--user", assigned->users, "Again for more");
  assign->add_option("--from-profile", assigned->from_profile, "All to whom this one is assigned");
  assign->add_flag("--preview", assigned->is_preview, "Show what would change; change nothing");
  AddWhoAndWhy(assign, assigned.get());
  assign->callback([assigned, &context] { context.exit_code = Assign(*assigned, context); });
  assign->footer(
      "Examples:\n  odometer profiles assign Pro --user ann --who root --why 'paid'\n"
      "  odometer profiles assign Pro --from-profile Free --preview --who root --why 'end of the trial'");
}

void RegisterQuotas(::CLI::App& app, Context& context) {
  ::CLI::App* quotas = app.add_subcommand("quotas", "Limits of users, projects and collections");
  quotas->require_subcommand(1);
  quotas->add_subcommand("list", "All that stand")->callback([&context] { context.exit_code = ListQuotas(context); });
  auto flags = std::make_shared<LimitFlags>();
  ::CLI::App* set = quotas->add_subcommand("set", "Set one; without --limit it is taken away");
  set->add_option("level", flags->level)
      ->required()
      ->check(::CLI::IsMember({"user_project", "user", "project", "default", "collection", "tenant"}));
  AddSubject(set, flags.get());
  AddLimits(set, flags.get());
  AddWhoAndWhy(set, flags.get());
  set->callback([flags, &context] {
    ordered_json body = {{"level", flags->level}, {"limits", ordered_json::array()}};
    if (!flags->user.empty()) body["user"] = flags->user;
    if (!flags->project.empty()) body["project"] = flags->project;
    if (!flags->collection.empty()) body["collection"] = flags->collection;
    context.exit_code = Define(*flags, "/v1/quotas", body, context);
  });
}

}  // namespace

void RegisterLimitsVerbs(::CLI::App& app, Context& context) {
  RegisterLimits(app, context);
  RegisterCheck(app, context);
  RegisterHolds(app, context);
  RegisterProfiles(app, context);
  RegisterQuotas(app, context);
}

}  // namespace odometer::cli
