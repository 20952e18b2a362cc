#include "core/ids.h"

#include <openssl/sha.h>

#include <cstring>

namespace odometer {

const Uuid kNamespaceDns{
    {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}};

namespace {

constexpr char kHex[] = "0123456789abcdef";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsDash(size_t position) { return position == 8 || position == 13 || position == 18 || position == 23; }

void SetVersion(Uuid& id, uint8_t version) {
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | (version << 4));
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
}

}  // namespace

std::string Uuid::ToString() const {
  std::string text;
  text.reserve(36);
  for (uint8_t byte : bytes) {
    if (IsDash(text.size())) text += '-';
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid id;
  size_t nibble = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDash(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    int value = HexValue(text[i]);
    if (value < 0) return std::nullopt;
    id.bytes[nibble / 2] = static_cast<uint8_t>((id.bytes[nibble / 2] << 4) | value);
    ++nibble;
  }
  return id;
}

Uuid Uuid5(const Uuid& name_space, std::string_view name) {
  std::string input(reinterpret_cast<const char*>(name_space.bytes.data()), 16);
  input += name;
  uint8_t digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const uint8_t*>(input.data()), input.size(), digest);
  Uuid id;
  std::memcpy(id.bytes.data(), digest, 16);
  SetVersion(id, 5);
  return id;
}

Uuid Uuid7(int64_t time_us, const std::array<uint8_t, 10>& random) {
  Uuid id;
  uint64_t ms = static_cast<uint64_t>(time_us / 1000);
  for (int i = 0; i < 6; ++i) id.bytes[i] = static_cast<uint8_t>(ms >> (8 * (5 - i)));
  std::memcpy(id.bytes.data() + 6, random.data(), 10);
  SetVersion(id, 7);
  return id;
}

EventId DerivedId(std::string_view source, std::string_view key) { return Uuid5(Uuid5(kNamespaceDns, source), key); }

}  // namespace odometer
