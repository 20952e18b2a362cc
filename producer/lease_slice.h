// producer/lease_slice.h: LeaseSlice, the part of a lease that is left, taken from by many threads without a lock.
//
//   slice.Install(id, 100, stop_us, 30);        // one thread at a time
//   LeaseSlice::Taken taken = slice.Take(1, now_us);
//   int64_t left = slice.Seal();                // exact: nothing is taken of it after this
//
// One word holds what is left and an epoch, which Seal() raises. Whoever takes reads word, end and id, in this order,
// and takes by compare-and-swap: had the lease been replaced meanwhile, the epoch would be another and the swap would
// fail. (The epoch comes round after 2^20 leases: a thread would have to sleep through exactly as many.)
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "core/ids.h"

namespace odometer {

class LeaseSlice {
 public:
  struct Taken {
    bool ok = false;
    bool is_low = false;
    Uuid lease;
  };

  // Any thread. amount is above 0.
  Taken Take(int64_t amount, int64_t now_us) {
    uint64_t word = word_.load(std::memory_order_acquire);
    while (true) {
      int64_t left = LeftOf(word);
      // Acquire: had any of these been written by a later Install(), the Seal() before it would be seen by the swap.
      if (left < amount || now_us >= stop_us_.load(std::memory_order_acquire)) return {};
      uint64_t id[2] = {id_[0].load(std::memory_order_acquire), id_[1].load(std::memory_order_acquire)};
      if (!word_.compare_exchange_weak(word, word - static_cast<uint64_t>(amount), std::memory_order_acq_rel,
                                       std::memory_order_acquire))
        continue;
      Taken taken{true, left - amount <= low_.load(std::memory_order_relaxed), Uuid()};
      std::memcpy(taken.lease.bytes.data(), id, sizeof(id));
      return taken;
    }
  }
  int64_t left(int64_t now_us) const {
    int64_t left = LeftOf(word_.load(std::memory_order_acquire));
    return now_us < stop_us_.load(std::memory_order_acquire) ? left : 0;
  }

  // One thread at a time may call these.

  // Gives what was left; then nothing is.
  int64_t Seal() {
    uint64_t next = (word_.load(std::memory_order_relaxed) >> kLeftBits) + 1;
    return LeftOf(word_.exchange(next << kLeftBits, std::memory_order_acq_rel));
  }
  // After Seal(), or for the first time.
  void Install(const Uuid& id, int64_t amount, int64_t stop_us, int64_t low) {
    uint64_t words[2];
    std::memcpy(words, id.bytes.data(), sizeof(words));
    stop_us_.store(stop_us, std::memory_order_release);
    id_[0].store(words[0], std::memory_order_release);
    id_[1].store(words[1], std::memory_order_release);
    low_.store(low, std::memory_order_relaxed);
    word_.store(word_.load(std::memory_order_relaxed) | static_cast<uint64_t>(amount), std::memory_order_release);
  }
  // At or below as much Take() says that it is low; -1: never.
  void SetLow(int64_t low) { low_.store(low, std::memory_order_relaxed); }
  // How much is taken, when no lease is installed or sealed meanwhile.
  int64_t LeftWhateverTheTime() const { return LeftOf(word_.load(std::memory_order_acquire)); }

 private:
  static constexpr int kLeftBits = 44;
  static int64_t LeftOf(uint64_t word) { return static_cast<int64_t>(word & ((uint64_t{1} << kLeftBits) - 1)); }

  alignas(64) std::atomic<uint64_t> word_{0};
  // A line of its own: read by all, written once a lease.
  alignas(64) std::atomic<int64_t> stop_us_{INT64_MIN};
  std::atomic<int64_t> low_{-1};
  std::atomic<uint64_t> id_[2] = {0, 0};
};

}  // namespace odometer
