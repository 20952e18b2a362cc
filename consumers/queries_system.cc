#include "consumers/queries_system.h"

#include <algorithm>
#include <atomic>

#include "consumers/queries_costliest.h"

namespace odometer {
namespace {

constexpr int64_t kVelocityHours = 24;
constexpr int64_t kDays = 30;

void AddHours(const UserEntry& entry, SystemSums* sums) {
  for (const HourPoint& point : entry.hours) {
    HourSum& sum = sums->hours[point.hour];
    sum.requests += point.requests;
    sum.turns += point.turns;
    sum.sessions += point.sessions;
  }
}

void ShowHours(const SystemSums& sums, int64_t now_hour, SystemSummary* summary) {
  for (int64_t back = kVelocityHours - 1; back >= 0; --back) summary->velocity.push_back({now_hour - back, 0, 0, 0});
  for (auto at = sums.hours.lower_bound(now_hour - Ring::kHours + 1); at != sums.hours.end(); ++at) {
    const auto& [hour, point] = *at;
    int64_t back = now_hour - hour;
    if (back < 0) break;
    auto add = [&point = point](HourSum* sum) {
      sum->requests += point.requests;
      sum->turns += point.turns;
      sum->sessions += point.sessions;
    };
    add(&summary->last_24h);
    if (back == 0) add(&summary->this_hour);
    if (back < kVelocityHours) add(&summary->velocity[static_cast<size_t>(kVelocityHours - 1 - back)]);
  }
}

// Users whose last use is at or after this.
int64_t UsersSince(const SystemSums& sums, int64_t us) {
  return sums.last_use_us.end() - std::lower_bound(sums.last_use_us.begin(), sums.last_use_us.end(), us);
}

void AddDay(const ServiceDayRow& row, ServiceDayRow* sum) {
  AddSaturating(sum->turns, row.turns);
  AddSaturating(sum->interactions, row.interactions);
  AddSaturating(sum->vector_operations, row.vector_operations);
  AddSaturating(sum->amendments, row.amendments);
  AddSaturating(sum->llm_calls, row.llm_calls);
  AddSaturating(sum->tokens.input_uncached_tokens, row.tokens.input_uncached_tokens);
  AddSaturating(sum->tokens.cache_read_tokens, row.tokens.cache_read_tokens);
  AddSaturating(sum->tokens.cache_write_5m_tokens, row.tokens.cache_write_5m_tokens);
  AddSaturating(sum->tokens.cache_write_1h_tokens, row.tokens.cache_write_1h_tokens);
  AddSaturating(sum->tokens.output_tokens, row.tokens.output_tokens);
  AddSaturating(sum->tokens.reasoning_tokens, row.tokens.reasoning_tokens);
  AddSaturating(sum->cost_nano_usd, row.cost_nano_usd);
  AddSaturating(sum->duration_us, row.duration_us);
}

Status AddDays(const UserTable& table, int64_t now_us, SystemSummary* summary) {
  int64_t last = DayOf(FoldTime{now_us}), first = last - kDays + 1;
  for (int64_t day = first; day <= last; ++day) summary->days.push_back({day, {}});
  std::string begin = KeyBuilder().Begin(RowKind::kServiceDay).Text(table.tenant).Number(first).str();
  std::string end = KeyBuilder().Begin(RowKind::kServiceDay).Text(table.tenant).Number(last + 1).str();
  Status decoded;
  Status scanned = table.view->Scan(begin, end, [&](std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view tenant;
    int64_t day = 0;
    ServiceDayRow row;
    if (!reader.Text(&tenant) || !reader.Number(&day) || !DecodeRow(value, &row)) {
      decoded = Status(Code::kCorrupt, "store: a service_day row cannot be read");
      return false;
    }
    AddDay(row, &summary->days[static_cast<size_t>(day - first)].row);
    return true;
  });
  return scanned.ok() ? decoded : scanned;
}

// Puts one of `user` where it belongs by its tokens, behind those of as many, if it is among the most.
template <class Item, class Entry, class Tokens>
void KeepMost(std::vector<Item>* items, const std::string& user, const Entry& entry, Tokens tokens) {
  int64_t its = tokens(entry);
  if (items->size() == kCostliestCount && tokens(items->back().entry) >= its) return;
  auto at = std::upper_bound(items->begin(), items->end(), its,
                             [&](int64_t its, const Item& item) { return its > tokens(item.entry); });
  items->insert(at, {user, entry});
  if (items->size() > kCostliestCount) items->pop_back();
}

Status AddCostliest(const UserTable& table, int64_t now_us, SystemSums* sums) {
  ODOMETER_RETURN_IF_ERROR(FindCostliest(table, now_us));
  for (const auto& entry : table.users) {
    std::shared_ptr<const UserCostliest> user = std::atomic_load(&entry->costliest);
    for (const auto& [session, last_us] : user->sessions.recent) sums->recent_us.push_back(last_us);
    for (const SessionEntry& session : user->sessions.costliest) {
      KeepMost(&sums->costliest_sessions, entry->user, session,
               [](const SessionEntry& s) { return s.row.tokens.total(); });
    }
    for (const TurnEntry& turn : user->turns) {
      KeepMost(&sums->costliest_turns, entry->user, turn, [](const TurnEntry& t) { return t.posting.tokens; });
    }
  }
  return Status::Ok();
}

Result<std::shared_ptr<const SystemSums>> SumsOf(const UserTable& table, int64_t now_us) {
  std::shared_ptr<const SystemSums> known = std::atomic_load(&table.sums);
  if (known != nullptr) return known;
  auto sums = std::make_shared<SystemSums>();
  for (const auto& entry : table.users) {
    AddHours(*entry, sums.get());
    sums->last_use_us.push_back(entry->keys.last_use_us);
  }
  std::sort(sums->last_use_us.begin(), sums->last_use_us.end());
  sums->costliest_known = table.users.size() <= kCostliestUsersMax;
  if (sums->costliest_known) ODOMETER_RETURN_IF_ERROR(AddCostliest(table, now_us, sums.get()));
  std::atomic_store(&table.sums, std::shared_ptr<const SystemSums>(sums));
  return std::shared_ptr<const SystemSums>(sums);
}

}  // namespace

void PrepareSums(const UserTable& before, const UserTable& table, int64_t clock_now_us) {
  if (std::atomic_load(&before.sums) == nullptr) return;
  (void)SumsOf(table, LiveNowUs(*table.view, clock_now_us));  // an error is found again by who wants them
}

Result<std::optional<SystemSummary>> ReadSystemSummary(const UserTable& table, int64_t now_us) {
  auto tenant = ReadRow<TenantRow>(*table.view, KeyBuilder().Begin(RowKind::kTenant).Text(table.tenant).view());
  if (!tenant.ok()) return tenant.status();
  if (!tenant->has_value()) return std::optional<SystemSummary>();
  SystemSummary summary;
  summary.tenant = std::move(**tenant);
  Result<std::shared_ptr<const SystemSums>> found = SumsOf(table, now_us);
  if (!found.ok()) return found.status();
  const SystemSums& sums = **found;
  ShowHours(sums, HourOf(FoldTime{now_us}), &summary);
  summary.active_users_last_24h = UsersSince(sums, now_us - kUsPerDay + 1);
  summary.active_users_this_month = UsersSince(sums, Period::Of(FoldTime{now_us}).start_us());
  ODOMETER_RETURN_IF_ERROR(AddDays(table, now_us, &summary));
  summary.costliest_known = sums.costliest_known;
  for (int64_t last_us : sums.recent_us) summary.active_sessions += last_us > now_us - kSessionActiveUs;
  summary.costliest_sessions = sums.costliest_sessions;
  summary.costliest_turns = sums.costliest_turns;
  return std::optional<SystemSummary>(std::move(summary));
}

}  // namespace odometer
