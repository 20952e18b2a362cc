#include "state/crossings.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/planted.h"

namespace odometer {

namespace {

constexpr std::array<uint8_t, 3> kPercents = {80, 95, 100};
constexpr int kFallenBy = 10;  // percent

bool IsReached(const Standing& standing, int percent) {
  __int128 cap = *standing.limit->limit.cap;
  return standing.used > 0 && static_cast<__int128>(standing.used) * 100 >= percent * cap;
}

bool HasFallen(const Standing& standing, int percent) {
  __int128 cap = *standing.limit->limit.cap;
  return standing.used <= 0 || static_cast<__int128>(standing.used) * 100 < (percent - kFallenBy) * cap;
}

// A built-in profile has no event: its name stands for it.
Uuid DefinitionOf(const AppliedLimit& limit) {
  return limit.definition.is_nil() ? Uuid5(Uuid(), limit.source) : limit.definition;
}

auto PlaceOf(const CrossedItem& item) { return std::tie(item.meter, item.window, item.definition, item.percent); }

CrossedItem ItemOf(const AppliedLimit& limit, const Uuid& definition, uint8_t percent) {
  CrossedItem item;
  item.meter = static_cast<uint8_t>(limit.limit.meter);
  item.window = static_cast<uint8_t>(limit.limit.window);
  item.definition = definition;
  item.percent = percent;
  return item;
}

std::vector<CrossedItem>::iterator Find(std::vector<CrossedItem>& items, const CrossedItem& wanted) {
  return std::lower_bound(items.begin(), items.end(), wanted,
                          [](const CrossedItem& a, const CrossedItem& b) { return PlaceOf(a) < PlaceOf(b); });
}

// The parts that the scope speaks of.
Subject OwnOf(Scope scope, const Subject& subject) {
  Subject own{subject.tenant, {}, {}, {}};
  if (scope == Scope::kUser || scope == Scope::kUserInProject) own.user = subject.user;
  if (scope == Scope::kProject || scope == Scope::kUserInProject || scope == Scope::kCollection)
    own.project = subject.project;
  if (scope == Scope::kCollection) own.collection = subject.collection;
  return own;
}

Uuid IdOf(const Subject& own, Scope scope, const CrossedItem& item) {
  std::string name;
  for (std::string_view part : {own.tenant, own.user, own.project, own.collection}) {
    name += std::to_string(part.size());
    name += ':';
    name += part;
  }
  name += std::to_string(static_cast<int>(scope)) + "," + std::to_string(item.meter) + "," +
          std::to_string(item.window) + "," + std::to_string(item.instance) + "," + std::to_string(item.percent);
  return Uuid5(item.definition, name);
}

std::string Encoded(std::string_view tenant, const CrossingRow& row) {
  Event event;
  event.type = EventType::kLimitCrossed;
  event.id = row.id;
  event.id_kind = IdKind::kDerived;
  event.tenant = tenant;
  event.event_time = EventTime{row.crossed_us};
  event.source = "odometerd";
  Crossing& crossing = event.crossing;
  crossing.user = row.user;
  crossing.project = row.project;
  crossing.collection = row.collection;
  crossing.over = static_cast<Scope>(row.over);
  crossing.meter = static_cast<Meter>(row.meter);
  crossing.window = static_cast<Window>(row.window);
  crossing.percent = row.percent;
  crossing.cap = row.cap;
  crossing.used = row.used;
  crossing.level = row.level;
  crossing.source = row.source;
  crossing.definition = row.definition;
  crossing.instance = row.instance;
  crossing.cause = row.cause;
  return Encode(event);
}

CrossingRow RowOf(const Event& event) {
  const Crossing& crossing = event.crossing;
  CrossingRow row;
  row.id = event.id;
  row.user = crossing.user;
  row.project = crossing.project;
  row.collection = crossing.collection;
  row.over = static_cast<uint8_t>(crossing.over);
  row.meter = static_cast<uint8_t>(crossing.meter);
  row.window = static_cast<uint8_t>(crossing.window);
  row.percent = crossing.percent;
  row.cap = crossing.cap;
  row.used = crossing.used;
  row.level = crossing.level;
  row.source = crossing.source;
  row.definition = crossing.definition;
  row.instance = crossing.instance;
  row.crossed_us = event.event_time.us;
  row.cause = crossing.cause;
  return row;
}

}  // namespace

Status Crossings::Open(const Store& store) {
  std::string begin = KeyBuilder().Begin(RowKind::kOutbox).str();
  bool is_read = true;
  ODOMETER_RETURN_IF_ERROR(
      store.NewView()->Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
        KeyReader reader(key);
        std::string_view tenant;
        Uuid id;
        CrossingRow row;
        is_read = reader.Text(&tenant) && reader.Id(&id) && DecodeRow(value, &row);
        if (!is_read) return false;
        Key at{std::string(tenant), id};
        if (!PlantedBug("crossing_lost_in_crash")) untaken_.push_back(at);
        outbox_.insert_or_assign(std::move(at), std::move(row));
        return true;
      }));
  written_ = takeable_ = untaken_.size();
  return is_read ? Status::Ok() : Status(Code::kCorrupt, "store: a row of the outbox cannot be read");
}

bool Crossings::HasReached(const Standing& standing) { return IsReached(standing, kPercents.front()); }

// A calendar window's instance ends with it.
bool Crossings::Lower(const Standing& standing, LimitUseRow* use) {
  const AppliedLimit& limit = *standing.limit;
  if (use->crossings.empty() || IsCalendar(limit.limit.window)) return false;
  bool has_changed = false;
  Uuid definition = DefinitionOf(limit);
  for (uint8_t percent : kPercents) {
    CrossedItem wanted = ItemOf(limit, definition, percent);
    auto item = Find(use->crossings, wanted);
    bool is_there = item != use->crossings.end() && PlaceOf(*item) == PlaceOf(wanted);
    if (!is_there || !item->raised || !HasFallen(standing, percent) || PlantedBug("crossed_for_ever")) continue;
    item->raised = false;
    ++item->instance;
    has_changed = true;
  }
  return has_changed;
}

void Crossings::Raise(const Subject& subject, const Standing& standing, const Moment& moment, LimitUseRow* use) {
  const AppliedLimit& limit = *standing.limit;
  bool is_calendar = IsCalendar(limit.limit.window);
  Uuid definition = DefinitionOf(limit);
  for (uint8_t percent : kPercents) {
    if (!IsReached(standing, percent)) break;
    CrossedItem wanted = ItemOf(limit, definition, percent);
    if (is_calendar) wanted.instance = standing.counter->start_us;
    auto item = Find(use->crossings, wanted);
    bool is_there = item != use->crossings.end() && PlaceOf(*item) == PlaceOf(wanted);
    if (is_there && item->raised && (!is_calendar || item->instance == wanted.instance)) continue;
    if (!is_there) item = use->crossings.insert(item, wanted);
    if (is_calendar) item->instance = wanted.instance;
    item->raised = true;
    Add(OwnOf(limit.scope, subject), standing, *item, moment);
  }
}

void Crossings::Add(const Subject& own, const Standing& standing, const CrossedItem& item, const Moment& moment) {
  const AppliedLimit& limit = *standing.limit;
  CrossingRow row;
  row.id = IdOf(own, limit.scope, item);
  row.user = own.user;
  row.project = own.project;
  row.collection = own.collection;
  row.over = static_cast<uint8_t>(limit.scope);
  row.meter = item.meter;
  row.window = item.window;
  row.percent = item.percent;
  row.cap = *limit.limit.cap;
  row.used = standing.used;
  row.level = LevelName(limit.level);
  row.source = limit.source;
  row.definition = item.definition;
  row.instance = item.instance;
  row.crossed_us = moment.at_us;
  row.cause = moment.cause;
  Key key{std::string(own.tenant), row.id};
  untaken_.push_back(key);
  changed_.push_back(key);
  outbox_.insert_or_assign(std::move(key), std::move(row));
}

bool Crossings::ReadBack(const Event& event, uint64_t offset) {
  Key key{std::string(event.tenant), event.id};
  if (outbox_.erase(key) == 0) return false;
  if (!PlantedBug("outbox_never_empty")) changed_.push_back(std::move(key));
  auto place = static_cast<int64_t>(offset);
  KeyBuilder builder;
  alerts_.emplace_back(builder.Begin(RowKind::kAlert).Text(event.tenant).Number(place).str(), RowOf(event));
  order_.push_back(builder.Begin(RowKind::kAlertOrder).Number(place).Text(event.tenant).str());
  return true;
}

void Crossings::Forget(const Event& event) {
  Key key{std::string(event.tenant), event.id};
  if (outbox_.erase(key) != 0) changed_.push_back(std::move(key));
}

std::vector<std::string> Crossings::Take() {
  std::vector<std::string> taken;
  auto end = untaken_.begin() + static_cast<ptrdiff_t>(takeable_);
  for (auto key = untaken_.begin(); key != end; ++key) {
    if (auto row = outbox_.find(*key); row != outbox_.end()) taken.push_back(Encoded(key->first, row->second));
  }
  untaken_.erase(untaken_.begin(), end);
  written_ -= takeable_;
  takeable_ = 0;
  return taken;
}

void Crossings::WriteTo(RowKind kind, RowBatch* batch) const {
  if (kind == RowKind::kAlert) {
    for (const auto& [key, row] : alerts_) batch->Put(key, EncodeRow(row));
  } else if (kind == RowKind::kAlertOrder) {
    for (const std::string& key : order_) batch->Put(key, {});
  } else {
    KeyBuilder builder;
    for (const Key& key : changed_) {
      std::string_view name = builder.Begin(RowKind::kOutbox).Text(key.first).Id(key.second).view();
      auto row = outbox_.find(key);
      if (row == outbox_.end()) {
        batch->Delete(name);
      } else {
        batch->Put(name, EncodeRow(row->second));
      }
    }
  }
}

void Crossings::MarkClean() {
  written_ = untaken_.size();
  changed_.clear();
  alerts_.clear();
  order_.clear();
}

}  // namespace odometer
