#include "consumers/explain.h"

#include <algorithm>
#include <memory>

#include "consumers/tenant_fold.h"
#include "state/limit_view.h"
#include "state/standing.h"

namespace odometer {

namespace {

class Explainer {
 public:
  Explainer(const FoldSource& source, const ExplainRequest& request, const ReadProgress& progress)
      : source_(source), request_(request), progress_(progress), work_(request.work_dir) {
    partition_ = source.partition->partition();
    amounts_ = request.amounts;
    found_.user = request.user;
    found_.project = request.project;
    found_.collection = request.collection;
  }

  Result<Explanation> Run() {
    OffsetRange held = source_.partition->held();
    if (request_.at_offset && *request_.at_offset > held.end)
      return Status(Code::kInvalid, "the log of this tenant ends at offset " + std::to_string(held.end));
    if (held.start > 0)
      return Status(Code::kUnavailable, "the log begins at offset " + std::to_string(held.start) +
                                            ": what came before decides, too, and is not here");
    ODOMETER_RETURN_IF_ERROR(work_.Make());
    ODOMETER_RETURN_IF_ERROR(FoldUntilThen());
    ODOMETER_RETURN_IF_ERROR(FindMovers());
    return std::move(found_);
  }

 private:
  Subject SubjectOf() const { return {request_.tenant, found_.user, found_.project, found_.collection}; }

  Result<std::unique_ptr<TenantFold>> NewFold(const char* name, ProjectionOptions options) const {
    return TenantFold::Open(source_, request_.tenant, work_.path() + "/" + name, std::move(options));
  }

  bool IsTheAsk(const Event& event) const {
    return request_.ask && IsAsk(event.type) && event.id == *request_.ask && event.tenant == request_.tenant;
  }

  // An id that was asked with again, once its ask was no longer kept, was judged anew: the last one is explained.
  Result<uint64_t> FindLastAsk() const {
    std::optional<uint64_t> last;
    ODOMETER_RETURN_IF_ERROR(
        ReadRecords(source_, UINT64_MAX, nullptr, [&](const Record& record, const Event& event) -> Result<bool> {
          if (IsTheAsk(event)) last = record.offset;
          return true;
        }));
    if (!last)
      return Status(Code::kNotFound, "the log holds no ask " + request_.ask->ToString() + " of this tenant");
    return *last;
  }

  // What the fold says just before it is asked, and what it answered. Nothing if the record was not judged: a retry.
  Status TakeIfJudged(TenantFold& fold, const Record& record, const Event& event) {
    Explanation before = std::move(found_);
    found_ = Explanation();
    ODOMETER_RETURN_IF_ERROR(fold.Pass(record.append_time));
    ODOMETER_RETURN_IF_ERROR(TakeAsk(event));
    ODOMETER_RETURN_IF_ERROR(Judge(fold, event.type != EventType::kAdmitAsked));
    Result<TenantFold::Folded> folded = fold.Step(record, event);
    if (!folded.ok()) return folded.status();
    found_.asked = std::move(folded->verdict);
    found_.position = {partition_, record.offset};
    if (!found_.asked) found_ = std::move(before);
    return Status::Ok();
  }

  // The fold up to the moment, and what it says then.
  Status FoldUntilThen() {
    Result<std::unique_ptr<TenantFold>> opened = NewFold("then", {});
    if (!opened.ok()) return opened.status();
    TenantFold& fold = **opened;
    uint64_t next = 0, to = request_.at_offset.value_or(UINT64_MAX);
    if (request_.ask) {
      ODOMETER_ASSIGN(to, FindLastAsk());
      ++to;
    }
    ODOMETER_RETURN_IF_ERROR(
        ReadRecords(source_, to, progress_, [&](const Record& record, const Event& event) -> Result<bool> {
          if (!request_.ask && request_.at_us && record.append_time.us > *request_.at_us) return false;
          if (IsTheAsk(event)) {
            ODOMETER_RETURN_IF_ERROR(TakeIfJudged(fold, record, event));
            return true;
          }
          next = record.offset + 1;
          Result<TenantFold::Folded> folded = fold.Step(record, event);
          if (!folded.ok()) return folded.status();
          return true;
        }));
    if (request_.ask && found_.asked) return Status::Ok();
    if (request_.ask)
      return {Code::kNotFound, "ask " + request_.ask->ToString() + " was refused as a record: it was never judged"};
    found_.position = {partition_, next};
    if (request_.at_us) ODOMETER_RETURN_IF_ERROR(fold.AdvanceTo(*request_.at_us));
    return Judge(fold, false);
  }

  Status TakeAsk(const Event& event) {
    found_.user = event.asked.user;
    found_.project = event.asked.project;
    found_.collection = event.asked.collection;
    amounts_ = event.asked.amounts;
    return Status::Ok();
  }

  Status Judge(TenantFold& fold, bool is_hold) {
    found_.as_of_us = fold.log_time_us();
    Result<std::shared_ptr<const View>> view = fold.NewView();
    if (!view.ok()) return view.status();
    LimitView limits(**view);
    Result<Verdict> verdict = limits.Check(SubjectOf(), amounts_, found_.as_of_us, is_hold);
    if (!verdict.ok()) return verdict.status();
    found_.verdict = std::move(*verdict);
    for (const LimitStatus& status : found_.verdict.limits) {
      ExplainedLimit& limit = found_.limits.emplace_back();
      Result<const LimitUseRow*> use = limits.Use(static_cast<Scope>(status.over), SubjectOf());
      if (!use.ok()) return use.status();
      auto meter = static_cast<Meter>(status.meter);
      auto window = static_cast<Window>(status.window);
      const Counter* counter = *use == nullptr ? nullptr : FindCounter((*use)->counters, meter, window);
      if (counter == nullptr) continue;
      limit.counting_since_us = counter->counting_since_us;
      if (IsCalendar(window)) limit.window_start_us = counter->start_us;
      if (IsRolling(window)) limit.window_start_us = Steps::StartOf(window, found_.as_of_us);
    }
    return Status::Ok();
  }

  // The same records again, with an ear to what each of them adds.
  Status FindMovers() {
    const Event* now = nullptr;
    uint64_t offset = 0;
    ProjectionOptions options;
    options.on_use = [&](const Subject& subject, const std::array<__int128, kMeters>& amounts, int64_t at_us) {
      for (size_t i = 0; i < found_.limits.size(); ++i) {
        const LimitStatus& status = found_.verdict.limits[i];
        __int128 amount = amounts[status.meter - 1];
        if (amount == 0 || !IsOf(static_cast<Scope>(status.over), subject)) continue;
        Take({offset, now == nullptr ? Uuid() : now->id, now == nullptr ? EventType::kNone : now->type,
              std::string(subject.user), at_us, static_cast<int64_t>(amount)},
             &found_.limits[i]);
      }
    };
    Result<std::unique_ptr<TenantFold>> fold = NewFold("movers", options);
    if (!fold.ok()) return fold.status();
    auto visit = [&](const Record& record, const Event& event) -> Result<bool> {
      offset = record.offset;
      now = nullptr;
      ODOMETER_RETURN_IF_ERROR((*fold)->Pass(record.append_time));
      now = &event;
      Result<TenantFold::Folded> folded = (*fold)->Step(record, event);
      if (!folded.ok()) return folded.status();
      return true;
    };
    ODOMETER_RETURN_IF_ERROR(ReadRecords(source_, found_.position.next_offset, progress_, visit));
    now = nullptr;
    return (*fold)->AdvanceTo(found_.as_of_us);
  }

  // Whether what is added to a subject is added to the scope that the explained subject lies in.
  bool IsOf(Scope scope, const Subject& added) const {
    if (!LiesIn(scope, added) || !LiesIn(scope, SubjectOf()) || added.tenant != request_.tenant) return false;
    bool is_users = scope == Scope::kUser || scope == Scope::kUserInProject;
    bool is_projects = scope >= Scope::kProject;
    return (!is_users || added.user == found_.user) && (!is_projects || added.project == found_.project) &&
           (scope != Scope::kCollection || added.collection == found_.collection);
  }

  void Take(Mover mover, ExplainedLimit* limit) const {
    if (mover.at_us < limit->window_start_us) return;
    ++limit->events;
    auto size = [](const Mover& m) {
      return m.amount < 0 ? 0 - static_cast<uint64_t>(m.amount) : m.amount + uint64_t{};
    };
    auto is_before = [&](const Mover& a, const Mover& b) {
      return size(a) != size(b) ? size(a) > size(b) : a.offset < b.offset;
    };
    auto& movers = limit->movers;
    movers.insert(std::upper_bound(movers.begin(), movers.end(), mover, is_before), std::move(mover));
    if (movers.size() > request_.movers_max) movers.pop_back();
  }

  const FoldSource& source_;
  const ExplainRequest& request_;
  const ReadProgress& progress_;
  WorkDirectory work_;
  uint32_t partition_ = 0;
  std::vector<Amount> amounts_;
  Explanation found_;
};

}  // namespace

Result<Explanation> Explain(const FoldSource& source, const ExplainRequest& request, const ReadProgress& progress) {
  return Explainer(source, request, progress).Run();
}

}  // namespace odometer
