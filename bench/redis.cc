#include "bench/redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "bench/closed_loop.h"

extern char** environ;

namespace odometer {

namespace {

int FreePort() {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(at);
  int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  bool is_bound = bind(socket_fd, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
                  getsockname(socket_fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  close(socket_fd);
  if (!is_bound) Die("no free port");
  return ntohs(at.sin_port);
}

}  // namespace

Redis::Redis(const std::string& directory, Kept kept) {
  std::filesystem::create_directories(directory);
  std::string port = std::to_string(FreePort());
  // A flag and its value on a line.
  std::vector<std::string> words = {"redis-server",                                            //
                                    "--port",        port,                                     //
                                    "--bind",        "127.0.0.1",                              //
                                    "--dir",         directory,                                //
                                    "--save",        "",                                       //
                                    "--appendonly",  kept == Kept::kEachWrite ? "yes" : "no",  //
                                    "--appendfsync", "always",                                 //
                                    "--logfile",     directory + "/log"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  if (posix_spawnp(&pid_, words[0].c_str(), nullptr, nullptr, arguments.data(), environ) != 0) {
    std::cerr << "bench: there is no redis-server to compare with: apt-get install redis-server\n";
    std::exit(2);
  }
  address_ = "127.0.0.1:" + port;
  for (int i = 0; i < 1000 && !IsTaken(address_); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (AskOnce(address_, Command({"PING"})) != "+PONG\r\n") Die("redis-server does not serve");
}

void Redis::End() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string Redis::Command(const std::vector<std::string>& words) {
  std::string command = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) command += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return command;
}

std::string Redis::Version() const {
  std::string info = AskOnce(address_, Command({"INFO", "server"}));
  size_t begin = info.find("redis_version:");
  if (begin == std::string::npos) return "unknown";
  return info.substr(begin + 14, info.find('\r', begin) - begin - 14);
}

std::string Redis::Load(const std::string& script) const {
  std::string answer = AskOnce(address_, Command({"SCRIPT", "LOAD", script}));
  if (!answer.starts_with("$40\r\n")) Die("redis-server does not take the script: " + answer);
  return answer.substr(5, 40);
}

}  // namespace odometer
