// consumers/event_json_fields.h: the fields of each type in JSON, once, for reading and for writing alike.
// Private to event_json.cc and event_json_write.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/event.h"

namespace odometer::json {

struct EnumName {
  std::string_view name;
  uint8_t number;
};

template <class T>
struct Field;

// What is at a field, with the member of T that it fills.
template <class T>
struct Text {
  std::string_view T::*member;
  size_t bytes_max = kIdTextBytesMax;
};
template <class T>
struct Metadata {
  std::string_view T::*member;
};
template <class T>
struct HexBytes {
  std::string_view T::*member;
  size_t bytes_max;
};
template <class T>
struct TextList {
  std::vector<std::string_view> T::*member;
  size_t count_max;
  size_t bytes_max;
};
template <class T>
struct Amount {
  int64_t T::*member;
};
template <class T>
struct Delta {
  int64_t T::*member;
};
template <class T>
struct MaybeAmount {
  std::optional<int64_t> T::*member;
};
template <class T>
struct MaybeCount {
  std::optional<uint64_t> T::*member;
};
template <class T>
struct Flag {
  bool T::*member;
};
template <class T>
struct Id {
  Uuid T::*member;
};
template <class T>
struct MaybeId {
  std::optional<Uuid> T::*member;
};
template <class T>
struct Time {
  EventTime T::*member;
};
template <class T>
struct MaybeTime {
  std::optional<EventTime> T::*member;
};
template <class T>
struct TokenAmounts {
  Tokens T::*member;
};
template <class T>
struct TokenDeltas {
  Tokens T::*member;
};
template <class T>
struct MaybeCost {
  std::optional<CostParts> T::*member;
};
template <class T>
struct TimeUs {
  int64_t T::*member;
};
// An object of meters, {"requests":1}: read in whatever order, kept in that of their numbers.
template <class T>
struct MeterAmounts {
  std::vector<odometer::Amount> T::*member;
};
// Arrays of objects.
template <class T>
struct LimitList {
  std::vector<Limit> T::*member;
};
template <class T>
struct ShiftList {
  std::vector<ZoneShift> T::*member;
};
template <class T>
struct Choice {
  std::span<const EnumName> names;
  uint8_t (*get)(const T&);
  void (*set)(T*, uint8_t);
};
// An object whose fields are members of T itself; `is_there` says whether it was given, if that has a meaning.
template <class T>
struct Nested {
  std::span<const Field<T>> fields;
  bool T::*is_there;
};

template <class T>
struct Field {
  std::string_view name;
  std::variant<Text<T>, Metadata<T>, HexBytes<T>, TextList<T>, Amount<T>, Delta<T>, MaybeAmount<T>, MaybeCount<T>,
               Flag<T>, Id<T>, MaybeId<T>, Time<T>, MaybeTime<T>, TokenAmounts<T>, TokenDeltas<T>, MaybeCost<T>,
               TimeUs<T>, MeterAmounts<T>, LimitList<T>, ShiftList<T>, Choice<T>, Nested<T>>
      at;
};

template <auto Member, class T>
constexpr Choice<T> ChoiceOf(std::span<const EnumName> names) {
  using Enum = std::remove_reference_t<decltype(std::declval<T&>().*Member)>;
  return {names, [](const T& part) { return static_cast<uint8_t>(part.*Member); },
          [](T* part, uint8_t number) { part->*Member = static_cast<Enum>(number); }};
}

// Of an enum that need not be there: 0 is absent.
template <auto Member, class T>
constexpr Choice<T> MaybeChoiceOf(std::span<const EnumName> names) {
  using Enum = typename std::remove_reference_t<decltype(std::declval<T&>().*Member)>::value_type;
  return {names, [](const T& part) { return static_cast<uint8_t>((part.*Member).value_or(Enum{})); },
          [](T* part, uint8_t number) { part->*Member = static_cast<Enum>(number); }};
}

inline constexpr EnumName kIdKinds[] = {{"minted", 1}, {"derived", 2}};
inline constexpr EnumName kTurnStatuses[] = {{"success", 1},   {"failed", 2},  {"error", 3},
                                             {"cancelled", 4}, {"partial", 5}, {"timeout", 6}};
// The first name of a number is the one that is written.
inline constexpr EnumName kInteractionKinds[] = {
    {"chat", 1}, {"db", 2}, {"api", 3}, {"cost-event", 4}, {"cost_event", 4}};
inline constexpr EnumName kInteractionStatuses[] = {{"completed", 1}, {"failed", 2}, {"timeout", 3}};
inline constexpr EnumName kOperationStatuses[] = {
    {"success", 1}, {"failure", 2}, {"partial_failure", 3}, {"quota_exceeded", 4}};

// The words of limits are in core/limit.h: here are those of the numbers from 1 to `count`.
template <size_t count, class Enum>
std::array<EnumName, count> NamesBy(std::string_view (*name)(Enum)) {
  std::array<EnumName, count> names;
  for (uint8_t i = 0; i < count; ++i) names[i] = {name(static_cast<Enum>(i + 1)), static_cast<uint8_t>(i + 1)};
  return names;
}
inline const std::array kMeterNames = NamesBy<kMeters>(MeterName);
inline const std::array kWindowNames = NamesBy<8>(WindowName);
inline const std::array kScopeNames = NamesBy<5>(ScopeName);
inline const std::array kLimitModeNames = NamesBy<2>(ModeName);
inline const std::array kWhenUnavailableNames = NamesBy<3>(WhenUnavailableName);
inline const std::array kEnforcementNames = NamesBy<3>(EnforcementName);
inline const std::array kQuotaLevelNames = NamesBy<6>(QuotaLevelName);

// What every event says of itself; a batch's item has the first three.
struct Envelope {
  std::optional<Uuid> id;
  std::string_view key;
  std::optional<EventTime> event_time;
  std::string_view source;
  std::optional<Uuid> ask;
  std::string_view tenant;
  std::string_view type;
  IdKind id_kind = IdKind{};  // 0: not said

  bool has_key() const { return key.data() != nullptr; }
};
using EnvelopeField = Field<Envelope>;
inline constexpr EnvelopeField kEnvelopeFields[] = {
    {"id", MaybeId<Envelope>{&Envelope::id}},
    {"key", Text<Envelope>{&Envelope::key}},
    {"event_time", MaybeTime<Envelope>{&Envelope::event_time}},
    {"source", Text<Envelope>{&Envelope::source}},
    {"ask", MaybeId<Envelope>{&Envelope::ask}},
    {"tenant", Text<Envelope>{&Envelope::tenant}},
    {"type", Text<Envelope>{&Envelope::type}},
    {"id_kind", ChoiceOf<&Envelope::id_kind, Envelope>(kIdKinds)},
};
inline constexpr std::span<const EnvelopeField> kItemEnvelopeFields{kEnvelopeFields, 3};

inline constexpr Field<Turn> kRagFields[] = {
    {"used", Flag<Turn>{&Turn::rag_used}},
    {"guided", Flag<Turn>{&Turn::rag_guided}},
    {"collections", TextList<Turn>{&Turn::rag_collections, kRagCollectionsMax, kIdTextBytesMax}},
    {"output_tokens_saved", Amount<Turn>{&Turn::rag_output_tokens_saved}},
};
inline constexpr Field<Turn> kTurnFields[] = {
    {"user", Text<Turn>{&Turn::user}},
    {"session", Text<Turn>{&Turn::session}},
    {"turn_number", MaybeCount<Turn>{&Turn::turn_number}},
    {"provider", Text<Turn>{&Turn::provider}},
    {"model_requested", Text<Turn>{&Turn::model_requested}},
    {"model_served", Text<Turn>{&Turn::model_served}},
    {"tokens", TokenAmounts<Turn>{&Turn::tokens}},
    {"llm_calls", MaybeAmount<Turn>{&Turn::llm_calls}},
    {"status", ChoiceOf<&Turn::status, Turn>(kTurnStatuses)},
    {"error_type", Text<Turn>{&Turn::error_type}},
    {"duration_us", MaybeAmount<Turn>{&Turn::duration_us}},
    {"time_to_first_token_us", MaybeAmount<Turn>{&Turn::time_to_first_token_us}},
    {"provided_cost_nano_usd", MaybeAmount<Turn>{&Turn::provided_cost_nano_usd}},
    {"rag", Nested<Turn>{kRagFields, &Turn::has_rag}},
    {"service", Text<Turn>{&Turn::service}},
    {"operation", Text<Turn>{&Turn::operation}},
    {"metadata", Metadata<Turn>{&Turn::metadata}},
    {"query_digest", HexBytes<Turn>{&Turn::query_digest, kQueryDigestBytesMax}},
    {"query_length_bytes", MaybeCount<Turn>{&Turn::query_length_bytes}},
};

inline constexpr Field<Amendment> kOriginalFields[] = {
    {"id", Id<Amendment>{&Amendment::original_id}},
    {"event_time", Time<Amendment>{&Amendment::original_time}},
    {"user", Text<Amendment>{&Amendment::user}},
    {"session", Text<Amendment>{&Amendment::session}},
    {"provider", Text<Amendment>{&Amendment::provider}},
    {"model", Text<Amendment>{&Amendment::model}},
    {"service", Text<Amendment>{&Amendment::service}},
    {"operation", Text<Amendment>{&Amendment::operation}},
};
inline constexpr Field<Amendment> kAmendmentFields[] = {
    {"original", Nested<Amendment>{kOriginalFields, nullptr}},
    {"tokens_delta", TokenDeltas<Amendment>{&Amendment::tokens_delta}},
    {"llm_calls_delta", Delta<Amendment>{&Amendment::llm_calls_delta}},
    {"provided_cost_delta_nano_usd", Delta<Amendment>{&Amendment::provided_cost_delta_nano_usd}},
    {"rag_output_tokens_saved_delta", Delta<Amendment>{&Amendment::rag_output_tokens_saved_delta}},
    {"reason", Text<Amendment>{&Amendment::reason}},
};

// Each kind of session fact has the first fields of one of these.
inline constexpr Field<SessionFact> kSessionFields[] = {
    {"user", Text<SessionFact>{&SessionFact::user}},
    {"session", Text<SessionFact>{&SessionFact::session}},
    {"name", Text<SessionFact>{&SessionFact::name}},
    {"metadata", Metadata<SessionFact>{&SessionFact::metadata}},
};
inline constexpr Field<SessionFact> kSummaryFields[] = {
    {"user", Text<SessionFact>{&SessionFact::user}},
    {"session", Text<SessionFact>{&SessionFact::session}},
    {"summary", Text<SessionFact>{&SessionFact::summary, kSummaryBytesMax}},
    {"key_points", TextList<SessionFact>{&SessionFact::key_points, kKeyPointsMax, kKeyPointBytesMax}},
};
inline std::span<const Field<SessionFact>> SessionFields(EventType type) {
  std::span<const Field<SessionFact>> all(kSessionFields);
  if (type == EventType::kSessionSummarized) return kSummaryFields;
  return type == EventType::kSessionStarted ? all : type == EventType::kSessionRenamed ? all.first(3) : all.first(2);
}

inline constexpr Field<Interaction> kInteractionFields[] = {
    {"user", Text<Interaction>{&Interaction::user}},
    {"session", Text<Interaction>{&Interaction::session}},
    {"kind", ChoiceOf<&Interaction::kind, Interaction>(kInteractionKinds)},
    {"status", ChoiceOf<&Interaction::status, Interaction>(kInteractionStatuses)},
    {"service", Text<Interaction>{&Interaction::service}},
    {"operation", Text<Interaction>{&Interaction::operation}},
    {"model", Text<Interaction>{&Interaction::model}},
    {"tokens", TokenAmounts<Interaction>{&Interaction::tokens}},
    {"db_operations", Amount<Interaction>{&Interaction::db_operations}},
    {"api_calls", Amount<Interaction>{&Interaction::api_calls}},
    {"compute_us", Amount<Interaction>{&Interaction::compute_us}},
    {"duration_us", MaybeAmount<Interaction>{&Interaction::duration_us}},
    {"provided_cost", MaybeCost<Interaction>{&Interaction::provided_cost}},
    {"metadata", Metadata<Interaction>{&Interaction::metadata}},
};

inline constexpr Field<Knowledge> kKnowledgeFields[] = {
    {"user", Text<Knowledge>{&Knowledge::user}},
    {"collection", Text<Knowledge>{&Knowledge::collection}},
    {"case_id", Text<Knowledge>{&Knowledge::case_id}},
};
inline std::span<const Field<Knowledge>> KnowledgeFields(EventType type) {
  return std::span<const Field<Knowledge>>(kKnowledgeFields).first(type == EventType::kCaseChampioned ? 3 : 2);
}

// The operation's own fields are the first 13; two more are of the type named.
inline constexpr Field<Operation> kOperationFields[] = {
    {"user", Text<Operation>{&Operation::user}},
    {"project", Text<Operation>{&Operation::project}},
    {"collection", Text<Operation>{&Operation::collection}},
    {"status", ChoiceOf<&Operation::status, Operation>(kOperationStatuses)},
    {"requested", Amount<Operation>{&Operation::requested}},
    {"succeeded", Amount<Operation>{&Operation::succeeded}},
    {"vectors_delta", Delta<Operation>{&Operation::vectors_delta}},
    {"bytes_delta", Delta<Operation>{&Operation::bytes_delta}},
    {"payload_bytes", Amount<Operation>{&Operation::payload_bytes}},
    {"duration_us", MaybeAmount<Operation>{&Operation::duration_us}},
    {"service", Text<Operation>{&Operation::service}},
    {"operation", Text<Operation>{&Operation::operation}},
    {"metadata", Metadata<Operation>{&Operation::metadata}},
};
inline constexpr Field<Operation> kUpsertFields[] = {{"inserted", Amount<Operation>{&Operation::inserted}}};
inline constexpr Field<Operation> kSearchFields[] = {
    {"results", Amount<Operation>{&Operation::results}},
    {"had_filter", Flag<Operation>{&Operation::had_filter}},
};
inline constexpr Field<Operation> kCountFields[] = {
    {"counted_vectors", Amount<Operation>{&Operation::counted_vectors}},
    {"counted_bytes", Amount<Operation>{&Operation::counted_bytes}},
};
inline std::span<const Field<Operation>> ExtraOperationFields(EventType type) {
  if (type == EventType::kVectorsUpserted) return kUpsertFields;
  if (type == EventType::kVectorsSearched) return kSearchFields;
  if (type == EventType::kVectorsCounted) return kCountFields;
  return {};
}

inline constexpr Field<ConfigChange> kConfigFields[] = {
    {"user", Text<ConfigChange>{&ConfigChange::user}},
    {"project", Text<ConfigChange>{&ConfigChange::project}},
    {"setting", Text<ConfigChange>{&ConfigChange::setting}},
    {"metadata", Metadata<ConfigChange>{&ConfigChange::metadata}},
};

// An AdmitAsked has no ttl_us.
inline constexpr Field<Ask> kAskFields[] = {
    {"user", Text<Ask>{&Ask::user}},
    {"project", Text<Ask>{&Ask::project}},
    {"collection", Text<Ask>{&Ask::collection}},
    {"amounts", MeterAmounts<Ask>{&Ask::amounts}},
    {"ttl_us", Amount<Ask>{&Ask::ttl_us}},
};
inline std::span<const Field<Ask>> AskFields(EventType type) {
  return std::span<const Field<Ask>>(kAskFields).first(type == EventType::kAdmitAsked ? 4 : 5);
}

// A HoldSettled has the first two.
inline constexpr Field<HoldEnd> kSettledFields[] = {
    {"hold", Id<HoldEnd>{&HoldEnd::hold}},
    {"amounts", MeterAmounts<HoldEnd>{&HoldEnd::amounts}},
    {"final", Flag<HoldEnd>{&HoldEnd::is_final}},
};
inline constexpr Field<HoldEnd> kReleasedFields[] = {
    {"hold", Id<HoldEnd>{&HoldEnd::hold}},
    {"reason", Text<HoldEnd>{&HoldEnd::reason, kWhyBytesMax}},
};
inline std::span<const Field<HoldEnd>> HoldEndFields(EventType type) {
  if (type == EventType::kHoldReleased) return kReleasedFields;
  return std::span<const Field<HoldEnd>>(kSettledFields).first(type == EventType::kHoldSettled ? 2 : 3);
}

inline constexpr Field<Definition> kProfileDefinedFields[] = {
    {"name", Text<Definition>{&Definition::name}},
    {"description", Text<Definition>{&Definition::description, kWhyBytesMax}},
    {"limits", LimitList<Definition>{&Definition::limits}},
    {"deleted", Flag<Definition>{&Definition::is_deleted}},
};
inline constexpr Field<Definition> kProfileAssignedFields[] = {
    {"user", Text<Definition>{&Definition::user}},
    {"profile", Text<Definition>{&Definition::name}},
};
inline constexpr Field<Definition> kLimitOverriddenFields[] = {
    {"user", Text<Definition>{&Definition::user}},
    {"limits", LimitList<Definition>{&Definition::limits}},
};
inline constexpr Field<Definition> kQuotaSetFields[] = {
    {"level", ChoiceOf<&Definition::level, Definition>(kQuotaLevelNames)},
    {"user", Text<Definition>{&Definition::user}},
    {"project", Text<Definition>{&Definition::project}},
    {"collection", Text<Definition>{&Definition::collection}},
    {"limits", LimitList<Definition>{&Definition::limits}},
};
inline constexpr Field<Definition> kEnforcementSetFields[] = {
    {"enforcement", ChoiceOf<&Definition::enforcement, Definition>(kEnforcementNames)},
};
inline constexpr Field<Definition> kZoneSetFields[] = {
    {"zone", Text<Definition>{&Definition::name}},
    {"first_offset_s", Delta<Definition>{&Definition::first_offset_s}},
    {"shifts", ShiftList<Definition>{&Definition::shifts}},
};
inline std::span<const Field<Definition>> DefinitionFields(EventType type) {
  switch (type) {
    case EventType::kProfileDefined: return kProfileDefinedFields;
    case EventType::kProfileAssigned: return kProfileAssignedFields;
    case EventType::kLimitOverridden: return kLimitOverriddenFields;
    case EventType::kQuotaSet: return kQuotaSetFields;
    case EventType::kEnforcementSet: return kEnforcementSetFields;
    default: return kZoneSetFields;
  }
}
// All definitions have these besides.
inline constexpr Field<Definition> kWhyFields[] = {
    {"expected", MaybeId<Definition>{&Definition::expected}},
    {"who", Text<Definition>{&Definition::who, kWhyBytesMax}},
    {"why", Text<Definition>{&Definition::why, kWhyBytesMax}},
};

inline constexpr Field<Limit> kLimitFields[] = {
    {"meter", ChoiceOf<&Limit::meter, Limit>(kMeterNames)},
    {"window", ChoiceOf<&Limit::window, Limit>(kWindowNames)},
    {"over", MaybeChoiceOf<&Limit::over, Limit>(kScopeNames)},
    {"cap", MaybeAmount<Limit>{&Limit::cap}},
    {"mode", ChoiceOf<&Limit::mode, Limit>(kLimitModeNames)},
    {"when_unavailable", ChoiceOf<&Limit::when_unavailable, Limit>(kWhenUnavailableNames)},
};
inline constexpr Field<ZoneShift> kShiftFields[] = {
    {"at", TimeUs<ZoneShift>{&ZoneShift::at_us}},
    {"offset_s", Delta<ZoneShift>{&ZoneShift::offset_s}},
};

inline constexpr Field<Tokens> kTokenAmountFields[] = {
    {"input_uncached", Amount<Tokens>{&Tokens::input_uncached}},
    {"cache_read", Amount<Tokens>{&Tokens::cache_read}},
    {"cache_write_5m", Amount<Tokens>{&Tokens::cache_write_5m}},
    {"cache_write_1h", Amount<Tokens>{&Tokens::cache_write_1h}},
    {"output", Amount<Tokens>{&Tokens::output}},
    {"reasoning", Amount<Tokens>{&Tokens::reasoning}},
};
inline constexpr Field<Tokens> kTokenDeltaFields[] = {
    {"input_uncached", Delta<Tokens>{&Tokens::input_uncached}},
    {"cache_read", Delta<Tokens>{&Tokens::cache_read}},
    {"cache_write_5m", Delta<Tokens>{&Tokens::cache_write_5m}},
    {"cache_write_1h", Delta<Tokens>{&Tokens::cache_write_1h}},
    {"output", Delta<Tokens>{&Tokens::output}},
    {"reasoning", Delta<Tokens>{&Tokens::reasoning}},
};
inline constexpr Field<CostParts> kCostFields[] = {
    {"ai_tokens_nano_usd", Amount<CostParts>{&CostParts::ai_tokens_nano_usd}},
    {"db_ops_nano_usd", Amount<CostParts>{&CostParts::db_ops_nano_usd}},
    {"api_calls_nano_usd", Amount<CostParts>{&CostParts::api_calls_nano_usd}},
    {"compute_time_nano_usd", Amount<CostParts>{&CostParts::compute_time_nano_usd}},
};

}  // namespace odometer::json
