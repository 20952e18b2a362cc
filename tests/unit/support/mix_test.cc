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
    if (type != EventType::kGenesis && type != EventType::kLimitCrossed) {  // these two are not a host's or a mix's
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
    if (type == EventType::kLimitCrossed) continue;  // what is found is not appended here
    EXPECT_TRUE(counts.applied_by_type.contains(std::string(TypeName(type)))) << TypeName(type);
  }
  for (int i = 1; i < kReasons; ++i) {
    Reason reason = static_cast<Reason>(i);
    if (reason == Reason::kWrongDoor) continue;  // a door's, never the fold's
    EXPECT_TRUE(counts.quarantined_by_reason.contains(std::string(ReasonName(reason)))) << ReasonName(reason);
  }
  for (const auto& [reason, count] : counts.quarantined_by_reason) std::cout << reason << " " << count << "\n";
}

// What became of the asks of one mix, and of what they were judged by.
void CountLimits(const Model& model, std::map<std::string, uint64_t>* counts) {
  auto count = [&](const std::string& what) { ++(*counts)[what]; };
  for (const auto& [name, ask] : model.AskRows()) {
    const std::string& type = ask.at("type");
    const std::string& state = ask.at("state");
    const std::string& refusal = ask.at("verdict.refusal");
    int64_t due_us = std::stoll(ask.at("due_us"));
    bool is_expired = due_us >= 0 && std::stoll(ask.at("closed_us")) >= due_us;
    bool is_spent = ask.at("spent") == "true";
    bool has_settled = ask.at("settled.size") != "0";
    std::string what = type + ", state " + state;
    if (is_spent) what += ", spent";
    if (state == "4" && is_expired) what += ", expired before";
    if (state != "4" && has_settled) what += ", reported";
    count(what);
    if (refusal != "0") count("refusal " + refusal + ", allowed " + ask.at("verdict.allowed"));
    if (state == "1") count(ask.at("verdict.retry_at_us") == "-1" ? "passes by no time" : "passes by time");
    count("enforcement " + ask.at("verdict.enforcement"));
    for (int i = 0; i < std::stoi(ask.at("verdict.limits.size")); ++i) {
      std::string limit = "verdict.limits." + std::to_string(i) + ".";
      bool is_exceeded = ask.at(limit + "exceeded") == "true";
      for (const char* field : {"level", "meter", "over", "window", "mode"}) {
        count(field + (" " + ask.at(limit + field)) + (is_exceeded ? ", exceeded" : ""));
      }
      if (ask.at(limit + "held") != "0") count("held");
    }
  }
  for (const auto& [name, row] : model.LogicalRows()) {
    if (name.starts_with("policy[") && row.at("zone") != "") count("zone " + row.at("zone"));
    if (!name.starts_with("limit_use[")) continue;
    for (const auto& [field, value] : row) {
      if (field.starts_with("burned.") && value != "0") count("burned");
    }
    for (int i = 0; i < std::stoi(row.at("counters.size")); ++i) {
      count("counter of " + row.at("counters." + std::to_string(i) + ".window"));
    }
  }
}

// In mixes as short as a simulation's.
TEST(Mix, FiftySeedsReachAllThatCanBecomeOfAnAsk) {
  std::map<std::string, uint64_t> counts;
  for (uint64_t seed = Seed(); seed < Seed() + 50; ++seed) {
    bool is_extreme = seed % 2 == 0;
    Mix mix({.seed = seed,
             .tenants = 2,
             .users = 4,
             .limits_percent = is_extreme ? 50u : 25u,
             .extreme_percent = is_extreme ? 40u : 3u,
             .with_full_counters = is_extreme});
    Model model(ModelOptions{});
    model.Apply(0, mix.options().start_us, Genesis());
    for (uint64_t offset = 1; offset <= 240; ++offset) {
      MixRecord record = mix.Next();
      model.Apply(offset, mix.now_us(), record.is_null ? std::string_view() : std::string_view(record.bytes));
    }
    CountLimits(model, &counts);
  }
  for (const auto& [what, count] : counts) std::cout << what << " " << count << "\n";
  for (const char* what :
       {"AdmitAsked, state 1", "AdmitAsked, state 2", "AdmitAsked, state 2, spent", "HoldAsked, state 1",
        "HoldAsked, state 3", "HoldAsked, state 4", "HoldAsked, state 4, expired before", "HoldAsked, state 4, spent",
        "HoldAsked, state 5", "HoldAsked, state 6", "LeaseAsked, state 1", "LeaseAsked, state 3", "LeaseAsked, state 4",
        "LeaseAsked, state 4, expired before", "LeaseAsked, state 5", "LeaseAsked, state 6",
        "LeaseAsked, state 6, reported", "LeaseAsked, state 6, spent", "burned", "held", "passes by no time",
        "passes by time", "refusal 1, allowed false", "refusal 1, allowed true", "refusal 3, allowed false", "zone UTC",
        "zone Europe/Berlin"}) {
    EXPECT_GT(counts[what], 0u) << what;
  }
  auto expect_each = [&](const std::string& what, int first, int last, const char* how) {
    for (int i = first; i <= last; ++i) EXPECT_GT(counts[what + std::to_string(i) + how], 0u) << what << i << how;
  };
  expect_each("enforcement ", 1, 3, "");
  expect_each("level ", 1, 4, "");
  expect_each("level ", 6, 11, "");
  expect_each("meter ", 1, static_cast<int>(kMeters), "");
  expect_each("over ", 1, 5, "");
  expect_each("mode ", 1, 2, ", exceeded");
  expect_each("window ", 1, 8, "");
  expect_each("counter of ", 1, 7, "");
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
