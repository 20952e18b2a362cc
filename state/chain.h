// state/chain.h: ChainLink, one step of the rolling hash that ties a store to the log it was folded from.
#pragma once

#include <array>
#include <cstdint>

#include "core/record.h"

namespace odometer {

// XXH3-128 over (previous link, offset, append time, size, XXH3-128 of the bytes). A null payload has the size 2^64
// − 1.
std::array<uint64_t, 2> ChainLink(const std::array<uint64_t, 2>& previous, const Record& record,
                                  const std::array<uint64_t, 2>& bytes_hash);
std::array<uint64_t, 2> ChainLink(const std::array<uint64_t, 2>& previous, const Record& record);

}  // namespace odometer
