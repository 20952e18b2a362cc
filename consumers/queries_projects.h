// consumers/queries_projects.h: what was done in a project, in any span of time, and what a user did in all of them.
//
//   UsageQuery query{"acme", "docs", {}, {}, {}, from_us, to_us};     // [from, to), to the microsecond
//   Result<ProjectUsage> usage = ReadProjectUsage(view, log, query);
//
// Whole hours come from their rows, whole minutes where the span begins and ends from theirs; what those cannot say is
// read from the log, event by event: of a user it is what is of an hour, for minutes are of all users. The answer is
// the same as that of a scan over all events. With a UsageCache hours are summed up once, until a commit changes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/queries.h"
#include "consumers/usage_cache.h"
#include "log/event_log.h"
#include "state/postings.h"

namespace odometer {

struct UsageQuery {
  std::string tenant;
  std::string project;
  std::optional<std::string> user;
  std::optional<OperationKind> operation;
  std::optional<OperationStatus> status;
  int64_t from_us = 0;
  int64_t to_us = INT64_MAX;
};

std::optional<OperationKind> OperationFromName(std::string_view name);  // "add", …
std::optional<OperationStatus> OperationStatusFromName(std::string_view name);

struct ProjectUsage {
  std::vector<HourCell> cells;  // those that match, by (operation, status)
  uint64_t events_read = 0;     // from the log, for the edges
};
// The cache may be null; what it holds of the project is then read anew.
Result<ProjectUsage> ReadProjectUsage(const View& view, PartitionLog& log, const UsageQuery& query,
                                      UsageCache* cache = nullptr);

// The sum of cells; operation and status are without meaning in it.
HourCell SumOf(const std::vector<HourCell>& cells);

// One operation of a listing, newest place time first; of equal times the greater offset first.
struct OperationPage {
  std::vector<Posting> postings;
  bool more = false;  // there may be further ones below `next`
  Posting next;       // the last one that was looked at: time_us and offset
};
struct OperationQuery {
  std::string tenant;
  std::string project;
  std::optional<std::string> user;
  uint64_t pinned = UINT64_MAX;  // only records below this offset
  // Only what comes after these.
  int64_t after_time_us = INT64_MAX;
  uint64_t after_offset = UINT64_MAX;
  size_t limit = 50;
};
// With a user at most 5,000 events are read for one page; it may then be short, or empty, and still have more after it.
Result<OperationPage> ListOperations(const View& view, PartitionLog& log, const OperationQuery& query);

struct UserProject {
  std::string project;
  ProjectRow row;
};
struct UserProjects {
  std::vector<UserProject> page;  // in key order (by length of the name, then by its bytes), those after `after`
  bool more = false;
  int64_t count = 0;  // of all
  ProjectRow total;   // over all; its ring is moved to `hour`
};
Result<UserProjects> ListUserProjects(const View& view, std::string_view tenant, std::string_view user,
                                      std::optional<std::string_view> after, size_t limit, int64_t hour);

}  // namespace odometer
