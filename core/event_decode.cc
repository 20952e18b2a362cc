// Stored bytes to Event: one pass that checks and copies each field, then the meaning. Nothing here trusts a byte.
//
// Every field of every table that is reached is read, whether or not Event has a place for it: otherwise bytes that are
// no event would depend on what a version asks for.

#include <cstring>

#include "core/event.h"
#include "core/table_reader.h"
#include "schemas/event_generated.h"

namespace odometer {

namespace {

// There is no count of levels: no table of the schema is deeper than the fifth, the Tokens of an item of a batch.
constexpr uint32_t kTablesMax = 1000;  // a full batch has 402
constexpr size_t kAlignment = 8;
static_assert(FLATBUFFERS_LITTLEENDIAN);

bool CopyId(TableReader table, uint16_t field, Uuid* id) {
  const void* stored;
  if (!table.Struct(field, sizeof(schema::Uuid), alignof(schema::Uuid), &stored)) return false;
  *id = Uuid{};
  if (stored != nullptr) std::memcpy(id->bytes.data(), stored, id->bytes.size());
  return true;
}

[[gnu::always_inline]] inline bool CopyMaybeId(TableReader table, uint16_t field, std::optional<Uuid>* id) {
  const void* bytes;
  id->reset();
  if (!table.Struct(field, sizeof(schema::Uuid), alignof(schema::Uuid), &bytes)) return false;
  if (bytes != nullptr) std::memcpy(id->emplace().bytes.data(), bytes, sizeof(Uuid));
  return true;
}

bool Copy(TableReader stored, Tokens* tokens) {
  using Stored = schema::Tokens;
  return stored.Number(Stored::VT_INPUT_UNCACHED, &tokens->input_uncached) &&
         stored.Number(Stored::VT_CACHE_READ, &tokens->cache_read) &&
         stored.Number(Stored::VT_CACHE_WRITE_5M, &tokens->cache_write_5m) &&
         stored.Number(Stored::VT_CACHE_WRITE_1H, &tokens->cache_write_1h) &&
         stored.Number(Stored::VT_OUTPUT, &tokens->output) && stored.Number(Stored::VT_REASONING, &tokens->reasoning);
}

bool CopyTokens(TableReader table, uint16_t field, Tokens* tokens) {
  TableReader stored;
  if (!table.Table(field, &stored)) return false;
  *tokens = Tokens{};
  return !stored.is_there() || Copy(stored, tokens);
}

bool CopyCost(TableReader table, uint16_t field, std::optional<CostParts>* cost) {
  using Stored = schema::CostParts;
  TableReader stored;
  cost->reset();
  if (!table.Table(field, &stored)) return false;
  if (!stored.is_there()) return true;
  CostParts& parts = cost->emplace();
  return stored.Number(Stored::VT_AI_TOKENS_NANO_USD, &parts.ai_tokens_nano_usd) &&
         stored.Number(Stored::VT_DB_OPS_NANO_USD, &parts.db_ops_nano_usd) &&
         stored.Number(Stored::VT_API_CALLS_NANO_USD, &parts.api_calls_nano_usd) &&
         stored.Number(Stored::VT_COMPUTE_TIME_NANO_USD, &parts.compute_time_nano_usd);
}

bool CopyTexts(TableReader table, uint16_t field, std::vector<std::string_view>* texts) {
  texts->clear();
  OffsetList list;
  if (!table.Offsets(field, &list)) return false;
  for (uint32_t i = 0; i < list.count; ++i) {
    if (!table.TextOf(list, i, &texts->emplace_back())) return false;
  }
  return true;
}

bool Copy(TableReader stored, Turn* turn) {
  using Stored = schema::Rag;
  turn->has_rag = true;
  return stored.Flag(Stored::VT_USED, &turn->rag_used) && stored.Flag(Stored::VT_GUIDED, &turn->rag_guided) &&
         stored.Number(Stored::VT_OUTPUT_TOKENS_SAVED, &turn->rag_output_tokens_saved) &&
         CopyTexts(stored, Stored::VT_COLLECTIONS, &turn->rag_collections);
}

bool CopyRag(TableReader table, uint16_t field, Turn* turn) {
  TableReader stored;
  if (!table.Table(field, &stored)) return false;
  if (stored.is_there()) return Copy(stored, turn);
  turn->has_rag = turn->rag_used = turn->rag_guided = false;
  turn->rag_output_tokens_saved = 0;
  turn->rag_collections.clear();
  return true;
}

bool CopyTurnRecorded(TableReader stored, Event* event) {
  using Stored = schema::TurnRecorded;
  Turn& turn = event->turn;
  return stored.Text(Stored::VT_USER, &turn.user) && stored.Text(Stored::VT_SESSION, &turn.session) &&
         stored.Number(Stored::VT_TURN_NUMBER, &turn.turn_number) &&
         stored.Text(Stored::VT_PROVIDER, &turn.provider) &&
         stored.Text(Stored::VT_MODEL_REQUESTED, &turn.model_requested) &&
         stored.Text(Stored::VT_MODEL_SERVED, &turn.model_served) &&
         CopyTokens(stored, Stored::VT_TOKENS, &turn.tokens) &&
         stored.Number(Stored::VT_LLM_CALLS, &turn.llm_calls) && stored.Number(Stored::VT_STATUS, &turn.status) &&
         stored.Text(Stored::VT_ERROR_TYPE, &turn.error_type) &&
         stored.Number(Stored::VT_DURATION_US, &turn.duration_us) &&
         stored.Number(Stored::VT_TIME_TO_FIRST_TOKEN_US, &turn.time_to_first_token_us) &&
         stored.Number(Stored::VT_PROVIDED_COST_NANO_USD, &turn.provided_cost_nano_usd) &&
         CopyRag(stored, Stored::VT_RAG, &turn) && stored.Text(Stored::VT_SERVICE, &turn.service) &&
         stored.Text(Stored::VT_OPERATION, &turn.operation) && stored.Text(Stored::VT_METADATA, &turn.metadata) &&
         stored.Elements(Stored::VT_QUERY_DIGEST, 1, &turn.query_digest) &&
         stored.Number(Stored::VT_QUERY_LENGTH_BYTES, &turn.query_length_bytes);
}

bool Copy(TableReader stored, Amendment* amendment) {
  using Stored = schema::Original;
  return CopyId(stored, Stored::VT_ID, &amendment->original_id) &&
         stored.Number(Stored::VT_EVENT_TIME_US, &amendment->original_time.us) &&
         stored.Text(Stored::VT_USER, &amendment->user) && stored.Text(Stored::VT_SESSION, &amendment->session) &&
         stored.Text(Stored::VT_PROVIDER, &amendment->provider) && stored.Text(Stored::VT_MODEL, &amendment->model) &&
         stored.Text(Stored::VT_SERVICE, &amendment->service) &&
         stored.Text(Stored::VT_OPERATION, &amendment->operation);
}

bool CopyTurnAmended(TableReader stored, Event* event, bool* is_complete) {
  using Stored = schema::TurnAmended;
  Amendment& amendment = event->amendment;
  TableReader original;
  bool is_sound = stored.Table(Stored::VT_ORIGINAL, &original) && Copy(original, &amendment) &&
                  CopyTokens(stored, Stored::VT_TOKENS_DELTA, &amendment.tokens_delta) &&
                  stored.Number(Stored::VT_LLM_CALLS_DELTA, &amendment.llm_calls_delta) &&
                  stored.Number(Stored::VT_PROVIDED_COST_DELTA_NANO_USD, &amendment.provided_cost_delta_nano_usd) &&
                  stored.Number(Stored::VT_RAG_OUTPUT_TOKENS_SAVED_DELTA,
                                &amendment.rag_output_tokens_saved_delta) &&
                  stored.Text(Stored::VT_REASON, &amendment.reason);
  *is_complete = original.is_there();
  return is_sound;
}

// What the four session types have in common; the other fields are emptied.
template <class Stored>
bool CopySession(TableReader stored, SessionFact* fact) {
  fact->name = fact->metadata = fact->summary = {};
  fact->key_points.clear();
  return stored.Text(Stored::VT_USER, &fact->user) && stored.Text(Stored::VT_SESSION, &fact->session);
}

bool CopySessionStarted(TableReader stored, Event* event) {
  using Stored = schema::SessionStarted;
  SessionFact& fact = event->session;
  return CopySession<Stored>(stored, &fact) && stored.Text(Stored::VT_NAME, &fact.name) &&
         stored.Text(Stored::VT_METADATA, &fact.metadata);
}

bool CopySessionRenamed(TableReader stored, Event* event) {
  using Stored = schema::SessionRenamed;
  return CopySession<Stored>(stored, &event->session) && stored.Text(Stored::VT_NAME, &event->session.name);
}

bool CopySessionSummarized(TableReader stored, Event* event) {
  using Stored = schema::SessionSummarized;
  SessionFact& fact = event->session;
  return CopySession<Stored>(stored, &fact) && stored.Text(Stored::VT_SUMMARY, &fact.summary) &&
         CopyTexts(stored, Stored::VT_KEY_POINTS, &fact.key_points);
}

bool Copy(TableReader stored, Interaction* interaction) {
  using Stored = schema::InteractionRecorded;
  return stored.Text(Stored::VT_USER, &interaction->user) && stored.Text(Stored::VT_SESSION, &interaction->session) &&
         stored.Number(Stored::VT_KIND, &interaction->kind) &&
         stored.Number(Stored::VT_STATUS, &interaction->status) &&
         stored.Text(Stored::VT_SERVICE, &interaction->service) &&
         stored.Text(Stored::VT_OPERATION, &interaction->operation) &&
         stored.Text(Stored::VT_MODEL, &interaction->model) &&
         CopyTokens(stored, Stored::VT_TOKENS, &interaction->tokens) &&
         stored.Number(Stored::VT_DB_OPERATIONS, &interaction->db_operations) &&
         stored.Number(Stored::VT_API_CALLS, &interaction->api_calls) &&
         stored.Number(Stored::VT_COMPUTE_US, &interaction->compute_us) &&
         stored.Number(Stored::VT_DURATION_US, &interaction->duration_us) &&
         CopyCost(stored, Stored::VT_PROVIDED_COST, &interaction->provided_cost) &&
         stored.Text(Stored::VT_METADATA, &interaction->metadata);
}

bool CopyInteractionRecorded(TableReader stored, Event* event) {
  event->interactions.resize(1);
  Interaction& interaction = event->interactions[0];
  interaction.id = event->id;
  interaction.event_time = event->event_time;
  return Copy(stored, &interaction);
}

bool CopyItem(TableReader stored, Interaction* item, bool* is_complete) {
  using Stored = schema::InteractionItem;
  TableReader interaction;
  const void* id = nullptr;
  bool is_sound = CopyId(stored, Stored::VT_ID, &item->id) &&
                  stored.Struct(Stored::VT_ID, sizeof(schema::Uuid), alignof(schema::Uuid), &id) &&
                  stored.Number(Stored::VT_EVENT_TIME_US, &item->event_time.us) &&
                  stored.Table(Stored::VT_INTERACTION, &interaction) && Copy(interaction, item);
  *is_complete &= interaction.is_there() && id != nullptr;
  return is_sound;
}

bool CopyInteractionBatch(TableReader stored, Event* event, bool* is_complete) {
  event->interactions.clear();
  OffsetList items;  // none: CheckMeaning() names it empty
  if (!stored.Offsets(schema::InteractionBatch::VT_ITEMS, &items)) return false;
  if (items.count > kTablesMax) return false;  // each takes a table: found out before there is memory for them
  event->interactions.resize(items.count);
  for (uint32_t i = 0; i < items.count; ++i) {
    TableReader item;
    if (!stored.TableOf(items, i, &item) || !CopyItem(item, &event->interactions[i], is_complete)) return false;
  }
  return true;
}

bool CopyCaseChampioned(TableReader stored, Event* event) {
  using Stored = schema::CaseChampioned;
  Knowledge& knowledge = event->knowledge;
  return stored.Text(Stored::VT_USER, &knowledge.user) && stored.Text(Stored::VT_COLLECTION, &knowledge.collection) &&
         stored.Text(Stored::VT_CASE_ID, &knowledge.case_id);
}

// CollectionSubscribed and CollectionUnsubscribed.
template <class Stored>
bool CopySubscription(TableReader stored, Event* event) {
  Knowledge& knowledge = event->knowledge;
  knowledge.case_id = {};
  return stored.Text(Stored::VT_USER, &knowledge.user) && stored.Text(Stored::VT_COLLECTION, &knowledge.collection);
}

bool Copy(TableReader stored, Operation* operation) {
  using Stored = schema::Operation;
  return stored.Text(Stored::VT_USER, &operation->user) && stored.Text(Stored::VT_PROJECT, &operation->project) &&
         stored.Text(Stored::VT_COLLECTION, &operation->collection) &&
         stored.Number(Stored::VT_STATUS, &operation->status) &&
         stored.Number(Stored::VT_REQUESTED, &operation->requested) &&
         stored.Number(Stored::VT_SUCCEEDED, &operation->succeeded) &&
         stored.Number(Stored::VT_VECTORS_DELTA, &operation->vectors_delta) &&
         stored.Number(Stored::VT_BYTES_DELTA, &operation->bytes_delta) &&
         stored.Number(Stored::VT_PAYLOAD_BYTES, &operation->payload_bytes) &&
         stored.Number(Stored::VT_DURATION_US, &operation->duration_us) &&
         stored.Text(Stored::VT_SERVICE, &operation->service) &&
         stored.Text(Stored::VT_OPERATION, &operation->operation) &&
         stored.Text(Stored::VT_METADATA, &operation->metadata);
}

// All of VectorsAdded, VectorsDeleted, CollectionCreated, CollectionDropped, and the beginning of the others.
template <class Stored>
bool CopyVectors(TableReader stored, Event* event, bool* is_complete) {
  TableReader op;
  if (!stored.Table(Stored::VT_OP, &op)) return false;
  event->operation = Operation{};  // no memory of its own, so nothing to keep
  *is_complete = op.is_there();
  return Copy(op, &event->operation);
}

bool CopyVectorsUpserted(TableReader stored, Event* event, bool* is_complete) {
  using Stored = schema::VectorsUpserted;
  return CopyVectors<Stored>(stored, event, is_complete) &&
         stored.Number(Stored::VT_INSERTED, &event->operation.inserted);
}

bool CopyVectorsSearched(TableReader stored, Event* event, bool* is_complete) {
  using Stored = schema::VectorsSearched;
  return CopyVectors<Stored>(stored, event, is_complete) &&
         stored.Number(Stored::VT_RESULTS, &event->operation.results) &&
         stored.Flag(Stored::VT_HAD_FILTER, &event->operation.had_filter);
}

bool CopyVectorsCounted(TableReader stored, Event* event, bool* is_complete) {
  using Stored = schema::VectorsCounted;
  return CopyVectors<Stored>(stored, event, is_complete) &&
         stored.Number(Stored::VT_VECTORS, &event->operation.counted_vectors) &&
         stored.Number(Stored::VT_BYTES, &event->operation.counted_bytes);
}

bool CopyConfigChanged(TableReader stored, Event* event) {
  using Stored = schema::ConfigChanged;
  ConfigChange& config = event->config;
  return stored.Text(Stored::VT_USER, &config.user) && stored.Text(Stored::VT_PROJECT, &config.project) &&
         stored.Text(Stored::VT_SETTING, &config.setting) && stored.Text(Stored::VT_METADATA, &config.metadata);
}

bool Copy(TableReader stored, Amount* amount) {
  using Stored = schema::Amount;
  return stored.Number(Stored::VT_METER, &amount->meter) && stored.Number(Stored::VT_AMOUNT, &amount->amount);
}

bool Copy(TableReader stored, Limit* limit) {
  using Stored = schema::Limit;
  return stored.Number(Stored::VT_METER, &limit->meter) && stored.Number(Stored::VT_WINDOW, &limit->window) &&
         stored.Number(Stored::VT_OVER, &limit->over) && stored.Number(Stored::VT_CAP, &limit->cap) &&
         stored.Number(Stored::VT_MODE, &limit->mode) &&
         stored.Number(Stored::VT_WHEN_UNAVAILABLE, &limit->when_unavailable);
}

// Amounts or limits.
template <class T>
bool CopyTables(TableReader table, uint16_t field, std::vector<T>* to) {
  to->clear();
  OffsetList list;
  if (!table.Offsets(field, &list)) return false;
  if (list.count > kTablesMax) return false;  // as of the items of a batch
  to->resize(list.count);
  for (uint32_t i = 0; i < list.count; ++i) {
    TableReader stored;
    if (!table.TableOf(list, i, &stored) || !Copy(stored, &(*to)[i])) return false;
  }
  return true;
}

// What the three asks have in common.
template <class Stored>
bool CopyAsked(TableReader stored, Event* event) {
  Ask& ask = event->asked;
  ask.ttl_us = 0;
  return stored.Text(Stored::VT_USER, &ask.user) && stored.Text(Stored::VT_PROJECT, &ask.project) &&
         stored.Text(Stored::VT_COLLECTION, &ask.collection) &&
         CopyTables(stored, Stored::VT_AMOUNTS, &ask.amounts);
}

// HoldAsked and LeaseAsked.
template <class Stored>
bool CopyAskedFor(TableReader stored, Event* event) {
  return CopyAsked<Stored>(stored, event) && stored.Number(Stored::VT_TTL_US, &event->asked.ttl_us);
}

// What the three ends of a hold have in common; the other fields are emptied.
template <class Stored>
bool CopyEnd(TableReader stored, HoldEnd* end) {
  end->amounts.clear();
  end->reason = {};
  end->is_final = false;
  return CopyId(stored, Stored::VT_HOLD, &end->hold);
}

bool CopyHoldSettled(TableReader stored, Event* event) {
  using Stored = schema::HoldSettled;
  HoldEnd& end = event->end;
  return CopyEnd<Stored>(stored, &end) && CopyTables(stored, Stored::VT_AMOUNTS, &end.amounts);
}

bool CopyHoldReleased(TableReader stored, Event* event) {
  using Stored = schema::HoldReleased;
  return CopyEnd<Stored>(stored, &event->end) && stored.Text(Stored::VT_REASON, &event->end.reason);
}

bool CopyLeaseSettled(TableReader stored, Event* event) {
  using Stored = schema::LeaseSettled;
  HoldEnd& end = event->end;
  return CopyEnd<Stored>(stored, &end) && CopyTables(stored, Stored::VT_AMOUNTS, &end.amounts) &&
         stored.Flag(Stored::VT_FINAL, &end.is_final);
}

// What all definitions have in common; the other fields are emptied.
template <class Stored>
bool CopyDefinition(TableReader stored, Definition* definition) {
  definition->name = definition->description = definition->user = definition->project = definition->collection = {};
  definition->level = QuotaLevel::kDefault;
  definition->enforcement = Enforcement::kOn;
  definition->limits.clear();
  definition->is_deleted = false;
  definition->first_offset_s = 0;
  definition->shifts.clear();
  return CopyMaybeId(stored, Stored::VT_EXPECTED, &definition->expected) &&
         stored.Text(Stored::VT_WHO, &definition->who) && stored.Text(Stored::VT_WHY, &definition->why);
}

bool CopyProfileDefined(TableReader stored, Event* event) {
  using Stored = schema::ProfileDefined;
  Definition& profile = event->definition;
  return CopyDefinition<Stored>(stored, &profile) && stored.Text(Stored::VT_NAME, &profile.name) &&
         stored.Text(Stored::VT_DESCRIPTION, &profile.description) &&
         CopyTables(stored, Stored::VT_LIMITS, &profile.limits) &&
         stored.Flag(Stored::VT_DELETED, &profile.is_deleted);
}

bool CopyProfileAssigned(TableReader stored, Event* event) {
  using Stored = schema::ProfileAssigned;
  Definition& assigned = event->definition;
  return CopyDefinition<Stored>(stored, &assigned) && stored.Text(Stored::VT_USER, &assigned.user) &&
         stored.Text(Stored::VT_PROFILE, &assigned.name);
}

bool CopyLimitOverridden(TableReader stored, Event* event) {
  using Stored = schema::LimitOverridden;
  Definition& overridden = event->definition;
  return CopyDefinition<Stored>(stored, &overridden) && stored.Text(Stored::VT_USER, &overridden.user) &&
         CopyTables(stored, Stored::VT_LIMITS, &overridden.limits);
}

bool CopyQuotaSet(TableReader stored, Event* event) {
  using Stored = schema::QuotaSet;
  Definition& quota = event->definition;
  return CopyDefinition<Stored>(stored, &quota) && stored.Number(Stored::VT_LEVEL, &quota.level) &&
         stored.Text(Stored::VT_USER, &quota.user) && stored.Text(Stored::VT_PROJECT, &quota.project) &&
         stored.Text(Stored::VT_COLLECTION, &quota.collection) &&
         CopyTables(stored, Stored::VT_LIMITS, &quota.limits);
}

bool CopyEnforcementSet(TableReader stored, Event* event) {
  using Stored = schema::EnforcementSet;
  return CopyDefinition<Stored>(stored, &event->definition) &&
         stored.Number(Stored::VT_ENFORCEMENT, &event->definition.enforcement);
}

// Elements of two 64-bit numbers. FlatBuffers does not check that a vector of structs is aligned: copied byte by byte.
template <class Stored, class T>
bool CopyStructs(TableReader table, uint16_t field, std::vector<T>* to) {
  static_assert(sizeof(T) == sizeof(Stored));
  std::string_view elements;
  if (!table.Elements(field, sizeof(T), &elements)) return false;
  to->resize(elements.size() / sizeof(T));
  if (!elements.empty()) std::memcpy(to->data(), elements.data(), elements.size());
  return true;
}

bool CopyZoneSet(TableReader stored, Event* event) {
  using Stored = schema::ZoneSet;
  Definition& zone = event->definition;
  return CopyDefinition<Stored>(stored, &zone) && stored.Text(Stored::VT_ZONE, &zone.name) &&
         stored.Number(Stored::VT_FIRST_OFFSET_S, &zone.first_offset_s) &&
         CopyStructs<schema::ZoneShift>(stored, Stored::VT_SHIFTS, &zone.shifts);
}

bool CopyGenesis(TableReader stored, Event* event) {
  using Stored = schema::Genesis;
  GenesisFact& genesis = event->genesis;
  return CopyId(stored, Stored::VT_LOG_ID, &genesis.log_id) &&
         stored.Number(Stored::VT_PARTITION, &genesis.partition) &&
         stored.Number(Stored::VT_PARTITIONS, &genesis.partitions) &&
         stored.Number(Stored::VT_PLACEMENT_VERSION, &genesis.placement_version);
}

bool CopyGapReported(TableReader stored, Event* event) {
  using Stored = schema::GapReported;
  Gap& gap = event->gap;
  return CopyId(stored, Stored::VT_PRODUCER, &gap.producer) && stored.Number(Stored::VT_EPOCH, &gap.epoch) &&
         stored.Number(Stored::VT_SLOT, &gap.slot) &&
         CopyStructs<schema::SeqRange>(stored, Stored::VT_RANGES, &gap.ranges) &&
         stored.Text(Stored::VT_REASON, &gap.reason);
}

bool CopyLimitCrossed(TableReader stored, Event* event) {
  using Stored = schema::LimitCrossed;
  Crossing& crossing = event->crossing;
  return stored.Text(Stored::VT_USER, &crossing.user) && stored.Text(Stored::VT_PROJECT, &crossing.project) &&
         stored.Text(Stored::VT_COLLECTION, &crossing.collection) &&
         stored.Number(Stored::VT_OVER, &crossing.over) && stored.Number(Stored::VT_METER, &crossing.meter) &&
         stored.Number(Stored::VT_WINDOW, &crossing.window) &&
         stored.Number(Stored::VT_PERCENT, &crossing.percent) && stored.Number(Stored::VT_CAP, &crossing.cap) &&
         stored.Number(Stored::VT_USED, &crossing.used) && stored.Text(Stored::VT_LEVEL, &crossing.level) &&
         stored.Text(Stored::VT_SOURCE, &crossing.source) &&
         CopyId(stored, Stored::VT_DEFINITION, &crossing.definition) &&
         stored.Number(Stored::VT_INSTANCE, &crossing.instance) &&
         CopyId(stored, Stored::VT_CAUSE, &crossing.cause);
}

// Sets *is_complete to false if a part is missing that the payload cannot be without.
bool CopyPayloadOfType(TableReader stored, Event* event, bool* is_complete) {
  switch (event->type) {
    case EventType::kNone: break;
    case EventType::kTurnRecorded: return CopyTurnRecorded(stored, event);
    case EventType::kTurnAmended: return CopyTurnAmended(stored, event, is_complete);
    case EventType::kSessionStarted: return CopySessionStarted(stored, event);
    case EventType::kSessionRenamed: return CopySessionRenamed(stored, event);
    case EventType::kSessionEnded: return CopySession<schema::SessionEnded>(stored, &event->session);
    case EventType::kSessionSummarized: return CopySessionSummarized(stored, event);
    case EventType::kInteractionRecorded: return CopyInteractionRecorded(stored, event);
    case EventType::kInteractionBatch: return CopyInteractionBatch(stored, event, is_complete);
    case EventType::kCaseChampioned: return CopyCaseChampioned(stored, event);
    case EventType::kCollectionSubscribed: return CopySubscription<schema::CollectionSubscribed>(stored, event);
    case EventType::kCollectionUnsubscribed: return CopySubscription<schema::CollectionUnsubscribed>(stored, event);
    case EventType::kVectorsAdded: return CopyVectors<schema::VectorsAdded>(stored, event, is_complete);
    case EventType::kVectorsUpserted: return CopyVectorsUpserted(stored, event, is_complete);
    case EventType::kVectorsDeleted: return CopyVectors<schema::VectorsDeleted>(stored, event, is_complete);
    case EventType::kVectorsSearched: return CopyVectorsSearched(stored, event, is_complete);
    case EventType::kVectorsCounted: return CopyVectorsCounted(stored, event, is_complete);
    case EventType::kCollectionCreated: return CopyVectors<schema::CollectionCreated>(stored, event, is_complete);
    case EventType::kCollectionDropped: return CopyVectors<schema::CollectionDropped>(stored, event, is_complete);
    case EventType::kConfigChanged: return CopyConfigChanged(stored, event);
    case EventType::kAdmitAsked: return CopyAsked<schema::AdmitAsked>(stored, event);
    case EventType::kHoldAsked: return CopyAskedFor<schema::HoldAsked>(stored, event);
    case EventType::kLeaseAsked: return CopyAskedFor<schema::LeaseAsked>(stored, event);
    case EventType::kHoldSettled: return CopyHoldSettled(stored, event);
    case EventType::kHoldReleased: return CopyHoldReleased(stored, event);
    case EventType::kLeaseSettled: return CopyLeaseSettled(stored, event);
    case EventType::kProfileDefined: return CopyProfileDefined(stored, event);
    case EventType::kProfileAssigned: return CopyProfileAssigned(stored, event);
    case EventType::kLimitOverridden: return CopyLimitOverridden(stored, event);
    case EventType::kQuotaSet: return CopyQuotaSet(stored, event);
    case EventType::kEnforcementSet: return CopyEnforcementSet(stored, event);
    case EventType::kZoneSet: return CopyZoneSet(stored, event);
    case EventType::kGenesis: return CopyGenesis(stored, event);
    case EventType::kTick: return stored.Text(schema::Tick::VT_REASON, &event->tick_reason);
    case EventType::kGapReported: return CopyGapReported(stored, event);
    case EventType::kLimitCrossed: return CopyLimitCrossed(stored, event);
  }
  return true;
}

bool CopyProducer(TableReader table, std::optional<ProducerStamp>* producer) {
  using Stored = schema::Producer;
  const void* bytes;
  producer->reset();
  if (!table.Struct(schema::Event::VT_PRODUCER, sizeof(Stored), alignof(Stored), &bytes)) return false;
  if (bytes == nullptr) return true;
  const Stored& stored = *static_cast<const Stored*>(bytes);
  ProducerStamp& stamp = producer->emplace();
  std::memcpy(stamp.id.bytes.data(), stored.id().bytes()->data(), stamp.id.bytes.size());
  stamp.epoch = stored.epoch();
  stamp.slot = stored.slot();
  stamp.seq = stored.seq();
  return true;
}

bool CopyEnvelope(TableReader stored, Event* event) {
  using Stored = schema::Event;
  std::string_view auth;  // of no use yet
  return stored.Number(Stored::VT_PAYLOAD_TYPE, &event->type) && CopyId(stored, Stored::VT_ID, &event->id) &&
         stored.Number(Stored::VT_ID_KIND, &event->id_kind) && stored.Text(Stored::VT_TENANT, &event->tenant) &&
         stored.Number(Stored::VT_EVENT_TIME_US, &event->event_time.us) &&
         stored.Text(Stored::VT_SOURCE, &event->source) && CopyProducer(stored, &event->producer) &&
         CopyMaybeId(stored, Stored::VT_ASK, &event->ask) && stored.Elements(Stored::VT_AUTH, 1, &auth);
}

bool IsKnown(EventType type) {
  if (type >= EventType::kTurnRecorded && type <= EventType::kLeaseSettled) return true;
  if (type >= EventType::kProfileDefined && type <= EventType::kEnforcementSet) return true;
  return type == EventType::kZoneSet || IsOwn(type);
}

// Whole: structure and shape; what the event means is not looked at.
Reason Copy(std::string_view bytes, Event* event) {
  TableBuffer buffer(bytes, kTablesMax);
  TableReader stored, payload;
  size_t payload_at;
  bool is_sound = buffer.Root(schema::EventIdentifier(), &stored) && CopyEnvelope(stored, event) &&
                  stored.Union(schema::Event::VT_PAYLOAD, &payload_at);
  if (!is_sound) return Reason::kNotAnEvent;
  bool is_known = IsKnown(event->type);
  bool is_complete = payload_at != 0;
  if (is_known && is_complete) {
    is_sound = stored.TableAt(payload_at, &payload) && CopyPayloadOfType(payload, event, &is_complete);
  }
  if (!is_sound) return Reason::kNotAnEvent;
  if (bytes.size() > kEventBytesMax && event->type != EventType::kInteractionBatch) return Reason::kTooLarge;
  if (!is_known) return Reason::kUnknownType;
  return is_complete ? Reason::kNone : Reason::kMissingPayload;
}

}  // namespace

Reason Decode(std::string_view bytes, Event* event) {
  if (bytes.data() == nullptr) return Reason::kNullPayload;
  if (bytes.size() > kBatchBytesMax) return Reason::kTooLarge;
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) return Reason::kNotAnEvent;
  Reason reason = Copy(bytes, event);
  return reason == Reason::kNone ? CheckMeaning(*event) : reason;
}

}  // namespace odometer
