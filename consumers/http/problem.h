// consumers/http/problem.h: Problem, an error as RFC 9457 application/problem+json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "consumers/http/message.h"
#include "core/status.h"

namespace odometer {

// `kind` is the stable name of the error, the last part of its type: "urn:odometer:problem:unknown-parameter".
struct Problem {
  int status = 500;
  std::string kind = "internal";
  std::string detail;
  int retry_after_s = 0;              // 0: no Retry-After
  std::optional<uint32_t> partition;  // that the call goes to, where it is not owned
};

// instance: the path that was asked for. The detail must name no file, key or version of ours.
HttpResponse ToResponse(const Problem& problem, std::string_view instance, std::string_view request_id);

// What a Status of the lower layers says to a caller: mend it, wait, or look into the daemon's log, where the message
// itself stands with the request id.
Problem ProblemOf(const Status& status);

// The kind that goes with a status when there is no better one: 404 "not-found", 413 "too-large", …
std::string_view DefaultKind(int http_status);

}  // namespace odometer
