// odometer/lease_transport.h: LeaseTransport, how a LeaseClient reaches the daemon: ask for a lease, say what of it was
// spent. HttpLeaseTransport is the one that is used; a test brings its own.
#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"
#include "core/limit.h"
#include "core/status.h"

namespace odometer {

// Whom a limit is asked for: a user, a project, or both; a collection is one of a project. Empty: not named.
struct LeaseSubject {
  std::string user, project, collection;
  friend bool operator==(const LeaseSubject&, const LeaseSubject&) = default;
};

struct LeaseAsk {
  Uuid id;  // becomes the lease's
  LeaseSubject subject;
  Meter meter = Meter::kRequests;
  int64_t amount = 0;
  int64_t ttl_us = 0;
  int64_t event_time_us = 0;  // a label for people who read the log: nothing is decided by it
};

struct LeaseVerdict {
  bool allowed = false;
  int64_t retry_after_us = -1;  // of a refusal; -1: no time was named
  int64_t fits = -1;            // of a refusal: how much would have been granted; -1: not known
  std::string position;         // after the ask; whoever settles reads from there on
};

struct LeaseReport {
  Uuid id;  // of the report
  Uuid lease;
  Meter meter = Meter::kRequests;
  int64_t spent = 0;  // of the lease, all of it: there is no other report
  int64_t event_time_us = 0;
  std::string position;
};

struct LeaseReceipt {
  enum class State : uint8_t {
    kSettled,
    kLate,     // it had expired: all of it stays charged
    kClosed,   // somebody else has ended it
    kUnknown,  // the daemon has no such lease
  };
  State state = State::kSettled;
  int64_t charged = 0;
};

// Confined to one thread. The same ask or report may be sent again, unchanged: it counts once and gets the first
// answer. kUnavailable: nobody answered in time, and what was sent may have arrived or may arrive yet; any other code:
// this very request will never be taken.
class LeaseTransport {
 public:
  virtual ~LeaseTransport() = default;
  virtual Result<LeaseVerdict> Ask(const LeaseAsk& ask, int64_t timeout_ms) = 0;
  virtual Result<LeaseReceipt> Settle(const LeaseReport& report, int64_t timeout_ms) = 0;
};

}  // namespace odometer
