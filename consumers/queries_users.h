// consumers/queries_users.h: UserTables, all users of a tenant at once, sorted: copies that are at most a second old,
// so that a table of ten thousand users costs a page of it.
//
//   auto table = tables.Get([&] { return runner.view(); }, "acme");              // shared, immutable
//   auto listing = tables.Sorted(*table, UserSort::kCost, false, std::nullopt, filter);  // pinned: pages fit together
//   auto again = tables.Find(listing->id, filter);                               // null once it has been dropped
//
// A refresh decodes only the rows whose bytes have changed since the copy before. Whoever calls RenewDue() again and
// again has the copies that somebody asked for lately made anew before they are a second old, so that no reader waits.
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "consumers/queries_account.h"
#include "core/time.h"

namespace odometer {

enum class UserSort { kTotalTokens, kCost, kSuccessRate, kRequests, kLastUsed, kUser };
std::optional<UserSort> UserSortFromName(std::string_view name);  // "total_tokens", …

// What users are sorted by, of the lifetime or of one period.
struct UserKeys {
  int64_t total_tokens = 0;
  int64_t cost_nano_usd = 0;
  int64_t success_rate = -1;  // hundredths of a percent; −1 without turns
  int64_t requests = 0;
  int64_t last_use_us = kNever;
};

struct HourPoint {
  int64_t hour = 0;
  uint32_t requests = 0;
  uint32_t turns = 0;
  uint32_t sessions = 0;
};

// The most expensive things of one user, found when somebody asks for those of all.
struct UserCostliest {
  uint64_t as_of = 0;  // the cursor of the view that it was found in
  SessionFigures sessions;
  std::vector<TurnEntry> turns;
  bool has_unmatched = false;  // amendments whose turn may still come
};

// One user as of some version of the row; shared by all copies that saw the same version.
struct UserEntry {
  std::string user;
  uint64_t row_hash = 0;
  UserKeys keys;
  std::vector<HourPoint> hours;                            // of the rings, those that hold something
  mutable std::shared_ptr<const UserCostliest> costliest;  // by std::atomic_load and atomic_store
  std::shared_ptr<const UserCostliest> costliest_before;   // of an earlier version of the row, to go on from
};

// A listing in a fixed order over a fixed view. Names only: a page reads its rows from the view.
struct PinnedListing {
  uint64_t id = 0;
  uint64_t filter = 0;  // what selected it: the FilterHash of its cursors
  std::shared_ptr<const View> view;
  std::vector<std::string> names;
};

struct SystemSums;  // of queries_system

struct UserTable {
  std::string tenant;
  int64_t made_us = 0;  // monotonic
  std::shared_ptr<const View> view;
  std::vector<std::shared_ptr<const UserEntry>> users;  // in key order
  mutable std::shared_ptr<const SystemSums> sums;       // over users, once asked for; by std::atomic_load and …_store

 private:
  friend class UserTables;
  // By what, whether ascending, and of which month; nullopt: of the lifetime.
  using Order = std::tuple<UserSort, bool, std::optional<int64_t>>;
  mutable std::mutex mutex_;  // guards everything below
  // Where each of `users` stands by name; null until somebody needs it. Another table of as many users has the same.
  mutable std::shared_ptr<const std::vector<uint32_t>> ranks_;
  // By month: the keys of each of `users`, nullopt for who has no row in that month.
  mutable std::map<int64_t, std::shared_ptr<const std::vector<std::optional<UserKeys>>>> periods_;
  mutable std::map<Order, std::shared_ptr<const PinnedListing>> sorted_;  // those that were asked for
  mutable std::map<Order, std::vector<std::string>> prepared_;            // those that nobody has asked for yet
};

class UserTables {
 public:
  using Newest = std::function<std::shared_ptr<const View>()>;
  // What else is found for a table before readers get it, because it was wanted of the one before.
  using Prepare = std::function<void(const UserTable& before, const UserTable& table)>;
  // Ids start at the time of day, so that a cursor of an earlier run finds nothing rather than something else.
  explicit UserTables(Clock& clock, Prepare prepare = nullptr)
      : clock_(clock), prepare_(std::move(prepare)), next_id_(static_cast<uint64_t>(clock.NowUs())) {}

  static constexpr int64_t kFreshUs = 1'000'000;
  static constexpr int64_t kRenewUs = 600'000;        // the age at which RenewDue() makes a table anew,
  static constexpr int64_t kAskedForUs = 30'000'000;  // until nobody has asked for it this long
  static constexpr int64_t kPinnedUs = 300'000'000;   // a listing that nobody has asked for this long may be dropped
  static constexpr size_t kTenantsMax = 64;
  static constexpr size_t kListingsMax = 128;
  static constexpr size_t kNamesMax = 4'000'000;  // of all pinned listings together; the newest always stays

  // `newest` gives the view to copy from, now and when it is renewed. A table that is too old, or does not hold
  // everything below min_cursor, is made anew; who comes meanwhile waits for that.
  Result<std::shared_ptr<const UserTable>> Get(const Newest& newest, const std::string& tenant,
                                               uint64_t min_cursor = 0);
  // Makes anew what is due, in the orders that it was wanted in. In how many microseconds the next is; nullopt: nobody
  // has asked for any lately.
  std::optional<int64_t> RenewDue();
  // With a period: the users who have figures in it, by those figures.
  Result<std::shared_ptr<const PinnedListing>> Sorted(const UserTable& table, UserSort sort, bool ascending,
                                                      std::optional<Period> period, uint64_t filter);
  // Any names in any order over a view, for other listings that need the same.
  std::shared_ptr<const PinnedListing> Pin(std::shared_ptr<const View> view, std::vector<std::string> names,
                                           uint64_t filter);
  // Null once it has been dropped, and for an id of another filter.
  std::shared_ptr<const PinnedListing> Find(uint64_t id, uint64_t filter);
  size_t pinned() const;

 private:
  struct Slot {
    std::mutex refresh;                      // held while a tenant's table is made
    std::shared_ptr<const UserTable> table;  // by std::atomic_load and …_store
    // Guarded by mutex_:
    Newest newest;
    int64_t used_us = 0;
  };
  std::shared_ptr<Slot> SlotOf(const std::string& tenant, const Newest& newest);
  std::vector<std::shared_ptr<Slot>> AskedForLately() const;
  bool IsFresh(const UserTable* table, uint64_t min_cursor) const;
  // With the slot's refresh held.
  Result<std::shared_ptr<const UserTable>> Make(Slot* slot, const Newest& newest, const std::string& tenant) const;
  void Renew(Slot* slot);
  static void PrepareSorted(const UserTable& before, const UserTable& table);
  // With the table's mutex_ held:
  static const std::vector<uint32_t>& RanksOf(const UserTable& table);
  static Result<std::vector<std::string>> NamesIn(const UserTable& table, const UserTable::Order& order);
  void DropOldListings();

  Clock& clock_;
  const Prepare prepare_;
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::string, std::shared_ptr<Slot>> slots_;
  struct Pinned {
    std::shared_ptr<const PinnedListing> listing;
    int64_t used_us = 0;
  };
  std::list<Pinned> listings_;  // least lately used first
  size_t names_ = 0;
  uint64_t next_id_;
};

}  // namespace odometer
