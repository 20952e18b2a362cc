// tests/support/model.h: Model, the second, naive implementation of docs/figures.md and docs/limits.md, to judge the
// folds by.
//
//   Model model(ModelOptions{});
//   model.Apply(record.offset, record.append_time.us, record.bytes);   // every record, in order
//   EXPECT_EQ(store_rows, model.LogicalRows());
//
// It knows what those pages say and nothing of the state's code. Rows live in std::map under their printed names;
// figures are 128-bit; a record's new rows are computed in copies, checked, and then kept or forgotten.
//
// Names: kind[part,part,…]; in a text part every byte outside [A-Za-z0-9_.:-] is %XX. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/event.h"
#include "core/reason.h"
#include "tests/support/model_limits.h"
#include "tests/support/model_names.h"
#include "tests/support/model_rows.h"
#include "tests/support/model_streams.h"

namespace odometer {

struct ModelOptions {
  uint32_t partition = 0;
  uint32_t partitions = 1;
  int64_t users_max = 10'000'000;
  int64_t projects_max = 100'000;
  // True as docs/limits.md says; false as the fold is today.
  bool off_makes_counters = true;  // asks under `off`
  bool reset_keeps_span = true;    // after a change of the zone, reset_us: the end of the span that the counter is in
};

struct ModelCounts {
  uint64_t records = 0;
  uint64_t applied = 0;
  uint64_t duplicate = 0;  // with the two below
  uint64_t duplicate_unverified = 0;
  uint64_t duplicate_other_door = 0;
  uint64_t own_events = 0;  // applied Genesis, Tick, GapReported, LimitCrossed
  std::map<std::string, uint64_t> applied_by_type;
  std::map<std::string, uint64_t> quarantined_by_reason;
};

// A row of a user's turns as they are read: a turn with its amendments joined, or an amendment that has no turn.
struct ListedTurn {
  uint64_t offset = 0;
  EventId id;
  std::string session;
  model::Int tokens = 0;  // total
  model::Int cost_nano_usd = 0;
  uint64_t amendments = 0;  // joined; 1 for an unmatched one
  bool unmatched = false;
};

struct ProjectQuery {
  std::string tenant;
  std::string project;
  std::optional<std::string> user;
  std::optional<std::string> operation;  // "add" … "collection_drop"
  std::optional<std::string> status;     // "success" … "quota_exceeded"
  int64_t from_us = 0;                   // [from, to) of place time
  int64_t to_us = INT64_MAX;
};

class Model {
 public:
  using Fields = std::map<std::string, std::string>;  // field → value

  explicit Model(ModelOptions options) : options_(options) {}

  // bytes.data() == nullptr is a null payload. The bytes need not be aligned.
  void Apply(uint64_t offset, int64_t append_time_us, std::string_view bytes);

  // All rows, rings moved to the hour of their tenant's max_fold_us.
  std::map<std::string, Fields> LogicalRows() const;
  // Every ask by its name, "ask[default,5f0c…]": a row, but not a logical one.
  std::map<std::string, Fields> AskRows() const;
  // Likewise "outbox[default,5f0c…]" by id, and "alert[default,17]" by offset.
  std::map<std::string, Fields> CrossingRows() const;
  // One of all these; empty if there is no such row.
  Fields Row(const std::string& name) const;
  // The names of the rows touched since the last call, ascending; of the outbox, those taken out, too. A ring's look
  // also changes when its tenant's max_fold_us moves; that alone is not a touch.
  std::vector<std::string> TakeTouched();
  const ModelCounts& counts() const { return counts_; }
  std::map<uint64_t, std::string> Quarantine() const { return quarantine_; }  // offset → reason

  // Newest offset first. An amendment joins the turn of its id in the same session (the earliest, if several have it).
  std::vector<ListedTurn> ListedTurns(const std::string& tenant, const std::string& user) const;
  // The sums of the matching vector operations, over each of them.
  model::OperationSums ProjectUsage(const ProjectQuery& query) const;

 private:
  template <class RowType>
  using Rows = std::map<std::string, RowType>;

  // One for the rows that stand, one for the new values of the record at hand.
  struct Tables {
    Rows<model::AccountRow> account;
    Rows<model::PeriodRow> period;
    Rows<model::DayRow> day;
    Rows<model::SessionRow> session;
    Rows<model::SubscriptionRow> subscription;
    Rows<model::ProjectRow> project;
    Rows<model::ProjectRow> project_user;
    Rows<model::CollectionRow> collection;
    Rows<model::ProjectHourRow> project_hour;
    Rows<model::UserGaugesRow> user_gauges;
    Rows<model::ServiceDayRow> service_day;
    Rows<model::TenantRow> tenant;
    Rows<model::ProfileRow> profile;
    Rows<model::AssignmentRow> assignment;
    Rows<model::LimitsRow> overridden;
    Rows<model::LimitsRow> quota;
    Rows<model::PolicyRow> policy;
    Rows<model::LimitUseRow> limit_use;
    Rows<model::AskRow> ask;
    Rows<model::CrossingRow> outbox, alert;

    template <class Function>
    static void ForEach(Function function) {
      ForEachLogical(function);
      function(&Tables::ask);
      function(&Tables::outbox);
      function(&Tables::alert);
    }
    template <class Function>
    static void ForEachLogical(Function function) {
      function(&Tables::account);
      function(&Tables::period);
      function(&Tables::day);
      function(&Tables::session);
      function(&Tables::subscription);
      function(&Tables::project);
      function(&Tables::project_user);
      function(&Tables::collection);
      function(&Tables::project_hour);
      function(&Tables::user_gauges);
      function(&Tables::service_day);
      function(&Tables::tenant);
      function(&Tables::profile);
      function(&Tables::assignment);
      function(&Tables::overridden);
      function(&Tables::quota);
      function(&Tables::policy);
      function(&Tables::limit_use);
    }
  };

  // The rows that a fact of a user at a place time belongs to.
  struct Place {
    model::AccountRow& account;
    model::PeriodRow& period;
    model::DayRow& day;
    model::TenantRow& tenant;
  };

  struct KnownId {
    uint64_t hash = 0;
    std::string source;
  };

  struct ListedFact {
    uint64_t offset = 0;
    bool is_amendment = false;
    EventId id;           // the event's
    EventId original_id;  // of an amendment
    std::string session;
    model::Int tokens = 0;
    model::Int cost_nano_usd = 0;
  };

  struct RememberedOperation {
    std::string tenant, project, user, operation, status;
    int64_t place_us = 0;
    model::OperationSums sums;
  };

  using StreamKey = std::tuple<Uuid, uint64_t, uint64_t>;  // producer, epoch, slot

  enum class Seen { kNew, kDuplicate, kQuarantined };

  bool IsMisplaced() const;
  // Steps 5 and 6 of figures.md, of the record at hand. False: quarantined, and nothing of the step has happened.
  Seen Dedupe(uint64_t hash);
  Seen DedupeById(uint64_t hash);
  bool InsertSeq(const model::Stream& before, uint64_t hash);
  bool BookMissing(model::Int missing, model::Int lost);
  bool FoldGap();
  bool FoldFacts();
  void FoldPayload();
  void FoldTimes();
  void CountApplied();
  void PutInQuarantine(Reason reason);

  // What a type adds, into new_.
  void FoldTurn();
  void FoldAmendment();
  void FoldSession();
  void FoldInteraction(const Interaction& interaction);
  void CountInteractions();
  void FoldKnowledge();
  void FoldConfig();
  void FoldOperation();
  void FoldCollection(model::ProjectRow& project, bool is_search);
  void SetExists(model::CollectionRow& collection, model::ProjectRow& project, bool exists);
  void TakeOutDropped(model::CollectionRow& collection, model::ProjectRow& project);
  void SetCounted(model::CollectionRow& collection, model::ProjectRow& project);
  void Remember();

  // model_definitions.cc: what is defined, and what of it applies.
  void FoldDefinition();
  void DefineProfile(model::PolicyRow& policy);
  void AssignProfile(model::PolicyRow& policy);
  void SetLimits(model::LimitsRow& row, model::Int* rows_with_limits);
  bool IsExpected(const model::Defined& standing);
  model::Defined Definer(bool is_taken_away) const;
  bool HasProfile(std::string_view name) const;
  model::Said SaidByProfile(model::Level level, std::string_view user) const;
  model::Said SaidByLimits(Rows<model::LimitsRow> Tables::*table, const std::string& name, model::Said said) const;
  std::vector<model::Applying> LimitsOn(const model::Subject& subject) const;
  model::PolicyRow Policy() const;

  // model_asks.cc: what has been used, asks, ends and expiry.
  void ExpireDue();
  void ForgetGone();
  void NoteMoments(const std::string& name, const model::AskRow& ask);
  void Expire(model::AskRow& ask);
  std::vector<model::CountedFact> FactsAtHand() const;
  void FindNamedAsk();
  void MakeCounters();
  void MakeCountersOf(const model::Subject& subject);
  model::Counter FreshCounter(Scope scope, const model::Subject& parts, Meter meter, Window window) const;
  void SeedRing(const model::HourRing& ring, model::Counter* counter) const;
  void CountFacts();
  bool HasRoom(const std::vector<model::CountedFact>& facts) const;
  void SettleNamedAsk(model::CountedFact* fact);
  void AddToCounters(const model::Subject& subject, const model::Amounts& amounts, int64_t at_us);
  void FoldAsk();
  void CountAdmit(const model::AskRow& ask);
  std::optional<EventType> RefusedOperation() const;
  void CountRefused();
  model::Verdict Judge(const model::AskRow& ask);
  model::Status Stand(const model::AskRow& ask, const model::Applying& applying) const;
  bool PassesByTime(const model::Status& status) const;
  model::Int GaugeOf(Scope scope, const model::Subject& parts, Meter meter) const;
  void FoldEnd();
  void EndOpen(model::AskRow& ask);
  void EndExpired(model::AskRow& ask);
  void GiveBack(const model::AskRow& ask);
  void Hold(const model::AskRow& ask, int sign);
  model::LimitUseRow& TouchUse(Scope scope, const model::Subject& parts);
  model::LimitUseRow& TouchAsker(const model::Subject& subject);
  std::string UseName(Scope scope, const model::Subject& parts) const;
  std::string GaugesName(std::string_view user) const;
  std::string AskName(const EventId& id) const;

  // model_crossings.cc: what reaches a share of a cap when use is added, and what the log says of it.
  void AddUse(const model::Subject& subject, const model::Amounts& amounts, int64_t at_us, int64_t now_us);
  void LookForCrossings(const model::Subject& subject, int64_t now_us, bool is_after);
  const model::Counter* FindCounter(const model::Applying& applying, const model::Subject& parts) const;
  void LookAt(const model::Applying& applying, const model::Subject& parts, const model::Counter* counter,
              int64_t now_us, bool is_after);
  void LookAtPercent(model::CrossingRow row, std::optional<int64_t> start_us, bool is_after);
  void PutInOutbox(model::CrossingRow row);
  bool FoldCrossed();
  bool TakeOutOfOutbox(const EventId& id);
  std::string OutboxName(const EventId& id) const;

  template <class RowType>
  RowType& Touch(Rows<RowType> Tables::*table, const std::string& name) {
    auto [row, is_first_touch] = (new_.*table).try_emplace(name);
    if (is_first_touch) {
      auto standing = (rows_.*table).find(name);
      if (standing != (rows_.*table).end()) row->second = standing->second;
      row->second.tenant = event_.tenant;
    }
    return row->second;
  }
  // As it stands, or as the record at hand has made it; nullptr: there is none.
  template <class RowType>
  const RowType* Find(Rows<RowType> Tables::*table, const std::string& name) const {
    for (const Tables* tables : {&new_, &rows_}) {
      auto row = (tables->*table).find(name);
      if (row != (tables->*table).end()) return &row->second;
    }
    return nullptr;
  }
  template <class RowType>
  bool Exists(Rows<RowType> Tables::*table, const std::string& name) const {
    return Find(table, name) != nullptr;
  }
  Place TouchPlace(std::string_view user, FoldTime place);
  model::TenantRow& TouchTenant();
  model::SessionRow& TouchSession(std::string_view user, std::string_view session, FoldTime place);
  model::ProjectRow& TouchProjectUser(std::string_view user);
  model::ServiceDayRow& TouchServiceDay(FoldTime place, std::string_view service, std::string_view operation,
                                        std::string_view model);
  FoldTime EnvelopePlace() const { return PlaceAt(event_.event_time, append_); }
  bool NewRowsFit() const;
  void KeepNewRows();
  int64_t Moment(const std::string& tenant) const;

  ModelOptions options_;
  Tables rows_;
  std::map<StreamKey, model::Stream> streams_;
  std::set<std::tuple<int64_t, std::string, EventId>> due_;  // when an open ask expires, (tenant, id)
  std::set<std::pair<int64_t, std::string>> gone_;           // when an ask is forgotten, its row's name
  std::map<std::pair<std::string, EventId>, KnownId> ids_;   // (tenant, id)
  std::map<uint64_t, std::string> quarantine_;
  ModelCounts counts_;
  std::set<std::string> touched_;
  std::map<std::pair<std::string, std::string>, std::vector<ListedFact>> listed_;  // (tenant, user) → by offset
  std::vector<RememberedOperation> operations_;

  // The record at hand.
  std::vector<uint64_t> storage_;
  Event event_;
  uint64_t offset_ = 0;
  AppendTime append_;
  Tables new_;
  bool is_over_cardinality_ = false;
  Reason refusal_ = Reason::kNone;  // of a definition
  int64_t log_us_ = model::kNone;   // T
  std::string named_;               // the row of the ask that the fact at hand names; empty: none that it may
  bool is_request_admitted_ = false;
  bool do_amounts_fit_ = true;  // those of a fact that settles an ask
};

}  // namespace odometer
