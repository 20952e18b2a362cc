#include "consumers/partition_set.h"

#include <gtest/gtest.h>

namespace odometer {
namespace {

std::vector<uint32_t> Owned(const char* text, uint32_t partitions) {
  std::optional<PartitionSet> set = PartitionSet::Parse(text);
  return set ? set->Of(partitions).value() : std::vector<uint32_t>();
}

TEST(PartitionSet, WithoutAWordIsAllHoweverManyThereAre) {
  EXPECT_EQ(PartitionSet().Of(3).value(), (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(Owned("all", 1), (std::vector<uint32_t>{0}));
}

TEST(PartitionSet, TakesNumbersAndRangesInAnyOrder) {
  EXPECT_EQ(Owned("3", 4), (std::vector<uint32_t>{3}));
  EXPECT_EQ(Owned("0,2-3", 4), (std::vector<uint32_t>{0, 2, 3}));
  EXPECT_EQ(Owned("6-7,1,3-3", 8), (std::vector<uint32_t>{1, 3, 6, 7}));
  EXPECT_EQ(Owned("0-255", 256).size(), 256u);
}

TEST(PartitionSet, TakesNothingElse) {
  for (const char* text : {"",   ",",    "0,", ",0",  "0,,1", "-",   "1-",    "-1",  "2-1",   "0-1-2",
                           " 0", "0 ,1", "+1", "0x1", "a",    "All", "all,1", "256", "0-256", "99999999999"}) {
    EXPECT_FALSE(PartitionSet::Parse(text)) << text;
  }
}

TEST(PartitionSet, NamesNoPartitionTwice) {
  for (const char* text : {"1,1", "0-2,2", "0-3,1-2"}) EXPECT_FALSE(PartitionSet::Parse(text)) << text;
}

TEST(PartitionSet, OfALogWithFewerSaysWhichAreThere) {
  Status status = PartitionSet::Parse("1,4")->Of(4).status();
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_EQ(status.message(), "partitions names 4, and the log has 4, numbered from 0 to 3");
}

TEST(PartitionSet, IsShownAsItIsParsed) {
  for (const char* text : {"0", "0,2-3", "0-7", "1,3,5-6"}) EXPECT_EQ(ShowPartitions(Owned(text, 8)), text);
}

}  // namespace
}  // namespace odometer
