// tests/simulation/simulator.h: Simulate, one seed that drives producers, log, fold, store, clock and disk in one
// thread, and holds every committed row against the independent model.
//
//   SimulationResult result = Simulate({.seed = 17});
//   EXPECT_TRUE(result.failure.empty()) << result.failure;    // the same seed gives the same run, byte for byte
//
// A seed chooses the log (in memory, or segments on a file system that tears writes and loses what was not synced),
// batch sizes, memory caps and when to commit; then it appends what Mix makes, folds, commits, kills the process, cuts
// the power, fills the disk, in any order. After every commit the rows touched since the last one are compared field by
// field, and the conservation law is checked; at the end all rows, asks, alerts and postings, and a second fold of the
// log. What the runner appends by itself, such as crossings, the model reads from the log like everything else.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace odometer {

struct SimulationOptions {
  uint64_t seed = 1;
  int records = 240;
};

struct SimulationResult {
  std::string failure;  // empty: everything agreed
  uint64_t records = 0;
  uint64_t commits = 0;
  uint64_t crashes = 0;
  uint64_t power_losses = 0;
  uint64_t refused_appends = 0;
  uint64_t rows_compared = 0;
  std::map<std::string, uint64_t> applied_by_type;
  std::map<std::string, uint64_t> quarantined_by_reason;
  std::map<std::string, uint64_t> asks;       // by how they stand at the end, and by why they were refused
  std::map<std::string, uint64_t> crossings;  // alerts at the end, by window and percentage; "again": not the first
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace odometer
