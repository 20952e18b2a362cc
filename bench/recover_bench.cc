// bench recover: an odometerd that holds so much state is killed with SIGKILL while records are sent to it, and started
// again: from its exec to serving, to a view with the first record that it had acknowledged and not committed, and to
// one with all of them. Then its stores are removed, and it folds the whole log anew.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "bench/broker.h"
#include "bench/die.h"
#include "bench/feeder.h"
#include "bench/measure.h"
#include "bench/served.h"
#include "bench/traffic.h"
#include "consumers/refold.h"
#include "core/placement.h"

namespace odometer {
namespace {

struct Flags {
  std::string odometerd = "build/release/bin/odometerd";
  std::string work_dir = "build/bench-recover";
  uint64_t state_mib = 1024;
  uint32_t users = 1'000'000;
  uint64_t between_events = 200'000;
  uint64_t tail_events = 20'000;
  int runs = 5;
  int rebuilds = 3;
  int port = 29692;
  bool kafka = false;
};

constexpr uint32_t kPartitions = kDefaultPartitions;
constexpr double kGib = 1 << 30;

// A partition's records that were acknowledged and not committed when the daemon was killed: [first, end).
struct Tail {
  uint32_t partition = 0;
  uint64_t first = 0, end = 0;
  uint64_t size() const { return end - first; }
};

struct Recovery {
  double serving = 0, first = 0, all = 0;  // seconds from exec
};

std::string Spread(const std::vector<double>& values) {
  auto [least, most] = std::minmax_element(values.begin(), values.end());
  return fmt::format("{{\"median\":{:.3f},\"min\":{:.3f},\"max\":{:.3f}}}", Median(values), *least, *most);
}

class RecoverBench {
 public:
  explicit RecoverBench(const Flags& flags) : flags_(flags), data_dir_(flags.work_dir + "/data"), traffic_(Kind()) {
    std::filesystem::remove_all(flags.work_dir);
    if (flags.kafka) broker_.emplace((std::filesystem::absolute(flags.work_dir) / "kafka").string(), flags.port);
    words_ = {"--raw-records", "--written", "--log-level", "error", "--log-partitions", std::to_string(kPartitions)};
    if (flags.kafka) words_.insert(words_.end(), {"--log", broker_->MakeTopic("recover", kPartitions)});
    Start(Served::Data::kFresh);
  }

  int Run() {
    Fill();
    std::vector<double> serving, first, all, rebuilds, per_gib;
    std::cerr << fmt::format("{:<10} {:>10} {:>12} {:>14} {:>14} {:>10}\n", "run", "serving s", "first s",
                             "caught up s", "uncommitted", "WAL MiB");
    for (int run = 0; run < flags_.runs; ++run) {
      Recovery recovery = KillAndRecover();
      std::cerr << fmt::format("{:<10} {:>10.3f} {:>12.3f} {:>14.3f} {:>14} {:>10.0f}\n", run + 1, recovery.serving,
                               recovery.first, recovery.all, uncommitted_.back(), wal_bytes_.back() / (1 << 20));
      serving.push_back(recovery.serving);
      first.push_back(recovery.first);
      all.push_back(recovery.all);
    }
    std::string json = fmt::format(
        "{{\"bench\":\"recover\",\"log\":\"{}\",\"state_bytes\":{},\"users\":{},\"partitions\":{},\"runs\":{},"
        "\"uncommitted\":{:.0f},\"wal_bytes\":{:.0f},\"serving_s\":{},\"first_folded_s\":{},\"caught_up_s\":{}",
        flags_.kafka ? "kafka" : "embedded", StateBytes(), traffic_.users_seen(), kPartitions, flags_.runs,
        Median(uncommitted_), Median(wal_bytes_), Spread(serving), Spread(first), Spread(all));
    for (int i = 0; i < flags_.rebuilds; ++i) {
      rebuilds.push_back(Rebuild());
      per_gib.push_back(rebuilds.back() / (static_cast<double>(StateBytes()) / kGib));
      std::cerr << fmt::format("rebuild {}: {:.2f} s for {} MiB of state from {} records ({:.0f}/s)\n", i + 1,
                               rebuilds.back(), StateBytes() >> 20, records_,
                               static_cast<double>(records_) / rebuilds.back());
    }
    if (!rebuilds.empty())
      json += fmt::format(",\"records\":{},\"rebuilt_state_bytes\":{},\"rebuild_s\":{},\"rebuild_s_per_gib\":{}",
                          records_, StateBytes(), Spread(rebuilds), Spread(per_gib));
    std::cerr << fmt::format("medians: serving {:.3f} s, first folded {:.3f} s, caught up {:.3f} s\n", Median(serving),
                             Median(first), Median(all));
    std::cout << json << "}\n";
    return 0;
  }

 private:
  TrafficOptions Kind() const {
    TrafficOptions options;
    options.users = flags_.users;
    options.zipf = false;
    return options;
  }

  void Start(Served::Data data) {
    served_.reset();
    served_ = std::make_unique<Served>(flags_.odometerd, data_dir_, words_, data);
  }

  uint64_t StateBytes() const { return BytesUnder(data_dir_ + "/state"); }
  cli::HttpClient Client() const { return cli::HttpClient({.server = served_->url(), .tenant = "default"}); }

  void Send(Feeder& feeder, uint64_t events) {
    for (uint64_t i = 0; i < events; ++i) {
      std::string event = traffic_.Next();
      feeder.Add(traffic_.slot() % kPartitions, event);
    }
  }

  // Turns until the stores' files are as large as asked.
  void Fill() {
    Feeder feeder(served_->url(), kPartitions);
    cli::HttpClient client = Client();
    for (uint64_t round = 1; StateBytes() >> 20 < flags_.state_mib; ++round) {
      Send(feeder, 50'000);
      feeder.Flush();
      WaitUntilFolded(client, 600);
      if (round % 10 == 0) std::cerr << fmt::format("{} events, {} MiB of state\n", feeder.sent(), StateBytes() >> 20);
    }
    std::cerr << fmt::format("{} events of {} users, {} MiB of state\n", feeder.sent(), traffic_.users_seen(),
                             StateBytes() >> 20);
  }

  Recovery KillAndRecover() {
    for (int tries = 0; tries < 10; ++tries) {
      {
        Feeder feeder(served_->url(), kPartitions);
        Settle(feeder);
        Send(feeder, flags_.tail_events);
        feeder.Flush();
        served_->End(SIGKILL);
        std::vector<Tail> tails = TailsBelow(feeder.ends());
        Start(Served::Data::kKept);
        if (!tails.empty()) return AwaitTails(tails);
      }
      cli::HttpClient client = Client();
      WaitUntilFolded(client, 600);
    }
    Die("every record was committed before the daemon was killed: more --tail-events");
  }

  // A daemon that was just started has an empty write-ahead log: one that is killed has been at work.
  void Settle(Feeder& feeder) {
    Send(feeder, flags_.between_events);
    feeder.Flush();
    cli::HttpClient client = Client();
    WaitUntilFolded(client, 600);
    wal_bytes_.push_back(static_cast<double>(BytesUnder(data_dir_ + "/state", ".log")));
  }

  std::vector<Tail> TailsBelow(const std::vector<uint64_t>& ends) {
    std::vector<Tail> tails;
    uint64_t sum = 0;
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      StoreOptions options;
      options.path = PartitionPath(data_dir_ + "/state", partition);
      options.read_only = true;
      Result<std::unique_ptr<Store>> store = Store::Open(options);
      if (!store.ok()) Die("a store of the killed daemon: " + store.status().ToString());
      uint64_t cursor = (*store)->cursor();
      if (cursor < ends[partition]) tails.push_back({partition, cursor, ends[partition]});
      if (cursor < ends[partition]) sum += ends[partition] - cursor;
    }
    std::sort(tails.begin(), tails.end(), [](const Tail& a, const Tail& b) { return a.size() > b.size(); });
    if (!tails.empty()) uncommitted_.push_back(static_cast<double>(sum));
    return tails;
  }

  // The first record is that of the partition that has most to fold.
  Recovery AwaitTails(const std::vector<Tail>& tails) {
    Recovery recovery;
    cli::HttpClient client = Client();
    Ask(client, tails.front().partition, 0);
    recovery.serving = Seconds(served_->started());
    Ask(client, tails.front().partition, tails.front().first + 1);
    recovery.first = Seconds(served_->started());
    for (const Tail& tail : tails) Ask(client, tail.partition, tail.end);
    recovery.all = Seconds(served_->started());
    WaitUntilFolded(client, 600);
    return recovery;
  }

  // Until a view holds everything below next_offset.
  static void Ask(cli::HttpClient& client, uint32_t partition, uint64_t next_offset) {
    for (int waited_s = 0; waited_s < 600; ++waited_s) {
      Result<cli::HttpResponse> response = client.Get(fmt::format(
          "/v1/admin/quarantine?partition={0}&limit=1&min_position=p{0}.{1}&wait_ms=1000", partition, next_offset));
      if (!response.ok()) Die("the restarted daemon does not answer: " + response.status().ToString());
      if (response->status == 200) return;
      if (response->status != 503) Die(fmt::format("{}: {}", response->status, response->body.substr(0, 300)));
    }
    Die("the restarted daemon did not fold its log in 10 minutes");
  }

  double Rebuild() {
    served_->End(SIGTERM);
    std::filesystem::remove_all(data_dir_ + "/state");
    Start(Served::Data::kKept);
    cli::HttpClient client = Client();
    records_ = WaitUntilFolded(client, 7200).end;
    return Seconds(served_->started());
  }

  const Flags& flags_;
  const std::string data_dir_;
  std::optional<Broker> broker_;
  std::vector<std::string> words_;
  Traffic traffic_;
  std::unique_ptr<Served> served_;
  std::vector<double> uncommitted_, wal_bytes_;  // by run, when it was killed
  uint64_t records_ = 0;
};

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("kill -9 to the first record folded after the restart, and the state built anew from segments");
  app.add_option("--odometerd", flags.odometerd)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  app.add_option("--state-mib", flags.state_mib, "Of the stores' files when it is killed first")->capture_default_str();
  app.add_option("--users", flags.users, "Uniform")->capture_default_str();
  app.add_option("--between-events", flags.between_events, "Folded before each kill")->capture_default_str();
  app.add_option("--tail-events", flags.tail_events, "Sent right before each kill")->capture_default_str();
  app.add_option("--runs", flags.runs, "Kills")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--rebuilds", flags.rebuilds)->check(CLI::Range(0, 1000))->capture_default_str();
  app.add_flag("--kafka", flags.kafka, "On a broker that it starts, not on the embedded log");
  app.add_option("--port", flags.port, "Of that broker")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int code = odometer::RecoverBench(flags).Run();
  std::filesystem::remove_all(flags.work_dir);
  return code;
}
