#include "log/kafka_log.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/event.h"
#include "core/placement.h"
#include "log/kafka_topic.h"

namespace odometer {

namespace {

constexpr std::chrono::seconds kPartitionsCheckedEvery{5};
// A leader that has just become one learns a moment later how far the log is committed.
constexpr std::chrono::seconds kNewLeader{2};

}  // namespace

// Registers with its partition, so that Wake() finds it.
class KafkaPartition::Reader : public EventReader {
 public:
  Reader(KafkaPartition& log, std::unique_ptr<KafkaReader> reader) : log_(log), reader_(std::move(reader)) {
    std::lock_guard lock(log_.mutex_);
    log_.readers_.push_back(reader_.get());
  }
  ~Reader() override {
    std::lock_guard lock(log_.mutex_);
    std::erase(log_.readers_, reader_.get());
  }

  Result<std::span<const Record>> Poll(size_t records_max, int64_t wait_us) override {
    Result<std::span<const Record>> records = reader_->Poll(records_max, wait_us);
    if (records.ok()) log_.Extend(std::max(reader_->end_seen(), reader_->next_offset()));
    return records;
  }
  uint64_t next_offset() const override { return reader_->next_offset(); }

 private:
  KafkaPartition& log_;
  std::unique_ptr<KafkaReader> reader_;
};

OffsetRange KafkaPartition::range() const {
  std::lock_guard lock(mutex_);
  return range_;
}

void KafkaPartition::Extend(uint64_t end) {
  std::lock_guard lock(mutex_);
  range_.end = std::max(range_.end, end);
}

Status KafkaPartition::Refresh(uint64_t at_least) {
  auto deadline = std::chrono::steady_clock::now() + kNewLeader;
  for (;;) {
    Result<OffsetRange> range = log_.witness_->Range(partition_);
    if (!range.ok()) return range.status();
    {
      std::lock_guard lock(mutex_);
      at_least = std::max(at_least, range_.end);
      if (range->end >= at_least) {
        range_ = *range;
        return Status::Ok();
      }
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Status(Code::kCorrupt, log_.address_.ToString() + " partition " + std::to_string(partition_) +
                                        ": the log ends at offset " + std::to_string(range->end) +
                                        " now, and reached to " + std::to_string(at_least) +
                                        ": records are gone, or the topic was made anew");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<Appended> KafkaPartition::Append(std::span<const std::string_view> events) {
  if (events.empty()) {
    uint64_t end = range().end;
    return Appended{end, end, AppendTime()};
  }
  // Who answers after an outage may be another cluster.
  if (log_.producer_->outages() != verified_outages_) {
    if (Status verified = CheckIdentity(); !verified.ok())
      return Status(Code::kUnavailable, "nothing was sent: " + verified.message());
  }
  Result<Appended> appended = log_.producer_->Send(partition_, events);
  if (!appended.ok()) return appended;
  Extend(appended->next_offset);
  return appended;
}

Result<std::unique_ptr<EventReader>> KafkaPartition::Read(uint64_t from) {
  OffsetRange held = range();
  if (from > held.end || held.end == 0) {
    ODOMETER_RETURN_IF_ERROR(Refresh());
    held = range();
  }
  std::string what = log_.address_.ToString() + " partition " + std::to_string(partition_) + ": offset " +
                     std::to_string(from) + " is ";
  if (from > held.end) {
    return Status(Code::kInvalid, what + "above the end of the log, " + std::to_string(held.end));
  }
  if (from < held.start) return Status(Code::kNotFound, what + "no longer in the log");
  KafkaReaderOptions options;
  options.address = log_.address_;
  options.partition = partition_;
  options.from = from;
  options.queue_bytes_max = std::max<uint64_t>(log_.options_.queue_bytes_max / log_.partitions(), 16 << 20);
  Result<std::unique_ptr<KafkaReader>> reader = KafkaReader::Open(options);
  if (!reader.ok()) return reader.status();
  return std::unique_ptr<EventReader>(std::make_unique<Reader>(*this, std::move(*reader)));
}

Result<OwnedRecord> KafkaPartition::Fetch(uint64_t offset) {
  if (offset >= range().end) ODOMETER_RETURN_IF_ERROR(Refresh());
  if (offset >= range().end)
    return Status(Code::kNotFound, log_.address_.ToString() + ": no record at offset " + std::to_string(offset));
  return log_.witness_->Fetch(partition_, offset);
}

Status KafkaPartition::SyncTo(uint64_t offset) {
  if (offset > range().end) {
    ODOMETER_RETURN_IF_ERROR(log_.CheckPartitions());  // a topic that is gone has no end to ask for
    ODOMETER_RETURN_IF_ERROR(Refresh(offset));
  }
  return CheckIdentity();
}

Status KafkaPartition::CheckIdentity() {
  const uint64_t outages = log_.producer_->outages();
  ODOMETER_RETURN_IF_ERROR(log_.CheckPartitions());
  Result<OwnedRecord> genesis = log_.witness_->Fetch(partition_, 0);
  if (genesis.status().code() == Code::kNotFound)
    return Status(Code::kCorrupt, log_.address_.ToString() + " partition " + std::to_string(partition_) +
                                      ": record 0, Genesis, is gone: the log was trimmed, or made anew");
  if (!genesis.ok()) return genesis.status();
  ODOMETER_RETURN_IF_ERROR(CheckGenesis({genesis->offset, genesis->append_time, genesis->bytes}, log_.log_id_,
                                        partition_, log_.partitions()));
  verified_outages_ = outages;
  return Status::Ok();
}

// How far the log reaches may have been another one's word.
Status KafkaPartition::ForgetFrom(uint64_t) {
  std::lock_guard lock(mutex_);
  range_.end = 0;
  return Status::Ok();
}

void KafkaPartition::Acknowledge(uint64_t next_offset) { log_.witness_->Acknowledge(partition_, next_offset); }

void KafkaPartition::Wake() {
  std::lock_guard lock(mutex_);
  for (KafkaReader* reader : readers_) reader->Wake();
}

Result<std::unique_ptr<KafkaLog>> KafkaLog::Open(const KafkaAddress& address, const Options& options) {
  std::unique_ptr<KafkaLog> log(new KafkaLog(address, options));
  Result<std::unique_ptr<KafkaWitness>> witness = KafkaWitness::Open(address);
  if (!witness.ok()) return witness.status();
  log->witness_ = std::move(*witness);
  ODOMETER_RETURN_IF_ERROR(log->Identify());
  KafkaProducerOptions producer_options;
  producer_options.address = address;
  producer_options.timeout_ms = options.append_timeout_ms;
  Result<std::unique_ptr<KafkaProducer>> producer = KafkaProducer::Open(producer_options);
  if (!producer.ok()) return producer.status();
  log->producer_ = std::move(*producer);
  return log;
}

// Which log this is, and that every partition belongs to it.
Status KafkaLog::Identify() {
  Result<std::string> cluster_id = witness_->ClusterId();
  if (!cluster_id.ok()) return cluster_id.status();
  cluster_id_ = *cluster_id;
  Result<uint32_t> partitions = witness_->Partitions();
  if (!partitions.ok()) return partitions.status();
  Result<std::vector<std::string>> wrong = CheckTopic(address_);
  if (!wrong.ok()) return wrong.status();
  if (!wrong->empty()) {
    std::string text = address_.ToString() + ": settings of the topic that a log cannot have:";
    for (const std::string& what : *wrong) text += " " + what + ";";
    return Status(Code::kConflict, text + " see odometer topics check");
  }
  if (options_.partitions != 0 && options_.partitions != *partitions) {
    return Status(Code::kConflict, address_.ToString() + ": the topic has " + std::to_string(*partitions) +
                                       " partitions, expected " + std::to_string(options_.partitions));
  }
  for (uint32_t partition = 0; partition < *partitions; ++partition) {
    Result<OwnedRecord> first = witness_->Fetch(partition, 0);
    if (!first.ok() && first.status().code() == Code::kNotFound) {
      return Status(Code::kCorrupt, address_.ToString() + " partition " + std::to_string(partition) +
                                        ": record 0, Genesis, is not there: it was trimmed, or the topic was not made "
                                        "by odometer topics create");
    }
    if (!first.ok()) return first.status();
    Event event;
    if (partition == 0 && first->bytes.data() != nullptr && Decode(first->bytes, &event) == Reason::kNone &&
        event.type == EventType::kGenesis)
      log_id_ = event.genesis.log_id;
    const Uuid& expected = options_.log_id == Uuid() ? log_id_ : options_.log_id;
    ODOMETER_RETURN_IF_ERROR(
        CheckGenesis({first->offset, first->append_time, first->bytes}, expected, partition, *partitions));
    partitions_.push_back(std::make_unique<KafkaPartition>(*this, partition));
    ODOMETER_RETURN_IF_ERROR(partitions_.back()->Refresh());
  }
  return Status::Ok();
}

// More partitions than there were: producers that spread by the new number have put events where nobody looks.
Status KafkaLog::CheckPartitions() {
  {
    std::lock_guard lock(checked_mutex_);
    auto now = std::chrono::steady_clock::now();
    if (now - checked_at_ < kPartitionsCheckedEvery) return partitions_status_;
    checked_at_ = now;
  }
  Result<uint32_t> found = witness_->Partitions();
  Status status = found.status();
  if (found.ok() && *found != partitions()) {
    status = Status(Code::kCorrupt, address_.ToString() + ": the topic has " + std::to_string(*found) +
                                        " partitions now, the log has " + std::to_string(partitions()) +
                                        ": their number is fixed for ever");
  }
  if (found.status().code() == Code::kNotFound)
    status = Status(Code::kCorrupt, address_.ToString() + ": there is no such topic any more: it was deleted");
  std::lock_guard lock(checked_mutex_);
  partitions_status_ = status;
  if (!status.ok()) checked_at_ = {};
  return status;
}

PartitionLog& KafkaLog::partition(uint32_t partition) {
  ODOMETER_CHECK(partition < partitions_.size());
  return *partitions_[partition];
}

}  // namespace odometer
