// Limits that were crossed, and the addresses that are told of them.
#include <nlohmann/json.hpp>

#include "consumers/alerts.h"
#include "consumers/http/routes.h"
#include "consumers/webhooks.h"

namespace odometer {

namespace {

Status Wrong(const std::string& what) { return {Code::kInvalid, what}; }

// {"all":true}, or {"ids":["…"]}.
Result<std::vector<Uuid>> IdsOf(const std::string& body) {
  nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  bool is_all = json.is_object() && json.size() == 1 && json.value("all", nlohmann::json()) == true;
  if (is_all) return std::vector<Uuid>();
  bool has_ids = json.is_object() && json.size() == 1 && json.contains("ids") && json["ids"].is_array();
  if (!has_ids || json["ids"].empty()) return Wrong(R"(the body is {"all":true} or {"ids":["…"]})");
  std::vector<Uuid> ids;
  for (const auto& text : json["ids"]) {
    std::optional<Uuid> id = text.is_string() ? Uuid::Parse(text.get<std::string>()) : std::nullopt;
    if (!id) return Wrong("'ids' are ids of alerts");
    ids.push_back(*id);
  }
  return ids;
}

void WriteStatus(JsonWriter& json, const WebhookStatus& status) {
  json.Object().Field("name", status.name).Field("url", status.url).Key("tenant");
  status.tenant.empty() ? json.Null() : json.Text(status.tenant);
  json.Key("delivered").Unsigned(status.delivered).Key("failed_attempts").Unsigned(status.failed);
  json.Key("failing_since").Time(status.failing_since_us).Key("error");
  status.error.empty() ? json.Null() : json.Text(status.error);
  json.Key("next_try_at").Time(status.next_try_us).Key("positions").Array();
  for (const auto& [partition, offset] : status.offsets) json.Text(Position{partition, offset}.ToToken());
  json.End().Key("dead_letters").Unsigned(status.dead_letters).End();
}

void WriteDeadLetter(JsonWriter& json, const DeadLetter& letter) {
  json.Object().Field("id", letter.id.ToString()).Field("tenant", letter.tenant);
  json.Field("position", Position{letter.partition, letter.offset + 1}.ToToken());
  json.Field("attempts", letter.attempts).Field("error", letter.error);
  json.Key("gave_up_at").Time(letter.gave_up_us).End();
}

}  // namespace

Result<HttpResponse> Api::GetAlerts(const Call& call) {
  AlertFilter filter;
  ODOMETER_ASSIGN_OR_RETURN(filter.user, call.Text("user"));
  ODOMETER_ASSIGN_OR_RETURN(filter.project, call.Text("project"));
  ODOMETER_ASSIGN_OR_RETURN(filter.percent, call.Number("percent", 0, 0, 100));
  Result<int64_t> limit = call.Limit(50, 500);
  if (!limit.ok()) return limit.status();
  uint64_t hash = FilterHash({"alerts", call.tenant, filter.user.value_or(""), filter.user ? "u" : "",
                              filter.project.value_or(""), filter.project ? "p" : "", std::to_string(filter.percent)});
  Cursor cursor{hash, {INT64_MAX}, ""};
  if (std::optional<std::string_view> token = call.Parameter("cursor")) {
    ODOMETER_ASSIGN_OR_RETURN(cursor, Cursor::FromToken(*token, hash, 1));
  }
  Result<Reading> reading = Read(call);
  if (!reading.ok()) return reading.status();
  Result<AlertPage> page = NewestAlerts(*reading->view, call.tenant, filter, static_cast<uint64_t>(cursor.numbers[0]),
                                        static_cast<size_t>(*limit));
  if (!page.ok()) return Internal(page.status());
  JsonWriter json;
  json.Object().Field("tenant", call.tenant);
  WriteAsOf(json, reading->as_of());
  json.Key("next_cursor");
  page->next ? json.Text(Cursor{hash, {static_cast<int64_t>(*page->next)}, ""}.ToToken()) : json.Null();
  json.Key("has_more").Bool(page->next.has_value()).Key("data").Array();
  for (const Alert& alert : page->alerts) {
    json.Object();
    WriteAlert(json, reading->runner->partition(), alert);
    json.End();
  }
  json.End().End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetWebhooks(const Call&) {
  JsonWriter json;
  json.Object().Key("webhooks").Array();
  if (options_.webhooks != nullptr) {
    for (const WebhookStatus& status : options_.webhooks->statuses()) WriteStatus(json, status);
  }
  json.End().End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetDeadLetters(const Call& call) {
  Result<std::string> name = call.PathText(0);
  if (!name.ok()) return name.status();
  if (options_.webhooks == nullptr) return Status(Code::kNotFound, "the settings name no webhooks");
  Result<std::vector<DeadLetter>> letters = options_.webhooks->dead_letters(*name);
  if (!letters.ok()) return letters.status();
  JsonWriter json;
  json.Object().Field("name", *name).Key("dead_letters").Array();
  for (const DeadLetter& letter : *letters) WriteDeadLetter(json, letter);
  json.End().End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::PostResend(const Call& call) {
  Result<std::string> name = call.PathText(0);
  if (!name.ok()) return name.status();
  Result<std::vector<Uuid>> ids = IdsOf(call.request->body);
  if (!ids.ok()) return ids.status();
  if (options_.webhooks == nullptr) return Status(Code::kNotFound, "the settings name no webhooks");
  Result<size_t> count = options_.webhooks->Resend(*name, *ids);
  if (!count.ok()) return count.status();
  JsonWriter json;
  json.Object().Field("name", *name).Key("tried_again").Unsigned(*count).End();
  return JsonResponse(json, 202);
}

}  // namespace odometer
