// producer/lease_keeper.h: LeaseKeeper, what stands behind a LeaseClient: all records, and the threads that ask for
// leases ahead of need, end those whose time is over and report what was spent of them.
//
// Thread-safe. One mutex guards all but the slices and counters; it is taken when a slice is not enough, or low, and
// never held while a transport works.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "odometer/lease_client.h"
#include "producer/lease_record.h"

namespace odometer {

class LeaseKeeper {
 public:
  // The options are in their ranges, with clock and transport.
  explicit LeaseKeeper(LeaseOptions options);
  ~LeaseKeeper();

  Result<Lease> Find(const LeaseSubject& subject, Meter meter, int64_t slice);
  int64_t NowUs() const { return clock_.MonotonicUs(); }
  // When the slice is not enough.
  LeaseAnswer SpendSlowly(LeaseRecord& record, int64_t amount);
  LeaseAnswer Invalid();
  void WantRenewal(LeaseRecord& record);

  LeaseCounters counters() const;
  std::string last_error() const;
  Status Close();

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Timer {
    int64_t at_us = 0;
    LeaseRecord* record = nullptr;
    bool operator<(const Timer& other) const { return at_us > other.at_us; }  // the earliest on top
  };
  struct Report {
    LeaseReport report;
    LeaseRecord* record = nullptr;
    int64_t granted = 0;
    std::optional<LeaseAsk> unanswered;  // nobody knows whether it was granted: ask again first
  };
  struct Shard {
    std::shared_mutex mutex;
    std::unordered_map<std::string, std::unique_ptr<LeaseRecord>> records;
  };

  void Work();
  void WaitUntil(Lock& lock, std::condition_variable& changed, int64_t at_us);
  void FireTimers(int64_t now_us);
  void SetTimer(LeaseRecord& record, int64_t at_us);
  void Queue(LeaseRecord& record);

  void Ask(Lock& lock, LeaseTransport& transport, LeaseRecord& record);
  // The next amount to try, 0 when it is refused for good.
  int64_t Smaller(const LeaseVerdict& verdict, int64_t asked, int64_t floor) const;
  void Refuse(LeaseRecord& record, const LeaseVerdict& verdict, int64_t amount, bool is_renewal);
  void FailAsk(LeaseRecord& record, const Status& why, int64_t need);
  void Install(LeaseRecord& record, const std::string& position);
  void EndLease(LeaseRecord& record);
  void GiveBackUnanswered(LeaseRecord& record);
  LeaseAsk NewAsk(const LeaseRecord& record, int64_t amount);

  void Settle(Lock& lock, LeaseTransport& transport);
  void Settled(const Report& report, const LeaseReceipt& receipt);

  void Answered();
  void NotAnswered(const Status& why);
  int64_t TimeoutMs() const;
  int64_t LabelUs() const;
  Uuid NewId();
  LeaseAnswer AnswerByMode(const LeaseRecord& record, int64_t amount);
  LeaseAnswer AnswerRefused(const LeaseRecord& record, int64_t now_us);

  const LeaseOptions options_;
  Clock& clock_;
  const int64_t ttl_us_;
  const int64_t nap_max_us_;

  std::array<Shard, 16> shards_;
  std::atomic<int64_t> keys_{0};

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable work_changed_, closing_changed_;
  std::vector<LeaseRecord*> records_;
  std::deque<LeaseRecord*> asks_;
  std::deque<Report> reports_;
  std::priority_queue<Timer> timers_;
  int in_flight_ = 0, asks_in_flight_ = 0;
  bool is_reports_turn_ = false;
  bool is_away_ = false;  // nobody waits for the daemon
  int64_t pause_until_us_ = 0, pause_us_ = 0;
  bool is_closing_ = false, is_stopping_ = false;
  int64_t close_at_us_ = 0;
  std::optional<Status> closed_;
  LeaseCounters counters_;
  std::string last_error_;
  std::mt19937_64 random_;
  std::vector<std::thread> workers_;
  std::mutex close_mutex_;  // one Close() at a time
};

}  // namespace odometer
