// What a token meter that came before got wrong; see defect_fixture.h.
#include <algorithm>
#include <thread>

#include "log/local_log.h"
#include "state/audit.h"
#include "tests/unit/log/temp_directory.h"
#include "tests/unit/state/defect_fixture.h"

namespace odometer {
namespace {

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
  std::vector<std::string> rows = {"account[acme,ann]", PeriodName("ann", kNoon), "tenant[acme]"};
  for (const std::string& row : rows) {
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
  for (int64_t before : {3 * kUsPerHour, 10 * kMinute}) {
    ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight - before)), "applied");
  }
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
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight - kUsPerHour)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Turn("ann", midnight - 1)), "applied");
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
  for (int64_t minute : {-20, -10, -1, 0, 5, 9}) {
    ASSERT_EQ(partition_.Apply(make_.Turn("ann", mark + minute * kMinute)), "applied");
  }
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
    EXPECT_TRUE(partition_.view()
                    ->Scan(begin, PrefixEnd(begin),
                           [&](std::string_view, std::string_view value) {
                             PostingChunk chunk;
                             EXPECT_TRUE(DecodeRow(value, &chunk));
                             for (const Posting& posting : chunk.entries) tokens += posting.tokens;
                             return true;
                           })
                    .ok());
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
    EXPECT_TRUE(partition_.view()
                    ->Scan(begin, PrefixEnd(begin),
                           [&](std::string_view, std::string_view value) {
                             SessionRow row;
                             EXPECT_TRUE(DecodeRow(value, &row));
                             active += !row.ended && now_us - row.last_us < 30 * kMinute ? 1 : 0;
                             return true;
                           })
                    .ok());
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
    ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "ann", "new", kNoon + i * kMinute)), "applied");
  }
  EXPECT_EQ(ActiveSessions("ann", kNoon + 5 * kMinute), 1);
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionStarted, "ann", "b", kNoon + 6 * kMinute)), "applied");
  EXPECT_EQ(ActiveSessions("ann", kNoon + 7 * kMinute), 2) << "b was opened again";
}

TEST_F(TokenDefectD17, AnEndThatArrivesBeforeItsStartStillEnds) {
  ASSERT_EQ(partition_.Apply(make_.Session(EventType::kSessionEnded, "ann", "a", kNoon + kMinute)), "applied");
  Event start = make_.Session(EventType::kSessionStarted, "ann", "a", kNoon);
  ASSERT_EQ(partition_.Apply(start, kNoon + 2 * kMinute), "applied");
  EXPECT_EQ(partition_.Get("session[acme,ann,a]", "ended"), "true");
  EXPECT_EQ(partition_.Get("session[acme,ann,a]", "first_us"), std::to_string(kNoon));
}

// --- D20: reads showed stale counters, or wrote.

class TokenDefectD20 : public DefectTest {
 protected:
  // Everything in the store, byte for byte.
  std::map<std::string, std::string> AllBytes() {
    std::map<std::string, std::string> all;
    EXPECT_TRUE(partition_.view()
                    ->Scan({}, {},
                           [&](std::string_view key, std::string_view value) {
                             all.emplace(key, value);
                             return true;
                           })
                    .ok());
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

}  // namespace
}  // namespace odometer
