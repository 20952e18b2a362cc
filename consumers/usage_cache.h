// consumers/usage_cache.h: UsageCache, what reads of a project's usage had to sum up or read, kept for those to come:
// each hour's cells over all users, and single operations of the hours in which a span began or ended.
//
//   Result<bool> held = cache.ForEachHour(view, "acme", "docs", first, last, [&](int64_t hour, const auto& cells) { …
//   }); std::shared_ptr<HourOperations> operations = cache.OperationsOf(list);   // lock its mutex, then BringTo(view,
//   list)
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

#include "core/event.h"
#include "log/event_log.h"
#include "state/store.h"

namespace odometer {

// Adds a cell times `sign`.
void AddCell(const HourCell& from, int64_t sign, HourCell* to);
// The operation that a listed record is, or of a refused ask the one it counts as. False: it is none.
bool DecodeOperation(std::string_view bytes, Event* event);
// What an operation adds to its hour's row.
HourCell CellOf(const Event& operation);
// Adds to the cell of its operation and status.
void AddToCells(const HourCell& cell, std::vector<HourCell>* cells);

// The operations of one hour of a project, in the log's order; the cells of those that were read.
struct HourOperations {
  struct Listed {
    int64_t time_us = 0;
    uint64_t offset = 0;
    OperationKind operation = OperationKind::kAdd;
    OperationStatus status = OperationStatus::kSuccess;
  };
  struct Read {
    HourCell cell;  // count is 0 until it is read
    uint32_t user = 0;
  };
  std::mutex mutex;  // guards everything below
  std::vector<Listed> listed;
  std::vector<Read> read;  // of each of `listed`
  uint64_t as_of = 0;      // every operation below this offset is listed

  // Lists what the view has beyond as_of, which must not be above the view's cursor. `list`: the key of the postings.
  Status BringTo(const View& view, const KeyBuilder& list);
  // Reads these of `listed`, in rising order, from the log.
  Status ReadFrom(PartitionLog& log, const std::vector<size_t>& wanted);
  // Of Read::user; UINT32_MAX when none that was read is the user's.
  uint32_t UserNumber(std::string_view user) const;

 private:
  Status Take(size_t at, const Record& record);

  std::map<std::string, uint32_t, std::less<>> users_;
};

class UsageCache {
 public:
  static constexpr size_t kCellsMax = 400'000;  // of all hours of all projects together
  static constexpr size_t kOperationsMax =
      200'000;  // of all hours together; an hour of more than a quarter is not kept

  // The hours in [first, last] that hold something, in order, over all users. False when the cache already stands
  // beyond the view: then nothing was called.
  Result<bool> ForEachHour(const View& view, std::string_view tenant, std::string_view project, int64_t first,
                           int64_t last, const std::function<void(int64_t hour, const std::vector<HourCell>&)>& hour);
  std::shared_ptr<HourOperations> OperationsOf(std::string_view list);
  // After they were used, with their mutex free: tells how many they are now.
  void Keep(std::string_view list, size_t operations);
  // Cells and operations held now.
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
    std::shared_ptr<Item> item = std::make_shared<Item>();
    uint64_t used_at = 0;
    size_t size = 0;
  };
  template <class Item>
  using Shelf = std::map<std::string, Kept<Item>, std::less<>>;

  template <class Item>
  std::shared_ptr<Item> Find(Shelf<Item>* shelf, std::string_view key);
  template <class Item>
  void Resize(Shelf<Item>* shelf, std::string_view key, size_t size, size_t size_max, size_t* sum);
  static Status Bring(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project);
  static Status ReadHours(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project);

  mutable std::mutex mutex_;  // guards everything below; never held while a store or log is read
  uint64_t uses_ = 0;
  Shelf<Project> projects_;           // by the prefix of their hours' rows
  Shelf<HourOperations> operations_;  // by their list
  size_t cells_ = 0, listed_ = 0;
};

}  // namespace odometer
