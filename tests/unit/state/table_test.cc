#include "state/table.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>

#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

class TableTest : public testing::Test {
 protected:
  using Table = RowTable<ServiceDayRow>;

  static std::string KeyOf(uint64_t number) {
    KeyBuilder key;
    key.Begin(RowKind::kServiceDay).Text("t").Number(static_cast<int64_t>(number));
    return key.Text("").Text("").Text("").str();
  }
  Table::Node* Make(const std::string& key) {
    Result<Table::Node*> node = table_->FindOrMake(key);
    EXPECT_TRUE(node.ok());
    (*node)->made = false;
    return *node;
  }
  void Commit() {
    RowBatch batch;
    table_->WriteTo(&batch);
    MetaRow meta = store_->meta();
    ++meta.cursor;
    ASSERT_TRUE(store_->Commit(batch, meta).ok());
    table_->MarkClean();
    table_->TakeOutRemoved();
  }

  MemoryDisk disk_;
  std::unique_ptr<Store> store_ = disk_.Open();
  std::unique_ptr<Table> table_ = std::make_unique<Table>(*store_);
};

TEST_F(TableTest, ARowThatIsNowhereIsNotFound) {
  EXPECT_EQ(*table_->Find(KeyOf(1)), nullptr);
  EXPECT_EQ(table_->rows(), 0u);
}

TEST_F(TableTest, AMadeRowSaysSoAndIsWrittenWhenItIsMarked) {
  Table::Node* node = *table_->FindOrMake(KeyOf(1));
  EXPECT_TRUE(node->made);
  EXPECT_FALSE(table_->dirty());
  node->row.turns = 5;
  table_->MarkDirty(node);
  EXPECT_TRUE(table_->dirty());
  Commit();
  EXPECT_FALSE(table_->dirty());
  EXPECT_EQ((**ReadRow<ServiceDayRow>(*store_->NewView(), KeyOf(1))).turns, 5);
}

TEST_F(TableTest, AnErasedRowIsGoneAndItsKeyFree) {
  for (uint64_t i = 0; i < 10; ++i) table_->MarkDirty(Make(KeyOf(i)));
  table_->Erase(*table_->Find(KeyOf(4)));
  EXPECT_EQ(*table_->Find(KeyOf(4)), nullptr);
  EXPECT_EQ(table_->rows(), 9u);
  for (uint64_t i = 0; i < 10; ++i) EXPECT_EQ(*table_->Find(KeyOf(i)) == nullptr, i == 4);
  EXPECT_TRUE((*table_->FindOrMake(KeyOf(4)))->made);
  Commit();
  EXPECT_FALSE(ReadRow<ServiceDayRow>(*store_->NewView(), KeyOf(4))->has_value());
}

TEST_F(TableTest, EvictionGivesUpCleanRowsOnly) {
  for (uint64_t i = 0; i < 100; ++i) table_->MarkDirty(Make(KeyOf(i)));
  Commit();
  table_->MarkDirty(Make(KeyOf(42)));
  Make(KeyOf(42))->row.turns = 7;
  table_->Evict(0);
  EXPECT_EQ(table_->rows(), 1u);
  EXPECT_EQ((*table_->Find(KeyOf(42)))->row.turns, 7);
  EXPECT_EQ((*table_->Find(KeyOf(41)))->row.turns, 0);  // read again from the store
  EXPECT_EQ(table_->rows(), 2u);
}

TEST_F(TableTest, EvictionStopsAtTheCap) {
  for (uint64_t i = 0; i < 100; ++i) table_->MarkDirty(Make(KeyOf(i)));
  Commit();
  size_t cap = table_->bytes() / 2;
  table_->Evict(cap);
  EXPECT_LE(table_->bytes(), cap);
  EXPECT_GT(table_->rows(), 25u);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_NE(*table_->Find(KeyOf(i)), nullptr) << i;
}

TEST_F(TableTest, ARowInUseOutlivesOneThatIsNot) {
  for (uint64_t i = 0; i < 100; ++i) table_->MarkDirty(Make(KeyOf(i)));
  Commit();
  table_->Evict(table_->bytes() - 1);  // the hand has passed all: none counts as used any more
  for (uint64_t i = 90; i < 100; ++i) Make(KeyOf(i));
  size_t one = table_->bytes() / table_->rows();
  table_->Evict(20 * one);
  size_t rows = table_->rows();
  for (uint64_t i = 90; i < 100; ++i) Make(KeyOf(i));
  EXPECT_EQ(table_->rows(), rows) << "a row in use was given up";
}

TEST_F(TableTest, BytesThatAreNoRowAreAnErrorAndLeaveNothingBehind) {
  RowBatch batch;
  batch.Put(KeyOf(1), "x");
  ASSERT_TRUE(store_->Commit(batch, store_->meta()).ok());
  table_ = std::make_unique<Table>(*store_);
  EXPECT_EQ(table_->Find(KeyOf(1)).status().code(), Code::kCorrupt);
  EXPECT_EQ(table_->FindOrMake(KeyOf(1)).status().code(), Code::kCorrupt);
  EXPECT_EQ(table_->rows(), 0u);
}

TEST_F(TableTest, AFigureNearTheEndOfItsRangeIsSeenWhenTheRowIsLoaded) {
  Make(KeyOf(1))->row.cost_nano_usd = kHighFigure + 1;
  Make(KeyOf(2))->row.cost_nano_usd = kHighFigure;
  Make(KeyOf(3))->row.cost_nano_usd = -kHighFigure - 1;
  for (uint64_t i = 1; i <= 3; ++i) table_->MarkDirty(Make(KeyOf(i)));
  Commit();
  table_->Evict(0);
  EXPECT_TRUE((*table_->Find(KeyOf(1)))->high);
  EXPECT_FALSE((*table_->Find(KeyOf(2)))->high);
  EXPECT_TRUE((*table_->Find(KeyOf(3)))->high);
}

TEST_F(TableTest, EveryKindOfHighFigureIsSeenWhenARowIsLoaded) {
  auto is_high = [](const auto& row) {
    HighFinder finder;
    std::decay_t<decltype(row)>::Fields(row, finder);
    return finder.high;
  };
  EXPECT_FALSE(is_high(AccountRow()));
  AccountRow ring;
  ring.turns_ring.Add(100, (1u << 30) + 1);
  EXPECT_TRUE(is_high(ring));
  AccountRow named;
  named.models.Slot("m").tokens = INT64_MAX;
  EXPECT_TRUE(is_high(named));
  AccountRow other;
  other.providers.other.tokens = INT64_MIN;
  EXPECT_TRUE(is_high(other));
  DayRow day;
  day.hours[23] = UINT32_MAX;
  EXPECT_TRUE(is_high(day));
  ProjectRow project;
  project.operations[6].payload_bytes = INT64_MAX;
  EXPECT_TRUE(is_high(project));
  ProjectHourRow cells;
  cells.cells.emplace_back().bytes_delta = INT64_MIN;
  EXPECT_TRUE(is_high(cells));
}

// Of 64 slots, those at the end and the beginning: rows stand behind one another, and round the end.
TEST_F(TableTest, RowsBehindATakenSlotAreFoundWhateverLeavesBeforeThem) {
  Random random(7);
  std::map<uint64_t, uint64_t> hashes;  // of the rows that are there
  for (int step = 0; step < 20'000; ++step) {
    uint64_t number = random.Below(40);
    auto there = hashes.find(number);
    if (there != hashes.end()) {
      table_->Erase(*table_->Find(KeyOf(number), there->second));
      hashes.erase(there);
    } else if (hashes.size() < 24) {
      uint64_t hash = (61 + random.Below(6)) % 64 + 64 * random.Below(3);
      Result<Table::Node*> node = table_->FindOrMake(KeyOf(number), hash);
      ASSERT_TRUE((*node)->made);
      (*node)->made = false;
      (*node)->row.turns = static_cast<int64_t>(number);
      hashes[number] = hash;
    }
    for (auto [there, hash] : hashes) {
      Table::Node* node = *table_->Find(KeyOf(there), hash);
      ASSERT_NE(node, nullptr) << "step " << step << ", row " << there;
      ASSERT_EQ(node->row.turns, static_cast<int64_t>(there));
    }
  }
  EXPECT_EQ(table_->rows(), hashes.size());
}

TEST_F(TableTest, GivingUpALittleAgainAndAgainPassesOverWhatIsUsedBetween) {
  for (uint64_t i = 0; i < 1000; ++i) table_->MarkDirty(Make(KeyOf(i)));
  Commit();
  size_t one = table_->bytes() / 1000;
  table_->Evict(table_->bytes() - 1);  // none counts as used any more
  for (int time = 0; time < 30; ++time) {
    for (uint64_t i = 0; i < 100; ++i) EXPECT_NE(*table_->Find(KeyOf(i)), nullptr);
    table_->Evict(table_->bytes() - 10 * one);
  }
  EXPECT_EQ(table_->rows(), 699u);
  table_->Evict(100 * one);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_NE(table_->Peek(HashOf(KeyOf(i))), nullptr) << i;
}

// Random makes, changes, erasures, commits and evictions: at any time the table says what a plain map says.
TEST_F(TableTest, PropertyIsAMapWhateverIsEvicted) {
  uint64_t seed = SeedFromEnvironment(51);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  std::map<std::string, int64_t> want;
  uint64_t reloads = 0;
  for (int step = 0; step < (IsFullRun() ? 200'000 : 8'000); ++step) {
    std::string key = KeyOf(random.Below(400));
    uint64_t choice = random.Below(100);
    size_t rows_before = table_->rows();
    if (choice < 60) {
      Result<Table::Node*> node = table_->FindOrMake(key);
      ASSERT_TRUE(node.ok());
      ASSERT_EQ((*node)->made, !want.contains(key)) << "seed " << seed << " step " << step;
      if ((*node)->made && random.Percent(20)) {  // a record that is not folded after all
        table_->MarkDirty(*node);
        table_->Erase(*node);
        continue;
      }
      if (!(*node)->made && table_->rows() > rows_before) ++reloads;
      (*node)->made = false;
      (*node)->row.turns += 1;
      want[key] += 1;
      table_->MarkDirty(*node);
    } else if (choice < 95) {
      Result<Table::Node*> node = table_->Find(key);
      ASSERT_TRUE(node.ok());
      ASSERT_EQ(*node != nullptr, want.contains(key)) << "seed " << seed << " step " << step;
      if (*node != nullptr) {
        ASSERT_EQ((*node)->row.turns, want[key]) << "seed " << seed << " step " << step;
      }
    } else if (choice < 98) {
      Commit();
      if (random.Percent(70)) table_->Evict(random.Below(table_->bytes() + 1));
    } else if (choice < 99) {
      table_->Evict(random.Percent(50) ? 0 : random.Below(table_->bytes() + 1));
    } else if (random.Percent(20)) {  // as after a restart
      Commit();
      table_.reset();
      store_.reset();
      store_ = disk_.Open();
      table_ = std::make_unique<Table>(*store_);
    }
  }
  EXPECT_GT(reloads, 100u);
  Commit();
  std::map<std::string, int64_t> stored;
  ASSERT_TRUE(store_->NewView()
                  ->Scan("v", "w",
                         [&](std::string_view key, std::string_view value) {
                           ServiceDayRow row;
                           EXPECT_TRUE(DecodeRow(value, &row));
                           stored[std::string(key)] = row.turns;
                           return true;
                         })
                  .ok());
  EXPECT_EQ(stored, want) << "seed " << seed;
}

}  // namespace
}  // namespace odometer
