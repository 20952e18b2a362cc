#include "log/kafka_producer.h"

#include <algorithm>
#include <chrono>

#include "core/check.h"

namespace odometer {

namespace {

constexpr size_t kMessageBytesMax = 1 << 20;  // as `topics create` sets it for the topic
// The record's own framing, within the broker's limit.
constexpr size_t kFramingBytes = 1024;
constexpr int kMetadataMs = 2'000;

}  // namespace

// What one Send() waits for. Shared: a report may come after the caller has given up.
struct KafkaProducer::Batch {
  std::mutex mutex;
  std::condition_variable changed;
  size_t open = 0;
  size_t delivered = 0;
  bool is_any_possible = false;  // one that failed may be in the log all the same
  bool is_offset_unknown = false;
  int64_t first = INT64_MAX, last = -1, time_ms = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
};
struct KafkaProducer::Ticket {
  std::shared_ptr<Batch> batch;
};

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::Open(const KafkaProducerOptions& options) {
  std::unique_ptr<KafkaProducer> producer(new KafkaProducer(options));
  Result<std::shared_ptr<KafkaClient>> client = producer->OpenClient();
  if (!client.ok()) return client.status();
  producer->client_ = std::move(*client);
  producer->server_ = std::thread([raw = producer.get()] { raw->Serve(); });
  return producer;
}

KafkaProducer::~KafkaProducer() {
  stopping_ = true;
  if (server_.joinable()) server_.join();
  if (client_ == nullptr) return;
  // Nobody waits any more; what is still queued is refused, not left hanging.
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_->get(), 1000);
}

Result<std::shared_ptr<KafkaClient>> KafkaProducer::OpenClient() {
  KafkaConf conf(options_.address);
  conf.Set("enable.idempotence", "true");
  conf.Set("acks", "all");
  conf.Set("linger.ms", std::to_string(options_.linger_ms));
  conf.Set("compression.codec", "lz4");
  conf.Set("batch.size", "1000000");
  conf.Set("batch.num.messages", "10000");
  conf.Set("queue.buffering.max.messages", "500000");
  conf.Set("queue.buffering.max.kbytes", "524288");
  conf.Set("message.max.bytes", std::to_string(kMessageBytesMax));
  conf.Set("message.timeout.ms", std::to_string(options_.timeout_ms));
  conf.Set("retry.backoff.ms", "50");
  rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivery);
  Result<std::unique_ptr<KafkaClient>> client = KafkaClient::Open(KafkaClient::Kind::kProducer, std::move(conf));
  if (!client.ok()) return client.status();
  // Asked for now, the leaders are known when the first event comes; without, it would wait for a timer of a second.
  KafkaTopic topic = KafkaTopicOf(**client, options_.address.topic);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata((*client)->get(), 0, topic.get(), &metadata, kMetadataMs) == RD_KAFKA_RESP_ERR_NO_ERROR)
    rd_kafka_metadata_destroy(metadata);
  return std::shared_ptr<KafkaClient>(std::move(*client));
}

// After a fatal error (librdkafka 2.0.2 has one when deliveries time out in a bad order) the old handle takes nothing
// more: its open deliveries are reported as failed, and another one goes on.
Result<std::shared_ptr<KafkaClient>> KafkaProducer::Client() {
  std::lock_guard lock(client_mutex_);
  if (!client_->is_fatal()) return client_;
  Result<std::shared_ptr<KafkaClient>> fresh = OpenClient();
  if (!fresh.ok()) return fresh;
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_->get(), 1000);
  outages_before_ += client_->outages();
  client_ = *fresh;
  return fresh;
}

uint64_t KafkaProducer::outages() const {
  std::lock_guard lock(client_mutex_);
  return outages_before_ + client_->outages();
}

void KafkaProducer::Serve() {
  while (!stopping_) {
    std::shared_ptr<KafkaClient> client;
    {
      std::lock_guard lock(client_mutex_);
      client = client_;
    }
    rd_kafka_poll(client->get(), 100);
  }
}

void KafkaProducer::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  std::unique_ptr<Ticket> ticket(static_cast<Ticket*>(message->_private));
  Batch& batch = *ticket->batch;
  std::lock_guard lock(batch.mutex);
  --batch.open;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++batch.delivered;
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    batch.time_ms = std::max(batch.time_ms, rd_kafka_message_timestamp(message, &type));
    batch.is_offset_unknown |= message->offset < 0;
    batch.first = std::min(batch.first, message->offset);
    batch.last = std::max(batch.last, message->offset);
  } else {
    batch.error = message->err;
    batch.is_any_possible |= rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  }
  if (batch.open == 0) batch.changed.notify_all();
}

// Hands all events to librdkafka; those after one that it refuses are not sent, and counted as failed in the batch.
void KafkaProducer::Enqueue(KafkaClient& client, uint32_t partition, std::span<const std::string_view> events,
                            const std::shared_ptr<Batch>& batch) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(options_.timeout_ms);
  std::lock_guard adjacent(enqueue_mutex_);
  for (size_t i = 0; i < events.size(); ++i) {
    auto ticket = std::make_unique<Ticket>(Ticket{batch});
    void* payload = const_cast<char*>(events[i].data());
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (;;) {
      error = rd_kafka_producev(client.get(), RD_KAFKA_V_TOPIC(options_.address.topic.c_str()),
                                RD_KAFKA_V_PARTITION(static_cast<int32_t>(partition)),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(payload, events[i].size()),
                                RD_KAFKA_V_OPAQUE(ticket.get()), RD_KAFKA_V_END);
      bool is_full = error == RD_KAFKA_RESP_ERR__QUEUE_FULL;
      if (!is_full || stopping_ || std::chrono::steady_clock::now() > deadline) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // Serve() makes room
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      std::lock_guard lock(batch->mutex);
      batch->error = error;
      batch->open -= events.size() - i;
      return;
    }
    (void)ticket.release();  // OnDelivery() has it
  }
}

Result<Appended> KafkaProducer::Send(uint32_t partition, std::span<const std::string_view> events) {
  for (std::string_view event : events) {
    if (event.size() > kMessageBytesMax - kFramingBytes) {
      return Status(Code::kInvalid, "an event of " + std::to_string(event.size()) + " bytes; the topic takes at most " +
                                        std::to_string(kMessageBytesMax - kFramingBytes));
    }
  }
  Result<std::shared_ptr<KafkaClient>> client = Client();
  if (!client.ok()) return client.status();
  auto batch = std::make_shared<Batch>();
  batch->open = events.size();
  const uint64_t outages = (*client)->outages();
  Enqueue(**client, partition, events, batch);
  std::unique_lock lock(batch->mutex);
  // librdkafka reports every delivery, at the latest when its time is up; the margin is for a report that hangs.
  bool is_done = batch->changed.wait_for(lock, std::chrono::milliseconds(options_.timeout_ms + 5'000),
                                         [&] { return batch->open == 0; });
  std::string what = options_.address.ToString() + " partition " + std::to_string(partition);
  // An outage is reported before any delivery after it.
  if (is_done && batch->delivered == events.size() && (*client)->outages() != outages)
    return KafkaUnavailable(**client, "outcome unknown: " + what, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
  if (is_done && batch->delivered == events.size()) {
    // The broker knows a delivery that was tried again by its number alone: nobody has shown that it is there.
    if (batch->is_offset_unknown)
      return KafkaUnavailable(**client, "outcome unknown: " + what, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
    return Appended{static_cast<uint64_t>(batch->first), static_cast<uint64_t>(batch->last) + 1,
                    AppendTimeOf(batch->time_ms * 1000)};
  }
  if (!is_done || batch->delivered > 0 || batch->is_any_possible) what = "outcome unknown: " + what;
  return KafkaUnavailable(**client, what, is_done ? batch->error : RD_KAFKA_RESP_ERR__TIMED_OUT);
}

}  // namespace odometer
