// state/limit_rows.h: the rows of limits as plain structs: what is defined, what has been used of it, and every ask
// with its verdict. What each field means: docs/limits.md. As in state/rows.h, each row names its fields once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/limit.h"
#include "core/zone.h"
#include "state/rows.h"
#include "state/steps.h"

namespace odometer {

// A limit as it is stored: −1 is absent.
struct LimitItem {
  uint8_t meter = 0;
  uint8_t window = 0;
  uint8_t over = 0;  // 0: what its level speaks of
  int64_t cap = -1;
  uint8_t mode = 1;
  uint8_t when_unavailable = 2;

  static LimitItem Of(const Limit& limit);
  Limit ToLimit() const;
  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("meter", row.meter);
    v("window", row.window);
    v("over", row.over);
    v("cap", row.cap);
    v("mode", row.mode);
    v("when_unavailable", row.when_unavailable);
  }
};

// Who defined what stands, and by which event; no id: nothing stands.
struct Defined {
  Uuid id;
  std::string who;
  std::string why;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("id", row.id);
    v("who", row.who);
    v("why", row.why);
  }
};

struct ProfileRow {
  Defined defined;
  std::string description;
  std::vector<LimitItem> limits;
  int64_t assigned = 0;  // users that have it; the tenant's fallback counts as one

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    Defined::Fields(row.defined, v);
    v("description", row.description);
    v("limits", row.limits);
    v("assigned", row.assigned);
  }
};

struct AssignmentRow {
  Defined defined;
  std::string profile;  // empty: none

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    Defined::Fields(row.defined, v);
    v("profile", row.profile);
  }
};

// An override or a quota.
struct LimitsRow {
  Defined defined;
  std::vector<LimitItem> limits;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    Defined::Fields(row.defined, v);
    v("limits", row.limits);
  }
};

// What a tenant has defined at all, so that what it has not is not looked for.
struct PolicyRow {
  Defined enforced;
  uint8_t enforcement = static_cast<uint8_t>(Enforcement::kOn);
  Defined zoned;
  std::string zone;  // empty: UTC
  int64_t first_offset_s = 0;
  std::vector<int64_t> shifts;      // moment and offset in turn
  int64_t definitions = 0;          // events that defined something
  int64_t assignments = 0;          // that stand, the fallback among them
  int64_t user_overrides = 0;       // likewise; the tenant-wide one is not among them
  std::array<int64_t, 6> quotas{};  // by QuotaLevel − 1

  Zone ToZone() const;
  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("enforced_id", row.enforced.id);
    v("enforced_who", row.enforced.who);
    v("enforced_why", row.enforced.why);
    v("enforcement", row.enforcement);
    v("zoned_id", row.zoned.id);
    v("zoned_who", row.zoned.who);
    v("zoned_why", row.zoned.why);
    v("zone", row.zone);
    v("first_offset_s", row.first_offset_s);
    v("shifts", row.shifts);
    v("definitions", row.definitions);
    v("assignments", row.assignments);
    v("user_overrides", row.user_overrides);
    v("quotas", row.quotas);
  }
};

// What one scope has used of one meter in one window.
struct Counter {
  uint8_t meter = 0;
  uint8_t window = 0;
  int64_t counting_since_us = kNever;
  int64_t start_us = kNever;  // of a calendar window: the hour, day or month that `used` is of
  int64_t end_us = kNever;
  int64_t used = 0;  // of a calendar window, lifetime or gauge
  Steps steps;       // of a rolling window; not stored of another

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("meter", row.meter);
    v("window", row.window);
    v("counting_since_us", row.counting_since_us);
    v("start_us", row.start_us);
    v("end_us", row.end_us);
    v("used", row.used);
    if (IsRolling(static_cast<Window>(row.window))) v("steps", row.steps);
  }
};

// How far one limit has been crossed, at one percentage. docs/limits.md, section 6.
struct CrossedItem {
  uint8_t meter = 0;
  uint8_t window = 0;
  Uuid definition;
  uint8_t percent = 0;
  int64_t instance = 0;
  bool raised = false;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("meter", row.meter);
    v("window", row.window);
    v("definition", row.definition);
    v("percent", row.percent);
    v("instance", row.instance);
    v("raised", row.raised);
  }
};

// Of a tenant, user, project, user in a project, or collection.
struct LimitUseRow {
  static constexpr bool kOftenMissed = true;  // most subjects have no limit of their own

  std::array<int64_t, kMeters> held{};    // by Meter − 1: of open holds and leases
  std::array<int64_t, kMeters> burned{};  // of leases that expired unsettled, in all
  int64_t open_holds = 0;
  int64_t admitted = 0;  // asks let through, and those refused
  int64_t refused = 0;
  std::vector<Counter> counters;       // sorted by (meter, window)
  std::vector<CrossedItem> crossings;  // sorted by (meter, window, definition, percent)

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("held", row.held);
    v("burned", row.burned);
    v("open_holds", row.open_holds);
    v("admitted", row.admitted);
    v("refused", row.refused);
    v("counters", row.counters);
    v("crossings", row.crossings);
  }
};

// How one limit stood when an ask was judged.
struct LimitStatus {
  uint8_t meter = 0;
  uint8_t window = 0;
  uint8_t over = 0;
  uint8_t mode = 0;
  uint8_t when_unavailable = 0;
  uint8_t level = 0;   // Level, see state/resolve.h
  std::string source;  // the profile's name, or whose quota or override it is
  Uuid definition;
  int64_t cap = 0;
  int64_t used = 0;
  int64_t held = 0;
  int64_t asked = 0;
  bool exceeded = false;
  int64_t reset_us = kNever;  // when its window begins anew; of a rolling one: when the ask would fit

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("meter", row.meter);
    v("window", row.window);
    v("over", row.over);
    v("mode", row.mode);
    v("when_unavailable", row.when_unavailable);
    v("level", row.level);
    v("source", row.source);
    v("definition", row.definition);
    v("cap", row.cap);
    v("used", row.used);
    v("held", row.held);
    v("asked", row.asked);
    v("exceeded", row.exceeded);
    v("reset_us", row.reset_us);
  }
};

// What is not used or held of the cap; 0 where that is above it.
int64_t LeftOf(const LimitStatus& limit);

enum class Refusal : uint8_t { kNone = 0, kLimit = 1, kTooManyHolds = 2, kOverflow = 3 };

struct Verdict {
  bool allowed = false;
  uint8_t enforcement = 0;
  uint8_t refusal = 0;  // Refusal: why not, or under `observe` why it would not have been
  int64_t judged_us = kNever;
  int64_t retry_at_us = kNever;
  std::vector<LimitStatus> limits;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("allowed", row.allowed);
    v("enforcement", row.enforcement);
    v("refusal", row.refusal);
    v("judged_us", row.judged_us);
    v("retry_at_us", row.retry_at_us);
    v("limits", row.limits);
  }
};

struct AmountItem {
  uint8_t meter = 0;
  int64_t amount = 0;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("meter", row.meter);
    v("amount", row.amount);
  }
};

enum class AskState : uint8_t { kRefused = 1, kAdmitted = 2, kOpen = 3, kSettled = 4, kReleased = 5, kExpired = 6 };

inline constexpr int64_t kAskKeptUs = 7 * kUsPerDay;  // after it was judged, or its hold was due

struct AskRow {
  static constexpr bool kKeyedByTime = true;

  EventType type = EventType::kNone;
  std::string user;
  std::string project;
  std::string collection;
  std::vector<AmountItem> amounts;
  int64_t due_us = kNever;
  uint8_t state = 0;   // AskState
  bool spent = false;  // a fact has named it
  int64_t closed_us = kNever;
  Uuid closed_by;
  std::vector<AmountItem> settled;  // what was used, as far as it is known
  Verdict verdict;
  int64_t gone_us = kNever;  // from this log time on there is no such ask, whether its row has been removed or not

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("type", row.type);
    v("user", row.user);
    v("project", row.project);
    v("collection", row.collection);
    v("amounts", row.amounts);
    v("due_us", row.due_us);
    v("state", row.state);
    v("spent", row.spent);
    v("closed_us", row.closed_us);
    v("closed_by", row.closed_by);
    v("settled", row.settled);
    v("verdict", row.verdict);
    v("gone_us", row.gone_us);
  }
};

// A crossing on its way into the log, and, once it has been read back, an alert.
struct CrossingRow {
  Uuid id;
  std::string user;
  std::string project;
  std::string collection;
  uint8_t over = 0;
  uint8_t meter = 0;
  uint8_t window = 0;
  uint8_t percent = 0;
  int64_t cap = 0;
  int64_t used = 0;
  std::string level;
  std::string source;
  Uuid definition;
  int64_t instance = 0;
  int64_t crossed_us = kNever;
  Uuid cause;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("id", row.id);
    v("user", row.user);
    v("project", row.project);
    v("collection", row.collection);
    v("over", row.over);
    v("meter", row.meter);
    v("window", row.window);
    v("percent", row.percent);
    v("cap", row.cap);
    v("used", row.used);
    v("level", row.level);
    v("source", row.source);
    v("definition", row.definition);
    v("instance", row.instance);
    v("crossed_us", row.crossed_us);
    v("cause", row.cause);
  }
};

// An open hold's place in the order in which holds expire.
struct DueRow {
  bool open = true;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("open", row.open);
  }
};

}  // namespace odometer
