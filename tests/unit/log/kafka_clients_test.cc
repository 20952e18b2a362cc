// KafkaReader, KafkaWitness and KafkaProducer beside librdkafka's brokers in this process.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <chrono>
#include <thread>

#include "log/kafka_producer.h"
#include "log/kafka_reader.h"
#include "log/kafka_witness.h"

namespace odometer {
namespace {

constexpr int64_t kWaitUs = 10 * kUsPerSecond;

class KafkaClientsTest : public testing::Test {
 protected:
  KafkaClientsTest() {
    host_ = KafkaClient::Open(KafkaClient::Kind::kProducer, KafkaConf({"127.0.0.1:1", "host"})).value();
    cluster_.reset(rd_kafka_mock_cluster_new(host_->get(), 1));
    EXPECT_EQ(rd_kafka_mock_topic_create(cluster_.get(), "usage", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    address_ = {rd_kafka_mock_cluster_bootstraps(cluster_.get()), "usage"};
    KafkaProducerOptions options;
    options.address = address_;
    producer_ = KafkaProducer::Open(options).value();
  }

  void Append(std::string_view event) {
    Result<Appended> appended = producer_->Send(0, {&event, 1});
    EXPECT_TRUE(appended.ok()) << appended.status().ToString();
  }
  std::unique_ptr<KafkaReader> OpenReader() {
    KafkaReaderOptions options;
    options.address = address_;
    return KafkaReader::Open(options).value();
  }
  void SetBroker(bool is_up) {
    is_up ? rd_kafka_mock_broker_set_up(cluster_.get(), 1) : rd_kafka_mock_broker_set_down(cluster_.get(), 1);
  }
  // Until it gives a record or an error.
  static Result<std::span<const Record>> PollOne(KafkaReader& reader) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(kWaitUs);
    for (;;) {
      Result<std::span<const Record>> records = reader.Poll(100, kUsPerSecond / 10);
      if (!records.ok() || !records->empty() || std::chrono::steady_clock::now() > deadline) return records;
    }
  }

  struct Free {
    void operator()(rd_kafka_mock_cluster_t* cluster) const { rd_kafka_mock_cluster_destroy(cluster); }
  };
  std::unique_ptr<KafkaClient> host_;
  std::unique_ptr<rd_kafka_mock_cluster_t, Free> cluster_;
  KafkaAddress address_;
  std::unique_ptr<KafkaProducer> producer_;
};

TEST_F(KafkaClientsTest, AReaderGivesNothingMoreAfterAllItsBrokersWereAwayAndAnotherOneDoes) {
  Append("a");
  std::unique_ptr<KafkaReader> reader = OpenReader();
  Result<std::span<const Record>> first = PollOne(*reader);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  ASSERT_EQ(first->size(), 1u);
  SetBroker(false);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // nobody polls meanwhile
  SetBroker(true);
  Append("b");
  EXPECT_EQ(PollOne(*reader).status().code(), Code::kUnavailable);
  EXPECT_EQ(PollOne(*reader).status().code(), Code::kUnavailable);
  EXPECT_EQ(reader->next_offset(), 1u);
  reader = OpenReader();
  while (reader->next_offset() < 2) ASSERT_TRUE(PollOne(*reader).ok());
}

TEST_F(KafkaClientsTest, AReaderThatWasOpenedBeforeItsBrokerWasThereGivesWhatItHas) {
  Append("a");
  SetBroker(false);
  std::unique_ptr<KafkaReader> reader = OpenReader();
  EXPECT_TRUE(reader->Poll(100, 200'000).ok());
  EXPECT_TRUE(reader->Poll(100, 200'000).ok());
  SetBroker(true);
  Result<std::span<const Record>> first = PollOne(*reader);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->size(), 1u);
}

TEST_F(KafkaClientsTest, ARecordAtTheEndOfTheLogIsAwaitedForAMomentAndThenIsNotThere) {
  Append("a");
  std::unique_ptr<KafkaWitness> witness = KafkaWitness::Open(address_).value();
  EXPECT_EQ(witness->Fetch(0, 0).value().bytes, "a");
  EXPECT_EQ(witness->Fetch(0, 1, 8'000).status().code(), Code::kNotFound);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    Append("b");
  });
  Result<OwnedRecord> second = witness->Fetch(0, 1, 8'000);
  later.join();
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_EQ(second->bytes, "b");
}

TEST_F(KafkaClientsTest, WhatIsDeliveredAfterAnOutageThatBeganMeanwhileIsOfUnknownOutcome) {
  Append("a");
  EXPECT_EQ(producer_->outages(), 0u);
  rd_kafka_mock_broker_set_rtt(cluster_.get(), 1, 1'000);
  std::thread outage([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    SetBroker(false);
    rd_kafka_mock_broker_set_rtt(cluster_.get(), 1, 0);
    SetBroker(true);
  });
  std::string_view event = "b";
  Status status = producer_->Send(0, {&event, 1}).status();
  outage.join();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(status.message().starts_with("outcome unknown")) << status.ToString();
  EXPECT_GE(producer_->outages(), 1u);
  Append("c");
}

TEST_F(KafkaClientsTest, ADeliveryThatTellsNoOffsetIsOfUnknownOutcomeForTheLogMayNotHoldIt) {
  Append("a");
  rd_kafka_mock_push_request_errors(cluster_.get(), 0 /* Produce */, 1, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
  std::string_view event = "b";
  Status status = producer_->Send(0, {&event, 1}).status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_TRUE(status.message().starts_with("outcome unknown")) << status.ToString();
  EXPECT_EQ(KafkaWitness::Open(address_).value()->Range(0).value().end, 1u);
  Append("b");
}

TEST_F(KafkaClientsTest, TheRangeIsThatOfTheLog) {
  std::unique_ptr<KafkaWitness> witness = KafkaWitness::Open(address_).value();
  EXPECT_EQ(witness->Range(0).value().end, 0u);
  Append("a");
  Append("b");
  EXPECT_EQ(witness->Range(0).value().start, 0u);
  EXPECT_EQ(witness->Range(0).value().end, 2u);
}

TEST_F(KafkaClientsTest, AWitnessOfABrokerThatIsAwaySaysSoWithinItsTime) {
  Append("a");
  std::unique_ptr<KafkaWitness> witness = KafkaWitness::Open(address_).value();
  EXPECT_TRUE(witness->Fetch(0, 0).ok());
  SetBroker(false);
  auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(witness->Fetch(0, 0, 500).status().code(), Code::kUnavailable);
  EXPECT_EQ(witness->Range(0, 500).status().code(), Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

}  // namespace
}  // namespace odometer
