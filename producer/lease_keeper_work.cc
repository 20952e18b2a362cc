// What the threads of a LeaseKeeper do: ask, settle, end what is over.
#include <algorithm>

#include "core/check.h"
#include "producer/host_clock.h"
#include "producer/lease_keeper.h"

namespace odometer {

namespace {

constexpr int64_t kPauseMinUs = 50'000, kPauseMaxUs = 1'000'000;
// Of a lease's life, in percent: it is renewed if it is in use, it is spent no more, and an ask that nobody answered is
// too old to be asked again.
constexpr int64_t kRenewPercent = 60, kStopPercent = 80, kAskAgainPercent = 50;

}  // namespace

void LeaseKeeper::Work() {
  std::unique_ptr<LeaseTransport> transport = options_.transport();
  Lock lock(mutex_);
  while (!is_stopping_) {
    int64_t now_us = NowUs();
    FireTimers(now_us);
    bool has_work = !asks_.empty() || !reports_.empty();
    if (!has_work || now_us < pause_until_us_) {
      int64_t until_us = timers_.empty() ? now_us + kUsPerSecond : timers_.top().at_us;
      WaitUntil(lock, work_changed_, has_work ? std::min(until_us, pause_until_us_) : until_us);
      continue;
    }
    // In turn, so that neither waits for the last of the other.
    is_reports_turn_ = !is_reports_turn_;
    ++in_flight_;
    if (asks_.empty() || (is_reports_turn_ && !reports_.empty())) {
      Settle(lock, *transport);
    } else {
      LeaseRecord* record = asks_.front();
      asks_.pop_front();
      ++asks_in_flight_;
      Ask(lock, *transport, *record);
      --asks_in_flight_;
    }
    --in_flight_;
    if (is_closing_) closing_changed_.notify_all();
  }
}

void LeaseKeeper::WaitUntil(Lock& lock, std::condition_variable& changed, int64_t at_us) {
  int64_t nap_us = std::min(at_us - NowUs(), nap_max_us_);
  if (nap_us > 0) changed.wait_for(lock, std::chrono::microseconds(nap_us));
}

// A timer is of a record and not of a lease, so that there are no more of them than records: it may find another lease
// there, which always has longer to go.
void LeaseKeeper::FireTimers(int64_t now_us) {
  while (!timers_.empty() && timers_.top().at_us <= now_us) {
    LeaseRecord& record = *timers_.top().record;
    timers_.pop();
    record.has_timer = false;
    if (record.granted > 0 && now_us >= record.stop_us) EndLease(record);
    if (record.granted == 0) continue;
    bool is_due = now_us >= record.renew_us;
    bool is_in_use = record.slice.LeftWhateverTheTime() < record.granted;
    if (is_due && is_in_use && !record.is_asking) Queue(record);
    SetTimer(record, is_due ? record.stop_us : record.renew_us);
  }
}

void LeaseKeeper::SetTimer(LeaseRecord& record, int64_t at_us) {
  if (std::exchange(record.has_timer, true)) return;
  timers_.push({at_us, &record});
  work_changed_.notify_one();
}

// --- asking

LeaseAsk LeaseKeeper::NewAsk(const LeaseRecord& record, int64_t amount) {
  return {NewId(), record.subject, record.meter, amount, ttl_us_, LabelUs()};
}

void LeaseKeeper::Ask(Lock& lock, LeaseTransport& transport, LeaseRecord& record) {
  record.is_queued = false;
  int64_t now_us = NowUs();
  int64_t need = std::exchange(record.need, 0);
  int64_t left = record.slice.left(now_us);
  bool is_renewal = need == 0;
  if (record.pending && now_us - record.pending_since_us > ttl_us_ * kAskAgainPercent / 100) {
    GiveBackUnanswered(record);
    if (now_us - record.wanted_us > ttl_us_ * kAskAgainPercent / 100) return;  // nobody wants it any more
  }
  int64_t slice = std::max(record.slice_amount, need);
  int64_t low = record.granted * options_.renew_below_percent / 100;
  if (is_renewal && !record.pending && record.granted > 0 && left > low && now_us < record.renew_us) {
    record.is_renewal_wanted = false;  // it was the one before that was low
    return;
  }
  // A renewal that is no more than what is there would be for nothing.
  int64_t floor = is_renewal ? std::min(left + 1, slice) : need;
  if (!record.pending) {
    record.pending = NewAsk(record, slice);
    record.pending_since_us = now_us;
  }
  record.is_asking = true;
  while (true) {
    LeaseAsk ask = *record.pending;
    int64_t timeout_ms = TimeoutMs();
    int64_t given_back = record.given_back;
    ++counters_.asked;
    counters_.renewals += is_renewal;
    lock.unlock();
    Result<LeaseVerdict> verdict = transport.Ask(ask, timeout_ms);
    lock.lock();
    if (!verdict.ok()) {
      counters_.renewals_failed += is_renewal;
      FailAsk(record, verdict.status(), need);
      break;
    }
    Answered();
    if (verdict->allowed) {
      Install(record, verdict->position);
      break;
    }
    record.pending.reset();
    ++counters_.refused;
    int64_t smaller = is_closing_ ? 0 : Smaller(*verdict, ask.amount, floor);
    if (smaller == 0) {
      counters_.renewals_failed += is_renewal;
      // What was given back meanwhile may have come after the verdict: whoever waits asks again.
      if (is_renewal || given_back == record.given_back) Refuse(record, *verdict, floor, is_renewal);
      break;
    }
    record.pending = NewAsk(record, smaller);
    record.pending_since_us = NowUs();
  }
  record.is_asking = false;
  if (is_closing_) {
    EndLease(record);
    GiveBackUnanswered(record);
  }
  record.changed.notify_all();
}

int64_t LeaseKeeper::Smaller(const LeaseVerdict& verdict, int64_t asked, int64_t floor) const {
  if (asked <= floor || (verdict.fits >= 0 && verdict.fits < floor)) return 0;
  int64_t next = asked / 2;
  if (verdict.fits >= 0) next = std::min(verdict.fits, asked - 1);
  return std::max(next, floor);
}

void LeaseKeeper::Refuse(LeaseRecord& record, const LeaseVerdict& verdict, int64_t amount, bool is_renewal) {
  // What is left is still there to be spent; whoever finds it empty asks again.
  if (is_renewal && record.granted > 0) {
    record.slice.SetLow(-1);
    return;
  }
  int64_t now_us = NowUs();
  record.last = LeaseRecord::Last::kRefused;
  record.refused_amount = amount;
  record.refused_until_us = now_us + options_.refusal_cache_ms * 1000;
  record.retry_at_us = -1;
  if (verdict.retry_after_us >= 0 && verdict.retry_after_us < INT64_MAX - now_us) {
    record.retry_at_us = now_us + verdict.retry_after_us;
    record.refused_until_us = std::min(record.refused_until_us, record.retry_at_us);
  }
}

void LeaseKeeper::FailAsk(LeaseRecord& record, const Status& why, int64_t need) {
  ++counters_.asks_failed;
  last_error_ = why.ToString();
  if (why.code() == Code::kUnavailable) {
    NotAnswered(why);
    record.need = std::max(record.need, need);
    if (!is_closing_) Queue(record);
    return;
  }
  record.pending.reset();
  record.failed_until_us = NowUs() + options_.refusal_cache_ms * 1000;
  record.is_renewal_wanted = true;  // no more of this lease
}

// The pending ask is granted: it takes the place of the lease that is there.
void LeaseKeeper::Install(LeaseRecord& record, const std::string& position) {
  LeaseAsk ask = *std::exchange(record.pending, std::nullopt);
  EndLease(record);
  ++counters_.granted;
  record.id = ask.id;
  record.granted = ask.amount;
  record.position = position;
  record.renew_us = record.pending_since_us + ttl_us_ * kRenewPercent / 100;
  record.stop_us = record.pending_since_us + ttl_us_ * kStopPercent / 100;
  record.last = LeaseRecord::Last::kGranted;
  record.refused_until_us = record.failed_until_us = 0;
  record.slice.Install(ask.id, ask.amount, record.stop_us, ask.amount * options_.renew_below_percent / 100);
  record.is_renewal_wanted = false;
  SetTimer(record, record.renew_us);
}

void LeaseKeeper::EndLease(LeaseRecord& record) {
  int64_t left = record.slice.Seal();
  if (record.granted == 0) return;
  Report ended{.record = &record, .granted = std::exchange(record.granted, 0)};
  ended.report = {NewId(), record.id, record.meter, ended.granted - left, LabelUs(), record.position};
  record.spent_before += ended.report.spent;
  reports_.push_back(std::move(ended));
  work_changed_.notify_one();
}

void LeaseKeeper::GiveBackUnanswered(LeaseRecord& record) {
  if (!record.pending) return;
  Report ended{.record = &record, .granted = record.pending->amount};
  ended.report = {NewId(), record.pending->id, record.meter, 0, LabelUs(), ""};
  ended.unanswered = std::exchange(record.pending, std::nullopt);
  reports_.push_back(std::move(ended));
  work_changed_.notify_one();
}

// --- settling

void LeaseKeeper::Settle(Lock& lock, LeaseTransport& transport) {
  Report report = std::move(reports_.front());
  reports_.pop_front();
  int64_t timeout_ms = TimeoutMs();
  lock.unlock();
  Status failed;
  bool was_granted = true;
  if (report.unanswered) {
    // Whatever becomes of the first one, the log has this ask once after this.
    Result<LeaseVerdict> verdict = transport.Ask(*report.unanswered, timeout_ms);
    failed = verdict.status();
    if (verdict.ok()) {
      was_granted = verdict->allowed;
      report.report.position = verdict->position;
      report.unanswered.reset();
    }
  }
  LeaseReceipt receipt;
  if (failed.ok() && was_granted) {
    Result<LeaseReceipt> answered = transport.Settle(report.report, timeout_ms);
    failed = answered.status();
    if (answered.ok()) receipt = *answered;
  }
  lock.lock();
  if (failed.ok()) {
    Answered();
    if (was_granted) Settled(report, receipt);
    return;
  }
  ++counters_.settle_failed;
  last_error_ = failed.ToString();
  if (failed.code() == Code::kUnavailable) {
    reports_.push_back(std::move(report));
    NotAnswered(failed);
  } else {
    ++counters_.settle_given_up;
  }
}

void LeaseKeeper::Settled(const Report& report, const LeaseReceipt& receipt) {
  switch (receipt.state) {
    case LeaseReceipt::State::kLate:
      ++counters_.settled_late;
      counters_.burned_amount += std::max<int64_t>(receipt.charged - report.report.spent, 0);
      [[fallthrough]];
    case LeaseReceipt::State::kSettled:
      ++counters_.settled;
      // There is room again: what was refused before may be granted.
      if (receipt.state == LeaseReceipt::State::kSettled && report.report.spent < report.granted) {
        report.record->refused_until_us = 0;
        ++report.record->given_back;
      }
      return;
    case LeaseReceipt::State::kClosed:
    case LeaseReceipt::State::kUnknown:
      ++counters_.settle_given_up;
  }
}

// --- the daemon's presence

void LeaseKeeper::Answered() {
  is_away_ = false;
  pause_us_ = 0;
  pause_until_us_ = 0;
}

void LeaseKeeper::NotAnswered(const Status& why) {
  is_away_ = true;
  last_error_ = why.ToString();
  int64_t now_us = NowUs();
  if (now_us < pause_until_us_) return;  // another thread has found it out
  pause_us_ = std::clamp(pause_us_ * 2, kPauseMinUs, kPauseMaxUs);
  pause_until_us_ = now_us + pause_us_;
}

int64_t LeaseKeeper::TimeoutMs() const {
  if (!is_closing_) return options_.request_deadline_ms;
  int64_t left_ms = (close_at_us_ - NowUs()) / 1000;
  return std::clamp<int64_t>(left_ms, 1, options_.request_deadline_ms);
}

int64_t LeaseKeeper::LabelUs() const { return std::clamp<int64_t>(clock_.NowUs(), 0, kEventTimeLimitUs - 1); }

Uuid LeaseKeeper::NewId() {
  uint64_t words[2] = {random_(), random_()};
  std::array<uint8_t, 10> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(words[i / 8] >> (i % 8 * 8));
  return Uuid7(LabelUs(), bytes);
}

}  // namespace odometer
