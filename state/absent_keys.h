// state/absent_keys.h: AbsentKeys, stretches of keys that a store is known to hold none of. A row with a new id, where
// ids go up with time, is then new without a look at the disk; one with an id from anywhere is looked for as before.
//
//   if (absent.Knows(key)) return nothing;                          // a miss in RAM: neither has the store the key
//   if (absent.IsDue(key)) absent.Learn(key, store.Around(key));    // it was looked for, and not found
//   absent.Exclude(key);                                            // RAM gives the row up, the store has it
//
// Right as long as every row of the store that was not there when a stretch was learned is in RAM, or was excluded.
// A key is its group's part, such as a tenant, and 16 bytes that order it in the group: one stretch a group, of the
// groups that were asked for lately. Thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "state/hash.h"

namespace odometer {

class AbsentKeys {
 public:
  // Whether the store is known not to have the key.
  bool Knows(std::string_view key) {
    if (key.size() < kIdBytes) return false;
    Stretch& stretch = Of(key);
    if (!stretch.known || !IsOfGroup(stretch, key)) return false;
    std::string_view id = IdOf(key);
    if (id <= stretch.after || (stretch.before && id >= *stretch.before)) return false;
    stretch.latest = id;
    return true;
  }

  // Of a key that the store did not have: whether its neighbours are worth finding, as they are for one miss in
  // kMissesAStretch, so that keys in no order pay for it seldom.
  bool IsDue(std::string_view key) {
    if (key.size() < kIdBytes) return false;
    Stretch& stretch = OfGroup(key);
    return stretch.misses++ % kMissesAStretch == kMissesAStretch - 1;
  }

  // `neighbours`: the last key of the store before the key and the first one after it, of whatever group; "" where
  // there is none.
  void Learn(std::string_view key, const std::pair<std::string, std::string>& neighbours) {
    Stretch& stretch = OfGroup(key);
    bool has_before = IsOfGroup(stretch, neighbours.first), has_after = IsOfGroup(stretch, neighbours.second);
    stretch.known = true;
    stretch.latest = IdOf(key);
    // "" stands before every id.
    stretch.after = has_before ? IdOf(neighbours.first) : std::string_view();
    stretch.before = has_after ? std::optional<std::string>(IdOf(neighbours.second)) : std::nullopt;
  }

  // What is given up is nearly always older than what was asked for last: then the later part of the stretch stays.
  void Exclude(std::string_view key) {
    if (key.size() < kIdBytes) return;
    Stretch& stretch = Of(key);
    if (!stretch.known || !IsOfGroup(stretch, key)) return;
    std::string_view id = IdOf(key);
    if (id <= stretch.after || (stretch.before && id >= *stretch.before)) return;
    if (id <= stretch.latest) {
      stretch.after = id;
    } else {
      stretch.before = id;
    }
  }

 private:
  static constexpr size_t kIdBytes = 16;
  static constexpr size_t kGroups = 64;
  static constexpr uint32_t kMissesAStretch = 32;

  // Absent are the ids between `after` and `before`, both not among them.
  struct Stretch {
    std::string group;
    bool known = false;
    std::string after;                  // "" for none: all before `before`
    std::optional<std::string> before;  // nullopt: all after `after`
    std::string latest;                 // the id that was asked for last
    uint32_t misses = 0;
  };

  static std::string_view IdOf(std::string_view key) { return key.substr(key.size() - kIdBytes); }
  static bool IsOfGroup(const Stretch& stretch, std::string_view key) {
    return key.size() == stretch.group.size() + kIdBytes && key.starts_with(stretch.group);
  }
  Stretch& Of(std::string_view key) { return stretches_[HashOf(key.substr(0, key.size() - kIdBytes)) % kGroups]; }

  // Given to the key's group, if it was another's.
  Stretch& OfGroup(std::string_view key) {
    Stretch& stretch = Of(key);
    if (!IsOfGroup(stretch, key)) {
      stretch = Stretch();
      stretch.group = key.substr(0, key.size() - kIdBytes);
    }
    return stretch;
  }

  std::array<Stretch, kGroups> stretches_;
};

}  // namespace odometer
