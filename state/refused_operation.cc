#include "state/refused_operation.h"

namespace odometer {

namespace {

EventType TypeOf(const Ask& ask) {
  EventType type = EventType::kNone;
  for (const Amount& amount : ask.amounts) {
    if (amount.amount <= 0) continue;
    if (amount.meter == Meter::kCollections) return EventType::kCollectionCreated;
    if (amount.meter == Meter::kSearches) type = EventType::kVectorsSearched;
    bool is_added = amount.meter == Meter::kVectors || amount.meter == Meter::kBytes;
    if (is_added && type == EventType::kNone) type = EventType::kVectorsAdded;
  }
  return type;
}

}  // namespace

bool RefusedOperation(const Event& ask, Event* operation) {
  EventType type = TypeOf(ask.asked);
  if (ask.asked.project.empty() || type == EventType::kNone) return false;
  operation->type = type;
  operation->id = ask.id;
  operation->id_kind = ask.id_kind;
  operation->tenant = ask.tenant;
  operation->event_time = ask.event_time;
  operation->source = ask.source;
  operation->producer = ask.producer;
  operation->ask.reset();
  operation->operation = Operation();
  operation->operation.user = ask.asked.user;
  operation->operation.project = ask.asked.project;
  operation->operation.collection = ask.asked.collection;
  operation->operation.status = OperationStatus::kQuotaExceeded;
  return true;
}

}  // namespace odometer
