// bench/allocations.h: how often this process has asked `new` for memory. A program that links it counts each.
#pragma once

#include <cstdint>

namespace odometer {

uint64_t Allocations();

}  // namespace odometer
