// consumers/cli/http_client.h: HttpClient, requests to one daemon over one kept connection.
//
//   HttpClient client({.server = "http://127.0.0.1:8780", .tenant = "acme"});
//   Result<HttpResponse> response = client.Get("/v1/consumption/users?limit=10");
//   if (!response.ok()) ...               // nobody answered: kUnavailable
//   if (response->status != 200) ...      // FailureOf(*response) says what, in words of the daemon
//
// Confined to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "consumers/cli/context.h"
#include "core/status.h"

namespace odometer::cli {

struct HttpOptions {
  std::string server;
  std::string tenant;
  int64_t connect_timeout_ms = 5'000;
  int64_t timeout_ms = 60'000;  // of a whole exchange
};

struct HttpResponse {
  int status = 0;
  std::string body;
  std::optional<int64_t> retry_after_s;
};

class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // path starts with "/" and is encoded already. Any answer is a response, whatever its status.
  Result<HttpResponse> Get(const std::string& path);
  Result<HttpResponse> Post(const std::string& path, const std::string& body, const std::string& content_type);
  Result<HttpResponse> Put(const std::string& path, const std::string& body, const std::string& content_type);
  Result<HttpResponse> Delete(const std::string& path, const std::string& body, const std::string& content_type);

  const std::string& server() const { return options_.server; }

 private:
  Result<HttpResponse> SendAs(const char* method, const std::string& path, const std::string& body,
                              const std::string& content_type);
  Result<HttpResponse> Perform(const std::string& path, std::vector<std::string> headers);
  Result<HttpResponse> Exchange(const std::string& url);

  HttpOptions options_;
  void* curl_;  // CURL*
};

// "?a=1&b=x%20y" of the pairs that are not empty; "" when none is.
std::string QueryString(const std::vector<std::pair<std::string, std::string>>& parameters);
std::string PercentEncoded(std::string_view text);

// What an answer that is not a success means, from its problem document where there is one. bad_request is the exit
// code of a 400: kExitUsage where flags made the request, kExitBadData where a file did.
Failure FailureOf(const HttpResponse& response, int bad_request = kExitUsage);

// GET a JSON object; `failure` is filled when there is none.
std::optional<nlohmann::json> GetJson(HttpClient& client, const std::string& path, Failure* failure);

}  // namespace odometer::cli
