#include "tests/integration/batch_sender.h"

#include <fmt/format.h>

#include <string>

#include "tests/integration/failed.h"

namespace odometer {

namespace {

constexpr int kAnswerMs = 10'000;

}  // namespace

SdkSender::SdkSender(const KafkaAddress& address) {
  KafkaProducerOptions options;
  options.address = address;
  Result<std::unique_ptr<KafkaProducer>> producer = KafkaProducer::Open(options);
  Require(producer.ok(), "open producer: " + producer.status().ToString());
  producer_ = std::move(*producer);
}

BatchSender::Sent SdkSender::Send(uint32_t partition, std::span<const std::string_view> events, bool) {
  Result<Appended> appended = producer_->Send(partition, events);
  if (appended.ok()) {
    const bool is_known = appended->first_offset != UINT64_MAX;
    told_ = is_known ? fmt::format("offsets {} to {}", appended->first_offset, appended->next_offset - 1)
                     : "no offsets";
    return Sent::kAcknowledged;
  }
  Require(appended.status().code() == Code::kUnavailable, "send: " + appended.status().ToString());
  return Sent::kAgain;
}

BatchSender::Sent TransactionSender::Send(uint32_t partition, std::span<const std::string_view> events, bool abort) {
  if (client_ == nullptr && !Open()) return Sent::kAgain;
  if (!IsFine(rd_kafka_begin_transaction(client_->get()))) return Sent::kAgain;
  if (!Produce(partition, events)) {
    GiveUp();
    return Sent::kDropped;
  }
  if (!abort) {
    bool is_committed = IsFine(rd_kafka_commit_transaction(client_->get(), kAnswerMs));
    return is_committed ? Sent::kAcknowledged : Sent::kDropped;
  }
  // Aborted once they stand in the log: what is still queued would never come there.
  rd_kafka_flush(client_->get(), kAnswerMs);
  return IsFine(rd_kafka_abort_transaction(client_->get(), kAnswerMs)) ? Sent::kAborted : Sent::kDropped;
}

bool TransactionSender::Open() {
  KafkaConf conf(address_);
  conf.Set("transactional.id", "feed-" + address_.topic);
  // Nobody reads beyond an open transaction: the broker ends one that was left alone after this time.
  conf.Set("transaction.timeout.ms", std::to_string(kAnswerMs));
  conf.Set("message.timeout.ms", std::to_string(kAnswerMs));
  conf.Set("linger.ms", "0");
  Result<std::unique_ptr<KafkaClient>> client = KafkaClient::Open(KafkaClient::Kind::kProducer, std::move(conf));
  Require(client.ok(), "open producer of transactions: " + client.status().ToString());
  client_ = std::move(*client);
  return IsFine(rd_kafka_init_transactions(client_->get(), kAnswerMs));
}

// A commit is answered before its markers stand in the log, and nobody reads beyond a transaction without. A successor
// begins when they do.
bool TransactionSender::Finish() {
  GiveUp();
  return Open();
}

bool TransactionSender::Produce(uint32_t partition, std::span<const std::string_view> events) {
  for (std::string_view event : events) {
    void* payload = const_cast<char*>(event.data());
    rd_kafka_resp_err_t error =
        rd_kafka_producev(client_->get(), RD_KAFKA_V_TOPIC(address_.topic.c_str()),
                          RD_KAFKA_V_PARTITION(static_cast<int32_t>(partition)),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(payload, event.size()),
                          RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  }
  return true;
}

bool TransactionSender::IsFine(rd_kafka_error_t* error) {
  if (error == nullptr) return true;
  rd_kafka_error_destroy(error);
  GiveUp();
  return false;
}

void TransactionSender::GiveUp() {
  if (client_ == nullptr) return;
  rd_kafka_purge(client_->get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  client_.reset();
}

}  // namespace odometer
