// GET /v1/projects/… and /v1/users/…: vector operations.
#include "consumers/event_json.h"
#include "consumers/http/routes.h"
#include "consumers/queries_cursor.h"

namespace odometer {
namespace {

void WriteCells(JsonWriter& json, const ProjectUsage& usage) {
  WriteCell(json.Key("total").Object(), SumOf(usage.cells));
  json.End().Key("cells").Array();
  for (const HourCell& cell : usage.cells) {
    json.Object().Field("operation", OperationName(cell.operation)).Field("status", StatusName(cell.status));
    WriteCell(json, cell);
    json.End();
  }
  json.End();
}

void WriteFilter(JsonWriter& json, std::string_view name, const std::optional<std::string>& value) {
  json.Key(name);
  value ? json.Text(*value) : json.Null();
}

struct UsageCall {
  UsageQuery query;
  std::optional<int64_t> from_us, to_us;
};

Result<UsageCall> ReadUsageCall(const Call& call) {
  UsageCall usage;
  UsageQuery& query = usage.query;
  query.tenant = call.tenant;
  ODOMETER_ASSIGN_OR_RETURN(query.project, call.PathText(0));
  ODOMETER_ASSIGN_OR_RETURN(query.user, call.Text("user"));
  if (auto name = call.Parameter("operation")) {
    query.operation = OperationFromName(*name);
    if (!query.operation) {
      return Status(Code::kInvalid,
                    "the parameter 'operation' is none of add, upsert, delete, search, count, collection_create, "
                    "collection_drop");
    }
  }
  if (auto name = call.Parameter("status")) {
    query.status = OperationStatusFromName(*name);
    if (!query.status)
      return Status(Code::kInvalid,
                    "the parameter 'status' is none of success, failure, partial_failure, quota_exceeded");
  }
  ODOMETER_ASSIGN_OR_RETURN(usage.from_us, call.Time("from"));
  ODOMETER_ASSIGN_OR_RETURN(usage.to_us, call.Time("to"));
  query.from_us = usage.from_us.value_or(0);
  query.to_us = usage.to_us.value_or(INT64_MAX);
  if (query.from_us > query.to_us) return Status(Code::kInvalid, "'from' is after 'to'");
  return usage;
}

void WriteBound(JsonWriter& json, std::string_view name, std::optional<int64_t> us) {
  json.Key(name);
  bool shown = us && *us >= 0 && *us < kEventTimeLimitUs;
  shown ? json.Time(*us) : us ? json.Int(*us) : json.Null();
}

}  // namespace

Result<HttpResponse> Api::GetProjectUsage(const Call& call) {
  Result<UsageCall> asked = ReadUsageCall(call);
  if (!asked.ok()) return asked.status();
  const UsageQuery& query = asked->query;
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  KeyBuilder key;
  auto project =
      ReadRow<ProjectRow>(*reading->view, key.Begin(RowKind::kProject).Text(query.tenant).Text(query.project).view());
  if (!project.ok()) return Internal(project.status());
  if (!project->has_value()) return NeverSeen("this project");
  ProjectRow row = **project;
  if (query.user) {
    key.Begin(RowKind::kProjectUser).Text(query.tenant).Text(*query.user).Text(query.project);
    ODOMETER_ASSIGN_OR_RETURN(row, RowOrEmpty<ProjectRow>(*reading->view, key));
  }
  Result<ProjectUsage> usage = ReadProjectUsage(*reading->view, reading->runner->log(), query, &usage_);
  if (!usage.ok()) return Internal(usage.status());
  JsonWriter json;
  json.Object().Field("tenant", call.tenant).Field("project", query.project);
  WriteAsOf(json, reading->as_of());
  WriteFilter(json, "user", query.user);
  WriteFilter(json, "operation",
              query.operation ? std::optional<std::string>(OperationName(*query.operation)) : std::nullopt);
  WriteFilter(json, "status", query.status ? std::optional<std::string>(StatusName(*query.status)) : std::nullopt);
  WriteBound(json, "from", asked->from_us);
  WriteBound(json, "to", asked->to_us);
  WriteCells(json, *usage);
  json.Key("lifetime").Object();
  WriteProject(json, row, HourOf(FoldTime{reading->now_us}), query.user.has_value());
  json.End().End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetOperations(const Call& call) {
  OperationQuery query;
  query.tenant = call.tenant;
  ODOMETER_ASSIGN_OR_RETURN(query.project, call.PathText(0));
  ODOMETER_ASSIGN_OR_RETURN(query.user, call.Text("user"));
  Result<int64_t> limit = call.Limit(50, 500);
  if (!limit.ok()) return limit.status();
  query.limit = static_cast<size_t>(*limit);
  uint64_t filter =
      FilterHash({"operations", call.tenant, query.project, query.user ? "user" : "", query.user.value_or("")});
  Cursor cursor{filter, {INT64_MAX, INT64_MAX, INT64_MAX}, ""};
  if (std::optional<std::string_view> token = call.Parameter("cursor")) {
    ODOMETER_ASSIGN_OR_RETURN(cursor, Cursor::FromToken(*token, filter, 3));
  }
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  uint64_t newest = reading->view->meta().cursor;
  if (cursor.numbers[0] == INT64_MAX) cursor.numbers[0] = static_cast<int64_t>(newest);
  if (static_cast<uint64_t>(cursor.numbers[0]) > newest) return StartAgain(call);
  query.pinned = static_cast<uint64_t>(cursor.numbers[0]);
  query.after_time_us = cursor.numbers[1];
  query.after_offset = static_cast<uint64_t>(cursor.numbers[2]);
  auto project = reading->view->Get(KeyBuilder().Begin(RowKind::kProject).Text(call.tenant).Text(query.project).view());
  if (!project.ok()) return Internal(project.status());
  if (!project->has_value()) return NeverSeen("this project");
  Result<OperationPage> page = ListOperations(*reading->view, reading->runner->log(), query);
  if (!page.ok()) return Internal(page.status());
  cursor.numbers[1] = page->next.time_us;
  cursor.numbers[2] = static_cast<int64_t>(page->next.offset);
  return PageOfOperations(call, *reading, *page, cursor);
}

Result<HttpResponse> Api::PageOfOperations(const Call& call, const Reading& reading, const OperationPage& page,
                                           const Cursor& next) {
  JsonWriter json;
  json.Object().Field("tenant", call.tenant);
  WriteAsOf(json, reading.as_of());
  json.Key("next_cursor");
  page.more ? json.Text(next.ToToken()) : json.Null();
  json.Key("has_more").Bool(page.more).Key("data").Array();
  std::vector<uint64_t> offsets;
  for (const Posting& posting : page.postings) offsets.push_back(posting.offset);
  Result<std::vector<OwnedRecord>> records = reading.runner->log().FetchAll(offsets);
  if (!records.ok()) return Internal(records.status());
  auto record = records->begin();
  for (const Posting& posting : page.postings) {
    Event event;
    if (Decode(record->bytes, &event) != Reason::kNone) {
      return Status(Code::kCorrupt,
                    "offset " + std::to_string(posting.offset) + ": listed as an operation, cannot be read");
    }
    json.Object().Key("offset").Unsigned(posting.offset).Key("append_time").Time(record->append_time.us);
    json.Key("placed_at")
        .Time(posting.time_us)
        .Field("operation", OperationName(OperationOf(posting.type)))
        .Field("status", StatusName(static_cast<OperationStatus>(posting.status)));
    json.Key("event").Raw(EventToJson(event)).End();
    ++record;
  }
  json.End().End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetVectorUsage(const Call& call) {
  Result<std::string> user = call.PathText(0);
  if (!user.ok()) return user.status();
  Result<int64_t> limit = call.Limit(100, 1000);
  if (!limit.ok()) return limit.status();
  uint64_t filter = FilterHash({"vector-usage", call.tenant, *user});
  std::optional<std::string> after;
  if (std::optional<std::string_view> token = call.Parameter("cursor")) {
    Result<Cursor> cursor = Cursor::FromToken(*token, filter, 0);
    if (!cursor.ok()) return cursor.status();
    after = cursor->text;
  }
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  int64_t hour = HourOf(FoldTime{reading->now_us});
  auto projects = ListUserProjects(*reading->view, call.tenant, *user, after, static_cast<size_t>(*limit), hour);
  if (!projects.ok()) return Internal(projects.status());
  if (projects->count == 0) {
    auto account = reading->view->Get(KeyBuilder().Begin(RowKind::kAccount).Text(call.tenant).Text(*user).view());
    if (!account.ok()) return Internal(account.status());
    if (!account->has_value()) return NeverSeen("this user");
  }
  JsonWriter json;
  json.Object()
      .Field("tenant", call.tenant)
      .Field("user", *user)
      .Field("user_uuid", Uuid5(kNamespaceDns, *user).ToString());
  WriteAsOf(json, reading->as_of());
  json.Field("total_count", projects->count).Key("next_cursor");
  projects->more ? json.Text(Cursor{filter, {}, projects->page.back().project}.ToToken()) : json.Null();
  json.Key("has_more").Bool(projects->more);
  json.Key("total").Object();
  WriteProject(json, projects->total, hour, true);
  json.End().Key("data").Array();
  for (const UserProject& project : projects->page) {
    json.Object().Field("project", project.project);
    WriteProject(json, project.row, hour, true);
    json.End();
  }
  json.End().End();
  return JsonResponse(json);
}

}  // namespace odometer
