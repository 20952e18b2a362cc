// consumers/queries_account.h: ReadAccountSummary, everything that is shown of one user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consumers/queries.h"
#include "consumers/queries_turns.h"
#include "core/period.h"
#include "state/limit_rows.h"

namespace odometer {

inline constexpr int64_t kSessionActiveUs =
    30 * 60 * kUsPerSecond;  // since the last event of a session that has not ended
inline constexpr size_t kCostliestCount = 5;

struct SessionEntry {
  std::string session;
  SessionRow row;
};
bool IsActive(const SessionRow& row, int64_t now_us);

// Of a month: the greatest hour and the greatest day of its day rows.
struct Peaks {
  int64_t requests_per_hour = 0;
  int64_t requests_per_day = 0;
};

// What the sessions of a user come to, from one scan of them.
struct SessionFigures {
  int64_t active = 0;
  std::vector<SessionEntry> costliest;  // by tokens, most first, at most five
  // Those not ended that were active at now_us, with their last_us.
  std::vector<std::pair<std::string, int64_t>> recent;
};
// One session more, each once; of equally costly ones the first in key order stands first.
void AddSession(std::string_view session, SessionRow row, int64_t now_us, SessionFigures* figures);
Result<SessionFigures> ReadSessionFigures(const View& view, std::string_view tenant, std::string_view user,
                                          int64_t now_us);

struct AccountSummary {
  AccountRow account;  // rings aged to now
  Period period;       // of now
  PeriodRow in_period;
  Peaks peaks;
  DayRow today;
  SessionFigures sessions;
  std::vector<TurnEntry> costliest_turns;
  std::vector<LimitStatus> limits;  // of the user as such, as they stand now
  int64_t open_holds = 0;
  std::vector<std::string> subscriptions;  // collections subscribed to, in byte order by length, at most 1,000
};

// nullopt for a user that was never seen. now_us: see LiveNowUs().
Result<std::optional<AccountSummary>> ReadAccountSummary(const View& view, std::string_view tenant,
                                                         std::string_view user, int64_t now_us);

Result<Peaks> ReadPeaks(const View& view, std::string_view tenant, std::string_view user, Period period);

}  // namespace odometer
