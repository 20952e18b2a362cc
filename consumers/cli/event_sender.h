// consumers/cli/event_sender.h: EventSender, events in batches to POST /v1/events, and what became of each.
//
//   EventSender sender(poster, {.on_refused = [&](const SentEvent& event, const Refusal& why) { ... }});
//   std::optional<Failure> failure = sender.Add({row.number, json_text, row.raw});
//   if (!failure) failure = sender.Flush();
//   sender.totals().applied
//
// A daemon that says 503, or goes away after it has answered once, is asked again with growing pauses: the same bytes
// have the same ids, so nothing counts twice. Confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "consumers/cli/context.h"
#include "consumers/cli/http_client.h"

namespace odometer::cli {

struct SentEvent {
  uint64_t number = 0;  // the row's, for reports
  std::string json;     // one line
  std::string raw;      // the row as it came; only kept for reports
};

struct Refusal {
  std::string reason;
  std::string field;
  std::string message;
};

struct SendTotals {
  uint64_t sent = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;
  uint64_t applied = 0;
  uint64_t duplicates = 0;
  uint64_t quarantined = 0;
  uint64_t pending = 0;  // accepted, but not folded when the daemon answered; or not asked for
  uint64_t retries = 0;
  std::string position;  // behind the last event

  nlohmann::ordered_json ToJson() const;
};

struct SenderOptions {
  size_t batch_events_max = 500;             // the daemon takes 1,000
  size_t batch_bytes_max = 3 * 1024 * 1024;  // and 4 MiB
  bool wait_for_fold = true;                 // else outcomes are not known
  int64_t retry_for_ms = 120'000;            // then kExitUnreachable
  std::function<void(const SentEvent&, const Refusal&)> on_refused;  // also what was quarantined
  std::function<void(int64_t ms)> sleep;                             // null: really sleeps
};

class EventSender {
 public:
  using Poster = std::function<Result<HttpResponse>(const std::string& path, const std::string& body)>;

  EventSender(Poster poster, SenderOptions options);
  // Posts application/x-ndjson through a client, which must outlive it.
  static Poster PosterOf(HttpClient& client);

  // Sends the batch when it is full. A failure ends the run: later calls are not to be made.
  std::optional<Failure> Add(SentEvent event);
  std::optional<Failure> Flush();
  const SendTotals& totals() const { return totals_; }

 private:
  Result<HttpResponse> PostWithRetries(const std::string& body);
  std::optional<Failure> ReadAnswer(const HttpResponse& response);
  void ReadItem(const nlohmann::json& item);

  Poster poster_;
  SenderOptions options_;
  SendTotals totals_;
  std::vector<SentEvent> batch_;
  size_t batch_bytes_ = 0;
  bool was_answered_ = false;
};

}  // namespace odometer::cli
