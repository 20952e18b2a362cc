#include "consumers/backtest.h"

#include "tests/unit/consumers/asked_log.h"

namespace odometer {
namespace {

using BacktestTest = AskedLogTest;

TEST_F(BacktestTest, WithWhatWasLiveItRefusesExactlyWhatWasRefused) {
  uint64_t seed = SeedFromEnvironment(5);
  std::cout << "seed " << seed << "\n";
  Mix mix({.seed = seed, .tenants = 2, .users = 4});
  AppendMix(mix, IsFullRun() ? 30'000 : 3'000);
  for (const std::string& tenant : {mix.tenants()[0], mix.tenants()[1]}) {
    std::vector<uint64_t> refused;
    uint64_t asked = 0;
    for (const Judged& ask : JudgedOf(tenant)) {
      ++asked;
      if (ask.row.verdict.refusal != 0) refused.push_back(ask.offset);
    }
    ASSERT_FALSE(refused.empty());
    BacktestReport report = TryOut({}, 0, tenant).value();
    EXPECT_EQ(report.all.asked, asked);
    EXPECT_EQ(report.all.refused_live, refused.size());
    EXPECT_EQ(report.all.newly_refused + report.all.newly_allowed + report.all.traffic_events, 0u);
    std::vector<uint64_t> listed;
    for (const BacktestRefusal& refusal : report.refusals) listed.push_back(refusal.offset);
    refused.resize(listed.size());
    EXPECT_EQ(listed, refused);
  }
}

TEST_F(BacktestTest, TheTriedProfileStandsWhereTheOldOneStood) {
  DefineProfile("Team", 100, kStart);
  Assign("ann", "Team", kStart);
  for (int i = 1; i <= 5; ++i) Ask("ann", {{Meter::kRequests, 1}}, kStart + i * kUsPerSecond);
  Event tried = ProfileOf("Team", 3, kStart);
  BacktestReport all = TryOut({tried}).value();
  EXPECT_EQ(all.all.refused_live, 0u);
  EXPECT_EQ(all.all.refused, 2u);
  EXPECT_EQ(all.all.newly_refused, 2u);
  BacktestReport late = TryOut({tried}, kStart + 5 * kUsPerSecond).value();
  EXPECT_EQ(late.all.asked, 1u);
  EXPECT_EQ(late.all.refused, 1u) << "what was used before the time in question counts";
}

TEST_F(BacktestTest, AnAskThatIsOnlyNowAllowedCounts) {
  DefineProfile("Team", 1, kStart);
  Assign("ann", "Team", kStart);
  for (int i = 1; i <= 5; ++i) Ask("ann", {{Meter::kRequests, 1}}, kStart + i * kUsPerSecond);
  BacktestReport report = TryOut({ProfileOf("Team", 3, kStart)}).value();
  EXPECT_EQ(report.all.refused_live, 4u);
  EXPECT_EQ(report.all.refused, 2u);
  EXPECT_EQ(report.all.newly_allowed, 2u);
}

TEST_F(BacktestTest, WhatARefusedAskLetRunIsTrafficKeptAwayAndUsesNothing) {
  DefineProfile("Team", 100, kStart);
  Assign("ann", "Team", kStart);
  for (int i = 1; i <= 4; ++i) {
    int64_t at_us = kStart + i * kUsPerSecond;
    Uuid ask = Ask("ann", {{Meter::kRequests, 1}}, at_us);
    Event turn = make_.Turn("ann", at_us + 1000, "s");
    turn.ask = ask;
    turn.turn.tokens.output = 10;
    Append(turn, at_us + 1000);
  }
  BacktestReport report = TryOut({ProfileOf("Team", 1, kStart)}).value();
  EXPECT_EQ(report.all.refused, 3u);
  EXPECT_EQ(report.all.traffic_events, 3u);
  EXPECT_TRUE(report.all.traffic[static_cast<size_t>(Meter::kOutputTokens) - 1] == 30);
  const BacktestUser& ann = report.users.at({"ann", ""});
  EXPECT_EQ(ann.sums.refused, 3u);
  EXPECT_EQ(ann.by_limit.begin()->first.source, "Team");
  EXPECT_EQ(ann.first_refused_us, AppendTimeOf(kStart + 2 * kUsPerSecond).us);
}

TEST_F(BacktestTest, AQuotaThatNeverStoodStandsFromTheTimeInQuestionOn) {
  for (int i = 1; i <= 4; ++i) {
    Event search = make_.Make(EventType::kAdmitAsked, kStart + i * kUsPerSecond);
    search.asked.user = "ann";
    search.asked.project = "docs";
    search.asked.amounts = {{Meter::kSearches, 1}};
    Append(search, kStart + i * kUsPerSecond);
  }
  Event tried = make_.Make(EventType::kQuotaSet, kStart);
  tried.definition.level = QuotaLevel::kProject;
  tried.definition.project = "docs";
  tried.definition.who = tried.definition.why = "test";
  tried.definition.limits = {Limit{.meter = Meter::kSearches, .window = Window::kRollingHour, .over = {}, .cap = 1}};
  EXPECT_EQ(TryOut({tried}).value().all.refused, 3u);
  EXPECT_EQ(TryOut({tried}, kStart + 3 * kUsPerSecond).value().all.refused, 1u) << "it began to count only then";
}

TEST_F(BacktestTest, TurnsThatAskedForNothingAreJudgedWhenToldTo) {
  Assign("ann", "Free", kStart);
  for (int i = 1; i <= 5; ++i) {
    Event turn = make_.Turn("ann", kStart + i * kUsPerSecond, "s");
    Append(turn, kStart + i * kUsPerSecond);
    Append(turn, kStart + i * kUsPerSecond + 1000);  // a retry
  }
  Event tried = ProfileOf("Free", 2, kStart);
  EXPECT_EQ(TryOut({tried}).value().all.asked, 0u);
  BacktestReport report = TryOut({tried}, 0, "acme", true).value();
  EXPECT_EQ(report.all.asked, 5u);
  EXPECT_EQ(report.all.refused, 3u);
  EXPECT_EQ(report.all.traffic_events, 3u);
}

TEST_F(BacktestTest, ADefinitionThatTheFoldWouldNotTakeIsRefusedWithItsReason) {
  Ask("ann", {{Meter::kRequests, 1}}, kStart);
  Event tried = make_.Make(EventType::kProfileAssigned, kStart);
  tried.definition.user = "ann";
  tried.definition.name = "Nowhere";
  tried.definition.who = tried.definition.why = "test";
  Result<BacktestReport> report = TryOut({tried});
  EXPECT_EQ(report.status().code(), Code::kInvalid);
  EXPECT_NE(std::string(report.status().message()).find("unknown_profile"), std::string::npos);
}

}  // namespace
}  // namespace odometer
