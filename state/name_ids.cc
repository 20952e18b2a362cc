#include "state/name_ids.h"

namespace odometer {

uint32_t NameIds::Find(std::string_view name, const TextDigest& digest, size_t at) {
  for (; slots_[at].id != kNone; at = (at + 1) % kSlots) {
    bool is_whole = name.size() <= TextDigest::kWhole;
    if (slots_[at].digest == digest && (is_whole || TextOf(slots_[at].id) == name)) return slots_[at].id;
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
