#include "state/hash.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#define XXH_INLINE_ALL
#define XXH_VECTOR XXH_SCALAR  // as on a processor that has no vectors
#include <xxhash.h>

namespace odometer {
namespace {

std::string RandomBytes(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Stored chains and digests depend on it: a log that was written on one machine is read on another.
TEST(Hash, ValuesAreThoseOfXxh3WhateverTheProcessor) {
  std::string bytes = RandomBytes(2 << 20);
  std::vector<size_t> sizes;
  for (size_t size = 0; size <= 2100; ++size) sizes.push_back(size);
  for (size_t size : {4095, 4096, 4097, 65'536, 100'003, 524'288, 1 << 20}) sizes.push_back(size);
  for (size_t size : sizes) {
    for (size_t shift : {0, 1, 8, 33}) {  // nothing says that the bytes are aligned
      std::string_view part = std::string_view(bytes).substr(shift, size);
      XXH128_hash_t expected = XXH3_128bits(part.data(), part.size());
      ASSERT_EQ(HashOf(part), XXH3_64bits(part.data(), part.size())) << size << " at " << shift;
      ASSERT_EQ(Hash128Of(part)[0], expected.low64) << size << " at " << shift;
      ASSERT_EQ(Hash128Of(part)[1], expected.high64) << size << " at " << shift;
    }
  }
}

// As published with XXH3: the hash of nothing.
TEST(Hash, ValuesAreTheKnownOnesForEver) {
  EXPECT_EQ(HashOf(""), 0x2d06800538d394c2u);
  EXPECT_EQ(Hash128Of("")[0], 0x6001c324468d497fu);
  EXPECT_EQ(Hash128Of("")[1], 0x99aa06d3014798d8u);
}

}  // namespace
}  // namespace odometer
