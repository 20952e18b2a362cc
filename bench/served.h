// bench/served.h: Served, an odometerd of its own, on a fresh data directory unless told to keep it, stopped at the
// end.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "bench/die.h"

namespace odometer {

class Served {
 public:
  enum class Data { kFresh, kKept };
  // Ends the program when it does not serve within 5 minutes. flags: beyond --data-dir and --listen.
  Served(const std::string& odometerd, const std::string& data_dir, const std::vector<std::string>& flags,
         Data data = Data::kFresh);
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::string url() const { return "http://" + address_; }
  pid_t pid() const { return pid_; }
  // Just before its exec.
  std::chrono::steady_clock::time_point started() const { return started_; }
  // Returns when the process is gone.
  void End(int signal);

 private:
  pid_t pid_ = -1;
  std::chrono::steady_clock::time_point started_;
  std::string address_;
  AtEnd stop_{[this] { End(SIGTERM); }};
};

}  // namespace odometer
