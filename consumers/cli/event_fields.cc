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

// The object of meters, one path each.
Fields AmountFields() {
  return {{"amounts.requests", FieldKind::kAmount},       {"amounts.llm_calls", FieldKind::kAmount},
          {"amounts.config_changes", FieldKind::kAmount}, {"amounts.input_tokens", FieldKind::kAmount},
          {"amounts.output_tokens", FieldKind::kAmount},  {"amounts.total_tokens", FieldKind::kAmount},
          {"amounts.cost_nano_usd", FieldKind::kAmount},  {"amounts.searches", FieldKind::kAmount},
          {"amounts.operations", FieldKind::kAmount},     {"amounts.vectors", FieldKind::kAmount},
          {"amounts.collections", FieldKind::kAmount},    {"amounts.bytes", FieldKind::kAmount}};
}

Fields AskFields(Fields own) {
  return Joined({{{"user", FieldKind::kText}, {"project", FieldKind::kText}, {"collection", FieldKind::kText}},
                 AmountFields(),
                 std::move(own)});
}

// Limits and shifts are lists of objects: they are given as JSON, not by flags.
Fields DefinitionFields(Fields own) {
  return Joined(
      {std::move(own), {{"expected", FieldKind::kText}, {"who", FieldKind::kText}, {"why", FieldKind::kText}}});
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
    case EventType::kAdmitAsked: return AskFields({});
    case EventType::kHoldAsked:
    case EventType::kLeaseAsked: return AskFields({{"ttl_us", FieldKind::kAmount}});
    case EventType::kHoldSettled: return Joined({{{"hold", FieldKind::kText}}, AmountFields()});
    case EventType::kHoldReleased: return {{"hold", FieldKind::kText}, {"reason", FieldKind::kText}};
    case EventType::kLeaseSettled:
      return Joined({{{"hold", FieldKind::kText}}, AmountFields(), {{"final", FieldKind::kBool}}});
    case EventType::kProfileDefined:
      return DefinitionFields(
          {{"name", FieldKind::kText}, {"description", FieldKind::kText}, {"deleted", FieldKind::kBool}});
    case EventType::kProfileAssigned:
      return DefinitionFields({{"user", FieldKind::kText}, {"profile", FieldKind::kText}});
    case EventType::kLimitOverridden: return DefinitionFields({{"user", FieldKind::kText}});
    case EventType::kQuotaSet:
      return DefinitionFields(
          {{"level", FieldKind::kChoice, {"user_project", "user", "project", "default", "collection", "tenant"}},
           {"user", FieldKind::kText},
           {"project", FieldKind::kText},
           {"collection", FieldKind::kText}});
    case EventType::kEnforcementSet:
      return DefinitionFields({{"enforcement", FieldKind::kChoice, {"on", "observe", "off"}}});
    case EventType::kZoneSet:
      return DefinitionFields({{"zone", FieldKind::kText}, {"first_offset_s", FieldKind::kAmount}});
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
