// core/placement.h: which partition a tenant lives in. All events of a tenant are in one partition, in one order.
#pragma once

#include <cstdint>
#include <string_view>

namespace odometer {

inline constexpr uint32_t kSlots = 256;
inline constexpr uint32_t kPlacementVersion = 1;
inline constexpr uint32_t kDefaultPartitions = 8;

// XXH3_64(len_u32le(tenant) ‖ tenant) mod 256; SlotOf("default") is 123.
uint32_t SlotOf(std::string_view tenant);
inline uint32_t PartitionOf(std::string_view tenant, uint32_t partitions) { return SlotOf(tenant) % partitions; }

}  // namespace odometer
