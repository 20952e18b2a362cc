#include "state/codec.h"

#include <gtest/gtest.h>

#include <iostream>

#include "state/dump.h"
#include "tests/unit/state/row_fields.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

const std::vector<RowKind>& AllKinds() {
  static const std::vector<RowKind> kinds = [] {
    std::vector<RowKind> all = LogicalKinds();
    for (RowKind kind : {RowKind::kChain, RowKind::kIdIndex, RowKind::kMeta, RowKind::kQuarantine, RowKind::kStream,
                         RowKind::kProjectMinute, RowKind::kProjectPostings, RowKind::kSessionPostings,
                         RowKind::kUserPostings}) {
      all.push_back(kind);
    }
    return all;
  }();
  return kinds;
}

bool Decodes(RowKind kind, std::string_view bytes, std::string* again) {
  return WithRowOf(kind, [&](auto row) {
    if (!DecodeRow(bytes, &row)) return false;
    *again = EncodeRow(row);
    return true;
  });
}

TEST(Codec, ARowHasTheseBytes) {
  SubscriptionRow row;
  row.subscribed = true;
  row.state_us = 300;
  row.state_id.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  std::string want = std::string("\x01") + "\xd8\x04" + std::string("\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20");
  EXPECT_EQ(EncodeRow(row), want);
}

TEST(Codec, NumbersAtTheirEndsComeBack) {
  for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{63}, int64_t{64}, INT64_MAX, INT64_MIN}) {
    std::string bytes;
    RowWriter(&bytes).Signed(value);
    RowReader reader(bytes);
    EXPECT_EQ(reader.Signed(), value);
    EXPECT_TRUE(reader.done());
  }
}

TEST(Codec, ASmallRowIsSmall) {
  EXPECT_LE(EncodeRow(DayRow()).size(), 40u);
  EXPECT_LE(EncodeRow(AccountRow()).size(), 160u);
}

TEST(Codec, ARowFromNothingIsNoRow) {
  for (RowKind kind : AllKinds()) {
    std::string again;
    EXPECT_FALSE(Decodes(kind, "", &again)) << RowKindName(kind);
  }
}

TEST(Codec, AListOfMoreThanTheBytesHoldIsRefusedWithoutReadingOn) {
  PostingChunk chunk;
  std::string bytes;
  RowWriter(&bytes).Signed(0);
  RowWriter(&bytes).Unsigned(UINT64_MAX);
  EXPECT_FALSE(DecodeRow(bytes, &chunk));
  QuarantineRow row;
  EXPECT_FALSE(DecodeRow(std::string("\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 13), &row));
}

TEST(Codec, MoreNamesThanATableHoldsAreRefused) {
  NameTable<64> table;
  for (int i = 0; i < 17; ++i) table.Slot("p" + std::to_string(i));
  std::string bytes;
  RowWriter(&bytes).Write(table);
  RowReader wide(bytes), narrow(bytes);
  ModelTable models;
  ProviderTable providers;
  wide.Read(models);
  narrow.Read(providers);
  EXPECT_TRUE(wide.done());
  EXPECT_FALSE(narrow.done());
}

TEST(Codec, EqualTablesHaveEqualBytesWhateverTheOrderOfUse) {
  PeriodRow first, second;
  for (const char* name : {"x", "y", "z"}) first.models.Slot(name).turns = name[0];
  for (const char* name : {"z", "x", "y"}) second.models.Slot(name).turns = name[0];
  EXPECT_EQ(EncodeRow(first), EncodeRow(second));
}

class CodecProperty : public testing::Test {
 protected:
  CodecProperty() { std::cout << "seed " << seed_ << "\n"; }
  int runs() const { return IsFullRun() ? 2000 : 60; }
  uint64_t seed_ = SeedFromEnvironment(21);
  Random random_{seed_};
};

TEST_F(CodecProperty, EveryRowComesBackAndNoPieceOfItIsARow) {
  for (RowKind kind : AllKinds()) {
    for (int run = 0; run < runs(); ++run) {
      std::string bytes = RandomRow(kind, random_);
      std::string again;
      ASSERT_TRUE(Decodes(kind, bytes, &again)) << RowKindName(kind) << " seed " << seed_;
      ASSERT_EQ(again, bytes) << RowKindName(kind) << " seed " << seed_;
      ASSERT_FALSE(Decodes(kind, bytes + '\0', &again)) << RowKindName(kind) << " seed " << seed_;
      size_t step = run % 10 == 0 ? 1 : 1 + bytes.size() / 40;
      for (size_t size = 0; size < bytes.size(); size += step) {
        ASSERT_FALSE(Decodes(kind, bytes.substr(0, size), &again))
            << RowKindName(kind) << " cut at " << size << " of " << bytes.size() << ", seed " << seed_;
      }
    }
  }
}

TEST_F(CodecProperty, EveryValueOfARowIsInItsBytes) {
  for (RowKind kind : AllKinds()) {
    for (int run = 0; run < runs() / 10; ++run) {
      std::string bytes = RandomRow(kind, random_);
      ASSERT_TRUE(FieldsOf(kind, bytes, 0).has_value()) << RowKindName(kind);
      for (uint64_t number = CountValues(kind, bytes); number-- > 0;) {
        std::string changed = ChangeValue(kind, bytes, number);
        ASSERT_NE(changed, bytes) << RowKindName(kind) << " value " << number << ", seed " << seed_;
      }
    }
  }
}

// It was: whoever dumped such a row counted hours to the end of int64 and round again, for ever.
TEST(Codec, ARingThatEndsAfterTheLastHourOfAnEventIsNoRow) {
  AccountRow row;
  row.turns_ring.newest_hour = Ring::kHourMax;
  EXPECT_TRUE(DecodeRow(EncodeRow(row), &row));
  row.turns_ring.newest_hour = INT64_MAX;
  EXPECT_FALSE(DecodeRow(EncodeRow(row), &row));
}

TEST_F(CodecProperty, ForeignBytesAreRefusedOrReadButNeverReadBeyond) {
  for (RowKind kind : AllKinds()) {
    for (int run = 0; run < runs(); ++run) {
      std::string bytes = RandomRow(kind, random_);
      if (bytes.empty()) continue;
      for (int changes = 0; changes < 3; ++changes) {
        bytes[random_.Below(bytes.size())] = static_cast<char>(random_.Next());
        // A copy of exactly this size: the sanitizer sees a read past its end.
        std::unique_ptr<char[]> exact(new char[bytes.size()]);
        bytes.copy(exact.get(), bytes.size());
        std::string again;
        if (Decodes(kind, {exact.get(), bytes.size()}, &again)) FieldsOf(kind, bytes, 0);
      }
    }
  }
}

}  // namespace
}  // namespace odometer
