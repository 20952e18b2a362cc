// core/zone.h: Zone, a tenant's time zone as plain data, and the hours, days and months of its civil calendar.
//
//   Zone berlin{3600, {{*ParseTime("2024-03-31T01:00:00Z"), 7200}, {*ParseTime("2024-10-27T01:00:00Z"), 3600}}};
//   Span day = SpanOf(Window::kDay, berlin, us);   // [start_us, end_us), in UTC; 23 hours on 2024-03-31
//
// Local time is UTC plus the offset of the moment; at a shift it jumps.
//
// Day and month: the span of a date begins at the first instant at which the local date is that one or later, and ends
// where the span of the next date begins. So a day without a midnight begins where its clock begins; a date that is
// skipped has no span, and its neighbours meet; and when the clock goes back over midnight, the later date has begun
// and goes on: what is lived again of the earlier one belongs to the later. Months likewise.
//
// Hour: one begins wherever the local clock shows a full hour, and wherever a shift takes it to another hour of
// the calendar than the one it was in. So an hour that comes twice is two hours; half an hour skipped leaves an hour of
// 30 minutes, and half an hour repeated makes one of 90.
//
// The spans of a window tile time: each ends where the next begins. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "core/limit.h"

namespace odometer {

inline constexpr int64_t kZoneOffsetMaxS = 18 * 3600;

// From at_us on, local time is UTC + offset_s.
struct ZoneShift {
  int64_t at_us = 0;
  int64_t offset_s = 0;
  friend bool operator==(const ZoneShift&, const ZoneShift&) = default;
};

// No offset is beyond ±kZoneOffsetMaxS, and no two shifts are at one moment. Without anything: UTC.
struct Zone {
  int64_t first_offset_s = 0;     // until the first shift
  std::vector<ZoneShift> shifts;  // in the order of their moments

  int64_t OffsetAt(int64_t us) const;  // seconds
  friend bool operator==(const Zone&, const Zone&) = default;
};

// UTC instants: start_us is in it, end_us is not.
struct Span {
  int64_t start_us = 0;
  int64_t end_us = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// The hour, day or month in which `us` lies; for calendar windows only, and for a `us` within 200,000 years of 1970.
// Takes a search among the shifts, and one step more for each shift that is at most 36 hours away.
Span SpanOf(Window window, const Zone& zone, int64_t us);

}  // namespace odometer
