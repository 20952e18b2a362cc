#include "state/ahead.h"

#include "state/ask_for.h"

namespace odometer {

namespace {

// Whose rows a record of one user moves; empty for others.
struct Whose {
  std::string_view user, session;
};
Whose WhoseOf(const Event& event) {
  switch (event.type) {
    case EventType::kTurnRecorded:
      return {event.turn.user, event.turn.session};
    case EventType::kTurnAmended:
      return {event.amendment.user, event.amendment.session};
    case EventType::kSessionStarted:
    case EventType::kSessionRenamed:
    case EventType::kSessionEnded:
    case EventType::kSessionSummarized:
      return {event.session.user, event.session.session};
    case EventType::kInteractionRecorded:
      return {event.interactions.front().user, event.interactions.front().session};
    default:
      return {};
  }
}

// From the node's first byte to `end`.
template <class Node>
size_t BytesTo(const Node& node, const void* end) {
  return static_cast<size_t>(static_cast<const char*>(end) - reinterpret_cast<const char*>(&node));
}

}  // namespace

void Ahead::Hash(const Event& event, const Tables& tables) {
  account_ = nullptr;
  session_ = nullptr;
  Whose whose = WhoseOf(event);
  user_ = whose.user;
  session_name_ = whose.session;
  if (user_.empty()) return;
  account_hash_ = HashOf(account_key_.Begin(RowKind::kAccount).Text(event.tenant).Text(user_).view());
  tables.accounts.Prefetch(account_hash_);
  if (session_name_.empty()) return;
  session_key_.Assign(account_key_.view()).Rename(RowKind::kSession).Text(session_name_);
  session_hash_ = HashOf(session_key_.view());
  tables.sessions.Prefetch(session_hash_);
}

void Ahead::Find(const Tables& tables) {
  if (user_.empty()) return;
  accounts_generation_ = tables.accounts.generation();
  account_ = tables.accounts.Peek(account_hash_);
  if (account_ != nullptr) AskFor(account_, BytesTo(*account_, &account_->hints.month));
  if (session_name_.empty()) return;
  sessions_generation_ = tables.sessions.generation();
  session_ = tables.sessions.Peek(session_hash_);
  if (session_ != nullptr) AskFor(session_, BytesTo(*session_, &session_->row.name));
}

void Ahead::FindBeyond(const Tables& tables) const {
  if (account_ == nullptr) return;
  const NodeHints<AccountRow>& hints = account_->hints;
  if (hints.tally.begin_us != TurnTally::kClosed || hints.of != tables.hints_generation()) return;
  AskFor(hints.period, 1);
  AskFor(hints.in_day, 1);
}

AccountNode* Ahead::AccountIn(const Tables& tables, std::string_view user) const {
  if (account_ == nullptr || user.data() != user_.data() || accounts_generation_ != tables.accounts.generation())
    return nullptr;
  return account_->key.view() == account_key_.view() ? account_ : nullptr;
}

SessionNode* Ahead::SessionIn(const Tables& tables, std::string_view user, std::string_view session) const {
  bool is_it = session_ != nullptr && user.data() == user_.data() && session.data() == session_name_.data() &&
               sessions_generation_ == tables.sessions.generation();
  return is_it && session_->key.view() == session_key_.view() ? session_ : nullptr;
}

}  // namespace odometer
