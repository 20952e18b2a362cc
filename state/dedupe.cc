#include "state/dedupe.h"

namespace odometer {

Result<Dedupe::StreamNode*> Dedupe::StreamOf(const Uuid& producer, uint64_t epoch, uint64_t slot) {
  return tables_.streams.FindOrMake(tables_.key.Begin(RowKind::kStream)
                                        .Id(producer)
                                        .Number(static_cast<int64_t>(epoch))
                                        .Number(static_cast<int64_t>(slot))
                                        .view());
}

Result<Dedupe::Seen> Dedupe::Look(const Event& event, uint64_t hash) {
  StreamNode* stream = nullptr;
  if (event.producer) {
    uint64_t seq = event.producer->seq;
    Result<StreamNode*> found = StreamOf(event.producer->id, event.producer->epoch, event.producer->slot);
    if (!found.ok()) return found.status();
    stream = *found;
    stream->made = false;
    if (stream->row.seen.Contains(seq)) {
      const StreamRow::Recent* recent = stream->row.FindRecent(seq);
      if (recent == nullptr) return Seen::kUnverified;
      return recent->hash == hash ? Seen::kDuplicate : Seen::kConflict;
    }
    if (stream->row.seen.SizeWith(seq) > kIntervalsMax) return Seen::kTooManyGaps;
  }
  Seen seen = Seen::kNew;
  if (event.id_kind == IdKind::kDerived || !event.producer) {
    Result<Seen> indexed = LookInIndex(event, hash);
    if (!indexed.ok()) return indexed;
    seen = *indexed;
  }
  if (stream != nullptr) ODOMETER_RETURN_IF_ERROR(Insert(event, stream, hash));
  return seen;
}

Result<Dedupe::Seen> Dedupe::LookInIndex(const Event& event, uint64_t hash) {
  Result<RowTable<IdRow>::Node*> node = tables_.ids.FindOrMake(tables_.key.Begin(RowKind::kIdIndex).Text(event.tenant).Id(event.id).view());
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

Status Dedupe::Insert(const Event& event, StreamNode* stream, uint64_t hash) {
  uint64_t seq = event.producer->seq;
  StreamRow& row = stream->row;
  int64_t missing_before = row.missing();
  int64_t lost = 0;
  if (row.lost.Contains(seq)) {
    row.lost.Remove(seq);
    lost = -1;
  }
  row.seen.Insert(seq);
  row.Remember(seq, hash);
  tables_.streams.MarkDirty(stream);
  return AddToTenant(event, row.missing() - missing_before, lost);
}

Status Dedupe::AddToTenant(const Event& event, int64_t missing, int64_t lost) {
  if (missing == 0 && lost == 0) return Status::Ok();
  Result<TenantNode*> node = tables_.tenants.FindOrMake(tables_.key.Begin(RowKind::kTenant).Text(event.tenant).view());
  if (!node.ok()) return node.status();
  (*node)->made = false;
  tables_.tenants.MarkDirty(*node);
  // Far from the range's end: a seq is at most 2^40, and 8 million streams of one tenant would be needed.
  (*node)->row.missing_events += missing;
  (*node)->row.lost_events += lost;
  return Status::Ok();
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
  int64_t missing_before = stream->row.missing();
  int64_t added = static_cast<int64_t>(lost.count() - stream->row.lost.count());
  stream->row.lost = std::move(lost);
  tables_.streams.MarkDirty(stream);
  ODOMETER_RETURN_IF_ERROR(AddToTenant(event, stream->row.missing() - missing_before, added));
  return Reason::kNone;
}

}  // namespace odometer
