#include "state/name_ids.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace odometer {
namespace {

TEST(NameIds, ANameHasOneIdAndAnotherNameAnother) {
  NameIds ids;
  std::vector<std::string> names = {"",
                                    std::string(1, '\0'),
                                    "a",
                                    "b",
                                    "ab",
                                    "ba",
                                    "gpt-4o",
                                    "gpt-4o-1",
                                    "gpt-4o-2",
                                    "abcdefgh",
                                    "abcdefghi",
                                    "abcdefghij",
                                    "12345678",
                                    "123456789",
                                    std::string(8, '\0')};
  for (size_t bytes : {15, 16, 17, 31, 32, 33, 200}) {
    // Equal first and last 8 bytes.
    names.push_back("12345678" + std::string(bytes - 8, 'x') + "12345678");
    names.push_back("12345678" + std::string(bytes - 8, 'y') + "12345678");
  }
  std::set<uint32_t> seen;
  for (const std::string& name : names) {
    uint32_t id = ids.Of(name);
    EXPECT_NE(id, NameIds::kNone) << name;
    EXPECT_TRUE(seen.insert(id).second) << name;
    EXPECT_EQ(ids.TextOf(id), name);
  }
  for (const std::string& name : names) EXPECT_EQ(ids.TextOf(ids.Of(name)), name);
}

TEST(NameIds, WithoutRoomANewNameHasNoneAndAKnownOneKeepsItsOwn) {
  NameIds ids;
  uint32_t first = ids.Of("first");
  for (size_t i = 1; i < NameIds::kNamesMax; ++i) EXPECT_NE(ids.Of("name " + std::to_string(i)), NameIds::kNone);
  EXPECT_TRUE(ids.is_full());
  EXPECT_EQ(ids.Of("one too many"), NameIds::kNone);
  EXPECT_EQ(ids.Of("first"), first);
}

TEST(NameIds, AfterClearNoIdOfBeforeIsGivenAgain) {
  NameIds ids;
  std::set<uint32_t> before;
  for (int i = 0; i < 100; ++i) before.insert(ids.Of("name " + std::to_string(i)));
  ids.Clear();
  EXPECT_FALSE(ids.is_full());
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(before.contains(ids.Of("name " + std::to_string(i))));
}

}  // namespace
}  // namespace odometer
