// consumers/usage_warmer.h: UsageWarmer, which sums up by minute the hours of a project that somebody asks spans of, so
// that a span to the microsecond costs what it begins and ends in: two minutes instead of two hours.
//
//   UsageWarmer warmer(cache);
//   warmer.Want("acme", "docs", usage->hours_read, {[&runner] { return runner.view(); }, &runner.log()});
//   Background warming([&] { return warmer.WarmSome(); }, 1);
//
// An hour is read from the log once for that. Those of few operations are left out: they are read as fast without.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "consumers/usage_cache.h"
#include "log/event_log.h"
#include "state/store.h"

namespace odometer {

class UsageWarmer {
 public:
  static constexpr int64_t kOperationsLeast = 500;  // in an hour
  static constexpr size_t kProjectsMax = 64;        // that wait; one that comes beyond is left out until it comes again
  static constexpr size_t kHoursMax = 64;           // named of one of them; the same
  // A project's minutes take at most this much of what the cache holds.
  static constexpr size_t kCellsMax = UsageCache::kMinuteCellsMax / 2;

  explicit UsageWarmer(UsageCache& cache) : cache_(cache) {}

  // Where a project is read; outlives this.
  struct Source {
    std::function<std::shared_ptr<const View>()> newest;
    PartitionLog* log = nullptr;
  };
  // Thread-safe. First come the hours that are named, then those that the cache was asked for, the newest first.
  void Want(const std::string& tenant, const std::string& project, const std::vector<int64_t>& hours, Source source);
  // Sums up one hour and answers 0; nullopt when nothing is left. Of one thread.
  std::optional<int64_t> WarmSome();

 private:
  struct Work {
    std::string tenant, project;
    Source source;
    std::vector<int64_t> hours;
  };
  bool Begin();
  void WarmHour(int64_t hour);

  UsageCache& cache_;
  // What is at work, of the thread:
  Work work_;
  std::vector<int64_t> hours_;  // that are left, the last one is next
  size_t cells_ = 0;            // summed up so far

  std::mutex mutex_;  // guards what is below
  std::deque<Work> wanted_;
};

}  // namespace odometer
