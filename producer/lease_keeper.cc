#include "producer/lease_keeper.h"

#include <algorithm>

#include "producer/host_clock.h"

namespace odometer {

namespace {

std::mt19937_64 Seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

// Each part with its length before it: no two subjects are the same text.
void WriteKey(const LeaseSubject& subject, Meter meter, std::string* key) {
  key->clear();
  *key += static_cast<char>(meter);
  for (const std::string* part : {&subject.user, &subject.project, &subject.collection}) {
    uint64_t size = part->size();
    key->append(reinterpret_cast<const char*>(&size), sizeof(size));
    *key += *part;
  }
}

}  // namespace

LeaseKeeper::LeaseKeeper(LeaseOptions options)
    : options_(std::move(options)),
      clock_(*options_.clock),
      ttl_us_(options_.ttl_ms * 1000),
      // A clock that a test moves wakes nobody.
      nap_max_us_(&clock_ == &HostClock() ? kUsPerSecond : 1000),
      random_(Seeded()) {
  for (int64_t i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { Work(); });
}

LeaseKeeper::~LeaseKeeper() { (void)Close(); }

Result<Lease> LeaseKeeper::Find(const LeaseSubject& subject, Meter meter, int64_t slice) {
  thread_local std::string key;
  WriteKey(subject, meter, &key);
  Shard& shard = shards_[std::hash<std::string>()(key) % shards_.size()];
  {
    std::shared_lock lock(shard.mutex);
    auto found = shard.records.find(key);
    if (found != shard.records.end()) return Lease(found->second.get());
  }
  if (subject.user.empty() && subject.project.empty())
    return Status(Code::kInvalid, "lease: name a user, a project, or both");
  if (!subject.collection.empty() && subject.project.empty())
    return Status(Code::kInvalid, "lease: a collection is one of a project: name it, too");
  if (MeterName(meter).empty()) return Status(Code::kInvalid, "lease: this is no meter");
  if (slice < 0 || slice > LeaseClient::kAmountMax) return Status(Code::kInvalid, "lease: slice is out of range");
  std::unique_lock lock(shard.mutex);
  auto& record = shard.records[key];
  if (record == nullptr) {
    if (keys_.fetch_add(1) >= options_.keys_max) {
      keys_.fetch_sub(1);
      shard.records.erase(key);
      return Status(Code::kUnavailable, "lease: there are keys_max subjects and meters already");
    }
    record = std::make_unique<LeaseRecord>(*this, subject, meter, slice == 0 ? options_.slice : slice);
    std::lock_guard guard(mutex_);
    records_.push_back(record.get());
  }
  return Lease(record.get());
}

// --- spending

LeaseAnswer Lease::Spend(int64_t amount) {
  LeaseRecord& record = *record_;
  if (amount <= 0 || amount > LeaseClient::kAmountMax) return record.keeper.Invalid();
  LeaseSlice::Taken taken = record.slice.Take(amount, record.keeper.NowUs());
  if (!taken.ok) return record.keeper.SpendSlowly(record, amount);
  if (taken.is_low && !record.is_renewal_wanted.load(std::memory_order_relaxed)) record.keeper.WantRenewal(record);
  return {.allowed = true, .how = LeaseAnswer::How::kLeased, .lease = taken.lease};
}

int64_t Lease::left() const { return record_->slice.left(record_->keeper.NowUs()); }

LeaseAnswer LeaseKeeper::SpendSlowly(LeaseRecord& record, int64_t amount) {
  using How = LeaseAnswer::How;
  Lock lock(mutex_);
  int64_t deadline_us = NowUs() + options_.deadline_ms * 1000;
  bool has_waited = false;
  while (true) {
    if (is_closing_) {
      ++counters_.closed;
      return {.how = How::kClosed};
    }
    int64_t now_us = NowUs();
    LeaseSlice::Taken taken = record.slice.Take(amount, now_us);
    if (taken.ok) {
      if (has_waited) ++counters_.spends_asked;
      return {.allowed = true, .how = has_waited ? How::kAsked : How::kLeased, .lease = taken.lease};
    }
    if (now_us < record.refused_until_us && amount >= record.refused_amount) return AnswerRefused(record, now_us);
    if (now_us < record.failed_until_us) return AnswerByMode(record, amount);
    // While it is away, somebody asks on behalf of all; nobody does when nobody wanted anything for a while.
    bool somebody_asks = asks_in_flight_ > 0 || !asks_.empty() || now_us < pause_until_us_;
    bool waits = !is_away_ || !somebody_asks;
    record.need = std::max(record.need, amount);
    record.wanted_us = now_us;
    if (!record.is_asking) Queue(record);
    if (waits && now_us >= deadline_us) {
      ++counters_.deadlines_missed;
      is_away_ = true;
      waits = false;
    }
    if (!waits) return AnswerByMode(record, amount);
    has_waited = true;
    WaitUntil(lock, record.changed, deadline_us);
  }
}

LeaseAnswer LeaseKeeper::Invalid() {
  std::lock_guard lock(mutex_);
  ++counters_.invalid;
  return {};
}

void LeaseKeeper::WantRenewal(LeaseRecord& record) {
  if (record.is_renewal_wanted.exchange(true)) return;
  std::lock_guard lock(mutex_);
  if (!is_closing_ && !record.is_asking) Queue(record);
}

void LeaseKeeper::Queue(LeaseRecord& record) {
  if (record.is_queued) return;
  record.is_queued = true;
  asks_.push_back(&record);
  work_changed_.notify_one();
}

LeaseAnswer LeaseKeeper::AnswerByMode(const LeaseRecord& record, int64_t amount) {
  using How = LeaseAnswer::How;
  LeaseAnswer answer;
  bool is_last_known = *options_.on_unavailable == OnUnavailable::kLastKnown;
  answer.allowed =
      is_last_known ? record.last == LeaseRecord::Last::kGranted : *options_.on_unavailable == OnUnavailable::kAllow;
  if (is_last_known) {
    answer.how = answer.allowed ? How::kLastKnownAllowed : How::kLastKnownDenied;
    ++(answer.allowed ? counters_.last_known_allowed : counters_.last_known_denied);
  } else {
    answer.how = answer.allowed ? How::kUnavailableAllowed : How::kUnavailableDenied;
    ++(answer.allowed ? counters_.unavailable_allowed : counters_.unavailable_denied);
  }
  if (answer.allowed) {
    int64_t& sum = counters_.unavailable_allowed_amount;
    sum = amount > INT64_MAX - sum ? INT64_MAX : sum + amount;
  }
  return answer;
}

LeaseAnswer LeaseKeeper::AnswerRefused(const LeaseRecord& record, int64_t now_us) {
  ++counters_.spends_refused;
  LeaseAnswer answer{.how = LeaseAnswer::How::kRefused};
  if (record.retry_at_us >= 0) answer.retry_after_us = std::max<int64_t>(record.retry_at_us - now_us, 0);
  return answer;
}

// --- what it says of itself

LeaseCounters LeaseKeeper::counters() const {
  std::lock_guard lock(mutex_);
  LeaseCounters counters = counters_;
  for (const LeaseRecord* record : records_) {
    int64_t open = record->granted == 0 ? 0 : record->granted - record->slice.LeftWhateverTheTime();
    counters.spent_locally += record->spent_before + open;
  }
  return counters;
}

std::string LeaseKeeper::last_error() const {
  std::lock_guard lock(mutex_);
  return last_error_;
}

// --- the end

Status LeaseKeeper::Close() {
  std::lock_guard one(close_mutex_);
  if (closed_) return *closed_;
  Lock lock(mutex_);
  is_closing_ = true;
  close_at_us_ = NowUs() + options_.close_deadline_ms * 1000;
  asks_.clear();
  for (LeaseRecord* record : records_) {
    record->is_queued = false;
    EndLease(*record);
    if (!record->is_asking) GiveBackUnanswered(*record);
    record->changed.notify_all();
  }
  pause_until_us_ = 0;
  work_changed_.notify_all();
  while ((!reports_.empty() || in_flight_ > 0) && NowUs() < close_at_us_)
    WaitUntil(lock, closing_changed_, close_at_us_);
  is_stopping_ = true;
  work_changed_.notify_all();
  lock.unlock();
  for (std::thread& worker : workers_) worker.join();
  lock.lock();
  closed_ = Status::Ok();
  if (!reports_.empty()) {
    int64_t granted = 0, spent = 0;
    for (const Report& report : reports_) {
      granted += report.granted;
      spent += report.report.spent;
    }
    closed_ = Status(Code::kUnavailable, "lease: " + std::to_string(reports_.size()) + " leases of " +
                                             std::to_string(granted) + ", " + std::to_string(spent) +
                                             " of it spent, could not be settled and stay charged in full; the last "
                                             "failure was: " +
                                             last_error_);
  }
  return *closed_;
}

const char* HowName(LeaseAnswer::How how) {
  using How = LeaseAnswer::How;
  switch (how) {
    case How::kLeased:
      return "leased";
    case How::kAsked:
      return "asked";
    case How::kRefused:
      return "refused";
    case How::kUnavailableAllowed:
      return "unavailable_allowed";
    case How::kUnavailableDenied:
      return "unavailable_denied";
    case How::kLastKnownAllowed:
      return "last_known_allowed";
    case How::kLastKnownDenied:
      return "last_known_denied";
    case How::kInvalid:
      return "invalid";
    case How::kClosed:
      return "closed";
  }
  return "";
}

}  // namespace odometer
