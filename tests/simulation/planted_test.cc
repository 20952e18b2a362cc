// Each planted bug must be caught by the simulation: tests that pass with a bug in the code are no tests.
#include "core/planted.h"

#include <gtest/gtest.h>

#include <iostream>

#include "tests/simulation/simulator.h"

namespace odometer {
namespace {

constexpr uint64_t kSeedsMax = 200;

class PlantedBugs : public testing::TestWithParam<const char*> {};

TEST_P(PlantedBugs, IsCaught) {
  SetPlantedBug(GetParam());
  std::string caught;
  uint64_t seed = 0;
  while (caught.empty() && seed < kSeedsMax) caught = Simulate({.seed = ++seed}).failure;
  SetPlantedBug("");
  EXPECT_FALSE(caught.empty()) << GetParam() << " was not caught by " << kSeedsMax << " seeds";
  std::cout << "planted " << GetParam() << ": caught with " << seed << " seeds: " << caught.substr(0, caught.find('\n'))
            << "\n";
}

INSTANTIATE_TEST_SUITE_P(
    Simulation, PlantedBugs,
    testing::Values("cursor_before_state", "dedupe_after_fold", "off_by_one_month", "ring_advanced_by_reads",
                    "lost_write_back", "quarantine_lost", "torn_tail_accepted", "posting_lost",
                    "amendment_in_its_own_month", "conflict_is_duplicate", "overflow_wraps", "clock_ahead_trusted",
                    "gauge_clamped", "session_stays_where_first_seen", "high_water_dedupe", "batch_partly_folded",
                    "drop_keeps_vectors", "last_arrival_wins", "gap_forgotten", "misplaced_folded", "expired_hold_kept",
                    "lease_counted_twice", "retry_judged_anew", "cap_off_by_one", "counter_from_zero",
                    "crossed_for_ever", "outbox_never_empty", "crossing_lost_in_crash",
                    "gone_ask_kept", "refusal_not_counted", "owner_without_gauges", "given_up_row_unknown",
                    "missed_for_ever"),
    [](const testing::TestParamInfo<const char*>& info) { return std::string(info.param); });

}  // namespace
}  // namespace odometer
