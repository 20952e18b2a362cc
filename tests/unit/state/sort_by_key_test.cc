#include "state/sort_by_key.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/random.h"

namespace odometer {
namespace {

void ExpectSorted(std::vector<std::string> keys) {
  std::vector<const std::string*> objects;
  for (const std::string& key : keys) objects.push_back(&key);
  SortByKey(&objects, [](const std::string* key) { return std::string_view(*key); });
  std::vector<std::string> sorted;
  for (const std::string* key : objects) sorted.push_back(*key);
  std::sort(keys.begin(), keys.end());
  ASSERT_EQ(sorted, keys);
}

TEST(SortByKey, OrdersKeysOfEveryLengthThatShareMuchOrNothing) {
  Random random(SeedFromEnvironment(5));
  for (int round = 0; round < 2000; ++round) {
    std::string shared(random.Below(30), 'p');
    std::vector<std::string> keys;
    for (uint64_t n = random.Below(12); n > 0; --n) {
      std::string key = random.Percent(90) ? shared : std::string();
      for (uint64_t length = random.Below(24); length > 0; --length)
        key += random.Percent(80) ? 'a' : static_cast<char>(random.Below(256));
      keys.push_back(std::move(key));
    }
    ExpectSorted(std::move(keys));
  }
}

TEST(SortByKey, AKeyThatEndsStandsBeforeOneThatGoesOnWithZeros) {
  using std::string_literals::operator""s;
  ExpectSorted({"k\0\0"s, "k"s, "k\0"s, "k\1"s, ""s});
}

TEST(SortByKey, BytesAbove127StandBehindTheOthers) { ExpectSorted({"k\xff", "ka", "k\x80", "k\x7f"}); }

}  // namespace
}  // namespace odometer
