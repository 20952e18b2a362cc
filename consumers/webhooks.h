// consumers/webhooks.h: Webhooks, which tells alerts to the addresses that the settings name, each at least once.
//
//   auto webhooks = Webhooks::Open(config.webhooks, daemon, data_dir + "/webhooks", log).value();
//   webhooks->Start();
//   webhooks->Stop();          // what is under way ends within its time-out
//
// One thread an address, one request at a time, in the order of each partition's log. An address that does not take an
// alert is tried again, later each time; after attempts_max the alert is a dead letter, and the next one's turn comes.
// How far each has come is in a file of its own: 2xx first, then the file, so a crash sends again, with the same id.
// Requests are signed as the Standard Webhooks specification says: webhook-id, webhook-timestamp, webhook-signature.
// Thread-safe after Start().
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "consumers/alerts.h"
#include "consumers/config.h"
#include "consumers/daemon.h"

namespace odometer {

struct DeadLetter {
  uint32_t partition = 0;
  uint64_t offset = 0;
  std::string tenant;
  Uuid id;
  int64_t attempts = 0;
  std::string error;  // of the last one
  int64_t gave_up_us = 0;
};

struct WebhookStatus {
  std::string name;
  std::string url;  // scheme, host and port: the rest may be secret
  std::string tenant;
  uint64_t delivered = 0;         // since it was set up
  uint64_t failed = 0;            // attempts, since the daemon started
  int64_t failing_since_us = -1;  // -1: the last attempt worked
  std::string error;              // of the last attempt
  int64_t next_try_us = -1;
  std::map<uint32_t, uint64_t> offsets;  // by partition: where it goes on
  size_t dead_letters = 0;
};

class Webhook;

class Webhooks {
 public:
  using Log = std::function<void(const char* level, const std::string& text)>;
  static constexpr size_t kDeadLettersMax = 1'000;  // of one address; above it the address waits for somebody

  // Reads the secrets. The daemon must outlive it. An address that is new begins with what is crossed from now on.
  static Result<std::unique_ptr<Webhooks>> Open(const std::vector<WebhookConfig>& configs, Daemon& daemon,
                                                const std::string& directory, Log log);
  ~Webhooks();
  void Start();
  void Stop();

  std::vector<WebhookStatus> statuses() const;
  // kNotFound: no address of that name.
  Result<std::vector<DeadLetter>> dead_letters(std::string_view name) const;
  // Those of the ids, all without; answers how many will be tried again, once each.
  Result<size_t> Resend(std::string_view name, const std::vector<Uuid>& ids);

 private:
  Webhooks() = default;
  Webhook* Find(std::string_view name) const;
  std::vector<std::unique_ptr<Webhook>> webhooks_;
};

}  // namespace odometer
