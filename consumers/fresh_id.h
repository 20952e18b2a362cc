// consumers/fresh_id.h: FreshId(), a new id of a log, a tick or an event that a person sends: the time and random bits.
#pragma once

#include <array>
#include <cstdint>

#include "core/ids.h"

namespace odometer {

// A uuid7 of that moment. Thread-safe. For ids by the thousand, keep a generator instead.
Uuid FreshId(int64_t now_us);
// The random part of an id, ten bytes that need to be distinct, not secret; fast. Thread-safe.
std::array<uint8_t, 10> FreshBytes();

}  // namespace odometer
