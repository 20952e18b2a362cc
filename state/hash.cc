#include "state/hash.h"

#include "state/hash_avx2.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace odometer {

namespace {

#if defined(ODOMETER_AVX2)
// Up to here XXH3 uses no vectors: the call is not worth it.
constexpr size_t kShortBytesMax = 240;
bool IsForAvx2(std::string_view bytes) { return bytes.size() > kShortBytesMax && __builtin_cpu_supports("avx2"); }
#endif

}  // namespace

uint64_t HashOf(std::string_view bytes) {
#if defined(ODOMETER_AVX2)
  if (IsForAvx2(bytes)) return Hash64ByAvx2(bytes.data(), bytes.size());
#endif
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::array<uint64_t, 2> Hash128Of(std::string_view bytes) {
#if defined(ODOMETER_AVX2)
  if (IsForAvx2(bytes)) {
    std::array<uint64_t, 2> hash;
    Hash128ByAvx2(bytes.data(), bytes.size(), &hash[0], &hash[1]);
    return hash;
  }
#endif
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

}  // namespace odometer
