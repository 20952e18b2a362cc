// core/event.h: Event, one domain fact in plain values, and the only code that reads or writes its stored bytes.
//
//   Event event;                                    // reuse it: decoding allocates nothing once it is warm
//   Reason reason = Decode(record.bytes, &event);   // every reason has a name; kNone means all of it was checked
//   if (reason == Reason::kNone && event.type == EventType::kTurnRecorded) Use(event.turn);
//
//   std::string bytes = Encode(event);              // the same bytes for the same event, always
//
// Every string_view of a decoded Event points into the bytes it was decoded from and lives as long as they do.
// Only the part that belongs to `type` has a meaning. Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/limit.h"
#include "core/reason.h"
#include "core/time.h"
#include "core/zone.h"

namespace odometer {

// The numbers are the union numbers of schemas/event.fbs.
enum class EventType : uint8_t {
  kNone = 0,
  kTurnRecorded = 1,
  kTurnAmended = 2,
  kSessionStarted = 3,
  kSessionRenamed = 4,
  kSessionEnded = 5,
  kSessionSummarized = 6,
  kInteractionRecorded = 7,
  kInteractionBatch = 8,
  kCaseChampioned = 9,
  kCollectionSubscribed = 10,
  kCollectionUnsubscribed = 11,
  kVectorsAdded = 12,
  kVectorsUpserted = 13,
  kVectorsDeleted = 14,
  kVectorsSearched = 15,
  kVectorsCounted = 16,
  kCollectionCreated = 17,
  kCollectionDropped = 18,
  kConfigChanged = 19,
  kAdmitAsked = 20,
  kHoldAsked = 21,
  kLeaseAsked = 22,
  kHoldSettled = 23,
  kHoldReleased = 24,
  kLeaseSettled = 25,
  kProfileDefined = 30,
  kProfileAssigned = 31,
  kLimitOverridden = 32,
  kQuotaSet = 33,
  kEnforcementSet = 34,
  kZoneSet = 36,
  kGenesis = 60,
  kTick = 61,
  kGapReported = 62,
  kLimitCrossed = 63,
};
// "TurnRecorded"; "" for a number that has no type.
std::string_view TypeName(EventType type);
std::optional<EventType> TypeFromName(std::string_view name);
const std::vector<EventType>& AllEventTypes();
// Genesis, Tick, GapReported and LimitCrossed: Odometer's own, refused at the doors that hosts use.
bool IsOwn(EventType type);
// The seven vector operations.
bool IsVector(EventType type);
// AdmitAsked, HoldAsked, LeaseAsked: what gets a verdict.
inline bool IsAsk(EventType type) { return type >= EventType::kAdmitAsked && type <= EventType::kLeaseAsked; }
// HoldSettled, HoldReleased, LeaseSettled.
inline bool IsHoldEnd(EventType type) { return type >= EventType::kHoldSettled && type <= EventType::kLeaseSettled; }
// ProfileDefined to ZoneSet.
inline bool IsDefinition(EventType type) { return type >= EventType::kProfileDefined && type <= EventType::kZoneSet; }

enum class IdKind : uint8_t { kMinted = 1, kDerived = 2 };
enum class TurnStatus : uint8_t { kSuccess = 1, kFailed = 2, kError = 3, kCancelled = 4, kPartial = 5, kTimeout = 6 };
enum class InteractionKind : uint8_t { kChat = 1, kDb = 2, kApi = 3, kCostEvent = 4 };
enum class InteractionStatus : uint8_t { kCompleted = 1, kFailed = 2, kTimeout = 3 };
enum class OperationStatus : uint8_t { kSuccess = 1, kFailure = 2, kPartialFailure = 3, kQuotaExceeded = 4 };

struct ProducerStamp {
  Uuid id;
  uint64_t epoch = 0;
  uint64_t slot = 0;
  uint64_t seq = 0;  // dense from 1 for each (id, epoch, slot)
};

// Input buckets exclude each other; reasoning is part of output. In an amendment each is a signed delta.
struct Tokens {
  int64_t input_uncached = 0;
  int64_t cache_read = 0;
  int64_t cache_write_5m = 0;
  int64_t cache_write_1h = 0;
  int64_t output = 0;
  int64_t reasoning = 0;
};

struct Turn {
  std::string_view user;
  std::string_view session;  // may be empty: then no session row
  std::optional<uint64_t> turn_number;
  std::string_view provider;
  std::string_view model_requested;
  std::string_view model_served;
  Tokens tokens;
  std::optional<int64_t> llm_calls;  // absent counts as 1
  TurnStatus status = TurnStatus::kSuccess;
  std::string_view error_type;
  std::optional<int64_t> duration_us;
  std::optional<int64_t> time_to_first_token_us;
  std::optional<int64_t> provided_cost_nano_usd;  // absent: unpriced, which is not 0
  bool has_rag = false;
  bool rag_used = false;
  bool rag_guided = false;
  std::vector<std::string_view> rag_collections;
  int64_t rag_output_tokens_saved = 0;
  std::string_view service;
  std::string_view operation;
  std::string_view metadata;      // returned as posted
  std::string_view query_digest;  // raw bytes, at most 64
  std::optional<uint64_t> query_length_bytes;
  bool is_admitted = false;  // never stored: the fold's, when the turn names an ask that has counted its request

  // The model that counts: served if known, else requested.
  std::string_view model() const { return model_served.empty() ? model_requested : model_served; }
};

struct Amendment {
  Uuid original_id;
  EventTime original_time;
  std::string_view user;
  std::string_view session;
  std::string_view provider;
  std::string_view model;
  std::string_view service;
  std::string_view operation;
  Tokens tokens_delta;
  int64_t llm_calls_delta = 0;
  int64_t provided_cost_delta_nano_usd = 0;
  int64_t rag_output_tokens_saved_delta = 0;
  std::string_view reason;
};

// SessionStarted (name, metadata), SessionRenamed (name), SessionEnded, SessionSummarized (summary, key_points).
struct SessionFact {
  std::string_view user;
  std::string_view session;
  std::string_view name;
  std::string_view metadata;
  std::string_view summary;
  std::vector<std::string_view> key_points;
};

struct CostParts {
  int64_t ai_tokens_nano_usd = 0;
  int64_t db_ops_nano_usd = 0;
  int64_t api_calls_nano_usd = 0;
  int64_t compute_time_nano_usd = 0;
};

struct Interaction {
  EventId id;           // of a batch item; the event's own for InteractionRecorded
  EventTime event_time; // likewise
  std::string_view user;
  std::string_view session;  // may be empty
  InteractionKind kind = InteractionKind::kChat;
  InteractionStatus status = InteractionStatus::kCompleted;
  std::string_view service;
  std::string_view operation;
  std::string_view model;
  Tokens tokens;
  int64_t db_operations = 0;
  int64_t api_calls = 0;
  int64_t compute_us = 0;
  std::optional<int64_t> duration_us;
  std::optional<CostParts> provided_cost;  // absent: unpriced
  std::string_view metadata;
};

// CaseChampioned (collection, case_id), CollectionSubscribed, CollectionUnsubscribed (collection).
struct Knowledge {
  std::string_view user;
  std::string_view collection;
  std::string_view case_id;
};

// All vector types.
struct Operation {
  std::string_view user;
  std::string_view project;
  std::string_view collection;
  OperationStatus status = OperationStatus::kSuccess;
  int64_t requested = 0;
  int64_t succeeded = 0;
  int64_t vectors_delta = 0;
  int64_t bytes_delta = 0;
  int64_t payload_bytes = 0;
  std::optional<int64_t> duration_us;
  std::string_view service;
  std::string_view operation;
  std::string_view metadata;
  int64_t inserted = 0;         // VectorsUpserted
  int64_t results = 0;          // VectorsSearched
  bool had_filter = false;      // VectorsSearched
  int64_t counted_vectors = 0;  // VectorsCounted
  int64_t counted_bytes = 0;    // VectorsCounted
};

struct ConfigChange {
  std::string_view user;
  std::string_view project;
  std::string_view setting;
  std::string_view metadata;
};

// AdmitAsked, HoldAsked, LeaseAsked.
struct Ask {
  std::string_view user;
  std::string_view project;     // may be empty
  std::string_view collection;  // likewise; of the project
  std::vector<Amount> amounts;  // each meter at most once
  int64_t ttl_us = 0;           // of a hold or lease
};

// HoldSettled (amounts), HoldReleased (reason), LeaseSettled (amounts, is_final).
struct HoldEnd {
  Uuid hold;
  std::vector<Amount> amounts;
  std::string_view reason;
  bool is_final = false;
};

// ProfileDefined (name, description, limits, is_deleted), ProfileAssigned (user, name), LimitOverridden (user, limits),
// QuotaSet (level, user, project, collection, limits), EnforcementSet (enforcement), ZoneSet (name, first_offset_s,
// shifts).
struct Definition {
  std::string_view name;  // of the profile or the zone
  std::string_view description;
  std::string_view user;
  std::string_view project;
  std::string_view collection;
  QuotaLevel level = QuotaLevel::kDefault;
  Enforcement enforcement = Enforcement::kOn;
  std::vector<Limit> limits;  // no two of one meter and window
  bool is_deleted = false;
  int64_t first_offset_s = 0;     // until the first shift
  std::vector<ZoneShift> shifts;  // in the order of their moments
  // The event that made what this one replaces, nil when nothing stands there; absent: whatever does. Another one:
  // the fold refuses it.
  std::optional<Uuid> expected;
  std::string_view who;
  std::string_view why;
};

struct GenesisFact {
  Uuid log_id;
  uint32_t partition = 0;
  uint32_t partitions = 0;
  uint32_t placement_version = 0;
};

struct SeqRange {
  uint64_t first = 0;
  uint64_t last = 0;  // inclusive
};

struct Gap {
  Uuid producer;
  uint64_t epoch = 0;
  uint64_t slot = 0;
  std::vector<SeqRange> ranges;
  std::string_view reason;
};

// LimitCrossed: use has reached a share of a cap. What each field means: docs/limits.md, section 6.
struct Crossing {
  std::string_view user;  // of the scope, as project and collection
  std::string_view project;
  std::string_view collection;
  Scope over = Scope::kUser;
  Meter meter = Meter::kRequests;
  Window window = Window::kRollingHour;
  uint8_t percent = 0;        // 80, 95, 100
  int64_t cap = 0;
  int64_t used = 0;           // when it crossed
  std::string_view level;     // "profile", …
  std::string_view source;    // the profile, or whose override or quota it is; may be empty
  Uuid definition;
  int64_t instance = 0;       // of a calendar window: when it began; else how often it was crossed before
  Uuid cause;                 // the event that crossed it; of a lease that expired, its ask
};

struct Event {
  EventType type = EventType::kNone;
  EventId id;
  IdKind id_kind = IdKind::kMinted;
  std::string_view tenant;  // empty for Genesis and Tick
  EventTime event_time;
  std::string_view source;
  std::optional<ProducerStamp> producer;
  std::optional<Uuid> ask;

  Turn turn;
  Amendment amendment;
  SessionFact session;
  std::vector<Interaction> interactions;  // exactly 1 for InteractionRecorded
  Knowledge knowledge;
  Operation operation;
  ConfigChange config;
  Ask asked;
  HoldEnd end;
  Definition definition;
  GenesisFact genesis;
  std::string_view tick_reason;
  Gap gap;
  Crossing crossing;
};

// Limits of an event's size, checked before an append and again by the fold.
inline constexpr size_t kEventBytesMax = 64 * 1024;
inline constexpr size_t kBatchBytesMax = 512 * 1024;
inline constexpr size_t kIdTextBytesMax = 256;       // tenant, user, session, project, collection and other names
inline constexpr size_t kMetadataBytesMax = 4096;
inline constexpr size_t kSummaryBytesMax = 8192;
inline constexpr size_t kInteractionsMax = 100;
inline constexpr size_t kKeyPointsMax = 32;          // each at most 1,024 bytes
inline constexpr size_t kKeyPointBytesMax = 1024;
inline constexpr size_t kRagCollectionsMax = 64;
inline constexpr size_t kGapRangesMax = 1024;
inline constexpr uint64_t kSeqMax = uint64_t{1} << 62;  // of a producer: what is counted up from it still fits
inline constexpr size_t kQueryDigestBytesMax = 64;
inline constexpr size_t kWhyBytesMax = 1024;      // who and why of a definition, its description, a release's reason
inline constexpr size_t kZoneShiftsMax = 1024;
inline constexpr int64_t kHoldTtlMinUs = kUsPerSecond;
inline constexpr int64_t kHoldTtlMaxUs = kUsPerDay;
inline constexpr int64_t kLeaseTtlMaxUs = kUsPerHour;
// So that a sum over all that may be asked and held at a time stays within 64 bits.
inline constexpr int64_t kAskAmountMax = int64_t{1} << 50;
inline constexpr int64_t kCapMax = int64_t{1} << 60;

// Verifies, decodes and checks the meaning; `bytes` must be 8-aligned. On a reason other than kNone, `event` is partly
// filled and must not be used.
Reason Decode(std::string_view bytes, Event* event);
// The semantic pass alone, on an event that is about to be encoded.
Reason CheckMeaning(const Event& event);
// The stored form. The event must pass CheckMeaning().
std::string Encode(const Event& event);

}  // namespace odometer
