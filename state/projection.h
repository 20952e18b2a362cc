// state/projection.h: Projection, the fold of one partition: records in, rows out. Pure: no clock, randomness, locale,
// float, pointer order or hash order has any part in a figure.
//
//   Projection projection(store, options);
//   projection.Apply(batch, &outcomes);  // many at once: their rows are fetched together
//   projection.Commit();                 // every changed row and the cursor, atomically; then rows may be evicted
//
// What each outcome and figure means: docs/figures.md. Confined to one thread at a time, but for WriteCommit().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/reason.h"
#include "core/record.h"
#include "core/status.h"
#include "state/limit_rows.h"
#include "state/resolve.h"
#include "state/store.h"

namespace odometer {

struct Outcome {
  enum class Kind : uint8_t { kApplied, kDuplicate, kQuarantined };
  Kind kind = Kind::kApplied;
  Reason reason = Reason::kNone;      // when quarantined
  EventType type = EventType::kNone;  // when decoded
};
const char* OutcomeName(Outcome::Kind kind);  // "applied", "duplicate", "quarantined"

// What became of an ask, or of the hold that an event meant to end: its row after that record, also of an ask that had
// been judged before; none: no such ask.
struct Answer {
  uint64_t offset = 0;
  std::optional<AskRow> ask;
};

struct ProjectionOptions {
  uint64_t memory_bytes_max = 1ull << 30;  // of rows in RAM, between commits; what is clean is evicted above it
  int64_t users_max = 10'000'000;          // of one tenant
  int64_t projects_max = 100'000;
  bool keeps_answers = false;  // for TakeAnswers(), by who calls it
  // Told of all that is added to what limits have used: to whose, by meter − 1, and where in time. For explanations.
  std::function<void(const Subject&, const std::array<__int128, kMeters>&, int64_t at_us)> on_use;
};

class Projection {
 public:
  // The store must outlive it.
  Projection(Store& store, ProjectionOptions options);
  ~Projection();

  // Reads what is open: holds, and crossings that are to be told. Done by the first record otherwise; a log may be
  // silent for long.
  Status Open();

  // Folds records in their order; they must stand at or above the cursor. Appends the outcome of each that was folded.
  // A read error of the store is returned, and that record not folded, nor any after it: the runner halts on it.
  Status Apply(std::span<const Record> records, std::vector<Outcome>* outcomes);
  Result<Outcome> Apply(const Record& record);
  // The log skips from the cursor to `offset`: counted as holes.
  void SkipTo(uint64_t offset);

  // Moves log_time on without a record, and lets expire what is due by then.
  Status AdvanceTo(int64_t log_time_us);

  // Of the asks and ends of holds folded since this was called last, in their order.
  std::vector<Answer> TakeAnswers();
  // The LimitCrossed events that are to be appended: each once, after the store was opened again once more. Only of
  // what is committed, so that none is told of that is not so.
  std::vector<std::string> TakeCrossings();
  // How many have not been read back.
  size_t crossings_waiting() const;
  // When the next open hold expires, by log_time; nullopt: none is open, or it is not known yet (Open).
  std::optional<int64_t> next_due_us() const;

  bool dirty() const;           // something is not in the store
  bool changed() const;         // since the last commit was begun
  size_t rows_changed() const;  // likewise
  // On an error nothing was written and everything is kept: try again later.
  Status Commit();
  // The same in three steps, so that folding goes on while rows are written. BeginCommit() puts what is changed into a
  // batch, unless one is waiting to be written; WriteCommit() writes that, with its cursor, by any thread and while
  // others fold: on an error nothing was written, call it again. FinishCommit() after it: only then are rows evicted.
  Status BeginCommit();
  uint64_t begun_cursor() const;  // of the batch
  Status WriteCommit();
  void FinishCommit();

  const MetaRow& meta() const;
  uint64_t rows_in_memory() const;
  uint64_t bytes_in_memory() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace odometer
