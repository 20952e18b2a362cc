// POST /v1/events and what else touches the log directly.
#include <algorithm>
#include <map>

#include "consumers/event_json.h"
#include "consumers/fresh_id.h"
#include "consumers/http/routes.h"
#include "consumers/queries_cursor.h"

namespace odometer {

// The events of one request, encoded: those that were taken, and why the others were not.
struct PostedEvents {
  struct Item {
    std::optional<ItemError> error;
    EventId id;
  };
  std::vector<Item> items;
  std::vector<std::string> bytes;  // of the items without an error, in their order
};

namespace {

constexpr size_t kEventsMax = 1000;
constexpr int64_t kWaitMsMax = 30'000;

// The media type alone: without parameters, in lower case.
std::string MediaType(std::string_view value) {
  std::string type(value.substr(0, value.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return type;
}

PostedEvents EncodeAll(const ParsedEvents& parsed) {
  PostedEvents posted;
  for (const ParsedEvent& item : parsed.items) {
    posted.items.push_back({item.error, item.event.id});
    if (!item.error) posted.bytes.push_back(Encode(item.event));
  }
  return posted;
}

std::map<std::string, size_t> RefusedByReason(const PostedEvents& posted) {
  std::map<std::string, size_t> counts;
  for (const PostedEvents::Item& item : posted.items) {
    if (item.error) ++counts[item.error->reason];
  }
  return counts;
}

// How many of those taken say a time that has not come yet. They will be placed at the log's time.
size_t CountAhead(const ParsedEvents& parsed, int64_t now_us) {
  return static_cast<size_t>(std::count_if(parsed.items.begin(), parsed.items.end(), [&](const ParsedEvent& item) {
    if (item.error) return false;
    bool ahead = item.event.event_time.us > now_us;
    for (const Interaction& each : item.event.interactions) ahead |= each.event_time.us > now_us;
    return ahead;
  }));
}

struct OutcomeCounts {
  uint64_t applied = 0;
  uint64_t duplicate = 0;
  uint64_t quarantined = 0;
  uint64_t pending = 0;  // not folded in time, or too long ago to be remembered
};

void Count(const std::optional<Outcome>& outcome, OutcomeCounts* counts) {
  if (!outcome) {
    ++counts->pending;
  } else if (outcome->kind == Outcome::Kind::kApplied) {
    ++counts->applied;
  } else if (outcome->kind == Outcome::Kind::kDuplicate) {
    ++counts->duplicate;
  } else {
    ++counts->quarantined;
  }
}

// What became of the events, for one answer.
struct EventsReport {
  const PostedEvents& posted;
  std::optional<Appended> appended;  // without it, every item was refused
  uint32_t partition = 0;
  bool folded = false;                           // outcomes are asked for
  std::vector<std::optional<Outcome>> outcomes;  // then: of each accepted one

  bool adjacent() const { return appended && appended->next_offset - appended->first_offset == posted.bytes.size(); }
};

void WriteItem(JsonWriter& json, const EventsReport& report, size_t index, size_t* accepted) {
  const PostedEvents::Item& item = report.posted.items[index];
  json.Object().Key("index").Unsigned(index);
  if (item.error) {
    json.Field("status", "refused").Field("reason", item.error->reason);
    json.Field("field", item.error->field).Field("message", item.error->message).End();
    return;
  }
  json.Field("status", "accepted").Field("id", item.id.ToString());
  if (report.adjacent()) json.Key("offset").Unsigned(report.appended->first_offset + *accepted);
  if (report.folded) {
    const std::optional<Outcome>& outcome = report.outcomes[*accepted];
    json.Field("outcome", outcome ? OutcomeName(outcome->kind) : "pending");
    if (outcome && outcome->reason != Reason::kNone) json.Field("reason", ReasonName(outcome->reason));
  }
  json.End();
  ++*accepted;
}

HttpResponse ToResponse(const EventsReport& report) {
  const PostedEvents& posted = report.posted;
  JsonWriter json;
  json.Object().Key("accepted").Unsigned(posted.bytes.size());
  json.Key("refused").Unsigned(posted.items.size() - posted.bytes.size());
  json.Key("position");
  report.appended ? json.Text(Position{report.partition, report.appended->next_offset}.ToToken()) : json.Null();
  if (report.folded) {
    OutcomeCounts counts;
    for (const std::optional<Outcome>& outcome : report.outcomes) Count(outcome, &counts);
    json.Key("outcomes").Object().Key("applied").Unsigned(counts.applied).Key("duplicate").Unsigned(counts.duplicate);
    json.Key("quarantined").Unsigned(counts.quarantined).Key("pending").Unsigned(counts.pending).End();
  }
  json.Key("items").Array();
  size_t accepted = 0;
  for (size_t i = 0; i < posted.items.size(); ++i) WriteItem(json, report, i, &accepted);
  json.End().End();
  return JsonResponse(json, report.appended ? 202 : 422);
}

// The records of a body of (length u32le, bytes)*; a length of 2^32 − 1 is a null payload.
Result<std::vector<std::string_view>> SplitRecords(std::string_view body) {
  constexpr uint32_t kNull = UINT32_MAX;
  std::vector<std::string_view> records;
  size_t at = 0;
  while (at < body.size()) {
    if (body.size() - at < 4)
      return Status(Code::kInvalid, "the body ends within a length, at byte " + std::to_string(at));
    uint32_t size = 0;
    for (size_t i = 0; i < 4; ++i) size |= static_cast<uint32_t>(static_cast<uint8_t>(body[at + i])) << (8 * i);
    at += 4;
    if (size == kNull) {
      records.emplace_back();
      continue;
    }
    if (body.size() - at < size)
      return Status(Code::kInvalid, "the body ends within a record, at byte " + std::to_string(at));
    records.push_back(body.substr(at, size));
    at += size;
  }
  if (records.empty()) return Status(Code::kInvalid, "the body holds no record");
  return records;
}

}  // namespace

// Readiness is not told: the step that fails says why.
HttpResponse Api::FailNotSent(const Call& call, Runner& runner) {
  Status refused(Code::kUnavailable,
                 "nothing was sent: the log has not been shown to be the one that was folded; /readyz says why");
  NoteAppendError(call, runner, refused);
  return Fail(call, {503, "unavailable", refused.message(), 1});
}

void Api::NoteAppendError(const Call& call, Runner& runner, const Status& status) {
  metrics_.CountAppendError(status.code());
  if (!options_.log) return;
  options_.log("error", "append failed partition=" + std::to_string(runner.partition()) +
                            " request_id=" + call.request_id + " " + status.ToString());
}

HttpResponse Api::FailAppend(const Call& call, Runner& runner, const Status& status) {
  NoteAppendError(call, runner, status);
  if (status.code() == Code::kUnavailable) {
    return Fail(
        call,
        {503, "outcome-unknown",
         "the log did not say whether the events were written; send them again: events with an id or a key count once",
         1});
  }
  bool is_callers_fault = status.code() == Code::kInvalid;
  if (is_callers_fault) return Fail(call, {413, "too-large", "a record is longer than the log takes", 0});
  return Fail(call, ProblemOf(Internal(status)));
}

void Api::NoteAppended(Runner& runner, const Status& status) {
  bool is_callers_fault = status.code() == Code::kInvalid;
  if (!is_callers_fault) daemon_.NoteAppend(runner.partition(), status);
}

Result<HttpResponse> Api::Append(const Call& call, Runner& runner, std::span<const std::string_view> events,
                                 const std::function<HttpResponse(const Appended&)>& answer, bool is_quiet) {
  if (!runner.is_log_verified()) return FailNotSent(call, runner);
  Result<Appended> appended = is_quiet ? runner.log().AppendQuietly(events) : runner.log().Append(events);
  NoteAppended(runner, appended.status());
  return appended.ok() ? answer(*appended) : FailAppend(call, runner, appended.status());
}

void Api::NotePosted(const Call& call, const PostedEvents& posted, const ParsedEvents& parsed) {
  for (const auto& [reason, count] : RefusedByReason(posted)) {
    metrics_.CountRefusedEvent(reason, count);
    if (!options_.log) continue;
    options_.log("warn", "events refused reason=" + reason + " count=" + std::to_string(count) +
                             " request_id=" + call.request_id);
  }
  size_t ahead = CountAhead(parsed, daemon_.clock().NowUs());
  if (ahead == 0) return;
  metrics_.CountClockAhead(ahead);
  if (options_.log) {
    options_.log("warn", "events ahead of the clock count=" + std::to_string(ahead) + " request_id=" + call.request_id);
  }
}

Result<HttpResponse> Api::PostEvents(const Call& call) {
  Result<std::string_view> header = OnlyHeader(*call.request, "content-type");
  if (!header.ok()) return header.status();
  std::string type = MediaType(*header);
  if (!type.empty() && type != "application/json" && type != "application/x-ndjson") {
    return Fail(call, {415, "unsupported-media-type",
                       "send application/json or application/x-ndjson, not '" + type.substr(0, 64) + "'", 0});
  }
  Result<size_t> wait = call.OneOf("wait", {"appended", "folded"}, 0);
  if (!wait.ok()) return wait.status();
  Result<int64_t> wait_ms = call.Number("wait_ms", 2000, 0, kWaitMsMax);
  if (!wait_ms.ok()) return wait_ms.status();
  JsonOptions options{call.tenant, "api", &daemon_.clock(), FreshBytes, kEventsMax};
  JsonBody form = type == "application/x-ndjson" ? JsonBody::kLines : JsonBody::kWhole;
  Result<ParsedEvents> parsed = ParseEvents(call.request->body, form, options);
  if (!parsed.ok()) return parsed.status();
  PostedEvents posted = EncodeAll(*parsed);
  if (posted.items.empty()) return Status(Code::kInvalid, "the body holds no event");
  NotePosted(call, posted, *parsed);
  Runner& runner = RunnerOfTenant(call);
  EventsReport report{posted, std::nullopt, runner.partition(), *wait == 1, {}};
  if (posted.bytes.empty()) return ToResponse(report);
  std::vector<std::string_view> events(posted.bytes.begin(), posted.bytes.end());
  return Append(call, runner, events, [&](const Appended& appended) {
    report.appended = appended;
    if (report.folded) {
      bool there = WaitFor(runner, appended.next_offset, *wait_ms * 1000) != nullptr;
      for (size_t i = 0; i < posted.bytes.size(); ++i) {
        report.outcomes.push_back(there && report.adjacent() ? runner.OutcomeAt(appended.first_offset + i)
                                                             : std::nullopt);
      }
    }
    return ToResponse(report);
  });
}

Result<HttpResponse> Api::PostRecords(const Call& call) {
  if (!call.Parameter("partition")) return Status(Code::kInvalid, "the parameter 'partition' is missing");
  Result<uint32_t> partition = PartitionParameter(call, std::nullopt);
  if (!partition.ok()) return partition.status();
  Result<std::vector<std::string_view>> records = SplitRecords(call.request->body);
  if (!records.ok()) return records.status();
  return Append(call, daemon_.runner(*partition), *records, [&](const Appended& appended) {
    JsonWriter json;
    json.Object().Key("appended").Unsigned(records->size());
    if (appended.next_offset - appended.first_offset == records->size())
      json.Key("first_offset").Unsigned(appended.first_offset);
    json.Field("position", Position{*partition, appended.next_offset}.ToToken()).End();
    return JsonResponse(json, 202);
  });
}

}  // namespace odometer
