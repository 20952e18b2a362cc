// consumers/metrics.h: what the daemon counts, in the Prometheus text format 0.0.4.
//
//   HttpMetrics http;
//   http.CountRequest("/v1/events", "POST", 202, took_us);
//   std::string text = MetricsText(daemon, http);
//
// No label names a tenant, a user or anything else that comes from a caller. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "consumers/daemon.h"

namespace odometer {

class Webhooks;

class HttpMetrics {
 public:
  // route: the path's template, "" for a request that found none.
  void CountRequest(std::string_view route, std::string_view method, int status, int64_t took_us);
  // By ReasonName() or one of ItemError's.
  void CountRefusedEvent(std::string_view reason, uint64_t count = 1);
  void CountAppendError(Code code);
  // Posted events whose time was ahead of this daemon's clock.
  void CountClockAhead(uint64_t count);

  void WriteTo(std::string* text) const;

 private:
  struct Duration {
    uint64_t count = 0;
    uint64_t us = 0;
  };
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::tuple<std::string, std::string, int>, uint64_t, std::less<>> requests_;
  std::map<std::string, Duration, std::less<>> durations_;  // by route
  std::map<std::string, uint64_t> refused_;
  std::map<std::string, uint64_t> append_errors_;
  uint64_t clock_ahead_ = 0;
};

// webhooks: null when there are none.
std::string MetricsText(Daemon& daemon, const HttpMetrics& http, const Webhooks* webhooks);

}  // namespace odometer
