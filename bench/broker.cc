#include "bench/broker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "log/kafka_topic.h"

namespace odometer {

Broker::Broker(std::string directory, int port, int heap_mib)
    : directory_(std::move(directory)), port_(port), heap_mib_(heap_mib) {
  std::filesystem::remove_all(directory_);
  if (Run("start >/dev/null") == 0) {
    stop_.emplace([this] {
      Run("stop");
      std::filesystem::remove_all(directory_);
    });
    return;
  }
  std::cerr << "bench: no broker: see " << directory_ << " and ./dev setup\n";
  Run("stop");
  std::exit(3);
}

std::string Broker::MakeTopic(const std::string& name, uint32_t partitions) const {
  KafkaAddress address = KafkaAddress::Parse("kafka://" + bootstrap() + "/" + name).value();
  Status made = CreateTopic(address, {Uuid5(kNamespaceDns, "bench"), partitions, 1}, SystemClock());
  if (made.ok()) return address.ToString();
  std::cerr << "bench: no topic: " << made.ToString() << "\n";
  std::exit(3);
}

int Broker::Run(const std::string& verb) const {
  return std::system(
      fmt::format("deploy/kafka/kafka.sh --dir '{}' --port {} --heap {} {}", directory_, port_, heap_mib_, verb)
          .c_str());
}

double Broker::cpu_seconds() const {
  std::ifstream pid_file(directory_ + "/node1/pid");
  std::string pid;
  pid_file >> pid;
  std::ifstream stat_file("/proc/" + pid + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat_file)), std::istreambuf_iterator<char>());
  size_t at = text.rfind(')');
  if (at == std::string::npos) return 0;
  std::istringstream fields(text.substr(at + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i) fields >> skip;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace odometer
