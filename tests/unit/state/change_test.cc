#include "state/change.h"

#include <gtest/gtest.h>

#include "state/tables.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

class ChangeTest : public testing::Test {
 protected:
  AccountNode* Account(std::string_view user) {
    return *tables_.accounts.FindOrMake(KeyBuilder().Begin(RowKind::kAccount).Text("t").Text(user).view());
  }
  DayNode* Day(int64_t day) {
    return *tables_.days.FindOrMake(KeyBuilder().Begin(RowKind::kDay).Text("t").Text("u").Number(day).view());
  }
  // One record's worth of turns for a row that is there already.
  AccountNode* Standing(std::string_view user) {
    AccountNode* node = Account(user);
    change_.Begin(false);
    change_.Touch(tables_.accounts, node);
    EXPECT_TRUE(change_.Finish());
    return node;
  }

  MemoryDisk disk_;
  std::unique_ptr<Store> store_ = disk_.Open();
  Tables tables_{*store_};
  Change change_;
};

TEST_F(ChangeTest, WhatFitsIsAddedAndMarkedToBeWritten) {
  AccountNode* node = Account("ann");
  EXPECT_TRUE(node->made);
  change_.Begin(false);
  change_.Touch(tables_.accounts, node);
  change_.Add(node, node->row.events, 2);
  EXPECT_TRUE(change_.Finish());
  EXPECT_EQ(node->row.events, 2);
  EXPECT_FALSE(node->made);
  EXPECT_TRUE(tables_.accounts.dirty());
}

TEST_F(ChangeTest, WhatDoesNotFitLeavesEveryRowAsItWas) {
  AccountNode* ann = Standing("ann");
  ann->row.usage.requests = INT64_MAX;
  ann->row.models.Slot("m").turns = 3;
  std::string before = EncodeRow(ann->row);
  change_.Begin(true);
  change_.Touch(tables_.accounts, ann);
  DayNode* day = Day(5);
  change_.Touch(tables_.days, day);
  change_.Add(day, day->row.requests, 1);
  change_.Add(ann, ann->row.models.Slot("n").turns, 1);
  change_.Touch(tables_.accounts, ann);  // again, by the same record: the first look counts
  change_.Add(ann, ann->row.usage.requests, 1);
  EXPECT_FALSE(change_.Finish());
  EXPECT_EQ(EncodeRow(ann->row), before);
  EXPECT_EQ(tables_.days.rows(), 0u) << "a row made by the record must go with it";
  EXPECT_TRUE(Day(5)->made);
}

TEST_F(ChangeTest, AfterAnOverflowTheNextRecordIsCleanAgain) {
  AccountNode* ann = Standing("ann");
  ann->row.usage.requests = INT64_MAX;
  change_.Begin(true);
  change_.Touch(tables_.accounts, ann);
  change_.Add(ann, ann->row.usage.requests, 1);
  EXPECT_FALSE(change_.Finish());
  change_.Begin(true);
  change_.Touch(tables_.accounts, ann);
  change_.Add(ann, ann->row.events, 1);
  EXPECT_TRUE(change_.Finish());
  EXPECT_EQ(ann->row.events, 1);
  EXPECT_EQ(ann->row.usage.requests, INT64_MAX);
}

TEST_F(ChangeTest, TheSumOfTheFiveTokenBucketsMustFitToo) {
  AccountNode* ann = Standing("ann");
  ann->row.usage.tokens.output_tokens = INT64_MAX - 5;
  for (int64_t input : {6, 5}) {
    change_.Begin(true);
    change_.Touch(tables_.accounts, ann);
    change_.AddTokens(ann, ann->row.usage.tokens, Tokens{.input_uncached = input});
    EXPECT_EQ(change_.Finish(), input == 5) << input;
  }
  EXPECT_EQ(ann->row.usage.tokens.total(), INT64_MAX);
  EXPECT_EQ(ann->row.usage.tokens.input(), 5);
}

TEST_F(ChangeTest, TheSumOfTheFourCostCategoriesMustFitToo) {
  AccountNode* ann = Standing("ann");
  ann->row.usage.cost_api_calls_nano_usd = INT64_MAX;
  change_.Begin(true);
  change_.Touch(tables_.accounts, ann);
  change_.Add(ann, ann->row.usage.cost_db_ops_nano_usd, 1);
  EXPECT_FALSE(change_.Finish());
  EXPECT_EQ(ann->row.usage.cost_nano_usd(), INT64_MAX);
}

// Out of range and back within one record is no overflow: the exact value after it counts.
TEST_F(ChangeTest, ValuesAbove64BitsOnTheWayDoNotWrap) {
  std::string key = KeyBuilder().Begin(RowKind::kProject).Text("t").Text("p").str();
  RowTable<ProjectRow>::Node* node = *tables_.projects.FindOrMake(key);
  change_.Begin(true);
  change_.Touch(tables_.projects, node);
  change_.AddWide(node, node->row.vectors, static_cast<__int128>(INT64_MAX) + 1);
  EXPECT_FALSE(change_.Finish());
  EXPECT_EQ(tables_.projects.rows(), 0u);
}

TEST_F(ChangeTest, AFullBucketOf32BitsIsAnOverflow) {
  AccountNode* ann = Standing("ann");
  ann->row.turns_ring.Add(100, UINT32_MAX);
  DayNode* day = Day(4);
  day->row.hours[7] = UINT32_MAX;
  change_.Begin(true);
  change_.Touch(tables_.accounts, ann);
  change_.AddToRing(ann, ann->row.turns_ring, 100);
  EXPECT_FALSE(change_.Finish());
  EXPECT_EQ(ann->row.turns_ring.At(100), UINT32_MAX);
  change_.Begin(true);
  change_.Touch(tables_.days, day);
  change_.AddCount(day, day->row.hours[7]);
  EXPECT_FALSE(change_.Finish());
}

TEST_F(ChangeTest, AFigureThatGrowsHighMakesItsRowOneToTakeCareOf) {
  AccountNode* ann = Standing("ann");
  for (int64_t more : {kHighFigure, int64_t{1}}) {
    EXPECT_FALSE(ann->high);
    change_.Begin(true);
    change_.Touch(tables_.accounts, ann);
    change_.Add(ann, ann->row.usage.compute_us, more);
    EXPECT_TRUE(change_.Finish());
  }
  EXPECT_TRUE(ann->high);
}

// The largest amounts that are added without a look: the row is seen to be high long before a sum could overflow.
TEST_F(ChangeTest, PlainRecordsMakeARowHighBeforeItsTotalsCanOverflow) {
  AccountNode* ann = Standing("ann");
  constexpr int64_t kMost = int64_t{1} << 50;
  Tokens held{kHighFigure, kHighFigure, kHighFigure, kHighFigure, kHighFigure, 0};
  change_.Begin(true);
  change_.Touch(tables_.accounts, ann);
  change_.AddTokens(ann, ann->row.usage.tokens, held);
  EXPECT_TRUE(change_.Finish());
  int records = 0;
  for (; !ann->high && records < 1000; ++records) {
    change_.Begin(false);
    change_.Touch(tables_.accounts, ann);
    change_.AddTokens(ann, ann->row.usage.tokens, Tokens{kMost, kMost, kMost, kMost, kMost, kMost});
    EXPECT_TRUE(change_.Finish());
  }
  EXPECT_LE(records, 256);
  EXPECT_EQ(ann->row.usage.tokens.total(), 5 * (kHighFigure + records * kMost));
}

}  // namespace
}  // namespace odometer
