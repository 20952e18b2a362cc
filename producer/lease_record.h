// producer/lease_record.h: LeaseRecord, what is known of one subject and meter: the lease that is being spent, and what
// the daemon said last.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "odometer/lease_transport.h"
#include "producer/lease_slice.h"

namespace odometer {

class LeaseKeeper;

struct LeaseRecord {
  LeaseRecord(LeaseKeeper& keeper_of_it, LeaseSubject subject_of_it, Meter meter_of_it, int64_t slice_of_it)
      : keeper(keeper_of_it), subject(std::move(subject_of_it)), meter(meter_of_it), slice_amount(slice_of_it) {}

  LeaseSlice slice;
  std::atomic<bool> is_renewal_wanted{false};  // so that only the first who finds it low takes the lock

  LeaseKeeper& keeper;
  const LeaseSubject subject;
  const Meter meter;
  const int64_t slice_amount;

  // All below is guarded by the keeper's mutex.

  // The lease that `slice` is of; granted 0: none.
  Uuid id;
  int64_t granted = 0;
  int64_t renew_us = 0, stop_us = 0;
  bool has_timer = false;
  std::string position;
  int64_t spent_before = 0;  // of leases that are over
  int64_t given_back = 0;    // leases of which something was

  // The ask that was sent and not answered; it is sent again, with its id, before there is another.
  std::optional<LeaseAsk> pending;
  int64_t pending_since_us = 0;

  int64_t need = 0;       // the greatest amount that somebody waits for; 0: nobody does
  int64_t wanted_us = 0;  // when somebody last did
  bool is_queued = false, is_asking = false;

  enum class Last : uint8_t { kNothing, kGranted, kRefused };
  Last last = Last::kNothing;
  // Amounts from refused_amount on are refused until then.
  int64_t refused_amount = 0, refused_until_us = 0, retry_at_us = -1;
  int64_t failed_until_us = 0;  // the daemon will not take this ask: a mistake in it, or another daemon's tenant
  std::condition_variable changed;
};

}  // namespace odometer
