#include "tests/support/mix.h"

#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <set>

#include "core/placement.h"
#include "tests/support/model.h"

namespace odometer {
namespace {

uint64_t Seed() {
  static const uint64_t seed = [] {
    uint64_t value = SeedFromEnvironment(20260101);
    std::cout << "ODOMETER_SEED=" << value << "\n";
    return value;
  }();
  return seed;
}

// Decodes and keeps the bytes that the event points into.
class Decoded {
 public:
  explicit Decoded(const MixRecord& record) : storage_(record.bytes.size() / 8 + 1) {
    std::memcpy(storage_.data(), record.bytes.data(), record.bytes.size());
    const char* data = record.is_null ? nullptr : reinterpret_cast<const char*>(storage_.data());
    reason_ = Decode(std::string_view(data, record.bytes.size()), &event_);
  }
  Reason reason() const { return reason_; }
  const Event& event() const { return event_; }

 private:
  std::vector<uint64_t> storage_;
  Event event_;
  Reason reason_;
};

std::string Genesis() {
  Event event;
  event.type = EventType::kGenesis;
  event.id = DerivedId("test", "genesis");
  event.genesis = {DerivedId("test", "log"), 0, 1, kPlacementVersion};
  return Encode(event);
}

TEST(Mix, SameSeedGivesTheSameRecords) {
  Mix first({.seed = Seed(), .hostile_percent = 5});
  Mix second({.seed = Seed(), .hostile_percent = 5});
  for (int i = 0; i < 2000; ++i) {
    MixRecord a = first.Next();
    MixRecord b = second.Next();
    ASSERT_EQ(a.bytes, b.bytes) << "record " << i;
    ASSERT_EQ(a.suggested_append_advance_us, b.suggested_append_advance_us) << "record " << i;
  }
}

TEST(Mix, EveryRecordThatIsNotHostileMeansSomething) {
  Mix mix({.seed = Seed(), .hostile_percent = 5, .with_ticks = true});
  for (int i = 0; i < 2000; ++i) {
    MixRecord record = mix.Next();
    if (record.hostile) continue;
    Decoded decoded(record);
    ASSERT_EQ(ReasonName(decoded.reason()), "none") << TypeName(record.type) << " record " << i;
    ASSERT_EQ(decoded.event().type, record.type);
  }
}

TEST(Mix, TwoThousandRecordsHoldEveryTypeAndEveryEnumValue) {
  Mix mix({.seed = Seed(), .with_ticks = true});
  std::set<EventType> types;
  std::set<std::string> seen;
  auto see = [&](const char* what, int value) { seen.insert(std::string(what) + std::to_string(value)); };
  for (int i = 0; i < 2000; ++i) {
    MixRecord record = mix.Next();
    Decoded decoded(record);
    if (record.hostile || decoded.reason() != Reason::kNone) continue;
    const Event& event = decoded.event();
    types.insert(event.type);
    see("id_kind ", static_cast<int>(event.id_kind));
    if (event.type == EventType::kTurnRecorded) see("turn ", static_cast<int>(event.turn.status));
    if (IsVector(event.type)) {
      see((std::string(TypeName(event.type)) + " ").c_str(), static_cast<int>(event.operation.status));
    }
    if (event.type != EventType::kInteractionRecorded && event.type != EventType::kInteractionBatch) continue;
    for (const Interaction& interaction : event.interactions) {
      see("kind ", static_cast<int>(interaction.kind));
      see("status ", static_cast<int>(interaction.status));
    }
  }
  for (EventType type : AllEventTypes()) {
    if (type != EventType::kGenesis) {
      EXPECT_TRUE(types.contains(type)) << TypeName(type);
    }
  }
  size_t values = 2 + 6 + 4 + 3 + 7 * 4;  // id kinds, turns, interactions, operations by type
  EXPECT_EQ(seen.size(), values);
}

TEST(Mix, EveryOptionalFieldIsPresentAndAbsent) {
  Mix mix({.seed = Seed()});
  std::map<std::string, std::set<bool>> seen;
  for (int i = 0; i < 3000; ++i) {
    MixRecord record = mix.Next();
    Decoded decoded(record);
    if (record.hostile || decoded.reason() != Reason::kNone) continue;
    const Event& event = decoded.event();
    seen["source"].insert(!event.source.empty());
    seen["producer"].insert(event.producer.has_value());
    seen["ask"].insert(event.ask.has_value());
    if (event.type == EventType::kTurnRecorded) {
      const Turn& turn = event.turn;
      seen["session"].insert(!turn.session.empty());
      seen["turn_number"].insert(turn.turn_number.has_value());
      seen["provider"].insert(!turn.provider.empty());
      seen["model_requested"].insert(!turn.model_requested.empty());
      seen["model_served"].insert(!turn.model_served.empty());
      seen["llm_calls"].insert(turn.llm_calls.has_value());
      seen["error_type"].insert(!turn.error_type.empty());
      seen["duration_us"].insert(turn.duration_us.has_value());
      seen["time_to_first_token_us"].insert(turn.time_to_first_token_us.has_value());
      seen["provided_cost"].insert(turn.provided_cost_nano_usd.has_value());
      seen["rag"].insert(turn.has_rag);
      seen["rag_used"].insert(turn.rag_used);
      seen["rag_guided"].insert(turn.rag_guided);
      seen["rag_collections"].insert(!turn.rag_collections.empty());
      seen["metadata"].insert(!turn.metadata.empty());
      seen["query_digest"].insert(!turn.query_digest.empty());
      seen["query_length"].insert(turn.query_length_bytes.has_value());
    }
    if (event.type == EventType::kInteractionRecorded) {
      seen["interaction cost"].insert(event.interactions[0].provided_cost.has_value());
      seen["interaction duration"].insert(event.interactions[0].duration_us.has_value());
      seen["interaction session"].insert(!event.interactions[0].session.empty());
      seen["interaction model"].insert(!event.interactions[0].model.empty());
    }
    if (IsVector(event.type)) {
      seen["collection"].insert(!event.operation.collection.empty());
      seen["operation duration"].insert(event.operation.duration_us.has_value());
    }
    if (event.type == EventType::kVectorsSearched) seen["had_filter"].insert(event.operation.had_filter);
    if (event.type == EventType::kSessionSummarized) seen["key_points"].insert(!event.session.key_points.empty());
    if (event.type == EventType::kSessionStarted) seen["session name"].insert(!event.session.name.empty());
    if (event.type == EventType::kCaseChampioned) seen["case"].insert(!event.knowledge.case_id.empty());
  }
  for (const auto& [field, values] : seen) EXPECT_EQ(values.size(), 2u) << field;
}

// What the model makes of it: a simulation on it must not be a simulation of refusals, and must have each outcome.
TEST(Mix, ReachesEveryOutcomeAndMostlyApplies) {
  Mix mix({.seed = Seed(), .hostile_percent = 10, .with_ticks = true});
  Model model(ModelOptions{.users_max = 9});
  model.Apply(0, mix.options().start_us, Genesis());
  for (uint64_t offset = 1; offset <= 8000; ++offset) {
    MixRecord record = mix.Next();
    model.Apply(offset, mix.now_us(), record.is_null ? std::string_view() : std::string_view(record.bytes));
  }
  const ModelCounts& counts = model.counts();
  EXPECT_GT(counts.applied, counts.records * 6 / 10);
  EXPECT_GT(counts.duplicate, 50u);
  EXPECT_GT(counts.duplicate_unverified, 0u);
  EXPECT_GT(counts.duplicate_other_door, 0u);
  for (EventType type : AllEventTypes()) {
    EXPECT_TRUE(counts.applied_by_type.contains(std::string(TypeName(type)))) << TypeName(type);
  }
  for (int i = 1; i < kReasons; ++i) {
    Reason reason = static_cast<Reason>(i);
    if (reason == Reason::kWrongDoor) continue;  // a door's, never the fold's
    EXPECT_TRUE(counts.quarantined_by_reason.contains(std::string(ReasonName(reason)))) << ReasonName(reason);
  }
  for (const auto& [reason, count] : counts.quarantined_by_reason) std::cout << reason << " " << count << "\n";
}

TEST(Mix, TenantsLiveInThePartitionAndTwoShareASlot) {
  Mix mix({.seed = Seed(), .partition = 2, .partitions = 4, .tenants = 5});
  ASSERT_EQ(mix.tenants().size(), 6u);  // with the one of the extremes
  for (const std::string& tenant : mix.tenants()) EXPECT_EQ(PartitionOf(tenant, 4), 2u) << tenant;
  EXPECT_EQ(SlotOf(mix.tenants()[0]), SlotOf(mix.tenants()[1]));
  EXPECT_NE(mix.tenants()[0], mix.tenants()[1]);
}

}  // namespace
}  // namespace odometer
