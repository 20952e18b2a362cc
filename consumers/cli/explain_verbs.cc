// odometer explain and odometer backtest: why an ask was answered as it was, and what another definition would have
// answered.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "consumers/backtest.h"
#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/progress.h"
#include "consumers/cli/verbs.h"
#include "consumers/event_json.h"
#include "consumers/explain.h"
#include "consumers/http/limit_json.h"
#include "core/period.h"
#include "core/placement.h"
#include "log/local_log.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct ExplainFlags {
  std::string user, project, collection, ask, at, data_dir, work_dir;
  std::vector<std::string> amounts;
};

struct BacktestFlags {
  std::vector<std::string> files;
  std::string from, to, data_dir, work_dir;
  bool unasked = false;
};

std::string WorkPath(const std::string& asked, const std::string& verb) {
  if (!asked.empty()) return asked;
  std::error_code ignored;
  return (std::filesystem::temp_directory_path(ignored) / fmt::format("odometer-{}-{}", verb, ::getpid())).string();
}

Result<std::unique_ptr<LocalLog>> OpenLogOf(const std::string& data_dir, const std::string& tenant) {
  LocalLog::Options options;
  options.read_only = true;
  Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(PosixFileSystem(), SystemClock(), data_dir + "/log", options);
  if (log.ok() && !(*log)->holds(PartitionOf(tenant, (*log)->partitions())))
    return Status(Code::kNotFound, "tenant '" + tenant + "' is another daemon's; its records are not here");
  return log;
}

FoldSource SourceOf(LocalLog& log, const std::string& tenant) {
  return {log.log_id(), log.partitions(), &log.partition(PartitionOf(tenant, log.partitions()))};
}

// --- explain

void PrintLimitsOf(const json& verdict, Context& context) {
  Table table({{"meter"},
               {"window"},
               {"over"},
               {"used", Align::kRight},
               {"held", Align::kRight},
               {"asked", Align::kRight},
               {"cap", Align::kRight},
               {""},
               {"level"},
               {"of"}});
  for (const json& limit : verdict.value("limits", json::array())) {
    table.Add({CellOf(limit, "meter"), CellOf(limit, "window"), CellOf(limit, "over"), CellOf(limit, "used"),
               CellOf(limit, "held"), CellOf(limit, "asked"), CellOf(limit, "cap"),
               limit.value("exceeded", false) ? "exceeded" : "", CellOf(limit, "level"), CellOf(limit, "source")});
  }
  table.rows() == 0 ? void(*context.out << "no limit applied\n") : table.Print(*context.out);
}

void PrintMovers(const json& moved, Context& context) {
  for (const json& limit : moved) {
    if (limit["greatest"].empty()) continue;
    *context.out << "\n"
                 << CellOf(limit, "meter") << " in " << CellOf(limit, "window") << " over " << CellOf(limit, "over")
                 << ": moved by " << CellOf(limit, "events") << " events";
    if (!limit["counting_since"].is_null()) *context.out << ", counted since " << CellOf(limit, "counting_since");
    *context.out << "; the greatest:\n";
    Table table({{"offset", Align::kRight}, {"type"}, {"id"}, {"user"}, {"at"}, {"amount", Align::kRight}});
    for (const json& mover : limit["greatest"])
      table.Add({CellOf(mover, "offset"), CellOf(mover, "type"), CellOf(mover, "id"), CellOf(mover, "user"),
                 CellOf(mover, "at"), CellOf(mover, "amount")});
    table.Print(*context.out);
  }
}

int PrintExplanation(const json& answer, Context& context) {
  bool is_allowed = answer.value("allowed", false);
  if (context.json) {
    *context.out << Dumped(answer) << "\n";
    return is_allowed ? kExitFine : kExitDrift;
  }
  *context.out << "as of " << CellOf(answer, "as_of") << ": " << (is_allowed ? "allowed" : "refused");
  if (answer["refused_by"].is_string()) *context.out << " (" << CellOf(answer, "refused_by") << ")";
  if (answer["retry_after_s"].is_number()) *context.out << "; may fit " << answer["retry_after_s"] << " s later";
  *context.out << "; enforcement " << CellOf(answer, "enforcement") << "\n";
  PrintLimitsOf(answer, context);
  PrintMovers(answer.value("moved_by", json::array()), context);
  return is_allowed ? kExitFine : kExitDrift;
}

int ExplainByDaemon(const ExplainFlags& flags, Context& context) {
  std::string amounts;
  for (const std::string& amount : flags.amounts) amounts += (amounts.empty() ? "" : ",") + amount;
  bool is_time = flags.at.empty() || ParseTime(flags.at).has_value();
  std::string path = "/v1/limits/explain" + QueryString({{"user", flags.user},
                                                         {"project", flags.project},
                                                         {"collection", flags.collection},
                                                         {"ask", flags.ask},
                                                         {"amounts", amounts},
                                                         {is_time ? "at" : "at_position", flags.at}});
  HttpClient client({.server = context.server, .tenant = context.tenant});
  Failure failure;
  std::optional<json> answer = GetJson(client, path, &failure);
  return answer ? PrintExplanation(*answer, context) : context.Fail(failure);
}

// What was wrong with the flags; "" when nothing is.
std::string RequestOf(const ExplainFlags& flags, ExplainRequest* request) {
  request->user = flags.user;
  request->project = flags.project;
  request->collection = flags.collection;
  if (!flags.ask.empty() && !(request->ask = Uuid::Parse(flags.ask))) return "--ask: the id of an ask is a UUID";
  if (flags.ask.empty() && flags.user.empty() && flags.project.empty())
    return "say whose: --user, --project or both, or --ask";
  for (const std::string& text : flags.amounts.empty() ? std::vector<std::string>{"requests=1"} : flags.amounts) {
    size_t equals = text.find('=');
    std::optional<Meter> meter = MeterFromName(text.substr(0, equals));
    int64_t amount = equals == std::string::npos ? -1 : IntegerOf(json(text.substr(equals + 1)), -1);
    if (!meter || amount < 0) return "--amount '" + text + "' is no amount: say METER=N, such as requests=1";
    request->amounts.push_back({*meter, amount});
  }
  if (flags.at.empty()) {
    request->at_us = SystemClock().NowUs();
  } else if (std::optional<int64_t> us = ParseTime(flags.at)) {
    request->at_us = us;
  } else {
    Result<Position> position = Position::FromToken(flags.at);
    if (!position.ok()) return "--at is a time, such as 2026-11-22T10:00:00Z, or a position that the daemon gave";
    request->at_offset = position->next_offset;
  }
  return "";
}

int RunExplain(const ExplainFlags& flags, Context& context) {
  if (flags.data_dir.empty()) return ExplainByDaemon(flags, context);
  ExplainRequest request;
  request.tenant = context.tenant;
  std::string wrong = RequestOf(flags, &request);
  if (!wrong.empty()) return context.Fail({kExitUsage, wrong});
  request.work_dir = WorkPath(flags.work_dir, "explain");
  Result<std::unique_ptr<LocalLog>> log = OpenLogOf(flags.data_dir, context.tenant);
  if (!log.ok()) return context.Fail(FailureOf(log.status()));
  Progress progress(*context.err, ::isatty(STDERR_FILENO) != 0, "explain", 0, SystemClock());
  Result<Explanation> explanation = Explain(SourceOf(**log, context.tenant), request, [&](uint64_t reached, uint64_t) {
    progress.Update(reached, 0);
    return true;
  });
  progress.Finish();
  if (!explanation.ok()) return context.Fail(FailureOf(explanation.status()));
  JsonWriter writer;
  writer.Object();
  WriteExplanation(writer, *explanation);
  writer.End();
  return PrintExplanation(json::parse(writer.Take()), context);
}

// --- backtest

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A definition as hosts post it; what its fields already say may be left out: its type, who and why.
std::string AsDefinition(json definition) {
  if (!definition.contains("type")) {
    bool is_quota = definition.contains("level");
    bool is_profile = definition.contains("profile") || definition.contains("name");
    bool is_policy = definition.contains("enforcement");
    definition["type"] = is_quota     ? "QuotaSet"
                         : is_policy  ? "EnforcementSet"
                         : is_profile ? "ProfileDefined"
                                      : "LimitOverridden";
  }
  if (definition["type"] == "ProfileDefined" && definition.contains("profile")) {
    definition["name"] = definition["profile"];
    definition.erase("profile");
  }
  std::optional<EventType> type;
  if (definition["type"].is_string()) type = TypeFromName(definition["type"].get<std::string>());
  for (const char* member : {"who", "why"}) {
    if (type && IsDefinition(*type) && !definition.contains(member)) definition[member] = "backtest";
  }
  return definition.dump();
}

// "" or what is wrong with the files.
std::string ReadTried(const BacktestFlags& flags, Context& context, std::vector<ParsedEvents>* parsed,
                      std::vector<Event>* tried) {
  JsonOptions options{context.tenant, "backtest", &SystemClock(), [] { return std::array<uint8_t, 10>{}; }, 100};
  for (const std::string& path : flags.files) {
    std::optional<std::string> text = ReadFile(path);
    if (!text) return path + " cannot be read";
    json file = json::parse(*text, nullptr, false);
    if (file.is_object()) file = json::array({file});
    if (!file.is_array()) return path + " is not JSON: it holds one definition, or an array of them";
    for (const json& definition : file) {
      if (!definition.is_object()) return path + ": a definition is an object";
      Result<ParsedEvents> events = ParseEvents(AsDefinition(definition), JsonBody::kWhole, options);
      if (!events.ok()) return path + ": " + std::string(events.status().message());
      const ParsedEvent& item = events->items.front();
      if (item.error)
        return path + ": " + (item.error->field.empty() ? "" : item.error->field + ": ") + item.error->message;
      if (!IsDefinition(item.event.type))
        return path + ": " + std::string(TypeName(item.event.type)) + " defines nothing";
      parsed->push_back(std::move(*events));
    }
  }
  for (size_t i = 0; i < parsed->size(); ++i) {
    tried->push_back((*parsed)[i].items.front().event);
    tried->back().id = Uuid5(Uuid(), fmt::format("backtest-{}", i));
  }
  return "";
}

ordered_json ToJson(const MeterSums& sums) {
  ordered_json amounts = ordered_json::object();
  for (size_t i = 0; i < kMeters; ++i) {
    if (sums[i] == 0) continue;
    constexpr __int128 kExact = __int128{1} << 53;
    std::string name(MeterName(static_cast<Meter>(i + 1)));
    bool is_exact = sums[i] <= kExact && sums[i] >= -kExact;
    amounts[name] = is_exact ? ordered_json(static_cast<int64_t>(sums[i])) : ordered_json(fmt::format("{}", sums[i]));
  }
  return amounts;
}

ordered_json ToJson(const BacktestSums& sums) {
  return {{"asked", sums.asked},
          {"refused_live", sums.refused_live},
          {"refused", sums.refused},
          {"newly_refused", sums.newly_refused},
          {"newly_allowed", sums.newly_allowed},
          {"refused_amounts", ToJson(sums.refused_amounts)},
          {"traffic_events", sums.traffic_events},
          {"traffic", ToJson(sums.traffic)}};
}

ordered_json TimeOrNull(int64_t us) { return us < 0 ? ordered_json() : ordered_json(TimeToString(us)); }

ordered_json ToJson(const BacktestReport& report) {
  ordered_json answer = ToJson(report.all);
  answer["records"] = report.records;
  answer["users"] = ordered_json::array();
  for (const auto& [whose, user] : report.users) {
    if (user.sums.refused + user.sums.refused_live + user.sums.traffic_events == 0) continue;
    ordered_json shown = {{"user", whose.first}, {"project", whose.second}};
    shown.update(ToJson(user.sums));
    shown["first_refused_at"] = TimeOrNull(user.first_refused_us);
    shown["last_refused_at"] = TimeOrNull(user.last_refused_us);
    shown["by_limit"] = ordered_json::array();
    for (const auto& [limit, count] : user.by_limit) {
      shown["by_limit"].push_back({{"meter", MeterName(limit.meter)},
                                   {"window", WindowName(limit.window)},
                                   {"over", ScopeName(limit.over)},
                                   {"level", LevelName(static_cast<Level>(limit.level))},
                                   {"source", limit.source},
                                   {"refused", count}});
    }
    answer["users"].push_back(std::move(shown));
  }
  answer["refusals"] = ordered_json::array();
  for (const BacktestRefusal& refusal : report.refusals) {
    answer["refusals"].push_back({{"position", Position{report.partition, refusal.offset}.ToToken()},
                                  {"offset", refusal.offset},
                                  {"ask", refusal.ask.ToString()},
                                  {"at", TimeOrNull(refusal.at_us)},
                                  {"user", refusal.user},
                                  {"project", refusal.project},
                                  {"new", refusal.is_new}});
  }
  return answer;
}

void PrintBacktest(const ordered_json& report, Context& context) {
  *context.out << "asked " << CellOf(report, "asked") << ", refused " << CellOf(report, "refused") << " (live "
               << CellOf(report, "refused_live") << "): " << CellOf(report, "newly_refused") << " newly, "
               << CellOf(report, "newly_allowed")
               << " newly allowed; traffic kept away: " << CellOf(report, "traffic_events") << " events "
               << report["traffic"].dump() << "\n";
  Table table({{"user"},
               {"asked", Align::kRight},
               {"refused", Align::kRight},
               {"live", Align::kRight},
               {"newly", Align::kRight},
               {"first"},
               {"last"},
               {"by"}});
  for (const ordered_json& user : report["users"]) {
    std::string by;
    for (const ordered_json& limit : user["by_limit"])
      by += fmt::format("{}{}/{} ({} {}) {}", by.empty() ? "" : ", ", limit["meter"].get<std::string>(),
                        limit["window"].get<std::string>(), limit["level"].get<std::string>(),
                        limit["source"].get<std::string>(), limit["refused"].get<uint64_t>());
    bool is_project = user["user"].get<std::string>().empty();
    table.Add({CellOf(user, is_project ? "project" : "user"), CellOf(user, "asked"), CellOf(user, "refused"),
               CellOf(user, "refused_live"), CellOf(user, "newly_refused"), CellOf(user, "first_refused_at"),
               CellOf(user, "last_refused_at"), by});
  }
  table.rows() == 0 ? void(*context.out << "nobody would have been refused\n") : table.Print(*context.out);
}

int RunBacktest(const BacktestFlags& flags, Context& context) {
  std::vector<ParsedEvents> parsed;
  BacktestRequest request;
  request.tenant = context.tenant;
  std::string wrong = ReadTried(flags, context, &parsed, &request.tried);
  if (!wrong.empty()) return context.Fail({kExitUsage, wrong});
  for (auto [text, into, name] :
       {std::tuple(&flags.from, &request.from_us, "--from"), std::tuple(&flags.to, &request.to_us, "--to")}) {
    if (text->empty()) continue;
    std::optional<int64_t> us = ParseTime(*text);
    if (!us) return context.Fail({kExitUsage, fmt::format("{} is a time, such as 2026-11-01T00:00:00Z", name)});
    *into = *us;
  }
  request.judges_unasked = flags.unasked;
  request.work_dir = WorkPath(flags.work_dir, "backtest");
  Result<std::unique_ptr<LocalLog>> log = OpenLogOf(flags.data_dir, context.tenant);
  if (!log.ok()) return context.Fail(FailureOf(log.status()));
  Progress progress(*context.err, ::isatty(STDERR_FILENO) != 0, "backtest", 0, SystemClock());
  Result<BacktestReport> report = Backtest(SourceOf(**log, context.tenant), request, [&](uint64_t reached, uint64_t) {
    progress.Update(reached, 0);
    return true;
  });
  progress.Finish();
  if (!report.ok()) return context.Fail(FailureOf(report.status()));
  ordered_json answer = ToJson(*report);
  context.json ? void(*context.out << Dumped(answer) << "\n") : PrintBacktest(answer, context);
  return kExitFine;
}

}  // namespace

void RegisterExplainVerbs(::CLI::App& app, Context& context) {
  auto explained = std::make_shared<ExplainFlags>();
  ::CLI::App* explain = app.add_subcommand("explain", "Why somebody was or would have been refused, at a past moment");
  explain->add_option("--user", explained->user);
  explain->add_option("--project", explained->project);
  explain->add_option("--collection", explained->collection, "Of the project");
  explain->add_option("--ask", explained->ask, "Just before this ask, for what it asked; its id");
  explain->add_option("--at", explained->at, "A time, or a position that the daemon gave; default: now");
  explain->add_option("--amount", explained->amounts, "METER=N, again for more; default: requests=1");
  explain->add_option("--data-dir", explained->data_dir, "Fold this daemon's log here, instead of asking the daemon");
  explain->add_option("--work-dir", explained->work_dir, "Where to fold; removed at the end");
  explain->footer(
      "Folds the tenant's part of the log again up to that moment; changes nothing.\nExit codes: 0 allowed, 1 "
      "refused.\nExamples:\n  odometer explain --user ann --at 2026-11-20T10:15:00Z\n  odometer explain --ask "
      "018f3b6e-0000-7000-8000-00000000002a");
  explain->callback([explained, &context] { context.exit_code = RunExplain(*explained, context); });

  auto tested = std::make_shared<BacktestFlags>();
  ::CLI::App* backtest =
      app.add_subcommand("backtest", "Who would have been refused under another profile, quota, override or policy");
  backtest
      ->add_option("--profile,--quota,--file", tested->files,
                   "A JSON file of a definition, or of an array of them; again for more. None: what was live")
      ->check(::CLI::ExistingFile);
  backtest->add_option("--from", tested->from, "Report what was appended from then on; default: all");
  backtest->add_option("--to", tested->to, "And before then");
  backtest->add_flag("--unasked", tested->unasked, "Judge turns and operations that named no ask, too");
  backtest->add_option("--data-dir", tested->data_dir, "The daemon's data directory")
      ->envname("ODOMETER_DATA_DIR")
      ->required();
  backtest->add_option("--work-dir", tested->work_dir, "Where to fold; removed at the end");
  backtest->footer(
      "Folds the tenant's part of the log twice, as it was and with the tried definitions; changes nothing.\n"
      "A file: {\"profile\":\"Pro\",\"limits\":[{\"meter\":\"requests\",\"window\":\"rolling_hour\",\"cap\":50}]},\n"
      "or a quota: {\"level\":\"project\",\"project\":\"docs\",\"limits\":[…]}.\n"
      "Example:\n  odometer backtest --data-dir data --profile pro.json --from 2026-11-01T00:00:00Z");
  backtest->callback([tested, &context] { context.exit_code = RunBacktest(*tested, context); });
}

}  // namespace odometer::cli
