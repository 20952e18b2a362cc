// bench ingest: POST /v1/events in batches of 500 by 1 and 4 clients, and how long one posted event takes until a view
// holds it on an idle log; on the embedded log with fsync and without, and on a real broker.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
#include <thread>

#include "bench/broker.h"
#include "bench/die.h"
#include "bench/measure.h"
#include "bench/served.h"
#include "consumers/cli/http_client.h"

namespace odometer {
namespace {

struct Flags {
  std::string odometerd = "build/release/bin/odometerd";
  std::string work_dir = "build/bench-ingest";
  int batches = 400;  // of each client
  int batch_events = 500;
  int visible = 100;
  int port = 29592;
  bool kafka = true;
};

std::string Turn(const std::string& key, int user) {
  return fmt::format(
      R"({{"type":"TurnRecorded","key":"{}","event_time":"2026-01-01T00:00:00Z","user":"user-{:04}","session":"s-{}",)"
      R"("provider":"openai","model_requested":"gpt-4o","tokens":{{"input_uncached":812,"output":143}},"llm_calls":1,)"
      R"("duration_us":1834000,"status":"success","service":"chat","operation":"completion"}})",
      key, user, user % 40);
}

void Post(cli::HttpClient& client, const std::string& path, const std::string& body) {
  Result<cli::HttpResponse> response = client.Post(path, body, "application/json");
  if (!response.ok()) Die(response.status().ToString());
  if (response->status != 202) Die(fmt::format("{}: {}", response->status, response->body.substr(0, 300)));
}

// Events a second of so many clients, each of its own tenant.
double Ingest(const std::string& url, const Flags& flags, int clients, const std::string& run) {
  std::vector<std::thread> threads;
  auto begun = std::chrono::steady_clock::now();
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      cli::HttpClient client({.server = url, .tenant = fmt::format("tenant-{}", c)});
      for (int b = 0; b < flags.batches; ++b) {
        std::string body = "[";
        for (int e = 0; e < flags.batch_events; ++e)
          body += (e > 0 ? "," : "") + Turn(fmt::format("{}-{}-{}", run, b, e), (b * 31 + e) % 1000);
        Post(client, "/v1/events", body + "]");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(clients) * flags.batches * flags.batch_events / Seconds(begun);
}

struct Latency {
  double p50_ms = 0, p99_ms = 0;
};

// From the first byte of the post to the answer that a view holds it.
Latency Visible(const std::string& url, const Flags& flags) {
  // An idle machine, not one that is still busy with what the batches left behind.
  sync();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  cli::HttpClient client({.server = url, .tenant = "visible"});
  std::vector<double> times;
  for (int i = 0; i < flags.visible; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    auto begun = std::chrono::steady_clock::now();
    Post(client, "/v1/events?wait=folded&wait_ms=10000", Turn(fmt::format("visible-{}", i), 1));
    times.push_back(Seconds(begun) * 1000);
  }
  return {Median(times), Percentile(times, 99)};
}

std::string Measure(const Flags& flags, const std::string& name, const std::vector<std::string>& daemon_flags) {
  std::vector<std::string> words = daemon_flags;
  words.insert(words.end(), {"--log-level", "error"});
  Served served(flags.odometerd, flags.work_dir + "/data", words);
  Latency visible = Visible(served.url(), flags);
  double one = Ingest(served.url(), flags, 1, "one");
  double four = Ingest(served.url(), flags, 4, "four");
  std::cerr << fmt::format("{:<10} {:>12.0f} {:>12.0f} {:>12.2f} {:>12.2f}\n", name, one, four, visible.p50_ms,
                           visible.p99_ms);
  return fmt::format(
      ",\"{}\":{{\"events_per_s_1\":{:.0f},\"events_per_s_4\":{:.0f},\"visible_p50_ms\":{:.2f},\"visible_p99_ms\":{:."
      "2f}}}",
      name, one, four, visible.p50_ms, visible.p99_ms);
}

int Run(const Flags& flags) {
  std::cerr << fmt::format("{:<10} {:>12} {:>12} {:>12} {:>12}\n", "log", "1 client/s", "4 clients/s", "visible p50",
                           "p99 ms");
  std::string json = fmt::format("{{\"bench\":\"ingest\",\"batch_events\":{}", flags.batch_events);
  json += Measure(flags, "fsync", {"--fsync"});
  json += Measure(flags, "written", {"--written"});
  if (flags.kafka) {
    Broker broker((std::filesystem::absolute(flags.work_dir) / "kafka").string(), flags.port);
    json += Measure(flags, "kafka", {"--log", broker.MakeTopic("ingest", 8)});
  }
  std::cout << json << "}\n";
  return 0;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("posting events over HTTP, and when they are seen");
  app.add_option("--odometerd", flags.odometerd)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  app.add_option("--batches", flags.batches, "Of each client")->capture_default_str();
  app.add_option("--batch-events", flags.batch_events)->capture_default_str();
  app.add_option("--visible", flags.visible, "Single events whose way to a view is timed")->capture_default_str();
  app.add_option("--port", flags.port, "Of the broker that it starts")->capture_default_str();
  app.add_flag("!--no-kafka", flags.kafka, "Only the embedded log");
  CLI11_PARSE(app, argc, argv);
  int code = odometer::Run(flags);
  std::filesystem::remove_all(flags.work_dir);
  return code;
}
