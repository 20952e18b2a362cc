// consumers/http/server.h: HttpServer, keep-alive HTTP/1.1 on one address: sockets on a few threads that never block,
// handlers on others that may.
//
//   HttpServerOptions options;
//   options.handler = [&](const HttpRequest& request) { return api.Handle(request); };
//   auto server = HttpServer::Start(std::move(options), clock).value();   // it serves from here on
//   Print(server->address());                                            // "127.0.0.1:43210" when port was 0
//   server->Stop();                                                       // finishes what runs, within stop_us
//
// Limits hold while reading, so that no client makes the server hold more than they say: see HttpServerOptions. What
// is refused before it is a request (framing, limits, time-outs, a full queue) is answered with `refuse`.
// Start, Stop and the accessors: from one thread. All that the options call: from many threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "consumers/http/message.h"
#include "core/status.h"
#include "core/time.h"

namespace odometer {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an address, not a name
  uint16_t port = 0;               // 0: any free one
  int io_threads = 2;
  int handler_threads = 16;
  size_t queue_max = 256;  // requests that wait for a handler thread; above it 503 with Retry-After

  size_t head_bytes_max = 16 << 10;       // request line and headers: 431
  size_t target_bytes_max = 8 << 10;      // 414
  size_t fields_max = 100;                // header lines: 431
  size_t body_bytes_max = 4 << 20;        // 413
  size_t connections_max = 1024;          // above it 503 and close
  int64_t head_timeout_us = 10'000'000;   // from the head's first byte to its last: 408 and close
  int64_t body_timeout_us = 30'000'000;   // likewise the body
  int64_t write_timeout_us = 30'000'000;  // an answer that the client does not take: close
  int64_t idle_timeout_us = 60'000'000;   // between requests: close
  int64_t stop_us = 5'000'000;

  std::function<HttpResponse(const HttpRequest&)> handler;  // may block
  // Requests that are answered on the socket's own thread, whatever the queue looks like; their handling must not
  // block.
  std::function<bool(const HttpRequest&)> is_instant;
  // May take a request on the socket's own thread, without blocking, and have it answered later: `reply` is called
  // once, from any thread. False: not taken, the handler gets it as it was. Null: none is taken.
  std::function<bool(HttpRequest&, const HttpReply& reply)> begin;
  // Called on a thread on which requests have begun, once those are in that came with them: what is common to them is
  // done here, once for all. Must not block.
  std::function<void()> end_round;
  std::function<HttpResponse(int status, std::string_view detail)> refuse;
};

class HttpServer {
 public:
  // kConflict when the address is taken, kInvalid when it is none.
  static Result<std::unique_ptr<HttpServer>> Start(HttpServerOptions options, Clock& clock);
  ~HttpServer();

  uint16_t port() const;
  std::string address() const;  // "127.0.0.1:8780", "[::1]:8780"
  // Takes no new connection and no new request, lets running handlers finish and their answers go out, then closes.
  // Afterwards no handler runs. Idempotent.
  void Stop();

 private:
  HttpServer() = default;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace odometer
