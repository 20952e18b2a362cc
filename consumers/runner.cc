#include "consumers/runner.h"

#include <algorithm>
#include <chrono>

#include "core/planted.h"
#include "core/scheduling.h"

namespace odometer {

namespace {

constexpr size_t kOutcomesKept = 65'536;
// Between two tries of what failed: short enough that a freed disk is noticed at once.
constexpr int64_t kRetryUs = 200'000;
constexpr int64_t kPublishAgainUs = 2 * kUsPerSecond;
constexpr int64_t kAskAgainUs = kUsPerSecond / 2;
// While nothing is committed, the log is verified this often.
constexpr int64_t kVerifyUs = 5 * kUsPerSecond;
constexpr int64_t kAcknowledgeUs = 10 * kUsPerSecond;
// Further behind than that, commits are larger and written beside the fold.
constexpr int64_t kBehindUs = kUsPerSecond;
// A hold that is due expires by the log's time: on a log that is silent this long, a Tick moves it.
constexpr int64_t kQuietUs = kUsPerSecond;
constexpr size_t kAnswersKept = 65'536;
constexpr int64_t kFreshWaitUs = 20'000;

RunnerOptions KeepingAnswers(RunnerOptions options) {
  options.projection.keeps_answers = true;
  return options;
}

// Raises it to `end`, if it is lower; whether it was.
bool Raise(std::atomic<uint64_t>* to, uint64_t end) {
  uint64_t before = *to;
  while (before < end && !to->compare_exchange_weak(before, end)) {
  }
  return before < end;
}

}  // namespace

Runner::Runner(PartitionLog& log, std::unique_ptr<Store> store, Clock& clock, RunnerOptions options)
    : log_(log),
      clock_(clock),
      options_(KeepingAnswers(std::move(options))),
      store_(std::move(store)),
      projection_(std::make_unique<Projection>(*store_, options_.projection)),
      view_(store_->NewView()) {
  state_.committed = store_->meta();
  committed_end_ = store_->cursor();
  outcomes_.resize(kOutcomesKept, {UINT64_MAX, Outcome()});
}

Runner::~Runner() {
  Status stopped = Stop();
  if (!stopped.ok()) Note("error", "stop: " + stopped.ToString());
}

void Runner::Note(const char* level, const std::string& text) const {
  if (options_.log) options_.log(level, "partition=" + std::to_string(partition()) + " " + text);
}

Result<size_t> Runner::Step(int64_t wait_us) {
  turn_.Take();
  Result<size_t> folded = StepInTurn(wait_us);
  EndTurn();
  return folded;
}

Status Runner::CommitNow() {
  turn_.Take();
  Status committed = CommitInTurn();
  EndTurn();
  return committed;
}

void Runner::EndTurn() {
  while (!turn_.Release()) FoldForOthers(options_.batch_records_max);
  Deliver();
}

Result<size_t> Runner::StepInTurn(int64_t wait_us) {
  if (is_beside_ && beside_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    ODOMETER_RETURN_IF_ERROR(EndBeside());
  Result<size_t> folded = FoldOnce(wait_us, options_.batch_records_max);
  if (!folded.ok()) return folded;
  if (CommitDue()) {
    ODOMETER_RETURN_IF_ERROR(has_thread_ && behind_us_ > kBehindUs ? CommitBeside() : CommitInTurn());
  } else if (!projection_->dirty() && clock_.MonotonicUs() - verified_us_ >= kVerifyUs) {
    ODOMETER_RETURN_IF_ERROR(Verify());
    AcknowledgeIfDue();
  }
  Publish();
  return folded;
}

// Polls once and folds what came.
Result<size_t> Runner::FoldOnce(int64_t wait_us, size_t records_max) {
  if (options_.before_batch) options_.before_batch();
  if (needs_restart_ && is_writing_) return Status(Code::kUnavailable, "a commit is being written");
  if (needs_restart_) Restart();
  if (reader_ == nullptr) {
    Result<std::unique_ptr<EventReader>> reader = log_.Read(projection_->meta().cursor);
    if (!reader.ok()) return PollFailed(reader.status());
    reader_ = std::move(*reader);
    caught_up_at_ = std::max(caught_up_at_, log_.range().end);
    if (Status opened = projection_->Open(); !opened.ok()) return Fail("fold", opened);
    std::lock_guard lock(mutex_);
    state_.crossings_waiting = projection_->crossings_waiting();
  }
  Result<std::span<const Record>> records = reader_->Poll(records_max, std::min(wait_us, LingerLeft(wait_us)));
  if (!records.ok()) return PollFailed(records.status());
  is_poll_sound_ = true;
  Works("poll");
  ODOMETER_RETURN_IF_ERROR(Fold(*records));
  ODOMETER_RETURN_IF_ERROR(AppendTickIfDue(records->size()));
  bool has_asks_only = has_asks_only_ || !projection_->changed();
  for (const Outcome& outcome : folded_) has_asks_only &= IsAsk(outcome.type) || IsHoldEnd(outcome.type);
  has_asks_only_ = has_asks_only;
  // Offsets after the last record that hold none.
  if (reader_->next_offset() > projection_->meta().cursor) projection_->SkipTo(reader_->next_offset());
  if (has_asks_only) asked_end_ = projection_->meta().cursor;
  if (projection_->changed() && first_uncommitted_us_ < 0) first_uncommitted_us_ = clock_.MonotonicUs();
  behind_us_ = records->empty() ? 0 : clock_.NowUs() - records->back().append_time.us;
  return records->size();
}

// Where others may fold in its stead, the thread waits without keeping them from it.
Result<size_t> Runner::ThreadsTurn() {
  if (!log_.can_await()) return Step(options_.poll_wait_us);
  turn_.Take();
  Result<size_t> folded = StepInTurn(0);
  uint64_t next_offset = reader_ == nullptr ? 0 : reader_->next_offset();
  int64_t wait_us = std::min(options_.poll_wait_us, LingerLeft(options_.poll_wait_us));
  EndTurn();
  if (folded.ok() && *folded == 0) log_.Await(next_offset, wait_us, &seen_wakes_);
  return folded;
}

// What is in the log already comes back by itself while there is much to read; what is left is appended after that.
void Runner::Publish() {
  bool is_behind = projection_->meta().cursor < caught_up_at_;
  if (is_behind || !is_log_verified()) return;
  for (std::string& bytes : projection_->TakeCrossings()) unpublished_.push_back(std::move(bytes));
  int64_t now_us = clock_.MonotonicUs();
  if (unpublished_.empty() || (published_us_ != 0 && now_us - published_us_ < kPublishAgainUs)) return;
  constexpr size_t kAtOnce = 256;
  std::vector<std::string_view> events(unpublished_.begin(),
                                       unpublished_.begin() + std::min(kAtOnce, unpublished_.size()));
  Result<Appended> appended = log_.Append(events);
  published_us_ = appended.ok() ? 0 : now_us;
  if (!appended.ok()) return Note("warn", "crossings: " + appended.status().ToString());
  unpublished_.erase(unpublished_.begin(), unpublished_.begin() + static_cast<ptrdiff_t>(events.size()));
}

Status Runner::Fold(std::span<const Record> records) {
  size_t step = options_.commit_every_record ? 1 : records.size();
  folded_.clear();
  for (size_t at = 0; at < records.size(); at += step) {
    Status folded = projection_->Apply(records.subspan(at, step), &folded_);
    if (!folded.ok()) {
      uint64_t offset = records[folded_.size()].offset;
      Status failed = Fail("fold", Status(folded.code(), "offset " + std::to_string(offset) + ": " + folded.message()));
      Restart();
      return failed;
    }
    if (options_.commit_every_record && !is_writing_) ODOMETER_RETURN_IF_ERROR(CommitInTurn(true));
  }
  for (size_t i = 0; i < records.size(); ++i) {
    if (folded_[i].kind != Outcome::Kind::kQuarantined) continue;
    Note("warn", "offset=" + std::to_string(records[i].offset) +
                     " quarantined reason=" + std::string(ReasonName(folded_[i].reason)));
  }
  RecordOutcomes(records, folded_);
  return Status::Ok();
}

// A log that cannot be read on may be another one by now: that is asked before anything else is said. A disk that
// takes no copy says nothing of the log.
Status Runner::PollFailed(const Status& status) {
  reader_.reset();
  if (status.code() != Code::kDiskFull && status.code() != Code::kIo) is_poll_sound_ = false;
  if (Status verified = Verify(); !verified.ok()) return verified;
  return Fail("poll", status);
}

Status Runner::Verify() { return Verified(log_.SyncTo(projection_->meta().cursor)); }

// What SyncTo() says: the log below the cursor is durable, and still the one that was folded. What was read since it
// was last shown to be falls with it: nothing of that is committed.
Status Runner::Verified(const Status& synced) {
  if (synced.ok()) {
    verified_us_ = clock_.MonotonicUs();
    is_log_verified_ = true;
    Works("verify");
    if (!projection_->dirty()) Works("append");
    return synced;
  }
  if (synced.code() != Code::kCorrupt) return Fail(synced.code() == Code::kUnavailable ? "verify" : "append", synced);
  is_log_verified_ = false;
  Status failed = Fail("verify", synced);
  Restart();
  Status forgotten = log_.ForgetFrom(projection_->meta().cursor);
  return forgotten.ok() ? failed : Fail("append", forgotten);
}

void Runner::Works(const char* step) {
  if (!is_failing_) return;
  std::lock_guard lock(mutex_);
  if (state_.failing_step == step) NoteWorks();
}

// With mutex_.
void Runner::NoteWorks() {
  if (state_.failing_step.empty()) return;
  Note("info", "step=" + state_.failing_step + " works again");
  state_.failing_step.clear();
  state_.failure.clear();
  is_failing_ = false;
}

// Rows in RAM may hold half of a record after a store could not be read: what is committed is the truth. What is being
// written is committed, or will be, before that is asked for.
void Runner::Restart() {
  reader_.reset();
  needs_restart_ = is_writing_;
  if (is_writing_) return;
  projection_ = std::make_unique<Projection>(*store_, options_.projection);
  unpublished_.clear();  // in the outbox, if they are still to be
  first_uncommitted_us_ = -1;
}

Status Runner::Fail(const char* step, Status status) {
  std::lock_guard lock(mutex_);
  if (state_.failing_step != step || state_.failure != status.message())
    Note("error", std::string("step=") + step + " " + status.ToString());
  state_.failing_step = step;
  state_.failure = status.message();
  is_failing_ = true;
  return status;
}

Status Runner::AppendTickIfDue(size_t records) {
  int64_t now_us = clock_.MonotonicUs();
  if (records > 0 || quiet_since_us_ < 0) quiet_since_us_ = now_us;
  std::optional<int64_t> due_us = projection_->next_due_us();
  bool is_due = due_us && *due_us <= clock_.NowUs() && projection_->meta().log_time_us < *due_us;
  if (!is_due || now_us - quiet_since_us_ < kQuietUs || now_us - ticked_us_ < kQuietUs || !is_log_verified())
    return Status::Ok();
  ticked_us_ = now_us;
  Event tick;
  tick.type = EventType::kTick;
  tick.id = Uuid5(kNamespaceDns, "tick-" + std::to_string(*due_us) + "-" + std::to_string(now_us));
  tick.event_time = EventTime{clock_.NowUs()};
  tick.source = "odometerd";
  tick.tick_reason = "holds are due";
  std::string bytes = Encode(tick);
  std::string_view one = bytes;
  Result<Appended> appended = log_.Append({&one, 1});
  // The next try comes by itself.
  if (!appended.ok()) Note("warn", "tick: " + appended.status().ToString());
  return Status::Ok();
}

// Whether all that is changed is of asks, and may wait for others.
bool Runner::IsLingering() const {
  return projection_->changed() && has_asks_only_ && awaited_end_ <= committed_end_ &&
         projection_->rows_changed() < options_.asks_rows_max;
}

// What is left of the time that uncommitted asks wait for others; `otherwise` when none do.
int64_t Runner::LingerLeft(int64_t otherwise) const {
  if (!projection_->changed() || !has_asks_only_ || first_uncommitted_us_ < 0) return otherwise;
  if (!IsLingering()) return 0;
  return std::max<int64_t>(first_uncommitted_us_ + options_.asks_linger_us - clock_.MonotonicUs(), 0);
}

bool Runner::CommitDue() const {
  if (is_beside_ ? !projection_->changed() : !projection_->dirty()) return false;
  bool is_drained = projection_->meta().cursor >= log_.range().end;
  if ((is_drained || has_asks_only_) && LingerLeft(0) <= 0) return true;
  if (projection_->bytes_in_memory() > options_.projection.memory_bytes_max + (64u << 20)) return true;
  size_t rows_max = behind_us_ > kBehindUs ? options_.backlog_rows_max : options_.uncommitted_rows_max;
  if (projection_->rows_changed() >= rows_max) return true;
  return clock_.MonotonicUs() - first_uncommitted_us_ >= CommitInterval();
}

int64_t Runner::CommitInterval() const {
  if (behind_us_ <= kBehindUs) return options_.commit_interval_us;
  return std::max(options_.catch_up_interval_us, std::min(behind_us_ / 2, options_.backlog_interval_us));
}

// Only the rows' way into a batch needs the turn; the sync of the log and the store's write do not. What could not be
// written stays, and is tried again before anything more is folded.
Status Runner::CommitInTurn(bool keeps_turn) {
  ODOMETER_RETURN_IF_ERROR(EndBeside());
  if (!projection_->dirty()) return Status::Ok();
  int64_t begun_us = clock_.MonotonicUs();
  if (Status begun = projection_->BeginCommit(); !begun.ok()) return Fail("commit", begun);
  BeginWriting();
  if (!keeps_turn) EndTurn();
  // The store's cursor must never be more durable than the log below it, nor tell of another log.
  Status synced = log_.SyncTo(projection_->begun_cursor());
  Status written = Status::Ok();
  if (synced.ok()) {
    std::lock_guard commit(commit_mutex_);
    written = projection_->WriteCommit();
  }
  if (!keeps_turn) turn_.Take();
  is_writing_ = false;
  Status finished = Verified(synced);
  if (finished.ok()) finished = FinishCommit(written, begun_us);
  if (needs_restart_) Restart();
  return finished;
}

void Runner::BeginWriting() {
  first_uncommitted_us_ = -1;
  has_asks_only_ = true;
  is_writing_ = true;
}

// The log is synced with the turn: so far behind nobody waits for a verdict of these milliseconds.
Status Runner::CommitBeside() {
  ODOMETER_RETURN_IF_ERROR(EndBeside());
  beside_since_us_ = clock_.MonotonicUs();
  if (Status begun = projection_->BeginCommit(); !begun.ok()) return Fail("commit", begun);
  ODOMETER_RETURN_IF_ERROR(Verified(log_.SyncTo(projection_->begun_cursor())));
  BeginWriting();
  is_beside_ = true;
  beside_ = std::async(std::launch::async, [this] {
              std::lock_guard commit(commit_mutex_);
              return projection_->WriteCommit();
            }).share();
  return Status::Ok();
}

Status Runner::EndBeside() {
  if (!is_beside_) return Status::Ok();
  std::shared_future<Status> beside = beside_;
  EndTurn();
  beside.wait();
  turn_.Take();
  if (!is_beside_) return Status::Ok();  // another thread has ended it
  is_writing_ = is_beside_ = false;
  Status finished = FinishCommit(beside.get(), beside_since_us_);
  if (needs_restart_) Restart();
  return finished;
}

Status Runner::FinishCommit(const Status& written, int64_t begun_us) {
  if (!written.ok()) return Fail("commit", written);
  projection_->FinishCommit();
  std::shared_ptr<const View> view = store_->NewView();
  committed_end_ = view->meta().cursor;
  int64_t now_us = clock_.MonotonicUs();
  {
    std::lock_guard lock(mutex_);
    NoteWorks();
    view_ = std::move(view);
    state_.committed = view_->meta();
    state_.last_readback_us = now_us;
    state_.last_commit_us = now_us;
    state_.commits += 1;
    state_.commit_us_total += static_cast<uint64_t>(now_us - begun_us);
    state_.rows_in_memory = projection_->rows_in_memory();
    state_.bytes_in_memory = projection_->bytes_in_memory();
    state_.crossings_waiting = projection_->crossings_waiting();
  }
  committed_.notify_all();
  AcknowledgeIfDue();
  return Status::Ok();
}

// Also while nothing is committed: what was committed last is told, too, and again when it got lost.
void Runner::AcknowledgeIfDue() {
  int64_t now_us = clock_.MonotonicUs();
  if (now_us - acknowledged_us_ < kAcknowledgeUs) return;
  log_.Acknowledge(committed_end_);
  acknowledged_us_ = now_us;
}

void Runner::RecordOutcomes(std::span<const Record> records, const std::vector<Outcome>& outcomes) {
  if (records.empty()) return;
  std::vector<Answer> answers = projection_->TakeAnswers();
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < records.size(); ++i)
    outcomes_[records[i].offset % kOutcomesKept] = {records[i].offset, outcomes[i]};
  for (Answer& answer : answers) {
    if (answer.ask) answers_[answer.offset] = std::make_shared<const AskRow>(std::move(*answer.ask));
  }
  auto expected = expected_.lower_bound(records.front().offset);
  while (expected != expected_.end() && expected->first <= records.back().offset) {
    std::optional<Answered> answered = AnsweredAt(expected->first);
    if (!answered) break;  // the log is in doubt
    ready_.push_back({std::move(expected->second.tell), {{}, true, expected->first, std::move(answered)}});
    expected = expected_.erase(expected);
  }
  while (answers_.size() > kAnswersKept) answers_.erase(answers_.begin());
  answered_.notify_all();
}

void Runner::Start() {
  has_thread_ = true;
  thread_ = std::thread([this] {
    GiveWay();  // who asks does not wait for it: the ask is folded by the thread that brings it
    Loop();
    turn_.Take();
    has_ended_ = true;
    last_commit_ = CommitInTurn();
    // What was folded while a batch that had failed before was written.
    if (last_commit_.ok()) last_commit_ = CommitInTurn();
    EndTurn();
  });
}

void Runner::Loop() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    Status result;
    // What could not be committed is tried again before anything more is folded.
    std::string failing = state().failing_step;
    if (failing == "commit" || failing == "append" || failing == "verify") {
      turn_.Take();
      result = projection_->dirty() ? CommitInTurn() : Verify();
      EndTurn();
    } else if (Result<size_t> step = ThreadsTurn(); !step.ok()) {
      result = step.status();
    }
    ExpireAsked(clock_.MonotonicUs());
    if (result.ok()) continue;
    std::unique_lock lock(mutex_);
    // A log that cannot be read, or says it is another one, costs a connection to ask again; a disk does not.
    int64_t pause_us = failing == "poll" || failing == "verify" ? kAskAgainUs : kRetryUs;
    committed_.wait_for(lock, std::chrono::microseconds(pause_us), [this] { return stopping_; });
  }
}

void Runner::BeginStop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  log_.Wake();
  committed_.notify_all();
  answered_.notify_all();
  ExpireAsked(INT64_MAX);
  std::lock_guard lock(asked_mutex_);
  is_asking_over_ = true;
  has_asked_.notify_all();
}

Status Runner::Stop() {
  if (std::lock_guard lock(mutex_); state_.stopped) return Status::Ok();
  BeginStop();
  bool has_run = thread_.joinable();
  if (has_run) thread_.join();
  if (asker_.joinable()) asker_.join();
  Status committed = has_run ? last_commit_ : CommitNow();
  if (committed.ok()) committed = store_->Sync();
  std::lock_guard lock(mutex_);
  state_.stopped = true;
  return committed;
}

void Runner::Abandon() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  state_.stopped = true;
}

std::shared_ptr<const View> Runner::view() const {
  std::lock_guard lock(mutex_);
  return view_;
}

std::shared_ptr<const View> Runner::FreshView() {
  uint64_t end = asked_end_;
  std::shared_ptr<const View> fresh = end > committed_end_ ? WaitFor(end, kFreshWaitUs) : nullptr;
  return fresh == nullptr ? view() : fresh;
}

std::shared_ptr<const View> Runner::WaitFor(uint64_t next_offset, int64_t timeout_us) {
  // Asks that linger are committed now. What is not in the log yet is nothing to wait for in particular.
  uint64_t end = std::min(next_offset, log_.range().end);
  if (end > committed_end_ && Raise(&awaited_end_, end)) log_.Wake();
  std::unique_lock lock(mutex_);
  bool there = committed_.wait_for(lock, std::chrono::microseconds(timeout_us),
                                   [&] { return view_->meta().cursor >= next_offset || stopping_; });
  return there && view_->meta().cursor >= next_offset ? view_ : nullptr;
}

std::optional<Outcome> Runner::OutcomeAt(uint64_t offset) const {
  std::lock_guard lock(mutex_);
  const auto& [held, outcome] = outcomes_[offset % kOutcomesKept];
  return held == offset ? std::optional<Outcome>(outcome) : std::nullopt;
}

RunnerState Runner::state() const {
  std::lock_guard lock(mutex_);
  RunnerState state = state_;
  state.log_end = log_.range().end;
  return state;
}

Result<uint64_t> Runner::Checkpoint(const std::string& directory) {
  std::lock_guard commit(commit_mutex_);
  ODOMETER_RETURN_IF_ERROR(store_->Checkpoint(directory));
  return store_->cursor();
}

}  // namespace odometer
