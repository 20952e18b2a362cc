// log/kafka_witness.h: KafkaWitness, a consumer handle that only looks: single records, watermarks, the cluster's name.
//
// The line reads through a KafkaReader; whether what it reads is still the log that was opened is asked here, over
// connections of its own. Thread-safe: of one partition one record at a time.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "core/placement.h"
#include "log/event_log.h"
#include "log/kafka_client.h"

namespace odometer {

class KafkaWitness {
 public:
  static Result<std::unique_ptr<KafkaWitness>> Open(const KafkaAddress& address);

  // kNotFound when the topic has no record at exactly this offset; kUnavailable when no broker says so in time.
  Result<OwnedRecord> Fetch(uint32_t partition, uint64_t offset, int timeout_ms = kTimeoutMs);
  // As the leader has them now.
  Result<OffsetRange> Range(uint32_t partition, int timeout_ms = kTimeoutMs);
  // kNotFound when there is no such topic.
  Result<uint32_t> Partitions(int timeout_ms = kTimeoutMs);
  Result<std::string> ClusterId(int timeout_ms = kTimeoutMs);
  // Commits to the group "odometer", for lag tools; nothing reads it, so nobody is told when it fails.
  void Acknowledge(uint32_t partition, uint64_t next_offset);

 private:
  static constexpr int kTimeoutMs = 5'000;

  KafkaWitness(KafkaAddress address, std::unique_ptr<KafkaClient> client);

  void Nudge(uint32_t partition);
  // `which`: RD_KAFKA_OFFSET_BEGINNING or RD_KAFKA_OFFSET_END.
  Result<uint64_t> OffsetAt(uint32_t partition, int64_t which, int timeout_ms);
  Result<OwnedRecord> Await(uint32_t partition, uint64_t offset, int timeout_ms);

  const KafkaAddress address_;
  std::unique_ptr<KafkaClient> client_;
  KafkaTopic topic_;
  std::array<std::mutex, kSlots> reading_;  // by partition
};

}  // namespace odometer
