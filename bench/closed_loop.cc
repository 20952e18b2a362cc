#include "bench/closed_loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>

#include "bench/die.h"
#include "bench/measure.h"

namespace odometer {

namespace {

using Moment = std::chrono::steady_clock::time_point;

int Connect(const std::string& address) {
  size_t colon = address.rfind(':');
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &at.sin_addr) != 1) Die(address + " is no IPv4 address");
  int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) Die("no socket");
  if (connect(socket_fd, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0) {
    close(socket_fd);
    return -1;
  }
  int on = 1;
  setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket_fd;
}

void SendAll(int socket_fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = send(socket_fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) Die("a connection broke while sending");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

struct Connection {
  int socket_fd = -1;
  std::string answer;
  Moment sent;
};

}  // namespace

size_t HttpOkEnd(std::string_view bytes) {
  size_t head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  size_t length = bytes.find("Content-Length: ");
  if (length == std::string_view::npos || length > head) Die("an answer without a length");
  size_t body = 0;
  std::from_chars(bytes.data() + length + 16, bytes.data() + head, body);
  if (bytes.size() < head + 4 + body) return 0;
  if (!bytes.starts_with("HTTP/1.1 200")) Die("not answered: " + std::string(bytes.substr(0, 600)));
  return head + 4 + body;
}

size_t HttpAllowedEnd(std::string_view bytes) {
  size_t end = HttpOkEnd(bytes);
  if (end > 0 && bytes.find("\"allowed\":true") == std::string_view::npos)
    Die("not admitted: " + std::string(bytes.substr(0, 600)));
  return end;
}

size_t RespOneEnd(std::string_view bytes) {
  size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return 0;
  if (bytes.substr(0, end) != ":1") Die("not admitted: " + std::string(bytes.substr(0, 200)));
  return end + 2;
}

size_t RespPongEnd(std::string_view bytes) {
  size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return 0;
  if (bytes.substr(0, end) != "+PONG") Die("not answered: " + std::string(bytes.substr(0, 200)));
  return end + 2;
}

LoopResult RunClosedLoop(const std::string& address, int connections, double seconds,
                         const std::vector<std::string>& requests, AnswerEnd answer_end, size_t first) {
  int poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection> all(static_cast<size_t>(connections));
  size_t next = first;
  auto send_next = [&](Connection& connection) {
    connection.answer.clear();
    connection.sent = std::chrono::steady_clock::now();
    SendAll(connection.socket_fd, requests[next++ % requests.size()]);
  };
  for (Connection& connection : all) {
    connection.socket_fd = Connect(address);
    if (connection.socket_fd < 0) Die("nobody answers at " + address);
    epoll_event wanted{.events = EPOLLIN, .data = {.ptr = &connection}};
    epoll_ctl(poll, EPOLL_CTL_ADD, connection.socket_fd, &wanted);
  }
  std::vector<double> times;
  times.reserve(1 << 18);
  auto begun = std::chrono::steady_clock::now();
  for (Connection& connection : all) send_next(connection);
  std::vector<epoll_event> events(all.size());
  char buffer[64 << 10];
  size_t open = all.size();
  while (open > 0) {
    int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10'000);
    if (ready <= 0) Die("no answer from " + address + " within 10 s");
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
      ssize_t got = recv(connection.socket_fd, buffer, sizeof(buffer), 0);
      if (got <= 0) Die("a connection to " + address + " broke");
      connection.answer.append(buffer, static_cast<size_t>(got));
      if (answer_end(connection.answer) == 0) continue;
      times.push_back(Seconds(connection.sent) * 1000);
      if (Seconds(begun) < seconds) {
        send_next(connection);
      } else {
        --open;
      }
    }
  }
  double took = Seconds(begun);
  for (Connection& connection : all) close(connection.socket_fd);
  close(poll);
  return {Median(times), Percentile(times, 99), static_cast<double>(times.size()) / took};
}

std::string AskOnce(const std::string& address, const std::string& request) {
  int socket_fd = Connect(address);
  if (socket_fd < 0) Die("nobody answers at " + address);
  SendAll(socket_fd, request);
  char buffer[4096];
  ssize_t got = recv(socket_fd, buffer, sizeof(buffer), 0);
  close(socket_fd);
  return got <= 0 ? "" : std::string(buffer, static_cast<size_t>(got));
}

bool IsTaken(const std::string& address) {
  int socket_fd = Connect(address);
  if (socket_fd >= 0) close(socket_fd);
  return socket_fd >= 0;
}

}  // namespace odometer
