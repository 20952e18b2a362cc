// state/turn_tally.h: TurnTally, what the turns of one user within one hour add to their account, period and day,
// summed until something else needs those rows: a turn then moves one stretch of memory instead of three rows.
//
// It stands in the account's node and is never stored. Tables::CloseTally() brings the rows up to it; the figures are
// then those that one addition after another would have given.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/time.h"
#include "state/rows.h"

namespace odometer {

// Turns and tokens by name; names by their ids in Tables::names, in order of first use.
template <size_t kNames>
struct NameTally {
  uint32_t size = 0;
  std::array<uint32_t, kNames> ids{};
  std::array<uint32_t, kNames> turns{};
  std::array<int64_t, kNames> tokens{};

  // The place of a name, or where it will stand; kNames: there is no room.
  uint32_t PlaceOf(uint32_t id) const {
    uint32_t at = 0;
    while (at < size && ids[at] != id) ++at;
    return at;
  }
  void Add(uint32_t at, uint32_t id, int64_t more_tokens) {
    if (at == size) {
      ++size;
      ids[at] = id;
      turns[at] = 0;
      tokens[at] = 0;
    }
    ++turns[at];
    tokens[at] += more_tokens;
  }
};

struct TurnTally {
  // What a row may gain without being looked at for high figures, see state/change.h.
  static constexpr uint32_t kTurnsMax = 64;
  static constexpr int64_t kClosed = -2 * kUsPerHour;
  static constexpr size_t kModels = 4;
  static constexpr size_t kProviders = 2;

  int64_t begin_us = kClosed;  // of the hour
  uint32_t turns = 0;
  int64_t first_us = INT64_MAX;
  int64_t last_us = 0;
  TurnUsage usage;
  NameTally<kModels> models;
  NameTally<kProviders> providers;

  // Whether it is open for a turn at this time; `us` is not before 1970.
  bool Covers(FoldTime time) const { return static_cast<uint64_t>(time.us - begin_us) < uint64_t{kUsPerHour}; }
  int64_t hour() const { return begin_us / kUsPerHour; }
  void Add(const TurnUsage& more, FoldTime time) {
    ++turns;
    first_us = std::min(first_us, time.us);
    last_us = std::max(last_us, time.us);
    usage.Add(more);
  }
  void Clear() {
    turns = 0;
    first_us = INT64_MAX;
    last_us = 0;
    usage = TurnUsage();
    models.size = providers.size = 0;
  }
};

}  // namespace odometer
