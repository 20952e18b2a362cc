#include "state/tenant_slots.h"

#include <gtest/gtest.h>

#include <string>

namespace odometer {
namespace {

TEST(TenantSlots, AreThoseOfSlotOfHoweverManyTenantsAsk) {
  TenantSlots slots;
  EXPECT_EQ(slots.Of("default"), 123u);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5'000; ++i) {
      std::string number = std::to_string(i);
      for (const std::string& tenant : {number, "tenant-" + number, "the-same-begin-" + number + "-the-same-end"})
        ASSERT_EQ(slots.Of(tenant), SlotOf(tenant)) << tenant;
    }
  }
  EXPECT_EQ(slots.Of(""), SlotOf(""));
}

}  // namespace
}  // namespace odometer
