// log/kafka_log.h: KafkaLog, the EventLog contract on a topic of Apache Kafka.
//
//   Result<std::unique_ptr<KafkaLog>> log = KafkaLog::Open(address, {});   // the topic exists (log/kafka_topic.h)
//   log->partition(3).Append({&bytes, 1});                                 // on enough replicas when it returns
//
// Beyond the contract:
//  - Offsets have holes where control records and aborted transactions stand.
//  - The events of one Append() are adjacent as long as nobody else produces to the partition meanwhile. An Append()
//    that fails with "outcome unknown" may have left some of them.
//  - append_time is the broker's, and falls only where brokers' clocks disagree and the leader changes.
//  - SyncTo() asks the broker whether this still is the log that was opened: record 0 is the Genesis of the opening,
//    and the number of partitions what it was. librdkafka 2.0.2 follows a topic that was deleted and made anew without
//    a word, so a store must not take a cursor that SyncTo() has not passed after the records below it were read.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "log/event_log.h"
#include "log/kafka_client.h"
#include "log/kafka_producer.h"
#include "log/kafka_reader.h"
#include "log/kafka_witness.h"

namespace odometer {

class KafkaLog;

// Thread-safe; its readers are each confined to one thread and must go before it.
class KafkaPartition : public PartitionLog {
 public:
  KafkaPartition(KafkaLog& log, uint32_t partition) : log_(log), partition_(partition) {}

  uint32_t partition() const override { return partition_; }
  OffsetRange range() const override;
  Result<Appended> Append(std::span<const std::string_view> events) override;
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override;
  Result<OwnedRecord> Fetch(uint64_t offset) override;
  size_t fetches_at_once() const override { return KafkaWitness::kAtOnce; }
  Status SyncTo(uint64_t offset) override;
  Status ForgetFrom(uint64_t offset) override;
  void Acknowledge(uint64_t next_offset) override;
  void Wake() override;

  // Asks the leader for the range; kCorrupt when the log now ends below what it was seen to hold, or `at_least`.
  Status Refresh(uint64_t at_least = 0);

 private:
  class Reader;

  void Extend(uint64_t end);
  // That record 0 and the number of partitions are those of the opening.
  Status CheckIdentity();

  KafkaLog& log_;
  const uint32_t partition_;
  std::atomic<uint64_t> verified_outages_ = 0;  // of the producer, when CheckIdentity() last passed
  mutable std::mutex mutex_;
  OffsetRange range_;
  std::vector<KafkaReader*> readers_;  // for Wake()
};

class KafkaLog : public EventLog {
 public:
  struct Options {
    uint32_t partitions = 0;                  // that the log must have; 0 takes any number
    Uuid log_id;                              // that it must be; all zeros takes any
    uint64_t queue_bytes_max = 512ull << 20;  // fetched and not yet polled, over all partitions
    int64_t append_timeout_ms = 10'000;
  };
  // kNotFound: no such topic. kUnavailable: no broker answers. kCorrupt: a partition without this log's Genesis.
  // kConflict: another log, number of partitions, or settings that lose records, all named.
  static Result<std::unique_ptr<KafkaLog>> Open(const KafkaAddress& address, const Options& options);

  Uuid log_id() const override { return log_id_; }
  uint32_t partitions() const override { return static_cast<uint32_t>(partitions_.size()); }
  PartitionLog& partition(uint32_t partition) override;
  const KafkaAddress& address() const { return address_; }
  const std::string& cluster_id() const { return cluster_id_; }

 private:
  friend class KafkaPartition;
  KafkaLog(KafkaAddress address, Options options) : address_(std::move(address)), options_(options) {}

  Status Identify();
  Status CheckPartitions();

  const KafkaAddress address_;
  const Options options_;
  Uuid log_id_;
  std::string cluster_id_;
  std::unique_ptr<KafkaWitness> witness_;
  std::unique_ptr<KafkaProducer> producer_;
  std::vector<std::unique_ptr<KafkaPartition>> partitions_;
  std::mutex checked_mutex_;
  std::chrono::steady_clock::time_point checked_at_;
  Status partitions_status_;
};

}  // namespace odometer
