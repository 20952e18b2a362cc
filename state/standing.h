// state/standing.h: how a limit stands: what its scope has used of it at a moment, and what a counter begins with.
//
//   Result<Standing> standing = StandingOf(source, limit, subject, zone, at_us, &made);
//
// The fold's source makes the counters that it lacks and keeps them; a read makes them for itself alone.
#pragma once

#include <deque>

#include "core/zone.h"
#include "state/judge.h"
#include "state/resolve.h"

namespace odometer {

// Of a gauge, rows say what there is now.
inline bool IsCounted(Window window) { return window != Window::kGauge; }

const Counter* FindCounter(const std::vector<Counter>& counters, Meter meter, Window window);

// Where a row that bills already has the figure for just this window, the counter goes on from it.
Result<Counter> NewCounter(LimitSource& source, const AppliedLimit& limit, const Subject& subject, const Zone& zone,
                           int64_t at_us);
// Of a calendar window: to the hour, day or month of a moment after its own.
void MoveTo(const Zone& zone, int64_t at_us, Counter* counter);

// What there is now.
Result<int64_t> GaugeOf(LimitSource& source, Scope scope, const Subject& subject, Meter meter);

// A counter that is not there yet is put into `made`, where it lives.
Result<Standing> StandingOf(LimitSource& source, const AppliedLimit& limit, const Subject& subject, const Zone& zone,
                            int64_t at_us, std::deque<Counter>* made);

}  // namespace odometer
