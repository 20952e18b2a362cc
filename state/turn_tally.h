// state/turn_tally.h: TurnTally, what the turns of one user within one hour add to their account, period and day,
// summed until something else needs those rows: a turn then moves one stretch of memory instead of three rows.
//
// It stands in the account's node and is never stored. Tables::CloseTally() brings the rows up to it; the figures are
// then those that one addition after another would have given.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/event.h"
#include "core/time.h"
#include "state/rows.h"

namespace odometer {

// What a turn adds to a user's, a period's or a tenant's figures: to the fields of TurnUsage, or of what sums them up.
template <class Figures>
[[gnu::always_inline]] inline void AddTurn(const Turn& turn, Figures* to) {
  if (!turn.is_admitted) ++to->requests;
  to->llm_calls += turn.llm_calls.value_or(1);
  ++to->turns[static_cast<size_t>(turn.status) - 1];
  to->tokens.Add(turn.tokens);
  to->cost_ai_tokens_nano_usd += turn.provided_cost_nano_usd.value_or(0);
  ++(turn.provided_cost_nano_usd ? to->priced_facts : to->unpriced_facts);
  to->duration_us += turn.duration_us.value_or(0);
  if (turn.duration_us) ++to->timed_turns;
  if (turn.time_to_first_token_us) {
    to->first_token_us += *turn.time_to_first_token_us;
    ++to->first_token_turns;
  }
  if (!turn.has_rag) return;
  if (turn.rag_used) ++to->rag_turns;
  if (turn.rag_guided) ++to->rag_guided_turns;
  to->rag_output_tokens_saved += turn.rag_output_tokens_saved;
  if (turn.rag_output_tokens_saved > 0) ++to->rag_unpriced_turns;
}

// The figures of TurnUsage for a few turns: counts of them fit a byte each, so that a tally is three lines of memory.
struct TurnSums {
  int64_t llm_calls = 0;
  TokenFigures tokens;
  int64_t cost_ai_tokens_nano_usd = 0;
  int64_t duration_us = 0;
  int64_t first_token_us = 0;
  int64_t rag_output_tokens_saved = 0;
  uint8_t requests = 0;
  std::array<uint8_t, 6> turns{};  // by TurnStatus − 1
  uint8_t priced_facts = 0;
  uint8_t unpriced_facts = 0;
  uint8_t timed_turns = 0;
  uint8_t first_token_turns = 0;
  uint8_t sessions = 0;
  uint8_t rag_turns = 0;
  uint8_t rag_guided_turns = 0;
  uint8_t rag_unpriced_turns = 0;

  TurnUsage ToUsage() const {
    TurnUsage usage;
    usage.requests = requests;
    usage.llm_calls = llm_calls;
    std::copy(turns.begin(), turns.end(), usage.turns.begin());
    usage.tokens = tokens;
    usage.cost_ai_tokens_nano_usd = cost_ai_tokens_nano_usd;
    usage.priced_facts = priced_facts;
    usage.unpriced_facts = unpriced_facts;
    usage.duration_us = duration_us;
    usage.timed_turns = timed_turns;
    usage.first_token_us = first_token_us;
    usage.first_token_turns = first_token_turns;
    usage.sessions = sessions;
    usage.rag_turns = rag_turns;
    usage.rag_guided_turns = rag_guided_turns;
    usage.rag_output_tokens_saved = rag_output_tokens_saved;
    usage.rag_unpriced_turns = rag_unpriced_turns;
    return usage;
  }
};

// Turns and tokens by name; names by their ids in Tables::names, in order of first use.
template <size_t kNames>
struct NameTally {
  std::array<uint32_t, kNames> ids{};
  std::array<uint8_t, kNames> turns{};
  uint8_t size = 0;
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
  // What a row may gain without being looked at for high figures, see state/change.h; and a count in a byte.
  static constexpr uint32_t kTurnsMax = 64;
  static constexpr int64_t kClosed = -2 * kUsPerHour;
  static constexpr size_t kModels = 4;
  static constexpr size_t kProviders = 2;

  int64_t begin_us = kClosed;  // of the hour
  int64_t first_us = INT64_MAX;
  int64_t last_us = 0;
  TurnSums sums;
  NameTally<kProviders> providers;
  NameTally<kModels> models;

  // Each of them is a request: of one that an ask has counted before, there is no tally.
  uint32_t turns() const { return sums.requests; }
  // Whether it is open for one more turn at this time; `us` is not before 1970.
  bool Takes(FoldTime time) const {
    return static_cast<uint64_t>(time.us - begin_us) < uint64_t{kUsPerHour} && turns() < kTurnsMax;
  }
  int64_t hour() const { return begin_us / kUsPerHour; }
  void Add(const Turn& turn, FoldTime time, bool begins_session) {
    first_us = std::min(first_us, time.us);
    last_us = std::max(last_us, time.us);
    AddTurn(turn, &sums);
    if (begins_session) ++sums.sessions;
  }
  void Clear() { *this = TurnTally(); }
};

}  // namespace odometer
