// lease_spender: a host that spends from one user's lease by many threads, for lease_client_test.py. A line on its
// input makes it say what it has done, as a line of JSON; the end of its input makes it close, say so once more, and
// end.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "odometer/lease_client.h"

namespace odometer {
namespace {

struct Flags {
  std::string server, user = "ann", mode = "deny";
  int threads = 16;
  int64_t pause_us = 5'000;
  LeaseOptions options;
};

struct Tally {
  std::atomic<int64_t> by_how[9] = {};
  std::atomic<int64_t> spent{0}, slowest_us{0};  // spent: of leases
};

void Spend(Lease lease, const Flags& flags, const std::atomic<bool>& is_over, Tally* tally) {
  while (!is_over) {
    auto begun = std::chrono::steady_clock::now();
    LeaseAnswer answer = lease.Spend();
    int64_t took_us =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun).count();
    for (int64_t slowest = tally->slowest_us; took_us > slowest;) {
      if (tally->slowest_us.compare_exchange_weak(slowest, took_us)) break;
    }
    ++tally->by_how[static_cast<size_t>(answer.how)];
    if (answer.allowed && !answer.lease.is_nil()) ++tally->spent;
    std::this_thread::sleep_for(std::chrono::microseconds(flags.pause_us));
  }
}

void Say(const LeaseClient& client, Tally* tally, const Status* closed) {
  LeaseCounters counters = client.counters();
  nlohmann::json said;
  for (int how = 0; how < 9; ++how) said[HowName(static_cast<LeaseAnswer::How>(how))] = tally->by_how[how].load();
  said["spent"] = tally->spent.load();
  said["slowest_ms"] = tally->slowest_us.exchange(0) / 1000;
  said["spent_locally"] = counters.spent_locally;
  said["asked"] = counters.asked;
  said["granted"] = counters.granted;
  said["settled"] = counters.settled;
  said["settled_late"] = counters.settled_late;
  said["settle_given_up"] = counters.settle_given_up;
  said["burned_amount"] = counters.burned_amount;
  said["deadlines_missed"] = counters.deadlines_missed;
  said["last_error"] = client.last_error();
  if (closed != nullptr) said["closed_as"] = closed->ToString();
  std::cout << said.dump() << std::endl;
}

int Run(Flags flags) {
  std::map<std::string, OnUnavailable> modes = {
      {"allow", OnUnavailable::kAllow}, {"deny", OnUnavailable::kDeny}, {"last_known", OnUnavailable::kLastKnown}};
  flags.options.on_unavailable = modes.at(flags.mode);
  flags.options.server = flags.server;
  Result<std::unique_ptr<LeaseClient>> client = LeaseClient::Open(flags.options);
  if (!client.ok()) {
    std::cerr << client.status().ToString() << "\n";
    return 2;
  }
  Result<Lease> lease = (*client)->For({.user = flags.user}, Meter::kRequests);
  std::atomic<bool> is_over{false};
  Tally tally;
  std::vector<std::thread> threads;
  for (int i = 0; i < flags.threads; ++i) threads.emplace_back([&] { Spend(*lease, flags, is_over, &tally); });
  for (std::string line; std::getline(std::cin, line);) Say(**client, &tally, nullptr);
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  Status closed = (*client)->Close();
  Say(**client, &tally, &closed);
  return closed.ok() ? 0 : 1;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("a host that spends from a lease");
  app.add_option("--server", flags.server)->required();
  app.add_option("--user", flags.user);
  app.add_option("--mode", flags.mode);
  app.add_option("--threads", flags.threads);
  app.add_option("--pause-us", flags.pause_us);
  app.add_option("--slice", flags.options.slice);
  app.add_option("--ttl-ms", flags.options.ttl_ms);
  app.add_option("--deadline-ms", flags.options.deadline_ms);
  app.add_option("--request-deadline-ms", flags.options.request_deadline_ms);
  app.add_option("--close-deadline-ms", flags.options.close_deadline_ms);
  CLI11_PARSE(app, argc, argv);
  return odometer::Run(std::move(flags));
}
