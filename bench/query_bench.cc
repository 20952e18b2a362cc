// bench query: reads of a running odometerd over one kept connection, while turns are ingested: a user's summary (1,000
// users of 100 sessions), the table of 10,000 users by each sort, a project's usage over a million operations.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <thread>

#include "bench/die.h"
#include "bench/feeder.h"
#include "bench/served.h"
#include "bench/traffic.h"
#include "consumers/cli/http_client.h"
#include "core/placement.h"

namespace odometer {
namespace {

struct Flags {
  std::string odometerd = "build/release/bin/odometerd";
  std::string work_dir = "build/bench-query";
  uint32_t users = 1'000;
  uint32_t sessions = 100;
  uint32_t table_users = 10'000;
  uint64_t operations = 1'000'000;
  int reads = 300;
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

constexpr int64_t kStartUs = 1'750'000'000'000'000;

void FeedTurns(const std::string& url, const std::string& tenant, uint32_t users, uint32_t sessions,
               uint32_t partitions) {
  Feeder feeder(url, partitions);
  uint32_t partition = PartitionOf(tenant, partitions);
  uint64_t n = 0;
  for (uint32_t session = 0; session < sessions; ++session) {
    for (uint32_t user = 0; user < users; ++user) {
      std::string name = fmt::format("user-{:05}", user), session_name = fmt::format("session-{:03}", session);
      ++n;
      Event event = Base(tenant, EventType::kTurnRecorded, n, kStartUs + static_cast<int64_t>(n) * 1'000'000);
      event.turn.user = name;
      event.turn.session = session_name;
      event.turn.model_requested = "gpt-4o";
      event.turn.provider = "openai";
      event.turn.tokens.input_uncached = static_cast<int64_t>(n * 7919 % 5000);
      event.turn.tokens.output = static_cast<int64_t>(n * 104729 % 900);
      feeder.Add(partition, Encode(event));
    }
  }
  feeder.Flush();
}

void FeedOperations(const std::string& url, const std::string& tenant, uint64_t operations, uint32_t partitions) {
  Feeder feeder(url, partitions);
  uint32_t partition = PartitionOf(tenant, partitions);
  static constexpr EventType kTypes[] = {EventType::kVectorsAdded, EventType::kVectorsSearched,
                                         EventType::kVectorsUpserted};
  for (uint64_t n = 1; n <= operations; ++n) {
    std::string user = fmt::format("user-{:02}", n % 50);
    Event event = Base(tenant, kTypes[n % 3], n, kStartUs + static_cast<int64_t>(n) * 2'592'000);  // 30 days in all
    event.operation.user = user;
    event.operation.project = "docs";
    event.operation.collection = "main";
    event.operation.requested = 10;
    event.operation.succeeded = 10;
    if (kTypes[n % 3] != EventType::kVectorsSearched) event.operation.vectors_delta = 10;
    event.operation.duration_us = 1500;
    feeder.Add(partition, Encode(event));
  }
  feeder.Flush();
}

struct Latency {
  int64_t p50_us = 0, p99_us = 0, max_us = 0;
};

template <class F>
Latency Measure(cli::HttpClient& client, int reads, F&& path_of) {
  std::vector<int64_t> times;
  for (int i = 0; i < reads; ++i) {
    auto begun = std::chrono::steady_clock::now();
    Result<cli::HttpResponse> response = client.Get(path_of(i));
    times.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun).count());
    if (!response.ok() || response->status != 200)
      Die("a read was answered " + (response.ok()
                                        ? std::to_string(response->status) + " " + response->body.substr(0, 300)
                                        : response.status().ToString()));
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[times.size() * 99 / 100], times.back()};
}

int Run(const Flags& flags) {
  constexpr uint32_t kPartitions = kDefaultPartitions;
  Served served(flags.odometerd, flags.work_dir, {"--raw-records", "--written", "--log-level", "error"});
  std::cerr << "feeding turns and operations\n";
  FeedTurns(served.url(), "summary", flags.users, flags.sessions, kPartitions);
  FeedTurns(served.url(), "table", flags.table_users, 3, kPartitions);
  FeedOperations(served.url(), "vectors", flags.operations, kPartitions);
  cli::HttpClient summary({.server = served.url(), .tenant = "summary"});
  cli::HttpClient table({.server = served.url(), .tenant = "table"});
  cli::HttpClient vectors({.server = served.url(), .tenant = "vectors"});
  WaitUntilFolded(summary, 300);

  std::atomic<bool> stop = false;
  std::atomic<uint64_t> ingested = 0;
  std::thread ingest([&] {
    TrafficOptions options;
    options.tenants = 1;
    options.users = 10'000;
    Traffic traffic(options);
    Feeder feeder(served.url(), kPartitions);
    uint32_t partition = PartitionOf("tenant-00", kPartitions);
    while (!stop) {
      for (int i = 0; i < 500; ++i) feeder.Add(partition, traffic.Next());
      ingested += 500;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  std::vector<std::pair<std::string, Latency>> rows;
  auto begun = std::chrono::steady_clock::now();
  rows.emplace_back("summary", Measure(summary, flags.reads, [&](int i) {
                      return fmt::format("/v1/consumption/summary?user=user-{:05}", i % flags.users);
                    }));
  for (const char* sort : {"total_tokens", "cost", "success_rate", "requests", "last_used", "user"}) {
    rows.emplace_back(fmt::format("users_{}", sort), Measure(table, std::max(flags.reads / 6, 20), [&](int) {
                        return fmt::format("/v1/consumption/users?sort={}&limit=100", sort);
                      }));
  }
  rows.emplace_back("system_summary",
                    Measure(table, flags.reads / 3, [](int) { return std::string("/v1/consumption/system-summary"); }));
  rows.emplace_back("project_usage", Measure(vectors, flags.reads / 3, [](int i) {
                      return fmt::format("/v1/projects/docs/usage?from={}&to={}", kStartUs + i * 7'654'321,
                                         kStartUs + 2'592'000'000'000 - i * 1'234'567);
                    }));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  stop = true;
  ingest.join();
  std::string json = fmt::format(
      "{{\"bench\":\"query\",\"users\":{},\"sessions\":{},\"table_users\":{},\"operations\":{},\"ingest_events_per_s\":"
      "{:.0f}",
      flags.users, flags.sessions, flags.table_users, flags.operations, static_cast<double>(ingested) / seconds);
  std::cerr << fmt::format("{:<20} {:>9} {:>9} {:>9}\n", "read", "p50 us", "p99 us", "max us");
  for (const auto& [name, latency] : rows) {
    std::cerr << fmt::format("{:<20} {:>9} {:>9} {:>9}\n", name, latency.p50_us, latency.p99_us, latency.max_us);
    json += fmt::format(",\"{}\":{{\"p50_us\":{},\"p99_us\":{},\"max_us\":{}}}", name, latency.p50_us, latency.p99_us,
                        latency.max_us);
  }
  std::cout << json << "}\n";
  return 0;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("reads of a running daemon under ingest");
  app.add_option("--odometerd", flags.odometerd)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir)->capture_default_str();
  app.add_option("--users", flags.users)->capture_default_str();
  app.add_option("--sessions", flags.sessions)->capture_default_str();
  app.add_option("--table-users", flags.table_users)->capture_default_str();
  app.add_option("--operations", flags.operations)->capture_default_str();
  app.add_option("--reads", flags.reads)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int code = odometer::Run(flags);
  std::filesystem::remove_all(flags.work_dir);
  return code;
}
