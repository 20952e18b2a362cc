#include "state/absent_keys.h"

#include <gtest/gtest.h>

#include <set>

#include "state/tables.h"
#include "tests/support/random.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

std::string KeyOf(std::string_view tenant, uint64_t time, uint64_t rest = 0) {
  Uuid id;
  for (size_t i = 0; i < 8; ++i) {
    id.bytes[i] = static_cast<uint8_t>(time >> (56 - 8 * i));
    id.bytes[8 + i] = static_cast<uint8_t>(rest >> (56 - 8 * i));
  }
  return KeyBuilder().Begin(RowKind::kIdIndex).Text(tenant).Id(id).str();
}

TEST(AbsentKeysTest, NothingIsKnownBeforeItIsLearned) {
  AbsentKeys absent;
  EXPECT_FALSE(absent.Knows(KeyOf("t", 5)));
  EXPECT_FALSE(absent.Knows(""));
}

TEST(AbsentKeysTest, OneMissOf32IsDue) {
  AbsentKeys absent;
  int due = 0;
  for (uint64_t time = 0; time < 320; ++time) due += absent.IsDue(KeyOf("t", time)) ? 1 : 0;
  EXPECT_EQ(due, 10);
}

class AStretchOf10To20 : public testing::Test {
 protected:
  void SetUp() override { absent_.Learn(KeyOf("t", 15), {KeyOf("t", 10), KeyOf("t", 20)}); }
  AbsentKeys absent_;
};

TEST_F(AStretchOf10To20, HoldsWhatIsBetweenAndNotItsEnds) {
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 11)));
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 19)));
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 10, 1)));
  for (uint64_t time : {9, 10, 20, 21}) EXPECT_FALSE(absent_.Knows(KeyOf("t", time))) << time;
}

TEST_F(AStretchOf10To20, SaysNothingOfAnotherTenant) {
  EXPECT_FALSE(absent_.Knows(KeyOf("s", 15)));
  EXPECT_FALSE(absent_.Knows(KeyOf("tt", 15)));
}

TEST_F(AStretchOf10To20, KeepsItsLaterPartWhenAnEarlierKeyIsExcluded) {
  absent_.Exclude(KeyOf("t", 13));
  for (uint64_t time : {11, 12, 13}) EXPECT_FALSE(absent_.Knows(KeyOf("t", time))) << time;
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 14)));
}

TEST_F(AStretchOf10To20, KeepsItsEarlierPartWhenAKeyAfterTheLastAskedForIsExcluded) {
  absent_.Exclude(KeyOf("t", 17));
  for (uint64_t time : {17, 18, 19}) EXPECT_FALSE(absent_.Knows(KeyOf("t", time))) << time;
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 16)));
}

TEST_F(AStretchOf10To20, IsNotChangedByWhatLiesOutsideOrIsOfAnotherTenant) {
  for (const std::string& key : {KeyOf("t", 9), KeyOf("t", 10), KeyOf("t", 20), KeyOf("t", 30), KeyOf("s", 15)}) {
    absent_.Exclude(key);
  }
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 11)));
  EXPECT_TRUE(absent_.Knows(KeyOf("t", 19)));
}

TEST(AbsentKeysTest, NeighboursOfOtherTenantsAreNoEnds) {
  AbsentKeys absent;
  EXPECT_FALSE(absent.IsDue(KeyOf("t", 15)));
  absent.Learn(KeyOf("t", 15), {KeyOf("s", 99), ""});
  EXPECT_TRUE(absent.Knows(KeyOf("t", 0)));
  EXPECT_TRUE(absent.Knows(KeyOf("t", UINT64_MAX, UINT64_MAX)));
}

// Rows by time, out of order by a little and from anywhere, of several tenants, committed, given up and taken out at
// random, in a store that is opened anew: a table finds exactly those that are there.
TEST(AbsentKeysTest, ATableFindsExactlyTheRowsThatThereAre) {
  MemoryDisk disk;
  Random random(7);
  std::set<std::string> there;
  uint64_t time = 1000, found = 0;
  for (int life = 0; life < 4; ++life) {
    std::unique_ptr<Store> store = disk.Open();
    RowTable<IdRow> ids(*store);
    auto commit = [&] {
      RowBatch batch;
      ids.SortDirty();
      ids.WriteTo(&batch);
      MetaRow meta = store->meta();
      ++meta.cursor;
      ASSERT_TRUE(store->Commit(batch, meta).ok());
      ids.MarkClean();
      ids.TakeOutRemoved();
    };
    for (int step = 0; step < 20'000; ++step) {
      std::string tenant(1, static_cast<char>('a' + random.Below(3)));
      uint64_t at = 1000 + random.Below(30'000);
      if (random.Percent(90)) at = random.Percent(80) ? time += random.Below(2) : time - random.Below(200);
      std::string key = KeyOf(tenant, at, random.Below(3));
      Result<RowTable<IdRow>::Node*> node = ids.FindOrMake(key);
      ASSERT_TRUE(node.ok());
      ASSERT_EQ((*node)->made, !there.contains(key)) << step;
      found += (*node)->made ? 0 : 1;
      bool is_made = (*node)->made;
      (*node)->made = false;
      if (is_made && random.Percent(10)) {
        ids.Erase(*node);
      } else if (random.Percent(5)) {
        ids.Remove(*node);
        there.erase(key);
        commit();
      } else {
        ids.MarkDirty(*node);
        there.insert(key);
      }
      if (random.Percent(2)) commit();
      if (random.Percent(1)) ids.Evict(ids.bytes() / (1 + random.Below(4)));
      if (random.Percent(1) && random.Percent(10)) ids.Evict(0);
    }
    commit();
  }
  EXPECT_GT(found, 1000u);
}

}  // namespace
}  // namespace odometer
