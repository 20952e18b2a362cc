// state/refused_operation.h: the vector operation that a refused ask of a project counts as.
//
//   if (IsAsk(event.type) && RefusedOperation(event, &event)) …   // now of VectorsSearched, status quota_exceeded
//
// The rule: docs/limits.md, section 5.
#pragma once

#include "core/event.h"

namespace odometer {

// Writes its envelope and operation; `operation` may be the ask itself. False: the ask names no project, or nothing
// that tells of an operation, and nothing is written.
bool RefusedOperation(const Event& ask, Event* operation);

}  // namespace odometer
