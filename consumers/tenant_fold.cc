#include "consumers/tenant_fold.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/placement.h"

namespace odometer {

namespace {

constexpr size_t kBatchRecords = 4096;

}  // namespace

WorkDirectory::~WorkDirectory() {
  if (!is_ours_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Status WorkDirectory::Make() {
  std::error_code failed;
  if (std::filesystem::exists(path_, failed))
    return {Code::kConflict, "work directory " + path_ + " exists: name another with --work-dir"};
  is_ours_ = true;
  std::filesystem::create_directories(path_, failed);
  return failed ? Status(Code::kIo, "cannot make " + path_ + ": " + failed.message()) : Status::Ok();
}

TenantFold::TenantFold(std::unique_ptr<Store> store, std::string tenant, ProjectionOptions options)
    : store_(std::move(store)),
      projection_(std::make_unique<Projection>(*store_, std::move(options))),
      tenant_(std::move(tenant)),
      slot_(SlotOf(tenant_)) {}

Result<std::unique_ptr<TenantFold>> TenantFold::Open(const FoldSource& source, std::string tenant,
                                                     const std::string& path, ProjectionOptions options) {
  StoreOptions store_options;
  store_options.path = path;
  store_options.log_id = source.log_id;
  store_options.partition = source.partition->partition();
  store_options.partitions = source.partitions;
  Result<std::unique_ptr<Store>> store = Store::Open(store_options);
  if (!store.ok()) return store.status();
  if (!(*store)->is_new()) return Status(Code::kConflict, "store " + path + " exists already");
  options.keeps_answers = true;
  return std::unique_ptr<TenantFold>(new TenantFold(std::move(*store), std::move(tenant), std::move(options)));
}

// The slot's other tenants share its seqs.
bool TenantFold::Matters(const Event& event) const {
  if (event.type == EventType::kNone || event.type == EventType::kGenesis || event.type == EventType::kTick)
    return false;
  return event.type == EventType::kGapReported ? event.gap.slot == slot_ : SlotOf(event.tenant) == slot_;
}

Result<TenantFold::Folded> TenantFold::Step(const Record& record, const Event& event) {
  if (Matters(event)) return Fold(record);
  ODOMETER_RETURN_IF_ERROR(Pass(record.append_time));
  return Folded();
}

Result<TenantFold::Folded> TenantFold::Apply(const Event& event, AppendTime append) {
  std::string bytes = Encode(event);
  OwnedRecord record = OwnedRecord::Copy({0, append, bytes});
  return Fold({0, append, record.bytes});
}

Status TenantFold::Pass(AppendTime append) {
  if (append.us <= log_time_us()) return Status::Ok();
  return AdvanceTo(append.us);
}

Result<TenantFold::Folded> TenantFold::Fold(const Record& record) {
  Record own = record;
  own.offset = next_offset_++;
  if (!std::exchange(has_begun_, true)) projection_->SkipTo(own.offset);
  Result<Outcome> outcome = projection_->Apply(own);
  if (!outcome.ok()) return outcome.status();
  Folded folded{*outcome, std::nullopt};
  std::vector<Answer> answers = projection_->TakeAnswers();
  bool is_judged = outcome->kind == Outcome::Kind::kApplied && !answers.empty();
  if (is_judged) folded.verdict = std::move(answers.back().ask);
  if (own.offset % kBatchRecords == 0 && projection_->bytes_in_memory() > ProjectionOptions().memory_bytes_max / 2)
    ODOMETER_RETURN_IF_ERROR(projection_->Commit());
  return folded;
}

Result<std::shared_ptr<const View>> TenantFold::NewView() {
  ODOMETER_RETURN_IF_ERROR(projection_->Commit());
  return store_->NewView();
}

Status ReadRecords(const FoldSource& source, uint64_t to, const ReadProgress& progress, const RecordVisitor& f) {
  PartitionLog& part = *source.partition;
  OffsetRange held = part.held();
  to = std::min(to, held.end);
  Result<std::unique_ptr<EventReader>> reader = part.ReadHeld(held.start);
  if (!reader.ok()) return reader.status();
  Event event;
  while ((*reader)->next_offset() < to) {
    Result<std::span<const Record>> records =
        (*reader)->Poll(std::min<uint64_t>(kBatchRecords, to - (*reader)->next_offset()), 0);
    if (!records.ok()) return records.status();
    if (records->empty()) break;
    for (const Record& record : *records) {
      if (Decode(record.bytes, &event) != Reason::kNone) event.type = EventType::kNone;
      Result<bool> goes_on = f(record, event);
      if (!goes_on.ok()) return goes_on.status();
      if (!*goes_on) return Status::Ok();
    }
    if (progress && !progress((*reader)->next_offset(), to)) return Status(Code::kUnavailable, "stopped");
  }
  return Status::Ok();
}

}  // namespace odometer
