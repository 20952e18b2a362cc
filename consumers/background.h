// consumers/background.h: Background, a thread that does a little again and again, and rests in between, so that work
// which nobody waits for leaves the cores to what somebody waits for. The scheduler, too, lets others go before it.
//
//   Background renewing([&] { return tables.RenewDue(); }, 4);
//   renewing.Wake();          // there may be something to do
//
// A round answers in how many microseconds the next one is due, or nullopt: not before a Wake(). The thread rests for
// `rest_share` times as long as the round took, if that is longer. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace odometer {

class Background {
 public:
  using Round = std::function<std::optional<int64_t>()>;
  // What the round uses must outlive this.
  Background(Round round, int64_t rest_share);
  // Waits for the round under way.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Costs next to nothing while the thread is not asleep.
  void Wake();

 private:
  void Loop();

  const Round round_;
  const int64_t rest_share_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable wake_;
  bool is_woken_ = false;  // since the last round began
  bool is_asleep_ = false;
  bool is_stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace odometer
