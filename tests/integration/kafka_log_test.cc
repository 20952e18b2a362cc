// The contract of log/event_log.h on a real broker, alone and with its copy in segments; and what only Kafka can do.
// ODOMETER_KAFKA names the broker (with_kafka.py starts one).
#include "log/kafka_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "log/kafka_topic.h"
#include "tests/support/archived_log.h"
#include "tests/support/log_contract.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");

std::string Brokers() {
  const char* brokers = std::getenv("ODOMETER_KAFKA");
  if (brokers == nullptr) {
    ADD_FAILURE() << "ODOMETER_KAFKA names no broker: run this by tests/integration/with_kafka.py";
    return "127.0.0.1:1";
  }
  return brokers;
}

KafkaAddress NewAddress() {
  static std::atomic<int> count = 0;
  return {Brokers(), "contract-" + std::to_string(getpid()) + "-" + std::to_string(++count)};
}

class KafkaHolder : public LogHolder {
 public:
  explicit KafkaHolder(uint32_t partitions) : address_(NewAddress()) {
    Status made = CreateTopic(address_, {kLogId, partitions, 1}, SystemClock());
    EXPECT_TRUE(made.ok()) << made.ToString();
    Reopen();
  }
  EventLog& log() override { return *log_; }
  bool Reopen() override {
    log_.reset();
    Result<std::unique_ptr<KafkaLog>> log = KafkaLog::Open(address_, {});
    EXPECT_TRUE(log.ok()) << log.status().ToString();
    log_ = std::move(log.value());
    return true;
  }

 private:
  KafkaAddress address_;
  std::unique_ptr<KafkaLog> log_;
};

class ArchivedKafkaHolder : public LogHolder {
 public:
  explicit ArchivedKafkaHolder(uint32_t partitions) : kafka_(partitions) { Reopen(); }
  EventLog& log() override { return *archived_; }
  bool Reopen() override {
    archived_.reset();
    kafka_.Reopen();
    archived_ = std::make_unique<ArchivedLog>(PosixFileSystem(), SystemClock(), directory_.path(), kafka_.log());
    return true;
  }

 private:
  TempDirectory directory_;
  KafkaHolder kafka_;
  std::unique_ptr<ArchivedLog> archived_;
};

INSTANTIATE_TEST_SUITE_P(
    Kafka, EventLogContract,
    testing::Values(LogUnderTest{"Kafka", [](uint32_t n) { return std::make_unique<KafkaHolder>(n); }},
                    LogUnderTest{"KafkaWithItsCopy",
                                 [](uint32_t n) { return std::make_unique<ArchivedKafkaHolder>(n); }}),
    [](const testing::TestParamInfo<LogUnderTest>& info) { return info.param.name; });

TEST(KafkaTopic, AsItWasMadeItHasTheSettingsThatALogNeeds) {
  KafkaAddress address = NewAddress();
  ASSERT_TRUE(CreateTopic(address, {kLogId, 3, 1}, SystemClock()).ok());
  Result<std::vector<std::string>> wrong = CheckTopic(address);
  ASSERT_TRUE(wrong.ok()) << wrong.status().ToString();
  EXPECT_EQ(*wrong, std::vector<std::string>());
  EXPECT_EQ(KafkaLog::Open(address, {}).value()->partitions(), 3u);
}

TEST(KafkaTopic, IsNotMadeTwice) {
  KafkaAddress address = NewAddress();
  ASSERT_TRUE(CreateTopic(address, {kLogId, 1, 1}, SystemClock()).ok());
  EXPECT_EQ(CreateTopic(address, {kLogId, 1, 1}, SystemClock()).code(), Code::kConflict);
}

TEST(KafkaTopic, OfMoreReplicasThanBrokersIsRefusedAndSaysSo) {
  Status made = CreateTopic(NewAddress(), {kLogId, 1, 9}, SystemClock());
  EXPECT_EQ(made.code(), Code::kInvalid) << made.ToString();
}

TEST(KafkaLogOpen, OfATopicThatIsNotThereSaysHowToMakeIt) {
  Result<std::unique_ptr<KafkaLog>> log = KafkaLog::Open(NewAddress(), {});
  EXPECT_EQ(log.status().code(), Code::kNotFound);
  EXPECT_NE(log.status().message().find("topics create"), std::string::npos) << log.status().ToString();
}

TEST(KafkaLogOpen, OfAnotherLogOrNumberOfPartitionsNamesBoth) {
  KafkaAddress address = NewAddress();
  ASSERT_TRUE(CreateTopic(address, {kLogId, 2, 1}, SystemClock()).ok());
  KafkaLog::Options other;
  other.log_id = Uuid5(kNamespaceDns, "another");
  Status status = KafkaLog::Open(address, other).status();
  EXPECT_NE(status.message().find(kLogId.ToString()), std::string::npos) << status.ToString();
  EXPECT_NE(status.message().find(other.log_id.ToString()), std::string::npos) << status.ToString();
  KafkaLog::Options more;
  more.partitions = 4;
  EXPECT_EQ(KafkaLog::Open(address, more).status().code(), Code::kConflict);
}

TEST(KafkaLogOpen, WithNoBrokerIsUnavailable) {
  EXPECT_EQ(KafkaLog::Open({"127.0.0.1:1", "odometer"}, {}).status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace odometer
