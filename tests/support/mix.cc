// What comes next: fresh events, earlier ones again, held ones late, reports of gaps; and the streams of the producers.

#include "tests/support/mix.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/placement.h"

namespace odometer {

namespace {

constexpr size_t kHistoryMax = 4000;
constexpr size_t kKnownTurnsMax = 200;

struct Weight {
  EventType type;
  int weight;
};
constexpr std::array kWeights = {
    Weight{EventType::kTurnRecorded, 28},          Weight{EventType::kTurnAmended, 9},
    Weight{EventType::kSessionStarted, 4},         Weight{EventType::kSessionRenamed, 3},
    Weight{EventType::kSessionEnded, 3},           Weight{EventType::kSessionSummarized, 3},
    Weight{EventType::kInteractionRecorded, 8},    Weight{EventType::kInteractionBatch, 4},
    Weight{EventType::kCaseChampioned, 2},         Weight{EventType::kCollectionSubscribed, 3},
    Weight{EventType::kCollectionUnsubscribed, 2}, Weight{EventType::kVectorsAdded, 6},
    Weight{EventType::kVectorsUpserted, 4},        Weight{EventType::kVectorsDeleted, 4},
    Weight{EventType::kVectorsSearched, 6},        Weight{EventType::kVectorsCounted, 3},
    Weight{EventType::kCollectionCreated, 4},      Weight{EventType::kCollectionDropped, 3},
    Weight{EventType::kConfigChanged, 2},
};
constexpr std::array kLimitWeights = {
    Weight{EventType::kAdmitAsked, 30},     Weight{EventType::kHoldAsked, 20},
    Weight{EventType::kLeaseAsked, 18},     Weight{EventType::kHoldSettled, 14},
    Weight{EventType::kHoldReleased, 13},   Weight{EventType::kLeaseSettled, 17},
    Weight{EventType::kProfileDefined, 8},  Weight{EventType::kProfileAssigned, 7},
    Weight{EventType::kLimitOverridden, 7}, Weight{EventType::kQuotaSet, 12},
    Weight{EventType::kEnforcementSet, 2},  Weight{EventType::kZoneSet, 3},
};

template <class Weights>
EventType PickWeighted(Random& random, const Weights& weights) {
  int total = 0;
  for (const Weight& weight : weights) total += weight.weight;
  int64_t left = random.Between(0, total - 1);
  for (const Weight& weight : weights) {
    left -= weight.weight;
    if (left < 0) return weight.type;
  }
  return EventType::kTurnRecorded;
}

Uuid RandomUuid(Random& random) {
  Uuid id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random.Below(256));
  return id;
}

// base, base1, base2, …: the first that is wanted.
template <class Wanted>
std::string FirstName(std::string_view base, Wanted wanted) {
  std::string name(base);
  for (int i = 1; !wanted(name); ++i) name = std::string(base) + std::to_string(i);
  return name;
}

// A copy that Decode() takes.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::string_view bytes) : storage_(bytes.size() / 8 + 1), size_(bytes.size()) {
    std::memcpy(storage_.data(), bytes.data(), bytes.size());
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(storage_.data()), size_}; }

 private:
  std::vector<uint64_t> storage_;
  size_t size_;
};

}  // namespace

Mix::Mix(MixOptions options) : options_(options), random_(options.seed), now_us_(options.start_us) {
  auto lives_here = [&](const std::string& name) {
    return PartitionOf(name, options_.partitions) == options_.partition;
  };
  static constexpr std::array<std::string_view, 4> kBases = {"default", "acme", "tenant/\xe2\x82\xac,[7]", "t"};
  for (int i = 0; i < options_.tenants; ++i) {
    std::string base = std::string(kBases[static_cast<size_t>(i) % kBases.size()]);
    if (static_cast<size_t>(i) >= kBases.size()) base += "-" + std::to_string(i) + "-";
    tenants_.push_back(FirstName(base, [&](const std::string& name) {
      if (i == 1) return SlotOf(name) == SlotOf(tenants_[0]) && name != tenants_[0];
      return lives_here(name) && std::find(tenants_.begin(), tenants_.end(), name) == tenants_.end();
    }));
  }
  if (options_.with_big_amounts) tenants_.push_back(FirstName("whale", lives_here));
  if (options_.partitions > 1) {
    foreign_tenant_ = FirstName("elsewhere", [&](const std::string& name) { return !lives_here(name); });
  }
  turns_.resize(tenants_.size());
  asks_.resize(tenants_.size());
  for (uint64_t step : {1, 1, 1, 2}) {
    Producer producer{RandomUuid(random_)};
    producer.skew_us = random_.Between(-options_.clock_skew_us, options_.clock_skew_us);
    producer.step = step;
    producers_.push_back(std::move(producer));
  }
}

MixRecord Mix::Next() {
  texts_.clear();
  int64_t advance_us = PickAdvance();
  now_us_ += advance_us;
  bool is_hostile = random_.Percent(options_.hostile_percent);
  MixRecord record = is_hostile ? Hostile() : NextWellFormed();
  record.suggested_append_advance_us = advance_us;
  counts_.records += 1;
  if (record.hostile) counts_.hostile += 1;
  if (record.duplicate) counts_.duplicates += 1;
  if (record.stamped) counts_.stamped += 1;
  if (!record.hostile) counts_.by_type[record.type] += 1;
  return record;
}

MixRecord Mix::NextWellFormed() {
  if (!history_.empty() && random_.Percent(options_.duplicate_percent)) return Again();
  if (options_.with_gap_reports && random_.Percent(3)) return GapReport();
  if (options_.with_ticks && random_.Percent(2)) return Fresh(EventType::kTick);
  if (!held_.empty() && (held_.size() > 40 || random_.Percent(6))) {
    size_t index = random_.Below(held_.size());
    std::swap(held_[index], held_.back());
    AlignedBytes bytes(held_.back());
    held_.pop_back();
    Event event;
    Decode(bytes.view(), &event);
    return Finish(event);
  }
  for (;;) {
    MixRecord record = Fresh(PickType());
    if (!random_.Percent(7)) return record;
    held_.push_back(std::move(record.bytes));
    history_.pop_back();  // it has not been sent, so it cannot be sent again
    ReportLater(held_.back());
    texts_.clear();
  }
}

EventType Mix::PickType() {
  bool is_start = counts_.records < 20;  // something should stand when the rest comes
  uint64_t percent = is_start && options_.limits_percent > 0 ? 60 : options_.limits_percent;
  if (random_.Percent(percent)) return PickWeighted(random_, kLimitWeights);
  return PickWeighted(random_, kWeights);
}

int64_t Mix::PickAdvance() {
  uint64_t roll = random_.Below(1000);
  if (roll < 100) return 0;
  if (roll < 700) return random_.Between(1, 5 * kUsPerSecond);
  if (roll < 900) return random_.Between(1, 600 * kUsPerSecond);
  if (roll < 985) return random_.Between(1, 3 * kUsPerHour);
  if (roll < 997) return random_.Between(1, 2 * kUsPerDay);
  return random_.Between(1, 40 * kUsPerDay);
}

MixRecord Mix::Finish(const Event& event) {
  MixRecord record;
  record.bytes = Encode(event);
  record.type = event.type;
  record.fits_json_door = !IsOwn(event.type) && !event.producer.has_value() && CheckMeaning(event) == Reason::kNone;
  record.stamped = event.producer.has_value();
  KeepInHistory(record.bytes);
  return record;
}

void Mix::KeepInHistory(const std::string& bytes) {
  if (history_.size() >= kHistoryMax) history_.erase(history_.begin(), history_.begin() + kHistoryMax / 2);
  history_.push_back(bytes);
}

// --- Fresh events

MixRecord Mix::Fresh(EventType type) {
  Event event;
  bool is_whale = options_.with_big_amounts && random_.Percent(options_.extreme_percent);
  size_t plain = static_cast<size_t>(options_.tenants);
  size_t tenant = is_whale ? plain : random_.Percent(60) ? 0 : random_.Below(plain);
  PutEnvelope(type, tenant, &event);
  NameAsk(&event);
  PutPayload(&event);
  if (type == EventType::kTurnRecorded) {
    const Turn& turn = event.turn;
    if (turns_[tenant].size() >= kKnownTurnsMax) turns_[tenant].erase(turns_[tenant].begin());
    turns_[tenant].push_back({event.id, event.event_time.us, std::string(turn.user), std::string(turn.session),
                              std::string(turn.provider), std::string(turn.model()), std::string(turn.service),
                              std::string(turn.operation)});
  }
  return Finish(event);
}

void Mix::PutEnvelope(EventType type, size_t tenant, Event* event) {
  tenant_ = tenant;
  bool is_whale = tenant >= static_cast<size_t>(options_.tenants);
  amounts_ = is_whale ? Amounts::kExtreme : Amounts::kPlain;
  event->type = type;
  if (type != EventType::kTick) event->tenant = tenants_[tenant];
  PutIdentity(event);
  if (random_.Percent(5)) event->ask = RandomUuid(random_);
}

// The door it came through: an SDK with its stamp, or HTTP; a minted id, or one derived from the host's key.
void Mix::PutIdentity(Event* event) {
  static constexpr std::array<std::string_view, 4> kSources = {"billing", "sdk-go", "src/\xf0\x9f\x99\x82", ""};
  event->source = random_.Pick(kSources);
  bool is_stamped = random_.Percent(65) && event->type != EventType::kTick;
  size_t producer = PickProducer();
  event->event_time.us = PickEventTime(is_stamped ? producers_[producer].skew_us : 0);
  if (random_.Percent(25)) {
    event->id_kind = IdKind::kDerived;
    event->id = DerivedId(event->source, "order-" + std::to_string(random_.Next()));
  } else {
    event->id_kind = IdKind::kMinted;
    std::array<uint8_t, 10> bytes;
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_.Below(256));
    event->id = Uuid7(std::min(event->event_time.us, now_us_), bytes);
  }
  if (is_stamped) Stamp(producer, event);
}

size_t Mix::PickProducer() {
  uint64_t roll = random_.Below(100);
  return roll < 65 ? 0 : roll < 80 ? 1 : roll < 92 ? 2 : 3;
}

void Mix::Stamp(size_t number, Event* event) {
  Producer& producer = producers_[number];
  if (random_.PerMille(number == 0 ? 1 : 15)) {  // restarted
    producer.epoch += random_.Between(1, 3);
    producer.streams.clear();
  }
  uint32_t slot = SlotOf(event->tenant);
  Stream& stream = producer.streams[slot];
  SkipSeqs(&stream);
  event->producer = ProducerStamp{producer.id, producer.epoch, slot, stream.next_seq};
  stream.next_seq += producer.step;
}

void Mix::SkipSeqs(Stream* stream) {
  if (!random_.Percent(4)) return;
  uint64_t count = random_.Percent(80) ? random_.Between(1, 3) : random_.Between(1, 2000);
  if (options_.with_huge_seqs && random_.Percent(10)) count = random_.Below(uint64_t{1} << 60);
  stream->skipped.push_back({stream->next_seq, stream->next_seq + count - 1});
  stream->next_seq += count;
}

// --- Reports of gaps

MixRecord Mix::GapReport() {
  Event event;
  size_t tenant = random_.Below(static_cast<size_t>(options_.tenants));
  PutEnvelope(EventType::kGapReported, tenant, &event);
  Producer& producer = producers_[random_.Below(producers_.size())];
  uint32_t slot = SlotOf(tenants_[tenant]);
  event.gap.producer = producer.id;
  event.gap.epoch = producer.epoch;
  event.gap.slot = slot;
  event.gap.reason = random_.Percent(50) ? "spool full" : "";
  event.gap.ranges = PickRanges(producer, producer.streams[slot]);
  return Finish(event);
}

// The seq of a held event looks lost: it may be reported so before it comes.
void Mix::ReportLater(const std::string& bytes) {
  AlignedBytes aligned(bytes);
  Event event;
  Decode(aligned.view(), &event);
  if (!event.producer.has_value()) return;
  for (Producer& producer : producers_) {
    if (producer.id != event.producer->id || producer.epoch != event.producer->epoch) continue;
    producer.streams[static_cast<uint32_t>(event.producer->slot)].skipped.push_back(
        {event.producer->seq, event.producer->seq});
  }
}

std::vector<SeqRange> Mix::PickRanges(const Producer& producer, const Stream& stream) {
  std::vector<SeqRange> ranges;
  if (producer.step == 2 && random_.Percent(40)) {  // as many intervals as may be kept: any other is one too many
    uint64_t first = 5000 + 2100 * random_.Below(2);
    for (uint64_t i = 0; i < kGapRangesMax; ++i) ranges.push_back({first + 2 * i, first + 2 * i});
    return ranges;
  }
  for (const SeqRange& skipped : stream.skipped) {
    if (random_.Percent(50)) ranges.push_back(skipped);
  }
  if (ranges.size() > 100) ranges.resize(100);
  if (ranges.empty() || random_.Percent(25)) {  // seen ones, future ones, all of them
    uint64_t first = 1 + random_.Below(stream.next_seq + 3);
    ranges.push_back({first, first + random_.Below(20)});
  }
  if (random_.Percent(5)) ranges.push_back({1, stream.next_seq});
  if (random_.Percent(10)) ranges.push_back(ranges[random_.Below(ranges.size())]);
  if (options_.with_huge_seqs && random_.Percent(5)) {
    uint64_t last = (uint64_t{1} << 62) - random_.Below(3);
    ranges.push_back({last - random_.Below(uint64_t{1} << 61), last});
  }
  return ranges;
}

// --- Earlier events again

MixRecord Mix::Again() {
  bool is_near = random_.Percent(50);
  size_t back = random_.Below(is_near ? std::min<size_t>(history_.size(), 10) : history_.size());
  // A copy: history_ grows below.
  std::string bytes = history_[history_.size() - 1 - back];
  return AgainChanged(bytes, static_cast<int>(random_.Below(100)));
}

MixRecord Mix::AgainChanged(const std::string& bytes, int variant) {
  AlignedBytes aligned(bytes);
  Event event;
  Decode(aligned.view(), &event);
  bool is_checked_by_id = event.id_kind == IdKind::kDerived || !event.producer.has_value();
  auto restamp = [&] {
    if (IsAsk(event.type) && event.id_kind == IdKind::kMinted && !options_.with_restamped_asks) return;
    event.producer.reset();
    if (event.type != EventType::kTick) Stamp(PickProducer(), &event);
  };
  if (variant < 12) {  // the same seq, or the same id from the same source: another content is a conflict
    event.event_time.us = std::max<int64_t>(0, event.event_time.us - 1 - static_cast<int64_t>(random_.Below(5000)));
  } else if (variant < 24 && is_checked_by_id) {  // the same fact through another door
    event.source = "door-2";
    if (random_.Percent(50)) {
      event.producer.reset();
    } else {
      restamp();
    }
  } else if (variant < 34 && is_checked_by_id) {  // its sender forgot that it had sent it
    restamp();
  } else if (variant < 40 && event.producer.has_value() && event.id_kind == IdKind::kMinted) {
    restamp();  // not looked up by its id: folded twice, perhaps with another content at the same time and id
    if (!event.session.session.empty()) event.session.name = Text("twice " + std::to_string(random_.Below(100)));
  }
  MixRecord record = Finish(event);
  record.duplicate = true;
  return record;
}

}  // namespace odometer
