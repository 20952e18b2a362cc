#include "tests/support/event_maker.h"

#include "core/check.h"
#include "core/period.h"
#include "core/placement.h"

namespace odometer {

namespace {

Uuid Numbered(uint8_t family, uint64_t number) {
  Uuid id;
  id.bytes[0] = family;
  for (size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
  return id;
}

}  // namespace

int64_t TimeOf(std::string_view text) {
  std::optional<int64_t> us = ParseTime(text);
  ODOMETER_CHECK(us.has_value());
  return *us;
}

EventId EventMaker::NextId() { return Numbered(1, ++ids_); }

Uuid EventMaker::producer() const { return Numbered(2, 1); }

Event EventMaker::Make(EventType type, int64_t at_us) {
  Event event;
  event.type = type;
  event.id = NextId();
  event.tenant = tenant_;
  event.event_time.us = at_us;
  event.source = "host";
  return event;
}

Event EventMaker::Turn(std::string_view user, int64_t at_us, std::string_view session) {
  Event event = Make(EventType::kTurnRecorded, at_us);
  event.turn.user = user;
  event.turn.session = session;
  return event;
}

Event EventMaker::Amendment(const Event& turn, int64_t at_us) {
  Event event = Make(EventType::kTurnAmended, at_us);
  event.amendment.original_id = turn.id;
  event.amendment.original_time = turn.event_time;
  event.amendment.user = turn.turn.user;
  event.amendment.session = turn.turn.session;
  event.amendment.provider = turn.turn.provider;
  event.amendment.model = turn.turn.model();
  event.amendment.service = turn.turn.service;
  event.amendment.operation = turn.turn.operation;
  return event;
}

Event EventMaker::Session(EventType type, std::string_view user, std::string_view session, int64_t at_us) {
  Event event = Make(type, at_us);
  event.session.user = user;
  event.session.session = session;
  return event;
}

Event EventMaker::Interaction(std::string_view user, int64_t at_us) {
  Event event = Make(EventType::kInteractionRecorded, at_us);
  event.interactions.resize(1);
  event.interactions[0].id = event.id;
  event.interactions[0].event_time.us = at_us;
  event.interactions[0].user = user;
  return event;
}

void EventMaker::AddItem(Event* batch, std::string_view user, int64_t at_us) {
  odometer::Interaction item;
  item.id = NextId();
  item.event_time.us = at_us;
  item.user = user;
  batch->interactions.push_back(item);
}

Event EventMaker::Knowledge(EventType type, std::string_view user, std::string_view collection, int64_t at_us) {
  Event event = Make(type, at_us);
  event.knowledge.user = user;
  event.knowledge.collection = collection;
  return event;
}

Event EventMaker::Operation(EventType type, std::string_view user, std::string_view project, int64_t at_us) {
  Event event = Make(type, at_us);
  event.operation.user = user;
  event.operation.project = project;
  return event;
}

Event EventMaker::Vectors(std::string_view user, std::string_view project, int64_t vectors, int64_t at_us) {
  Event event = Operation(vectors < 0 ? EventType::kVectorsDeleted : EventType::kVectorsAdded, user, project, at_us);
  event.operation.requested = vectors < 0 ? -vectors : vectors;
  event.operation.succeeded = event.operation.requested;
  event.operation.vectors_delta = vectors;
  return event;
}

Event EventMaker::Config(std::string_view user, int64_t at_us) {
  Event event = Make(EventType::kConfigChanged, at_us);
  event.config.user = user;
  event.config.setting = "theme";
  return event;
}

Event EventMaker::Tick(int64_t at_us) {
  Event event = Make(EventType::kTick, at_us);
  event.tenant = {};
  return event;
}

Event EventMaker::Gap(SeqRange lost, int64_t at_us) {
  Event event = Make(EventType::kGapReported, at_us);
  event.gap = {producer(), 1, SlotOf(tenant_), {lost}, "spool lost"};
  return event;
}

void EventMaker::Stamp(Event* event, uint64_t seq) const {
  event->producer = ProducerStamp{producer(), 1, SlotOf(event->tenant), seq};
}

}  // namespace odometer
