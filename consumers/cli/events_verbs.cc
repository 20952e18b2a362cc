#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"

namespace odometer::cli {

namespace {

using nlohmann::json;

struct TailFlags {
  std::string partition;
  std::string position;
  uint64_t count = 0;  // 0: not said
  bool follow = false;
  int64_t interval_ms = 1'000;
};

constexpr uint64_t kNewest = 20;
constexpr uint64_t kPageMax = 500;

std::string TextAt(const json& object, const char* member) {
  auto found = object.find(member);
  if (found == object.end()) return "";
  if (found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : Dumped(*found);
}

// offset, append time, type, tenant, user and what it is about.
void PrintLine(const json& entry, std::ostream& out) {
  const json& event = entry.contains("event") && entry["event"].is_object() ? entry["event"] : json::object();
  std::string line = TextAt(entry, "offset") + "  " + TextAt(entry, "append_time");
  auto append = [&line](const json& object, std::initializer_list<const char*> members) {
    for (const char* member : members) {
      if (std::string text = TextAt(object, member); !text.empty()) line += "  " + Shown(text);
    }
  };
  append(event, {"type", "tenant", "user", "session", "project", "collection", "service", "model_served",
                 "model_requested", "status"});
  if (event.contains("original") && event["original"].is_object()) append(event["original"], {"user", "session"});
  if (event.contains("items")) line += "  " + std::to_string(event["items"].size()) + " items";
  append(entry, {"unreadable"});
  if (event.contains("tokens") && event["tokens"].is_object()) {
    int64_t output = IntegerOf(event["tokens"].value("output", json(0)));
    int64_t input = 0;
    for (const char* bucket : {"input_uncached", "cache_read", "cache_write_5m", "cache_write_1h"}) {
      input += IntegerOf(event["tokens"].value(bucket, json(0)));
    }
    line += "  " + Grouped(input) + " in, " + Grouped(output) + " out";
  }
  out << line << "\n";
}

void Print(const json& data, Context& context) {
  for (const json& entry : data) {
    if (context.json) {
      *context.out << Dumped(entry) << "\n";
    } else {
      PrintLine(entry, *context.out);
    }
  }
  context.out->flush();
}

// Without a position, from the newest `count` records; with one, from there. Ends after `count`, or at the end of the
// log, or, following, never.
int Tail(const TailFlags& flags, Context& context) {
  HttpClient client({.server = context.server, .tenant = context.tenant});
  std::string position = flags.position;
  bool has_end = flags.count > 0 && !flags.follow;
  uint64_t left = flags.count > 0 ? flags.count : position.empty() ? kNewest : UINT64_MAX;
  for (;;) {
    Failure failure;
    std::string limit = std::to_string(std::min<uint64_t>(left, kPageMax));
    std::string query = QueryString({{"partition", flags.partition}, {"position", position}, {"limit", limit}});
    std::optional<json> page = GetJson(client, "/v1/admin/events" + query, &failure);
    if (!page.has_value()) return context.Fail(failure);
    const json data = page->value("data", json::array());
    Print(data, context);
    position = TextAt(*page, "next_position");
    left = has_end ? left - std::min<uint64_t>(left, data.size()) : UINT64_MAX;
    if (left == 0) return kExitFine;
    if (page->value("has_more", !data.empty())) continue;
    if (!flags.follow) return kExitFine;
    std::this_thread::sleep_for(std::chrono::milliseconds(flags.interval_ms));
  }
}

}  // namespace

void RegisterEventsVerbs(::CLI::App& app, Context& context) {
  ::CLI::App* events = app.add_subcommand("events", "Read the log");
  events->require_subcommand(1);
  auto flags = std::make_shared<TailFlags>();
  ::CLI::App* tail = events->add_subcommand("tail", "Print the records of one partition, in order");
  tail->add_option("--partition", flags->partition, "Which one (default: the tenant's)");
  tail->add_option("--position", flags->position, "Where to start, such as p3.0 (default: at the newest records)");
  tail->add_option("-n,--count", flags->count, "How many (default: 20; with --position all of them)");
  tail->add_flag("-f,--follow", flags->follow, "Do not stop: wait for more");
  tail->add_option("--interval-ms", flags->interval_ms, "How often --follow asks")
      ->check(::CLI::Range(10, 60'000))
      ->capture_default_str();
  tail->callback([flags, &context] { context.exit_code = Tail(*flags, context); });
  tail->footer(
      "Examples:\n"
      "  odometer events tail -n 20\n"
      "  odometer events tail --position p3.0 --json\n"
      "  odometer --tenant acme events tail --follow");
}

}  // namespace odometer::cli
