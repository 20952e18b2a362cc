// A daemon that owns some of its log's partitions, and what it says of the others.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "consumers/http/routes.h"
#include "log/memory_log.h"

namespace odometer {
namespace {

using nlohmann::json;

constexpr int64_t kNowUs = 1'700'000'000'000'000;  // 2023-11-14T22:13:20Z
const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");

std::string TenantIn(uint32_t partition) {
  for (int i = 0;; ++i) {
    std::string tenant = "tenant-" + std::to_string(i);
    if (PartitionOf(tenant, 4) == partition) return tenant;
  }
}

const json kTurn = {{"type", "TurnRecorded"}, {"user", "ann"}, {"session", "s"}, {"status", "success"}};

class OwnedPartitionsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "odometer-owned-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    api_.reset();
    daemon_.reset();
    std::filesystem::remove_all(directory_);
  }
  DaemonOptions Options(const char* owned) {
    DaemonOptions options;
    options.data_dir = directory_;
    options.owned = *PartitionSet::Parse(owned);
    options.runner.poll_wait_us = 1000;
    return options;
  }
  void Open(const char* owned) {
    DaemonOptions options = Options(owned);
    options.log = &log_;
    daemon_ = Daemon::Open(options, clock_).value();
    daemon_->Start();
    ApiOptions api_options;
    api_options.raw_records = true;
    api_ = std::make_unique<Api>(*daemon_, api_options);
  }

  HttpResponse Call(const std::string& tenant, const std::string& method, const std::string& target,
                    const std::string& body = "") {
    return api_->Handle({method, target, {{"host", "x"}, {"odometer-tenant", tenant}}, body});
  }
  json Get(const std::string& tenant, const std::string& target, int status = 200) {
    HttpResponse response = Call(tenant, "GET", target);
    EXPECT_EQ(response.status, status) << target << " " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  // That the answer is a 421 which names the partition.
  void ExpectNotOwned(uint32_t partition, const HttpResponse& response, const std::string& what) {
    ASSERT_EQ(response.status, 421) << what << " " << response.body;
    EXPECT_EQ(response.content_type, "application/problem+json");
    json problem = json::parse(response.body);
    EXPECT_EQ(problem["type"], "urn:odometer:problem:not-owned") << what;
    EXPECT_EQ(problem["title"], "Misdirected Request");
    EXPECT_EQ(problem["partition"], partition) << what << " " << problem;
    EXPECT_NE(problem["detail"].get<std::string>().find("owns 0,2 of the 4"), std::string::npos) << problem;
  }
  void AwaitGenesis() {
    for (uint32_t partition : daemon_->owned())
      ASSERT_NE(daemon_->runner(partition).WaitFor(1, 10'000'000), nullptr) << partition;
  }
  std::vector<uint64_t> Ends() {
    std::vector<uint64_t> ends;
    for (uint32_t partition = 0; partition < 4; ++partition) ends.push_back(log_.partition(partition).range().end);
    return ends;
  }

  ManualClock clock_{kNowUs};
  MemoryLog log_{clock_, kLogId, 4};
  std::string directory_;
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Api> api_;
};

TEST_F(OwnedPartitionsTest, EveryRouteOfATenantElsewhereAnswers421WithItsPartition) {
  Open("0,2");
  size_t routes = 0;
  for (const Route& route : Routes()) {
    if (route.needs != Needs::kTenants && route.needs != Needs::kNamedOrTenants) continue;
    std::string target(route.path);
    for (size_t brace; (brace = target.find('{')) != std::string::npos;)
      target.replace(brace, target.find('}') - brace + 1, "x");
    for (uint32_t partition : {1u, 3u}) {
      std::string body = route.method == "POST" ? kTurn.dump() : "";
      ExpectNotOwned(partition, Call(TenantIn(partition), std::string(route.method), target, body), target);
    }
    ++routes;
  }
  EXPECT_EQ(routes, 40u);
}

TEST_F(OwnedPartitionsTest, EventsOfATenantElsewhereAreRefusedWholeAndNotAppended) {
  Open("0,2");
  json batch = {kTurn, kTurn, {{"type", "nonsense"}}};
  ExpectNotOwned(3, Call(TenantIn(3), "POST", "/v1/events?wait=folded", batch.dump()), "post");
  EXPECT_EQ(Ends(), (std::vector<uint64_t>{1, 1, 1, 1}));
  HttpResponse taken = Call(TenantIn(2), "POST", "/v1/events?wait=folded", json({kTurn, kTurn}).dump());
  EXPECT_EQ(taken.status, 202) << taken.body;
  EXPECT_EQ(Ends(), (std::vector<uint64_t>{1, 1, 3, 1}));
  EXPECT_EQ(Get(TenantIn(2), "/v1/consumption/summary?user=ann")["turns"], 2);
}

TEST_F(OwnedPartitionsTest, RoutesThatNameAPartitionElsewhereAnswer421WithIt) {
  Open("0,2");
  std::string ours = TenantIn(0);
  for (const std::string& target :
       {std::string("/v1/admin/quarantine?partition=1"), std::string("/v1/admin/events?partition=1"),
        std::string("/v1/admin/events?position=p1.0"), "/v1/admin/digest?tenant=" + TenantIn(1),
        std::string("/v1/admin/digest?min_position=p1.1"), std::string("/v1/admin/quarantine?min_position=p1.1"),
        std::string("/v1/admin/events?partition=0&min_position=p1.1")}) {
    ExpectNotOwned(1, Call(ours, "GET", target), target);
  }
  ExpectNotOwned(1, Call(ours, "POST", "/v1/admin/records?partition=1", std::string("\1\0\0\0x", 5)), "records");
  ExpectNotOwned(3, Call(ours, "POST", "/v1/admin/checkpoint?min_position=p3.1"), "checkpoint");
  EXPECT_EQ(Ends(), (std::vector<uint64_t>{1, 1, 1, 1}));
}

TEST_F(OwnedPartitionsTest, WhatNamesAPartitionDoesNotAskWhereTheTenantLives) {
  Open("0,2");
  std::string elsewhere = TenantIn(1);
  for (const char* target : {"/v1/admin/events?partition=0", "/v1/admin/events?position=p2.0", "/v1/admin/quarantine",
                             "/v1/admin/digest", "/version", "/readyz"}) {
    Get(elsewhere, target);
  }
  EXPECT_EQ(Call(elsewhere, "POST", "/v1/admin/checkpoint").status, 200);
}

TEST_F(OwnedPartitionsTest, WhatIsMalformedIs400WhereverTheTenantLives) {
  Open("0,2");
  for (const std::string& tenant : {TenantIn(0), TenantIn(1)}) {
    for (const char* target :
         {"/v1/admin/events?partition=4", "/v1/admin/events?partition=x", "/v1/admin/events?position=p9.0",
          "/v1/admin/events?position=x", "/v1/admin/events?partition=2&position=p0.0",
          "/v1/admin/quarantine?partition=4", "/v1/admin/digest?min_position=p4.1",
          "/v1/admin/digest?tenant=", "/v1/consumption/summary?nothing=1"}) {
      Get(tenant, target, 400);
    }
    EXPECT_EQ(Call(tenant, "POST", "/v1/admin/records", "x").status, 400);
  }
  Get(TenantIn(0), "/v1/consumption/summary?user=ann&min_position=p1.1", 400);
}

TEST_F(OwnedPartitionsTest, AnswersOverAllNameThePartitionsTheyCover) {
  Open("0,2");
  AwaitGenesis();
  json both = {"p0.1", "p2.1"};
  json digest = Get("x", "/v1/admin/digest");
  EXPECT_EQ(digest["positions"], both);
  EXPECT_EQ(digest["partitions"], 4);
  EXPECT_EQ(Get("x", "/v1/admin/quarantine")["positions"], both);
  json checkpoint = json::parse(Call("x", "POST", "/v1/admin/checkpoint").body);
  EXPECT_EQ(checkpoint["positions"], both);
  json version = Get("x", "/version");
  EXPECT_EQ(version["partitions"], 4);
  EXPECT_EQ(version["owned"], json({0, 2}));
  std::string metrics = Call("x", "GET", "/metrics").body;
  EXPECT_NE(metrics.find("odometer_cursor{partition=\"2\"} 1"), std::string::npos) << metrics;
  EXPECT_EQ(metrics.find("partition=\"1\""), std::string::npos);
  EXPECT_EQ(metrics.find("partition=\"3\""), std::string::npos);
}

TEST_F(OwnedPartitionsTest, ReadinessAppendsNothingToTheOthers) {
  Open("0,2");
  AwaitGenesis();
  clock_.Advance(5 * kUsPerSecond);
  EXPECT_TRUE(daemon_->CheckReady(10'000'000).ready);
  EXPECT_EQ(Ends(), (std::vector<uint64_t>{2, 1, 2, 1}));
}

TEST_F(OwnedPartitionsTest, TheOthersHaveNoStore) {
  Open("0,2");
  for (uint32_t partition = 0; partition < 4; ++partition) {
    bool is_there = std::filesystem::exists(directory_ + "/state/p0000" + std::to_string(partition));
    EXPECT_EQ(is_there, daemon_->owns(partition)) << partition;
  }
}

TEST_F(OwnedPartitionsTest, APartitionThatTheLogLacksIsRefusedSayingWhichItHas) {
  DaemonOptions options = Options("2-4");
  options.log = &log_;
  Status status = Daemon::Open(options, clock_).status();
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_NE(status.message().find("the log has 4, numbered from 0 to 3"), std::string::npos) << status.ToString();
}

TEST_F(OwnedPartitionsTest, AnEmbeddedLogIsOwnedWholeOrNotMade) {
  DaemonOptions part = Options("0");
  part.partitions = 2;
  Status status = Daemon::Open(part, clock_).status();
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_NE(status.message().find("names 0 of the 2"), std::string::npos) << status.ToString();
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/log/log.manifest"));
  DaemonOptions whole = Options("0-1");
  whole.partitions = 2;
  EXPECT_TRUE(Daemon::Open(whole, clock_).ok());
  EXPECT_EQ(Daemon::Open(Options("1"), clock_).status().code(), Code::kInvalid);
}

}  // namespace
}  // namespace odometer
