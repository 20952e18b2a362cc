#include "producer/http_lease_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "core/check.h"
#include "core/time.h"

namespace odometer {

namespace {

using Json = nlohmann::json;
constexpr size_t kBodyMax = 1 << 20;

size_t AppendBody(char* data, size_t size, size_t count, void* body) {
  auto* text = static_cast<std::string*>(body);
  if (text->size() + size * count > kBodyMax) return 0;
  text->append(data, size * count);
  return size * count;
}

bool IsLoopback(std::string_view server) {
  for (std::string_view host : {"://127.", "://localhost", "://[::1]"}) {
    if (server.find(host) != std::string_view::npos) return true;
  }
  return false;
}

const Json* Field(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string TextField(const Json& object, const char* name) {
  const Json* value = Field(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

// The API writes an amount as a number or as a text of its digits.
std::optional<int64_t> IntField(const Json& object, const char* name) {
  const Json* value = Field(object, name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned())
    return value->get<uint64_t>() > INT64_MAX ? std::nullopt : std::optional<int64_t>(value->get<int64_t>());
  if (value->is_number_integer()) return value->get<int64_t>();
  if (!value->is_string()) return std::nullopt;
  const auto& text = value->get_ref<const std::string&>();
  int64_t number = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// How much would have been granted: what the tightest limit on this meter leaves; nothing where another one refuses.
int64_t Fits(const Json& answer, std::string_view meter) {
  if (TextField(answer, "refused_by") != "limit") return -1;
  const Json* limits = Field(answer, "limits");
  if (limits == nullptr || !limits->is_array()) return -1;
  int64_t fits = -1;
  for (const Json& limit : *limits) {
    const Json* exceeded = Field(limit, "exceeded");
    if (exceeded == nullptr || *exceeded != true || TextField(limit, "mode") == "soft") continue;
    int64_t remaining = TextField(limit, "meter") == meter ? IntField(limit, "remaining").value_or(0) : 0;
    fits = fits < 0 ? remaining : std::min(fits, remaining);
  }
  return fits;
}

// What may be sent again as it is, and what may not.
Status FailureOf(int status, const std::string& body) {
  bool is_passing = status == 408 || status == 429 || status >= 500;
  Json problem = Json::parse(body, nullptr, false);
  std::string text = "the daemon answered " + std::to_string(status);
  for (const char* field : {"title", "detail"}) {
    std::string part = TextField(problem, field);
    if (!part.empty()) text += ": " + part;
  }
  return Status(is_passing ? Code::kUnavailable : Code::kInvalid, text);
}

}  // namespace

HttpLeaseTransport::HttpLeaseTransport(std::string server, std::string tenant) : server_(std::move(server)) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  ODOMETER_CHECK(started == CURLE_OK);
  curl_ = curl_easy_init();
  ODOMETER_CHECK(curl_ != nullptr);
  while (!server_.empty() && server_.back() == '/') server_.pop_back();
  curl_slist* headers = curl_slist_append(nullptr, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");  // saves a round trip
  if (!tenant.empty()) headers = curl_slist_append(headers, ("Odometer-Tenant: " + tenant).c_str());
  headers_ = headers;
}

HttpLeaseTransport::~HttpLeaseTransport() {
  curl_easy_cleanup(curl_);
  curl_slist_free_all(static_cast<curl_slist*>(headers_));
}

Result<HttpLeaseTransport::Response> HttpLeaseTransport::Post(const std::string& path, const std::string& body,
                                                              int64_t timeout_ms) {
  Response response;
  char error[CURL_ERROR_SIZE] = "";
  std::string url = server_ + path;
  curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(headers_));
  curl_easy_setopt(curl_, CURLOPT_POST, 1L);
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_ms));
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, AppendBody);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &response.body);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, error);
  if (IsLoopback(server_)) curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
  CURLcode code = curl_easy_perform(curl_);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK) {
    bool is_mistake = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    return Status(is_mistake ? Code::kInvalid : Code::kUnavailable,
                  "no answer from " + server_ + ": " + (error[0] != '\0' ? error : curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  return response;
}

Result<LeaseVerdict> HttpLeaseTransport::Ask(const LeaseAsk& ask, int64_t timeout_ms) {
  std::string meter(MeterName(ask.meter));
  Json body = {{"id", ask.id.ToString()},
               {"event_time", ask.event_time_us},
               {"amounts", {{meter, ask.amount}}},
               {"ttl_us", ask.ttl_us}};
  if (!ask.subject.user.empty()) body["user"] = ask.subject.user;
  if (!ask.subject.project.empty()) body["project"] = ask.subject.project;
  if (!ask.subject.collection.empty()) body["collection"] = ask.subject.collection;
  Result<Response> response =
      Post("/v1/limits/lease", body.dump(-1, ' ', false, Json::error_handler_t::replace), timeout_ms);
  if (!response.ok()) return response.status();
  if (response->status != 200) return FailureOf(response->status, response->body);
  Json answer = Json::parse(response->body, nullptr, false);
  const Json* allowed = Field(answer, "allowed");
  if (allowed == nullptr || !allowed->is_boolean()) return Status(Code::kUnavailable, "the answer holds no verdict");
  LeaseVerdict verdict;
  verdict.allowed = allowed->get<bool>();
  verdict.position = TextField(answer, "position");
  if (verdict.allowed) return verdict;
  std::optional<int64_t> retry_after_s = IntField(answer, "retry_after_s");
  if (retry_after_s && *retry_after_s >= 0 && *retry_after_s < INT64_MAX / kUsPerSecond)
    verdict.retry_after_us = *retry_after_s * kUsPerSecond;
  verdict.fits = Fits(answer, meter);
  return verdict;
}

Result<LeaseReceipt> HttpLeaseTransport::Settle(const LeaseReport& report, int64_t timeout_ms) {
  std::string meter(MeterName(report.meter));
  Json body = {{"id", report.id.ToString()},
               {"event_time", report.event_time_us},
               {"amounts", {{meter, report.spent}}},
               {"final", true}};
  // The daemon must have seen the lease itself, or it would not know what is being settled.
  std::string path = "/v1/limits/holds/" + report.lease.ToString() + "/settle";
  if (!report.position.empty()) path += "?min_position=" + report.position;
  Result<Response> response = Post(path, body.dump(), timeout_ms);
  if (!response.ok()) return response.status();
  LeaseReceipt receipt;
  Json answer = Json::parse(response->body, nullptr, false);
  if (response->status == 404 || response->status == 409) {
    receipt.state = response->status == 404 ? LeaseReceipt::State::kUnknown : LeaseReceipt::State::kClosed;
    return receipt;
  }
  if (response->status != 200) return FailureOf(response->status, response->body);
  if (TextField(answer, "state") != "settled")
    return Status(Code::kUnavailable, "the answer does not say that the lease is settled");
  if (const Json* amounts = Field(answer, "amounts")) receipt.charged = IntField(*amounts, meter.c_str()).value_or(0);
  // Both in the same form, of one width.
  std::string closed_at = TextField(answer, "closed_at"), expires_at = TextField(answer, "expires_at");
  bool is_late = closed_at >= expires_at;
  receipt.state = is_late ? LeaseReceipt::State::kLate : LeaseReceipt::State::kSettled;
  return receipt;
}

}  // namespace odometer
