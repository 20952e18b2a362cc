#include "consumers/fold_turn.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace odometer {
namespace {

TEST(FoldTurnTest, WhoFindsItTakenIsThoughtOfBeforeItIsLetGo) {
  FoldTurn turn;
  ASSERT_TRUE(turn.TryTake());
  EXPECT_FALSE(turn.TryTake());
  EXPECT_FALSE(turn.TryTake());
  EXPECT_FALSE(turn.Release()) << "it was wanted";
  EXPECT_TRUE(turn.Release()) << "by two, and one look is enough for both";
  EXPECT_TRUE(turn.TryTake());
}

TEST(FoldTurnTest, LetGoWhileItWasWantedTheNextWhoTakesItFindsOut) {
  FoldTurn turn;
  ASSERT_TRUE(turn.TryTake());
  EXPECT_FALSE(turn.TryTake());
  turn.LetGo();
  turn.Take();
  EXPECT_FALSE(turn.Release());
  EXPECT_TRUE(turn.Release());
}

// Each puts down one thing at a time, and one who finds the turn taken goes away: nothing may be left lying.
TEST(FoldTurnTest, NothingThatWasPutDownBeforeATryIsLeftLying) {
  FoldTurn turn;
  std::atomic<int> lying = 0;
  int taken = 0;  // guarded by the turn
  auto take_all = [&] {
    do {
      taken += lying.exchange(0);
    } while (!turn.Release());
  };
  constexpr int kThreads = 4, kTimes = 5'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < kTimes; ++n) {
        ++lying;
        if (i == 0) {
          turn.Take();
          take_all();
        } else if (turn.TryTake()) {
          take_all();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lying, 0);
  turn.Take();
  EXPECT_EQ(taken, kThreads * kTimes);
  turn.LetGo();
}

}  // namespace
}  // namespace odometer
