#include "state/hour_cell.h"

#include <algorithm>

namespace odometer {

HourCell CellOf(const Event& event) {
  const Operation& operation = event.operation;
  HourCell cell;
  cell.operation = OperationOf(event.type);
  cell.status = operation.status;
  cell.count = 1;
  cell.requested = operation.requested;
  cell.succeeded = operation.succeeded;
  cell.vectors_delta = operation.vectors_delta;
  cell.bytes_delta = operation.bytes_delta;
  cell.payload_bytes = operation.payload_bytes;
  cell.duration_us = operation.duration_us.value_or(0);
  cell.timed = operation.duration_us ? 1 : 0;
  cell.results = operation.results;
  cell.filtered = operation.had_filter ? 1 : 0;
  cell.inserted = operation.inserted;
  return cell;
}

void AddCell(const HourCell& from, int64_t sign, HourCell* to) {
  AddSaturating(to->count, sign * from.count);
  AddSaturating(to->requested, sign * from.requested);
  AddSaturating(to->succeeded, sign * from.succeeded);
  AddSaturating(to->vectors_delta, sign * from.vectors_delta);
  AddSaturating(to->bytes_delta, sign * from.bytes_delta);
  AddSaturating(to->payload_bytes, sign * from.payload_bytes);
  AddSaturating(to->duration_us, sign * from.duration_us);
  AddSaturating(to->timed, sign * from.timed);
  AddSaturating(to->results, sign * from.results);
  AddSaturating(to->filtered, sign * from.filtered);
  AddSaturating(to->inserted, sign * from.inserted);
}

HourCell& CellIn(std::vector<HourCell>& cells, OperationKind operation, OperationStatus status) {
  auto before = [&](const HourCell& cell) {
    return cell.operation != operation ? cell.operation < operation : cell.status < status;
  };
  auto at = std::find_if_not(cells.begin(), cells.end(), before);
  if (at == cells.end() || at->operation != operation || at->status != status) {
    HourCell cell;
    cell.operation = operation;
    cell.status = status;
    at = cells.insert(at, cell);
  }
  return *at;
}

void AddToCells(const HourCell& cell, std::vector<HourCell>* cells) {
  AddCell(cell, 1, &CellIn(*cells, cell.operation, cell.status));
}

}  // namespace odometer
