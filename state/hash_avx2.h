// state/hash_avx2.h: XXH3 by AVX2, the same values as state/hash.h; for hash.cc, which asks the processor first.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace odometer {

uint64_t Hash64ByAvx2(const void* bytes, size_t size);
void Hash128ByAvx2(const void* bytes, size_t size, uint64_t* low, uint64_t* high);

}  // namespace odometer
