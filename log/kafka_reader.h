// log/kafka_reader.h: KafkaReader, the EventReader of one partition of a topic.
//
// A handle of its own that reads from an explicit offset: no consumer group decides anything. It never jumps: where the
// broker says that the offset is not there (any more, or yet), Poll() is an error.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "log/event_log.h"
#include "log/kafka_client.h"

namespace odometer {

// The bytes of one poll, 8-aligned, in blocks that are used again for the next one.
class PollArena {
 public:
  char* Allocate(size_t bytes);
  void Clear();
  size_t bytes() const { return used_bytes_; }

 private:
  struct Block {
    std::unique_ptr<uint64_t[]> words;
    size_t bytes = 0;
  };
  static constexpr size_t kBlockBytes = 1 << 20;

  std::vector<Block> blocks_;
  std::vector<Block> large_;
  size_t block_ = 0;
  size_t block_used_ = 0;
  size_t used_bytes_ = 0;
};

struct KafkaReaderOptions {
  KafkaAddress address;
  uint32_t partition = 0;
  uint64_t from = 0;
  uint64_t queue_bytes_max = 128ull << 20;  // fetched and not yet polled
};

class KafkaReader : public EventReader {
 public:
  static Result<std::unique_ptr<KafkaReader>> Open(const KafkaReaderOptions& options);
  ~KafkaReader() override;

  // Beyond the contract: kCorrupt when the log has no such offset, kUnavailable for what a broker answers else, and
  // from when all brokers were away, for good. Until one has answered, nothing comes: SyncTo() of the partition tells
  // that.
  Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) override;
  uint64_t next_offset() const override { return next_offset_; }

  // The high watermark as the last fetch told it; 0 before the first.
  uint64_t end_seen() const { return end_seen_; }
  // Thread-safe: makes a waiting Poll(), or the next one, return early, once.
  void Wake() {
    ++wakes_;
    rd_kafka_queue_yield(queue_);
  }

 private:
  KafkaReader(const KafkaReaderOptions& options, std::unique_ptr<KafkaClient> client);

  Status CheckOutage();
  void Receive(size_t records_max, int64_t wait_us);
  Status TakeReceived(size_t records_max);
  Status TakeError(const rd_kafka_message_t& message);
  void TakeRecord(const rd_kafka_message_t& message);

  const KafkaReaderOptions options_;
  std::unique_ptr<KafkaClient> client_;
  KafkaTopic topic_;
  rd_kafka_queue_t* queue_;
  bool is_started_ = false;
  bool has_received_ = false;
  uint64_t outages_ = 0;  // of the client, when the first message came
  std::atomic<uint64_t> wakes_ = 0;
  uint64_t seen_wakes_ = 0;
  uint64_t next_offset_;
  uint64_t end_seen_ = 0;
  std::vector<rd_kafka_message_t*> messages_;  // received
  size_t taken_ = 0;                           // of them
  PollArena arena_;
  std::vector<Record> records_;
};

}  // namespace odometer
