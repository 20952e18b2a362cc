#include "consumers/refold.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "consumers/tenant_fold.h"
#include "log/local_log.h"
#include "state/projection.h"

namespace odometer {

namespace {

constexpr uint64_t kCommitRecords = 262'144;

class Auditor {
 public:
  Auditor(const AuditRequest& request, const RefoldProgress& progress) : request_(request), progress_(progress) {}

  Result<AuditResult> Run() {
    WorkDirectory work(request_.work_dir);
    ODOMETER_RETURN_IF_ERROR(work.Make());
    LocalLog::Options options;
    options.read_only = true;
    Result<std::unique_ptr<LocalLog>> log =
        LocalLog::Open(PosixFileSystem(), SystemClock(), request_.data_dir + "/log", options);
    if (!log.ok() && log.status().code() == Code::kCorrupt) {
      result_.report.Add(
          {"log", "", "", std::string(CodeName(log.status().code())), "readable", log.status().message(), 0, 0}, 1000);
      return std::move(result_);
    }
    if (!log.ok()) return log.status();
    log_ = log->get();
    result_.log_partitions = log_->partitions();
    for (uint32_t partition = 0; partition < log_->partitions(); ++partition) {
      // A daemon on Kafka has stores of the partitions that it owns.
      bool is_another_daemons = log_->is_copy() && !std::filesystem::exists(StorePath(partition));
      if (!is_another_daemons) ODOMETER_RETURN_IF_ERROR(AuditPartition(partition));
    }
    if (result_.positions.empty()) return Status(Code::kNotFound, "there is no store of any partition to audit");
    ODOMETER_RETURN_IF_ERROR(CompareDigests());
    stored_views_.clear();
    folded_views_.clear();
    return std::move(result_);
  }

 private:
  std::string StorePath(uint32_t partition) const {
    return PartitionPath(request_.store_dir.empty() ? request_.data_dir + "/state" : request_.store_dir, partition);
  }

  Status AuditPartition(uint32_t partition) {
    StoreOptions stored_options;
    stored_options.path = StorePath(partition);
    stored_options.read_only = true;
    Result<std::unique_ptr<Store>> stored = Store::Open(stored_options);
    if (!stored.ok()) return stored.status();
    const MetaRow& meta = (*stored)->meta();
    result_.positions.push_back({partition, meta.cursor});
    if (meta.log_id != log_->log_id()) {
      ReportLog(partition, Status(Code::kConflict, "the store was folded from log " + meta.log_id.ToString() +
                                                       ", this is log " + log_->log_id().ToString()));
      return Status::Ok();
    }
    if (!log_->holds(partition)) {
      ReportLog(partition, Status(Code::kCorrupt, "the partition is gone, and there is a store of it"));
      return Status::Ok();
    }
    uint64_t end = log_->partition(partition).range().end;
    if (end < meta.cursor && !log_->is_copy()) {
      result_.report.Add({fmt::format("log[p{}]", partition), "", "", "end", std::to_string(meta.cursor),
                          std::to_string(end), end, meta.cursor},
                         1000);
    }
    RefoldOptions options;
    options.path = PartitionPath(request_.work_dir, partition);
    options.to = meta.cursor;
    options.skip_to_end = log_->is_copy();  // records that it lost show in the counts and in the rolling hash
    Result<std::unique_ptr<Store>> folded = Refold(*log_, partition, options, progress_);
    if (!folded.ok() && folded.status().code() == Code::kCorrupt) {
      ReportLog(partition, folded.status());
      return Status::Ok();
    }
    if (!folded.ok()) return folded.status();
    result_.records += (*folded)->cursor();
    return Compare((*stored)->NewView(), (*folded)->NewView());
  }

  Status Compare(std::shared_ptr<const View> stored, std::shared_ptr<const View> folded) {
    AuditOptions options;
    options.user = request_.user;
    Result<AuditReport> report = CompareStores(*stored, *folded, options);
    if (!report.ok()) return report.status();
    result_.report.rows += report->rows;
    result_.report.fields += report->fields;
    result_.report.other_rows += report->other_rows;
    result_.report.difference_count += report->difference_count - report->differences.size();
    for (Difference& difference : report->differences)
      result_.report.Add(std::move(difference), options.differences_max);
    Result<std::vector<Difference>> law = CheckConservation(*stored);
    if (!law.ok()) return law.status();
    for (Difference& difference : *law) result_.report.Add(std::move(difference), options.differences_max);
    stored_views_.push_back(std::move(stored));
    folded_views_.push_back(std::move(folded));
    return Status::Ok();
  }

  Status CompareDigests() {
    Result<StateDigests> stored = ComputeDigests(stored_views_, std::nullopt);
    Result<StateDigests> folded = ComputeDigests(folded_views_, std::nullopt);
    if (!stored.ok()) return stored.status();
    if (!folded.ok()) return folded.status();
    result_.stored_digest = stored->state.hex();
    result_.folded_digest = folded->state.hex();
    return Status::Ok();
  }

  void ReportLog(uint32_t partition, const Status& status) {
    result_.report.Add({fmt::format("log[p{}]", partition), "", "", std::string(CodeName(status.code())), "readable",
                        status.message(), 0, 0},
                       1000);
  }

  const AuditRequest& request_;
  const RefoldProgress& progress_;
  LocalLog* log_ = nullptr;
  AuditResult result_;
  std::vector<std::shared_ptr<const View>> stored_views_;
  std::vector<std::shared_ptr<const View>> folded_views_;
};

}  // namespace

std::string PartitionPath(const std::string& directory, uint32_t partition) {
  return fmt::format("{}/p{:05}", directory, partition);
}

Result<std::unique_ptr<Store>> Refold(EventLog& log, uint32_t partition, const RefoldOptions& options,
                                      const RefoldProgress& progress) {
  StoreOptions store_options;
  store_options.path = options.path;
  store_options.log_id = log.log_id();
  store_options.partition = partition;
  store_options.partitions = log.partitions();
  Result<std::unique_ptr<Store>> store = Store::Open(store_options);
  if (!store.ok()) return store;
  if (!(*store)->is_new()) return Status(Code::kConflict, "store " + options.path + " exists already");
  uint64_t to = std::min(options.to, log.partition(partition).range().end);
  ProjectionOptions projection_options;
  projection_options.memory_bytes_max = options.memory_bytes_max;
  Projection projection(**store, projection_options);
  Result<std::unique_ptr<EventReader>> reader = log.partition(partition).Read(log.partition(partition).range().start);
  if (!reader.ok()) return reader.status();
  uint64_t committed = 0;
  std::vector<Outcome> outcomes;
  while ((*reader)->next_offset() < to) {
    Result<std::span<const Record>> records =
        (*reader)->Poll(std::min<uint64_t>(options.batch_records, to - (*reader)->next_offset()), 0);
    if (!records.ok()) return records.status();
    if (records->empty()) break;
    size_t step = options.commit_every_record ? 1 : records->size();
    for (size_t at = 0; at < records->size(); at += step) {
      outcomes.clear();
      ODOMETER_RETURN_IF_ERROR(projection.Apply(records->subspan(at, step), &outcomes));
      if (options.commit_every_record) ODOMETER_RETURN_IF_ERROR(projection.Commit());
    }
    uint64_t cursor = projection.meta().cursor;
    if (cursor - committed >= kCommitRecords || projection.bytes_in_memory() > options.memory_bytes_max) {
      ODOMETER_RETURN_IF_ERROR(projection.Commit());
      committed = cursor;
    }
    if (progress) progress(cursor, to);
  }
  if (options.skip_to_end && options.to > projection.meta().cursor) projection.SkipTo(options.to);
  ODOMETER_RETURN_IF_ERROR(projection.Commit());
  return store;
}

Result<AuditResult> Audit(const AuditRequest& request, const RefoldProgress& progress) {
  return Auditor(request, progress).Run();
}

}  // namespace odometer
