#include "tests/integration/daemon_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/integration/failed.h"

extern char** environ;

namespace odometer {

void DaemonProcess::Start() {
  std::filesystem::remove(data_dir_ + "/http.address");
  std::vector<std::string> words = {program_, "--data-dir", data_dir_, "--listen", "127.0.0.1:0"};
  words.insert(words.end(), flags_.begin(), flags_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  Require(posix_spawn(&pid_, program_.c_str(), nullptr, nullptr, arguments.data(), environ) == 0,
          "cannot start " + program_);
  for (int waited_ms = 0; waited_ms < 60'000; waited_ms += 10) {
    std::ifstream file(data_dir_ + "/http.address");
    if (std::string address; file >> address) {
      std::lock_guard lock(mutex_);
      address_ = address;
      return;
    }
    int status = 0;
    Require(waitpid(pid_, &status, WNOHANG) == 0, "odometerd ended at its start");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw Failed{"odometerd did not serve within 60 s"};
}

void DaemonProcess::Kill() { End(SIGKILL); }

int DaemonProcess::Terminate() { return End(SIGTERM); }

std::string DaemonProcess::url() const {
  std::lock_guard lock(mutex_);
  return "http://" + address_;
}

int DaemonProcess::End(int signal) {
  if (pid_ <= 0) return 0;
  kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace odometer
