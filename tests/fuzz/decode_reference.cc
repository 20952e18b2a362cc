#include "tests/fuzz/decode_reference.h"

#include <cstring>

#include "core/check.h"
#include "schemas/event_generated.h"

namespace odometer::testing {

namespace {

constexpr uint32_t kDepthMax = 16;
constexpr uint32_t kTablesMax = 1000;  // a full batch has 402
constexpr size_t kAlignment = 8;

std::string_view View(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : std::string_view(text->c_str(), text->size());
}

std::string_view BytesOf(const flatbuffers::Vector<uint8_t>* bytes) {
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

Uuid Copy(const schema::Uuid* stored) {
  Uuid id;
  if (stored != nullptr) std::memcpy(id.bytes.data(), stored->bytes()->data(), id.bytes.size());
  return id;
}

template <class T>
std::optional<T> Copy(const flatbuffers::Optional<T>& stored) {
  return stored.has_value() ? std::optional<T>(*stored) : std::nullopt;
}

Tokens Copy(const schema::Tokens* stored) {
  if (stored == nullptr) return {};
  return {stored->input_uncached(), stored->cache_read(), stored->cache_write_5m(),
          stored->cache_write_1h(), stored->output(),     stored->reasoning()};
}

using StringVector = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

void Copy(const StringVector* stored, std::vector<std::string_view>* texts) {
  texts->clear();
  if (stored == nullptr) return;
  for (const flatbuffers::String* text : *stored) texts->push_back(View(text));
}

void CopyRag(const schema::Rag* stored, Turn* turn) {
  turn->has_rag = stored != nullptr;
  turn->rag_used = stored != nullptr && stored->used();
  turn->rag_guided = stored != nullptr && stored->guided();
  turn->rag_output_tokens_saved = stored == nullptr ? 0 : stored->output_tokens_saved();
  Copy(stored == nullptr ? nullptr : stored->collections(), &turn->rag_collections);
}

Reason CopyPayload(const schema::TurnRecorded& stored, Event* event) {
  Turn& turn = event->turn;
  turn.user = View(stored.user());
  turn.session = View(stored.session());
  turn.turn_number = Copy(stored.turn_number());
  turn.provider = View(stored.provider());
  turn.model_requested = View(stored.model_requested());
  turn.model_served = View(stored.model_served());
  turn.tokens = Copy(stored.tokens());
  turn.llm_calls = Copy(stored.llm_calls());
  turn.status = static_cast<TurnStatus>(stored.status());
  turn.error_type = View(stored.error_type());
  turn.duration_us = Copy(stored.duration_us());
  turn.time_to_first_token_us = Copy(stored.time_to_first_token_us());
  turn.provided_cost_nano_usd = Copy(stored.provided_cost_nano_usd());
  CopyRag(stored.rag(), &turn);
  turn.service = View(stored.service());
  turn.operation = View(stored.operation());
  turn.metadata = View(stored.metadata());
  turn.query_digest = BytesOf(stored.query_digest());
  turn.query_length_bytes = Copy(stored.query_length_bytes());
  return Reason::kNone;
}

Reason CopyPayload(const schema::TurnAmended& stored, Event* event) {
  const schema::Original* original = stored.original();
  if (original == nullptr) return Reason::kMissingPayload;
  Amendment& amendment = event->amendment;
  amendment.original_id = Copy(original->id());
  amendment.original_time = EventTime{original->event_time_us()};
  amendment.user = View(original->user());
  amendment.session = View(original->session());
  amendment.provider = View(original->provider());
  amendment.model = View(original->model());
  amendment.service = View(original->service());
  amendment.operation = View(original->operation());
  amendment.tokens_delta = Copy(stored.tokens_delta());
  amendment.llm_calls_delta = stored.llm_calls_delta();
  amendment.provided_cost_delta_nano_usd = stored.provided_cost_delta_nano_usd();
  amendment.rag_output_tokens_saved_delta = stored.rag_output_tokens_saved_delta();
  amendment.reason = View(stored.reason());
  return Reason::kNone;
}

SessionFact& ResetSession(std::string_view user, std::string_view session, Event* event) {
  SessionFact& fact = event->session;
  fact.user = user;
  fact.session = session;
  fact.name = fact.metadata = fact.summary = {};
  fact.key_points.clear();
  return fact;
}

Reason CopyPayload(const schema::SessionStarted& stored, Event* event) {
  SessionFact& fact = ResetSession(View(stored.user()), View(stored.session()), event);
  fact.name = View(stored.name());
  fact.metadata = View(stored.metadata());
  return Reason::kNone;
}

Reason CopyPayload(const schema::SessionRenamed& stored, Event* event) {
  ResetSession(View(stored.user()), View(stored.session()), event).name = View(stored.name());
  return Reason::kNone;
}

Reason CopyPayload(const schema::SessionEnded& stored, Event* event) {
  ResetSession(View(stored.user()), View(stored.session()), event);
  return Reason::kNone;
}

Reason CopyPayload(const schema::SessionSummarized& stored, Event* event) {
  SessionFact& fact = ResetSession(View(stored.user()), View(stored.session()), event);
  fact.summary = View(stored.summary());
  Copy(stored.key_points(), &fact.key_points);
  return Reason::kNone;
}

void CopyInteraction(const schema::InteractionRecorded& stored, Interaction* interaction) {
  interaction->user = View(stored.user());
  interaction->session = View(stored.session());
  interaction->kind = static_cast<InteractionKind>(stored.kind());
  interaction->status = static_cast<InteractionStatus>(stored.status());
  interaction->service = View(stored.service());
  interaction->operation = View(stored.operation());
  interaction->model = View(stored.model());
  interaction->tokens = Copy(stored.tokens());
  interaction->db_operations = stored.db_operations();
  interaction->api_calls = stored.api_calls();
  interaction->compute_us = stored.compute_us();
  interaction->duration_us = Copy(stored.duration_us());
  interaction->provided_cost.reset();
  if (const schema::CostParts* cost = stored.provided_cost()) {
    interaction->provided_cost = CostParts{cost->ai_tokens_nano_usd(), cost->db_ops_nano_usd(),
                                           cost->api_calls_nano_usd(), cost->compute_time_nano_usd()};
  }
  interaction->metadata = View(stored.metadata());
}

Reason CopyPayload(const schema::InteractionRecorded& stored, Event* event) {
  event->interactions.resize(1);
  Interaction& interaction = event->interactions[0];
  interaction.id = event->id;
  interaction.event_time = event->event_time;
  CopyInteraction(stored, &interaction);
  return Reason::kNone;
}

Reason CopyPayload(const schema::InteractionBatch& stored, Event* event) {
  event->interactions.clear();
  if (stored.items() == nullptr) return Reason::kNone;  // CheckMeaning() names it empty
  event->interactions.resize(stored.items()->size());
  for (uint32_t i = 0; i < stored.items()->size(); ++i) {
    const schema::InteractionItem* item = stored.items()->Get(i);
    if (item->id() == nullptr || item->interaction() == nullptr) return Reason::kMissingPayload;
    Interaction& interaction = event->interactions[i];
    interaction.id = Copy(item->id());
    interaction.event_time = EventTime{item->event_time_us()};
    CopyInteraction(*item->interaction(), &interaction);
  }
  return Reason::kNone;
}

Reason CopyPayload(const schema::CaseChampioned& stored, Event* event) {
  event->knowledge = {View(stored.user()), View(stored.collection()), View(stored.case_id())};
  return Reason::kNone;
}

Reason CopyPayload(const schema::CollectionSubscribed& stored, Event* event) {
  event->knowledge = {View(stored.user()), View(stored.collection()), {}};
  return Reason::kNone;
}

Reason CopyPayload(const schema::CollectionUnsubscribed& stored, Event* event) {
  event->knowledge = {View(stored.user()), View(stored.collection()), {}};
  return Reason::kNone;
}

Reason CopyOperation(const schema::Operation* stored, Event* event) {
  if (stored == nullptr) return Reason::kMissingPayload;
  Operation& operation = event->operation;
  operation = Operation{};  // no memory of its own, so nothing to keep
  operation.user = View(stored->user());
  operation.project = View(stored->project());
  operation.collection = View(stored->collection());
  operation.status = static_cast<OperationStatus>(stored->status());
  operation.requested = stored->requested();
  operation.succeeded = stored->succeeded();
  operation.vectors_delta = stored->vectors_delta();
  operation.bytes_delta = stored->bytes_delta();
  operation.payload_bytes = stored->payload_bytes();
  operation.duration_us = Copy(stored->duration_us());
  operation.service = View(stored->service());
  operation.operation = View(stored->operation());
  operation.metadata = View(stored->metadata());
  return Reason::kNone;
}

// VectorsAdded, VectorsDeleted, CollectionCreated, CollectionDropped: nothing but the operation.
template <class Stored>
Reason CopyPayload(const Stored& stored, Event* event) {
  return CopyOperation(stored.op(), event);
}

Reason CopyPayload(const schema::VectorsUpserted& stored, Event* event) {
  Reason reason = CopyOperation(stored.op(), event);
  event->operation.inserted = stored.inserted();
  return reason;
}

Reason CopyPayload(const schema::VectorsSearched& stored, Event* event) {
  Reason reason = CopyOperation(stored.op(), event);
  event->operation.results = stored.results();
  event->operation.had_filter = stored.had_filter();
  return reason;
}

Reason CopyPayload(const schema::VectorsCounted& stored, Event* event) {
  Reason reason = CopyOperation(stored.op(), event);
  event->operation.counted_vectors = stored.vectors();
  event->operation.counted_bytes = stored.bytes();
  return reason;
}

Reason CopyPayload(const schema::ConfigChanged& stored, Event* event) {
  event->config = {View(stored.user()), View(stored.project()), View(stored.setting()), View(stored.metadata())};
  return Reason::kNone;
}

void Copy(const flatbuffers::Vector<flatbuffers::Offset<schema::Amount>>* stored, std::vector<Amount>* amounts) {
  amounts->clear();
  if (stored == nullptr) return;
  for (const schema::Amount* amount : *stored) {
    amounts->push_back({static_cast<Meter>(amount->meter()), amount->amount()});
  }
}

void Copy(const flatbuffers::Vector<flatbuffers::Offset<schema::Limit>>* stored, std::vector<Limit>* limits) {
  limits->clear();
  if (stored == nullptr) return;
  for (const schema::Limit* limit : *stored) {
    std::optional<Scope> over;
    if (limit->over().has_value()) over = static_cast<Scope>(*limit->over());
    limits->push_back({static_cast<Meter>(limit->meter()), static_cast<Window>(limit->window()), over,
                       Copy(limit->cap()), static_cast<LimitMode>(limit->mode()),
                       static_cast<WhenUnavailable>(limit->when_unavailable())});
  }
}

template <class Stored>
Reason CopyAsk(const Stored& stored, Event* event) {
  event->asked = {View(stored.user()), View(stored.project()), View(stored.collection()), {}, 0};
  Copy(stored.amounts(), &event->asked.amounts);
  return Reason::kNone;
}

Reason CopyPayload(const schema::AdmitAsked& stored, Event* event) { return CopyAsk(stored, event); }

Reason CopyPayload(const schema::HoldAsked& stored, Event* event) {
  CopyAsk(stored, event);
  event->asked.ttl_us = stored.ttl_us();
  return Reason::kNone;
}

Reason CopyPayload(const schema::LeaseAsked& stored, Event* event) {
  CopyAsk(stored, event);
  event->asked.ttl_us = stored.ttl_us();
  return Reason::kNone;
}

Reason CopyPayload(const schema::HoldSettled& stored, Event* event) {
  event->end = {Copy(stored.hold()), {}, {}, false};
  Copy(stored.amounts(), &event->end.amounts);
  return Reason::kNone;
}

Reason CopyPayload(const schema::HoldReleased& stored, Event* event) {
  event->end = {Copy(stored.hold()), {}, View(stored.reason()), false};
  return Reason::kNone;
}

Reason CopyPayload(const schema::LeaseSettled& stored, Event* event) {
  event->end = {Copy(stored.hold()), {}, {}, stored.final()};
  Copy(stored.amounts(), &event->end.amounts);
  return Reason::kNone;
}

template <class Stored>
Definition& ResetDefinition(const Stored& stored, Event* event) {
  Definition& definition = event->definition;
  definition = Definition{};
  if (stored.expected() != nullptr) definition.expected = Copy(stored.expected());
  definition.who = View(stored.who());
  definition.why = View(stored.why());
  return definition;
}

Reason CopyPayload(const schema::ProfileDefined& stored, Event* event) {
  Definition& profile = ResetDefinition(stored, event);
  profile.name = View(stored.name());
  profile.description = View(stored.description());
  Copy(stored.limits(), &profile.limits);
  profile.is_deleted = stored.deleted();
  return Reason::kNone;
}

Reason CopyPayload(const schema::ProfileAssigned& stored, Event* event) {
  Definition& assigned = ResetDefinition(stored, event);
  assigned.user = View(stored.user());
  assigned.name = View(stored.profile());
  return Reason::kNone;
}

Reason CopyPayload(const schema::LimitOverridden& stored, Event* event) {
  Definition& overridden = ResetDefinition(stored, event);
  overridden.user = View(stored.user());
  Copy(stored.limits(), &overridden.limits);
  return Reason::kNone;
}

Reason CopyPayload(const schema::QuotaSet& stored, Event* event) {
  Definition& quota = ResetDefinition(stored, event);
  quota.level = static_cast<QuotaLevel>(stored.level());
  quota.user = View(stored.user());
  quota.project = View(stored.project());
  quota.collection = View(stored.collection());
  Copy(stored.limits(), &quota.limits);
  return Reason::kNone;
}

Reason CopyPayload(const schema::EnforcementSet& stored, Event* event) {
  ResetDefinition(stored, event).enforcement = static_cast<Enforcement>(stored.enforcement());
  return Reason::kNone;
}

// The verifier does not check that a vector of structs is aligned: copied byte by byte.
template <class Stored, class T>
void CopyStructs(const flatbuffers::Vector<const Stored*>* stored, std::vector<T>* to) {
  static_assert(sizeof(T) == sizeof(Stored) && FLATBUFFERS_LITTLEENDIAN);
  to->clear();
  if (stored == nullptr) return;
  to->resize(stored->size());
  if (!to->empty()) std::memcpy(to->data(), stored->Data(), to->size() * sizeof(T));
}

Reason CopyPayload(const schema::ZoneSet& stored, Event* event) {
  Definition& zone = ResetDefinition(stored, event);
  zone.name = View(stored.zone());
  zone.first_offset_s = stored.first_offset_s();
  CopyStructs(stored.shifts(), &zone.shifts);
  return Reason::kNone;
}

Reason CopyPayload(const schema::Genesis& stored, Event* event) {
  event->genesis = {Copy(stored.log_id()), stored.partition(), stored.partitions(), stored.placement_version()};
  return Reason::kNone;
}

Reason CopyPayload(const schema::Tick& stored, Event* event) {
  event->tick_reason = View(stored.reason());
  return Reason::kNone;
}

Reason CopyPayload(const schema::GapReported& stored, Event* event) {
  Gap& gap = event->gap;
  gap.producer = Copy(stored.producer());
  gap.epoch = stored.epoch();
  gap.slot = stored.slot();
  gap.reason = View(stored.reason());
  CopyStructs(stored.ranges(), &gap.ranges);
  return Reason::kNone;
}

Reason CopyPayload(const schema::LimitCrossed& stored, Event* event) {
  event->crossing = {View(stored.user()),
                     View(stored.project()),
                     View(stored.collection()),
                     static_cast<Scope>(stored.over()),
                     static_cast<Meter>(stored.meter()),
                     static_cast<Window>(stored.window()),
                     stored.percent(),
                     stored.cap(),
                     stored.used(),
                     View(stored.level()),
                     View(stored.source()),
                     Copy(stored.definition()),
                     stored.instance(),
                     Copy(stored.cause())};
  return Reason::kNone;
}

template <class Stored>
Reason CopyTable(const schema::Event& stored, Event* event) {
  return CopyPayload(*static_cast<const Stored*>(stored.payload()), event);
}

Reason CopyPayloadOfType(const schema::Event& stored, Event* event) {
  switch (event->type) {
    case EventType::kNone: break;
    case EventType::kTurnRecorded: return CopyTable<schema::TurnRecorded>(stored, event);
    case EventType::kTurnAmended: return CopyTable<schema::TurnAmended>(stored, event);
    case EventType::kSessionStarted: return CopyTable<schema::SessionStarted>(stored, event);
    case EventType::kSessionRenamed: return CopyTable<schema::SessionRenamed>(stored, event);
    case EventType::kSessionEnded: return CopyTable<schema::SessionEnded>(stored, event);
    case EventType::kSessionSummarized: return CopyTable<schema::SessionSummarized>(stored, event);
    case EventType::kInteractionRecorded: return CopyTable<schema::InteractionRecorded>(stored, event);
    case EventType::kInteractionBatch: return CopyTable<schema::InteractionBatch>(stored, event);
    case EventType::kCaseChampioned: return CopyTable<schema::CaseChampioned>(stored, event);
    case EventType::kCollectionSubscribed: return CopyTable<schema::CollectionSubscribed>(stored, event);
    case EventType::kCollectionUnsubscribed: return CopyTable<schema::CollectionUnsubscribed>(stored, event);
    case EventType::kVectorsAdded: return CopyTable<schema::VectorsAdded>(stored, event);
    case EventType::kVectorsUpserted: return CopyTable<schema::VectorsUpserted>(stored, event);
    case EventType::kVectorsDeleted: return CopyTable<schema::VectorsDeleted>(stored, event);
    case EventType::kVectorsSearched: return CopyTable<schema::VectorsSearched>(stored, event);
    case EventType::kVectorsCounted: return CopyTable<schema::VectorsCounted>(stored, event);
    case EventType::kCollectionCreated: return CopyTable<schema::CollectionCreated>(stored, event);
    case EventType::kCollectionDropped: return CopyTable<schema::CollectionDropped>(stored, event);
    case EventType::kConfigChanged: return CopyTable<schema::ConfigChanged>(stored, event);
    case EventType::kAdmitAsked: return CopyTable<schema::AdmitAsked>(stored, event);
    case EventType::kHoldAsked: return CopyTable<schema::HoldAsked>(stored, event);
    case EventType::kLeaseAsked: return CopyTable<schema::LeaseAsked>(stored, event);
    case EventType::kHoldSettled: return CopyTable<schema::HoldSettled>(stored, event);
    case EventType::kHoldReleased: return CopyTable<schema::HoldReleased>(stored, event);
    case EventType::kLeaseSettled: return CopyTable<schema::LeaseSettled>(stored, event);
    case EventType::kProfileDefined: return CopyTable<schema::ProfileDefined>(stored, event);
    case EventType::kProfileAssigned: return CopyTable<schema::ProfileAssigned>(stored, event);
    case EventType::kLimitOverridden: return CopyTable<schema::LimitOverridden>(stored, event);
    case EventType::kQuotaSet: return CopyTable<schema::QuotaSet>(stored, event);
    case EventType::kEnforcementSet: return CopyTable<schema::EnforcementSet>(stored, event);
    case EventType::kZoneSet: return CopyTable<schema::ZoneSet>(stored, event);
    case EventType::kGenesis: return CopyTable<schema::Genesis>(stored, event);
    case EventType::kTick: return CopyTable<schema::Tick>(stored, event);
    case EventType::kGapReported: return CopyTable<schema::GapReported>(stored, event);
    case EventType::kLimitCrossed: return CopyTable<schema::LimitCrossed>(stored, event);
  }
  return Reason::kUnknownType;
}

void CopyEnvelope(const schema::Event& stored, Event* event) {
  event->type = static_cast<EventType>(stored.payload_type());
  event->id = Copy(stored.id());
  event->id_kind = static_cast<IdKind>(stored.id_kind());
  event->tenant = View(stored.tenant());
  event->event_time = EventTime{stored.event_time_us()};
  event->source = View(stored.source());
  event->producer.reset();
  if (const schema::Producer* producer = stored.producer()) {
    event->producer = ProducerStamp{Copy(&producer->id()), producer->epoch(), producer->slot(), producer->seq()};
  }
  event->ask.reset();
  if (stored.ask() != nullptr) event->ask = Copy(stored.ask());
}

// nullptr if the bytes are not an event.
const schema::Event* Verified(std::string_view bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) return nullptr;
  const uint8_t* data = reinterpret_cast<const uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), kDepthMax, kTablesMax);
  return schema::VerifyEventBuffer(verifier) ? schema::GetEvent(data) : nullptr;
}

bool IsKnown(EventType type) { return !TypeName(type).empty(); }

// Whether the whole of the event was read before the reason was found.
bool IsRead(Reason reason) {
  return reason != Reason::kNullPayload && reason != Reason::kTooLarge && reason != Reason::kNotAnEvent &&
         reason != Reason::kUnknownType && reason != Reason::kMissingPayload;
}

}  // namespace

Reason DecodeByAccessors(std::string_view bytes, Event* event) {
  if (bytes.data() == nullptr) return Reason::kNullPayload;
  if (bytes.size() > kBatchBytesMax) return Reason::kTooLarge;
  const schema::Event* stored = Verified(bytes);
  if (stored == nullptr) return Reason::kNotAnEvent;
  CopyEnvelope(*stored, event);
  if (bytes.size() > kEventBytesMax && event->type != EventType::kInteractionBatch) return Reason::kTooLarge;
  if (!IsKnown(event->type)) return Reason::kUnknownType;
  if (stored->payload() == nullptr) return Reason::kMissingPayload;
  return CopyPayloadOfType(*stored, event);
}

Reason CheckAgainstReference(std::string_view bytes) {
  static Event decoded, expected;  // reused: nothing of the event before may show
  Reason reason = Decode(bytes, &decoded);
  Reason expected_reason = DecodeByAccessors(bytes, &expected);
  if (expected_reason == Reason::kNone) expected_reason = CheckMeaning(expected);
  ODOMETER_CHECK(reason == expected_reason);
  if (IsRead(reason)) ODOMETER_CHECK(Encode(decoded) == Encode(expected));  // all that the event says
  return reason;
}

}  // namespace odometer::testing
