// state/ahead.h: Ahead, what is known of a record before its turn to be folded comes: the keys of its user and session,
// or of its user in a project, and where their rows probably are. A batch is looked at in passes, so that memory is
// asked for many rows at once and has answered when the fold reaches them:
//
//   for (…) ahead[i].Hash(event[i], append_time[i], tables);  // keys, hashes; asks for the slots
//   for (…) ahead[i].Find(tables);               // the nodes; asks for their rows
//   for (…) ahead[i].FindBeyond(tables);         // what those point at: a session, a day; an hour, a collection
//   for (…) ahead[i].FindRest(tables);           // a session they do not point at; what an hour of a project points at
//   for (…) fold(event[i], ahead[i]);
//
// Only speed depends on it: a row is taken from here when it is the one that a lookup would give.
#pragma once

#include "core/event.h"
#include "state/tables.h"

namespace odometer {

class Ahead {
 public:
  void Hash(const Event& event, AppendTime append, const Tables& tables);
  void Find(const Tables& tables);
  void FindBeyond(const Tables& tables);
  void FindRest(const Tables& tables);

  // Whether the account's key and hash are those of that user of the event's tenant.
  bool IsOf(std::string_view user) const { return !user.empty() && user.data() == user_.data(); }
  std::string_view account_key() const { return account_key_.view(); }
  uint64_t account_hash() const { return account_hash_; }
  // Likewise, the session's.
  bool IsOf(std::string_view user, std::string_view session) const {
    return is_session_hashed_ && IsOf(user) && session.data() == session_name_.data();
  }
  std::string_view session_key() const { return session_key_.view(); }
  uint64_t session_hash() const { return session_hash_; }
  // Of a user who had no row when it was looked for, the hashes of the keys of this month's and day's rows.
  bool IsNew(std::string_view user, int64_t month, int64_t day) const {
    return is_new_ && IsOf(user) && month == month_ && day == day_;
  }
  uint64_t period_hash() const { return period_hash_; }
  uint64_t day_hash() const { return day_hash_; }
  // The row of that user, or session of that user, of the event's tenant; null when it must be looked up.
  AccountNode* AccountIn(const Tables& tables, std::string_view user) const;
  SessionNode* SessionIn(const Tables& tables, std::string_view user, std::string_view session) const;
  // The row of that user in that project of the event's tenant; null when it must be looked up.
  ProjectNode* ProjectUserIn(const Tables& tables, std::string_view user, std::string_view project) const;

 private:
  void HashOperation(const Event& event, const Tables& tables);
  void FindSession(const Tables& tables);
  void HashNew(const Tables& tables);
  bool KnowsBeyond(const Tables& tables) const {
    return project_user_ != nullptr && project_user_->hints.of == tables.project_hints_generation();
  }

  std::string_view user_, session_name_;  // of the event; no user: nothing is known ahead
  KeyBuilder account_key_, session_key_;
  uint64_t account_hash_ = 0, session_hash_ = 0;
  uint64_t accounts_generation_ = 0, sessions_generation_ = 0;
  AccountNode* account_ = nullptr;
  SessionNode* session_ = nullptr;
  bool is_session_hashed_ = false;  // only when the account's hints do not know it
  FoldTime time_;
  bool is_new_ = false;
  int64_t month_ = 0, day_ = 0;
  uint64_t period_hash_ = 0, day_hash_ = 0;
  KeyBuilder new_key_;

  std::string_view operation_user_, project_;  // no project: it is no vector operation
  OperationKind operation_ = OperationKind::kAdd;
  KeyBuilder project_user_key_;
  uint64_t project_user_hash_ = 0, project_users_generation_ = 0;
  ProjectNode* project_user_ = nullptr;
};

}  // namespace odometer
