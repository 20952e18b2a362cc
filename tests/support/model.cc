// Steps 1 to 6 of docs/figures.md: from a record to its outcome.

#include "tests/support/model.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <type_traits>

#include "core/placement.h"

namespace odometer {

using model::Int;
using model::Stream;

void Model::Apply(uint64_t offset, int64_t append_time_us, std::string_view bytes) {
  counts_.records += 1;
  offset_ = offset;
  append_ = AppendTime{append_time_us};
  storage_.resize(bytes.size() / 8 + 1);
  if (!bytes.empty()) std::memcpy(storage_.data(), bytes.data(), bytes.size());
  std::string_view aligned(reinterpret_cast<const char*>(storage_.data()), bytes.size());
  if (bytes.data() == nullptr) aligned = std::string_view();
  log_us_ = std::max(log_us_, append_time_us);
  ExpireDue();
  ForgetGone();

  if (Reason reason = Decode(aligned, &event_); reason != Reason::kNone) return PutInQuarantine(reason);
  if ((event_.type == EventType::kGenesis) != (offset == 0)) return PutInQuarantine(Reason::kGenesisPosition);
  if (event_.type == EventType::kGenesis || event_.type == EventType::kTick) return CountApplied();
  if (IsMisplaced()) return PutInQuarantine(Reason::kMisplaced);
  if (Dedupe(XXH3_64bits(aligned.data(), aligned.size())) != Seen::kNew) return;
  if (IsAsk(event_.type) && Exists(&Tables::ask, AskName(event_.id))) {
    counts_.duplicate += 1;  // and has the first verdict
    return;
  }
  bool is_applied = event_.type == EventType::kGapReported    ? FoldGap()
                    : event_.type == EventType::kLimitCrossed ? FoldCrossed()
                                                              : FoldFacts();
  if (is_applied) CountApplied();
}

void Model::PutInQuarantine(Reason reason) {
  quarantine_[offset_] = ReasonName(reason);
  counts_.quarantined_by_reason[std::string(ReasonName(reason))] += 1;
}

void Model::CountApplied() {
  counts_.applied += 1;
  counts_.applied_by_type[std::string(TypeName(event_.type))] += 1;
  if (IsOwn(event_.type)) counts_.own_events += 1;
}

// A stream belongs to the slot of the tenants that are in it: so do the stamp and the stream that a gap is of.
bool Model::IsMisplaced() const {
  uint32_t slot = SlotOf(event_.tenant);
  if (slot % options_.partitions != options_.partition) return true;
  if (event_.producer.has_value() && event_.producer->slot != slot) return true;
  return event_.type == EventType::kGapReported && event_.gap.slot != slot;
}

// --- 5. Dedupe

Model::Seen Model::Dedupe(uint64_t hash) {
  if (!event_.producer.has_value()) return DedupeById(hash);
  const ProducerStamp& stamp = *event_.producer;
  Stream before = streams_[{stamp.id, stamp.epoch, stamp.slot}];
  if (before.seen.Contains(stamp.seq)) {
    std::optional<uint64_t> recent = before.RecentHash(stamp.seq);
    if (recent.has_value() && *recent != hash) {
      PutInQuarantine(Reason::kConflict);
      return Seen::kQuarantined;
    }
    counts_.duplicate += 1;
    if (!recent.has_value()) counts_.duplicate_unverified += 1;
    return Seen::kDuplicate;
  }
  if (!InsertSeq(before, hash)) return Seen::kQuarantined;
  return event_.id_kind == IdKind::kDerived ? DedupeById(hash) : Seen::kNew;
}

// False: quarantined, and the seq is not in its stream.
bool Model::InsertSeq(const Stream& before, uint64_t hash) {
  const ProducerStamp& stamp = *event_.producer;
  Stream after = before;
  after.Insert(stamp.seq, hash);
  if (after.seen.ranges().size() > model::kIntervalsMax) {
    PutInQuarantine(Reason::kTooManyGaps);
    return false;
  }
  if (!BookMissing(after.Missing() - before.Missing(), after.lost.Count() - before.lost.Count())) return false;
  streams_[{stamp.id, stamp.epoch, stamp.slot}] = after;
  return true;
}

// A tenant's row is touched by dedupe if missing or lost changes. False: quarantined, and nothing is booked.
bool Model::BookMissing(Int missing, Int lost) {
  if (missing == 0 && lost == 0) return true;
  model::TenantRow& tenant = TouchTenant();
  tenant.missing_events += missing;
  tenant.lost_events += lost;
  if (!NewRowsFit()) {
    new_ = Tables();
    PutInQuarantine(Reason::kOverflow);
    return false;
  }
  KeepNewRows();
  return true;
}

Model::Seen Model::DedupeById(uint64_t hash) {
  auto [known, is_new] = ids_.try_emplace({std::string(event_.tenant), event_.id});
  if (is_new) {
    known->second = {hash, std::string(event_.source)};
    return Seen::kNew;
  }
  if (event_.type == EventType::kLimitCrossed) TakeOutOfOutbox(event_.id);
  bool is_same_source = known->second.source == event_.source;
  if (is_same_source && known->second.hash != hash) {
    PutInQuarantine(Reason::kConflict);
    return Seen::kQuarantined;
  }
  counts_.duplicate += 1;
  if (!is_same_source) counts_.duplicate_other_door += 1;
  return Seen::kDuplicate;
}

// --- 6. Fold

bool Model::FoldFacts() {
  is_over_cardinality_ = false;
  refusal_ = Reason::kNone;
  FindNamedAsk();
  MakeCounters();
  FoldPayload();
  FoldTimes();
  bool fits = NewRowsFit() && do_amounts_fit_;
  Reason reason = refusal_ != Reason::kNone ? refusal_
                  : is_over_cardinality_    ? Reason::kCardinality
                  : fits                    ? Reason::kNone
                                            : Reason::kOverflow;
  if (reason != Reason::kNone) {
    new_ = Tables();
    PutInQuarantine(reason);
    return false;
  }
  KeepNewRows();
  Remember();
  if (IsAsk(event_.type)) CountRefused();
  return true;
}

void Model::FoldPayload() {
  EventType type = event_.type;
  if (type == EventType::kTurnRecorded) FoldTurn();
  if (type == EventType::kTurnAmended) FoldAmendment();
  if (type >= EventType::kSessionStarted && type <= EventType::kSessionSummarized) FoldSession();
  if (type == EventType::kInteractionRecorded || type == EventType::kInteractionBatch) {
    for (const Interaction& interaction : event_.interactions) FoldInteraction(interaction);
    CountInteractions();
  }
  if (type >= EventType::kCaseChampioned && type <= EventType::kCollectionUnsubscribed) FoldKnowledge();
  if (IsVector(type)) FoldOperation();
  if (type == EventType::kConfigChanged) FoldConfig();
  if (type <= EventType::kConfigChanged) CountFacts();
  if (IsAsk(type)) FoldAsk();
  if (IsHoldEnd(type)) FoldEnd();
  if (IsDefinition(type)) FoldDefinition();
}

// The tenant's own two figures of time.
void Model::FoldTimes() {
  model::TenantRow& tenant = TouchTenant();
  if (event_.type > EventType::kConfigChanged) {
    tenant.events += 1;
    if (IsAsk(event_.type)) tenant.max_fold_us = std::max(tenant.max_fold_us, log_us_);
    return;
  }
  tenant.max_fold_us = std::max(tenant.max_fold_us, EnvelopePlace().us);
  bool is_ahead = event_.event_time.us > append_.us;
  if (event_.type == EventType::kInteractionBatch) {
    for (const Interaction& item : event_.interactions) is_ahead |= item.event_time.us > append_.us;
  }
  if (is_ahead) tenant.clock_ahead_events += 1;
}

// False: quarantined, and the lost ranges are as they were.
bool Model::FoldGap() {
  const Gap& gap = event_.gap;
  Stream& stream = streams_[{gap.producer, gap.epoch, gap.slot}];
  Stream after = stream;
  for (const SeqRange& range : gap.ranges) after.lost.Insert(range);
  for (const SeqRange& seen : after.seen.ranges()) after.lost.Remove(seen);
  if (after.lost.ranges().size() > model::kIntervalsMax) {
    PutInQuarantine(Reason::kTooManyGaps);
    return false;
  }
  TouchTenant();
  Int missing = after.Missing() - stream.Missing();
  Int lost = after.lost.Count() - stream.lost.Count();
  if (!BookMissing(missing, lost)) return false;
  KeepNewRows();  // the tenant's row, also when nothing is booked
  stream = after;
  return true;
}

// --- Rows

bool Model::NewRowsFit() const {
  model::FitCheck check;
  Tables::ForEach([&](auto table) {
    for (const auto& [name, row] : new_.*table) row.Visit(check);
  });
  return check.fits();
}

void Model::KeepNewRows() {
  Tables::ForEach([&](auto table) {
    for (auto& [name, row] : new_.*table) {
      if constexpr (std::is_same_v<decltype(row), model::AskRow>) NoteMoments(name, row);
      (rows_.*table)[name] = std::move(row);
      touched_.insert(name);
    }
    (new_.*table).clear();
  });
}

void Model::Remember() {
  auto remember = [&](std::string_view user, ListedFact fact) {
    listed_[{std::string(event_.tenant), std::string(user)}].push_back(std::move(fact));
  };
  if (event_.type == EventType::kTurnRecorded) {
    const Turn& turn = event_.turn;
    model::TokenSums tokens;
    tokens.Add(turn.tokens);
    remember(turn.user, {offset_, false, event_.id, EventId(), std::string(turn.session), tokens.Total(),
                         turn.provided_cost_nano_usd.value_or(0)});
  } else if (event_.type == EventType::kTurnAmended) {
    const Amendment& amendment = event_.amendment;
    model::TokenSums tokens;
    tokens.Add(amendment.tokens_delta);
    remember(amendment.user, {offset_, true, event_.id, amendment.original_id, std::string(amendment.session),
                              tokens.Total(), amendment.provided_cost_delta_nano_usd});
  } else if (IsVector(event_.type)) {
    const Operation& operation = event_.operation;
    int number = static_cast<int>(event_.type) - static_cast<int>(EventType::kVectorsAdded);
    RememberedOperation remembered{std::string(event_.tenant),
                                   std::string(operation.project),
                                   std::string(operation.user),
                                   std::string(model::kOperationNames[number]),
                                   std::string(model::StatusName(operation.status)),
                                   EnvelopePlace().us,
                                   {}};
    remembered.sums.Add(event_.type, operation);
    operations_.push_back(std::move(remembered));
  }
}

}  // namespace odometer
