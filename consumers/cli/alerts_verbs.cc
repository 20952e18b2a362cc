// odometer alerts and webhooks.
#include <CLI/CLI.hpp>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct AlertFlags {
  std::string user, project, webhook;
  int percent = 0;
  int64_t limit = 50;
  std::vector<std::string> ids;
  bool is_all = false;
};

std::optional<json> Fetch(Context& context, const std::string& path) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Failure failure;
  std::optional<json> answer = GetJson(client, path, &failure);
  if (!answer) context.exit_code = context.Fail(failure);
  if (answer && context.json) *context.out << Dumped(*answer) << "\n";
  return answer;
}

std::string WhoseOf(const json& alert) {
  std::string whose;
  for (const char* part : {"user", "project", "collection"}) {
    std::string name = alert.value(part, "");
    if (!name.empty()) whose += (whose.empty() ? "" : ", ") + std::string(part) + " " + name;
  }
  return whose.empty() ? "tenant" : whose;
}

void ListAlerts(const AlertFlags& flags, Context& context) {
  std::string percent = flags.percent == 0 ? "" : std::to_string(flags.percent);
  std::string path = "/v1/alerts" + QueryString({{"user", flags.user},
                                                 {"project", flags.project},
                                                 {"percent", percent},
                                                 {"limit", std::to_string(flags.limit)}});
  std::optional<json> answer = Fetch(context, path);
  if (!answer || context.json) return;
  Table table({{"crossed at"},
               {"%", Align::kRight},
               {"meter"},
               {"window"},
               {"whose"},
               {"used", Align::kRight},
               {"cap", Align::kRight},
               {"level"},
               {"of"}});
  for (const json& alert : answer->value("data", json::array())) {
    table.Add({CellOf(alert, "crossed_at"), CellOf(alert, "percent"), CellOf(alert, "meter"), CellOf(alert, "window"),
               WhoseOf(alert), CellOf(alert, "used"), CellOf(alert, "cap"), CellOf(alert, "level"),
               CellOf(alert, "source")});
  }
  table.rows() == 0 ? void(*context.out << "no limit was crossed\n") : table.Print(*context.out);
  if (answer->value("has_more", false)) *context.out << "there are more: --limit\n";
}

void ListWebhooks(Context& context) {
  std::optional<json> answer = Fetch(context, "/v1/admin/webhooks");
  if (!answer || context.json) return;
  Table table({{"webhook"},
               {"url"},
               {"tenant"},
               {"delivered", Align::kRight},
               {"failing since"},
               {"next try at"},
               {"dead letters", Align::kRight},
               {"error"}});
  for (const json& one : answer->value("webhooks", json::array())) {
    table.Add({CellOf(one, "name"), CellOf(one, "url"), CellOf(one, "tenant"), CellOf(one, "delivered"),
               CellOf(one, "failing_since"), CellOf(one, "next_try_at"), CellOf(one, "dead_letters"),
               CellOf(one, "error")});
  }
  table.rows() == 0 ? void(*context.out << "the daemon's settings name no webhooks\n") : table.Print(*context.out);
}

std::string PathOf(const AlertFlags& flags, const std::string& what) {
  return "/v1/admin/webhooks/" + PercentEncoded(flags.webhook) + "/" + what;
}

void ListDeadLetters(const AlertFlags& flags, Context& context) {
  std::optional<json> answer = Fetch(context, PathOf(flags, "dead-letters"));
  if (!answer || context.json) return;
  Table table({{"id"}, {"tenant"}, {"attempts", Align::kRight}, {"gave up at"}, {"error"}});
  for (const json& letter : answer->value("dead_letters", json::array())) {
    table.Add({CellOf(letter, "id"), CellOf(letter, "tenant"), CellOf(letter, "attempts"), CellOf(letter, "gave_up_at"),
               CellOf(letter, "error")});
  }
  table.rows() == 0 ? void(*context.out << "no dead letters\n") : table.Print(*context.out);
}

int Resend(const AlertFlags& flags, Context& context) {
  if (flags.is_all != flags.ids.empty()) return context.Fail({kExitUsage, "give ids of dead letters, or --all"});
  ordered_json body = flags.is_all ? ordered_json{{"all", true}} : ordered_json{{"ids", flags.ids}};
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Result<HttpResponse> response = client.Post(PathOf(flags, "resend"), Dumped(body), "application/json");
  if (!response.ok()) return context.Fail(FailureOf(response.status()));
  if (response->status != 202) return context.Fail(FailureOf(*response));
  json answer = json::parse(response->body, nullptr, false);
  if (!answer.is_object()) return context.Fail({kExitBadData, "the daemon answered something that is not JSON"});
  if (context.json) {
    *context.out << Dumped(answer) << "\n";
  } else {
    *context.out << CellOf(answer, "tried_again") << " are tried once more: odometer webhooks list\n";
  }
  return kExitFine;
}

}  // namespace

void RegisterAlertsVerbs(::CLI::App& app, Context& context) {
  auto listed = std::make_shared<AlertFlags>();
  ::CLI::App* alerts = app.add_subcommand("alerts", "Limits that were crossed at 80, 95 or 100 percent, newest first");
  alerts->add_option("--user", listed->user, "Only of limits over this one");
  alerts->add_option("--project", listed->project, "Likewise");
  alerts->add_option("--percent", listed->percent, "Only from so many percent on")->check(::CLI::Range(0, 100));
  alerts->add_option("--limit", listed->limit, "How many at most")->check(::CLI::Range(1, 500))->capture_default_str();
  alerts->callback([listed, &context] { ListAlerts(*listed, context); });
  alerts->footer("Example:\n  odometer alerts --percent 100");

  ::CLI::App* webhooks = app.add_subcommand("webhooks", "The addresses that are told of alerts");
  webhooks->require_subcommand(1);
  webhooks->add_subcommand("list", "How far each has come")->callback([&context] { ListWebhooks(context); });
  auto dead = std::make_shared<AlertFlags>();
  ::CLI::App* letters = webhooks->add_subcommand("dead-letters", "What one did not take, however often it was tried");
  letters->add_option("name", dead->webhook)->required();
  letters->callback([dead, &context] { ListDeadLetters(*dead, context); });
  auto resent = std::make_shared<AlertFlags>();
  ::CLI::App* resend = webhooks->add_subcommand("resend", "Try dead letters once more");
  resend->add_option("name", resent->webhook)->required();
  resend->add_option("ids", resent->ids, "Of alerts");
  resend->add_flag("--all", resent->is_all, "All that there are");
  resend->callback([resent, &context] { context.exit_code = Resend(*resent, context); });
  resend->footer("Example:\n  odometer webhooks resend billing --all");
}

}  // namespace odometer::cli
