// consumers/tenant_fold.h: TenantFold, one tenant's part of a log folded again, into a store of its own: what `explain`
// and `backtest` ask.
//
//   auto fold = TenantFold::Open(source, "acme", directory, {}).value();
//   fold->Step(record);                                    // one for each record of the tenant's partition, in order
//   std::shared_ptr<const View> view = fold->NewView();    // of all stepped over so far
//
// Records of tenants in other slots only move log_time, which is all that they have to do with this one; so every row
// of the tenant is as the whole fold's. Offsets in its rows are numbers of its own. Confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "log/event_log.h"
#include "state/projection.h"
#include "state/store.h"

namespace odometer {

// A directory for a fold of one's own: made, and removed at the end; never one that was there before.
class WorkDirectory {
 public:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  ~WorkDirectory();
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  Status Make();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool is_ours_ = false;
};

// One partition of a log, and what a store of it must know. The partition is the one that a Runner reads: of a log with
// a copy at hand, that copy is read.
struct FoldSource {
  Uuid log_id;
  uint32_t partitions = 0;
  PartitionLog* partition = nullptr;
};

class TenantFold {
 public:
  struct Folded {
    Outcome outcome;                // kApplied of kNone: not of the tenant's slot
    std::optional<AskRow> verdict;  // of an ask that was judged by this record; of the end of a hold: its row
  };

  // `path` is of the store, and must not exist.
  static Result<std::unique_ptr<TenantFold>> Open(const FoldSource& source, std::string tenant, const std::string& path,
                                                  ProjectionOptions options);

  // Whether a record has a part in the tenant's rows, beside moving log_time.
  bool Matters(const Event& event) const;
  // `event` is decoded from the record, type kNone where it cannot be.
  Result<Folded> Step(const Record& record, const Event& event);
  // An event that the log does not hold, or another in its record's place.
  Result<Folded> Apply(const Event& event, AppendTime append);
  // Moves log_time alone.
  Status Pass(AppendTime append);
  Status AdvanceTo(int64_t log_time_us) { return projection_->AdvanceTo(log_time_us); }

  int64_t log_time_us() const { return projection_->meta().log_time_us; }
  Result<std::shared_ptr<const View>> NewView();

 private:
  TenantFold(std::unique_ptr<Store> store, std::string tenant, ProjectionOptions options);
  Result<Folded> Fold(const Record& record);

  std::unique_ptr<Store> store_;
  std::unique_ptr<Projection> projection_;
  std::string tenant_;
  uint32_t slot_;
  uint64_t next_offset_ = 1;
  bool has_begun_ = false;
};

// Told now and then of the offset reached, and of where it ends; false: stop.
using ReadProgress = std::function<bool(uint64_t reached, uint64_t end)>;

// Reads a partition's records up to an offset, each with its event; f says whether to go on. kUnavailable: progress
// said stop.
using RecordVisitor = std::function<Result<bool>(const Record&, const Event&)>;
Status ReadRecords(const FoldSource& source, uint64_t to, const ReadProgress& progress, const RecordVisitor& f);

}  // namespace odometer
