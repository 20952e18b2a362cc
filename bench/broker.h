// bench/broker.h: Broker, a real Apache Kafka that a benchmark starts and stops itself, without the flags that make it
// slow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/die.h"

namespace odometer {

class Broker {
 public:
  // Ends the program when there is none to be had. port: of this machine's loopback; heap_mib: of the broker.
  Broker(std::string directory, int port, int heap_mib = 1024);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  std::string bootstrap() const { return "127.0.0.1:" + std::to_string(port_); }
  // Makes a topic that is an Odometer log; answers its kafka:// address.
  std::string MakeTopic(const std::string& name, uint32_t partitions) const;
  std::string data_directory() const { return directory_ + "/node1/data"; }
  // Seconds of CPU that it has used since it was started.
  double cpu_seconds() const;

 private:
  int Run(const std::string& verb) const;

  const std::string directory_;
  const int port_;
  const int heap_mib_;
  std::optional<AtEnd> stop_;  // of one that runs
};

}  // namespace odometer
