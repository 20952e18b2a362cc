#include "core/zone.h"

#include <algorithm>

#include "core/check.h"
#include "core/period.h"

namespace odometer {

namespace {

constexpr int64_t kOffsetMaxUs = kZoneOffsetMaxS * kUsPerSecond;

// Piece 0 is what comes before the first shift, piece i begins at the i-th; within a piece local time runs evenly.
class Pieces {
 public:
  explicit Pieces(const Zone& zone) : zone_(zone) {}

  size_t At(int64_t us) const {
    auto is_later = [](int64_t at, const ZoneShift& shift) { return at < shift.at_us; };
    const std::vector<ZoneShift>& shifts = zone_.shifts;
    return static_cast<size_t>(std::upper_bound(shifts.begin(), shifts.end(), us, is_later) - shifts.begin());
  }
  bool HasStart(size_t piece) const { return piece > 0; }
  bool HasEnd(size_t piece) const { return piece < zone_.shifts.size(); }
  int64_t Start(size_t piece) const { return zone_.shifts[piece - 1].at_us; }
  int64_t End(size_t piece) const { return zone_.shifts[piece].at_us; }
  int64_t OffsetUs(size_t piece) const {
    return (piece == 0 ? zone_.first_offset_s : zone_.shifts[piece - 1].offset_s) * kUsPerSecond;
  }

  // The first instant at which local time is `local` or later.
  int64_t FirstAt(int64_t local) const {
    for (size_t piece = At(local - kOffsetMaxUs);; ++piece) {
      int64_t us = local - OffsetUs(piece);
      if (HasStart(piece)) us = std::max(us, Start(piece));
      if (!HasEnd(piece) || us < End(piece)) return us;
    }
  }

  // The latest local time that the zone has shown up to `us`.
  int64_t LatestUntil(int64_t us) const {
    size_t piece = At(us);
    int64_t latest = us + OffsetUs(piece);
    // Offsets differ by 36 hours at most: what was shown before that is behind what is shown now.
    for (; HasStart(piece) && Start(piece) > us - 2 * kOffsetMaxUs; --piece)
      latest = std::max(latest, Start(piece) + OffsetUs(piece - 1) - 1);
    return latest;
  }

 private:
  const Zone& zone_;
};

Span DayAt(const Pieces& pieces, int64_t us) {
  int64_t day = FloorDiv(pieces.LatestUntil(us), kUsPerDay);
  return {pieces.FirstAt(day * kUsPerDay), pieces.FirstAt((day + 1) * kUsPerDay)};
}

Span MonthAt(const Pieces& pieces, int64_t us) {
  Period month = Period::OfDay(FloorDiv(pieces.LatestUntil(us), kUsPerDay));
  return {pieces.FirstAt(month.start_us()), pieces.FirstAt(month.end_us())};
}

int64_t HourStart(const Pieces& pieces, size_t piece, int64_t hour) {
  for (;; --piece) {
    int64_t full = hour * kUsPerHour - pieces.OffsetUs(piece);
    if (!pieces.HasStart(piece) || full >= pieces.Start(piece)) return full;
    int64_t before = pieces.Start(piece) - 1 + pieces.OffsetUs(piece - 1);
    if (FloorDiv(before, kUsPerHour) != hour) return pieces.Start(piece);
  }
}

int64_t HourEnd(const Pieces& pieces, size_t piece, int64_t hour) {
  for (;; ++piece) {
    int64_t full = (hour + 1) * kUsPerHour - pieces.OffsetUs(piece);
    if (!pieces.HasEnd(piece) || full < pieces.End(piece)) return full;
    int64_t after = pieces.End(piece) + pieces.OffsetUs(piece + 1);
    if (after == hour * kUsPerHour || FloorDiv(after, kUsPerHour) != hour) return pieces.End(piece);
  }
}

Span HourAt(const Pieces& pieces, int64_t us) {
  size_t piece = pieces.At(us);
  int64_t hour = FloorDiv(us + pieces.OffsetUs(piece), kUsPerHour);
  return {HourStart(pieces, piece, hour), HourEnd(pieces, piece, hour)};
}

}  // namespace

int64_t Zone::OffsetAt(int64_t us) const {
  Pieces pieces(*this);
  return pieces.OffsetUs(pieces.At(us)) / kUsPerSecond;
}

Span SpanOf(Window window, const Zone& zone, int64_t us) {
  ODOMETER_CHECK(IsCalendar(window));
  Pieces pieces(zone);
  if (window == Window::kHour) return HourAt(pieces, us);
  return window == Window::kDay ? DayAt(pieces, us) : MonthAt(pieces, us);
}

}  // namespace odometer
