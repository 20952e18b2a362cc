#include "log/kafka_reader.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/check.h"

namespace odometer {

namespace {

// One poll gives at most about this much, so that large records do not pile up in memory.
constexpr size_t kPollBytesMax = 16 << 20;
constexpr size_t kMessagesMax = 8192;

int WaitMs(int64_t wait_us) {
  if (wait_us <= 0) return 0;
  return static_cast<int>(std::min<int64_t>((wait_us + 999) / 1000, 3'600'000));
}

}  // namespace

char* PollArena::Allocate(size_t bytes) {
  size_t rounded = (bytes + 7) / 8 * 8;
  used_bytes_ += rounded;
  if (rounded > kBlockBytes) {
    large_.push_back({std::make_unique_for_overwrite<uint64_t[]>(rounded / 8), rounded});
    return reinterpret_cast<char*>(large_.back().words.get());
  }
  if (block_ < blocks_.size() && block_used_ + rounded > kBlockBytes) {
    ++block_;
    block_used_ = 0;
  }
  if (block_ == blocks_.size())
    blocks_.push_back({std::make_unique_for_overwrite<uint64_t[]>(kBlockBytes / 8), kBlockBytes});
  char* at = reinterpret_cast<char*>(blocks_[block_].words.get()) + block_used_;
  block_used_ += rounded;
  return at;
}

void PollArena::Clear() {
  large_.clear();
  block_ = block_used_ = used_bytes_ = 0;
}

Result<std::unique_ptr<KafkaReader>> KafkaReader::Open(const KafkaReaderOptions& options) {
  KafkaConf conf(options.address);
  conf.Set("enable.auto.commit", "false");
  conf.Set("enable.auto.offset.store", "false");
  conf.Set("auto.offset.reset", "error");
  conf.Set("isolation.level", "read_committed");
  conf.Set("enable.partition.eof", "true");
  conf.Set("check.crcs", "true");
  conf.Set("fetch.message.max.bytes", "4194304");
  conf.Set("fetch.max.bytes", "67108864");
  conf.Set("fetch.wait.max.ms", "500");
  conf.Set("fetch.error.backoff.ms", "100");
  conf.Set("queued.min.messages", "10000000");
  conf.Set("queued.max.messages.kbytes", std::to_string(options.queue_bytes_max >> 10));
  Result<std::unique_ptr<KafkaClient>> client = KafkaClient::Open(KafkaClient::Kind::kConsumer, std::move(conf));
  if (!client.ok()) return client.status();
  std::unique_ptr<KafkaReader> reader(new KafkaReader(options, std::move(*client)));
  // Not assign(): that waits up to a second for a leader that it does not know yet, and wants a group for nothing.
  if (rd_kafka_consume_start_queue(reader->topic_.get(), static_cast<int32_t>(options.partition),
                                   static_cast<int64_t>(options.from), reader->queue_) != 0)
    return KafkaUnavailable(*reader->client_, options.address.ToString(), rd_kafka_last_error());
  reader->is_started_ = true;
  return reader;
}

KafkaReader::KafkaReader(const KafkaReaderOptions& options, std::unique_ptr<KafkaClient> client)
    : options_(options),
      client_(std::move(client)),
      topic_(KafkaTopicOf(*client_, options.address.topic)),
      queue_(rd_kafka_queue_new(client_->get())),
      next_offset_(options.from) {}

KafkaReader::~KafkaReader() {
  for (size_t i = taken_; i < messages_.size(); ++i) rd_kafka_message_destroy(messages_[i]);
  if (is_started_) rd_kafka_consume_stop(topic_.get(), static_cast<int32_t>(options_.partition));
  rd_kafka_queue_destroy(queue_);
}

Result<std::span<const Record>> KafkaReader::Poll(size_t records_max, int64_t wait_us) {
  records_.clear();
  arena_.Clear();
  if (records_max == 0) return std::span<const Record>();
  ODOMETER_RETURN_IF_ERROR(CheckOutage());
  auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(std::max<int64_t>(wait_us, 0));
  const uint64_t before = next_offset_;
  for (;;) {
    if (taken_ == messages_.size()) {
      Receive(std::min(records_max, kMessagesMax), wait_us);
      ODOMETER_RETURN_IF_ERROR(CheckOutage());
      has_received_ |= !messages_.empty();
    }
    ODOMETER_RETURN_IF_ERROR(TakeReceived(records_max));
    // The end of the log comes as a message, too, and librdkafka ends a wait when it likes: neither is a reason to
    // return.
    if (next_offset_ != before) break;
    if (uint64_t wakes = wakes_; wakes != seen_wakes_) {
      seen_wakes_ = wakes;
      break;
    }
    auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now());
    wait_us = left.count();
    if (wait_us <= 0) break;
  }
  int64_t low = 0, high = 0;
  if (rd_kafka_get_watermark_offsets(client_->get(), options_.address.topic.c_str(),
                                     static_cast<int32_t>(options_.partition), &low,
                                     &high) == RD_KAFKA_RESP_ERR_NO_ERROR)
    end_seen_ = std::max(end_seen_, static_cast<uint64_t>(std::max<int64_t>(high, 0)));
  return std::span<const Record>(records_);
}

// A broker that went away may come back as another one, so a reader ends with it: another is opened once what was read
// has been shown to be the log's. Before the first message there is nothing to doubt.
Status KafkaReader::CheckOutage() {
  rd_kafka_poll(client_->get(), 0);  // errors of the brokers
  uint64_t outages = client_->outages();
  if (!has_received_) outages_ = outages;
  if (outages == outages_) return Status::Ok();
  return KafkaUnavailable(*client_, options_.address.ToString(), RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
}

Status KafkaReader::TakeReceived(size_t records_max) {
  Status failed;
  while (failed.ok() && taken_ < messages_.size() && records_.size() < records_max && arena_.bytes() < kPollBytesMax) {
    rd_kafka_message_t* message = messages_[taken_];
    bool is_error = message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF;
    // What came before an error is given first; the error is still there for the next poll.
    if (is_error && !records_.empty()) break;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      TakeRecord(*message);
    } else {
      failed = TakeError(*message);
    }
    ++taken_;
    rd_kafka_message_destroy(message);
  }
  return failed;
}

// Waits for the first and then takes what is there: the batch call itself would wait until the batch is full.
void KafkaReader::Receive(size_t records_max, int64_t wait_us) {
  taken_ = 0;
  messages_.resize(records_max);
  ssize_t first = rd_kafka_consume_batch_queue(queue_, WaitMs(wait_us), messages_.data(), 1);
  size_t count = first > 0 ? 1 : 0;
  if (count == 1 && records_max > 1) {
    ssize_t more = rd_kafka_consume_batch_queue(queue_, 0, messages_.data() + 1, records_max - 1);
    if (more > 0) count += static_cast<size_t>(more);
  }
  messages_.resize(count);
}

Status KafkaReader::TakeError(const rd_kafka_message_t& message) {
  std::string where = options_.address.ToString() + " partition " + std::to_string(options_.partition);
  const char* text = rd_kafka_message_errstr(&message);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      // Control records and aborted transactions have offsets, too: the end may lie above the last record.
      next_offset_ = std::max(next_offset_, static_cast<uint64_t>(std::max<int64_t>(message.offset, 0)));
      return Status::Ok();
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return Status(Code::kCorrupt, where + ": the log has no offset " + std::to_string(next_offset_) +
                                        ": it was trimmed, cut or made anew");
    default:
      return KafkaUnavailable(*client_, where + (text != nullptr ? std::string(": ") + text : ""), message.err);
  }
}

void KafkaReader::TakeRecord(const rd_kafka_message_t& message) {
  uint64_t offset = static_cast<uint64_t>(message.offset);
  if (offset < next_offset_) return;  // of a fetch from before
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  int64_t time_ms = rd_kafka_message_timestamp(&message, &type);
  Record record{offset, AppendTimeOf(std::max<int64_t>(time_ms, 0) * 1000), {}};
  if (message.payload != nullptr) {
    char* bytes = arena_.Allocate(message.len);
    std::memcpy(bytes, message.payload, message.len);
    record.bytes = std::string_view(bytes, message.len);
  }
  records_.push_back(record);
  next_offset_ = offset + 1;
}

}  // namespace odometer
