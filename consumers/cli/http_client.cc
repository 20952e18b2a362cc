#include "consumers/cli/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>

#include "consumers/loopback.h"
#include "core/check.h"

namespace odometer::cli {

namespace {

size_t AppendBody(char* data, size_t size, size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

bool StartsWithCaseless(std::string_view text, std::string_view lower_prefix) {
  if (text.size() < lower_prefix.size()) return false;
  return std::equal(lower_prefix.begin(), lower_prefix.end(), text.begin(), [](char want, char have) {
    return want == (have >= 'A' && have <= 'Z' ? static_cast<char>(have - 'A' + 'a') : have);
  });
}

// Seconds only; the other form of Retry-After, a date, is of no use to a client with a wrong clock.
size_t ReadHeader(char* data, size_t size, size_t count, void* response) {
  constexpr std::string_view kName = "retry-after:";
  std::string_view line(data, size * count);
  if (StartsWithCaseless(line, kName)) {
    line.remove_prefix(std::min(line.find_first_not_of(' ', kName.size()), line.size()));
    int64_t seconds = 0;
    auto parsed = std::from_chars(line.data(), line.data() + line.size(), seconds);
    if (parsed.ec == std::errc() && seconds >= 0) static_cast<HttpResponse*>(response)->retry_after_s = seconds;
  }
  return size * count;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  ODOMETER_CHECK(started == CURLE_OK);
  curl_ = curl_easy_init();
  ODOMETER_CHECK(curl_ != nullptr);
  while (!options_.server.empty() && options_.server.back() == '/') options_.server.pop_back();
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

Result<HttpResponse> HttpClient::Get(const std::string& path) {
  curl_easy_setopt(curl_, CURLOPT_HTTPGET, 1L);
  return Perform(path, {});
}

Result<HttpResponse> HttpClient::Post(const std::string& path, const std::string& body,
                                      const std::string& content_type) {
  curl_easy_setopt(curl_, CURLOPT_POST, 1L);
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  // "Expect:" saves the extra round trip before a large body.
  return Perform(path, {"Content-Type: " + content_type, "Expect:"});
}

Result<HttpResponse> HttpClient::Put(const std::string& path, const std::string& body,
                                     const std::string& content_type) {
  return SendAs("PUT", path, body, content_type);
}

Result<HttpResponse> HttpClient::Delete(const std::string& path, const std::string& body,
                                        const std::string& content_type) {
  return SendAs("DELETE", path, body, content_type);
}

Result<HttpResponse> HttpClient::SendAs(const char* method, const std::string& path, const std::string& body,
                                        const std::string& content_type) {
  curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, method);
  Result<HttpResponse> response = Post(path, body, content_type);
  curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, nullptr);
  return response;
}

Result<HttpResponse> HttpClient::Perform(const std::string& path, std::vector<std::string> headers) {
  if (!options_.tenant.empty()) headers.push_back("Odometer-Tenant: " + options_.tenant);
  curl_slist* list = nullptr;
  for (const std::string& header : headers) list = curl_slist_append(list, header.c_str());
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, list);
  Result<HttpResponse> response = Exchange(options_.server + path);
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, nullptr);
  curl_slist_free_all(list);
  return response;
}

Result<HttpResponse> HttpClient::Exchange(const std::string& url) {
  HttpResponse response;
  char error[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout_ms));
  curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout_ms));
  curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, AppendBody);
  curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &response.body);
  curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, ReadHeader);
  curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &response);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, error);
  if (IsLoopback(options_.server)) curl_easy_setopt(curl_, CURLOPT_NOPROXY, "*");
  CURLcode code = curl_easy_perform(curl_);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK) {
    std::string why = error[0] != '\0' ? error : curl_easy_strerror(code);
    Code kind = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ? Code::kInvalid : Code::kUnavailable;
    return Status(kind, "no answer from " + options_.server + ": " + why);
  }
  long status = 0;
  curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  return response;
}

std::string PercentEncoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    if (IsUnreserved(c)) {
      encoded += c;
    } else {
      auto byte = static_cast<uint8_t>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

std::string QueryString(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    query += query.empty() ? '?' : '&';
    query += name + "=" + PercentEncoded(value);
  }
  return query;
}

Failure FailureOf(const HttpResponse& response, int bad_request) {
  int exit_code = kExitBadData;
  if (response.status == 401 || response.status == 403) {
    exit_code = kExitAuth;
  } else if (response.status == 400 || response.status == 422) {
    exit_code = bad_request;
  } else if (response.status == 421 || response.status == 429 || response.status >= 500) {
    exit_code = kExitUnreachable;
  }
  std::string message = "the daemon answered " + std::to_string(response.status);
  nlohmann::json problem = nlohmann::json::parse(response.body, nullptr, false);
  if (problem.is_object()) {
    for (const char* field : {"title", "detail"}) {
      auto found = problem.find(field);
      if (found != problem.end() && found->is_string()) message += ": " + found->get<std::string>();
    }
  }
  return {exit_code, message};
}

std::optional<nlohmann::json> GetJson(HttpClient& client, const std::string& path, Failure* failure) {
  Result<HttpResponse> response = client.Get(path);
  if (!response.ok()) {
    *failure = FailureOf(response.status());
    return std::nullopt;
  }
  if (response->status != 200) {
    *failure = FailureOf(*response);
    return std::nullopt;
  }
  nlohmann::json body = nlohmann::json::parse(response->body, nullptr, false);
  if (!body.is_object()) {
    *failure = {kExitBadData, client.server() + path + " answered something that is not a JSON object"};
    return std::nullopt;
  }
  return body;
}

}  // namespace odometer::cli
