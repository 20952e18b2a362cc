// kill_test: odometerd is killed with SIGKILL at random moments while records are sent to it through both doors, with
// duplicates and hostile bytes; then every row that it committed is held against the independent model, which reads the
// log that is left.
//
//   kill_test --odometerd PATH --data-dir DIR [--kills 10] [--seed 1]
//             [--kafka HOST:PORT,… --broker 'kafka.sh --dir …' [--broker-kills 3] [--leader-kills 2] [--pause-s 60]]
//
// With --kafka the log is a topic; then brokers are killed, or stopped for a while, too, with and without the daemon.
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include "consumers/cli/http_client.h"
#include "consumers/event_json.h"
#include "consumers/refold.h"
#include "core/event.h"
#include "log/kafka_topic.h"
#include "log/local_log.h"
#include "state/dump.h"
#include "state/hash.h"
#include "tests/support/mix.h"
#include "tests/support/model.h"
#include "tests/support/random.h"

extern char** environ;

namespace odometer {
namespace {

constexpr uint32_t kPartitions = 2;
constexpr size_t kBatchRecords = 40;

struct Failed {
  std::string what;
};
void Require(bool holds, const std::string& what) {
  if (!holds) throw Failed{what};
}

// One daemon after another on the same data directory.
class DaemonProcess {
 public:
  DaemonProcess(std::string program, std::string data_dir, std::string log)
      : program_(std::move(program)), data_dir_(std::move(data_dir)), log_(std::move(log)) {}
  ~DaemonProcess() { Kill(); }

  void Start() {
    std::filesystem::remove(data_dir_ + "/http.address");
    std::vector<std::string> words = {program_,
                                      "--data-dir",
                                      data_dir_,
                                      "--listen",
                                      "127.0.0.1:0",
                                      "--log-partitions",
                                      std::to_string(kPartitions),
                                      "--log",
                                      log_,
                                      "--raw-records",
                                      "--log-level",
                                      "error"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    Require(posix_spawn(&pid_, program_.c_str(), nullptr, nullptr, arguments.data(), environ) == 0,
            "cannot start " + program_);
    for (int waited_ms = 0; waited_ms < 60'000; waited_ms += 10) {
      std::ifstream file(data_dir_ + "/http.address");
      if (std::string address; file >> address) {
        std::lock_guard lock(mutex_);
        address_ = address;
        return;
      }
      int status = 0;
      Require(waitpid(pid_, &status, WNOHANG) == 0, "odometerd ended at its start");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw Failed{"odometerd did not serve within 60 s"};
  }
  void Kill() { End(SIGKILL); }
  int Terminate() { return End(SIGTERM); }
  std::string url() const {
    std::lock_guard lock(mutex_);
    return "http://" + address_;
  }
  pid_t pid() const { return pid_; }

 private:
  int End(int signal) {
    if (pid_ <= 0) return 0;
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string program_;
  std::string data_dir_;
  std::string log_;
  mutable std::mutex mutex_;
  std::string address_;  // guarded by mutex_
  pid_t pid_ = -1;
};

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
  int leader_kills = 0;
  int pause_s = 0;
};

class KillTest {
 public:
  explicit KillTest(const Flags& flags)
      : flags_(flags),
        random_(flags.seed),
        topic_(fmt::format("kill-{}", getpid())),
        daemon_(flags.odometerd, flags.data_dir,
                flags.kafka.empty() ? "embedded" : fmt::format("kafka://{}/{}", flags.kafka, topic_)) {
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      MixOptions options;
      options.seed = flags.seed + partition;
      options.partition = partition;
      options.partitions = kPartitions;
      options.with_ticks = true;
      options.start_us = SystemClock().NowUs() - 40 * kUsPerDay;
      mixes_.push_back(std::make_unique<Mix>(options));
    }
  }

  void Run() {
    std::filesystem::remove_all(flags_.data_dir);
    if (!flags_.kafka.empty()) MakeTopic();
    for (int life = 0; life < flags_.kills; ++life) {
      daemon_.Start();
      Live();
    }
    daemon_.Start();
    for (int i = 0; i < flags_.broker_kills; ++i) LoseBroker([this] { Broker("kill 1", "restart 1"); });
    for (int i = 0; i < flags_.leader_kills; ++i) LoseBroker([this] { LoseLeader(); });
    if (flags_.pause_s > 0) {
      LoseBroker([this] { PauseBroker(); });
      LoseBroker([this] {
        daemon_.Kill();
        PauseBroker();
        daemon_.Start();
      });
    }
    // The last life takes what is left, and is looked at alive.
    for (int i = 0; i < flags_.batches_a_life; ++i) SendUntilTaken();
    CompareMetrics();
    Require(daemon_.Terminate() == 0, "odometerd did not end cleanly on SIGTERM");
    Compare();
  }

 private:
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
    daemon_.Kill();
    ++kills_;
  }

  // --- what befalls the broker, while events are sent

  void MakeTopic() {
    Result<KafkaAddress> address = KafkaAddress::Parse(fmt::format("kafka://{}/{}", flags_.kafka, topic_));
    Require(address.ok(), "--kafka: " + address.status().message());
    TopicOptions options{Uuid5(kNamespaceDns, topic_), kPartitions, flags_.leader_kills > 0 ? 3u : 1u};
    Status made = CreateTopic(*address, options, SystemClock());
    Require(made.ok(), "topic: " + made.ToString());
  }

  std::string Ask(const std::string& verb) const {
    std::string command = flags_.broker + " " + verb;
    FILE* pipe = popen(command.c_str(), "r");
    Require(pipe != nullptr, "cannot run " + command);
    std::string answer;
    char buffer[256];
    while (fgets(buffer, sizeof buffer, pipe) != nullptr) answer += buffer;
    Require(pclose(pipe) == 0, command + " failed");
    while (!answer.empty() && answer.back() == '\n') answer.pop_back();
    return answer;
  }

  void Broker(const std::string& down, const std::string& up) {
    Ask(down);
    std::this_thread::sleep_for(std::chrono::milliseconds(random_.Below(1500)));
    Ask(up);
  }

  void LoseLeader() {
    std::string leader = Ask("leader " + topic_ + " 0");
    Require(!leader.empty(), "nobody leads " + topic_);
    Broker("kill " + leader, "restart " + leader);
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
    for (const MixRecord& record : batch_) {
      if (!by_json_) acknowledged_[partition_].insert(HashOf(record.bytes));
      hostile_ += record.hostile ? 1 : 0;
    }
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
      if (Metric("odometer_cursor", label) == 0 ||
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

  void Compare() {
    LocalLog::Options options;
    options.read_only = true;
    Result<std::unique_ptr<LocalLog>> log =
        LocalLog::Open(PosixFileSystem(), SystemClock(), flags_.data_dir + "/log", options);
    Require(log.ok(), "open log: " + log.status().ToString());
    std::map<std::string, uint64_t> applied;
    uint64_t rows = 0, records = 0, quarantined = 0;
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      Model model(ModelOptions{partition, kPartitions});
      FeedModel((*log)->partition(partition), &model);
      rows += ComparePartition(partition, model);
      records += model.counts().records;
      quarantined += model.Quarantine().size();
      for (const auto& [type, count] : model.counts().applied_by_type) applied[type] += count;
    }
    std::cout << fmt::format(
        "kills {}, brokers lost {}, batches refused {}, records sent {} (hostile {}), in the log {}, quarantined {}, "
        "rows compared {}\n",
        kills_, broker_losses_, refused_, sent_, hostile_, records, quarantined, rows);
    for (EventType type : AllEventTypes()) {
      std::string name(TypeName(type));
      std::cout << "  applied " << name << " " << applied[name] << "\n";
      Require(applied[name] > 0, "no " + name + " was applied: the mix shows nothing of it");
    }
  }

  // Everything acknowledged must be in the log.
  void FeedModel(PartitionLog& log, Model* model) {
    std::set<uint64_t> found;
    Result<std::unique_ptr<EventReader>> reader = log.Read(0);
    Require(reader.ok(), "read log: " + reader.status().ToString());
    while ((*reader)->next_offset() < log.range().end) {
      Result<std::span<const Record>> records = (*reader)->Poll(4096, 0);
      Require(records.ok(), "read log: " + (records.ok() ? "" : records.status().ToString()));
      for (const Record& record : *records) {
        model->Apply(record.offset, record.append_time.us, record.bytes);
        found.insert(HashOf(record.bytes));
      }
    }
    for (uint64_t hash : acknowledged_[log.partition()])
      Require(found.contains(hash), "an acknowledged record is not in the log");
  }

  uint64_t ComparePartition(uint32_t partition, const Model& model) {
    StoreOptions options;
    options.path = PartitionPath(flags_.data_dir + "/state", partition);
    options.read_only = true;
    Result<std::unique_ptr<Store>> store = Store::Open(options);
    Require(store.ok(), "open store: " + store.status().ToString());
    std::shared_ptr<const View> view = (*store)->NewView();
    Require(view->meta().cursor == model.counts().records,
            fmt::format("partition {} was folded to {}, its log has {}", partition, view->meta().cursor,
                        model.counts().records));
    Result<std::map<std::string, FieldMap>> rows = DumpLogical(*view);
    Require(rows.ok(), "dump: " + rows.status().ToString());
    std::map<std::string, FieldMap> want = model.LogicalRows();
    for (const auto& [name, fields] : want) {
      auto row = rows->find(name);
      Require(row != rows->end(), "row " + name + " is not in the store");
      for (const auto& [field, value] : fields) {
        auto held = row->second.find(field);
        Require(held != row->second.end() && held->second == value,
                fmt::format("{}.{} is {}, the model says {}", name, field,
                            held == row->second.end() ? "absent" : held->second, value));
      }
      Require(row->second.size() == fields.size(), "row " + name + " has fields that the model does not know");
    }
    Require(rows->size() == want.size(), fmt::format("the store has {} rows, the model {}", rows->size(), want.size()));
    CompareOutcomes(partition, *view, model);
    return rows->size();
  }

  void CompareOutcomes(uint32_t partition, const View& view, const Model& model) {
    const ModelCounts& counts = model.counts();
    Require(view.meta().conserves() && view.meta().applied_total() == counts.applied &&
                view.meta().duplicate == counts.duplicate,
            "outcomes differ from the model's");
    std::map<uint64_t, std::string> quarantine;
    std::string begin = KeyBuilder().Begin(RowKind::kQuarantine).str();
    Status scanned = view.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
      int64_t offset = 0;
      QuarantineRow row;
      KeyReader reader(key);
      if (reader.Number(&offset) && DecodeRow(value, &row))
        quarantine[static_cast<uint64_t>(offset)] = std::string(ReasonName(static_cast<Reason>(row.reason)));
      return true;
    });
    Require(scanned.ok() && quarantine == model.Quarantine(), "the quarantine is not the model's");
    Result<std::vector<Difference>> law = CheckConservation(view);
    Require(law.ok() && law->empty(), "the conservation law does not hold when read back from rows");
    std::string label = fmt::format("partition=\"{}\"", partition);
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

  Flags flags_;
  Random random_;
  std::string topic_;
  DaemonProcess daemon_;
  std::vector<std::unique_ptr<Mix>> mixes_;
  std::map<uint32_t, std::set<uint64_t>> acknowledged_;
  std::vector<MixRecord> batch_;  // made, and not yet acknowledged
  std::string body_;
  std::string tenant_;
  uint32_t partition_ = 0;
  bool by_json_ = false;
  std::string metrics_;
  uint64_t sent_ = 0, hostile_ = 0;
  int kills_ = 0;
  int broker_losses_ = 0;
  uint64_t refused_ = 0;
  std::string refusal_;
};

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  const char* seed = std::getenv("ODOMETER_SEED");
  if (seed != nullptr && *seed != '\0') flags.seed = std::strtoull(seed, nullptr, 10);
  bool full = std::getenv("ODOMETER_FULL") != nullptr;
  const int full_kills = 200, full_broker_kills = 30, full_leader_kills = 20, full_pause_s = 60;
  CLI::App app("kill -9 of odometerd while records are sent; every row against the model");
  app.add_option("--odometerd", flags.odometerd)->required();
  app.add_option("--data-dir", flags.data_dir)->required();
  app.add_option("--kills", flags.kills);
  app.add_option("--seed", flags.seed);
  app.add_option("--kafka", flags.kafka);
  app.add_option("--broker", flags.broker)->needs("--kafka");
  app.add_option("--broker-kills", flags.broker_kills)->needs("--broker");
  app.add_option("--leader-kills", flags.leader_kills)->needs("--broker");
  app.add_option("--pause-s", flags.pause_s)->needs("--broker");
  CLI11_PARSE(app, argc, argv);
  if (full) {
    // What a run of the gate does at all, a full one does as often as the issue names.
    if (flags.kills > 0) flags.kills = full_kills;
    flags.life_max_ms = 200;  // 200 longer ones are 800,000 records to compare
    if (flags.broker_kills > 0) flags.broker_kills = full_broker_kills;
    if (flags.leader_kills > 0) flags.leader_kills = full_leader_kills;
    if (flags.pause_s > 0) flags.pause_s = full_pause_s;
  }
  std::cout << "seed " << flags.seed << "\n";
  try {
    odometer::KillTest(flags).Run();
  } catch (const odometer::Failed& failed) {
    std::cout << "FAILED: " << failed.what << " (seed " << flags.seed << ")\n";
    return 1;
  }
  std::cout << "every row, outcome and metric is the model's\n";
  return 0;
}
