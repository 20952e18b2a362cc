// consumers/http/call.h: Call, one request that has found its route: its tenant, path and query, each checked once.
//
//   Result<std::string> user = call.RequiredText("user");
//   Result<int64_t> limit = call.Limit(50, 1000);
//
// Errors are kInvalid with a sentence that names the parameter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consumers/http/message.h"
#include "core/period.h"
#include "core/status.h"
#include "log/event_log.h"

namespace odometer {

struct Call {
  const HttpRequest* request = nullptr;
  std::string_view route;  // the path's template
  std::string instance;    // the path as sent
  std::string request_id;
  std::string tenant;
  std::vector<std::string> path;  // what stands for {…}, in order
  std::vector<std::pair<std::string, std::string>> query;

  std::optional<std::string_view> Parameter(std::string_view name) const;

  // A name: 1 to 256 bytes of UTF-8.
  Result<std::string> PathText(size_t index) const;
  Result<std::string> RequiredText(std::string_view name) const;
  Result<std::optional<std::string>> Text(std::string_view name) const;
  // A whole number within [least, most]; `fallback` when absent.
  Result<int64_t> Number(std::string_view name, int64_t fallback, int64_t least, int64_t most) const;
  Result<int64_t> Limit(int64_t fallback, int64_t most) const { return Number("limit", fallback, 1, most); }
  // RFC 3339 or whole microseconds since 1970.
  Result<std::optional<int64_t>> Time(std::string_view name) const;
  Result<std::optional<Period>> Month(std::string_view name) const;
  Result<std::optional<Position>> PositionToken(std::string_view name) const;
  // Which of the names it is; `fallback` when absent.
  Result<size_t> OneOf(std::string_view name, const std::vector<std::string_view>& names, size_t fallback) const;
};

// The tenant that a request names in Odometer-Tenant; "default" without one.
Result<std::string> TenantOf(const HttpRequest& request);

}  // namespace odometer
