// state/hash.h: XXH3 over bytes. 64 bits index the rows in RAM and recognise a repeated payload; 128 bits chain
// records.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace odometer {

uint64_t HashOf(std::string_view bytes);
std::array<uint64_t, 2> Hash128Of(std::string_view bytes);

}  // namespace odometer
