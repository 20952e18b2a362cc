#include "log/at_once.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <vector>

namespace odometer {
namespace {

TEST(DoAtOnce, EachNumberIsDoneOnceByAnyNumberOfThreads) {
  for (size_t threads_max : {0, 1, 3, 100}) {
    for (size_t count : {0, 1, 2, 50}) {
      std::vector<std::atomic<int>> done(count);
      EXPECT_TRUE(DoAtOnce(count, threads_max, [&](size_t number) {
                    ++done[number];
                    return Status::Ok();
                  }).ok());
      for (const std::atomic<int>& times : done) EXPECT_EQ(times, 1) << threads_max << " threads, " << count;
    }
  }
}

TEST(DoAtOnce, AsManyAsThereAreThreadsAreUnderWayAtTheSameTime) {
  std::latch all_have_begun(4);
  EXPECT_TRUE(DoAtOnce(4, 4, [&](size_t) {
                all_have_begun.arrive_and_wait();
                return Status::Ok();
              }).ok());
}

TEST(DoAtOnce, TheErrorOfTheLowestNumberIsTheAnswer) {
  std::latch all_have_begun(3);
  Status failed = DoAtOnce(3, 3, [&](size_t number) {
    all_have_begun.arrive_and_wait();
    return number == 0 ? Status::Ok() : Status(Code::kIo, std::to_string(number));
  });
  EXPECT_EQ(failed.message(), "1");
}

TEST(DoAtOnce, AfterAnErrorNothingMoreBegins) {
  std::atomic<size_t> calls = 0;
  Status failed = DoAtOnce(1000, 2, [&](size_t) {
    ++calls;
    return Status(Code::kIo, "no");
  });
  EXPECT_EQ(failed.code(), Code::kIo);
  EXPECT_LE(calls, 2u);
}

}  // namespace
}  // namespace odometer
