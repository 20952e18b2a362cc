// What two metering systems that came before got wrong, each as a test named after what is right. D… and V… are the
// numbers under which those defects are written down.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "consumers/refold.h"
#include "core/period.h"
#include "core/placement.h"
#include "log/local_log.h"
#include "tests/support/event_maker.h"
#include "tests/unit/log/temp_directory.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

constexpr int64_t kMinute = 60 * kUsPerSecond;
const int64_t kNoon = TimeOf("2024-03-15T12:00:00Z");

std::string AccountKey(std::string_view user) { return KeyBuilder().Begin(RowKind::kAccount).Text("acme").Text(user).str(); }
std::string ProjectKey(std::string_view project) { return KeyBuilder().Begin(RowKind::kProject).Text("acme").Text(project).str(); }
int64_t HourAt(int64_t us) { return HourOf(FoldTime{us}); }
std::string DayName(std::string_view user, int64_t us) {
  return "day[acme," + std::string(user) + "," + std::to_string(DayOf(FoldTime{us})) + "]";
}
std::string PeriodName(std::string_view user, int64_t us) {
  return "period[acme," + std::string(user) + "," + std::to_string(Period::Of(FoldTime{us}).month) + "]";
}

class DefectTest : public testing::Test {
 protected:
  AccountRow Account(std::string_view user) { return partition_.Read<AccountRow>(AccountKey(user)); }
  ProjectRow Project(std::string_view project) { return partition_.Read<ProjectRow>(ProjectKey(project)); }
  // What a reader shows at this time: rings are moved in a copy.
  uint64_t TurnsInTheLast24Hours(std::string_view user, int64_t now_us) {
    return Account(user).turns_ring.AgedTo(HourAt(now_us)).Sum();
  }
  uint64_t RequestsInThisHour(std::string_view user, int64_t now_us) {
    return Account(user).requests_ring.AgedTo(HourAt(now_us)).At(HourAt(now_us));
  }
  Event TokenTurn(int64_t input, int64_t output, int64_t at_us) {
    Event turn = make_.Turn("ann", at_us, "s");
    turn.turn.tokens.input_uncached = input;
    turn.turn.tokens.output = output;
    return turn;
  }

  EventMaker make_{"acme"};
  TestPartition partition_;
};

// --- D1: only one spelling of a failure was counted.

class TokenDefectD1 : public DefectTest {};

TEST_F(TokenDefectD1, FailuresOfEveryKindAreCounted) {
  for (int status = 1; status <= 6; ++status) {
    for (int n = 0; n < status; ++n) {
      Event turn = make_.Turn("ann", kNoon);
      turn.turn.status = static_cast<TurnStatus>(status);
      ASSERT_EQ(partition_.Apply(turn), "applied");
    }
  }
  for (const std::string& row : {std::string("account[acme,ann]"), PeriodName("ann", kNoon), std::string("tenant[acme]")}) {
    EXPECT_EQ(partition_.Get(row, "turns_success"), "1");
    EXPECT_EQ(partition_.Get(row, "turns_failed"), "2");
    EXPECT_EQ(partition_.Get(row, "turns_error"), "3");
    EXPECT_EQ(partition_.Get(row, "turns_cancelled"), "4");
    EXPECT_EQ(partition_.Get(row, "turns_partial"), "5");
    EXPECT_EQ(partition_.Get(row, "turns_timeout"), "6");
    EXPECT_EQ(partition_.Get(row, "requests"), "21");
  }
  EXPECT_EQ(Account("ann").usage.turns_total(), 21);
}

// --- D2: a day's tokens were never cleared once the nightly job ran.

class TokenDefectD2 : public DefectTest {};

TEST_F(TokenDefectD2, ANewDayBeginsAtZeroWithoutAnyJob) {
  ASSERT_EQ(partition_.Apply(TokenTurn(1000, 100, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Tick(kNoon + 12 * kUsPerHour + kMinute)), "applied");
  EXPECT_EQ(partition_.Get(DayName("ann", kNoon), "input_uncached_tokens"), "1000");
  EXPECT_TRUE(partition_.Row(DayName("ann", kNoon + kUsPerDay)).empty()) << "nothing was used on the next day";
  ASSERT_EQ(partition_.Apply(TokenTurn(7, 3, kNoon + kUsPerDay)), "applied");
  EXPECT_EQ(partition_.Get(DayName("ann", kNoon + kUsPerDay), "input_uncached_tokens"), "7");
  EXPECT_EQ(partition_.Get(DayName("ann", kNoon + kUsPerDay), "output_tokens"), "3");
  EXPECT_EQ(partition_.Get(DayName("ann", kNoon), "output_tokens"), "100");
}

// --- D3: the figures of the last 24 hours were counters, not windows.

class TokenDefectD3 : public DefectTest {};

TEST_F(TokenDefectD3, TheLast24HoursAreAWindowThatMovesWithTheClock) {
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon, "s")), "applied");
  EXPECT_EQ(TurnsInTheLast24Hours("ann", kNoon), 1u);
  EXPECT_EQ(TurnsInTheLast24Hours("ann", kNoon + 24 * kUsPerHour), 1u);
  EXPECT_EQ(TurnsInTheLast24Hours("ann", kNoon + 25 * kUsPerHour), 0u) << "and no event of hers came";
  EXPECT_EQ(Account("ann").sessions_ring.AgedTo(HourAt(kNoon + 25 * kUsPerHour)).Sum(), 0u);
  partition_.Restart();
  EXPECT_EQ(TurnsInTheLast24Hours("ann", kNoon + 4 * kUsPerDay), 0u);
  EXPECT_EQ(TurnsInTheLast24Hours("ann", kNoon), 1u);
}

TEST_F(TokenDefectD3, ALookJustAfterMidnightAndAMonthsEndLoseNothingOfTheWindow) {
  int64_t midnight = TimeOf("2024-04-01T00:00:00Z");
  for (int64_t before : {3 * kUsPerHour, 10 * kMinute}) ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight - before)), "applied");
  EXPECT_EQ(TurnsInTheLast24Hours("ann", midnight + kMinute), 2u);
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight + 2 * kMinute)), "applied");
  EXPECT_EQ(TurnsInTheLast24Hours("ann", midnight + 3 * kMinute), 3u);
}

// --- D4: two writers overwrote each other's counts.

class TokenDefectD4 : public testing::Test {
 protected:
  TempDirectory directory_;
};

TEST_F(TokenDefectD4, TwoWritersLoseNothing) {
  constexpr int kTurns = 500;
  ManualClock clock(kNoon);
  std::string path = directory_.path() + "/log";
  ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), clock, path, kTestLogId, 1).ok());
  LocalLog::Options options;
  options.fsync = false;
  std::unique_ptr<LocalLog> log = LocalLog::Open(PosixFileSystem(), clock, path, options).value();
  auto write = [&](uint8_t writer) {
    EventMaker make("acme");
    for (int i = 0; i < kTurns; ++i) {
      Event turn = make.Turn("ann", kNoon);
      turn.id.bytes[15] = writer;
      turn.id.bytes[1] = static_cast<uint8_t>(i / 256);
      turn.id.bytes[2] = static_cast<uint8_t>(i % 256);
      turn.turn.tokens.output = 3;
      std::string bytes = Encode(turn);
      std::string_view view = bytes;
      EXPECT_TRUE(log->partition(0).Append({&view, 1}).ok());
    }
  };
  std::thread first(write, 1), second(write, 2);
  first.join();
  second.join();
  MemoryDisk disk;
  std::unique_ptr<Store> store = disk.Open();
  Projection projection(*store, ProjectionOptions());
  std::unique_ptr<EventReader> reader = log->partition(0).Read(0).value();
  while (reader->next_offset() < log->partition(0).range().end) {
    Result<std::span<const Record>> records = reader->Poll(100, 0);
    ASSERT_TRUE(records.ok() && !records->empty());
    for (const Record& record : *records) ASSERT_TRUE(projection.Apply(record).ok());
  }
  ASSERT_TRUE(projection.Commit().ok());
  AccountRow account = **ReadRow<AccountRow>(*store->NewView(), AccountKey("ann"));
  EXPECT_EQ(account.usage.requests, 2 * kTurns);
  EXPECT_EQ(account.usage.tokens.output_tokens, 2 * kTurns * 3);
  EXPECT_EQ(account.events, 2 * kTurns);
}

TEST_F(TokenDefectD4, ASecondProcessOnTheSameFilesIsRefusedInsteadOfWritingOver) {
  ManualClock clock(kNoon);
  std::string path = directory_.path() + "/log";
  ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), clock, path, kTestLogId, 1).ok());
  std::unique_ptr<LocalLog> log = LocalLog::Open(PosixFileSystem(), clock, path, {}).value();
  EXPECT_EQ(LocalLog::Open(PosixFileSystem(), clock, path, {}).status().code(), Code::kConflict);
  StoreOptions options;
  options.path = directory_.path() + "/store";
  options.log_id = kTestLogId;
  std::unique_ptr<Store> store = Store::Open(options).value();
  EXPECT_EQ(Store::Open(options).status().code(), Code::kConflict);
}

// --- D5: the same fact twice counted twice, and sessions depended on the order.

class TokenDefectD5 : public DefectTest {};

TEST_F(TokenDefectD5, TheSameTurnTwiceCountsOnce) {
  Event minted = make_.Turn("ann", kNoon);
  Event derived = make_.Turn("ann", kNoon);
  derived.id_kind = IdKind::kDerived;
  derived.id = DerivedId("host", "order-1");
  Event stamped = make_.Turn("ann", kNoon);
  make_.Stamp(&stamped, 1);
  for (const Event& turn : {minted, derived, stamped}) {
    EXPECT_EQ(partition_.Apply(turn), "applied");
    EXPECT_EQ(partition_.Apply(turn, kNoon + kUsPerHour), "duplicate");
    partition_.Restart();
    EXPECT_EQ(partition_.Apply(turn, kNoon + 2 * kUsPerHour), "duplicate");
  }
  EXPECT_EQ(partition_.Get("account[acme,ann]", "requests"), "3");
}

TEST_F(TokenDefectD5, TheSameIdWithAnotherContentIsSetAsideAndNotCounted) {
  Event turn = make_.Turn("ann", kNoon);
  ASSERT_EQ(partition_.Apply(turn), "applied");
  turn.turn.tokens.output = 1'000'000;
  EXPECT_EQ(partition_.Apply(turn), "conflict");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "output_tokens"), "0");
}

TEST_F(TokenDefectD5, SessionsAreDistinctWhateverTheOrder) {
  Event start = make_.Session(EventType::kSessionStarted, "ann", "s", kNoon);
  Event again = make_.Session(EventType::kSessionStarted, "ann", "s", kNoon + kMinute);
  Event turn = make_.Turn("ann", kNoon + 2 * kMinute, "s");
  std::vector<Event> events = {start, again, turn};
  std::vector<size_t> order = {0, 1, 2};
  do {
    TestPartition partition;
    for (size_t i : order) ASSERT_EQ(partition.Apply(events[i], kNoon + kUsPerHour), "applied");
    EXPECT_EQ(partition.Get("account[acme,ann]", "sessions"), "1");
    EXPECT_EQ(partition.Get(PeriodName("ann", kNoon), "sessions"), "1");
    EXPECT_EQ(partition.Get(DayName("ann", kNoon), "sessions"), "1");
    EXPECT_EQ(partition.Get("tenant[acme]", "sessions"), "1");
    EXPECT_EQ(partition.Get("account[acme,ann]", "sessions_ring"), std::to_string(HourAt(kNoon)) + "=1");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(TokenDefectD5, ATurnBeforeItsSessionsStartCountsTheSession) {
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon, "s")), "applied");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "sessions"), "1");
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "s", kNoon + kMinute)), "applied");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "sessions"), "1");
}

TEST_F(TokenDefectD5, ASessionUsedAgainAfterHundredDaysIsTheSameSession) {
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon, "s")), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon + 100 * kUsPerDay, "s")), "applied");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "sessions"), "1");
  EXPECT_EQ(partition_.Get(PeriodName("ann", kNoon), "sessions"), "1");
  EXPECT_EQ(partition_.Get(PeriodName("ann", kNoon + 100 * kUsPerDay), "sessions"), "0");
}

// --- D6: the tools that were to repair the figures broke them.

class TokenDefectD6 : public DefectTest {};

TEST_F(TokenDefectD6, AMonthsSessionsAreThatMonthsAndTheLifetimesAreAll) {
  int64_t next_month = kNoon + 31 * kUsPerDay;
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon, "march")), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", next_month, "april")), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", kNoon), "sessions"), "1");
  EXPECT_EQ(partition_.Get(PeriodName("ann", next_month), "sessions"), "1");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "sessions"), "2");
}

TEST_F(TokenDefectD6, WhatChecksTheFiguresNeverChangesThem) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(partition_.Apply(TokenTurn(10, i, kNoon + i * kUsPerDay)), "applied");
  TestPartition other;
  ASSERT_EQ(other.Apply(TokenTurn(11, 5, kNoon)), "applied");
  std::map<std::string, FieldMap> before = partition_.Rows();
  Result<AuditReport> report = CompareStores(*partition_.view(), *other.view(), {});
  ASSERT_TRUE(report.ok());
  EXPECT_GT(report->difference_count, 0u);
  ASSERT_TRUE(CheckConservation(*partition_.view()).ok());
  EXPECT_EQ(partition_.Rows(), before) << "a difference is told, not mended";
}

// --- D7: months ended when a job ran.

class TokenDefectD7 : public DefectTest {};

TEST_F(TokenDefectD7, AMonthEndsAtItsMidnightNotWhenAJobRuns) {
  int64_t midnight = TimeOf("2024-04-01T00:00:00Z");
  for (int64_t at : {midnight - kUsPerHour, midnight - 1}) ASSERT_EQ(partition_.Apply(make_.Turn("ann", at)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight + 5 * kMinute)), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", midnight - 1), "requests"), "2");
  EXPECT_EQ(partition_.Get(PeriodName("ann", midnight), "requests"), "1");
  EXPECT_EQ(partition_.Get(PeriodName("ann", midnight), "first_use_us"), std::to_string(midnight + 5 * kMinute));
}

TEST_F(TokenDefectD7, AnEventThatComesLateStillBelongsToItsMonth) {
  int64_t midnight = TimeOf("2024-04-01T00:00:00Z");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight + 1)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight - 1), midnight + 3 * kUsPerDay), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", midnight - 1), "requests"), "1");
  EXPECT_EQ(partition_.Get(PeriodName("ann", midnight), "requests"), "1");
}

TEST_F(TokenDefectD7, IdleMonthsNeitherHoldNorDelayAnything) {
  int64_t march = TimeOf("2024-03-05T10:00:00Z"), december = TimeOf("2023-12-20T10:00:00Z");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", december)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", march)), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", december), "requests"), "1");
  EXPECT_EQ(partition_.Get(PeriodName("ann", march), "requests"), "1");
  EXPECT_TRUE(partition_.Row(PeriodName("ann", TimeOf("2024-01-15T00:00:00Z"))).empty());
  EXPECT_TRUE(partition_.Row(PeriodName("ann", TimeOf("2024-02-15T00:00:00Z"))).empty());
  // The new month's figure is there at once: last month's use refuses nobody.
  EXPECT_TRUE(partition_.Row(PeriodName("ann", TimeOf("2024-04-01T00:00:01Z"))).empty());
}

// --- D10: money was cut to the unit below, named after another unit, and could overflow.

class TokenDefectD10 : public DefectTest {
 protected:
  Event Priced(int64_t nano_usd, std::string_view user = "ann") {
    Event turn = make_.Turn(user, kNoon);
    turn.turn.provided_cost_nano_usd = nano_usd;
    return turn;
  }
};

TEST_F(TokenDefectD10, ACentsThousandthIsNotCutOff) {
  ASSERT_EQ(partition_.Apply(Priced(251'000)), "applied");  // 0.000251 dollars
  EXPECT_EQ(partition_.Get("account[acme,ann]", "cost_ai_tokens_nano_usd"), "251000");
  for (int i = 0; i < 999; ++i) ASSERT_EQ(partition_.Apply(Priced(1)), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", kNoon), "cost_ai_tokens_nano_usd"), "251999");
}

TEST_F(TokenDefectD10, AMonthMayCostMoreThan32BitsOfMicroDollars) {
  constexpr int64_t kThousandDollars = 1'000'000'000'000;
  for (int i = 0; i < 5; ++i) ASSERT_EQ(partition_.Apply(Priced(kThousandDollars)), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", kNoon), "cost_ai_tokens_nano_usd"), "5000000000000");
  EXPECT_EQ(partition_.Get(DayName("ann", kNoon), "cost_nano_usd"), "5000000000000");
}

TEST_F(TokenDefectD10, ASumThatWouldNotFitIsSetAsideWholeAndNeverWraps) {
  ASSERT_EQ(partition_.Apply(Priced(INT64_MAX)), "applied");
  std::map<std::string, FieldMap> before = partition_.Rows();
  EXPECT_EQ(partition_.Apply(Priced(1)), "overflow");
  EXPECT_EQ(partition_.Apply(Priced(1, "bob")), "overflow") << "the tenant's sum would not fit";
  EXPECT_EQ(partition_.Rows(), before);
  EXPECT_EQ(partition_.Apply(Priced(0)), "applied");
}

TEST_F(TokenDefectD10, NoCostIsNotACostOfZero) {
  ASSERT_EQ(partition_.Apply(Priced(0)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon)), "applied");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "priced_facts"), "1");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "unpriced_facts"), "1");
}

// --- D13: "requests" were calls of models, and failed ones were not counted at all.

class TokenDefectD13 : public DefectTest {};

TEST_F(TokenDefectD13, ARequestOfTenCallsIsOneRequestAndTenCalls) {
  Event run = make_.Turn("ann", kNoon);
  run.turn.llm_calls = 10;
  ASSERT_EQ(partition_.Apply(run), "applied");
  Event failed = make_.Turn("ann", kNoon);
  failed.turn.status = TurnStatus::kFailed;
  ASSERT_EQ(partition_.Apply(failed), "applied");
  for (const std::string& row : {std::string("account[acme,ann]"), PeriodName("ann", kNoon), DayName("ann", kNoon)}) {
    EXPECT_EQ(partition_.Get(row, "requests"), "2") << row;
    EXPECT_EQ(partition_.Get(row, "llm_calls"), "11") << row;
  }
  EXPECT_EQ(RequestsInThisHour("ann", kNoon), 2u);
}

TEST_F(TokenDefectD13, AnExtensionOfATurnIsNoRequest) {
  Event turn = make_.Turn("ann", kNoon);
  ASSERT_EQ(partition_.Apply(turn), "applied");
  Event more = make_.Amendment(turn, kNoon + kMinute);
  more.amendment.llm_calls_delta = 3;
  ASSERT_EQ(partition_.Apply(more), "applied");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "requests"), "1");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "llm_calls"), "4");
  EXPECT_EQ(RequestsInThisHour("ann", kNoon), 1u);
}

// --- D15: an hour's counter ran on until somebody looked.

class TokenDefectD15 : public DefectTest {};

TEST_F(TokenDefectD15, AnHoursRequestsAreThatHoursThoughNobodyLooked) {
  int64_t mark = TimeOf("2024-03-15T13:00:00Z");
  for (int64_t minute : {-20, -10, -1, 0, 5, 9}) ASSERT_EQ(partition_.Apply(make_.Turn("ann", mark + minute * kMinute)), "applied");
  EXPECT_EQ(partition_.Get(DayName("ann", mark), "hours"), "12=3,13=3");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "requests_ring"),
            std::to_string(HourAt(mark) - 1) + "=3," + std::to_string(HourAt(mark)) + "=3");
  EXPECT_EQ(RequestsInThisHour("ann", mark + 30 * kMinute), 3u);
  EXPECT_EQ(RequestsInThisHour("ann", mark + kUsPerHour), 0u);
}

TEST_F(TokenDefectD15, ANewDaysTurnIsTheNewDaysThoughNobodyLooked) {
  ASSERT_EQ(partition_.Apply(TokenTurn(1000, 100, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(TokenTurn(1000, 100, kNoon + kUsPerDay)), "applied");
  DayRow day = partition_.Read<DayRow>(*KeyOfName(DayName("ann", kNoon + kUsPerDay)));
  EXPECT_EQ(day.tokens.total(), 1100);
  EXPECT_EQ(day.requests, 1);
}

// --- D16: an extension of an unknown turn grew totals that no listed row explained, in the wrong month.

class TokenDefectD16 : public DefectTest {
 protected:
  // The sum over what a listing shows: every turn and amendment stands in the user's postings.
  int64_t ListedTokens(std::string_view user) {
    int64_t tokens = 0;
    std::string begin = KeyBuilder().Begin(RowKind::kUserPostings).Text("acme").Text(user).str();
    EXPECT_TRUE(partition_.view()->Scan(begin, PrefixEnd(begin), [&](std::string_view, std::string_view value) {
      PostingChunk chunk;
      EXPECT_TRUE(DecodeRow(value, &chunk));
      for (const Posting& posting : chunk.entries) tokens += posting.tokens;
      return true;
    }).ok());
    return tokens;
  }
};

TEST_F(TokenDefectD16, TotalsAreTheSumOfTheListedRowsAlsoForAnUnknownTurn) {
  ASSERT_EQ(partition_.Apply(TokenTurn(40, 15, kNoon)), "applied");
  Event unknown = make_.Amendment(make_.Turn("ann", kNoon, "s"), kNoon + kMinute);  // of a turn that never came
  unknown.amendment.tokens_delta.output = 55;
  ASSERT_EQ(partition_.Apply(unknown), "applied");
  Event less = make_.Amendment(make_.Turn("ann", kNoon), kNoon + kMinute);
  less.amendment.tokens_delta.input_uncached = -7;
  ASSERT_EQ(partition_.Apply(less), "applied");
  EXPECT_EQ(Account("ann").usage.tokens.total(), 103);
  EXPECT_EQ(ListedTokens("ann"), 103);
}

TEST_F(TokenDefectD16, AnExtensionIsChargedToTheMonthOfItsTurn) {
  int64_t december = TimeOf("2023-12-31T23:59:00Z"), january = TimeOf("2024-01-01T00:01:00Z");
  Event turn = TokenTurn(10, 5, december);
  ASSERT_EQ(partition_.Apply(turn), "applied");
  Event more = make_.Amendment(turn, january);
  more.amendment.tokens_delta.output = 20;
  ASSERT_EQ(partition_.Apply(more), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", december), "output_tokens"), "25");
  EXPECT_EQ(partition_.Get(DayName("ann", december), "output_tokens"), "25");
  EXPECT_TRUE(partition_.Row(PeriodName("ann", january)).empty());
}

// --- D17: sessions never closed, and closing was not tied to one.

class TokenDefectD17 : public DefectTest {
 protected:
  // The definition that readers use: not ended, and something of it in the last 30 minutes.
  int ActiveSessions(std::string_view user, int64_t now_us) {
    int active = 0;
    std::string begin = KeyBuilder().Begin(RowKind::kSession).Text("acme").Text(user).str();
    EXPECT_TRUE(partition_.view()->Scan(begin, PrefixEnd(begin), [&](std::string_view, std::string_view value) {
      SessionRow row;
      EXPECT_TRUE(DecodeRow(value, &row));
      active += !row.ended && now_us - row.last_us < 30 * kMinute ? 1 : 0;
      return true;
    }).ok());
    return active;
  }
};

TEST_F(TokenDefectD17, ASessionIsActiveUntilItEndsOrFallsSilent) {
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "a", kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon + kMinute, "b")), "applied");
  EXPECT_EQ(ActiveSessions("ann", kNoon + 2 * kMinute), 2);
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "ann", "a", kNoon + 3 * kMinute)), "applied");
  EXPECT_EQ(ActiveSessions("ann", kNoon + 4 * kMinute), 1);
  EXPECT_EQ(ActiveSessions("ann", kNoon + 40 * kMinute), 0) << "b fell silent";
}

TEST_F(TokenDefectD17, ADoubleOrForeignCloseLowersNothing) {
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "a", kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "b", kNoon)), "applied");
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "ann", "b", kNoon + i * kMinute)), "applied");
    ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "bob", "a", kNoon + i * kMinute)), "applied");
    ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "ann", "unheard", kNoon + i * kMinute)), "applied");
  }
  EXPECT_EQ(ActiveSessions("ann", kNoon + 5 * kMinute), 1);
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "b", kNoon + 6 * kMinute)), "applied");
  EXPECT_EQ(ActiveSessions("ann", kNoon + 7 * kMinute), 2) << "b was opened again";
}

TEST_F(TokenDefectD17, AnEndThatArrivesBeforeItsStartStillEnds) {
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "ann", "a", kNoon + kMinute)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "a", kNoon), kNoon + 2 * kMinute), "applied");
  EXPECT_EQ(partition_.Get("session[acme,ann,a]", "ended"), "true");
  EXPECT_EQ(partition_.Get("session[acme,ann,a]", "first_us"), std::to_string(kNoon));
}

// --- D20: reads showed stale counters, or wrote.

class TokenDefectD20 : public DefectTest {
 protected:
  // Everything in the store, byte for byte.
  std::map<std::string, std::string> AllBytes() {
    std::map<std::string, std::string> all;
    EXPECT_TRUE(partition_.view()->Scan({}, {}, [&](std::string_view key, std::string_view value) {
      all.emplace(key, value);
      return true;
    }).ok());
    return all;
  }
};

TEST_F(TokenDefectD20, AReadShowsTheClocksHourAndWritesNothing) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon, "s")), "applied");
  std::map<std::string, std::string> before = AllBytes();
  std::string digest = partition_.Digest();
  EXPECT_EQ(RequestsInThisHour("ann", kNoon), 3u);
  EXPECT_EQ(RequestsInThisHour("ann", kNoon + kUsPerHour), 0u);
  EXPECT_EQ(TurnsInTheLast24Hours("ann", kNoon + 30 * kUsPerHour), 0u);
  EXPECT_EQ(partition_.Get("account[acme,nobody]", "requests"), "(no row)");
  EXPECT_EQ(RequestsInThisHour("ann", kNoon), 3u) << "an earlier look did not move it";
  EXPECT_EQ(AllBytes(), before);
  EXPECT_EQ(partition_.Digest(), digest);
}

TEST_F(TokenDefectD20, AFoldLooksUpRowsWithoutMakingThem) {
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", kNoon, "s")), "applied");
  std::map<std::string, std::string> before = AllBytes();
  Event turn = make_.Turn("bob", kNoon, "s");
  turn.turn.turn_number = UINT64_MAX;  // refused after every row was looked up
  EXPECT_EQ(partition_.Apply(turn), "overflow");
  std::map<std::string, std::string> after = AllBytes();
  for (const auto& [key, value] : after) {
    if (ClassOf(static_cast<RowKind>(key[0])) == RowClass::kLogical) {
      EXPECT_TRUE(before.contains(key)) << NameOf(key)->text;
    }
  }
}

TEST_F(TokenDefectD20, AMonthsModelsAreThatMonthsOnly) {
  int64_t april = kNoon + 31 * kUsPerDay;
  Event first = TokenTurn(10, 0, kNoon), second = TokenTurn(30, 0, april);
  first.turn.model_requested = "small";
  second.turn.model_requested = "large";
  ASSERT_EQ(partition_.Apply(first), "applied");
  ASSERT_EQ(partition_.Apply(second), "applied");
  EXPECT_EQ(partition_.Get(PeriodName("ann", april), "models.large.tokens"), "30");
  EXPECT_EQ(partition_.Get(PeriodName("ann", april), "models.small.tokens"), "(no field)");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "models.small.turns"), "1");
  EXPECT_EQ(partition_.Get("account[acme,ann]", "models.large.turns"), "1");
}

// --- V1: operations were counted, not vectors.

class VectorDefectV1 : public DefectTest {};

TEST_F(VectorDefectV1, EightVectorsInOneOperationAreEightVectors) {
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 8, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "8");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.success"), "1");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.succeeded"), "8");
  EXPECT_EQ(partition_.Get("project_user[acme,ann,p]", "vectors"), "8");
  EXPECT_EQ(partition_.Get("tenant[acme]", "vectors"), "8");
  // Five more would make thirteen, which a limit of ten can now see.
  ASSERT_EQ(partition_.Apply(make_.Vectors("bob", "p", 5, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "13");
}

TEST_F(VectorDefectV1, EveryWayToAddOrRemoveVectorsMovesTheGauge) {
  Event upsert = make_.Operation(EventType::kVectorsUpserted, "ann", "p", kNoon);
  upsert.operation.requested = upsert.operation.succeeded = 10;
  upsert.operation.inserted = upsert.operation.vectors_delta = 4;  // six of them replaced what was there
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 802, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(upsert), "applied");
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", -6, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "800");
  EXPECT_EQ(partition_.Get("project[acme,p]", "inserted"), "4");
}

// --- V3: deletes of what was not there made room.

class VectorDefectV3 : public DefectTest {};

TEST_F(VectorDefectV3, ADeleteTakesOutWhatItRemovedNotWhatItAskedFor) {
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 8, kNoon)), "applied");
  Event removal = make_.Vectors("ann", "p", -8, kNoon);
  removal.operation.requested = 10;
  removal.operation.status = OperationStatus::kPartialFailure;
  ASSERT_EQ(partition_.Apply(removal), "applied");
  Event nothing = make_.Operation(EventType::kVectorsDeleted, "ann", "p", kNoon);
  nothing.operation.requested = 2;
  nothing.operation.status = OperationStatus::kFailure;
  ASSERT_EQ(partition_.Apply(nothing), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "0");
  EXPECT_EQ(partition_.Get("project[acme,p]", "delete.requested"), "12");
  EXPECT_EQ(partition_.Get("project[acme,p]", "delete.succeeded"), "8");
}

TEST_F(VectorDefectV3, ADeleteThatIsSeenBeforeItsAddMakesNoRoomInTheEnd) {
  Event add = make_.Vectors("ann", "p", 2, kNoon);
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", -2, kNoon + kMinute)), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "-2") << "not hidden: it says that something is still to come";
  ASSERT_EQ(partition_.Apply(add), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "0");
}

TEST_F(VectorDefectV3, TheHostsOwnCountMendsTheGaugeAndTheDifferenceIsBooked) {
  Event removal = make_.Vectors("ann", "p", -5, kNoon);
  removal.operation.collection = "c";
  ASSERT_EQ(partition_.Apply(removal), "applied");
  Event count = make_.Operation(EventType::kVectorsCounted, "ann", "p", kNoon + kMinute);
  count.operation.collection = "c";
  count.operation.counted_vectors = 3;
  ASSERT_EQ(partition_.Apply(count), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "3");
  EXPECT_EQ(partition_.Get("collection[acme,p,c]", "vectors"), "3");
  EXPECT_EQ(partition_.Get("project[acme,p]", "correction_vectors"), "8");
}

// --- V9: a partly failed batch logged all of its vectors; an upsert logged neither side.

class VectorDefectV9 : public DefectTest {};

TEST_F(VectorDefectV9, APartlyFailedBatchCountsTheVectorsThatWereStored) {
  Event batch = make_.Operation(EventType::kVectorsAdded, "ann", "p", kNoon);
  batch.operation.status = OperationStatus::kPartialFailure;
  batch.operation.requested = 100;
  batch.operation.succeeded = batch.operation.vectors_delta = 60;
  ASSERT_EQ(partition_.Apply(batch), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "60");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.requested"), "100");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.succeeded"), "60");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.partial_failure"), "1");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.success"), "0");
  std::string hour = "project_hour[acme,p," + std::to_string(HourAt(kNoon)) + ",ann]";
  EXPECT_EQ(partition_.Get(hour, "add.partial_failure.vectors_delta"), "60");
}

TEST_F(VectorDefectV9, ARefusedOperationMovesNoGauge) {
  Event refused = make_.Operation(EventType::kVectorsAdded, "ann", "p", kNoon);
  refused.operation.status = OperationStatus::kQuotaExceeded;
  refused.operation.requested = 50;
  ASSERT_EQ(partition_.Apply(refused), "applied");
  EXPECT_EQ(partition_.Get("project[acme,p]", "vectors"), "0");
  EXPECT_EQ(partition_.Get("project[acme,p]", "add.quota_exceeded"), "1");
  Event claims = refused;
  claims.operation.vectors_delta = 1;
  EXPECT_EQ(CheckMeaning(claims), Reason::kInconsistentAmounts);
}

// --- V10: what a check cost grew with what had happened before.

// Counts what a reader asks of a view.
class CountingView : public View {
 public:
  explicit CountingView(std::shared_ptr<const View> view) : view_(std::move(view)) {}
  const MetaRow& meta() const override { return view_->meta(); }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    ++gets_;
    Result<std::optional<std::string>> value = view_->Get(key);
    if (value.ok() && value->has_value()) bytes_ += (*value)->size();
    return value;
  }
  Status Scan(std::string_view begin, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return view_->Scan(begin, end, Counted(row));
  }
  Status ScanBack(std::string_view begin, std::string_view end,
                  const std::function<bool(std::string_view, std::string_view)>& row) const override {
    return view_->ScanBack(begin, end, Counted(row));
  }
  uint64_t gets() const { return gets_; }
  uint64_t scanned() const { return scanned_; }
  uint64_t bytes() const { return bytes_; }

 private:
  std::function<bool(std::string_view, std::string_view)> Counted(const std::function<bool(std::string_view, std::string_view)>& row) const {
    return [this, &row](std::string_view key, std::string_view value) {
      ++scanned_;
      bytes_ += value.size();
      return row(key, value);
    };
  }
  std::shared_ptr<const View> view_;
  mutable uint64_t gets_ = 0, scanned_ = 0, bytes_ = 0;
};

class VectorDefectV10 : public DefectTest {
 protected:
  // Ten searches an hour, and vectors come and go, for this many hours more.
  void Work(int hours) {
    for (int i = 0; i < hours; ++i, now_us_ += kUsPerHour) {
      for (int n = 0; n < 10; ++n) {
        ASSERT_EQ(partition_.Apply(make_.Operation(EventType::kVectorsSearched, "ann", "p", now_us_ + n)), "applied");
      }
      ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", 7, now_us_)), "applied");
      ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p", -5, now_us_)), "applied");
      ASSERT_EQ(partition_.Apply(make_.Turn("ann", now_us_, "s")), "applied");
    }
  }
  struct Cost {
    uint64_t gets = 0, scanned = 0, bytes = 0;
  };
  // What a check of a project's vectors and searches and of a user's requests reads.
  Cost Check(int64_t vectors, uint64_t searches, uint64_t requests) {
    CountingView view(partition_.view());
    ProjectRow project = **ReadRow<ProjectRow>(view, ProjectKey("p"));
    AccountRow account = **ReadRow<AccountRow>(view, AccountKey("ann"));
    int64_t hour = HourAt(now_us_ - kUsPerHour);
    EXPECT_EQ(project.vectors, vectors);
    EXPECT_EQ(project.searches_ring.AgedTo(hour).Sum(), searches);
    EXPECT_EQ(account.requests_ring.AgedTo(hour).Sum(), requests);
    return {view.gets(), view.scanned(), view.bytes()};
  }

  int64_t now_us_ = kNoon;
};

TEST_F(VectorDefectV10, AGaugeAndARollingCountAreOneRowHoweverLongTheHistory) {
  Work(30);
  Cost young = Check(60, 250, 25);
  Work(IsFullRun() ? 3000 : 600);
  Cost old = Check(IsFullRun() ? 6060 : 1260, 250, 25);
  EXPECT_EQ(young.gets, 2u);
  EXPECT_EQ(old.gets, 2u);
  EXPECT_EQ(young.scanned, 0u);
  EXPECT_EQ(old.scanned, 0u);
  EXPECT_LE(old.bytes, young.bytes + 40) << "a larger number takes a byte or two more, history none";
}

TEST_F(VectorDefectV10, AMonthOfAProjectIsReadFromHoursNotFromOperations) {
  Work(48);
  CountingView view(partition_.view());
  std::string list = KeyBuilder().Begin(RowKind::kProjectHour).Text("acme").Text("p").str();
  int64_t operations = 0;
  ASSERT_TRUE(view.Scan(list, PrefixEnd(list), [&](std::string_view, std::string_view value) {
    ProjectHourRow row;
    EXPECT_TRUE(DecodeRow(value, &row));
    for (const HourCell& cell : row.cells) operations += cell.count;
    return true;
  }).ok());
  EXPECT_EQ(operations, 48 * 12);
  EXPECT_EQ(view.scanned(), 48u);
}

}  // namespace
}  // namespace odometer
