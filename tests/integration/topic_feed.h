// tests/integration/topic_feed.h: TopicFeed, a thread that sends mixed records, with their duplicates and hostile
// bytes, straight into a log's topic, whether a daemon lives or not.
//
//   TopicFeed feed(options, std::make_unique<SdkSender>(address), ledger);
//   …
//   feed.Stop();   // throws Failed when the thread failed
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/integration/batch_sender.h"
#include "tests/integration/ledger.h"
#include "tests/support/mix.h"
#include "tests/support/random.h"

namespace odometer {

// Stop() is called by one thread; what was counted may be read by any.
class TopicFeed {
 public:
  struct Options {
    uint32_t partitions = 1;
    uint64_t seed = 1;  // of its records: their ids and producers are nobody else's
    int64_t start_us = 0;
    uint64_t abort_percent = 0;
  };
  // The ledger must outlive it.
  TopicFeed(const Options& options, std::unique_ptr<BatchSender> sender, Ledger& ledger);
  ~TopicFeed();

  void Stop();

  uint64_t records() const { return records_; }  // acknowledged
  uint64_t hostile() const { return hostile_; }  // of them
  uint64_t dropped() const { return dropped_; }
  uint64_t again() const { return again_; }  // batches

 private:
  void Run();
  void SendBatch(uint32_t partition);

  const Options options_;
  const std::unique_ptr<BatchSender> sender_;
  Ledger& ledger_;
  Random random_;
  std::vector<std::unique_ptr<Mix>> mixes_;  // by partition
  uint64_t batches_ = 0;  // the thread's
  std::atomic<uint64_t> records_ = 0, hostile_ = 0, dropped_ = 0, again_ = 0;
  std::atomic<bool> stopping_ = false;
  std::exception_ptr failed_;
  std::thread thread_;
};

}  // namespace odometer
