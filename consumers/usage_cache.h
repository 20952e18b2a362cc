// consumers/usage_cache.h: UsageCache, what reads of a project's usage had to sum up, kept for those to come: each
// hour's cells over all users.
//
//   Result<bool> held = cache.ForEachHour(view, "acme", "docs", first, last, [&](int64_t hour, const auto& cells) { …
//   });
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

#include "state/store.h"

namespace odometer {

class UsageCache {
 public:
  static constexpr size_t kCellsMax = 400'000;  // of all hours of all projects together

  // The hours in [first, last] that hold something, in order, over all users. False when the cache already stands
  // beyond the view: then nothing was called.
  Result<bool> ForEachHour(const View& view, std::string_view tenant, std::string_view project, int64_t first,
                           int64_t last, const std::function<void(int64_t hour, const std::vector<HourCell>&)>& hour);
  // Cells held now.
  size_t held() const;

 private:
  struct Project {
    std::mutex mutex;  // guards everything below
    uint64_t as_of = 0;
    int64_t first = 0, last = -1;  // the hours that are known, a span without gaps
    std::map<int64_t, std::vector<HourCell>> hours;
    size_t cells = 0;
  };
  struct Kept {
    std::shared_ptr<Project> project;
    uint64_t used_at = 0;
    size_t cells = 0;
  };

  std::shared_ptr<Project> ProjectOf(std::string_view prefix);
  void Resize(std::string_view prefix, size_t cells);
  static Status Bring(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project);
  static Status ReadHours(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project);

  mutable std::mutex mutex_;  // guards everything below; never held while a store or log is read
  uint64_t uses_ = 0;
  std::map<std::string, Kept, std::less<>> projects_;  // by the prefix of their hours' rows
  size_t cells_ = 0;
};

}  // namespace odometer
