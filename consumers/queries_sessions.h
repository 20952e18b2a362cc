// consumers/queries_sessions.h: ListSessions, the names of a user's sessions, those with the latest event first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/queries.h"

namespace odometer {

// nullopt for a user that was never seen. Sessions of the same last event stand by name.
Result<std::optional<std::vector<std::string>>> ListSessions(const View& view, std::string_view tenant,
                                                             std::string_view user);

}  // namespace odometer
