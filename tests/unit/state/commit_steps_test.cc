// A commit in three steps: what is folded while its rows are being written belongs to the next one, and nothing of what
// is on its way is read from a store that does not have it yet.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/support/random.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

constexpr int64_t kStartUs = 1'701'201'600'000'000;

class CommitStepsTest : public testing::Test {
 protected:
  CommitStepsTest() { std::cout << "seed " << seed_ << "\n"; }

  uint64_t seed_ = SeedFromEnvironment(91);
  Random random_{seed_};
};

TEST_F(CommitStepsTest, WhatIsFoldedWhileRowsAreWrittenIsTheNextCommits) {
  TestPartition partition;
  Projection& projection = partition.projection();
  std::vector<TestRecord> records = RecordsOf({.seed = seed_, .start_us = kStartUs}, 40);
  for (int i = 0; i < 20; ++i) partition.Apply(records[static_cast<size_t>(i)]);
  uint64_t cursor = projection.meta().cursor;
  ASSERT_TRUE(projection.BeginCommit().ok());
  EXPECT_FALSE(projection.changed());
  EXPECT_TRUE(projection.dirty());
  for (int i = 20; i < 40; ++i) partition.Apply(records[static_cast<size_t>(i)]);
  EXPECT_TRUE(projection.changed());
  ASSERT_TRUE(projection.BeginCommit().ok()) << "one is waiting: nothing new is begun";
  EXPECT_EQ(projection.begun_cursor(), cursor);
  EXPECT_LT(partition.store().cursor(), cursor);
  ASSERT_TRUE(projection.WriteCommit().ok());
  EXPECT_EQ(partition.store().cursor(), cursor);
  projection.FinishCommit();
  EXPECT_TRUE(projection.changed()) << "the twenty that came meanwhile";
  ASSERT_TRUE(projection.Commit().ok());
  EXPECT_FALSE(projection.dirty());
  EXPECT_EQ(partition.store().cursor(), cursor + 20);
}

// With no memory for rows, so that each commit evicts what it may, and asks that are gone after 7 days.
TEST_F(CommitStepsTest, WhereverTheStepsFallTheFiguresAreThoseOfOneCommit) {
  int count = IsFullRun() ? 8'000 : 1'500;
  std::vector<TestRecord> records = RecordsOf({.seed = seed_, .start_us = kStartUs}, count);
  TestPartition whole;
  for (const TestRecord& record : records) whole.Apply(record);
  for (uint64_t memory_bytes_max : {uint64_t{0}, uint64_t{1} << 30}) {
    TestPartitionOptions options;
    options.projection.memory_bytes_max = memory_bytes_max;
    TestPartition partition(options);
    Projection& projection = partition.projection();
    bool is_written = false, is_begun = false;
    for (const TestRecord& record : records) {
      partition.Apply(record);
      if (!random_.Percent(20)) continue;
      if (is_written) {
        projection.FinishCommit();
        is_begun = is_written = false;
      } else if (is_begun) {
        ASSERT_TRUE(projection.WriteCommit().ok());
        is_written = true;
      } else {
        ASSERT_TRUE(projection.BeginCommit().ok());
        is_begun = projection.dirty() && !projection.changed();
      }
    }
    if (is_written) projection.FinishCommit();
    EXPECT_EQ(partition.Digest(), whole.Digest()) << "seed " << seed_ << " memory " << memory_bytes_max;
    EXPECT_EQ(partition.Rows().size(), whole.Rows().size()) << "seed " << seed_;
  }
}

}  // namespace
}  // namespace odometer
