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
std::vector<std::string> SortedNames(const UserTable& table, const PeriodKeys* period, UserSort sort, bool ascending) {
  struct Item {
    int64_t value;
    const std::string* user;
  };
  std::vector<Item> items;
  items.reserve(table.users.size());
  for (size_t i = 0; i < table.users.size(); ++i) {
    if (period != nullptr && !(*period)[i]) continue;
    const UserKeys& keys = period != nullptr ? *(*period)[i] : table.users[i]->keys;
    items.push_back({SortValue(keys, sort), &table.users[i]->user});
  }
  std::sort(items.begin(), items.end(), [&](const Item& a, const Item& b) {
    if (a.value != b.value) return ascending ? a.value < b.value : a.value > b.value;
    if (sort == UserSort::kUser && !ascending) return *a.user > *b.user;
    return *a.user < *b.user;
  });
  std::vector<std::string> names;
  names.reserve(items.size());
  for (const Item& item : items) names.push_back(*item.user);
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

std::shared_ptr<UserTables::Slot> UserTables::SlotOf(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Slot>& slot = slots_[tenant];
  if (slot == nullptr) slot = std::make_shared<Slot>();
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

Result<std::shared_ptr<const UserTable>> UserTables::Get(const std::function<std::shared_ptr<const View>()>& newest,
                                                         const std::string& tenant, uint64_t min_cursor) {
  std::shared_ptr<Slot> slot = SlotOf(tenant);
  std::lock_guard refresh(slot->refresh);
  int64_t now_us = clock_.MonotonicUs();
  bool holds = slot->table != nullptr && slot->table->view->meta().cursor >= min_cursor;
  if (holds && now_us - slot->table->made_us < kFreshUs) return slot->table;
  std::shared_ptr<const View> view = newest();
  auto table = std::make_shared<UserTable>();
  table->tenant = tenant;
  table->made_us = now_us;
  table->view = view;
  ODOMETER_RETURN_IF_ERROR(UserCopy(*view, tenant, slot->table.get()).MakeAll(&table->users));
  if (slot->table != nullptr && slot->table->view->meta().cursor == view->meta().cursor) {
    // Nothing was folded since: the sorted copies are still the newest there are.
    std::lock_guard lock(slot->table->mutex_);
    table->view = slot->table->view;
    table->periods_ = slot->table->periods_;
    table->sorted_ = slot->table->sorted_;
  }
  slot->table = table;
  return slot->table;
}

Result<std::shared_ptr<const PinnedListing>> UserTables::Sorted(const UserTable& table, UserSort sort, bool ascending,
                                                                std::optional<Period> period, uint64_t filter) {
  std::lock_guard lock(table.mutex_);
  auto& listing = table.sorted_[{sort, ascending, period ? period->month : INT64_MIN}];
  if (listing != nullptr && Find(listing->id, filter) != nullptr) return listing;
  std::shared_ptr<const PeriodKeys> keys;
  if (period) {
    auto& known = table.periods_[period->month];
    if (known == nullptr) {
      Result<PeriodKeys> read = ReadPeriodKeys(table, period->month);
      if (!read.ok()) return read.status();
      known = std::make_shared<const PeriodKeys>(*std::move(read));
    }
    keys = known;
  }
  listing = Pin(table.view, SortedNames(table, keys.get(), sort, ascending), filter);
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
