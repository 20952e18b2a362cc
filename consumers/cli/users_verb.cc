#include <CLI/CLI.hpp>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"

namespace odometer::cli {

namespace {

using nlohmann::json;

struct UsersFlags {
  std::string sort, order, period, limit, cursor;
  bool all = false;
};

struct UserPage {
  json data = json::array();
  json total_count;
  json next_cursor;
  json as_of;
};

std::optional<UserPage> Fetch(HttpClient& client, const UsersFlags& flags, Failure* failure) {
  UserPage all;
  std::string cursor = flags.cursor;
  for (;;) {
    std::optional<json> page = GetJson(client,
                                       "/v1/consumption/users" + QueryString({{"sort", flags.sort},
                                                                              {"order", flags.order},
                                                                              {"period", flags.period},
                                                                              {"limit", flags.limit},
                                                                              {"cursor", cursor}}),
                                       failure);
    if (!page.has_value()) return std::nullopt;
    const json data = page->value("data", json::array());
    for (const json& row : data) all.data.push_back(row);
    all.total_count = page->value("total_count", json());
    all.next_cursor = page->value("next_cursor", json());
    all.as_of = page->value("as_of", json());
    if (!flags.all || !all.next_cursor.is_string() || data.empty()) return all;
    cursor = all.next_cursor.get<std::string>();
  }
}

// What nobody gave a cost for is not free.
std::string CostOf(const json& row) {
  bool is_unpriced = IntegerOf(row.value("priced_facts", json())) == 0;
  return is_unpriced ? "-" : Dollars(IntegerOf(row.value("cost_nano_usd", json())));
}

void PrintTable(const UserPage& page, Context& context) {
  Table table({{"user"},
               {"requests", Align::kRight},
               {"input tokens", Align::kRight},
               {"output tokens", Align::kRight},
               {"total tokens", Align::kRight},
               {"sessions", Align::kRight},
               {"cost, USD", Align::kRight},
               {"last use"}});
  for (const json& row : page.data) {
    table.Add({CellOf(row, "user"), CellOf(row, "requests"), CellOf(row, "input_tokens"), CellOf(row, "output_tokens"),
               CellOf(row, "total_tokens"), CellOf(row, "sessions"), CostOf(row), CellOf(row, "last_use")});
  }
  table.Print(*context.out);
  *context.out << Grouped(static_cast<int64_t>(page.data.size())) << " of " << Grouped(IntegerOf(page.total_count))
               << " users";
  if (page.next_cursor.is_string()) *context.out << "; more: --cursor " << page.next_cursor.get<std::string>();
  *context.out << "\n";
}

int ListUsers(const UsersFlags& flags, Context& context) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Failure failure;
  std::optional<UserPage> page = Fetch(client, flags, &failure);
  if (!page.has_value()) return context.Fail(failure);
  if (context.json) {
    nlohmann::ordered_json report = {{"data", page->data},
                                     {"total_count", page->total_count},
                                     {"next_cursor", page->next_cursor},
                                     {"as_of", page->as_of}};
    *context.out << Dumped(report) << "\n";
  } else {
    PrintTable(*page, context);
  }
  return kExitFine;
}

}  // namespace

void RegisterUsersVerb(::CLI::App& app, Context& context) {
  auto flags = std::make_shared<UsersFlags>();
  ::CLI::App* users = app.add_subcommand("users", "What each user of the tenant has used");
  users->add_option("--sort", flags->sort, "total_tokens (default), cost, success_rate, requests, last_used or user");
  users->add_option("--order", flags->order, "asc or desc (default; asc by user)")
      ->check(::CLI::IsMember({"asc", "desc"}));
  users->add_option("--period", flags->period, "A month, such as 2023-11 (default: all time)");
  users->add_option("--limit", flags->limit, "How many at once")->check(::CLI::PositiveNumber);
  users->add_option("--cursor", flags->cursor, "Where the last page ended");
  users->add_flag("--all", flags->all, "All pages");
  users->callback([flags, &context] { context.exit_code = ListUsers(*flags, context); });
  users->footer(
      "Examples:\n"
      "  odometer users --sort total_tokens --order desc --limit 10\n"
      "  odometer --tenant acme users --period 2023-11 --all --json");
}

}  // namespace odometer::cli
