#include "log/kafka_witness.h"

#include <chrono>
#include <optional>

namespace odometer {

namespace {

constexpr int kNudgeMs = 1;
constexpr int kNudgeAnswerMs = 100;
// A leader that has just become one learns a moment later how far the log is committed.
constexpr std::chrono::seconds kNewLeader{2};

Record RecordOf(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  int64_t time_ms = std::max<int64_t>(rd_kafka_message_timestamp(&message, &type), 0);
  std::string_view bytes;
  if (message.payload != nullptr) bytes = {static_cast<const char*>(message.payload), message.len};
  return {static_cast<uint64_t>(message.offset), AppendTimeOf(time_ms * 1000), bytes};
}

}  // namespace

KafkaWitness::KafkaWitness(KafkaAddress address, Handles handles)
    : address_(std::move(address)), handles_(std::move(handles)), first_(*handles_[0]) {}

Result<std::unique_ptr<KafkaWitness>> KafkaWitness::Open(const KafkaAddress& address) {
  Handles handles;
  for (std::unique_ptr<Handle>& handle : handles) {
    KafkaConf conf(address);
    conf.Set("group.id", "odometer");
    conf.Set("enable.auto.commit", "false");
    conf.Set("auto.offset.reset", "error");
    // The end is the high watermark; what an open transaction holds back is the reader's matter.
    conf.Set("isolation.level", "read_uncommitted");
    conf.Set("enable.partition.eof", "true");
    // One record at a time is wanted, and what is fetched beyond it is thrown away. At the end of the log that must not
    // wait for more: the next record that is wanted would wait behind it.
    conf.Set("queued.min.messages", "1");
    conf.Set("queued.max.messages.kbytes", "1024");
    conf.Set("fetch.message.max.bytes", "4096");
    conf.Set("fetch.wait.max.ms", "1");
    conf.Set("fetch.error.backoff.ms", "20");
    Result<std::unique_ptr<KafkaClient>> client = KafkaClient::Open(KafkaClient::Kind::kConsumer, std::move(conf));
    if (!client.ok()) return client.status();
    handle = std::make_unique<Handle>(address, std::move(*client));
  }
  return std::unique_ptr<KafkaWitness>(new KafkaWitness(address, std::move(handles)));
}

std::pair<KafkaWitness::Handle*, std::unique_lock<std::mutex>> KafkaWitness::Take(uint32_t partition) {
  size_t slot = partition % kSlots;
  for (const std::unique_ptr<Handle>& handle : handles_) {
    std::unique_lock lock(handle->reading[slot], std::try_to_lock);
    if (lock.owns_lock()) return {handle.get(), std::move(lock)};
  }
  return {&first_, std::unique_lock(first_.reading[slot])};
}

Result<OwnedRecord> KafkaWitness::Fetch(uint32_t partition, uint64_t offset, int timeout_ms) {
  auto [handle, lock] = Take(partition);
  int32_t number = static_cast<int32_t>(partition);
  if (rd_kafka_consume_start(handle->topic.get(), number, static_cast<int64_t>(offset)) != 0)
    return KafkaUnavailable(*handle->client, "start to read", rd_kafka_last_error());
  Result<OwnedRecord> record = Await(*handle, partition, offset, timeout_ms);
  rd_kafka_consume_stop(handle->topic.get(), number);
  return record;
}

// librdkafka's thread can miss that it was told to read, and then sleeps for a second; any request wakes it. That is
// put soon: it costs the broker next to nothing, and a commit waits.
Result<OwnedRecord> KafkaWitness::Await(Handle& handle, uint32_t partition, uint64_t offset, int timeout_ms) {
  std::string where =
      address_.ToString() + " partition " + std::to_string(partition) + " offset " + std::to_string(offset);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  std::optional<std::chrono::steady_clock::time_point> ended;
  for (;;) {
    if (ended && std::chrono::steady_clock::now() - *ended >= kNewLeader)
      return Status(Code::kNotFound, where + ": no such record");
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return KafkaUnavailable(*handle.client, where, RD_KAFKA_RESP_ERR__TIMED_OUT);
    rd_kafka_poll(handle.client->get(), 0);  // errors of the brokers
    int wait_ms = static_cast<int>(std::min<int64_t>(left.count(), kNudgeMs));
    KafkaMessage message(rd_kafka_consume(handle.topic.get(), static_cast<int32_t>(partition), wait_ms));
    if (message == nullptr) {
      (void)OffsetAt(handle, partition, RD_KAFKA_OFFSET_END, kNudgeAnswerMs);
      continue;
    }
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (message->offset == static_cast<int64_t>(offset)) return OwnedRecord::Copy(RecordOf(*message));
        return Status(Code::kNotFound, where + ": no such record");  // the broker begins at the next one there is
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:                         // said once
        if (!ended) ended = std::chrono::steady_clock::now();
        continue;
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return Status(Code::kNotFound, where + ": no such record");
      default:
        return KafkaUnavailable(*handle.client, where, message->err);
    }
  }
}

// Not rd_kafka_query_watermark_offsets(): while its broker is away it waits far beyond the time it is given.
Result<uint64_t> KafkaWitness::OffsetAt(Handle& handle, uint32_t partition, int64_t which, int timeout_ms) {
  KafkaPartitionList list = KafkaListOf(address_.topic, partition, which);
  rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(handle.client->get(), list.get(), timeout_ms);
  const rd_kafka_topic_partition_t& found = list->elems[0];
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = found.err;
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && found.offset >= 0) return static_cast<uint64_t>(found.offset);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  return KafkaUnavailable(*handle.client, address_.ToString() + " partition " + std::to_string(partition), error);
}

Result<OffsetRange> KafkaWitness::Range(uint32_t partition, int timeout_ms) {
  Result<uint64_t> start = OffsetAt(first_, partition, RD_KAFKA_OFFSET_BEGINNING, timeout_ms);
  if (!start.ok()) return start.status();
  Result<uint64_t> end = OffsetAt(first_, partition, RD_KAFKA_OFFSET_END, timeout_ms);
  if (!end.ok()) return end.status();
  return OffsetRange{*start, *end};
}

Result<uint32_t> KafkaWitness::Partitions(int timeout_ms) {
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error = rd_kafka_metadata(first_.client->get(), 0, first_.topic.get(), &metadata, timeout_ms);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaUnavailable(*first_.client, address_.ToString(), error);
  std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> owned(metadata,
                                                                                         &rd_kafka_metadata_destroy);
  if (metadata->topic_cnt != 1) return Status(Code::kUnavailable, address_.ToString() + ": no metadata");
  const rd_kafka_metadata_topic_t& found = metadata->topics[0];
  if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    return Status(Code::kNotFound, address_.ToString() + ": there is no such topic; make it: odometer topics create");
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaUnavailable(*first_.client, address_.ToString(), found.err);
  return static_cast<uint32_t>(found.partition_cnt);
}

Result<std::string> KafkaWitness::ClusterId(int timeout_ms) {
  char* id = rd_kafka_clusterid(first_.client->get(), timeout_ms);
  if (id == nullptr) return KafkaUnavailable(*first_.client, address_.ToString(), RD_KAFKA_RESP_ERR__TIMED_OUT);
  std::string text(id);
  rd_kafka_mem_free(first_.client->get(), id);
  return text;
}

void KafkaWitness::Acknowledge(uint32_t partition, uint64_t next_offset) {
  KafkaPartitionList list = KafkaListOf(address_.topic, partition, static_cast<int64_t>(next_offset));
  (void)rd_kafka_commit(first_.client->get(), list.get(), 1);
}

}  // namespace odometer
