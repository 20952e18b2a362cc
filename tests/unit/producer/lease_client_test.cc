#include "odometer/lease_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "producer/lease_slice.h"
#include "tests/unit/producer/fake_daemon.h"

namespace odometer {
namespace {

using How = LeaseAnswer::How;
using Weather = FakeDaemon::Weather;
constexpr int64_t kSecond = 1'000'000;

class LeaseClientTest : public ::testing::Test {
 protected:
  // Closes it, whatever the daemon does meanwhile: for that, time must pass.
  struct Closing {
    HostClocks* clock;
    void operator()(LeaseClient* client) const {
      PassingTime time(*clock);
      delete client;
    }
  };
  using Client = std::unique_ptr<LeaseClient, Closing>;
  Client Open(LeaseOptions options = {}) {
    if (!options.on_unavailable) options.on_unavailable = OnUnavailable::kDeny;
    options.clock = &clock_;
    options.transport = [this] { return std::make_unique<FakeTransport>(*daemon_); };
    Result<std::unique_ptr<LeaseClient>> client = LeaseClient::Open(options);
    EXPECT_TRUE(client.ok()) << client.status().ToString();
    return Client(client->release(), Closing{&clock_});
  }
  Lease For(LeaseClient& client, const std::string& user = "ana", int64_t slice = 0) {
    Result<Lease> lease = client.For({.user = user}, Meter::kRequests, slice);
    EXPECT_TRUE(lease.ok()) << lease.status().ToString();
    return *lease;
  }
  void SetCap(int64_t cap) { daemon_ = std::make_unique<FakeDaemon>(cap, clock_); }
  void Pass(int64_t us) { clock_.monotonic_us += us; }
  // Looks until it holds; only what hangs fails.
  void Await(const char* what, const std::function<bool()>& condition) {
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << what;
      std::this_thread::yield();
    }
  }
  // Until the client has acknowledged all that it had to report.
  void AwaitNothingOpen(int64_t open) {
    Await("leases are settled", [&] { return daemon_->open() == open; });
  }

  // Of a clock that stands but for this: one who waits is answered when exactly so much has passed and not before; one
  // who need not wait, while none passes.
  LeaseAnswer SpendWithin(int64_t deadline_us, Lease lease, bool waits) {
    std::future<LeaseAnswer> spent = std::async(std::launch::async, [&] { return lease.Spend(); });
    auto is_answered_in = [&](auto time) { return spent.wait_for(time) == std::future_status::ready; };
    if (waits) {
      Await("it is asked", [&] { return daemon_->Get(&FakeDaemon::asks) > 0; });
      Pass(deadline_us - 1);
      EXPECT_FALSE(is_answered_in(std::chrono::milliseconds(20))) << "before its deadline";
      Pass(1);
    }
    bool is_in_time = is_answered_in(std::chrono::seconds(60));  // only what hangs takes so long
    EXPECT_TRUE(is_in_time) << "it waits for more than its deadline";
    std::optional<PassingTime> time;
    if (!is_in_time) time.emplace(clock_);
    return spent.get();
  }

  HostClocks clock_;
  std::unique_ptr<FakeDaemon> daemon_ = std::make_unique<FakeDaemon>(1'000'000, clock_);
};

LeaseAnswer SpendWhileTimePasses(Lease lease, HostClocks& clock, int64_t amount = 1) {
  PassingTime time(clock);
  return lease.Spend(amount);
}

TEST_F(LeaseClientTest, TheFirstSpendAsksAndTheOthersAreLocal) {
  auto client = Open();
  Lease lease = For(*client);
  LeaseAnswer first = lease.Spend();
  EXPECT_TRUE(first.allowed);
  EXPECT_EQ(first.how, How::kAsked);
  LeaseAnswer second = lease.Spend();
  EXPECT_TRUE(second.allowed);
  EXPECT_EQ(second.how, How::kLeased);
  EXPECT_EQ(first.lease, second.lease);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::entries).count(first.lease), 1u);
  EXPECT_EQ(lease.left(), 98);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::asks), 1);
  EXPECT_EQ(client->counters().spent_locally, 2);
}

TEST_F(LeaseClientTest, TheSameSubjectAndMeterIsOneLease) {
  auto client = Open();
  EXPECT_TRUE(client->Spend({.user = "ana"}, Meter::kRequests).allowed);
  EXPECT_EQ(client->Spend({.user = "ana"}, Meter::kRequests).how, How::kLeased);
  EXPECT_EQ(client->Spend({.user = "ana", .project = "p"}, Meter::kRequests).how, How::kAsked);
  EXPECT_EQ(client->Spend({.user = "ana"}, Meter::kSearches).how, How::kAsked);
  EXPECT_EQ(client->Spend({.user = "an", .project = "ap"}, Meter::kRequests).how, How::kAsked);
}

TEST_F(LeaseClientTest, WhatNobodyCanAskForIsAnError) {
  auto client = Open({.keys_max = 2});
  EXPECT_EQ(client->For({}, Meter::kRequests).status().code(), Code::kInvalid);
  EXPECT_EQ(client->For({.user = "ana", .collection = "c"}, Meter::kRequests).status().code(), Code::kInvalid);
  EXPECT_EQ(client->For({.user = "ana"}, Meter::kRequests, -1).status().code(), Code::kInvalid);
  EXPECT_EQ(client->For({.user = "ana"}, static_cast<Meter>(77)).status().code(), Code::kInvalid);
  Lease lease = For(*client);
  for (int64_t amount : {int64_t{0}, int64_t{-1}, INT64_MIN, LeaseClient::kAmountMax + 1, INT64_MAX}) {
    LeaseAnswer answer = lease.Spend(amount);
    EXPECT_FALSE(answer.allowed);
    EXPECT_EQ(answer.how, How::kInvalid) << amount;
  }
  EXPECT_EQ(client->counters().invalid, 5);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::asks), 0);
  For(*client, "bob");
  EXPECT_EQ(client->For({.user = "cleo"}, Meter::kRequests).status().code(), Code::kUnavailable);
}

TEST_F(LeaseClientTest, AnOptionOutOfRangeOrAModeThatIsNotSaidIsRefused) {
  EXPECT_EQ(LeaseClient::Open({}).status().code(), Code::kInvalid);
  auto code = [](auto change) {
    LeaseOptions options;
    options.on_unavailable = OnUnavailable::kDeny;
    change(options);
    return LeaseClient::Open(options).status().code();
  };
  EXPECT_EQ(code([](LeaseOptions& o) { o.slice = 0; }), Code::kInvalid);
  EXPECT_EQ(code([](LeaseOptions& o) { o.ttl_ms = 999; }), Code::kInvalid);
  EXPECT_EQ(code([](LeaseOptions& o) { o.renew_below_percent = 100; }), Code::kInvalid);
  EXPECT_EQ(code([](LeaseOptions& o) { o.deadline_ms = 0; }), Code::kInvalid);
  EXPECT_EQ(code([](LeaseOptions& o) { o.workers = 17; }), Code::kInvalid);
}

// --- no overspend

TEST_F(LeaseClientTest, NeverOverspendsUnderEightThreadsWhileRenewalsRace) {
  constexpr int64_t kCap = 200'000;
  SetCap(kCap);
  auto client = Open({.slice = 512, .renew_below_percent = 90, .deadline_ms = 60'000, .refusal_cache_ms = 60'000});
  Lease lease = For(*client);
  std::atomic<int64_t> allowed{0};
  std::mutex mutex;
  std::map<Uuid, int64_t> by_lease;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::map<Uuid, int64_t> mine;
      for (int64_t i = 0;; ++i) {
        int64_t amount = 1 + (i + t) % 3;
        LeaseAnswer answer = lease.Spend(amount);
        if (!answer.allowed) {
          EXPECT_EQ(answer.how, How::kRefused) << HowName(answer.how);
          if (amount == 1) break;
          continue;
        }
        allowed += amount;
        mine[answer.lease] += amount;
        if (i % 16 == 0) std::this_thread::yield();
      }
      std::lock_guard lock(mutex);
      for (const auto& [id, sum] : mine) by_lease[id] += sum;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(allowed, kCap);
  // What was being given back when they were refused can be spent, too: to the last one.
  Await("all is spent", [&] {
    LeaseAnswer answer = lease.Spend();
    allowed += answer.allowed;
    by_lease[answer.lease] += answer.allowed;
    return allowed >= kCap;
  });
  EXPECT_FALSE(lease.Spend().allowed);
  ASSERT_TRUE(client->Close().ok());
  LeaseCounters counters = client->counters();
  EXPECT_EQ(allowed, kCap);
  EXPECT_EQ(counters.spent_locally, allowed);
  EXPECT_GT(counters.renewals, 0);
  EXPECT_EQ(daemon_->settled_sum, allowed);
  EXPECT_EQ(daemon_->open(), 0);
  // Each lease was settled with exactly what was spent of it.
  for (const auto& [id, entry] : daemon_->entries) EXPECT_EQ(std::max<int64_t>(entry.spent, 0), by_lease[id]);
}

TEST_F(LeaseClientTest, NothingIsTakenOfALeaseThatWasReplaced) {
  LeaseSlice slice;
  Uuid a, b;
  a.bytes[0] = 1;
  b.bytes[15] = 2;
  slice.Seal();
  slice.Install(a, 5, 100, 1);
  EXPECT_EQ(slice.Take(3, 99).lease, a);
  EXPECT_FALSE(slice.Take(3, 99).ok);
  EXPECT_EQ(slice.Seal(), 2);
  EXPECT_FALSE(slice.Take(1, 99).ok);
  slice.Install(b, 7, 200, -1);
  EXPECT_EQ(slice.Take(7, 199).lease, b);
  EXPECT_EQ(slice.Seal(), 0);
  slice.Install(a, LeaseClient::kAmountMax, 300, 0);
  EXPECT_FALSE(slice.Take(1, 300).ok);
  EXPECT_TRUE(slice.Take(LeaseClient::kAmountMax, 299).is_low);
}

// --- its time

TEST_F(LeaseClientTest, StopsTwentyPercentBeforeItsTtlCountedFromBeforeItAsked) {
  int64_t asked_us = clock_.monotonic_us;
  daemon_->on_ask = [&] { Pass(3 * kSecond); };  // the ask is three seconds on its way
  auto client = Open({.ttl_ms = 10'000, .deadline_ms = 60'000});
  Lease lease = For(*client);
  EXPECT_EQ(lease.Spend().how, How::kAsked);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::entries).begin()->second.due_us, asked_us + 13 * kSecond);
  daemon_->Set(Weather::kAway);  // it cannot be renewed
  clock_.monotonic_us = asked_us + 8 * kSecond - 1;
  EXPECT_EQ(lease.left(), 99);
  EXPECT_EQ(lease.Spend().how, How::kLeased);
  clock_.monotonic_us = asked_us + 8 * kSecond;
  EXPECT_EQ(lease.left(), 0);
  EXPECT_EQ(SpendWhileTimePasses(lease, clock_).how, How::kUnavailableDenied);
  EXPECT_EQ(client->counters().spent_locally, 2);
}

TEST_F(LeaseClientTest, ALeaseInUseIsRenewedBeforeItsTimeIsOverAndAnIdleOneIsGivenBack) {
  auto client = Open({.ttl_ms = 10'000});
  Lease busy = For(*client), idle = For(*client, "bob");
  Uuid first = busy.Spend().lease;
  idle.Spend();
  Pass(6 * kSecond);
  Await("both are renewed", [&] { return client->counters().granted == 4; });
  EXPECT_EQ(busy.left(), 100);
  EXPECT_NE(busy.Spend().lease, first);
  AwaitNothingOpen(2);
  // Of the idle one nothing was spent since: it ends with its time, and there is no other.
  Pass(8 * kSecond);
  AwaitNothingOpen(0);
  EXPECT_EQ(idle.left(), 0);
  EXPECT_EQ(daemon_->taken(), 3);
  EXPECT_EQ(client->counters().granted, 4);
}

TEST_F(LeaseClientTest, AHostWhoseWallClockJumpsEvadesNothing) {
  auto client = Open({.ttl_ms = 10'000});
  Lease lease = For(*client);
  lease.Spend();
  for (int64_t wall_us : {int64_t{0}, int64_t{-5}, INT64_MAX, int64_t{1}}) {
    clock_.wall_us = wall_us;
    EXPECT_EQ(lease.Spend().how, How::kLeased);
  }
  EXPECT_EQ(client->counters().granted, 1);
  clock_.wall_us = 1;  // a wall clock that stands still prolongs nothing
  Pass(8 * kSecond);
  EXPECT_EQ(lease.left(), 0);
  AwaitNothingOpen(0);
  EXPECT_EQ(lease.Spend().how, How::kAsked);
  EXPECT_TRUE(client->Close().ok());
  EXPECT_EQ(daemon_->settled_sum, 6);
}

// --- ahead of need, and the end of a cap

TEST_F(LeaseClientTest, ItIsRenewedBelowItsShareWithoutAnyoneWaiting) {
  auto client = Open({.slice = 10, .renew_below_percent = 30});
  Lease lease = For(*client);
  for (int i = 0; i < 6; ++i) lease.Spend();
  EXPECT_EQ(daemon_->Get(&FakeDaemon::asks), 1);
  EXPECT_EQ(lease.Spend().how, How::kLeased);  // 3 of 10 are left
  Await("the next lease is there", [&] { return lease.left() == 10; });
  EXPECT_EQ(lease.Spend().how, How::kLeased);
  EXPECT_EQ(client->counters().spends_asked, 1);
  AwaitNothingOpen(1);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::settled_sum), 7);
}

TEST_F(LeaseClientTest, NearTheEndOfACapSmallerSlicesAreAskedForToTheLastOne) {
  for (bool says_what_fits : {true, false}) {
    SetCap(137);
    daemon_->says_what_fits = says_what_fits;
    auto client = Open({.slice = 100, .refusal_cache_ms = 60'000});
    Lease lease = For(*client);
    int64_t allowed = 0;
    // A rest that is on its way back is refused until it has arrived.
    Await("all is spent", [&] { return (allowed += lease.Spend().allowed) == 137; });
    EXPECT_EQ(lease.Spend().how, How::kRefused) << says_what_fits;
    EXPECT_TRUE(client->Close().ok());
    EXPECT_EQ(daemon_->taken(), 137);
  }
}

TEST_F(LeaseClientTest, AnAmountAboveTheSliceIsAskedForAsAWhole) {
  SetCap(500);
  auto client = Open({.slice = 10});
  Lease lease = For(*client);
  EXPECT_TRUE(lease.Spend(400).allowed);
  LeaseAnswer refused = lease.Spend(400);
  EXPECT_EQ(refused.how, How::kRefused);
  EXPECT_TRUE(lease.Spend(100).allowed);  // a smaller amount is no matter of that refusal
  EXPECT_TRUE(client->Close().ok());
  EXPECT_EQ(daemon_->settled_sum, 500);
}

TEST_F(LeaseClientTest, ARefusalIsNotAskedAgainBeforeItsTime) {
  SetCap(5);
  daemon_->retry_after_us = 30 * kSecond;
  auto client = Open({.slice = 5, .refusal_cache_ms = 1'000});
  Lease lease = For(*client);
  lease.Spend(5);
  LeaseAnswer refused = lease.Spend();
  EXPECT_EQ(refused.how, How::kRefused);
  EXPECT_EQ(refused.retry_after_us, 30 * kSecond);
  int64_t asks = daemon_->Get(&FakeDaemon::asks);
  Pass(999'999);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(lease.Spend().how, How::kRefused);
  EXPECT_EQ(lease.Spend().retry_after_us, 30 * kSecond - 999'999);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::asks), asks);
  Pass(1);
  EXPECT_EQ(lease.Spend().how, How::kRefused);
  EXPECT_GT(daemon_->Get(&FakeDaemon::asks), asks);
  EXPECT_EQ(client->counters().spends_refused, 1003);
}

TEST_F(LeaseClientTest, ARefusalThatPassesSoonerIsBelievedNoLonger) {
  SetCap(5);
  daemon_->retry_after_us = 200'000;
  auto client = Open({.slice = 5, .refusal_cache_ms = 1'000});
  Lease lease = For(*client);
  lease.Spend(5);
  lease.Spend();
  int64_t asks = daemon_->Get(&FakeDaemon::asks);
  Pass(200'000);
  lease.Spend();
  EXPECT_GT(daemon_->Get(&FakeDaemon::asks), asks);
}

// --- without the daemon

TEST_F(LeaseClientTest, EachModeAnswersWithinTheDeadlineAndIsCounted) {
  struct Case {
    OnUnavailable mode;
    bool allowed;
    How how;
    int64_t LeaseCounters::*counter;
  };
  for (const Case& each :
       {Case{OnUnavailable::kAllow, true, How::kUnavailableAllowed, &LeaseCounters::unavailable_allowed},
        Case{OnUnavailable::kDeny, false, How::kUnavailableDenied, &LeaseCounters::unavailable_denied},
        Case{OnUnavailable::kLastKnown, false, How::kLastKnownDenied, &LeaseCounters::last_known_denied}}) {
    for (Weather weather : {Weather::kAway, Weather::kHanging}) {
      SetCap(1'000);
      auto client = Open({.on_unavailable = each.mode,
                          .deadline_ms = 50,
                          .request_deadline_ms = 60'000,
                          .close_deadline_ms = 1});
      Lease lease = For(*client);
      daemon_->Set(weather);
      LeaseAnswer answer = SpendWithin(50'000, lease, weather == Weather::kHanging);
      EXPECT_EQ(client->counters().deadlines_missed, weather == Weather::kHanging ? 1 : 0);
      EXPECT_EQ(answer.allowed, each.allowed);
      EXPECT_EQ(answer.how, each.how) << HowName(answer.how);
      EXPECT_TRUE(answer.lease.is_nil());
      // From then on nobody waits: no time passes here.
      for (int i = 0; i < 100; ++i) EXPECT_EQ(lease.Spend(3).how, each.how);
      LeaseCounters counters = client->counters();
      EXPECT_EQ(counters.*each.counter, 101);
      EXPECT_EQ(counters.unavailable_allowed_amount, each.allowed ? 301 : 0);
      EXPECT_EQ(counters.spent_locally, 0);
      daemon_->Set(Weather::kFine);
    }
  }
}

TEST_F(LeaseClientTest, LastKnownIsWhatTheDaemonSaidLastOfThisVeryUser) {
  SetCap(105);
  auto client = Open({.on_unavailable = OnUnavailable::kLastKnown, .slice = 100, .refusal_cache_ms = 100});
  Lease granted = For(*client), refused = For(*client, "bob");
  EXPECT_TRUE(granted.Spend(100).allowed);
  EXPECT_EQ(refused.Spend(50).how, How::kRefused);
  daemon_->Set(Weather::kAway);
  Pass(kSecond);
  EXPECT_EQ(SpendWhileTimePasses(granted, clock_).how, How::kLastKnownAllowed);
  EXPECT_EQ(SpendWhileTimePasses(refused, clock_, 50).how, How::kLastKnownDenied);
  EXPECT_EQ(client->counters().last_known_allowed, 1);
  EXPECT_EQ(client->counters().last_known_denied, 1);
  daemon_->Set(Weather::kFine);
}

TEST_F(LeaseClientTest, WhatIsLeftOfALeaseIsSpentWhileTheDaemonIsAway) {
  auto client = Open({.slice = 10, .renew_below_percent = 50});
  Lease lease = For(*client);
  lease.Spend();
  daemon_->Set(Weather::kAway);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(lease.Spend().how, How::kLeased);
  EXPECT_EQ(SpendWhileTimePasses(lease, clock_).how, How::kUnavailableDenied);
  daemon_->Set(Weather::kFine);
}

TEST_F(LeaseClientTest, RecoversByItselfWhenTheDaemonIsBack) {
  for (Weather weather : {Weather::kAway, Weather::kHanging, Weather::kDeaf}) {
    SetCap(1'000);
    auto client = Open({.deadline_ms = 5, .request_deadline_ms = 50});
    Lease lease = For(*client);
    daemon_->Set(weather);
    EXPECT_FALSE(SpendWhileTimePasses(lease, clock_).allowed);
    daemon_->Set(Weather::kFine);
    // Nobody spends meanwhile.
    Await("a lease is there", [&] {
      Pass(1000);
      return lease.left() == 100;
    });
    EXPECT_EQ(lease.Spend().how, How::kLeased);
    EXPECT_TRUE(client->Close().ok()) << client->last_error();
    // An ask that got no answer was asked again by its id: no lease lies about that nobody knows.
    EXPECT_EQ(daemon_->open(), 0);
    EXPECT_EQ(daemon_->taken(), 1);
  }
}

TEST_F(LeaseClientTest, AnAskThatNobodyAnsweredInTimeIsGivenBack) {
  auto client = Open({.ttl_ms = 10'000, .deadline_ms = 5, .request_deadline_ms = 20});
  Lease lease = For(*client);
  daemon_->Set(Weather::kDeaf);
  EXPECT_FALSE(SpendWhileTimePasses(lease, clock_).allowed);
  EXPECT_EQ(daemon_->open(), 1);
  daemon_->Set(Weather::kAway);
  Pass(6 * kSecond);  // more than half of its life: it is not used any more
  Await("it is given up", [&] { return client->counters().settle_failed > 0; });
  daemon_->Set(Weather::kFine);
  Await("it is given back", [&] {
    Pass(1000);
    return daemon_->open() == 0;
  });
  EXPECT_EQ(daemon_->taken(), 0);
  EXPECT_EQ(lease.left(), 0);
}

TEST_F(LeaseClientTest, AnAskThatTheDaemonWillNeverTakeIsNotRepeatedAtOnce) {
  auto client = Open({.on_unavailable = OnUnavailable::kAllow, .refusal_cache_ms = 1'000});
  Lease lease = For(*client);
  daemon_->Set(Weather::kAskIsWrong);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(lease.Spend().how, How::kUnavailableAllowed);
  EXPECT_EQ(daemon_->Get(&FakeDaemon::asks), 1);
  EXPECT_EQ(client->counters().asks_failed, 1);
  EXPECT_EQ(client->last_error(), "invalid: no such user");
  daemon_->Set(Weather::kFine);
  Pass(kSecond);
  EXPECT_EQ(lease.Spend().how, How::kAsked);
}

// --- settling

TEST_F(LeaseClientTest, AReportIsRepeatedUntilItIsAcknowledgedAndSumsWhatWasSpent) {
  daemon_->settle_failures = 5;
  auto client = Open({.slice = 10, .ttl_ms = 100'000, .renew_below_percent = 0});
  Lease lease = For(*client);
  PassingTime time(clock_);
  // While a report is not acknowledged, the daemon counts as away, and some are denied.
  for (int allowed = 0; allowed < 37;) allowed += lease.Spend().allowed;
  Await("the reports are repeated", [&] {
    Pass(1000);
    return daemon_->Get(&FakeDaemon::settled_sum) == 30;
  });
  EXPECT_EQ(client->counters().settle_failed, 5);
  EXPECT_TRUE(client->Close().ok());
  EXPECT_EQ(daemon_->settled_sum, 37);
  EXPECT_EQ(daemon_->taken(), 37);
  EXPECT_EQ(client->counters().settled, 4);
  EXPECT_EQ(client->counters().burned_amount, 0);
}

TEST_F(LeaseClientTest, AReportWhoseAnswerWasLostCountsOnce) {
  auto client = Open({.request_deadline_ms = 20, .close_deadline_ms = 60'000});
  Lease lease = For(*client);
  lease.Spend(7);
  daemon_->Set(Weather::kDeaf);
  std::thread closing([&] { EXPECT_TRUE(client->Close().ok()); });
  Await("it was sent twice", [&] {
    Pass(1000);
    return daemon_->Get(&FakeDaemon::settles) >= 2;
  });
  daemon_->Set(Weather::kFine);
  auto time = std::make_unique<PassingTime>(clock_);
  closing.join();
  time.reset();
  EXPECT_EQ(daemon_->settled_sum, 7);
  EXPECT_EQ(client->counters().settled, 1);
}

TEST_F(LeaseClientTest, WhatIsSettledTooLateIsCountedAsBurned) {
  auto client = Open({.slice = 10, .ttl_ms = 10'000});
  Lease lease = For(*client);
  lease.Spend(4);
  daemon_->Set(Weather::kAway);
  Pass(10 * kSecond);
  Await("the report fails", [&] { return client->counters().settle_failed > 0; });
  daemon_->Set(Weather::kFine);
  Await("the report is late", [&] {
    Pass(1000);
    return client->counters().settled_late == 1;
  });
  EXPECT_EQ(client->counters().burned_amount, 6);
  EXPECT_EQ(daemon_->taken(), 10);
}

TEST_F(LeaseClientTest, CloseSettlesAllOpenLeasesAndSpendsNoMore) {
  auto client = Open();
  std::vector<Lease> leases;
  for (int user = 0; user < 50; ++user) leases.push_back(For(*client, "user-" + std::to_string(user)));
  for (int64_t user = 0; user < 50; ++user) EXPECT_TRUE(leases[static_cast<size_t>(user)].Spend(user + 1).allowed);
  EXPECT_TRUE(client->Close().ok());
  EXPECT_EQ(daemon_->open(), 0);
  EXPECT_EQ(daemon_->taken(), 50 * 51 / 2);
  EXPECT_EQ(leases[0].Spend().how, How::kClosed);
  EXPECT_EQ(leases[0].left(), 0);
  EXPECT_EQ(client->counters().closed, 1);
  EXPECT_TRUE(client->Close().ok());
}

TEST_F(LeaseClientTest, CloseSaysWhatCouldNotBeSettled) {
  auto client = Open({.slice = 10, .close_deadline_ms = 100});
  Lease lease = For(*client);
  lease.Spend(4);
  daemon_->Set(Weather::kAway);
  auto time = std::make_unique<PassingTime>(clock_);
  Status closed = client->Close();
  time.reset();
  EXPECT_EQ(closed.code(), Code::kUnavailable);
  EXPECT_EQ(
      closed.message(),
      "lease: 1 leases of 10, 4 of it spent, could not be settled and stay charged in full; the last failure was: "
      "unavailable: connection refused");
  EXPECT_EQ(client->Close().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace odometer
