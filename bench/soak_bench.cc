// bench soak: an odometerd that has seen every user for so many minutes at half of the speed that it was measured to
// have, while users' summaries are read. The last third is held against the first: memory, open files, p99 of a read,
// time of a commit. Exit code 1 when one of them grew by more than 10 %.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/broker.h"
#include "bench/die.h"
#include "bench/feeder.h"
#include "bench/measure.h"
#include "bench/served.h"
#include "bench/traffic.h"
#include "core/placement.h"
#include "core/scheduling.h"

namespace odometer {
namespace {

struct Flags {
  std::string odometerd = "build/release/bin/odometerd";
  std::string work_dir = "build/bench-soak";
  double minutes = 30;
  uint32_t users = 1'000'000;
  double rate = 0;  // events a second; 0: half of the top
  double top_s = 120;  // merges that give way to it at first have to be made within it
  int port = 29792;
  bool kafka = false;
};

constexpr uint32_t kPartitions = kDefaultPartitions;
constexpr int kSampleS = 10;
constexpr double kGrowthMost = 0.10;

// One reading, every kSampleS.
struct Sample {
  double seconds = 0;
  double resident = 0, files = 0;
  LineMetrics line;
  uint64_t sent = 0;
  std::vector<double> reads_ms;  // since the one before
};

struct Part {
  double resident = 0, files = 0, read_p99_ms = 0, commit_ms = 0;
};

double CommitMs(const LineMetrics& before, const LineMetrics& after) {
  uint64_t commits = after.commits - before.commits;
  return commits == 0 ? 0 : (after.commit_seconds - before.commit_seconds) * 1000 / static_cast<double>(commits);
}

// Of samples [from, to); samples[from - 1] is there.
Part PartOf(const std::vector<Sample>& samples, size_t from, size_t to) {
  std::vector<double> resident, files, reads;
  for (size_t i = from; i < to; ++i) {
    resident.push_back(samples[i].resident);
    files.push_back(samples[i].files);
    reads.insert(reads.end(), samples[i].reads_ms.begin(), samples[i].reads_ms.end());
  }
  return {Median(resident), Median(files), Percentile(reads, 99),
          CommitMs(samples[from - 1].line, samples[to - 1].line)};
}

// Summaries of random users, one after another, until it goes.
class Reader {
 public:
  Reader(const std::string& url, const Flags& flags) : url_(url), users_(flags.users), thread_([this] { Loop(); }) {}
  ~Reader() {
    stop_ = true;
    thread_.join();
  }
  std::vector<double> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(times_ms_, {});
  }

 private:
  void Loop() {
    AskForTurnsOf(kShortTurn);  // its own wait for a core would be told as the daemon's
    cli::HttpClient client({.server = url_, .tenant = "tenant-00"});
    uint64_t word = 1;
    while (!stop_) {
      word = word * 6364136223846793005u + 1442695040888963407u;
      uint64_t user = (word >> 33) % users_ / kTenants * kTenants;  // of the first tenant
      auto begun = std::chrono::steady_clock::now();
      Result<cli::HttpResponse> response = client.Get(fmt::format("/v1/consumption/summary?user=user-{:07}", user));
      double took_ms = Seconds(begun) * 1000;
      if (!response.ok() || (response->status != 200 && response->status != 404))
        Die("a read was answered " + (response.ok() ? response->body : response.status().ToString()));
      if (response->status == 200) {  // a user that has not come yet is not counted
        std::lock_guard lock(mutex_);
        times_ms_.push_back(took_ms);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  static constexpr uint64_t kTenants = TrafficOptions().tenants;
  const std::string url_;
  const uint64_t users_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<double> times_ms_;  // guarded by mutex_
  std::thread thread_;
};

class SoakBench {
 public:
  explicit SoakBench(const Flags& flags) : flags_(flags), data_dir_(flags.work_dir + "/data"), traffic_(Kind()) {
    std::filesystem::remove_all(flags.work_dir);
    if (flags.kafka) broker_.emplace((std::filesystem::absolute(flags.work_dir) / "kafka").string(), flags.port);
    std::vector<std::string> words = {"--raw-records", "--written",        "--log-level",
                                      "error",         "--log-partitions", std::to_string(kPartitions)};
    if (flags.kafka) words.insert(words.end(), {"--log", broker_->MakeTopic("soak", kPartitions)});
    served_ = std::make_unique<Served>(flags.odometerd, data_dir_, words);
    feeder_ = std::make_unique<Feeder>(served_->url(), kPartitions);
    client_ = std::make_unique<cli::HttpClient>(cli::HttpOptions{.server = served_->url(), .tenant = "default"});
    empty_bytes_ = ResidentBytes(served_->pid());
  }

  int Run() {
    Fill();
    double top = flags_.rate > 0 ? 0 : Top();
    double rate = flags_.rate > 0 ? flags_.rate : top / 2;
    std::cerr << fmt::format("{:.0f} events/s for {} minutes, {} users\n", rate, flags_.minutes, flags_.users);
    Soak(rate);
    WaitUntilFolded(*client_, 600);
    size_t third = (samples_.size() - 1) / 3;
    Part first = PartOf(samples_, 1, 1 + third), last = PartOf(samples_, samples_.size() - third, samples_.size());
    std::string json = fmt::format(
        "{{\"bench\":\"soak\",\"log\":\"{}\",\"minutes\":{},\"users\":{},\"users_seen\":{},\"top_events_per_s\":{:.0f},"
        "\"rate\":{:.0f},\"events\":{}",
        flags_.kafka ? "kafka" : "embedded", flags_.minutes, flags_.users, traffic_.users_seen(), top, rate,
        feeder_->sent());
    std::cerr << fmt::format("{:<16} {:>14} {:>14} {:>9}\n", "", "first third", "last third", "growth");
    bool is_flat = Compare("resident_bytes", first.resident, last.resident, &json);
    is_flat &= Compare("open_files", first.files, last.files, &json);
    is_flat &= Compare("read_p99_ms", first.read_p99_ms, last.read_p99_ms, &json);
    is_flat &= Compare("commit_ms", first.commit_ms, last.commit_ms, &json);
    json += BytesAUser() + fmt::format(",\"flat\":{}}}\n", is_flat);
    std::cout << json;
    return is_flat ? 0 : 1;
  }

 private:
  TrafficOptions Kind() const {
    TrafficOptions options;
    options.users = flags_.users;
    options.zipf = false;
    return options;
  }

  void Send(uint64_t events) {
    for (uint64_t i = 0; i < events; ++i) {
      std::string event = traffic_.Next();
      feeder_->Add(traffic_.slot() % kPartitions, event);
    }
  }

  // What is sent waits while the fold is far behind.
  void SendAsFolded(uint64_t events) {
    Send(events);
    while (AskMetrics(*client_).lag() > kLagMost) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

  // Nearly every user has been there: rows have the memory that they may have, and what grows from here on grows with
  // time.
  void Fill() {
    auto begun = std::chrono::steady_clock::now();
    while (traffic_.users_seen() < flags_.users / 100 * 99) SendAsFolded(20'000);
    feeder_->Flush();
    WaitUntilFolded(*client_, 600);
    std::cerr << fmt::format("{} users seen after {} events, {:.0f} s\n", traffic_.users_seen(), feeder_->sent(),
                             Seconds(begun));
  }

  // Events a second as fast as they are folded.
  double Top() {
    auto begun = std::chrono::steady_clock::now();
    uint64_t before = feeder_->sent();
    while (Seconds(begun) < flags_.top_s) SendAsFolded(20'000);
    feeder_->Flush();
    WaitUntilFolded(*client_, 600);
    double top = static_cast<double>(feeder_->sent() - before) / Seconds(begun);
    std::cerr << fmt::format("top: {:.0f} events/s over {:.0f} s\n", top, Seconds(begun));
    return top;
  }

  void Soak(double rate) {
    Reader reader(served_->url(), flags_);
    auto begun = std::chrono::steady_clock::now();
    uint64_t sent = 0;
    std::cerr << fmt::format("{:>7} {:>10} {:>9} {:>8} {:>7} {:>8} {:>8} {:>10} {:>10}\n", "s", "events/s", "lag",
                             "RSS MiB", "files", "p50 ms", "p99 ms", "commit ms", "state MiB");
    Look(reader, 0);
    for (double now = 0; now < flags_.minutes * 60; now = Seconds(begun)) {
      auto due = static_cast<uint64_t>(now * rate);
      if (due > sent) {
        uint64_t events = std::min<uint64_t>(due - sent, 20'000);
        Send(events);
        sent += events;
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      if (now >= static_cast<double>(samples_.size()) * kSampleS) Look(reader, now);
    }
    feeder_->Flush();
    Look(reader, Seconds(begun));
    if (samples_.size() < 7) Die("too short to compare: more --minutes");
  }

  void Look(Reader& reader, double now) {
    Sample sample{now,
                  static_cast<double>(ResidentBytes(served_->pid())),
                  static_cast<double>(OpenFiles(served_->pid())),
                  AskMetrics(*client_),
                  feeder_->sent(),
                  reader.Take()};
    if (!samples_.empty()) {
      const Sample& before = samples_.back();
      std::cerr << fmt::format("{:>7.0f} {:>10.0f} {:>9} {:>8.0f} {:>7.0f} {:>8.2f} {:>8.2f} {:>10.2f} {:>10}\n", now,
                               static_cast<double>(sample.sent - before.sent) / (now - before.seconds),
                               sample.line.lag(), sample.resident / (1 << 20), sample.files,
                               Percentile(sample.reads_ms, 50), Percentile(sample.reads_ms, 99),
                               CommitMs(before.line, sample.line), BytesUnder(data_dir_ + "/state") >> 20);
    }
    samples_.push_back(std::move(sample));
  }

  static bool Compare(const char* name, double first, double last, std::string* json) {
    double growth = first > 0 ? last / first - 1 : 0;
    std::cerr << fmt::format("{:<16} {:>14.2f} {:>14.2f} {:>8.1f}%{}\n", name, first, last, growth * 100,
                             growth > kGrowthMost ? "  GREW" : "");
    *json += fmt::format(",\"{}\":{{\"first\":{:.3f},\"last\":{:.3f},\"growth\":{:.4f}}}", name, first, last, growth);
    return growth <= kGrowthMost;
  }

  std::string BytesAUser() {
    auto a_user = [&](double bytes) { return bytes / traffic_.users_seen(); };
    double resident = a_user(samples_.back().resident - static_cast<double>(empty_bytes_));
    double rows = a_user(static_cast<double>(AskMetrics(*client_).row_bytes));
    double state = a_user(static_cast<double>(BytesUnder(data_dir_ + "/state")));
    double segments = a_user(static_cast<double>(BytesUnder(data_dir_ + "/log")));
    std::cerr << fmt::format(
        "bytes a user ({} seen): {:.0f} resident beyond the empty daemon, {:.0f} of rows in RAM; on disk {:.0f} of "
        "state, {:.0f} of segments\n",
        traffic_.users_seen(), resident, rows, state, segments);
    return fmt::format(
        ",\"resident_bytes_a_user\":{:.0f},\"row_bytes_a_user\":{:.0f},\"state_bytes_a_user\":{:.0f},"
        "\"log_bytes_a_user\":{:.0f}",
        resident, rows, state, segments);
  }

  static constexpr uint64_t kLagMost = 100'000;

  const Flags& flags_;
  const std::string data_dir_;
  std::optional<Broker> broker_;
  Traffic traffic_;
  std::unique_ptr<Served> served_;
  std::unique_ptr<Feeder> feeder_;
  std::unique_ptr<cli::HttpClient> client_;
  uint64_t empty_bytes_ = 0;  // resident
  std::vector<Sample> samples_;
};

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("minutes at half speed: does memory, files, reads or commits grow?");
  app.add_option("--odometerd", flags.odometerd)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  app.add_option("--minutes", flags.minutes)->check(CLI::Range(1.0, 100'000.0))->capture_default_str();
  app.add_option("--users", flags.users, "Uniform")->capture_default_str();
  app.add_option("--rate", flags.rate, "Events a second; 0: half of the top, which is measured first")
      ->capture_default_str();
  app.add_option("--top-s", flags.top_s, "How long the top is measured")->capture_default_str();
  app.add_flag("--kafka", flags.kafka, "On a broker that it starts, not on the embedded log");
  app.add_option("--port", flags.port, "Of that broker")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int code = odometer::SoakBench(flags).Run();
  std::filesystem::remove_all(flags.work_dir);
  return code;
}
