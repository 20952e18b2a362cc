#include <gtest/gtest.h>

#include <future>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "consumers/http/routes.h"
#include "tests/support/memory_file_system.h"

namespace odometer {
namespace {

using nlohmann::json;

// --- the table and the document

std::vector<std::string> DocumentLines() {
  std::filesystem::path root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
  std::ifstream file(root / "consumers/http/openapi.yaml");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

size_t IndentOf(const std::string& line) { return line.find_first_not_of(' '); }
// "    name: user" → "user", when the key is `key`; else "".
std::string ValueOf(const std::string& line, const std::string& key) {
  size_t at = IndentOf(line);
  return at != std::string::npos && line.compare(at, key.size() + 2, key + ": ") == 0 ? line.substr(at + key.size() + 2)
                                                                                      : "";
}

std::string UpperCase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// "GET /path" → the names of its query parameters, as the document has them.
std::map<std::string, std::set<std::string>> DocumentRoutes() {
  std::map<std::string, std::pair<std::string, std::string>> parameters;  // by key: name, in
  std::map<std::string, std::set<std::string>> keys;
  std::string section, part, path, route, parameter;
  for (const std::string& line : DocumentLines()) {
    size_t indent = IndentOf(line);
    if (indent == std::string::npos) continue;
    std::string text = line.substr(indent);
    if (indent == 0) section = text;
    if (section == "paths:" && indent == 2) path = text.substr(0, text.size() - 1);
    if (section == "paths:" && indent == 4)
      keys[route = UpperCase(text.substr(0, text.size() - 1)) + " " + path];
    const std::string reference = "- $ref: '#/components/parameters/";
    if (section == "paths:" && text.rfind(reference, 0) == 0)
      keys[route].insert(text.substr(reference.size(), text.size() - reference.size() - 1));
    if (section == "components:" && indent == 2) part = text;
    if (section != "components:" || part != "parameters:") continue;
    if (indent == 4) parameter = text.substr(0, text.size() - 1);
    if (std::string name = ValueOf(line, "name"); indent == 6 && !name.empty()) parameters[parameter].first = name;
    if (std::string in = ValueOf(line, "in"); indent == 6 && !in.empty()) parameters[parameter].second = in;
  }
  std::map<std::string, std::set<std::string>> routes;
  for (const auto& [name, of_route] : keys) {
    routes[name];
    for (const std::string& key : of_route) {
      if (parameters[key].second == "query") routes[name].insert(parameters[key].first);
    }
  }
  return routes;
}

TEST(RouteTable, IsThatOfTheDocument) {
  std::map<std::string, std::set<std::string>> table;
  for (const Route& route : Routes()) {
    std::set<std::string>& names = table[std::string(route.method) + " " + std::string(route.path)];
    std::istringstream words{std::string(route.parameters)};
    for (std::string word; words >> word;) names.insert(word);
  }
  EXPECT_EQ(table, DocumentRoutes());
  EXPECT_EQ(table.size(), Routes().size());
}

// --- routes over a daemon

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "odometer-api-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    Open({});
  }
  void TearDown() override {
    api_.reset();
    daemon_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Open(ApiOptions options) {
    api_.reset();
    daemon_.reset();
    DaemonOptions daemon_options;
    daemon_options.data_dir = directory_;
    // Stores are RocksDB's and on the machine's disk, whatever the log lies on.
    std::filesystem::create_directories(directory_ + "/state");
    daemon_options.partitions = 2;
    daemon_options.fsync = fsync_;
    daemon_options.file_system = files_;
    daemon_ = Daemon::Open(daemon_options, clock_).value();
    daemon_->Start();
    api_ = std::make_unique<Api>(*daemon_, std::move(options));
  }

  HttpResponse Call(const std::string& method, const std::string& target, const std::string& body = "",
                    const std::string& type = "application/json") {
    HttpRequest request{method, target, {{"host", "x"}, {"odometer-tenant", tenant_}}, body};
    if (!body.empty()) request.headers.emplace_back("content-type", type);
    return api_->Handle(request);
  }
  json Get(const std::string& target, int status = 200) {
    HttpResponse response = Call("GET", target);
    EXPECT_EQ(response.status, status) << target << " " << response.body;
    return json::parse(response.body, nullptr, false);
  }
  // Posts and waits for the fold; answers the report.
  json Post(const json& events, int status = 202) {
    HttpResponse response = Call("POST", "/v1/events?wait=folded&wait_ms=10000", events.dump());
    EXPECT_EQ(response.status, status) << response.body;
    return json::parse(response.body);
  }
  static json Turn(const std::string& key, const std::string& user, int64_t tokens) {
    return {{"type", "TurnRecorded"},
            {"key", key},
            {"event_time", kNow},
            {"user", user},
            {"session", "s"},
            {"status", "success"},
            {"tokens", {{"output", tokens}}}};
  }
  static json Amendment(const std::string& key, const std::string& of, const std::string& user, int64_t tokens) {
    return {{"type", "TurnAmended"},
            {"key", key},
            {"event_time", kNow},
            {"tokens_delta", {{"output", tokens}}},
            {"original",
             {{"id", DerivedId("api", of).ToString()}, {"event_time", kNow}, {"user", user}, {"session", "s"}}}};
  }

  static constexpr int64_t kNow = 1'700'000'000'000'000;
  ManualClock clock_{kNow};
  std::string directory_;
  std::string tenant_ = "acme";
  bool fsync_ = false;
  FileSystem* files_ = nullptr;  // the machine's
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Api> api_;
};

TEST_F(ApiTest, AFullDiskRefusesTheWholeBatchAndTakesItOnceThereIsRoom) {
  MemoryFileSystem files;
  daemon_.reset();
  std::filesystem::remove_all(directory_);
  files_ = &files;
  Open({});
  Post(json::array({Turn("k1", "ann", 1)}));
  files.SetBytesLeft(10);
  HttpResponse refused = Call("POST", "/v1/events", json::array({Turn("k2", "ann", 2)}).dump());
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_NE(refused.body.find("disk-full"), std::string::npos) << refused.body;
  EXPECT_EQ(Call("GET", "/readyz").status, 503);
  files.SetBytesLeft(std::nullopt);
  Post(json::array({Turn("k2", "ann", 2)}));
  EXPECT_EQ(Get("/v1/consumption/summary?user=ann")["total_tokens"], 3);
  api_.reset();
  daemon_.reset();  // before the files it stands on
}

TEST_F(ApiTest, ATurnIsInTheSummaryOnceItIsFolded) {
  json report = Post({Turn("1", "ann", 100)});
  EXPECT_EQ(report["outcomes"]["applied"], 1);
  json summary = Get("/v1/consumption/summary?user=ann&min_position=" + report["position"].get<std::string>());
  EXPECT_EQ(summary["total_tokens"], 100);
  EXPECT_EQ(summary["tokens_today"], 100);
  EXPECT_EQ(summary["requests_this_hour"], 1);
  EXPECT_EQ(summary["sessions_last_24h"], 1);
  EXPECT_EQ(summary["period"]["peak_requests_per_hour"], 1);
  EXPECT_EQ(summary["as_of"]["lag"], 0);
  EXPECT_EQ(summary["costliest_turns"][0]["event"]["user"], "ann");
  EXPECT_EQ(summary["rag_cost_saved_nano_usd"], nullptr);
}

TEST_F(ApiTest, AReadAgesToTheClockWithoutWriting) {
  Post({Turn("1", "ann", 100)});
  clock_.Advance(25 * kUsPerHour);
  json summary = Get("/v1/consumption/summary?user=ann");
  EXPECT_EQ(summary["requests_last_24h"], 0);
  EXPECT_EQ(summary["requests_today"], 0);
  EXPECT_EQ(summary["active_sessions"], 0);
  EXPECT_EQ(summary["requests"], 1);
  json users = Get("/v1/consumption/users");
  EXPECT_EQ(users["data"][0]["requests_last_24h"], 0);
}

TEST_F(ApiTest, EachItemOfABatchIsTakenOrRefusedByItself) {
  json report = Post({Turn("1", "ann", 100), {{"type", "Tick"}}, Turn("2", "bob", 1)});
  EXPECT_EQ(report["accepted"], 2);
  EXPECT_EQ(report["items"][1]["reason"], "wrong_door");
  EXPECT_EQ(report["items"][2]["offset"].get<int>(), report["items"][0]["offset"].get<int>() + 1);
  EXPECT_EQ(report["items"][0]["id"], DerivedId("api", "1").ToString());
}

TEST_F(ApiTest, AnEventSentAgainIsADuplicateAndAChangedOneAConflict) {
  Post({Turn("1", "ann", 100)});
  EXPECT_EQ(Post({Turn("1", "ann", 100)})["outcomes"]["duplicate"], 1);
  json changed = Post({Turn("1", "ann", 101)});
  EXPECT_EQ(changed["items"][0]["outcome"], "quarantined");
  EXPECT_EQ(changed["items"][0]["reason"], "conflict");
  EXPECT_EQ(Get("/v1/consumption/summary?user=ann")["total_tokens"], 100);
  json quarantine = Get("/v1/admin/quarantine");
  EXPECT_EQ(quarantine["total_count"], 1);
  EXPECT_EQ(quarantine["data"][0]["reason"], "conflict");
}

TEST_F(ApiTest, AllRefusedIs422AndAppendsNothing) {
  json before = Get("/v1/admin/events");
  json report = Post({{{"type", "Genesis"}}}, 422);
  EXPECT_EQ(report["position"], nullptr);
  EXPECT_EQ(Get("/v1/admin/events")["end_position"], before["end_position"]);
}

TEST_F(ApiTest, TenantsDoNotSeeEachOther) {
  Post({Turn("1", "ann", 100)});
  tenant_ = "other";
  json problem = Get("/v1/consumption/summary?user=ann", 404);
  EXPECT_EQ(problem["type"], "urn:odometer:problem:not-found");
  EXPECT_EQ(problem["instance"], "/v1/consumption/summary");
  Get("/v1/consumption/system-summary", 404);
  EXPECT_EQ(Get("/v1/consumption/users")["total_count"], 0);
}

TEST_F(ApiTest, PagesOfTurnsFitTogetherWhateverIsAppendedMeanwhile) {
  json events = json::array();
  for (int i = 0; i < 10; ++i) events.push_back(Turn(std::to_string(i), "ann", 100 + i));
  Post(events);
  json page = Get("/v1/consumption/turns?user=ann&limit=4");
  EXPECT_EQ(page["total_count"], 10);
  Post({Turn("late", "ann", 1000), Amendment("a", "0", "ann", 7)});
  std::vector<int> tokens;
  for (;;) {
    for (const json& row : page["data"]) tokens.push_back(row["total_tokens"]);
    if (page["next_cursor"].is_null()) break;
    page = Get("/v1/consumption/turns?user=ann&limit=4&cursor=" + page["next_cursor"].get<std::string>());
    EXPECT_EQ(page["total_count"], 10);
  }
  EXPECT_EQ(tokens, (std::vector<int>{109, 108, 107, 106, 105, 104, 103, 102, 101, 100}));
}

TEST_F(ApiTest, AnAmendmentIsShownWithItsTurn) {
  Post({Turn("1", "ann", 100), Amendment("a", "1", "ann", -30), Amendment("b", "never", "ann", 5)});
  json page = Get("/v1/consumption/turns?user=ann&session=s");
  ASSERT_EQ(page["data"].size(), 2u);
  EXPECT_EQ(page["data"][0]["unmatched"], true);
  EXPECT_EQ(page["data"][1]["amended"], true);
  EXPECT_EQ(page["data"][1]["output_tokens"], 70);
  EXPECT_EQ(page["data"][1]["event"]["tokens"]["output"], 100);
  EXPECT_EQ(page["data"][1]["amendments"].size(), 1u);
  EXPECT_EQ(Get("/v1/consumption/summary?user=ann")["total_tokens"], 75);
}

TEST_F(ApiTest, ACursorOfAListingThatIsGoneSaysStartAgain) {
  Post({Turn("1", "ann", 1), Turn("2", "bob", 2)});
  json page = Get("/v1/consumption/users?limit=1");
  std::string next = "/v1/consumption/users?limit=1&cursor=" + page["next_cursor"].get<std::string>();
  EXPECT_EQ(Get(next)["data"][0]["user"], "ann");
  for (size_t i = 0; i <= UserTables::kListingsMax; ++i) Get("/v1/consumption/sessions?user=ann");
  EXPECT_EQ(Get(next, 410)["type"], "urn:odometer:problem:cursor-expired");
  Get("/v1/consumption/users?limit=1&order=asc&cursor=" + page["next_cursor"].get<std::string>(), 400);
}

TEST_F(ApiTest, APositionThatIsNotFoldedInTimeIsUnavailable) {
  Post({Turn("1", "ann", 1)});
  std::string own = Get("/v1/consumption/summary?user=ann")["as_of"]["position"];
  uint32_t partition = Position::FromToken(own)->partition;
  HttpResponse response =
      Call("GET", "/v1/consumption/summary?user=ann&wait_ms=20&min_position=p" + std::to_string(partition) + ".1000");
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.body.find("not folded yet"), std::string::npos);
  Get("/v1/consumption/summary?user=ann&min_position=p" + std::to_string(1 - partition) + ".1", 400);
  api_->StopWaiting();
  EXPECT_EQ(
      Call("GET", "/v1/consumption/summary?user=ann&wait_ms=30000&min_position=p" + std::to_string(partition) + ".1000")
          .status,
      503);
}

TEST_F(ApiTest, UnknownPathsMethodsAndParametersAreRefusedByName) {
  EXPECT_EQ(Get("/v1/consumption", 404)["type"], "urn:odometer:problem:unknown-route");
  HttpResponse wrong = Call("DELETE", "/v1/events");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_TRUE(
      std::count(wrong.headers.begin(), wrong.headers.end(), std::pair<std::string, std::string>("Allow", "POST")));
  EXPECT_NE(Get("/v1/consumption/summary?user=ann&users=b", 400)["detail"].get<std::string>().find("'users'"),
            std::string::npos);
  EXPECT_NE(Get("/v1/consumption/summary?user=ann&user=b", 400)["detail"].get<std::string>().find("'user'"),
            std::string::npos);
  tenant_ = std::string(257, 't');
  Get("/v1/consumption/users", 400);
  tenant_ = "\xff";
  Get("/v1/consumption/users", 400);
}

TEST_F(ApiTest, RawRecordsAreThereOnlyWhenSwitchedOn) {
  std::string two(
      "\x03\x00\x00\x00"
      "abc"
      "\xff\xff\xff\xff",
      11);
  EXPECT_EQ(Call("POST", "/v1/admin/records?partition=0", two).status, 404);
  ApiOptions options;
  options.raw_records = true;
  Open(std::move(options));
  HttpResponse response = Call("POST", "/v1/admin/records?partition=0", two);
  ASSERT_EQ(response.status, 202) << response.body;
  std::string position = json::parse(response.body)["position"];
  json quarantine = Get("/v1/admin/quarantine?partition=0&min_position=" + position);
  ASSERT_EQ(quarantine["data"].size(), 2u);
  EXPECT_EQ(quarantine["data"][0]["bytes_base64"], "YWJj");
  EXPECT_EQ(quarantine["data"][1]["null_payload"], true);
  json page = Get("/v1/admin/quarantine?limit=1");
  EXPECT_EQ(Get("/v1/admin/quarantine?limit=1&cursor=" + page["next_cursor"].get<std::string>())["data"][0]["reason"],
            "null_payload");
}

TEST_F(ApiTest, ACheckpointIsOfTheNamedPositions) {
  std::string position = Post({Turn("1", "ann", 1)})["position"];
  HttpResponse response = Call("POST", "/v1/admin/checkpoint", R"({"name":"one"})");
  ASSERT_EQ(response.status, 200) << response.body;
  json positions = json::parse(response.body)["positions"];
  EXPECT_EQ(positions.size(), 2u);
  EXPECT_TRUE(std::count(positions.begin(), positions.end(), json(position))) << positions;
  EXPECT_EQ(Call("POST", "/v1/admin/checkpoint", R"({"name":"one"})").status, 409);
  for (const char* bad : {R"({"name":"../x"})", R"({"name":""})", R"({"name":1})", R"({"nam":"x"})", "[]", "x"}) {
    EXPECT_EQ(Call("POST", "/v1/admin/checkpoint", bad).status, 400) << bad;
  }
}

TEST_F(ApiTest, TheDigestOfATenantIsThatOfItsFigures) {
  Post({Turn("1", "ann", 1)});
  json first = Get("/v1/admin/digest?tenant=acme");
  Post({Turn("1", "ann", 1)});
  EXPECT_EQ(Get("/v1/admin/digest?tenant=acme")["tenant_digest"], first["tenant_digest"]);
  Post({Turn("2", "ann", 1)});
  EXPECT_NE(Get("/v1/admin/digest?tenant=acme")["tenant_digest"], first["tenant_digest"]);
}

TEST_F(ApiTest, MetricsConserveAndNameNobody) {
  Post({Turn("1", "ann", 1), Turn("1", "ann", 1), Turn("1", "ann", 2), {{"type", "Tick"}}});
  for (uint32_t partition = 0; partition < daemon_->partitions(); ++partition) {
    Runner& runner = daemon_->runner(partition);
    ASSERT_NE(runner.WaitFor(runner.log().range().end, 10'000'000), nullptr);
  }
  std::string text = Call("GET", "/metrics").body;
  std::map<std::string, uint64_t> sums;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line[0] == '#' || line.find('.') != std::string::npos) continue;
    sums[line.substr(0, line.find_first_of("{ "))] += std::stoull(line.substr(line.rfind(' ') + 1));
  }
  uint64_t records = sums["odometer_cursor"] - sums["odometer_start"] - sums["odometer_holes"];
  EXPECT_EQ(records, sums["odometer_records_applied_total"] + sums["odometer_records_duplicate_total"] +
                         sums["odometer_records_quarantined_total"]);
  EXPECT_EQ(sums["odometer_records_duplicate_total"], 1u);
  EXPECT_EQ(sums["odometer_records_quarantined_total"], 1u);
  EXPECT_EQ(sums["odometer_events_refused_total"], 1u);
  EXPECT_EQ(sums["odometer_log_end_offset"] - sums["odometer_log_start_offset"], records);
  EXPECT_EQ(text.find("acme"), std::string::npos);
  EXPECT_EQ(text.find("\"ann\""), std::string::npos);
}

TEST_F(ApiTest, IsReadyWhileTheLineWorks) { EXPECT_EQ(Get("/readyz")["ready"], true); }

TEST_F(ApiTest, OnlyWhatNeedsNoLogIsInstant) {
  EXPECT_TRUE(api_->IsInstant({"GET", "/livez", {}, ""}));
  EXPECT_TRUE(api_->IsInstant({"GET", "/version?x=1", {}, ""}));
  EXPECT_FALSE(api_->IsInstant({"GET", "/readyz", {}, ""}));
  EXPECT_FALSE(api_->IsInstant({"GET", "/v1/consumption/users", {}, ""}));
  EXPECT_FALSE(api_->IsInstant({"POST", "/v1/limits/check", {}, ""}));
  EXPECT_FALSE(api_->IsInstant({"POST", "/v1/limits/admit", {}, ""})) << "it is begun";
}

// Begins each and ends the round; the answers in their order.
std::vector<HttpResponse> AskAll(Api& api, std::vector<HttpRequest> requests) {
  std::vector<std::promise<HttpResponse>> promises(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_TRUE(api.Begin(requests[i], [&, i](HttpAnswer answer, bool) { promises[i].set_value(answer()); }));
  }
  api.EndRound();
  std::vector<HttpResponse> responses;
  for (auto& promise : promises) responses.push_back(promise.get_future().get());
  return responses;
}

TEST_F(ApiTest, AsksThatBeginTogetherAreEachAnsweredAsTheyWouldBeAlone) {
  for (bool fsync : {false, true}) {
    fsync_ = fsync;
    Open({});
    HttpRequest admit{"POST", "/v1/limits/admit", {}, R"({"user":"ann","amounts":{"requests":1}})"};
    HttpRequest reserve{"POST", "/v1/limits/reserve", {}, R"({"user":"ann","amounts":{"input_tokens":5}})"};
    HttpRequest broken{"POST", "/v1/limits/admit", {}, R"({"user":"ann")"};
    HttpRequest unknown{"POST", "/v1/limits/admit", {}, R"({"user":"ann","amounts":{"wishes":1}})"};
    std::vector<HttpResponse> responses = AskAll(*api_, {admit, reserve, broken, unknown, admit});
    EXPECT_EQ(responses[0].status, 200) << responses[0].body;
    EXPECT_NE(responses[0].body.find("\"state\":\"admitted\""), std::string::npos) << responses[0].body;
    EXPECT_NE(responses[1].body.find("\"state\":\"open\""), std::string::npos) << responses[1].body;
    EXPECT_EQ(responses[2].status, 400);
    EXPECT_EQ(responses[3].status, 422);
    EXPECT_EQ(responses[4].status, 200);
    EXPECT_EQ(responses[4].headers.back().first, "Odometer-Request-Id");
  }
}

TEST_F(ApiTest, ARetryIsToldTheFirstVerdictAlsoInTheSameRound) {
  HttpRequest ask{"POST", "/v1/limits/reserve", {},
                  R"({"key":"order-1","event_time":"2023-11-16T18:17:03Z","user":"ann","amounts":{"requests":1}})"};
  std::vector<HttpResponse> responses = AskAll(*api_, {ask, ask});
  EXPECT_NE(responses[0].body.find("\"duplicate\":false"), std::string::npos) << responses[0].body;
  EXPECT_NE(responses[1].body.find("\"duplicate\":true"), std::string::npos) << responses[1].body;
  auto verdict_of = [](const std::string& body) { return body.substr(0, body.find("\"duplicate\"")); };
  EXPECT_EQ(verdict_of(responses[0].body), verdict_of(responses[1].body));
}

TEST_F(ApiTest, WhatIsNoAskOrTooLongOrNamesNoTenantIsLeftToAHandler) {
  auto begins = [&](HttpRequest request) { return api_->Begin(request, [](HttpAnswer, bool) { FAIL(); }); };
  EXPECT_FALSE(begins({"GET", "/v1/limits/admit", {}, ""}));
  EXPECT_FALSE(begins({"POST", "/v1/limits/admit?x=1", {}, ""}));
  EXPECT_FALSE(begins({"POST", "/v1/limits/check", {}, ""}));
  EXPECT_FALSE(begins({"POST", "/v1/limits/admit", {}, std::string(100'000, ' ')}));
  EXPECT_FALSE(begins({"POST", "/v1/limits/admit", {{"odometer-tenant", "\xff"}}, "{}"}));
}

TEST_F(ApiTest, WhatWasBegunBeforeAStopIsStillJudged) {
  HttpRequest ask{"POST", "/v1/limits/admit", {}, R"({"user":"ann","amounts":{"requests":1}})"};
  std::promise<HttpResponse> answered;
  ASSERT_TRUE(api_->Begin(ask, [&](HttpAnswer answer, bool) { answered.set_value(answer()); }));
  api_->StopWaiting();
  api_->EndRound();
  EXPECT_EQ(answered.get_future().get().status, 200);
}

}  // namespace
}  // namespace odometer
