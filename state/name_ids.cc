#include "state/name_ids.h"

#include "state/hash.h"

namespace odometer {

uint32_t NameIds::Of(std::string_view name) {
  uint64_t hash = HashOf(name);
  size_t at = hash % kSlots;
  for (; slots_[at].id != kNone; at = (at + 1) % kSlots) {
    if (slots_[at].hash == hash && IsSameName(TextOf(slots_[at].id), name)) return slots_[at].id;
  }
  if (is_full()) return kNone;
  uint32_t id = first_ + static_cast<uint32_t>(names_.size());
  names_.emplace_back(name);
  slots_[at] = {hash, id};
  return id;
}

void NameIds::Clear() {
  if (first_ > UINT32_MAX - 2 * kNamesMax) return;  // no more ids: who has none is not counted by id
  first_ += static_cast<uint32_t>(names_.size());
  names_.clear();
  slots_.assign(kSlots, Slot());
}

}  // namespace odometer
