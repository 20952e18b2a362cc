#include "state/keys.h"

#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "tests/support/random.h"

namespace odometer {
namespace {

using namespace std::string_view_literals;

// Texts that a careless key mixes up.
const std::vector<std::string> kTexts = {"",
                                         "a",
                                         "aa",
                                         "b",
                                         std::string("\0"sv),
                                         std::string("\0\0"sv),
                                         std::string("a\0"sv),
                                         std::string("a\0b"sv),
                                         "\xff",
                                         "\xff\xff",
                                         "a,b",
                                         "a]",
                                         "[",
                                         "%",
                                         "%41",
                                         "account[a,b]",
                                         " ",
                                         std::string(255, 'x'),
                                         std::string(256, 'x'),
                                         std::string(257, '\xff')};

TEST(Keys, APartIsItsLengthAndItsBytes) {
  EXPECT_EQ(KeyBuilder().Begin(RowKind::kAccount).Text("ab").Text("c").str(), "a\0\2ab\0\1c"sv);
}

TEST(Keys, NumbersSortAsNumbers) {
  std::string last;
  for (int64_t number : std::initializer_list<int64_t>{INT64_MIN, -300, -1, 0, 1, 255, 256, INT64_MAX}) {
    std::string key = KeyBuilder().Begin(RowKind::kQuarantine).Number(number).str();
    EXPECT_LT(last, key) << number;
    KeyReader reader(key);
    int64_t back = 0;
    EXPECT_TRUE(reader.Number(&back) && reader.done());
    EXPECT_EQ(back, number);
    last = key;
  }
}

TEST(Keys, AReaderOfAKeyThatIsTooShortSaysSo) {
  std::string key = KeyBuilder().Begin(RowKind::kIdIndex).Text("tenant").Id(Uuid()).str();
  for (size_t size = 0; size < key.size(); ++size) {
    KeyReader reader(std::string_view(key).substr(0, size));
    std::string_view text;
    Uuid id;
    EXPECT_FALSE(reader.Text(&text) && reader.Id(&id)) << size;
    EXPECT_FALSE(NameOf(std::string_view(key).substr(0, size)).has_value()) << size;
  }
  EXPECT_TRUE(NameOf(key).has_value());
  EXPECT_FALSE(NameOf(key + "x").has_value());
  EXPECT_FALSE(NameOf("?").has_value());
}

TEST(Keys, NoTenantsRangeHoldsAKeyOfAnother) {
  for (RowKind kind : LogicalKinds()) {
    for (const std::string& tenant : kTexts) {
      std::string begin = KeyBuilder().Begin(kind).Text(tenant).str();
      std::string end = PrefixEnd(begin);
      for (const std::string& other : kTexts) {
        for (const std::string& user : kTexts) {
          std::string key = KeyBuilder().Begin(kind).Text(other).Text(user).Number(-1).str();
          bool inside = key >= begin && key < end;
          ASSERT_EQ(inside, other == tenant);
        }
      }
    }
  }
}

TEST(Keys, DifferentPartsAreDifferentKeys) {
  std::set<std::string> keys;
  for (const std::string& a : kTexts) {
    for (const std::string& b : kTexts) keys.insert(KeyBuilder().Begin(RowKind::kAccount).Text(a).Text(b).str());
  }
  EXPECT_EQ(keys.size(), kTexts.size() * kTexts.size());
}

TEST(Keys, ThePrefixEndIsTheLeastKeyAboveThePrefix) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff"), "");  // nothing is above it: no end
  EXPECT_EQ(PrefixEnd(""), "");
}

TEST(Keys, ARowHasAPrintableName) {
  EXPECT_EQ(NameOf(KeyBuilder().Begin(RowKind::kAccount).Text("default").Text("ann").str())->text,
            "account[default,ann]");
  EXPECT_EQ(NameOf(KeyBuilder().Begin(RowKind::kDay).Text("t").Text("a,b]\xc3\xbc").Number(-3).str())->text,
            "day[t,a%2Cb%5D%C3%BC,-3]");
  std::optional<RowName> name =
      NameOf(KeyBuilder().Begin(RowKind::kProjectHour).Text("t").Text("p").Number(472266).Text("u").str());
  EXPECT_EQ(name->text, "project_hour[t,p,472266,u]");
  EXPECT_EQ(name->tenant(), "t");
  EXPECT_EQ(name->texts, (std::vector<std::string>{"t", "p", "u"}));
  EXPECT_EQ(name->numbers, std::vector<int64_t>{472266});
  EXPECT_EQ(NameOf(KeyBuilder().Begin(RowKind::kMeta).str())->text, "meta[]");
}

TEST(Keys, WhatIsNoNameHasNoKey) {
  for (std::string_view name :
       {"", "account", "account[t,u", "account t,u]", "account[t]", "account[t,u,v]", "accounts[t,u]", "day[t,u,]",
        "day[t,u,x]", "day[t,u,1x]", "day[t,u,9223372036854775808]", "account[t,%4]", "account[t,%]", "account[t,%zz]",
        "account[t,%4", "meta[]"}) {
    EXPECT_FALSE(KeyOfName(name).has_value()) << name;
  }
}

TEST(Keys, EachKindHasItsClassAndLogicalKindsStandInKeyOrder) {
  char last = 0;
  std::set<std::string> names;
  for (RowKind kind : LogicalKinds()) {
    EXPECT_EQ(ClassOf(kind), RowClass::kLogical);
    EXPECT_LT(last, static_cast<char>(kind));
    last = static_cast<char>(kind);
    EXPECT_TRUE(names.insert(RowKindName(kind)).second);
  }
  EXPECT_EQ(names.size(), 18u);
  EXPECT_EQ(ClassOf(RowKind::kMeta), RowClass::kPositional);
  EXPECT_EQ(ClassOf(RowKind::kUserPostings), RowClass::kDerived);
  EXPECT_EQ(ClassOf(RowKind::kOperational), RowClass::kOperational);
}

// A key of this kind with random parts.
std::string RandomKey(RowKind kind, Random& random) {
  auto text = [&] {
    if (random.Percent(40)) return random.Pick(kTexts);
    std::string bytes;
    for (uint64_t n = random.Below(20); n > 0; --n) bytes += static_cast<char>(random.Next());
    return bytes;
  };
  for (;;) {  // parts until they make a key of that kind
    KeyBuilder key;
    key.Begin(kind);
    for (uint64_t n = 1 + random.Below(5); n > 0; --n) {
      random.Percent(70) ? key.Text(text()) : key.Number(static_cast<int64_t>(random.Next()));
    }
    if (NameOf(key.view())) return key.str();
  }
}

TEST(KeysProperty, ANameStandsForExactlyItsKey) {
  uint64_t seed = SeedFromEnvironment(31);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (RowKind kind : LogicalKinds()) {
    for (int run = 0; run < 200; ++run) {
      std::string key = RandomKey(kind, random);
      std::optional<RowName> name = NameOf(key);
      ASSERT_TRUE(name.has_value());
      ASSERT_EQ(name->kind, kind);
      std::optional<std::string> back = KeyOfName(name->text);
      ASSERT_TRUE(back.has_value()) << name->text;
      ASSERT_EQ(*back, key) << name->text << " seed " << seed;
    }
  }
}

TEST(KeyGoesOn, IsTrueForTheTextsThatFollowAndForNothingElse) {
  std::string key =
      KeyBuilder().Begin(RowKind::kServiceDay).Text("t").Number(7).Text("chat").Text("").Text("m").str();
  size_t from = 1 + 3 + 8;
  EXPECT_TRUE(KeyGoesOn(key, from, {"chat", "", "m"}));
  EXPECT_FALSE(KeyGoesOn(key, from, {"chat", ""}));
  EXPECT_FALSE(KeyGoesOn(key, from, {"chat", "", "m", ""}));
  EXPECT_FALSE(KeyGoesOn(key, from, {"chat", "", "n"}));
  EXPECT_FALSE(KeyGoesOn(key, from, {"cha", "t", "m"}));
  EXPECT_FALSE(KeyGoesOn(key, from, {"chat", "m", ""}));
  EXPECT_FALSE(KeyGoesOn(key, key.size(), {"chat"}));
  EXPECT_TRUE(KeyGoesOn(key, key.size(), {}));
}

}  // namespace
}  // namespace odometer
