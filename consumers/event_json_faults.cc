#include "consumers/event_json_faults.h"

namespace odometer::json {

std::string ItemPath(const Event& event, size_t at) {
  return event.type == EventType::kInteractionBatch ? "items[" + std::to_string(at) + "]." : "";
}

namespace {

std::string MissingField(const Event& event) {
  if (event.id.is_nil()) return "id";
  if (event.tenant.empty()) return "tenant";
  for (size_t i = 0; i < event.interactions.size(); ++i) {
    if (event.interactions[i].id.is_nil()) return ItemPath(event, i) + "id";
    if (event.interactions[i].user.empty()) return ItemPath(event, i) + "user";
  }
  bool is_vector = IsVector(event.type);
  bool is_session = event.type >= EventType::kSessionStarted && event.type <= EventType::kSessionSummarized;
  if (event.type == EventType::kTurnAmended) return event.amendment.user.empty() ? "original.user" : "original.id";
  if (is_session) return event.session.user.empty() ? "user" : "session";
  if (is_vector && !event.operation.user.empty()) return event.operation.project.empty() ? "project" : "collection";
  return event.knowledge.user.empty() ? "user" : "collection";
}

std::string UnknownEnumField(const Event& event) {
  for (size_t i = 0; i < event.interactions.size(); ++i) {
    if (event.interactions[i].kind == InteractionKind{}) return ItemPath(event, i) + "kind";
    if (event.interactions[i].status == InteractionStatus{}) return ItemPath(event, i) + "status";
  }
  return "status";
}

}  // namespace

std::string FieldOf(Reason reason, const Event& event) {
  if (reason == Reason::kMissingField) return MissingField(event);
  if (reason == Reason::kInvalidEnum) return UnknownEnumField(event);
  if (reason == Reason::kEmptyBatch || reason == Reason::kBatchTooLarge) return "items";
  return "";
}

std::string AdviceFor(Reason reason) {
  switch (reason) {
    case Reason::kMissingField: return "this type needs it: give a value that is not empty";
    case Reason::kInvalidEnum: return "this type needs it: give one of the values in the API description";
    case Reason::kInconsistentAmounts:
      return "amounts contradict each other: reasoning is part of output, succeeded of requested, inserted of "
             "succeeded; what failed has no deltas, what adds none below 0, what deletes none above 0, what only reads "
             "none at all";
    case Reason::kEmptyBatch: return "give at least one item";
    case Reason::kBatchTooLarge: return "give at most 100 items in a batch, the others in a further one";
    case Reason::kTooLarge: return "split the batch: the stored form of one is at most 512 KiB";
    default: return "mend the event; the limits are in the API description";
  }
}

}  // namespace odometer::json
