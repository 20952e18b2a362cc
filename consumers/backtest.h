// consumers/backtest.h: Backtest(), who would have been refused, when and how often, if another profile, quota,
// override or policy had been in force.
//
//   Result<BacktestReport> report = Backtest(source, {.tenant = "acme", .tried = {definition}, .work_dir = dir},
//   progress); report->all.refused - report->all.refused_live
//
// The log is folded twice: as it is, and with each tried definition in the place of the one that it replaces, from the
// position on at which that one stood when the time in question began. What an ask that is refused only now let run
// has no part in the second fold. Nothing live changes. Confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "consumers/tenant_fold.h"
#include "core/event.h"
#include "log/event_log.h"
#include "state/fact_parts.h"
#include "state/limit_rows.h"

namespace odometer {

struct BacktestRequest {
  std::string tenant;
  std::vector<Event> tried;  // definitions; their texts outlive the call
  int64_t from_us = 0;       // by append time: what was appended at or after it, and before `to`, is reported
  int64_t to_us = INT64_MAX;
  bool judges_unasked = false;  // turns and operations that named no ask, as if each had asked for itself
  std::string work_dir;         // made, and removed at the end
  size_t refusals_max = 1'000;  // listed; all are counted
};

struct BacktestSums {
  uint64_t asked = 0;
  uint64_t refused_live = 0;   // as the log has it; under observe: would have been
  uint64_t refused = 0;        // as tried
  uint64_t newly_refused = 0;  // and not live
  uint64_t newly_allowed = 0;
  MeterSums refused_amounts{};  // that those asked for
  uint64_t traffic_events = 0;  // facts that were run on a newly refused ask
  MeterSums traffic{};          // and what they used
};

// The words of a limit that refused.
struct RefusingLimit {
  Meter meter;
  Window window;
  Scope over;
  uint8_t level;  // Level
  std::string source;
  friend auto operator<=>(const RefusingLimit&, const RefusingLimit&) = default;
};

struct BacktestUser {
  BacktestSums sums;
  int64_t first_refused_us = kNever;
  int64_t last_refused_us = kNever;
  std::map<RefusingLimit, uint64_t> by_limit;
};

struct BacktestRefusal {
  uint64_t offset = 0;
  Uuid ask;  // nil: the fact at the offset named none
  int64_t at_us = 0;
  std::string user, project;
  bool is_new = false;
};

struct BacktestReport {
  BacktestSums all;
  std::map<std::pair<std::string, std::string>, BacktestUser> users;  // by user, or by project of none
  std::vector<BacktestRefusal> refusals;
  uint64_t records = 0;  // read
  uint32_t partition = 0;
};

// kInvalid: a tried definition that the fold would not take, with the reason.
Result<BacktestReport> Backtest(const FoldSource& source, const BacktestRequest& request, const ReadProgress& progress);

}  // namespace odometer
