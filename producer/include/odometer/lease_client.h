// odometer/lease_client.h: LeaseClient, limits inside a host's process: "may this user proceed?" in a few dozen ns.
//
//   LeaseOptions options;
//   options.server = "http://127.0.0.1:8780";
//   options.tenant = "acme";
//   options.on_unavailable = OnUnavailable::kDeny;      // must be said: there is no default
//   Result<std::unique_ptr<LeaseClient>> client = LeaseClient::Open(options);
//   if (!client.ok()) return client.status();
//
//   Result<Lease> requests = (*client)->For({.user = "ana"}, Meter::kRequests);   // once; keep it
//   if (!requests.ok()) return requests.status();
//   LeaseAnswer answer = requests->Spend();             // 1 request
//   if (!answer.allowed) return TooManyRequests(answer.retry_after_us);
//   ...                                                 // the fact about it names answer.lease as its "ask"
//
//   Status settled = (*client)->Close();                // what was not spent is given back
//
// A *lease* is a slice of the limits of a subject, granted by the daemon and charged in full when it is granted.
// Spend() takes from it by one compare-and-swap, without a lock, a system call or a wait; threads in the background ask
// for the next one before it is used up and report what was spent of the one before. What is promised:
//
// - What is spent of a lease is never more than was granted, whatever races. The limit holds across hosts.
// - A lease is not spent after 80 % of its life, counted by the monotonic clock of this process from before it was
//   asked for. No wall clock decides anything.
// - Near the end of a cap smaller slices are asked for, down to the very amount that is wanted.
// - A refusal is believed for `refusal_cache_ms` at most, and until something is given back; until then nobody asks
// again.
// - Spend() returns within `deadline_ms`, whatever the daemon and the network do. Without an answer of the daemon it
//   answers as `on_unavailable` says, counts that, and says so in `how`. While the daemon is away nobody waits: one
//   thread finds out when it is back.
// - The report of a lease is sent until it is acknowledged, with the same id. One that arrives after the lease has
//   expired gives nothing back: the rest is `burned_amount`.
//
// A host that ends without Close() gives nothing back: its leases stay charged in full.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/time.h"
#include "odometer/lease_transport.h"

namespace odometer {

class LeaseKeeper;
struct LeaseRecord;

// What holds while the daemon does not answer.
enum class OnUnavailable : uint8_t {
  kAllow,
  kDeny,
  kLastKnown,  // as the daemon's last answer for the same subject and meter; deny when there was none
};

struct LeaseOptions {
  std::string server = "http://127.0.0.1:8780";
  std::string tenant = "default";
  std::optional<OnUnavailable> on_unavailable;  // required

  int64_t slice = 100;                  // how much a lease is; For() may say another
  int64_t ttl_ms = 60'000;              // how long it lives; 1 second to 1 hour
  int64_t renew_below_percent = 30;     // of a slice, 0 to 99: when less is left, the next is asked for
  int64_t deadline_ms = 50;             // of one Spend()
  int64_t request_deadline_ms = 2'000;  // of one request to the daemon, in the background
  int64_t close_deadline_ms = 5'000;    // of Close(); it may take one request's more
  int64_t refusal_cache_ms = 1'000;     // at most as many
  int64_t workers = 2;                  // threads in the background, each with a connection; 1 to 16
  int64_t keys_max = 100'000;           // subjects and meters that it will know

  Clock* clock = nullptr;  // for tests; outlives the client
  // For tests: called once by each worker. Empty: HTTP to `server`.
  std::function<std::unique_ptr<LeaseTransport>()> transport;
};

struct LeaseAnswer {
  enum class How : uint8_t {
    kLeased,  // from the lease that was there
    kAsked,   // from one that it had to wait for
    kRefused,
    kUnavailableAllowed,
    kUnavailableDenied,
    kLastKnownAllowed,
    kLastKnownDenied,
    kInvalid,  // the amount is below 1 or above LeaseClient::kAmountMax: denied, nothing was asked
    kClosed,   // after Close(): denied
  };

  bool allowed = false;
  How how = How::kInvalid;
  int64_t retry_after_us = -1;  // of kRefused; -1: it does not pass by itself, or nobody knows when
  // What it was taken from, for `ask` in the fact that tells what happened: then the fact does not count a second time.
  // Nil when it was taken from no lease: then the fact counts in full.
  Uuid lease;
};
// "leased", "asked", "refused", "unavailable_allowed", …
const char* HowName(LeaseAnswer::How how);

// Since Open(). Each answer that is not the daemon's has a counter of its own.
struct LeaseCounters {
  int64_t spent_locally = 0;                     // amount, of all leases
  int64_t asked = 0, granted = 0, refused = 0;   // requests for a lease, and their verdicts
  int64_t asks_failed = 0;                       // without a verdict
  int64_t renewals = 0, renewals_failed = 0;     // those of them ahead of need; failed: or refused
  int64_t settled = 0, settled_late = 0;         // reports acknowledged; after the lease had expired
  int64_t settle_failed = 0;                     // attempts without an acknowledgement
  int64_t settle_given_up = 0;                   // the daemon will not take the report, or does not know the lease
  int64_t burned_amount = 0;                     // charged, not spent, and settled too late to be given back
  int64_t spends_asked = 0, spends_refused = 0;  // Spend() by its answer; those that were leased are not counted
  int64_t unavailable_allowed = 0, unavailable_denied = 0;  //
  int64_t last_known_allowed = 0, last_known_denied = 0;    //
  int64_t unavailable_allowed_amount = 0;                   // of both modes: allowed, and charged nowhere
  int64_t invalid = 0, closed = 0;                          //
  int64_t deadlines_missed = 0;                             // Spend() that waited for all of its deadline
};

// A handle of one subject and meter; copies are the same. Lives as long as its client. Thread-safe.
class Lease {
 public:
  LeaseAnswer Spend(int64_t amount = 1);
  // What can be spent without asking. Another thread may be quicker.
  int64_t left() const;

 private:
  friend class LeaseKeeper;
  explicit Lease(LeaseRecord* record) : record_(record) {}
  LeaseRecord* record_;
};

// Thread-safe. Not for use across fork(): open it in the child.
class LeaseClient {
 public:
  static constexpr int64_t kAmountMax = (int64_t{1} << 44) - 1;

  // kInvalid: an option is missing or out of its range. Connects to nothing yet.
  static Result<std::unique_ptr<LeaseClient>> Open(LeaseOptions options);
  // As Close(), but nobody is told.
  ~LeaseClient();
  LeaseClient(const LeaseClient&) = delete;
  LeaseClient& operator=(const LeaseClient&) = delete;

  // A slice other than 0 is that of this subject and meter; the first For() decides. Asks for nothing yet.
  // kInvalid: neither a user nor a project, a collection without a project, a slice out of range. kUnavailable: there
  // are keys_max already.
  Result<Lease> For(const LeaseSubject& subject, Meter meter, int64_t slice = 0);
  // For() and Spend(); a subject that For() does not take is kInvalid.
  LeaseAnswer Spend(const LeaseSubject& subject, Meter meter, int64_t amount = 1);

  LeaseCounters counters() const;
  // Why the last request to the daemon that failed did; empty when none has.
  std::string last_error() const;

  // Ends all leases and reports what was spent of them. kUnavailable: the message says how many could not be, and how
  // much of them was spent; they stay charged in full. After it, Spend() denies.
  Status Close();

 private:
  explicit LeaseClient(std::unique_ptr<LeaseKeeper> keeper);
  std::unique_ptr<LeaseKeeper> keeper_;
};

}  // namespace odometer
