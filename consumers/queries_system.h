// consumers/queries_system.h: ReadSystemSummary, a tenant as a whole: its own row, and what only the sum over its users
// says.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "consumers/queries_users.h"

namespace odometer {

inline constexpr size_t kCostliestUsersMax = 100'000;

struct HourSum {
  int64_t hour = 0;
  uint64_t requests = 0;
  uint64_t turns = 0;
  uint64_t sessions = 0;
};

struct SystemSummary {
  TenantRow tenant;
  int64_t active_users_last_24h = 0;
  int64_t active_users_this_month = 0;
  int64_t active_sessions = 0;    // when costliest_known
  std::vector<HourSum> velocity;  // 24 hours that end with now's, oldest first
  HourSum last_24h;               // all 25 buckets, as in an account
  HourSum this_hour;
  struct Day {
    int64_t day = 0;
    ServiceDayRow row;  // over all services, operations and models
  };
  std::vector<Day> days;  // 30 that end with now's, oldest first
  struct Session {
    std::string user;
    SessionEntry entry;
  };
  struct Turn {
    std::string user;
    TurnEntry entry;
  };
  // Not filled (costliest_known false) for a tenant of more than kCostliestUsersMax users.
  bool costliest_known = true;
  std::vector<Session> costliest_sessions;
  std::vector<Turn> costliest_turns;
};
// What the users of a table come to, whatever the time: found once a table, so that a summary does not go through all
// users again.
struct SystemSums {
  std::map<int64_t, HourSum> hours;
  std::vector<int64_t> last_use_us;  // of each user, in rising order
  bool costliest_known = true;
  std::vector<int64_t> recent_us;  // last_us of the sessions that may be active
  std::vector<SystemSummary::Session> costliest_sessions;
  std::vector<SystemSummary::Turn> costliest_turns;
};

// Those of a table are found when they are first wanted. This finds them now, if they were wanted of the table before.
void PrepareSums(const UserTable& before, const UserTable& table, int64_t clock_now_us);

// nullopt for a tenant that was never seen.
Result<std::optional<SystemSummary>> ReadSystemSummary(const UserTable& table, int64_t now_us);

}  // namespace odometer
