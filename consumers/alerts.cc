#include "consumers/alerts.h"

#include "consumers/http/limit_json.h"
#include "log/event_log.h"
#include "state/keys.h"

namespace odometer {

namespace {

std::string KeyOf(std::string_view tenant, uint64_t offset) {
  return KeyBuilder().Begin(RowKind::kAlert).Text(tenant).Number(static_cast<int64_t>(offset)).str();
}

bool Fits(const CrossingRow& row, const AlertFilter& filter) {
  return (!filter.user || row.user == *filter.user) && (!filter.project || row.project == *filter.project) &&
         row.percent >= filter.percent;
}

Status CannotRead() { return Status(Code::kCorrupt, "store: an alert cannot be read"); }

}  // namespace

Result<AlertPage> NewestAlerts(const View& view, std::string_view tenant, const AlertFilter& filter, uint64_t before,
                               size_t limit) {
  AlertPage page;
  bool is_read = true;
  std::string begin = KeyBuilder().Begin(RowKind::kAlert).Text(tenant).str();
  std::string end = before > INT64_MAX ? PrefixEnd(begin) : KeyOf(tenant, before);
  ODOMETER_RETURN_IF_ERROR(view.ScanBack(begin, end, [&](std::string_view key, std::string_view value) {
    Alert alert;
    int64_t offset = 0;
    std::string_view of;
    KeyReader reader(key);
    is_read = reader.Text(&of) && reader.Number(&offset) && DecodeRow(value, &alert.row);
    if (!is_read) return false;
    if (!Fits(alert.row, filter)) return true;
    if (page.alerts.size() == limit) {
      page.next = page.alerts.back().offset;
      return false;
    }
    alert.tenant = of;
    alert.offset = static_cast<uint64_t>(offset);
    page.alerts.push_back(std::move(alert));
    return true;
  }));
  if (!is_read) return CannotRead();
  return page;
}

Result<AlertPage> AlertsFrom(const View& view, std::string_view tenant, uint64_t offset, size_t limit) {
  AlertPage page;
  Status failure;
  std::string begin = KeyBuilder().Begin(RowKind::kAlertOrder).Number(static_cast<int64_t>(offset)).str();
  std::string end = PrefixEnd(KeyBuilder().Begin(RowKind::kAlertOrder).view());
  page.next = std::max(offset, view.meta().cursor);
  ODOMETER_RETURN_IF_ERROR(view.Scan(begin, end, [&](std::string_view key, std::string_view) {
    int64_t at = 0;
    std::string_view of;
    KeyReader reader(key);
    if (!reader.Number(&at) || !reader.Text(&of)) failure = CannotRead();
    if (!failure.ok()) return false;
    if (page.alerts.size() == limit) {
      page.next = page.alerts.back().offset + 1;
      return false;
    }
    if (!tenant.empty() && of != tenant) return true;
    Result<std::optional<CrossingRow>> row = ReadRow<CrossingRow>(view, KeyOf(of, static_cast<uint64_t>(at)));
    if (!row.ok() || !row->has_value()) {
      failure = row.ok() ? CannotRead() : row.status();
      return false;
    }
    page.alerts.push_back({std::string(of), static_cast<uint64_t>(at), *std::move(*row)});
    return true;
  }));
  if (!failure.ok()) return failure;
  return page;
}

void WriteAlert(JsonWriter& json, uint32_t partition, const Alert& alert) {
  const CrossingRow& row = alert.row;
  auto window = static_cast<Window>(row.window);
  json.Field("id", row.id.ToString()).Field("position", Position{partition, alert.offset + 1}.ToToken());
  json.Field("user", row.user).Field("project", row.project).Field("collection", row.collection);
  json.Field("over", ScopeName(static_cast<Scope>(row.over))).Field("meter", MeterName(static_cast<Meter>(row.meter)));
  json.Field("window", WindowName(window)).Field("percent", row.percent).Field("warning", WarningOf(row.percent));
  json.Field("cap", row.cap).Field("used", row.used).Field("level", row.level).Field("source", row.source);
  json.Field("definition", row.definition.ToString()).Key("window_start");
  IsCalendar(window) ? json.Time(row.instance) : json.Null();
  json.Key("times_before");
  IsCalendar(window) ? json.Null() : json.Int(row.instance);
  json.Key("crossed_at").Time(row.crossed_us).Field("cause", row.cause.ToString());
}

}  // namespace odometer
