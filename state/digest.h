// state/digest.h: StateDigest, one number that is equal exactly when all figures are.
//
//   digest(tenant) = BLAKE2b-256 over the tenant's logical rows in key order: len(key) ‖ key ‖ len(bytes) ‖ bytes,
//   lengths
//                    as u32 little-endian, rings and steps moved to the tenant's greatest fold_time
//   digest(state)  = BLAKE2b-256 over len(tenant) ‖ tenant ‖ digest(tenant), tenants in byte order
//
// No partition, offset, append time, cursor, posting or cache has a part in it.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"
#include "state/store.h"

namespace odometer {

struct Digest {
  std::array<uint8_t, 32> bytes{};
  std::string hex() const;
  friend bool operator==(const Digest&, const Digest&) = default;
};

struct StateDigests {
  Digest state;
  std::map<std::string, Digest> tenants;
};

// Over all partitions of one log (a tenant lives in one). With a tenant: only its rows; `state` is then over it alone.
Result<StateDigests> ComputeDigests(const std::vector<std::shared_ptr<const View>>& views,
                                    std::optional<std::string> tenant);

// The rolling hashes of the views' partitions as one text: proves the logs, not the figures.
std::string LogDigest(const std::vector<std::shared_ptr<const View>>& views);

}  // namespace odometer
