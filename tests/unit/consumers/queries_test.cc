#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <numeric>
#include <thread>

#include "consumers/queries_cursor.h"
#include "consumers/queries_sessions.h"
#include "consumers/queries_system.h"
#include "tests/support/random.h"
#include "tests/unit/consumers/map_view.h"
#include "tests/unit/consumers/query_fixture.h"

namespace odometer {
namespace {

Uuid Id(uint8_t number) {
  Uuid id;
  id.bytes[15] = number;
  return id;
}

KeyBuilder AccountKey(std::string_view tenant, std::string_view user) {
  return KeyBuilder().Begin(RowKind::kAccount).Text(tenant).Text(user);
}
KeyBuilder PeriodKey(std::string_view user, Period period) {
  return KeyBuilder().Begin(RowKind::kPeriod).Text("acme").Text(user).Number(period.month);
}
KeyBuilder SessionKey(std::string_view user, std::string_view session) {
  return KeyBuilder().Begin(RowKind::kSession).Text("acme").Text(user).Text(session);
}
KeyBuilder UserList(std::string_view user) {
  return KeyBuilder().Begin(RowKind::kUserPostings).Text("acme").Text(user);
}

Posting TurnPosting(uint64_t offset, Uuid id, int64_t tokens) {
  return {offset, kNowUs, EventType::kTurnRecorded, 1, id, tokens, tokens * 10};
}
Posting AmendmentPosting(uint64_t offset, Uuid original, int64_t tokens) {
  return {offset, kNowUs, EventType::kTurnAmended, 0, original, tokens, tokens * 10};
}

// --- rates and shares

TEST(Hundredths, RoundsHalfToEven) {
  EXPECT_EQ(Hundredths(1, 3), 3333);
  EXPECT_EQ(Hundredths(2, 3), 6667);
  EXPECT_EQ(Hundredths(1, 20'000), 0);
  EXPECT_EQ(Hundredths(3, 20'000), 2);
  EXPECT_EQ(Hundredths(5, 20'000), 2);
  EXPECT_EQ(Hundredths(7, 7), 10'000);
  EXPECT_EQ(Hundredths(INT64_MAX, INT64_MAX), 10'000);
}

TEST(Hundredths, OfNothingAreUnknown) { EXPECT_EQ(Hundredths(0, 0), std::nullopt); }

TEST(SharesTest, SumToTheWholeWhateverTheWeights) {
  Random random = Seeded();
  for (int round = 0; round < 500; ++round) {
    std::vector<int64_t> weights(1 + random.Below(80));
    for (int64_t& weight : weights)
      weight = random.Percent(20) ? -static_cast<int64_t>(random.Below(50))
                                  : static_cast<int64_t>(random.Next() >> (1 + random.Below(62)));
    std::vector<int64_t> shares = Shares(weights);
    bool any = std::any_of(weights.begin(), weights.end(), [](int64_t weight) { return weight > 0; });
    ASSERT_EQ(std::accumulate(shares.begin(), shares.end(), int64_t{0}), any ? 10'000 : 0);
  }
}

TEST(SharesTest, GiveTheRestToTheLargestRemainders) {
  EXPECT_EQ(Shares({1, 1, 1}), (std::vector<int64_t>{3334, 3333, 3333}));
}

NameCount Named(std::string_view name, int64_t turns, int64_t tokens) { return {{turns, tokens}, NameText(name)}; }

TEST(SharesTest, PutOtherLastAndOnlyWhenItHoldsSomething) {
  std::vector<NameShare> shares = SharesOf({Named("b", 1, 5), Named("a", 3, 0)}, {9, 9});
  ASSERT_EQ(shares.size(), 3u);
  EXPECT_EQ(shares[0].count.name.view(), "a");
  EXPECT_TRUE(shares[2].is_other);
  EXPECT_EQ(SharesOf({Named("b", 1, 5)}, {}).size(), 1u);
}

// --- cursors

TEST(CursorTest, ComesBackAsItWasGiven) {
  Cursor cursor{FilterHash({"turns", "acme", "ann"}), {7, -1, INT64_MAX}, "x\0y"};
  Result<Cursor> back = Cursor::FromToken(cursor.ToToken(), cursor.filter, 3);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->numbers, cursor.numbers);
  EXPECT_EQ(back->text, cursor.text);
}

TEST(CursorTest, IsRefusedWhenAnyCharacterOfItChanges) {
  Cursor cursor{FilterHash({"users"}), {12, 100}, "ann"};
  std::string token = cursor.ToToken();
  for (size_t i = 0; i < token.size(); ++i) {
    for (char c : {'A', 'b', '_', '=', ' '}) {
      std::string damaged = token;
      damaged[i] = c;
      if (damaged == token) continue;
      EXPECT_FALSE(Cursor::FromToken(damaged, cursor.filter, 2).ok()) << i << c;
    }
    EXPECT_FALSE(Cursor::FromToken(token.substr(0, i), cursor.filter, 2).ok());
  }
  EXPECT_FALSE(Cursor::FromToken(token + "A", cursor.filter, 2).ok());
  EXPECT_FALSE(Cursor::FromToken(token, cursor.filter, 3).ok());
}

TEST(CursorTest, IsRefusedByAnotherListing) {
  Cursor cursor{FilterHash({"turns", "acme", "ann"}), {1}, ""};
  EXPECT_FALSE(Cursor::FromToken(cursor.ToToken(), FilterHash({"turns", "acme", "bob"}), 1).ok());
  EXPECT_NE(FilterHash({"a", "bc"}), FilterHash({"ab", "c"}));
}

TEST(Base64, IsThatOfTheStandard) {
  EXPECT_EQ(ToBase64(""), "");
  EXPECT_EQ(ToBase64("f"), "Zg==");
  EXPECT_EQ(ToBase64("fo"), "Zm8=");
  EXPECT_EQ(ToBase64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(ToBase64Url("\xff\xfe"), "__4");
}

// --- turns

TEST(ListTurnsTest, JoinsAnAmendmentThatCameBeforeOrAfterItsTurn) {
  MapView view;
  view.AddPosting(UserList("ann"), AmendmentPosting(3, Id(1), 5));
  view.AddPosting(UserList("ann"), TurnPosting(4, Id(1), 100));
  view.AddPosting(UserList("ann"), AmendmentPosting(9, Id(1), -30));
  Result<TurnList> list = ListTurns(view, "acme", "ann", "", UINT64_MAX);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->entries.size(), 1u);
  EXPECT_EQ(list->entries[0].posting.offset, 4u);
  EXPECT_EQ(list->entries[0].posting.tokens, 75);
  EXPECT_EQ(list->entries[0].posting.cost_nano_usd, 750);
  EXPECT_EQ(list->entries[0].amendments, (std::vector<uint64_t>{3, 9}));
}

TEST(ListTurnsTest, ShowsAnAmendmentWithoutItsTurnAsARowOfItsOwn) {
  MapView view;
  view.AddPosting(UserList("ann"), TurnPosting(4, Id(1), 100));
  view.AddPosting(UserList("ann"), AmendmentPosting(9, Id(2), -30));
  Result<TurnList> list = ListTurns(view, "acme", "ann", "", UINT64_MAX);
  ASSERT_EQ(list->entries.size(), 2u);
  EXPECT_TRUE(list->entries[0].unmatched);
  EXPECT_EQ(list->entries[0].posting.offset, 9u);
  EXPECT_FALSE(list->entries[1].unmatched);
}

TEST(ListTurnsTest, LeavesOutWhatCameAfterItWasPinned) {
  MapView view;
  view.AddPosting(UserList("ann"), TurnPosting(4, Id(1), 100));
  view.AddPosting(UserList("ann"), AmendmentPosting(9, Id(1), -30));
  Result<TurnList> list = ListTurns(view, "acme", "ann", "", 9);
  ASSERT_EQ(list->entries.size(), 1u);
  EXPECT_EQ(list->entries[0].posting.tokens, 100);
}

TEST(ListTurnsTest, KeepsTheSumOfTokensOverManyChunks) {
  Random random = Seeded();
  MapView view;
  int64_t sum = 0;
  for (uint64_t offset = 0; offset < 1000; ++offset) {
    int64_t tokens = random.Between(-50, 1000);
    Uuid id = Id(static_cast<uint8_t>(random.Below(250)));
    bool amends = random.Percent(40);
    Posting posting = amends ? AmendmentPosting(offset, id, tokens) : TurnPosting(offset, id, tokens);
    if (random.Percent(10)) {
      posting.type = EventType::kInteractionRecorded;
    } else {
      sum += tokens;
    }
    view.AddPosting(UserList("ann"), posting);
  }
  Result<TurnList> list = ListTurns(view, "acme", "ann", "", UINT64_MAX);
  ASSERT_TRUE(list.ok());
  int64_t shown = 0;
  for (const TurnEntry& entry : list->entries) shown += entry.posting.tokens;
  EXPECT_EQ(shown, sum);
  for (size_t i = 1; i < list->entries.size(); ++i)
    EXPECT_GT(list->entries[i - 1].posting.offset, list->entries[i].posting.offset);
}

TEST(ListTurnsTest, TakesADamagedChunkForCorrupt) {
  MapView view;
  view.PutBytes(UserList("ann").Number(4), "\xff\xff\xff");
  EXPECT_EQ(ListTurns(view, "acme", "ann", "", UINT64_MAX).status().code(), Code::kCorrupt);
}

TEST(CostliestTurnsTest, AreTheFiveWithTheMostTokens) {
  std::vector<TurnEntry> entries;
  for (uint64_t offset = 20; offset > 0; --offset)
    entries.push_back({TurnPosting(offset, Id(1), static_cast<int64_t>(offset % 7)), false, {}});
  std::vector<TurnEntry> costliest = CostliestTurns(entries, 5);
  ASSERT_EQ(costliest.size(), 5u);
  EXPECT_EQ(costliest[0].posting.offset, 20u);
  EXPECT_EQ(costliest[1].posting.offset, 13u);
  EXPECT_EQ(CostliestTurns({}, 5).size(), 0u);
}

// --- one user

AccountRow Account(int64_t tokens, int64_t success, int64_t failed) {
  AccountRow row;
  row.usage.tokens.output_tokens = tokens;
  row.usage.turns[0] = success;
  row.usage.turns[1] = failed;
  row.usage.requests = success + failed;
  row.last_use_us = kNowUs - tokens;
  return row;
}

TEST(AccountSummaryTest, IsNothingForAUserNeverSeen) {
  MapView view;
  view.Put(AccountKey("other", "ann"), Account(1, 1, 0));
  Result<std::optional<AccountSummary>> summary = ReadAccountSummary(view, "acme", "ann", kNowUs);
  ASSERT_TRUE(summary.ok());
  EXPECT_FALSE(summary->has_value());
}

TEST(AccountSummaryTest, AgesWindowsToNow) {
  MapView view;
  AccountRow row = Account(10, 1, 0);
  row.requests_ring.Add(kNowHour - 25, 3);
  row.requests_ring.Add(kNowHour - 24, 4);
  row.requests_ring.Add(kNowHour - 1, 5);
  view.Put(AccountKey("acme", "ann"), row);
  auto summary = ReadAccountSummary(view, "acme", "ann", kNowUs);
  EXPECT_EQ((*summary)->account.requests_ring.Sum(), 9u);
  EXPECT_EQ((*summary)->account.requests_ring.At(kNowHour), 0u);
  EXPECT_EQ((*summary)->account.requests_ring.newest_hour, kNowHour);
}

TEST(AccountSummaryTest, TakesPeaksFromTheDaysOfTheMonthOnly) {
  MapView view;
  view.Put(AccountKey("acme", "ann"), Account(10, 1, 0));
  auto put_day = [&](int64_t day, int64_t requests, uint32_t hour) {
    DayRow row;
    row.requests = requests;
    row.hours[13] = hour;
    view.Put(KeyBuilder().Begin(RowKind::kDay).Text("acme").Text("ann").Number(day), row);
  };
  Period november = *Period::Parse("2023-11");
  put_day(november.first_day() - 1, 900, 90);
  put_day(november.first_day(), 50, 7);
  put_day(november.first_day() + 29, 40, 9);
  put_day(november.first_day() + 30, 900, 90);
  auto summary = ReadAccountSummary(view, "acme", "ann", kNowUs);
  EXPECT_EQ((*summary)->peaks.requests_per_day, 50);
  EXPECT_EQ((*summary)->peaks.requests_per_hour, 9);
  EXPECT_EQ((*summary)->period, november);
}

TEST(AccountSummaryTest, CountsASessionAsActiveForThirtyMinutes) {
  MapView view;
  view.Put(AccountKey("acme", "ann"), Account(10, 1, 0));
  auto put = [&](const char* name, int64_t last_us, bool ended, int64_t tokens) {
    SessionRow row;
    row.last_us = last_us;
    row.ended = ended;
    row.tokens.output_tokens = tokens;
    view.Put(SessionKey("ann", name), row);
  };
  put("fresh", kNowUs - kSessionActiveUs + 1, false, 1);
  put("stale", kNowUs - kSessionActiveUs, false, 2);
  put("ended", kNowUs, true, 3);
  for (int i = 0; i < 6; ++i) put(("more" + std::to_string(i)).c_str(), 0, true, 10 + i);
  auto summary = ReadAccountSummary(view, "acme", "ann", kNowUs);
  EXPECT_EQ((*summary)->sessions.active, 1);
  ASSERT_EQ((*summary)->sessions.costliest.size(), 5u);
  EXPECT_EQ((*summary)->sessions.costliest[0].session, "more5");
  EXPECT_EQ((*summary)->sessions.costliest[4].session, "more1");
}

TEST(AccountSummaryTest, ListsStandingSubscriptionsOnly) {
  MapView view;
  view.Put(AccountKey("acme", "ann"), Account(10, 1, 0));
  for (const char* name : {"a", "b"}) {
    SubscriptionRow row;
    row.subscribed = name[0] == 'a';
    view.Put(KeyBuilder().Begin(RowKind::kSubscription).Text("acme").Text("ann").Text(name), row);
  }
  auto summary = ReadAccountSummary(view, "acme", "ann", kNowUs);
  EXPECT_EQ((*summary)->subscriptions, std::vector<std::string>{"a"});
}

TEST(ListSessionsTest, PutsTheLatestFirst) {
  MapView view;
  view.Put(AccountKey("acme", "ann"), Account(10, 1, 0));
  for (const auto& [name, last] :
       std::vector<std::pair<std::string, int64_t>>{{"long name", 5}, {"b", 9}, {"a", 9}, {"c", 1}}) {
    SessionRow row;
    row.last_us = last;
    view.Put(SessionKey("ann", name), row);
  }
  auto names = ListSessions(view, "acme", "ann");
  ASSERT_TRUE(names.ok() && names->has_value());
  EXPECT_EQ(**names, (std::vector<std::string>{"a", "b", "long name", "c"}));
  EXPECT_FALSE(ListSessions(view, "acme", "bob")->has_value());
}

// --- all users

class UserTablesTest : public testing::Test {
 protected:
  void Put(const std::string& user, AccountRow row) { view_->Put(AccountKey("acme", user), row); }
  std::shared_ptr<const UserTable> Table() {
    return tables_.Get([&] { return view_; }, "acme").value();
  }
  std::vector<std::string> Names(UserSort sort, bool ascending, std::optional<Period> period = std::nullopt) {
    return tables_.Sorted(*Table(), sort, ascending, period, 1).value()->names;
  }
  // A view of its own, as a commit would make it.
  void Commit() {
    view_ = std::make_shared<MapView>(*view_);
    ++view_->mutable_meta().cursor;
    clock_.Advance(UserTables::kFreshUs);
  }

  ManualClock clock_{kNowUs};
  UserTables tables_{clock_};
  std::shared_ptr<MapView> view_ = std::make_shared<MapView>();
};

TEST_F(UserTablesTest, SortsByEachFigureAndUsersOfEqualOnesByName) {
  Put("ann", Account(10, 1, 1));
  Put("bob", Account(30, 3, 0));
  Put("cy", Account(10, 0, 0));
  EXPECT_EQ(Names(UserSort::kTotalTokens, false), (std::vector<std::string>{"bob", "ann", "cy"}));
  EXPECT_EQ(Names(UserSort::kTotalTokens, true), (std::vector<std::string>{"ann", "cy", "bob"}));
  EXPECT_EQ(Names(UserSort::kSuccessRate, false), (std::vector<std::string>{"bob", "ann", "cy"}));
  EXPECT_EQ(Names(UserSort::kRequests, true), (std::vector<std::string>{"cy", "ann", "bob"}));
  EXPECT_EQ(Names(UserSort::kLastUsed, false), (std::vector<std::string>{"ann", "cy", "bob"}));
  EXPECT_EQ(Names(UserSort::kUser, false), (std::vector<std::string>{"cy", "bob", "ann"}));
}

TEST_F(UserTablesTest, OfAPeriodHoldsWhoHasFiguresInIt) {
  Put("ann", Account(10, 1, 1));
  Put("bob", Account(30, 3, 0));
  PeriodRow row;
  row.usage.requests = 1;
  view_->Put(PeriodKey("ann", Period{640}), row);
  EXPECT_EQ(Names(UserSort::kRequests, false, Period{640}), std::vector<std::string>{"ann"});
  EXPECT_TRUE(Names(UserSort::kRequests, false, Period{641}).empty());
}

TEST_F(UserTablesTest, AreAtMostASecondOld) {
  Put("ann", Account(10, 1, 1));
  auto first = Table();
  view_ = std::make_shared<MapView>(*view_);
  ++view_->mutable_meta().cursor;
  Put("bob", Account(30, 3, 0));
  clock_.Advance(UserTables::kFreshUs - 1);
  EXPECT_EQ(Table(), first);
  clock_.Advance(1);
  EXPECT_EQ(Table()->users.size(), 2u);
}

TEST_F(UserTablesTest, AreReadAnewForACallerWhoHasSeenMore) {
  Put("ann", Account(10, 1, 1));
  auto first = Table();
  view_ = std::make_shared<MapView>(*view_);
  view_->mutable_meta().cursor = 7;
  EXPECT_NE(tables_.Get([&] { return view_; }, "acme", 7).value(), first);
}

TEST_F(UserTablesTest, KeepWhatDidNotChange) {
  Put("ann", Account(10, 1, 1));
  Put("bob", Account(30, 3, 0));
  auto first = Table();
  Commit();
  Put("aa", Account(5, 1, 1));
  Put("bob", Account(40, 3, 0));
  auto second = Table();
  ASSERT_EQ(second->users.size(), 3u);
  EXPECT_EQ(second->users[1], first->users[0]);
  EXPECT_NE(second->users[2], first->users[1]);
  EXPECT_EQ(second->users[2]->keys.total_tokens, 40);
}

TEST_F(UserTablesTest, AreTheSameWhetherAllUsersAreReadOrOnlyThoseThatWereWritten) {
  Random random = Seeded();
  view_->KnowWritten();
  for (int i = 0; i < 200; ++i) Put("u" + std::to_string(random.Below(500)), Account(i, 1, 1));
  for (int commit = 0; commit < 30; ++commit) {
    Commit();
    for (uint64_t i = random.Below(20); i > 0; --i) {
      Put("u" + std::to_string(random.Below(500)), Account(static_cast<int64_t>(random.Below(1000)), 1, 1));
    }
    auto table = Table();
    UserTables fresh(clock_);
    auto all = fresh.Get([&] { return view_; }, "acme").value();
    ASSERT_EQ(table->users.size(), all->users.size());
    for (size_t i = 0; i < all->users.size(); ++i) {
      EXPECT_EQ(table->users[i]->user, all->users[i]->user);
      EXPECT_EQ(table->users[i]->row_hash, all->users[i]->row_hash);
    }
  }
}

TEST_F(UserTablesTest, AreMadeAnewBeforeTheyAreTooOldForWhoAskedLately) {
  Put("ann", Account(10, 1, 1));
  auto first = Table();
  view_ = std::make_shared<MapView>(*view_);
  ++view_->mutable_meta().cursor;
  Put("bob", Account(30, 3, 0));
  EXPECT_EQ(tables_.RenewDue(), UserTables::kRenewUs);
  EXPECT_EQ(Table(), first);
  clock_.Advance(UserTables::kRenewUs);
  EXPECT_EQ(tables_.RenewDue(), UserTables::kRenewUs);
  EXPECT_EQ(Table()->users.size(), 2u);
  EXPECT_EQ(Table()->view->meta().cursor, view_->meta().cursor);
}

TEST_F(UserTablesTest, AreLeftAloneOnceNobodyHasAskedForThemInAWhile) {
  EXPECT_EQ(tables_.RenewDue(), std::nullopt);
  auto first = Table();
  clock_.Advance(UserTables::kAskedForUs - 1);
  EXPECT_TRUE(tables_.RenewDue());
  clock_.Advance(1);
  EXPECT_EQ(tables_.RenewDue(), std::nullopt);
}

TEST_F(UserTablesTest, HoldTheSameListingsWhetherTheyWereRenewedOrAskedFor) {
  Random random = Seeded();
  for (int commit = 0; commit < 20; ++commit) {
    view_ = std::make_shared<MapView>(*view_);
    ++view_->mutable_meta().cursor;
    for (int i = 0; i < 5; ++i) Put("u" + std::to_string(random.Below(50)), Account(random.Between(0, 99), 1, 1));
    UserTables anew(clock_);
    clock_.Advance(UserTables::kRenewUs);
    tables_.RenewDue();
    ASSERT_EQ(Table()->view->meta().cursor, view_->meta().cursor);
    auto expected = anew.Get([&] { return view_; }, "acme").value();
    for (UserSort sort : {UserSort::kCost, UserSort::kTotalTokens, UserSort::kUser}) {
      EXPECT_EQ(Names(sort, false), anew.Sorted(*expected, sort, false, std::nullopt, 1).value()->names);
    }
  }
}

TEST_F(UserTablesTest, MayBeReadByManyWhileTheyAreRenewed) {
  UserTables tables(clock_, [](const auto& before, const auto& table) { PrepareSums(before, table, kNowUs); });
  view_->Put(KeyBuilder().Begin(RowKind::kTenant).Text("acme"), TenantRow());
  for (int user = 0; user < 50; ++user) Put("u" + std::to_string(user), Account(user, 1, 1));
  std::shared_ptr<const View> view = view_;
  std::atomic<int> reading = 3;
  auto read = [&] {
    for (int i = 0; i < 100; ++i) {
      auto table = tables.Get([&] { return view; }, "acme").value();
      auto listing = tables.Sorted(*table, UserSort::kCost, false, std::nullopt, 1).value();
      auto summary = ReadSystemSummary(*table, kNowUs);
      EXPECT_EQ(listing->names.size(), 50u);
      EXPECT_EQ(summary.value()->active_users_this_month, 50);
    }
    --reading;
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  while (reading > 0) {
    clock_.Advance(UserTables::kRenewUs);
    tables.RenewDue();
  }
  for (std::thread& reader : readers) reader.join();
}

TEST_F(UserTablesTest, PinAListingUntilManyOthersWereMade) {
  Put("ann", Account(10, 1, 1));
  auto listing = tables_.Sorted(*Table(), UserSort::kCost, false, std::nullopt, 1).value();
  Commit();
  Put("bob", Account(30, 3, 0));
  EXPECT_EQ(tables_.Find(listing->id, 1), listing);
  EXPECT_EQ(listing->names.size(), 1u);
  EXPECT_EQ(tables_.Find(listing->id, 2), nullptr);
  for (size_t i = 0; i < UserTables::kListingsMax; ++i) tables_.Pin(view_, {"x"}, 1);
  EXPECT_EQ(tables_.Find(listing->id, 1), nullptr);
  EXPECT_EQ(tables_.pinned(), UserTables::kListingsMax);
}

TEST_F(UserTablesTest, ForgetAListingThatNobodyAskedForInAWhile) {
  auto listing = tables_.Pin(view_, {"x"}, 1);
  clock_.Advance(UserTables::kPinnedUs);
  tables_.Pin(view_, {"y"}, 1);
  EXPECT_EQ(tables_.Find(listing->id, 1), nullptr);
}

TEST_F(UserTablesTest, GiveTheSameListingWhileNothingIsFolded) {
  Put("ann", Account(10, 1, 1));
  auto first = tables_.Sorted(*Table(), UserSort::kCost, false, std::nullopt, 1).value();
  clock_.Advance(10 * UserTables::kFreshUs);
  EXPECT_EQ(tables_.Sorted(*Table(), UserSort::kCost, false, std::nullopt, 1).value(), first);
}

TEST_F(UserTablesTest, HoldAsManyTenantsAsTheyMay) {
  for (size_t i = 0; i < UserTables::kTenantsMax * 2; ++i) {
    clock_.Advance(1);
    ASSERT_TRUE(tables_.Get([&] { return view_; }, "t" + std::to_string(i)).ok());
  }
}

TEST_F(UserTablesTest, SumUpToTheSystemSummary) {
  AccountRow ann = Account(10, 1, 1), bob = Account(30, 3, 0);
  ann.requests_ring.Add(kNowHour, 2);
  bob.requests_ring.Add(kNowHour, 1);
  bob.requests_ring.MoveTo(kNowHour);
  bob.turns_ring.Add(kNowHour - 24, 5);
  bob.last_use_us = kNowUs - 2 * kUsPerDay;
  Put("ann", ann);
  Put("bob", bob);
  TenantRow tenant;
  tenant.users = 2;
  view_->Put(KeyBuilder().Begin(RowKind::kTenant).Text("acme"), tenant);
  ServiceDayRow day;
  day.turns = 4;
  int64_t today = DayOf(FoldTime{kNowUs});
  for (const char* model : {"m", "n"}) {
    view_->Put(
        KeyBuilder().Begin(RowKind::kServiceDay).Text("acme").Number(today - 29).Text("chat").Text("").Text(model),
        day);
  }
  view_->Put(KeyBuilder().Begin(RowKind::kServiceDay).Text("acme").Number(today - 30).Text("chat").Text("").Text("m"),
             day);
  SessionRow session;
  session.last_us = kNowUs - 1;
  session.tokens.output_tokens = 10;
  view_->Put(SessionKey("bob", "s"), session);
  view_->AddPosting(UserList("ann"), TurnPosting(4, Id(1), 100));
  auto summary = ReadSystemSummary(*Table(), kNowUs);
  ASSERT_TRUE(summary.ok() && summary->has_value());
  EXPECT_EQ((*summary)->this_hour.requests, 3u);
  EXPECT_EQ((*summary)->last_24h.turns, 5u);
  ASSERT_EQ((*summary)->velocity.size(), 24u);
  EXPECT_EQ((*summary)->velocity[23].hour, kNowHour);
  EXPECT_EQ((*summary)->velocity[23].requests, 3u);
  EXPECT_EQ((*summary)->active_users_last_24h, 1);
  EXPECT_EQ((*summary)->active_users_this_month, 2);
  EXPECT_EQ((*summary)->active_sessions, 1);
  ASSERT_EQ((*summary)->days.size(), 30u);
  EXPECT_EQ((*summary)->days[0].row.turns, 8);
  ASSERT_EQ((*summary)->costliest_sessions.size(), 1u);
  EXPECT_EQ((*summary)->costliest_sessions[0].user, "bob");
  ASSERT_EQ((*summary)->costliest_turns.size(), 1u);
  EXPECT_EQ((*summary)->costliest_turns[0].user, "ann");
}

// What the system summary says of sessions and turns, as text.
std::string CostliestIn(const SystemSummary& summary) {
  std::string text = "active " + std::to_string(summary.active_sessions) + "\n";
  for (const SystemSummary::Session& session : summary.costliest_sessions) {
    text += session.user + " " + session.entry.session + " " + std::to_string(session.entry.row.tokens.total()) + "\n";
  }
  for (const SystemSummary::Turn& turn : summary.costliest_turns) {
    text += turn.user + " " + std::to_string(turn.entry.posting.offset) + " " +
            std::to_string(turn.entry.posting.tokens) + " " + std::to_string(turn.entry.amendments.size()) + "\n";
  }
  return text;
}

TEST_F(UserTablesTest, KnowTheCostliestOfNowWhateverWasCommittedSinceTheyLookedLast) {
  Random random = Seeded();
  view_->KnowWritten();
  view_->Put(KeyBuilder().Begin(RowKind::kTenant).Text("acme"), TenantRow());
  for (int user = 0; user < 40; ++user) Put("u" + std::to_string(user), Account(user, 1, 1));
  int64_t version = 0;
  for (uint64_t commit = 1; commit <= 150; ++commit) {
    Commit();
    view_->mutable_meta().cursor = (commit + 1) * 100;
    uint64_t users = random.Percent(80) ? random.Below(3) : random.Below(40);
    for (uint64_t i = 0; i < users; ++i) {
      std::string user = "u" + std::to_string(random.Below(8) * random.Below(6));
      Put(user, Account(++version, 1, 1));
      KeyBuilder session = SessionKey(user, "s" + std::to_string(random.Below(12)));
      SessionRow row = RowOrEmpty<SessionRow>(*view_, session).value();
      row.last_us = kNowUs - random.Between(0, 2 * kSessionActiveUs);
      row.ended = random.Percent(20);
      row.tokens.output_tokens += random.Percent(80) ? random.Between(0, 9) : -random.Between(0, 9);
      view_->Put(session, row);
      Uuid id = Id(static_cast<uint8_t>(random.Below(250)));
      uint64_t offset = commit * 100 + i;
      view_->AddPosting(UserList(user), random.Percent(10) ? AmendmentPosting(offset, id, random.Between(-9, 9))
                                                           : TurnPosting(offset, id, random.Between(0, 50)));
    }
    UserTables anew(clock_);
    auto summary = ReadSystemSummary(*Table(), kNowUs);
    auto expected = ReadSystemSummary(*anew.Get([&] { return view_; }, "acme").value(), kNowUs);
    ASSERT_TRUE(summary.ok() && expected.ok());
    ASSERT_EQ(CostliestIn(**summary), CostliestIn(**expected)) << commit;
    int64_t active = 0;
    for (const auto& entry : Table()->users) {
      active += ReadAccountSummary(*view_, "acme", entry->user, kNowUs).value()->sessions.active;
    }
    ASSERT_EQ((*summary)->active_sessions, active);
  }
}

}  // namespace
}  // namespace odometer
