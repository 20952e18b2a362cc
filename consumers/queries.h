// consumers/queries.h: what all reads share: rates, shares, and the moment that a live read is aged to.
//
// A query takes a View and answers plain figures; it changes nothing and knows no HTTP. The queries:
// queries_account (one user), queries_users (all users of a tenant), queries_turns, queries_sessions, queries_projects.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "state/hour_cell.h"
#include "state/name_table.h"
#include "state/rows.h"
#include "state/store.h"

namespace odometer {

// A live read ages windows to the later of the log's time and the daemon's clock.
inline int64_t LiveNowUs(const View& view, int64_t clock_now_us) {
  return std::max(view.meta().log_time_us, clock_now_us);
}

// The order that two texts have in keys.
inline bool IsBeforeInKeys(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// part ÷ whole in hundredths of a percent, half-even; nullopt when whole is 0.
std::optional<int64_t> Hundredths(int64_t part, int64_t whole);

// Each weight's share in hundredths of a percent: they sum to exactly 10,000 (largest remainder; of equal ones the
// first). A weight below 0 counts as 0; all shares are 0 when there is nothing to share.
std::vector<int64_t> Shares(const std::vector<int64_t>& weights);

struct NameShare {
  NameCount count;
  bool is_other = false;  // what came after the first names of the row
  int64_t turns_share = 0;
  int64_t tokens_share = 0;
};
// In falling order of turns, then tokens, then by name; `other` last, and only when it holds something.
std::vector<NameShare> SharesOf(std::vector<NameCount> names, const NameFigures& other);

// The row at a key, or an empty one.
template <class Row>
Result<Row> RowOrEmpty(const View& view, const KeyBuilder& key) {
  Result<std::optional<Row>> row = ReadRow<Row>(view, key.view());
  if (!row.ok()) return row.status();
  return row->has_value() ? std::move(**row) : Row();
}

// Every row under a key prefix, in key order, until the callback answers false; kCorrupt when one cannot be read.
template <class Row, class Callback>
Status ScanRows(const View& view, const KeyBuilder& prefix, Callback&& callback) {
  Status decoded;
  Status scanned =
      view.Scan(prefix.view(), PrefixEnd(prefix.view()), [&](std::string_view key, std::string_view value) {
        Row row;
        if (!DecodeRow(value, &row)) {
          decoded = Status(Code::kCorrupt, "store: a row's bytes cannot be read");
          return false;
        }
        return callback(key, row);
      });
  return scanned.ok() ? decoded : scanned;
}

}  // namespace odometer

// Gives `into` the value of a Result, or returns its status.
#define ODOMETER_ASSIGN_OR_RETURN(into, expression) \
  do {                                              \
    auto result_ = (expression);                    \
    if (!result_.ok()) return result_.status();     \
    into = *std::move(result_);                     \
  } while (0)
