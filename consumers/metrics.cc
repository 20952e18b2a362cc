#include "consumers/metrics.h"

#include <functional>
#include <initializer_list>
#include <utility>
#include <vector>

#include "consumers/webhooks.h"
#include "core/event.h"
#include "core/reason.h"
#include "state/meta.h"

namespace odometer {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

std::string Escaped(std::string_view value) {
  std::string out;
  for (char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void Head(std::string* text, std::string_view name, std::string_view type, std::string_view help) {
  *text += "# HELP " + std::string(name) + " " + std::string(help) + "\n";
  *text += "# TYPE " + std::string(name) + " " + std::string(type) + "\n";
}

void Sample(std::string* text, std::string_view name, Labels labels, std::string_view value) {
  *text += name;
  bool first = true;
  for (const auto& [label, of] : labels) {
    *text += (first ? "{" : ",") + std::string(label) + "=\"" + Escaped(of) + "\"";
    first = false;
  }
  if (!first) *text += '}';
  *text += ' ' + std::string(value) + '\n';
}

void Sample(std::string* text, std::string_view name, Labels labels, uint64_t value) {
  Sample(text, name, labels, std::to_string(value));
}

// Seconds with six digits, without floating point.
std::string Seconds(uint64_t us) {
  std::string fraction = std::to_string(us % 1'000'000);
  return std::to_string(us / 1'000'000) + "." + std::string(6 - fraction.size(), '0') + fraction;
}

struct PartitionState {
  std::string label;
  RunnerState runner;
  OffsetRange range;
};

// One figure of each partition.
void PerPartition(std::string* text, const std::vector<PartitionState>& partitions, std::string_view name,
                  std::string_view type, std::string_view help,
                  const std::function<std::string(const PartitionState&)>& value) {
  Head(text, name, type, help);
  for (const PartitionState& partition : partitions)
    Sample(text, name, {{"partition", partition.label}}, value(partition));
}

void WriteOutcomes(std::string* text, const std::vector<PartitionState>& partitions) {
  Head(text, "odometer_records_applied_total", "counter", "Records folded into the figures, by event type.");
  for (const PartitionState& partition : partitions) {
    for (EventType type : AllEventTypes()) {
      Sample(text, "odometer_records_applied_total", {{"partition", partition.label}, {"type", TypeName(type)}},
             partition.runner.committed.applied[static_cast<size_t>(type)]);
    }
  }
  Head(text, "odometer_records_quarantined_total", "counter", "Records set aside, by reason.");
  for (const PartitionState& partition : partitions) {
    for (size_t reason = 1; reason < kReasons; ++reason) {
      Sample(text, "odometer_records_quarantined_total",
             {{"partition", partition.label}, {"reason", ReasonName(static_cast<Reason>(reason))}},
             partition.runner.committed.quarantined[reason]);
    }
  }
}

void WriteConservation(std::string* text, const std::vector<PartitionState>& partitions) {
  WriteOutcomes(text, partitions);
  auto of_meta = [&](std::string_view name, std::string_view type, std::string_view help, uint64_t MetaRow::*figure) {
    PerPartition(text, partitions, name, type, help,
                 [&](const PartitionState& partition) { return std::to_string(partition.runner.committed.*figure); });
  };
  of_meta("odometer_records_duplicate_total", "counter", "Records that had been folded before.", &MetaRow::duplicate);
  of_meta("odometer_records_duplicate_unverified_total", "counter", "Of the duplicates, those too old to compare.",
          &MetaRow::duplicate_unverified);
  of_meta("odometer_records_duplicate_other_door_total", "counter",
          "Of the duplicates, those that came from another source.", &MetaRow::duplicate_other_door);
  of_meta("odometer_own_events_total", "counter", "Of the applied records, Odometer's own.", &MetaRow::own_events);
  of_meta("odometer_start", "gauge", "The first offset that was folded.", &MetaRow::start);
  of_meta("odometer_cursor", "gauge",
          "The next offset to fold: cursor - start - holes = applied + duplicate + quarantined.", &MetaRow::cursor);
  of_meta("odometer_holes", "gauge", "Offsets below the cursor at which the log has no record.", &MetaRow::holes);
  PerPartition(text, partitions, "odometer_log_start_offset", "gauge", "The first offset that the log holds.",
               [](const PartitionState& partition) { return std::to_string(partition.range.start); });
  PerPartition(text, partitions, "odometer_log_end_offset", "gauge", "The offset after the last record.",
               [](const PartitionState& partition) { return std::to_string(partition.range.end); });
  PerPartition(text, partitions, "odometer_consumer_lag_records", "gauge",
               "Records in the log that are not in a view yet.", [](const PartitionState& p) {
                 return std::to_string(p.range.end - std::min(p.range.end, p.runner.committed.cursor));
               });
}

void WriteLine(std::string* text, const std::vector<PartitionState>& partitions) {
  PerPartition(text, partitions, "odometer_commits_total", "counter", "Commits of the store.",
               [](const PartitionState& partition) { return std::to_string(partition.runner.commits); });
  PerPartition(text, partitions, "odometer_commit_seconds_total", "counter", "Time spent in commits.",
               [](const PartitionState& partition) { return Seconds(partition.runner.commit_us_total); });
  PerPartition(text, partitions, "odometer_memory_rows", "gauge", "Rows held in memory.",
               [](const PartitionState& partition) { return std::to_string(partition.runner.rows_in_memory); });
  PerPartition(text, partitions, "odometer_memory_bytes", "gauge", "Bytes of the rows held in memory.",
               [](const PartitionState& partition) { return std::to_string(partition.runner.bytes_in_memory); });
  PerPartition(text, partitions, "odometer_crossings_waiting", "gauge",
               "Crossings that are committed and whose event has not come back from the log.",
               [](const PartitionState& partition) { return std::to_string(partition.runner.crossings_waiting); });
  PerPartition(
      text, partitions, "odometer_failing", "gauge", "1 while a step of the line does not work.",
      [](const PartitionState& partition) { return std::string(partition.runner.failing_step.empty() ? "0" : "1"); });
}

}  // namespace

void HttpMetrics::CountRequest(std::string_view route, std::string_view method, int status, int64_t took_us) {
  std::lock_guard lock(mutex_);
  auto requests = requests_.find(std::tuple(route, method, status));
  if (requests == requests_.end())
    requests = requests_.try_emplace({std::string(route), std::string(method), status}, 0).first;
  ++requests->second;
  auto of_route = durations_.find(route);
  if (of_route == durations_.end()) of_route = durations_.try_emplace(std::string(route)).first;
  Duration& duration = of_route->second;
  ++duration.count;
  duration.us += static_cast<uint64_t>(std::max<int64_t>(took_us, 0));
}

void HttpMetrics::CountRefusedEvent(std::string_view reason, uint64_t count) {
  std::lock_guard lock(mutex_);
  refused_[std::string(reason)] += count;
}

void HttpMetrics::CountAppendError(Code code) {
  std::lock_guard lock(mutex_);
  ++append_errors_[std::string(CodeName(code))];
}

void HttpMetrics::CountClockAhead(uint64_t count) {
  std::lock_guard lock(mutex_);
  clock_ahead_ += count;
}

void HttpMetrics::WriteTo(std::string* text) const {
  std::lock_guard lock(mutex_);
  Head(text, "odometer_http_requests_total", "counter", "Requests answered, by route and status.");
  for (const auto& [key, count] : requests_) {
    const auto& [route, method, status] = key;
    Sample(text, "odometer_http_requests_total",
           {{"route", route}, {"method", method}, {"status", std::to_string(status)}}, count);
  }
  Head(text, "odometer_http_request_duration_seconds", "summary", "Time in the handler, by route.");
  for (const auto& [route, duration] : durations_) {
    Sample(text, "odometer_http_request_duration_seconds_sum", {{"route", route}}, Seconds(duration.us));
    Sample(text, "odometer_http_request_duration_seconds_count", {{"route", route}}, duration.count);
  }
  Head(text, "odometer_events_refused_total", "counter", "Posted events that were refused, by reason.");
  for (const auto& [reason, count] : refused_)
    Sample(text, "odometer_events_refused_total", {{"reason", reason}}, count);
  Head(text, "odometer_events_clock_ahead_total", "counter", "Posted events whose time was ahead of the clock.");
  Sample(text, "odometer_events_clock_ahead_total", {}, clock_ahead_);
  Head(text, "odometer_append_errors_total", "counter", "Appends that failed, by kind.");
  for (const auto& [kind, count] : append_errors_)
    Sample(text, "odometer_append_errors_total", {{"kind", kind}}, count);
}

namespace {

void WriteWebhooks(std::string* text, const std::vector<WebhookStatus>& webhooks) {
  auto each = [&](std::string_view name, std::string_view type, std::string_view help, auto&& value) {
    Head(text, name, type, help);
    for (const WebhookStatus& webhook : webhooks) Sample(text, name, {{"webhook", webhook.name}}, value(webhook));
  };
  each("odometer_webhook_delivered_total", "counter", "Alerts that an address has taken, since it was set up.",
       [](const WebhookStatus& webhook) { return webhook.delivered; });
  each("odometer_webhook_failed_attempts_total", "counter", "Attempts that an address did not take.",
       [](const WebhookStatus& webhook) { return webhook.failed; });
  each("odometer_webhook_failing", "gauge", "1 while the last attempt failed.",
       [](const WebhookStatus& webhook) -> uint64_t { return webhook.failing_since_us >= 0 ? 1 : 0; });
  each("odometer_webhook_dead_letters", "gauge", "Alerts that were given up and wait for somebody.",
       [](const WebhookStatus& webhook) -> uint64_t { return webhook.dead_letters; });
}

}  // namespace

std::string MetricsText(Daemon& daemon, const HttpMetrics& http, const Webhooks* webhooks) {
  std::vector<PartitionState> partitions;
  for (uint32_t partition : daemon.owned()) {
    Runner& runner = daemon.runner(partition);
    // The log's end after the state: a lag is never below 0.
    PartitionState state{std::to_string(partition), runner.state(), {}};
    state.range = runner.log().range();
    partitions.push_back(std::move(state));
  }
  std::string text;
  WriteConservation(&text, partitions);
  WriteLine(&text, partitions);
  http.WriteTo(&text);
  if (webhooks != nullptr) WriteWebhooks(&text, webhooks->statuses());
  return text;
}

}  // namespace odometer
