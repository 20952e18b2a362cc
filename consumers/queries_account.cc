#include "consumers/queries_account.h"

#include <algorithm>

#include "state/limit_view.h"

namespace odometer {
namespace {

constexpr size_t kSubscriptionsMax = 1000;

std::string_view LastText(std::string_view key, int texts) {
  KeyReader reader(key);
  std::string_view text;
  for (int i = 0; i < texts; ++i) {
    if (!reader.Text(&text)) return {};
  }
  return text;
}

Result<std::vector<std::string>> ReadSubscriptions(const View& view, std::string_view tenant, std::string_view user) {
  std::vector<std::string> names;
  KeyBuilder prefix;
  prefix.Begin(RowKind::kSubscription).Text(tenant).Text(user);
  Status scanned = ScanRows<SubscriptionRow>(view, prefix, [&](std::string_view key, const SubscriptionRow& row) {
    if (row.subscribed) names.emplace_back(LastText(key, 3));
    return names.size() < kSubscriptionsMax;
  });
  if (!scanned.ok()) return scanned;
  return names;
}

}  // namespace

void AddSession(std::string_view session, SessionRow row, int64_t now_us, SessionFigures* figures) {
  if (IsActive(row, now_us)) {
    ++figures->active;
    figures->recent.emplace_back(session, row.last_us);
  }
  // The five with the most tokens.
  std::vector<SessionEntry>& best = figures->costliest;
  int64_t tokens = row.tokens.total();
  auto stands_before = [&](const SessionEntry& entry, int64_t tokens) {
    int64_t its = entry.row.tokens.total();
    return its != tokens ? its > tokens : IsBeforeInKeys(entry.session, session);
  };
  if (best.size() == kCostliestCount && stands_before(best.back(), tokens)) return;
  auto at = std::lower_bound(best.begin(), best.end(), tokens, stands_before);
  best.insert(at, {std::string(session), std::move(row)});
  if (best.size() > kCostliestCount) best.pop_back();
}

bool IsActive(const SessionRow& row, int64_t now_us) { return !row.ended && row.last_us > now_us - kSessionActiveUs; }

Result<SessionFigures> ReadSessionFigures(const View& view, std::string_view tenant, std::string_view user,
                                          int64_t now_us) {
  SessionFigures figures;
  KeyBuilder prefix;
  prefix.Begin(RowKind::kSession).Text(tenant).Text(user);
  Status scanned = ScanRows<SessionRow>(view, prefix, [&](std::string_view key, SessionRow& row) {
    AddSession(LastText(key, 3), std::move(row), now_us, &figures);
    return true;
  });
  if (!scanned.ok()) return scanned;
  return figures;
}

Result<Peaks> ReadPeaks(const View& view, std::string_view tenant, std::string_view user, Period period) {
  Peaks peaks;
  Status decoded;
  std::string begin = KeyBuilder().Begin(RowKind::kDay).Text(tenant).Text(user).Number(period.first_day()).str();
  std::string end =
      KeyBuilder().Begin(RowKind::kDay).Text(tenant).Text(user).Number(Period{period.month + 1}.first_day()).str();
  Status scanned = view.Scan(begin, end, [&](std::string_view, std::string_view value) {
    DayRow day;
    if (!DecodeRow(value, &day)) {
      decoded = Status(Code::kCorrupt, "store: a day row's bytes cannot be read");
      return false;
    }
    peaks.requests_per_day = std::max(peaks.requests_per_day, day.requests);
    for (uint32_t hour : day.hours) peaks.requests_per_hour = std::max<int64_t>(peaks.requests_per_hour, hour);
    return true;
  });
  if (!scanned.ok()) return scanned;
  if (!decoded.ok()) return decoded;
  return peaks;
}

Result<std::optional<AccountSummary>> ReadAccountSummary(const View& view, std::string_view tenant,
                                                         std::string_view user, int64_t now_us) {
  KeyBuilder key;
  auto account = ReadRow<AccountRow>(view, key.Begin(RowKind::kAccount).Text(tenant).Text(user).view());
  if (!account.ok()) return account.status();
  if (!account->has_value()) return std::optional<AccountSummary>();
  AccountSummary summary;
  summary.account = std::move(**account);
  int64_t hour = HourOf(FoldTime{now_us});
  summary.account.requests_ring.MoveTo(hour);
  summary.account.turns_ring.MoveTo(hour);
  summary.account.sessions_ring.MoveTo(hour);
  summary.period = Period::Of(FoldTime{now_us});
  key.Begin(RowKind::kPeriod).Text(tenant).Text(user).Number(summary.period.month);
  ODOMETER_ASSIGN_OR_RETURN(summary.in_period, RowOrEmpty<PeriodRow>(view, key));
  key.Begin(RowKind::kDay).Text(tenant).Text(user).Number(DayOf(FoldTime{now_us}));
  ODOMETER_ASSIGN_OR_RETURN(summary.today, RowOrEmpty<DayRow>(view, key));
  ODOMETER_ASSIGN_OR_RETURN(summary.peaks, ReadPeaks(view, tenant, user, summary.period));
  ODOMETER_ASSIGN_OR_RETURN(summary.sessions, ReadSessionFigures(view, tenant, user, now_us));
  Result<TurnList> turns = ListTurns(view, tenant, user, {}, UINT64_MAX);
  if (!turns.ok()) return turns.status();
  summary.costliest_turns = CostliestTurns(turns->entries, kCostliestCount);
  ODOMETER_ASSIGN_OR_RETURN(summary.subscriptions, ReadSubscriptions(view, tenant, user));
  LimitView limits(view);
  Subject subject{tenant, user, {}, {}};
  Result<Verdict> verdict = limits.Check(subject, {}, now_us);
  if (!verdict.ok()) return verdict.status();
  summary.limits = std::move(verdict->limits);
  Result<const LimitUseRow*> use = limits.Use(Scope::kUser, subject);
  if (!use.ok()) return use.status();
  if (*use != nullptr) summary.open_holds = (*use)->open_holds;
  return std::optional<AccountSummary>(std::move(summary));
}

}  // namespace odometer
