// state/tenant_slots.h: TenantSlots, SlotOf() with the answers for the tenants that were asked of last.
//
//   uint32_t slot = slots.Of(event.tenant);
//
// Confined to the runner thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/placement.h"
#include "state/text_digest.h"

namespace odometer {

class TenantSlots {
 public:
  uint32_t Of(std::string_view tenant) {
    TextDigest digest = DigestOf(tenant);
    Known& known = known_[digest.Hash() % known_.size()];
    bool is_it = known.digest == digest && (tenant.size() <= TextDigest::kWhole || known.tenant == tenant);
    if (!is_it) known = {digest, SlotOf(tenant), std::string(tenant)};
    return known.slot;
  }

 private:
  struct Known {
    TextDigest digest;
    uint32_t slot = SlotOf({});  // of the empty text, until it is another's
    std::string tenant;
  };
  std::vector<Known> known_ = std::vector<Known>(1024);  // many times the tenants that are busy at a time
};

}  // namespace odometer
