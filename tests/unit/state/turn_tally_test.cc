#include "state/turn_tally.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/event_maker.h"
#include "tests/unit/state/defect_fixture.h"

namespace odometer {
namespace {

// One partition brings its rows up after every event, the other at the end only.
class TurnTallyTest : public testing::Test {
 protected:
  void Apply(const Event& event, int64_t append_us) {
    EXPECT_EQ(often_.Apply(event, append_us), once_.Apply(event, append_us));
    often_.Commit();
  }
  void Apply(const Event& event) { Apply(event, event.event_time.us); }
  void ExpectTheSame() {
    EXPECT_EQ(often_.Rows(), once_.Rows());
    EXPECT_EQ(often_.Digest(), once_.Digest());
  }

  EventMaker make_{"acme"};
  TestPartition often_, once_;
};

TEST_F(TurnTallyTest, RowsAreTheSameWhereverACommitBringsThemUp) {
  for (const TestRecord& record : RecordsOf({.seed = 11}, IsFullRun() ? 20'000 : 2'000)) {
    EXPECT_EQ(often_.Apply(record), once_.Apply(record));
    often_.Commit();
  }
  ExpectTheSame();
}

TEST_F(TurnTallyTest, MoreTurnsInAnHourThanATallyTakesAreAllCounted) {
  constexpr int64_t kTurns = 5 * TurnTally::kTurnsMax + 3;
  for (int64_t i = 0; i < kTurns; ++i) Apply(make_.Turn("ann", kNoon + i, "s"));
  ExpectTheSame();
  EXPECT_EQ(once_.Get("account[acme,ann]", "requests"), std::to_string(kTurns));
  EXPECT_EQ(once_.Get(DayName("ann", kNoon), "turns"), std::to_string(kTurns));
}

TEST_F(TurnTallyTest, ModelsStandInOrderOfFirstUseHoweverManyThereAre) {
  for (int i = 0; i < 300; ++i) {
    Event turn = make_.Turn("ann", kNoon + i, i % 3 == 0 ? "" : "s");
    std::string model = "model-" + std::to_string(i * 7 % 90);
    std::string provider = "provider-" + std::to_string(i % 20);
    turn.turn.model_requested = model;
    turn.turn.model_served = {};
    turn.turn.provider = provider;
    Apply(turn);
  }
  ExpectTheSame();
}

TEST_F(TurnTallyTest, ATurnGoesToItsOwnHourAndDayWhereverItComes) {
  for (int64_t hours : {0, 0, 1, 0, 25, 1, 13, 12, -1, -700, 0, 0, 23, 24, 25, 24}) {
    std::string session = "s" + std::to_string(hours % 2);
    Event turn = make_.Turn("ann", kNoon + hours * kUsPerHour, session);
    Apply(turn, kNoon + 26 * kUsPerHour);
    turn = make_.Turn("bob", kNoon + hours * kUsPerHour, "");
    Apply(turn, kNoon + 26 * kUsPerHour);
  }
  ExpectTheSame();
}

TEST_F(TurnTallyTest, WhatIsNoTurnFindsTheTurnsBeforeItInTheRows) {
  for (int i = 0; i < 10; ++i) {
    Apply(make_.Turn("ann", kNoon + i, "s"));
    Apply(make_.Turn("ann", kNoon + i, "s"));
    Apply(make_.Session(EventType::kSessionEnded, "ann", "s", kNoon + i));
    std::string session = "t" + std::to_string(i);
    Apply(make_.Turn("ann", kNoon + i, session));
    Apply(make_.Config("ann", kNoon + i));
  }
  ExpectTheSame();
}

TEST_F(TurnTallyTest, TurnsOfSessionsWhoseNamesLookAlikeGoToTheirOwn) {
  for (int i = 0; i < 60; ++i) {
    // The same at both ends, and one that is a beginning of another.
    for (std::string session : {"12345678-a-12345678", "12345678-b-12345678", "12345678", "1", ""})
      Apply(make_.Turn("ann", kNoon + i, session));
  }
  ExpectTheSame();
  EXPECT_EQ(once_.Get("session[acme,ann,12345678-b-12345678]", "turns"), "60");
  EXPECT_EQ(once_.Get("session[acme,ann,1]", "turns"), "60");
  EXPECT_EQ(once_.Get("account[acme,ann]", "sessions"), "4");
}

TEST_F(TurnTallyTest, TheFirstTurnOfAUserIsOneOfItsTally) {
  Apply(make_.Turn("ann", kNoon, "s"));
  Apply(make_.Turn("bob", kNoon, ""));
  ExpectTheSame();
  EXPECT_EQ(once_.Get("tenant[acme]", "users"), "2");
  EXPECT_EQ(once_.Get("account[acme,bob]", "requests"), "1");
}

TEST_F(TurnTallyTest, AFigureThatWouldOverflowIsRefusedAtTheSameTurn) {
  // Each is just small enough to be added without a look; the sum is not.
  for (int64_t amount : {int64_t{1} << 50, int64_t{1} << 62}) {
    for (int i = 0; i < 20; ++i) {
      Event turn = make_.Turn("ann", kNoon + i, "s");
      turn.turn.tokens = Tokens{};
      turn.turn.tokens.output = amount;
      Apply(turn);
      Apply(make_.Turn("ann", kNoon + i, "s"));
    }
  }
  ExpectTheSame();
}

}  // namespace
}  // namespace odometer
