// consumers/http/message.h: HttpRequest, HttpResponse and Target, what a handler sees of HTTP. No socket, no Beast.
//
//   Result<Target> target = SplitTarget("/v1/users/a%20b/vector-usage?limit=5");
//   target->segments   // {"v1", "users", "a b", "vector-usage"}
//   target->query      // {{"limit", "5"}}
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace odometer {

struct HttpRequest {
  std::string method;
  std::string target;                                        // as sent
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order sent
  std::string body;
};

// The only value of a header; "" when it is absent. kInvalid when it came more than once.
Result<std::string_view> OnlyHeader(const HttpRequest& request, std::string_view lower_case_name);

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Makes an answer. Called once, by the thread of the request's socket; by who replies, when that connection has gone.
using HttpAnswer = std::function<HttpResponse()>;
// With `more` the thread replies again right after: what it replies to one socket's thread goes there together.
using HttpReply = std::function<void(HttpAnswer, bool more)>;

struct Target {
  std::vector<std::string> segments;  // of the path, percent-decoded one by one, so "%2F" is not a separator
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in the order sent
};

// kInvalid, with a sentence for the caller, when the target does not start with "/", an escape is broken, a part is not
// UTF-8, a parameter has no name or is given twice. In the query "+" is a space.
Result<Target> SplitTarget(std::string_view target);

// What the bytes at the front of a connection's buffer are, judged before any parser sees them. One grammar, no lenient
// mode: a bare LF or CR, a NUL, a folded line, a space before a colon, two lengths, or a length beside a
// Transfer-Encoding are errors.
struct HeadScan {
  enum class Kind { kMore, kDone, kBad };
  Kind kind = Kind::kMore;
  size_t size = 0;       // of the head with its empty line, when done
  size_t line_size = 0;  // of the request line, 0 while it is not complete
  size_t fields = 0;
  const char* error = "";  // when bad
};
HeadScan ScanHead(std::string_view bytes);

}  // namespace odometer
