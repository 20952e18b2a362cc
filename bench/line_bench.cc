// bench line: the whole line on a real broker (poll, copy into segments, verify, dedupe, fold, postings, commit)
// against librdkafka consuming the same records and doing nothing with them. Interleaved runs, medians. With --streams,
// a Kafka Streams program folds them in each run, too, exactly once (bench/streams). With --all, four kinds of traffic
// one after another.
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <spawn.h>
#include <sys/resource.h>
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
#include "bench/traffic.h"
#include "consumers/daemon.h"
#include "log/kafka_log.h"

extern char** environ;

namespace odometer {
namespace {

struct Flags {
  uint64_t events = 12'000'000;
  uint32_t users = 100'000;
  uint32_t partitions = 2;
  uint32_t vector_percent = 0;
  bool uniform = false;
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
};

// What the Kafka Streams program said of one run.
struct StreamsRun {
  double events_per_s = 0;
  double cpu_us_per_event = 0;
  uint64_t resident_bytes = 0;
  uint64_t broker_bytes = 0;  // that it had the broker write: changelogs
};

double NumberIn(const std::string& json, const std::string& name) {
  size_t at = json.find("\"" + name + "\":");
  return at == std::string::npos ? 0 : std::strtod(json.c_str() + at + name.size() + 3, nullptr);
}

class LineBench {
 public:
  explicit LineBench(const Flags& flags)
      : flags_(flags),
        broker_((std::filesystem::absolute(flags.work_dir) / "kafka").string(), flags.port),
        address_(KafkaAddress::Parse(broker_.MakeTopic("line", flags.partitions)).value()) {}

  int Run() {
    Produce();
    std::vector<double> raws, folds, raw_cpu, fold_cpu, streams, streams_cpu;
    for (int run = 0; run < flags_.runs; ++run) {
      odometer::Run raw = Measure([this] { ConsumeRaw(); });
      odometer::Run fold = Measure([this] { Fold(); });
      raws.push_back(raw.seconds);
      folds.push_back(fold.seconds);
      raw_cpu.push_back(raw.cpu_seconds);
      fold_cpu.push_back(fold.cpu_seconds);
      std::cerr << fmt::format(
          "run {}: raw {:.2f} s ({:.2f} s of CPU), fold {:.2f} s ({:.2f} s of CPU, broker {:.2f} s)\n", run + 1,
          raw.seconds, raw.cpu_seconds, fold.seconds, fold.cpu_seconds, fold.broker_cpu_seconds);
      if (!flags_.streams) continue;
      streams_ = Streams(run);
      streams.push_back(streams_.events_per_s);
      streams_cpu.push_back(streams_.cpu_us_per_event);
      std::cerr << fmt::format(
          "run {}: streams {:.0f}/s, {:.2f} µs of CPU an event, {} MB resident, {} MB to the broker\n", run + 1,
          streams_.events_per_s, streams_.cpu_us_per_event, streams_.resident_bytes >> 20, streams_.broker_bytes >> 20);
    }
    double events = static_cast<double>(flags_.events);
    double raw = events / Median(raws), fold = events / Median(folds);
    auto [least, most] = std::minmax_element(folds.begin(), folds.end());
    std::cerr << fmt::format(
        "{} events of {} bytes in {} partitions: raw {:.0f}/s, fold {:.0f}/s ({:.0f}-{:.0f}), ratio {:.3f}; {:.2f} µs "
        "of "
        "CPU an event; {} MB resident, {} MB of state, {} MB of segments\n",
        flags_.events, event_bytes_, flags_.partitions, raw, fold, events / *most, events / *least, fold / raw,
        Median(fold_cpu) / events * 1e6, resident_bytes_ >> 20, state_bytes_ >> 20, log_bytes_ >> 20);
    std::string beside;
    if (flags_.streams) {
      double peer = Median(streams);
      std::cerr << fmt::format("streams {:.0f}/s ({:.2f} µs of CPU an event): the line is {:.1f} times as fast\n", peer,
                               Median(streams_cpu), fold / peer);
      beside = fmt::format(
          ",\"streams_events_per_s\":{:.0f},\"streams_cpu_us_per_event\":{:.3f},\"times_streams\":{:.2f},"
          "\"streams_resident_bytes\":{},\"streams_broker_bytes\":{}",
          peer, Median(streams_cpu), fold / peer, streams_.resident_bytes, streams_.broker_bytes);
    }
    std::cout << fmt::format(
        "{{\"bench\":\"{}\",\"events\":{},\"users\":{},\"uniform\":{},\"vector_percent\":{},\"partitions\":{},\"runs\":"
        "{},\"event_bytes\":{},"
        "\"raw_events_per_s\":{:.0f},\"fold_events_per_s\":{:.0f},\"ratio\":{:.4f},\"fold_cpu_us_per_event\":{:.3f},"
        "\"raw_cpu_us_per_event\":{:.3f},\"resident_bytes\":{},\"state_bytes\":{},\"log_bytes\":{}{}}}\n",
        flags_.streams ? "streams" : "line", flags_.events, flags_.users, flags_.uniform, flags_.vector_percent,
        flags_.partitions, flags_.runs, event_bytes_, raw, fold, fold / raw, Median(fold_cpu) / events * 1e6,
        Median(raw_cpu) / events * 1e6, resident_bytes_, state_bytes_, log_bytes_, beside);
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
    auto begun = std::chrono::steady_clock::now();
    double cpu = CpuSeconds(), broker = broker_.cpu_seconds();
    work();
    return {Seconds(begun), CpuSeconds() - cpu, broker_.cpu_seconds() - broker};
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
    resident_bytes_ = std::max(resident_bytes_, ResidentBytes(getpid()));
    if (applied != flags_.events + flags_.partitions) Die("not every event was applied");
    Must((*daemon)->Stop());
    state_bytes_ = BytesUnder(directory + "/state");
    log_bytes_ = BytesUnder(directory + "/log");
  }

  // The peer in a process of its own, with a fresh state.
  StreamsRun Streams(int run) {
    std::string state_dir = flags_.work_dir + "/streams";
    std::filesystem::remove_all(state_dir);
    uint64_t before = BytesUnder(broker_.data_directory());
    std::vector<std::string> words = {"java",
                                      "-Xms3g",
                                      "-Xmx3g",
                                      "-XX:+UseG1GC",
                                      "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                                      "-cp",
                                      "build/streams/classes:build/streams/lib/*",
                                      "odometer.bench.StreamsPeer",
                                      broker_.bootstrap(),
                                      address_.topic,
                                      std::to_string(flags_.events),
                                      state_dir,
                                      fmt::format("peer-{}", run)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int ends[2];
    if (pipe(ends) != 0) Die("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    pid_t pid = -1;
    if (posix_spawnp(&pid, "java", &actions, nullptr, arguments.data(), environ) != 0) Die("java does not start");
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string answer;
    char buffer[512];
    for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
      answer.append(buffer, static_cast<size_t>(got));
    close(ends[0]);
    int status = 0;
    rusage usage{};
    wait4(pid, &status, 0, &usage);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) Die("the Kafka Streams program failed: " + answer);
    return {NumberIn(answer, "events_per_s"), NumberIn(answer, "cpu_us_per_event"),
            static_cast<uint64_t>(usage.ru_maxrss) * 1024, BytesUnder(broker_.data_directory()) - before};
  }

  static constexpr size_t kProduceEvents = 20'000;

  const Flags& flags_;
  Broker broker_;
  KafkaAddress address_;
  StreamsRun streams_;
  uint64_t event_bytes_ = 0, resident_bytes_ = 0, state_bytes_ = 0, log_bytes_ = 0;
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
  };
  for (const Row& row :
       {Row{"Zipf, 100,000 users", 100'000, false, 0}, Row{"uniform, 100,000 users", 100'000, true, 0},
        Row{"Zipf, 1,000,000 users", 1'000'000, false, 0}, Row{"half vector operations", 100'000, false, 50}}) {
    std::cerr << "--- " << row.name << "\n";
    flags.users = row.users;
    flags.uniform = row.uniform;
    flags.vector_percent = row.vector_percent;
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
  CLI::Option* percent =
      app.add_option("--vector-percent", flags.vector_percent, "Of the events: vector operations instead of turns")
          ->check(CLI::Range(0, 100))
          ->capture_default_str();
  CLI::Option* streams =
      app.add_flag("--streams", flags.streams, "Beside it a Kafka Streams program (bench/streams/build.sh makes it)");
  streams->excludes(percent);
  app.add_flag("--all", flags.all, "Zipf and uniform of 100,000 users, Zipf of 1,000,000, half vector operations")
      ->excludes(percent)
      ->excludes(streams)
      ->excludes("--users")
      ->excludes("--uniform");
  app.add_option("--runs", flags.runs)->capture_default_str();
  app.add_option("--port", flags.port, "Of the broker that it starts")->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int result = flags.all ? odometer::RunRows(flags) : odometer::LineBench(flags).Run();
  std::filesystem::remove_all(flags.work_dir);
  return result;
}
