// bench query: reads of a running odometerd over one kept connection, while events are ingested at half of the top
// speed: a user's summary (1,000 users of 100 sessions), the table of 10,000 users by each sort, the system summary, a
// project's usage over ten million operations and over ten thousand. The bar stands beside each; it is not asserted.
// On a virtual machine whose host gives its cores to others for tenths of a second, wall time tells of the host: reads
// during which nothing was taken away are shown besides.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>

#include "bench/die.h"
#include "bench/feeder.h"
#include "bench/measure.h"
#include "bench/served.h"
#include "bench/traffic.h"
#include "consumers/cli/http_client.h"
#include "core/placement.h"
#include "core/scheduling.h"

namespace odometer {
namespace {

struct Flags {
  std::string odometerd = "build/release/bin/odometerd";
  std::string work_dir = "build/bench-query";
  uint32_t users = 1'000;
  uint32_t sessions = 100;
  uint32_t table_users = 10'000;
  uint64_t operations = 10'000'000;
  uint64_t few_operations = 10'000;
  int rounds = 500;
  int pause_ms = 10;
  double rate = 0;
  double top_s = 10;
  uint32_t own_percent = 5;
  int days = 30;
};

constexpr uint32_t kPartitions = kDefaultPartitions;
constexpr int64_t kStartUs = 1'750'000'000'000'000;

class Dice {
 public:
  uint64_t Below(uint64_t n) {
    word_ = word_ * 6364136223846793005u + 1442695040888963407u;
    return (word_ >> 33) % n;
  }

 private:
  uint64_t word_ = 1;
};

Event Base(const std::string& tenant, EventType type, uint64_t n, int64_t time_us) {
  Event event;
  event.type = type;
  event.id = Uuid5(kNamespaceDns, fmt::format("bench-{}-{}", tenant, n));
  event.id_kind = IdKind::kMinted;
  event.tenant = tenant;
  event.event_time = EventTime{time_us};
  event.source = "bench";
  ProducerStamp stamp;
  stamp.id = Uuid5(kNamespaceDns, tenant);
  stamp.epoch = 1;
  stamp.slot = SlotOf(tenant);
  stamp.seq = n;
  event.producer = stamp;
  return event;
}

// Turns of so many users, one after another, a session each time round.
class Turns {
 public:
  Turns(std::string tenant, uint32_t users) : tenant_(std::move(tenant)), users_(users) {}
  void AddTo(Feeder* feeder) {
    std::string user = fmt::format("user-{:05}", n_ % users_), session = fmt::format("session-{:03}", n_ / users_);
    ++n_;
    Event event = Base(tenant_, EventType::kTurnRecorded, n_, kStartUs + static_cast<int64_t>(n_) * kUsPerSecond);
    event.turn.user = user;
    event.turn.session = session;
    event.turn.model_requested = "gpt-4o";
    event.turn.provider = "openai";
    event.turn.tokens.input_uncached = static_cast<int64_t>(n_ * 7919 % 5000);
    event.turn.tokens.output = static_cast<int64_t>(n_ * 104729 % 900);
    feeder->Add(PartitionOf(tenant_, kPartitions), Encode(event));
  }

 private:
  const std::string tenant_;
  const uint32_t users_;
  uint64_t n_ = 0;
};

// Operations of 50 users in the project "docs", at equal distances.
class Operations {
 public:
  Operations(std::string tenant, uint64_t in_span, int64_t span_us)
      : tenant_(std::move(tenant)), step_us_(span_us / static_cast<int64_t>(std::max<uint64_t>(in_span, 1))) {}
  void AddTo(Feeder* feeder) {
    static constexpr EventType kTypes[] = {EventType::kVectorsAdded, EventType::kVectorsSearched,
                                           EventType::kVectorsUpserted};
    std::string user = fmt::format("user-{:02}", n_ % 50);
    Event event = Base(tenant_, kTypes[n_ % 3], n_ + 1, kStartUs + static_cast<int64_t>(n_) * step_us_);
    event.operation.user = user;
    event.operation.project = "docs";
    event.operation.collection = "main";
    event.operation.requested = 10;
    event.operation.succeeded = 10;
    if (kTypes[n_ % 3] != EventType::kVectorsSearched) event.operation.vectors_delta = 10;
    event.operation.duration_us = 1500;
    feeder->Add(PartitionOf(tenant_, kPartitions), Encode(event));
    ++n_;
  }

 private:
  const std::string tenant_;
  const int64_t step_us_;
  uint64_t n_ = 0;
};

struct Measured {
  std::string name;
  double bar_p99_ms;
  std::string tenant;
  std::function<std::string()> path;
  std::unique_ptr<cli::HttpClient> client;
  std::vector<double> times_ms;
  std::vector<double> undisturbed_ms;  // those of them during which the machine took no CPU time away
};

class QueryBench {
 public:
  explicit QueryBench(const Flags& flags)
      : flags_(flags),
        served_(flags.odometerd, flags.work_dir, {"--raw-records", "--written", "--log-level", "error"}),
        feeder_(served_.url(), kPartitions),
        metrics_({.server = served_.url(), .tenant = "default"}),
        summary_("summary", flags.users),
        table_("table", flags.table_users),
        many_("vectors", flags.operations, flags.days * kUsPerDay),
        few_("vectors-few", flags.few_operations, flags.days * kUsPerDay) {}

  int Run() {
    Load();
    double top = flags_.rate > 0 ? 0 : Top(), rate = flags_.rate > 0 ? flags_.rate : top / 2;
    std::vector<Measured> reads = Reads();
    std::cerr << fmt::format("reading, {:.0f} events/s asked for\n", rate);
    std::atomic<bool> stop = false;
    uint64_t before = feeder_.sent();
    auto begun = std::chrono::steady_clock::now();
    std::thread ingest([&] { Ingest(rate, &stop); });
    ReadAll(&reads);
    stop = true;
    ingest.join();
    double ingested = static_cast<double>(feeder_.sent() - before) / Seconds(begun);
    uint64_t lag = AskMetrics(metrics_).lag();
    Report(reads, top, rate, ingested, lag);
    return 0;
  }

 private:
  void Load() {
    auto begun = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < uint64_t{flags_.users} * flags_.sessions; ++i) summary_.AddTo(&feeder_);
    for (uint64_t i = 0; i < uint64_t{flags_.table_users} * 3; ++i) table_.AddTo(&feeder_);
    for (uint64_t i = 0; i < flags_.operations; ++i) many_.AddTo(&feeder_);
    for (uint64_t i = 0; i < flags_.few_operations; ++i) few_.AddTo(&feeder_);
    feeder_.Flush();
    WaitUntilFolded(metrics_, 1200);
    std::cerr << fmt::format("{} events loaded in {:.0f} s\n", feeder_.sent(), Seconds(begun));
  }

  // One of so many goes to the users and the project that are read, so that what is read changes as it is read.
  void Next() {
    if (dice_.Below(100) >= flags_.own_percent) {
      std::string event = traffic_.Next();
      return feeder_.Add(traffic_.slot() % kPartitions, event);
    }
    uint64_t which = dice_.Below(3);
    which == 0 ? summary_.AddTo(&feeder_) : which == 1 ? table_.AddTo(&feeder_) : many_.AddTo(&feeder_);
  }

  // Events a second as fast as they are folded, without reads.
  double Top() {
    uint64_t before = feeder_.sent();
    auto begun = std::chrono::steady_clock::now();
    while (Seconds(begun) < flags_.top_s) {
      for (int i = 0; i < 20'000; ++i) Next();
      while (AskMetrics(metrics_).lag() > kLagMost) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    feeder_.Flush();
    WaitUntilFolded(metrics_, 600);
    double top = static_cast<double>(feeder_.sent() - before) / Seconds(begun);
    std::cerr << fmt::format("top: {:.0f} events/s over {:.0f} s\n", top, Seconds(begun));
    return top;
  }

  void Ingest(double rate, const std::atomic<bool>* stop) {
    uint64_t sent = 0;
    for (auto begun = std::chrono::steady_clock::now(); !*stop;) {
      for (auto due = static_cast<uint64_t>(Seconds(begun) * rate); sent < due && !*stop; ++sent) Next();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    feeder_.Flush();
  }

  std::vector<Measured> Reads() {
    std::vector<Measured> reads;
    auto add = [&](std::string name, double bar_p99_ms, const std::string& tenant, std::function<std::string()> path) {
      reads.push_back({std::move(name),
                       bar_p99_ms,
                       tenant,
                       std::move(path),
                       std::make_unique<cli::HttpClient>(cli::HttpOptions{.server = served_.url(), .tenant = tenant}),
                       {},
                       {}});
    };
    // Reads nothing: what any answer takes on this machine now.
    add("version", 0, "summary", [] { return std::string("/version"); });
    add("summary", 10, "summary",
        [this] { return fmt::format("/v1/consumption/summary?user=user-{:05}", dice_reads_.Below(flags_.users)); });
    for (const char* sort : {"total_tokens", "cost", "success_rate", "requests", "last_used", "user"}) {
      add(fmt::format("users_{}", sort), 50, "table",
          [sort] { return fmt::format("/v1/consumption/users?sort={}&limit=100", sort); });
    }
    add("system_summary", 50, "table", [] { return std::string("/v1/consumption/system-summary"); });
    // Any span, to the microsecond: its edges lie within hours.
    auto span = [this] {
      int64_t a = Moment(), b = Moment();
      return fmt::format("/v1/projects/docs/usage?from={}&to={}", std::min(a, b), std::max(a, b));
    };
    auto hours = [this] {
      int64_t a = Moment() / kUsPerHour * kUsPerHour, b = Moment() / kUsPerHour * kUsPerHour;
      return fmt::format("/v1/projects/docs/usage?from={}&to={}", std::min(a, b), std::max(a, b));
    };
    auto all = [] { return std::string("/v1/projects/docs/usage"); };
    for (const auto& [tenant, suffix] : {std::pair("vectors", ""), std::pair("vectors-few", "_few")}) {
      add(fmt::format("project_span{}", suffix), 10, tenant, span);
      add(fmt::format("project_hours{}", suffix), 10, tenant, hours);
      add(fmt::format("project_all{}", suffix), 10, tenant, all);
    }
    return reads;
  }

  int64_t Moment() {
    auto span_ms = static_cast<uint64_t>(flags_.days * kUsPerDay / 1000);
    return kStartUs + static_cast<int64_t>(dice_reads_.Below(span_ms) * 1000 + dice_reads_.Below(1000));
  }

  // One of each in turn, so that all meet the same minutes, and what is kept between reads grows old between them.
  void ReadAll(std::vector<Measured>* reads) {
    AskForTurnsOf(kShortTurn);  // its own wait for a core would be told as the daemon's
    for (int round = 0; round < flags_.rounds; ++round) {
      for (Measured& read : *reads) {
        std::string path = read.path();
        double stolen = StolenSeconds();
        auto begun = std::chrono::steady_clock::now();
        Result<cli::HttpResponse> response = read.client->Get(path);
        read.times_ms.push_back(Seconds(begun) * 1000);
        if (StolenSeconds() == stolen) read.undisturbed_ms.push_back(read.times_ms.back());
        if (!response.ok() || response->status != 200)
          Die("a read was answered " + (response.ok()
                                            ? std::to_string(response->status) + " " + response->body.substr(0, 300)
                                            : response.status().ToString()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(flags_.pause_ms));
    }
  }

  void Report(const std::vector<Measured>& reads, double top, double rate, double ingested, uint64_t lag) {
    std::string json = fmt::format(
        "{{\"bench\":\"query\",\"users\":{},\"sessions\":{},\"table_users\":{},\"operations\":{},\"few_operations\":{},"
        "\"rounds\":{},\"top_events_per_s\":{:.0f},\"rate\":{:.0f},\"ingest_events_per_s\":{:.0f},\"lag\":{}",
        flags_.users, flags_.sessions, flags_.table_users, flags_.operations, flags_.few_operations, flags_.rounds, top,
        rate, ingested, lag);
    std::cerr << fmt::format("{:.0f} events/s ingested meanwhile, {} not folded at the end\n", ingested, lag);
    std::cerr << fmt::format("{:<20} {:>9} {:>9} {:>9} {:>9} {:>10} {:>12} {:>9} {:>9}\n", "read", "p50 ms", "p99 ms",
                             "first ms", "max ms", "bar p99 ms", "undisturbed", "p99 ms", "max ms");
    for (const Measured& read : reads) {
      double p50 = Median(read.times_ms), p99 = Percentile(read.times_ms, 99);
      double most = *std::max_element(read.times_ms.begin(), read.times_ms.end());
      double sound_p99 = Percentile(read.undisturbed_ms, 99), sound_most = Percentile(read.undisturbed_ms, 100);
      std::cerr << fmt::format("{:<20} {:>9.2f} {:>9.2f} {:>9.2f} {:>9.2f} {:>10.0f} {:>12} {:>9.2f} {:>9.2f}{}\n",
                               read.name, p50, p99, read.times_ms.front(), most, read.bar_p99_ms,
                               read.undisturbed_ms.size(), sound_p99, sound_most,
                               read.bar_p99_ms > 0 && sound_p99 > read.bar_p99_ms ? "  ABOVE" : "");
      json += fmt::format(
          ",\"{}\":{{\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"first_ms\":{:.3f},\"max_ms\":{:.3f},\"bar_p99_ms\":{:.0f},"
          "\"undisturbed\":{},\"undisturbed_p99_ms\":{:.3f},\"undisturbed_max_ms\":{:.3f}}}",
          read.name, p50, p99, read.times_ms.front(), most, read.bar_p99_ms, read.undisturbed_ms.size(), sound_p99,
          sound_most);
    }
    std::cout << json << "}\n";
  }

  static constexpr uint64_t kLagMost = 100'000;

  const Flags& flags_;
  Served served_;
  Feeder feeder_;  // of the thread that ingests, while there is one
  cli::HttpClient metrics_;
  Traffic traffic_{TrafficOptions()};
  Turns summary_, table_;
  Operations many_, few_;
  Dice dice_, dice_reads_;
};

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("reads of a running daemon under ingest");
  app.add_option("--odometerd", flags.odometerd)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  app.add_option("--users", flags.users, "Of the tenant whose users' summaries are read")->capture_default_str();
  app.add_option("--sessions", flags.sessions, "Of each of them")->capture_default_str();
  app.add_option("--table-users", flags.table_users)->capture_default_str();
  app.add_option("--operations", flags.operations, "Of the large project")->capture_default_str();
  app.add_option("--few-operations", flags.few_operations, "Of the small one")->capture_default_str();
  app.add_option("--days", flags.days, "Over which a project's operations are spread")
      ->check(CLI::Range(1, 365))
      ->capture_default_str();
  app.add_option("--rounds", flags.rounds, "Reads of each kind")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--pause-ms", flags.pause_ms, "After each round")->capture_default_str();
  app.add_option("--rate", flags.rate, "Events a second; 0: half of the top, which is measured first")
      ->capture_default_str();
  app.add_option("--top-s", flags.top_s, "How long the top is measured")->capture_default_str();
  app.add_option("--own-percent", flags.own_percent, "Of what is ingested: to the tenants that are read")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int code = odometer::QueryBench(flags).Run();
  std::filesystem::remove_all(flags.work_dir);
  return code;
}
