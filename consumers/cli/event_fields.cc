#include "consumers/cli/event_fields.h"

namespace odometer::cli {

namespace {

using Fields = std::vector<EventField>;

Fields Joined(std::initializer_list<Fields> parts) {
  Fields fields;
  for (const Fields& part : parts) fields.insert(fields.end(), part.begin(), part.end());
  return fields;
}

Fields TokenFields(std::string_view prefix) {
  // The views are of literals, which live for ever.
  if (prefix == "tokens_delta") {
    return {{"tokens_delta.input_uncached", FieldKind::kAmount}, {"tokens_delta.cache_read", FieldKind::kAmount},
            {"tokens_delta.cache_write_5m", FieldKind::kAmount}, {"tokens_delta.cache_write_1h", FieldKind::kAmount},
            {"tokens_delta.output", FieldKind::kAmount},         {"tokens_delta.reasoning", FieldKind::kAmount}};
  }
  return {{"tokens.input_uncached", FieldKind::kAmount}, {"tokens.cache_read", FieldKind::kAmount},
          {"tokens.cache_write_5m", FieldKind::kAmount}, {"tokens.cache_write_1h", FieldKind::kAmount},
          {"tokens.output", FieldKind::kAmount},         {"tokens.reasoning", FieldKind::kAmount}};
}

Fields Who() { return {{"user", FieldKind::kText}, {"session", FieldKind::kText}}; }

Fields TurnFields() {
  return Joined(
      {Who(),
       {{"turn_number", FieldKind::kAmount},
        {"provider", FieldKind::kText},
        {"model_requested", FieldKind::kText},
        {"model_served", FieldKind::kText}},
       TokenFields("tokens"),
       {{"llm_calls", FieldKind::kAmount},
        {"status", FieldKind::kChoice, {"success", "failed", "error", "cancelled", "partial", "timeout"}},
        {"error_type", FieldKind::kText},
        {"duration_us", FieldKind::kAmount},
        {"time_to_first_token_us", FieldKind::kAmount},
        {"provided_cost_nano_usd", FieldKind::kAmount},
        {"rag.used", FieldKind::kBool},
        {"rag.guided", FieldKind::kBool},
        {"rag.collections", FieldKind::kTexts},
        {"rag.output_tokens_saved", FieldKind::kAmount},
        {"service", FieldKind::kText},
        {"operation", FieldKind::kText},
        {"metadata", FieldKind::kText},
        {"query_digest", FieldKind::kText},
        {"query_length_bytes", FieldKind::kAmount}}});
}

Fields AmendmentFields() {
  return Joined({{{"original.id", FieldKind::kText},
                  {"original.event_time", FieldKind::kTime},
                  {"original.user", FieldKind::kText},
                  {"original.session", FieldKind::kText},
                  {"original.provider", FieldKind::kText},
                  {"original.model", FieldKind::kText},
                  {"original.service", FieldKind::kText},
                  {"original.operation", FieldKind::kText}},
                 TokenFields("tokens_delta"),
                 {{"llm_calls_delta", FieldKind::kAmount},
                  {"provided_cost_delta_nano_usd", FieldKind::kAmount},
                  {"rag_output_tokens_saved_delta", FieldKind::kAmount},
                  {"reason", FieldKind::kText}}});
}

Fields InteractionFields() {
  return Joined({Who(),
                 {{"kind", FieldKind::kChoice, {"chat", "db", "api", "cost_event"}},
                  {"status", FieldKind::kChoice, {"completed", "failed", "timeout"}},
                  {"service", FieldKind::kText},
                  {"operation", FieldKind::kText},
                  {"model", FieldKind::kText}},
                 TokenFields("tokens"),
                 {{"db_operations", FieldKind::kAmount},
                  {"api_calls", FieldKind::kAmount},
                  {"compute_us", FieldKind::kAmount},
                  {"duration_us", FieldKind::kAmount},
                  {"provided_cost.ai_tokens_nano_usd", FieldKind::kAmount},
                  {"provided_cost.db_ops_nano_usd", FieldKind::kAmount},
                  {"provided_cost.api_calls_nano_usd", FieldKind::kAmount},
                  {"provided_cost.compute_time_nano_usd", FieldKind::kAmount},
                  {"metadata", FieldKind::kText}}});
}

Fields OperationFields(Fields own) {
  return Joined({{{"user", FieldKind::kText},
                  {"project", FieldKind::kText},
                  {"collection", FieldKind::kText},
                  {"status", FieldKind::kChoice, {"success", "failure", "partial_failure", "quota_exceeded"}},
                  {"requested", FieldKind::kAmount},
                  {"succeeded", FieldKind::kAmount},
                  {"vectors_delta", FieldKind::kAmount},
                  {"bytes_delta", FieldKind::kAmount},
                  {"payload_bytes", FieldKind::kAmount},
                  {"duration_us", FieldKind::kAmount},
                  {"service", FieldKind::kText},
                  {"operation", FieldKind::kText},
                  {"metadata", FieldKind::kText}},
                 std::move(own)});
}

Fields MakeFields(EventType type) {
  switch (type) {
    case EventType::kTurnRecorded: return TurnFields();
    case EventType::kTurnAmended: return AmendmentFields();
    case EventType::kSessionStarted:
      return Joined({Who(), {{"name", FieldKind::kText}, {"metadata", FieldKind::kText}}});
    case EventType::kSessionRenamed: return Joined({Who(), {{"name", FieldKind::kText}}});
    case EventType::kSessionEnded: return Who();
    case EventType::kSessionSummarized:
      return Joined({Who(), {{"summary", FieldKind::kText}, {"key_points", FieldKind::kTexts}}});
    case EventType::kInteractionRecorded: return InteractionFields();
    case EventType::kCaseChampioned:
      return {{"user", FieldKind::kText}, {"collection", FieldKind::kText}, {"case_id", FieldKind::kText}};
    case EventType::kCollectionSubscribed:
    case EventType::kCollectionUnsubscribed:
      return {{"user", FieldKind::kText}, {"collection", FieldKind::kText}};
    case EventType::kVectorsAdded:
    case EventType::kVectorsDeleted:
    case EventType::kCollectionCreated:
    case EventType::kCollectionDropped: return OperationFields({});
    case EventType::kVectorsUpserted: return OperationFields({{"inserted", FieldKind::kAmount}});
    case EventType::kVectorsSearched:
      return OperationFields({{"results", FieldKind::kAmount}, {"had_filter", FieldKind::kBool}});
    case EventType::kVectorsCounted:
      return OperationFields({{"counted_vectors", FieldKind::kAmount}, {"counted_bytes", FieldKind::kAmount}});
    case EventType::kConfigChanged:
      return {{"user", FieldKind::kText},
              {"project", FieldKind::kText},
              {"setting", FieldKind::kText},
              {"metadata", FieldKind::kText}};
    default: return {};
  }
}

}  // namespace

const std::vector<EventField>& EventFields(EventType type) {
  static const std::vector<Fields> all = [] {
    std::vector<Fields> by_type(256);
    for (EventType each : AllEventTypes()) by_type[static_cast<uint8_t>(each)] = MakeFields(each);
    return by_type;
  }();
  return all[static_cast<uint8_t>(type)];
}

const EventField* FindEventField(EventType type, std::string_view path) {
  for (const EventField& field : EventFields(type)) {
    if (field.path == path) return &field;
  }
  return nullptr;
}

std::string EventFieldNames(EventType type) {
  std::string names;
  for (const EventField& field : EventFields(type)) {
    if (!names.empty()) names += ", ";
    names += field.path;
  }
  return names;
}

void SetAtPath(nlohmann::ordered_json* json, std::string_view path, nlohmann::ordered_json value) {
  for (size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    json = &(*json)[std::string(path.substr(0, dot))];
    path.remove_prefix(dot + 1);
  }
  (*json)[std::string(path)] = std::move(value);
}

}  // namespace odometer::cli
