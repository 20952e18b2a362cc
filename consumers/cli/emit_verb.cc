#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "consumers/cli/event_fields.h"
#include "consumers/cli/event_sender.h"
#include "consumers/cli/event_text.h"
#include "consumers/cli/output.h"
#include "consumers/cli/progress.h"
#include "consumers/cli/verbs.h"
#include "consumers/fresh_id.h"
#include "core/time.h"

namespace odometer::cli {

namespace {

using nlohmann::ordered_json;

struct EmitFlags {
  std::string event;   // JSON, or "-"
  std::string ndjson;  // a file, or "-"
  EventFlags by_flags;
  bool no_wait = false;
  SenderOptions sender;
};

EnvelopeDefaults FreshDefaults() {
  int64_t now_us = SystemClock().NowUs();
  return {FreshId(now_us).ToString(), now_us};
}

class EmitRun {
 public:
  EmitRun(const EmitFlags& flags, Context& context)
      : flags_(flags),
        context_(context),
        client_({.server = context.server, .tenant = context.tenant}),
        sender_(EventSender::PosterOf(client_), SenderOptionsOf(flags)) {}

  int Run() {
    std::optional<Failure> failure = AddAll();
    if (!failure) failure = sender_.Flush();
    PrintReport();
    if (failure) return context_.Fail(*failure);
    const SendTotals& totals = sender_.totals();
    uint64_t rejected = bad_ + totals.refused + totals.quarantined;
    if (rejected == 0) return kExitFine;
    return rejected == bad_ + totals.sent ? kExitBadData : kExitPartial;
  }

 private:
  SenderOptions SenderOptionsOf(const EmitFlags& flags) {
    SenderOptions options = flags.sender;
    options.wait_for_fold = !flags.no_wait;
    options.on_refused = [this](const SentEvent& event, const Refusal& why) { Refuse(event.number, why); };
    return options;
  }

  std::optional<Failure> AddAll() {
    if (!flags_.by_flags.type.empty()) {
      Result<std::string> json = EventFromFlags(flags_.by_flags, FreshDefaults());
      if (!json.ok()) return Failure{kExitUsage, json.status().message()};
      return sender_.Add({1, *json, ""});
    }
    if (!flags_.event.empty() && flags_.event != "-") return AddText(flags_.event);
    bool is_stdin = flags_.ndjson.empty() || flags_.ndjson == "-";
    if (is_stdin) return AddLines(std::cin, 0);
    std::ifstream stream(flags_.ndjson, std::ios::binary | std::ios::ate);
    if (!stream) return Failure{kExitBadData, flags_.ndjson + ": cannot be opened"};
    auto bytes = static_cast<uint64_t>(stream.tellg());
    stream.seekg(0);
    return AddLines(stream, bytes);
  }

  // One event a line; or, where the first line is not a whole JSON value, all of it as one value.
  std::optional<Failure> AddLines(std::istream& stream, uint64_t bytes) {
    Progress progress(*context_.err, isatty(STDERR_FILENO) == 1, "emit", bytes, SystemClock());
    uint64_t done = 0;
    for (std::string line; std::getline(stream, line);) {
      done += line.size() + 1;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      bool is_first = number_ == 0;
      if (is_first && !ordered_json::accept(line)) {
        std::stringstream rest;
        rest << line << "\n" << stream.rdbuf();
        if (ordered_json::accept(rest.str())) return AddText(rest.str());
        return Failure{kExitBadData, "the input is neither JSON nor one JSON object a line"};
      }
      if (auto failure = AddText(line)) return failure;
      progress.Update(number_, done);
    }
    return std::nullopt;
  }

  // An object, or an array of objects.
  std::optional<Failure> AddText(const std::string& text) {
    if (text.find_first_not_of(" \t\r\n") == text.find('[')) {
      ordered_json array = ordered_json::parse(text, nullptr, false);
      for (const ordered_json& each : array.is_array() ? array : ordered_json::array()) {
        if (auto failure = AddObject(each.dump())) return failure;
      }
      if (array.is_array()) return std::nullopt;
    }
    return AddObject(text);
  }

  std::optional<Failure> AddObject(const std::string& text) {
    ++number_;
    Result<std::string> json = CompletedEvent(text, [] { return FreshDefaults(); });
    if (json.ok()) return sender_.Add({number_, *json, ""});
    ++bad_;
    Refuse(number_, {"bad_json", "", json.status().message()});
    return std::nullopt;
  }

  void Refuse(uint64_t number, const Refusal& why) {
    constexpr size_t kShownMax = 20;
    if (refusals_.size() >= kShownMax) return;
    refusals_.push_back({{"number", number}, {"reason", why.reason}, {"field", why.field}, {"message", why.message}});
    if (context_.json) return;
    *context_.err << "event " << number << ": " << why.reason;
    if (!why.field.empty()) *context_.err << " (" << Shown(why.field) << ")";
    *context_.err << ": " << Shown(why.message, 300) << "\n";
  }

  void PrintReport() const {
    const SendTotals& totals = sender_.totals();
    if (context_.json) {
      ordered_json report = totals.ToJson();
      report["bad"] = bad_;
      report["position"] = totals.position.empty() ? ordered_json(nullptr) : ordered_json(totals.position);
      report["refusals"] = refusals_;
      *context_.out << Dumped(report) << "\n";
      return;
    }
    *context_.out << Grouped(static_cast<int64_t>(totals.sent)) << " sent: " << totals.accepted << " accepted";
    if (!flags_.no_wait) {
      *context_.out << " (" << totals.applied << " applied, " << totals.duplicates << " duplicates, "
                    << totals.quarantined << " quarantined)";
    }
    *context_.out << ", " << totals.refused + bad_ << " refused";
    if (!totals.position.empty()) *context_.out << "; position " << totals.position;
    *context_.out << "\n";
  }

  const EmitFlags& flags_;
  Context& context_;
  HttpClient client_;
  EventSender sender_;
  uint64_t number_ = 0;
  uint64_t bad_ = 0;
  ordered_json refusals_ = ordered_json::array();
};

int RunEmit(const EmitFlags& flags, Context& context) {
  int inputs = !flags.event.empty() + !flags.ndjson.empty() + !flags.by_flags.type.empty();
  if (inputs > 1) return context.Fail({kExitUsage, "emit: give the event as JSON, or --ndjson, or --type; not two"});
  if (inputs == 0 && flags.by_flags.is_any()) return context.Fail({kExitUsage, "emit: flags need --type"});
  if (inputs == 0 && isatty(STDIN_FILENO) == 1) {
    return context.Fail({kExitUsage, "emit: no event; give it as JSON, by flags or on standard input (--help)"});
  }
  return EmitRun(flags, context).Run();
}

}  // namespace

void RegisterEmitVerb(::CLI::App& app, Context& context) {
  auto flags = std::make_shared<EmitFlags>();
  EventFlags& by_flags = flags->by_flags;
  ::CLI::App* emit = app.add_subcommand("emit", "Send events: as JSON, as lines of JSON, or one by flags");
  emit->add_option("event", flags->event, "A JSON object, an array of them, or - for standard input");
  emit->add_option("--ndjson", flags->ndjson, "A file with one event a line; - for standard input");
  emit->add_option("--type", by_flags.type, "The type of an event given by flags, such as TurnRecorded");
  emit->add_option("--user", by_flags.user, "Its user");
  emit->add_option("--session", by_flags.session, "Its session");
  emit->add_option("--time", by_flags.time, "When it happened, RFC 3339 (default: now)");
  emit->add_option("--source", by_flags.source, "Who says so (default: odometer-cli)");
  emit->add_option("--key", by_flags.key, "The sender's own key: the same source and key count once (default: fresh)");
  emit->add_option("--set", by_flags.sets, "Any other field, as PATH=VALUE")->take_all();
  emit->add_flag("--no-wait", flags->no_wait, "Return when it is durable, before it is folded");
  emit->add_option("--retry-for-ms", flags->sender.retry_for_ms, "How long a daemon that is away is asked again")
      ->check(::CLI::NonNegativeNumber)
      ->capture_default_str();
  emit->callback([flags, &context] { context.exit_code = RunEmit(*flags, context); });
  emit->footer(
      "Events without an id or a key get a fresh key, and those without a time get now.\n\n"
      "Examples:\n"
      "  odometer emit --type TurnRecorded --user ada --set status=success --set tokens.output=12\n"
      "  odometer emit '{\"type\":\"SessionEnded\",\"user\":\"ada\",\"session\":\"s1\"}'\n"
      "  odometer emit --ndjson events.ndjson --json\n"
      "  produce | odometer --tenant acme emit\n\n"
      "Exit codes: 0 all accepted, 5 none, 6 some.");
}

}  // namespace odometer::cli
