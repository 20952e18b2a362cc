// consumers/http/routes.h: Api, what each route of the HTTP API answers, and the table that says which routes there
// are.
//
//   Api api(daemon, options);
//   HttpResponse response = api.Handle(request);     // blocks where it must: appends, min_position
//
// The contract is openapi.yaml; the table below is held equal to it by a test. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/background.h"
#include "consumers/daemon.h"
#include "consumers/http/call.h"
#include "consumers/http/message.h"
#include "consumers/http/problem.h"
#include "consumers/http/render.h"
#include "consumers/metrics.h"
#include "consumers/queries_cursor.h"
#include "consumers/queries_users.h"
#include "consumers/usage_cache.h"

namespace odometer {

class Webhooks;

struct ApiOptions {
  Webhooks* webhooks = nullptr;                                         // outlives the Api; null: there are none
  bool raw_records = false;                                             // POST /v1/admin/records is there
  std::function<void(const char* level, const std::string& text)> log;  // what went wrong inside
};

class Api;
class LimitView;
struct Assignments;
struct ExplainRequest;
struct ItemError;
struct LimitsRow;
struct ParsedEvents;
struct PostedEvents;
struct Subject;

// What says which partition a call needs.
enum class Needs { kNone, kTenants, kNamed, kNamedOrTenants };

struct Route {
  std::string_view method;
  std::string_view path;        // "/v1/users/{u}/vector-usage"
  std::string_view parameters;  // of the query, by name, with spaces between
  Needs needs;
  Result<HttpResponse> (Api::*answer)(const Call&);
};
std::span<const Route> Routes();

class Api {
 public:
  // The daemon must outlive it.
  Api(Daemon& daemon, ApiOptions options);

  HttpResponse Handle(const HttpRequest& request);
  // Takes a request that asks for a verdict, where the log lets many be judged at once; `reply` is called once it is,
  // or at once if it cannot be. False: Handle() it. Does not block.
  bool Begin(HttpRequest& request, const HttpReply& reply);
  // Has those judged that this thread has begun.
  void EndRound();
  // Answers to what never became a request; see HttpServerOptions.
  HttpResponse Refuse(int status, std::string_view detail);
  // Whether the answer waits for nothing: it needs neither log nor store.
  bool IsInstant(const HttpRequest& request) const;
  // From now on nothing waits for the fold: for a clean stop.
  void StopWaiting();

  Result<HttpResponse> PostEvents(const Call& call);
  Result<HttpResponse> GetSummary(const Call& call);
  Result<HttpResponse> GetSystemSummary(const Call& call);
  Result<HttpResponse> GetUsers(const Call& call);
  Result<HttpResponse> GetTurns(const Call& call);
  Result<HttpResponse> GetSessions(const Call& call);
  Result<HttpResponse> GetProjectUsage(const Call& call);
  Result<HttpResponse> GetOperations(const Call& call);
  Result<HttpResponse> GetVectorUsage(const Call& call);
  Result<HttpResponse> GetLive(const Call& call);
  Result<HttpResponse> GetReady(const Call& call);
  Result<HttpResponse> GetMetrics(const Call& call);
  Result<HttpResponse> GetVersion(const Call& call);
  Result<HttpResponse> GetOpenApi(const Call& call);
  Result<HttpResponse> PostCheckpoint(const Call& call);
  Result<HttpResponse> GetQuarantine(const Call& call);
  Result<HttpResponse> GetDigest(const Call& call);
  Result<HttpResponse> GetEvents(const Call& call);
  Result<HttpResponse> PostRecords(const Call& call);
  Result<HttpResponse> PostCheck(const Call& call);
  Result<HttpResponse> PostAdmit(const Call& call);
  Result<HttpResponse> PostReserve(const Call& call);
  Result<HttpResponse> PostLease(const Call& call);
  Result<HttpResponse> PostSettle(const Call& call);
  Result<HttpResponse> PostRelease(const Call& call);
  Result<HttpResponse> GetHolds(const Call& call);
  Result<HttpResponse> GetLimits(const Call& call);
  Result<HttpResponse> GetExplanation(const Call& call);
  Result<HttpResponse> GetQuotaStatus(const Call& call);
  Result<HttpResponse> GetAlerts(const Call& call);
  Result<HttpResponse> GetWebhooks(const Call& call);
  Result<HttpResponse> GetDeadLetters(const Call& call);
  Result<HttpResponse> PostResend(const Call& call);
  Result<HttpResponse> ListProfiles(const Call& call);
  Result<HttpResponse> GetProfile(const Call& call);
  Result<HttpResponse> PutProfile(const Call& call);
  Result<HttpResponse> PostAssign(const Call& call);
  Result<HttpResponse> DeleteProfile(const Call& call);
  Result<HttpResponse> GetUserProfile(const Call& call);
  Result<HttpResponse> PutUserProfile(const Call& call);
  Result<HttpResponse> GetFallbackProfile(const Call& call);
  Result<HttpResponse> PutFallbackProfile(const Call& call);
  Result<HttpResponse> GetUserOverride(const Call& call);
  Result<HttpResponse> PutUserOverride(const Call& call);
  Result<HttpResponse> GetTenantOverride(const Call& call);
  Result<HttpResponse> PutTenantOverride(const Call& call);
  Result<HttpResponse> ListOverrides(const Call& call);
  Result<HttpResponse> ListQuotas(const Call& call);
  Result<HttpResponse> PutQuota(const Call& call);
  Result<HttpResponse> GetPolicy(const Call& call);
  Result<HttpResponse> PutEnforcement(const Call& call);
  Result<HttpResponse> PutZone(const Call& call);

 private:
  // What a read reads from.
  struct Reading {
    Runner* runner = nullptr;
    std::shared_ptr<const View> view;
    int64_t now_us = 0;
    AsOf as_of() const { return AsOfView(*view); }
    AsOf AsOfView(const View& at) const {
      return {runner->partition(), at.meta().cursor, now_us, runner->state().log_end};
    }
  };

  // A request that was begun.
  struct Begun {
    HttpRequest request;
    Call call;
    int64_t begun_us = 0;
    HttpReply reply;
  };

  std::string NextRequestId();
  Call NewCall(const HttpRequest& request);
  HttpResponse Finish(const Call& call, int64_t begun_us, HttpResponse response);
  HttpResponse Dispatch(const HttpRequest& request, const Target& target, Call* call);
  HttpResponse Fail(const Call& call, const Problem& problem) const;
  HttpResponse FailWith(const Call& call, const Status& status) const;

  // A partition that the call needs and this daemon does not own. Handlers are called where there is none.
  std::optional<uint32_t> NotOwned(const Route& route, const Call& call) const;
  // Those of the log that its parameters name; what is malformed is left to its handler.
  std::vector<uint32_t> NamedPartitions(const Route& route, const Call& call) const;
  HttpResponse FailNotOwned(const Call& call, uint32_t partition) const;
  Runner& RunnerOfTenant(const Call& call) const { return daemon_.runner(daemon_.PartitionOfTenant(call.tenant)); }

  // The newest view of the tenant's partition, not older than min_position says; kUnavailable when it stays older.
  Result<Reading> Read(const Call& call);
  // What `partition` or else the position names; the tenant's without them.
  Result<uint32_t> PartitionParameter(const Call& call, const std::optional<Position>& position) const;
  std::shared_ptr<const View> WaitFor(Runner& runner, uint64_t next_offset, int64_t wait_us) const;
  Status AwaitMinPosition(const Call& call);
  Status NeverSeen(std::string_view what) const;

  // Counts what was refused of a request, and what is ahead of the clock, with a line for each.
  void NotePosted(const Call& call, const PostedEvents& posted, const ParsedEvents& parsed);
  // Appends, tells readiness how it went, and answers with `answer` or a problem.
  Result<HttpResponse> Append(const Call& call, Runner& runner, std::span<const std::string_view> events,
                              const std::function<HttpResponse(const Appended&)>& answer, bool is_quiet = false);
  void NoteAppended(Runner& runner, const Status& status);
  void NoteAppendError(const Call& call, Runner& runner, const Status& status);
  HttpResponse FailNotSent(const Call& call, Runner& runner);
  HttpResponse FailAppend(const Call& call, Runner& runner, const Status& status);
  // One event, appended and folded: an ask, or what ends a hold.
  Result<ParsedEvents> ParseOne(const Call& call, const std::string& body);
  Result<HttpResponse> AnswerAssign(const Call& call, const Assignments& asked, const Reading& reading,
                                    const std::map<std::string, Uuid>& sent, const std::string& position);
  Result<HttpResponse> AnswerExplain(const Call& call, Runner& runner, ExplainRequest request);
  HttpResponse FailItem(const Call& call, const ItemError& error) const;
  Result<HttpResponse> Decide(
      const Call& call, const Event& event,
      const std::function<Result<HttpResponse>(Runner&, uint64_t offset, const Runner::Answered&)>& answer);
  Result<HttpResponse> Ask(const Call& call, EventType type);
  std::optional<HttpResponse> ReadAsked(const Call& call, EventType type, ParsedEvents* parsed);
  HttpResponse AnswerJudged(const Call& call, const Uuid& id, Runner& runner, const Runner::Judged& judged);
  HttpResponse FailVerdictLate(const Call& call);
  HttpResponse AnswerAsk(const Call& call, const Uuid& id, Runner& runner, uint64_t offset,
                         const Runner::Answered& answered);
  Result<HttpResponse> EndHold(const Call& call, bool is_release);
  Result<HttpResponse> AnswerEnd(const Call& call, const Event& event, Runner& runner, uint64_t offset,
                                 const Runner::Answered& answered);
  Status WriteProfile(JsonWriter& json, LimitView& limits, const Subject& subject);
  Result<HttpResponse> Define(const Call& call, EventType type, const std::string& fields);
  Result<HttpResponse> AnswerProfileOf(const Call& call, std::string_view user);
  Result<HttpResponse> AnswerOverrideOf(const Call& call, std::string_view user);
  Result<HttpResponse> AnswerLimits(const Reading& reading, const LimitsRow* row);
  // Writes each turn with what amended it, as an object.
  Status WriteTurns(JsonWriter& json, PartitionLog& log, std::span<const TurnEntry* const> turns);
  Status WriteUserRow(JsonWriter& json, const View& view, const std::string& tenant, const std::string& user,
                      std::optional<Period> period, int64_t now_us, std::optional<int64_t> threshold);
  // Those who have used that many percent of one of their limits, those who have used most before others.
  Result<std::vector<std::string>> UsersNear(const Call& call, const UserTable& table, int64_t threshold,
                                             int64_t now_us);
  Status WriteLimitsNear(JsonWriter& json, const View& view, const Subject& subject, int64_t threshold, int64_t now_us);
  Status WriteSystemSummary(JsonWriter& json, const Call& call, const Reading& reading, const UserTable& table);
  Status WriteCostliest(JsonWriter& json, const Reading& reading, const SystemSummary& summary);
  Result<std::shared_ptr<const UserTable>> TableOf(const Call& call, const Reading& reading);

  // Where a cursor of a pinned listing points; listing is null when it is gone. nullopt without a cursor.
  struct PinnedAt {
    std::shared_ptr<const PinnedListing> listing;
    size_t from = 0;
  };
  struct NamesPage {
    size_t from = 0;
    size_t limit = 0;
    std::function<Status(JsonWriter&, const View&, const std::string& name)> write;
  };
  Result<std::optional<PinnedAt>> GoOn(const Call& call, uint64_t filter);
  HttpResponse StartAgain(const Call& call) const;
  Result<HttpResponse> PageOfNames(const Call& call, const Reading& reading, const PinnedListing& listing,
                                   const NamesPage& page);
  Result<HttpResponse> PageOfTurns(const Call& call, const Reading& reading, const TurnList& list, Cursor cursor,
                                   size_t limit);
  Result<HttpResponse> PageOfOperations(const Call& call, const Reading& reading, const OperationPage& page,
                                        const Cursor& next);
  Result<HttpResponse> PageOfRecords(const Call& call, Runner& runner, std::optional<Position> position, size_t limit);

  Daemon& daemon_;
  ApiOptions options_;
  HttpMetrics metrics_;
  UserTables users_;
  UsageCache usage_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> requests_{0};
  uint64_t first_request_id_;

  // So that readers wait less: with the rest that it takes, a fifth of a core at most.
  Background renewing_{[this] { return users_.RenewDue(); }, 4};

  std::mutex explain_mutex_;  // held while one is found out: it folds the log again
  std::mutex
      ready_mutex_;  // guards the two below; held while readiness is found out, so that many askers cost one probe
  std::optional<Readiness> ready_;
  int64_t ready_us_ = 0;
};

// An answer of 200 with a JSON body.
HttpResponse JsonResponse(JsonWriter& json, int status = 200);
// A body without its type as the event that it is; `fields` go before its own.
Result<std::string> AsEvent(std::string_view body, std::string_view fields);
// Errors of the log and the store that a caller did not cause, whatever their code.
Status Internal(const Status& status);

}  // namespace odometer
