#include "log/kafka_topic.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "core/event.h"
#include "core/placement.h"
#include "log/event_log.h"
#include "log/kafka_producer.h"
#include "log/kafka_witness.h"

namespace odometer {

namespace {

constexpr int kTimeoutMs = 15'000;

// The settings of every log. What keeps a record for ever, and gives it the broker's time, is not a matter of taste.
std::vector<std::pair<std::string, std::string>> RequiredSettings(uint32_t replicas) {
  return {
      {"cleanup.policy", "delete"},
      {"retention.ms", "-1"},
      {"retention.bytes", "-1"},
      {"message.timestamp.type", "LogAppendTime"},
      {"max.message.bytes", "1048576"},
      {"min.insync.replicas", std::to_string(std::min<uint32_t>(2, replicas))},
      {"unclean.leader.election.enable", "false"},
  };
}

Result<std::unique_ptr<KafkaClient>> OpenAdmin(const KafkaAddress& address) {
  return KafkaClient::Open(KafkaClient::Kind::kProducer, KafkaConf(address));
}

using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
using AdminEvent = std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)>;

// Sends one admin request and waits for its answer.
Result<AdminEvent> AskBroker(KafkaClient& client, rd_kafka_admin_op_t operation, const std::string& what,
                             const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send) {
  Queue queue(rd_kafka_queue_new(client.get()), &rd_kafka_queue_destroy);
  std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)> options(
      rd_kafka_AdminOptions_new(client.get(), operation), &rd_kafka_AdminOptions_destroy);
  char error[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kTimeoutMs, error, sizeof(error));
  if (operation == RD_KAFKA_ADMIN_OP_CREATETOPICS)
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), kTimeoutMs, error, sizeof(error));
  send(options.get(), queue.get());
  AdminEvent event(rd_kafka_queue_poll(queue.get(), kTimeoutMs + 1'000), &rd_kafka_event_destroy);
  if (event == nullptr) return KafkaUnavailable(client, what, RD_KAFKA_RESP_ERR__TIMED_OUT);
  if (rd_kafka_resp_err_t failed = rd_kafka_event_error(event.get()); failed != RD_KAFKA_RESP_ERR_NO_ERROR)
    return KafkaUnavailable(client, what, failed);
  return event;
}

using Settings = std::map<std::string, std::string>;

Result<Settings> SettingsOf(KafkaClient& client, const KafkaAddress& address) {
  std::unique_ptr<rd_kafka_ConfigResource_t, decltype(&rd_kafka_ConfigResource_destroy)> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, address.topic.c_str()), &rd_kafka_ConfigResource_destroy);
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  Result<AdminEvent> event = AskBroker(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "describe " + address.ToString(),
                                       [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                                         rd_kafka_DescribeConfigs(client.get(), resources, 1, options, queue);
                                       });
  if (!event.ok()) return event.status();
  size_t count = 0;
  const rd_kafka_ConfigResource_t** found =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  if (count != 1) return Status(Code::kUnavailable, "describe " + address.ToString() + ": no answer");
  rd_kafka_resp_err_t failed = rd_kafka_ConfigResource_error(found[0]);
  if (failed == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    return Status(Code::kNotFound, address.ToString() + ": there is no such topic; make it: odometer topics create");
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaUnavailable(client, "describe " + address.ToString(), failed);
  Settings settings;
  size_t entries = 0;
  const rd_kafka_ConfigEntry_t** entry = rd_kafka_ConfigResource_configs(found[0], &entries);
  for (size_t i = 0; i < entries; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entry[i]);
    settings[rd_kafka_ConfigEntry_name(entry[i])] = value != nullptr ? value : "";
  }
  return settings;
}

// Of the partition with the most: a setting is the whole topic's.
Result<uint32_t> ReplicasOf(KafkaClient& client, const KafkaAddress& address) {
  KafkaTopic topic = KafkaTopicOf(client, address.topic);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t failed = rd_kafka_metadata(client.get(), 0, topic.get(), &metadata, kTimeoutMs);
  if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaUnavailable(client, address.ToString(), failed);
  std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> owned(metadata,
                                                                                         &rd_kafka_metadata_destroy);
  int replicas = 0;
  for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; ++i)
    replicas = std::max(replicas, metadata->topics[0].partitions[i].replica_cnt);
  if (replicas > 0) return static_cast<uint32_t>(replicas);
  return Status(Code::kUnavailable, address.ToString() + ": no broker says how many replicas it has");
}

Status MakeTopic(KafkaClient& client, const KafkaAddress& address, const TopicOptions& options) {
  char error[512];
  std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> topic(
      rd_kafka_NewTopic_new(address.topic.c_str(), static_cast<int>(options.partitions),
                            static_cast<int>(options.replicas), error, sizeof(error)),
      &rd_kafka_NewTopic_destroy);
  if (topic == nullptr) return Status(Code::kInvalid, error);
  for (const auto& [name, value] : RequiredSettings(options.replicas))
    rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  Result<AdminEvent> event = AskBroker(client, RD_KAFKA_ADMIN_OP_CREATETOPICS, "create " + address.ToString(),
                                       [&](rd_kafka_AdminOptions_t* admin, rd_kafka_queue_t* queue) {
                                         rd_kafka_CreateTopics(client.get(), topics, 1, admin, queue);
                                       });
  if (!event.ok()) return event.status();
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  if (count != 1) return Status(Code::kUnavailable, "create " + address.ToString() + ": no answer");
  rd_kafka_resp_err_t failed = rd_kafka_topic_result_error(results[0]);
  if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  const char* text = rd_kafka_topic_result_error_string(results[0]);
  std::string why = "create " + address.ToString() + ": " + (text != nullptr ? text : rd_kafka_err2str(failed));
  if (failed == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return Status(Code::kConflict, why);
  bool is_wrong = failed == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
                  failed == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS || failed == RD_KAFKA_RESP_ERR_INVALID_CONFIG ||
                  failed == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
  return Status(is_wrong ? Code::kInvalid : Code::kUnavailable, why);
}

// A fresh topic's leaders are known to a client a moment later than the topic is.
Result<OffsetRange> AwaitRange(KafkaWitness& witness, uint32_t partition) {
  for (int tries = 0;; ++tries) {
    Result<OffsetRange> range = witness.Range(partition);
    if (range.ok() || tries == 100) return range;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// A topic that was made and then left by a process that was killed: some partitions have their Genesis and nothing
// else, the others nothing. Its log is gone on with; anything else is somebody's.
Status TakeUnfinished(KafkaWitness& witness, const KafkaAddress& address, const TopicOptions& options,
                      const Status& conflict, Uuid* log_id) {
  Result<uint32_t> partitions = witness.Partitions();
  if (!partitions.ok()) return partitions.status();
  Result<std::vector<std::string>> wrong = CheckTopic(address);
  if (!wrong.ok()) return wrong.status();
  if (*partitions != options.partitions || !wrong->empty()) return conflict;
  uint32_t empty = 0;
  bool is_known = false;
  for (uint32_t partition = 0; partition < options.partitions; ++partition) {
    Result<OffsetRange> range = AwaitRange(witness, partition);
    if (!range.ok()) return range.status();
    if (range->end == 0) ++empty;
    if (range->end == 0) continue;
    if (range->end > 1) return conflict;
    Result<OwnedRecord> first = witness.Fetch(partition, 0);
    if (!first.ok()) return first.status();
    Event event;
    bool is_genesis = first->bytes.data() != nullptr && Decode(first->bytes, &event) == Reason::kNone &&
                      event.type == EventType::kGenesis;
    if (!is_genesis || (is_known && event.genesis.log_id != *log_id)) return conflict;
    *log_id = event.genesis.log_id;
    is_known = true;
  }
  return empty > 0 ? Status::Ok() : conflict;
}

Status WriteGenesis(KafkaProducer& producer, KafkaWitness& witness, const TopicOptions& options, uint32_t partition,
                    Clock& clock) {
  Result<OffsetRange> range = AwaitRange(witness, partition);
  if (!range.ok()) return range.status();
  std::string genesis = GenesisBytes(options.log_id, partition, options.partitions, clock.NowUs());
  if (range->end == 0) {
    std::string_view event = genesis;
    Result<Appended> appended = producer.Send(partition, {&event, 1});
    if (!appended.ok()) return appended.status();
  }
  Result<OwnedRecord> first = witness.Fetch(partition, 0);
  if (!first.ok()) return first.status();
  return CheckGenesis({first->offset, first->append_time, first->bytes}, options.log_id, partition, options.partitions);
}

}  // namespace

Status CreateTopic(const KafkaAddress& address, const TopicOptions& options, Clock& clock) {
  if (options.partitions == 0 || options.partitions > kSlots) {
    return Status(Code::kInvalid, "a log has 1 to " + std::to_string(kSlots) + " partitions, not " +
                                      std::to_string(options.partitions));
  }
  Result<std::unique_ptr<KafkaClient>> admin = OpenAdmin(address);
  if (!admin.ok()) return admin.status();
  Result<std::unique_ptr<KafkaWitness>> witness = KafkaWitness::Open(address);
  if (!witness.ok()) return witness.status();
  Status made = MakeTopic(**admin, address, options);
  Uuid log_id = options.log_id;
  if (made.code() == Code::kConflict) made = TakeUnfinished(**witness, address, options, made, &log_id);
  if (!made.ok()) return made;
  KafkaProducerOptions producer_options;
  producer_options.address = address;
  producer_options.timeout_ms = 30'000;
  Result<std::unique_ptr<KafkaProducer>> producer = KafkaProducer::Open(producer_options);
  if (!producer.ok()) return producer.status();
  TopicOptions finished = options;
  finished.log_id = log_id;
  for (uint32_t partition = 0; partition < options.partitions; ++partition)
    ODOMETER_RETURN_IF_ERROR(WriteGenesis(**producer, **witness, finished, partition, clock));
  return Status::Ok();
}

Result<std::vector<std::string>> CheckTopic(const KafkaAddress& address) {
  Result<std::unique_ptr<KafkaClient>> admin = OpenAdmin(address);
  if (!admin.ok()) return admin.status();
  Result<Settings> settings = SettingsOf(**admin, address);
  if (!settings.ok()) return settings.status();
  Result<uint32_t> replicas = ReplicasOf(**admin, address);
  if (!replicas.ok()) return replicas.status();
  std::vector<std::string> wrong;
  for (const auto& [name, value] : RequiredSettings(*replicas)) {
    const std::string& found = (*settings)[name];
    bool is_more = name == "min.insync.replicas" || name == "max.message.bytes";
    bool is_right = is_more ? std::atoll(found.c_str()) >= std::atoll(value.c_str()) : found == value;
    if (is_right) continue;
    wrong.push_back(name + " is " + found + ", and must be " + value + (is_more ? " or more" : ""));
  }
  return wrong;
}

}  // namespace odometer
