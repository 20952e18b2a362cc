// consumers/queries_turns.h: ListTurns, the turns of a user or of one session, newest first, with their amendments.
//
// An amendment joins the turn that has its original's id; when that turn is not in the same list, it is a row of its
// own, `unmatched`. So the tokens of a list sum to what its turns and amendments added to the figures.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "consumers/queries.h"
#include "state/postings.h"

namespace odometer {

struct TurnEntry {
  Posting posting;                   // tokens and cost with those of the amendments
  bool unmatched = false;            // an amendment by itself
  std::vector<uint64_t> amendments;  // their offsets, in the log's order
};

struct TurnList {
  uint64_t pinned = 0;             // only records below this offset are in it
  std::vector<TurnEntry> entries;  // by falling offset
};

// session empty: all turns of the user, those without a session too. Records at or above `pinned` are left out, so that
// the pages of one listing fit together whatever is appended meanwhile.
Result<TurnList> ListTurns(const View& view, std::string_view tenant, std::string_view user, std::string_view session,
                           uint64_t pinned);

// The same from the postings of one list, in the log's order; what is no turn and no amendment is left out.
std::vector<TurnEntry> JoinTurns(const std::vector<Posting>& postings);

// The entries with the most tokens, at most `count`, most first; of equal ones the newest.
std::vector<TurnEntry> CostliestTurns(const std::vector<TurnEntry>& entries, size_t count);

}  // namespace odometer
