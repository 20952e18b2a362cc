// state/name_ids.h: NameIds, small numbers for the few names (models, providers, services, operations) that nearly all
// records repeat, so that names are compared as numbers. Of one process: never stored, no figure depends on them.
//
// Confined to the runner thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "state/name_table.h"
#include "state/text_digest.h"

namespace odometer {

class NameIds {
 public:
  static constexpr uint32_t kNone = 0;
  static constexpr size_t kNamesMax = 1024;  // more than that are not the same few again and again

  // The name's, the same until Clear(); kNone when it has none and there is no more room. The empty name has one too.
  uint32_t Of(std::string_view name) {
    TextDigest digest = DigestOf(name);
    size_t at = FirstSlot(digest);
    const Slot& slot = slots_[at];
    bool is_it = slot.digest == digest && slot.id != kNone && name.size() <= TextDigest::kWhole;
    return is_it ? slot.id : Find(name, digest, at);
  }
  // Valid until Clear().
  std::string_view TextOf(uint32_t id) const { return names_[id - first_].view(); }
  bool is_full() const { return names_.size() == kNamesMax; }
  // Forgets all, while there are numbers left. What it gives from then on are other ids than ever before.
  void Clear();

 private:
  static constexpr size_t kSlots = 4 * kNamesMax;
  struct Slot {
    TextDigest digest;
    uint32_t id = kNone;
  };
  static size_t FirstSlot(const TextDigest& digest) { return digest.Hash() % kSlots; }
  // From that slot on; takes the name in when it is new.
  uint32_t Find(std::string_view name, const TextDigest& digest, size_t at);

  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
  std::vector<NameText> names_;
  uint32_t first_ = 1;  // the id of names_[0]
};

}  // namespace odometer
