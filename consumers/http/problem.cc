#include "consumers/http/problem.h"

#include "consumers/http/json_writer.h"

namespace odometer {
namespace {

std::string_view TitleOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
  }
  return "Internal Server Error";
}

}  // namespace

std::string_view DefaultKind(int http_status) {
  switch (http_status) {
    case 400:
      return "bad-request";
    case 404:
      return "not-found";
    case 405:
      return "method-not-allowed";
    case 408:
      return "timeout";
    case 409:
      return "conflict";
    case 410:
      return "gone";
    case 413:
      return "too-large";
    case 414:
      return "target-too-long";
    case 415:
      return "unsupported-media-type";
    case 417:
      return "expectation-failed";
    case 421:
      return "not-owned";
    case 422:
      return "refused";
    case 431:
      return "headers-too-large";
    case 503:
      return "unavailable";
    case 505:
      return "http-version";
  }
  return "internal";
}

HttpResponse ToResponse(const Problem& problem, std::string_view instance, std::string_view request_id) {
  JsonWriter json;
  json.Object();
  json.Field("type", "urn:odometer:problem:" + problem.kind);
  json.Field("title", TitleOf(problem.status));
  json.Field("status", problem.status);
  json.Field("detail", problem.detail);
  json.Field("instance", instance);
  json.Field("request_id", request_id);
  if (problem.partition) json.Field("partition", static_cast<int64_t>(*problem.partition));
  json.End();
  HttpResponse response{problem.status, "application/problem+json", json.Take(), {}};
  if (problem.retry_after_s > 0) response.headers.emplace_back("Retry-After", std::to_string(problem.retry_after_s));
  return response;
}

Problem ProblemOf(const Status& status) {
  switch (status.code()) {
    case Code::kInvalid:
      return {400, "bad-request", status.message(), 0};
    case Code::kNotFound:
      return {404, "not-found", status.message(), 0};
    case Code::kConflict:
      return {409, "conflict", status.message(), 0};
    case Code::kUnavailable:
      return {503, "unavailable", status.message(), 1};
    case Code::kDiskFull:
      return {503, "disk-full", "the disk is full: nothing was written; free some space, then send it again", 5};
    case Code::kCorrupt:
      return {500, "corrupt", "stored bytes are damaged; the daemon's log names the place", 0};
    case Code::kOk:
    case Code::kOutdated:
    case Code::kIo:
      break;
  }
  return {500, "internal", "the daemon could not do it; its log says why", 0};
}

}  // namespace odometer
