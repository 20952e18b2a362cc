#include "consumers/background.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>

namespace odometer {
namespace {

TEST(BackgroundTest, GoesOnWhileThereIsMoreAndThenSleepsUntilItIsWoken) {
  std::atomic<int> rounds = 0;
  std::counting_semaphore<10> done(0);
  Background background(
      [&]() -> std::optional<int64_t> {
        bool is_last = ++rounds % 3 == 0;
        done.release();
        return is_last ? std::nullopt : std::optional<int64_t>(0);
      },
      1);
  for (int i = 0; i < 3; ++i) done.acquire();
  EXPECT_EQ(rounds, 3);
  background.Wake();
  for (int i = 0; i < 3; ++i) done.acquire();
  EXPECT_EQ(rounds, 6);
}

TEST(BackgroundTest, EndsAtOnceWhateverItWaitsFor) {
  for (std::optional<int64_t> due_us : {std::optional<int64_t>(), std::optional<int64_t>(3'600'000'000)}) {
    std::binary_semaphore began(0);
    Background background(
        [&] {
          began.release();
          return due_us;
        },
        1);
    began.acquire();
  }
}

}  // namespace
}  // namespace odometer
