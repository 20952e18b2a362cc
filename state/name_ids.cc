#include "state/name_ids.h"

#include <cstring>

namespace odometer {

namespace {

// The T at `at`, as a number.
template <class T>
uint64_t Load(const char* at) {
  T word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

// The two loads of a name of 4 to 15 bytes overlap.
inline NameIds::Digest NameIds::DigestOf(std::string_view name) {
  const char* at = name.data();
  size_t size = name.size();
  if (size >= 8) return {Load<uint64_t>(at), Load<uint64_t>(at + size - 8), size};
  if (size >= 4) return {Load<uint32_t>(at), Load<uint32_t>(at + size - 4), size};
  if (size == 0) return {0, 0, 0};
  return {Load<uint8_t>(at) | Load<uint8_t>(at + size / 2) << 8, Load<uint8_t>(at + size - 1), size};
}

uint32_t NameIds::Of(std::string_view name) {
  constexpr uint64_t kMix1 = 0x9e3779b97f4a7c15, kMix2 = 0xc2b2ae3d27d4eb4f;
  Digest digest = DigestOf(name);
  uint64_t hash = ((digest.first ^ digest.size) * kMix1 ^ digest.last) * kMix2;
  size_t at = (hash >> 40) % kSlots;
  for (; slots_[at].id != kNone; at = (at + 1) % kSlots) {
    if (slots_[at].digest == digest && (name.size() <= 16 || TextOf(slots_[at].id) == name)) return slots_[at].id;
  }
  if (is_full()) return kNone;
  uint32_t id = first_ + static_cast<uint32_t>(names_.size());
  names_.emplace_back(name);
  slots_[at] = {digest, id};
  return id;
}

void NameIds::Clear() {
  if (first_ > UINT32_MAX - 2 * kNamesMax) return;  // no more ids: who has none is not counted by id
  first_ += static_cast<uint32_t>(names_.size());
  names_.clear();
  slots_.assign(kSlots, Slot());
}

}  // namespace odometer
