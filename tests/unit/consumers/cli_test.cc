#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <sstream>

#include "consumers/cli/event_sender.h"
#include "consumers/cli/event_text.h"
#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/progress.h"

namespace odometer::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// --- EventSender

// A daemon that answers as it is told and remembers what it was sent.
class FakeDaemon {
 public:
  EventSender::Poster poster() {
    return [this](const std::string& path, const std::string& body) -> Result<HttpResponse> {
      paths.push_back(path);
      bodies.push_back(body);
      Result<HttpResponse> answer = answers.front();
      answers.pop_front();
      return answer;
    };
  }
  void Answer(int status, std::string body, std::optional<int64_t> retry_after_s = std::nullopt) {
    answers.push_back(HttpResponse{status, std::move(body), retry_after_s});
  }
  void BeAway() { answers.push_back(Status(Code::kUnavailable, "no answer")); }

  std::deque<Result<HttpResponse>> answers;
  std::vector<std::string> paths;
  std::vector<std::string> bodies;
};

struct Sent {
  std::vector<std::string> refusals;
  std::vector<int64_t> pauses_ms;
  SenderOptions options;

  Sent() {
    options.on_refused = [this](const SentEvent& event, const Refusal& why) {
      refusals.push_back(std::to_string(event.number) + " " + why.reason + " " + why.field);
    };
    options.sleep = [this](int64_t ms) { pauses_ms.push_back(ms); };
  }
};

constexpr char kTwoApplied[] =
    R"({"accepted":2,"refused":0,"position":"p3.7","outcomes":{"applied":2,"duplicate":0,"quarantined":0},"items":[]})";

TEST(EventSender, ABatchIsOneRequestOfLines) {
  FakeDaemon daemon;
  daemon.Answer(202, kTwoApplied);
  daemon.Answer(202, R"({"accepted":1,"refused":0,"position":"p3.8","outcomes":{"duplicate":"1"},"items":[]})");
  Sent sent;
  sent.options.batch_events_max = 2;
  EventSender sender(daemon.poster(), sent.options);
  for (uint64_t i = 1; i <= 3; ++i) EXPECT_FALSE(sender.Add({i, "{\"n\":" + std::to_string(i) + "}", ""}).has_value());
  EXPECT_FALSE(sender.Flush().has_value());
  EXPECT_FALSE(sender.Flush().has_value());
  EXPECT_EQ(daemon.paths, std::vector<std::string>(2, "/v1/events?wait=folded&wait_ms=30000"));
  EXPECT_THAT(daemon.bodies, ElementsAre("{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n"));
  EXPECT_EQ(sender.totals().sent, 3u);
  EXPECT_EQ(sender.totals().applied, 2u);
  EXPECT_EQ(sender.totals().duplicates, 1u);
  EXPECT_EQ(sender.totals().pending, 0u);
  EXPECT_EQ(sender.totals().position, "p3.8");
}

TEST(EventSender, ABatchStaysBelowItsBytes) {
  FakeDaemon daemon;
  daemon.Answer(202, R"({"accepted":1})");
  daemon.Answer(202, R"({"accepted":1})");
  Sent sent;
  sent.options.batch_bytes_max = 20;
  sent.options.wait_for_fold = false;
  EventSender sender(daemon.poster(), sent.options);
  for (uint64_t i = 1; i <= 2; ++i) EXPECT_FALSE(sender.Add({i, std::string(12, 'x'), ""}).has_value());
  EXPECT_FALSE(sender.Flush().has_value());
  EXPECT_EQ(daemon.bodies.size(), 2u);
  EXPECT_EQ(daemon.paths[0], "/v1/events?wait=appended");
  EXPECT_EQ(sender.totals().pending, 2u);
}

TEST(EventSender, WhatIsRefusedOrQuarantinedIsReportedByItsOwnNumber) {
  FakeDaemon daemon;
  daemon.Answer(202, R"({"accepted":2,"refused":1,"position":"p0.9","outcomes":{"applied":1,"quarantined":1},"items":[
      {"index":0,"status":"accepted","outcome":"applied"},
      {"index":1,"status":"refused","reason":"negative_amount","field":"tokens.output","message":"m"},
      {"index":2,"status":"accepted","outcome":"quarantined"},
      {"index":99,"status":"refused","reason":"beyond"}]})");
  Sent sent;
  EventSender sender(daemon.poster(), sent.options);
  for (uint64_t i = 41; i <= 43; ++i) EXPECT_FALSE(sender.Add({i, "{}", ""}).has_value());
  EXPECT_FALSE(sender.Flush().has_value());
  EXPECT_THAT(sent.refusals, ElementsAre("42 negative_amount tokens.output", "43 quarantined "));
  EXPECT_EQ(sender.totals().refused, 1u);
  EXPECT_EQ(sender.totals().quarantined, 1u);
}

TEST(EventSender, A503IsAskedAgainWithTheSameBytesAndGrowingPauses) {
  FakeDaemon daemon;
  daemon.Answer(503, "");
  daemon.Answer(503, "", 2);
  daemon.BeAway();
  daemon.Answer(202, kTwoApplied);
  Sent sent;
  EventSender sender(daemon.poster(), sent.options);
  EXPECT_FALSE(sender.Add({1, "{}", ""}).has_value());
  EXPECT_FALSE(sender.Flush().has_value());
  EXPECT_THAT(sent.pauses_ms, ElementsAre(100, 2000, 400));
  EXPECT_THAT(daemon.bodies, ElementsAre("{}\n", "{}\n", "{}\n", "{}\n"));
  EXPECT_EQ(sender.totals().retries, 3u);
  EXPECT_EQ(sender.totals().applied, 2u);
}

TEST(EventSender, ADaemonThatNeverAnsweredIsNotWaitedFor) {
  FakeDaemon daemon;
  daemon.BeAway();
  Sent sent;
  EventSender sender(daemon.poster(), sent.options);
  EXPECT_FALSE(sender.Add({1, "{}", ""}).has_value());
  std::optional<Failure> failure = sender.Flush();
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->exit_code, kExitUnreachable);
  EXPECT_TRUE(sent.pauses_ms.empty());
}

TEST(EventSender, WaitingEndsWhenItsTimeIsUp) {
  FakeDaemon daemon;
  for (int i = 0; i < 4; ++i) daemon.Answer(503, R"({"title":"Log is full","detail":"no space"})");
  Sent sent;
  sent.options.retry_for_ms = 500;
  EventSender sender(daemon.poster(), sent.options);
  EXPECT_FALSE(sender.Add({1, "{}", ""}).has_value());
  std::optional<Failure> failure = sender.Flush();
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->exit_code, kExitUnreachable);
  EXPECT_EQ(failure->message, "the daemon answered 503: Log is full: no space");
  EXPECT_THAT(sent.pauses_ms, ElementsAre(100, 200, 200));
}

TEST(EventSender, ARefusalOfTheWholeRequestEndsTheRun) {
  for (auto [status, exit_code] : {std::pair{400, kExitBadData}, {401, kExitAuth}, {403, kExitAuth},
                                   {413, kExitBadData}, {500, kExitUnreachable}}) {
    FakeDaemon daemon;
    daemon.Answer(status, "not JSON");
    Sent sent;
    EventSender sender(daemon.poster(), sent.options);
    EXPECT_FALSE(sender.Add({1, "{}", ""}).has_value());
    std::optional<Failure> failure = sender.Flush();
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->exit_code, exit_code) << status;
  }
}

TEST(EventSender, AllRefusedIsAnAnswerAndNotAFailure) {
  FakeDaemon daemon;
  daemon.Answer(422, R"({"accepted":0,"refused":1,"items":[{"index":0,"status":"refused","reason":"unknown_type"}]})");
  Sent sent;
  EventSender sender(daemon.poster(), sent.options);
  EXPECT_FALSE(sender.Add({1, "{}", ""}).has_value());
  EXPECT_FALSE(sender.Flush().has_value());
  EXPECT_THAT(sent.refusals, ElementsAre("1 unknown_type "));
}

// --- The events that `emit` sends

const EnvelopeDefaults kDefaults{"018f-key", 1'700'000'000'000'000};

TEST(EventText, FlagsMakeAnEventWithTypedValues) {
  EventFlags flags;
  flags.type = "TurnRecorded";
  flags.user = "ada";
  flags.sets = {"status=success", "tokens.output=12", "rag.used=true", "rag.collections=a,b", "error_type="};
  EXPECT_EQ(*EventFromFlags(flags, kDefaults),
            R"({"type":"TurnRecorded","key":"018f-key","source":"odometer-cli",)"
            R"("event_time":"2023-11-14T22:13:20.000000Z","user":"ada","status":"success","tokens":{"output":12},)"
            R"("rag":{"used":true,"collections":["a","b"]},"error_type":""})");
}

TEST(EventText, FlagsThatTheTypeCannotHaveAreRefused) {
  EventFlags flags;
  flags.type = "TurnRecorded";
  for (const char* set :
       {"tokens.outputs=1", "tokens.output=1.5", "tokens.output=ten", "rag.used=1", "status=fine", "x"}) {
    flags.sets = {set};
    EXPECT_FALSE(EventFromFlags(flags, kDefaults).ok()) << set;
  }
  flags.sets = {};
  flags.time = "yesterday";
  EXPECT_FALSE(EventFromFlags(flags, kDefaults).ok());
  EventFlags genesis;
  genesis.type = "Genesis";
  EXPECT_FALSE(EventFromFlags(genesis, kDefaults).ok());
  EventFlags session;
  session.type = "CaseChampioned";
  session.session = "s";
  EXPECT_FALSE(EventFromFlags(session, kDefaults).ok());
}

TEST(EventText, AnEventIsCompletedOnlyWhereARetryWouldDiffer) {
  auto defaults = [] { return kDefaults; };
  EXPECT_EQ(*CompletedEvent("{ \"type\":\"Tick\",\n\"a\": 1.50 }", defaults),
            R"({"key":"018f-key","source":"odometer-cli","event_time":"2023-11-14T22:13:20.000000Z",)"
            R"( "type":"Tick", "a": 1.50 })");
  const std::string whole = R"({"key":"k","event_time":1,"x":18446744073709551616})";
  EXPECT_EQ(*CompletedEvent(whole, defaults), whole);
  EXPECT_EQ(*CompletedEvent(R"({"id":"i"})", defaults),
            R"({"event_time":"2023-11-14T22:13:20.000000Z","id":"i"})");
  EXPECT_EQ(*CompletedEvent("{}", defaults), "{}");
  for (const char* text : {"", "[]", "7", "{\"a\":}", "{} {}"}) {
    EXPECT_FALSE(CompletedEvent(text, defaults).ok()) << text;
  }
}

// --- What people see

TEST(Table, ColumnsAreAsWideAsTheirCellsAndNothingSteersTheTerminal) {
  Table table({{"user"}, {"requests", Align::kRight}, {"note"}});
  table.Add({"ünï", "1,234", "\x1b[31mred\n"});
  table.Add({"a", "7"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "user  requests  note\n"
            "ünï      1,234  ?[31mred?\n"
            "a            7\n");
}

TEST(Output, NumbersAreGroupedAndBigOnesMayComeAsText) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(-1234567), "-1,234,567");
  EXPECT_EQ(Grouped(-123), "-123");
  EXPECT_EQ(Dollars(12'000'375'000), "12.000375");
  EXPECT_EQ(Dollars(-5), "-0.000000005");
  EXPECT_EQ(Dollars(0), "0.00");
  EXPECT_EQ(Dollars(INT64_MIN), "-9,223,372,036.854775808");
  EXPECT_EQ(IntegerOf(nlohmann::json::parse("9007199254740993")), 9'007'199'254'740'993);
  EXPECT_EQ(IntegerOf(nlohmann::json::parse("\"9007199254740993\"")), 9'007'199'254'740'993);
  EXPECT_EQ(IntegerOf(nlohmann::json::parse("\"12x\""), -1), -1);
  auto row = nlohmann::json::parse(R"({"a":12345,"b":"text","c":null,"d":[1]})");
  EXPECT_EQ(CellOf(row, "a"), "12,345");
  EXPECT_EQ(CellOf(row, "b"), "text");
  EXPECT_EQ(CellOf(row, "c"), "-");
  EXPECT_EQ(CellOf(row, "d"), "[1]");
  EXPECT_EQ(CellOf(row, "e"), "-");
  EXPECT_EQ(Shown("äöü", 2), "äö…");
}

TEST(Progress, ALineEveryFiveSecondsWithoutATerminal) {
  ManualClock clock(0);
  std::ostringstream out;
  Progress progress(out, false, "code.csv", 1000, clock);
  progress.Update(1, 10);
  EXPECT_EQ(out.str(), "");
  clock.Advance(5'000'000);
  progress.Update(500, 250);
  progress.Update(501, 251);
  EXPECT_EQ(out.str(), "code.csv: 500 rows, 100/s, 25 %, 15 s left\n");
}

TEST(Progress, OneMovingLineOnATerminalThatIsTakenAway) {
  ManualClock clock(0);
  std::ostringstream out;
  {
    Progress progress(out, true, "emit", 0, clock);
    clock.Advance(1'000'000);
    progress.Update(2000, 10);
  }
  EXPECT_EQ(out.str(), "\remit: 2,000 rows, 2,000/s\033[K\r\033[K");
}

TEST(HttpClient, QueriesAreEncodedAndEmptyOnesLeftOut) {
  EXPECT_EQ(QueryString({{"sort", ""}, {"cursor", "a b/ü&="}, {"limit", "5"}}), "?cursor=a%20b%2F%C3%BC%26%3D&limit=5");
  EXPECT_EQ(QueryString({{"sort", ""}}), "");
}

TEST(HttpClient, NobodyThereIsUnavailableAndNotACrash) {
  HttpClient client({.server = "http://127.0.0.1:1/", .tenant = "t"});
  Result<HttpResponse> response = client.Get("/v1/version");
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.status().code(), Code::kUnavailable);
  EXPECT_THAT(response.status().message(), StartsWith("no answer from http://127.0.0.1:1:"));
}

TEST(HttpClient, AnAddressThatIsNoneIsInvalid) {
  HttpClient client({.server = "ftp://127.0.0.1", .tenant = "t"});
  EXPECT_EQ(client.Get("/").status().code(), Code::kInvalid);
}

}  // namespace
}  // namespace odometer::cli
