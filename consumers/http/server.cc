#include "consumers/http/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/period.h"
#include "core/scheduling.h"

namespace odometer {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;
using boost::system::error_code;

constexpr int64_t kLingerUs = 1'000'000;  // how long an answer to a half-read request may take to be seen
constexpr size_t kLingerBytes = 16u << 20;
constexpr size_t kAnswerBytesKept = 64u << 10;  // of a connection's buffer, from one answer to the next

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string HttpDate(int64_t now_us) {
  static const char* const kDays[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static const char* const kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  int64_t day = DayOf(FoldTime{now_us});
  CivilDay civil = CivilOf(day);
  int second = static_cast<int>((now_us - day * kUsPerDay) / kUsPerSecond);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[((day % 7) + 7) % 7], civil.day,
                kMonths[civil.month - 1], static_cast<int>(civil.year), second / 3600, second / 60 % 60, second % 60);
  return text;
}

void AppendHeader(std::string_view name, std::string_view value, std::string* out) {
  *out += name;
  *out += ": ";
  *out += value;
  *out += "\r\n";
}

void AppendNumber(size_t number, std::string* out) {
  char digits[20];
  out->append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// The last of a name stands.
void AppendHeaders(const std::vector<std::pair<std::string, std::string>>& headers, std::string* out) {
  for (auto at = headers.begin(); at != headers.end(); ++at) {
    auto is_same = [&](const auto& later) { return later.first == at->first; };
    if (std::none_of(at + 1, headers.end(), is_same)) AppendHeader(at->first, at->second, out);
  }
}

std::string LowerCase(beast::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return lower;
}

}  // namespace

// Shared by the server and its sessions; sessions keep it alive.
struct HttpServer::Impl {
  class Session;

  Impl(HttpServerOptions options, Clock& clock)
      : options(std::move(options)),
        clock(clock),
        loops(NewLoops(this->options.io_threads)),
        acceptor(loops.front()->io),
        handlers(this->options.handler_threads) {}

  Status Listen();
  void Accept();
  void Join();
  // Takes the session off the list; the last one wakes Join().
  void Forget(Session* session);

  // Strong references, so that no session ends, and asks for the mutex, while it is held.
  std::vector<std::shared_ptr<Session>> Sessions();

  HttpServerOptions options;
  Clock& clock;
  std::atomic<size_t> queued{0};
  std::atomic<bool> stopping{false};
  bool joined = false;  // of Stop()'s thread

  std::mutex mutex;  // guards the two below, which end after everything that may hold a session
  std::condition_variable all_gone;
  std::map<Session*, std::weak_ptr<Session>> sessions;

  // One thread's, and its sockets'. A loop that many threads run wakes another of them at every step of a request.
  struct Loop {
    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{
        io.get_executor()};  // also while handlers have it all
    std::atomic<int> sockets = 0;
    bool is_round_open = false;
    std::string date;  // as headers have it, of date_s
    int64_t date_s = -1;

    bool is_own_thread() { return io.get_executor().running_in_this_thread(); }
    const std::string& DateAt(int64_t now_us);
  };
  static std::vector<std::unique_ptr<Loop>> NewLoops(int count) {
    std::vector<std::unique_ptr<Loop>> loops;
    for (int i = 0; i < count; ++i) loops.push_back(std::make_unique<Loop>());
    return loops;
  }
  // What is posted comes after all that epoll has said so far: the round is what came to the loop's sockets together.
  // A socket that is alone waits for no other.
  void EndRoundSoon(Loop& loop) {
    if (loop.sockets == 1) return options.end_round();
    if (std::exchange(loop.is_round_open, true)) return;
    asio::post(loop.io, [this, &loop] {
      loop.is_round_open = false;
      options.end_round();
    });
  }

  std::vector<std::unique_ptr<Loop>> loops;
  size_t next_loop = 0;  // of the first one's thread
  tcp::acceptor acceptor;
  tcp::endpoint endpoint;
  asio::thread_pool handlers;
  std::vector<std::thread> io_threads;
};

const std::string& HttpServer::Impl::Loop::DateAt(int64_t now_us) {
  if (int64_t now_s = now_us / kUsPerSecond; now_s != date_s) {
    date = HttpDate(now_us);
    date_s = now_s;
  }
  return date;
}

// One connection: reads a head, then a body, waits for its answer, writes it, and starts again. Everything but the
// handler runs on the thread of the socket's loop.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& server, Impl::Loop& loop, tcp::socket socket)
      : server_(server), loop_(loop), socket_(std::move(socket)), timer_(socket_.get_executor()) {
    ++loop_.sockets;
  }
  ~Session() {
    --loop_.sockets;
    server_.Forget(this);
  }

  void Run() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    asio::dispatch(socket_.get_executor(), [self = shared_from_this()] { self->NextRequest(); });
  }

  void RefuseConnection() {
    asio::dispatch(socket_.get_executor(), [self = shared_from_this()] {
      self->Refuse(503, "the server has as many connections as it may have");
    });
  }

  // A connection between two requests closes now, another one after its answer.
  void StopSoon() {
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->idle_) self->Close();
    });
  }

  void CloseNow() {
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->Close(); });
  }

 private:
  using Monotonic = std::chrono::steady_clock;
  static constexpr Monotonic::time_point kNoDeadline = Monotonic::time_point::max();

  void NextRequest() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(server_.options.head_bytes_max + 1));
    parser_->body_limit(server_.options.body_bytes_max);
    timed_out_ = false;
    head_only_ = false;
    idle_ = buffer_.size() == 0;
    if (server_.stopping) return Close();
    SetDeadline(idle_ ? server_.options.idle_timeout_us : server_.options.head_timeout_us);
    ContinueHead();
  }

  void ContinueHead() {
    std::string_view bytes(static_cast<const char*>(buffer_.data().data()), buffer_.size());
    HeadScan scan = ScanHead(bytes);
    const HttpServerOptions& options = server_.options;
    if (scan.kind == HeadScan::Kind::kBad) return Refuse(400, scan.error);
    size_t head_size = scan.kind == HeadScan::Kind::kDone ? scan.size : bytes.size();
    if (head_size > options.head_bytes_max) {
      bool in_line = scan.line_size == 0 || scan.line_size > options.target_bytes_max + 32;
      return in_line ? Refuse(414, "the target is too long") : Refuse(431, "the headers are too long");
    }
    if (scan.fields > options.fields_max) return Refuse(431, "there are too many header lines");
    if (scan.kind == HeadScan::Kind::kDone) return ParseHead();
    socket_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](error_code error, size_t n) { self->OnHeadBytes(error, n); });
  }

  void OnHeadBytes(error_code error, size_t n) {
    if (error) return timed_out_ && !idle_ ? Refuse(408, "the headers took too long") : Close();
    buffer_.commit(n);
    if (idle_) {
      idle_ = false;
      SetDeadline(server_.options.head_timeout_us);
    }
    ContinueHead();
  }

  void ParseHead() {
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error == http::error::body_limit) return Refuse(413, "the body is too long");
    if (error && error != http::error::need_more) return Refuse(400, "the head is not HTTP/1.1: " + error.message());
    if (!parser_->is_header_done()) return Refuse(400, "the head is not HTTP/1.1");
    const auto& head = parser_->get();
    if (head.version() != 11 && head.version() != 10) return Refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    if (head.version() == 10 && parser_->chunked()) return Refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (head.version() == 11 && head.count(http::field::host) == 0) return Refuse(400, "Host is missing");
    if (head.target().size() > server_.options.target_bytes_max) return Refuse(414, "the target is too long");
    beast::string_view expect = head[http::field::expect];
    if (!expect.empty() && !beast::iequals(expect, "100-continue")) return Refuse(417, "Expect is not 100-continue");
    if (parser_->is_done()) return Dispatch();
    if (buffer_.size() > 0) return TakeBody();
    SetDeadline(server_.options.body_timeout_us);
    if (expect.empty()) return ReadBody();
    static const std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(socket_, asio::buffer(kContinue), [self = shared_from_this()](error_code failed, size_t) {
      failed ? self->Close() : self->ReadBody();
    });
  }

  // What has come of the body with the head; as good as always that is all of it.
  void TakeBody() {
    parser_->eager(true);
    error_code error;
    while (!error && !parser_->is_done() && buffer_.size() > 0) buffer_.consume(parser_->put(buffer_.data(), error));
    if (error && error != http::error::need_more) return BodyFailed(error);
    if (parser_->is_done()) return Dispatch();
    SetDeadline(server_.options.body_timeout_us);
    ReadBody();
  }

  void ReadBody() {
    http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
      error ? self->BodyFailed(error) : self->Dispatch();
    });
  }

  void BodyFailed(error_code error) {
    if (timed_out_) return Refuse(408, "the body took too long");
    if (error == http::error::body_limit) return Refuse(413, "the body is too long");
    if (error.category() == error_code(http::error::bad_chunk).category() && error != http::error::partial_message &&
        error != http::error::end_of_stream) {
      return Refuse(400, "the body is not HTTP/1.1: " + error.message());
    }
    Close();
  }

  void Dispatch() {
    deadline_ = kNoDeadline;
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    head_only_ = request.method == "HEAD";
    for (const auto& field : message) request.headers.emplace_back(LowerCase(field.name_string()), field.value());
    request.body = std::move(message.body());
    if (server_.stopping) return Busy("the server is stopping");
    if (server_.options.is_instant(request)) return Respond(Handle(request));
    if (!Begin(request)) Queue(std::move(request));
  }

  // Whether somebody has taken the request who answers it later.
  bool Begin(HttpRequest& request) {
    if (!server_.options.begin) return false;
    waiting_ = shared_from_this();
    auto reply = [weak = weak_from_this(), number = ++begun_](HttpAnswer answer, bool more) {
      if (auto self = weak.lock()) {
        Replied().push_back({std::move(self), number, std::move(answer)});
      } else {
        answer();
      }
      if (!more) SendReplied();
    };
    try {
      if (server_.options.begin(request, reply)) {
        server_.EndRoundSoon(loop_);
        return true;
      }
    } catch (const std::exception&) {
      RespondToBegun(begun_, [this] { return server_.options.refuse(500, "the request could not be handled"); });
      return true;
    }
    waiting_.reset();
    return false;
  }

  // From any thread: who has had many judged does not write all their answers, too.
  struct Reply {
    std::shared_ptr<Session> session;
    uint64_t number = 0;
    HttpAnswer answer;

    void Respond() const { session->RespondToBegun(number, answer); }
  };
  // What this thread has replied and not sent.
  static std::vector<Reply>& Replied() {
    static thread_local std::vector<Reply> replied;
    return replied;
  }

  // To other threads first: they are at work while this one is.
  static void SendReplied() {
    std::vector<Reply> replied = std::exchange(Replied(), {}), own;
    auto loop_of = [](const Reply& reply) { return &reply.session->loop_; };
    std::stable_sort(replied.begin(), replied.end(),
                     [&](const Reply& a, const Reply& b) { return std::less<>()(loop_of(a), loop_of(b)); });
    for (auto begin = replied.begin(), end = begin; begin != replied.end(); begin = end) {
      Loop& loop = *loop_of(*begin);
      end = std::find_if(begin, replied.end(), [&](const Reply& reply) { return loop_of(reply) != &loop; });
      std::vector<Reply> together(std::make_move_iterator(begin), std::make_move_iterator(end));
      if (loop.is_own_thread()) {
        own = std::move(together);
      } else {
        asio::post(loop.io, [together = std::move(together)] {
          for (const Reply& reply : together) reply.Respond();
        });
      }
    }
    for (const Reply& reply : own) reply.Respond();
  }

  // The session stays until its answer is on its way. Nobody answers one that was closed, or a request that has its
  // answer.
  void RespondToBegun(uint64_t number, const HttpAnswer& answer) {
    if (number != begun_) return;
    std::shared_ptr<Session> self = std::move(waiting_);
    HttpResponse response = answer();
    if (self != nullptr) Respond(std::move(response));
  }

  void Queue(HttpRequest request) {
    if (server_.queued.fetch_add(1) >= server_.options.queue_max) {
      server_.queued.fetch_sub(1);
      return Busy("too many requests are waiting");
    }
    asio::post(server_.handlers, [self = shared_from_this(), request = std::move(request)] {
      [[maybe_unused]] static thread_local const bool is_asked = AskForTurnsOf(kAnswerTurn);
      self->server_.queued.fetch_sub(1);
      auto response = std::make_shared<HttpResponse>(self->Handle(request));
      asio::post(self->socket_.get_executor(), [self, response] { self->Respond(std::move(*response)); });
    });
  }

  // Handlers do not throw; what the library under them may throw ends the request, not the daemon.
  HttpResponse Handle(const HttpRequest& request) {
    try {
      return server_.options.handler(request);
    } catch (const std::exception&) {
      return server_.options.refuse(500, "the request could not be handled");
    }
  }

  void Busy(std::string_view detail) {
    HttpResponse response = server_.options.refuse(503, detail);
    response.headers.emplace_back("Retry-After", "1");
    Respond(std::move(response));
  }

  // Answers what was not read to its end, and closes.
  void Refuse(int status, std::string_view detail) {
    keep_alive_ = false;
    idle_ = false;
    linger_ = true;
    HttpResponse response = server_.options.refuse(status, detail);
    if (status == 503) response.headers.emplace_back("Retry-After", "1");
    Respond(std::move(response));
  }

  // Nearly always the kernel takes the whole answer at once.
  void Respond(HttpResponse response) {
    keep_alive_ = keep_alive_ && !server_.stopping;
    WriteHead(response);
    if (!head_only_) answer_ += response.body;
    error_code error;
    size_t sent = socket_.write_some(asio::buffer(answer_), error);
    if (error && error != asio::error::would_block) return Close();
    if (sent == answer_.size()) return Responded();
    SetDeadline(server_.options.write_timeout_us);
    asio::async_write(socket_, asio::buffer(answer_) + sent, [self = shared_from_this()](error_code failed, size_t) {
      failed ? self->Close() : self->Responded();
    });
  }

  void WriteHead(const HttpResponse& response) {
    answer_ = "HTTP/1.1 ";
    AppendNumber(static_cast<size_t>(response.status), &answer_);
    answer_ += ' ';
    beast::string_view reason = http::obsolete_reason(static_cast<http::status>(response.status));
    answer_.append(reason.data(), reason.size());
    answer_ += "\r\n";
    AppendHeader("Date", loop_.DateAt(server_.clock.NowUs()), &answer_);
    AppendHeader("Content-Type", response.content_type, &answer_);
    answer_ += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    AppendHeaders(response.headers, &answer_);
    if (!keep_alive_) answer_ += "Connection: close\r\n";
    answer_ += "Content-Length: ";
    AppendNumber(response.body.size(), &answer_);
    answer_ += "\r\n\r\n";
  }

  void Responded() {
    if (answer_.capacity() > kAnswerBytesKept) answer_ = std::string();
    if (keep_alive_) return GoOn();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    if (!linger_) return Close();
    SetDeadline(kLingerUs);
    Drain();
  }

  // A request that has come behind this one is read in a turn of its own, however many there are.
  void GoOn() {
    if (buffer_.size() == 0) return NextRequest();
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->NextRequest(); });
  }

  // A close while the client still sends would throw the answer away with a reset; read on for a moment.
  void Drain() {
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(64 << 10), [self = shared_from_this()](error_code error, size_t n) {
      self->drained_ += n;
      if (error || self->drained_ > kLingerBytes) return self->Close();
      self->Drain();
    });
  }

  // The timer is left as it is where it fires before the deadline, and is set anew then: a request sets several
  // deadlines, and hardly ever the timer.
  void SetDeadline(int64_t us) {
    deadline_ = Monotonic::now() + std::chrono::microseconds(us);
    if (!is_timing_ || deadline_ < timer_.expiry()) StartTimer();
  }

  void StartTimer() {
    is_timing_ = true;
    timer_.expires_at(deadline_);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->OnTimer();
    });
  }

  void OnTimer() {
    is_timing_ = false;
    if (deadline_ == kNoDeadline) return;
    if (Monotonic::now() < deadline_) return StartTimer();
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
  }

  void Close() {
    std::shared_ptr<Session> self = std::move(waiting_);  // it may be the last
    deadline_ = kNoDeadline;
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

  Impl& server_;  // outlives every session: Stop() waits for them
  Impl::Loop& loop_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  Monotonic::time_point deadline_ = kNoDeadline;
  bool is_timing_ = false;  // the timer will fire at deadline_ or before
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string answer_;                // that is being sent; its memory is kept
  std::shared_ptr<Session> waiting_;  // itself, while somebody else has its request
  uint64_t begun_ = 0;                // requests
  size_t drained_ = 0;
  bool idle_ = false;  // no byte of a next request has come
  bool timed_out_ = false;
  bool keep_alive_ = false;
  bool linger_ = false;
  bool head_only_ = false;
};

Status HttpServer::Impl::Listen() {
  error_code error;
  asio::ip::address address = asio::ip::make_address(options.host, error);
  if (error) return Status(Code::kInvalid, "listen: '" + options.host + "' is not an address");
  acceptor.open(tcp::endpoint(address, options.port).protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(tcp::endpoint(address, options.port), error);
  if (!error) acceptor.listen(1024, error);
  if (!error) endpoint = acceptor.local_endpoint(error);
  if (!error) return Status::Ok();
  return Status(error == asio::error::address_in_use ? Code::kConflict : Code::kIo,
                "listen: " + options.host + ":" + std::to_string(options.port) + ": " + error.message());
}

void HttpServer::Impl::Accept() {
  Loop& loop = *loops[next_loop++ % loops.size()];
  acceptor.async_accept(loop.io, [this, &loop](error_code error, tcp::socket socket) {
    if (stopping || error == asio::error::operation_aborted) return;
    if (error) {  // no descriptors left, most likely: wait for some to come back
      auto pause = std::make_shared<asio::steady_timer>(acceptor.get_executor(), std::chrono::milliseconds(50));
      pause->async_wait([this, pause](error_code) {
        if (!stopping) Accept();
      });
      return;
    }
    auto session = std::make_shared<Session>(*this, loop, std::move(socket));
    size_t count;
    {
      std::lock_guard lock(mutex);
      sessions[session.get()] = session;
      count = sessions.size();
    }
    count > options.connections_max ? session->RefuseConnection() : session->Run();
    Accept();
  });
}

void HttpServer::Impl::Forget(Session* session) {
  std::lock_guard lock(mutex);
  sessions.erase(session);
  if (sessions.empty()) all_gone.notify_all();
}

std::vector<std::shared_ptr<HttpServer::Impl::Session>> HttpServer::Impl::Sessions() {
  std::vector<std::shared_ptr<Session>> strong;
  std::lock_guard lock(mutex);
  for (const auto& [raw, weak] : sessions) {
    if (auto session = weak.lock()) strong.push_back(std::move(session));
  }
  return strong;
}

void HttpServer::Impl::Join() {
  asio::post(acceptor.get_executor(), [this] {
    error_code ignored;
    acceptor.close(ignored);
  });
  for (const auto& session : Sessions()) session->StopSoon();
  auto none_left = [this](int64_t us) {
    std::unique_lock lock(mutex);
    return all_gone.wait_for(lock, std::chrono::microseconds(us), [this] { return sessions.empty(); });
  };
  if (!none_left(options.stop_us)) {
    for (const auto& session : Sessions()) session->CloseNow();
    handlers.stop();  // what still waits for a thread is dropped
  }
  handlers.join();
  none_left(kUsPerSecond);
  for (const auto& loop : loops) loop->io.stop();
  for (std::thread& thread : io_threads) thread.join();
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options, Clock& clock) {
  if (!options.is_instant) options.is_instant = [](const HttpRequest&) { return false; };
  std::unique_ptr<HttpServer> server(new HttpServer());
  server->impl_ = std::make_unique<Impl>(std::move(options), clock);
  Impl& impl = *server->impl_;
  ODOMETER_RETURN_IF_ERROR(impl.Listen());
  impl.Accept();
  for (const auto& loop : impl.loops) {
    impl.io_threads.emplace_back([&loop = *loop] {
      AskForTurnsOf(kShortTurn);
      loop.io.run();
    });
  }
  return server;
}

HttpServer::~HttpServer() { Stop(); }

uint16_t HttpServer::port() const { return impl_->endpoint.port(); }

std::string HttpServer::address() const {
  const asio::ip::address address = impl_->endpoint.address();
  std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(port());
}

void HttpServer::Stop() {
  impl_->stopping = true;
  if (std::exchange(impl_->joined, true)) return;
  impl_->Join();
}

}  // namespace odometer
