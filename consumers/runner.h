// consumers/runner.h: Runner, the only loop: Poll → Verify → Dedupe → Fold → Commit → View, for one partition.
//
//   Runner runner(log.partition(3), std::move(store), clock, options);
//   runner.Start();                                    // a thread of its own; or call Step() yourself
//   auto view = runner.WaitFor(position, 2'000'000);   // a view that holds everything below the position
//   runner.Stop();                                     // commits what was folded, joins
//
// Whose turn it is folds (consumers/fold_turn.h): the thread, or one who asks. Only the thread commits; while rows are
// written others fold on. Step() is confined to one thread; everything below "Thread-safe" may be called from any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "consumers/fold_turn.h"
#include "core/time.h"
#include "log/event_log.h"
#include "state/projection.h"
#include "state/store.h"

namespace odometer {

struct RunnerOptions {
  size_t batch_records_max = 4096;
  int64_t poll_wait_us = 50'000;
  // How long the commit of nothing but asks waits for more of them: their verdicts are handed out before it. Not while
  // somebody waits for a view of them, nor with more changed rows than that, which would keep the turn for long.
  int64_t asks_linger_us = 0;
  size_t asks_rows_max = 20'000;
  // Live: a commit this long after the first uncommitted row, or at once when the log is drained.
  int64_t commit_interval_us = 50'000;
  // More than a second behind: half as long as it is behind, within these. A row that many records move is written once
  // for all of them, and what is old gets no more than half as old again.
  int64_t catch_up_interval_us = 1'000'000;
  int64_t backlog_interval_us = 10'000'000;
  // And no later than so many changed rows; more than a second behind, than so many.
  size_t uncommitted_rows_max = 500'000;
  size_t backlog_rows_max = 4'000'000;
  bool commit_every_record = false;       // for tests
  ProjectionOptions projection;
  // Called with the folding thread before each batch; a test may block or count in it.
  std::function<void()> before_batch;
  // Every state change and refusal worth a line: (level "info" | "warn" | "error", text with partition= offset=).
  std::function<void(const char* level, const std::string& text)> log;
};

// What the line is doing, for /readyz and /metrics.
struct RunnerState {
  MetaRow committed;             // as of the last commit
  uint64_t log_end = 0;          // high watermark now
  int64_t last_readback_us = 0;  // monotonic time of the last batch that came back from the log
  int64_t last_commit_us = 0;    // monotonic
  uint64_t commits = 0;
  uint64_t commit_us_total = 0;
  uint64_t rows_in_memory = 0;
  uint64_t bytes_in_memory = 0;
  uint64_t crossings_waiting = 0;  // whose LimitCrossed has not been read back
  bool stopped = false;
  std::string failing_step;  // "" or "poll", "verify", "fold", "append" (sync), "commit"
  std::string failure;
};

class Runner {
 public:
  Runner(PartitionLog& log, std::unique_ptr<Store> store, Clock& clock, RunnerOptions options);
  ~Runner();

  // One turn of the loop: polls once, folds what came, commits when due. Answers how many records were folded.
  Result<size_t> Step(int64_t wait_us);
  Status CommitNow();

  void Start();
  // Returns at once; the thread commits and ends. Before Stop() of many, so that they end side by side.
  void BeginStop();
  // Clean: folds no further, commits, syncs.
  Status Stop();
  // As if the process was killed: nothing more is committed. For simulations; the thread must not be running.
  void Abandon();

  // Thread-safe.
  uint32_t partition() const { return log_.partition(); }
  PartitionLog& log() { return log_; }
  std::shared_ptr<const View> view() const;
  // The same, with what was asked and folded before: where that waits for a commit, it is made now. 20 ms at most.
  std::shared_ptr<const View> FreshView();
  // Waits until everything below next_offset is in a view; null when it is not within timeout_us.
  std::shared_ptr<const View> WaitFor(uint64_t next_offset, int64_t timeout_us);
  // What became of a record folded lately (at least the last 65,536 of this run).
  std::optional<Outcome> OutcomeAt(uint64_t offset) const;
  // The same with the verdict on an ask, as soon as the fold has passed it: before the commit, for who folds it again
  // finds the same. To one who waits for it. nullopt when that is not within timeout_us.
  struct Answered {
    Outcome outcome;
    std::shared_ptr<const AskRow> ask;  // null: the record is no ask, or there is none under that id
  };
  std::optional<Answered> WaitForAnswer(uint64_t offset, int64_t timeout_us);
  // What is in the log is folded by the caller, or by whoever folds just now. After AppendQuietly(): who asks is
  // answered without a word to another thread.
  void FoldNow();

  // Those who ask, many at a time, where the log can be awaited (PartitionLog::can_await()).
  struct Judged {
    Status appended;                   // not ok: it is not in the log, or (kUnavailable) nobody knows
    bool is_sent = true;               // false: nothing was even tried, for the log is not verified
    uint64_t offset = 0;               // if appended
    std::optional<Answered> answered;  // nullopt: it was not folded in time
    bool more = false;                 // another is told right after, by the same thread
  };
  using Tell = std::function<void(const Judged&)>;
  // Takes an event whose sender waits for what the fold makes of it. `tell` is called once, by any thread, and must not
  // block. Nothing is done before the next JudgeAsked().
  void Ask(std::string event, Tell tell);
  // Appends all that was asked as one, and folds it, or has it folded by whose turn it is. Where the log waits for a
  // disk, a thread of its own does that, unless one asks alone and the last sync was quick: the caller is never kept
  // for long.
  void JudgeAsked();
  // From now on those who ask wait a second at most: for a clean stop.
  void HurryAsked();
  RunnerState state() const;
  // False from when the log was found to be another one, or could not be read on, until it has been shown to be the
  // right one and is read again: nothing may be appended.
  bool is_log_verified() const { return is_log_verified_ && is_poll_sound_; }
  // A copy of the store at its last commit; waits for the loop to be between two commits.
  Result<uint64_t> Checkpoint(const std::string& directory);

 private:
  static constexpr int64_t kAskedWaitUs = 5 * kUsPerSecond;
  struct Asked {
    std::string event;
    Tell tell;
  };
  struct Expected {
    Tell tell;
    int64_t until_us = 0;  // monotonic
  };
  // What came of folding in the thread's stead.
  struct ForOthers {
    bool is_more = false;           // there may be more to fold
    bool is_thread_needed = false;  // it is to be woken
  };
  struct Ready {
    Tell tell;
    Judged judged;
  };

  void Loop();
  Result<size_t> ThreadsTurn();
  // With the turn:
  Result<size_t> StepInTurn(int64_t wait_us);
  Result<size_t> FoldOnce(int64_t wait_us, size_t records_max);
  ForOthers FoldForOthers(size_t records_max);
  bool IsLingering() const;
  Status CommitInTurn(bool keeps_turn = false);
  // Far behind a commit is large: the fold goes on while another thread writes it. That is waited for before the next.
  Status CommitBeside();
  Status EndBeside();
  void BeginWriting();
  Status FinishCommit(const Status& written, int64_t begun_us);
  void AcknowledgeIfDue();
  Status Verified(const Status& synced);
  // Lets it go, once those have been folded for who wanted it meanwhile.
  void EndTurn();
  Status Fold(std::span<const Record> records);
  int64_t LingerLeft(int64_t otherwise) const;
  bool CommitDue() const;
  int64_t CommitInterval() const;
  Status Fail(const char* step, Status status);
  void NoteWorks();
  void Restart();
  Status Verify();
  Status PollFailed(const Status& status);
  void Works(const char* step);
  void Note(const char* level, const std::string& text) const;
  void RecordOutcomes(std::span<const Record> records, const std::vector<Outcome>& outcomes);
  Status AppendTickIfDue(size_t records);
  void Publish();

  void AskerLoop();
  void NoteAsked(size_t judged, int64_t took_us);
  size_t JudgeBatch();
  void Expect(std::vector<Asked> batch, uint64_t first_offset);
  std::optional<Answered> AnsweredAt(uint64_t offset);
  void ExpireAsked(int64_t now_us);
  void Deliver();

  PartitionLog& log_;
  Clock& clock_;
  RunnerOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projection> projection_;
  std::unique_ptr<EventReader> reader_;
  std::vector<Outcome> folded_;             // of the batch; reused
  bool has_asks_only_ = true;               // what is changed
  int64_t first_uncommitted_us_ = -1;       // monotonic; -1: all is committed, or being written
  int64_t behind_us_ = 0;                   // of the newest record that was read last
  std::atomic<uint64_t> asked_end_ = 0;     // what is changed, and below this, is of asks
  std::atomic<uint64_t> committed_end_ = 0;
  std::atomic<uint64_t> awaited_end_ = 0;   // somebody waits for a view of what is below
  bool is_writing_ = false;                 // a commit, without the turn
  bool is_beside_ = false;                  // that is, by another thread than the one that folds
  int64_t beside_since_us_ = 0;             // monotonic
  std::shared_future<Status> beside_;
  bool needs_restart_ = false;              // as soon as that is over
  int64_t verified_us_ = 0;                 // monotonic: when the log was last shown to be the one that is folded
  int64_t acknowledged_us_ = 0;             // monotonic
  int64_t quiet_since_us_ = -1;             // monotonic: since when nothing came; -1: something has just come
  int64_t ticked_us_ = 0;                   // monotonic
  std::vector<std::string> unpublished_;    // crossings that are committed and not in the log yet
  int64_t published_us_ = 0;                // monotonic: when it was last tried in vain
  uint64_t caught_up_at_ = 0;               // the log's end when it was opened: what is told below it is in it already
  bool has_ended_ = false;                  // its last commit is made, or being made: nothing more is folded
  uint64_t seen_wakes_ = 0;                 // of the log; the thread's
  FoldTurn turn_;                           // guards all above but what is atomic
  bool has_thread_ = false;
  std::thread thread_;
  Status last_commit_;  // of the thread, when it ended
  std::atomic<bool> is_log_verified_ = true;
  std::atomic<bool> is_poll_sound_ = true;
  std::atomic<bool> is_failing_ = false;  // state_ names a step

  std::mutex asked_mutex_;  // guards the five below
  std::condition_variable has_asked_;
  std::vector<Asked> asked_;
  bool is_asking_over_ = false;
  // What the last batch took, if it was of one and nobody asked meanwhile; else INT64_MAX.
  int64_t alone_us_ = INT64_MAX;
  std::thread asker_;  // started by the first who cannot wait for the disk

  mutable std::mutex commit_mutex_;  // held while the store is written or copied
  mutable std::mutex mutex_;         // guards everything below
  std::condition_variable committed_;
  std::condition_variable answered_;
  std::shared_ptr<const View> view_;
  RunnerState state_;
  std::vector<std::pair<uint64_t, Outcome>> outcomes_;         // ring by offset
  std::map<uint64_t, std::shared_ptr<const AskRow>> answers_;  // by offset; the last ones
  std::map<uint64_t, Expected> expected_;                      // by offset
  std::vector<Ready> ready_;                                   // to be told, by whoever lets go of the turn next
  int64_t asked_wait_us_ = kAskedWaitUs;
  bool stopping_ = false;
};

}  // namespace odometer
