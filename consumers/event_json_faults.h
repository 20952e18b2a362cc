// consumers/event_json_faults.h: which field of a posted event a reason is about, and what its sender can do.
// Private to event_json.cc.
#pragma once

#include <string>

#include "core/event.h"
#include "core/reason.h"

namespace odometer::json {

// What to do about a reason that CheckMeaning() gives for the event as a whole.
std::string AdviceFor(Reason reason, EventType type);
// The field that it is about, "" if that is none in particular.
std::string FieldOf(Reason reason, const Event& event);
// The way to an item of a batch, "items[3]."; "" for other types.
std::string ItemPath(const Event& event, size_t at);

}  // namespace odometer::json
