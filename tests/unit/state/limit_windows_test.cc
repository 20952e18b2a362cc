// Every window at its edges: the last microsecond before, the first after; in zones of all kinds.
#include "tests/unit/state/limit_fixture.h"

namespace odometer {
namespace {

struct Edge {
  const char* name;
  Window window;
  Zone zone;
  const char* inside;  // an ask here is counted until `end`
  const char* end;
};

ZoneShift Shift(const char* at, int64_t offset_s) { return {TimeOf(at), offset_s}; }

std::vector<Edge> Edges() {
  const Zone utc;
  const Zone berlin{3600, {Shift("2024-03-31T01:00:00Z", 7200), Shift("2024-10-27T01:00:00Z", 3600)}};
  const Zone kolkata{19'800, {}};
  const Zone kathmandu{20'700, {}};
  const Zone new_york{-18'000, {Shift("2024-03-10T07:00:00Z", -14'400), Shift("2024-11-03T06:00:00Z", -18'000)}};
  return {
      {"hour", Window::kHour, utc, "2024-03-15T12:00:00Z", "2024-03-15T13:00:00Z"},
      {"hour at half past", Window::kHour, kolkata, "2024-03-15T12:30:00Z", "2024-03-15T13:30:00Z"},
      {"hour at a quarter past", Window::kHour, kathmandu, "2024-03-15T12:15:00Z", "2024-03-15T13:15:00Z"},
      {"hour that comes twice", Window::kHour, berlin, "2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z"},
      {"day", Window::kDay, utc, "2024-03-15T00:00:00Z", "2024-03-16T00:00:00Z"},
      {"leap day", Window::kDay, utc, "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"},
      {"day of 23 hours", Window::kDay, berlin, "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"},
      {"day of 25 hours", Window::kDay, berlin, "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"},
      {"day behind UTC", Window::kDay, new_york, "2024-01-01T05:00:00Z", "2024-01-02T05:00:00Z"},
      {"month", Window::kMonth, utc, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
      {"February of no leap year", Window::kMonth, utc, "2023-02-01T00:00:00Z", "2023-03-01T00:00:00Z"},
      {"month with a shift", Window::kMonth, berlin, "2024-02-29T23:00:00Z", "2024-03-31T22:00:00Z"},
      {"year's end ahead of UTC", Window::kMonth, kolkata, "2023-11-30T18:30:00Z", "2023-12-31T18:30:00Z"},
  };
}

class LimitWindows : public LimitTest {
 protected:
  std::string SetZone(const Zone& zone, int64_t at_us) {
    Event event = Define(EventType::kZoneSet, at_us);
    event.definition.name = "Test/Zone";
    event.definition.first_offset_s = zone.first_offset_s;
    event.definition.shifts = zone.shifts;
    return partition_.Apply(event);
  }
};

TEST_F(LimitWindows, ACalendarWindowHoldsUpToItsLastMicrosecondAndBeginsAnewWithTheNext) {
  for (const Edge& edge : Edges()) {
    SCOPED_TRACE(edge.name);
    TestPartition partition;
    auto apply = [&](Event event) { return partition.Apply(event); };
    int64_t inside_us = TimeOf(edge.inside), end_us = TimeOf(edge.end);
    Event zone = Define(EventType::kZoneSet, inside_us - kUsPerDay);
    zone.definition.name = "Test/Zone";
    zone.definition.first_offset_s = edge.zone.first_offset_s;
    zone.definition.shifts = edge.zone.shifts;
    ASSERT_EQ(apply(zone), "applied");
    Event override_of = Define(EventType::kLimitOverridden, inside_us - kUsPerDay);
    override_of.definition.user = "ann";
    override_of.definition.limits = {LimitOf(Meter::kRequests, edge.window, 1)};
    ASSERT_EQ(apply(override_of), "applied");
    auto admit = [&](int64_t at_us) {
      Event ask = AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, at_us);
      EXPECT_EQ(apply(ask), "applied");
      return partition.Read<AskRow>(KeyBuilder().Begin(RowKind::kAsk).Text("acme").Id(ask.id).view()).verdict;
    };
    EXPECT_TRUE(admit(inside_us - 1).allowed) << "of the window before";
    EXPECT_TRUE(admit(inside_us).allowed);
    Verdict last = admit(end_us - 1);
    EXPECT_FALSE(last.allowed);
    EXPECT_EQ(last.retry_at_us, end_us);
    EXPECT_EQ(last.limits.at(0).reset_us, end_us);
    EXPECT_TRUE(admit(end_us).allowed);
    EXPECT_FALSE(admit(end_us + 1).allowed);
  }
}

TEST_F(LimitWindows, ARollingWindowNeverUnderCountsAndOverCountsByAtMostOneStep) {
  struct Rolling {
    Window window;
    int64_t length_us, step_us;
  };
  const Rolling rollings[] = {{Window::kRollingMinute, kMinute, kUsPerSecond},
                              {Window::kRollingHour, kUsPerHour, kMinute},
                              {Window::kRolling24h, kUsPerDay, kUsPerHour}};
  int64_t begun_us = kNoon;
  for (const Rolling& rolling : rollings) {
    for (int64_t within_us : {int64_t{0}, int64_t{1}, rolling.step_us / 2, rolling.step_us - 1}) {
      begun_us += 3 * kUsPerDay;
      SCOPED_TRACE(testing::Message() << WindowName(rolling.window) << " " << within_us);
      ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, rolling.window, 1)}, begun_us - kUsPerDay), "applied");
      int64_t at_us = begun_us + within_us;
      EXPECT_TRUE(Admit("ann", at_us));
      EXPECT_FALSE(Admit("ann", at_us + rolling.length_us - 1)) << "still within the window";
      EXPECT_TRUE(Admit("ann", at_us + rolling.length_us + rolling.step_us)) << "a step later at the latest";
    }
  }
}

TEST_F(LimitWindows, AZoneThatChangesTakesEffectWithTheNextSpanSoThatNothingIsCountedAnew) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kDay, 1)}), "applied");
  EXPECT_TRUE(Admit("ann", kNoon));
  // By the clock of Kiritimati it is the next day already.
  ASSERT_EQ(SetZone(Zone{14 * 3600, {}}, kNoon + 1), "applied");
  EXPECT_FALSE(Admit("ann", kNoon + 2));
  EXPECT_FALSE(Admit("ann", TimeOf("2024-03-15T23:59:59Z")));
  EXPECT_TRUE(Admit("ann", TimeOf("2024-03-16T00:00:00Z")));
  EXPECT_FALSE(Admit("ann", TimeOf("2024-03-16T09:59:59Z")));
  EXPECT_TRUE(Admit("ann", TimeOf("2024-03-16T10:00:00Z"))) << "midnight there";
}

TEST_F(LimitWindows, ALifetimeNeverBeginsAnew) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kRequests, Window::kLifetime, 1)}), "applied");
  EXPECT_TRUE(Admit("ann", kNoon));
  Event later =
      AskOf(EventType::kAdmitAsked, {"acme", "ann", {}, {}}, {{Meter::kRequests, 1}}, TimeOf("2124-01-01T00:00:00Z"));
  AskRow refused = Asked(later);
  EXPECT_FALSE(refused.verdict.allowed);
  EXPECT_EQ(refused.verdict.retry_at_us, kNever);
}

}  // namespace
}  // namespace odometer
