// A host whose clock is wrong and that asks evades no limit, and expires nobody's hold: asks go by the log's time, and
// a fact that names its ask is placed no earlier than that. A fact that names none is where the bill has it.
#include "tests/unit/state/limit_fixture.h"

namespace odometer {
namespace {

class HostClock : public LimitTest, public testing::WithParamInterface<int64_t> {
 protected:
  // As a host sends it whose clock is wrong by the parameter.
  std::string Send(Event event, int64_t now_us) {
    event.event_time.us = now_us + GetParam();
    return partition_.Apply(event, now_us);
  }
  bool IsAllowed(const Event& event, int64_t now_us) {
    EXPECT_EQ(Send(event, now_us), "applied");
    return Ask(event.id).verdict.allowed;
  }
  Event AdmitOf(std::string_view user) {
    return AskOf(EventType::kAdmitAsked, {"acme", user, {}, {}}, {{Meter::kRequests, 1}}, kNoon);
  }
};

TEST_P(HostClock, EvadesNoWindow) {
  for (Window window : {Window::kRollingMinute, Window::kRollingHour, Window::kRolling24h, Window::kHour, Window::kDay,
                        Window::kMonth, Window::kLifetime}) {
    std::string user = "u" + std::to_string(static_cast<int>(window));
    ASSERT_EQ(Override(user, {LimitOf(Meter::kRequests, window, 3)}), "applied");
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(IsAllowed(AdmitOf(user), kNoon + i)) << WindowName(window);
    EXPECT_FALSE(IsAllowed(AdmitOf(user), kNoon + 3)) << WindowName(window);
  }
}

TEST_P(HostClock, ExpiresNobodysHold) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kTotalTokens, Window::kMonth, 100)}), "applied");
  Event hold = Hold("ann", {{Meter::kTotalTokens, 60}}, kNoon);
  ASSERT_TRUE(IsAllowed(hold, kNoon));
  EXPECT_EQ(Ask(hold.id).due_us, kNoon + kMinute);
  for (int i = 1; i <= 5; ++i) ASSERT_EQ(Send(make_.Turn("bob", kNoon, "s"), kNoon + i * kUsPerSecond), "applied");
  EXPECT_EQ(Held("ann", Meter::kTotalTokens), 60);
  EXPECT_FALSE(IsAllowed(Hold("ann", {{Meter::kTotalTokens, 60}}, kNoon), kNoon + kMinute - 1));
  EXPECT_TRUE(IsAllowed(Hold("ann", {{Meter::kTotalTokens, 60}}, kNoon), kNoon + kMinute));
}

TEST_P(HostClock, PutsAFactThatNamesItsAskNowhereElse) {
  ASSERT_EQ(Override("ann", {LimitOf(Meter::kTotalTokens, Window::kRollingMinute, 100)}), "applied");
  Event hold = Hold("ann", {{Meter::kTotalTokens, 100}}, kNoon);
  ASSERT_TRUE(IsAllowed(hold, kNoon));
  Event turn = TokenTurn(0, 90, kNoon);
  turn.ask = hold.id;
  ASSERT_EQ(Send(turn, kNoon + kUsPerSecond), "applied");
  EXPECT_EQ(UsedBy("ann", Meter::kTotalTokens, Window::kRollingMinute, kNoon + kUsPerSecond), 90);
  EXPECT_FALSE(IsAllowed(Hold("ann", {{Meter::kTotalTokens, 11}}, kNoon), kNoon + 2 * kUsPerSecond));
}

// As docs/limits.md, section 8, says of a host that does not ask: one that is behind keeps its turns out of the windows
// that they had left by then, one that is ahead keeps them out of none.
TEST_P(HostClock, PutsAFactThatNamesNoAskWhereTheBillHasIt) {
  struct Case {
    Window window;
    int64_t reaches_back_us;  // from noon of the 15th
  };
  for (const Case& each :
       {Case{Window::kRollingMinute, 0}, Case{Window::kRollingHour, 5 * kMinute}, Case{Window::kRolling24h, kUsPerDay},
        Case{Window::kHour, 0}, Case{Window::kDay, 5 * kMinute}, Case{Window::kMonth, kUsPerDay},
        Case{Window::kLifetime, kUsPerDay}}) {
    std::string user = "u" + std::to_string(static_cast<int>(each.window));
    ASSERT_EQ(Override(user, {LimitOf(Meter::kRequests, each.window, 3)}), "applied");
    for (int i = 0; i < 2; ++i) ASSERT_EQ(Send(make_.Turn(user, kNoon, "s"), kNoon), "applied");
    int64_t ago_us = std::max<int64_t>(0, -GetParam());
    EXPECT_EQ(partition_.Get(DayName(user, kNoon - ago_us), "requests"), "2");
    int64_t counted = ago_us <= each.reaches_back_us ? 2 : 0;
    EXPECT_EQ(UsedBy(user, Meter::kRequests, each.window, kNoon), counted) << WindowName(each.window);
    int allowed = 0;
    for (int i = 0; i < 4; ++i) allowed += IsAllowed(AdmitOf(user), kNoon + i) ? 1 : 0;
    EXPECT_EQ(allowed, 3 - counted) << WindowName(each.window);
  }
}

INSTANTIATE_TEST_SUITE_P(By, HostClock, testing::Values(-kUsPerDay, -5 * kMinute, int64_t{0}, 5 * kMinute, kUsPerDay));

}  // namespace
}  // namespace odometer
