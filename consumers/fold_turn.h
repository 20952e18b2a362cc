// consumers/fold_turn.h: FoldTurn, whose turn it is to fold: one thread at a time, and what comes meanwhile is not
// forgotten.
//
//   if (!turn.TryTake()) return;          // whoever has it folds once more for us before it lets go
//   do Fold(); while (!turn.Release());   // and so do we, for those who came meanwhile
//
// Who waits for it comes before all who try: the thread that commits is not kept from it by those who ask. Thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace odometer {

class FoldTurn {
 public:
  // False: somebody has it, or waits for it, and will find in Release() that it was wanted.
  bool TryTake() {
    std::lock_guard lock(mutex_);
    is_wanted_ |= is_taken_ || waiting_ > 0;
    if (is_taken_ || waiting_ > 0) return false;
    return is_taken_ = true;
  }

  // Waits for it.
  void Take() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    free_.wait(lock, [this] { return !is_taken_; });
    --waiting_;
    is_taken_ = true;
  }

  // False: somebody wanted it since it was taken, and it is still the caller's.
  bool Release() {
    std::lock_guard lock(mutex_);
    // Who waits folds, too.
    if (is_wanted_ && waiting_ == 0) return is_wanted_ = false;
    Free();
    return true;
  }
  // Wanted or not: who takes it next finds out.
  void LetGo() {
    std::lock_guard lock(mutex_);
    Free();
  }

 private:
  void Free() {
    is_taken_ = false;
    if (waiting_ > 0) free_.notify_one();
  }

  std::mutex mutex_;  // guards everything below
  std::condition_variable free_;
  bool is_taken_ = false;
  bool is_wanted_ = false;
  int waiting_ = 0;
};

}  // namespace odometer
