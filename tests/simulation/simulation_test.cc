#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/simulation/simulator.h"

namespace odometer {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

// A sanitizer build runs fewer seeds: it looks for what the release build cannot see, not for rare schedules.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

void Add(const SimulationResult& result, SimulationResult* sum) {
  sum->records += result.records;
  sum->commits += result.commits;
  sum->crashes += result.crashes;
  sum->power_losses += result.power_losses;
  sum->refused_appends += result.refused_appends;
  sum->rows_compared += result.rows_compared;
  for (const auto& [type, count] : result.applied_by_type) sum->applied_by_type[type] += count;
  for (const auto& [reason, count] : result.quarantined_by_reason) sum->quarantined_by_reason[reason] += count;
  for (const auto& [what, count] : result.asks) sum->asks[what] += count;
  for (const auto& [what, count] : result.crossings) sum->crossings[what] += count;
}

// Each seed is one thread's; seeds are shared out over the cores. Stops at the first that fails.
SimulationResult RunSeeds(uint64_t first, uint64_t seeds) {
  SimulationResult sum;
  std::mutex mutex;
  std::atomic<uint64_t> next = first;
  auto work = [&] {
    for (uint64_t seed = next++; seed < first + seeds; seed = next++) {
      SimulationResult result = Simulate({.seed = seed});
      std::lock_guard lock(mutex);
      if (!sum.failure.empty()) return;
      if (!result.failure.empty())
        sum.failure = result.failure + "\nagain: ODOMETER_SEED=" + std::to_string(seed) + " ODOMETER_SEEDS=1";
      Add(result, &sum);
      if ((seed - first + 1) % 1000 == 0) std::cout << "seeds " << seed - first + 1 << " of " << seeds << std::endl;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(std::thread::hardware_concurrency(), 1u); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return sum;
}

TEST(Simulation, EverySeedAgreesWithTheModelThroughCrashes) {
  bool full = std::getenv("ODOMETER_FULL") != nullptr;
  uint64_t first = FromEnvironment("ODOMETER_SEED", 1);
  uint64_t seeds = FromEnvironment("ODOMETER_SEEDS", kSanitized ? 60 : full ? 20'000 : 300);
  SimulationResult sum = RunSeeds(first, seeds);
  ASSERT_EQ(sum.failure, "");
  std::cout << "seeds " << seeds << " from " << first << ": records " << sum.records << ", commits " << sum.commits
            << ", kills " << sum.crashes << ", power losses " << sum.power_losses << ", refused appends "
            << sum.refused_appends << ", rows compared " << sum.rows_compared << "\n";
  for (const auto& [type, count] : sum.applied_by_type) {
    std::cout << "  applied " << type << " " << count << "\n";
    EXPECT_GT(count, 0u) << type;
  }
  for (const auto& [reason, count] : sum.quarantined_by_reason)
    std::cout << "  quarantined " << reason << " " << count << "\n";
  for (const auto& [what, count] : sum.asks) std::cout << "  asks " << what << " " << count << "\n";
  for (const auto& [what, count] : sum.crossings) std::cout << "  crossings " << what << " " << count << "\n";
  // A fault that never struck shows nothing.
  EXPECT_GT(sum.crashes, 0u);
  EXPECT_GT(sum.power_losses, 0u);
  EXPECT_GT(sum.refused_appends, 0u);
  // Nor does a cap that is never reached.
  EXPECT_FALSE(sum.crossings.empty());
}

}  // namespace
}  // namespace odometer
