// tests/unit/core/event_text.h: all that a decoded Event says, as JSON, for comparing and for the golden files.
//
//   EXPECT_EQ(Describe(decoded), Describe(event));
//
// Every field is named, absent ones as null. Each struct is taken apart with a structured binding, so that a field
// added to core/event.h does not compile here until it is described too.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/event.h"

namespace odometer::testing {

using Json = nlohmann::ordered_json;

template <class T>
Json Maybe(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

inline std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

inline Json Describe(const Tokens& tokens) {
  const auto& [input_uncached, cache_read, cache_write_5m, cache_write_1h, output, reasoning] = tokens;
  return {{"input_uncached", input_uncached}, {"cache_read", cache_read}, {"cache_write_5m", cache_write_5m},
          {"cache_write_1h", cache_write_1h}, {"output", output},         {"reasoning", reasoning}};
}

inline Json Describe(const Turn& turn) {
  const auto& [user, session, turn_number, provider, model_requested, model_served, tokens, llm_calls, status,
               error_type, duration_us, time_to_first_token_us, provided_cost_nano_usd, has_rag, rag_used, rag_guided,
               rag_collections, rag_output_tokens_saved, service, operation, metadata, query_digest,
               query_length_bytes, is_admitted] = turn;
  Json rag = nullptr;
  if (has_rag) {
    rag = {{"used", rag_used},
           {"guided", rag_guided},
           {"collections", rag_collections},
           {"output_tokens_saved", rag_output_tokens_saved}};
  }
  return {{"user", user},
          {"session", session},
          {"turn_number", Maybe(turn_number)},
          {"provider", provider},
          {"model_requested", model_requested},
          {"model_served", model_served},
          {"tokens", Describe(tokens)},
          {"llm_calls", Maybe(llm_calls)},
          {"status", static_cast<int>(status)},
          {"error_type", error_type},
          {"duration_us", Maybe(duration_us)},
          {"time_to_first_token_us", Maybe(time_to_first_token_us)},
          {"provided_cost_nano_usd", Maybe(provided_cost_nano_usd)},
          {"rag", rag},
          {"service", service},
          {"operation", operation},
          {"metadata", metadata},
          {"query_digest_hex", Hex(query_digest)},
          {"query_length_bytes", Maybe(query_length_bytes)}};
}

inline Json Describe(const Amendment& amendment) {
  const auto& [original_id, original_time, user, session, provider, model, service, operation, tokens_delta,
               llm_calls_delta, provided_cost_delta_nano_usd, rag_output_tokens_saved_delta, reason] = amendment;
  return {{"original_id", original_id.ToString()},
          {"original_time_us", original_time.us},
          {"user", user},
          {"session", session},
          {"provider", provider},
          {"model", model},
          {"service", service},
          {"operation", operation},
          {"tokens_delta", Describe(tokens_delta)},
          {"llm_calls_delta", llm_calls_delta},
          {"provided_cost_delta_nano_usd", provided_cost_delta_nano_usd},
          {"rag_output_tokens_saved_delta", rag_output_tokens_saved_delta},
          {"reason", reason}};
}

inline Json Describe(const SessionFact& fact) {
  const auto& [user, session, name, metadata, summary, key_points] = fact;
  return {{"user", user},         {"session", session}, {"name", name},
          {"metadata", metadata}, {"summary", summary}, {"key_points", key_points}};
}

inline Json Describe(const CostParts& cost) {
  const auto& [ai_tokens_nano_usd, db_ops_nano_usd, api_calls_nano_usd, compute_time_nano_usd] = cost;
  return {{"ai_tokens_nano_usd", ai_tokens_nano_usd},
          {"db_ops_nano_usd", db_ops_nano_usd},
          {"api_calls_nano_usd", api_calls_nano_usd},
          {"compute_time_nano_usd", compute_time_nano_usd}};
}

inline Json Describe(const Interaction& interaction) {
  const auto& [id, event_time, user, session, kind, status, service, operation, model, tokens, db_operations, api_calls,
               compute_us, duration_us, provided_cost, metadata] = interaction;
  return {{"id", id.ToString()},
          {"event_time_us", event_time.us},
          {"user", user},
          {"session", session},
          {"kind", static_cast<int>(kind)},
          {"status", static_cast<int>(status)},
          {"service", service},
          {"operation", operation},
          {"model", model},
          {"tokens", Describe(tokens)},
          {"db_operations", db_operations},
          {"api_calls", api_calls},
          {"compute_us", compute_us},
          {"duration_us", Maybe(duration_us)},
          {"provided_cost", provided_cost.has_value() ? Describe(*provided_cost) : Json(nullptr)},
          {"metadata", metadata}};
}

inline Json Describe(const Knowledge& knowledge) {
  const auto& [user, collection, case_id] = knowledge;
  return {{"user", user}, {"collection", collection}, {"case_id", case_id}};
}

inline Json Describe(const Operation& value) {
  const auto& [user, project, collection, status, requested, succeeded, vectors_delta, bytes_delta, payload_bytes,
               duration_us, service, operation, metadata, inserted, results, had_filter, counted_vectors,
               counted_bytes] = value;
  return {{"user", user},
          {"project", project},
          {"collection", collection},
          {"status", static_cast<int>(status)},
          {"requested", requested},
          {"succeeded", succeeded},
          {"vectors_delta", vectors_delta},
          {"bytes_delta", bytes_delta},
          {"payload_bytes", payload_bytes},
          {"duration_us", Maybe(duration_us)},
          {"service", service},
          {"operation", operation},
          {"metadata", metadata},
          {"inserted", inserted},
          {"results", results},
          {"had_filter", had_filter},
          {"counted_vectors", counted_vectors},
          {"counted_bytes", counted_bytes}};
}

inline Json Describe(const ConfigChange& config) {
  const auto& [user, project, setting, metadata] = config;
  return {{"user", user}, {"project", project}, {"setting", setting}, {"metadata", metadata}};
}

template <class Enum>
Json MaybeNumber(const std::optional<Enum>& value) {
  return value.has_value() ? Json(static_cast<int>(*value)) : Json(nullptr);
}

inline Json Describe(const std::vector<Amount>& amounts) {
  Json listed = Json::array();
  for (const auto& [meter, amount] : amounts) listed.push_back(Json::array({static_cast<int>(meter), amount}));
  return listed;
}

inline Json Describe(const Limit& limit) {
  const auto& [meter, window, over, cap, mode, when_unavailable] = limit;
  return {{"meter", static_cast<int>(meter)},
          {"window", static_cast<int>(window)},
          {"over", MaybeNumber(over)},
          {"cap", Maybe(cap)},
          {"mode", static_cast<int>(mode)},
          {"when_unavailable", static_cast<int>(when_unavailable)}};
}

inline Json Describe(const Ask& ask) {
  const auto& [user, project, collection, amounts, ttl_us] = ask;
  return {{"user", user},
          {"project", project},
          {"collection", collection},
          {"amounts", Describe(amounts)},
          {"ttl_us", ttl_us}};
}

inline Json Describe(const HoldEnd& end) {
  const auto& [hold, amounts, reason, is_final] = end;
  return {{"hold", hold.ToString()}, {"amounts", Describe(amounts)}, {"reason", reason}, {"is_final", is_final}};
}

inline Json Describe(const Definition& definition) {
  const auto& [name, description, user, project, collection, level, enforcement, limits, is_deleted, first_offset_s,
               shifts, expected, who, why] = definition;
  Json listed = Json::array(), moments = Json::array();
  for (const Limit& limit : limits) listed.push_back(Describe(limit));
  for (const auto& [at_us, offset_s] : shifts) moments.push_back(Json::array({at_us, offset_s}));
  return {{"name", name},
          {"description", description},
          {"user", user},
          {"project", project},
          {"collection", collection},
          {"level", static_cast<int>(level)},
          {"enforcement", static_cast<int>(enforcement)},
          {"limits", listed},
          {"is_deleted", is_deleted},
          {"first_offset_s", first_offset_s},
          {"shifts", moments},
          {"expected", expected.has_value() ? Json(expected->ToString()) : Json(nullptr)},
          {"who", who},
          {"why", why}};
}

inline Json Describe(const GenesisFact& genesis) {
  const auto& [log_id, partition, partitions, placement_version] = genesis;
  return {{"log_id", log_id.ToString()},
          {"partition", partition},
          {"partitions", partitions},
          {"placement_version", placement_version}};
}

inline Json Describe(const Gap& gap) {
  const auto& [producer, epoch, slot, ranges, reason] = gap;
  Json listed = Json::array();
  for (const auto& [first, last] : ranges) listed.push_back(Json::array({first, last}));
  return {{"producer", producer.ToString()}, {"epoch", epoch}, {"slot", slot}, {"ranges", listed}, {"reason", reason}};
}

inline Json Describe(const Crossing& crossing) {
  const auto& [user, project, collection, over, meter, window, percent, cap, used, level, source, definition, instance,
               cause] = crossing;
  return {{"user", user},
          {"project", project},
          {"collection", collection},
          {"over", static_cast<int>(over)},
          {"meter", static_cast<int>(meter)},
          {"window", static_cast<int>(window)},
          {"percent", percent},
          {"cap", cap},
          {"used", used},
          {"level", level},
          {"source", source},
          {"definition", definition.ToString()},
          {"instance", instance},
          {"cause", cause.ToString()}};
}

inline Json Describe(const ProducerStamp& producer) {
  const auto& [id, epoch, slot, seq] = producer;
  return {{"id", id.ToString()}, {"epoch", epoch}, {"slot", slot}, {"seq", seq}};
}

// The part that belongs to the type.
inline Json DescribePayload(const Event& event) {
  const auto& [type, id, id_kind, tenant, event_time, source, producer, ask, turn, amendment, session, interactions,
               knowledge, operation, config, asked, end, definition, genesis, tick_reason, gap, crossing] = event;
  if (IsVector(type)) return Describe(operation);
  if (IsAsk(type)) return Describe(asked);
  if (IsHoldEnd(type)) return Describe(end);
  if (IsDefinition(type)) return Describe(definition);
  switch (type) {
    case EventType::kTurnRecorded: return Describe(turn);
    case EventType::kTurnAmended: return Describe(amendment);
    case EventType::kSessionStarted:
    case EventType::kSessionRenamed:
    case EventType::kSessionEnded:
    case EventType::kSessionSummarized: return Describe(session);
    case EventType::kCaseChampioned:
    case EventType::kCollectionSubscribed:
    case EventType::kCollectionUnsubscribed: return Describe(knowledge);
    case EventType::kConfigChanged: return Describe(config);
    case EventType::kGenesis: return Describe(genesis);
    case EventType::kTick: return {{"reason", tick_reason}};
    case EventType::kGapReported: return Describe(gap);
    case EventType::kLimitCrossed: return Describe(crossing);
    default: break;
  }
  Json items = Json::array();
  for (const Interaction& interaction : interactions) items.push_back(Describe(interaction));
  return {{"interactions", items}};
}

inline Json Describe(const Event& event) {
  Json producer = event.producer.has_value() ? Describe(*event.producer) : Json(nullptr);
  Json ask = event.ask.has_value() ? Json(event.ask->ToString()) : Json(nullptr);
  return {{"type", TypeName(event.type)},
          {"id", event.id.ToString()},
          {"id_kind", static_cast<int>(event.id_kind)},
          {"tenant", event.tenant},
          {"event_time_us", event.event_time.us},
          {"source", event.source},
          {"producer", producer},
          {"ask", ask},
          {"payload", DescribePayload(event)}};
}

}  // namespace odometer::testing
