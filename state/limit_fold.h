// state/limit_fold.h: LimitFold, what asks, the ends of holds and definitions do to the rows of limits, and what facts
// add to what limits have used. The rules: docs/limits.md.
//
//   limits.ExpireUntil(log_time);                      // before every record
//   limits.Fold(event, log_time);                      // an ask, the end of a hold, a definition
//   limits.Prepare(&event, slot, append, log_time);    // any fact, before it is folded
//   limits.Take(event);                                // and after
//
// Confined to the runner thread.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/placement.h"
#include "core/reason.h"
#include "core/time.h"
#include "state/account_fold.h"
#include "state/ask_retention.h"
#include "state/change.h"
#include "state/crossings.h"
#include "state/fact_parts.h"
#include "state/projection.h"
#include "state/standing.h"
#include "state/tables.h"

namespace odometer {

class LimitFold : private LimitSource {
 public:
  LimitFold(Tables& tables, Change& change, AccountFold& accounts, const ProjectionOptions& options)
      : tables_(tables), change_(change), accounts_(accounts), options_(options) {}

  // Reads which holds are open. Once, before anything else.
  Status Open(const Store& store);

  Status ExpireUntil(int64_t log_time_us);
  // Whether that would do anything.
  bool IsDue(int64_t log_time_us) const { return !due_.empty() && due_.begin()->first <= log_time_us; }
  // When the next hold expires; nullopt: none is open.
  std::optional<int64_t> next_due_us() const;

  static bool IsMine(EventType type) { return IsAsk(type) || IsHoldEnd(type) || IsDefinition(type); }
  // Whether an ask of this tenant and id has been judged.
  Result<bool> Knows(const Event& ask, int64_t log_time_us) {
    Result<const AskRow*> first = FirstOf(ask, log_time_us);
    return first.ok() ? Result<bool>(*first != nullptr) : first.status();
  }
  // What it was judged; null: it was not, or that is no longer kept.
  Result<const AskRow*> FirstOf(const Event& ask, int64_t log_time_us);
  Result<Reason> Fold(const Event& event, int64_t log_time_us);
  // The row that Fold() made or changed, for whoever waits for it; null when there is none under that id.
  const AskRow* last_ask() const { return last_ask_; }

  // kOverflow: a counter has no room for the fact. Says in the event whether its request was admitted. `slot` is its
  // tenant's.
  Result<Reason> Prepare(Event* event, uint32_t slot, AppendTime append, int64_t log_time_us);
  Status Take(const Event& event);

  // What came into the log of the outbox. kNotCrossed: it came from elsewhere.
  Reason FoldCrossed(const Event& event, uint64_t offset);
  void ForgetCrossed(const Event& event) { crossings_.Forget(event); }
  std::vector<std::string> TakeCrossings() { return crossings_.Take(); }
  size_t crossings_waiting() const { return crossings_.waiting(); }

  // Before a commit: takes out rows of asks that are gone by now. Some at a time, when there are many.
  Status RemoveGone(const Store& store, int64_t log_time_us);
  // At a commit, of a kind that no table holds: every change of the open holds and the crossings since the last one.
  void WriteTo(RowKind kind, RowBatch* batch) const;
  // It is written into a batch, and that is in the store.
  void MarkClean();
  void Committed() { crossings_.Committed(); }

 private:
  using UseNode = RowTable<LimitUseRow>::Node;
  using AskNode = RowTable<AskRow>::Node;

  struct Key {
    std::string tenant;
    Uuid id;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Due = std::pair<int64_t, Key>;

  // --- LimitSource: the tables
  Result<const PolicyRow*> Policy(std::string_view tenant) override { return PolicyIn(SlotOf(tenant), tenant); }
  Result<const ProfileRow*> Profile(std::string_view tenant, std::string_view name) override;
  Result<const AssignmentRow*> Assignment(std::string_view tenant, std::string_view user) override;
  Result<const LimitsRow*> Override(std::string_view tenant, std::string_view user) override;
  Result<const LimitsRow*> Quota(QuotaLevel level, const Subject& own) override;
  Result<const LimitUseRow*> Use(Scope scope, const Subject& subject) override;
  Result<const TenantRow*> Tenant(const Subject& subject) override;
  Result<const AccountRow*> Account(const Subject& subject) override;
  Result<const PeriodRow*> UserPeriod(const Subject& subject, Period period) override;
  Result<const DayRow*> UserDay(const Subject& subject, int64_t day) override;
  Result<const ProjectRow*> Project(const Subject& subject) override;
  Result<const ProjectRow*> UserInProject(const Subject& subject) override;
  Result<const CollectionRow*> Collection(const Subject& subject) override;
  Result<const UserGaugesRow*> UserGauges(const Subject& subject) override;

  Result<const PolicyRow*> PolicyIn(uint32_t slot, std::string_view tenant);
  Result<Reason> FoldDefinition(const Event& event);
  Result<Reason> Define(const Event& event, PolicyRow* policy);
  Result<Reason> DefineProfile(const Event& event);
  Result<Reason> Assign(const Event& event, PolicyRow* policy);
  Result<Reason> DefineLimits(RowTable<LimitsRow>& table, const Event& event, int64_t* standing);
  Status CountAssigned(std::string_view tenant, std::string_view profile, int64_t change);
  const Zone& ZoneOf(const PolicyRow* policy);

  // --- asks
  Result<AskNode*> FindAsk(std::string_view tenant, const Uuid& id);
  Result<Reason> FoldAsk(const Event& event, int64_t log_time_us);
  Result<Verdict> JudgeAsk(const Event& event, const Subject& subject, int64_t log_time_us);
  Result<bool> HasTooManyHolds(const Subject& subject);
  Status Admit(const Event& event, const Subject& subject, int64_t log_time_us);
  Status Hold(const Event& event, const Subject& subject, AskRow* row);
  Status Count(const Subject& subject, bool allowed);

  // --- the ends of holds
  Result<Reason> FoldEnd(const Event& event, int64_t log_time_us);
  Result<Reason> EndOpen(const Event& event, AskNode* ask, int64_t log_time_us);
  Result<Reason> SettleLate(const Event& event, AskNode* ask, int64_t log_time_us);
  Status GiveBack(std::string_view tenant, AskNode* ask);
  Status Burn(std::string_view tenant, const AskRow& ask);
  void WriteDue(RowBatch* batch) const;
  void Close(AskNode* ask, AskState state, int64_t at_us, const Uuid& by);
  Status Expire(const Key& key, int64_t due_us);

  // --- what is used
  // f(scope) of each scope that the subject lies in.
  template <class F>
  static Status ForEachScope(const Subject& subject, F&& f) {
    for (Scope scope : kScopes) {
      if (LiesIn(scope, subject)) ODOMETER_RETURN_IF_ERROR(f(scope));
    }
    return Status::Ok();
  }
  Result<UseNode*> UseOf(Scope scope, const Subject& subject);
  Result<UseNode*> MakeUse(Scope scope, const Subject& subject);
  Result<const std::vector<AppliedLimit>*> LimitsOf(const Subject& subject);
  Status EnsureCounters(const Subject& subject, const std::vector<AppliedLimit>& limits, int64_t at_us);
  Status AddTo(const Subject& subject, const MeterSums& amounts, int64_t at_us);
  Status LookForCrossings(const Subject& subject, const std::vector<AppliedLimit>& limits, bool has_grown);
  Result<std::optional<Standing>> StandingNow(const AppliedLimit& limit, const Subject& subject, const UseNode* use);
  Result<bool> HasRoom(const Subject& subject, const MeterSums& amounts, int64_t at_us, bool are_held);

  // --- facts
  Status NameAsk(Event* event);
  Result<bool> HasRoomForParts();
  Result<bool> HasRoomWithOthers(const FactPart& part);

  // Which tenants have defined nothing is asked for every fact: the last of each slot is known.
  struct KnownPolicy {
    std::string tenant;
    const PolicyRow* row = nullptr;
    uint64_t of = 0;  // generation of the policies; 0: nothing is known
  };

  Tables& tables_;
  Change& change_;
  AccountFold& accounts_;
  const ProjectionOptions& options_;
  std::array<KnownPolicy, kSlots> policies_;
  std::set<Due> due_;
  std::vector<std::pair<Due, bool>> due_changes_;
  AskRetention retention_;
  Crossings crossings_;
  Crossings::Moment moment_;  // of what is being folded
  const AskRow* last_ask_ = nullptr;
  using Resolved = std::map<std::string, std::vector<AppliedLimit>>;
  Resolved resolved_;                                    // by subject, until something is defined
  const Resolved::value_type* last_resolved_ = nullptr;  // that was asked for
  std::string subject_name_;                             // reused
  std::vector<AppliedLimit> limits_;
  std::vector<FactPart> parts_;
  AskNode* named_ask_ = nullptr;  // of the fact: allowed, of its user, and neither spent nor closed
  Zone zone_;
  Uuid zone_id_;
};

}  // namespace odometer
