#include "consumers/explain.h"

#include "tests/unit/consumers/asked_log.h"

namespace odometer {
namespace {

using ExplainTest = AskedLogTest;

TEST_F(ExplainTest, OfAnAskItSaysWhatTheAskWasAnswered) {
  DefineProfile("Tiny", 2, kStart);
  Assign("ann", "Tiny", kStart + 1'000'000);
  Ask("ann", {{Meter::kRequests, 1}}, kStart + 2'000'000);
  Uuid second = Ask("ann", {{Meter::kRequests, 1}}, kStart + 3'000'000);
  Uuid third = Ask("ann", {{Meter::kRequests, 1}}, kStart + 4'000'000);
  Ask("bob", {{Meter::kRequests, 1}}, kStart + 5'000'000);
  EXPECT_TRUE(ExplainAsk(second).verdict.allowed);
  Explanation why = ExplainAsk(third);
  EXPECT_FALSE(why.verdict.allowed);
  ASSERT_EQ(why.verdict.limits.size(), 1u);
  EXPECT_EQ(why.verdict.limits[0].used, 2);
  EXPECT_EQ(why.verdict.limits[0].source, "Tiny");
  ASSERT_TRUE(why.asked.has_value());
  EXPECT_EQ(Shown(why.verdict), Shown(why.asked->verdict));
  EXPECT_EQ(why.user, "ann");
}

TEST_F(ExplainTest, TheEventsThatMovedALimitMostComeFirstAndThoseThatLeftTheWindowAreNotNamed) {
  Event profile = ProfileOf("Tiny", 200, kStart);
  profile.definition.limits[0].meter = Meter::kTotalTokens;
  profile.definition.limits[0].cap = 1'000'000;
  Append(profile, kStart);
  Assign("ann", "Tiny", kStart);
  auto turn_of = [&](int64_t tokens, int64_t at_us) {
    Event turn = make_.Turn("ann", at_us, "s");
    turn.turn.tokens.output = tokens;
    Append(turn, at_us);
    return turn;
  };
  turn_of(9'000, kStart + 1);  // the greatest, and gone two hours later
  int64_t at_us = kStart + kUsPerHour * 2, used = 0;
  Event amended;
  for (int64_t tokens : {5, 300, 70, 2'000, 300, 11, 900, 40, 1, 60, 150, 8}) {
    Event turn = turn_of(tokens, ++at_us);
    used += tokens;
    if (tokens == 2'000) amended = turn;
  }
  Event correction = make_.Amendment(amended, ++at_us);
  correction.amendment.tokens_delta.output = -1'200;
  Append(correction, at_us);
  ExplainRequest request = RequestOf("acme");
  request.user = "ann";
  request.at_us = kStart + kUsPerHour * 2 + kUsPerSecond;
  Explanation why = Explain(source_, request, nullptr).value();
  ASSERT_EQ(why.limits.size(), 1u);
  EXPECT_EQ(why.limits[0].events, 13u);
  std::vector<int64_t> amounts;
  for (const Mover& mover : why.limits[0].movers) amounts.push_back(mover.amount);
  EXPECT_EQ(amounts, (std::vector<int64_t>{2'000, -1'200, 900, 300, 300, 150, 70, 60, 40, 11}));
  EXPECT_LT(why.limits[0].movers[3].offset, why.limits[0].movers[4].offset) << "of two of a size the earlier";
  EXPECT_EQ(why.limits[0].movers[0].id, amended.id);
  EXPECT_EQ(why.limits[0].movers[0].type, EventType::kTurnRecorded);
  EXPECT_EQ(why.limits[0].movers[1].id, correction.id);
  EXPECT_EQ(why.limits[0].movers[1].type, EventType::kTurnAmended);
  EXPECT_EQ(why.verdict.limits[0].used, used - 1'200);
}

TEST_F(ExplainTest, AtAPositionOrATimeOnlyWhatWasBeforeItCounts) {
  DefineProfile("Tiny", 1, kStart);
  Assign("ann", "Tiny", kStart);
  Ask("ann", {{Meter::kRequests, 1}}, kStart + 10'000'000);  // at offset 3, after Genesis
  ExplainRequest request = RequestOf("acme");
  request.user = "ann";
  request.amounts = {{Meter::kRequests, 1}};
  request.at_offset = 3;
  EXPECT_TRUE(Explain(source_, request, nullptr)->verdict.allowed);
  request.at_offset = 4;
  EXPECT_FALSE(Explain(source_, request, nullptr)->verdict.allowed);
  request.at_offset.reset();
  request.at_us = kStart + 9'000'000;
  EXPECT_TRUE(Explain(source_, request, nullptr)->verdict.allowed);
  request.at_us = kStart + 10'001'000;
  EXPECT_FALSE(Explain(source_, request, nullptr)->verdict.allowed);
  request.at_us = kStart + 10'000'000 + kUsPerHour + 60 * kUsPerSecond;
  EXPECT_TRUE(Explain(source_, request, nullptr)->verdict.allowed) << "the window has gone on without an event";
}

TEST_F(ExplainTest, AnAskThatIsNotThereAndAPositionBeyondTheLogAreSaidToBe) {
  DefineProfile("Tiny", 1, kStart);
  ExplainRequest request = RequestOf("acme");
  request.ask = Uuid::Parse("018f3b6e-0000-7000-8000-0000000000ff");
  EXPECT_EQ(Explain(source_, request, nullptr).status().code(), Code::kNotFound);
  request.ask.reset();
  request.user = "ann";
  request.at_offset = 99;
  EXPECT_EQ(Explain(source_, request, nullptr).status().code(), Code::kInvalid);
  EXPECT_FALSE(std::filesystem::exists(request.work_dir)) << "the work directory is left behind";
}

TEST_F(ExplainTest, AtAnyAskOfARandomLogItSaysWhatWasAnsweredThen) {
  uint64_t seed = SeedFromEnvironment(5);
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  Mix mix({.seed = seed, .tenants = 2, .users = 4});
  AppendMix(mix, IsFullRun() ? 6'000 : 1'200);
  std::vector<Judged> judged, refused;
  for (const std::string& tenant : {mix.tenants()[0], mix.tenants()[1]}) {
    std::map<Uuid, Judged> last;  // an id whose ask is no longer kept is judged anew
    for (Judged& ask : JudgedOf(tenant)) last.insert_or_assign(ask.id, std::move(ask));
    for (auto& [id, ask] : last) {
      bool is_overflow = ask.row.verdict.refusal == static_cast<uint8_t>(Refusal::kOverflow);
      if (!is_overflow) (ask.row.verdict.allowed ? judged : refused).push_back(std::move(ask));
    }
    ASSERT_FALSE(refused.empty());
    for (int i = 0; i < (IsFullRun() ? 500 : 20); ++i) {
      const Judged& ask = random.Pick(random.Percent(80) ? refused : judged);
      Explanation why = ExplainAsk(ask.id, tenant);
      EXPECT_EQ(Shown(why.verdict), Shown(ask.row.verdict)) << ask.id.ToString() << " at offset " << ask.offset;
      EXPECT_EQ(why.position.next_offset, ask.offset);
    }
    judged.clear();
    refused.clear();
  }
}

}  // namespace
}  // namespace odometer
