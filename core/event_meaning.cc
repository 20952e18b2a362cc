// The semantic pass: what the FlatBuffers verifier cannot know. It is the same at every door and in the fold.
//
// An event with several faults gets the reason that comes first here, whichever field it is in:
//
//   1. unknown_type, missing_payload   no such type; an InteractionRecorded without exactly one interaction
//   2. missing_field                   an id, tenant or name that the type needs, or all amounts of an ask; a tenant on
//                                      Genesis or Tick, which have none (a field of theirs that is missing on purpose)
//   3. invalid_enum                    0 or a number that this version does not know
//   4. invalid_utf8                    a text within its limit that is not UTF-8
//   5. text_too_long                   a text or a list above its limit; its content is not looked at, so that shared
//                                      offsets in hostile bytes cannot buy more work than their size
//   6. negative_amount                 a plain amount below 0; what ends in _delta is signed, INT64_MIN included
//   7. inconsistent_amounts            amounts, limits or names that cannot be true together; a seq, slot, partition,
//                                      time to live or offset from UTC out of its range
//   8. time_range                      before 1970 or after 9999
//   9. empty_batch, batch_too_large    batches only; above the limit, the items are not looked at in 2 to 8

#include <algorithm>
#include <cstring>
#include <span>

#include "core/event.h"
#include "core/limit_meaning.h"
#include "core/placement.h"
#include "core/text_check.h"

namespace odometer {

namespace {

// The first 100 items of a batch: a larger one is refused as a whole, at the end.
std::span<const Interaction> Items(const Event& event) {
  return {event.interactions.data(), std::min(event.interactions.size(), kInteractionsMax)};
}

bool IsSessionFact(EventType type) {
  return type >= EventType::kSessionStarted && type <= EventType::kSessionSummarized;
}
bool IsInteraction(EventType type) {
  return type == EventType::kInteractionRecorded || type == EventType::kInteractionBatch;
}
bool IsKnowledge(EventType type) {
  return type >= EventType::kCaseChampioned && type <= EventType::kCollectionUnsubscribed;
}
bool IsOperation(EventType type) {
  return type >= EventType::kVectorsAdded && type <= EventType::kCollectionDropped;
}

// --- 2. missing_field

bool IsNil(const Uuid& id) {
  uint64_t words[2];
  static_assert(sizeof words == sizeof id.bytes);
  std::memcpy(words, id.bytes.data(), sizeof words);
  return (words[0] | words[1]) == 0;
}

bool NeedsCollection(EventType type) {
  return type == EventType::kVectorsCounted || type == EventType::kCollectionCreated ||
         type == EventType::kCollectionDropped || type == EventType::kCollectionSubscribed ||
         type == EventType::kCollectionUnsubscribed;
}

[[gnu::always_inline]] inline bool HasItemFields(EventType type, const Event& event) {
  for (const Interaction& item : Items(event)) {
    if (item.user.empty()) return false;
    if (type == EventType::kInteractionBatch && IsNil(item.id)) return false;
  }
  return true;
}

[[gnu::always_inline]] inline bool HasEnvelopeFields(EventType type, const Event& event) {
  bool has_no_tenant = type == EventType::kGenesis || type == EventType::kTick;
  if (IsNil(event.id) || event.tenant.empty() != has_no_tenant) return false;
  return !event.producer.has_value() || !IsNil(event.producer->id);
}

[[gnu::always_inline]] inline bool HasPayloadFields(EventType type, const Event& event) {
  if (type == EventType::kTurnRecorded) return !event.turn.user.empty();
  if (type == EventType::kTurnAmended) {
    return !event.amendment.user.empty() && !IsNil(event.amendment.original_id);
  }
  if (IsSessionFact(type)) return !event.session.user.empty() && !event.session.session.empty();
  if (IsInteraction(type)) return HasItemFields(type, event);
  if (IsKnowledge(type)) {
    return !event.knowledge.user.empty() && !(NeedsCollection(type) && event.knowledge.collection.empty());
  }
  if (IsOperation(type)) {
    return !event.operation.user.empty() && !event.operation.project.empty() &&
           !(NeedsCollection(type) && event.operation.collection.empty());
  }
  if (type == EventType::kConfigChanged) return !event.config.user.empty();
  if (type == EventType::kGenesis) return !IsNil(event.genesis.log_id);
  if (type == EventType::kGapReported) return !IsNil(event.gap.producer);
  return !limit_meaning::IsAbout(type) || limit_meaning::HasFields(event);
}

// --- 3. invalid_enum

template <class Enum>
bool IsWithin(Enum value, Enum last) {
  return static_cast<uint8_t>(value) >= 1 && value <= last;
}

[[gnu::always_inline]] inline bool HasKnownEnums(EventType type, const Event& event) {
  if (!IsWithin(event.id_kind, IdKind::kDerived)) return false;
  if (type == EventType::kTurnRecorded) return IsWithin(event.turn.status, TurnStatus::kTimeout);
  if (IsOperation(type)) return IsWithin(event.operation.status, OperationStatus::kQuotaExceeded);
  if (limit_meaning::IsAbout(type)) return limit_meaning::HasKnownEnums(event);
  if (!IsInteraction(type)) return true;
  for (const Interaction& item : Items(event)) {
    bool known = IsWithin(item.kind, InteractionKind::kCostEvent) && IsWithin(item.status, InteractionStatus::kTimeout);
    if (!known) return false;
  }
  return true;
}

// --- 4. invalid_utf8 and 5. text_too_long, in one pass over the texts

void CheckTexts(const Turn& turn, TextCheck& check) {
  check.Names(turn.user, turn.session, turn.provider, turn.model_requested, turn.model_served, turn.error_type,
               turn.service, turn.operation);
  check.Text(turn.metadata, kMetadataBytesMax);
  check.Bytes(turn.query_digest, kQueryDigestBytesMax);
  if (turn.has_rag) check.List(turn.rag_collections, kRagCollectionsMax, kIdTextBytesMax);
}

void CheckTexts(const Amendment& amendment, TextCheck& check) {
  check.Names(amendment.user, amendment.session, amendment.provider, amendment.model, amendment.service,
               amendment.operation, amendment.reason);
}

void CheckTexts(EventType type, const SessionFact& fact, TextCheck& check) {
  check.Names(fact.user, fact.session);
  if (type == EventType::kSessionStarted || type == EventType::kSessionRenamed) check.Name(fact.name);
  if (type == EventType::kSessionStarted) check.Text(fact.metadata, kMetadataBytesMax);
  if (type != EventType::kSessionSummarized) return;
  check.Text(fact.summary, kSummaryBytesMax);
  check.List(fact.key_points, kKeyPointsMax, kKeyPointBytesMax);
}

void CheckTexts(std::span<const Interaction> items, TextCheck& check) {
  for (const Interaction& item : items) {
    check.Names(item.user, item.session, item.service, item.operation, item.model);
    check.Text(item.metadata, kMetadataBytesMax);
  }
}

void CheckTexts(const Operation& operation, TextCheck& check) {
  check.Names(operation.user, operation.project, operation.collection, operation.service, operation.operation);
  check.Text(operation.metadata, kMetadataBytesMax);
}

[[gnu::always_inline]] inline Reason CheckTexts(EventType type, const Event& event) {
  TextCheck check;
  check.Names(event.tenant, event.source);
  if (type == EventType::kTurnRecorded) {
    CheckTexts(event.turn, check);
  } else if (type == EventType::kTurnAmended) {
    CheckTexts(event.amendment, check);
  } else if (IsSessionFact(type)) {
    CheckTexts(type, event.session, check);
  } else if (IsInteraction(type)) {
    CheckTexts(Items(event), check);
  } else if (IsKnowledge(type)) {
    check.Names(event.knowledge.user, event.knowledge.collection);
    if (type == EventType::kCaseChampioned) check.Name(event.knowledge.case_id);
  } else if (IsOperation(type)) {
    CheckTexts(event.operation, check);
  } else if (type == EventType::kConfigChanged) {
    check.Names(event.config.user, event.config.project, event.config.setting);
    check.Text(event.config.metadata, kMetadataBytesMax);
  } else if (type == EventType::kTick) {
    check.Name(event.tick_reason);
  } else if (type == EventType::kGapReported) {
    check.Name(event.gap.reason);
  } else if (limit_meaning::IsAbout(type)) {
    limit_meaning::CheckTexts(event, check);
  }
  return check.reason();
}

// --- 6. negative_amount

bool IsAmount(int64_t amount) { return amount >= 0; }
bool IsAmount(const std::optional<int64_t>& amount) { return amount.value_or(0) >= 0; }
bool IsAmount(const Tokens& tokens) {
  // A number is negative if its top bit is set, and so is the OR of several if one of them is.
  return (tokens.input_uncached | tokens.cache_read | tokens.cache_write_5m | tokens.cache_write_1h | tokens.output |
          tokens.reasoning) >= 0;
}
bool IsAmount(const CostParts& cost) {
  return (cost.ai_tokens_nano_usd | cost.db_ops_nano_usd | cost.api_calls_nano_usd | cost.compute_time_nano_usd) >= 0;
}

bool HasAmounts(const Turn& turn) {
  return IsAmount(turn.tokens) && IsAmount(turn.llm_calls) && IsAmount(turn.duration_us) &&
         IsAmount(turn.time_to_first_token_us) && IsAmount(turn.provided_cost_nano_usd) &&
         (!turn.has_rag || IsAmount(turn.rag_output_tokens_saved));
}

bool HasAmounts(const Interaction& item) {
  return IsAmount(item.tokens) && IsAmount(item.db_operations) && IsAmount(item.api_calls) &&
         IsAmount(item.compute_us) && IsAmount(item.duration_us) &&
         (!item.provided_cost.has_value() || IsAmount(*item.provided_cost));
}

bool HasAmounts(EventType type, const Operation& operation) {
  bool has = IsAmount(operation.requested) && IsAmount(operation.succeeded) && IsAmount(operation.payload_bytes) &&
             IsAmount(operation.duration_us);
  if (type == EventType::kVectorsUpserted) return has && IsAmount(operation.inserted);
  if (type == EventType::kVectorsSearched) return has && IsAmount(operation.results);
  if (type == EventType::kVectorsCounted) {
    return has && IsAmount(operation.counted_vectors) && IsAmount(operation.counted_bytes);
  }
  return has;
}

[[gnu::always_inline]] inline bool HasAmounts(EventType type, const Event& event) {
  if (type == EventType::kTurnRecorded) return HasAmounts(event.turn);
  if (IsOperation(type)) return HasAmounts(type, event.operation);
  if (limit_meaning::IsAbout(type)) return limit_meaning::HasAmounts(event);
  if (!IsInteraction(type)) return true;
  for (const Interaction& item : Items(event)) {
    if (!HasAmounts(item)) return false;
  }
  return true;
}

// --- 7. inconsistent_amounts

bool IsConsistent(EventType type, const Operation& operation) {
  if (operation.succeeded > operation.requested) return false;
  bool did_nothing =
      operation.status == OperationStatus::kFailure || operation.status == OperationStatus::kQuotaExceeded;
  bool has_delta = operation.vectors_delta != 0 || operation.bytes_delta != 0;
  if (did_nothing && (has_delta || operation.succeeded != 0)) return false;
  switch (type) {
    case EventType::kVectorsUpserted: return operation.inserted <= operation.succeeded;
    case EventType::kVectorsAdded:
    case EventType::kCollectionCreated: return operation.vectors_delta >= 0;
    case EventType::kVectorsDeleted:
    case EventType::kCollectionDropped: return operation.vectors_delta <= 0;
    case EventType::kVectorsSearched:
    case EventType::kVectorsCounted: return !has_delta;
    default: return true;
  }
}

bool IsConsistent(const Gap& gap) {
  if (gap.slot >= kSlots || gap.ranges.empty() || gap.ranges.size() > kGapRangesMax) return false;
  for (const SeqRange& range : gap.ranges) {
    if (range.first == 0 || range.first > range.last || range.last > kSeqMax) return false;
  }
  return true;
}

[[gnu::always_inline]] inline bool IsConsistent(EventType type, const Event& event) {
  if (event.producer.has_value()) {
    const ProducerStamp& stamp = *event.producer;
    if (stamp.seq == 0 || stamp.seq > kSeqMax || stamp.slot >= kSlots) return false;
  }
  if (type == EventType::kTurnRecorded) return event.turn.tokens.reasoning <= event.turn.tokens.output;
  if (IsOperation(type)) return IsConsistent(type, event.operation);
  if (type == EventType::kGapReported) return IsConsistent(event.gap);
  if (type == EventType::kGenesis) return event.genesis.partition < event.genesis.partitions;
  if (limit_meaning::IsAbout(type)) return limit_meaning::IsConsistent(event);
  if (!IsInteraction(type)) return true;
  for (const Interaction& item : Items(event)) {
    if (item.tokens.reasoning > item.tokens.output) return false;
  }
  return true;
}

// --- 8. time_range

bool IsInRange(EventTime time) { return time.us >= 0 && time.us < kEventTimeLimitUs; }

[[gnu::always_inline]] inline bool HasTimesInRange(EventType type, const Event& event) {
  if (!IsInRange(event.event_time)) return false;
  if (type == EventType::kTurnAmended) return IsInRange(event.amendment.original_time);
  if (limit_meaning::IsAbout(type)) return limit_meaning::HasTimesInRange(event);
  if (type != EventType::kInteractionBatch) return true;
  for (const Interaction& item : Items(event)) {
    if (!IsInRange(item.event_time)) return false;
  }
  return true;
}

// Every check asks for the type: where it is a constant, the compiler leaves out what does not concern it.
[[gnu::always_inline]] inline Reason CheckInOrder(EventType type, const Event& event) {
  if (type == EventType::kInteractionRecorded && event.interactions.size() != 1) return Reason::kMissingPayload;
  if (!HasEnvelopeFields(type, event) || !HasPayloadFields(type, event)) return Reason::kMissingField;
  if (!HasKnownEnums(type, event)) return Reason::kInvalidEnum;
  if (Reason reason = CheckTexts(type, event); reason != Reason::kNone) return reason;
  if (!HasAmounts(type, event)) return Reason::kNegativeAmount;
  if (!IsConsistent(type, event)) return Reason::kInconsistentAmounts;
  if (!HasTimesInRange(type, event)) return Reason::kTimeRange;
  if (type != EventType::kInteractionBatch) return Reason::kNone;
  if (event.interactions.empty()) return Reason::kEmptyBatch;
  return event.interactions.size() > kInteractionsMax ? Reason::kBatchTooLarge : Reason::kNone;
}

}  // namespace

Reason CheckMeaning(const Event& event) {
  if (event.type == EventType::kTurnRecorded) return CheckInOrder(EventType::kTurnRecorded, event);
  if (TypeName(event.type).empty()) return Reason::kUnknownType;
  return CheckInOrder(event.type, event);
}

}  // namespace odometer
