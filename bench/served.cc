#include "bench/served.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

extern char** environ;

namespace odometer {

namespace {
constexpr std::chrono::minutes kStartMost{5};
}

Served::Served(const std::string& odometerd, const std::string& data_dir, const std::vector<std::string>& flags,
               Data data) {
  if (data == Data::kFresh) std::filesystem::remove_all(data_dir);
  std::filesystem::create_directories(data_dir);
  std::filesystem::remove(data_dir + "/http.address");
  std::vector<std::string> words = {odometerd, "--data-dir", data_dir, "--listen", "127.0.0.1:0"};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  started_ = std::chrono::steady_clock::now();
  bool is_running = posix_spawn(&pid_, odometerd.c_str(), nullptr, nullptr, arguments.data(), environ) == 0;
  while (is_running && address_.empty() && std::chrono::steady_clock::now() - started_ < kStartMost) {
    std::ifstream(data_dir + "/http.address") >> address_;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    is_running = waitpid(pid_, nullptr, WNOHANG) == 0;
  }
  if (is_running && !address_.empty()) return;
  std::cerr << "bench: " << odometerd << " does not serve\n";
  if (is_running) End(SIGKILL);
  pid_ = -1;  // gone
  std::exit(5);
}

void Served::End(int signal) {
  if (pid_ <= 0) return;
  kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace odometer
