// log/kafka_address.h: KafkaAddress, where a log on Kafka is.
//
//   Result<KafkaAddress> address = KafkaAddress::Parse("kafka://127.0.0.1:9092/odometer");
#pragma once

#include <string>

#include "core/status.h"

namespace odometer {

inline constexpr char kKafkaScheme[] = "kafka://";
inline constexpr char kDefaultTopic[] = "odometer";

struct KafkaAddress {
  std::string brokers;  // host:port[,host:port]…
  std::string topic = kDefaultTopic;

  // "kafka://HOST:PORT[,HOST:PORT…][/TOPIC]"; kInvalid says what is wrong with it.
  static Result<KafkaAddress> Parse(const std::string& url);
  static bool IsUrl(const std::string& text) { return text.rfind(kKafkaScheme, 0) == 0; }
  std::string ToString() const { return kKafkaScheme + brokers + "/" + topic; }
};

}  // namespace odometer
