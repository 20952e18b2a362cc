// consumers/cli/time_zone.h: ZoneFromDatabase(), the fields of a ZoneSet from this machine's tz database.
//
//   Result<ordered_json> fields = ZoneFromDatabase("Europe/Berlin");
//   (*fields)["shifts"][0]["offset_s"];
//
// The fold has no tz database: what it needs of one is written into the log, once.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/status.h"

namespace odometer::cli {

// `zone`, `first_offset_s` and `shifts`, of 1970 to 2069. kInvalid: the database has no zone of that name.
Result<nlohmann::ordered_json> ZoneFromDatabase(const std::string& name);

}  // namespace odometer::cli
