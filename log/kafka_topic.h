// log/kafka_topic.h: the topic that an Odometer log is: made with the settings that a log needs, and checked for them.
//
//   Status made = CreateTopic(address, {.log_id = id, .partitions = 8, .replicas = 3}, clock);
//   Result<std::vector<std::string>> wrong = CheckTopic(address);     // empty: as it must be
#pragma once

#include <string>
#include <vector>

#include "core/ids.h"
#include "core/status.h"
#include "core/time.h"
#include "log/kafka_client.h"

namespace odometer {

struct TopicOptions {
  Uuid log_id;
  uint32_t partitions = 8;
  uint32_t replicas = 1;
};

// Makes the topic and writes record 0, Genesis, to each partition. A topic that an earlier call left unfinished is
// finished, with the log id it has. kConflict: there is another topic of this name; kInvalid: more replicas than
// brokers, or a number of partitions that no log has.
Status CreateTopic(const KafkaAddress& address, const TopicOptions& options, Clock& clock);

// What is wrong with the topic's settings, one sentence each; empty when nothing is. kNotFound: there is no topic.
Result<std::vector<std::string>> CheckTopic(const KafkaAddress& address);

}  // namespace odometer
