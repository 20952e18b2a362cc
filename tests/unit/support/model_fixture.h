// tests/unit/support/model_fixture.h: a Model with Genesis at 0, and short ways to make events for it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/placement.h"
#include "tests/support/model.h"

namespace odometer {

// 2023-11-16T18:17:03.979960Z: month 646, day 19677, hour 472266.
inline constexpr int64_t kThen = 1'700'158'623'979'960;
inline constexpr int64_t kDayStart = 1'700'092'800'000'000;

inline EventId Id(uint32_t number) {
  EventId id;
  for (int i = 0; i < 4; ++i) id.bytes[12 + i] = static_cast<uint8_t>(number >> (8 * (3 - i)));
  return id;
}

inline Event MakeEvent(EventType type, uint32_t id, int64_t event_time_us = kThen) {
  Event event;
  event.type = type;
  event.id = Id(id);
  event.tenant = "t";
  event.source = "host";
  event.event_time.us = event_time_us;
  return event;
}

inline Event MakeTurn(uint32_t id, int64_t event_time_us = kThen) {
  Event event = MakeEvent(EventType::kTurnRecorded, id, event_time_us);
  event.turn.user = "u";
  return event;
}

inline Event MakeAmendment(uint32_t id, uint32_t original, int64_t original_time_us = kThen) {
  Event event = MakeEvent(EventType::kTurnAmended, id);
  event.amendment.original_id = Id(original);
  event.amendment.original_time.us = original_time_us;
  event.amendment.user = "u";
  return event;
}

inline Event MakeSessionFact(EventType type, uint32_t id, int64_t event_time_us = kThen, std::string_view name = "") {
  Event event = MakeEvent(type, id, event_time_us);
  event.session.user = "u";
  event.session.session = "s";
  event.session.name = name;
  return event;
}

inline Event MakeOperation(EventType type, uint32_t id, int64_t event_time_us = kThen) {
  Event event = MakeEvent(type, id, event_time_us);
  event.operation.user = "u";
  event.operation.project = "p";
  event.operation.collection = "c";
  return event;
}

inline Interaction MakeItem(uint32_t id, std::string_view user, int64_t event_time_us = kThen) {
  Interaction item;
  item.id = Id(id);
  item.event_time.us = event_time_us;
  item.user = user;
  return item;
}

class ModelTest : public testing::Test {
 protected:
  explicit ModelTest(ModelOptions options = {}) : model_(options) {
    Event genesis;
    genesis.type = EventType::kGenesis;
    genesis.id = Id(1);
    genesis.genesis = {Id(2), options.partition, options.partitions, kPlacementVersion};
    genesis_ = Encode(genesis);
    model_.Apply(0, kThen, genesis_);
  }

  // "applied", "duplicate" or the reason of the quarantine.
  std::string ApplyBytes(std::string_view bytes, int64_t append_time_us) {
    uint64_t applied = model_.counts().applied;
    uint64_t duplicate = model_.counts().duplicate;
    model_.Apply(next_, append_time_us, bytes);
    uint64_t offset = next_++;
    if (model_.counts().applied > applied) return "applied";
    if (model_.counts().duplicate > duplicate) return "duplicate";
    return model_.Quarantine().at(offset);
  }
  std::string Apply(const Event& event, int64_t append_time_us) { return ApplyBytes(Encode(event), append_time_us); }
  // The log saw it when it happened.
  std::string Apply(const Event& event) { return Apply(event, event.event_time.us); }
  std::string ApplyStamped(Event event, uint64_t seq) {
    event.producer = ProducerStamp{Id(99), 1, SlotOf(event.tenant), seq};
    return Apply(event);
  }
  std::string Get(const std::string& row, const std::string& field) const {
    Model::Fields fields = model_.Row(row);
    if (fields.empty()) return "(no row)";
    auto found = fields.find(field);
    return found == fields.end() ? "(no field)" : found->second;
  }
  // The fields that are not 0, −1, false, empty or a nil id.
  Model::Fields Nonzero(const std::string& row) const {
    Model::Fields fields = model_.Row(row);
    std::erase_if(fields, [](const auto& field) {
      const std::string& value = field.second;
      return value == "0" || value == "-1" || value == "false" || value.empty() || value == EventId().ToString();
    });
    return fields;
  }

  Model model_;
  std::string genesis_;
  uint64_t next_ = 1;
};

}  // namespace odometer
