#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <latch>
#include <mutex>
#include <thread>

#include "consumers/http/json_writer.h"
#include "consumers/http/message.h"
#include "consumers/http/server.h"

namespace odometer {
namespace {

// --- targets

TEST(SplitTargetTest, DecodesSegmentsOneByOne) {
  Target target = SplitTarget("/v1/users/a%2Fb%20c/vector-usage?limit=5&q=a+b%2B").value();
  EXPECT_EQ(target.segments, (std::vector<std::string>{"v1", "users", "a/b c", "vector-usage"}));
  ASSERT_EQ(target.query.size(), 2u);
  EXPECT_EQ(target.query[0], (std::pair<std::string, std::string>("limit", "5")));
  EXPECT_EQ(target.query[1].second, "a b+");
}

TEST(SplitTargetTest, KeepsAPlusInAPath) { EXPECT_EQ(SplitTarget("/a+b")->segments[0], "a+b"); }

TEST(SplitTargetTest, RefusesWhatIsBroken) {
  for (const char* target : {"", "v1", "http://x/", "*", "/a%", "/a%2", "/a%zz", "/%ff", "/%c0%af", "/a b", "/a#b",
                             "/a?b=%ff", "/?=1", "/a\x7f"}) {
    EXPECT_FALSE(SplitTarget(target).ok()) << target;
  }
}

TEST(SplitTargetTest, NamesAParameterThatIsGivenTwice) {
  Result<Target> target = SplitTarget("/?us%65r=a&user=b");
  ASSERT_FALSE(target.ok());
  EXPECT_NE(target.status().message().find("'user'"), std::string::npos);
}

// --- heads

TEST(ScanHeadTest, FindsTheEndOfTheHeadWhereverItsBytesAreCut) {
  std::string head = "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
  for (size_t i = 0; i < head.size(); ++i) {
    EXPECT_EQ(ScanHead(std::string_view(head).substr(0, i)).kind, HeadScan::Kind::kMore) << i;
  }
  HeadScan scan = ScanHead(head + "body");
  EXPECT_EQ(scan.kind, HeadScan::Kind::kDone);
  EXPECT_EQ(scan.size, head.size());
  EXPECT_EQ(scan.fields, 2u);
}

TEST(ScanHeadTest, RefusesEveryLenientForm) {
  for (std::string_view head :
       {"GET / HTTP/1.1\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\n\r\n", "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: x\r\n\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"}) {
    EXPECT_EQ(ScanHead(head).kind, HeadScan::Kind::kBad) << head;
  }
  EXPECT_EQ(ScanHead(std::string_view("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 24)).kind, HeadScan::Kind::kBad);
}

TEST(OnlyHeaderTest, IsAnErrorWhenItCameTwice) {
  HttpRequest request;
  request.headers = {{"a", "1"}, {"b", "2"}, {"a", "1"}};
  EXPECT_EQ(OnlyHeader(request, "b").value(), "2");
  EXPECT_EQ(OnlyHeader(request, "c").value(), "");
  EXPECT_FALSE(OnlyHeader(request, "a").ok());
}

// --- JSON

TEST(JsonWriterTest, WritesIntegersThatLoseDigitsElsewhereAsTexts) {
  JsonWriter json;
  json.Array()
      .Int(9007199254740992)
      .Int(9007199254740993)
      .Int(-9007199254740993)
      .Unsigned(UINT64_MAX)
      .Int(INT64_MIN)
      .End();
  EXPECT_EQ(json.text(),
            "[9007199254740992,\"9007199254740993\",\"-9007199254740993\",\"18446744073709551615\",\"-"
            "9223372036854775808\"]");
}

TEST(JsonWriterTest, EscapesWhatATextMayNotHold) {
  JsonWriter json;
  json.Object().Field("a\"b", "c\\d\n\x01\x7f\xc3\xa9").Key("t").Time(-1).Key("n").Null().End();
  EXPECT_EQ(json.text(), "{\"a\\\"b\":\"c\\\\d\\u000a\\u0001\\u007f\xc3\xa9\",\"t\":null,\"n\":null}");
}

TEST(JsonWriterTest, EscapesACharacterWhereverItStandsAndNoOther) {
  for (size_t size = 1; size < 20; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text(size, '\xff');
        text[at] = static_cast<char>(c);
        std::string written = text.substr(0, at);
        if (c < 0x20 || c == 0x7f) {
          written += fmt::format("\\u{:04x}", c);
        } else {
          written += c == '"' || c == '\\' ? "\\" : "";
          written += text[at];
        }
        JsonWriter json;
        json.Array().Text("before").Text(text).End();
        std::string expected = "[\"before\",\"" + written + text.substr(at + 1) + "\"]";
        ASSERT_EQ(json.Take(), expected) << size << " " << at << " " << c;
      }
    }
  }
}

TEST(JsonWriterTest, GrowsBeyondTheRoomThatItBeginsWith) {
  JsonWriter json;
  json.Array();
  std::string expected = "[";
  for (int i = 0; i < 2'000; ++i) {
    json.Text(std::string(static_cast<size_t>(i % 90), 'x')).Int(i);
    expected += fmt::format("{}\"{}\",{}", i > 0 ? "," : "", std::string(static_cast<size_t>(i % 90), 'x'), i);
  }
  EXPECT_EQ(json.End().Take(), expected + "]");
}

// --- the server

class Socket {
 public:
  explicit Socket(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;

  bool connected() const { return connected_; }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // The next answer, head and body; what there is of it when the server closes.
  std::string Answer() {
    size_t need = std::string::npos;
    for (;;) {
      size_t end = buffer_.find("\r\n\r\n");
      if (end != std::string::npos && need == std::string::npos) need = end + 4 + BodySize(buffer_.substr(0, end));
      if (buffer_.size() >= need) break;
      if (!Receive()) return std::exchange(buffer_, "");
    }
    std::string answer = buffer_.substr(0, need);
    buffer_.erase(0, need);
    return answer;
  }
  bool AtEnd() {
    while (Receive()) continue;
    return buffer_.empty();
  }

 private:
  static size_t BodySize(const std::string& head) {
    size_t at = head.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
  }
  bool Receive() {
    char bytes[4096];
    ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n > 0) buffer_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }

  int fd_;
  bool connected_ = false;
  std::string buffer_;
};

int StatusOf(const std::string& answer) { return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3)); }
std::string BodyOf(const std::string& answer) {
  return answer.substr(std::min(answer.find("\r\n\r\n") + 4, answer.size()));
}

class HttpServerTest : public testing::Test {
 protected:
  void Start() {
    options_.handler = [this](const HttpRequest& request) { return handler_(request); };
    options_.refuse = [](int status, std::string_view detail) {
      return HttpResponse{status, "application/problem+json", std::string(detail), {}};
    };
    server_ = HttpServer::Start(options_, SystemClock()).value();
  }
  std::unique_ptr<Socket> Connect() { return std::make_unique<Socket>(server_->port()); }
  static HttpAnswer Saying(std::string text) {
    return [text = std::move(text)] { return HttpResponse{200, "text/plain", text, {}}; };
  }
  static std::string Get(std::string_view target) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  static std::string Post(std::string_view body) {
    return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  }

  HttpServerOptions options_;
  std::function<HttpResponse(const HttpRequest&)> handler_ = [](const HttpRequest& request) {
    return HttpResponse{200, "text/plain", request.method + " " + request.target + " " + request.body, {}};
  };
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersPipelinedRequestsOfOneConnectionInOrder) {
  Start();
  auto socket = Connect();
  socket->Send(Get("/1") + Post("two") + Get("/3"));
  EXPECT_EQ(BodyOf(socket->Answer()), "GET /1 ");
  EXPECT_EQ(BodyOf(socket->Answer()), "POST / two");
  EXPECT_EQ(BodyOf(socket->Answer()), "GET /3 ");
}

TEST_F(HttpServerTest, ReadsARequestThatComesByteByByte) {
  Start();
  auto socket = Connect();
  for (char c : Post("body")) socket->Send(std::string_view(&c, 1));
  EXPECT_EQ(BodyOf(socket->Answer()), "POST / body");
}

TEST_F(HttpServerTest, ReadsAChunkedBody) {
  Start();
  auto socket = Connect();
  socket->Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n" +
               Get("/next"));
  EXPECT_EQ(BodyOf(socket->Answer()), "POST / abcde");
  EXPECT_EQ(BodyOf(socket->Answer()), "GET /next ");
}

TEST_F(HttpServerTest, SaysContinueToWhoWaitsForIt) {
  Start();
  auto socket = Connect();
  socket->Send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(StatusOf(socket->Answer()), 100);
  socket->Send("ab");
  EXPECT_EQ(BodyOf(socket->Answer()), "POST / ab");
}

TEST_F(HttpServerTest, ClosesWhenAsked) {
  Start();
  auto socket = Connect();
  socket->Send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(StatusOf(socket->Answer()), 200);
  EXPECT_TRUE(socket->AtEnd());
  auto old = Connect();
  old->Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(StatusOf(old->Answer()), 200);
  EXPECT_TRUE(old->AtEnd());
}

TEST_F(HttpServerTest, SendsNoBodyToHead) {
  Start();
  auto socket = Connect();
  socket->Send("HEAD /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer = socket->Answer();
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_NE(answer.find("Content-Length: 8"), std::string::npos) << answer;
  EXPECT_EQ(BodyOf(answer), "");
}

TEST_F(HttpServerTest, RefusesABodyAboveItsLimitWithoutReadingIt) {
  options_.body_bytes_max = 100;
  Start();
  auto socket = Connect();
  socket->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n");
  EXPECT_EQ(StatusOf(socket->Answer()), 413);
  auto chunked = Connect();
  chunked->Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n" + std::string(200, 'a'));
  EXPECT_EQ(StatusOf(chunked->Answer()), 413);
  auto fits = Connect();
  fits->Send(Post(std::string(100, 'a')));
  EXPECT_EQ(StatusOf(fits->Answer()), 200);
}

TEST_F(HttpServerTest, RefusesAHeadAboveItsLimits) {
  options_.head_bytes_max = 1000;
  options_.target_bytes_max = 200;
  options_.fields_max = 5;
  Start();
  for (const auto& [request, status] : std::vector<std::pair<std::string, int>>{
           {Get("/" + std::string(300, 'a')), 414},
           {"GET /" + std::string(2000, 'a'), 414},
           {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(2000, 'a'), 431},
           {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", 431},
           {"GET / HTTP/1.1\r\nA: b\r\n\r\n", 400},
           {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400}}) {
    auto socket = Connect();
    socket->Send(request);
    EXPECT_EQ(StatusOf(socket->Answer()), status) << request.substr(0, 60);
    EXPECT_TRUE(socket->AtEnd());
  }
}

TEST_F(HttpServerTest, EndsARequestThatComesTooSlowly) {
  options_.head_timeout_us = 50'000;
  options_.body_timeout_us = 50'000;
  options_.idle_timeout_us = 50'000;
  Start();
  auto head = Connect();
  head->Send("GET / HT");
  EXPECT_EQ(StatusOf(head->Answer()), 408);
  auto body = Connect();
  body->Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(StatusOf(body->Answer()), 408);
  auto idle = Connect();
  EXPECT_EQ(idle->Answer(), "");
}

TEST_F(HttpServerTest, AnswersBusyWhenTheQueueIsFullAndStillWhatIsInstant) {
  options_.handler_threads = 1;
  options_.queue_max = 1;
  options_.is_instant = [](const HttpRequest& request) { return request.target == "/instant"; };
  std::promise<void> release;
  std::shared_future<void> released = release.get_future();
  std::latch running(1);
  handler_ = [&](const HttpRequest& request) {
    if (request.target == "/slow") {
      running.count_down();
      released.wait();
    }
    return HttpResponse{200, "text/plain", request.target, {}};
  };
  Start();
  auto slow = Connect();
  slow->Send(Get("/slow"));
  running.wait();
  auto waiting = Connect(), refused = Connect();
  // One of the two takes the place in the queue, the other is refused.
  waiting->Send(Get("/a"));
  refused->Send(Get("/b"));
  auto instant = Connect();
  instant->Send(Get("/instant"));
  EXPECT_EQ(BodyOf(instant->Answer()), "/instant");
  std::vector<std::future<std::string>> answers;
  answers.push_back(std::async(std::launch::async, [&] { return waiting->Answer(); }));
  answers.push_back(std::async(std::launch::async, [&] { return refused->Answer(); }));
  while (answers[0].wait_for(std::chrono::milliseconds(1)) != std::future_status::ready &&
         answers[1].wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
  }
  release.set_value();
  std::string first = answers[0].get(), second = answers[1].get();
  EXPECT_EQ(StatusOf(first) + StatusOf(second), 703);
  EXPECT_NE((first + second).find("Retry-After: 1"), std::string::npos);
  EXPECT_EQ(BodyOf(slow->Answer()), "/slow");
}

TEST_F(HttpServerTest, WhatIsBegunIsAnsweredByAnotherThreadAndItsRoundIsEnded) {
  std::mutex mutex;
  std::vector<std::pair<std::string, HttpReply>> begun;
  std::atomic<int> rounds = 0;
  options_.begin = [&](HttpRequest& request, const HttpReply& reply) {
    if (request.target == "/later") {
      std::lock_guard lock(mutex);
      begun.emplace_back(std::move(request.body), reply);
      return true;
    }
    if (request.target == "/now") reply(Saying("now"), false);
    return request.target == "/now";
  };
  options_.end_round = [&] {
    ++rounds;
    std::vector<std::pair<std::string, HttpReply>> round;
    {
      std::lock_guard lock(mutex);
      round.swap(begun);
    }
    std::thread([round = std::move(round)] {
      for (const auto& each : round) each.second(Saying("later " + each.first), &each != &round.back());
    }).detach();
  };
  Start();
  auto later = [](std::string_view body) {
    return "POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  };
  auto one = Connect(), other = Connect();
  for (int i = 0; i < 20; ++i) {
    one->Send(later("a") + Get("/now") + later("b") + Get("/handled"));
    other->Send(later("c"));
    EXPECT_EQ(BodyOf(one->Answer()), "later a");
    EXPECT_EQ(BodyOf(one->Answer()), "now");
    EXPECT_EQ(BodyOf(one->Answer()), "later b");
    EXPECT_EQ(BodyOf(one->Answer()), "GET /handled ") << "not taken: a handler's";
    EXPECT_EQ(BodyOf(other->Answer()), "later c");
  }
  EXPECT_GE(rounds, 40);
}

TEST_F(HttpServerTest, WhoLeavesBeforeItsAnswerIsForgottenAndAStopDoesNotWaitForReplies) {
  options_.stop_us = 50'000;
  std::promise<HttpReply> taken;
  options_.begin = [&](HttpRequest&, const HttpReply& reply) {
    taken.set_value(reply);
    return true;
  };
  options_.end_round = [] {};
  Start();
  auto socket = Connect();
  socket->Send(Get("/"));
  HttpReply reply = taken.get_future().get();
  server_->Stop();
  EXPECT_TRUE(socket->AtEnd());
  reply(Saying("too late"), false);
  server_.reset();
  reply(Saying("too late"), false);
}

TEST_F(HttpServerTest, ARequestIsAnsweredOnceHoweverOftenItIsReplied) {
  std::vector<HttpReply> replies;  // of one connection's thread
  options_.begin = [&](HttpRequest& request, const HttpReply& reply) {
    if (request.target == "/throws") throw std::runtime_error("x");
    for (const HttpReply& earlier : replies) earlier(Saying("again"), false);
    replies.push_back(reply);
    reply(Saying(request.target), false);
    reply(Saying("twice"), false);
    return true;
  };
  options_.end_round = [] {};
  Start();
  auto socket = Connect();
  for (std::string target : {"/1", "/2", "/3"}) {
    socket->Send(Get(target));
    EXPECT_EQ(BodyOf(socket->Answer()), target);
  }
  socket->Send(Get("/throws"));
  EXPECT_EQ(StatusOf(socket->Answer()), 500);
  socket->Send(Get("/4"));
  EXPECT_EQ(BodyOf(socket->Answer()), "/4");
}

TEST_F(HttpServerTest, SendsALongAnswerToWhoReadsSlowly) {
  std::string body(8 << 20, 'x');
  handler_ = [&](const HttpRequest&) { return HttpResponse{200, "text/plain", body, {}}; };
  Start();
  auto socket = Connect();
  socket->Send(Get("/1") + Get("/2"));
  EXPECT_EQ(BodyOf(socket->Answer()).size(), body.size());
  EXPECT_EQ(BodyOf(socket->Answer()).size(), body.size());
}

TEST_F(HttpServerTest, AnswersAsManyPipelinedRequestsAsThereAre) {
  options_.is_instant = [](const HttpRequest&) { return true; };
  Start();
  auto socket = Connect();
  std::string requests;
  for (int i = 0; i < 20'000; ++i) requests += Get("/");
  std::thread send([&] { socket->Send(requests); });
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(StatusOf(socket->Answer()), 200);
  send.join();
}

TEST_F(HttpServerTest, TakesAsManyConnectionsAsItMay) {
  options_.connections_max = 2;
  Start();
  auto first = Connect(), second = Connect();
  first->Send(Get("/1"));
  EXPECT_EQ(StatusOf(first->Answer()), 200);
  second->Send(Get("/2"));
  EXPECT_EQ(StatusOf(second->Answer()), 200);
  auto third = Connect();
  EXPECT_EQ(StatusOf(third->Answer()), 503);
}

TEST_F(HttpServerTest, FinishesARunningRequestBeforeItStops) {
  std::promise<void> release;
  std::latch running(1);
  handler_ = [&](const HttpRequest&) {
    running.count_down();
    release.get_future().wait();
    return HttpResponse{200, "text/plain", "done", {}};
  };
  Start();
  auto idle = Connect(), busy = Connect();
  busy->Send(Get("/"));
  running.wait();
  std::thread stop([&] { server_->Stop(); });
  EXPECT_EQ(idle->Answer(), "");
  release.set_value();
  std::string answer = busy->Answer();
  stop.join();
  EXPECT_EQ(BodyOf(answer), "done");
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_FALSE(Connect()->connected());
}

TEST_F(HttpServerTest, StopsInTimeWhenAClientDoesNotEndItsRequest) {
  options_.stop_us = 100'000;
  Start();
  auto socket = Connect();
  socket->Send(Get("/1"));
  EXPECT_EQ(StatusOf(socket->Answer()), 200);
  socket->Send("GET / HT");
  server_->Stop();
  EXPECT_TRUE(socket->AtEnd());
}

TEST_F(HttpServerTest, SaysWhereItListensAndThatAnAddressIsTaken) {
  Start();
  EXPECT_EQ(server_->address(), "127.0.0.1:" + std::to_string(server_->port()));
  HttpServerOptions again = options_;
  again.port = server_->port();
  EXPECT_EQ(HttpServer::Start(again, SystemClock()).status().code(), Code::kConflict);
  again.host = "localhost.";
  EXPECT_EQ(HttpServer::Start(again, SystemClock()).status().code(), Code::kInvalid);
}

TEST_F(HttpServerTest, TurnsAnExceptionIntoAnAnswer) {
  handler_ = [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("x"); };
  Start();
  auto socket = Connect();
  socket->Send(Get("/"));
  EXPECT_EQ(StatusOf(socket->Answer()), 500);
}

TEST_F(HttpServerTest, ServesManyConnectionsAtOnce) {
  Start();
  std::vector<std::thread> clients;
  std::atomic<int> served{0};
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&] {
      auto socket = Connect();
      for (int n = 0; n < 20; ++n) {
        socket->Send(Post("x"));
        served += StatusOf(socket->Answer()) == 200;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 320);
}

}  // namespace
}  // namespace odometer
