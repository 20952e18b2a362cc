// What no host should send: damaged bytes, and well-made events that do not mean anything.

#include <algorithm>
#include <array>
#include <cstring>

#include "core/placement.h"
#include "tests/support/mix.h"

namespace odometer {

namespace {

// The facts of hosts: the first nineteen numbers.
EventType AnyFactType(Random& random) {
  return static_cast<EventType>(random.Between(1, static_cast<int64_t>(EventType::kConfigChanged)));
}

// The user of an event, or of its last item.
std::string_view& UserOf(Event* event) {
  switch (event->type) {
    case EventType::kTurnRecorded: return event->turn.user;
    case EventType::kTurnAmended: return event->amendment.user;
    case EventType::kInteractionRecorded:
    case EventType::kInteractionBatch: return event->interactions.back().user;
    case EventType::kCaseChampioned:
    case EventType::kCollectionSubscribed:
    case EventType::kCollectionUnsubscribed: return event->knowledge.user;
    case EventType::kConfigChanged: return event->config.user;
    default: return IsVector(event->type) ? event->operation.user : event->session.user;
  }
}

// Where a field of the root table is: at 0 the root's offset, in the root the distance back to its vtable, in the
// vtable the offset of each field.
struct RootField {
  RootField(const std::string& bytes, size_t number) {
    uint32_t root = 0;
    std::memcpy(&root, bytes.data(), sizeof root);
    int32_t back = 0;
    std::memcpy(&back, bytes.data() + root, sizeof back);
    entry_at = static_cast<size_t>(static_cast<int64_t>(root) - back) + 4 + 2 * number;
    uint16_t offset = 0;
    std::memcpy(&offset, bytes.data() + entry_at, sizeof offset);
    at = root + offset;
  }

  size_t entry_at;  // in the vtable
  size_t at;
};

void BreakAmounts(Random& random, Event* event) {
  int64_t negative = random.Percent(50) ? -1 : INT64_MIN;
  if (event->type == EventType::kTurnRecorded) {
    if (random.Percent(50)) event->turn.tokens.output = negative;
    if (random.Percent(50)) event->turn.provided_cost_nano_usd = negative;
    event->turn.duration_us = negative;
  } else if (IsVector(event->type)) {
    event->operation.payload_bytes = negative;
  } else if (!event->interactions.empty()) {
    event->interactions.back().compute_us = negative;
  }
}

void BreakConsistency(Event* event) {
  if (event->type == EventType::kTurnRecorded) {
    event->turn.tokens.output = 1;
    event->turn.tokens.reasoning = 2;
  } else if (IsVector(event->type)) {
    event->operation.requested = 1;
    event->operation.succeeded = 2;
  } else if (!event->interactions.empty()) {
    event->interactions.back().tokens = {.output = 1, .reasoning = 2};
  }
}

void BreakEnums(Random& random, Event* event) {
  uint8_t wrong = random.Percent(50) ? 0 : static_cast<uint8_t>(random.Between(7, 255));
  if (event->type == EventType::kTurnRecorded) {
    event->turn.status = static_cast<TurnStatus>(wrong);
  } else if (IsVector(event->type)) {
    event->operation.status = static_cast<OperationStatus>(wrong);
  } else if (!event->interactions.empty()) {
    event->interactions.back().kind = static_cast<InteractionKind>(wrong);
  } else {
    event->id_kind = static_cast<IdKind>(wrong);
  }
}

void BreakTexts(Random& random, Event* event) {
  static const std::string too_long(kIdTextBytesMax + 1, 'x');
  static constexpr std::array<std::string_view, 5> kInvalid = {"\xff", "a\xc0\x80", "\xed\xa0\x80",
                                                               "\xf4\x90\x80\x80", "\xe2\x82"};
  UserOf(event) = random.Percent(50) ? std::string_view(too_long) : random.Pick(kInvalid);
}

void BreakTimes(Random& random, Event* event) {
  static constexpr std::array<int64_t, 4> kWrong = {-1, INT64_MIN, kEventTimeLimitUs, INT64_MAX};
  int64_t wrong = random.Pick(kWrong);
  if (event->type == EventType::kTurnAmended) {
    event->amendment.original_time.us = wrong;
  } else if (event->type == EventType::kInteractionBatch) {
    event->interactions.back().event_time.us = wrong;
  } else {
    event->event_time.us = wrong;
  }
}

void BreakFields(Random& random, Event* event) {
  if (random.Percent(50)) {
    UserOf(event) = "";
  } else if (random.Percent(50)) {
    event->id = EventId();
  } else {
    event->tenant = "";
  }
}

// Of a limit that nobody has.
void MakeCrossing(Random& random, Event* event) {
  static constexpr std::array<uint8_t, 3> kPercents = {80, 95, 100};
  Event fact = *event;
  *event = Event();
  event->type = EventType::kLimitCrossed;
  event->id = fact.id;
  event->id_kind = fact.id_kind;
  event->tenant = fact.tenant;
  event->event_time = fact.event_time;
  event->source = fact.source;
  event->crossing.over = Scope::kTenant;
  event->crossing.window = static_cast<Window>(random.Between(1, 7));
  event->crossing.percent = random.Pick(kPercents);
  event->crossing.cap = random.Between(0, 100);
  event->crossing.used = event->crossing.cap + 1;
  event->crossing.level = "tenant_quota";
  event->crossing.definition = event->crossing.cause = fact.id;
}

}  // namespace

MixRecord Mix::Hostile() {
  MixRecord record;
  record.hostile = true;
  record.is_null = random_.Percent(6);
  if (record.is_null) return record;
  record.bytes = random_.Percent(45) ? DamagedBytes(&record.type) : BrokenEvent(&record.type);
  return record;
}

// --- Bytes

std::string Mix::DamagedBytes(EventType* type) {
  Event event = FreshUnstamped(AnyFactType(random_));
  std::string bytes = Encode(event);
  *type = event.type;
  switch (random_.Below(9)) {
    case 0: return "";
    case 1: {
      std::string noise(random_.Below(300), '\0');
      for (char& c : noise) c = static_cast<char>(random_.Below(256));
      return noise;
    }
    case 2: return bytes.substr(0, random_.Below(bytes.size()));
    case 3: {
      for (uint64_t i = 1 + random_.Below(3); i > 0; --i) {
        size_t at = random_.Below(bytes.size());
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_.Below(8)));
      }
      return bytes;
    }
    case 4: return bytes.replace(4, 4, random_.Percent(50) ? "EVOD" : "odev");
    case 5: return bytes + std::string(1 + random_.Below(16), 'z');  // a longer buffer is still an event
    case 6: {  // a type without its table
      size_t entry = RootField(bytes, 9).entry_at;
      bytes[entry] = bytes[entry + 1] = '\0';
      return bytes;
    }
    default: return TypePatched(std::move(bytes));
  }
}

// The byte that says which type the payload is, as another one.
std::string Mix::TypePatched(std::string bytes) {
  static constexpr std::array<uint8_t, 6> kUnknown = {0, 35, 43, 59, 64, 255};
  uint8_t known = static_cast<uint8_t>(random_.Between(1, 19));
  RootField type(bytes, 8);
  bytes[type.at] = static_cast<char>(random_.Percent(60) ? random_.Pick(kUnknown) : known);
  return bytes;
}

// --- Events

Event Mix::FreshUnstamped(EventType type) {
  Event event;
  PutEnvelope(type, 0, &event);
  event.producer.reset();
  PutPayload(&event);
  return event;
}

std::string Mix::BrokenEvent(EventType* type) {
  Event event = FreshUnstamped(AnyFactType(random_));
  uint64_t roll = random_.Below(100);
  if (roll < 12) BreakPlace(&event);
  if (roll >= 12 && roll < 22) BreakAmounts(random_, &event);
  if (roll >= 22 && roll < 32) BreakConsistency(&event);
  if (roll >= 32 && roll < 42) BreakEnums(random_, &event);
  if (roll >= 42 && roll < 54) BreakTexts(random_, &event);
  if (roll >= 54 && roll < 62) BreakTimes(random_, &event);
  if (roll >= 62 && roll < 72) BreakFields(random_, &event);
  if (roll >= 72 && roll < 78) BreakStamp(&event);
  if (roll >= 78 && roll < 84) BreakBatch(&event);
  if (roll >= 84 && roll < 90) BreakGap(&event);
  if (roll >= 90 && roll < 92) MakeGenesis(&event);
  if (roll >= 92 && roll < 95) MakeCrossing(random_, &event);
  if (roll >= 95) MakeTooLarge(&event);
  *type = event.type;
  return Encode(event);
}

// In the wrong partition, or in a stream of another slot.
void Mix::BreakPlace(Event* event) {
  if (!foreign_tenant_.empty() && random_.Percent(70)) {
    event->tenant = foreign_tenant_;
    if (random_.Percent(50)) event->producer = ProducerStamp{producers_[0].id, 1, SlotOf(foreign_tenant_), 1};
    return;
  }
  event->producer = ProducerStamp{producers_[0].id, 1, (SlotOf(event->tenant) + 1 + random_.Below(255)) % kSlots, 1};
}

void Mix::BreakStamp(Event* event) {
  event->producer = ProducerStamp{producers_[0].id, producers_[0].epoch, SlotOf(event->tenant), 1};
  if (random_.Percent(30)) {
    event->producer->seq = 0;
  } else if (random_.Percent(50)) {
    event->producer->slot = kSlots + random_.Below(2);
  } else {
    event->producer->id = Uuid();
  }
}

void Mix::BreakBatch(Event* event) {
  *event = FreshUnstamped(EventType::kInteractionBatch);
  if (random_.Percent(40)) {
    event->interactions.clear();
    return;
  }
  if (random_.Percent(30)) {
    event->interactions.back().id = EventId();
    return;
  }
  while (event->interactions.size() <= kInteractionsMax) event->interactions.push_back(event->interactions.front());
}

void Mix::BreakGap(Event* event) {
  *event = FreshUnstamped(EventType::kGapReported);
  Gap& gap = event->gap;
  gap.producer = producers_[0].id;
  gap.epoch = producers_[0].epoch;
  gap.slot = SlotOf(event->tenant);
  gap.ranges = {{1, 2}};
  constexpr uint64_t kSeqLimit = uint64_t{1} << 62;
  switch (random_.Below(7)) {
    case 0: gap.ranges = {}; break;
    case 1: gap.ranges = {{0, 2}}; break;
    case 2: gap.ranges = {{9, 8}}; break;
    case 3: gap.slot = (gap.slot + 1 + random_.Below(255)) % kSlots; break;
    case 4: gap.slot = kSlots; break;
    case 5: gap.ranges = {{kSeqLimit, kSeqLimit + 1}}; break;
    default: gap.producer = Uuid(); break;
  }
}

void Mix::MakeGenesis(Event* event) {
  Uuid id = event->id;
  *event = Event();
  event->type = EventType::kGenesis;
  event->id = id;
  event->event_time.us = now_us_;
  event->genesis = {producers_[0].id, options_.partition, options_.partitions, kPlacementVersion};
}

void Mix::MakeTooLarge(Event* event) {
  if (random_.Percent(70)) {
    *event = FreshUnstamped(EventType::kTurnRecorded);
    event->turn.metadata = Text(std::string(kEventBytesMax, 'm'));
    return;
  }
  *event = FreshUnstamped(EventType::kInteractionBatch);
  event->interactions.resize(1);
  event->interactions[0].metadata = Text(std::string(kBatchBytesMax, 'm'));
}

}  // namespace odometer
