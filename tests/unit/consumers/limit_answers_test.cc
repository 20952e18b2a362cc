// What the answers about limits say beside the verdict: warnings, levels, who is near a limit, whose operations. Tests
// that are named after a defect are of the list that tests/unit/state/defect_fixture.h names.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "consumers/http/limit_json.h"
#include "consumers/http/routes.h"
#include "tests/support/event_maker.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

using nlohmann::json;

class LimitAnswers : public testing::Test {
 protected:
  void SetUp() override {
    DaemonOptions options;
    options.data_dir = directory_.path();
    options.partitions = 1;
    options.fsync = false;
    daemon_ = Daemon::Open(options, clock_).value();
    daemon_->Start();
    api_ = std::make_unique<Api>(*daemon_, ApiOptions());
  }
  void TearDown() override {
    api_.reset();
    daemon_.reset();
  }

  json Get(const std::string& target) {
    HttpResponse response = api_->Handle({"GET", target, {{"host", "x"}, {"odometer-tenant", "acme"}}, ""});
    EXPECT_EQ(response.status, 200) << target << " " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  json Send(const std::string& method, const std::string& target, const json& body, int status = 200) {
    HttpRequest request{method, target, {{"host", "x"}, {"odometer-tenant", "acme"}}, body.dump()};
    request.headers.emplace_back("content-type", "application/json");
    HttpResponse response = api_->Handle(request);
    EXPECT_EQ(response.status, status) << target << " " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  // Gives the position at which all of them are folded.
  std::string Post(const json& events) {
    json report = Send("POST", "/v1/events?wait=folded&wait_ms=30000", events, 202);
    EXPECT_EQ(report["outcomes"]["applied"], events.is_array() ? events.size() : 1) << report;
    return report["position"];
  }
  json Define(const std::string& type, json fields) {
    fields.update({{"type", type}, {"who", "root"}, {"why", "test"}, {"event_time", clock_.NowUs()}});
    return fields;
  }
  std::string Turns(const std::string& user, int count, int64_t input_tokens = 0) {
    json turn = {{"type", "TurnRecorded"},       {"user", user},        {"session", "s"},
                 {"event_time", clock_.NowUs()}, {"status", "success"}, {"tokens", {{"input_uncached", input_tokens}}}};
    return Post(json::array_t(static_cast<size_t>(count), turn));
  }
  // What is listed of those who have used at least so much of a limit: page by page, so many users each.
  std::vector<json> Near(int threshold, size_t page_size, const std::string& position) {
    std::string target = "/v1/consumption/users?threshold=" + std::to_string(threshold) +
                         "&limit=" + std::to_string(page_size) + "&min_position=" + position;
    std::vector<json> rows;
    std::string cursor;
    while (true) {
      json page = Get(target + cursor);
      for (json& row : page["data"]) rows.push_back(std::move(row));
      pages_.push_back(page["data"].size());
      totals_.push_back(page["total_count"]);
      EXPECT_EQ(page["has_more"], !page["next_cursor"].is_null());
      if (page["next_cursor"].is_null()) return rows;
      cursor = "&cursor=" + page["next_cursor"].get<std::string>();
    }
  }
  static std::vector<std::string> UsersOf(const std::vector<json>& rows) {
    std::vector<std::string> users;
    for (const json& row : rows) users.push_back(row["user"]);
    return users;
  }

  ManualClock clock_{TimeOf("2023-10-20T12:00:00Z")};
  TempDirectory directory_;
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Api> api_;
  std::vector<size_t> pages_, totals_;
};

// --- D12: the warning never warned.

class TokenDefectD12 : public LimitAnswers {};

TEST_F(TokenDefectD12, AWarningBeginsWithItsPercentAndNotBefore) {
  struct Case {
    int64_t percent;
    const char* warning;
  };
  for (const Case& each : {Case{0, "none"}, Case{79, "none"}, Case{80, "warning"}, Case{94, "warning"},
                           Case{95, "urgent"}, Case{99, "urgent"}, Case{100, "critical"}, Case{1000, "critical"}}) {
    EXPECT_EQ(WarningOf(each.percent), each.warning) << each.percent;
  }
}

TEST_F(TokenDefectD12, WhatHasBeenUsedWarnsInTheStatusOfItsLimitAndOfTheUser) {
  json limits = json::array({{{"meter", "input_tokens"}, {"window", "month"}, {"cap", 1000}},
                             {{"meter", "requests"}, {"window", "lifetime"}, {"cap", 1'000'000}}});
  Post(Define("LimitOverridden", {{"user", "ann"}, {"limits", limits}}));
  struct Case {
    int64_t tokens;  // more
    int percent;
    const char* warning;
  };
  for (const Case& each : {Case{799, 79, "none"}, Case{1, 80, "warning"}, Case{149, 94, "warning"},
                           Case{1, 95, "urgent"}, Case{49, 99, "urgent"}, Case{1, 100, "critical"}}) {
    json status = Get("/v1/quota-status?user=ann&min_position=" + Turns("ann", 1, each.tokens));
    ASSERT_EQ(status["limits"].size(), 2u);
    for (const json& limit : status["limits"]) {
      bool is_tokens = limit["meter"] == "input_tokens";
      EXPECT_EQ(limit["warning"], is_tokens ? each.warning : "none") << limit;
      EXPECT_EQ(limit["percent"], is_tokens ? each.percent : 0) << limit;
    }
    EXPECT_EQ(status["warning"], each.warning) << "the worst of them";
  }
}

// --- D18 and D19: the listing of who is near a limit left out requests and a cap of 0, had last month's usage in it,
// and no order.

class TokenDefectD19 : public LimitAnswers {};

TEST_F(TokenDefectD19, WhoIsNearALimitOfAnyMeterIsListedTheNearestFirst) {
  Post(Define("ProfileAssigned", {{"profile", "Free"}}));  // 50 requests an hour, 100,000 input tokens a month
  Turns("last-month", 1, 99'000);
  clock_.Advance(TimeOf("2023-11-14T12:00:00Z") - clock_.NowUs());
  json nothing = json::array({{{"meter", "searches"}, {"window", "day"}, {"cap", 0}}});
  Post(Define("LimitOverridden", {{"user", "zero"}, {"limits", nothing}}));
  Turns("far", 39);
  Turns("edge-b", 40);
  Turns("tokens", 1, 90'000);
  Turns("nearly", 48);
  Turns("all", 50);
  std::string position = Turns("edge-a", 40);
  std::vector<json> rows = Near(80, 100, position);
  std::vector<std::string> nearest_first = {"all", "zero", "nearly", "tokens", "edge-a", "edge-b"};
  EXPECT_EQ(UsersOf(rows), nearest_first);
  std::vector<std::string> meters, warnings;
  for (const json& row : rows) {
    ASSERT_EQ(row["limits"].size(), 1u) << "the others are not near: " << row;
    meters.push_back(row["limits"][0]["meter"]);
    warnings.push_back(row["limits"][0]["warning"]);
  }
  EXPECT_EQ(meters, (std::vector<std::string>{"requests", "searches", "requests", "input_tokens", "requests",
                                              "requests"}));
  EXPECT_EQ(warnings, (std::vector<std::string>{"critical", "critical", "urgent", "warning", "warning", "warning"}));
  EXPECT_EQ(rows[0]["limits"][0]["used"], 50);
  EXPECT_EQ(rows[0]["limits"][0]["cap"], 50);
  EXPECT_EQ(UsersOf(Near(100, 100, position)), (std::vector<std::string>{"all", "zero"}));
  // In pages it is the same.
  pages_.clear();
  totals_.clear();
  EXPECT_EQ(UsersOf(Near(80, 4, position)), nearest_first);
  EXPECT_EQ(pages_, (std::vector<size_t>{4, 2}));
  EXPECT_EQ(totals_, (std::vector<size_t>{6, 6}));
  // An hour later the requests have left their window; with the month the tokens have, too.
  clock_.Advance(kUsPerHour + 60 * kUsPerSecond);
  EXPECT_EQ(UsersOf(Near(80, 100, position)), (std::vector<std::string>{"zero", "tokens"}));
  clock_.Advance(TimeOf("2023-12-01T00:00:00Z") - clock_.NowUs());
  EXPECT_EQ(UsersOf(Near(80, 100, position)), (std::vector<std::string>{"zero"}));
}

TEST_F(TokenDefectD19, OfFiftyWhoAreNearALimitAllFiftyAreListedOnceInPages) {
  Post(Define("ProfileAssigned", {{"profile", "Free"}}));
  json turns = json::array();
  std::vector<std::string> users;
  for (int i = 0; i < 50; ++i) {
    users.push_back((i < 10 ? "u0" : "u") + std::to_string(i));
    turns.push_back({{"type", "TurnRecorded"},
                     {"user", users.back()},
                     {"session", "s"},
                     {"event_time", clock_.NowUs()},
                     {"status", "success"},
                     {"tokens", {{"input_uncached", 80'000 + 1'000 * (i % 5)}}}});
  }
  std::string position = Post(turns);
  std::stable_sort(users.begin(), users.end(), [](const std::string& a, const std::string& b) {
    return std::stoi(a.substr(1)) % 5 > std::stoi(b.substr(1)) % 5;  // 84 percent before 83
  });
  EXPECT_EQ(UsersOf(Near(80, 7, position)), users);
  EXPECT_EQ(pages_, (std::vector<size_t>{7, 7, 7, 7, 7, 7, 7, 1}));
  EXPECT_EQ(totals_.back(), 50u);
}

// --- D23: refused edits were half applied.

class TokenDefectD23 : public LimitAnswers {};

TEST_F(TokenDefectD23, AnEditWithOneBadLimitIsRefusedAndWhatStoodStands) {
  json good = {{"meter", "requests"}, {"window", "rolling_hour"}, {"cap", 5}};
  json better = {{"meter", "requests"}, {"window", "rolling_hour"}, {"cap", 6}};
  json bad = {{"meter", "input_tokens"}, {"window", "gauge"}, {"cap", 1}};
  json edit = {{"who", "root"}, {"why", "test"}, {"limits", json::array({good})}};
  json made = Send("PUT", "/v1/profiles/Team", edit);
  std::string after = "?min_position=" + made["position"].get<std::string>();
  json before = Get("/v1/profiles/Team" + after);
  std::string digest = Get("/v1/admin/digest?tenant=acme")["state_digest"];
  edit["limits"] = json::array({better, bad});
  Send("PUT", "/v1/profiles/Team", edit, 422);
  EXPECT_EQ(Get("/v1/profiles/Team")["limits"], before["limits"]);
  EXPECT_EQ(Get("/v1/profiles/Team")["definition"], before["definition"]);
  EXPECT_EQ(Get("/v1/admin/digest?tenant=acme")["state_digest"], digest);
  edit["limits"] = json::array({better});
  after = "?min_position=" + Send("PUT", "/v1/profiles/Team", edit)["position"].get<std::string>();
  EXPECT_EQ(Get("/v1/profiles/Team" + after)["limits"][0]["cap"], 6);
}

// --- levels

TEST_F(LimitAnswers, WhereNobodySaidAnythingTheAnswerSaysThatTheBuiltInDefaultStands) {
  Turns("ann", 1);
  json limits = Get("/v1/limits?user=ann");
  EXPECT_EQ(limits["profile"], nullptr);
  EXPECT_EQ(limits["profile_level"], "built_in");
  EXPECT_EQ(limits["limits"], json::array());
  EXPECT_EQ(Get("/v1/quota-status?user=ann")["profile_level"], "built_in");
  json check = Send("POST", "/v1/limits/check", {{"user", "ann"}, {"amounts", {{"requests", 1}}}});
  EXPECT_EQ(check["allowed"], true);
  EXPECT_EQ(check["limits"], json::array());
  Post(Define("ProfileAssigned", {{"profile", "Pro"}}));
  EXPECT_EQ(Get("/v1/limits?user=ann")["profile_level"], "fallback_profile");
  std::string position = Post(Define("ProfileAssigned", {{"user", "ann"}, {"profile", "Free"}}));
  limits = Get("/v1/limits?user=ann&min_position=" + position);
  EXPECT_EQ(limits["profile"], "Free");
  EXPECT_EQ(limits["profile_level"], "profile");
  ASSERT_EQ(limits["limits"].size(), 5u);
  for (const json& limit : limits["limits"]) {
    EXPECT_EQ(limit["level"], "profile");
    EXPECT_EQ(limit["source"], "Free");
    EXPECT_EQ(limit["definition"], nullptr) << "nobody defined it: it is built in";
  }
}

// --- V8: the user 0 was no filter, and operations of 0 ms had no part in an average.

class VectorDefectV8 : public LimitAnswers {};

TEST_F(VectorDefectV8, TheUserZeroIsAFilterAsAnyOther) {
  auto search = [&](const std::string& user, int64_t duration_us) {
    return json{{"type", "VectorsSearched"},    {"user", user},         {"project", "docs"},
                {"event_time", clock_.NowUs()}, {"status", "success"},  {"requested", 1},
                {"succeeded", 1},               {"results", 1},         {"duration_us", duration_us}};
  };
  std::string position =
      Post(json::array({search("0", 0), search("ann", 800), search("0", 0), search("bob", 800)}));
  json of_all = Get("/v1/projects/docs/usage?min_position=" + position)["total"];
  EXPECT_EQ(of_all["count"], 4);
  EXPECT_EQ(of_all["timed"], 4);
  EXPECT_EQ(of_all["duration_us"], 1600);
  json of_zero = Get("/v1/projects/docs/usage?user=0");
  EXPECT_EQ(of_zero["user"], "0");
  EXPECT_EQ(of_zero["total"]["count"], 2);
  EXPECT_EQ(of_zero["total"]["timed"], 2) << "0 is a duration";
  EXPECT_EQ(of_zero["total"]["duration_us"], 0);
  json operations = Get("/v1/projects/docs/operations?user=0")["data"];
  ASSERT_EQ(operations.size(), 2u);
  for (const json& operation : operations) EXPECT_EQ(operation["event"]["user"], "0") << operation;
}

}  // namespace
}  // namespace odometer
