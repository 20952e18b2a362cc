// consumers/queries_costliest.h: FindCostliest, the most expensive sessions and turns of each user of a table.
//
// For most users at once it goes through all sessions and turns of the tenant; for some it looks at theirs; and of a
// user who was known before, at nothing but what commits have written since.
#pragma once

#include <cstdint>

#include "consumers/queries_users.h"

namespace odometer {

// Fills the `costliest` of every user in which it is missing. Thread-safe.
Status FindCostliest(const UserTable& table, int64_t now_us);

}  // namespace odometer
