// What two earlier systems got wrong about limits; the numbers are those of the list of their defects.
#include "tests/unit/state/limit_fixture.h"

namespace odometer {
namespace {

// --- D11: limits were copied when the row was made, and stayed.

class TokenDefectD11 : public LimitTest {};

TEST_F(TokenDefectD11, AnotherProfileIsInForceWithTheNextAsk) {
  ASSERT_EQ(Assign("ann", "Free"), "applied");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Admit("ann", kNoon + i)) << i;
  EXPECT_FALSE(Admit("ann", kNoon + 60));
  ASSERT_EQ(Assign("ann", "Pro", kNoon + 70), "applied");
  for (int i = 0; i < 150; ++i) ASSERT_TRUE(Admit("ann", kNoon + 80 + i)) << i;
  EXPECT_FALSE(Admit("ann", kNoon + 300));
}

TEST_F(TokenDefectD11, AnEditedProfileBindsThoseWhoHaveItAndATenantsOverrideBindsAll) {
  ASSERT_EQ(Profile("Team", {LimitOf(Meter::kRequests, Window::kRollingHour, 5)}), "applied");
  ASSERT_EQ(Assign("ann", "Team"), "applied");
  ASSERT_TRUE(Admit("ann", kNoon));
  ASSERT_EQ(Profile("Team", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}, kNoon + 1), "applied");
  EXPECT_FALSE(Admit("ann", kNoon + 2));
  ASSERT_EQ(Override("", {LimitOf(Meter::kRequests, Window::kRollingHour, 3)}, kNoon + 3), "applied");
  EXPECT_TRUE(Admit("ann", kNoon + 4));
  ASSERT_EQ(Enforce(Enforcement::kOff, kNoon + 5), "applied");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(Admit("ann", kNoon + 6 + i));
}

// --- D12: limiters that never refused. That the warning warns: tests/unit/consumers/limit_answers_test.cc.

class TokenDefectD12 : public LimitTest {};

TEST_F(TokenDefectD12, AfterFiftyRequestsFreeRefuses) {
  ASSERT_EQ(Assign("ann", "Free"), "applied");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Admit("ann", kNoon + i));
  EXPECT_FALSE(Admit("ann", kNoon + 50));
}

TEST_F(TokenDefectD12, WithinAnyHourNoMoreThanTheCapIsLetThrough) {
  ASSERT_EQ(Assign("ann", "Pro"), "applied");
  int allowed = 0;
  for (int i = 0; i < 300; ++i) allowed += Admit("ann", kNoon + i * 10 * kUsPerSecond) ? 1 : 0;
  EXPECT_EQ(allowed, 200) << "in 50 minutes";
}

// --- D14: checked, then acted; nothing was reserved.

class TokenDefectD14 : public LimitTest {};

TEST_F(TokenDefectD14, WhatIsReservedInAdvanceCannotBeReservedTwice) {
  ASSERT_EQ(Assign("ann", "Free"), "applied");
  int allowed = 0;
  for (int i = 0; i < 12; ++i)
    allowed += Asked(Hold("ann", {{Meter::kInputTokens, 50'000}}, kNoon + i)).verdict.allowed ? 1 : 0;
  EXPECT_EQ(allowed, 2) << "of 600,000 asked for by many at once, 100,000";
}

TEST_F(TokenDefectD14, AMonthThatIsUsedUpRefusesARequestThatAsksForNoTokens) {
  ASSERT_EQ(Assign("ann", "Free"), "applied");
  partition_.Apply(TokenTurn(599'999, 0, kNoon));
  EXPECT_FALSE(Admit("ann", kNoon + 1));
}

// --- D18: zero meant two things.

class TokenDefectD18 : public LimitTest {};

TEST_F(TokenDefectD18, ACapOfZeroAllowsNothingAndAnAbsentOneLimitsNothing) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 0)}), "applied");
  ASSERT_EQ(Override("bob", {LimitOf(Meter::kRequests, Window::kRollingHour, std::nullopt)}), "applied");
  AskRow refused = Asked(AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, kNoon));
  EXPECT_FALSE(refused.verdict.allowed);
  ASSERT_EQ(refused.verdict.limits.size(), 1u) << "it is shown";
  EXPECT_EQ(refused.verdict.limits[0].cap, 0);
  EXPECT_TRUE(Admit("bob", kNoon));
  EXPECT_TRUE(Check({"acme", "bob", {}, {}}, {}, kNoon).limits.empty());
}

// --- D19: who is near a limit was last month's, and only of tokens. The listing of all who are near one:
// tests/unit/consumers/limit_answers_test.cc.

class TokenDefectD19 : public LimitTest {};

TEST_F(TokenDefectD19, LastMonthsUsageIsNotThisMonthsAndRequestsAreLimitsToo) {
  ASSERT_EQ(Assign("ann", "Free", TimeOf("2024-02-01T00:00:00Z")), "applied");
  partition_.Apply(TokenTurn(99'000, 0, TimeOf("2024-02-29T12:00:00Z")));
  auto used = [&](Meter meter, int64_t at_us) {
    for (const LimitStatus& limit : Check({"acme", "ann", {}, {}}, {}, at_us).limits) {
      if (static_cast<Meter>(limit.meter) == meter) return limit.used;
    }
    return int64_t{-1};
  };
  EXPECT_EQ(used(Meter::kInputTokens, TimeOf("2024-02-29T23:59:59.999999Z")), 99'000);
  EXPECT_EQ(used(Meter::kInputTokens, TimeOf("2024-03-01T00:00:00Z")), 0);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Admit("ann", kNoon + i));
  EXPECT_EQ(used(Meter::kRequests, kNoon + 100), 50);
}

// --- D23: refused edits were half applied.

class TokenDefectD23 : public LimitTest {
 protected:
  // Of the profile of Team, the override of bob, or the quota of cy.
  Event Edit(EventType type, std::vector<Limit> limits) {
    Event event = Define(type, kNoon);
    if (type == EventType::kProfileDefined) event.definition.name = "Team";
    if (type == EventType::kLimitOverridden) event.definition.user = "bob";
    if (type == EventType::kQuotaSet) {
      event.definition.level = QuotaLevel::kUser;
      event.definition.user = "cy";
    }
    event.definition.limits = std::move(limits);
    return event;
  }
  int64_t OnlyCapOf(std::string_view user) {
    Verdict verdict = Check({"acme", user, {}, {}}, {}, kNoon);
    EXPECT_EQ(verdict.limits.size(), 1u);
    return verdict.limits.empty() ? -1 : verdict.limits[0].cap;
  }
};

TEST_F(TokenDefectD23, ARefusedDefinitionChangesNothingAtAll) {
  ASSERT_EQ(Profile("Team", {LimitOf(Meter::kRequests, Window::kRollingHour, 5)}), "applied");
  ASSERT_EQ(Assign("", "Team"), "applied");
  std::string before = partition_.Digest();
  EXPECT_EQ(Assign("", "Nowhere"), "unknown_profile");
  Event stale = Define(EventType::kProfileDefined);
  stale.definition.name = "Team";
  stale.definition.limits = {LimitOf(Meter::kRequests, Window::kRollingHour, 1)};
  stale.definition.expected = Uuid();
  EXPECT_EQ(partition_.Apply(stale), "not_expected");
  Event deletion = Define(EventType::kProfileDefined);
  deletion.definition.name = "Team";
  deletion.definition.is_deleted = true;
  EXPECT_EQ(partition_.Apply(deletion), "profile_in_use");
  EXPECT_EQ(partition_.Digest(), before);
  EXPECT_EQ(Check({"acme", "whoever", {}, {}}, {}, kNoon).limits.at(0).source, "Team") << "the fallback still stands";
}

TEST_F(TokenDefectD23, OfTwoLimitsOfWhichTheSecondIsBadNeitherIsTaken) {
  Limit good = LimitOf(Meter::kRequests, Window::kRollingHour, 1);
  int64_t cap = 5;
  for (EventType type : {EventType::kProfileDefined, EventType::kLimitOverridden, EventType::kQuotaSet})
    ASSERT_EQ(partition_.Apply(Edit(type, {LimitOf(Meter::kRequests, Window::kRollingHour, cap++)})), "applied");
  ASSERT_EQ(Assign("ann", "Team", kNoon), "applied");
  std::string before = partition_.Digest();
  struct Case {
    Limit bad;
    const char* reason;
  };
  // As bytes that none of the doors would have taken.
  for (const Case& each : {Case{LimitOf(Meter::kInputTokens, Window::kMonth, -1), "negative_amount"},
                           Case{LimitOf(Meter::kInputTokens, Window::kMonth, kCapMax + 1), "inconsistent_amounts"},
                           Case{LimitOf(Meter::kInputTokens, Window::kGauge, 9), "inconsistent_amounts"},
                           Case{LimitOf(Meter::kInputTokens, static_cast<Window>(99), 9), "invalid_enum"},
                           Case{LimitOf(Meter::kRequests, Window::kRollingHour, 9), "inconsistent_amounts"}}) {
    for (EventType type : {EventType::kProfileDefined, EventType::kLimitOverridden, EventType::kQuotaSet}) {
      std::string bytes = Encode(Edit(type, {good, each.bad}));
      EXPECT_EQ(partition_.ApplyBytes(bytes, kNoon), each.reason) << TypeName(type);
    }
    EXPECT_EQ(partition_.Digest(), before) << each.reason;
  }
  EXPECT_EQ(OnlyCapOf("ann"), 5);
  EXPECT_EQ(OnlyCapOf("bob"), 6);
  EXPECT_EQ(OnlyCapOf("cy"), 7);
}

// --- the vector database's

class VectorDefect : public LimitTest {
 protected:
  Event Operation(EventType type, std::string_view user, std::string_view project, int64_t vectors, int64_t at_us) {
    Event event = make_.Make(type, at_us);
    event.operation.user = user;
    event.operation.project = project;
    event.operation.collection = "c";
    event.operation.requested = event.operation.succeeded = vectors < 0 ? -vectors : vectors;
    event.operation.vectors_delta = vectors;
    return event;
  }
  bool MayHold(std::string_view user, std::string_view project, int64_t vectors, int64_t at_us) {
    Subject of{"acme", user, project, {}};
    return Check(of, {{Meter::kVectors, vectors}}, at_us).allowed;
  }
  bool MaySearch(std::string_view user, std::string_view project, int64_t at_us) {
    Subject of{"acme", user, project, {}};
    return Asked(AskOf(EventType::kAdmitAsked, of, {{Meter::kSearches, 1}}, at_us)).verdict.allowed;
  }
  std::string ProjectQuota(std::string_view project, std::vector<Limit> limits) {
    return Quota(QuotaLevel::kProject, {"acme", {}, project, {}}, std::move(limits));
  }
};

class VectorDefectV1Limit : public VectorDefect {};
TEST_F(VectorDefectV1Limit, EightVectorsInOneOperationLeaveRoomForTwoOfTen) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 10)}), "applied");
  ASSERT_EQ(partition_.Apply(Operation(EventType::kVectorsAdded, "ann", "docs", 8, kNoon)), "applied");
  EXPECT_FALSE(MayHold("ann", "docs", 5, kNoon + 1));
  EXPECT_TRUE(MayHold("ann", "docs", 2, kNoon + 1));
}

class VectorDefectV2 : public VectorDefect {};
TEST_F(VectorDefectV2, UpsertsAndBatchesFillTheQuotaAndBatchDeletesEmptyIt) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 1000)}), "applied");
  partition_.Apply(Operation(EventType::kVectorsAdded, "ann", "docs", 500, kNoon));
  partition_.Apply(Operation(EventType::kVectorsUpserted, "ann", "docs", 302, kNoon + 1));
  EXPECT_FALSE(MayHold("ann", "docs", 199, kNoon + 2));
  partition_.Apply(Operation(EventType::kVectorsDeleted, "ann", "docs", -400, kNoon + 3));
  EXPECT_TRUE(MayHold("ann", "docs", 598, kNoon + 4));
  EXPECT_FALSE(MayHold("ann", "docs", 599, kNoon + 4));
}

class VectorDefectV4 : public VectorDefect {};
TEST_F(VectorDefectV4, EveryKindOfSearchIsASearch) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kSearches, Window::kRolling24h, 3)}), "applied");
  for (std::string_view name : {"semantic_search", "find_similar", "simple_search_text"}) {
    Event search = Operation(EventType::kVectorsSearched, "ann", "docs", 0, kNoon);
    search.operation.operation = name;
    ASSERT_EQ(partition_.Apply(search), "applied");
  }
  EXPECT_FALSE(MaySearch("ann", "docs", kNoon + 1));
}

class VectorDefectV5 : public VectorDefect {};
TEST_F(VectorDefectV5, AProjectsLimitCountsAllItsUsersAndAUsersAllProjects) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kSearches, Window::kRolling24h, 2)}), "applied");
  ASSERT_EQ(Quota(QuotaLevel::kUser, {"acme", "cy", {}, {}}, {LimitOf(Meter::kSearches, Window::kRollingHour, 2)}),
            "applied");
  EXPECT_TRUE(MaySearch("ann", "docs", kNoon));
  EXPECT_TRUE(MaySearch("bob", "docs", kNoon + 1));
  EXPECT_FALSE(MaySearch("dee", "docs", kNoon + 2));
  EXPECT_TRUE(MaySearch("cy", "one", kNoon + 3));
  EXPECT_TRUE(MaySearch("cy", "two", kNoon + 4));
  EXPECT_FALSE(MaySearch("cy", "three", kNoon + 5));
}

class VectorDefectV6 : public VectorDefect {};
TEST_F(VectorDefectV6, AUsersQuotaHidesOnlyWhatItSpeaksOf) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 10)}), "applied");
  ASSERT_EQ(Quota(QuotaLevel::kUser, {"acme", "ann", {}, {}}, {LimitOf(Meter::kSearches, Window::kRolling24h, 100)}),
            "applied");
  EXPECT_FALSE(MayHold("ann", "docs", 11, kNoon));
}

class VectorDefectV7 : public VectorDefect {};
TEST_F(VectorDefectV7, ZeroIsACapAndEveryLimitThatIsStoredIsEnforced) {
  auto is_refused = [&](std::string_view project, Limit limit, Amount amount) {
    EXPECT_EQ(ProjectQuota(project, {limit}), "applied");
    Subject of{"acme", "ann", project, {}};
    return !Check(of, {amount}, kNoon).allowed;
  };
  EXPECT_TRUE(is_refused("a", LimitOf(Meter::kOperations, Window::kRollingMinute, 0), {Meter::kOperations, 1}));
  EXPECT_TRUE(is_refused("b", LimitOf(Meter::kOperations, Window::kRollingHour, 0), {Meter::kOperations, 1}));
  EXPECT_TRUE(is_refused("c", LimitOf(Meter::kBytes, Window::kGauge, 100), {Meter::kBytes, 101}));
  EXPECT_TRUE(is_refused("d", LimitOf(Meter::kCollections, Window::kGauge, 1), {Meter::kCollections, 2}));
}

TEST_F(VectorDefectV7, OperationsOfTheLastMinuteAndCollectionsThatExistCount) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kOperations, Window::kRollingMinute, 2),
                                  LimitOf(Meter::kCollections, Window::kGauge, 1)}),
            "applied");
  partition_.Apply(Operation(EventType::kCollectionCreated, "ann", "docs", 0, kNoon));
  Subject of{"acme", "ann", "docs", {}};
  EXPECT_FALSE(Check(of, {{Meter::kCollections, 1}}, kNoon + 1).allowed);
  partition_.Apply(Operation(EventType::kVectorsSearched, "ann", "docs", 0, kNoon + 2));
  EXPECT_FALSE(Check(of, {{Meter::kOperations, 1}}, kNoon + 3).allowed);
  EXPECT_TRUE(Check(of, {{Meter::kOperations, 1}}, kNoon + 62 * kUsPerSecond).allowed);
}

class VectorDefectV8 : public VectorDefect {};
TEST_F(VectorDefectV8, OneQuotaStandsForAScopeAndItIsTheLastThatWasSet) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 10)}), "applied");
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 20)}), "applied");
  Subject of{"acme", "ann", "docs", {}};
  ASSERT_EQ(Check(of, {}, kNoon).limits.size(), 1u);
  EXPECT_EQ(Check(of, {}, kNoon).limits[0].cap, 20);
}

TEST_F(VectorDefectV8, NoAmountIsNegative) {
  Event ask = AskOf(EventType::kHoldAsked, {"acme", "ann", "docs", {}}, {{Meter::kVectors, -1}}, kNoon, kMinute);
  EXPECT_NE(CheckMeaning(ask), Reason::kNone);
}

TEST_F(VectorDefectV8, ADurationOfNothingIsOneAndNoDurationIsNone) {
  using Duration = std::optional<int64_t>;
  for (Duration duration_us : {Duration(0), Duration(800), Duration()}) {
    Event search = Operation(EventType::kVectorsSearched, "ann", "docs", 0, kNoon);
    search.operation.duration_us = duration_us;
    ASSERT_EQ(partition_.Apply(search), "applied");
  }
  EXPECT_EQ(partition_.Get("project[acme,docs]", "search.success"), "3");
  EXPECT_EQ(partition_.Get("project[acme,docs]", "search.duration_us"), "800");
  EXPECT_EQ(partition_.Get("project[acme,docs]", "search.timed"), "2") << "an average of 400";
}

// Whose operations are listed: tests/unit/consumers/limit_answers_test.cc.
TEST_F(VectorDefectV8, TheUserZeroIsAUserAndNobodyElsesQuotaIsTheirs) {
  Limit one = LimitOf(Meter::kSearches, Window::kRolling24h, 1);
  ASSERT_EQ(Quota(QuotaLevel::kUser, {"acme", "0", {}, {}}, {one}), "applied");
  EXPECT_TRUE(MaySearch("0", "docs", kNoon));
  EXPECT_FALSE(MaySearch("0", "docs", kNoon + 1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(MaySearch("ann", "docs", kNoon + 2 + i)) << "the quota speaks of one user";
  ASSERT_EQ(partition_.Apply(Operation(EventType::kVectorsAdded, "0", "docs", 4, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(Operation(EventType::kVectorsAdded, "ann", "docs", 9, kNoon)), "applied");
  EXPECT_EQ(partition_.Get("project_user[acme,0,docs]", "vectors"), "4");
  EXPECT_EQ(partition_.Get("project[acme,docs]", "vectors"), "13");
}

class VectorDefectV9Limit : public VectorDefect {};
TEST_F(VectorDefectV9Limit, AskingAndCountingAreOneAndAPartlyFailedBatchUsesWhatItAdded) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 10)}), "applied");
  Subject of{"acme", "ann", "docs", {}};
  auto hold = [&](int64_t at_us) { return AskOf(EventType::kHoldAsked, of, {{Meter::kVectors, 8}}, at_us, kMinute); };
  Event first = hold(kNoon);
  EXPECT_TRUE(Asked(first).verdict.allowed);
  EXPECT_FALSE(Asked(hold(kNoon + 1)).verdict.allowed) << "of two who ask before either has added";
  Event partly = Operation(EventType::kVectorsAdded, "ann", "docs", 3, kNoon + 2);
  partly.operation.requested = 8;
  partly.operation.status = OperationStatus::kPartialFailure;
  partly.ask = first.id;
  ASSERT_EQ(partition_.Apply(partly), "applied");
  EXPECT_TRUE(MayHold("ann", "docs", 7, kNoon + 3));
  EXPECT_FALSE(MayHold("ann", "docs", 8, kNoon + 3));
}

TEST_F(VectorDefectV9Limit, AnUpsertUsesWhatItInsertedAndNothingForWhatItReplaced) {
  ASSERT_EQ(ProjectQuota("docs", {LimitOf(Meter::kVectors, Window::kGauge, 10),
                                  LimitOf(Meter::kOperations, Window::kRollingHour, 100)}),
            "applied");
  ASSERT_EQ(partition_.Apply(Operation(EventType::kVectorsAdded, "ann", "docs", 6, kNoon)), "applied");
  Event upsert = Operation(EventType::kVectorsUpserted, "ann", "docs", 0, kNoon + 1);
  upsert.operation.requested = upsert.operation.succeeded = 5;
  upsert.operation.inserted = upsert.operation.vectors_delta = 2;  // three were there before
  ASSERT_EQ(partition_.Apply(upsert), "applied");
  Verdict after = Check({"acme", "ann", "docs", {}}, {}, kNoon + 2);
  ASSERT_EQ(after.limits.size(), 2u);
  EXPECT_EQ(after.limits[0].used, 2) << "operations";
  EXPECT_EQ(after.limits[1].used, 8) << "vectors";
  EXPECT_TRUE(MayHold("ann", "docs", 2, kNoon + 2));
  EXPECT_FALSE(MayHold("ann", "docs", 3, kNoon + 2));
}

}  // namespace
}  // namespace odometer
