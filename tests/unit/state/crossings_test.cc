// Limits that are crossed, told once an instance: docs/limits.md, section 6.
#include "state/crossings.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "tests/unit/state/limit_fixture.h"

namespace odometer {
namespace {

class CrossingsTest : public LimitTest {
 protected:
  std::vector<CrossingRow> Outbox() { return RowsOf(RowKind::kOutbox); }
  std::vector<CrossingRow> Alerts() { return RowsOf(RowKind::kAlert); }
  std::vector<CrossingRow> RowsOf(RowKind kind) {
    std::vector<CrossingRow> rows;
    std::string begin = KeyBuilder().Begin(kind).str();
    EXPECT_TRUE(partition_.view()
                    ->Scan(begin, PrefixEnd(begin),
                           [&](std::string_view, std::string_view value) {
                             CrossingRow row;
                             EXPECT_TRUE(DecodeRow(value, &row));
                             rows.push_back(row);
                             return true;
                           })
                    .ok());
    std::sort(rows.begin(), rows.end(), [](const CrossingRow& a, const CrossingRow& b) {
      return std::tuple(a.user, a.window, a.instance, a.percent) < std::tuple(b.user, b.window, b.instance, b.percent);
    });
    return rows;
  }
  // Percents of the outbox, sorted.
  std::vector<int> Percents() {
    std::vector<int> percents;
    for (const CrossingRow& row : Outbox()) percents.push_back(row.percent);
    std::sort(percents.begin(), percents.end());
    return percents;
  }
  // As the daemon: appends what the outbox has, and folds it.
  size_t Publish(int64_t at_us) {
    partition_.Commit();
    std::vector<std::string> taken = partition_.projection().TakeCrossings();
    for (const std::string& bytes : taken) EXPECT_EQ(partition_.ApplyBytes(bytes, at_us), "applied");
    return taken.size();
  }
  void Turns(std::string_view user, int count, int64_t at_us) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(partition_.Apply(make_.Turn(user, at_us, "s")), "applied");
  }
  Uuid OverrideOf(std::string_view user) {
    KeyBuilder key;
    return partition_.Read<LimitsRow>(OverrideKey(key, "acme", user).view()).defined.id;
  }
  Event InCollection(EventType type, int64_t at_us) {
    Event event = make_.Make(type, at_us);
    event.operation.user = "ann";
    event.operation.project = "docs";
    event.operation.collection = "c";
    return event;
  }
  Event Vectors(int64_t count, int64_t at_us) {
    Event event = InCollection(count < 0 ? EventType::kVectorsDeleted : EventType::kVectorsAdded, at_us);
    event.operation.requested = event.operation.succeeded = std::abs(count);
    event.operation.vectors_delta = count;
    return event;
  }
};

TEST_F(CrossingsTest, EachPercentageIsToldByTheRecordThatReachesItAndByNoEarlierOne) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kMonth, 20)}), "applied");
  Turns("ann", 15, kNoon);
  EXPECT_EQ(Percents(), std::vector<int>{});
  Turns("ann", 1, kNoon);
  EXPECT_EQ(Percents(), std::vector<int>{80});
  Turns("ann", 2, kNoon);
  EXPECT_EQ(Percents(), std::vector<int>{80}) << "18 of 20 are 90 %";
  Turns("ann", 1, kNoon);
  EXPECT_EQ(Percents(), (std::vector<int>{80, 95}));
  Turns("ann", 3, kNoon);
  EXPECT_EQ(Percents(), (std::vector<int>{80, 95, 100}));
}

TEST_F(CrossingsTest, OneRecordThatReachesAllTellsAllAndWhatCausedThem) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kLifetime, 1'000)}), "applied");
  Event turn = TokenTurn(0, 2'000, kNoon);
  ASSERT_EQ(partition_.Apply(turn), "applied");
  std::vector<CrossingRow> rows = Outbox();
  ASSERT_EQ(rows.size(), 3u);
  for (const CrossingRow& row : rows) {
    EXPECT_EQ(row.used, 2'000);
    EXPECT_EQ(row.cap, 1'000);
    EXPECT_EQ(row.level, "user_override");
    EXPECT_EQ(row.source, "ann");
    EXPECT_EQ(row.crossed_us, kNoon);
    EXPECT_EQ(row.cause, turn.id);
    EXPECT_EQ(row.definition, OverrideOf("ann"));
  }
}

TEST_F(CrossingsTest, TheIdIsThatOfDefinitionScopeWindowInstanceAndPercent) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingHour, 1)}), "applied");
  Turns("ann", 1, kNoon);
  std::vector<CrossingRow> rows = Outbox();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].id, Uuid5(OverrideOf("ann"), "4:acme3:ann0:0:2,1,2,0,80"));
  EXPECT_EQ(rows[2].id, Uuid5(OverrideOf("ann"), "4:acme3:ann0:0:2,1,2,0,100"));
}

TEST_F(CrossingsTest, WhatIsHeldCrossesNothingAndWhatIsSettledDoes) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kTotalTokens, Window::kDay, 100)}), "applied");
  Event hold = Hold("ann", {{Meter::kTotalTokens, 100}}, kNoon);
  ASSERT_TRUE(Asked(hold).verdict.allowed);
  EXPECT_EQ(Percents(), std::vector<int>{});
  ASSERT_EQ(partition_.Apply(End(EventType::kHoldSettled, hold.id, {{Meter::kTotalTokens, 85}}, kNoon + kUsPerSecond)),
            "applied");
  EXPECT_EQ(Percents(), std::vector<int>{80});
}

TEST_F(CrossingsTest, ALeaseThatExpiresCrossesAtItsDueAndTheLeaseIsTheCause) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kDay, 10)}), "applied");
  Event lease = Lease("ann", {{Meter::kRequests, 9}}, kNoon);
  ASSERT_TRUE(Asked(lease).verdict.allowed);
  Turns("bob", 1, kNoon + kUsPerHour);
  std::vector<CrossingRow> rows = Outbox();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].percent, 80);
  EXPECT_EQ(rows[0].crossed_us, kNoon + kMinute);
  EXPECT_EQ(rows[0].cause, lease.id);
}

TEST_F(CrossingsTest, ACalendarWindowTellsOnceASpanAndAnewInTheNext) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kHour, 5)}), "applied");
  Turns("ann", 4, kNoon);
  EXPECT_EQ(Publish(kNoon), 1u);
  Turns("ann", 4, kNoon + kUsPerHour);
  std::vector<CrossingRow> rows = Outbox();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].instance, kNoon + kUsPerHour);
  EXPECT_EQ(rows[0].percent, 80);
  ASSERT_EQ(Alerts().size(), 1u);
  EXPECT_EQ(Alerts()[0].instance, kNoon);
}

TEST_F(CrossingsTest, ARollingWindowTellsAgainOnlyAfterItHasFallenTenPercentBelow) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kRollingMinute, 10)}), "applied");
  Turns("ann", 1, kNoon);
  Turns("ann", 7, kNoon + 10 * kUsPerSecond);
  EXPECT_EQ(Percents(), std::vector<int>{80});
  // One has left the window: 7 of 10 is not below 70 %, and 8 again is the same crossing.
  Turns("ann", 1, kNoon + 62 * kUsPerSecond);
  EXPECT_EQ(Percents(), std::vector<int>{80});
  // All but one have left it.
  Turns("ann", 8, kNoon + 75 * kUsPerSecond);
  std::vector<CrossingRow> rows = Outbox();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].instance, 0);
  EXPECT_EQ(rows[1].instance, 1);
  EXPECT_NE(rows[0].id, rows[1].id);
}

// Found by kill -9 under hostile amounts: a sum below the int64 range came out above the cap.
TEST_F(CrossingsTest, ARollingSumBelowTheRangeOfFiguresReachesNothing) {
  constexpr int64_t kTenth = INT64_MAX / 10;
  for (int i = 0; i < 2; ++i) ASSERT_EQ(partition_.Apply(TokenTurn(0, 4 * kTenth, kNoon - 2 * kUsPerHour)), "applied");
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kOutputTokens, Window::kRollingHour, 100)}), "applied");
  for (int minute = 0; minute < 2; ++minute) {
    Event less = make_.Amendment(make_.Turn("ann", kNoon + minute * kMinute), kNoon + minute * kMinute);
    less.amendment.tokens_delta.output = -7 * kTenth;
    ASSERT_EQ(partition_.Apply(less), "applied") << "its day has used as much before";
  }
  EXPECT_EQ(UsedBy("ann", Meter::kOutputTokens, Window::kRollingHour, kNoon + kMinute), INT64_MIN);
  for (const CrossingRow& row : Outbox()) EXPECT_NE(row.window, static_cast<uint8_t>(Window::kRollingHour));
}

TEST_F(CrossingsTest, AGaugeThatFallsByDeletionIsToldAgainWhenItIsReachedAgain) {
  ASSERT_EQ(Quota(QuotaLevel::kProject, {"acme", {}, "docs", {}}, {LimitOf(Meter::kVectors, Window::kGauge, 100)}),
            "applied");
  ASSERT_EQ(partition_.Apply(Vectors(90, kNoon)), "applied");
  ASSERT_EQ(partition_.Apply(Vectors(-15, kNoon + 1)), "applied");
  ASSERT_EQ(partition_.Apply(Vectors(10, kNoon + 2)), "applied");
  EXPECT_EQ(Percents(), std::vector<int>{80}) << "75 is within ten percent of 80";
  ASSERT_EQ(partition_.Apply(Vectors(-20, kNoon + 3)), "applied");
  ASSERT_EQ(partition_.Apply(Vectors(35, kNoon + 4)), "applied");
  EXPECT_EQ(Percents(), (std::vector<int>{80, 80, 95, 100}));
  EXPECT_EQ(Outbox()[0].project, "docs");
  EXPECT_EQ(Outbox()[0].user, "");
}

TEST_F(CrossingsTest, ACountThatFindsMoreThanTheCapTellsIt) {
  ASSERT_EQ(Quota(QuotaLevel::kCollection, {"acme", {}, "docs", "c"}, {LimitOf(Meter::kVectors, Window::kGauge, 100)}),
            "applied");
  ASSERT_EQ(partition_.Apply(Vectors(10, kNoon)), "applied");
  Event counted = InCollection(EventType::kVectorsCounted, kNoon + 1);
  counted.operation.counted_vectors = 97;
  ASSERT_EQ(partition_.Apply(counted), "applied");
  EXPECT_EQ(Percents(), (std::vector<int>{80, 95}));
}

TEST_F(CrossingsTest, AnotherDefinitionOfTheSameLimitIsCrossedAnew) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kMonth, 10)}), "applied");
  Turns("ann", 8, kNoon);
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kMonth, 9)}, kNoon + 1), "applied");
  EXPECT_EQ(Percents(), std::vector<int>{80}) << "told by what is used, not by the definition";
  Turns("ann", 1, kNoon + 2);
  EXPECT_EQ(Percents(), (std::vector<int>{80, 80, 95, 100}));
}

TEST_F(CrossingsTest, ABuiltInProfileIsKnownByItsNameSoThatTheNextOneIsCrossedByItself) {
  ASSERT_EQ(Assign("ann", "Free"), "applied");
  Turns("ann", 40, kNoon);
  ASSERT_EQ(Outbox().size(), 1u);
  EXPECT_EQ(Outbox()[0].definition, Uuid5(Uuid(), "Free"));
  EXPECT_EQ(Outbox()[0].level, "profile");
  ASSERT_EQ(Assign("ann", "Pro", kNoon + 1), "applied");
  Turns("ann", 120, kNoon + 2);
  std::vector<CrossingRow> rows = Outbox();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].source == "Pro" ? rows[0].used : rows[1].used, 160);
}

TEST_F(CrossingsTest, OfACapOfNothingTheFirstUseTellsAll) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kLifetime, 0)}), "applied");
  Turns("ann", 1, kNoon);
  EXPECT_EQ(Percents(), (std::vector<int>{80, 95, 100}));
}

TEST_F(CrossingsTest, UnderOffNothingIsToldAndUnderObserveAndOfASoftLimitItIs) {
  Limit soft = LimitOf(Meter::kRequests, Window::kMonth, 10);
  soft.mode = LimitMode::kSoft;
  ASSERT_EQ(Override("ann", {soft}), "applied");
  ASSERT_EQ(Enforce(Enforcement::kOff), "applied");
  Turns("ann", 8, kNoon);
  EXPECT_EQ(Percents(), std::vector<int>{});
  ASSERT_EQ(Enforce(Enforcement::kObserve, kNoon + 1), "applied");
  Turns("ann", 1, kNoon + 2);
  EXPECT_EQ(Percents(), std::vector<int>{80});
}

TEST_F(CrossingsTest, WhatIsReadBackLeavesTheOutboxAndIsAnAlertAtItsOffset) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kMonth, 10)}), "applied");
  Turns("ann", 8, kNoon);
  partition_.Commit();
  std::vector<std::string> taken = partition_.projection().TakeCrossings();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_TRUE(partition_.projection().TakeCrossings().empty()) << "each is taken once";
  int64_t offset = static_cast<int64_t>(partition_.projection().meta().cursor);
  ASSERT_EQ(partition_.ApplyBytes(taken[0], kNoon + 1), "applied");
  EXPECT_TRUE(Outbox().empty());
  CrossingRow alert =
      partition_.Read<CrossingRow>(KeyBuilder().Begin(RowKind::kAlert).Text("acme").Number(offset).view());
  EXPECT_EQ(alert.percent, 80);
  EXPECT_EQ(alert.used, 8);
  EXPECT_EQ(partition_.ApplyBytes(taken[0], kNoon + 2), "duplicate") << "appended twice after a crash";
  EXPECT_EQ(Alerts().size(), 1u);
}

TEST_F(CrossingsTest, WhatIsInTheOutboxIsTakenAgainAfterARestartAndWhatWasNotCommittedIsNot) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kMonth, 10)}), "applied");
  Turns("ann", 8, kNoon);
  partition_.Commit();
  std::vector<std::string> before = partition_.projection().TakeCrossings();
  partition_.Restart();
  Turns("bob", 1, kNoon + 1);
  partition_.Commit();
  EXPECT_EQ(partition_.projection().TakeCrossings(), before) << "the same bytes";
  Turns("ann", 2, kNoon + 2);
  partition_.Crash();
  Turns("bob", 1, kNoon + 3);
  partition_.Commit();
  EXPECT_EQ(partition_.projection().TakeCrossings(), before);
}

TEST_F(CrossingsTest, ACrossingThatTheFoldDidNotFindIsQuarantined) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kMonth, 10)}), "applied");
  Turns("ann", 8, kNoon);
  partition_.Commit();
  std::vector<std::string> taken = partition_.projection().TakeCrossings();
  DecodedEvent forged(taken.at(0));
  forged.event().id = Uuid5(Uuid(), "forged");
  EXPECT_EQ(partition_.Apply(forged.event(), kNoon + 1), "not_crossed");
  EXPECT_TRUE(Alerts().empty());
  EXPECT_EQ(Outbox().size(), 1u);
}

TEST_F(CrossingsTest, ALogThatIsFoldedAgainTellsNothingThatIsInIt) {
  std::vector<TestRecord> log;
  auto apply = [&](const Event& event) {
    log.push_back({Encode(event), false, event.event_time.us});
    ASSERT_EQ(partition_.Apply(log.back()), "applied");
  };
  Event limit = Define(EventType::kLimitOverridden);
  limit.definition.user = "ann";
  limit.definition.limits = {LimitOf(Meter::kRequests, Window::kRollingMinute, 5)};
  apply(limit);
  int64_t now_us = kNoon;
  for (int i = 0; i < 300; ++i) {
    now_us += (i % 6 == 0 ? 65 : 1) * kUsPerSecond;
    apply(make_.Turn("ann", now_us, "s"));
    partition_.Commit();
    for (std::string& bytes : partition_.projection().TakeCrossings()) {
      log.push_back({std::move(bytes), false, log.back().append_us});
      ASSERT_EQ(partition_.Apply(log.back()), "applied");
    }
  }
  ASSERT_GT(Alerts().size(), 20u);
  TestPartition again;
  for (const TestRecord& record : log) ASSERT_EQ(again.Apply(record), "applied");
  again.Commit();
  EXPECT_TRUE(again.projection().TakeCrossings().empty());
  EXPECT_EQ(again.Digest(), partition_.Digest());
}

}  // namespace
}  // namespace odometer
