// Event to stored bytes. The same event always gives the same bytes: the order of writing is fixed, an empty text, an
// empty list and a Tokens of zeros are left out, and what is optional is written if it is there, 0 included.

#include "core/check.h"
#include "core/event.h"
#include "schemas/event_generated.h"

namespace odometer {

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using Text = Offset<flatbuffers::String>;

Text Put(FlatBufferBuilder& builder, std::string_view text) {
  return text.empty() ? Text() : builder.CreateString(text.data(), text.size());
}

Offset<flatbuffers::Vector<Text>> Put(FlatBufferBuilder& builder, const std::vector<std::string_view>& texts) {
  if (texts.empty()) return {};
  std::vector<Text> offsets;
  offsets.reserve(texts.size());
  // Unlike a field, an element cannot be left out: an empty one is written as such.
  for (std::string_view text : texts) offsets.push_back(builder.CreateString(text.data(), text.size()));
  return builder.CreateVector(offsets);
}

Offset<flatbuffers::Vector<uint8_t>> PutBytes(FlatBufferBuilder& builder, std::string_view bytes) {
  if (bytes.empty()) return {};
  return builder.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

schema::Uuid Stored(const Uuid& id) { return schema::Uuid(flatbuffers::make_span(id.bytes)); }

template <class T>
flatbuffers::Optional<T> Stored(const std::optional<T>& value) {
  return value.has_value() ? flatbuffers::Optional<T>(*value) : flatbuffers::nullopt;
}

Offset<schema::Tokens> Put(FlatBufferBuilder& builder, const Tokens& tokens) {
  bool is_zero = (tokens.input_uncached | tokens.cache_read | tokens.cache_write_5m | tokens.cache_write_1h |
                  tokens.output | tokens.reasoning) == 0;
  if (is_zero) return {};
  return schema::CreateTokens(builder, tokens.input_uncached, tokens.cache_read, tokens.cache_write_5m,
                              tokens.cache_write_1h, tokens.output, tokens.reasoning);
}

Offset<void> Put(FlatBufferBuilder& builder, const Turn& turn) {
  Text user = Put(builder, turn.user);
  Text session = Put(builder, turn.session);
  Text provider = Put(builder, turn.provider);
  Text model_requested = Put(builder, turn.model_requested);
  Text model_served = Put(builder, turn.model_served);
  Offset<schema::Tokens> tokens = Put(builder, turn.tokens);
  Text error_type = Put(builder, turn.error_type);
  Offset<schema::Rag> rag;
  if (turn.has_rag) {
    auto collections = Put(builder, turn.rag_collections);
    rag = schema::CreateRag(builder, turn.rag_used, turn.rag_guided, collections, turn.rag_output_tokens_saved);
  }
  Text service = Put(builder, turn.service);
  Text operation = Put(builder, turn.operation);
  Text metadata = Put(builder, turn.metadata);
  auto query_digest = PutBytes(builder, turn.query_digest);
  return schema::CreateTurnRecorded(builder, user, session, Stored(turn.turn_number), provider, model_requested,
                                    model_served, tokens, Stored(turn.llm_calls),
                                    static_cast<schema::TurnStatus>(turn.status), error_type, Stored(turn.duration_us),
                                    Stored(turn.time_to_first_token_us), Stored(turn.provided_cost_nano_usd), rag,
                                    service, operation, metadata, query_digest, Stored(turn.query_length_bytes))
      .Union();
}

Offset<void> Put(FlatBufferBuilder& builder, const Amendment& amendment) {
  Text user = Put(builder, amendment.user);
  Text session = Put(builder, amendment.session);
  Text provider = Put(builder, amendment.provider);
  Text model = Put(builder, amendment.model);
  Text service = Put(builder, amendment.service);
  Text operation = Put(builder, amendment.operation);
  schema::Uuid id = Stored(amendment.original_id);
  auto original = schema::CreateOriginal(builder, &id, amendment.original_time.us, user, session, provider, model,
                                         service, operation);
  Offset<schema::Tokens> tokens = Put(builder, amendment.tokens_delta);
  Text reason = Put(builder, amendment.reason);
  return schema::CreateTurnAmended(builder, original, tokens, amendment.llm_calls_delta,
                                   amendment.provided_cost_delta_nano_usd, amendment.rag_output_tokens_saved_delta,
                                   reason)
      .Union();
}

Offset<void> Put(FlatBufferBuilder& builder, EventType type, const SessionFact& fact) {
  Text user = Put(builder, fact.user);
  Text session = Put(builder, fact.session);
  if (type == EventType::kSessionEnded) return schema::CreateSessionEnded(builder, user, session).Union();
  if (type == EventType::kSessionSummarized) {
    Text summary = Put(builder, fact.summary);
    auto key_points = Put(builder, fact.key_points);
    return schema::CreateSessionSummarized(builder, user, session, summary, key_points).Union();
  }
  Text name = Put(builder, fact.name);
  if (type == EventType::kSessionRenamed) return schema::CreateSessionRenamed(builder, user, session, name).Union();
  Text metadata = Put(builder, fact.metadata);
  return schema::CreateSessionStarted(builder, user, session, name, metadata).Union();
}

Offset<schema::InteractionRecorded> Put(FlatBufferBuilder& builder, const Interaction& interaction) {
  Text user = Put(builder, interaction.user);
  Text session = Put(builder, interaction.session);
  Text service = Put(builder, interaction.service);
  Text operation = Put(builder, interaction.operation);
  Text model = Put(builder, interaction.model);
  Offset<schema::Tokens> tokens = Put(builder, interaction.tokens);
  Offset<schema::CostParts> cost;
  if (const std::optional<CostParts>& parts = interaction.provided_cost) {
    cost = schema::CreateCostParts(builder, parts->ai_tokens_nano_usd, parts->db_ops_nano_usd,
                                   parts->api_calls_nano_usd, parts->compute_time_nano_usd);
  }
  Text metadata = Put(builder, interaction.metadata);
  return schema::CreateInteractionRecorded(builder, user, session,
                                           static_cast<schema::InteractionKind>(interaction.kind),
                                           static_cast<schema::InteractionStatus>(interaction.status), service,
                                           operation, model, tokens, interaction.db_operations, interaction.api_calls,
                                           interaction.compute_us, Stored(interaction.duration_us), cost, metadata);
}

Offset<void> PutBatch(FlatBufferBuilder& builder, const std::vector<Interaction>& interactions) {
  std::vector<Offset<schema::InteractionItem>> items;
  items.reserve(interactions.size());
  for (const Interaction& interaction : interactions) {
    auto stored = Put(builder, interaction);
    schema::Uuid id = Stored(interaction.id);
    items.push_back(schema::CreateInteractionItem(builder, &id, interaction.event_time.us, stored));
  }
  return schema::CreateInteractionBatch(builder, builder.CreateVector(items)).Union();
}

Offset<void> Put(FlatBufferBuilder& builder, EventType type, const Knowledge& knowledge) {
  Text user = Put(builder, knowledge.user);
  Text collection = Put(builder, knowledge.collection);
  if (type == EventType::kCollectionSubscribed) {
    return schema::CreateCollectionSubscribed(builder, user, collection).Union();
  }
  if (type == EventType::kCollectionUnsubscribed) {
    return schema::CreateCollectionUnsubscribed(builder, user, collection).Union();
  }
  Text case_id = Put(builder, knowledge.case_id);
  return schema::CreateCaseChampioned(builder, user, collection, case_id).Union();
}

Offset<void> Put(FlatBufferBuilder& builder, EventType type, const Operation& operation) {
  Text user = Put(builder, operation.user);
  Text project = Put(builder, operation.project);
  Text collection = Put(builder, operation.collection);
  Text service = Put(builder, operation.service);
  Text name = Put(builder, operation.operation);
  Text metadata = Put(builder, operation.metadata);
  auto op = schema::CreateOperation(builder, user, project, collection,
                                    static_cast<schema::OperationStatus>(operation.status), operation.requested,
                                    operation.succeeded, operation.vectors_delta, operation.bytes_delta,
                                    operation.payload_bytes, Stored(operation.duration_us), service, name, metadata);
  switch (type) {
    case EventType::kVectorsUpserted: return schema::CreateVectorsUpserted(builder, op, operation.inserted).Union();
    case EventType::kVectorsSearched:
      return schema::CreateVectorsSearched(builder, op, operation.results, operation.had_filter).Union();
    case EventType::kVectorsCounted:
      return schema::CreateVectorsCounted(builder, op, operation.counted_vectors, operation.counted_bytes).Union();
    case EventType::kVectorsDeleted: return schema::CreateVectorsDeleted(builder, op).Union();
    case EventType::kCollectionCreated: return schema::CreateCollectionCreated(builder, op).Union();
    case EventType::kCollectionDropped: return schema::CreateCollectionDropped(builder, op).Union();
    default: return schema::CreateVectorsAdded(builder, op).Union();
  }
}

Offset<void> Put(FlatBufferBuilder& builder, const ConfigChange& config) {
  Text user = Put(builder, config.user);
  Text project = Put(builder, config.project);
  Text setting = Put(builder, config.setting);
  Text metadata = Put(builder, config.metadata);
  return schema::CreateConfigChanged(builder, user, project, setting, metadata).Union();
}

template <class To, class Enum>
flatbuffers::Optional<To> StoredEnum(const std::optional<Enum>& value) {
  return value.has_value() ? flatbuffers::Optional<To>(static_cast<To>(*value)) : flatbuffers::nullopt;
}

Offset<schema::Amount> Put(FlatBufferBuilder& builder, const Amount& amount) {
  return schema::CreateAmount(builder, static_cast<schema::Meter>(amount.meter), amount.amount);
}

Offset<schema::Limit> Put(FlatBufferBuilder& builder, const Limit& limit) {
  return schema::CreateLimit(builder, static_cast<schema::Meter>(limit.meter),
                             static_cast<schema::Window>(limit.window), StoredEnum<schema::Scope>(limit.over),
                             Stored(limit.cap), static_cast<schema::LimitMode>(limit.mode),
                             static_cast<schema::WhenUnavailable>(limit.when_unavailable));
}

// Amounts or limits.
template <class To, class T>
Offset<flatbuffers::Vector<Offset<To>>> PutTables(FlatBufferBuilder& builder, const std::vector<T>& parts) {
  if (parts.empty()) return {};
  std::vector<Offset<To>> offsets;
  offsets.reserve(parts.size());
  for (const T& part : parts) offsets.push_back(Put(builder, part));
  return builder.CreateVector(offsets);
}

Offset<void> Put(FlatBufferBuilder& builder, EventType type, const Ask& ask) {
  Text user = Put(builder, ask.user);
  Text project = Put(builder, ask.project);
  Text collection = Put(builder, ask.collection);
  auto amounts = PutTables<schema::Amount>(builder, ask.amounts);
  if (type == EventType::kHoldAsked) {
    return schema::CreateHoldAsked(builder, user, project, collection, amounts, ask.ttl_us).Union();
  }
  if (type == EventType::kLeaseAsked) {
    return schema::CreateLeaseAsked(builder, user, project, collection, amounts, ask.ttl_us).Union();
  }
  return schema::CreateAdmitAsked(builder, user, project, collection, amounts).Union();
}

Offset<void> Put(FlatBufferBuilder& builder, EventType type, const HoldEnd& end) {
  schema::Uuid hold = Stored(end.hold);
  if (type == EventType::kHoldReleased) {
    return schema::CreateHoldReleased(builder, &hold, Put(builder, end.reason)).Union();
  }
  auto amounts = PutTables<schema::Amount>(builder, end.amounts);
  if (type == EventType::kHoldSettled) return schema::CreateHoldSettled(builder, &hold, amounts).Union();
  return schema::CreateLeaseSettled(builder, &hold, amounts, end.is_final).Union();
}

Offset<flatbuffers::Vector<const schema::ZoneShift*>> Put(FlatBufferBuilder& builder,
                                                          const std::vector<ZoneShift>& shifts) {
  if (shifts.empty()) return {};
  std::vector<schema::ZoneShift> stored;
  stored.reserve(shifts.size());
  for (const ZoneShift& shift : shifts) stored.emplace_back(shift.at_us, shift.offset_s);
  return builder.CreateVectorOfStructs(stored);
}

Offset<void> Put(FlatBufferBuilder& builder, EventType type, const Definition& definition) {
  std::optional<schema::Uuid> id;
  if (definition.expected.has_value()) id = Stored(*definition.expected);
  const schema::Uuid* expected = id.has_value() ? &*id : nullptr;
  Text who = Put(builder, definition.who);
  Text why = Put(builder, definition.why);
  if (type == EventType::kEnforcementSet) {
    auto enforcement = static_cast<schema::Enforcement>(definition.enforcement);
    return schema::CreateEnforcementSet(builder, enforcement, expected, who, why).Union();
  }
  if (type == EventType::kZoneSet) {
    Text zone = Put(builder, definition.name);
    auto shifts = Put(builder, definition.shifts);
    return schema::CreateZoneSet(builder, zone, definition.first_offset_s, shifts, expected, who, why).Union();
  }
  if (type == EventType::kProfileAssigned) {
    Text user = Put(builder, definition.user);
    Text profile = Put(builder, definition.name);
    return schema::CreateProfileAssigned(builder, user, profile, expected, who, why).Union();
  }
  auto limits = PutTables<schema::Limit>(builder, definition.limits);
  if (type == EventType::kProfileDefined) {
    Text name = Put(builder, definition.name);
    Text description = Put(builder, definition.description);
    return schema::CreateProfileDefined(builder, name, description, limits, definition.is_deleted, expected, who, why)
        .Union();
  }
  Text user = Put(builder, definition.user);
  if (type == EventType::kLimitOverridden) {
    return schema::CreateLimitOverridden(builder, user, limits, expected, who, why).Union();
  }
  Text project = Put(builder, definition.project);
  Text collection = Put(builder, definition.collection);
  return schema::CreateQuotaSet(builder, static_cast<schema::QuotaLevel>(definition.level), user, project, collection,
                                limits, expected, who, why)
      .Union();
}

Offset<void> Put(FlatBufferBuilder& builder, const GenesisFact& genesis) {
  schema::Uuid log_id = Stored(genesis.log_id);
  return schema::CreateGenesis(builder, &log_id, genesis.partition, genesis.partitions, genesis.placement_version)
      .Union();
}

Offset<void> Put(FlatBufferBuilder& builder, const Gap& gap) {
  std::vector<schema::SeqRange> ranges;
  ranges.reserve(gap.ranges.size());
  for (const SeqRange& range : gap.ranges) ranges.emplace_back(range.first, range.last);
  auto stored_ranges = builder.CreateVectorOfStructs(ranges);
  Text reason = Put(builder, gap.reason);
  schema::Uuid producer = Stored(gap.producer);
  return schema::CreateGapReported(builder, &producer, gap.epoch, gap.slot, stored_ranges, reason).Union();
}

Offset<void> Put(FlatBufferBuilder& builder, const Crossing& crossing) {
  Text user = Put(builder, crossing.user);
  Text project = Put(builder, crossing.project);
  Text collection = Put(builder, crossing.collection);
  Text level = Put(builder, crossing.level);
  Text source = Put(builder, crossing.source);
  schema::Uuid definition = Stored(crossing.definition);
  schema::Uuid cause = Stored(crossing.cause);
  return schema::CreateLimitCrossed(builder, user, project, collection, static_cast<schema::Scope>(crossing.over),
                                    static_cast<schema::Meter>(crossing.meter),
                                    static_cast<schema::Window>(crossing.window), crossing.percent, crossing.cap,
                                    crossing.used, level, source, &definition, crossing.instance, &cause)
      .Union();
}

Offset<void> PutPayload(FlatBufferBuilder& builder, const Event& event) {
  switch (event.type) {
    case EventType::kTurnRecorded: return Put(builder, event.turn);
    case EventType::kTurnAmended: return Put(builder, event.amendment);
    case EventType::kSessionStarted:
    case EventType::kSessionRenamed:
    case EventType::kSessionEnded:
    case EventType::kSessionSummarized: return Put(builder, event.type, event.session);
    case EventType::kInteractionRecorded:
      ODOMETER_CHECK(event.interactions.size() == 1);
      return Put(builder, event.interactions[0]).Union();
    case EventType::kInteractionBatch: return PutBatch(builder, event.interactions);
    case EventType::kCaseChampioned:
    case EventType::kCollectionSubscribed:
    case EventType::kCollectionUnsubscribed: return Put(builder, event.type, event.knowledge);
    case EventType::kVectorsAdded:
    case EventType::kVectorsUpserted:
    case EventType::kVectorsDeleted:
    case EventType::kVectorsSearched:
    case EventType::kVectorsCounted:
    case EventType::kCollectionCreated:
    case EventType::kCollectionDropped: return Put(builder, event.type, event.operation);
    case EventType::kConfigChanged: return Put(builder, event.config);
    case EventType::kAdmitAsked:
    case EventType::kHoldAsked:
    case EventType::kLeaseAsked: return Put(builder, event.type, event.asked);
    case EventType::kHoldSettled:
    case EventType::kHoldReleased:
    case EventType::kLeaseSettled: return Put(builder, event.type, event.end);
    case EventType::kProfileDefined:
    case EventType::kProfileAssigned:
    case EventType::kLimitOverridden:
    case EventType::kQuotaSet:
    case EventType::kEnforcementSet:
    case EventType::kZoneSet: return Put(builder, event.type, event.definition);
    case EventType::kGenesis: return Put(builder, event.genesis);
    case EventType::kTick: return schema::CreateTick(builder, Put(builder, event.tick_reason)).Union();
    case EventType::kGapReported: return Put(builder, event.gap);
    case EventType::kLimitCrossed: return Put(builder, event.crossing);
    case EventType::kNone: break;
  }
  ODOMETER_CHECK(false && "an event without a type cannot be encoded");
  return {};
}

}  // namespace

std::string Encode(const Event& event) {
  FlatBufferBuilder builder(1024);
  Offset<void> payload = PutPayload(builder, event);
  Text tenant = Put(builder, event.tenant);
  Text source = Put(builder, event.source);
  schema::Uuid id = Stored(event.id);
  std::optional<schema::Producer> producer;
  if (event.producer.has_value()) {
    producer.emplace(Stored(event.producer->id), event.producer->epoch, event.producer->slot, event.producer->seq);
  }
  std::optional<schema::Uuid> ask;
  if (event.ask.has_value()) ask = Stored(*event.ask);
  auto root = schema::CreateEvent(builder, &id, tenant, event.event_time.us, source,
                                  producer.has_value() ? &*producer : nullptr,
                                  static_cast<schema::IdKind>(event.id_kind), ask.has_value() ? &*ask : nullptr,
                                  /*auth=*/0, static_cast<schema::Payload>(event.type), payload);
  schema::FinishEventBuffer(builder, root);
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

}  // namespace odometer
