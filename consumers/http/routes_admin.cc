// /v1/admin/…: for operators and audits.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "consumers/event_json.h"
#include "consumers/http/routes.h"
#include "consumers/queries_cursor.h"
#include "consumers/refold.h"
#include "state/digest.h"
#include "state/store.h"

namespace odometer {
namespace {

constexpr size_t kCheckpointNameMax = 64;

// "" for an empty body; kInvalid unless the body is {"name": "…"} with a name that may be that of a directory.
Result<std::string> CheckpointName(const std::string& body) {
  if (body.empty()) return std::string();
  nlohmann::json parsed = nlohmann::json::parse(body, nullptr, false);
  if (!parsed.is_object()) return Status(Code::kInvalid, "the body is not a JSON object");
  std::string name;
  for (const auto& [key, value] : parsed.items()) {
    if (key != "name" || !value.is_string())
      return Status(Code::kInvalid, "the body may have one field, 'name', a text");
    name = value.get<std::string>();
    bool plain = !name.empty() && name.size() <= kCheckpointNameMax && name[0] != '.' &&
                 std::all_of(name.begin(), name.end(), [](char c) {
                   return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                          c == '_' || c == '-';
                 });
    if (!plain) return Status(Code::kInvalid, "'name' must be 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot");
  }
  return name;
}

struct QuarantinedRecord {
  uint32_t partition = 0;
  uint64_t offset = 0;
  QuarantineRow row;
};

// The quarantined records of one view from `offset` on, at most `most`.
Status ReadQuarantine(const View& view, uint32_t partition, uint64_t offset, size_t most,
                      std::vector<QuarantinedRecord>* records) {
  std::string begin = KeyBuilder().Begin(RowKind::kQuarantine).Number(static_cast<int64_t>(offset)).str();
  std::string end = PrefixEnd(KeyBuilder().Begin(RowKind::kQuarantine).view());
  Status decoded;
  Status scanned = view.Scan(begin, end, [&](std::string_view key, std::string_view value) {
    if (records->size() >= most) return false;
    QuarantinedRecord record{partition, 0, {}};
    KeyReader reader(key);
    int64_t at = 0;
    if (!reader.Number(&at) || !DecodeRow(value, &record.row)) {
      decoded = Status(Code::kCorrupt, "store: a quarantine row cannot be read");
      return false;
    }
    record.offset = static_cast<uint64_t>(at);
    records->push_back(std::move(record));
    return true;
  });
  return scanned.ok() ? decoded : scanned;
}

void WriteQuarantined(JsonWriter& json, const QuarantinedRecord& record) {
  json.Object().Field("partition", static_cast<int64_t>(record.partition)).Key("offset").Unsigned(record.offset);
  json.Field("reason", ReasonName(static_cast<Reason>(record.row.reason)));
  json.Key("append_time").Time(record.row.append_time_us).Key("size_bytes").Unsigned(record.row.size_bytes);
  json.Key("null_payload").Bool(record.row.null_payload);
  json.Field("bytes_base64", ToBase64(record.row.head)).End();
}

void WriteRecord(JsonWriter& json, const Record& record, Event* event) {
  Reason reason = Decode(record.bytes, event);
  json.Object().Key("offset").Unsigned(record.offset).Key("append_time").Time(record.append_time.us);
  json.Key("size_bytes").Unsigned(record.bytes.size());
  json.Key("unreadable");
  reason == Reason::kNone ? json.Null() : json.Text(ReasonName(reason));
  json.Key("event");
  reason == Reason::kNone ? json.Raw(EventToJson(*event)) : json.Null();
  json.End();
}

// The cursors that a checkpoint's stores hold.
Result<std::vector<Position>> CheckpointPositions(const std::string& directory, std::span<const uint32_t> partitions) {
  std::vector<Position> positions;
  for (uint32_t partition : partitions) {
    StoreOptions options;
    options.path = PartitionPath(directory, partition);
    options.read_only = true;
    Result<std::unique_ptr<Store>> store = Store::Open(options);
    if (!store.ok()) return store.status();
    positions.push_back({partition, (*store)->cursor()});
  }
  return positions;
}

void WritePositions(JsonWriter& json, const std::vector<Position>& positions) {
  json.Key("positions").Array();
  for (const Position& position : positions) json.Text(position.ToToken());
  json.End();
}

}  // namespace

Result<HttpResponse> Api::PostCheckpoint(const Call& call) {
  Result<std::string> name = CheckpointName(call.request->body);
  if (!name.ok()) return name.status();
  ODOMETER_RETURN_IF_ERROR(AwaitMinPosition(call));
  Result<std::string> directory = daemon_.Checkpoint(*name);
  if (!directory.ok() && directory.status().code() == Code::kConflict)
    return Status(Code::kConflict, "a checkpoint of this name exists already");
  if (!directory.ok()) return Internal(directory.status());
  Result<std::vector<Position>> positions = CheckpointPositions(*directory, daemon_.owned());
  if (!positions.ok()) return Internal(positions.status());
  JsonWriter json;
  json.Object().Field("directory", *directory);
  WritePositions(json, *positions);
  json.End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetQuarantine(const Call& call) {
  Result<int64_t> limit = call.Limit(100, 500);
  if (!limit.ok()) return limit.status();
  uint64_t filter = FilterHash({"quarantine", call.Parameter("partition").value_or("all")});
  Result<int64_t> only = call.Number("partition", -1, 0, daemon_.partitions() - 1);
  if (!only.ok()) return only.status();
  Cursor cursor{filter, {std::max<int64_t>(*only, 0), 0}, ""};
  if (std::optional<std::string_view> token = call.Parameter("cursor")) {
    ODOMETER_ASSIGN_OR_RETURN(cursor, Cursor::FromToken(*token, filter, 2));
  }
  ODOMETER_RETURN_IF_ERROR(AwaitMinPosition(call));
  size_t most = static_cast<size_t>(*limit) + 1;  // one more tells whether there are more
  std::vector<QuarantinedRecord> records;
  std::vector<Position> positions;
  uint64_t total = 0, from = static_cast<uint64_t>(cursor.numbers[1]);
  for (uint32_t partition : daemon_.owned()) {
    if (*only >= 0 && partition != *only) continue;
    std::shared_ptr<const View> view = daemon_.runner(partition).view();
    total += view->meta().quarantined_total();
    positions.push_back({partition, view->meta().cursor});
    if (partition < cursor.numbers[0] || records.size() >= most) continue;
    uint64_t offset = partition == cursor.numbers[0] ? from : 0;
    if (Status read = ReadQuarantine(*view, partition, offset, most, &records); !read.ok()) return Internal(read);
  }
  JsonWriter json;
  json.Object().Key("total_count").Unsigned(total);
  WritePositions(json, positions);
  bool more = records.size() == most;
  json.Key("next_cursor");
  if (more) {
    json.Text(Cursor{filter, {records.back().partition, static_cast<int64_t>(records.back().offset)}, ""}.ToToken());
    records.pop_back();
  } else {
    json.Null();
  }
  json.Key("has_more").Bool(more).Key("data").Array();
  for (const QuarantinedRecord& record : records) WriteQuarantined(json, record);
  json.End().End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetDigest(const Call& call) {
  Result<std::optional<std::string>> tenant = call.Text("tenant");
  if (!tenant.ok()) return tenant.status();
  ODOMETER_RETURN_IF_ERROR(AwaitMinPosition(call));
  std::vector<std::shared_ptr<const View>> views;
  std::vector<Position> positions;
  for (uint32_t partition : daemon_.owned()) {
    if (tenant->has_value() && partition != daemon_.PartitionOfTenant(**tenant)) continue;
    views.push_back(daemon_.runner(partition).view());
    positions.push_back({partition, views.back()->meta().cursor});
  }
  Result<StateDigests> digests = ComputeDigests(views, *tenant);
  if (!digests.ok()) return Internal(digests.status());
  JsonWriter json;
  json.Object().Key("tenant");
  tenant->has_value() ? json.Text(**tenant) : json.Null();
  WritePositions(json, positions);
  json.Field("partitions", static_cast<int64_t>(daemon_.partitions()));
  json.Field("state_digest", digests->state.hex());
  json.Key("tenant_digest");
  auto found = tenant->has_value() ? digests->tenants.find(**tenant) : digests->tenants.end();
  found != digests->tenants.end() ? json.Text(found->second.hex()) : json.Null();
  json.Key("tenants").Unsigned(digests->tenants.size());
  json.Field("fold_version", static_cast<int64_t>(kFoldVersion)).End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetEvents(const Call& call) {
  Result<std::optional<Position>> position = call.PositionToken("position");
  if (!position.ok()) return position.status();
  Result<uint32_t> partition = PartitionParameter(call, *position);
  if (!partition.ok()) return partition.status();
  Result<int64_t> limit = call.Limit(100, 1000);
  if (!limit.ok()) return limit.status();
  ODOMETER_RETURN_IF_ERROR(AwaitMinPosition(call));
  return PageOfRecords(call, daemon_.runner(*partition), *position, static_cast<size_t>(*limit));
}

Result<HttpResponse> Api::PageOfRecords(const Call& call, Runner& runner, std::optional<Position> position,
                                        size_t limit) {
  PartitionLog& log = runner.log();
  OffsetRange range = log.held();
  // Without a position: the newest ones.
  uint64_t from =
      position ? position->next_offset : std::max(range.start, range.end - std::min<uint64_t>(range.end, limit));
  if (from > range.end && from > log.range().end) return Status(Code::kInvalid, "position is after the end of the log");
  if (from < range.start) {
    return Fail(call, {410, "records-gone",
                       fmt::format("the log begins at {}", Position{runner.partition(), range.start}.ToToken()), 0});
  }
  Result<std::unique_ptr<EventReader>> reader = log.ReadHeld(from);
  if (!reader.ok()) return Internal(reader.status());
  JsonWriter json;
  json.Object().Key("data").Array();
  Event event;
  for (size_t written = 0; written < limit;) {
    Result<std::span<const Record>> records = (*reader)->Poll(limit - written, 0);
    if (!records.ok()) return Internal(records.status());
    if (records->empty()) break;
    for (const Record& record : *records) WriteRecord(json, record, &event);
    written += records->size();
  }
  json.End();
  uint64_t next = std::max((*reader)->next_offset(), from);
  json.Field("next_position", Position{runner.partition(), next}.ToToken());
  range = log.held();
  json.Key("has_more").Bool(next < range.end);
  json.Field("start_position", Position{runner.partition(), range.start}.ToToken());
  json.Field("end_position", Position{runner.partition(), range.end}.ToToken()).End();
  return JsonResponse(json);
}

}  // namespace odometer
