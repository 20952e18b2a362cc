// consumers/project_hour.h: what was done in one hour of a project, finer than its rows say: single operations, as its
// postings list them and the log holds them.
//
//   ScanOperations(view, HourPostings("acme", "docs", hour), 0, UINT64_MAX, [&](const ListedOperation& listed) { … });
//   ReadOperations(log, wanted, [&](size_t i, const Event& event) { Add(CellOf(event)); });
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/event.h"
#include "log/event_log.h"
#include "state/hour_cell.h"
#include "state/store.h"

namespace odometer {

// The key of an hour's postings.
KeyBuilder HourPostings(std::string_view tenant, std::string_view project, int64_t hour);

// The operation that a listed record is, or of a refused ask the one it counts as. False: it is none.
bool DecodeOperation(std::string_view bytes, Event* event);

struct ListedOperation {
  int64_t time_us = 0;  // place time
  uint64_t offset = 0;
  OperationKind operation = OperationKind::kAdd;
  OperationStatus status = OperationStatus::kSuccess;
};
// Those at offsets in [begin, end), in the log's order. `list` is the key of the hour's postings.
Status ScanOperations(const View& view, const KeyBuilder& list, uint64_t begin, uint64_t end,
                      const std::function<void(const ListedOperation& listed)>& f);
// Their events, in the order of `wanted`, which is that of the log: many that lie close together are read in one go.
Status ReadOperations(PartitionLog& log, const std::vector<ListedOperation>& wanted,
                      const std::function<void(size_t i, const Event& event)>& f);

}  // namespace odometer
