#include "core/placement.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>

namespace odometer {

uint32_t SlotOf(std::string_view tenant) {
  char small[512];
  std::string large;
  char* input = small;
  if (tenant.size() + 4 > sizeof small) {
    large.resize(tenant.size() + 4);
    input = large.data();
  }
  uint32_t size = static_cast<uint32_t>(tenant.size());
  for (int i = 0; i < 4; ++i) input[i] = static_cast<char>(size >> (8 * i));
  tenant.copy(input + 4, tenant.size());
  return static_cast<uint32_t>(XXH3_64bits(input, tenant.size() + 4) % kSlots);
}

}  // namespace odometer
