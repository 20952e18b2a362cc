#include "consumers/queries_system.h"

#include <algorithm>
#include <atomic>

namespace odometer {
namespace {

constexpr int64_t kVelocityHours = 24;
constexpr int64_t kDays = 30;

void AddHours(const UserEntry& entry, int64_t now_hour, SystemSummary* summary) {
  for (const HourPoint& point : entry.hours) {
    int64_t back = now_hour - point.hour;
    if (back < 0 || back >= Ring::kHours) continue;
    auto add = [&](HourSum* sum) {
      sum->requests += point.requests;
      sum->turns += point.turns;
      sum->sessions += point.sessions;
    };
    add(&summary->last_24h);
    if (back == 0) add(&summary->this_hour);
    if (back < kVelocityHours) add(&summary->velocity[static_cast<size_t>(kVelocityHours - 1 - back)]);
  }
}

void AddUsers(const UserTable& table, int64_t now_us, SystemSummary* summary) {
  int64_t hour = HourOf(FoldTime{now_us});
  for (int64_t back = kVelocityHours - 1; back >= 0; --back) summary->velocity.push_back({hour - back, 0, 0, 0});
  int64_t month_start_us = Period::Of(FoldTime{now_us}).start_us();
  for (const auto& entry : table.users) {
    AddHours(*entry, hour, summary);
    if (entry->keys.last_use_us > now_us - kUsPerDay) ++summary->active_users_last_24h;
    if (entry->keys.last_use_us >= month_start_us) ++summary->active_users_this_month;
  }
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

Result<std::shared_ptr<const UserCostliest>> CostliestOf(const UserTable& table, const UserEntry& entry,
                                                         int64_t now_us) {
  std::shared_ptr<const UserCostliest> known = std::atomic_load(&entry.costliest);
  if (known != nullptr) return known;
  auto found = std::make_shared<UserCostliest>();
  ODOMETER_ASSIGN_OR_RETURN(found->sessions, ReadSessionFigures(*table.view, table.tenant, entry.user, now_us));
  Result<TurnList> turns = ListTurns(*table.view, table.tenant, entry.user, {}, UINT64_MAX);
  if (!turns.ok()) return turns.status();
  found->turns = CostliestTurns(turns->entries, kCostliestCount);
  std::atomic_store(&entry.costliest, std::shared_ptr<const UserCostliest>(found));
  return std::shared_ptr<const UserCostliest>(found);
}

template <class Item, class Tokens>
void KeepMost(std::vector<Item>* items, Item item, Tokens tokens) {
  auto at = std::upper_bound(items->begin(), items->end(), item,
                             [&](const Item& a, const Item& b) { return tokens(a) > tokens(b); });
  if (at - items->begin() >= static_cast<ptrdiff_t>(kCostliestCount)) return;
  items->insert(at, std::move(item));
  if (items->size() > kCostliestCount) items->pop_back();
}

Status AddCostliest(const UserTable& table, int64_t now_us, SystemSummary* summary) {
  for (const auto& entry : table.users) {
    auto user = CostliestOf(table, *entry, now_us);
    if (!user.ok()) return user.status();
    for (int64_t last_us : (*user)->sessions.recent_us) summary->active_sessions += last_us > now_us - kSessionActiveUs;
    for (const SessionEntry& session : (*user)->sessions.costliest) {
      KeepMost(&summary->costliest_sessions, {entry->user, session},
               [](const auto& s) { return s.entry.row.tokens.total(); });
    }
    for (const TurnEntry& turn : (*user)->turns) {
      KeepMost(&summary->costliest_turns, {entry->user, turn}, [](const auto& t) { return t.entry.posting.tokens; });
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::optional<SystemSummary>> ReadSystemSummary(const UserTable& table, int64_t now_us) {
  auto tenant = ReadRow<TenantRow>(*table.view, KeyBuilder().Begin(RowKind::kTenant).Text(table.tenant).view());
  if (!tenant.ok()) return tenant.status();
  if (!tenant->has_value()) return std::optional<SystemSummary>();
  SystemSummary summary;
  summary.tenant = std::move(**tenant);
  AddUsers(table, now_us, &summary);
  ODOMETER_RETURN_IF_ERROR(AddDays(table, now_us, &summary));
  summary.costliest_known = table.users.size() <= kCostliestUsersMax;
  if (summary.costliest_known) ODOMETER_RETURN_IF_ERROR(AddCostliest(table, now_us, &summary));
  return std::optional<SystemSummary>(std::move(summary));
}

}  // namespace odometer
