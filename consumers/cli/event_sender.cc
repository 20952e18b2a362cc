#include "consumers/cli/event_sender.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "consumers/cli/output.h"

namespace odometer::cli {

namespace {

constexpr int64_t kFirstPauseMs = 100;
constexpr int64_t kPauseMsMax = 5'000;

std::string TextOf(const nlohmann::json& object, const char* member) {
  auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t CountOf(const nlohmann::json& object, const char* member) {
  auto found = object.find(member);
  return found == object.end() ? 0 : static_cast<uint64_t>(std::max<int64_t>(IntegerOf(*found), 0));
}

bool IsRetryable(int status) { return status == 429 || status == 503; }

}  // namespace

nlohmann::ordered_json SendTotals::ToJson() const {
  return {{"sent", sent},       {"accepted", accepted},       {"applied", applied},
          {"duplicates", duplicates}, {"quarantined", quarantined}, {"refused", refused},
          {"pending", pending}, {"retries", retries}};
}

EventSender::EventSender(Poster poster, SenderOptions options)
    : poster_(std::move(poster)), options_(std::move(options)) {
  if (options_.sleep == nullptr) {
    options_.sleep = [](int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); };
  }
}

EventSender::Poster EventSender::PosterOf(HttpClient& client) {
  return [&client](const std::string& path, const std::string& body) {
    return client.Post(path, body, "application/x-ndjson");
  };
}

std::optional<Failure> EventSender::Add(SentEvent event) {
  size_t bytes = event.json.size() + 1;
  bool is_full = batch_.size() >= options_.batch_events_max || batch_bytes_ + bytes > options_.batch_bytes_max;
  if (is_full) {
    if (std::optional<Failure> failure = Flush()) return failure;
  }
  batch_bytes_ += bytes;
  batch_.push_back(std::move(event));
  return std::nullopt;
}

std::optional<Failure> EventSender::Flush() {
  if (batch_.empty()) return std::nullopt;
  std::string body;
  body.reserve(batch_bytes_);
  for (const SentEvent& event : batch_) (body += event.json) += '\n';
  Result<HttpResponse> response = PostWithRetries(body);
  if (!response.ok()) return FailureOf(response.status());
  std::optional<Failure> failure = ReadAnswer(*response);
  batch_.clear();
  batch_bytes_ = 0;
  return failure;
}

Result<HttpResponse> EventSender::PostWithRetries(const std::string& body) {
  const std::string path = options_.wait_for_fold ? "/v1/events?wait=folded&wait_ms=30000" : "/v1/events?wait=appended";
  int64_t waited_ms = 0;
  for (int64_t pause_ms = kFirstPauseMs;; pause_ms = std::min(pause_ms * 2, kPauseMsMax)) {
    Result<HttpResponse> response = poster_(path, body);
    was_answered_ |= response.ok();
    bool may_retry = response.ok() ? IsRetryable(response->status)
                                   : was_answered_ && response.status().code() == Code::kUnavailable;
    if (!may_retry || waited_ms >= options_.retry_for_ms) return response;
    int64_t asked_ms = response.ok() ? response->retry_after_s.value_or(0) * 1000 : 0;
    int64_t ms = std::min(std::max(pause_ms, asked_ms), options_.retry_for_ms - waited_ms);
    options_.sleep(ms);
    waited_ms += ms;
    ++totals_.retries;
  }
}

std::optional<Failure> EventSender::ReadAnswer(const HttpResponse& response) {
  nlohmann::json answer = nlohmann::json::parse(response.body, nullptr, false);
  bool has_counts = answer.is_object() && answer.contains("accepted");
  if (!has_counts || (response.status != 202 && response.status != 422)) return FailureOf(response, kExitBadData);
  uint64_t accepted = CountOf(answer, "accepted");
  totals_.sent += batch_.size();
  totals_.accepted += accepted;
  totals_.refused += CountOf(answer, "refused");
  if (std::string position = TextOf(answer, "position"); !position.empty()) totals_.position = position;
  uint64_t known = 0;
  if (auto outcomes = answer.find("outcomes"); outcomes != answer.end() && outcomes->is_object()) {
    uint64_t applied = CountOf(*outcomes, "applied");
    uint64_t duplicates = CountOf(*outcomes, "duplicate");
    uint64_t quarantined = CountOf(*outcomes, "quarantined");
    totals_.applied += applied;
    totals_.duplicates += duplicates;
    totals_.quarantined += quarantined;
    known = applied + duplicates + quarantined;
  }
  totals_.pending += accepted - std::min(accepted, known);
  if (auto items = answer.find("items"); items != answer.end() && items->is_array()) {
    for (const nlohmann::json& item : *items) ReadItem(item);
  }
  return std::nullopt;
}

void EventSender::ReadItem(const nlohmann::json& item) {
  if (!item.is_object() || options_.on_refused == nullptr) return;
  uint64_t index = CountOf(item, "index");
  bool is_refused = TextOf(item, "status") == "refused";
  bool is_quarantined = TextOf(item, "outcome") == "quarantined";
  if ((!is_refused && !is_quarantined) || index >= batch_.size()) return;
  Refusal refusal{TextOf(item, "reason"), TextOf(item, "field"), TextOf(item, "message")};
  if (refusal.reason.empty()) refusal.reason = is_refused ? "refused" : "quarantined";
  if (refusal.message.empty() && is_quarantined) {
    refusal.message = "accepted, but quarantined by the fold: odometer quarantine list";
  }
  options_.on_refused(batch_[index], refusal);
}

}  // namespace odometer::cli
