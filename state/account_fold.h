// state/account_fold.h: AccountFold, what turns, amendments, sessions, interactions, knowledge and settings do to the
// rows of a tenant's users. The meaning of each figure: docs/figures.md sections 3 and 4.
//
// Confined to the runner thread.
#pragma once

#include "core/event.h"
#include "core/reason.h"
#include "core/record.h"
#include "state/ahead.h"
#include "state/change.h"
#include "state/projection.h"
#include "state/tables.h"

namespace odometer {

class AccountFold {
 public:
  AccountFold(Tables& tables, Change& change, const ProjectionOptions& options)
      : tables_(tables), change_(change), options_(options) {}

  // kNone: folded whole, and it is posted where to find it again. kOverflow, kCardinality: nothing changed. An error:
  // the store could not be read, and the projection must be thrown away. `ahead` is of this event.
  Result<Reason> Fold(const Event& event, const Ahead& ahead, const Record& record);
  // Requests that an ask was let through with; no user: of the tenant alone. As Fold().
  Result<Reason> AddRequests(std::string_view tenant, std::string_view user, FoldTime time, int64_t requests);
 private:
  // Where one fact of a user goes, once its record has been folded. A turn that is tallied needs none.
  struct Found {
    AccountNode* account = nullptr;
    SessionNode* session = nullptr;
    Posting posting;
  };
  // The rows that one fact of one user touches.
  struct Rows {
    FoldTime time;
    TenantNode* tenant = nullptr;
    AccountNode* account = nullptr;
    PeriodNode* period = nullptr;
    DayNode* day = nullptr;
    SessionNode* session = nullptr;                    // null: no session named
    ServiceDayNode* service = nullptr;  // null: the fact is none of a service
    PeriodNode* old_period = nullptr;                  // of the session's first_us before, when this fact is earlier
    DayNode* old_day = nullptr;
  };
  struct Service {
    std::string_view service, operation, model;
  };

  // What one turn names, as numbers.
  struct Names {
    uint32_t model = NameIds::kNone, provider = NameIds::kNone, service = NameIds::kNone, operation = NameIds::kNone;
  };
  // Where a turn goes that is tallied.
  struct Tallied {
    Names names;
    AccountNode* account = nullptr;
    ServiceDayNode* service = nullptr;
    SessionNode* session = nullptr;        // null: no session named
    uint32_t model = 0, provider = 0;      // places in the tally
    bool is_opened = false;                // the tally, for this turn
  };

  Result<Rows> Resolve(const Ahead& ahead, std::string_view tenant, std::string_view user, std::string_view session,
                       FoldTime time, const Service* service);
  Status ResolveUser(const Ahead& ahead, std::string_view tenant, std::string_view user, FoldTime time, Rows* rows);
  Status ResolveBeyond(const Ahead& ahead, std::string_view tenant, std::string_view user, FoldTime time, Rows* rows);
  Status ResolveSession(const Ahead& ahead, std::string_view tenant, std::string_view user, std::string_view session,
                        Rows* rows);
  Result<AccountNode*> AccountOf(const Ahead& ahead, std::string_view tenant, std::string_view user);
  Result<SessionNode*> FindSession(const Ahead& ahead, std::string_view tenant, std::string_view user,
                                   std::string_view session);
  Status ResolveService(std::string_view tenant, FoldTime time, const Service& service, Rows* rows);
  bool NeedsCare(const Rows& rows) const { return IsHigh(rows) || IsNearlyFull(rows.tenant); }
  bool IsHigh(const Rows& rows) const;
  // Of users: one more may be one too many.
  bool IsNearlyFull(const TenantNode* tenant) const;
  // Marks all of them changed and does what every fact does: users, sessions, max_fold.
  void TouchAll(const Rows& rows);
  void TouchSession(const Rows& rows);
  void MoveSession(const Rows& rows);
  void UseAt(const Rows& rows);

  Status FoldOne(const Event& event, const Ahead& ahead, const Record& record);
  Status FoldTurn(const Event& event, const Ahead& ahead, const Record& record);
  // Into its user's tally, which is what nearly all turns come to. False: no figure has changed, and FoldTurn() is for
  // it.
  Result<bool> TallyTurn(const Event& event, const Ahead& ahead, const Record& record);
  void AddToTally(const Event& event, FoldTime time, const Tallied& its);
  Result<bool> OpenTally(const Event& event, const Ahead& ahead, FoldTime time, AccountNode* account);
  void TouchOpened(AccountNode* account);
  bool NamesOf(const Turn& turn, Names* names);
  Result<ServiceDayNode*> ServiceDayOf(const Event& event, FoldTime time, const Names& names, TenantNode* tenant);
  Result<SessionNode*> SessionOf(const Event& event, const Ahead& ahead, AccountNode* account);
  Status FoldAmendment(const Event& event, const Ahead& ahead, AppendTime append);
  Status FoldSession(const Event& event, const Ahead& ahead, AppendTime append);
  Status FoldInteractions(const Event& event, const Ahead& ahead, AppendTime append);
  Status FoldKnowledge(const Event& event, const Ahead& ahead, AppendTime append);
  Status FoldConfig(const Event& event, const Ahead& ahead, AppendTime append);

  // Turns and tokens by name, where there is one.
  template <class Node>
  void AddNamed(Node* node, std::string_view model, std::string_view provider, int64_t turns, __int128 tokens) {
    if (!model.empty()) AddFigures(node, node->row.models.Slot(model), turns, tokens);
    if (!provider.empty()) AddFigures(node, node->row.providers.Slot(provider), turns, tokens);
  }
  template <class Node>
  void AddFigures(Node* node, NameFigures& figures, int64_t turns, __int128 tokens) {
    change_.Add(node, figures.turns, turns);
    change_.AddSum(node, figures.tokens, tokens);
  }
  void AddTurnUsage(const Rows& rows, const Turn& turn);
  void AddTurnToTenant(const Turn& turn, bool begins_session, const Names& names, TenantNode* tenant);
  void AddTurnToSession(const Turn& turn, FoldTime time, SessionNode* session);
  void AddInteraction(const Rows& rows, const Interaction& interaction);
  Status Subscribe(const Event& event, const Rows& rows, FoldTime time);
  void Envelope(const Event& event, AppendTime append, TenantNode* tenant);
  void Post(uint64_t offset);

  Tables& tables_;
  Change& change_;
  const ProjectionOptions& options_;
  Reason refusal_ = Reason::kNone;
  std::vector<Found> places_;
  const Ahead unknown_;  // of what comes without having been looked at before
};

}  // namespace odometer
