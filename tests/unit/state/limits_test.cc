// Asks, holds and leases, judged where they stand in the log: docs/limits.md.
#include "state/audit.h"
#include "tests/unit/state/limit_fixture.h"

namespace odometer {
namespace {

using State = AskState;

class Limits : public LimitTest {
 protected:
  static State StateOf(const AskRow& ask) { return static_cast<State>(ask.state); }
};

TEST_F(Limits, WithoutAnyDefinitionEverythingIsAllowed) {
  AskRow ask = Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon));
  EXPECT_TRUE(ask.verdict.allowed);
  EXPECT_TRUE(ask.verdict.limits.empty());
  EXPECT_EQ(StateOf(ask), State::kAdmitted);
  EXPECT_EQ(Account("ann").usage.requests, 1);
}

TEST_F(Limits, AtTheCapTheNextAskIsRefusedAndSaysWhichLimitWhoseAndWhenItFits) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 3)}), "applied");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Admit("ann", kNoon + i * kUsPerSecond));
  AskRow refused =
      Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon + kMinute));
  EXPECT_FALSE(refused.verdict.allowed);
  EXPECT_EQ(StateOf(refused), State::kRefused);
  ASSERT_EQ(refused.verdict.limits.size(), 1u);
  const LimitStatus& limit = refused.verdict.limits[0];
  EXPECT_EQ(limit.used, 3);
  EXPECT_EQ(limit.cap, 3);
  EXPECT_EQ(limit.asked, 1);
  EXPECT_EQ(static_cast<Level>(limit.level), Level::kUserOverride);
  EXPECT_EQ(limit.source, "ann");
  EXPECT_TRUE(limit.exceeded);
  ASSERT_GT(refused.verdict.retry_at_us, kNoon + kMinute);
  EXPECT_FALSE(Admit("ann", refused.verdict.retry_at_us - 1));
  EXPECT_TRUE(Admit("ann", refused.verdict.retry_at_us)) << "as it was told";
  EXPECT_EQ(UseOfUser("ann").admitted, 4);
  EXPECT_EQ(UseOfUser("ann").refused, 2);
  EXPECT_EQ(Account("ann").usage.requests, 4) << "what was refused is no request";
}

TEST_F(Limits, ARetryWithTheSameIdGetsTheFirstVerdictAndCountsOnce) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}), "applied");
  Event ask = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  ask.id_kind = IdKind::kDerived;
  EXPECT_TRUE(Asked(ask).verdict.allowed);
  EXPECT_EQ(partition_.Apply(ask), "duplicate");
  EXPECT_TRUE(Ask(ask.id).verdict.allowed);
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon), 1);
}

TEST_F(Limits, ATurnThatNamesItsAdmitCountsOnceAndOneThatNamesNoneCountsToo) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 10),
                             LimitOf(Meter::kTotalTokens, Window::kLifetime, 1'000'000)}),
            "applied");
  Event ask = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  ASSERT_TRUE(Asked(ask).verdict.allowed);
  Event turn = TokenTurn(100, 20, kNoon + kUsPerSecond);
  turn.ask = ask.id;
  ASSERT_EQ(partition_.Apply(turn), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon + kMinute), 1);
  EXPECT_EQ(UsedBy("ann", Meter::kTotalTokens, Window::kLifetime, kNoon + kMinute), 120);
  EXPECT_EQ(Account("ann").usage.requests, 1);
  EXPECT_EQ(Account("ann").usage.turns_total(), 1);
  EXPECT_EQ(partition_.Get(DayName("ann", kNoon), "requests"), "1");
  EXPECT_EQ(RequestsInThisHour("ann", kNoon), 1u);

  ASSERT_EQ(partition_.Apply(TokenTurn(1, 1, kNoon + kMinute)), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon + kMinute), 2);
  Event again = TokenTurn(1, 1, kNoon + kMinute);
  again.ask = ask.id;
  ASSERT_EQ(partition_.Apply(again), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon + kMinute), 3) << "the admit was spent";
  EXPECT_EQ(Account("ann").usage.requests, 3);
}

TEST_F(Limits, AnotherUsersAdmitIsNobodyElsesToSpend) {
  ASSERT_EQ(Override("", {LimitOf(Meter::kRequests, Window::kRollingHour, 10)}), "applied");
  Event ask = AskOf(EventType::kAdmitAsked, {"acme", "bob", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  ASSERT_TRUE(Asked(ask).verdict.allowed);
  Event turn = TokenTurn(1, 1, kNoon);
  turn.ask = ask.id;
  ASSERT_EQ(partition_.Apply(turn), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon), 1);
  EXPECT_FALSE(Ask(ask.id).spent);
}

// --- holds

TEST_F(Limits, AHoldTakesItsAmountsUntilItIsSettledAndOverrunIsShown) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kMonth, 1000)}), "applied");
  Event hold = Hold("ann", {{Meter::kOutputTokens, 600}}, kNoon);
  AskRow row = Asked(hold);
  EXPECT_EQ(StateOf(row), State::kOpen);
  EXPECT_EQ(row.due_us, row.verdict.judged_us + kMinute);
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), 600);
  EXPECT_FALSE(Asked(Hold("ann", {{Meter::kOutputTokens, 500}}, kNoon + 1)).verdict.allowed);
  EXPECT_TRUE(Asked(Hold("ann", {{Meter::kOutputTokens, 400}}, kNoon + 2)).verdict.allowed);
  Event settled = End(EventType::kHoldSettled, hold.id, {{Meter::kOutputTokens, 700}}, kNoon + kUsPerSecond);
  ASSERT_EQ(partition_.Apply(settled), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kSettled);
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), 400);
  EXPECT_EQ(UsedBy("ann", Meter::kOutputTokens, Window::kMonth, kNoon + kMinute), 700) << "facts are never refused";
  EXPECT_EQ(UseOfUser("ann").open_holds, 1);
}

TEST_F(Limits, ATurnThatNamesItsHoldSettlesItWithWhatItUsed) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kTotalTokens, Window::kDay, 1000),
                             LimitOf(Meter::kRequests, Window::kRollingMinute, 5)}),
            "applied");
  Event hold = Hold("ann", {{Meter::kRequests, 1}, {Meter::kTotalTokens, 500}}, kNoon);
  ASSERT_TRUE(Asked(hold).verdict.allowed);
  Event turn = TokenTurn(100, 30, kNoon + kUsPerSecond);
  turn.ask = hold.id;
  ASSERT_EQ(partition_.Apply(turn), "applied");
  EXPECT_EQ(Held("ann", Meter::kTotalTokens), 0);
  EXPECT_EQ(UsedBy("ann", Meter::kTotalTokens, Window::kDay, kNoon + kMinute), 130);
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingMinute, kNoon + kUsPerSecond), 1);
  AskRow row = Ask(hold.id);
  EXPECT_EQ(StateOf(row), State::kSettled);
  EXPECT_EQ(row.closed_by, turn.id);
  EXPECT_EQ(Account("ann").usage.requests, 1);
}

TEST_F(Limits, AHoldThatNobodySettlesExpiresByTheLogsTimeAndHoldsNothing) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kMonth, 1000)}), "applied");
  Event hold = Hold("ann", {{Meter::kOutputTokens, 1000}}, kNoon);
  AskRow row = Asked(hold);
  // A host whose clock is a day ahead expires nobody's hold: the log's time is what counts.
  Event ahead = make_.Turn("bob", kNoon + kUsPerDay);
  ASSERT_EQ(partition_.Apply(ahead, kNoon + kUsPerSecond), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kOpen);
  ASSERT_EQ(partition_.Apply(make_.Tick(row.due_us - 1), row.due_us - 1), "applied");
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), 1000);
  ASSERT_EQ(partition_.Apply(make_.Tick(row.due_us), row.due_us), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kExpired);
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), 0);
  EXPECT_EQ(UseOfUser("ann").open_holds, 0);
  EXPECT_FALSE(partition_.projection().next_due_us().has_value());
}

TEST_F(Limits, WhatIsDueExpiresBeforeTheRecordThatCouldUseIt) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kMonth, 1000)}), "applied");
  AskRow row = Asked(Hold("ann", {{Meter::kOutputTokens, 1000}}, kNoon));
  EXPECT_FALSE(Asked(Hold("ann", {{Meter::kOutputTokens, 1}}, row.due_us - 1)).verdict.allowed);
  EXPECT_TRUE(Asked(Hold("ann", {{Meter::kOutputTokens, 1000}}, row.due_us)).verdict.allowed);
}

TEST_F(Limits, OpenHoldsOutliveARestartAndExpireAfterIt) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kMonth, 1000)}), "applied");
  Event hold = Hold("ann", {{Meter::kOutputTokens, 900}}, kNoon);
  AskRow row = Asked(hold);
  partition_.Restart();
  EXPECT_FALSE(Asked(Hold("ann", {{Meter::kOutputTokens, 200}}, kNoon + 1)).verdict.allowed);
  ASSERT_EQ(partition_.Apply(make_.Tick(row.due_us)), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kExpired);
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), 0);
}

TEST_F(Limits, SettlingAfterExpiryIsAPlainFact) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kMonth, 1000)}), "applied");
  Event hold = Hold("ann", {{Meter::kOutputTokens, 900}}, kNoon);
  AskRow row = Asked(hold);
  Event late = End(EventType::kHoldSettled, hold.id, {{Meter::kOutputTokens, 50}}, row.due_us + kMinute);
  ASSERT_EQ(partition_.Apply(late), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kSettled);
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), 0);
  EXPECT_EQ(UsedBy("ann", Meter::kOutputTokens, Window::kMonth, row.due_us + kMinute), 50);
}

TEST_F(Limits, WhatIsSettledOrReleasedTwiceOrUnknownChangesNothing) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kMonth, 1000)}), "applied");
  Event hold = Hold("ann", {{Meter::kOutputTokens, 900}}, kNoon);
  ASSERT_TRUE(Asked(hold).verdict.allowed);
  ASSERT_EQ(partition_.Apply(End(EventType::kHoldReleased, hold.id, {}, kNoon + 1)), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kReleased);
  std::map<std::string, FieldMap> before = partition_.Rows();
  ASSERT_EQ(partition_.Apply(End(EventType::kHoldSettled, hold.id, {{Meter::kOutputTokens, 7}}, kNoon + 2)), "applied");
  ASSERT_EQ(partition_.Apply(End(EventType::kHoldReleased, Uuid5(kNamespaceDns, "none"), {}, kNoon + 3)), "applied");
  EXPECT_EQ(StateOf(Ask(hold.id)), State::kReleased);
  std::map<std::string, FieldMap> after = partition_.Rows();
  before.erase("tenant[acme]");  // counts the events
  after.erase("tenant[acme]");
  EXPECT_EQ(before, after);
}

TEST_F(Limits, AUserHasABoundedNumberOfOpenHolds) {
  int64_t holds = IsFullRun() ? 1'000'000 : 3'000;
  Event last;
  for (int64_t i = 0; i < holds; ++i) {
    last = Hold("ann", {{Meter::kOutputTokens, 1}}, kNoon + i);
    ASSERT_EQ(partition_.Apply(last), "applied");
    if (i == kOpenHoldsMax - 1 || i % 10'000 == kOpenHoldsMax) {
      ASSERT_EQ(Ask(last.id).verdict.allowed, i < kOpenHoldsMax) << i;
    }
  }
  EXPECT_EQ(static_cast<Refusal>(Ask(last.id).verdict.refusal), Refusal::kTooManyHolds);
  LimitUseRow use = UseOfUser("ann");
  EXPECT_EQ(use.admitted, kOpenHoldsMax);
  EXPECT_EQ(use.open_holds, kOpenHoldsMax);
  EXPECT_EQ(use.refused, holds - kOpenHoldsMax);
  EXPECT_EQ(Held("ann", Meter::kOutputTokens), kOpenHoldsMax);
  EXPECT_TRUE(Asked(Hold("bob", {{Meter::kOutputTokens, 1}}, kNoon + holds)).verdict.allowed);
}

TEST_F(Limits, AProjectThatAsksForNoUserHasABoundedNumberOfOpenHoldsOfItsOwn) {
  auto hold = [&](const Subject& of, int64_t at_us) {
    return AskOf(EventType::kHoldAsked, of, {{Meter::kOperations, 1}}, at_us, kUsPerHour);
  };
  Subject project{"acme", {}, "docs", {}};
  Event first = hold(project, kNoon);
  ASSERT_TRUE(Asked(first).verdict.allowed);
  for (int64_t i = 1; i < kOpenHoldsMax; ++i) ASSERT_TRUE(Asked(hold(project, kNoon + i)).verdict.allowed) << i;
  AskRow refused = Asked(hold(project, kNoon + kOpenHoldsMax));
  EXPECT_FALSE(refused.verdict.allowed);
  EXPECT_EQ(static_cast<Refusal>(refused.verdict.refusal), Refusal::kTooManyHolds);
  int64_t later = kNoon + kOpenHoldsMax + 1;
  EXPECT_TRUE(Asked(hold({"acme", "ann", "docs", {}}, later)).verdict.allowed) << "one of the user's own";
  EXPECT_TRUE(Asked(hold({"acme", {}, "wiki", {}}, later)).verdict.allowed) << "another project's";
  ASSERT_EQ(partition_.Apply(End(EventType::kHoldReleased, first.id, {}, later)), "applied");
  EXPECT_TRUE(Asked(hold(project, later + 1)).verdict.allowed) << "one came back";
  EXPECT_FALSE(Asked(hold(project, later + 2)).verdict.allowed);
}

// --- leases

TEST_F(Limits, ALeaseIsChargedInFullWhenItIsGrantedAndWhatIsNotUsedComesBackWhenItIsSettled) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 100)}), "applied");
  Event lease = Lease("ann", {{Meter::kRequests, 80}}, kNoon);
  ASSERT_TRUE(Asked(lease).verdict.allowed);
  EXPECT_FALSE(Asked(Lease("ann", {{Meter::kRequests, 21}}, kNoon + 1)).verdict.allowed);
  for (int i = 0; i < 30; ++i) {
    Event turn = TokenTurn(1, 1, kNoon + kUsPerSecond + i);
    turn.ask = lease.id;
    ASSERT_EQ(partition_.Apply(turn), "applied");
  }
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon + kMinute), 0) << "the lease has been charged";
  ASSERT_EQ(
      partition_.Apply(End(EventType::kLeaseSettled, lease.id, {{Meter::kRequests, 30}}, kNoon + 2 * kUsPerSecond)),
      "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon + kMinute), 30);
  EXPECT_EQ(Held("ann", Meter::kRequests), 0);
  EXPECT_EQ(Account("ann").usage.requests, 30);
}

TEST_F(Limits, ALeaseThatNobodySettlesStaysChargedAndALateReportMovesBurnedToUsed) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 100)}), "applied");
  Event lease = Lease("ann", {{Meter::kRequests, 80}}, kNoon);
  AskRow row = Asked(lease);
  ASSERT_EQ(partition_.Apply(End(EventType::kLeaseSettled, lease.id, {{Meter::kRequests, 10}}, kNoon + 1, false)),
            "applied");
  ASSERT_EQ(partition_.Apply(make_.Tick(row.due_us)), "applied");
  EXPECT_EQ(StateOf(Ask(lease.id)), State::kExpired);
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, row.due_us), 80);
  EXPECT_EQ(Burned("ann", Meter::kRequests), 70);
  ASSERT_EQ(partition_.Apply(End(EventType::kLeaseSettled, lease.id, {{Meter::kRequests, 45}}, row.due_us + 1)),
            "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, row.due_us + 1), 80);
  EXPECT_EQ(Burned("ann", Meter::kRequests), 35);
}

// --- what else refuses

TEST_F(Limits, ABudgetThatIsSpentRefusesWhateverIsAsked) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kInputTokens, Window::kMonth, 100),
                             LimitOf(Meter::kConfigChanges, Window::kRollingHour, 0)}),
            "applied");
  EXPECT_TRUE(Admit("ann", kNoon)) << "config changes are not asked for";
  ASSERT_EQ(partition_.Apply(TokenTurn(100, 0, kNoon)), "applied");
  EXPECT_FALSE(Admit("ann", kNoon + 1));
  EXPECT_TRUE(Admit("ann", TimeOf("2024-04-01T00:00:00Z"))) << "a new month";
}

TEST_F(Limits, ASoftLimitIsShownAsExceededAndLetsThrough) {
  Limit soft = LimitOf(Meter::kRequests, Window::kRollingHour, 1);
  soft.mode = LimitMode::kSoft;
  ASSERT_EQ(Override("ann", {soft}), "applied");
  EXPECT_TRUE(Admit("ann", kNoon));
  AskRow second = Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon + 1));
  EXPECT_TRUE(second.verdict.allowed);
  EXPECT_TRUE(second.verdict.limits.at(0).exceeded);
}

TEST_F(Limits, ObserveRecordsWhyItWouldRefuseAndLetsThroughAndOffLooksAtNothing) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 0)}), "applied");
  ASSERT_EQ(Enforce(Enforcement::kObserve), "applied");
  AskRow observed = Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon));
  EXPECT_TRUE(observed.verdict.allowed);
  EXPECT_EQ(static_cast<Refusal>(observed.verdict.refusal), Refusal::kLimit);
  ASSERT_EQ(Enforce(Enforcement::kOff, kNoon), "applied");
  AskRow unseen = Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon + 1));
  EXPECT_TRUE(unseen.verdict.allowed);
  EXPECT_TRUE(unseen.verdict.limits.empty());
  ASSERT_EQ(Enforce(Enforcement::kOn, kNoon + 2), "applied");
  EXPECT_FALSE(Admit("ann", kNoon + 3));
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kRollingHour, kNoon + 3), 2) << "counting goes on in all three";
}

TEST_F(Limits, AMonthsTokensFromBeforeTheLimitWasSetCount) {
  ASSERT_EQ(partition_.Apply(TokenTurn(90, 0, TimeOf("2024-03-02T00:00:00Z"))), "applied");
  ASSERT_EQ(partition_.Apply(TokenTurn(70, 0, TimeOf("2024-02-29T23:59:59Z"))), "applied");
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kInputTokens, Window::kMonth, 100)}), "applied");
  EXPECT_TRUE(Asked(Hold("ann", {{Meter::kInputTokens, 10}}, kNoon)).verdict.allowed);
  EXPECT_FALSE(Asked(Hold("ann", {{Meter::kInputTokens, 1}}, kNoon + 1)).verdict.allowed);
}

TEST_F(Limits, AHostsClockThatIsADayBehindEvadesNothing) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}), "applied");
  Event first = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon - kUsPerDay);
  ASSERT_EQ(partition_.Apply(first, kNoon), "applied");
  EXPECT_TRUE(Ask(first.id).verdict.allowed);
  Event second = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon - 2 * kUsPerDay);
  ASSERT_EQ(partition_.Apply(second, kNoon + 1), "applied");
  EXPECT_FALSE(Ask(second.id).verdict.allowed);
}

// Each of two leases had room by itself; the counter went around the end of its range when both had expired.
TEST_F(Limits, ALeaseThatExpiresWithoutRoomFillsItsCounterAndNeverWrapsIt) {
  Event less = make_.Amendment(make_.Turn("cat", kNoon), kNoon);
  less.amendment.tokens_delta.input_uncached = -1000;
  ASSERT_EQ(partition_.Apply(less), "applied") << "the tenant's own figure has room";
  ASSERT_EQ(partition_.Apply(TokenTurn(INT64_MAX - 10, 0, kNoon)), "applied");
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kInputTokens, Window::kLifetime, 1)}), "applied");
  ASSERT_EQ(Enforce(Enforcement::kObserve), "applied");
  AskRow row;
  for (int i = 0; i < 2; ++i) row = Asked(Lease("ann", {{Meter::kInputTokens, 8}}, kNoon));
  ASSERT_TRUE(row.verdict.allowed);
  ASSERT_EQ(partition_.Apply(make_.Tick(row.due_us)), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kInputTokens, Window::kLifetime, row.due_us), INT64_MAX);
  EXPECT_EQ(Burned("ann", Meter::kInputTokens), 16);
}

// A batch was refused when a counter had room for its own user's item, but not for those of all users together.
TEST_F(Limits, ABatchNeedsRoomOnlyForWhatItAddsToEachCounter) {
  Event less = make_.Amendment(make_.Turn("cat", kNoon), kNoon);
  less.amendment.tokens_delta.input_uncached = -1000;
  ASSERT_EQ(partition_.Apply(less), "applied") << "the tenant's own figure has room";
  ASSERT_EQ(partition_.Apply(TokenTurn(INT64_MAX - 5, 0, kNoon)), "applied");
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kInputTokens, Window::kLifetime, 1)}), "applied");
  auto batch = [&](std::initializer_list<std::string_view> users) {
    Event event = make_.Batch(kNoon + 1);
    for (std::string_view user : users) {
      make_.AddItem(&event, user, kNoon + 1);
      event.interactions.back().tokens.cache_read = 3;
    }
    return partition_.Apply(event);
  };
  EXPECT_EQ(batch({"ann", "ann"}), "overflow") << "of one user they are taken together";
  EXPECT_EQ(batch({"ann", "bob"}), "applied") << "what bob uses no counter of ann counts";
  EXPECT_EQ(UsedBy("ann", Meter::kInputTokens, Window::kLifetime, kNoon + 2), INT64_MAX - 2);
}

// --- definitions

TEST_F(Limits, AnUnknownProfileCannotBeAssignedAndNothingChanges) {
  EXPECT_EQ(Assign("ann", "Gold"), "unknown_profile");
  EXPECT_EQ(Assign("ann", "Free"), "applied");
  EXPECT_EQ(Assign("ann", "Gold"), "unknown_profile");
  EXPECT_EQ(partition_.Get("assignment[acme,ann]", "profile"), "Free");
}

TEST_F(Limits, AProfileThatSomebodyHasCannotBeDeleted) {
  ASSERT_EQ(Profile("Gold", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}), "applied");
  ASSERT_EQ(Assign("ann", "Gold"), "applied");
  Event deletion = Define(EventType::kProfileDefined);
  deletion.definition.name = "Gold";
  deletion.definition.is_deleted = true;
  EXPECT_EQ(partition_.Apply(deletion), "profile_in_use");
  EXPECT_TRUE(Admit("ann", kNoon));
  EXPECT_FALSE(Admit("ann", kNoon + 1));
  ASSERT_EQ(Assign("ann", ""), "applied");
  deletion.id = make_.NextId();
  EXPECT_EQ(partition_.Apply(deletion), "applied");
  EXPECT_EQ(Assign("ann", "Gold"), "unknown_profile");
}

TEST_F(Limits, OfTwoWhoChangeTheSameDefinitionTheSecondIsRefused) {
  Event first = Define(EventType::kLimitOverridden);
  first.definition.user = "ann";
  first.definition.limits = {LimitOf(Meter::kRequests, Window::kRollingHour, 1)};
  first.definition.expected = Uuid();
  Event second = first;
  second.id = make_.NextId();
  second.definition.limits = {LimitOf(Meter::kRequests, Window::kRollingHour, 2)};
  ASSERT_EQ(partition_.Apply(first), "applied");
  EXPECT_EQ(partition_.Apply(second), "not_expected");
  second.id = make_.NextId();
  second.definition.expected = first.id;
  EXPECT_EQ(partition_.Apply(second), "applied");
}

TEST_F(Limits, ACheckIsAnsweredAsTheAskWouldBeAndChangesNothing) {
  ASSERT_EQ(Assign("ann", "Free"), "applied");
  for (int i = 0; i < 60; ++i) {
    int64_t at_us = kNoon + i * kUsPerSecond;
    Verdict checked = Check({"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, at_us);
    EXPECT_EQ(checked.allowed, Admit("ann", at_us)) << i;
  }
  EXPECT_EQ(UseOfUser("ann").admitted, 50);
}

// --- how long asks are kept

TEST_F(Limits, AnAskIsKeptForSevenDaysOfTheLogsTimeAndItsRowGoesThen) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}), "applied");
  Event ask = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  AskRow row = Asked(ask);
  EXPECT_EQ(row.gone_us, kNoon + 7 * kUsPerDay);
  EXPECT_EQ(partition_.Apply(ask, row.gone_us - 1), "duplicate") << "it gets the first verdict";
  ASSERT_EQ(partition_.Apply(make_.Tick(row.gone_us)), "applied");
  EXPECT_FALSE(HasRow(RowKind::kAsk)) << "its row is removed";
  EXPECT_FALSE(HasRow(RowKind::kAskGone));
}

TEST_F(Limits, AFactThatNamesAnAskThatIsGoneCountsInFull) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kLifetime, 10)}), "applied");
  Event kept = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  AskRow row = Asked(kept);
  Event gone = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  Asked(gone);
  Event in_time = TokenTurn(1, 1, row.gone_us - 1), late = TokenTurn(1, 1, row.gone_us);
  in_time.ask = kept.id;
  late.ask = gone.id;
  ASSERT_EQ(partition_.Apply(in_time), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kLifetime, row.gone_us), 2);
  ASSERT_EQ(partition_.Apply(late), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kRequests, Window::kLifetime, row.gone_us), 3);
}

TEST_F(Limits, AHoldIsKeptForSevenDaysAfterItWasDueAndThenNotSettledAnyMore) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kLifetime, 1000)}), "applied");
  auto hold = [&] { return Hold("ann", {{Meter::kOutputTokens, 90}}, kNoon); };
  Event kept = hold(), gone = hold();
  AskRow row = Asked(kept);
  ASSERT_EQ(Asked(gone).gone_us, row.due_us + 7 * kUsPerDay);
  auto settle = [&](const Event& ask, int64_t at_us) {
    return partition_.Apply(End(EventType::kHoldSettled, ask.id, {{Meter::kOutputTokens, 50}}, at_us));
  };
  ASSERT_EQ(settle(kept, row.gone_us - 1), "applied");
  ASSERT_EQ(settle(gone, row.gone_us), "applied") << "a no-op";
  EXPECT_EQ(UsedBy("ann", Meter::kOutputTokens, Window::kLifetime, row.gone_us), 50);
}

// The place of the first in the order of removal must not take the second's row with it.
TEST_F(Limits, AnIdThatIsAskedAgainAfterItsAskIsGoneIsJudgedAnewAndKeptAsLong) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}), "applied");
  Event ask = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  make_.Stamp(&ask, 1);
  AskRow first = Asked(ask);
  partition_.Commit();
  make_.Stamp(&ask, 2);  // a minted id is known by its stamp alone
  ASSERT_EQ(partition_.Apply(ask, first.gone_us + kMinute), "applied");
  EXPECT_EQ(Ask(ask.id).verdict.judged_us, first.gone_us + kMinute);
  ASSERT_EQ(partition_.Apply(make_.Tick(first.gone_us + kUsPerDay)), "applied");
  EXPECT_TRUE(HasRow(RowKind::kAsk));
  ASSERT_EQ(partition_.Apply(make_.Tick(first.gone_us + 8 * kUsPerDay)), "applied");
  EXPECT_FALSE(HasRow(RowKind::kAsk));
  EXPECT_FALSE(HasRow(RowKind::kAskGone));
}

TEST_F(Limits, RowsOfAsksThatAreGoneAreRemovedAfterARestartTooAPartAtACommit) {
  constexpr int kAsks = 10'000;
  for (int i = 0; i < kAsks; ++i)
    ASSERT_EQ(
        partition_.Apply(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon + i)),
        "applied");
  partition_.Restart();
  int commits = 0;
  for (; HasRow(RowKind::kAskGone); ++commits) {
    ASSERT_LT(commits, 10);
    ASSERT_EQ(partition_.Apply(make_.Tick(kNoon + 8 * kUsPerDay)), "applied");
  }
  EXPECT_GT(commits, 1) << "not all of them in one commit";
  EXPECT_FALSE(HasRow(RowKind::kAsk));
}

// --- refusals

TEST_F(Limits, ARefusedAskOfAProjectCountsAsAnOperationThatExceededItsQuota) {
  const Subject docs{"acme", "ann", "docs", "main"};
  for (Meter meter : {Meter::kSearches, Meter::kOperations})
    ASSERT_EQ(Quota(QuotaLevel::kProject, {"acme", {}, "docs", {}}, {LimitOf(meter, Window::kRolling24h, 0)}),
              "applied");
  auto refused = [&](const Subject& of, std::vector<Amount> amounts) {
    EXPECT_FALSE(Asked(AskOf(EventType::kHoldAsked, of, std::move(amounts), kNoon, kMinute)).verdict.allowed);
  };
  refused(docs, {{Meter::kOperations, 1}, {Meter::kSearches, 1}});
  refused(docs, {{Meter::kOperations, 1}, {Meter::kVectors, 500}});
  refused(docs, {{Meter::kOperations, 1}, {Meter::kCollections, 1}});
  refused({"acme", {}, "docs", {}}, {{Meter::kOperations, 1}, {Meter::kBytes, 9}});
  refused(docs, {{Meter::kOperations, 1}});
  FieldMap project = partition_.Row("project[acme,docs]");
  EXPECT_EQ(project["search.quota_exceeded"], "1");
  EXPECT_EQ(project["add.quota_exceeded"], "2");
  EXPECT_EQ(project["collection_create.quota_exceeded"], "1");
  EXPECT_EQ(project["events"], "0") << "their events are the tenant's";
  EXPECT_EQ(project["vectors"], "0");
  EXPECT_EQ(partition_.Get("project_user[acme,ann,docs]", "add.quota_exceeded"), "1");
  EXPECT_EQ(partition_.Get("collection[acme,docs,main]", "operations"), "3");
  EXPECT_EQ(partition_.Get("tenant[acme]", "operations"), "4");
  EXPECT_EQ(partition_.Get("tenant[acme]", "searches"), "0");
  Result<std::vector<Difference>> law = CheckConservation(*partition_.view());
  EXPECT_TRUE(law.ok() && law->empty());
  EXPECT_TRUE(HasRow(RowKind::kProjectPostings)) << "the operations are listed";
}

TEST_F(Limits, WhatObserveLetsThroughIsNoOperationThatExceededItsQuota) {
  ASSERT_EQ(Quota(QuotaLevel::kProject, {"acme", {}, "docs", {}}, {LimitOf(Meter::kSearches, Window::kRolling24h, 0)}),
            "applied");
  ASSERT_EQ(Enforce(Enforcement::kObserve), "applied");
  EXPECT_TRUE(Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", "docs", {}}, {{Meter::kSearches, 1}}, kNoon))
                  .verdict.allowed);
  EXPECT_EQ(partition_.Get("project[acme,docs]", "search.quota_exceeded"), "(no row)");
}

// --- vectors

TEST_F(Limits, AUsersQuotaOfVectorsKnowsWhatTheUserHasInAllProjectsSinceBeforeTheQuota) {
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p1", 600, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "p2", 300, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(make_.Vectors("bob", "p1", 5000, kNoon)), "applied");
  Event created = make_.Operation(EventType::kCollectionCreated, "ann", "p1", kNoon);
  created.operation.collection = "main";
  ASSERT_EQ(partition_.Apply(created), "applied");
  ASSERT_EQ(Quota(QuotaLevel::kUser, {"acme", "ann", {}, {}},
                  {LimitOf(Meter::kVectors, Window::kGauge, 1000), LimitOf(Meter::kCollections, Window::kGauge, 1)}),
            "applied");
  auto ask = [&](Meter meter, int64_t amount) {
    return Asked(AskOf(EventType::kHoldAsked, {"acme", "ann", "p3", {}}, {{meter, amount}}, kNoon, kMinute)).verdict;
  };
  EXPECT_FALSE(ask(Meter::kVectors, 101).allowed);
  EXPECT_TRUE(ask(Meter::kVectors, 100).allowed);
  EXPECT_FALSE(ask(Meter::kCollections, 1).allowed);
  EXPECT_EQ(partition_.Get("user_gauges[acme,ann]", "vectors"), "900");
}

TEST_F(Limits, ABatchOfVectorsAsksForAllOfThemAndAfterTheCountTheNextAskIsJudgedOnTheCountedFigure) {
  const Subject docs{"acme", {}, "docs", {}};
  ASSERT_EQ(Quota(QuotaLevel::kProject, docs, {LimitOf(Meter::kVectors, Window::kGauge, 1000)}), "applied");
  auto ask = [&](int64_t vectors, int64_t at_us) {
    return Asked(
        AskOf(EventType::kHoldAsked, {"acme", "ann", "docs", "main"}, {{Meter::kVectors, vectors}}, at_us, kMinute));
  };
  ASSERT_EQ(partition_.Apply(make_.Vectors("ann", "docs", 600, kNoon)), "applied");
  EXPECT_FALSE(ask(500, kNoon).verdict.allowed);
  Event hold =
      AskOf(EventType::kHoldAsked, {"acme", "ann", "docs", "main"}, {{Meter::kVectors, 400}}, kNoon + 1, kMinute);
  ASSERT_TRUE(Asked(hold).verdict.allowed);
  EXPECT_FALSE(ask(1, kNoon + 2).verdict.allowed);
  Event added = make_.Vectors("ann", "docs", 400, kNoon + 3);
  added.operation.collection = "main";
  added.ask = hold.id;
  ASSERT_EQ(partition_.Apply(added), "applied");
  EXPECT_EQ(Use(Scope::kProject, docs).held[static_cast<size_t>(Meter::kVectors) - 1], 0);
  EXPECT_FALSE(ask(1, kNoon + 4).verdict.allowed);
  Event counted = make_.Operation(EventType::kVectorsCounted, "ann", "docs", kNoon + 5);
  counted.operation.collection = "main";
  counted.operation.counted_vectors = 100;
  ASSERT_EQ(partition_.Apply(counted), "applied");
  EXPECT_TRUE(ask(300, kNoon + 6).verdict.allowed);
  EXPECT_FALSE(ask(1, kNoon + 7).verdict.allowed);
}

TEST_F(Limits, AUsersQuotaOfSearchesCountsTheUserInAllProjectsAndAProjectsAllItsUsers) {
  ASSERT_EQ(Quota(QuotaLevel::kUser, {"acme", "ann", {}, {}}, {LimitOf(Meter::kSearches, Window::kRolling24h, 8)}),
            "applied");
  ASSERT_EQ(Quota(QuotaLevel::kProject, {"acme", {}, "p0", {}}, {LimitOf(Meter::kSearches, Window::kRolling24h, 2)}),
            "applied");
  static constexpr std::string_view kProjects[] = {"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"};
  auto search = [&](std::string_view user, std::string_view project, int64_t at_us) {
    Event ask = AskOf(EventType::kAdmitAsked, {"acme", user, project, {}},
                      {{Meter::kSearches, 1}, {Meter::kOperations, 1}}, at_us);
    bool allowed = Asked(ask).verdict.allowed;
    if (!allowed) return false;
    Event fact = make_.Operation(EventType::kVectorsSearched, user, project, at_us);
    fact.ask = ask.id;
    EXPECT_EQ(partition_.Apply(fact), "applied");
    return true;
  };
  int64_t at_us = kNoon;
  for (std::string_view project : kProjects) EXPECT_TRUE(search("ann", project, ++at_us)) << project;
  for (std::string_view project : kProjects) EXPECT_FALSE(search("ann", project, ++at_us)) << project;
  EXPECT_TRUE(search("bob", "p0", ++at_us));
  EXPECT_TRUE(search("cat", "p0", ++at_us));
  EXPECT_FALSE(search("bob", "p0", ++at_us));
  EXPECT_EQ(UsedBy("ann", Meter::kSearches, Window::kRolling24h, at_us), 8)
      << "a search that names its ask counts once";
}

TEST_F(Limits, ATenantWideCapCountsAllUsersTogether) {
  ASSERT_EQ(Quota(QuotaLevel::kTenant, {"acme", {}, {}, {}}, {LimitOf(Meter::kRequests, Window::kDay, 2)}), "applied");
  EXPECT_TRUE(Admit("ann", kNoon));
  EXPECT_TRUE(Admit("bob", kNoon + 1));
  EXPECT_FALSE(Admit("cat", kNoon + 2));
  EXPECT_TRUE(Admit("cat", TimeOf("2024-03-16T00:00:00Z")));
}

}  // namespace
}  // namespace odometer
