// tests/unit/state/limit_records.h: LimitRecords, a few records that make every kind of row of limits, for tests that
// look at each kind. They are of a tenant of their own, appended a second apart from `from_us` on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/event_maker.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {

inline constexpr int kLimitRecords = 13;

inline std::vector<TestRecord> LimitRecords(std::string_view tenant, int64_t from_us) {
  EventMaker make(tenant);
  std::vector<TestRecord> records;
  auto add = [&](Event event) {
    from_us += kUsPerSecond;
    event.event_time.us = from_us;
    records.push_back({Encode(event), false, AppendTimeOf(from_us).us});
    return event.id;
  };
  auto define = [&](EventType type) {
    Event event = make.Make(type, from_us);
    event.definition.who = "root";
    event.definition.why = "test";
    return event;
  };
  auto limit = [](Meter meter, Window window, int64_t cap) {
    Limit made;
    made.meter = meter;
    made.window = window;
    made.cap = cap;
    return made;
  };
  Event profile = define(EventType::kProfileDefined);
  profile.definition.name = "Gold";
  profile.definition.description = "for some";
  profile.definition.limits = {limit(Meter::kRequests, Window::kRollingHour, 100),
                               limit(Meter::kTotalTokens, Window::kMonth, 1000)};
  add(profile);
  Event assigned = define(EventType::kProfileAssigned);
  assigned.definition.user = "ann";
  assigned.definition.name = "Gold";
  add(assigned);
  Event override_of = define(EventType::kLimitOverridden);
  override_of.definition.user = "ann";
  override_of.definition.limits = {limit(Meter::kLlmCalls, Window::kLifetime, 10)};
  Uuid override_id = add(override_of);
  Event quota = define(EventType::kQuotaSet);
  quota.definition.level = QuotaLevel::kProject;
  quota.definition.project = "docs";
  quota.definition.limits = {limit(Meter::kVectors, Window::kGauge, 50)};
  add(quota);
  Event zone = define(EventType::kZoneSet);
  zone.definition.name = "Test/Zone";
  zone.definition.first_offset_s = 3600;
  zone.definition.shifts = {{TimeOf("2024-03-31T01:00:00Z"), 7200}};
  add(zone);
  Event enforced = define(EventType::kEnforcementSet);
  enforced.definition.enforcement = Enforcement::kOn;
  add(enforced);
  auto ask = [&](EventType type, std::vector<Amount> amounts, int64_t ttl_us) {
    Event event = make.Make(type, from_us);
    event.asked.user = "ann";
    event.asked.amounts = std::move(amounts);
    event.asked.ttl_us = ttl_us;
    return add(event);
  };
  Uuid admit = ask(EventType::kAdmitAsked, {{Meter::kRequests, 1}}, 0);
  Event turn = make.Turn("ann", from_us, "s");
  turn.turn.tokens.output = 7;
  turn.ask = admit;
  add(turn);
  ask(EventType::kLeaseAsked, {{Meter::kRequests, 5}}, kUsPerSecond);  // expires
  ask(EventType::kHoldAsked, {{Meter::kTotalTokens, 900}}, kHoldTtlMaxUs);
  ask(EventType::kHoldAsked, {{Meter::kTotalTokens, 900}}, kHoldTtlMaxUs);  // refused
  Event calls = make.Turn("ann", from_us, "s");
  calls.turn.llm_calls = 10;
  Uuid cause = add(calls);  // crosses the override at 80, 95 and 100 percent
  Event crossed = make.Make(EventType::kLimitCrossed, from_us);
  std::string name = std::to_string(tenant.size()) + ":" + std::string(tenant) + "3:ann0:0:2,2,7,0,80";
  crossed.id = Uuid5(override_id, name);
  crossed.id_kind = IdKind::kDerived;
  crossed.producer.reset();
  crossed.crossing = {.user = "ann", .over = Scope::kUser, .meter = Meter::kLlmCalls, .window = Window::kLifetime};
  crossed.crossing.percent = 80;
  crossed.crossing.cap = 10;
  crossed.crossing.used = 11;
  crossed.crossing.level = "user_override";
  crossed.crossing.source = "ann";
  crossed.crossing.definition = override_id;
  crossed.crossing.cause = cause;
  add(crossed);
  return records;
}

}  // namespace odometer
