// What reaches 80, 95 and 100 percent of a cap, the outbox and alerts: section 6 of docs/limits.md.

#include "tests/support/model.h"

namespace odometer {

using model::Amounts;
using model::CrossingRow;
using model::Int;
using model::RowName;
using model::Subject;

namespace {

constexpr std::array<int, 3> kPercents = {80, 95, 100};

// By the numbers of levels.
constexpr std::array<std::string_view, 12> kLevelNames = {"",
                                                          "tenant_override",
                                                          "user_override",
                                                          "profile",
                                                          "fallback_profile",
                                                          "built_in",
                                                          "user_project_quota",
                                                          "user_quota",
                                                          "project_quota",
                                                          "default_quota",
                                                          "collection_quota",
                                                          "tenant_quota"};

bool IsReached(Int used, int percent, Int cap) { return used > 0 && used * 100 >= percent * cap; }
bool HasFallen(Int used, int percent, Int cap) { return used <= 0 || used * 100 < (percent - 10) * cap; }

std::string WithLength(std::string_view text) { return std::to_string(text.size()) + ":" + std::string(text); }

EventId IdOf(const CrossingRow& row) {
  std::string name = WithLength(row.tenant) + WithLength(row.subject.user) + WithLength(row.subject.project) +
                     WithLength(row.subject.collection);
  for (Int number : {Int{static_cast<int>(row.over)}, Int{static_cast<int>(row.meter)},
                     Int{static_cast<int>(row.window)}, row.instance}) {
    name += model::ToText(number) + ",";
  }
  return Uuid5(row.definition, name + std::to_string(row.percent));
}

}  // namespace

std::string Model::OutboxName(const EventId& id) const {
  return RowName("outbox", event_.tenant).Text(id.ToString()).Take();
}

// --- What is crossed

// now_us is T; the amounts belong at at_us. The event at hand is the cause.
void Model::AddUse(const Subject& subject, const Amounts& amounts, int64_t at_us, int64_t now_us) {
  LookForCrossings(subject, now_us, false);
  AddToCounters(subject, amounts, at_us);
  LookForCrossings(subject, now_us, true);
}

void Model::LookForCrossings(const Subject& subject, int64_t now_us, bool is_after) {
  if (Policy().enforcement == Enforcement::kOff) return;
  for (const model::Applying& applying : LimitsOn(subject)) {
    Subject parts = *model::PartsIn(applying.over, subject);
    const model::Counter* counter = nullptr;
    if (model::HasCounter(applying.limit.window)) {
      counter = FindCounter(applying, parts);
      if (counter == nullptr) continue;
    }
    LookAt(applying, parts, counter, now_us, is_after);
  }
}

const model::Counter* Model::FindCounter(const model::Applying& applying, const Subject& parts) const {
  const model::LimitUseRow* use = Find(&Tables::limit_use, UseName(applying.over, parts));
  if (use == nullptr) return nullptr;
  auto counter = use->counters.find({applying.limit.meter, applying.limit.window});
  return counter == use->counters.end() ? nullptr : &counter->second;
}

// Without a counter: a gauge that rows say.
void Model::LookAt(const model::Applying& applying, const Subject& parts, const model::Counter* counter, int64_t now_us,
                   bool is_after) {
  const Limit& limit = applying.limit;
  CrossingRow row;
  row.subject = parts;
  row.over = applying.over;
  row.meter = limit.meter;
  row.window = limit.window;
  row.cap = *limit.cap;
  row.used = counter == nullptr ? GaugeOf(applying.over, parts, limit.meter) : counter->UsedAt(now_us);
  row.used = std::clamp<Int>(row.used, INT64_MIN, INT64_MAX);
  row.level = kLevelNames[applying.level];
  row.source = applying.source;
  row.definition = applying.definition.is_nil() ? Uuid5(Uuid(), applying.source) : applying.definition;
  row.crossed_us = now_us;
  row.cause = event_.id;
  for (int percent : kPercents) {
    row.percent = percent;
    std::optional<int64_t> start_us;
    if (IsCalendar(limit.window)) start_us = counter->span.start_us;
    LookAtPercent(row, start_us, is_after);
  }
}

// start_us: of a calendar window.
void Model::LookAtPercent(CrossingRow row, std::optional<int64_t> start_us, bool is_after) {
  model::CrossedKey key(row.meter, row.window, row.definition, row.percent);
  model::Crossed crossed;
  bool is_known = false;
  if (const model::LimitUseRow* use = Find(&Tables::limit_use, UseName(row.over, row.subject)); use != nullptr) {
    auto standing = use->crossings.all().find(key);
    is_known = standing != use->crossings.all().end();
    if (is_known) crossed = standing->second;
  }
  bool is_lowered = !start_us.has_value() && crossed.is_raised && HasFallen(row.used, row.percent, row.cap);
  if (is_lowered) crossed = {crossed.instance + 1, false};
  bool is_to_cross = start_us.has_value() ? !is_known || crossed.instance != *start_us : !crossed.is_raised;
  bool is_crossed = is_after && is_to_cross && IsReached(row.used, row.percent, row.cap);
  if (is_crossed) crossed = {start_us.value_or(static_cast<int64_t>(crossed.instance)), true};
  if (!is_lowered && !is_crossed) return;
  TouchUse(row.over, row.subject).crossings.Put(key, crossed);
  if (!is_crossed) return;
  row.instance = crossed.instance;
  PutInOutbox(std::move(row));
}

void Model::PutInOutbox(CrossingRow row) {
  row.tenant = event_.tenant;
  row.id = IdOf(row);
  row.used = std::clamp<Int>(row.used, INT64_MIN, INT64_MAX);  // as in a verdict
  Touch(&Tables::outbox, OutboxName(row.id)) = row;
}

// --- What the log says of it

// False: quarantined.
bool Model::FoldCrossed() {
  if (!TakeOutOfOutbox(event_.id)) {
    PutInQuarantine(Reason::kNotCrossed);
    return false;
  }
  const Crossing& crossing = event_.crossing;
  std::string name = RowName("alert", event_.tenant).Number(static_cast<int64_t>(offset_)).Take();
  CrossingRow& row = Touch(&Tables::alert, name);
  row.id = event_.id;
  row.subject = {std::string(crossing.user), std::string(crossing.project), std::string(crossing.collection)};
  row.over = crossing.over;
  row.meter = crossing.meter;
  row.window = crossing.window;
  row.percent = crossing.percent;
  row.cap = crossing.cap;
  row.used = crossing.used;
  row.level = crossing.level;
  row.source = crossing.source;
  row.definition = crossing.definition;
  row.instance = crossing.instance;
  row.crossed_us = event_.event_time.us;
  row.cause = crossing.cause;
  KeepNewRows();
  return true;
}

// False: it is not there.
bool Model::TakeOutOfOutbox(const EventId& id) {
  std::string name = OutboxName(id);
  if (rows_.outbox.erase(name) == 0) return false;
  touched_.insert(name);
  return true;
}

}  // namespace odometer
