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

Served::Served(const std::string& odometerd, const std::string& data_dir, const std::vector<std::string>& flags) {
  std::filesystem::remove_all(data_dir);
  std::filesystem::create_directories(data_dir);
  std::vector<std::string> words = {odometerd, "--data-dir", data_dir, "--listen", "127.0.0.1:0"};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  bool is_started = posix_spawn(&pid_, odometerd.c_str(), nullptr, nullptr, arguments.data(), environ) == 0;
  for (int i = 0; is_started && i < 3000 && address_.empty(); ++i) {
    std::ifstream(data_dir + "/http.address") >> address_;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!address_.empty()) return;
  std::cerr << "bench: " << odometerd << " does not serve\n";
  std::exit(5);
}

Served::~Served() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

}  // namespace odometer
