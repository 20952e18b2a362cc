// log/kafka_client.h: KafkaClient, one librdkafka handle with its settings and what it last said about its brokers.
//
//   KafkaConf conf(address);
//   conf.Set("enable.idempotence", "true");
//   Result<std::unique_ptr<KafkaClient>> producer = KafkaClient::Open(KafkaClient::Kind::kProducer, std::move(conf));
//
// Only log/kafka_*.cc see librdkafka. Thread-safe where librdkafka is.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/status.h"
#include "log/kafka_address.h"

namespace odometer {

// Settings of one handle: those that every handle of Odometer has, and the caller's.
class KafkaConf {
 public:
  explicit KafkaConf(const KafkaAddress& address);
  ~KafkaConf();
  KafkaConf(KafkaConf&& other) noexcept : conf_(std::exchange(other.conf_, nullptr)) {}
  KafkaConf& operator=(KafkaConf&&) = delete;

  // Names and values are constants of this program: a wrong one is a bug.
  void Set(const char* name, const std::string& value);
  rd_kafka_conf_t* get() { return conf_; }

 private:
  friend class KafkaClient;
  rd_kafka_conf_t* conf_;
};

class KafkaClient {
 public:
  enum class Kind { kProducer, kConsumer };
  static Result<std::unique_ptr<KafkaClient>> Open(Kind kind, KafkaConf conf);
  ~KafkaClient();

  rd_kafka_t* get() const { return handle_; }
  // What went wrong last with a broker, for the text of an error; "" when nothing has.
  std::string trouble() const;
  void NoteTrouble(const std::string& text);
  // How often no broker at all could be reached. One of several that is away is no outage.
  uint64_t outages() const { return outages_; }
  // A producer that has had a fatal error takes nothing more: another handle must take its place.
  bool is_fatal() const { return rd_kafka_fatal_error(handle_, nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR; }

 private:
  KafkaClient() = default;
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);

  rd_kafka_t* handle_ = nullptr;
  mutable std::mutex mutex_;
  std::string trouble_;
  std::atomic<uint64_t> outages_ = 0;
};

// "kUnavailable: WHAT: librdkafka's text (what it last said of its brokers)".
Status KafkaUnavailable(const KafkaClient& client, const std::string& what, rd_kafka_resp_err_t error);

struct KafkaListFree {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using KafkaPartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaListFree>;
KafkaPartitionList KafkaListOf(const std::string& topic, uint32_t partition, int64_t offset);

struct KafkaTopicFree {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, KafkaTopicFree>;  // goes before its client
KafkaTopic KafkaTopicOf(const KafkaClient& client, const std::string& name);

struct KafkaMessageFree {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, KafkaMessageFree>;

}  // namespace odometer
