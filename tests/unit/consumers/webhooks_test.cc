#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "consumers/webhook_letter.h"

namespace odometer {
namespace {

// The example of the Standard Webhooks specification's libraries.
TEST(WebhookSignature, IsThatOfTheSpecification) {
  EXPECT_EQ(WebhookSignature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                             R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, ASecretWithoutThePrefixIsItsBytes) {
  std::string with = WebhookSignature("whsec_c2VjcmV0", "id", 1, "body");
  EXPECT_EQ(WebhookSignature("secret", "id", 1, "body"), with);
  EXPECT_NE(WebhookSignature("secreT", "id", 1, "body"), with);
  EXPECT_NE(WebhookSignature("secret", "id", 2, "body"), with);
}

Alert AlertOf(Window window, int64_t instance) {
  Alert alert{"acme", 41, {}};
  CrossingRow& row = alert.row;
  row.user = "a\"nn";
  row.over = static_cast<uint8_t>(Scope::kUser);
  row.meter = static_cast<uint8_t>(Meter::kRequests);
  row.window = static_cast<uint8_t>(window);
  row.percent = 95;
  row.cap = int64_t{1} << 60;
  row.instance = instance;
  row.crossed_us = 1'700'000'000'000'000;
  return alert;
}

TEST(WebhookBody, SaysWhenACalendarWindowBeganAndOfAnyOtherHowOftenItWasCrossedBefore) {
  nlohmann::json day = nlohmann::json::parse(WebhookBody(3, AlertOf(Window::kDay, 1'699'920'000'000'000)));
  EXPECT_EQ(day["type"], "limit.crossed");
  EXPECT_EQ(day["data"]["tenant"], "acme");
  EXPECT_EQ(day["data"]["user"], "a\"nn");
  EXPECT_EQ(day["data"]["position"], "p3.42");
  EXPECT_EQ(day["data"]["warning"], "urgent");
  EXPECT_EQ(day["data"]["cap"], "1152921504606846976") << "no reader rounds it";
  EXPECT_EQ(day["data"]["window_start"], "2023-11-14T00:00:00.000000Z");
  EXPECT_TRUE(day["data"]["times_before"].is_null());
  nlohmann::json rolling = nlohmann::json::parse(WebhookBody(3, AlertOf(Window::kRollingHour, 7)));
  EXPECT_TRUE(rolling["data"]["window_start"].is_null());
  EXPECT_EQ(rolling["data"]["times_before"], 7);
}

}  // namespace
}  // namespace odometer
