// consumers/explain.h: Explain(), what an ask was or would have been answered at a past moment, and why: the limits
// that applied, the level that decided each, what had been used, and the events that had moved it most.
//
//   Result<Explanation> why = Explain(source, {.tenant = "acme", .ask = id, .work_dir = dir}, progress);
//   why->verdict.allowed == why->asked->verdict.allowed;     // always: both are what the log folds to
//
// The log is folded again up to that moment, twice; nothing live is touched. Confined to one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consumers/tenant_fold.h"
#include "log/event_log.h"
#include "state/limit_rows.h"

namespace odometer {

struct ExplainRequest {
  std::string tenant, user, project, collection;
  std::vector<Amount> amounts;        // that would be asked for; none: how the limits stood
  std::optional<Uuid> ask;            // just before this one, for its subject and amounts
  std::optional<uint64_t> at_offset;  // before this record
  std::optional<int64_t> at_us;       // after all records that were appended until then; of neither: all there are
  std::string work_dir;               // made, and removed at the end
  size_t movers_max = 10;             // of each limit
};

// A record that added to what a limit has used. kNone: the expiry of a lease.
struct Mover {
  uint64_t offset = 0;
  Uuid id;
  EventType type = EventType::kNone;
  std::string user;
  int64_t at_us = 0;  // where in time it was added
  int64_t amount = 0;
};

struct ExplainedLimit {
  int64_t counting_since_us = kNever;  // kNever: nothing had been counted yet, or it is a gauge
  int64_t window_start_us = kNever;    // kNever: it has none
  uint64_t events = 0;                 // that moved it within its window
  std::vector<Mover> movers;           // the greatest of them, by amount
};

struct Explanation {
  Position position;  // of the records that were folded
  int64_t as_of_us = 0;
  std::string user, project, collection;
  Verdict verdict;
  std::vector<ExplainedLimit> limits;  // as those of the verdict
  std::optional<AskRow> asked;         // what the ask itself was answered
};

// kNotFound: no such ask. kInvalid: an offset beyond the log.
Result<Explanation> Explain(const FoldSource& source, const ExplainRequest& request, const ReadProgress& progress);

}  // namespace odometer
