// tests/unit/core/event_samples.h: events for tests; one with every field set for each type, and random ones.
//
//   Texts texts;                                                     // keep it as long as the events
//   Event event = FullEvent(EventType::kTurnRecorded, &texts);       // literal values, the same for ever
//   Event other = RandomEvent(EventType::kTurnRecorded, random, &texts);
#pragma once

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "core/event.h"

namespace odometer::testing {

// Owns what the string_views of an event point to.
class Texts {
 public:
  std::string_view Keep(std::string text) { return texts_.emplace_back(std::move(text)); }

 private:
  std::deque<std::string> texts_;
};

// From the environment, so that a failed run can be run again; the caller prints it.
inline uint64_t Seed() {
  const char* text = std::getenv("ODOMETER_SEED");
  return text == nullptr ? 20'240'229 : std::strtoull(text, nullptr, 10);
}

inline Uuid UuidOf(uint8_t last) {
  Uuid id = *Uuid::Parse("018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f00");
  id.bytes[15] = last;
  return id;
}

inline Interaction FullInteraction(uint8_t number) {
  Interaction interaction;
  interaction.id = UuidOf(number);
  interaction.event_time = EventTime{1'700'000'000'123'456 + number};
  interaction.user = "ana";
  interaction.session = "s-1";
  interaction.kind = InteractionKind::kApi;
  interaction.status = InteractionStatus::kFailed;
  interaction.service = "search";
  interaction.operation = "query";
  interaction.model = "small-2";
  interaction.tokens = {11, 12, 13, 14, 15, 6};
  interaction.db_operations = 17;
  interaction.api_calls = 18;
  interaction.compute_us = 19;
  interaction.duration_us = 20;
  interaction.provided_cost = CostParts{21, 22, 23, 24};
  interaction.metadata = R"({"trace":"t-9"})";
  return interaction;
}

inline Turn FullTurn() {
  Turn turn;
  turn.user = "ana";
  turn.session = "s-1";
  turn.turn_number = 7;
  turn.provider = "acme";
  turn.model_requested = "large";
  turn.model_served = "large-3";
  turn.tokens = {1000, 200, 30, 40, 500, 60};
  turn.llm_calls = 2;
  turn.status = TurnStatus::kPartial;
  turn.error_type = "rate_limited";
  turn.duration_us = 1'234'567;
  turn.time_to_first_token_us = 234'567;
  turn.provided_cost_nano_usd = 12'345'678;
  turn.has_rag = true;
  turn.rag_used = true;
  turn.rag_guided = true;
  turn.rag_collections = {"manuals", "", "na\xc3\xafve"};
  turn.rag_output_tokens_saved = 321;
  turn.service = "chat";
  turn.operation = "answer";
  turn.metadata = R"({"a": 1,  "b":[true,null]})";
  turn.query_digest = std::string_view("\x00\x01\xfe\xff", 4);
  turn.query_length_bytes = 42;
  return turn;
}

inline Operation FullOperation(EventType type) {
  Operation operation;
  operation.user = "ana";
  operation.project = "p-1";
  operation.collection = "manuals";
  operation.status = OperationStatus::kPartialFailure;
  operation.requested = 100;
  operation.succeeded = 90;
  bool adds = type == EventType::kVectorsAdded || type == EventType::kVectorsUpserted;
  bool removes = type == EventType::kVectorsDeleted || type == EventType::kCollectionDropped;
  operation.vectors_delta = adds ? 80 : removes ? -80 : 0;
  operation.bytes_delta = adds ? 8000 : removes ? -8000 : 0;
  if (type == EventType::kCollectionCreated) operation.vectors_delta = 1;
  operation.payload_bytes = 9000;
  operation.duration_us = 4321;
  operation.service = "store";
  operation.operation = "write";
  operation.metadata = R"({"shard":3})";
  if (type == EventType::kVectorsUpserted) operation.inserted = 80;
  if (type == EventType::kVectorsSearched) operation.results = 10;
  if (type == EventType::kVectorsSearched) operation.had_filter = true;
  if (type == EventType::kVectorsCounted) operation.counted_vectors = 123'456;
  if (type == EventType::kVectorsCounted) operation.counted_bytes = 789'012'345;
  return operation;
}

inline Ask FullAsk(EventType type) {
  Ask ask;
  ask.user = "ana";
  ask.project = "p-1";
  ask.collection = "manuals";
  ask.amounts = {{Meter::kRequests, 1}, {Meter::kLlmCalls, 1}, {Meter::kSearches, 1}};
  if (type == EventType::kAdmitAsked) return ask;
  ask.amounts = {{Meter::kRequests, 2}, {Meter::kTotalTokens, 40'000}, {Meter::kCost, 123'456'789}};
  ask.ttl_us = 45 * kUsPerSecond;
  return ask;
}

inline HoldEnd FullEnd(EventType type) {
  HoldEnd end;
  end.hold = UuidOf(0x66);
  if (type == EventType::kHoldReleased) {
    end.reason = "the user walked away";
    return end;
  }
  end.amounts = {{Meter::kRequests, 0}, {Meter::kTotalTokens, 31'415}, {Meter::kCost, 98'765'432}};
  end.is_final = type == EventType::kLeaseSettled;
  return end;
}

inline std::vector<Limit> FullLimits(EventType type) {
  Scope over = type == EventType::kQuotaSet ? Scope::kCollection : Scope::kUserInProject;
  return {{Meter::kRequests, Window::kRollingHour, over, 50, LimitMode::kHard, WhenUnavailable::kLastKnown},
          {Meter::kRequests, Window::kDay, Scope::kTenant, 0, LimitMode::kSoft, WhenUnavailable::kAllow},
          {Meter::kVectors, Window::kGauge, std::nullopt, std::nullopt, LimitMode::kHard, WhenUnavailable::kDeny}};
}

inline Definition FullDefinition(EventType type) {
  Definition definition;
  definition.expected = UuidOf(0x67);
  definition.who = "carla";
  definition.why = "more seats since November";
  bool has_limits = false;
  switch (type) {
    case EventType::kProfileDefined:
      definition.name = "Team";
      definition.description = "What a team of five needs.";
      has_limits = true;
      break;
    case EventType::kProfileAssigned:
      definition.user = "ana";
      definition.name = "Team";
      break;
    case EventType::kLimitOverridden:
      definition.user = "ana";
      has_limits = true;
      break;
    case EventType::kQuotaSet:
      definition.level = QuotaLevel::kCollection;
      definition.project = "p-1";
      definition.collection = "manuals";
      has_limits = true;
      break;
    case EventType::kEnforcementSet: definition.enforcement = Enforcement::kObserve; break;
    default:
      definition.name = "Europe/Berlin";
      definition.first_offset_s = 3208;
      definition.shifts = {{1'679'792'400'000'000, 7200}, {1'698'541'200'000'000, 3600}};
  }
  if (has_limits) definition.limits = FullLimits(type);
  return definition;
}

inline Crossing FullCrossing() {
  Crossing crossing;
  crossing.user = "ana";
  crossing.project = "p-1";
  crossing.over = Scope::kUserInProject;
  crossing.meter = Meter::kTotalTokens;
  crossing.window = Window::kMonth;
  crossing.percent = 95;
  crossing.cap = 2'000'000;
  crossing.used = 1'900'001;
  crossing.level = "user_project_quota";
  crossing.source = "p-1";
  crossing.definition = UuidOf(0x68);
  crossing.instance = 1'698'793'200'000'000;
  crossing.cause = UuidOf(0x69);
  return crossing;
}

inline void FillPayload(Event* event) {
  EventType type = event->type;
  event->turn = FullTurn();
  event->amendment = {UuidOf(0x77), EventTime{1'699'999'999'000'001}, "ana", "s-1", "acme", "large-3", "chat", "answer",
                      Tokens{-1, 2, -3, 4, -5, 6}, -1, std::numeric_limits<int64_t>::min(), 9, "provider's late bill"};
  event->session.user = "ana";
  event->session.session = "s-1";
  bool has_name = type == EventType::kSessionStarted || type == EventType::kSessionRenamed;
  if (has_name) event->session.name = "Caf\xc3\xa9 talk";
  if (type == EventType::kSessionStarted) event->session.metadata = R"({"app":"web"})";
  if (type == EventType::kSessionSummarized) event->session.summary = "They spoke of coffee.";
  if (type == EventType::kSessionSummarized) event->session.key_points = {"beans", "water"};
  event->interactions = {FullInteraction(1)};
  if (type == EventType::kInteractionBatch) event->interactions.push_back(FullInteraction(2));
  if (type == EventType::kInteractionRecorded) event->interactions[0].id = event->id;
  if (type == EventType::kInteractionRecorded) event->interactions[0].event_time = event->event_time;
  event->knowledge = {"ana", "manuals", type == EventType::kCaseChampioned ? "case-5" : ""};
  event->operation = FullOperation(type);
  event->config = {"ana", "p-1", "index.lists", R"({"from":10,"to":20})"};
  if (IsAsk(type)) event->asked = FullAsk(type);
  if (IsHoldEnd(type)) event->end = FullEnd(type);
  if (IsDefinition(type)) event->definition = FullDefinition(type);
  event->genesis = {UuidOf(0x99), 3, 8, 1};
  event->tick_reason = "silent";
  event->gap = {UuidOf(0x55), 4, 123, {{5, 5}, {8, 12}}, "spool lost"};
  event->crossing = FullCrossing();
}

// An event of this type in which every field that it can have says something; a QuotaSet has one level only, a
// LimitCrossed one scope, and a ProfileDefined with limits is not deleted.
inline Event FullEvent(EventType type) {
  Event event;
  event.type = type;
  event.id = UuidOf(static_cast<uint8_t>(type));
  event.id_kind = IdKind::kDerived;
  bool has_tenant = type != EventType::kGenesis && type != EventType::kTick;
  event.tenant = has_tenant ? "default" : "";
  event.event_time = EventTime{1'700'000'000'123'456};
  event.source = "shop";
  event.producer = ProducerStamp{UuidOf(0x44), 3, 123, 17};
  event.ask = UuidOf(0x33);
  FillPayload(&event);
  return event;
}

// A profile that is given up: the one definition that says `deleted`.
inline Event DeletedProfile() {
  Event event = FullEvent(EventType::kProfileDefined);
  event.id = UuidOf(0xab);
  event.definition.limits.clear();
  event.definition.is_deleted = true;
  return event;
}

// The quota that names a user, which one of a collection cannot.
inline Event UserQuota() {
  Event event = FullEvent(EventType::kQuotaSet);
  event.id = UuidOf(0xac);
  event.definition.level = QuotaLevel::kUserProject;
  event.definition.user = "ana";
  event.definition.collection = "";
  return event;
}

// The crossing that names a collection.
inline Event CollectionCrossing() {
  Event event = FullEvent(EventType::kLimitCrossed);
  event.id = UuidOf(0xad);
  event.crossing.over = Scope::kCollection;
  event.crossing.user = "";
  event.crossing.collection = "manuals";
  event.crossing.meter = Meter::kVectors;
  event.crossing.window = Window::kGauge;
  event.crossing.level = "collection_quota";
  event.crossing.instance = 3;
  return event;
}

// The least that a turn must say.
inline Event MinimalTurn() {
  Event event;
  event.type = EventType::kTurnRecorded;
  event.id = UuidOf(0xaa);
  event.tenant = "default";
  event.turn.user = "ana";
  return event;
}

// Random values that pass CheckMeaning(): every optional field absent, zero or set, every enum value, edges of ranges.
class RandomEvents {
 public:
  RandomEvents(uint64_t seed, Texts* texts) : random_(seed), texts_(texts) {}

  Event Next(EventType type) {
    Event event;
    event.type = type;
    event.id = Id();
    event.id_kind = Pick(IdKind::kDerived);
    bool has_tenant = type != EventType::kGenesis && type != EventType::kTick;
    if (has_tenant) event.tenant = Name();
    event.event_time = Time();
    event.source = MaybeName();
    if (Coin()) event.producer = ProducerStamp{Id(), random_(), Below(256), 1 + Below(kSeqMax)};
    if (Coin()) event.ask = Id();
    Fill(&event);
    return event;
  }

  std::mt19937_64& random() { return random_; }

 private:
  bool Coin() { return Below(2) == 0; }
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  template <class Enum>
  Enum Pick(Enum last) {
    return static_cast<Enum>(1 + Below(static_cast<uint64_t>(last)));
  }
  Uuid Id() {
    Uuid id;
    for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random_());
    id.bytes[0] |= 1;
    return id;
  }
  EventTime Time() {
    if (Below(8) == 0) return EventTime{Coin() ? 0 : kEventTimeLimitUs - 1};
    return EventTime{static_cast<int64_t>(Below(kEventTimeLimitUs))};
  }
  int64_t Amount() {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    switch (Below(4)) {
      case 0: return 0;
      case 1: return static_cast<int64_t>(Below(kMax));
      case 2: return kMax;
      default: return static_cast<int64_t>(Below(100'000));
    }
  }
  int64_t Delta() {
    switch (Below(4)) {
      case 0: return 0;
      case 1: return std::numeric_limits<int64_t>::min();
      case 2: return static_cast<int64_t>(random_());
      default: return static_cast<int64_t>(Below(2000)) - 1000;
    }
  }
  std::optional<int64_t> MaybeAmount() { return Coin() ? std::optional<int64_t>(Amount()) : std::nullopt; }
  std::string_view Text(size_t bytes_max) {
    static constexpr std::string_view kPieces[] = {"a", "Z", "0", " ", "\"", "\\", "\n", "\x7f", "\xc3\xa9",
                                                   "\xe2\x82\xac", "\xf0\x9f\x8d\xb0", "\xed\x9f\xbf",
                                                   "\xf4\x8f\xbf\xbf", "abcdefgh", std::string_view("\0", 1)};
    size_t bytes = Below(8) == 0 ? bytes_max : Below(std::min<size_t>(bytes_max, 40) + 1);
    std::string text;
    while (text.size() < bytes) {
      std::string_view piece = kPieces[Below(std::size(kPieces))];
      if (text.size() + piece.size() > bytes) piece = "x";
      text += piece;
    }
    return texts_->Keep(std::move(text));
  }
  std::string_view Name() {
    std::string_view text = Text(kIdTextBytesMax);
    return text.empty() ? "n" : text;
  }
  std::string_view MaybeName() { return Coin() ? Text(kIdTextBytesMax) : std::string_view(); }
  std::string_view Metadata() { return Coin() ? Text(kMetadataBytesMax) : std::string_view(); }
  Tokens Amounts() {
    Tokens tokens;
    if (Coin()) return tokens;
    tokens = {Amount(), Amount(), Amount(), Amount(), Amount(), 0};
    tokens.reasoning = static_cast<int64_t>(Below(static_cast<uint64_t>(tokens.output) + 1));
    return tokens;
  }
  Tokens Deltas() { return Coin() ? Tokens{} : Tokens{Delta(), Delta(), Delta(), Delta(), Delta(), Delta()}; }

  Turn RandomTurn() {
    Turn turn;
    turn.user = Name();
    turn.session = MaybeName();
    if (Coin()) turn.turn_number = random_();
    turn.provider = MaybeName();
    turn.model_requested = MaybeName();
    turn.model_served = MaybeName();
    turn.tokens = Amounts();
    turn.llm_calls = MaybeAmount();
    turn.status = Pick(TurnStatus::kTimeout);
    turn.error_type = MaybeName();
    turn.duration_us = MaybeAmount();
    turn.time_to_first_token_us = MaybeAmount();
    turn.provided_cost_nano_usd = MaybeAmount();
    turn.has_rag = Coin();
    if (turn.has_rag) {
      turn.rag_used = Coin();
      turn.rag_guided = Coin();
      for (uint64_t i = Below(kRagCollectionsMax + 1); i > 0; --i) turn.rag_collections.push_back(MaybeName());
      turn.rag_output_tokens_saved = Amount();
    }
    turn.service = MaybeName();
    turn.operation = MaybeName();
    turn.metadata = Metadata();
    if (Coin()) turn.query_digest = Text(64);
    if (Coin()) turn.query_length_bytes = random_();
    return turn;
  }

  Interaction RandomInteraction() {
    Interaction interaction;
    interaction.id = Id();
    interaction.event_time = Time();
    interaction.user = Name();
    interaction.session = MaybeName();
    interaction.kind = Pick(InteractionKind::kCostEvent);
    interaction.status = Pick(InteractionStatus::kTimeout);
    interaction.service = MaybeName();
    interaction.operation = MaybeName();
    interaction.model = MaybeName();
    interaction.tokens = Amounts();
    interaction.db_operations = Amount();
    interaction.api_calls = Amount();
    interaction.compute_us = Amount();
    interaction.duration_us = MaybeAmount();
    if (Coin()) interaction.provided_cost = CostParts{Amount(), Amount(), Amount(), Amount()};
    interaction.metadata = Metadata();
    return interaction;
  }

  Operation RandomOperation(EventType type) {
    Operation operation;
    operation.user = Name();
    operation.project = Name();
    operation.collection = Name();
    operation.status = Pick(OperationStatus::kQuotaExceeded);
    operation.requested = Amount();
    bool did = operation.status == OperationStatus::kSuccess || operation.status == OperationStatus::kPartialFailure;
    if (did) {
      operation.succeeded = static_cast<int64_t>(Below(static_cast<uint64_t>(operation.requested) + 1));
      bool has_delta = type != EventType::kVectorsSearched && type != EventType::kVectorsCounted;
      bool removes = type == EventType::kVectorsDeleted || type == EventType::kCollectionDropped;
      if (has_delta) operation.vectors_delta = removes ? -Amount() : Amount();
      if (has_delta) operation.bytes_delta = Delta();
    }
    operation.payload_bytes = Amount();
    operation.duration_us = MaybeAmount();
    operation.service = MaybeName();
    operation.operation = MaybeName();
    operation.metadata = Metadata();
    if (type == EventType::kVectorsUpserted) operation.inserted = operation.succeeded / 2;
    if (type == EventType::kVectorsSearched) operation.results = Amount();
    if (type == EventType::kVectorsSearched) operation.had_filter = Coin();
    if (type == EventType::kVectorsCounted) operation.counted_vectors = Amount();
    if (type == EventType::kVectorsCounted) operation.counted_bytes = Amount();
    return operation;
  }

  void FillSession(Event* event) {
    SessionFact& fact = event->session;
    fact.user = Name();
    fact.session = Name();
    if (event->type == EventType::kSessionStarted || event->type == EventType::kSessionRenamed) fact.name = MaybeName();
    if (event->type == EventType::kSessionStarted) fact.metadata = Metadata();
    if (event->type != EventType::kSessionSummarized) return;
    fact.summary = Text(kSummaryBytesMax);
    for (uint64_t i = Below(kKeyPointsMax + 1); i > 0; --i) fact.key_points.push_back(Text(kKeyPointBytesMax));
  }

  // Each meter at most once, in the order of their numbers: in JSON they are an object.
  std::vector<odometer::Amount> RandomAmounts(EventType type) {
    static constexpr Meter kAdmitted[] = {Meter::kRequests, Meter::kLlmCalls, Meter::kConfigChanges, Meter::kSearches,
                                          Meter::kOperations};
    std::vector<odometer::Amount> amounts;
    if (type == EventType::kAdmitAsked) {
      for (Meter meter : kAdmitted) {
        if (Coin()) amounts.push_back({meter, 1});
      }
      if (amounts.empty()) amounts.push_back({Meter::kRequests, 1});
      return amounts;
    }
    int64_t least = IsAsk(type) ? 1 : 0;
    for (size_t meter = 1; meter <= kMeters; ++meter) {
      if (Coin()) amounts.push_back({static_cast<Meter>(meter), std::clamp(Amount(), least, kAskAmountMax)});
    }
    if (IsAsk(type) && amounts.empty()) amounts.push_back({Meter::kBytes, kAskAmountMax});
    return amounts;
  }

  void FillAsk(EventType type, Ask* ask) {
    ask->user = MaybeName();
    ask->project = ask->user.empty() || Coin() ? Name() : std::string_view();
    if (!ask->project.empty()) ask->collection = MaybeName();
    ask->amounts = RandomAmounts(type);
    if (type == EventType::kAdmitAsked) return;
    int64_t longest = type == EventType::kHoldAsked ? kHoldTtlMaxUs : kLeaseTtlMaxUs;
    ask->ttl_us = std::clamp(Amount(), kHoldTtlMinUs, longest);
  }

  void FillEnd(EventType type, HoldEnd* end) {
    end->hold = Id();
    if (type == EventType::kHoldReleased) {
      end->reason = Coin() ? Text(kWhyBytesMax) : std::string_view();
      return;
    }
    end->amounts = RandomAmounts(type);
    if (type == EventType::kLeaseSettled) end->is_final = Coin();
  }

  // No two of one meter and window.
  std::vector<Limit> RandomLimits(EventType type) {
    std::vector<Limit> limits;
    for (size_t meter = 1; meter <= kMeters; ++meter) {
      for (int window = 1; window <= static_cast<int>(Window::kGauge) && limits.size() < kLimitsMax; ++window) {
        Limit limit{static_cast<Meter>(meter), static_cast<Window>(window)};
        if (!CanLimit(limit.meter, limit.window) || Below(3) != 0) continue;
        if (Coin()) limit.over = Pick(type == EventType::kQuotaSet ? Scope::kCollection : Scope::kUser);
        if (Coin()) limit.cap = std::min(Amount(), kCapMax);
        limit.mode = Pick(LimitMode::kSoft);
        limit.when_unavailable = Pick(WhenUnavailable::kLastKnown);
        limits.push_back(limit);
      }
    }
    std::shuffle(limits.begin(), limits.end(), random_);
    return limits;
  }

  void FillQuota(Definition* quota) {
    quota->level = Pick(QuotaLevel::kTenant);
    bool has_user = quota->level == QuotaLevel::kUserProject || quota->level == QuotaLevel::kUser;
    bool has_project = quota->level == QuotaLevel::kUserProject || quota->level == QuotaLevel::kProject ||
                       quota->level == QuotaLevel::kCollection;
    if (has_user) quota->user = Name();
    if (has_project) quota->project = Name();
    if (quota->level == QuotaLevel::kCollection) quota->collection = Name();
  }

  void FillZone(Definition* zone) {
    auto offset = [&] { return static_cast<int64_t>(Below(2 * kZoneOffsetMaxS + 1)) - kZoneOffsetMaxS; };
    zone->name = Name();
    zone->first_offset_s = offset();
    int64_t at_us = Time().us;
    for (uint64_t i = Below(Coin() ? 4 : kZoneShiftsMax + 1); i > 0 && at_us < kEventTimeLimitUs; --i) {
      zone->shifts.push_back({at_us, offset()});
      at_us += 1 + static_cast<int64_t>(Below(200 * static_cast<uint64_t>(kUsPerDay)));
    }
  }

  void FillDefinition(EventType type, Definition* definition) {
    auto why = [&] {
      std::string_view text = Text(kWhyBytesMax);
      return text.empty() ? "w" : text;
    };
    if (Coin()) definition->expected = Coin() ? Id() : Uuid{};
    definition->who = why();
    definition->why = why();
    if (type == EventType::kProfileDefined) {
      definition->name = Name();
      definition->description = Coin() ? Text(kWhyBytesMax) : std::string_view();
      definition->is_deleted = Below(4) == 0;
    }
    if (type == EventType::kProfileAssigned) definition->name = MaybeName();
    if (type == EventType::kProfileAssigned || type == EventType::kLimitOverridden) definition->user = MaybeName();
    if (type == EventType::kQuotaSet) FillQuota(definition);
    if (type == EventType::kEnforcementSet) definition->enforcement = Pick(Enforcement::kOff);
    if (type == EventType::kZoneSet) FillZone(definition);
    bool has_limits = type == EventType::kLimitOverridden || type == EventType::kQuotaSet ||
                      (type == EventType::kProfileDefined && !definition->is_deleted);
    if (has_limits) definition->limits = RandomLimits(type);
  }

  void FillGap(Gap* gap) {
    *gap = {Id(), random_(), Below(256), {}, MaybeName()};
    for (uint64_t i = 1 + Below(Coin() ? 3 : kGapRangesMax); i > 0; --i) {
      uint64_t first = 1 + Below(1u << 30);
      gap->ranges.push_back({first, Coin() ? first : kSeqMax - Below(3)});
    }
  }

  void FillCrossing(Crossing* crossing) {
    static constexpr uint8_t kPercents[] = {80, 95, 100};
    crossing->over = Pick(Scope::kCollection);
    bool has_user = crossing->over == Scope::kUser || crossing->over == Scope::kUserInProject;
    bool has_project = crossing->over >= Scope::kProject;
    if (has_user) crossing->user = Name();
    if (has_project) crossing->project = Name();
    if (crossing->over == Scope::kCollection) crossing->collection = Name();
    crossing->meter = Pick(Meter::kBytes);
    crossing->window = IsGauge(crossing->meter) ? Window::kGauge : Pick(Window::kLifetime);
    crossing->percent = kPercents[Below(std::size(kPercents))];
    crossing->cap = std::min(Amount(), kCapMax);
    crossing->used = Amount();
    crossing->level = Name();
    crossing->source = MaybeName();
    crossing->definition = Id();
    crossing->instance = IsCalendar(crossing->window) ? Time().us : Amount();
    crossing->cause = Id();
  }

  void Fill(Event* event) {
    EventType type = event->type;
    if (type == EventType::kTurnRecorded) event->turn = RandomTurn();
    if (type == EventType::kTurnAmended) {
      event->amendment = {Id(), Time(), Name(), MaybeName(), MaybeName(), MaybeName(), MaybeName(), MaybeName(),
                          Deltas(), Delta(), Delta(), Delta(), MaybeName()};
    }
    if (type >= EventType::kSessionStarted && type <= EventType::kSessionSummarized) FillSession(event);
    if (type == EventType::kInteractionRecorded) {
      event->interactions.push_back(RandomInteraction());
      event->interactions[0].id = event->id;
      event->interactions[0].event_time = event->event_time;
    }
    if (type == EventType::kInteractionBatch) {
      for (uint64_t i = 1 + Below(Coin() ? 3 : kInteractionsMax); i > 0; --i) {
        event->interactions.push_back(RandomInteraction());
        // A hundred texts of the full length would not fit into the record.
        event->interactions.back().metadata = MaybeName();
      }
    }
    if (type >= EventType::kCaseChampioned && type <= EventType::kCollectionUnsubscribed) {
      event->knowledge = {Name(), Name(), type == EventType::kCaseChampioned ? MaybeName() : std::string_view()};
    }
    if (IsVector(type)) event->operation = RandomOperation(type);
    if (type == EventType::kConfigChanged) event->config = {Name(), MaybeName(), MaybeName(), Metadata()};
    if (IsAsk(type)) FillAsk(type, &event->asked);
    if (IsHoldEnd(type)) FillEnd(type, &event->end);
    if (IsDefinition(type)) FillDefinition(type, &event->definition);
    if (type == EventType::kGenesis) {
      event->genesis.log_id = Id();
      event->genesis.partitions = static_cast<uint32_t>(1 + Below(256));
      event->genesis.partition = static_cast<uint32_t>(Below(event->genesis.partitions));
      event->genesis.placement_version = static_cast<uint32_t>(random_());
    }
    if (type == EventType::kTick) event->tick_reason = MaybeName();
    if (type == EventType::kGapReported) FillGap(&event->gap);
    if (type == EventType::kLimitCrossed) FillCrossing(&event->crossing);
  }

  std::mt19937_64 random_;
  Texts* texts_;
};

}  // namespace odometer::testing
