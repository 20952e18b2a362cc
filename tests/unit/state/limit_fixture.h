// tests/unit/state/limit_fixture.h: LimitTest, a tenant "acme" that defines limits, asks and uses, in one partition.
//
//   Assign("ann", "Free");
//   EXPECT_TRUE(Admit("ann", kNoon));
//   EXPECT_EQ(Use(Scope::kUser, "ann").counters[0].used, 1);
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "state/limit_fold.h"
#include "state/limit_view.h"
#include "tests/unit/state/defect_fixture.h"

namespace odometer {

inline Limit LimitOf(Meter meter, Window window, std::optional<int64_t> cap, std::optional<Scope> over = {}) {
  Limit limit;
  limit.meter = meter;
  limit.window = window;
  limit.cap = cap;
  limit.over = over;
  return limit;
}

class LimitTest : public DefectTest {
 protected:
  // --- definitions; each is applied unless the test looks at what it gives
  Event Define(EventType type, int64_t at_us = kNoon - kUsPerHour) {
    Event event = make_.Make(type, at_us);
    event.definition.who = "root";
    event.definition.why = "test";
    return event;
  }
  std::string Profile(std::string_view name, std::vector<Limit> limits, int64_t at_us = kNoon - kUsPerHour) {
    Event event = Define(EventType::kProfileDefined, at_us);
    event.definition.name = name;
    event.definition.limits = std::move(limits);
    return partition_.Apply(event);
  }
  std::string Assign(std::string_view user, std::string_view profile, int64_t at_us = kNoon - kUsPerHour) {
    Event event = Define(EventType::kProfileAssigned, at_us);
    event.definition.user = user;
    event.definition.name = profile;
    return partition_.Apply(event);
  }
  std::string Override(std::string_view user, std::vector<Limit> limits, int64_t at_us = kNoon - kUsPerHour) {
    Event event = Define(EventType::kLimitOverridden, at_us);
    event.definition.user = user;
    event.definition.limits = std::move(limits);
    return partition_.Apply(event);
  }
  std::string Quota(QuotaLevel level, const Subject& of, std::vector<Limit> limits,
                    int64_t at_us = kNoon - kUsPerHour) {
    Event event = Define(EventType::kQuotaSet, at_us);
    event.definition.level = level;
    event.definition.user = of.user;
    event.definition.project = of.project;
    event.definition.collection = of.collection;
    event.definition.limits = std::move(limits);
    return partition_.Apply(event);
  }
  std::string Enforce(Enforcement enforcement, int64_t at_us = kNoon - kUsPerHour) {
    Event event = Define(EventType::kEnforcementSet, at_us);
    event.definition.enforcement = enforcement;
    return partition_.Apply(event);
  }

  // --- asks
  Event AskOf(EventType type, const Subject& of, std::vector<Amount> amounts, int64_t at_us, int64_t ttl_us = 0) {
    Event event = make_.Make(type, at_us);
    event.asked.user = of.user;
    event.asked.project = of.project;
    event.asked.collection = of.collection;
    event.asked.amounts = std::move(amounts);
    event.asked.ttl_us = ttl_us;
    return event;
  }
  AskRow Asked(const Event& event) {
    EXPECT_EQ(partition_.Apply(event), "applied");
    return Ask(event.id);
  }
  AskRow Ask(const Uuid& id) {
    return partition_.Read<AskRow>(KeyBuilder().Begin(RowKind::kAsk).Text("acme").Id(id).view());
  }
  bool Admit(std::string_view user, int64_t at_us) {
    return Asked(AskOf(EventType::kAdmitAsked, {"acme", user, {}, {}}, {{Meter::kRequests, 1}}, at_us)).verdict.allowed;
  }
  Event Hold(std::string_view user, std::vector<Amount> amounts, int64_t at_us, int64_t ttl_us = kMinute) {
    return AskOf(EventType::kHoldAsked, {"acme", user, {}, {}}, std::move(amounts), at_us, ttl_us);
  }
  Event Lease(std::string_view user, std::vector<Amount> amounts, int64_t at_us, int64_t ttl_us = kMinute) {
    return AskOf(EventType::kLeaseAsked, {"acme", user, {}, {}}, std::move(amounts), at_us, ttl_us);
  }
  Event End(EventType type, const Uuid& hold, std::vector<Amount> amounts, int64_t at_us, bool is_final = true) {
    Event event = make_.Make(type, at_us);
    event.end.hold = hold;
    event.end.amounts = std::move(amounts);
    event.end.is_final = type == EventType::kLeaseSettled && is_final;
    return event;
  }

  bool HasRow(RowKind kind) {
    std::string begin = KeyBuilder().Begin(kind).str();
    bool has = false;
    Status scanned = partition_.view()->Scan(begin, PrefixEnd(begin), [&](std::string_view, std::string_view) {
      has = true;
      return false;
    });
    EXPECT_TRUE(scanned.ok());
    return has;
  }

  // --- what is used
  LimitUseRow Use(Scope scope, const Subject& of) {
    KeyBuilder key;
    return partition_.Read<LimitUseRow>(UseKey(key, scope, of).view());
  }
  LimitUseRow UseOfUser(std::string_view user) { return Use(Scope::kUser, {"acme", user, {}, {}}); }
  int64_t Held(std::string_view user, Meter meter) { return UseOfUser(user).held[static_cast<size_t>(meter) - 1]; }
  int64_t Burned(std::string_view user, Meter meter) { return UseOfUser(user).burned[static_cast<size_t>(meter) - 1]; }
  int64_t Used(const LimitUseRow& row, Meter meter, Window window, int64_t at_us) {
    const Counter* counter = FindCounter(row.counters, meter, window);
    EXPECT_NE(counter, nullptr);
    return counter == nullptr ? -1 : UsedAt(*counter, at_us);
  }
  int64_t UsedBy(std::string_view user, Meter meter, Window window, int64_t at_us) {
    return Used(UseOfUser(user), meter, window, at_us);
  }
  Verdict Check(const Subject& of, std::vector<Amount> amounts, int64_t at_us) {
    std::shared_ptr<const View> view = partition_.view();
    LimitView limits(*view);
    Result<Verdict> verdict = limits.Check(of, amounts, at_us);
    EXPECT_TRUE(verdict.ok());
    return verdict.ok() ? *verdict : Verdict();
  }
};

}  // namespace odometer
