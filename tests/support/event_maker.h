// tests/support/event_maker.h: EventMaker, whole events in one line, for tests that say what happened.
//
//   EventMaker make("acme");
//   Event turn = make.Turn("ann", TimeOf("2024-03-15T12:00:00Z"));
//   turn.turn.tokens.output = 50;
//   partition.Apply(turn);
//
// Ids count up from 1 and are minted; nothing has a stamp unless Stamp() gave it one. Texts are not copied: use
// literals. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/event.h"

namespace odometer {

// Microseconds of an RFC 3339 time; ends the program when it is none.
int64_t TimeOf(std::string_view text);

class EventMaker {
 public:
  // The tenant's text must live as long as the events.
  explicit EventMaker(std::string_view tenant = "acme") : tenant_(tenant) {}

  Event Make(EventType type, int64_t at_us);
  Event Turn(std::string_view user, int64_t at_us, std::string_view session = {});
  // Of a turn, in all that says where it belongs; deltas are 0.
  Event Amendment(const Event& turn, int64_t at_us);
  // Started, Renamed, Ended or Summarized.
  Event Session(EventType type, std::string_view user, std::string_view session, int64_t at_us);
  Event Interaction(std::string_view user, int64_t at_us);
  // Without items.
  Event Batch(int64_t at_us) { return Make(EventType::kInteractionBatch, at_us); }
  void AddItem(Event* batch, std::string_view user, int64_t at_us);
  Event Knowledge(EventType type, std::string_view user, std::string_view collection, int64_t at_us);
  // A successful one of a vector type, of no vectors.
  Event Operation(EventType type, std::string_view user, std::string_view project, int64_t at_us);
  // VectorsAdded of n vectors, or VectorsDeleted of −n.
  Event Vectors(std::string_view user, std::string_view project, int64_t vectors, int64_t at_us);
  Event Config(std::string_view user, int64_t at_us);
  Event Tick(int64_t at_us);
  Event Gap(SeqRange lost, int64_t at_us);

  // As of the maker's only producer, in the slot of the event's tenant.
  void Stamp(Event* event, uint64_t seq) const;
  Uuid producer() const;
  EventId NextId();

 private:
  std::string_view tenant_;
  uint64_t ids_ = 0;
};

}  // namespace odometer
