// bench/traffic.h: Traffic, the events that benchmarks fold: turns of many users of 64 tenants, and vector operations
// of their projects where asked for, stamped as an SDK would.
//
//   Traffic traffic({.users = 100'000, .zipf = true});
//   std::string bytes = traffic.Next();     // the next seq of its stream: 393 bytes, or 271 when lean
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/event.h"

namespace odometer {

struct TrafficOptions {
  uint64_t seed = 1;
  uint32_t tenants = 64;
  uint32_t users = 100'000;     // over all tenants
  uint32_t session_turns = 16;  // then the user's next session begins
  bool zipf = true;             // exponent 1; else uniform
  uint32_t vector_percent = 0;  // of the events: operations on vectors, by users as turns are
  bool lean = false;            // turns of ids, model, tokens and cost only: no provider, service, duration, source
  int64_t start_us = 1'700'000'000'000'000;
  int64_t step_us = 50;  // event time between two events
};

// Of all turns that were made.
struct TurnSums {
  int64_t turns = 0, input = 0, output = 0, cost_nano_usd = 0;
};

class Traffic {
 public:
  explicit Traffic(const TrafficOptions& options);
  std::string Next();
  int64_t now_us() const { return now_us_; }
  // Of the last event's tenant.
  uint32_t slot() const { return event_.producer->slot; }
  // Users with at least one turn.
  uint32_t users_seen() const { return users_seen_; }
  const TurnSums& sums() const { return sums_; }

 private:
  uint64_t Random();
  uint32_t PickUser();
  void Stamp(const std::string& tenant);
  std::string NextTurn(uint32_t user);
  std::string NextOperation(uint32_t user);

  TrafficOptions options_;
  uint64_t state_;
  int64_t now_us_;
  std::vector<uint32_t> ladder_;  // users by rank, sampled by 1/rank
  std::vector<std::string> tenants_;
  std::map<uint32_t, uint64_t> next_seq_;  // by slot
  std::vector<uint32_t> turns_;            // by user
  uint32_t users_seen_ = 0;
  TurnSums sums_;
  Event event_;
};

}  // namespace odometer
