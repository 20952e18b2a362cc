// bench/streams_peer.h: RunStreamsPeer, the Kafka Streams program of bench/streams in a process of its own, over a
// topic that is there.
#pragma once

#include <cstdint>
#include <string>

#include "bench/traffic.h"

namespace odometer {

struct StreamsRun {
  double events_per_s = 0;
  double cpu_us_per_event = 0;
  uint64_t resident_bytes = 0;
};

struct StreamsJob {
  std::string bootstrap, topic;
  std::string state_dir;       // made anew
  std::string application_id;  // of its own: the group and the changelogs are named by it
  TurnSums sums;               // what each of its four stores of sums has to hold in the end, and as many audit rows
};

// Ends the program when the peer fails or sums up something else.
StreamsRun RunStreamsPeer(const StreamsJob& job);

}  // namespace odometer
