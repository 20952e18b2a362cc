// log/kafka_producer.h: KafkaProducer, which appends events to a topic and says where they came to lie.
//
// Idempotent and acks=all: a delivery that is tried again is not doubled by that, and the order in a partition is that
// of Send(). What a crash of this process doubles, dedupe takes out: that is the guarantee, this an optimisation.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>

#include "log/event_log.h"
#include "log/kafka_client.h"

namespace odometer {

struct KafkaProducerOptions {
  KafkaAddress address;
  int64_t timeout_ms = 10'000;  // of one Send(); then its outcome is unknown
  int64_t linger_ms = 0;
};

// Thread-safe.
class KafkaProducer {
 public:
  static Result<std::unique_ptr<KafkaProducer>> Open(const KafkaProducerOptions& options);
  ~KafkaProducer();

  // Returns when all are on enough replicas. kInvalid: an event is larger than the broker takes; none was sent.
  // kUnavailable: not within the time, or not all: the message begins with "outcome unknown" when some may be there,
  // and when all brokers were away meanwhile: those that took the events may be another cluster's. So it is when a
  // delivery that was tried again tells no offset.
  Result<Appended> Send(uint32_t partition, std::span<const std::string_view> events);
  // How often all brokers were away.
  uint64_t outages() const;

 private:
  struct Batch;
  struct Ticket;

  explicit KafkaProducer(const KafkaProducerOptions& options) : options_(options) {}
  Result<std::shared_ptr<KafkaClient>> Client();
  Result<std::shared_ptr<KafkaClient>> OpenClient();
  void Enqueue(KafkaClient& client, uint32_t partition, std::span<const std::string_view> events,
               const std::shared_ptr<Batch>& batch);
  static void OnDelivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);
  void Serve();

  const KafkaProducerOptions options_;
  mutable std::mutex client_mutex_;
  std::shared_ptr<KafkaClient> client_;  // another one after a fatal error
  uint64_t outages_before_ = 0;          // of those before it
  std::mutex enqueue_mutex_;             // the events of one Send() are adjacent
  std::atomic<bool> stopping_ = false;
  std::thread server_;  // delivery reports
};

}  // namespace odometer
