#include "state/vector_fold.h"

#include <algorithm>

#include "core/period.h"
#include "state/amounts.h"
#include "state/hour_cell.h"

namespace odometer {

namespace {

bool NeedsCare(const Event& event) {
  const Operation& op = event.operation;
  return Large(op.requested) || Large(op.succeeded) || Large(op.vectors_delta) || Large(op.bytes_delta) ||
         Large(op.payload_bytes) || Large(op.duration_us.value_or(0)) || Large(op.inserted) || Large(op.results) ||
         Large(op.counted_vectors) || Large(op.counted_bytes);
}

// Whether an operation with this status took effect.
bool TookEffect(OperationStatus status) {
  return status == OperationStatus::kSuccess || status == OperationStatus::kPartialFailure;
}

bool IsSearch(const Event& event) {
  return event.type == EventType::kVectorsSearched && event.operation.status != OperationStatus::kQuotaExceeded;
}

}  // namespace

Result<Reason> VectorFold::Fold(const Event& event, const Ahead& ahead, AppendTime append) {
  refusal_ = Reason::kNone;
  Status folded = FoldOne(event, ahead, append, false);
  bool fits = change_.Finish();
  if (!folded.ok()) return folded;
  if (refusal_ != Reason::kNone) return refusal_;
  return fits ? Reason::kNone : Reason::kOverflow;
}

Status VectorFold::FoldRefused(const Event& operation, uint64_t offset, int64_t log_time_us) {
  refusal_ = Reason::kNone;
  Status folded = FoldOne(operation, Ahead(), AppendTime{log_time_us}, true);
  bool fits = change_.Finish();
  if (folded.ok() && fits && refusal_ == Reason::kNone) PostAt(operation, offset, FoldTime{log_time_us});
  return folded;
}

#define ODOMETER_RESOLVE(table, into, build)               \
  do {                                                     \
    auto node_ = tables_.table.FindOrMake((build).view()); \
    if (!node_.ok()) return node_.status();                \
    into = *node_;                                         \
  } while (0)

// The row of the user in the project mostly knows the others.
Result<VectorFold::Rows> VectorFold::Resolve(const Event& event, const Ahead& ahead, AppendTime append) {
  const Operation& op = event.operation;
  Rows rows;
  rows.time = PlaceAt(event.event_time, append);
  KeyBuilder& key = tables_.key;
  rows.user = ahead.ProjectUserIn(tables_, op.user, op.project);
  if (rows.user == nullptr)
    ODOMETER_RESOLVE(project_users, rows.user,
                     key.Begin(RowKind::kProjectUser).Text(event.tenant).Text(op.user).Text(op.project));
  NodeHints<ProjectRow>& hints = rows.user->hints;
  if (hints.of != tables_.project_hints_generation()) {
    ODOMETER_RESOLVE(tenants, rows.tenant, key.Begin(RowKind::kTenant).Text(event.tenant));
    ODOMETER_RESOLVE(projects, rows.project, key.Begin(RowKind::kProject).Text(event.tenant).Text(op.project));
    hints.of = tables_.project_hints_generation();
    hints.tenant = rows.tenant;
    hints.project = rows.project;
    hints.hour = kNever;
    hints.collections = {};
    hints.gauges = nullptr;
  }
  rows.tenant = hints.tenant;
  rows.project = hints.project;
  ODOMETER_RETURN_IF_ERROR(ResolveHour(event, &rows));
  ODOMETER_RETURN_IF_ERROR(ResolveMinute(event, &rows));
  if (!op.collection.empty()) ODOMETER_RETURN_IF_ERROR(ResolveCollection(event, &rows));
  if (op.vectors_delta != 0 || op.bytes_delta != 0) ODOMETER_RETURN_IF_ERROR(ResolveGauges(event, &rows));
  return rows;
}

Status VectorFold::ResolveHour(const Event& event, Rows* rows) {
  const Operation& op = event.operation;
  KeyBuilder& key = tables_.key;
  NodeHints<ProjectRow>& hints = rows->user->hints;
  size_t tenant_bytes = 2 + event.tenant.size();
  int64_t hour = HourOf(rows->time);
  if (hints.hour != hour) {
    ODOMETER_RESOLVE(project_hours, hints.in_hour,
                     key.Begin(RowKind::kProjectHour).Text(event.tenant).Text(op.project).Number(hour).Text(op.user));
    hints.service = nullptr;
    hints.hour = hour;
  }
  rows->hour = hints.in_hour;
  if (hints.service == nullptr ||
      !KeyGoesOn(hints.service->key.view(), 1 + tenant_bytes + 8, {op.service, op.operation, {}})) {
    key.Begin(RowKind::kServiceDay).Text(event.tenant).Number(DayOf(rows->time));
    ODOMETER_RESOLVE(service_days, hints.service, key.Text(op.service).Text(op.operation).Text({}));
  }
  rows->service = hints.service;
  return Status::Ok();
}

Status VectorFold::ResolveMinute(const Event& event, Rows* rows) {
  NodeHints<ProjectRow>& hints = rows->project->hints;
  int64_t minute = rows->time.us / kUsPerMinute;
  if (hints.minute != minute || hints.minute_of != tables_.project_minutes.generation()) {
    KeyBuilder& key = tables_.key;
    key.Begin(RowKind::kProjectMinute).Text(event.tenant).Text(event.operation.project).Number(minute);
    hints.minute = kNever;  // until it is found
    ODOMETER_RESOLVE(project_minutes, hints.in_minute, key);
    hints.minute = minute;
    hints.minute_of = tables_.project_minutes.generation();
  }
  rows->minute = hints.in_minute;
  return Status::Ok();
}

Status VectorFold::ResolveCollection(const Event& event, Rows* rows) {
  const Operation& op = event.operation;
  NodeHints<ProjectRow>& hints = rows->user->hints;
  size_t project_bytes = 1 + 2 + event.tenant.size() + 2 + op.project.size();
  for (CollectionNode* known : hints.collections) {
    if (known == nullptr || !KeyGoesOn(known->key.view(), project_bytes, {op.collection})) continue;
    rows->collection = known;
    return Status::Ok();
  }
  ODOMETER_RESOLVE(collections, rows->collection,
                   tables_.key.Begin(RowKind::kCollection).Text(event.tenant).Text(op.project).Text(op.collection));
  hints.collections[hints.next_collection++ % hints.collections.size()] = rows->collection;
  return Status::Ok();
}

Status VectorFold::ResolveGauges(const Event& event, Rows* rows) {
  NodeHints<ProjectRow>& hints = rows->user->hints;
  if (hints.gauges == nullptr)
    ODOMETER_RESOLVE(user_gauges, hints.gauges,
                     tables_.key.Begin(RowKind::kUserGauges).Text(event.tenant).Text(event.operation.user));
  rows->gauges = hints.gauges;
  return Status::Ok();
}

bool VectorFold::NeedsCare(const Event& event, const Rows& rows) const {
  bool high = rows.tenant->high || rows.project->high || rows.user->high || rows.hour->high || rows.service->high;
  high |= rows.collection != nullptr && rows.collection->high;
  high |= rows.gauges != nullptr && rows.gauges->high;
  return high || odometer::NeedsCare(event) || rows.tenant->row.projects + 2 >= options_.projects_max;
}

void VectorFold::TouchAll(const Rows& rows) {
  change_.Touch(tables_.tenants, rows.tenant);
  bool new_project = rows.project->made;
  change_.Touch(tables_.projects, rows.project);
  change_.Touch(tables_.project_users, rows.user);
  change_.Touch(tables_.project_hours, rows.hour);
  change_.Touch(tables_.project_minutes, rows.minute);
  change_.Touch(tables_.service_days, rows.service);
  if (rows.collection != nullptr) change_.Touch(tables_.collections, rows.collection);
  if (rows.gauges != nullptr) change_.Touch(tables_.user_gauges, rows.gauges);
  if (!new_project) return;
  if (rows.tenant->row.projects >= options_.projects_max) {
    refusal_ = Reason::kCardinality;
    change_.Fail();
  }
  change_.Add(rows.tenant, rows.tenant->row.projects, 1);
}

Status VectorFold::FoldOne(const Event& event, const Ahead& ahead, AppendTime append, bool is_ask) {
  Result<Rows> resolved = Resolve(event, ahead, append);
  if (!resolved.ok()) return resolved.status();
  const Rows& rows = *resolved;
  project_ = rows.project;
  change_.Begin(NeedsCare(event, rows));
  TouchAll(rows);
  TenantRow& tenant = rows.tenant->row;
  tenant.max_fold_us = std::max(tenant.max_fold_us, rows.time.us);
  if (event.event_time.us > append.us) change_.Add(rows.tenant, tenant.clock_ahead_events, 1);
  change_.Add(rows.tenant, tenant.operations, 1);
  if (IsSearch(event)) change_.Add(rows.tenant, tenant.searches, 1);
  if (!is_ask) change_.Add(rows.project, rows.project->row.events, 1);
  AddOperation(event, rows);
  AddHour(event, rows);
  change_.Add(rows.service, rows.service->row.vector_operations, 1);
  change_.Add(rows.service, rows.service->row.duration_us, event.operation.duration_us.value_or(0));
  AddGauges(event, rows);
  if (!TookEffect(event.operation.status)) return Status::Ok();
  if (event.type == EventType::kVectorsCounted) Count(event.operation, rows);
  if (event.type == EventType::kCollectionCreated || event.type == EventType::kCollectionDropped)
    return SetExists(event, rows);
  return Status::Ok();
}

void VectorFold::AddOperation(const Event& event, const Rows& rows) {
  const Operation& op = event.operation;
  auto add = [&](ProjectNode* node) {
    ProjectRow& row = node->row;
    OperationFigures& figures = row.operations[static_cast<size_t>(OperationOf(event.type))];
    Extend(rows.time.us, &row.first_use_us, &row.last_use_us);
    change_.Add(node, figures.by_status[static_cast<size_t>(op.status) - 1], 1);
    change_.Add(node, figures.requested, op.requested);
    change_.Add(node, figures.succeeded, op.succeeded);
    change_.Add(node, figures.payload_bytes, op.payload_bytes);
    change_.Add(node, figures.duration_us, op.duration_us.value_or(0));
    change_.Add(node, figures.timed, op.duration_us ? 1 : 0);
    change_.Add(node, row.inserted, op.inserted);
    change_.Add(node, row.results, op.results);
    change_.Add(node, row.filtered, op.had_filter ? 1 : 0);
    if (IsSearch(event)) change_.AddToRing(node, row.searches_ring, HourOf(rows.time));
  };
  add(rows.project);
  add(rows.user);
  if (rows.collection == nullptr) return;
  change_.Add(rows.collection, rows.collection->row.operations, 1);
  if (IsSearch(event)) change_.Add(rows.collection, rows.collection->row.searches, 1);
}

void VectorFold::AddHour(const Event& event, const Rows& rows) {
  const Operation& op = event.operation;
  HourCell& cell = CellIn(rows.hour->row.cells, OperationOf(event.type), op.status);
  auto plus = [&](int64_t& figure, int64_t delta) { change_.Add(rows.hour, figure, delta); };
  plus(cell.count, 1);
  plus(cell.requested, op.requested);
  plus(cell.succeeded, op.succeeded);
  plus(cell.vectors_delta, op.vectors_delta);
  plus(cell.bytes_delta, op.bytes_delta);
  plus(cell.payload_bytes, op.payload_bytes);
  plus(cell.duration_us, op.duration_us.value_or(0));
  plus(cell.timed, op.duration_us ? 1 : 0);
  plus(cell.results, op.results);
  plus(cell.filtered, op.had_filter ? 1 : 0);
  plus(cell.inserted, op.inserted);
}

void VectorFold::AddGauges(const Event& event, const Rows& rows) {
  const Operation& op = event.operation;
  change_.Add(rows.user, rows.user->row.vectors, op.vectors_delta);
  change_.Add(rows.user, rows.user->row.bytes, op.bytes_delta);
  if (rows.gauges != nullptr) {
    change_.Add(rows.gauges, rows.gauges->row.vectors, op.vectors_delta);
    change_.Add(rows.gauges, rows.gauges->row.bytes, op.bytes_delta);
  }
  if (WinsDrop(event, rows) && !PlantedBug("drop_keeps_vectors")) return TakeOut(op, rows);
  AddVectors(rows, op.vectors_delta, op.bytes_delta);
  if (rows.collection == nullptr) return;
  change_.Add(rows.collection, rows.collection->row.vectors, op.vectors_delta);
  change_.Add(rows.collection, rows.collection->row.bytes, op.bytes_delta);
}

void VectorFold::AddVectors(const Rows& rows, __int128 vectors, __int128 bytes) {
  change_.AddWide(rows.project, rows.project->row.vectors, vectors);
  if (PlantedBug("gauge_clamped") && rows.project->row.vectors < 0) rows.project->row.vectors = 0;
  change_.AddWide(rows.project, rows.project->row.bytes, bytes);
  change_.AddWide(rows.tenant, rows.tenant->row.vectors, vectors);
  change_.AddWide(rows.tenant, rows.tenant->row.bytes, bytes);
}

// The host's absolute truth: the difference is booked by name.
void VectorFold::Count(const Operation& op, const Rows& rows) {
  CollectionRow& collection = rows.collection->row;
  __int128 vectors = static_cast<__int128>(op.counted_vectors) - collection.vectors;
  __int128 bytes = static_cast<__int128>(op.counted_bytes) - collection.bytes;
  AddVectors(rows, vectors, bytes);
  change_.AddWide(rows.project, rows.project->row.correction_vectors, vectors);
  change_.AddWide(rows.project, rows.project->row.correction_bytes, bytes);
  change_.Set(rows.collection, collection.vectors, op.counted_vectors);
  change_.Set(rows.collection, collection.bytes, op.counted_bytes);
}

bool VectorFold::IsLater(const Event& event, const Rows& rows) const {
  const CollectionRow& collection = rows.collection->row;
  return rows.time.us != collection.state_us ? rows.time.us > collection.state_us : event.id > collection.state_id;
}

bool VectorFold::WinsDrop(const Event& event, const Rows& rows) const {
  return event.type == EventType::kCollectionDropped && TookEffect(event.operation.status) && IsLater(event, rows);
}

Status VectorFold::SetExists(const Event& event, const Rows& rows) {
  CollectionRow& collection = rows.collection->row;
  if (!IsLater(event, rows)) return Status::Ok();
  bool exists = event.type == EventType::kCollectionCreated;
  if (collection.exists) ODOMETER_RETURN_IF_ERROR(AddOwned(event, collection.owner, -1));
  if (exists) ODOMETER_RETURN_IF_ERROR(AddOwned(event, std::string(event.operation.user), 1));
  int64_t change = (exists ? 1 : 0) - (collection.exists ? 1 : 0);
  change_.Add(rows.project, rows.project->row.collections, change);
  change_.Add(rows.tenant, rows.tenant->row.collections, change);
  collection.exists = exists;
  collection.owner = exists ? event.operation.user : std::string_view();
  collection.state_us = rows.time.us;
  collection.state_id = event.id;
  return Status::Ok();
}

Status VectorFold::AddOwned(const Event& event, const std::string& owner, int64_t change) {
  ProjectNode* node = nullptr;
  ODOMETER_RESOLVE(
      project_users, node,
      tables_.key.Begin(RowKind::kProjectUser).Text(event.tenant).Text(owner).Text(event.operation.project));
  change_.Touch(tables_.project_users, node);
  change_.Add(node, node->row.collections, change);
  GaugesNode* gauges = nullptr;
  ODOMETER_RESOLVE(user_gauges, gauges, tables_.key.Begin(RowKind::kUserGauges).Text(event.tenant).Text(owner));
  change_.Touch(tables_.user_gauges, gauges);
  if (!PlantedBug("owner_without_gauges")) change_.Add(gauges, gauges->row.collections, change);
  return Status::Ok();
}

#undef ODOMETER_RESOLVE

// What the collection holds after the drop's own deltas goes out with them.
void VectorFold::TakeOut(const Operation& op, const Rows& rows) {
  CollectionRow& collection = rows.collection->row;
  __int128 vectors = collection.vectors;
  __int128 bytes = collection.bytes;
  AddVectors(rows, -vectors, -bytes);
  change_.AddWide(rows.project, rows.project->row.dropped_vectors, vectors + op.vectors_delta);
  change_.AddWide(rows.project, rows.project->row.dropped_bytes, bytes + op.bytes_delta);
  change_.Set(rows.collection, collection.vectors, 0);
  change_.Set(rows.collection, collection.bytes, 0);
}

void VectorFold::Post(const Event& event, const Record& record) {
  PostAt(event, record.offset, PlaceAt(event.event_time, record.append_time));
}

// The minute was found and touched with the other rows. It refuses nothing: it says what those of hours say, finer.
void VectorFold::PostAt(const Event& event, uint64_t offset, FoldTime time) {
  Posting posting{offset, time.us, event.type, static_cast<uint8_t>(event.operation.status), event.id, 0, 0};
  tables_.pending.Add(posting, &project_->hints.postings, nullptr);
  ProjectMinuteRow& row = project_->hints.in_minute->row;
  if (row.cells.empty()) row.first_offset = offset;
  row.last_offset = offset;
  AddToCells(CellOf(event), &row.cells);
}

}  // namespace odometer
