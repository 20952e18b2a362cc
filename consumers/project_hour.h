// consumers/project_hour.h: what was done in one hour of a project, finer than its rows say: single operations, as its
// postings list them and the log holds them, and HourMinutes, their sums by minute.
//
//   ScanOperations(view, list, 0, UINT64_MAX, [&](uint64_t chunk, const ListedOperation& listed) { … });
//   ReadOperations(log, wanted, [&](size_t i, const Event& event) { Add(CellOf(event)); });
//
//   HourMinutes minutes;
//   minutes.BringTo(view, log, list);           // reads the whole hour; later on what commits have added
//
// `list` is always the key of the hour's postings.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "core/event.h"
#include "log/event_log.h"
#include "state/store.h"

namespace odometer {

inline constexpr int64_t kUsPerMinute = 60 * kUsPerSecond;

// The key of an hour's postings.
KeyBuilder HourPostings(std::string_view tenant, std::string_view project, int64_t hour);

// Adds a cell times `sign`.
void AddCell(const HourCell& from, int64_t sign, HourCell* to);
// Adds to the cell of its operation and status.
void AddToCells(const HourCell& cell, std::vector<HourCell>* cells);
// What an operation adds to its hour's row.
HourCell CellOf(const Event& operation);
// The operation that a listed record is, or of a refused ask the one it counts as. False: it is none.
bool DecodeOperation(std::string_view bytes, Event* event);

struct ListedOperation {
  int64_t time_us = 0;  // place time
  uint64_t offset = 0;
  OperationKind operation = OperationKind::kAdd;
  OperationStatus status = OperationStatus::kSuccess;
};
// Those that stand in chunks whose first offset is in [begin, end), in the log's order; `chunk`: that first offset.
Status ScanOperations(const View& view, const KeyBuilder& list, uint64_t begin, uint64_t end,
                      const std::function<void(uint64_t chunk, const ListedOperation& listed)>& f);
// Their events, in the order of `wanted`, which is that of the log: many that lie close together are read in one go.
Status ReadOperations(PartitionLog& log, const std::vector<ListedOperation>& wanted,
                      const std::function<void(size_t i, const Event& event)>& f);

// The operations of one hour summed up by minute, over all users.
struct HourMinutes {
  struct Minute {
    // Its operations stand in the chunks whose first offset is in [first_chunk, last_chunk].
    uint64_t first_chunk = 0, last_chunk = 0;
    std::vector<HourCell> cells;
  };
  std::mutex mutex;                   // guards everything below
  std::map<int64_t, Minute> minutes;  // by where they begin, in µs; those that hold something
  uint64_t as_of = 0;                 // every operation below this offset is in them

  // Adds what the view has beyond as_of, which must not be above its cursor; answers how many events were read. After
  // an error it is as it was.
  Result<size_t> BringTo(const View& view, PartitionLog& log, const KeyBuilder& list);
  // For a bound on memory; a minute takes as much as a cell, so it counts as one more.
  size_t CellCount() const;
};

}  // namespace odometer
