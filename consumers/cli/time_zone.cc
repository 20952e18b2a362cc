#include "consumers/cli/time_zone.h"

#include <date/tz.h>

#include <exception>

#include "core/period.h"

namespace odometer::cli {

Result<nlohmann::ordered_json> ZoneFromDatabase(const std::string& name) {
  using std::chrono::seconds;
  const date::time_zone* zone = nullptr;
  try {
    zone = date::locate_zone(name);
  } catch (const std::exception&) {
    return Status(Code::kInvalid, "the tz database of this machine has no zone '" + name +
                                      "': say one such as Europe/Berlin (and is tzdata installed?)");
  }
  date::sys_seconds at = date::sys_days{date::year{1970} / 1 / 1};
  const date::sys_seconds end = date::sys_days{date::year{2070} / 1 / 1};
  seconds offset = zone->get_info(at).offset;
  nlohmann::ordered_json fields = {{"zone", name}, {"first_offset_s", offset.count()}};
  nlohmann::ordered_json shifts = nlohmann::ordered_json::array();
  for (;;) {
    at = zone->get_info(at).end;
    if (at >= end) break;
    seconds next = zone->get_info(at).offset;
    if (next == offset) continue;  // another name for the same offset
    offset = next;
    shifts.push_back(
        {{"at", TimeToString(at.time_since_epoch().count() * kUsPerSecond)}, {"offset_s", offset.count()}});
  }
  fields["shifts"] = std::move(shifts);
  return fields;
}

}  // namespace odometer::cli
