#include "core/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "core/reason.h"

namespace odometer {
namespace {

TEST(Status, OkHasNoMessageAndSaysOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(Status::Ok().ok());
  EXPECT_EQ(Status().code(), Code::kOk);
  EXPECT_EQ(Status().ToString(), "ok");
}

TEST(Status, AnErrorNamesItsCodeAndItsMessage) {
  Status status(Code::kDiskFull, "log: no space left for segment 7");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.ToString(), "disk_full: log: no space left for segment 7");
}

TEST(Status, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Code::kIo); ++code) names.insert(CodeName(static_cast<Code>(code)));
  EXPECT_EQ(names.size(), 9u);
  EXPECT_EQ(names.count("unknown"), 0u);
}

Status Twice(const Status& status, int* calls) {
  ++*calls;
  ODOMETER_RETURN_IF_ERROR(status);
  ++*calls;
  return Status::Ok();
}

TEST(Status, ReturnIfErrorLeavesAtTheFirstError) {
  int calls = 0;
  EXPECT_TRUE(Twice(Status::Ok(), &calls).ok());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(Twice(Status(Code::kIo, "no"), &calls).code(), Code::kIo);
  EXPECT_EQ(calls, 3);
}

TEST(Result, HoldsAValueOrAStatus) {
  Result<std::string> value(std::string("here"));
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, "here");
  EXPECT_EQ(value->size(), 4u);
  Result<std::string> error(Status(Code::kNotFound, "no such name"));
  EXPECT_FALSE(error.ok());
  EXPECT_EQ(error.status().code(), Code::kNotFound);
}

TEST(Result, AValueThatCannotBeCopiedCanBeMovedOut) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, TheValueOfAnErrorAndTheErrorOfOkAreMistakesOfTheProgrammer) {
  Result<int> error(Status(Code::kIo, "no"));
  EXPECT_DEATH((void)error.value(), "CHECK failed");
  EXPECT_DEATH(Result<int>{Status::Ok()}, "CHECK failed");
}

TEST(Reason, EveryReasonHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int reason = 0; reason < kReasons; ++reason) names.insert(ReasonName(static_cast<Reason>(reason)));
  EXPECT_EQ(names.size(), static_cast<size_t>(kReasons));
  EXPECT_EQ(names.count("unknown"), 0u);
  EXPECT_EQ(ReasonName(static_cast<Reason>(kReasons)), "unknown");
  EXPECT_EQ(ReasonName(Reason::kNegativeAmount), "negative_amount");
}

}  // namespace
}  // namespace odometer
