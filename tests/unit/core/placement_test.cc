#include "core/placement.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace odometer {
namespace {

// Known answers from an independent implementation (Python's xxhash package).
TEST(Placement, SlotsAreTheKnownOnesForEver) {
  EXPECT_EQ(SlotOf("default"), 123u);
  EXPECT_EQ(SlotOf(""), 61u);
  EXPECT_EQ(SlotOf("a"), 115u);
  EXPECT_EQ(SlotOf("acme"), 69u);
  EXPECT_EQ(SlotOf("tenant-1"), 217u);
  EXPECT_EQ(SlotOf(std::string(256, 'x')), 76u);
  EXPECT_EQ(SlotOf(std::string(600, 'x')), 185u);  // longer than the buffer on the stack
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  EXPECT_EQ(SlotOf(every_byte), 215u);
}

TEST(Placement, APartitionIsTheSlotModuloTheirNumber) {
  EXPECT_EQ(PartitionOf("default", 8), 3u);
  EXPECT_EQ(PartitionOf("default", 1), 0u);
  EXPECT_EQ(PartitionOf("default", 256), 123u);
}

TEST(Placement, TenantsSpreadOverAllSlots) {
  std::set<uint32_t> slots;
  for (int i = 0; i < 4000; ++i) slots.insert(SlotOf("tenant-" + std::to_string(i)));
  EXPECT_EQ(slots.size(), kSlots);
}

}  // namespace
}  // namespace odometer
