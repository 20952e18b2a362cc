// consumers/partition_set.h: PartitionSet, the partitions of a log that one daemon owns.
//
//   std::optional<PartitionSet> set = PartitionSet::Parse("0,2-3");    // "all": however many there are
//   Result<std::vector<uint32_t>> owned = set->Of(8);                  // {0, 2, 3}
//   ShowPartitions(*owned)                                             // "0,2-3"
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace odometer {

class PartitionSet {
 public:
  PartitionSet() = default;  // all
  // nullopt unless it is "all", or numbers below kSlots and rising ranges of them, each partition once.
  static std::optional<PartitionSet> Parse(std::string_view text);

  // In rising order; kInvalid when a log of so many partitions lacks one of them.
  Result<std::vector<uint32_t>> Of(uint32_t partitions) const;

 private:
  bool Add(std::string_view item);

  std::vector<uint32_t> numbers_;  // rising; none: all
};

// Rising numbers as Parse() takes them.
std::string ShowPartitions(std::span<const uint32_t> numbers);

}  // namespace odometer
