// tests/integration/batch_sender.h: BatchSender, how records come into a topic past every daemon: by the producer that
// the SDK has, or in transactions, which leave offsets without a record.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "log/kafka_address.h"
#include "log/kafka_producer.h"

namespace odometer {

// Confined to one thread.
class BatchSender {
 public:
  enum class Sent {
    kAcknowledged,
    kAgain,    // nothing is sure: to be sent again
    kDropped,  // it may be in the log or not, and is not sent again
    kAborted,  // not to be read by anybody, ever
  };
  virtual ~BatchSender() = default;
  // With `abort`, the records are taken back, where the sender can do that.
  virtual Sent Send(uint32_t partition, std::span<const std::string_view> events, bool abort) = 0;
  // What the last Send() was told, for people.
  virtual std::string told() const = 0;
  // Leaves nothing open. False: not yet; try again.
  virtual bool Finish() { return true; }
};

class SdkSender : public BatchSender {
 public:
  explicit SdkSender(const KafkaAddress& address);
  Sent Send(uint32_t partition, std::span<const std::string_view> events, bool abort) override;
  std::string told() const override { return "by the producer: " + told_; }

 private:
  std::unique_ptr<KafkaProducer> producer_;
  std::string told_;
};

// Each batch a transaction. After any error the handle is given up: its successor ends what it left open.
class TransactionSender : public BatchSender {
 public:
  explicit TransactionSender(const KafkaAddress& address) : address_(address) {}
  ~TransactionSender() override { GiveUp(); }
  Sent Send(uint32_t partition, std::span<const std::string_view> events, bool abort) override;
  std::string told() const override { return "in a transaction"; }
  bool Finish() override;

 private:
  bool Open();
  bool Produce(uint32_t partition, std::span<const std::string_view> events);
  // Whether there was no error; else the handle is given up.
  bool IsFine(rd_kafka_error_t* error);
  void GiveUp();

  const KafkaAddress address_;
  std::unique_ptr<KafkaClient> client_;
};

}  // namespace odometer
