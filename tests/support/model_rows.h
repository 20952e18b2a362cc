// tests/support/model_rows.h: the logical rows of docs/figures.md as plain structs, for the Model alone.
//
// Every figure is a 128-bit integer, so that a sum is exact whatever it is; FitCheck says afterwards whether a row may
// be kept. Each row names its content once, in Visit(), for the check and for the comparison alike. Thread-compatible.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/period.h"

namespace odometer::model {

using Int = __int128;

inline constexpr int64_t kNone = -1;  // the time of nothing
inline constexpr int64_t kRingHours = 24;
inline constexpr int kTurnStatuses = 6;
inline constexpr int kOperations = 7;
inline constexpr int kOperationStatuses = 4;
inline constexpr std::array<std::string_view, kOperations> kOperationNames = {
    "add", "upsert", "delete", "search", "count", "collection_create", "collection_drop"};
inline constexpr std::array<std::string_view, kOperationStatuses> kOperationStatusNames = {
    "success", "failure", "partial_failure", "quota_exceeded"};

inline std::string_view StatusName(OperationStatus status) {
  return kOperationStatusNames[static_cast<size_t>(status) - 1];
}

struct TokenSums {
  Int input_uncached = 0, cache_read = 0, cache_write_5m = 0, cache_write_1h = 0, output = 0, reasoning = 0;

  void Add(const Tokens& tokens);
  Int Total() const { return input_uncached + cache_read + cache_write_5m + cache_write_1h + output; }
  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "input_uncached_tokens", input_uncached);
    visitor.Figure("", "cache_read_tokens", cache_read);
    visitor.Figure("", "cache_write_5m_tokens", cache_write_5m);
    visitor.Figure("", "cache_write_1h_tokens", cache_write_1h);
    visitor.Figure("", "output_tokens", output);
    visitor.Figure("", "reasoning_tokens", reasoning);
    visitor.Sum(Total());
  }
};

// Section 3: the block that account, period and tenant share.
struct Usage {
  Int requests = 0, llm_calls = 0;
  std::array<Int, kTurnStatuses> turns{};  // by status − 1
  TokenSums tokens;
  Int cost_ai_tokens = 0, cost_db_ops = 0, cost_api_calls = 0, cost_compute_time = 0;
  Int priced_facts = 0, unpriced_facts = 0;
  Int rag_turns = 0, rag_guided_turns = 0, rag_output_tokens_saved = 0, rag_unpriced_turns = 0;
  Int duration_us = 0, timed_turns = 0, first_token_us = 0, first_token_turns = 0;
  Int amendments = 0;
  std::array<Int, 4> interactions_by_kind{};    // by kind − 1
  std::array<Int, 3> interactions_by_status{};  // by status − 1
  Int db_operations = 0, api_calls = 0, compute_us = 0;
  Int champion_cases = 0, config_changes = 0, sessions = 0;

  void Add(const Turn& turn);
  void Add(const Amendment& amendment);
  void Add(const Interaction& interaction);

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    static constexpr std::array<std::string_view, kTurnStatuses> kTurnStatusNames = {"success",   "failed",  "error",
                                                                                     "cancelled", "partial", "timeout"};
    static constexpr std::array<std::string_view, 4> kKindNames = {"chat", "db", "api", "cost_event"};
    static constexpr std::array<std::string_view, 3> kStatusNames = {"completed", "failed", "timeout"};
    visitor.Figure("", "requests", requests);
    visitor.Figure("", "llm_calls", llm_calls);
    for (size_t i = 0; i < turns.size(); ++i) visitor.Figure("turns_", kTurnStatusNames[i], turns[i]);
    tokens.Visit(visitor);
    visitor.Figure("", "cost_ai_tokens_nano_usd", cost_ai_tokens);
    visitor.Figure("", "cost_db_ops_nano_usd", cost_db_ops);
    visitor.Figure("", "cost_api_calls_nano_usd", cost_api_calls);
    visitor.Figure("", "cost_compute_time_nano_usd", cost_compute_time);
    visitor.Sum(cost_ai_tokens + cost_db_ops + cost_api_calls + cost_compute_time);
    visitor.Figure("", "priced_facts", priced_facts);
    visitor.Figure("", "unpriced_facts", unpriced_facts);
    visitor.Figure("", "rag_turns", rag_turns);
    visitor.Figure("", "rag_guided_turns", rag_guided_turns);
    visitor.Figure("", "rag_output_tokens_saved", rag_output_tokens_saved);
    visitor.Figure("", "rag_unpriced_turns", rag_unpriced_turns);
    visitor.Figure("", "duration_us", duration_us);
    visitor.Figure("", "timed_turns", timed_turns);
    visitor.Figure("", "first_token_us", first_token_us);
    visitor.Figure("", "first_token_turns", first_token_turns);
    visitor.Figure("", "amendments", amendments);
    for (size_t i = 0; i < 4; ++i) visitor.Figure("interactions_", kKindNames[i], interactions_by_kind[i]);
    for (size_t i = 0; i < 3; ++i) visitor.Figure("interactions_", kStatusNames[i], interactions_by_status[i]);
    visitor.Figure("", "db_operations", db_operations);
    visitor.Figure("", "api_calls", api_calls);
    visitor.Figure("", "compute_us", compute_us);
    visitor.Figure("", "champion_cases", champion_cases);
    visitor.Figure("", "config_changes", config_changes);
    visitor.Figure("", "sessions", sessions);
  }
};

// name → {turns, tokens}: the first `names_max` stand by name, later ones go to `other`.
struct NameSums {
  struct Entry {
    std::string name;
    Int turns = 0, tokens = 0;
  };

  explicit NameSums(size_t max) : names_max(max) {}
  void Add(std::string_view name, Int turns, Int tokens);

  size_t names_max;
  std::vector<Entry> named;
  Entry other{"(other)"};
};

// 25 hourly buckets, the newest at the greatest hour that the ring was moved to.
struct HourRing {
  int64_t newest = kNone;
  std::map<int64_t, Int> buckets;  // those of the 25 that were ever added to

  void Add(int64_t hour);
  void Take(int64_t hour);
  void MoveTo(int64_t hour);  // never back
};

// Least and greatest of some times; −1 when there was none.
struct TimeSpan {
  int64_t first_us = kNone, last_us = kNone;

  void Add(int64_t us);
};

// The winner among facts that set the same thing: greatest (fold_time, event id).
struct Stamp {
  int64_t us = kNone;
  EventId id;

  // True if (at_us, by) wins; then it is the stamp from now on.
  bool Move(int64_t at_us, const EventId& by);
};

struct AccountRow {
  std::string tenant;
  Int events = 0;
  Usage usage;
  NameSums models{64}, providers{16};
  TimeSpan use;
  HourRing requests_ring, turns_ring, sessions_ring;
  Int collections_subscribed = 0;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "events", events);
    usage.Visit(visitor);
    visitor.Names("models.", models);
    visitor.Names("providers.", providers);
    visitor.Figure("", "first_use_us", use.first_us);
    visitor.Figure("", "last_use_us", use.last_us);
    visitor.Ring("requests_ring", requests_ring);
    visitor.Ring("turns_ring", turns_ring);
    visitor.Ring("sessions_ring", sessions_ring);
    visitor.Figure("", "collections_subscribed", collections_subscribed);
  }
};

struct PeriodRow {
  std::string tenant;
  Usage usage;
  NameSums models{64}, providers{16};
  TimeSpan use;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    usage.Visit(visitor);
    visitor.Names("models.", models);
    visitor.Names("providers.", providers);
    visitor.Figure("", "first_use_us", use.first_us);
    visitor.Figure("", "last_use_us", use.last_us);
  }
};

struct DayRow {
  std::string tenant;
  Int requests = 0, turns = 0, llm_calls = 0, interactions = 0, config_changes = 0, sessions = 0;
  TokenSums tokens;
  Int cost = 0;
  std::array<Int, 24> hours{};

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "requests", requests);
    visitor.Figure("", "turns", turns);
    visitor.Figure("", "llm_calls", llm_calls);
    visitor.Figure("", "interactions", interactions);
    visitor.Figure("", "config_changes", config_changes);
    visitor.Figure("", "sessions", sessions);
    tokens.Visit(visitor);
    visitor.Figure("", "cost_nano_usd", cost);
    visitor.Hours("hours", hours);
  }
};

struct SessionRow {
  std::string tenant;
  TimeSpan span;
  Int turns = 0, amendments = 0, interactions = 0, llm_calls = 0;
  TokenSums tokens;
  Int cost = 0;
  Int last_turn_number = 0;
  std::string name;
  Stamp name_stamp;
  bool ended = false;
  Stamp state_stamp;
  std::string summary;
  std::vector<std::string> key_points;
  Stamp summary_stamp;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "first_us", span.first_us);
    visitor.Figure("", "last_us", span.last_us);
    visitor.Figure("", "turns", turns);
    visitor.Figure("", "amendments", amendments);
    visitor.Figure("", "interactions", interactions);
    visitor.Figure("", "llm_calls", llm_calls);
    tokens.Visit(visitor);
    visitor.Figure("", "cost_nano_usd", cost);
    visitor.Figure("", "last_turn_number", last_turn_number);
    visitor.Text("name", name);
    visitor.Figure("", "name_us", name_stamp.us);
    visitor.Id("name_id", name_stamp.id);
    visitor.Flag("ended", ended);
    visitor.Figure("", "state_us", state_stamp.us);
    visitor.Id("state_id", state_stamp.id);
    visitor.Text("summary", summary);
    visitor.Texts("key_points", key_points);
    visitor.Figure("", "summary_us", summary_stamp.us);
    visitor.Id("summary_id", summary_stamp.id);
  }
};

struct SubscriptionRow {
  std::string tenant;
  bool subscribed = false;
  Stamp state_stamp;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Flag("subscribed", subscribed);
    visitor.Figure("", "state_us", state_stamp.us);
    visitor.Id("state_id", state_stamp.id);
  }
};

// project and project_user.
struct ProjectRow {
  struct ByOperation {
    std::array<Int, kOperationStatuses> statuses{};  // by status − 1
    Int requested = 0, succeeded = 0, payload_bytes = 0, duration_us = 0, timed = 0;
  };

  std::string tenant;
  Int events = 0;
  TimeSpan use;
  std::array<ByOperation, kOperations> operations{};
  Int inserted = 0, results = 0, filtered = 0;
  Int vectors = 0, bytes = 0, collections = 0;
  Int correction_vectors = 0, correction_bytes = 0, dropped_vectors = 0, dropped_bytes = 0;
  HourRing searches_ring;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    static constexpr std::array<std::string_view, kOperations> kPrefixes = {
        "add.", "upsert.", "delete.", "search.", "count.", "collection_create.", "collection_drop."};
    visitor.Figure("", "events", events);
    visitor.Figure("", "first_use_us", use.first_us);
    visitor.Figure("", "last_use_us", use.last_us);
    for (size_t i = 0; i < operations.size(); ++i) {
      const ByOperation& operation = operations[i];
      for (size_t s = 0; s < operation.statuses.size(); ++s) {
        visitor.Figure(kPrefixes[i], kOperationStatusNames[s], operation.statuses[s]);
      }
      visitor.Figure(kPrefixes[i], "requested", operation.requested);
      visitor.Figure(kPrefixes[i], "succeeded", operation.succeeded);
      visitor.Figure(kPrefixes[i], "payload_bytes", operation.payload_bytes);
      visitor.Figure(kPrefixes[i], "duration_us", operation.duration_us);
      visitor.Figure(kPrefixes[i], "timed", operation.timed);
    }
    visitor.Figure("", "inserted", inserted);
    visitor.Figure("", "results", results);
    visitor.Figure("", "filtered", filtered);
    visitor.Figure("", "vectors", vectors);
    visitor.Figure("", "bytes", bytes);
    visitor.Figure("", "collections", collections);
    visitor.Figure("", "correction_vectors", correction_vectors);
    visitor.Figure("", "correction_bytes", correction_bytes);
    visitor.Figure("", "dropped_vectors", dropped_vectors);
    visitor.Figure("", "dropped_bytes", dropped_bytes);
    visitor.Ring("searches_ring", searches_ring);
  }
};

struct CollectionRow {
  std::string tenant;
  Int operations = 0, searches = 0, vectors = 0, bytes = 0;
  bool exists = false;
  std::string owner;
  Stamp state_stamp;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "operations", operations);
    visitor.Figure("", "searches", searches);
    visitor.Figure("", "vectors", vectors);
    visitor.Figure("", "bytes", bytes);
    visitor.Flag("exists", exists);
    visitor.Text("owner", owner);
    visitor.Figure("", "state_us", state_stamp.us);
    visitor.Id("state_id", state_stamp.id);
  }
};

struct UserGaugesRow {
  std::string tenant;
  Int vectors = 0, bytes = 0, collections = 0;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "vectors", vectors);
    visitor.Figure("", "bytes", bytes);
    visitor.Figure("", "collections", collections);
  }
};

// The sums of vector operations that a project_hour cell holds.
struct OperationSums {
  Int count = 0, requested = 0, succeeded = 0, vectors_delta = 0, bytes_delta = 0, payload_bytes = 0, duration_us = 0,
      timed = 0, results = 0, filtered = 0, inserted = 0;

  void Add(EventType type, const Operation& operation);
  void Add(const OperationSums& sums);
  friend bool operator==(const OperationSums&, const OperationSums&) = default;

  template <class Visitor>
  void Visit(Visitor& visitor, std::string_view prefix) const {
    visitor.Figure(prefix, "count", count);
    visitor.Figure(prefix, "requested", requested);
    visitor.Figure(prefix, "succeeded", succeeded);
    visitor.Figure(prefix, "vectors_delta", vectors_delta);
    visitor.Figure(prefix, "bytes_delta", bytes_delta);
    visitor.Figure(prefix, "payload_bytes", payload_bytes);
    visitor.Figure(prefix, "duration_us", duration_us);
    visitor.Figure(prefix, "timed", timed);
    visitor.Figure(prefix, "results", results);
    visitor.Figure(prefix, "filtered", filtered);
    visitor.Figure(prefix, "inserted", inserted);
  }
};

struct ProjectHourRow {
  std::string tenant;
  std::map<std::string, OperationSums> cells;  // "add.success." → sums

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    for (const auto& [prefix, sums] : cells) sums.Visit(visitor, prefix);
  }
};

struct ServiceDayRow {
  std::string tenant;
  Int turns = 0, interactions = 0, vector_operations = 0, amendments = 0, llm_calls = 0;
  TokenSums tokens;
  Int cost = 0, duration_us = 0;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Figure("", "turns", turns);
    visitor.Figure("", "interactions", interactions);
    visitor.Figure("", "vector_operations", vector_operations);
    visitor.Figure("", "amendments", amendments);
    visitor.Figure("", "llm_calls", llm_calls);
    tokens.Visit(visitor);
    visitor.Figure("", "cost_nano_usd", cost);
    visitor.Figure("", "duration_us", duration_us);
  }
};

struct TenantRow {
  std::string tenant;
  Usage usage;
  NameSums models{64}, providers{16};
  Int users = 0, projects = 0, events = 0, clock_ahead_events = 0;
  int64_t max_fold_us = kNone;
  Int missing_events = 0, lost_events = 0;
  Int vectors = 0, bytes = 0, collections = 0, operations = 0, searches = 0;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    usage.Visit(visitor);
    visitor.Names("models.", models);
    visitor.Names("providers.", providers);
    visitor.Figure("", "users", users);
    visitor.Figure("", "projects", projects);
    visitor.Figure("", "events", events);
    visitor.Figure("", "clock_ahead_events", clock_ahead_events);
    visitor.Figure("", "max_fold_us", max_fold_us);
    visitor.Figure("", "missing_events", missing_events);
    visitor.Figure("", "lost_events", lost_events);
    visitor.Figure("", "vectors", vectors);
    visitor.Figure("", "bytes", bytes);
    visitor.Figure("", "collections", collections);
    visitor.Figure("", "operations", operations);
    visitor.Figure("", "searches", searches);
  }
};

// Whether every figure of the rows it visits is within its range.
class FitCheck {
 public:
  void Figure(std::string_view, std::string_view, Int value) { Sum(value); }
  void Sum(Int value) { fits_ &= value >= INT64_MIN && value <= INT64_MAX; }
  void Names(std::string_view, const NameSums& names);
  void Ring(std::string_view, const HourRing& ring);
  void Hours(std::string_view, const std::array<Int, 24>& hours);
  void Steps(std::string_view, Window, int64_t, const std::map<int64_t, Int>& steps) {
    for (const auto& [step, amount] : steps) Sum(amount);
  }
  void Text(std::string_view, std::string_view) {}
  void Texts(std::string_view, const std::vector<std::string>&) {}
  void Flag(std::string_view, bool) {}
  void Id(std::string_view, const EventId&) {}
  bool fits() const { return fits_; }

 private:
  void Bucket(Int value) { fits_ &= value >= 0 && value <= UINT32_MAX; }

  bool fits_ = true;
};

// A row as field → value. Rings and steps are first moved to `moment_us`.
class FieldWriter {
 public:
  explicit FieldWriter(int64_t moment_us) : moment_us_(moment_us) {}
  void Figure(std::string_view prefix, std::string_view name, Int value);
  void Sum(Int) {}
  void Names(std::string_view prefix, const NameSums& names);
  void Ring(std::string_view name, HourRing ring);
  void Hours(std::string_view name, const std::array<Int, 24>& hours);
  // Of a rolling counter: "rolling_hour step=amount,…", those that are not 0.
  void Steps(std::string_view name, Window window, int64_t newest, const std::map<int64_t, Int>& steps);
  void Text(std::string_view name, std::string_view text) { fields_[std::string(name)] = text; }
  void Texts(std::string_view name, const std::vector<std::string>& texts);
  void Flag(std::string_view name, bool flag) { Text(name, flag ? "true" : "false"); }
  void Id(std::string_view name, const EventId& id) { Text(name, id.ToString()); }
  std::map<std::string, std::string> TakeFields() { return std::move(fields_); }

 private:
  int64_t moment_us_;
  std::map<std::string, std::string> fields_;
};

std::string ToText(Int value);

}  // namespace odometer::model
