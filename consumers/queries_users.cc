#include "consumers/queries_users.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <numeric>

namespace odometer {
namespace {

UserKeys KeysOf(const Usage& usage, int64_t last_use_us) {
  UserKeys keys;
  keys.total_tokens = usage.tokens.total();
  keys.cost_nano_usd = usage.cost_nano_usd();
  keys.success_rate = Hundredths(usage.turns[0], usage.turns_total()).value_or(-1);
  keys.requests = usage.requests;
  keys.last_use_us = last_use_us;
  return keys;
}

std::vector<HourPoint> HoursOf(const AccountRow& row) {
  std::vector<HourPoint> hours;
  int64_t newest = std::max({row.requests_ring.newest_hour, row.turns_ring.newest_hour, row.sessions_ring.newest_hour});
  for (int64_t hour = newest - 2 * Ring::kHours; hour <= newest; ++hour) {
    HourPoint point{hour, row.requests_ring.At(hour), row.turns_ring.At(hour), row.sessions_ring.At(hour)};
    if (point.requests != 0 || point.turns != 0 || point.sessions != 0) hours.push_back(point);
  }
  return hours;
}

std::string_view UserOf(std::string_view key) {
  KeyReader reader(key);
  std::string_view tenant, user;
  return reader.Text(&tenant) && reader.Text(&user) ? user : std::string_view();
}

using Users = std::vector<std::shared_ptr<const UserEntry>>;

// The users of a view, in key order, taken from those of a table before where their rows have not changed.
class UserCopy {
 public:
  UserCopy(const View& view, const std::string& tenant, const UserTable* before) : view_(view), before_(before) {
    prefix_.Begin(RowKind::kAccount).Text(tenant);
  }

  Status MakeAll(Users* users) {
    std::optional<std::vector<std::string>> written =
        view_.WrittenSince(prefix_.view(), before_ == nullptr ? 0 : before_->view->meta().cursor);
    if (before_ != nullptr) users->reserve(before_->users.size() + before_->users.size() / 16);
    bool is_part = before_ != nullptr && written && written->size() <= before_->users.size() / kScanShare;
    return is_part ? AddWritten(*written, users) : AddAll(users);
  }

 private:
  // From one user in so many on, a scan of all is cheaper than to look each up.
  static constexpr size_t kScanShare = 4;

  Status AddAll(Users* users) {
    Status added;
    Status scanned =
        view_.Scan(prefix_.view(), PrefixEnd(prefix_.view()), [&](std::string_view key, std::string_view value) {
          added = Add(UserOf(key), value, users);
          return added.ok();
        });
    return scanned.ok() ? added : scanned;
  }

  Status AddWritten(const std::vector<std::string>& keys, Users* users) {
    for (const std::string& key : keys) {
      std::string_view user = UserOf(key);
      while (old_ < before_->users.size() && IsBeforeInKeys(before_->users[old_]->user, user)) {
        users->push_back(before_->users[old_++]);
      }
      Result<std::optional<std::string>> value = view_.Get(key);
      if (!value.ok()) return value.status();
      if (value->has_value()) ODOMETER_RETURN_IF_ERROR(Add(user, **value, users));
    }
    for (; old_ < before_->users.size(); ++old_) users->push_back(before_->users[old_]);
    return Status::Ok();
  }

  Status Add(std::string_view user, std::string_view value, Users* users) {
    uint64_t hash = std::hash<std::string_view>()(value);
    std::shared_ptr<const UserCostliest> costliest;
    // Rows are never deleted, so the old users are a subsequence of the new ones.
    if (before_ != nullptr && old_ < before_->users.size() && before_->users[old_]->user == user) {
      const auto& entry = before_->users[old_++];
      if (entry->row_hash == hash) {
        users->push_back(entry);
        return Status::Ok();
      }
      costliest = std::atomic_load(&entry->costliest);
      if (costliest == nullptr) costliest = entry->costliest_before;
    }
    AccountRow row;
    if (!DecodeRow(value, &row)) return Status(Code::kCorrupt, "store: an account row's bytes cannot be read");
    auto entry = std::make_shared<UserEntry>();
    entry->user = user;
    entry->row_hash = hash;
    entry->keys = KeysOf(row.usage, row.last_use_us);
    entry->hours = HoursOf(row);
    entry->costliest_before = std::move(costliest);
    users->push_back(std::move(entry));
    return Status::Ok();
  }

  const View& view_;
  const UserTable* const before_;
  KeyBuilder prefix_;
  size_t old_ = 0;  // of the users before, the first that was not taken yet
};

using PeriodKeys = std::vector<std::optional<UserKeys>>;

Result<PeriodKeys> ReadPeriodKeys(const UserTable& table, int64_t month) {
  PeriodKeys keys;
  keys.reserve(table.users.size());
  KeyBuilder key;
  for (const auto& entry : table.users) {
    auto row = ReadRow<PeriodRow>(
        *table.view, key.Begin(RowKind::kPeriod).Text(table.tenant).Text(entry->user).Number(month).view());
    if (!row.ok()) return row.status();
    keys.emplace_back();
    if (row->has_value()) keys.back() = KeysOf((*row)->usage, (*row)->last_use_us);
  }
  return keys;
}

int64_t SortValue(const UserKeys& keys, UserSort sort) {
  switch (sort) {
    case UserSort::kTotalTokens:
      return keys.total_tokens;
    case UserSort::kCost:
      return keys.cost_nano_usd;
    case UserSort::kSuccessRate:
      return keys.success_rate;
    case UserSort::kRequests:
      return keys.requests;
    case UserSort::kLastUsed:
      return keys.last_use_us;
    case UserSort::kUser:
      return 0;
  }
  return 0;
}

// Users of the same value stand by name, whatever the direction.
std::vector<std::string> SortedNames(const UserTable& table, const std::vector<uint32_t>& ranks,
                                     const PeriodKeys* period, UserSort sort, bool ascending) {
  struct Item {
    int64_t value;
    uint32_t rank, user;
  };
  std::vector<Item> items;
  items.reserve(table.users.size());
  for (size_t i = 0; i < table.users.size(); ++i) {
    if (period != nullptr && !(*period)[i]) continue;
    const UserKeys& keys = period != nullptr ? *(*period)[i] : table.users[i]->keys;
    items.push_back({SortValue(keys, sort), ranks[i], static_cast<uint32_t>(i)});
  }
  bool is_by_falling_name = sort == UserSort::kUser && !ascending;
  std::sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    if (a.value != b.value) return ascending ? a.value < b.value : a.value > b.value;
    return is_by_falling_name ? a.rank > b.rank : a.rank < b.rank;
  });
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const Item& item : items) names.push_back(table.users[item.user]->user);
  return names;
}

}  // namespace

std::optional<UserSort> UserSortFromName(std::string_view name) {
  if (name == "total_tokens") return UserSort::kTotalTokens;
  if (name == "cost") return UserSort::kCost;
  if (name == "success_rate") return UserSort::kSuccessRate;
  if (name == "requests") return UserSort::kRequests;
  if (name == "last_used") return UserSort::kLastUsed;
  if (name == "user") return UserSort::kUser;
  return std::nullopt;
}

std::shared_ptr<UserTables::Slot> UserTables::SlotOf(const std::string& tenant, const Newest& newest) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Slot>& slot = slots_[tenant];
  if (slot == nullptr) slot = std::make_shared<Slot>();
  slot->newest = newest;
  slot->used_us = clock_.MonotonicUs();
  std::shared_ptr<Slot> mine = slot;
  if (slots_.size() > kTenantsMax) {
    auto oldest = std::min_element(slots_.begin(), slots_.end(), [&](const auto& a, const auto& b) {
      return std::pair(a.second == mine, a.second->used_us) < std::pair(b.second == mine, b.second->used_us);
    });
    slots_.erase(oldest);
  }
  return mine;
}

bool UserTables::IsFresh(const UserTable* table, uint64_t min_cursor) const {
  return table != nullptr && table->view->meta().cursor >= min_cursor &&
         clock_.MonotonicUs() - table->made_us < kFreshUs;
}

Result<std::shared_ptr<const UserTable>> UserTables::Get(const Newest& newest, const std::string& tenant,
                                                         uint64_t min_cursor) {
  std::shared_ptr<Slot> slot = SlotOf(tenant, newest);
  std::shared_ptr<const UserTable> table = std::atomic_load(&slot->table);
  if (IsFresh(table.get(), min_cursor)) return table;
  std::lock_guard refresh(slot->refresh);
  table = std::atomic_load(&slot->table);
  if (IsFresh(table.get(), min_cursor)) return table;
  Result<std::shared_ptr<const UserTable>> made = Make(slot.get(), newest, tenant);
  if (made.ok()) std::atomic_store(&slot->table, *made);
  return made;
}

Result<std::shared_ptr<const UserTable>> UserTables::Make(Slot* slot, const Newest& newest,
                                                          const std::string& tenant) const {
  std::shared_ptr<const UserTable> before = std::atomic_load(&slot->table);
  auto table = std::make_shared<UserTable>();
  table->tenant = tenant;
  table->made_us = clock_.MonotonicUs();
  table->view = newest();
  ODOMETER_RETURN_IF_ERROR(UserCopy(*table->view, tenant, before.get()).MakeAll(&table->users));
  if (before != nullptr && before->view->meta().cursor == table->view->meta().cursor) {
    // Nothing was folded since: what was found of it is still the newest there is.
    std::lock_guard lock(before->mutex_);
    table->view = before->view;
    table->sums = std::atomic_load(&before->sums);
    table->periods_ = before->periods_;
    table->sorted_ = before->sorted_;
    table->prepared_ = before->prepared_;
  }
  if (before != nullptr && before->users.size() == table->users.size()) {
    std::lock_guard lock(before->mutex_);
    table->ranks_ = before->ranks_;
  }
  return std::shared_ptr<const UserTable>(table);
}

std::vector<std::shared_ptr<UserTables::Slot>> UserTables::AskedForLately() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Slot>> asked_for;
  for (const auto& [tenant, slot] : slots_) {
    if (clock_.MonotonicUs() - slot->used_us < kAskedForUs) asked_for.push_back(slot);
  }
  return asked_for;
}

std::optional<int64_t> UserTables::RenewDue() {
  std::optional<int64_t> least_us;
  for (const std::shared_ptr<Slot>& slot : AskedForLately()) {
    std::lock_guard refresh(slot->refresh);
    auto left_us = [&] {
      std::shared_ptr<const UserTable> table = std::atomic_load(&slot->table);
      return table == nullptr ? kRenewUs : table->made_us + kRenewUs - clock_.MonotonicUs();
    };
    if (left_us() <= 0) Renew(slot.get());
    least_us = std::min(least_us.value_or(INT64_MAX), left_us());
  }
  return least_us;
}

// One that fails is left to who asks next, and told by it.
void UserTables::Renew(Slot* slot) {
  std::shared_ptr<const UserTable> before = std::atomic_load(&slot->table);
  Newest newest;
  {
    std::lock_guard lock(mutex_);
    newest = slot->newest;
  }
  Result<std::shared_ptr<const UserTable>> made = Make(slot, newest, before->tenant);
  if (!made.ok()) return;
  PrepareSorted(*before, **made);
  if (prepare_) prepare_(*before, **made);
  std::atomic_store(&slot->table, *made);
}

// In the orders that somebody wanted the table before in. Not of a month: that reads a row a user.
void UserTables::PrepareSorted(const UserTable& before, const UserTable& table) {
  std::vector<UserTable::Order> orders;
  {
    std::lock_guard lock(before.mutex_);
    for (const auto& [order, listing] : before.sorted_) orders.push_back(order);
  }
  std::lock_guard lock(table.mutex_);
  for (const UserTable::Order& order : orders) {
    if (std::get<std::optional<int64_t>>(order) || table.sorted_.contains(order)) continue;
    Result<std::vector<std::string>> names = NamesIn(table, order);
    if (names.ok()) table.prepared_[order] = *std::move(names);
  }
}

const std::vector<uint32_t>& UserTables::RanksOf(const UserTable& table) {
  if (table.ranks_ != nullptr) return *table.ranks_;
  std::vector<uint32_t> by_name(table.users.size()), ranks(table.users.size());
  std::iota(by_name.begin(), by_name.end(), 0);
  std::sort(by_name.begin(), by_name.end(),
            [&](uint32_t a, uint32_t b) { return table.users[a]->user < table.users[b]->user; });
  for (size_t i = 0; i < by_name.size(); ++i) ranks[by_name[i]] = static_cast<uint32_t>(i);
  table.ranks_ = std::make_shared<const std::vector<uint32_t>>(std::move(ranks));
  return *table.ranks_;
}

Result<std::vector<std::string>> UserTables::NamesIn(const UserTable& table, const UserTable::Order& order) {
  const auto& [sort, ascending, month] = order;
  std::shared_ptr<const PeriodKeys> keys;
  if (month) {
    auto& known = table.periods_[*month];
    if (known == nullptr) {
      Result<PeriodKeys> read = ReadPeriodKeys(table, *month);
      if (!read.ok()) return read.status();
      known = std::make_shared<const PeriodKeys>(*std::move(read));
    }
    keys = known;
  }
  return SortedNames(table, RanksOf(table), keys.get(), sort, ascending);
}

Result<std::shared_ptr<const PinnedListing>> UserTables::Sorted(const UserTable& table, UserSort sort, bool ascending,
                                                                std::optional<Period> period, uint64_t filter) {
  UserTable::Order order{sort, ascending, period ? std::optional(period->month) : std::nullopt};
  std::lock_guard lock(table.mutex_);
  auto& listing = table.sorted_[order];
  if (listing != nullptr && Find(listing->id, filter) != nullptr) return listing;
  std::vector<std::string> names;
  if (auto prepared = table.prepared_.extract(order); !prepared.empty()) {
    names = std::move(prepared.mapped());
  } else {
    ODOMETER_ASSIGN_OR_RETURN(names, NamesIn(table, order));
  }
  listing = Pin(table.view, std::move(names), filter);
  return listing;
}

std::shared_ptr<const PinnedListing> UserTables::Pin(std::shared_ptr<const View> view, std::vector<std::string> names,
                                                     uint64_t filter) {
  auto listing = std::make_shared<PinnedListing>();
  listing->view = std::move(view);
  listing->names = std::move(names);
  listing->filter = filter;
  std::lock_guard lock(mutex_);
  listing->id = next_id_++;
  names_ += listing->names.size();
  listings_.push_back({listing, clock_.MonotonicUs()});
  DropOldListings();
  return listing;
}

void UserTables::DropOldListings() {
  int64_t now_us = clock_.MonotonicUs();
  while (listings_.size() > 1) {
    const Pinned& oldest = listings_.front();
    bool over = listings_.size() > kListingsMax || names_ > kNamesMax;
    if (!over && now_us - oldest.used_us < kPinnedUs) return;
    names_ -= oldest.listing->names.size();
    listings_.pop_front();
  }
}

std::shared_ptr<const PinnedListing> UserTables::Find(uint64_t id, uint64_t filter) {
  std::lock_guard lock(mutex_);
  auto at =
      std::find_if(listings_.begin(), listings_.end(), [&](const Pinned& pinned) { return pinned.listing->id == id; });
  if (at == listings_.end() || at->listing->filter != filter) return nullptr;
  at->used_us = clock_.MonotonicUs();
  listings_.splice(listings_.end(), listings_, at);
  return listings_.back().listing;
}

size_t UserTables::pinned() const {
  std::lock_guard lock(mutex_);
  return listings_.size();
}

}  // namespace odometer
