#include "core/ids.h"

#include <gtest/gtest.h>

#include "core/time.h"

namespace odometer {
namespace {

// Known answers from an independent implementation (Python's uuid module).
TEST(Uuid, Version5GivesTheKnownAnswers) {
  EXPECT_EQ(Uuid5(kNamespaceDns, "python.org").ToString(), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
  EXPECT_EQ(Uuid5(kNamespaceDns, "my-app").ToString(), "4af0209b-7fe4-57ba-b068-3b47d0855d11");
  EXPECT_EQ(Uuid5(kNamespaceDns, "").ToString(), "4ebd0208-8328-5d69-8c44-ec50939c0967");
  EXPECT_EQ(Uuid5(kNamespaceDns, "na\xc3\xafve \xe2\x82\xac").ToString(), "392f420a-0be7-5b68-93b3-9425ff8d7cf7");
  EXPECT_EQ(Uuid5(kNamespaceDns, std::string(256, 'x')).ToString(), "a491eb35-8dc0-5d53-b93b-b0d32fe7b25b");
}

TEST(Uuid, ADerivedIdGivesTheKnownAnswers) {
  EXPECT_EQ(DerivedId("my-app", "order-17").ToString(), "caf6f33a-5079-59cc-87f7-694aca15745e");
  EXPECT_EQ(DerivedId("", "").ToString(), "394488eb-dc56-5a2a-ac27-70faacadb87f");
}

TEST(Uuid, ADerivedIdDependsOnWhereTheSourceEnds) { EXPECT_NE(DerivedId("ab", "c"), DerivedId("a", "bc")); }

TEST(Uuid, TextComesBackInEitherCase) {
  std::optional<Uuid> lower = Uuid::Parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  ASSERT_TRUE(lower.has_value());
  EXPECT_EQ(*lower, kNamespaceDns);
  EXPECT_EQ(Uuid::Parse("6BA7B810-9DAD-11D1-80B4-00C04FD430C8"), lower);
  EXPECT_EQ(lower->ToString(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
}

TEST(Uuid, AnythingButThe36CharacterFormIsRefused) {
  for (const char* text : {"", "6ba7b810", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c",
                           "6ba7b810-9dad-11d1-80b4-00c04fd430c8 ", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
                           "6ba7b810-9dad-11d1-80b4-00c04fd430cg", "6ba7b810-9dad-11d1-80b4 00c04fd430c8",
                           "6ba7b8109-dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4--0c04fd430c8"}) {
    EXPECT_EQ(Uuid::Parse(text), std::nullopt) << text;
  }
}

TEST(Uuid, OnlyAllZerosIsNil) {
  EXPECT_TRUE(Uuid{}.is_nil());
  EXPECT_FALSE(kNamespaceDns.is_nil());
  Uuid last{};
  last.bytes[15] = 1;
  EXPECT_FALSE(last.is_nil());
}

TEST(Uuid, Version7KeepsItsMillisecondVersionAndVariant) {
  std::array<uint8_t, 10> random;
  random.fill(0xff);
  Uuid id = Uuid7(0x018f'3c5e'7a10 * int64_t{1000} + 999, random);
  EXPECT_EQ(id.ToString(), "018f3c5e-7a10-7fff-bfff-ffffffffffff");
  random.fill(0);
  EXPECT_EQ(Uuid7(0, random).ToString(), "00000000-0000-7000-8000-000000000000");
}

TEST(Uuid, Version7SortsByTime) {
  std::array<uint8_t, 10> high, low;
  high.fill(0xff);
  low.fill(0);
  EXPECT_LT(Uuid7(1'700'000'000'000'000, high), Uuid7(1'700'000'000'001'000, low));
  EXPECT_LT(Uuid7(0, high), Uuid7(kEventTimeLimitUs - 1, low));
}

}  // namespace
}  // namespace odometer
