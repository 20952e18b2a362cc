#include "state/name_table.h"

#include <gtest/gtest.h>

namespace odometer {
namespace {

TEST(NameTable, TheFirstNamesStandByNameAndLaterOnesGoToOther) {
  NameTable<3> table;
  for (const char* name : {"a", "b", "c", "d", "e", "a", "d"}) table.Slot(name).turns += 1;
  EXPECT_EQ(table.Get("a").turns, 2);
  EXPECT_EQ(table.Get("c").turns, 1);
  EXPECT_EQ(table.names.size(), 3u);
  EXPECT_EQ(table.other.turns, 3);
  EXPECT_EQ(table.Get("d").turns, 3);  // all that can be said of it
}

TEST(NameTable, ANameThatItHasNotSeenCountsNothingWhileThereIsRoom) {
  NameTable<3> table;
  table.Slot("a").tokens = 5;
  EXPECT_EQ(table.Get("b"), NameFigures());
  EXPECT_EQ(table.names.size(), 1u);
}

TEST(NameTable, IsSortedByNameWhateverTheOrderOfUse) {
  ProviderTable table;
  for (const char* name : {"m", "b", "", "\xff"}) table.Slot(name);
  ProviderTable::Order sorted;
  table.Sort(&sorted);
  EXPECT_EQ(sorted[0]->name.view(), "");
  EXPECT_EQ(sorted[1]->name.view(), "b");
  EXPECT_EQ(sorted[2]->name.view(), "m");
  EXPECT_EQ(sorted[3]->name.view(), "\xff");
  EXPECT_EQ(table.names[0].name.view(), "m");
}

TEST(NameTable, NamesOfEveryLengthAreKeptApartAndSurviveACopyAndAMove) {
  ModelTable table;
  for (size_t length = 0; length < 60; ++length)
    table.Slot(std::string(length, 'x')).turns = static_cast<int64_t>(length);
  ModelTable copy = table;
  ModelTable moved = std::move(table);
  copy.Slot("y").turns = 1;
  for (size_t length = 0; length < 60; ++length) {
    EXPECT_EQ(copy.Get(std::string(length, 'x')).turns, static_cast<int64_t>(length));
    EXPECT_EQ(moved.Get(std::string(length, 'x')).turns, static_cast<int64_t>(length));
  }
  EXPECT_EQ(moved.Get("y"), NameFigures());
}

TEST(NameTable, HasRoomForSixtyFourModelsAndSixteenProviders) {
  ModelTable models;
  ProviderTable providers;
  for (int i = 0; i < 100; ++i) {
    models.Slot("m" + std::to_string(i)).turns += 1;
    providers.Slot("p" + std::to_string(i)).turns += 1;
  }
  EXPECT_EQ(models.names.size(), 64u);
  EXPECT_EQ(models.other.turns, 36);
  EXPECT_EQ(providers.names.size(), 16u);
  EXPECT_EQ(providers.other.turns, 84);
}

}  // namespace
}  // namespace odometer
