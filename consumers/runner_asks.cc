// Those who ask: their events are appended as one, folded by whose turn it is, and each is told what became of it.
#include <algorithm>
#include <chrono>

#include "consumers/runner.h"
#include "core/scheduling.h"

namespace odometer {

namespace {

// Who asks folds no more than this for others: a long way behind is the thread's to go.
constexpr size_t kFoldedAtOnce = 512;
constexpr int kRoundsMost = 8;
constexpr int64_t kHurriedWaitUs = kUsPerSecond;
constexpr int64_t kGatherUsMax = 2'000;
constexpr int64_t kGatherAboveUs = 2'000;
// Who asks alone waits for a disk as fast as this itself: two changes of threads would take nearly as long.
constexpr int64_t kAloneUsMax = 1'000;

}  // namespace

void Runner::FoldNow() {
  if (!log_.can_await()) return;
  if (is_failing_) return log_.Wake();
  if (!turn_.TryTake()) return;
  bool is_thread_needed = false;
  for (int rounds = 1;; ++rounds) {
    ForOthers done = FoldForOthers(kFoldedAtOnce);
    is_thread_needed |= done.is_thread_needed;
    if (!done.is_more && turn_.Release()) break;
    if (rounds < kRoundsMost) continue;
    // Who comes again and again must not keep this one from its own work.
    turn_.LetGo();
    is_thread_needed = true;
    break;
  }
  if (is_thread_needed) log_.Wake();
  Deliver();
}

// The thread commits, and does not let wait anything but asks.
Runner::ForOthers Runner::FoldForOthers(size_t records_max) {
  if (has_ended_ || is_failing_) return {};
  bool is_known = IsLingering();
  Result<size_t> folded = FoldOnce(0, records_max);
  if (!folded.ok()) return {false, true};
  return {*folded == records_max, !is_known || !IsLingering()};
}

std::optional<Runner::Answered> Runner::WaitForAnswer(uint64_t offset, int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  std::optional<Answered> answered;
  answered_.wait_for(lock, std::chrono::microseconds(timeout_us), [&] {
    answered = AnsweredAt(offset);
    return answered || stopping_;
  });
  return answered;
}

// With mutex_. What was read of a log that is in doubt decides nothing.
std::optional<Runner::Answered> Runner::AnsweredAt(uint64_t offset) {
  const auto& [held, outcome] = outcomes_[offset % outcomes_.size()];
  if (held != offset || !is_log_verified()) return std::nullopt;
  auto ask = answers_.extract(offset);
  return Answered{outcome, ask.empty() ? nullptr : std::move(ask.mapped())};
}

void Runner::Ask(std::string event, Tell tell) {
  std::lock_guard lock(asked_mutex_);
  asked_.push_back({std::move(event), std::move(tell)});
}

void Runner::JudgeAsked() {
  if (log_.is_instant()) return void(JudgeBatch());
  {
    std::lock_guard lock(asked_mutex_);
    if (asked_.empty()) return;
    bool is_alone = asked_.size() == 1 && alone_us_ <= kAloneUsMax;
    if (!is_alone && !is_asking_over_) {
      if (!asker_.joinable()) asker_ = std::thread([this] { AskerLoop(); });
      has_asked_.notify_one();
      return;
    }
  }
  int64_t begun_us = clock_.MonotonicUs();
  size_t judged = JudgeBatch();
  std::lock_guard lock(asked_mutex_);
  NoteAsked(judged, clock_.MonotonicUs() - begun_us);
}

// With asked_mutex_: so many were judged together in so long.
void Runner::NoteAsked(size_t judged, int64_t took_us) {
  alone_us_ = judged == 1 && asked_.empty() ? took_us : INT64_MAX;
}

// While it waits for the disk, others ask: they are the next batch. Who has just been answered asks again at once, as a
// rule: a batch that waits for them for a quarter of what the last one took saves them nearly the whole of another. Of
// a quick disk that is less than the wait.
void Runner::AskerLoop() {
  AskForTurnsOf(kShortTurn);
  size_t expected = 0;
  int64_t gather_us = 0;
  for (;;) {
    size_t asked = 0;
    {
      std::unique_lock lock(asked_mutex_);
      has_asked_.wait(lock, [this] { return !asked_.empty() || is_asking_over_; });
      has_asked_.wait_for(lock, std::chrono::microseconds(gather_us),
                          [&] { return asked_.size() >= expected || is_asking_over_; });
      asked = asked_.size();
      if (asked == 0 && is_asking_over_) return;
    }
    int64_t begun_us = clock_.MonotonicUs();
    size_t judged = JudgeBatch();
    int64_t took_us = clock_.MonotonicUs() - begun_us;
    gather_us = took_us < kGatherAboveUs ? 0 : std::min(took_us / 4, kGatherUsMax);
    std::lock_guard lock(asked_mutex_);
    expected = asked + asked_.size();
    NoteAsked(judged, took_us);
  }
}

// Answers how many there were.
size_t Runner::JudgeBatch() {
  std::vector<Asked> batch;
  {
    std::lock_guard lock(asked_mutex_);
    batch.swap(asked_);
  }
  size_t asked = batch.size();
  if (asked == 0) return 0;
  std::vector<std::string_view> events;
  events.reserve(batch.size());
  for (const Asked& each : batch) events.push_back(each.event);
  bool is_sent = is_log_verified();
  Result<Appended> appended = Status(Code::kUnavailable, "the log has not been shown to be the one that was folded");
  if (is_sent) appended = log_.AppendQuietly(events);
  if (!appended.ok()) {
    for (const Asked& each : batch) each.tell({appended.status(), is_sent, 0, std::nullopt, false});
    return asked;
  }
  Expect(std::move(batch), appended->first_offset);
  FoldNow();
  Deliver();  // what somebody else has folded since it was appended
  return asked;
}

// Some may have been folded by another since they were appended.
void Runner::Expect(std::vector<Asked> batch, uint64_t first_offset) {
  std::lock_guard lock(mutex_);
  int64_t until_us = clock_.MonotonicUs() + asked_wait_us_;
  for (size_t i = 0; i < batch.size(); ++i) {
    uint64_t offset = first_offset + i;
    std::optional<Answered> answered = AnsweredAt(offset);
    if (answered || stopping_) {
      ready_.push_back({std::move(batch[i].tell), {{}, true, offset, std::move(answered)}});
    } else {
      expected_.emplace_hint(expected_.end(), offset, Expected{std::move(batch[i].tell), until_us});
    }
  }
}

void Runner::HurryAsked() {
  std::lock_guard lock(mutex_);
  asked_wait_us_ = kHurriedWaitUs;
  int64_t until_us = clock_.MonotonicUs() + kHurriedWaitUs;
  for (auto& [offset, expected] : expected_) expected.until_us = std::min(expected.until_us, until_us);
}

void Runner::ExpireAsked(int64_t now_us) {
  {
    std::lock_guard lock(mutex_);
    for (auto at = expected_.begin(); at != expected_.end() && at->second.until_us <= now_us;) {
      ready_.push_back({std::move(at->second.tell), {{}, true, at->first, std::nullopt}});
      at = expected_.erase(at);
    }
  }
  Deliver();
}

// Without the turn: others fold on while answers are written.
void Runner::Deliver() {
  std::vector<Ready> ready;
  {
    std::lock_guard lock(mutex_);
    ready.swap(ready_);
  }
  for (Ready& each : ready) {
    each.judged.more = &each != &ready.back();
    each.tell(each.judged);
  }
}

}  // namespace odometer
