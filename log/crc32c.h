// log/crc32c.h: the CRC-32C (Castagnoli) of bytes, as in iSCSI and RFC 3720.
//
//   uint32_t whole = Crc32c(Crc32c(0, head), tail);   // the same as of head and tail in one piece
//
// Uses the CPU's instruction where there is one (looked up once, at run time), a table elsewhere. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace odometer {

uint32_t Crc32c(uint32_t crc, const void* bytes, size_t size);
inline uint32_t Crc32c(uint32_t crc, std::string_view bytes) { return Crc32c(crc, bytes.data(), bytes.size()); }

// What machines without the instruction run; here by name so that a test can compare the two.
uint32_t Crc32cPortable(uint32_t crc, const void* bytes, size_t size);

}  // namespace odometer
