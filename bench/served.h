// bench/served.h: Served, an odometerd of its own on a fresh data directory, stopped at the end.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace odometer {

class Served {
 public:
  // Ends the program when it does not serve within 30 s. flags: beyond --data-dir and --listen.
  Served(const std::string& odometerd, const std::string& data_dir, const std::vector<std::string>& flags);
  ~Served();
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  std::string url() const { return "http://" + address_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

}  // namespace odometer
