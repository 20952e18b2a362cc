#include "state/text_digest.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace odometer {
namespace {

TEST(TextDigest, OfUpToSixteenBytesIsAllOfTheText) {
  for (size_t size = 0; size <= TextDigest::kWhole; ++size) {
    std::string text(size, 'a');
    EXPECT_EQ(DigestOf(text), DigestOf(std::string(size, 'a')));
    EXPECT_FALSE(DigestOf(text) == DigestOf(text + "a"));
    for (size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'b';
      EXPECT_FALSE(DigestOf(text) == DigestOf(other)) << size << " bytes, another at " << at;
    }
  }
}

TEST(TextDigest, OfALongTextSaysNothingOfItsMiddle) {
  EXPECT_EQ(DigestOf("12345678-left-12345678"), DigestOf("12345678-rite-12345678"));
  EXPECT_FALSE(DigestOf("12345678-left-12345678") == DigestOf("12345678-left-12345679"));
}

TEST(TextDigest, HashesOfNamesThatDifferAtTheirEndsAreSpreadInTheLowBits) {
  std::set<uint64_t> places;
  for (int i = 10; i < 74; ++i) places.insert(DigestOf("tenant-" + std::to_string(i)).Hash() % 1024);
  EXPECT_GT(places.size(), 50u);
}

TEST(IsSameText, SeesEveryByte) {
  for (size_t size = 8; size <= 40; ++size) {
    std::string text(size, 'a'), other = text;
    EXPECT_TRUE(IsSameText(text.data(), other.data(), size));
    for (size_t at = 0; at < size; ++at) {
      other[at] = 'b';
      EXPECT_FALSE(IsSameText(text.data(), other.data(), size)) << size << " bytes, another at " << at;
      other[at] = 'a';
    }
  }
}

}  // namespace
}  // namespace odometer
