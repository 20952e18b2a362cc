#include "tests/integration/topic_feed.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "tests/integration/failed.h"

namespace odometer {

namespace {

constexpr size_t kBatchRecords = 20;
// Between two batches, at most: some hundred records a second, which the model can follow.
constexpr uint64_t kPauseMsMax = 80;
constexpr int kFinishTriesMax = 12;  // each of them waits

}  // namespace

TopicFeed::TopicFeed(const Options& options, std::unique_ptr<BatchSender> sender, Ledger& ledger)
    : options_(options), sender_(std::move(sender)), ledger_(ledger), random_(options.seed) {
  for (uint32_t partition = 0; partition < options.partitions; ++partition) {
    MixOptions mix;
    mix.seed = options.seed + partition;
    mix.partition = partition;
    mix.partitions = options.partitions;
    mix.start_us = options.start_us;
    mixes_.push_back(std::make_unique<Mix>(mix));
  }
  thread_ = std::thread([this] {
    try {
      Run();
    } catch (...) {
      failed_ = std::current_exception();
    }
  });
}

TopicFeed::~TopicFeed() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void TopicFeed::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (failed_) std::rethrow_exception(std::exchange(failed_, nullptr));
}

void TopicFeed::Run() {
  while (!stopping_) {
    SendBatch(static_cast<uint32_t>(random_.Below(options_.partitions)));
    std::this_thread::sleep_for(std::chrono::milliseconds(random_.Below(kPauseMsMax)));
  }
  for (int tries = 0; !sender_->Finish(); ++tries)
    Require(tries < kFinishTriesMax, "a transaction that was left open cannot be ended");
}

void TopicFeed::SendBatch(uint32_t partition) {
  std::vector<MixRecord> batch;
  for (size_t i = 0; i < kBatchRecords; ++i) batch.push_back(mixes_[partition]->Next());
  std::vector<std::string_view> events;
  for (const MixRecord& record : batch)
    events.push_back(record.is_null ? std::string_view() : std::string_view(record.bytes));
  const bool abort = random_.Percent(options_.abort_percent);
  if (!abort) ledger_.Offer(partition, batch);
  BatchSender::Sent sent = sender_->Send(partition, events, abort);
  ++batches_;
  int again = 0;
  while (sent == BatchSender::Sent::kAgain && !stopping_) {
    ++again_;
    ++again;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    sent = sender_->Send(partition, events, abort);
  }
  if (sent == BatchSender::Sent::kAborted) ledger_.Abort(partition, batch);
  if (sent == BatchSender::Sent::kDropped) dropped_ += batch.size();
  if (sent != BatchSender::Sent::kAcknowledged) return;
  ledger_.Acknowledge(partition, batch, Ledger::As::kBytes,
                      fmt::format("{}, batch {}, {} times again", sender_->told(), batches_, again));
  records_ += batch.size();
  for (const MixRecord& record : batch) hostile_ += record.hostile ? 1 : 0;
}

}  // namespace odometer
