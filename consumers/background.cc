#include "consumers/background.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/scheduling.h"

namespace odometer {
namespace {

// Rounds that do nothing, but are due again at once, must not take a core.
constexpr int64_t kRestUsLeast = 1000;

}  // namespace

Background::Background(Round round, int64_t rest_share)
    : round_(std::move(round)), rest_share_(rest_share), thread_([this] { Loop(); }) {}

Background::~Background() {
  {
    std::lock_guard lock(mutex_);
    is_stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void Background::Wake() {
  std::lock_guard lock(mutex_);
  is_woken_ = true;
  if (is_asleep_) wake_.notify_all();
}

void Background::Loop() {
  using std::chrono::steady_clock;
  GiveWay();
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    is_woken_ = false;
    lock.unlock();
    auto begun = steady_clock::now();
    std::optional<int64_t> due_us = round_();
    int64_t took_us = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun).count();
    lock.lock();
    if (due_us) {
      int64_t rest_us = std::max({*due_us, took_us * rest_share_, kRestUsLeast});
      wake_.wait_for(lock, std::chrono::microseconds(rest_us), [this] { return is_stopping_; });
    } else {
      is_asleep_ = true;
      wake_.wait(lock, [this] { return is_stopping_ || is_woken_; });
      is_asleep_ = false;
    }
  }
}

}  // namespace odometer
