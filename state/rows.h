// state/rows.h: the logical rows as plain structs. What each field means: docs/figures.md.
//
// Each row names its fields once, in Fields(); stored bytes, digests, comparisons and JSON all follow from that:
//
//   AccountRow::Fields(row, [](const char* name, const auto& value) { … });
//
// A row's bytes are versioned by the fold's version, not one by one: a store of another fold version is folded anew.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/ids.h"
#include "state/name_table.h"
#include "state/ring.h"

namespace odometer {

inline constexpr int64_t kNever = -1;  // a time that has not been

struct TokenFigures {
  int64_t input_uncached_tokens = 0;
  int64_t cache_read_tokens = 0;
  int64_t cache_write_5m_tokens = 0;
  int64_t cache_write_1h_tokens = 0;
  int64_t output_tokens = 0;
  int64_t reasoning_tokens = 0;

  // The fold keeps the total in range.
  int64_t total() const {
    return static_cast<int64_t>(static_cast<__int128>(input_uncached_tokens) + cache_read_tokens +
                                cache_write_5m_tokens + cache_write_1h_tokens + output_tokens);
  }
  // An output that amendments have made negative may leave it beyond the range: then it is the nearest that there is.
  int64_t input() const {
    __int128 input = static_cast<__int128>(total()) - output_tokens;
    return static_cast<int64_t>(input > INT64_MAX ? INT64_MAX : input < INT64_MIN ? INT64_MIN : input);
  }
  // The sums are known to be in range.
  void Add(const TokenFigures& more) {
    input_uncached_tokens += more.input_uncached_tokens;
    cache_read_tokens += more.cache_read_tokens;
    cache_write_5m_tokens += more.cache_write_5m_tokens;
    cache_write_1h_tokens += more.cache_write_1h_tokens;
    output_tokens += more.output_tokens;
    reasoning_tokens += more.reasoning_tokens;
  }
  void Add(const Tokens& more) {
    Add(TokenFigures{more.input_uncached, more.cache_read, more.cache_write_5m, more.cache_write_1h, more.output,
                     more.reasoning});
  }

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("input_uncached_tokens", row.input_uncached_tokens);
    v("cache_read_tokens", row.cache_read_tokens);
    v("cache_write_5m_tokens", row.cache_write_5m_tokens);
    v("cache_write_1h_tokens", row.cache_write_1h_tokens);
    v("output_tokens", row.output_tokens);
    v("reasoning_tokens", row.reasoning_tokens);
  }
};

// What turns, and the sessions that begin with them, add to: 26 figures side by side.
struct TurnUsage {
  int64_t requests = 0;
  int64_t llm_calls = 0;
  std::array<int64_t, 6> turns{};  // by TurnStatus − 1
  TokenFigures tokens;
  int64_t cost_ai_tokens_nano_usd = 0;
  int64_t priced_facts = 0;
  int64_t unpriced_facts = 0;
  int64_t duration_us = 0;
  int64_t timed_turns = 0;
  int64_t first_token_us = 0;
  int64_t first_token_turns = 0;
  int64_t sessions = 0;
  int64_t rag_turns = 0;
  int64_t rag_guided_turns = 0;
  int64_t rag_output_tokens_saved = 0;
  int64_t rag_unpriced_turns = 0;

  // Field by field. The sums are known to be in range.
  void Add(const TurnUsage& more) {
    using Pair [[gnu::vector_size(16)]] = int64_t;
    static_assert(sizeof(TurnUsage) % sizeof(Pair) == 0);
    for (size_t at = 0; at < sizeof(TurnUsage); at += sizeof(Pair)) {
      Pair sum, added;
      std::memcpy(&sum, reinterpret_cast<char*>(this) + at, sizeof sum);
      std::memcpy(&added, reinterpret_cast<const char*>(&more) + at, sizeof added);
      sum += added;
      std::memcpy(reinterpret_cast<char*>(this) + at, &sum, sizeof sum);
    }
  }
  // f(a figure of *to, that of `more`), field by field.
  template <class F>
  static void ForEachPair(TurnUsage* to, const TurnUsage& more, F&& f) {
    using Figure [[gnu::may_alias]] = int64_t;
    auto* figures = reinterpret_cast<Figure*>(to);
    const auto* added = reinterpret_cast<const Figure*>(&more);
    for (size_t i = 0; i < sizeof(TurnUsage) / sizeof(Figure); ++i) f(figures[i], added[i]);
  }
};
static_assert(sizeof(TurnUsage) == 26 * sizeof(int64_t));

struct Usage : TurnUsage {
  int64_t cost_db_ops_nano_usd = 0;
  int64_t cost_api_calls_nano_usd = 0;
  int64_t cost_compute_time_nano_usd = 0;
  int64_t amendments = 0;
  std::array<int64_t, 4> interactions_by_kind{};    // by InteractionKind − 1
  std::array<int64_t, 3> interactions_by_status{};  // by InteractionStatus − 1
  int64_t db_operations = 0;
  int64_t api_calls = 0;
  int64_t compute_us = 0;
  int64_t champion_cases = 0;
  int64_t config_changes = 0;

  int64_t turns_total() const { return turns[0] + turns[1] + turns[2] + turns[3] + turns[4] + turns[5]; }
  int64_t cost_nano_usd() const {
    return static_cast<int64_t>(static_cast<__int128>(cost_ai_tokens_nano_usd) + cost_db_ops_nano_usd +
                                cost_api_calls_nano_usd + cost_compute_time_nano_usd);
  }

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("requests", row.requests);
    v("llm_calls", row.llm_calls);
    v("turns_success", row.turns[0]);
    v("turns_failed", row.turns[1]);
    v("turns_error", row.turns[2]);
    v("turns_cancelled", row.turns[3]);
    v("turns_partial", row.turns[4]);
    v("turns_timeout", row.turns[5]);
    TokenFigures::Fields(row.tokens, v);
    v("cost_ai_tokens_nano_usd", row.cost_ai_tokens_nano_usd);
    v("cost_db_ops_nano_usd", row.cost_db_ops_nano_usd);
    v("cost_api_calls_nano_usd", row.cost_api_calls_nano_usd);
    v("cost_compute_time_nano_usd", row.cost_compute_time_nano_usd);
    v("priced_facts", row.priced_facts);
    v("unpriced_facts", row.unpriced_facts);
    v("rag_turns", row.rag_turns);
    v("rag_guided_turns", row.rag_guided_turns);
    v("rag_output_tokens_saved", row.rag_output_tokens_saved);
    v("rag_unpriced_turns", row.rag_unpriced_turns);
    v("duration_us", row.duration_us);
    v("timed_turns", row.timed_turns);
    v("first_token_us", row.first_token_us);
    v("first_token_turns", row.first_token_turns);
    v("amendments", row.amendments);
    v("interactions_chat", row.interactions_by_kind[0]);
    v("interactions_db", row.interactions_by_kind[1]);
    v("interactions_api", row.interactions_by_kind[2]);
    v("interactions_cost_event", row.interactions_by_kind[3]);
    v("interactions_completed", row.interactions_by_status[0]);
    v("interactions_failed", row.interactions_by_status[1]);
    v("interactions_timeout", row.interactions_by_status[2]);
    v("db_operations", row.db_operations);
    v("api_calls", row.api_calls);
    v("compute_us", row.compute_us);
    v("champion_cases", row.champion_cases);
    v("config_changes", row.config_changes);
    v("sessions", row.sessions);
  }
};

struct AccountRow {
  int64_t events = 0;
  int64_t first_use_us = kNever;
  int64_t last_use_us = kNever;
  Usage usage;
  ModelTable models;
  ProviderTable providers;
  int64_t collections_subscribed = 0;
  Ring requests_ring;
  Ring turns_ring;
  Ring sessions_ring;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("events", row.events);
    Usage::Fields(row.usage, v);
    v("first_use_us", row.first_use_us);
    v("last_use_us", row.last_use_us);
    v("collections_subscribed", row.collections_subscribed);
    v("requests_ring", row.requests_ring);
    v("turns_ring", row.turns_ring);
    v("sessions_ring", row.sessions_ring);
    v("models", row.models);
    v("providers", row.providers);
  }
};

struct PeriodRow {
  int64_t first_use_us = kNever;
  int64_t last_use_us = kNever;
  Usage usage;
  ModelTable models;
  ProviderTable providers;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    Usage::Fields(row.usage, v);
    v("first_use_us", row.first_use_us);
    v("last_use_us", row.last_use_us);
    v("models", row.models);
    v("providers", row.providers);
  }
};

struct DayRow {
  int64_t requests = 0;
  int64_t turns = 0;
  int64_t llm_calls = 0;
  int64_t interactions = 0;
  int64_t config_changes = 0;
  int64_t sessions = 0;
  TokenFigures tokens;
  int64_t cost_nano_usd = 0;
  std::array<uint32_t, 24> hours{};

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("requests", row.requests);
    v("turns", row.turns);
    v("llm_calls", row.llm_calls);
    v("interactions", row.interactions);
    v("config_changes", row.config_changes);
    v("sessions", row.sessions);
    TokenFigures::Fields(row.tokens, v);
    v("cost_nano_usd", row.cost_nano_usd);
    v("hours", row.hours);
  }
};

struct SessionRow {
  int64_t first_us = kNever;
  int64_t last_us = kNever;
  int64_t turns = 0;
  int64_t llm_calls = 0;
  TokenFigures tokens;
  int64_t cost_nano_usd = 0;
  int64_t last_turn_number = 0;  // up to here, what turns move
  int64_t amendments = 0;
  int64_t interactions = 0;
  std::string name;
  int64_t name_us = kNever;
  Uuid name_id;
  bool ended = false;
  int64_t state_us = kNever;
  Uuid state_id;
  std::string summary;
  std::vector<std::string> key_points;
  int64_t summary_us = kNever;
  Uuid summary_id;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("first_us", row.first_us);
    v("last_us", row.last_us);
    v("turns", row.turns);
    v("amendments", row.amendments);
    v("interactions", row.interactions);
    v("llm_calls", row.llm_calls);
    TokenFigures::Fields(row.tokens, v);
    v("cost_nano_usd", row.cost_nano_usd);
    v("last_turn_number", row.last_turn_number);
    v("name", row.name);
    v("name_us", row.name_us);
    v("name_id", row.name_id);
    v("ended", row.ended);
    v("state_us", row.state_us);
    v("state_id", row.state_id);
    v("summary", row.summary);
    v("key_points", row.key_points);
    v("summary_us", row.summary_us);
    v("summary_id", row.summary_id);
  }
};

struct SubscriptionRow {
  bool subscribed = false;
  int64_t state_us = kNever;
  Uuid state_id;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("subscribed", row.subscribed);
    v("state_us", row.state_us);
    v("state_id", row.state_id);
  }
};

enum class OperationKind : uint8_t { kAdd, kUpsert, kDelete, kSearch, kCount, kCollectionCreate, kCollectionDrop };
inline constexpr int kOperationKinds = 7;
inline constexpr int kOperationStatuses = 4;
const char* OperationName(OperationKind kind);     // "add", …, "collection_drop"
const char* StatusName(OperationStatus status);    // "success", …, "quota_exceeded"
const char* StatusName(TurnStatus status);         // "success", …
const char* StatusName(InteractionStatus status);  // "completed", …
const char* KindName(InteractionKind kind);        // "chat", "db", "api", "cost-event"
OperationKind OperationOf(EventType type);         // of a vector type

struct OperationFigures {
  std::array<int64_t, kOperationStatuses> by_status{};  // by OperationStatus − 1
  int64_t requested = 0;
  int64_t succeeded = 0;
  int64_t payload_bytes = 0;
  int64_t duration_us = 0;
  int64_t timed = 0;

  int64_t count() const { return by_status[0] + by_status[1] + by_status[2] + by_status[3]; }
};

// project and project_user rows.
struct ProjectRow {
  int64_t events = 0;
  int64_t first_use_us = kNever;
  int64_t last_use_us = kNever;
  std::array<OperationFigures, kOperationKinds> operations{};
  int64_t inserted = 0;
  int64_t results = 0;
  int64_t filtered = 0;
  int64_t vectors = 0;
  int64_t bytes = 0;
  int64_t collections = 0;
  int64_t correction_vectors = 0;
  int64_t correction_bytes = 0;
  int64_t dropped_vectors = 0;
  int64_t dropped_bytes = 0;
  Ring searches_ring;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("events", row.events);
    v("first_use_us", row.first_use_us);
    v("last_use_us", row.last_use_us);
    v("operations", row.operations);
    v("inserted", row.inserted);
    v("results", row.results);
    v("filtered", row.filtered);
    v("vectors", row.vectors);
    v("bytes", row.bytes);
    v("collections", row.collections);
    v("correction_vectors", row.correction_vectors);
    v("correction_bytes", row.correction_bytes);
    v("dropped_vectors", row.dropped_vectors);
    v("dropped_bytes", row.dropped_bytes);
    v("searches_ring", row.searches_ring);
  }
};

struct CollectionRow {
  int64_t operations = 0;
  int64_t searches = 0;
  int64_t vectors = 0;
  int64_t bytes = 0;
  bool exists = false;
  std::string owner;
  int64_t state_us = kNever;
  Uuid state_id;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("operations", row.operations);
    v("searches", row.searches);
    v("vectors", row.vectors);
    v("bytes", row.bytes);
    v("exists", row.exists);
    v("owner", row.owner);
    v("state_us", row.state_us);
    v("state_id", row.state_id);
  }
};

// What a user has over all projects: the sums of the rows of the user in each.
struct UserGaugesRow {
  int64_t vectors = 0;
  int64_t bytes = 0;
  int64_t collections = 0;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("vectors", row.vectors);
    v("bytes", row.bytes);
    v("collections", row.collections);
  }
};

// What one user did in one project in one hour, by operation and status.
struct HourCell {
  OperationKind operation = OperationKind::kAdd;
  OperationStatus status = OperationStatus::kSuccess;
  int64_t count = 0;
  int64_t requested = 0;
  int64_t succeeded = 0;
  int64_t vectors_delta = 0;
  int64_t bytes_delta = 0;
  int64_t payload_bytes = 0;
  int64_t duration_us = 0;
  int64_t timed = 0;
  int64_t results = 0;
  int64_t filtered = 0;
  int64_t inserted = 0;

  template <class Self, class V>
  static void Fields(Self& cell, V&& v) {
    v("count", cell.count);
    v("requested", cell.requested);
    v("succeeded", cell.succeeded);
    v("vectors_delta", cell.vectors_delta);
    v("bytes_delta", cell.bytes_delta);
    v("payload_bytes", cell.payload_bytes);
    v("duration_us", cell.duration_us);
    v("timed", cell.timed);
    v("results", cell.results);
    v("filtered", cell.filtered);
    v("inserted", cell.inserted);
  }
};

struct ProjectHourRow {
  std::vector<HourCell> cells;  // sorted by (operation, status)

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("cells", row.cells);
  }
};

// What all users did in one project in one minute of place time, and between which offsets of the log that stands.
struct ProjectMinuteRow {
  uint64_t first_offset = 0;
  uint64_t last_offset = 0;
  std::vector<HourCell> cells;  // as in ProjectHourRow; sums stop at the end of their range

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("first_offset", row.first_offset);
    v("last_offset", row.last_offset);
    v("cells", row.cells);
  }
};

struct ServiceDayRow {
  int64_t turns = 0;
  int64_t interactions = 0;
  int64_t vector_operations = 0;
  int64_t amendments = 0;
  int64_t llm_calls = 0;
  TokenFigures tokens;
  int64_t cost_nano_usd = 0;
  int64_t duration_us = 0;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("turns", row.turns);
    v("interactions", row.interactions);
    v("vector_operations", row.vector_operations);
    v("amendments", row.amendments);
    v("llm_calls", row.llm_calls);
    TokenFigures::Fields(row.tokens, v);
    v("cost_nano_usd", row.cost_nano_usd);
    v("duration_us", row.duration_us);
  }
};

struct TenantRow {
  int64_t events = 0;
  Usage usage;
  int64_t users = 0;
  int64_t projects = 0;
  int64_t clock_ahead_events = 0;
  int64_t max_fold_us = kNever;
  int64_t missing_events = 0;
  int64_t lost_events = 0;
  int64_t vectors = 0;
  int64_t bytes = 0;
  int64_t collections = 0;
  int64_t operations = 0;
  int64_t searches = 0;
  ModelTable models;
  ProviderTable providers;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("events", row.events);
    Usage::Fields(row.usage, v);
    v("users", row.users);
    v("projects", row.projects);
    v("clock_ahead_events", row.clock_ahead_events);
    v("max_fold_us", row.max_fold_us);
    v("missing_events", row.missing_events);
    v("lost_events", row.lost_events);
    v("vectors", row.vectors);
    v("bytes", row.bytes);
    v("collections", row.collections);
    v("operations", row.operations);
    v("searches", row.searches);
    v("models", row.models);
    v("providers", row.providers);
  }
};

}  // namespace odometer
