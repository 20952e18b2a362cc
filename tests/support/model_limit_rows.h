// tests/support/model_limit_rows.h: the rows of docs/limits.md as plain structs, for the Model alone; as in
// model_rows.h. Thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/zone.h"
#include "tests/support/model_rows.h"

namespace odometer::model {

using Amounts = std::map<Meter, Int>;
inline Int AmountOf(const Amounts& amounts, Meter meter) {
  auto found = amounts.find(meter);
  return found == amounts.end() ? 0 : found->second;
}

// "limits.3."
inline std::string ItemPrefix(std::string_view list, size_t number) {
  return std::string(list) + "." + std::to_string(number) + ".";
}

template <class Visitor>
void VisitLimits(Visitor& visitor, const std::vector<Limit>& limits) {
  visitor.Figure("", "limits.size", static_cast<Int>(limits.size()));
  for (size_t i = 0; i < limits.size(); ++i) {
    std::string prefix = ItemPrefix("limits", i);
    visitor.Figure(prefix, "meter", static_cast<Int>(limits[i].meter));
    visitor.Figure(prefix, "window", static_cast<Int>(limits[i].window));
    visitor.Figure(prefix, "over", limits[i].over.has_value() ? static_cast<Int>(*limits[i].over) : 0);
    visitor.Figure(prefix, "cap", limits[i].cap.value_or(-1));
    visitor.Figure(prefix, "mode", static_cast<Int>(limits[i].mode));
    visitor.Figure(prefix, "when_unavailable", static_cast<Int>(limits[i].when_unavailable));
  }
}

template <class Visitor>
void VisitAmounts(Visitor& visitor, std::string_view list, const std::vector<Amount>& amounts) {
  visitor.Figure("", std::string(list) + ".size", static_cast<Int>(amounts.size()));
  for (size_t i = 0; i < amounts.size(); ++i) {
    visitor.Figure(ItemPrefix(list, i), "meter", static_cast<Int>(amounts[i].meter));
    visitor.Figure(ItemPrefix(list, i), "amount", amounts[i].amount);
  }
}

// By which event what stands was defined; nil: nothing stands.
struct Defined {
  EventId id;
  std::string who, why;

  template <class Visitor>
  void Visit(Visitor& visitor, std::string_view prefix = "") const {
    visitor.Id(std::string(prefix) + "id", id);
    visitor.Text(std::string(prefix) + "who", who);
    visitor.Text(std::string(prefix) + "why", why);
  }
};

struct ProfileRow {
  std::string tenant;
  Defined defined;
  std::string description;
  std::vector<Limit> limits;
  Int assigned = 0;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    defined.Visit(visitor);
    visitor.Text("description", description);
    VisitLimits(visitor, limits);
    visitor.Figure("", "assigned", assigned);
  }
};

struct AssignmentRow {
  std::string tenant;
  Defined defined;
  std::string profile;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    defined.Visit(visitor);
    visitor.Text("profile", profile);
  }
};

// override and quota.
struct LimitsRow {
  std::string tenant;
  Defined defined;
  std::vector<Limit> limits;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    defined.Visit(visitor);
    VisitLimits(visitor, limits);
  }
};

struct PolicyRow {
  std::string tenant;
  Defined enforced;
  Enforcement enforcement = Enforcement::kOn;
  Defined zoned;
  std::string zone_name;
  Zone zone;
  Int definitions = 0, assignments = 0, user_overrides = 0;
  std::array<Int, 6> quotas{};  // by level − 1

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    enforced.Visit(visitor, "enforced_");
    visitor.Figure("", "enforcement", static_cast<Int>(enforcement));
    zoned.Visit(visitor, "zoned_");
    visitor.Text("zone", zone_name);
    visitor.Figure("", "first_offset_s", zone.first_offset_s);
    visitor.Figure("", "shifts.size", static_cast<Int>(2 * zone.shifts.size()));
    for (size_t i = 0; i < zone.shifts.size(); ++i) {
      visitor.Figure("shifts.", std::to_string(2 * i), zone.shifts[i].at_us);
      visitor.Figure("shifts.", std::to_string(2 * i + 1), zone.shifts[i].offset_s);
    }
    visitor.Figure("", "definitions", definitions);
    visitor.Figure("", "assignments", assignments);
    visitor.Figure("", "user_overrides", user_overrides);
    for (size_t i = 0; i < quotas.size(); ++i) visitor.Figure("quotas.", std::to_string(i), quotas[i]);
  }
};

// What a scope has used of one meter in one window.
struct Counter {
  Window window = Window::kLifetime;
  int64_t counting_since_us = kNone;
  Span span{kNone, kNone};       // of a calendar window
  Int used = 0;                  // of all but a rolling window
  int64_t newest_step = 0;       // of a rolling window: the greatest that was added to
  std::map<int64_t, Int> steps;  // likewise

  void Add(int64_t at_us, Int amount, const Zone& zone);
  Int UsedAt(int64_t at_us) const;
  Int Total() const;  // of all that it holds
  // When no more than `fits` is used, if nothing comes; nullopt: never. Of a rolling window.
  std::optional<int64_t> FreeAt(int64_t at_us, Int fits) const;
  bool IsSpanOver(int64_t at_us) const { return at_us >= span.end_us; }
};

// How one limit stands at one percentage of its cap.
struct Crossed {
  Int instance = 0;
  bool is_raised = false;
};
using CrossedKey = std::tuple<Meter, Window, EventId, int>;  // by which definition, at which percentage

// Entries are never taken out, and a row is copied for each record that touches it: so copies share the map.
class Crossings {
 public:
  const std::map<CrossedKey, Crossed>& all() const { return *shared_; }
  void Put(const CrossedKey& key, Crossed crossed) {
    if (shared_.use_count() > 1) shared_ = std::make_shared<std::map<CrossedKey, Crossed>>(*shared_);
    (*shared_)[key] = crossed;
  }

 private:
  std::shared_ptr<std::map<CrossedKey, Crossed>> shared_ = std::make_shared<std::map<CrossedKey, Crossed>>();
};

// An instance is a moment or a count: it always fits.
inline void VisitCrossings(FitCheck&, const Crossings&) {}
template <class Visitor>
void VisitCrossings(Visitor& visitor, const Crossings& crossings) {
  visitor.Figure("", "crossings.size", static_cast<Int>(crossings.all().size()));
  size_t number = 0;
  for (const auto& [key, crossed] : crossings.all()) {
    const auto& [meter, window, definition, percent] = key;
    std::string prefix = ItemPrefix("crossings", number++);
    visitor.Figure(prefix, "meter", static_cast<Int>(meter));
    visitor.Figure(prefix, "window", static_cast<Int>(window));
    visitor.Id(prefix + "definition", definition);
    visitor.Figure(prefix, "percent", percent);
    visitor.Figure(prefix, "instance", crossed.instance);
    visitor.Flag(prefix + "raised", crossed.is_raised);
  }
}

struct LimitUseRow {
  std::string tenant;
  Amounts held, burned;
  Int open_holds = 0, admitted = 0, refused = 0;
  std::map<std::pair<Meter, Window>, Counter> counters;
  Crossings crossings;

  // What is beyond int64 becomes the nearest that there is.
  void Clamp();

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    for (size_t i = 0; i < kMeters; ++i) {
      visitor.Figure("held.", std::to_string(i), AmountOf(held, static_cast<Meter>(i + 1)));
      visitor.Figure("burned.", std::to_string(i), AmountOf(burned, static_cast<Meter>(i + 1)));
    }
    visitor.Figure("", "open_holds", open_holds);
    visitor.Figure("", "admitted", admitted);
    visitor.Figure("", "refused", refused);
    visitor.Figure("", "counters.size", static_cast<Int>(counters.size()));
    size_t number = 0;
    for (const auto& [key, counter] : counters) {
      std::string prefix = ItemPrefix("counters", number++);
      visitor.Figure(prefix, "meter", static_cast<Int>(key.first));
      visitor.Figure(prefix, "window", static_cast<Int>(key.second));
      visitor.Figure(prefix, "counting_since_us", counter.counting_since_us);
      visitor.Figure(prefix, "start_us", counter.span.start_us);
      visitor.Figure(prefix, "end_us", counter.span.end_us);
      visitor.Figure(prefix, "used", counter.used);
      if (IsRolling(key.second)) visitor.Steps(prefix + "steps", key.second, counter.newest_step, counter.steps);
    }
    VisitCrossings(visitor, crossings);
  }
};

// How a limit that applied stood.
struct Status {
  Limit limit;  // with a cap
  Scope over = Scope::kTenant;
  int level = 0;
  std::string source;
  EventId definition;
  Int used = 0, held = 0, asked = 0;
  bool is_exceeded = false;
  int64_t reset_us = kNone;

  template <class Visitor>
  void Visit(Visitor& visitor, const std::string& prefix) const {
    visitor.Figure(prefix, "meter", static_cast<Int>(limit.meter));
    visitor.Figure(prefix, "window", static_cast<Int>(limit.window));
    visitor.Figure(prefix, "over", static_cast<Int>(over));
    visitor.Figure(prefix, "mode", static_cast<Int>(limit.mode));
    visitor.Figure(prefix, "when_unavailable", static_cast<Int>(limit.when_unavailable));
    visitor.Figure(prefix, "level", level);
    visitor.Text(prefix + "source", source);
    visitor.Id(prefix + "definition", definition);
    visitor.Figure(prefix, "cap", *limit.cap);
    visitor.Figure(prefix, "used", used);
    visitor.Figure(prefix, "held", held);
    visitor.Figure(prefix, "asked", asked);
    visitor.Flag(prefix + "exceeded", is_exceeded);
    visitor.Figure(prefix, "reset_us", reset_us);
  }
};

enum class Refusal { kNone = 0, kLimit = 1, kTooManyHolds = 2, kOverflow = 3 };

struct Verdict {
  bool is_allowed = false;
  Enforcement enforcement = Enforcement::kOn;
  Refusal refusal = Refusal::kNone;
  int64_t judged_us = kNone, retry_at_us = kNone;
  std::vector<Status> limits;
};

enum class AskState { kRefused = 1, kAdmitted = 2, kOpen = 3, kSettled = 4, kReleased = 5, kExpired = 6 };

// Whom an ask or a fact is of; empty parts are not named.
struct Subject {
  std::string user, project, collection;
};

struct AskRow {
  std::string tenant;
  EventId id;
  EventType type = EventType::kNone;
  Subject subject;
  std::vector<Amount> amounts;
  int64_t due_us = kNone;
  AskState state = AskState::kRefused;
  bool is_spent = false;
  int64_t closed_us = kNone;
  EventId closed_by;
  std::vector<Amount> settled;
  Verdict verdict;
  int64_t gone_us = kNone;  // when it is forgotten

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Text("type", TypeName(type));
    visitor.Text("user", subject.user);
    visitor.Text("project", subject.project);
    visitor.Text("collection", subject.collection);
    VisitAmounts(visitor, "amounts", amounts);
    visitor.Figure("", "due_us", due_us);
    visitor.Figure("", "state", static_cast<Int>(state));
    visitor.Flag("spent", is_spent);
    visitor.Figure("", "closed_us", closed_us);
    visitor.Id("closed_by", closed_by);
    VisitAmounts(visitor, "settled", settled);
    visitor.Flag("verdict.allowed", verdict.is_allowed);
    visitor.Figure("verdict.", "enforcement", static_cast<Int>(verdict.enforcement));
    visitor.Figure("verdict.", "refusal", static_cast<Int>(verdict.refusal));
    visitor.Figure("verdict.", "judged_us", verdict.judged_us);
    visitor.Figure("verdict.", "retry_at_us", verdict.retry_at_us);
    visitor.Figure("verdict.", "limits.size", static_cast<Int>(verdict.limits.size()));
    for (size_t i = 0; i < verdict.limits.size(); ++i) {
      verdict.limits[i].Visit(visitor, ItemPrefix("verdict.limits", i));
    }
    visitor.Figure("", "gone_us", gone_us);
  }
};

// outbox and alert.
struct CrossingRow {
  std::string tenant;
  EventId id;
  Subject subject;  // of the scope
  Scope over = Scope::kTenant;
  Meter meter = Meter::kRequests;
  Window window = Window::kLifetime;
  int percent = 0;
  Int cap = 0, used = 0;
  std::string level, source;
  EventId definition;
  Int instance = 0;
  int64_t crossed_us = kNone;
  EventId cause;

  template <class Visitor>
  void Visit(Visitor& visitor) const {
    visitor.Id("id", id);
    visitor.Text("user", subject.user);
    visitor.Text("project", subject.project);
    visitor.Text("collection", subject.collection);
    visitor.Figure("", "over", static_cast<Int>(over));
    visitor.Figure("", "meter", static_cast<Int>(meter));
    visitor.Figure("", "window", static_cast<Int>(window));
    visitor.Figure("", "percent", percent);
    visitor.Figure("", "cap", cap);
    visitor.Figure("", "used", used);
    visitor.Text("level", level);
    visitor.Text("source", source);
    visitor.Id("definition", definition);
    visitor.Figure("", "instance", instance);
    visitor.Figure("", "crossed_us", crossed_us);
    visitor.Id("cause", cause);
  }
};

}  // namespace odometer::model
