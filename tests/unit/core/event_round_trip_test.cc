#include <gtest/gtest.h>

#include <iostream>

#include "tests/unit/core/event_samples.h"
#include "tests/unit/core/event_text.h"

namespace odometer {
namespace {

using testing::Describe;
using testing::RandomEvents;
using testing::Texts;

TEST(EventRoundTrip, EveryFieldOfEveryTypeComesBack) {
  for (EventType type : AllEventTypes()) {
    Event event = testing::FullEvent(type);
    ASSERT_EQ(CheckMeaning(event), Reason::kNone) << TypeName(type);
    std::string bytes = Encode(event);
    Event decoded;
    ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone) << TypeName(type);
    EXPECT_EQ(Describe(decoded), Describe(event)) << TypeName(type);
  }
}

TEST(EventRoundTrip, RandomEventsOfEveryTypeComeBackFromTheSameReusedEvent) {
  uint64_t seed = testing::Seed();
  std::cout << "ODOMETER_SEED=" << seed << "\n";
  Texts texts;
  RandomEvents events(seed, &texts);
  Event decoded;  // reused on purpose: nothing of the event before may show
  for (int round = 0; round < 100; ++round) {
    for (EventType type : AllEventTypes()) {
      Event event = events.Next(type);
      ASSERT_EQ(CheckMeaning(event), Reason::kNone) << TypeName(type) << " in round " << round;
      std::string bytes = Encode(event);
      ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone) << TypeName(type) << " in round " << round;
      ASSERT_EQ(Describe(decoded), Describe(event)) << "in round " << round;
      ASSERT_EQ(Encode(decoded), bytes) << TypeName(type) << " in round " << round;
    }
  }
}

TEST(EventRoundTrip, AZeroThatWasSaidIsNotTheSameAsNothing) {
  Event event = testing::MinimalTurn();
  Event decoded;
  std::string silent = Encode(event);
  ASSERT_EQ(Decode(silent, &decoded), Reason::kNone);
  EXPECT_EQ(decoded.turn.llm_calls, std::nullopt);
  EXPECT_EQ(decoded.turn.provided_cost_nano_usd, std::nullopt);
  EXPECT_EQ(decoded.turn.turn_number, std::nullopt);
  event.turn.llm_calls = 0;
  event.turn.provided_cost_nano_usd = 0;
  event.turn.turn_number = 0;
  std::string zero = Encode(event);
  ASSERT_EQ(Decode(zero, &decoded), Reason::kNone);
  EXPECT_EQ(decoded.turn.llm_calls, 0);
  EXPECT_EQ(decoded.turn.provided_cost_nano_usd, 0);
  EXPECT_EQ(decoded.turn.turn_number, 0u);
}

TEST(EventRoundTrip, AProvidedCostOfZerosIsNotUnpriced) {
  Event event = testing::FullEvent(EventType::kInteractionRecorded);
  event.interactions[0].provided_cost = CostParts{};
  std::string bytes = Encode(event);
  Event decoded;
  ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone);
  EXPECT_TRUE(decoded.interactions[0].provided_cost.has_value());
}

TEST(EventRoundTrip, AnEmptyRagPartIsNotTheSameAsNone) {
  Event event = testing::MinimalTurn();
  event.turn.has_rag = true;
  std::string bytes = Encode(event);
  Event decoded;
  ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone);
  EXPECT_TRUE(decoded.turn.has_rag);
  EXPECT_FALSE(decoded.turn.rag_used);
}

TEST(EventRoundTrip, ExpectingNothingIsNotTheSameAsNoExpectation) {
  Event event = testing::FullEvent(EventType::kEnforcementSet), decoded;
  event.definition.expected = Uuid{};
  std::string nothing = Encode(event);
  ASSERT_EQ(Decode(nothing, &decoded), Reason::kNone);
  EXPECT_EQ(decoded.definition.expected, Uuid{});
  event.definition.expected.reset();
  std::string whatever = Encode(event);
  EXPECT_NE(whatever, nothing);
  ASSERT_EQ(Decode(whatever, &decoded), Reason::kNone);
  EXPECT_EQ(decoded.definition.expected, std::nullopt);
}

TEST(EventRoundTrip, ACapOfZeroIsNotTheSameAsNoCap) {
  Event event = testing::FullEvent(EventType::kQuotaSet), decoded;
  event.definition.limits = {{.cap = 0}, {.window = Window::kDay, .cap = std::nullopt}};
  std::string bytes = Encode(event);
  ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone);
  EXPECT_EQ(decoded.definition.limits, event.definition.limits);
}

TEST(EventRoundTrip, ADeletedProfileAQuotaOfAUserAndACrossingOfACollectionComeBackAsSuch) {
  for (const Event& event : {testing::DeletedProfile(), testing::UserQuota(), testing::CollectionCrossing()}) {
    std::string bytes = Encode(event);
    Event decoded;
    ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone);
    EXPECT_EQ(Describe(decoded), Describe(event));
  }
}

TEST(EventRoundTrip, ASingleInteractionHasTheIdAndTimeOfItsEvent) {
  Event event = testing::FullEvent(EventType::kInteractionRecorded);
  event.interactions[0].id = testing::UuidOf(200);  // not stored: there is one id only
  std::string bytes = Encode(event);
  Event decoded;
  ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone);
  EXPECT_EQ(decoded.interactions[0].id, event.id);
  EXPECT_EQ(decoded.interactions[0].event_time, event.event_time);
}

TEST(EventRoundTrip, TheSameEventGivesTheSameBytesWhateverTextsItPointsTo) {
  Event one = testing::FullEvent(EventType::kTurnRecorded);
  std::string copy(one.turn.user);
  Event other = one;
  other.turn.user = copy;
  EXPECT_EQ(Encode(one), Encode(other));
}

TEST(EventRoundTrip, PartsOfAnotherTypeAreNotStored) {
  Event lean = testing::MinimalTurn();
  Event fat = testing::FullEvent(EventType::kTurnRecorded);
  lean.knowledge = fat.knowledge;
  lean.interactions = fat.interactions;
  EXPECT_EQ(Encode(lean), Encode(testing::MinimalTurn()));
}

TEST(EventType, NamesComeBackAndUnknownOnesDoNot) {
  EXPECT_EQ(AllEventTypes().size(), 35u);
  for (EventType type : AllEventTypes()) EXPECT_EQ(TypeFromName(TypeName(type)), type);
  EXPECT_EQ(TypeName(EventType::kTurnRecorded), "TurnRecorded");
  EXPECT_EQ(TypeName(EventType::kNone), "");
  for (int reserved : {26, 29, 35, 37, 44, 59, 64}) EXPECT_EQ(TypeName(static_cast<EventType>(reserved)), "");
  EXPECT_EQ(TypeFromName("turnrecorded"), std::nullopt);
  EXPECT_EQ(TypeFromName(""), std::nullopt);
}

TEST(EventType, FamiliesAreTheNamedOnesOnly) {
  int own = 0, vector = 0, ask = 0, end = 0, definition = 0;
  for (EventType type : AllEventTypes()) {
    own += IsOwn(type);
    vector += IsVector(type);
    ask += IsAsk(type);
    end += IsHoldEnd(type);
    definition += IsDefinition(type);
  }
  EXPECT_EQ(own, 4);
  EXPECT_EQ(vector, 7);
  EXPECT_EQ(ask, 3);
  EXPECT_EQ(end, 3);
  EXPECT_EQ(definition, 6);
  EXPECT_TRUE(IsOwn(EventType::kGapReported));
  EXPECT_TRUE(IsOwn(EventType::kLimitCrossed));
  EXPECT_FALSE(IsOwn(EventType::kConfigChanged));
  EXPECT_TRUE(IsVector(EventType::kCollectionDropped));
  EXPECT_FALSE(IsVector(EventType::kConfigChanged));
}

}  // namespace
}  // namespace odometer
