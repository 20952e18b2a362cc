// state/hour_cell.h: what one vector operation adds to the cells of a span of time, and sums of cells.
#pragma once

#include <cstdint>
#include <vector>

#include "core/event.h"
#include "state/rows.h"

namespace odometer {

// Sums that are only shown, of parts that were each in range, stop at the end of the range instead of wrapping.
inline void AddSaturating(int64_t& sum, int64_t delta) {
  if (__builtin_add_overflow(sum, delta, &sum)) sum = delta < 0 ? INT64_MIN : INT64_MAX;
}

// What an operation adds to its hour's row.
HourCell CellOf(const Event& operation);
// Adds a cell times `sign`.
void AddCell(const HourCell& from, int64_t sign, HourCell* to);
// The cell of an operation and status, made where there is none: cells are sorted by both.
HourCell& CellIn(std::vector<HourCell>& cells, OperationKind operation, OperationStatus status);
// Adds to the cell of its operation and status.
void AddToCells(const HourCell& cell, std::vector<HourCell>* cells);

}  // namespace odometer
