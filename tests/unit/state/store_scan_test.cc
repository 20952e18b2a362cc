#include <gtest/gtest.h>

#include <map>

#include "state/store.h"
#include "tests/support/random.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

using Rows = std::map<std::string, std::string>;
using Listed = std::vector<std::pair<std::string, std::string>>;

// Names that begin with each other, are empty, and end in bytes after which no byte comes.
constexpr std::string_view kNames[] = {"", "a", "ann", "anna", "b\xff", "b\xff\xff", "user-0000017"};
constexpr RowKind kKinds[] = {RowKind::kDay,     RowKind::kProjectUser,  RowKind::kSubscription,
                              RowKind::kPeriod,  RowKind::kSession,      RowKind::kSessionPostings,
                              RowKind::kAccount, RowKind::kUserPostings, RowKind::kTenant};

class ScannedStore {
 public:
  explicit ScannedStore(uint64_t seed) : random_(seed) { Open(); }

  // A few rows are put, some are removed; every few commits the store is opened anew, and so has one run more.
  void Commit() {
    if (random_.Below(6) == 0) Open();
    RowBatch batch;
    std::map<std::string, std::optional<std::string>> changes;
    for (uint64_t i = random_.Below(12) + 1; i > 0; --i) {
      changes[RandomKey()] = random_.Below(4) == 0 ? std::nullopt : std::optional(std::to_string(random_.Next()));
    }
    for (const auto& [key, value] : changes) {
      value ? batch.Put(key, *value) : batch.Delete(key);
      value ? void(rows_[key] = *value) : void(rows_.erase(key));
    }
    MetaRow meta = store_->meta();
    ++meta.cursor;
    ASSERT_TRUE(store_->Commit(batch, meta).ok());
  }

  void ScanSomewhere() {
    std::string begin = RandomBound(), end = RandomBound();
    switch (random_.Below(3)) {
      case 0:
        end = PrefixEnd(begin);
        break;
      case 1:
        if (size_t size = UserPrefixSize(begin)) end = PrefixEnd(begin.substr(0, size));
        break;
      default:
        if (end < begin) std::swap(begin, end);
    }
    if (begin.empty() || end <= begin) return;
    Listed expected(rows_.lower_bound(begin), rows_.lower_bound(end)), listed, listed_back;
    std::shared_ptr<const View> view = store_->NewView();
    ASSERT_TRUE(view->Scan(begin, end, AddTo(&listed)).ok());
    ASSERT_TRUE(view->ScanBack(begin, end, AddTo(&listed_back)).ok());
    ASSERT_EQ(listed, expected);
    ASSERT_EQ(listed_back, Listed(expected.rbegin(), expected.rend()));
    rows_scanned_ += expected.size();
  }
  size_t rows_scanned() const { return rows_scanned_; }

 private:
  void Open() {
    store_.reset();
    store_ = disk_.Open();
  }
  std::string_view RandomName() { return kNames[random_.Below(std::size(kNames))]; }
  std::string RandomKey() {
    KeyBuilder key;
    key.Begin(kKinds[random_.Below(std::size(kKinds))]).Text(RandomName()).Text(RandomName());
    if (random_.Below(4) > 0) key.Number(static_cast<int64_t>(random_.Below(5)));
    return key.str();
  }
  // As often as not in the middle of a part.
  std::string RandomBound() {
    std::string key = RandomKey();
    return random_.Below(2) == 0 ? key : key.substr(0, random_.Below(key.size() + 1));
  }
  // Of the store's own row, of the kind that no test row is of, nothing is told.
  static std::function<bool(std::string_view, std::string_view)> AddTo(Listed* listed) {
    return [listed](std::string_view key, std::string_view value) {
      if (key[0] != static_cast<char>(RowKind::kMeta)) listed->emplace_back(key, value);
      return true;
    };
  }

  Random random_;
  MemoryDisk disk_;
  std::unique_ptr<Store> store_;
  Rows rows_;
  size_t rows_scanned_ = 0;
};

TEST(StoreScanProperty, ARangeHoldsWhatWasCommittedWhicheverRunsItIsIn) {
  size_t rows = 0;
  for (uint64_t seed = 1; seed <= (IsFullRun() ? 200 : 20); ++seed) {
    ScannedStore store(seed);
    for (int commit = 0; commit < 40 && !testing::Test::HasFatalFailure(); ++commit) {
      store.Commit();
      for (int i = 0; i < 20; ++i) store.ScanSomewhere();
    }
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    rows += store.rows_scanned();
  }
  EXPECT_GT(rows, 10'000u);
}

TEST(UserPrefix, IsThatOfTheFirstTwoTextsOfKindsThatAUserHasManyOf) {
  KeyBuilder key;
  EXPECT_EQ(UserPrefixSize(key.Begin(RowKind::kDay).Text("acme").Text("ann").Number(7).view()), 1u + 6 + 5);
  EXPECT_EQ(UserPrefixSize(key.Begin(RowKind::kSession).Text("acme").Text("").view()), 1u + 6 + 2);
  EXPECT_EQ(UserPrefixSize(key.Begin(RowKind::kSession).Text("acme").view()), 0u);
  EXPECT_EQ(UserPrefixSize(key.Begin(RowKind::kAccount).Text("acme").Text("ann").view()), 0u);
  EXPECT_EQ(UserPrefixSize(key.Begin(RowKind::kServiceDay).Text("acme").Number(7).Text("chat").view()), 0u);
  EXPECT_EQ(UserPrefixSize(""), 0u);
}

}  // namespace
}  // namespace odometer
