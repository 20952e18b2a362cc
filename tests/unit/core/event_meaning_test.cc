#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/unit/core/event_samples.h"

namespace odometer {
namespace {

using testing::FullEvent;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

// What a full event of this type is refused for after one change; the event about to be encoded and the decoded one
// must get the same answer.
Reason After(EventType type, const std::function<void(Event&)>& change) {
  Event event = FullEvent(type);
  change(event);
  Reason reason = CheckMeaning(event);
  std::string bytes = Encode(event);
  Event decoded;
  EXPECT_EQ(ReasonName(Decode(bytes, &decoded)), ReasonName(reason)) << TypeName(type);
  return reason;
}

Reason AfterTurn(const std::function<void(Turn&)>& change) {
  return After(EventType::kTurnRecorded, [&](Event& event) { change(event.turn); });
}

Reason AfterOperation(EventType type, const std::function<void(Operation&)>& change) {
  return After(type, [&](Event& event) { change(event.operation); });
}

Reason AfterItem(const std::function<void(Interaction&)>& change) {
  return After(EventType::kInteractionBatch, [&](Event& event) { change(event.interactions.back()); });
}

// Asks, ends of holds, definitions and crossings have rules of their own: limit_meaning_test.cc.
bool HasUser(EventType type) { return type <= EventType::kConfigChanged; }

void ClearUser(Event& event) {
  event.turn.user = event.amendment.user = event.session.user = event.knowledge.user = event.operation.user =
      event.config.user = "";
  for (Interaction& item : event.interactions) item.user = "";
}

// --- missing_field

TEST(EventMeaning, AnEventWithoutATypeIsUnknown) {
  Event event = FullEvent(EventType::kTurnRecorded);
  event.type = EventType::kNone;
  EXPECT_EQ(CheckMeaning(event), Reason::kUnknownType);
  event.type = static_cast<EventType>(44);
  EXPECT_EQ(CheckMeaning(event), Reason::kUnknownType);
}

TEST(EventMeaning, ASingleInteractionIsExactlyOne) {
  Event event = FullEvent(EventType::kInteractionRecorded);
  event.interactions.push_back(event.interactions[0]);
  EXPECT_EQ(CheckMeaning(event), Reason::kMissingPayload);
  event.interactions.clear();
  EXPECT_EQ(CheckMeaning(event), Reason::kMissingPayload);
}

TEST(EventMeaning, EveryTypeNeedsAnId) {
  for (EventType type : AllEventTypes()) {
    EXPECT_EQ(After(type, [](Event& event) { event.id = Uuid{}; }), Reason::kMissingField) << TypeName(type);
  }
}

TEST(EventMeaning, EveryTypeButGenesisAndTickNeedsATenantAndThoseHaveNone) {
  for (EventType type : AllEventTypes()) {
    bool has_none = type == EventType::kGenesis || type == EventType::kTick;
    auto flip = [&](Event& event) { event.tenant = has_none ? "default" : ""; };
    EXPECT_EQ(After(type, flip), Reason::kMissingField) << TypeName(type);
  }
}

TEST(EventMeaning, EveryTypeThatSaysWhatHappenedNeedsAUser) {
  for (EventType type : AllEventTypes()) {
    EXPECT_EQ(After(type, ClearUser), HasUser(type) ? Reason::kMissingField : Reason::kNone) << TypeName(type);
  }
}

TEST(EventMeaning, SessionFactsNeedASessionAndTurnsAndInteractionsDoNot) {
  auto clear = [](Event& event) {
    event.turn.session = event.amendment.session = event.session.session = "";
    for (Interaction& item : event.interactions) item.session = "";
  };
  for (EventType type : {EventType::kSessionStarted, EventType::kSessionRenamed, EventType::kSessionEnded,
                         EventType::kSessionSummarized}) {
    EXPECT_EQ(After(type, clear), Reason::kMissingField) << TypeName(type);
  }
  for (EventType type : {EventType::kTurnRecorded, EventType::kTurnAmended, EventType::kInteractionRecorded,
                         EventType::kInteractionBatch}) {
    EXPECT_EQ(After(type, clear), Reason::kNone) << TypeName(type);
  }
}

TEST(EventMeaning, VectorOperationsNeedAProjectAndAConfigChangeDoesNot) {
  auto clear = [](Event& event) { event.operation.project = event.config.project = ""; };
  for (EventType type : AllEventTypes()) {
    EXPECT_EQ(After(type, clear), IsVector(type) ? Reason::kMissingField : Reason::kNone) << TypeName(type);
  }
}

TEST(EventMeaning, OnlyTypesAboutOneCollectionNeedItsName) {
  auto clear = [](Event& event) { event.operation.collection = event.knowledge.collection = ""; };
  for (EventType type : AllEventTypes()) {
    bool needs = type == EventType::kVectorsCounted || type == EventType::kCollectionCreated ||
                 type == EventType::kCollectionDropped || type == EventType::kCollectionSubscribed ||
                 type == EventType::kCollectionUnsubscribed;
    EXPECT_EQ(After(type, clear), needs ? Reason::kMissingField : Reason::kNone) << TypeName(type);
  }
}

TEST(EventMeaning, OtherIdsMustNotBeNil) {
  EXPECT_EQ(After(EventType::kTurnAmended, [](Event& event) { event.amendment.original_id = Uuid{}; }),
            Reason::kMissingField);
  EXPECT_EQ(After(EventType::kGenesis, [](Event& event) { event.genesis.log_id = Uuid{}; }), Reason::kMissingField);
  EXPECT_EQ(After(EventType::kGapReported, [](Event& event) { event.gap.producer = Uuid{}; }), Reason::kMissingField);
  EXPECT_EQ(After(EventType::kTick, [](Event& event) { event.producer->id = Uuid{}; }), Reason::kMissingField);
  EXPECT_EQ(AfterItem([](Interaction& item) { item.id = Uuid{}; }), Reason::kMissingField);
}

// --- invalid_enum

template <class Enum>
Enum Number(int value) {
  return static_cast<Enum>(value);
}

TEST(EventMeaning, EnumsOutsideTheKnownValuesAreRefused) {
  for (int bad : {0, 200, 255}) {
    EXPECT_EQ(AfterTurn([&](Turn& turn) { turn.status = Number<TurnStatus>(bad); }), Reason::kInvalidEnum);
    EXPECT_EQ(AfterItem([&](Interaction& item) { item.kind = Number<InteractionKind>(bad); }), Reason::kInvalidEnum);
    EXPECT_EQ(AfterItem([&](Interaction& item) { item.status = Number<InteractionStatus>(bad); }),
              Reason::kInvalidEnum);
    for (EventType type : AllEventTypes()) {
      EXPECT_EQ(After(type, [&](Event& event) { event.id_kind = Number<IdKind>(bad); }), Reason::kInvalidEnum);
      if (!IsVector(type)) continue;
      EXPECT_EQ(AfterOperation(type, [&](Operation& op) { op.status = Number<OperationStatus>(bad); }),
                Reason::kInvalidEnum);
    }
  }
}

TEST(EventMeaning, TheFirstNumberAfterEachEnumIsRefused) {
  EXPECT_EQ(AfterTurn([](Turn& turn) { turn.status = Number<TurnStatus>(7); }), Reason::kInvalidEnum);
  EXPECT_EQ(AfterItem([](Interaction& item) { item.kind = Number<InteractionKind>(5); }), Reason::kInvalidEnum);
  EXPECT_EQ(AfterItem([](Interaction& item) { item.status = Number<InteractionStatus>(4); }), Reason::kInvalidEnum);
  EXPECT_EQ(AfterOperation(EventType::kVectorsAdded, [](Operation& op) { op.status = Number<OperationStatus>(5); }),
            Reason::kInvalidEnum);
  EXPECT_EQ(After(EventType::kTick, [](Event& event) { event.id_kind = Number<IdKind>(3); }), Reason::kInvalidEnum);
}

// --- invalid_utf8 and text_too_long

struct TextField {
  const char* name;
  EventType type;
  size_t bytes_max;
  std::function<void(Event&, std::string_view)> set;
};

#define ODOMETER_FIELD(type, bytes_max, part, field) \
  TextField{#part "." #field, type, bytes_max, [](Event& event, std::string_view text) { event.part.field = text; }}

std::vector<TextField> OperationFields() {
  std::vector<TextField> fields;
  for (EventType type : AllEventTypes()) {
    if (!IsVector(type)) continue;
    for (TextField field : {ODOMETER_FIELD(type, 256, operation, user), ODOMETER_FIELD(type, 256, operation, project),
                            ODOMETER_FIELD(type, 256, operation, collection),
                            ODOMETER_FIELD(type, 256, operation, service),
                            ODOMETER_FIELD(type, 256, operation, operation),
                            ODOMETER_FIELD(type, 4096, operation, metadata)}) {
      fields.push_back(field);
    }
  }
  return fields;
}

std::vector<TextField> InteractionFields() {
  std::vector<TextField> fields;
  for (EventType type : {EventType::kInteractionRecorded, EventType::kInteractionBatch}) {
    for (TextField field : {ODOMETER_FIELD(type, 256, interactions.back(), user),
                            ODOMETER_FIELD(type, 256, interactions.back(), session),
                            ODOMETER_FIELD(type, 256, interactions.back(), service),
                            ODOMETER_FIELD(type, 256, interactions.back(), operation),
                            ODOMETER_FIELD(type, 256, interactions.back(), model),
                            ODOMETER_FIELD(type, 4096, interactions.back(), metadata)}) {
      fields.push_back(field);
    }
  }
  return fields;
}

std::vector<TextField> LimitFields() {
  std::vector<TextField> fields;
  for (EventType type : AllEventTypes()) {
    if (IsAsk(type)) {
      fields.push_back(ODOMETER_FIELD(type, 256, asked, user));
      fields.push_back(ODOMETER_FIELD(type, 256, asked, project));
      fields.push_back(ODOMETER_FIELD(type, 256, asked, collection));
    }
    if (IsDefinition(type)) {
      fields.push_back(ODOMETER_FIELD(type, 1024, definition, who));
      fields.push_back(ODOMETER_FIELD(type, 1024, definition, why));
    }
  }
  return fields;
}

std::vector<TextField> TextFields() {
  using enum EventType;
  std::vector<TextField> fields = {
      {"tenant", kTurnRecorded, 256, [](Event& event, std::string_view text) { event.tenant = text; }},
      {"source", kTick, 256, [](Event& event, std::string_view text) { event.source = text; }},
      {"rag collection", kTurnRecorded, 256,
       [](Event& event, std::string_view text) { event.turn.rag_collections = {"a", text}; }},
      {"key point", kSessionSummarized, 1024,
       [](Event& event, std::string_view text) { event.session.key_points = {"a", text}; }},
      {"tick reason", kTick, 256, [](Event& event, std::string_view text) { event.tick_reason = text; }},
      ODOMETER_FIELD(kTurnRecorded, 256, turn, user),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, session),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, provider),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, model_requested),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, model_served),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, error_type),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, service),
      ODOMETER_FIELD(kTurnRecorded, 256, turn, operation),
      ODOMETER_FIELD(kTurnRecorded, 4096, turn, metadata),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, user),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, session),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, provider),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, model),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, service),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, operation),
      ODOMETER_FIELD(kTurnAmended, 256, amendment, reason),
      ODOMETER_FIELD(kSessionStarted, 256, session, user),
      ODOMETER_FIELD(kSessionStarted, 256, session, session),
      ODOMETER_FIELD(kSessionStarted, 256, session, name),
      ODOMETER_FIELD(kSessionStarted, 4096, session, metadata),
      ODOMETER_FIELD(kSessionRenamed, 256, session, user),
      ODOMETER_FIELD(kSessionRenamed, 256, session, session),
      ODOMETER_FIELD(kSessionRenamed, 256, session, name),
      ODOMETER_FIELD(kSessionEnded, 256, session, user),
      ODOMETER_FIELD(kSessionEnded, 256, session, session),
      ODOMETER_FIELD(kSessionSummarized, 256, session, user),
      ODOMETER_FIELD(kSessionSummarized, 256, session, session),
      ODOMETER_FIELD(kSessionSummarized, 8192, session, summary),
      ODOMETER_FIELD(kCaseChampioned, 256, knowledge, user),
      ODOMETER_FIELD(kCaseChampioned, 256, knowledge, collection),
      ODOMETER_FIELD(kCaseChampioned, 256, knowledge, case_id),
      ODOMETER_FIELD(kCollectionSubscribed, 256, knowledge, user),
      ODOMETER_FIELD(kCollectionSubscribed, 256, knowledge, collection),
      ODOMETER_FIELD(kCollectionUnsubscribed, 256, knowledge, user),
      ODOMETER_FIELD(kCollectionUnsubscribed, 256, knowledge, collection),
      ODOMETER_FIELD(kConfigChanged, 256, config, user),
      ODOMETER_FIELD(kConfigChanged, 256, config, project),
      ODOMETER_FIELD(kConfigChanged, 256, config, setting),
      ODOMETER_FIELD(kConfigChanged, 4096, config, metadata),
      ODOMETER_FIELD(kHoldReleased, 1024, end, reason),
      ODOMETER_FIELD(kProfileDefined, 256, definition, name),
      ODOMETER_FIELD(kProfileDefined, 1024, definition, description),
      ODOMETER_FIELD(kProfileAssigned, 256, definition, user),
      ODOMETER_FIELD(kProfileAssigned, 256, definition, name),
      ODOMETER_FIELD(kLimitOverridden, 256, definition, user),
      ODOMETER_FIELD(kQuotaSet, 256, definition, project),
      ODOMETER_FIELD(kQuotaSet, 256, definition, collection),
      {"definition.user", kQuotaSet, 256,
       [](Event& event, std::string_view text) {
         event.definition.level = QuotaLevel::kUser;
         event.definition.user = text;
         event.definition.project = event.definition.collection = {};
       }},
      ODOMETER_FIELD(kZoneSet, 256, definition, name),
      ODOMETER_FIELD(kGapReported, 256, gap, reason),
      ODOMETER_FIELD(kLimitCrossed, 256, crossing, user),
      ODOMETER_FIELD(kLimitCrossed, 256, crossing, project),
      ODOMETER_FIELD(kLimitCrossed, 256, crossing, collection),
      ODOMETER_FIELD(kLimitCrossed, 256, crossing, level),
      ODOMETER_FIELD(kLimitCrossed, 256, crossing, source),
  };
  for (TextField& field : OperationFields()) fields.push_back(field);
  for (TextField& field : InteractionFields()) fields.push_back(field);
  for (TextField& field : LimitFields()) fields.push_back(field);
  return fields;
}
#undef ODOMETER_FIELD

TEST(EventMeaning, EveryTextTakesExactlyItsLimitAndNotAByteMore) {
  for (const TextField& field : TextFields()) {
    std::string longest(field.bytes_max, 'x');
    std::string too_long = longest + "x";
    auto set = [&](std::string_view text) { return After(field.type, [&](Event& event) { field.set(event, text); }); };
    EXPECT_EQ(set(longest), Reason::kNone) << TypeName(field.type) << " " << field.name;
    EXPECT_EQ(set(too_long), Reason::kTextTooLong) << TypeName(field.type) << " " << field.name;
  }
}

TEST(EventMeaning, EveryTextMustBeUtf8) {
  for (const TextField& field : TextFields()) {
    auto reason = After(field.type, [&](Event& event) { field.set(event, "caf\xe9"); });
    EXPECT_EQ(reason, Reason::kInvalidUtf8) << TypeName(field.type) << " " << field.name;
  }
}

TEST(EventMeaning, ANulByteIsText) {
  EXPECT_EQ(AfterTurn([](Turn& turn) { turn.user = std::string_view("a\0b", 3); }), Reason::kNone);
}

TEST(EventMeaning, ListsTakeExactlyTheirLimit) {
  auto collections = [](size_t count) {
    return AfterTurn([&](Turn& turn) { turn.rag_collections.assign(count, "c"); });
  };
  EXPECT_EQ(collections(64), Reason::kNone);
  EXPECT_EQ(collections(65), Reason::kTextTooLong);
  auto key_points = [](size_t count) {
    return After(EventType::kSessionSummarized, [&](Event& event) { event.session.key_points.assign(count, "k"); });
  };
  EXPECT_EQ(key_points(32), Reason::kNone);
  EXPECT_EQ(key_points(33), Reason::kTextTooLong);
  auto shifts = [](int64_t count) {
    return After(EventType::kZoneSet, [&](Event& event) {
      event.definition.shifts.clear();
      for (int64_t i = 0; i < count; ++i) event.definition.shifts.push_back({i, 0});
    });
  };
  EXPECT_EQ(shifts(1024), Reason::kNone);
  EXPECT_EQ(shifts(1025), Reason::kTextTooLong);
}

TEST(EventMeaning, AQueryDigestIsAnyBytesUpTo64) {
  std::string bytes(65, '\xff');
  EXPECT_EQ(AfterTurn([&](Turn& turn) { turn.query_digest = std::string_view(bytes).substr(1); }), Reason::kNone);
  EXPECT_EQ(AfterTurn([&](Turn& turn) { turn.query_digest = bytes; }), Reason::kTextTooLong);
}

// --- negative_amount

TEST(EventMeaning, NoAmountOfATurnIsNegative) {
  const std::function<void(Turn&)> changes[] = {
      [](Turn& turn) { turn.tokens.input_uncached = -1; },
      [](Turn& turn) { turn.tokens.cache_read = kMin; },
      [](Turn& turn) { turn.tokens.cache_write_5m = -1; },
      [](Turn& turn) { turn.tokens.cache_write_1h = -1; },
      [](Turn& turn) { turn.tokens.output = -1; },
      [](Turn& turn) { turn.tokens.reasoning = -1; },
      [](Turn& turn) { turn.llm_calls = -1; },
      [](Turn& turn) { turn.duration_us = kMin; },
      [](Turn& turn) { turn.time_to_first_token_us = -1; },
      [](Turn& turn) { turn.provided_cost_nano_usd = -1; },
      [](Turn& turn) { turn.rag_output_tokens_saved = -1; },
  };
  for (const auto& change : changes) EXPECT_EQ(AfterTurn(change), Reason::kNegativeAmount);
}

TEST(EventMeaning, NoAmountOfAnInteractionIsNegative) {
  const std::function<void(Interaction&)> changes[] = {
      [](Interaction& item) { item.tokens.output = -1; },
      [](Interaction& item) { item.db_operations = -1; },
      [](Interaction& item) { item.api_calls = -1; },
      [](Interaction& item) { item.compute_us = -1; },
      [](Interaction& item) { item.duration_us = -1; },
      [](Interaction& item) { item.provided_cost->ai_tokens_nano_usd = -1; },
      [](Interaction& item) { item.provided_cost->db_ops_nano_usd = -1; },
      [](Interaction& item) { item.provided_cost->api_calls_nano_usd = -1; },
      [](Interaction& item) { item.provided_cost->compute_time_nano_usd = kMin; },
  };
  for (const auto& change : changes) EXPECT_EQ(AfterItem(change), Reason::kNegativeAmount);
}

TEST(EventMeaning, NoAmountOfAVectorOperationIsNegative) {
  const std::function<void(Operation&)> changes[] = {
      [](Operation& op) { op.requested = -1; },
      [](Operation& op) { op.succeeded = -1; },
      [](Operation& op) { op.payload_bytes = -1; },
      [](Operation& op) { op.duration_us = -1; },
  };
  for (EventType type : AllEventTypes()) {
    if (!IsVector(type)) continue;
    for (const auto& change : changes) EXPECT_EQ(AfterOperation(type, change), Reason::kNegativeAmount);
  }
  EXPECT_EQ(AfterOperation(EventType::kVectorsUpserted, [](Operation& op) { op.inserted = -1; }),
            Reason::kNegativeAmount);
  EXPECT_EQ(AfterOperation(EventType::kVectorsSearched, [](Operation& op) { op.results = -1; }),
            Reason::kNegativeAmount);
  EXPECT_EQ(AfterOperation(EventType::kVectorsCounted, [](Operation& op) { op.counted_vectors = -1; }),
            Reason::kNegativeAmount);
  EXPECT_EQ(AfterOperation(EventType::kVectorsCounted, [](Operation& op) { op.counted_bytes = -1; }),
            Reason::kNegativeAmount);
}

TEST(EventMeaning, DeltasAreSignedDownToTheLowestNumber) {
  EXPECT_EQ(After(EventType::kTurnAmended,
                  [](Event& event) {
                    event.amendment.tokens_delta = {kMin, kMin, kMin, kMin, kMin, kMin};
                    event.amendment.llm_calls_delta = kMin;
                    event.amendment.provided_cost_delta_nano_usd = kMin;
                    event.amendment.rag_output_tokens_saved_delta = kMin;
                  }),
            Reason::kNone);
  EXPECT_EQ(AfterOperation(EventType::kVectorsDeleted, [](Operation& op) { op.vectors_delta = op.bytes_delta = kMin; }),
            Reason::kNone);
}

// --- inconsistent_amounts

TEST(EventMeaning, ReasoningIsPartOfOutputExceptInAnAmendment) {
  EXPECT_EQ(AfterTurn([](Turn& turn) { turn.tokens.reasoning = turn.tokens.output; }), Reason::kNone);
  EXPECT_EQ(AfterTurn([](Turn& turn) { turn.tokens.reasoning = turn.tokens.output + 1; }),
            Reason::kInconsistentAmounts);
  EXPECT_EQ(AfterItem([](Interaction& item) { item.tokens.reasoning = item.tokens.output + 1; }),
            Reason::kInconsistentAmounts);
  EXPECT_EQ(After(EventType::kInteractionRecorded,
                  [](Event& event) { event.interactions[0].tokens = {0, 0, 0, 0, 0, 1}; }),
            Reason::kInconsistentAmounts);
  EXPECT_EQ(After(EventType::kTurnAmended, [](Event& event) { event.amendment.tokens_delta = {0, 0, 0, 0, 1, 2}; }),
            Reason::kNone);
}

TEST(EventMeaning, NoMoreSucceedThanWereRequestedAndNoMoreAreInsertedThanSucceeded) {
  for (EventType type : AllEventTypes()) {
    if (!IsVector(type)) continue;
    EXPECT_EQ(AfterOperation(type, [](Operation& op) { op.succeeded = op.requested; }), Reason::kNone);
    EXPECT_EQ(AfterOperation(type, [](Operation& op) { op.succeeded = op.requested + 1; }),
              Reason::kInconsistentAmounts);
  }
  EXPECT_EQ(AfterOperation(EventType::kVectorsUpserted, [](Operation& op) { op.inserted = op.succeeded; }),
            Reason::kNone);
  EXPECT_EQ(AfterOperation(EventType::kVectorsUpserted, [](Operation& op) { op.inserted = op.succeeded + 1; }),
            Reason::kInconsistentAmounts);
}

TEST(EventMeaning, AnOperationThatFailedDidNothing) {
  for (OperationStatus status : {OperationStatus::kFailure, OperationStatus::kQuotaExceeded}) {
    auto with = [&](int64_t succeeded, int64_t vectors, int64_t bytes) {
      return AfterOperation(EventType::kVectorsUpserted, [&](Operation& op) {
        op.status = status;
        op.succeeded = succeeded;
        op.inserted = 0;
        op.vectors_delta = vectors;
        op.bytes_delta = bytes;
      });
    };
    EXPECT_EQ(with(0, 0, 0), Reason::kNone);
    EXPECT_EQ(with(1, 0, 0), Reason::kInconsistentAmounts);
    EXPECT_EQ(with(0, 1, 0), Reason::kInconsistentAmounts);
    EXPECT_EQ(with(0, 0, -1), Reason::kInconsistentAmounts);
  }
}

TEST(EventMeaning, DeltasHaveTheDirectionOfTheirType) {
  auto with = [](EventType type, int64_t vectors, int64_t bytes) {
    return AfterOperation(type, [&](Operation& op) {
      op.vectors_delta = vectors;
      op.bytes_delta = bytes;
    });
  };
  constexpr Reason kRefused = Reason::kInconsistentAmounts;
  for (EventType type : {EventType::kVectorsAdded, EventType::kCollectionCreated}) {
    EXPECT_EQ(with(type, 1, 1), Reason::kNone);
    EXPECT_EQ(with(type, 0, 0), Reason::kNone);
    EXPECT_EQ(with(type, -1, 0), kRefused);
  }
  for (EventType type : {EventType::kVectorsDeleted, EventType::kCollectionDropped}) {
    EXPECT_EQ(with(type, -1, -1), Reason::kNone);
    EXPECT_EQ(with(type, 0, 0), Reason::kNone);
    EXPECT_EQ(with(type, 1, 0), kRefused);
  }
  for (EventType type : {EventType::kVectorsSearched, EventType::kVectorsCounted}) {
    EXPECT_EQ(with(type, 0, 0), Reason::kNone);
    EXPECT_EQ(with(type, 1, 0), kRefused);
    EXPECT_EQ(with(type, 0, -1), kRefused);
  }
  EXPECT_EQ(with(EventType::kVectorsUpserted, -5, 5), Reason::kNone);  // a host may merge and grow at once
}

TEST(EventMeaning, AProducersSeqIsFromOneTo2To62AndItsSlotBelow256) {
  auto with = [](uint64_t slot, uint64_t seq) {
    return After(EventType::kTurnRecorded, [&](Event& event) {
      event.producer->slot = slot;
      event.producer->seq = seq;
    });
  };
  EXPECT_EQ(with(255, 1), Reason::kNone);
  EXPECT_EQ(with(0, kSeqMax), Reason::kNone);
  EXPECT_EQ(with(0, kSeqMax + 1), Reason::kInconsistentAmounts);
  EXPECT_EQ(with(255, 0), Reason::kInconsistentAmounts);
  EXPECT_EQ(with(256, 1), Reason::kInconsistentAmounts);
}

TEST(EventMeaning, AGapHasRangesThatRunForward) {
  auto with = [](std::vector<SeqRange> ranges, uint64_t slot = 0) {
    return After(EventType::kGapReported, [&](Event& event) {
      event.gap.ranges = ranges;
      event.gap.slot = slot;
    });
  };
  EXPECT_EQ(with({{1, 1}}, 255), Reason::kNone);
  EXPECT_EQ(with(std::vector<SeqRange>(1024, SeqRange{1, 2})), Reason::kNone);
  EXPECT_EQ(with({{1, kSeqMax}}), Reason::kNone);
  EXPECT_EQ(with({{1, kSeqMax + 1}}), Reason::kInconsistentAmounts);
  EXPECT_EQ(with({}), Reason::kInconsistentAmounts);
  EXPECT_EQ(with({{0, 1}}), Reason::kInconsistentAmounts);
  EXPECT_EQ(with({{1, 2}, {4, 3}}), Reason::kInconsistentAmounts);
  EXPECT_EQ(with({{1, 1}}, 256), Reason::kInconsistentAmounts);
  EXPECT_EQ(with(std::vector<SeqRange>(1025, SeqRange{1, 2})), Reason::kInconsistentAmounts);
}

TEST(EventMeaning, AGenesisIsOneOfItsPartitions) {
  auto with = [](uint32_t partition, uint32_t partitions) {
    return After(EventType::kGenesis, [&](Event& event) {
      event.genesis.partition = partition;
      event.genesis.partitions = partitions;
    });
  };
  EXPECT_EQ(with(7, 8), Reason::kNone);
  EXPECT_EQ(with(8, 8), Reason::kInconsistentAmounts);
  EXPECT_EQ(with(0, 0), Reason::kInconsistentAmounts);
}

// --- time_range, empty_batch, batch_too_large

TEST(EventMeaning, TimesAreFrom1970Until9999) {
  const std::function<Reason(int64_t)> places[] = {
      [](int64_t us) { return After(EventType::kTurnRecorded, [&](Event& event) { event.event_time.us = us; }); },
      [](int64_t us) { return After(EventType::kTurnAmended, [&](Event& e) { e.amendment.original_time.us = us; }); },
      [](int64_t us) { return AfterItem([&](Interaction& item) { item.event_time.us = us; }); },
      [](int64_t us) { return After(EventType::kZoneSet, [&](Event& e) { e.definition.shifts = {{us, 0}}; }); },
      [](int64_t us) { return After(EventType::kLimitCrossed, [&](Event& e) { e.crossing.instance = us; }); },
  };
  for (const auto& at : places) {
    EXPECT_EQ(at(0), Reason::kNone);
    EXPECT_EQ(at(kEventTimeLimitUs - 1), Reason::kNone);
    EXPECT_EQ(at(-1), Reason::kTimeRange);
    EXPECT_EQ(at(kEventTimeLimitUs), Reason::kTimeRange);
    EXPECT_EQ(at(kMin), Reason::kTimeRange);
  }
}

TEST(EventMeaning, ABatchHasOneToAHundredItems) {
  auto with = [](size_t items) {
    return After(EventType::kInteractionBatch,
                 [&](Event& event) { event.interactions.assign(items, testing::FullInteraction(1)); });
  };
  EXPECT_EQ(with(0), Reason::kEmptyBatch);
  EXPECT_EQ(with(1), Reason::kNone);
  EXPECT_EQ(with(100), Reason::kNone);
  EXPECT_EQ(with(101), Reason::kBatchTooLarge);
  EXPECT_EQ(with(200), Reason::kBatchTooLarge);
}

TEST(EventMeaning, EachItemOfABatchIsCheckedNotTheFirstAlone) {
  auto last = [](Event& event) { event.interactions.back().user = ""; };
  EXPECT_EQ(After(EventType::kInteractionBatch, last), Reason::kMissingField);
}

// --- the order

TEST(EventMeaning, TheFirstReasonInTheOrderOfTheListIsGiven) {
  std::string too_long(257, 'x');
  Event event = FullEvent(EventType::kTurnRecorded);
  event.event_time.us = -1;
  EXPECT_EQ(CheckMeaning(event), Reason::kTimeRange);
  event.turn.tokens.reasoning = event.turn.tokens.output + 1;
  EXPECT_EQ(CheckMeaning(event), Reason::kInconsistentAmounts);
  event.turn.duration_us = -1;
  EXPECT_EQ(CheckMeaning(event), Reason::kNegativeAmount);
  event.turn.user = too_long;
  EXPECT_EQ(CheckMeaning(event), Reason::kTextTooLong);
  event.turn.session = "\xff";
  EXPECT_EQ(CheckMeaning(event), Reason::kInvalidUtf8);
  event.turn.status = Number<TurnStatus>(0);
  EXPECT_EQ(CheckMeaning(event), Reason::kInvalidEnum);
  event.id = Uuid{};
  EXPECT_EQ(CheckMeaning(event), Reason::kMissingField);
  event.type = EventType::kNone;
  EXPECT_EQ(CheckMeaning(event), Reason::kUnknownType);
}

}  // namespace
}  // namespace odometer
