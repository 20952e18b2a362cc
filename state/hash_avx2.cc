// Compiled for AVX2, so it includes nothing of the standard library: an inline function of it, compiled here, could be
// the one that the linker keeps for processors without AVX2.

#include "state/hash_avx2.h"

#if defined(ODOMETER_AVX2)

#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_AVX2
#include <xxhash.h>

namespace odometer {

uint64_t Hash64ByAvx2(const void* bytes, size_t size) { return XXH3_64bits(bytes, size); }

void Hash128ByAvx2(const void* bytes, size_t size, uint64_t* low, uint64_t* high) {
  XXH128_hash_t hash = XXH3_128bits(bytes, size);
  *low = hash.low64;
  *high = hash.high64;
}

}  // namespace odometer

#endif
