// bench/redis.h: Redis, a redis-server of its own on loopback, and what is said to it. It speaks RESP itself.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "bench/die.h"

namespace odometer {

class Redis {
 public:
  enum class Kept { kNothing, kEachWrite };  // appendfsync always
  // Ends the program with code 2 when there is no redis-server.
  Redis(const std::string& directory, Kept kept);
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  const std::string& address() const { return address_; }
  // "7.0.15"
  std::string Version() const;
  // The name of a script, for EVALSHA.
  std::string Load(const std::string& script) const;
  static std::string Command(const std::vector<std::string>& words);

 private:
  void End();
  pid_t pid_ = -1;
  std::string address_;
  AtEnd stop_{[this] { End(); }};
};

}  // namespace odometer
