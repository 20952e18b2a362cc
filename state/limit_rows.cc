#include "state/limit_rows.h"

#include <algorithm>

namespace odometer {

LimitItem LimitItem::Of(const Limit& limit) {
  LimitItem item;
  item.meter = static_cast<uint8_t>(limit.meter);
  item.window = static_cast<uint8_t>(limit.window);
  item.over = limit.over ? static_cast<uint8_t>(*limit.over) : 0;
  item.cap = limit.cap.value_or(-1);
  item.mode = static_cast<uint8_t>(limit.mode);
  item.when_unavailable = static_cast<uint8_t>(limit.when_unavailable);
  return item;
}

Limit LimitItem::ToLimit() const {
  Limit limit;
  limit.meter = static_cast<Meter>(meter);
  limit.window = static_cast<Window>(window);
  if (over != 0) limit.over = static_cast<Scope>(over);
  if (cap >= 0) limit.cap = cap;
  limit.mode = static_cast<LimitMode>(mode);
  limit.when_unavailable = static_cast<WhenUnavailable>(when_unavailable);
  return limit;
}

Zone PolicyRow::ToZone() const {
  Zone zone_of_row;
  zone_of_row.first_offset_s = first_offset_s;
  for (size_t i = 0; i + 1 < shifts.size(); i += 2) zone_of_row.shifts.push_back({shifts[i], shifts[i + 1]});
  return zone_of_row;
}

int64_t LeftOf(const LimitStatus& limit) {
  __int128 left = static_cast<__int128>(limit.cap) - limit.used - limit.held;
  return static_cast<int64_t>(std::clamp<__int128>(left, 0, INT64_MAX));
}

}  // namespace odometer
