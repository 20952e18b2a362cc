// kill_test: odometerd is killed with SIGKILL at random moments while records are sent to it through both doors, with
// duplicates and hostile bytes; then every row that it committed is held against the independent model, which reads the
// log that is left.
//
//   kill_test --odometerd PATH --data-dir DIR [--kills 10] [--seed 1]
//             [--kafka HOST:PORT,… --broker 'kafka.sh --dir …' [--broker-kills 3] [--both-kills 3]
//              [--leader-kills 2] [--pause-s 60 [--pauses 1]]]
//   kill_test --compare-only --data-dir DIR [--log kafka://…]
//
// With --kafka the log is a topic, into which others send, too, whether the daemon lives or not; then brokers are
// killed, or stopped for a while, with and without the daemon. With --compare-only nothing is started: what a daemon
// that has ended left in DIR is compared.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <thread>

#include "consumers/cli/http_client.h"
#include "consumers/event_json.h"
#include "core/event.h"
#include "log/kafka_log.h"
#include "log/kafka_topic.h"
#include "tests/integration/daemon_process.h"
#include "tests/integration/failed.h"
#include "tests/integration/ledger.h"
#include "tests/integration/model_comparison.h"
#include "tests/integration/topic_feed.h"
#include "tests/support/mix.h"
#include "tests/support/random.h"

namespace odometer {
namespace {

constexpr uint32_t kPartitions = 2;
constexpr size_t kBatchRecords = 40;
constexpr uint64_t kAbortPercent = 30;
constexpr int kLeaderMovesWithinS = 60;

std::string Framed(const MixRecord& record) {
  uint32_t size = record.is_null ? UINT32_MAX : static_cast<uint32_t>(record.bytes.size());
  std::string framed;
  for (int shift = 0; shift < 32; shift += 8) framed += static_cast<char>(size >> shift);
  return framed + record.bytes;
}

// Bytes in aligned memory, as Decode needs them.
Event Decoded(const std::string& bytes, std::vector<uint64_t>* storage) {
  storage->assign(bytes.size() / 8 + 1, 0);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(storage->data()));
  Event event;
  Require(Decode({reinterpret_cast<char*>(storage->data()), bytes.size()}, &event) == Reason::kNone,
          "the mix gave a record that its own door refuses");
  return event;
}

struct Flags {
  std::string odometerd;
  std::string data_dir;
  int kills = 10;
  uint64_t seed = 1;
  int life_max_ms = 500;
  int batches_a_life = 60;
  std::string kafka;   // bootstrap address; "" for the embedded log
  std::string broker;  // kafka.sh with its options
  int broker_kills = 0;
  int both_kills = 0;
  int leader_kills = 0;
  int pauses = 1, pause_s = 0;
};

std::string Text(const ComparedPartition& partition) {
  const ModelCounts& counts = partition.counts;
  return fmt::format(
      "partition {}: cursor {}, records {}, holes {}, applied {}, duplicate {}, quarantined {}, not folded {}; "
      "compared: rows {}, asks {}, crossings {}",
      partition.partition, partition.cursor, counts.records, partition.holes, counts.applied, counts.duplicate,
      partition.quarantined, partition.unfolded, partition.rows, partition.asks, partition.crossings);
}

class KillTest {
 public:
  explicit KillTest(const Flags& flags)
      : flags_(flags),
        random_(flags.seed),
        faults_(flags.seed),
        topic_(fmt::format("kill-{}", getpid())),
        log_(flags.kafka.empty() ? "" : fmt::format("kafka://{}/{}", flags.kafka, topic_)),
        start_us_(SystemClock().NowUs() - 40 * kUsPerDay),
        daemon_(flags.odometerd, flags.data_dir,
                {"--log-partitions", std::to_string(kPartitions), "--log", log_.empty() ? "embedded" : log_,
                 "--raw-records", "--log-level", "error"}) {
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      MixOptions options;
      options.seed = flags.seed + partition;
      options.partition = partition;
      options.partitions = kPartitions;
      options.with_ticks = true;
      options.start_us = start_us_;
      mixes_.push_back(std::make_unique<Mix>(options));
    }
  }

  void Run() {
    std::filesystem::remove_all(flags_.data_dir);
    if (!log_.empty()) MakeTopicAndFeeds();
    for (int life = 0; life < flags_.kills; ++life) {
      StartDaemon();
      Live();
    }
    StartDaemon();
    LoseBrokers();
    // The last life takes what is left, and is looked at alive.
    for (int i = 0; i < flags_.batches_a_life; ++i) SendUntilTaken();
    for (const auto& feed : feeds_) feed->Stop();
    if (!log_.empty()) LookForEnds();
    CompareMetrics();
    Require(daemon_.Terminate() == 0, "odometerd did not end cleanly on SIGTERM");
    Compare();
  }

 private:
  // What others sent between the end of one daemon and the moment that the next one serves, came in its absence.
  void StartDaemon() {
    daemon_.Start();
    met_ += Fed() - fed_at_end_;
  }
  void KillDaemon() {
    daemon_.Kill();
    fed_at_end_ = Fed();
  }
  uint64_t Fed() const {
    uint64_t records = 0;
    for (const auto& feed : feeds_) records += feed->records();
    return records;
  }

  // Sends until the process is killed at a moment that the seed chooses.
  void Live() {
    int64_t life_ms = 20 + static_cast<int64_t>(random_.Below(static_cast<uint64_t>(flags_.life_max_ms)));
    std::thread killer([this, life_ms, pid = daemon_.pid()] {
      std::this_thread::sleep_for(std::chrono::milliseconds(life_ms));
      kill(pid, SIGKILL);
    });
    while (Send() != Sent::kGone) {
    }
    killer.join();
    KillDaemon();
    ++kills_;
  }

  // --- what befalls the broker, while events are sent

  void MakeTopicAndFeeds() {
    Result<KafkaAddress> address = KafkaAddress::Parse(log_);
    Require(address.ok(), "--kafka: " + address.status().message());
    TopicOptions options{Uuid5(kNamespaceDns, topic_), kPartitions, flags_.leader_kills > 0 ? 3u : 1u};
    Status made = CreateTopic(*address, options, SystemClock());
    Require(made.ok(), "topic: " + made.ToString());
    TopicFeed::Options feed{kPartitions, flags_.seed + 1000, start_us_, 0};
    feeds_.push_back(std::make_unique<TopicFeed>(feed, std::make_unique<SdkSender>(*address), ledger_));
    feed.seed += 1000;
    feed.abort_percent = kAbortPercent;
    feeds_.push_back(std::make_unique<TopicFeed>(feed, std::make_unique<TransactionSender>(*address), ledger_));
    // The first daemon finds records, too.
    for (int waited_ms = 0; feeds_[0]->records() == 0; waited_ms += 10) {
      Require(waited_ms < 60'000, "nothing could be sent to the topic for a minute");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  void LoseBrokers() {
    for (int i = 0; i < flags_.broker_kills; ++i) LoseBroker([this] { Broker("kill 1", "restart 1"); });
    for (int i = 0; i < flags_.both_kills; ++i) LoseBroker([this, i] { LoseBoth(i % 3); });
    for (int i = 0; i < flags_.leader_kills; ++i) LoseBroker([this] { LoseLeader(); });
    for (int i = 0; flags_.pause_s > 0 && i < flags_.pauses; ++i) LoseBroker([this] { PauseBroker(); });
  }

  std::string Ask(const std::string& verb) const {
    std::optional<std::string> answer = TryAsk(verb);
    Require(answer.has_value(), flags_.broker + " " + verb + " failed");
    return *answer;
  }

  std::optional<std::string> TryAsk(const std::string& verb) const {
    std::string command = flags_.broker + " " + verb;
    FILE* pipe = popen(command.c_str(), "r");
    Require(pipe != nullptr, "cannot run " + command);
    std::string answer;
    char buffer[256];
    while (fgets(buffer, sizeof buffer, pipe) != nullptr) answer += buffer;
    if (pclose(pipe) != 0) return std::nullopt;
    while (!answer.empty() && answer.back() == '\n') answer.pop_back();
    return answer;
  }

  void Broker(const std::string& down, const std::string& up) {
    Ask(down);
    std::this_thread::sleep_for(std::chrono::milliseconds(faults_.Below(1500)));
    Ask(up);
  }

  // The daemon and the broker at once; then it starts after the broker, before it, or while the broker is stopped.
  void LoseBoth(int way) {
    KillDaemon();
    ++kills_;
    Ask(way == 2 ? "pause 1" : "kill 1");
    std::this_thread::sleep_for(std::chrono::milliseconds(faults_.Below(1500)));
    if (way != 0) StartDaemon();
    Ask(way == 2 ? "resume 1" : "restart 1");
    if (way == 0) StartDaemon();
  }

  // It comes back once another node leads.
  void LoseLeader() {
    std::string leader = Ask("leader " + topic_ + " 0");
    Require(!leader.empty(), "nobody leads " + topic_);
    Ask("kill " + leader);
    AwaitOtherLeader(leader);
    ++leaders_moved_;
    std::this_thread::sleep_for(std::chrono::milliseconds(faults_.Below(1500)));
    Ask("restart " + leader);
  }

  void AwaitOtherLeader(const std::string& old) const {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(kLeaderMovesWithinS);
    for (;;) {
      // Whom it asks may be the one that is gone.
      std::optional<std::string> leader = TryAsk("leader " + topic_ + " 0");
      if (leader && !leader->empty() && *leader != old) return;
      Require(std::chrono::steady_clock::now() < deadline,
              fmt::format("node {} was killed, and for {} s no other one leads", old, kLeaderMovesWithinS));
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  void PauseBroker() {
    Ask("pause 1");
    std::this_thread::sleep_for(std::chrono::seconds(flags_.pause_s));
    Ask("resume 1");
  }

  // Sends all the while, and afterwards until batches are taken again.
  void LoseBroker(const std::function<void()>& befall) {
    std::atomic<bool> over = false;
    std::exception_ptr failed;
    std::thread trouble([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      try {
        befall();
      } catch (...) {
        failed = std::current_exception();
      }
      over = true;
    });
    while (!over) {
      if (Send() != Sent::kTaken) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    trouble.join();
    if (failed) std::rethrow_exception(failed);
    ++broker_losses_;
    for (int i = 0; i < 10; ++i) SendUntilTaken();
  }

  enum class Sent { kTaken, kRefused, kGone };

  void SendUntilTaken() {
    for (int tries = 0; tries < 600; ++tries) {
      Sent sent = Send();
      if (sent == Sent::kTaken) return;
      Require(sent == Sent::kRefused && !flags_.kafka.empty(),
              "the daemon took no batch though nobody killed it: " + refusal_);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    throw Failed{"the daemon took no batch for a minute: " + refusal_};
  }

  // One batch through one door. Not taken: the same batch is sent again.
  Sent Send() {
    if (batch_.empty()) MakeBatch();
    cli::HttpClient client({.server = daemon_.url(), .tenant = tenant_, .timeout_ms = 20'000});
    Result<cli::HttpResponse> response =
        by_json_
            ? client.Post("/v1/events", body_, "application/json")
            : client.Post(fmt::format("/v1/admin/records?partition={}", partition_), body_, "application/octet-stream");
    if (!response.ok()) return Sent::kGone;
    if (!flags_.kafka.empty() && response->status == 503) {
      ++refused_;
      refusal_ = response->body;
      return Sent::kRefused;
    }
    Require(response->status == 202,
            fmt::format("a batch was answered {}: {}", response->status, response->body.substr(0, 500)));
    Require(!by_json_ || response->body.find("\"refused\":0,") != std::string::npos,
            "the JSON door refused what fits it: " + response->body.substr(0, 500));
    ledger_.Acknowledge(partition_, batch_, by_json_ ? Ledger::As::kId : Ledger::As::kBytes,
                        by_json_ ? "by the JSON door" : "by the raw door");
    for (const MixRecord& record : batch_) hostile_ += record.hostile ? 1 : 0;
    sent_ += batch_.size();
    batch_.clear();
    return Sent::kTaken;
  }

  void MakeBatch() {
    partition_ = static_cast<uint32_t>(random_.Below(kPartitions));
    by_json_ = random_.Below(3) == 0;
    tenant_ = "default";
    body_.clear();
    if (by_json_) return MakeJsonBatch();
    for (size_t i = 0; i < kBatchRecords; ++i) {
      batch_.push_back(mixes_[partition_]->Next());
      body_ += Framed(batch_.back());
    }
  }

  // The next records that could come through the JSON door, of one tenant; the others wait for the other door.
  void MakeJsonBatch() {
    std::vector<MixRecord> raw;
    body_ = "[";
    for (size_t i = 0; i < kBatchRecords; ++i) {
      MixRecord record = mixes_[partition_]->Next();
      std::vector<uint64_t> storage;
      bool fits = record.fits_json_door;
      Event event;
      if (fits) event = Decoded(record.bytes, &storage);
      if (fits && tenant_ != event.tenant && batch_.empty() && IsHeaderSafe(event.tenant))
        tenant_ = std::string(event.tenant);
      if (!fits || event.tenant != tenant_) {
        raw.push_back(std::move(record));
        continue;
      }
      body_ += (batch_.empty() ? "" : ",") + EventToJson(event);
      batch_.push_back(std::move(record));
    }
    body_ += "]";
    if (!batch_.empty() && raw.empty()) return;
    // Both kinds in one go: then all of it takes the door that takes everything.
    by_json_ = !batch_.empty();
    if (!by_json_) {
      batch_ = std::move(raw);
      body_.clear();
      for (const MixRecord& record : batch_) body_ += Framed(record);
    }
  }

  static bool IsHeaderSafe(std::string_view tenant) {
    for (char c : tenant) {
      if (static_cast<uint8_t>(c) <= ' ' || static_cast<uint8_t>(c) >= 0x7f) return false;
    }
    return true;
  }

  // Of the topic, now that nobody else sends into it.
  void LookForEnds() {
    Result<std::unique_ptr<KafkaLog>> topic = KafkaLog::Open(KafkaAddress::Parse(log_).value(), KafkaLog::Options());
    Require(topic.ok(), "open topic: " + topic.status().ToString());
    for (uint32_t partition = 0; partition < kPartitions; ++partition)
      ends_[partition] = (*topic)->partition(partition).range().end;
  }

  // /metrics holds the conservation law by partition, equal to the model once the log is read.
  void CompareMetrics() {
    cli::HttpClient client({.server = daemon_.url(), .tenant = "default"});
    for (int i = 0; i < 600; ++i) {
      Result<cli::HttpResponse> response = client.Get("/metrics");
      Require(response.ok() && response->status == 200, "/metrics did not answer");
      metrics_ = "\n" + response->body;
      if (IsDrained()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    throw Failed{"a partition still lags behind its log, or has crossings to tell, after 60 s"};
  }

  bool IsDrained() const {
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      std::string label = fmt::format("partition=\"{}\"", partition);
      if (Metric("odometer_cursor", label) == 0 || Metric("odometer_cursor", label) < ends_[partition] ||
          Metric("odometer_cursor", label) != Metric("odometer_log_end_offset", label) ||
          Metric("odometer_crossings_waiting", label) != 0)
        return false;
    }
    return true;
  }

  uint64_t Metric(const std::string& name, const std::string& labels) const {
    size_t at = metrics_.find("\n" + name + "{" + labels + "} ");
    if (at == std::string::npos) return 0;
    at = metrics_.find("} ", at) + 2;
    return std::strtoull(metrics_.c_str() + at, nullptr, 10);
  }

  // Everything acknowledged must be in the log.
  void Compare() {
    ModelComparison::Options options{flags_.data_dir, log_, nullptr};
    options.on_record = [this](uint32_t partition, const Record& record) { ledger_.Find(partition, record.bytes); };
    std::vector<ComparedPartition> compared = ModelComparison(options).Run();
    ledger_.Check();
    Require(compared.size() == kPartitions, "a partition is not in the data directory");
    std::map<std::string, uint64_t> applied;
    for (const ComparedPartition& partition : compared) {
      std::cout << Text(partition) << "\n";
      CompareWithMetrics(partition);
      for (const auto& [type, count] : partition.counts.applied_by_type) applied[type] += count;
    }
    Tell(compared);
    for (EventType type : AllEventTypes()) {
      std::string name(TypeName(type));
      std::cout << "  applied " << name << " " << applied[name] << "\n";
      Require(applied[name] > 0, "no " + name + " was applied: the mix shows nothing of it");
    }
  }

  void CompareWithMetrics(const ComparedPartition& compared) {
    const ModelCounts& counts = compared.counts;
    std::string label = fmt::format("partition=\"{}\"", compared.partition);
    Require(Metric("odometer_records_duplicate_total", label) == counts.duplicate,
            "/metrics tells other duplicates than the model");
    for (const auto& [reason, count] : counts.quarantined_by_reason) {
      Require(Metric("odometer_records_quarantined_total", label + ",reason=\"" + reason + "\"") == count,
              "/metrics tells other quarantined " + reason + " than the model");
    }
    for (const auto& [type, count] : counts.applied_by_type) {
      Require(Metric("odometer_records_applied_total", label + ",type=\"" + type + "\"") == count,
              "/metrics tells other applied " + type + " than the model");
    }
  }

  // And that what is to be shown has happened.
  void Tell(const std::vector<ComparedPartition>& compared) const {
    std::cout << fmt::format(
        "kills {}, brokers lost {}, leaders moved {}, batches refused {}, records sent through the doors {} (hostile "
        "{})\n",
        kills_, broker_losses_, leaders_moved_, refused_, sent_, hostile_);
    std::cout << fmt::format("acknowledged and found: {} records by their bytes, {} events by their ids\n",
                             ledger_.acknowledged(Ledger::As::kBytes), ledger_.acknowledged(Ledger::As::kId));
    if (log_.empty()) return;
    for (const auto& feed : feeds_)
      std::cout << fmt::format("fed past the daemon: {} records (hostile {}), {} in doubt, {} batches tried again\n",
                               feed->records(), feed->hostile(), feed->dropped(), feed->again());
    std::cout << fmt::format("in the daemon's absence {}, aborted and not read {}\n", met_, ledger_.aborted());
    uint64_t holes = 0;
    for (const ComparedPartition& partition : compared) holes += partition.holes;
    Require(met_ > 0 && ledger_.aborted() > 0 && holes > 0, "no record in the daemon's absence, no abort, or no hole");
  }

  Flags flags_;
  Random random_;
  Random faults_;  // of the thread that takes brokers away
  const std::string topic_;
  const std::string log_;  // kafka://…; "" for the embedded one
  const int64_t start_us_;
  DaemonProcess daemon_;
  std::vector<std::unique_ptr<Mix>> mixes_;
  Ledger ledger_;
  std::vector<std::unique_ptr<TopicFeed>> feeds_;  // past the daemon
  std::vector<MixRecord> batch_;  // made, and not yet acknowledged
  std::string body_;
  std::string tenant_;
  uint32_t partition_ = 0;
  bool by_json_ = false;
  std::array<uint64_t, kPartitions> ends_{};  // that a daemon has to reach
  std::string metrics_;
  uint64_t sent_ = 0, hostile_ = 0;
  int kills_ = 0;
  int broker_losses_ = 0;
  int leaders_moved_ = 0;
  uint64_t fed_at_end_ = 0, met_ = 0;
  uint64_t refused_ = 0;
  std::string refusal_;
};

// Of a daemon that has ended, by whomever it was started.
void CompareOnly(const std::string& data_dir, const std::string& log) {
  uint64_t asks = 0;
  for (const ComparedPartition& partition : ModelComparison({data_dir, log, nullptr}).Run()) {
    std::cout << Text(partition) << "\n";
    asks += partition.asks;
  }
  std::cout << "every row, outcome and verdict is the model's (asks " << asks << ")\n";
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  const char* seed = std::getenv("ODOMETER_SEED");
  if (seed != nullptr && *seed != '\0') flags.seed = std::strtoull(seed, nullptr, 10);
  bool full = std::getenv("ODOMETER_FULL") != nullptr;
  bool compare_only = false;
  std::string log;
  const int full_kills = 200, full_broker_kills = 30, full_both_kills = 12, full_leader_kills = 20, full_pause_s = 60;
  CLI::App app("kill -9 of odometerd while records are sent; every row against the model");
  CLI::Option* program = app.add_option("--odometerd", flags.odometerd);
  app.add_option("--data-dir", flags.data_dir)->required();
  CLI::Option* only = app.add_flag("--compare-only", compare_only)->excludes(program);
  app.add_option("--log", log)->needs(only);
  app.add_option("--kills", flags.kills);
  app.add_option("--seed", flags.seed);
  app.add_option("--kafka", flags.kafka);
  app.add_option("--broker", flags.broker)->needs("--kafka");
  app.add_option("--broker-kills", flags.broker_kills)->needs("--broker");
  app.add_option("--both-kills", flags.both_kills)->needs("--broker");
  app.add_option("--leader-kills", flags.leader_kills)->needs("--broker");
  app.add_option("--pause-s", flags.pause_s)->needs("--broker");
  app.add_option("--pauses", flags.pauses)->needs("--broker")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!compare_only && flags.odometerd.empty()) return app.exit(CLI::RequiredError("--odometerd"));
  if (full) {
    // What a run of the gate does at all, a full one does as often as the issue names.
    if (flags.kills > 0) flags.kills = full_kills;
    flags.life_max_ms = 200;  // 200 longer ones are 800,000 records to compare
    if (flags.broker_kills > 0) flags.broker_kills = full_broker_kills;
    if (flags.both_kills > 0) flags.both_kills = full_both_kills;
    if (flags.leader_kills > 0) flags.leader_kills = full_leader_kills;
    if (flags.pause_s > 0) flags.pause_s = full_pause_s;
  }
  if (!compare_only) std::cout << "seed " << flags.seed << "\n";
  try {
    if (compare_only) {
      odometer::CompareOnly(flags.data_dir, log);
      return 0;
    }
    odometer::KillTest(flags).Run();
  } catch (const odometer::Failed& failed) {
    std::cout << "FAILED: " << failed.what << " (seed " << flags.seed << ")\n";
    return 1;
  }
  std::cout << "every row, outcome, verdict and metric is the model's\n";
  return 0;
}
