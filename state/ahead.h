// state/ahead.h: Ahead, what is known of a record before its turn to be folded comes: the keys of its user and session,
// and where their rows probably are. A batch is looked at in three passes, so that memory is asked for many rows at
// once and has answered when the fold reaches them:
//
//   for (…) ahead[i].Hash(event[i], tables);     // keys, hashes; asks for the slots
//   for (…) ahead[i].Find(tables);               // the nodes; asks for their rows
//   for (…) ahead[i].FindBeyond(tables);         // what an account points at: its period and its day
//   for (…) fold(event[i], ahead[i]);
//
// Only speed depends on it: a row is taken from here when it is the one that a lookup would give.
#pragma once

#include "core/event.h"
#include "state/tables.h"

namespace odometer {

class Ahead {
 public:
  void Hash(const Event& event, const Tables& tables);
  void Find(const Tables& tables);
  void FindBeyond(const Tables& tables) const;

  // The row of that user, or session of that user, of the event's tenant; null when it must be looked up.
  AccountNode* AccountIn(const Tables& tables, std::string_view user) const;
  SessionNode* SessionIn(const Tables& tables, std::string_view user, std::string_view session) const;

 private:
  std::string_view user_, session_name_;  // of the event; no user: nothing is known ahead
  KeyBuilder account_key_, session_key_;
  uint64_t account_hash_ = 0, session_hash_ = 0;
  uint64_t accounts_generation_ = 0, sessions_generation_ = 0;
  AccountNode* account_ = nullptr;
  SessionNode* session_ = nullptr;
};

}  // namespace odometer
