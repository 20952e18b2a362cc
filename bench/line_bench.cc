// bench line: the whole line on a real broker (poll, copy into segments, verify, dedupe, fold, postings, commit)
// against librdkafka consuming the same records and doing nothing with them. Interleaved runs, medians. With --streams,
// a Kafka Streams program folds them in each run, too, exactly once (bench/streams). With --all, five kinds of traffic
// one after another.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

#include "bench/broker.h"
#include "bench/die.h"
#include "bench/measure.h"
#include "bench/streams_peer.h"
#include "bench/traffic.h"
#include "consumers/daemon.h"
#include "log/kafka_log.h"

namespace odometer {
namespace {

struct Flags {
  uint64_t events = 12'000'000;
  uint32_t users = 100'000;
  uint32_t partitions = 2;
  uint32_t vector_percent = 0;
  bool uniform = false;
  bool full_turns = false;
  bool streams = false;
  bool all = false;
  int runs = 5;
  int port = 29492;
  std::string work_dir = "build/bench-line";
};

struct Run {
  double seconds = 0;
  double cpu_seconds = 0;         // of this process
  double broker_cpu_seconds = 0;  // meanwhile
  uint64_t broker_bytes = 0;      // by which its files grew meanwhile: changelogs, offsets
};

// Of each run.
struct Lists {
  std::vector<double> seconds, cpu_seconds, resident_bytes, broker_bytes;
};
struct PeerLists {
  std::vector<double> events_per_s, cpu_us_per_event, resident_bytes, broker_bytes;
};

class LineBench {
 public:
  explicit LineBench(const Flags& flags)
      : flags_(flags),
        broker_((std::filesystem::absolute(flags.work_dir) / "kafka").string(), flags.port),
        address_(KafkaAddress::Parse(broker_.MakeTopic("line", flags.partitions)).value()) {}

  int Run() {
    Produce();
    for (int run = 1; run <= flags_.runs; ++run) {
      Note(run, "raw", Measure([this] { ConsumeRaw(); }), &raw_);
      Note(run, "fold", Measure([this] { Fold(); }), &fold_);
      if (flags_.streams) Stream(run);
    }
    std::string beside = flags_.streams ? PrintPeer() : "";
    PrintLine(beside);
    return 0;
  }

 private:
  void Produce() {
    KafkaProducerOptions options;
    options.address = address_;
    options.timeout_ms = 60'000;
    options.linger_ms = 5;
    std::unique_ptr<KafkaProducer> producer = KafkaProducer::Open(options).value();
    TrafficOptions traffic_options;
    traffic_options.users = flags_.users;
    traffic_options.zipf = !flags_.uniform;
    traffic_options.vector_percent = flags_.vector_percent;
    traffic_options.lean = !flags_.full_turns;
    Traffic traffic(traffic_options);
    std::vector<std::vector<std::string>> waiting(flags_.partitions);
    uint64_t bytes = 0;
    auto begun = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < flags_.events; ++i) {
      std::string event = traffic.Next();
      bytes += event.size();
      std::vector<std::string>& batch = waiting[traffic.slot() % flags_.partitions];
      batch.push_back(std::move(event));
      if (batch.size() == kProduceEvents) Send(*producer, waiting, &batch);
      if ((i + 1) % 1'000'000 == 0)
        std::cerr << fmt::format("produced {} of {} ({:.0f}/s)\n", i + 1, flags_.events,
                                 static_cast<double>(i + 1) / Seconds(begun));
    }
    for (std::vector<std::string>& batch : waiting) Send(*producer, waiting, &batch);
    event_bytes_ = bytes / flags_.events;
    sums_ = traffic.sums();
  }

  static void Send(KafkaProducer& producer, const std::vector<std::vector<std::string>>& all,
                   std::vector<std::string>* batch) {
    if (batch->empty()) return;
    std::vector<std::string_view> views(batch->begin(), batch->end());
    Result<Appended> sent = producer.Send(static_cast<uint32_t>(batch - all.data()), views);
    if (!sent.ok()) Die(sent.status().ToString());
    batch->clear();
  }

  template <class F>
  odometer::Run Measure(F&& work) {
    uint64_t bytes = BytesUnder(broker_.data_directory());
    auto begun = std::chrono::steady_clock::now();
    double cpu = CpuSeconds(), broker = broker_.cpu_seconds();
    work();
    // Compaction may take more away than came.
    uint64_t after = std::max(BytesUnder(broker_.data_directory()), bytes);
    return {Seconds(begun), CpuSeconds() - cpu, broker_.cpu_seconds() - broker, after - bytes};
  }

  void Note(int number, const char* name, const odometer::Run& run, Lists* lists) {
    lists->seconds.push_back(run.seconds);
    lists->cpu_seconds.push_back(run.cpu_seconds);
    lists->broker_bytes.push_back(static_cast<double>(run.broker_bytes));
    std::cerr << fmt::format("run {}: {} {:.2f} s ({:.2f} s of CPU, broker {:.2f} s, {} MB to it)\n", number, name,
                             run.seconds, run.cpu_seconds, run.broker_cpu_seconds, run.broker_bytes >> 20);
  }

  void Stream(int number) {
    StreamsRun peer;
    odometer::Run run = Measure([&] {
      peer = RunStreamsPeer({broker_.bootstrap(), address_.topic, flags_.work_dir + "/streams",
                             fmt::format("peer-{}", number), sums_});
    });
    peer_.events_per_s.push_back(peer.events_per_s);
    peer_.cpu_us_per_event.push_back(peer.cpu_us_per_event);
    peer_.resident_bytes.push_back(static_cast<double>(peer.resident_bytes));
    peer_.broker_bytes.push_back(static_cast<double>(run.broker_bytes));
    std::cerr << fmt::format("run {}: streams {:.0f}/s, {:.2f} µs of CPU an event, {} MB resident, {} MB to it\n",
                             number, peer.events_per_s, peer.cpu_us_per_event, peer.resident_bytes >> 20,
                             run.broker_bytes >> 20);
  }

  double PerSecond(const Lists& lists) const { return static_cast<double>(flags_.events) / Median(lists.seconds); }
  double CpuUs(const Lists& lists) const {
    return Median(lists.cpu_seconds) / static_cast<double>(flags_.events) * 1e6;
  }

  // Answers its fields of the line of JSON.
  std::string PrintPeer() const {
    double peer = Median(peer_.events_per_s), times = PerSecond(fold_) / peer;
    std::cerr << fmt::format(
        "streams {:.0f}/s ({:.2f} µs of CPU an event, {:.0f} MB resident, {:.0f} MB to the broker): the line is "
        "{:.1f} times as fast\n",
        peer, Median(peer_.cpu_us_per_event), Median(peer_.resident_bytes) / (1 << 20),
        Median(peer_.broker_bytes) / (1 << 20), times);
    return fmt::format(
        ",\"streams_events_per_s\":{:.0f},\"streams_cpu_us_per_event\":{:.3f},\"times_streams\":{:.2f},"
        "\"streams_resident_bytes\":{:.0f},\"streams_broker_bytes\":{:.0f}",
        peer, Median(peer_.cpu_us_per_event), times, Median(peer_.resident_bytes), Median(peer_.broker_bytes));
  }

  void PrintLine(const std::string& beside) const {
    double raw = PerSecond(raw_), fold = PerSecond(fold_), events = static_cast<double>(flags_.events);
    auto [least, most] = std::minmax_element(fold_.seconds.begin(), fold_.seconds.end());
    std::cerr << fmt::format(
        "{} events of {} bytes in {} partitions: raw {:.0f}/s, fold {:.0f}/s ({:.0f}-{:.0f}), ratio {:.3f}; {:.2f} µs "
        "of CPU an event; {:.0f} MB resident, {:.0f} MB to the broker, {} MB of state, {} MB of segments\n",
        flags_.events, event_bytes_, flags_.partitions, raw, fold, events / *most, events / *least, fold / raw,
        CpuUs(fold_), Median(fold_.resident_bytes) / (1 << 20), Median(fold_.broker_bytes) / (1 << 20),
        state_bytes_ >> 20, log_bytes_ >> 20);
    std::cout << fmt::format(
        R"({{"bench":"{}","events":{},"users":{},"uniform":{},"vector_percent":{},"partitions":{},"runs":{},)"
        R"("event_bytes":{},"raw_events_per_s":{:.0f},"fold_events_per_s":{:.0f},"ratio":{:.4f},)"
        R"("fold_cpu_us_per_event":{:.3f},"raw_cpu_us_per_event":{:.3f},"resident_bytes":{:.0f},)"
        R"("broker_bytes":{:.0f},"state_bytes":{},"log_bytes":{}{}}})",
        flags_.streams ? "streams" : "line", flags_.events, flags_.users, flags_.uniform, flags_.vector_percent,
        flags_.partitions, flags_.runs, event_bytes_, raw, fold, fold / raw, CpuUs(fold_), CpuUs(raw_),
        Median(fold_.resident_bytes), Median(fold_.broker_bytes), state_bytes_, log_bytes_, beside)
              << "\n";
  }

  // One handle, all partitions, every message touched and given back.
  void ConsumeRaw() {
    char error[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    for (auto [name, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"group.id", "raw"},
                                                                    {"enable.auto.commit", "false"},
                                                                    {"queued.min.messages", "10000000"},
                                                                    {"queued.max.messages.kbytes", "1048576"},
                                                                    {"fetch.message.max.bytes", "8388608"},
                                                                    {"check.crcs", "true"}})
      rd_kafka_conf_set(conf, name, value, error, sizeof error);
    rd_kafka_conf_set(conf, "bootstrap.servers", broker_.bootstrap().c_str(), error, sizeof error);
    rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    rd_kafka_topic_t* topic = rd_kafka_topic_new(consumer, address_.topic.c_str(), nullptr);
    rd_kafka_queue_t* queue = rd_kafka_queue_new(consumer);
    for (uint32_t p = 0; p < flags_.partitions; ++p)
      rd_kafka_consume_start_queue(topic, static_cast<int32_t>(p), 0, queue);
    std::vector<rd_kafka_message_t*> messages(10'000);
    uint64_t wanted = flags_.events + flags_.partitions, got = 0, sum = 0;
    while (got < wanted) {
      ssize_t count = rd_kafka_consume_batch_queue(queue, 1000, messages.data(), messages.size());
      for (ssize_t i = 0; i < count; ++i) {
        rd_kafka_message_t* message = messages[static_cast<size_t>(i)];
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
          sum += static_cast<const uint8_t*>(message->payload)[0];
          ++got;
        }
        rd_kafka_message_destroy(message);
      }
    }
    if (sum == 0) Die("nothing was read");
    for (uint32_t p = 0; p < flags_.partitions; ++p) rd_kafka_consume_stop(topic, static_cast<int32_t>(p));
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(consumer);
  }

  // A daemon without HTTP on a fresh data directory, until the last record is committed.
  void Fold() {
    std::string directory = flags_.work_dir + "/data";
    std::filesystem::remove_all(directory);
    DaemonOptions options;
    options.data_dir = directory;
    options.log_url = address_.ToString();
    options.runner.projection.memory_bytes_max = 8ull << 30;
    options.runner.log = [](const char* level, const std::string& text) { std::cerr << level << " " << text << "\n"; };
    Result<std::unique_ptr<Daemon>> daemon = Daemon::Open(options, SystemClock());
    if (!daemon.ok()) Die(daemon.status().ToString());
    (*daemon)->Start();
    uint64_t applied = 0;
    for (uint32_t p = 0; p < flags_.partitions; ++p) {
      Runner& runner = (*daemon)->runner(p);
      uint64_t end = (*daemon)->log().partition(p).range().end;
      while (runner.WaitFor(end, 1'000'000) == nullptr) {
        if (!runner.state().failing_step.empty()) Die(runner.state().failure);
      }
      applied += runner.state().committed.applied_total();
    }
    fold_.resident_bytes.push_back(static_cast<double>(ResidentBytes(getpid())));
    if (applied != flags_.events + flags_.partitions) Die("not every event was applied");
    Must((*daemon)->Stop());
    state_bytes_ = BytesUnder(directory + "/state");
    log_bytes_ = BytesUnder(directory + "/log");
  }

  static constexpr size_t kProduceEvents = 20'000;

  const Flags& flags_;
  Broker broker_;
  KafkaAddress address_;
  TurnSums sums_;
  Lists raw_, fold_;
  PeerLists peer_;
  uint64_t event_bytes_ = 0, state_bytes_ = 0, log_bytes_ = 0;
};

// In a process of its own: memory that an earlier row took is not counted here.
int RunApart(const Flags& flags) {
  std::cout.flush();
  pid_t pid = fork();
  if (pid < 0) Die("no process");
  if (pid == 0) {
    int code = LineBench(flags).Run();
    std::cout.flush();
    _exit(code);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 5;
}

int RunRows(Flags flags) {
  struct Row {
    const char* name;
    uint32_t users;
    bool uniform;
    uint32_t vector_percent;
    bool full_turns;
  };
  for (const Row& row :
       {Row{"Zipf, 100,000 users", 100'000, false, 0, false},
        Row{"uniform, 100,000 users", 100'000, true, 0, false},
        Row{"Zipf, 1,000,000 users", 1'000'000, false, 0, false},
        Row{"half vector operations", 100'000, false, 50, false},
        Row{"Zipf, 100,000 users, full turns", 100'000, false, 0, true}}) {
    std::cerr << "--- " << row.name << "\n";
    flags.users = row.users;
    flags.uniform = row.uniform;
    flags.vector_percent = row.vector_percent;
    flags.full_turns = row.full_turns;
    if (int failed = RunApart(flags); failed != 0) return failed;
  }
  return 0;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("the line on a real broker, against raw librdkafka consume of the same records");
  app.add_option("--events", flags.events)->capture_default_str();
  app.add_option("--users", flags.users)->capture_default_str();
  app.add_option("--partitions", flags.partitions)->capture_default_str();
  app.add_flag("--uniform", flags.uniform, "Users uniform instead of Zipf");
  app.add_flag("--full-turns", flags.full_turns,
               "Turns of 395 bytes: with provider, service, operation, duration and source");
  CLI::Option* percent =
      app.add_option("--vector-percent", flags.vector_percent, "Of the events: vector operations instead of turns")
          ->check(CLI::Range(0, 100))
          ->capture_default_str();
  CLI::Option* streams =
      app.add_flag("--streams", flags.streams, "Beside it a Kafka Streams program (bench/streams/build.sh makes it)");
  streams->excludes(percent);
  app.add_flag("--all", flags.all, "100,000 users by Zipf and uniform, 1,000,000, half vector operations, full turns")
      ->excludes(percent)
      ->excludes(streams)
      ->excludes("--users")
      ->excludes("--uniform")
      ->excludes("--full-turns");
  app.add_option("--runs", flags.runs)->capture_default_str();
  app.add_option("--port", flags.port, "Of the broker that it starts")->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int result = flags.all ? odometer::RunRows(flags) : odometer::LineBench(flags).Run();
  std::filesystem::remove_all(flags.work_dir);
  return result;
}
