#include "state/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace odometer {

uint64_t HashOf(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::array<uint64_t, 2> Hash128Of(std::string_view bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace odometer
