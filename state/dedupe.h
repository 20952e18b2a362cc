// state/dedupe.h: Dedupe, which decides whether a record was seen before, from rows that commit with everything else.
// The rules, in order: docs/figures.md section 1, step 5. Confined to the runner thread.
#pragma once

#include <array>

#include "core/event.h"
#include "core/placement.h"
#include "state/change.h"
#include "state/projection.h"
#include "state/tables.h"

namespace odometer {

class Dedupe {
 public:
  Dedupe(Tables& tables, Change& change) : tables_(tables), change_(change) {}

  enum class Seen { kNew, kDuplicate, kUnverified, kOtherDoor, kConflict, kTooManyGaps, kOverflow };
  // What the record is; kNew has been remembered. hash is of the record's bytes.
  Result<Seen> Look(const Event& event, uint64_t hash);
  // Moves the seqs of a GapReported from missing to lost. kNone, kTooManyGaps or kOverflow; then nothing is moved.
  Result<Reason> Report(const Event& event);

 private:
  using StreamNode = RowTable<StreamRow>::Node;

  Result<Seen> LookInStream(const Event& event, const StreamRow& row, uint64_t hash);
  Result<Seen> LookInIndex(const Event& event, uint64_t hash);
  Result<bool> BookInsert(const Event& event, const StreamRow& row);
  void Insert(const Event& event, StreamNode* stream, uint64_t hash);
  Result<StreamNode*> StreamOf(const Uuid& producer, uint64_t epoch, uint64_t slot);
  // False: a figure of the tenant would leave its range, and nothing was added.
  Result<bool> AddToTenant(const Event& event, int64_t missing, int64_t lost);

  // The streams that were looked up last, one of each slot: an SDK process sends long runs of one.
  struct Lately {
    Uuid producer;
    uint64_t epoch = 0;
    uint64_t slot = 0;
    uint64_t generation = 0;  // of the streams' table then
    StreamNode* stream = nullptr;
  };

  Tables& tables_;
  Change& change_;
  std::array<Lately, kSlots> lately_;
};

}  // namespace odometer
