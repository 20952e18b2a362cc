#include <CLI/CLI.hpp>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"

namespace odometer::cli {

namespace {

using nlohmann::json;

struct ListFlags {
  std::string partition, limit, cursor;
};

int ListQuarantine(const ListFlags& flags, Context& context) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Failure failure;
  std::optional<json> page = GetJson(
      client,
      "/v1/admin/quarantine" +
          QueryString({{"partition", flags.partition}, {"limit", flags.limit}, {"cursor", flags.cursor}}),
      &failure);
  if (!page.has_value()) return context.Fail(failure);
  if (context.json) {
    *context.out << Dumped(*page) << "\n";
    return kExitFine;
  }
  const json data = page->value("data", json::array());
  Table table({{"partition", Align::kRight},
               {"offset", Align::kRight},
               {"reason"},
               {"append time"},
               {"bytes", Align::kRight}});
  for (const json& row : data) {
    table.Add({CellOf(row, "partition"), CellOf(row, "offset"), CellOf(row, "reason"), CellOf(row, "append_time"),
               CellOf(row, "size_bytes")});
  }
  if (data.empty()) {
    *context.out << "nothing is quarantined\n";
  } else {
    table.Print(*context.out);
  }
  if (page->value("next_cursor", json()).is_string()) {
    *context.out << "more: --cursor " << (*page)["next_cursor"].get<std::string>() << "\n";
  }
  return kExitFine;
}

}  // namespace

void RegisterQuarantineVerbs(::CLI::App& app, Context& context) {
  ::CLI::App* quarantine = app.add_subcommand("quarantine", "Records that could not be folded");
  quarantine->require_subcommand(1);
  auto flags = std::make_shared<ListFlags>();
  ::CLI::App* list = quarantine->add_subcommand("list", "List them, with the reason of each");
  list->add_option("--partition", flags->partition, "Only of this one");
  list->add_option("--limit", flags->limit, "How many at once")->check(::CLI::PositiveNumber);
  list->add_option("--cursor", flags->cursor, "Where the last page ended");
  list->callback([flags, &context] { context.exit_code = ListQuarantine(*flags, context); });
  list->footer(
      "The first 4 KiB of each record are in the JSON form, as bytes_base64.\n\n"
      "Examples:\n"
      "  odometer quarantine list\n"
      "  odometer quarantine list --partition 3 --json");
}

}  // namespace odometer::cli
