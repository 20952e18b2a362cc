// log/kafka_witness.h: KafkaWitness, which only looks: single records, watermarks, the cluster's name.
//
// The line reads through a KafkaReader; whether what it reads is still the log that was opened is asked here, over
// connections of its own. Thread-safe: of one partition as many records at a time as there are handles, kAtOnce.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/placement.h"
#include "log/event_log.h"
#include "log/kafka_client.h"

namespace odometer {

class KafkaWitness {
 public:
  static constexpr size_t kAtOnce = 3;  // what a commit asks: Genesis, and two records

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

  // A handle of librdkafka reads a partition from one place at a time.
  struct Handle {
    Handle(const KafkaAddress& address, std::unique_ptr<KafkaClient> opened)
        : client(std::move(opened)), topic(KafkaTopicOf(*client, address.topic)) {}
    std::unique_ptr<KafkaClient> client;
    KafkaTopic topic;
    std::array<std::mutex, kSlots> reading;  // by partition
  };
  using Handles = std::array<std::unique_ptr<Handle>, kAtOnce>;

  KafkaWitness(KafkaAddress address, Handles handles);

  // One that does not read this partition, if there is one; the lock is on its place for it.
  std::pair<Handle*, std::unique_lock<std::mutex>> Take(uint32_t partition);
  // `which`: RD_KAFKA_OFFSET_BEGINNING or RD_KAFKA_OFFSET_END.
  Result<uint64_t> OffsetAt(Handle& handle, uint32_t partition, int64_t which, int timeout_ms);
  Result<OwnedRecord> Await(Handle& handle, uint32_t partition, uint64_t offset, int timeout_ms);

  const KafkaAddress address_;
  const Handles handles_;
  Handle& first_;  // for all that is no record
};

}  // namespace odometer
