// bench check: may this user proceed? From a lease in the host's own process; and asked over HTTP, beside a
// redis-server with a Lua script that checks and counts the same number of keys.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <thread>

#include "bench/broker.h"
#include "bench/closed_loop.h"
#include "bench/die.h"
#include "bench/feeder.h"
#include "bench/measure.h"
#include "bench/redis.h"
#include "bench/served.h"
#include "bench/traffic.h"
#include "consumers/cli/http_client.h"
#include "odometer/lease_client.h"

namespace odometer {
namespace {

struct Flags {
  std::string odometerd = "build/release/bin/odometerd";
  std::string work_dir = "build/bench-check";
  int runs = 5;
  std::vector<int> connections = {1, 50};
  double seconds = 1.0;  // of each connection count of each server, in each run
  int64_t checks = 2'000'000;
  uint32_t users = 1'000'000;  // of whom is asked while turns of theirs are ingested
  double top_s = 20;           // how long it is measured what can be ingested at most
  int port = 29495;            // of the broker that it starts
};

constexpr int kUsers = 1000;

// Grants all that is asked for.
class Granting : public LeaseTransport {
 public:
  Result<LeaseVerdict> Ask(const LeaseAsk&, int64_t) override { return LeaseVerdict{.allowed = true}; }
  Result<LeaseReceipt> Settle(const LeaseReport& report, int64_t) override {
    return LeaseReceipt{LeaseReceipt::State::kSettled, report.spent};
  }
};

// Nanoseconds of a check, by so many threads at one lease.
double LeaseCheck(Lease lease, int threads, int64_t checks) {
  std::atomic<int> ready{0};
  std::atomic<int64_t> denied{0};
  std::vector<std::thread> running;
  std::vector<double> seconds(static_cast<size_t>(threads));
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      ++ready;
      while (ready < threads) {
      }
      auto begun = std::chrono::steady_clock::now();
      int64_t refused = 0;
      for (int64_t i = 0; i < checks; ++i) refused += !lease.Spend().allowed;
      seconds[static_cast<size_t>(t)] = Seconds(begun);
      denied += refused;
    });
  }
  for (std::thread& thread : running) thread.join();
  if (denied > 0) Die("a check was denied");
  return Median(seconds) * 1e9 / static_cast<double>(checks);
}

std::string LeaseRows(const Flags& flags) {
  LeaseOptions options;
  options.on_unavailable = OnUnavailable::kDeny;
  options.slice = LeaseClient::kAmountMax;
  options.ttl_ms = 3'600'000;
  options.deadline_ms = 10'000;
  options.transport = [] { return std::make_unique<Granting>(); };
  Result<std::unique_ptr<LeaseClient>> client = LeaseClient::Open(options);
  Must(client.status());
  Result<Lease> lease = (*client)->For({.user = "ana"}, Meter::kRequests);
  Must(lease.status());
  if (!lease->Spend().allowed) Die("no lease");
  std::map<int, std::vector<double>> times;
  for (int run = 0; run < flags.runs * 2 + 1; ++run) {
    for (int threads : {1, 2}) times[threads].push_back(LeaseCheck(*lease, threads, flags.checks));
  }
  std::string json;
  for (const auto& [threads, each] : times) {
    double least = *std::min_element(each.begin(), each.end()), most = *std::max_element(each.begin(), each.end());
    std::cerr << fmt::format("lease check, {} thread{}: {:.0f} ns ({:.0f} to {:.0f} in {} runs)\n", threads,
                             threads == 1 ? "" : "s", Median(each), least, most, each.size());
    json += fmt::format(",\"lease_check_{}_ns\":{:.1f}", threads, Median(each));
  }
  return json;
}

// --- asked over HTTP, and of Redis

constexpr const char* kScript = R"(
for i = 1, #KEYS do
  if tonumber(redis.call('GET', KEYS[i]) or '0') + 1 > tonumber(ARGV[i]) then return 0 end
end
for i = 1, #KEYS do
  if redis.call('INCR', KEYS[i]) == 1 then redis.call('EXPIRE', KEYS[i], 3600) end
end
return 1)";

constexpr const char* kDefinitions = R"([
{"type":"LimitOverridden","who":"bench","why":"bench","limits":[
  {"meter":"requests","window":"rolling_hour","cap":1000000000},
  {"meter":"requests","window":"day","cap":1000000000}]},
{"type":"QuotaSet","who":"bench","why":"bench","level":"tenant",
  "limits":[{"meter":"operations","window":"rolling_minute","cap":1000000000}]},
{"type":"QuotaSet","who":"bench","why":"bench","level":"project","project":"p",
  "limits":[{"meter":"operations","window":"rolling_minute","cap":1000000000}]},
{"type":"QuotaSet","who":"bench","why":"bench","level":"collection","project":"p","collection":"c",
  "limits":[{"meter":"operations","window":"rolling_minute","cap":1000000000}]}])";

void Define(const std::string& url) {
  cli::HttpClient client({.server = url});
  Result<cli::HttpResponse> response =
      client.Post("/v1/events?wait=folded&wait_ms=10000", kDefinitions, "application/json");
  Must(response.status());
  if (response->body.find("\"applied\":4") == std::string::npos) Die("the limits are not taken: " + response->body);
}

struct Kind {
  std::string name;
  std::function<std::string(int user)> ask;                // the body; nothing is asked without
  std::function<std::vector<std::string>(int user)> keys;  // of Redis
};

const std::vector<Kind>& Kinds() {
  using Keys = std::vector<std::string>;
  static const std::vector<Kind> kinds = {
      {"/version, and PING", nullptr, nullptr},
      {"a user's two limits",
       [](int user) { return fmt::format(R"({{"user":"user-{}","amounts":{{"requests":1}}}})", user); },
       [](int user) {
         return Keys{fmt::format("h:user-{}", user), fmt::format("d:user-{}", user)};
       }},
      {"a quota of three levels",
       [](int user) {
         return fmt::format(R"({{"user":"user-{}","project":"p","collection":"c","amounts":{{"operations":1}}}})",
                            user);
       },
       [](int) {
         return Keys{"m:tenant", "m:p", "m:p:c"};
       }}};
  return kinds;
}

std::vector<std::string> HttpRequests(const Kind& kind) {
  if (!kind.ask) return {"GET /version HTTP/1.1\r\nHost: bench\r\n\r\n"};
  std::vector<std::string> requests;
  for (int user = 0; user < kUsers; ++user) {
    std::string body = kind.ask(user);
    requests.push_back(
        fmt::format("POST /v1/limits/admit HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                    "Content-Length: {}\r\n\r\n{}",
                    body.size(), body));
  }
  return requests;
}

std::vector<std::string> RedisRequests(const Kind& kind, const std::string& script) {
  if (!kind.keys) return {Redis::Command({"PING"})};
  std::vector<std::string> requests;
  for (int user = 0; user < kUsers; ++user) {
    std::vector<std::string> keys = kind.keys(user);
    std::vector<std::string> words = {"EVALSHA", script, std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), keys.size(), "1000000000");
    requests.push_back(Redis::Command(words));
  }
  return requests;
}

AnswerEnd AnswerEndOf(const Kind& kind, bool is_redis) {
  if (is_redis) return kind.keys ? RespOneEnd : RespPongEnd;
  return kind.ask ? HttpAllowedEnd : HttpOkEnd;
}

struct Server {
  std::string name, address;
  bool is_redis = false;
  std::string beside = "";  // the name of the Redis that keeps as much; none keeps what a broker does
};
struct Figures {
  std::vector<double> p50_ms, p99_ms, per_second;
};

std::string Key(const Kind& kind, int connections, const std::string& server) {
  return fmt::format("{}/{}/{}", kind.name, connections, server);
}

// Each after the other, again and again: what the machine does meanwhile befalls all.
std::map<std::string, Figures> MeasureAll(const Flags& flags, const std::vector<Server>& servers,
                                          const std::string& script) {
  std::map<std::string, Figures> figures;
  size_t first = 0;
  for (int run = 0; run <= flags.runs; ++run) {
    for (const Kind& kind : Kinds()) {
      for (int connections : flags.connections) {
        for (const Server& server : servers) {
          std::vector<std::string> requests = server.is_redis ? RedisRequests(kind, script) : HttpRequests(kind);
          LoopResult result = RunClosedLoop(server.address, connections, flags.seconds, requests,
                                            AnswerEndOf(kind, server.is_redis), first);
          if (run == 0) continue;  // for warming up
          Figures& of = figures[Key(kind, connections, server.name)];
          of.p50_ms.push_back(result.p50_ms);
          of.p99_ms.push_back(result.p99_ms);
          of.per_second.push_back(result.per_second);
        }
        first += 137;
      }
    }
  }
  return figures;
}

constexpr const char* kForgetting = "redis, kept nowhere";
constexpr const char* kSyncing = "redis, appendfsync=always";

std::map<std::string, Figures> MeasureEmbedded(const Flags& flags, std::vector<Server>* servers, std::string* version) {
  Redis forgetting(std::filesystem::absolute(flags.work_dir) / "redis", Redis::Kept::kNothing);
  Redis syncing(std::filesystem::absolute(flags.work_dir) / "redis-aof", Redis::Kept::kEachWrite);
  Served written(flags.odometerd, flags.work_dir + "/written", {"--written", "--log-level", "error"});
  Served fsync(flags.odometerd, flags.work_dir + "/fsync", {"--fsync", "--log-level", "error"});
  Define(written.url());
  Define(fsync.url());
  std::string script = forgetting.Load(kScript);
  syncing.Load(kScript);
  *version = forgetting.Version();
  *servers = {{"written", written.url().substr(7), false, kForgetting},
              {kForgetting, forgetting.address(), true},
              {"fsync", fsync.url().substr(7), false, kSyncing},
              {kSyncing, syncing.address(), true}};
  return MeasureAll(flags, *servers, script);
}

// After the others, which no broker should disturb.
std::map<std::string, Figures> MeasureKafka(const Flags& flags, std::vector<Server>* servers) {
  Broker broker((std::filesystem::absolute(flags.work_dir) / "kafka").string(), flags.port);
  Served kafka(flags.odometerd, flags.work_dir + "/on-kafka",
               {"--log", broker.MakeTopic("check", 1), "--log-level", "error"});
  Define(kafka.url());
  *servers = {{"kafka", kafka.url().substr(7)}};
  return MeasureAll(flags, *servers, "");
}

// Prints a row; answers it as JSON.
std::string Row(const Kind& kind, int connections, const Server& server,
                const std::map<std::string, Figures>& figures) {
  const Figures& of = figures.at(Key(kind, connections, server.name));
  double ratio = 0;
  if (!server.beside.empty())
    ratio = Median(of.p50_ms) / Median(figures.at(Key(kind, connections, server.beside)).p50_ms);
  std::cerr << fmt::format("{:<24} {:>5} {:<26} {:>9.3f} {:>9.3f} {:>10.0f} {:>16}\n", kind.name, connections,
                           server.name, Median(of.p50_ms), Median(of.p99_ms), Median(of.per_second),
                           ratio > 0 ? fmt::format("{:.2f} x", ratio) : "");
  return fmt::format(
      R"({{"what":"{}","connections":{},"server":"{}","p50_ms":{:.4f},"p99_ms":{:.4f},"per_s":{:.0f},)"
      R"("p50_ratio":{:.2f}}})",
      kind.name, connections, server.name, Median(of.p50_ms), Median(of.p99_ms), Median(of.per_second), ratio);
}

std::string AdmitRows(const Flags& flags) {
  std::vector<Server> servers, brokers;
  std::string version;
  std::map<std::string, Figures> figures = MeasureEmbedded(flags, &servers, &version);
  figures.merge(MeasureKafka(flags, &brokers));
  servers.insert(servers.end(), brokers.begin(), brokers.end());
  std::cerr << fmt::format("POST /v1/limits/admit beside Redis {} (EVALSHA); medians of {} runs of {} s, in turn\n",
                           version, flags.runs, flags.seconds);
  std::cerr << fmt::format("{:<24} {:>5} {:<26} {:>9} {:>9} {:>10} {:>16}\n", "", "conn.", "", "p50 ms", "p99 ms",
                           "a second", "p50 of Redis'");
  std::string rows;
  for (const Kind& kind : Kinds()) {
    for (int connections : flags.connections) {
      for (const Server& server : servers) rows += (rows.empty() ? "" : ",") + Row(kind, connections, server, figures);
    }
  }
  return fmt::format(",\"redis\":\"{}\",\"rows\":[{}]", version, rows);
}

// --- of a million users, under ingest

constexpr uint32_t kPartitions = 8;
constexpr uint64_t kLagMost = 100'000;

constexpr const char* kUsersLimits = R"([
{"type":"LimitOverridden","who":"bench","why":"bench","limits":[
  {"meter":"requests","window":"rolling_hour","cap":1000000000},
  {"meter":"requests","window":"day","cap":1000000000}]}])";

class Ingest {
 public:
  Ingest(const Flags& flags, const std::string& url)
      : flags_(flags), client_({.server = url}), traffic_(Kind(flags)), feeder_(url, kPartitions) {}

  // Until nearly every user has been there.
  void Fill() {
    while (traffic_.users_seen() < flags_.users / 100 * 99) SendAsFolded(20'000);
    feeder_.Flush();
    WaitUntilFolded(client_, 600);
    std::cerr << fmt::format("{} of {} users seen\n", traffic_.users_seen(), flags_.users);
  }
  // Events a second as fast as they are folded.
  double Top() {
    auto begun = std::chrono::steady_clock::now();
    uint64_t before = feeder_.sent();
    while (Seconds(begun) < flags_.top_s) SendAsFolded(20'000);
    feeder_.Flush();
    WaitUntilFolded(client_, 600);
    return static_cast<double>(feeder_.sent() - before) / Seconds(begun);
  }
  void Hold(double rate, const std::atomic<bool>& over) {
    auto begun = std::chrono::steady_clock::now();
    uint64_t sent = 0;
    while (!over) {
      auto due = static_cast<uint64_t>(Seconds(begun) * rate);
      uint64_t events = std::min<uint64_t>(due - sent, 20'000);
      if (events == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      Send(events);
      sent += events;
    }
    feeder_.Flush();
    held_ = static_cast<double>(sent) / Seconds(begun);
  }
  double held() const { return held_; }
  uint32_t users_seen() const { return traffic_.users_seen(); }

 private:
  static TrafficOptions Kind(const Flags& flags) {
    TrafficOptions options;
    options.users = flags.users;
    options.zipf = false;
    return options;
  }
  // What is sent waits while the fold is far behind.
  void SendAsFolded(uint64_t events) {
    Send(events);
    while (AskMetrics(client_).lag() > kLagMost) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  void Send(uint64_t events) {
    for (uint64_t i = 0; i < events; ++i) {
      std::string event = traffic_.Next();
      feeder_.Add(traffic_.slot() % kPartitions, event);
    }
  }

  const Flags& flags_;
  cli::HttpClient client_;
  Traffic traffic_;
  Feeder feeder_;
  double held_ = 0;
};

// An admit of a user of those that Traffic makes, far apart from one to the next.
std::vector<std::string> RequestsOfUsers(uint32_t users, uint32_t tenants) {
  constexpr uint32_t kRequests = 200'000, kStep = 611'953;
  std::vector<std::string> requests;
  for (uint64_t i = 0; i < std::min(kRequests, users); ++i) {
    auto user = static_cast<uint32_t>(i * kStep % users);
    std::string body = fmt::format(R"({{"user":"user-{:07}","amounts":{{"requests":1}}}})", user);
    requests.push_back(
        fmt::format("POST /v1/limits/admit HTTP/1.1\r\nHost: bench\r\nOdometer-Tenant: tenant-{:02}\r\n"
                    "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                    user % tenants, body.size(), body));
  }
  return requests;
}

std::string IngestRows(const Flags& flags) {
  Served served(
      flags.odometerd, flags.work_dir + "/ingest",
      {"--raw-records", "--written", "--log-level", "error", "--log-partitions", std::to_string(kPartitions)});
  const uint32_t tenants = TrafficOptions().tenants;
  for (uint32_t tenant = 0; tenant < tenants; ++tenant) {
    cli::HttpClient client({.server = served.url(), .tenant = fmt::format("tenant-{:02}", tenant)});
    Must(client.Post("/v1/events?wait=folded&wait_ms=10000", kUsersLimits, "application/json").status());
  }
  Ingest ingest(flags, served.url());
  ingest.Fill();
  double top = ingest.Top();
  std::atomic<bool> over = false;
  std::thread feeding([&] { ingest.Hold(top / 2, over); });
  std::vector<std::string> requests = RequestsOfUsers(flags.users, tenants);
  Figures figures;
  size_t first = 0;
  for (int run = 0; run <= flags.runs; ++run) {
    LoopResult result = RunClosedLoop(served.url().substr(7), 50, 3 * flags.seconds, requests, HttpAllowedEnd, first);
    first = (first + static_cast<size_t>(result.per_second * 3 * flags.seconds)) % requests.size();
    if (run == 0) continue;
    figures.p50_ms.push_back(result.p50_ms);
    figures.p99_ms.push_back(result.p99_ms);
    figures.per_second.push_back(result.per_second);
  }
  over = true;
  feeding.join();
  std::cerr << fmt::format(
      "of {} users ({} seen), {:.0f} events/s ingested beside (top {:.0f}): {:.0f} decisions/s, p50 {:.2f} ms, "
      "p99 {:.2f} ms\n",
      flags.users, ingest.users_seen(), ingest.held(), top, Median(figures.per_second), Median(figures.p50_ms),
      Median(figures.p99_ms));
  return fmt::format(R"(,"under_ingest":{{"users":{},"users_seen":{},"top_events_per_s":{:.0f},"events_per_s":{:.0f},)"
                     R"("decisions_per_s":{:.0f},"p50_ms":{:.3f},"p99_ms":{:.3f}}})",
                     flags.users, ingest.users_seen(), top, ingest.held(), Median(figures.per_second),
                     Median(figures.p50_ms), Median(figures.p99_ms));
}

int Run(const Flags& flags) {
  std::string json = "{\"bench\":\"check\"";
  json += LeaseRows(flags);
  json += AdmitRows(flags);
  if (flags.users > 0) json += IngestRows(flags);
  std::cout << json << "}\n";
  return 0;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("may this user proceed: from a lease, and asked over HTTP beside Redis");
  app.add_option("--odometerd", flags.odometerd)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir, "Removed at the end")->capture_default_str();
  app.add_option("--runs", flags.runs)->capture_default_str();
  app.add_option("--connections", flags.connections, "That ask at once: a row of each")
      ->delimiter(',')
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", flags.seconds, "Of each row in each run")->capture_default_str();
  app.add_option("--checks", flags.checks, "Of a lease, of each thread in each run")->capture_default_str();
  app.add_option("--users", flags.users, "Of whom is asked under ingest; 0: leave that out")->capture_default_str();
  app.add_option("--top-s", flags.top_s, "How long it is measured what can be ingested")->capture_default_str();
  app.add_option("--port", flags.port, "Of the broker that it starts")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  int code = odometer::Run(flags);
  std::filesystem::remove_all(flags.work_dir);
  return code;
}
