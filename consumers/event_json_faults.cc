#include "consumers/event_json_faults.h"

namespace odometer::json {

std::string ItemPath(const Event& event, size_t at) {
  return event.type == EventType::kInteractionBatch ? "items[" + std::to_string(at) + "]." : "";
}

namespace {

// Of an ask, of an end of a hold or of a definition.
std::string MissingFieldOfLimits(const Event& event) {
  const Ask& ask = event.asked;
  if (IsHoldEnd(event.type)) return "hold";
  if (IsAsk(event.type)) {
    if (ask.project.empty() && !ask.collection.empty()) return "project";
    return ask.user.empty() && ask.project.empty() ? "user" : "amounts";
  }
  const Definition& definition = event.definition;
  if (definition.who.empty()) return "who";
  if (definition.why.empty()) return "why";
  if (event.type != EventType::kQuotaSet) return event.type == EventType::kZoneSet ? "zone" : "name";
  bool is_of_user = definition.level == QuotaLevel::kUser || definition.level == QuotaLevel::kUserProject;
  if (is_of_user && definition.user.empty()) return "user";
  return definition.project.empty() ? "project" : "collection";
}

std::string MissingField(const Event& event) {
  if (event.id.is_nil()) return "id";
  if (event.tenant.empty()) return "tenant";
  if (IsAsk(event.type) || IsHoldEnd(event.type) || IsDefinition(event.type)) return MissingFieldOfLimits(event);
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
  if (event.type == EventType::kEnforcementSet) return "enforcement";
  if (event.type == EventType::kQuotaSet && event.definition.level == QuotaLevel{}) return "level";
  for (size_t i = 0; i < event.definition.limits.size(); ++i) {
    const Limit& limit = event.definition.limits[i];
    if (limit.meter == Meter{}) return "limits[" + std::to_string(i) + "].meter";
    if (limit.window == Window{}) return "limits[" + std::to_string(i) + "].window";
  }
  for (size_t i = 0; i < event.interactions.size(); ++i) {
    if (event.interactions[i].kind == InteractionKind{}) return ItemPath(event, i) + "kind";
    if (event.interactions[i].status == InteractionStatus{}) return ItemPath(event, i) + "status";
  }
  return "status";
}

// What cannot be true together.
std::string ConsistencyOf(EventType type) {
  if (type == EventType::kAdmitAsked) {
    return "it asks for exactly 1 of requests, llm_calls, config_changes, searches or operations; for more, ask for a "
           "hold";
  }
  if (type == EventType::kHoldAsked) return "an amount is from 1 to 2^50; a hold lives 1 second to 1 day";
  if (type == EventType::kLeaseAsked) return "an amount is from 1 to 2^50; a lease lives 1 second to 1 hour";
  if (IsHoldEnd(type)) return "an amount is from 0 to 2^50";
  if (type == EventType::kZoneSet) return "an offset is at most 18 hours, and each shift is later than the one before";
  if (IsDefinition(type)) {
    return "no two limits are of one meter and window; vectors, collections and bytes have the window gauge, all "
           "others another one; a cap is at most 2^60; only a quota counts over a project or collection, and it names "
           "what its level speaks of and nothing else; what is deleted has no limits";
  }
  return "amounts contradict each other: reasoning is part of output, succeeded of requested, inserted of "
         "succeeded; what failed has no deltas, what adds none below 0, what deletes none above 0, what only reads "
         "none at all";
}

}  // namespace

std::string FieldOf(Reason reason, const Event& event) {
  if (reason == Reason::kMissingField) return MissingField(event);
  if (reason == Reason::kInvalidEnum) return UnknownEnumField(event);
  if (reason == Reason::kEmptyBatch || reason == Reason::kBatchTooLarge) return "items";
  return "";
}

std::string AdviceFor(Reason reason, EventType type) {
  switch (reason) {
    case Reason::kMissingField: return "this type needs it: give a value that is not empty";
    case Reason::kInvalidEnum: return "this type needs it: give one of the values in the API description";
    case Reason::kInconsistentAmounts: return ConsistencyOf(type);
    case Reason::kEmptyBatch: return "give at least one item";
    case Reason::kBatchTooLarge: return "give at most 100 items in a batch, the others in a further one";
    case Reason::kTooLarge: return "split the batch: the stored form of one is at most 512 KiB";
    default: return "mend the event; the limits are in the API description";
  }
}

}  // namespace odometer::json
