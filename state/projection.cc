#include "state/projection.h"

#include <algorithm>
#include <cstring>

#include "state/account_fold.h"
#include "state/ahead.h"
#include "state/chain.h"
#include "state/dedupe.h"
#include "state/hash.h"
#include "state/limit_fold.h"
#include "state/refused_operation.h"
#include "state/tenant_slots.h"
#include "state/vector_fold.h"

namespace odometer {

const char* OutcomeName(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kApplied:
      return "applied";
    case Outcome::Kind::kDuplicate:
      return "duplicate";
    case Outcome::Kind::kQuarantined:
      return "quarantined";
  }
  return "";
}

struct Projection::Impl {
  Impl(Store& the_store, const ProjectionOptions& the_options)
      : store(the_store),
        options(the_options),
        tables(the_store),
        accounts(tables, change, options),
        vectors(tables, change, options),
        limits(tables, change, accounts, options),
        dedupe(tables, change),
        meta(the_store.meta()) {}

  Store& store;
  ProjectionOptions options;
  Tables tables;
  Change change;
  AccountFold accounts;
  VectorFold vectors;
  LimitFold limits;
  bool is_open = false;  // limits knows the open holds
  std::vector<Answer> answers;
  Dedupe dedupe;
  MetaRow meta;
  TenantSlots slots;
  Event refused;  // as an operation; reused
  bool meta_dirty = false;
  bool is_committing = false;  // the batch is begun, and not in the store as far as anybody knows
  MetaRow begun;               // of the batch
  // Rows of no table since the last commit, by offset.
  std::vector<std::pair<std::string, std::string>> marks, quarantined;
  RowBatch batch;  // of a commit; reused

  // A record on its way through the fold; reused.
  struct Coming {
    Event event;
    Reason reason = Reason::kNone;  // of its decoding
    std::array<uint64_t, 2> hash{};
    uint32_t slot = 0;  // of its tenant
    Ahead ahead;
  };
  static constexpr size_t kGroup = 16;  // as many loads as a core keeps under way, and small beside its cache
  std::array<Coming, kGroup> coming;

  void LookAhead(std::span<const Record> group);
  Result<Outcome> Apply(const Record& record, Coming& its);
  Result<Outcome> Judge(const Record& record, Coming& its);
  Result<Outcome> Duplicate(const Record& record, const Event& event);
  Result<Reason> FoldNew(const Record& record, Coming& its);
  Result<Reason> FoldLimits(const Record& record, const Event& event, int64_t log_time_us);
  Status CountRefused(const Record& record, const Event& ask, int64_t log_time_us);
  Result<Reason> FoldFact(const Record& record, const Coming& its);
  Reason CheckPlace(const Record& record, const Coming& its) const;
  Status Open();
  Status ExpireUntil(int64_t log_time_us);
  void SkipTo(uint64_t offset);
  void Chain(const Record& record, const std::array<uint64_t, 2>& hash);
  void Count(const Record& record, const Outcome& outcome);
  void Quarantine(const Record& record, Reason reason);
};

Projection::Projection(Store& store, ProjectionOptions options) : impl_(std::make_unique<Impl>(store, options)) {}
Projection::~Projection() = default;

const MetaRow& Projection::meta() const { return impl_->meta; }

std::vector<Answer> Projection::TakeAnswers() { return std::exchange(impl_->answers, {}); }
std::vector<std::string> Projection::TakeCrossings() { return impl_->limits.TakeCrossings(); }
size_t Projection::crossings_waiting() const { return impl_->limits.crossings_waiting(); }
std::optional<int64_t> Projection::next_due_us() const { return impl_->limits.next_due_us(); }

Status Projection::Apply(std::span<const Record> records, std::vector<Outcome>* outcomes) {
  for (size_t begun = 0; begun < records.size(); begun += Impl::kGroup) {
    std::span<const Record> group = records.subspan(begun, std::min(Impl::kGroup, records.size() - begun));
    impl_->LookAhead(group);
    for (size_t i = 0; i < group.size(); ++i) {
      Result<Outcome> outcome = impl_->Apply(group[i], impl_->coming[i]);
      if (!outcome.ok()) return outcome.status();
      outcomes->push_back(*outcome);
    }
  }
  return Status::Ok();
}

Result<Outcome> Projection::Apply(const Record& record) {
  impl_->LookAhead({&record, 1});
  return impl_->Apply(record, impl_->coming[0]);
}

void Projection::Impl::LookAhead(std::span<const Record> group) {
  for (size_t i = 0; i < group.size(); ++i) {
    Coming& its = coming[i];
    its.reason = Decode(group[i].bytes, &its.event);
    if (its.reason != Reason::kNone) its.event.type = EventType::kNone;
    if (its.reason == Reason::kNone) its.slot = slots.Of(its.event.tenant);
    its.ahead.Hash(its.event, group[i].append_time, tables);
  }
  for (size_t i = 0; i < group.size(); ++i) coming[i].ahead.Find(tables);
  // Work that waits for no row, while memory looks for them.
  for (size_t i = 0; i < group.size(); ++i) coming[i].hash = Hash128Of(group[i].bytes);
  for (size_t i = 0; i < group.size(); ++i) coming[i].ahead.FindBeyond(tables);
  for (size_t i = 0; i < group.size(); ++i) coming[i].ahead.FindRest(tables);
}

Result<Outcome> Projection::Impl::Apply(const Record& record, Coming& its) {
  ODOMETER_CHECK(record.offset >= meta.cursor);
  if (record.offset > meta.cursor) SkipTo(record.offset);
  ODOMETER_RETURN_IF_ERROR(ExpireUntil(std::max(meta.log_time_us, record.append_time.us)));
  Result<Outcome> outcome = Judge(record, its);
  if (!outcome.ok()) return outcome;
  Chain(record, its.hash);
  Count(record, *outcome);
  return outcome;
}

Status Projection::Impl::Open() {
  if (is_open) return Status::Ok();
  ODOMETER_RETURN_IF_ERROR(limits.Open(store));
  is_open = true;
  return Status::Ok();
}

Status Projection::Open() { return impl_->Open(); }

Status Projection::Impl::ExpireUntil(int64_t log_time_us) {
  if (is_open && !limits.IsDue(log_time_us)) return Status::Ok();
  ODOMETER_RETURN_IF_ERROR(Open());
  return limits.ExpireUntil(log_time_us);
}

Status Projection::AdvanceTo(int64_t log_time_us) {
  ODOMETER_RETURN_IF_ERROR(impl_->ExpireUntil(std::max(impl_->meta.log_time_us, log_time_us)));
  impl_->meta.log_time_us = std::max(impl_->meta.log_time_us, log_time_us);
  impl_->meta_dirty = true;
  return Status::Ok();
}

void Projection::SkipTo(uint64_t offset) { impl_->SkipTo(offset); }

void Projection::Impl::SkipTo(uint64_t offset) {
  ODOMETER_CHECK(offset >= meta.cursor);
  meta.holes += offset - meta.cursor;
  meta.cursor = offset;
  meta_dirty = true;
}

Result<Outcome> Projection::Impl::Judge(const Record& record, Coming& its) {
  const Event& event = its.event;
  auto quarantined = [&](Reason reason) { return Outcome{Outcome::Kind::kQuarantined, reason, event.type}; };
  if (its.reason != Reason::kNone) return quarantined(its.reason);
  if (Reason reason = CheckPlace(record, its); reason != Reason::kNone) return quarantined(reason);
  Outcome applied{Outcome::Kind::kApplied, Reason::kNone, event.type};
  if (event.type == EventType::kGenesis || event.type == EventType::kTick) return applied;

  if (PlantedBug("dedupe_after_fold")) {
    Result<Reason> early = FoldNew(record, its);
    if (!early.ok()) return early.status();
  }
  Result<Dedupe::Seen> seen = dedupe.Look(event, its.hash[0]);
  if (!seen.ok()) return seen.status();
  if (event.type == EventType::kLimitCrossed && *seen != Dedupe::Seen::kNew) limits.ForgetCrossed(event);
  switch (*seen) {
    case Dedupe::Seen::kNew:
      break;
    case Dedupe::Seen::kConflict:
      if (PlantedBug("conflict_is_duplicate")) return Outcome{Outcome::Kind::kDuplicate, Reason::kNone, event.type};
      return quarantined(Reason::kConflict);
    case Dedupe::Seen::kTooManyGaps:
      return quarantined(Reason::kTooManyGaps);
    case Dedupe::Seen::kOverflow:
      return quarantined(Reason::kOverflow);
    case Dedupe::Seen::kUnverified:
      ++meta.duplicate_unverified;
      return Duplicate(record, event);
    case Dedupe::Seen::kOtherDoor:
      ++meta.duplicate_other_door;
      return Duplicate(record, event);
    case Dedupe::Seen::kDuplicate:
      return Duplicate(record, event);
  }
  if (PlantedBug("dedupe_after_fold")) return applied;
  // A minted id is known by its stamp alone; an ask has one verdict, whatever stamps it comes with.
  if (IsAsk(event.type)) {
    Result<bool> is_known = limits.Knows(event, std::max(meta.log_time_us, record.append_time.us));
    if (!is_known.ok()) return is_known.status();
    if (*is_known && !PlantedBug("retry_judged_anew")) return Duplicate(record, event);
  }
  Result<Reason> folded = FoldNew(record, its);
  if (!folded.ok()) return folded.status();
  return *folded == Reason::kNone ? applied : quarantined(*folded);
}

// Who asks again is told the first verdict.
Result<Outcome> Projection::Impl::Duplicate(const Record& record, const Event& event) {
  if (options.keeps_answers && IsAsk(event.type)) {
    Result<const AskRow*> first = limits.FirstOf(event, std::max(meta.log_time_us, record.append_time.us));
    if (!first.ok()) return first.status();
    if (*first != nullptr) answers.push_back({record.offset, **first});
  }
  return Outcome{Outcome::Kind::kDuplicate, Reason::kNone, event.type};
}

Reason Projection::Impl::CheckPlace(const Record& record, const Coming& its) const {
  const Event& event = its.event;
  if ((event.type == EventType::kGenesis) != (record.offset == 0)) return Reason::kGenesisPosition;
  if (event.type == EventType::kGenesis || event.type == EventType::kTick) return Reason::kNone;
  bool placed = its.slot % meta.partitions == meta.partition && (!event.producer || event.producer->slot == its.slot) &&
                (event.type != EventType::kGapReported || event.gap.slot == its.slot);
  return placed || PlantedBug("misplaced_folded") ? Reason::kNone : Reason::kMisplaced;
}

Result<Reason> Projection::Impl::FoldNew(const Record& record, Coming& its) {
  const Event& event = its.event;
  if (event.type == EventType::kGapReported) return dedupe.Report(event);
  if (event.type == EventType::kLimitCrossed) return limits.FoldCrossed(event, record.offset);
  int64_t log_time_us = std::max(meta.log_time_us, record.append_time.us);
  if (LimitFold::IsMine(event.type)) return FoldLimits(record, event, log_time_us);
  Result<Reason> prepared = limits.Prepare(&its.event, its.slot, record.append_time, log_time_us);
  if (!prepared.ok() || *prepared != Reason::kNone) return prepared;
  Result<Reason> folded = FoldFact(record, its);
  if (folded.ok() && *folded == Reason::kNone) ODOMETER_RETURN_IF_ERROR(limits.Take(event));
  return folded;
}

Result<Reason> Projection::Impl::FoldLimits(const Record& record, const Event& event, int64_t log_time_us) {
  Result<Reason> folded = limits.Fold(event, log_time_us);
  if (!folded.ok() || *folded != Reason::kNone || IsDefinition(event.type)) return folded;
  const AskRow* row = limits.last_ask();
  if (options.keeps_answers) answers.push_back({record.offset, row == nullptr ? std::nullopt : std::optional(*row)});
  bool is_refused = IsAsk(event.type) && !row->verdict.allowed;
  if (is_refused && !PlantedBug("refusal_not_counted"))
    ODOMETER_RETURN_IF_ERROR(CountRefused(record, event, log_time_us));
  return folded;
}

Status Projection::Impl::CountRefused(const Record& record, const Event& ask, int64_t log_time_us) {
  if (!RefusedOperation(ask, &refused)) return Status::Ok();
  refused.event_time.us = log_time_us;
  return vectors.FoldRefused(refused, record.offset, log_time_us);
}

Result<Reason> Projection::Impl::FoldFact(const Record& record, const Coming& its) {
  const Event& event = its.event;
  if (IsVector(event.type)) {
    Result<Reason> folded = vectors.Fold(event, its.ahead, record.append_time);
    if (folded.ok() && *folded == Reason::kNone) vectors.Post(event, record);
    return folded;
  }
  return accounts.Fold(event, its.ahead, record);
}

void Projection::Impl::Chain(const Record& record, const std::array<uint64_t, 2>& hash) {
  if (record.offset % kChainStep == 0) {
    marks.emplace_back(KeyBuilder().Begin(RowKind::kChain).Number(static_cast<int64_t>(record.offset)).str(),
                       EncodeRow(ChainRow{meta.rolling_hash}));
  }
  meta.rolling_hash = ChainLink(meta.rolling_hash, record, hash);
}

void Projection::Impl::Count(const Record& record, const Outcome& outcome) {
  meta_dirty = true;
  meta.cursor = record.offset + 1;
  meta.log_time_us = std::max(meta.log_time_us, record.append_time.us);
  switch (outcome.kind) {
    case Outcome::Kind::kApplied:
      ++meta.applied[static_cast<size_t>(outcome.type)];
      if (IsOwn(outcome.type)) ++meta.own_events;
      break;
    case Outcome::Kind::kDuplicate:
      ++meta.duplicate;
      break;
    case Outcome::Kind::kQuarantined:
      ++meta.quarantined[static_cast<size_t>(outcome.reason)];
      Quarantine(record, outcome.reason);
      break;
  }
}

void Projection::Impl::Quarantine(const Record& record, Reason reason) {
  if (PlantedBug("quarantine_lost")) return;
  QuarantineRow row;
  row.reason = static_cast<uint8_t>(reason);
  row.append_time_us = record.append_time.us;
  row.size_bytes = record.bytes.size();
  row.null_payload = record.bytes.data() == nullptr;
  row.head = record.bytes.substr(0, 4096);
  quarantined.emplace_back(KeyBuilder().Begin(RowKind::kQuarantine).Number(static_cast<int64_t>(record.offset)).str(),
                           EncodeRow(row));
}

bool Projection::changed() const { return impl_->meta_dirty; }
bool Projection::dirty() const { return impl_->meta_dirty || impl_->is_committing; }
uint64_t Projection::begun_cursor() const { return impl_->begun.cursor; }

size_t Projection::rows_changed() const {
  size_t rows = 0;
  impl_->tables.ForEach([&](const auto& table) { rows += table.dirty_nodes().size(); });
  return rows;
}

Status Projection::Commit() {
  bool is_one_waiting = impl_->is_committing;
  ODOMETER_RETURN_IF_ERROR(BeginCommit());
  if (!impl_->is_committing) return Status::Ok();
  ODOMETER_RETURN_IF_ERROR(WriteCommit());
  FinishCommit();
  return is_one_waiting ? Commit() : Status::Ok();
}

Status Projection::BeginCommit() {
  Impl& impl = *impl_;
  if (!impl.meta_dirty || impl.is_committing) return Status::Ok();
  ODOMETER_RETURN_IF_ERROR(impl.limits.RemoveGone(impl.store, impl.meta.log_time_us));
  RowBatch& batch = impl.batch;
  batch.Clear();
  impl.tables.WriteTo(&batch, [&](RowKind kind) {
    if (kind != RowKind::kChain && kind != RowKind::kQuarantine) return impl.limits.WriteTo(kind, &batch);
    for (const auto& [key, value] : kind == RowKind::kChain ? impl.marks : impl.quarantined) batch.Put(key, value);
  });
  impl.tables.MarkClean();
  impl.limits.MarkClean();
  impl.marks.clear();
  impl.quarantined.clear();
  impl.meta_dirty = false;
  impl.begun = impl.meta;
  impl.is_committing = true;
  return Status::Ok();
}

Status Projection::WriteCommit() { return impl_->store.Commit(impl_->batch, impl_->begun); }

void Projection::FinishCommit() {
  Impl& impl = *impl_;
  impl.is_committing = false;
  impl.tables.TakeOutRemoved();
  impl.limits.Committed();
  // Every table gives up in proportion to what it holds: little at a time, for whoever asks waits meanwhile.
  uint64_t held = bytes_in_memory();
  uint64_t allowed = impl.options.memory_bytes_max;
  if (held > allowed) {
    impl.tables.ForEach([&](auto& table) {
      table.Evict(static_cast<size_t>(static_cast<__int128>(table.bytes()) * allowed / held / 16 * 15));
    });
  }
}

uint64_t Projection::rows_in_memory() const {
  uint64_t rows = 0;
  impl_->tables.ForEach([&](const auto& table) { rows += table.rows(); });
  return rows;
}

uint64_t Projection::bytes_in_memory() const {
  uint64_t bytes = impl_->tables.pending.bytes();
  impl_->tables.ForEach([&](const auto& table) { bytes += table.bytes(); });
  return bytes;
}

}  // namespace odometer
