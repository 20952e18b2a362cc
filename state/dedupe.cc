#include "state/dedupe.h"

#include <algorithm>

namespace odometer {

Result<Dedupe::StreamNode*> Dedupe::StreamOf(const Uuid& producer, uint64_t epoch, uint64_t slot) {
  Lately& lately = lately_[slot % lately_.size()];
  if (lately.generation == tables_.streams.generation() && lately.slot == slot && lately.epoch == epoch &&
      lately.producer == producer)
    return lately.stream;
  Result<StreamNode*> found = tables_.streams.FindOrMake(tables_.key.Begin(RowKind::kStream)
                                                             .Id(producer)
                                                             .Number(static_cast<int64_t>(epoch))
                                                             .Number(static_cast<int64_t>(slot))
                                                             .view());
  if (found.ok()) lately = {producer, epoch, slot, tables_.streams.generation(), *found};
  return found;
}

Result<Dedupe::Seen> Dedupe::Look(const Event& event, uint64_t hash) {
  StreamNode* stream = nullptr;
  if (event.producer) {
    uint64_t seq = event.producer->seq;
    Result<StreamNode*> found = StreamOf(event.producer->id, event.producer->epoch, event.producer->slot);
    if (!found.ok()) return found.status();
    stream = *found;
    stream->made = false;
    if (!stream->row.IsNext(seq)) {
      Result<Seen> looked = LookInStream(event, stream->row, hash);
      if (!looked.ok() || *looked != Seen::kNew) return looked;
    }
  }
  Seen seen = Seen::kNew;
  if (event.id_kind == IdKind::kDerived || !event.producer) {
    Result<Seen> indexed = LookInIndex(event, hash);
    if (!indexed.ok()) return indexed;
    seen = *indexed;
  }
  if (stream != nullptr) Insert(event, stream, hash);
  return seen;
}

// For a seq that is not the next: whether it was seen, and what its tenant misses when it was not.
Result<Dedupe::Seen> Dedupe::LookInStream(const Event& event, const StreamRow& row, uint64_t hash) {
  uint64_t seq = event.producer->seq;
  if (PlantedBug("high_water_dedupe") && seq < row.seen.greatest()) return Seen::kDuplicate;
  if (row.seen.Contains(seq)) {
    const StreamRow::Recent* recent = row.FindRecent(seq);
    if (recent == nullptr) return Seen::kUnverified;
    return recent->hash == hash ? Seen::kDuplicate : Seen::kConflict;
  }
  if (row.seen.SizeWith(seq) > kIntervalsMax) return Seen::kTooManyGaps;
  Result<bool> booked = BookInsert(event, row);
  if (!booked.ok()) return booked.status();
  return *booked ? Seen::kNew : Seen::kOverflow;
}

Result<Dedupe::Seen> Dedupe::LookInIndex(const Event& event, uint64_t hash) {
  Result<RowTable<IdRow>::Node*> node =
      tables_.ids.FindOrMake(tables_.key.Begin(RowKind::kIdIndex).Text(event.tenant).Id(event.id).view());
  if (!node.ok()) return node.status();
  IdRow& row = (*node)->row;
  uint64_t source_hash = HashOf(event.source);
  if (!(*node)->made) {
    if (row.source_hash != source_hash) return Seen::kOtherDoor;
    return row.hash == hash ? Seen::kDuplicate : Seen::kConflict;
  }
  (*node)->made = false;
  tables_.ids.MarkDirty(*node);
  row.hash = hash;
  row.source_hash = source_hash;
  return Seen::kNew;
}

// What inserting the event's seq will do to the tenant's missing and lost events, booked before it is inserted.
Result<bool> Dedupe::BookInsert(const Event& event, const StreamRow& row) {
  uint64_t seq = event.producer->seq;
  uint64_t greatest = std::max({seq, row.seen.greatest(), row.lost.greatest()});
  uint64_t lost = row.lost.Contains(seq) ? 1 : 0;
  int64_t missing = static_cast<int64_t>(greatest - (row.seen.count() + 1) - (row.lost.count() - lost));
  return AddToTenant(event, missing - row.missing(), -static_cast<int64_t>(lost));
}

void Dedupe::Insert(const Event& event, StreamNode* stream, uint64_t hash) {
  uint64_t seq = event.producer->seq;
  if (!stream->row.lost.intervals().empty()) stream->row.lost.Remove(seq);
  stream->row.seen.Insert(seq);
  stream->row.Remember(seq, hash);
  tables_.streams.MarkDirty(stream);
}

Result<bool> Dedupe::AddToTenant(const Event& event, int64_t missing, int64_t lost) {
  if ((missing == 0 && lost == 0) || PlantedBug("gap_forgotten")) return true;
  Result<TenantNode*> found = tables_.tenants.FindOrMake(tables_.key.Begin(RowKind::kTenant).Text(event.tenant).view());
  if (!found.ok()) return found.status();
  TenantNode* node = *found;
  TenantRow& row = node->row;
  int64_t new_missing = 0, new_lost = 0;
  if (__builtin_add_overflow(row.missing_events, missing, &new_missing) ||
      __builtin_add_overflow(row.lost_events, lost, &new_lost)) {
    if (node->made) tables_.tenants.Erase(node);
    return false;
  }
  node->made = false;
  node->high |= IsHigh(new_missing) || IsHigh(new_lost);
  tables_.tenants.MarkDirty(node);
  row.missing_events = new_missing;
  row.lost_events = new_lost;
  return true;
}

Result<Reason> Dedupe::Report(const Event& event) {
  const Gap& gap = event.gap;
  Result<StreamNode*> found = StreamOf(gap.producer, gap.epoch, gap.slot);
  if (!found.ok()) return found.status();
  StreamNode* stream = *found;
  stream->made = false;
  IntervalSet lost = stream->row.lost;
  for (const SeqRange& range : gap.ranges) {
    for (const IntervalSet::Interval& part : stream->row.seen.MissingFrom(range.first, range.last)) {
      lost.InsertRange(part.first, part.last);
    }
  }
  if (lost.intervals().size() > kIntervalsMax) return Reason::kTooManyGaps;
  StreamRow after{stream->row.seen, std::move(lost), {}, 0};
  int64_t added = static_cast<int64_t>(after.lost.count() - stream->row.lost.count());
  Result<bool> booked = AddToTenant(event, after.missing() - stream->row.missing(), added);
  if (!booked.ok()) return booked.status();
  if (!*booked) return Reason::kOverflow;
  stream->row.lost = std::move(after.lost);
  tables_.streams.MarkDirty(stream);
  Result<TenantNode*> tenant =
      tables_.tenants.FindOrMake(tables_.key.Begin(RowKind::kTenant).Text(event.tenant).view());
  if (!tenant.ok()) return tenant.status();
  (*tenant)->made = false;
  tables_.tenants.MarkDirty(*tenant);
  return Reason::kNone;
}

}  // namespace odometer
