#include "state/ahead.h"

#include <algorithm>

#include "core/period.h"
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

constexpr size_t kCellBytes = 4 * sizeof(HourCell);  // of what an hour holds, those that come first

// From the node's first byte to `end`.
template <class Node>
size_t BytesTo(const Node& node, const void* end) {
  return static_cast<size_t>(static_cast<const char*>(end) - reinterpret_cast<const char*>(&node));
}

[[gnu::always_inline]] inline void AskForSession(const SessionNode* node) {
  AskFor(node, BytesTo(*node, &node->row.amendments));
}

// What an operation moves of a project's row, or of a user's in it.
[[gnu::always_inline]] inline void AskForOperation(const ProjectNode* node, OperationKind kind) {
  AskFor(node, BytesTo(*node, &node->row.operations));
  const OperationFigures& figures = node->row.operations[static_cast<size_t>(kind)];
  AskFor(&figures, sizeof figures);
  AskFor(&node->row.inserted, sizeof(int64_t) * 5);
  if (kind == OperationKind::kSearch) AskFor(&node->row.searches_ring, 1);
}

}  // namespace

void Ahead::Hash(const Event& event, AppendTime append, const Tables& tables) {
  account_ = nullptr;
  is_new_ = false;
  session_ = nullptr;
  is_session_hashed_ = false;
  project_user_ = nullptr;
  project_ = {};
  if (IsVector(event.type)) return HashOperation(event, tables);
  Whose whose = WhoseOf(event);
  user_ = whose.user;
  session_name_ = whose.session;
  if (user_.empty()) return;
  time_ = PlaceAt(event.event_time, append);
  account_hash_ = HashOf(account_key_.Begin(RowKind::kAccount).Text(event.tenant).Text(user_).view());
  tables.accounts.Prefetch(account_hash_);
}

void Ahead::HashOperation(const Event& event, const Tables& tables) {
  user_ = {};
  operation_user_ = event.operation.user;
  project_ = event.operation.project;
  operation_ = OperationOf(event.type);
  project_user_key_.Begin(RowKind::kProjectUser).Text(event.tenant).Text(operation_user_).Text(project_);
  project_user_hash_ = HashOf(project_user_key_.view());
  tables.project_users.Prefetch(project_user_hash_);
}

void Ahead::Find(const Tables& tables) {
  if (!project_.empty()) {
    project_users_generation_ = tables.project_users.generation();
    project_user_ = tables.project_users.Peek(project_user_hash_);
    if (project_user_ != nullptr) AskForOperation(project_user_, operation_);
  }
  if (user_.empty()) return;
  accounts_generation_ = tables.accounts.generation();
  account_ = tables.accounts.Peek(account_hash_);
  if (account_ != nullptr) AskFor(account_, BytesTo(*account_, &account_->hints.tally.models.tokens[2]));
}

void Ahead::FindBeyond(const Tables& tables) {
  if (KnowsBeyond(tables)) {
    const NodeHints<ProjectRow>& hints = project_user_->hints;
    AskFor(hints.in_hour, BytesTo(*hints.in_hour, &hints.in_hour->row + 1));
    AskForOperation(hints.project, operation_);
    for (const auto* collection : hints.collections) {
      if (collection != nullptr) AskFor(collection, BytesTo(*collection, &collection->row.owner));
    }
  }
  if (user_.empty()) return;
  if (!session_name_.empty()) FindSession(tables);
  if (account_ == nullptr) return HashNew(tables);
  const NodeHints<AccountRow>& hints = account_->hints;
  if (hints.tally.begin_us != TurnTally::kClosed || hints.of != tables.hints_generation()) return;
  AskFor(hints.period, 1);
  AskFor(hints.in_day, 1);
}

void Ahead::FindSession(const Tables& tables) {
  if (account_ != nullptr && account_->hints.of == tables.hints_generation()) {
    const NodeHints<AccountRow>& hints = account_->hints;
    bool is_likely = hints.session != nullptr && hints.session_digest == DigestOf(session_name_).Hash();
    if (is_likely) return AskForSession(hints.session);
  }
  is_session_hashed_ = true;
  session_key_.Assign(account_key_.view()).Rename(RowKind::kSession).Text(session_name_);
  session_hash_ = HashOf(session_key_.view());
  tables.sessions.Prefetch(session_hash_);
}

// Its rows are to be made, which begins with a look for them.
void Ahead::HashNew(const Tables& tables) {
  is_new_ = true;
  month_ = Period::Of(time_).month;
  day_ = DayOf(time_);
  period_hash_ = HashOf(new_key_.Assign(account_key_.view()).Rename(RowKind::kPeriod).Number(month_).view());
  day_hash_ = HashOf(new_key_.Assign(account_key_.view()).Rename(RowKind::kDay).Number(day_).view());
  tables.periods.Prefetch(period_hash_);
  tables.days.Prefetch(day_hash_);
}

void Ahead::FindRest(const Tables& tables) {
  if (is_session_hashed_) {
    sessions_generation_ = tables.sessions.generation();
    session_ = tables.sessions.Peek(session_hash_);
    if (session_ != nullptr) AskForSession(session_);
  }
  if (!KnowsBeyond(tables)) return;
  const std::vector<HourCell>& cells = project_user_->hints.in_hour->row.cells;
  AskFor(cells.data(), std::min<size_t>(cells.size() * sizeof(HourCell), kCellBytes));
}

ProjectNode* Ahead::ProjectUserIn(const Tables& tables, std::string_view user, std::string_view project) const {
  bool is_it = project_user_ != nullptr && user.data() == operation_user_.data() && project.data() == project_.data() &&
               project_users_generation_ == tables.project_users.generation();
  return is_it && project_user_->key.Is(project_user_key_.view()) ? project_user_ : nullptr;
}

AccountNode* Ahead::AccountIn(const Tables& tables, std::string_view user) const {
  if (account_ == nullptr || user.data() != user_.data() || accounts_generation_ != tables.accounts.generation())
    return nullptr;
  return account_->key.Is(account_key_.view()) ? account_ : nullptr;
}

SessionNode* Ahead::SessionIn(const Tables& tables, std::string_view user, std::string_view session) const {
  bool is_it = session_ != nullptr && user.data() == user_.data() && session.data() == session_name_.data() &&
               sessions_generation_ == tables.sessions.generation();
  return is_it && session_->key.Is(session_key_.view()) ? session_ : nullptr;
}

}  // namespace odometer
