#include "log/kafka_client.h"

#include "core/check.h"

namespace odometer {

KafkaConf::KafkaConf(const KafkaAddress& address) : conf_(rd_kafka_conf_new()) {
  Set("bootstrap.servers", address.brokers);
  Set("client.id", "odometer");
  Set("allow.auto.create.topics", "false");
  Set("socket.nagle.disable", "true");
  Set("socket.timeout.ms", "10000");
  // A broker that is back is found within about a second.
  Set("reconnect.backoff.ms", "50");
  Set("reconnect.backoff.max.ms", "1000");
  Set("topic.metadata.refresh.interval.ms", "10000");
  Set("topic.metadata.refresh.fast.interval.ms", "100");
  Set("log.connection.close", "false");
}

KafkaConf::~KafkaConf() {
  if (conf_ != nullptr) rd_kafka_conf_destroy(conf_);
}

void KafkaConf::Set(const char* name, const std::string& value) {
  char error[256];
  bool is_set = rd_kafka_conf_set(conf_, name, value.c_str(), error, sizeof(error)) == RD_KAFKA_CONF_OK;
  ODOMETER_CHECK(is_set);
}

Result<std::unique_ptr<KafkaClient>> KafkaClient::Open(Kind kind, KafkaConf conf) {
  std::unique_ptr<KafkaClient> client(new KafkaClient());
  rd_kafka_conf_set_opaque(conf.conf_, client.get());
  rd_kafka_conf_set_error_cb(conf.conf_, OnError);
  // Its lines would go to standard error, unstructured; what matters of them comes as errors, too.
  rd_kafka_conf_set_log_cb(conf.conf_, [](const rd_kafka_t*, int, const char*, const char*) {});
  char error[256];
  rd_kafka_type_t type = kind == Kind::kProducer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  client->handle_ = rd_kafka_new(type, conf.conf_, error, sizeof(error));
  if (client->handle_ == nullptr) return Status(Code::kIo, std::string("librdkafka: ") + error);
  conf.conf_ = nullptr;  // the handle's now
  return client;
}

KafkaClient::~KafkaClient() {
  if (handle_ == nullptr) return;
  rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void KafkaClient::OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  KafkaClient* client = static_cast<KafkaClient*>(opaque);
  client->NoteTrouble(reason);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) ++client->outages_;
}

std::string KafkaClient::trouble() const {
  std::lock_guard lock(mutex_);
  return trouble_;
}

void KafkaClient::NoteTrouble(const std::string& text) {
  std::lock_guard lock(mutex_);
  trouble_ = text;
}

Status KafkaUnavailable(const KafkaClient& client, const std::string& what, rd_kafka_resp_err_t error) {
  std::string text = what + ": " + rd_kafka_err2str(error);
  if (std::string trouble = client.trouble(); !trouble.empty()) text += " (" + trouble + ")";
  return Status(Code::kUnavailable, text);
}

KafkaTopic KafkaTopicOf(const KafkaClient& client, const std::string& name) {
  KafkaTopic topic(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
  ODOMETER_CHECK(topic != nullptr);
  return topic;
}

KafkaPartitionList KafkaListOf(const std::string& topic, uint32_t partition, int64_t offset) {
  KafkaPartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<int32_t>(partition))->offset = offset;
  return list;
}

}  // namespace odometer
