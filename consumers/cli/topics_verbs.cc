// topics: the topic on Kafka that a log is, made and checked. These verbs talk to the brokers, not to a daemon.
#include <CLI/CLI.hpp>
#include <memory>

#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"
#include "consumers/fresh_id.h"
#include "core/time.h"
#include "log/kafka_topic.h"

namespace odometer::cli {

namespace {

struct TopicFlags {
  std::string log;
  uint32_t partitions = 8;
  uint32_t replicas = 1;
};

int Create(const TopicFlags& flags, Context& context) {
  Result<KafkaAddress> address = KafkaAddress::Parse(flags.log);
  if (!address.ok()) return context.Fail({kExitUsage, address.status().message()});
  TopicOptions options{FreshId(SystemClock().NowUs()), flags.partitions, flags.replicas};
  Status made = CreateTopic(*address, options, SystemClock());
  if (made.code() == Code::kInvalid) return context.Fail({kExitUsage, made.message()});
  if (!made.ok()) return context.Fail(FailureOf(made));
  if (context.json) {
    *context.out << Dumped({{"log", address->ToString()},
                            {"log_id", options.log_id.ToString()},
                            {"partitions", options.partitions},
                            {"replicas", options.replicas}})
                 << "\n";
  } else {
    *context.out << address->ToString() << ": made, log " << options.log_id.ToString() << ", " << options.partitions
                 << " partitions, " << options.replicas << " replicas\n";
  }
  return kExitFine;
}

int Check(const TopicFlags& flags, Context& context) {
  Result<KafkaAddress> address = KafkaAddress::Parse(flags.log);
  if (!address.ok()) return context.Fail({kExitUsage, address.status().message()});
  Result<std::vector<std::string>> wrong = CheckTopic(*address);
  if (!wrong.ok()) return context.Fail(FailureOf(wrong.status()));
  if (context.json) {
    *context.out << Dumped({{"log", address->ToString()}, {"wrong", *wrong}}) << "\n";
  } else if (wrong->empty()) {
    *context.out << address->ToString() << ": every setting is as a log needs it\n";
  } else {
    for (const std::string& what : *wrong) *context.out << what << "\n";
  }
  return wrong->empty() ? kExitFine : kExitDrift;
}

}  // namespace

void RegisterTopicsVerbs(::CLI::App& app, Context& context) {
  ::CLI::App* topics = app.add_subcommand("topics", "The topic on Kafka that a log is");
  topics->require_subcommand(1);
  auto flags = std::make_shared<TopicFlags>();
  auto add = [&](const char* name, const char* help) {
    ::CLI::App* verb = topics->add_subcommand(name, help);
    verb->add_option("--log", flags->log, "kafka://HOST:PORT[,HOST:PORT][/TOPIC]")
        ->required()
        ->envname("ODOMETER_LOG")
        ->type_name("LOG");
    return verb;
  };
  ::CLI::App* create = add("create", "Make it, with the settings that keep every record and give it the broker's time");
  create->add_option("--partitions", flags->partitions, "Fixed for ever [8]")->check(::CLI::Range(1, 256));
  create->add_option("--replicas", flags->replicas, "Copies of each record [1]")->check(::CLI::Range(1, 99));
  create->footer(
      "Examples:\n"
      "  odometer topics create --log kafka://127.0.0.1:9092\n"
      "  odometer topics create --log kafka://k1:9092,k2:9092,k3:9092/usage --partitions 32 --replicas 3");
  create->callback([flags, &context] { context.exit_code = Create(*flags, context); });
  ::CLI::App* check = add("check", "Say which of its settings would lose records; exit code 1 if any would");
  check->footer("Examples:\n  odometer topics check --log kafka://127.0.0.1:9092/usage --json");
  check->callback([flags, &context] { context.exit_code = Check(*flags, context); });
}

}  // namespace odometer::cli
