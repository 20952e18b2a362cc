// consumers/usage_cache.h: UsageCache, what reads of a project's usage had to sum up or read, kept for those to come:
// each hour's cells over all users, and those of each minute of the hours in which spans begin or end.
//
//   Result<bool> held = cache.ForEachHour(view, "acme", "docs", first, last, [&](int64_t hour, const auto& cells) { …
//   });
//   std::shared_ptr<HourMinutes> minutes = cache.MinutesOf(list);   // null, or lock its mutex, then BringTo(view, …)
//   cache.Keep(list, minutes, cells);                               // new ones, or the same afterwards
//
// It never answers anything but what the view given says: what commits have changed since is read again. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/project_hour.h"
#include "log/event_log.h"
#include "state/store.h"

namespace odometer {

class UsageCache {
 public:
  static constexpr size_t kCellsMax = 400'000;  // of all hours of all projects together
  static constexpr size_t kMinuteCellsMax = 400'000;  // of all minutes together

  // The hours in [first, last] that hold something, in order, over all users. False when the cache already stands
  // beyond the view: then nothing was called.
  Result<bool> ForEachHour(const View& view, std::string_view tenant, std::string_view project, int64_t first,
                           int64_t last, const std::function<void(int64_t hour, const std::vector<HourCell>&)>& hour);
  // Those of the hours that ForEachHour() was asked for in which at least so much was done, in order.
  std::vector<int64_t> HoursOfAtLeast(int64_t operations, std::string_view tenant, std::string_view project);
  // Of the hour whose postings stand under `list`; null while nobody has summed them up.
  std::shared_ptr<HourMinutes> MinutesOf(std::string_view list);
  // New ones, or after they were used, with their mutex free: tells how many cells they are now.
  void Keep(std::string_view list, const std::shared_ptr<HourMinutes>& minutes, size_t cells);

  // Cells of hours and of minutes held now.
  std::pair<size_t, size_t> held() const;

 private:
  struct Project {
    std::mutex mutex;  // guards everything below
    uint64_t as_of = 0;
    int64_t first = 0, last = -1;  // the hours that are known, a span without gaps
    std::map<int64_t, std::vector<HourCell>> hours;
    size_t cells = 0;
  };
  template <class Item>
  struct Kept {
    std::shared_ptr<Item> item;
    uint64_t used_at = 0;
    size_t size = 0;
  };
  template <class Item>
  using Shelf = std::map<std::string, Kept<Item>, std::less<>>;

  // With mutex_ held: null when there is none.
  template <class Item>
  std::shared_ptr<Item> Find(Shelf<Item>* shelf, std::string_view key);
  template <class Item>
  void Resize(Shelf<Item>* shelf, std::string_view key, size_t size, size_t size_max, size_t* sum);
  std::shared_ptr<Project> ProjectOf(std::string_view prefix);
  static Status Bring(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project);
  static Status ReadHours(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project);

  mutable std::mutex mutex_;  // guards everything below; never held while a store or log is read
  uint64_t uses_ = 0;
  Shelf<Project> projects_;     // by the prefix of their hours' rows
  Shelf<HourMinutes> minutes_;  // by their list
  size_t cells_ = 0, minute_cells_ = 0;
};

}  // namespace odometer
