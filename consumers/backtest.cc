#include "consumers/backtest.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "consumers/tenant_fold.h"

namespace odometer {

namespace {

// What two definitions must share for one to take the place of the other.
using DefinitionKey = std::tuple<EventType, QuotaLevel, std::string, std::string, std::string, std::string>;

DefinitionKey KeyOf(const Event& event) {
  const Definition& definition = event.definition;
  bool is_named = event.type == EventType::kProfileDefined;
  bool is_quota = event.type == EventType::kQuotaSet;
  return {event.type,
          is_quota ? definition.level : QuotaLevel::kDefault,
          std::string(is_named ? definition.name : std::string_view()),
          std::string(definition.user),
          std::string(definition.project),
          std::string(definition.collection)};
}

bool IsRefused(const Verdict& verdict) { return verdict.refusal != static_cast<uint8_t>(Refusal::kNone); }

// Facts that a host may ask for in advance, one at a time.
bool IsOneToAskFor(const Event& event) {
  if (event.type == EventType::kTurnRecorded) return true;
  return IsVector(event.type) && event.type != EventType::kVectorsCounted &&
         event.operation.status != OperationStatus::kQuotaExceeded;
}

class Backtester {
 public:
  Backtester(const FoldSource& source, const BacktestRequest& request, const ReadProgress& progress)
      : source_(source), request_(request), progress_(progress), work_(request.work_dir) {
    report_.partition = source.partition->partition();
    for (const Event& event : request.tried) tried_[KeyOf(event)].definition = &event;
  }

  Result<BacktestReport> Run() {
    OffsetRange held = source_.partition->held();
    if (held.start > 0)
      return Status(Code::kUnavailable, "the log begins at offset " + std::to_string(held.start) +
                                            ": what came before decides, too, and is not here");
    ODOMETER_RETURN_IF_ERROR(work_.Make());
    ODOMETER_RETURN_IF_ERROR(FoldLive());
    ODOMETER_RETURN_IF_ERROR(FoldTried());
    return std::move(report_);
  }

 private:
  struct Tried {
    const Event* definition = nullptr;
    uint64_t from_offset = UINT64_MAX;  // of what it replaces; UINT64_MAX: nothing stood when the time began
    bool is_in = false;
  };

  bool IsOurs(const Event& event) const { return event.tenant == request_.tenant; }
  bool IsInTime(const Record& record) const { return record.append_time.us >= request_.from_us; }

  Result<std::unique_ptr<TenantFold>> NewFold(const char* name) const {
    return TenantFold::Open(source_, request_.tenant, work_.path() + "/" + name, {});
  }

  Status Read(const RecordVisitor& f) {
    return ReadRecords(source_, UINT64_MAX, progress_, [&](const Record& record, const Event& event) -> Result<bool> {
      if (record.append_time.us >= request_.to_us) return false;
      return f(record, event);
    });
  }

  // As it was: which asks were refused, and where what is to be replaced stood.
  Status FoldLive() {
    Result<std::unique_ptr<TenantFold>> fold = NewFold("live");
    if (!fold.ok()) return fold.status();
    return Read([&](const Record& record, const Event& event) -> Result<bool> {
      ++report_.records;
      Result<TenantFold::Folded> folded = (*fold)->Step(record, event);
      if (!folded.ok()) return folded.status();
      if (!(*fold)->Matters(event) || !IsOurs(event) || folded->outcome.kind != Outcome::Kind::kApplied) return true;
      if (IsAsk(event.type) && folded->verdict) refused_live_[record.offset] = IsRefused(folded->verdict->verdict);
      auto tried = IsDefinition(event.type) ? tried_.find(KeyOf(event)) : tried_.end();
      if (tried != tried_.end() && !IsInTime(record)) tried->second.from_offset = record.offset;
      return true;
    });
  }

  Status FoldTried() {
    Result<std::unique_ptr<TenantFold>> opened = NewFold("tried");
    if (!opened.ok()) return opened.status();
    fold_ = opened->get();
    return Read([&](const Record& record, const Event& event) -> Result<bool> {
      if (IsInTime(record)) ODOMETER_RETURN_IF_ERROR(PutIn(record));
      Status stepped = fold_->Matters(event) && IsOurs(event) ? StepOurs(record, event) : Step(record, event);
      if (!stepped.ok()) return stepped;
      return true;
    });
  }

  Status Step(const Record& record, const Event& event) {
    Result<TenantFold::Folded> folded = fold_->Step(record, event);
    return folded.ok() ? Status::Ok() : folded.status();
  }

  Status StepOurs(const Record& record, const Event& event) {
    if (IsAsk(event.type)) return Ask(record, event);
    if (IsDefinition(event.type)) return Define(record, event);
    if (event.ask && newly_refused_.contains(*event.ask)) return Drop(record, event);
    bool is_judged = request_.judges_unasked && IsInTime(record) && !event.ask && IsOneToAskFor(event);
    return is_judged ? AskFor(record, event) : Step(record, event);
  }

  // What takes the place of nothing stands from the time in question on.
  Status PutIn(const Record& record) {
    for (auto& [key, tried] : tried_) {
      if (tried.is_in || tried.from_offset != UINT64_MAX) continue;
      Event event = *tried.definition;
      event.definition.expected.reset();
      ODOMETER_RETURN_IF_ERROR(Apply(event, record, &tried));
    }
    return Status::Ok();
  }

  // From there on, whatever else is defined there is the tried one, too.
  Status Define(const Record& record, const Event& event) {
    auto found = tried_.find(KeyOf(event));
    bool is_replaced = found != tried_.end() && (found->second.is_in || record.offset >= found->second.from_offset);
    if (!is_replaced) return Step(record, event);
    Event changed = event;
    changed.definition.description = found->second.definition->definition.description;
    changed.definition.limits = found->second.definition->definition.limits;
    changed.definition.enforcement = found->second.definition->definition.enforcement;
    changed.definition.is_deleted = found->second.definition->definition.is_deleted;
    if (event.type != EventType::kProfileDefined) changed.definition.name = found->second.definition->definition.name;
    changed.definition.first_offset_s = found->second.definition->definition.first_offset_s;
    changed.definition.shifts = found->second.definition->definition.shifts;
    return Apply(changed, record, &found->second);
  }

  Status Apply(const Event& definition, const Record& record, Tried* tried) {
    Result<TenantFold::Folded> folded = fold_->Apply(definition, record.append_time);
    if (!folded.ok()) return folded.status();
    bool is_first = !std::exchange(tried->is_in, true);
    if (is_first && folded->outcome.kind != Outcome::Kind::kApplied)
      return {Code::kInvalid, std::string("the tried ") + std::string(TypeName(definition.type)) +
                                  " would not be taken there: " + std::string(ReasonName(folded->outcome.reason))};
    return Status::Ok();
  }

  Status Ask(const Record& record, const Event& event) {
    Result<TenantFold::Folded> folded = fold_->Step(record, event);
    if (!folded.ok()) return folded.status();
    if (folded->outcome.kind != Outcome::Kind::kApplied || !folded->verdict) return Status::Ok();
    auto live = refused_live_.find(record.offset);
    bool was_refused = live != refused_live_.end() && live->second;
    Count(record, event.id, *folded->verdict, was_refused);
    return Status::Ok();
  }

  // The fact as if its host had asked for it.
  Status AskFor(const Record& record, const Event& event) {
    PartsOf(event, record.append_time, &parts_);
    if (parts_.size() != 1) return Step(record, event);
    const FactPart& part = parts_.front();
    Event ask;
    ask.type = EventType::kAdmitAsked;
    ask.id = Uuid5(event.id, "backtest");
    ask.id_kind = IdKind::kDerived;
    ask.tenant = event.tenant;
    ask.event_time = event.event_time;
    ask.source = event.source;
    ask.asked.user = part.subject.user;
    ask.asked.project = part.subject.project;
    ask.asked.collection = part.subject.collection;
    for (Meter meter : {Meter::kRequests, Meter::kSearches, Meter::kOperations, Meter::kVectors, Meter::kBytes}) {
      __int128 amount = part.amounts[static_cast<size_t>(meter) - 1];
      if (amount <= 0 || amount > kAskAmountMax) continue;
      if (IsGauge(meter)) ask.type = EventType::kHoldAsked;
      ask.asked.amounts.push_back({meter, static_cast<int64_t>(amount)});
    }
    if (ask.type == EventType::kHoldAsked) ask.asked.ttl_us = kHoldTtlMinUs;
    Result<TenantFold::Folded> judged = fold_->Apply(ask, record.append_time);
    if (!judged.ok()) return judged.status();
    if (judged->verdict) Count(record, ask.id, *judged->verdict, false);
    if (newly_refused_.contains(ask.id)) return Drop(record, event);
    Event named = event;
    named.ask = ask.id;
    Result<TenantFold::Folded> folded = fold_->Apply(named, record.append_time);
    return folded.ok() ? Status::Ok() : folded.status();
  }

  void Count(const Record& record, const Uuid& id, const AskRow& ask, bool was_refused) {
    bool is_refused = IsRefused(ask.verdict);
    if (!ask.verdict.allowed && !was_refused) newly_refused_.insert(id);
    if (!IsInTime(record)) return;
    BacktestUser& user = report_.users[{ask.user, ask.user.empty() ? ask.project : std::string()}];
    for (BacktestSums* sums : {&report_.all, &user.sums}) {
      ++sums->asked;
      sums->refused_live += was_refused ? 1 : 0;
      sums->refused += is_refused ? 1 : 0;
      sums->newly_refused += is_refused && !was_refused ? 1 : 0;
      sums->newly_allowed += !is_refused && was_refused ? 1 : 0;
      if (!is_refused) continue;
      for (const AmountItem& item : ask.amounts) sums->refused_amounts[item.meter - 1] += item.amount;
    }
    if (is_refused) List(record, id, ask, was_refused, &user);
  }

  void List(const Record& record, const Uuid& id, const AskRow& ask, bool was_refused, BacktestUser* user) {
    if (user->first_refused_us == kNever) user->first_refused_us = record.append_time.us;
    user->last_refused_us = record.append_time.us;
    for (const LimitStatus& limit : ask.verdict.limits) {
      if (!limit.exceeded || static_cast<LimitMode>(limit.mode) != LimitMode::kHard) continue;
      ++user->by_limit[{static_cast<Meter>(limit.meter), static_cast<Window>(limit.window),
                        static_cast<Scope>(limit.over), limit.level, limit.source}];
    }
    if (report_.refusals.size() < request_.refusals_max)
      report_.refusals.push_back({record.offset, id, record.append_time.us, ask.user, ask.project, !was_refused});
  }

  // It would not have been run: it is traffic that the tried definition keeps away.
  Status Drop(const Record& record, const Event& event) {
    if (IsInTime(record) && dropped_.insert(event.id).second) {
      PartsOf(event, record.append_time, &parts_);
      for (const FactPart& part : parts_) {
        std::string_view user = part.subject.user, project = user.empty() ? part.subject.project : std::string_view();
        BacktestUser& whose = report_.users[{std::string(user), std::string(project)}];
        for (BacktestSums* sums : {&report_.all, &whose.sums}) {
          for (size_t i = 0; i < kMeters; ++i) sums->traffic[i] += part.amounts[i];
        }
      }
      ++report_.all.traffic_events;
      if (!parts_.empty()) {
        const Subject& whose = parts_.front().subject;
        ++report_.users[{std::string(whose.user), whose.user.empty() ? std::string(whose.project) : std::string()}]
              .sums.traffic_events;
      }
    }
    return fold_->Pass(record.append_time);
  }

  const FoldSource& source_;
  const BacktestRequest& request_;
  const ReadProgress& progress_;
  WorkDirectory work_;
  std::map<DefinitionKey, Tried> tried_;
  std::unordered_map<uint64_t, bool> refused_live_;  // asks by offset
  std::set<Uuid> newly_refused_;                     // asks whose facts would not have been run
  std::set<Uuid> dropped_;
  std::vector<FactPart> parts_;
  TenantFold* fold_ = nullptr;
  BacktestReport report_;
};

}  // namespace

Result<BacktestReport> Backtest(const FoldSource& source, const BacktestRequest& request,
                                const ReadProgress& progress) {
  return Backtester(source, request, progress).Run();
}

}  // namespace odometer
