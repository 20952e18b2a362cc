// state/vector_fold.h: VectorFold, what the seven vector operations do to the rows of a tenant's projects. The meaning
// of each figure: docs/figures.md section 4.
//
// Confined to the runner thread.
#pragma once

#include "core/event.h"
#include "core/reason.h"
#include "core/record.h"
#include "state/ahead.h"
#include "state/change.h"
#include "state/projection.h"
#include "state/tables.h"

namespace odometer {

class VectorFold {
 public:
  VectorFold(Tables& tables, Change& change, const ProjectionOptions& options)
      : tables_(tables), change_(change), options_(options) {}

  // As AccountFold::Fold().
  Result<Reason> Fold(const Event& event, const Ahead& ahead, AppendTime append);
  // Of a refused ask (RefusedOperation), in the log at `offset`, at the partition's log time: what it adds but to
  // `events`, and its posting; nothing at all where it has no room.
  Status FoldRefused(const Event& operation, uint64_t offset, int64_t log_time_us);
  // Once it is folded.
  void Post(const Event& event, const Record& record);

 private:
  using CollectionNode = RowTable<CollectionRow>::Node;
  using GaugesNode = RowTable<UserGaugesRow>::Node;

  struct Rows {
    FoldTime time;
    TenantNode* tenant = nullptr;
    ProjectNode* project = nullptr;
    ProjectNode* user = nullptr;           // project_user
    CollectionNode* collection = nullptr;  // null: none named
    GaugesNode* gauges = nullptr;          // null: the user's stay as they are
    RowTable<ProjectHourRow>::Node* hour = nullptr;
    RowTable<ProjectMinuteRow>::Node* minute = nullptr;
    RowTable<ServiceDayRow>::Node* service = nullptr;
  };

  Status FoldOne(const Event& event, const Ahead& ahead, AppendTime append, bool is_ask);
  void PostAt(const Event& event, uint64_t offset, FoldTime time);
  Result<Rows> Resolve(const Event& event, const Ahead& ahead, AppendTime append);
  Status ResolveHour(const Event& event, Rows* rows);
  Status ResolveMinute(const Event& event, Rows* rows);
  Status ResolveCollection(const Event& event, Rows* rows);
  Status ResolveGauges(const Event& event, Rows* rows);
  bool NeedsCare(const Event& event, const Rows& rows) const;
  void TouchAll(const Rows& rows);
  void AddOperation(const Event& event, const Rows& rows);
  void AddHour(const Event& event, const Rows& rows);
  void AddGauges(const Event& event, const Rows& rows);
  void Count(const Operation& op, const Rows& rows);
  Status SetExists(const Event& event, const Rows& rows);
  Status AddOwned(const Event& event, const std::string& owner, int64_t change);
  bool IsLater(const Event& event, const Rows& rows) const;
  bool WinsDrop(const Event& event, const Rows& rows) const;
  void TakeOut(const Operation& op, const Rows& rows);
  void AddVectors(const Rows& rows, __int128 vectors, __int128 bytes);

  Tables& tables_;
  Change& change_;
  const ProjectionOptions& options_;
  Reason refusal_ = Reason::kNone;
  ProjectNode* project_ = nullptr;  // of the event that was folded last
};

}  // namespace odometer
