#include "consumers/http/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "consumers/queries_system.h"
#include "core/utf8.h"
#include "state/meta.h"

#ifndef ODOMETER_VERSION
#define ODOMETER_VERSION "0.1.0"
#endif

namespace odometer {
namespace {

constexpr int64_t kWaitUsDefault = 2'000'000;
constexpr int64_t kWaitMsMax = 30'000;
constexpr int64_t kWaitSliceUs = 50'000;
constexpr int64_t kReadyWaitUs = 1'500'000;
constexpr int64_t kReadyFreshUs = 250'000;

// min_position and wait_ms are taken by every read of figures.
constexpr Route kRoutes[] = {
    {"POST", "/v1/events", "wait wait_ms", Needs::kTenants, &Api::PostEvents},
    {"GET", "/v1/consumption/summary", "user min_position wait_ms", Needs::kTenants, &Api::GetSummary},
    {"GET", "/v1/consumption/system-summary", "min_position wait_ms", Needs::kTenants, &Api::GetSystemSummary},
    {"GET", "/v1/consumption/users", "sort order period threshold limit cursor min_position wait_ms", Needs::kTenants,
     &Api::GetUsers},
    {"GET", "/v1/consumption/turns", "user session limit cursor min_position wait_ms", Needs::kTenants, &Api::GetTurns},
    {"GET", "/v1/consumption/sessions", "user limit cursor min_position wait_ms", Needs::kTenants, &Api::GetSessions},
    {"GET", "/v1/projects/{p}/usage", "user operation status from to min_position wait_ms", Needs::kTenants,
     &Api::GetProjectUsage},
    {"GET", "/v1/projects/{p}/operations", "user limit cursor min_position wait_ms", Needs::kTenants,
     &Api::GetOperations},
    {"GET", "/v1/users/{u}/vector-usage", "limit cursor min_position wait_ms", Needs::kTenants, &Api::GetVectorUsage},
    {"POST", "/v1/limits/check", "min_position wait_ms", Needs::kTenants, &Api::PostCheck},
    {"POST", "/v1/limits/admit", "", Needs::kTenants, &Api::PostAdmit},
    {"POST", "/v1/limits/reserve", "", Needs::kTenants, &Api::PostReserve},
    {"POST", "/v1/limits/lease", "", Needs::kTenants, &Api::PostLease},
    {"POST", "/v1/limits/holds/{id}/settle", "min_position wait_ms", Needs::kTenants, &Api::PostSettle},
    {"POST", "/v1/limits/holds/{id}/release", "min_position wait_ms", Needs::kTenants, &Api::PostRelease},
    {"GET", "/v1/limits/holds", "user limit min_position wait_ms", Needs::kTenants, &Api::GetHolds},
    {"GET", "/v1/limits", "user project collection min_position wait_ms", Needs::kTenants, &Api::GetLimits},
    {"GET", "/v1/limits/explain", "user project collection ask amounts at at_position", Needs::kTenants,
     &Api::GetExplanation},
    {"GET", "/v1/quota-status", "user min_position wait_ms", Needs::kTenants, &Api::GetQuotaStatus},
    {"GET", "/v1/profiles", "min_position wait_ms", Needs::kTenants, &Api::ListProfiles},
    {"GET", "/v1/profiles/{name}", "min_position wait_ms", Needs::kTenants, &Api::GetProfile},
    {"PUT", "/v1/profiles/{name}", "", Needs::kTenants, &Api::PutProfile},
    {"POST", "/v1/profiles/{name}/assign", "min_position wait_ms", Needs::kTenants, &Api::PostAssign},
    {"DELETE", "/v1/profiles/{name}", "", Needs::kTenants, &Api::DeleteProfile},
    {"GET", "/v1/users/{u}/profile", "min_position wait_ms", Needs::kTenants, &Api::GetUserProfile},
    {"PUT", "/v1/users/{u}/profile", "", Needs::kTenants, &Api::PutUserProfile},
    {"GET", "/v1/fallback-profile", "min_position wait_ms", Needs::kTenants, &Api::GetFallbackProfile},
    {"PUT", "/v1/fallback-profile", "", Needs::kTenants, &Api::PutFallbackProfile},
    {"GET", "/v1/users/{u}/override", "min_position wait_ms", Needs::kTenants, &Api::GetUserOverride},
    {"PUT", "/v1/users/{u}/override", "", Needs::kTenants, &Api::PutUserOverride},
    {"GET", "/v1/override", "min_position wait_ms", Needs::kTenants, &Api::GetTenantOverride},
    {"PUT", "/v1/override", "", Needs::kTenants, &Api::PutTenantOverride},
    {"GET", "/v1/overrides", "limit cursor min_position wait_ms", Needs::kTenants, &Api::ListOverrides},
    {"GET", "/v1/quotas", "min_position wait_ms", Needs::kTenants, &Api::ListQuotas},
    {"PUT", "/v1/quotas", "", Needs::kTenants, &Api::PutQuota},
    {"GET", "/v1/policy", "min_position wait_ms", Needs::kTenants, &Api::GetPolicy},
    {"PUT", "/v1/policy/enforcement", "", Needs::kTenants, &Api::PutEnforcement},
    {"PUT", "/v1/policy/zone", "", Needs::kTenants, &Api::PutZone},
    {"GET", "/v1/alerts", "user project percent limit cursor min_position wait_ms", Needs::kTenants, &Api::GetAlerts},
    {"GET", "/v1/admin/webhooks", "", Needs::kNone, &Api::GetWebhooks},
    {"GET", "/v1/admin/webhooks/{webhook}/dead-letters", "", Needs::kNone, &Api::GetDeadLetters},
    {"POST", "/v1/admin/webhooks/{webhook}/resend", "", Needs::kNone, &Api::PostResend},
    {"POST", "/v1/admin/checkpoint", "min_position wait_ms", Needs::kNamed, &Api::PostCheckpoint},
    {"GET", "/v1/admin/quarantine", "partition limit cursor min_position wait_ms", Needs::kNamed, &Api::GetQuarantine},
    {"GET", "/v1/admin/digest", "tenant min_position wait_ms", Needs::kNamed, &Api::GetDigest},
    {"GET", "/v1/admin/events", "partition position limit min_position wait_ms", Needs::kNamedOrTenants,
     &Api::GetEvents},
    {"POST", "/v1/admin/records", "partition", Needs::kNamed, &Api::PostRecords},
    {"GET", "/livez", "", Needs::kNone, &Api::GetLive},
    {"GET", "/readyz", "", Needs::kNone, &Api::GetReady},
    {"GET", "/metrics", "", Needs::kNone, &Api::GetMetrics},
    {"GET", "/version", "", Needs::kNone, &Api::GetVersion},
    {"GET", "/openapi.yaml", "", Needs::kNone, &Api::GetOpenApi},
};

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// The parts of each route's path.
const std::vector<std::vector<std::string_view>>& RouteParts() {
  static const std::vector<std::vector<std::string_view>> parts = [] {
    std::vector<std::vector<std::string_view>> split;
    for (const Route& route : kRoutes) split.push_back(Split(route.path, '/'));
    return split;
  }();
  return parts;
}

// Whether the path has the template's shape; what stands for {…} goes into `values`.
bool Matches(const std::vector<std::string_view>& wanted, const std::vector<std::string>& segments,
             std::vector<std::string>* values) {
  if (wanted.size() != segments.size()) return false;
  values->clear();
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].front() == '{') {
      values->push_back(segments[i]);
    } else if (wanted[i] != segments[i]) {
      return false;
    }
  }
  return true;
}

// Caller-made methods would make a label of any text.
std::string_view MethodLabel(std::string_view method) {
  for (std::string_view known : {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    if (method == known) return known;
  }
  return "other";
}

// What a caller wrote stands between quotes in a detail; it stays out of the daemon's log.
std::string WithoutQuoted(std::string_view detail) {
  size_t first = detail.find('\''), last = detail.rfind('\'');
  if (first == last) return std::string(detail);
  return std::string(detail.substr(0, first + 1)) + "..." + std::string(detail.substr(last));
}

uint64_t RandomNumber() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

HttpResponse JsonResponse(JsonWriter& json, int status) { return {status, "application/json", json.Take(), {}}; }

Status Internal(const Status& status) {
  switch (status.code()) {
    case Code::kInvalid:
    case Code::kNotFound:
    case Code::kConflict:
      return {Code::kCorrupt, status.message()};
    case Code::kUnavailable:
      return {Code::kIo, status.message()};
    default:
      return status;
  }
}

Api::Api(Daemon& daemon, ApiOptions options)
    : daemon_(daemon),
      options_(std::move(options)),
      users_(daemon.clock(),
             [&clock = daemon.clock()](const UserTable& before, const UserTable& table) {
               PrepareSums(before, table, clock.NowUs());
             }),
      first_request_id_(RandomNumber()) {}

// Digits alone, so that log lines which differ in it are of one kind.
std::string Api::NextRequestId() { return fmt::format("{:020}", first_request_id_ + requests_.fetch_add(1)); }

bool Api::IsInstant(const HttpRequest& request) const {
  std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  return path == "/livez" || path == "/version" || path == "/openapi.yaml";
}

void Api::StopWaiting() {
  stopping_ = true;
  for (uint32_t partition : daemon_.owned()) daemon_.runner(partition).HurryAsked();
}

HttpResponse Api::Refuse(int status, std::string_view detail) {
  metrics_.CountRequest("", "other", status, 0);
  std::string request_id = NextRequestId();
  if (options_.log) {
    options_.log("warn", fmt::format("request refused status={} kind={} request_id={} {}", status, DefaultKind(status),
                                     request_id, detail));
  }
  return ToResponse({status, std::string(DefaultKind(status)), std::string(detail), 0}, "", request_id);
}

HttpResponse Api::Fail(const Call& call, const Problem& problem) const {
  // Who asks for somebody that was never seen has done nothing wrong; what is a fault of ours has a line already.
  if (problem.status < 500 && problem.kind != "not-found" && options_.log) {
    options_.log("warn", fmt::format("request refused status={} kind={} method={} route={} request_id={} {}",
                                     problem.status, problem.kind, MethodLabel(call.request->method), call.route,
                                     call.request_id, WithoutQuoted(problem.detail)));
  }
  return ToResponse(problem, call.instance, call.request_id);
}

HttpResponse Api::FailWith(const Call& call, const Status& status) const {
  Problem problem = ProblemOf(status);
  if (problem.status >= 500 && status.code() != Code::kUnavailable && options_.log) {
    options_.log("error", fmt::format("request failed route={} request_id={} {}", call.route, call.request_id,
                                      status.ToString()));
  }
  return Fail(call, problem);
}

Call Api::NewCall(const HttpRequest& request) {
  Call call;
  call.request = &request;
  call.request_id = NextRequestId();
  call.instance = request.target.substr(0, std::min<size_t>(request.target.find('?'), 512));
  if (!IsUtf8(call.instance)) call.instance.clear();
  return call;
}

HttpResponse Api::Finish(const Call& call, int64_t begun_us, HttpResponse response) {
  response.headers.emplace_back("Odometer-Request-Id", call.request_id);
  metrics_.CountRequest(call.route, MethodLabel(call.request->method), response.status,
                        daemon_.clock().MonotonicUs() - begun_us);
  return response;
}

HttpResponse Api::Handle(const HttpRequest& request) {
  int64_t begun_us = daemon_.clock().MonotonicUs();
  Call call = NewCall(request);
  Result<Target> target = SplitTarget(request.target);
  HttpResponse response = target.ok() ? Dispatch(request, *target, &call) : FailWith(call, target.status());
  return Finish(call, begun_us, std::move(response));
}

HttpResponse Api::Dispatch(const HttpRequest& request, const Target& target, Call* call) {
  std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  const Route* found = nullptr;
  std::string allow;
  std::vector<std::string> values;
  for (size_t i = 0; i < std::size(kRoutes); ++i) {
    const Route& route = kRoutes[i];
    if (!Matches(RouteParts()[i], target.segments, &values)) continue;
    call->path = values;
    if (route.answer == &Api::PostRecords && !options_.raw_records) continue;
    allow += allow.empty() ? "" : ", ";
    allow += route.method == "GET" ? "GET, HEAD" : route.method;
    call->route = route.path;
    if (route.method == method) found = &route;
  }
  if (allow.empty())
    return Fail(*call,
                {404, "unknown-route", "there is nothing under this path; /openapi.yaml lists what there is", 0});
  if (found == nullptr) {
    HttpResponse refused = Fail(*call, {405, "method-not-allowed", "this path takes " + allow, 0});
    refused.headers.emplace_back("Allow", allow);
    return refused;
  }
  std::vector<std::string_view> known = Split(found->parameters, ' ');
  for (const auto& [name, value] : target.query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Fail(*call, {400, "unknown-parameter", "the parameter '" + name + "' is not one of this path's", 0});
  }
  Result<std::string> tenant = TenantOf(request);
  if (!tenant.ok()) return FailWith(*call, tenant.status());
  call->tenant = *std::move(tenant);
  call->query = target.query;
  if (std::optional<uint32_t> partition = NotOwned(*found, *call)) return FailNotOwned(*call, *partition);
  Result<HttpResponse> response = (this->*found->answer)(*call);
  return response.ok() ? *std::move(response) : FailWith(*call, response.status());
}

std::vector<uint32_t> Api::NamedPartitions(const Route& route, const Call& call) const {
  std::vector<uint32_t> named;
  if (Result<int64_t> number = call.Number("partition", -1, 0, daemon_.partitions() - 1); number.ok() && *number >= 0)
    named.push_back(static_cast<uint32_t>(*number));
  if (Result<std::optional<std::string>> tenant = call.Text("tenant"); tenant.ok() && tenant->has_value())
    named.push_back(daemon_.PartitionOfTenant(**tenant));
  auto add_position = [&](std::string_view name) {
    Result<std::optional<Position>> position = call.PositionToken(name);
    bool is_of_log = position.ok() && position->has_value() && (*position)->partition < daemon_.partitions();
    if (is_of_log) named.push_back((*position)->partition);
  };
  add_position("position");
  bool is_unnamed = !call.Parameter("partition") && !call.Parameter("position");
  if (is_unnamed && route.needs == Needs::kNamedOrTenants) named.push_back(daemon_.PartitionOfTenant(call.tenant));
  add_position("min_position");
  return named;
}

std::optional<uint32_t> Api::NotOwned(const Route& route, const Call& call) const {
  if (route.needs == Needs::kNone || daemon_.owned().size() == daemon_.partitions()) return std::nullopt;
  std::vector<uint32_t> needed = route.needs == Needs::kTenants ? std::vector{daemon_.PartitionOfTenant(call.tenant)}
                                                                : NamedPartitions(route, call);
  auto found = std::ranges::find_if(needed, [this](uint32_t partition) { return !daemon_.owns(partition); });
  return found == needed.end() ? std::nullopt : std::optional(*found);
}

HttpResponse Api::FailNotOwned(const Call& call, uint32_t partition) const {
  Problem problem{421, "not-owned",
                  fmt::format("this needs partition {}, and this daemon owns {} of the {} there are: nothing was done; "
                              "ask the daemon that owns it",
                              partition, ShowPartitions(daemon_.owned()), daemon_.partitions()),
                  0};
  problem.partition = partition;
  return Fail(call, problem);
}

std::shared_ptr<const View> Api::WaitFor(Runner& runner, uint64_t next_offset, int64_t wait_us) const {
  for (;;) {
    int64_t slice_us = std::min(wait_us, kWaitSliceUs);
    std::shared_ptr<const View> view = runner.WaitFor(next_offset, slice_us);
    wait_us -= slice_us;
    if (view != nullptr || wait_us <= 0 || stopping_) return view;
  }
}

Status Api::AwaitMinPosition(const Call& call) {
  Result<std::optional<Position>> position = call.PositionToken("min_position");
  if (!position.ok()) return position.status();
  Result<int64_t> wait_ms = call.Number("wait_ms", kWaitUsDefault / 1000, 0, kWaitMsMax);
  if (!wait_ms.ok()) return wait_ms.status();
  if (!position->has_value()) return Status::Ok();
  if ((*position)->partition >= daemon_.partitions())
    return Status(Code::kInvalid, "min_position names a partition that this log does not have");
  Runner& runner = daemon_.runner((*position)->partition);
  if (WaitFor(runner, (*position)->next_offset, *wait_ms * 1000) != nullptr) return Status::Ok();
  return Status(Code::kUnavailable, "not folded yet: the view is at " +
                                        Position{runner.partition(), runner.view()->meta().cursor}.ToToken() +
                                        ", min_position is " + (*position)->ToToken());
}

Result<Api::Reading> Api::Read(const Call& call) {
  Runner& runner = RunnerOfTenant(call);
  Result<std::optional<Position>> position = call.PositionToken("min_position");
  if (!position.ok()) return position.status();
  if (position->has_value() && (*position)->partition != runner.partition()) {
    return Status(Code::kInvalid, fmt::format("min_position is one of partition {}; this tenant lives in partition {}",
                                              (*position)->partition, runner.partition()));
  }
  ODOMETER_RETURN_IF_ERROR(AwaitMinPosition(call));
  Reading reading;
  reading.runner = &runner;
  reading.view = runner.FreshView();
  reading.now_us = LiveNowUs(*reading.view, daemon_.clock().NowUs());
  return reading;
}

Result<uint32_t> Api::PartitionParameter(const Call& call, const std::optional<Position>& position) const {
  int64_t unnamed = position ? position->partition : daemon_.PartitionOfTenant(call.tenant);
  Result<int64_t> partition = call.Number("partition", unnamed, 0, daemon_.partitions() - 1);
  if (!partition.ok()) return partition.status();
  if (position && position->partition >= daemon_.partitions())
    return Status(Code::kInvalid, "position names a partition that this log does not have");
  if (position && position->partition != *partition)
    return Status(Code::kInvalid, "position and partition name different partitions");
  return static_cast<uint32_t>(*partition);
}

Status Api::NeverSeen(std::string_view what) const {
  return Status(Code::kNotFound, std::string(what) + " was never seen by this tenant");
}

Result<HttpResponse> Api::GetLive(const Call&) {
  JsonWriter json;
  json.Object().Key("live").Bool(true).End();
  return JsonResponse(json);
}

Result<HttpResponse> Api::GetReady(const Call&) {
  Readiness ready;
  {
    std::lock_guard lock(ready_mutex_);
    int64_t now_us = daemon_.clock().MonotonicUs();
    if (!ready_ || now_us - ready_us_ >= kReadyFreshUs) {
      ready_ = daemon_.CheckReady(kReadyWaitUs);
      ready_us_ = daemon_.clock().MonotonicUs();
    }
    ready = *ready_;
  }
  JsonWriter json;
  json.Object().Key("ready").Bool(ready.ready);
  if (!ready.ready) {
    json.Field("failing_step", ready.failing_step).Key("partition");
    ready.partition < 0 ? json.Null() : json.Int(ready.partition);
    json.Field("detail", ready.detail);
  }
  json.End();
  return JsonResponse(json, ready.ready ? 200 : 503);
}

Result<HttpResponse> Api::GetMetrics(const Call&) {
  return HttpResponse{
      200, "text/plain; version=0.0.4; charset=utf-8", MetricsText(daemon_, metrics_, options_.webhooks), {}};
}

Result<HttpResponse> Api::GetVersion(const Call&) {
  JsonWriter json;
  json.Object().Field("name", "odometer").Field("version", ODOMETER_VERSION).Field("api", "v1");
  json.Field("fold_version", static_cast<int64_t>(kFoldVersion))
      .Field("partitions", static_cast<int64_t>(daemon_.partitions()));
  json.Key("owned").Array();
  for (uint32_t partition : daemon_.owned()) json.Int(partition);
  json.End();
  json.Field("log_id", daemon_.log().log_id().ToString()).End();
  return JsonResponse(json);
}

}  // namespace odometer
