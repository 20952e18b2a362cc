#include "core/scheduling.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <thread>

namespace odometer {
namespace {

struct Place {
  int policy = sched_getscheduler(0), nice = getpriority(PRIO_PROCESS, 0);
};

TEST(SchedulingTest, AThreadThatGivesWayAndThoseItStartsAreBehindTheOthers) {
  Place before, giving, started;
  std::thread([&] {
    GiveWay();
    giving = Place();
    std::thread([&] { started = Place(); }).join();
  }).join();
  Place after;
  EXPECT_GT(giving.nice, before.nice);
  EXPECT_NE(giving.policy, SCHED_OTHER);
  EXPECT_EQ(started.nice, giving.nice);
  EXPECT_EQ(started.policy, giving.policy);
  EXPECT_EQ(after.nice, before.nice);
  EXPECT_EQ(after.policy, before.policy);
}

TEST(SchedulingTest, AThreadThatGivesWayAsksForNoTurnsOfItsOwn) {
  std::thread([] {
    GiveWay();
    EXPECT_FALSE(AskForTurnsOf(kShortTurn));
    EXPECT_NE(sched_getscheduler(0), SCHED_OTHER);
  }).join();
}

TEST(SchedulingTest, AskingForTurnsLeavesPriorityAndPolicyAsTheyWere) {
  std::thread([] {
    Place before;
    AskForTurnsOf(kAnswerTurn);
    EXPECT_EQ(Place().nice, before.nice);
    EXPECT_EQ(Place().policy, before.policy);
  }).join();
}

}  // namespace
}  // namespace odometer
