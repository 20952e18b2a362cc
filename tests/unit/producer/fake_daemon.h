// tests/unit/producer/fake_daemon.h: FakeDaemon, one limit as the fold keeps it, in memory: grants leases, expires them
// by its own clock, and fails or hangs when told to. FakeTransport reaches it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/time.h"
#include "odometer/lease_client.h"

namespace odometer {

class FakeDaemon {
 public:
  struct Entry {
    int64_t charged = 0, asked_us = 0, due_us = 0, spent = -1;
    bool allowed = false;
    Uuid settled_by;
  };
  enum class Weather { kFine, kAway, kHanging, kDeaf, kAskIsWrong };  // deaf: takes what is sent and never answers

  FakeDaemon(int64_t cap, Clock& clock) : cap_(cap), clock_(clock) {}

  Result<LeaseVerdict> Ask(const LeaseAsk& ask, int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    ++asks;
    asked_amounts.push_back(ask.amount);
    ODOMETER_RETURN_IF_ERROR(Stand(lock, timeout_ms));
    if (on_ask) on_ask();
    if (weather_ == Weather::kAskIsWrong) return Status(Code::kInvalid, "no such user");
    Entry& entry = entries[ask.id];
    if (entry.due_us == 0) {
      int64_t left = cap_ - TakenLocked();
      entry.asked_us = clock_.MonotonicUs();
      entry.due_us = entry.asked_us + ask.ttl_us;
      entry.allowed = ask.amount <= left;
      entry.charged = entry.allowed ? ask.amount : 0;
    }
    if (weather_ == Weather::kDeaf) return Status(Code::kUnavailable, "timed out");
    LeaseVerdict verdict{.allowed = entry.allowed, .position = "p0.1"};
    if (!entry.allowed) {
      verdict.retry_after_us = retry_after_us;
      verdict.fits = says_what_fits ? cap_ - TakenLocked() : -1;
    }
    return verdict;
  }

  Result<LeaseReceipt> Settle(const LeaseReport& report, int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    ++settles;
    ODOMETER_RETURN_IF_ERROR(Stand(lock, timeout_ms));
    if (settle_failures > 0) {
      --settle_failures;
      return Status(Code::kUnavailable, "not now");
    }
    auto found = entries.find(report.lease);
    if (found == entries.end()) return LeaseReceipt{LeaseReceipt::State::kUnknown, 0};
    Entry& entry = found->second;
    bool is_first = entry.spent < 0;
    if (!is_first && entry.settled_by != report.id) return LeaseReceipt{LeaseReceipt::State::kClosed, 0};
    bool is_late = clock_.MonotonicUs() >= entry.due_us;
    if (is_first) {
      entry.spent = report.spent;
      entry.settled_by = report.id;
      settled_sum += report.spent;
      if (!is_late) entry.charged = report.spent;
    }
    if (weather_ == Weather::kDeaf) return Status(Code::kUnavailable, "timed out");
    return LeaseReceipt{is_late ? LeaseReceipt::State::kLate : LeaseReceipt::State::kSettled, entry.charged};
  }

  void Set(Weather weather) {
    std::lock_guard lock(mutex_);
    weather_ = weather;
    changed_.notify_all();
  }
  int64_t taken() {
    std::lock_guard lock(mutex_);
    return TakenLocked();
  }
  int64_t open() {
    std::lock_guard lock(mutex_);
    int64_t count = 0;
    for (const auto& [id, entry] : entries) count += entry.allowed && entry.spent < 0;
    return count;
  }
  template <class T>
  T Get(T FakeDaemon::*figure) {
    std::lock_guard lock(mutex_);
    return this->*figure;
  }

  // Guarded by the mutex: set them before the client is opened, read them by Get() or after Close().
  std::map<Uuid, Entry> entries;
  std::vector<int64_t> asked_amounts;
  int64_t asks = 0, settles = 0, settled_sum = 0;
  int64_t settle_failures = 0;
  int64_t retry_after_us = -1;
  bool says_what_fits = true;
  std::function<void()> on_ask;  // before it is judged

 private:
  Status Stand(std::unique_lock<std::mutex>& lock, int64_t timeout_ms) {
    if (weather_ == Weather::kAway) return Status(Code::kUnavailable, "connection refused");
    if (weather_ != Weather::kHanging) return Status::Ok();
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return weather_ != Weather::kHanging; });
    return Status(Code::kUnavailable, "timed out");
  }
  int64_t TakenLocked() const {
    int64_t taken = 0;
    for (const auto& [id, entry] : entries) taken += entry.charged;
    return taken;
  }

  const int64_t cap_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Weather weather_ = Weather::kFine;
};

class FakeTransport : public LeaseTransport {
 public:
  explicit FakeTransport(FakeDaemon& daemon) : daemon_(daemon) {}
  Result<LeaseVerdict> Ask(const LeaseAsk& ask, int64_t timeout_ms) override { return daemon_.Ask(ask, timeout_ms); }
  Result<LeaseReceipt> Settle(const LeaseReport& report, int64_t timeout_ms) override {
    return daemon_.Settle(report, timeout_ms);
  }

 private:
  FakeDaemon& daemon_;
};

// Wall and monotonic time of a host, which a test moves by themselves.
class HostClocks : public Clock {
 public:
  int64_t NowUs() override { return wall_us.load(); }
  int64_t MonotonicUs() override { return monotonic_us.load(); }
  std::atomic<int64_t> wall_us{1'700'000'000'000'000};
  std::atomic<int64_t> monotonic_us{1'000'000'000};
};

// Lets monotonic time pass while it is there, about as fast as it does.
class PassingTime {
 public:
  explicit PassingTime(HostClocks& clock)
      : thread_([this, &clock] {
          while (!is_over_) {
            clock.monotonic_us += 1000;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
        }) {}
  ~PassingTime() {
    is_over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace odometer
