// tests/support/model_streams.h: what the Model remembers of a producer's stream: seqs seen, seqs reported lost, and
// the last 64 inserted. Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/event.h"
#include "tests/support/model_rows.h"

namespace odometer::model {

// A set of seqs as disjoint intervals with a hole between each two.
class Intervals {
 public:
  void Insert(SeqRange range);
  void Remove(SeqRange range);
  bool Contains(uint64_t seq) const;
  Int Count() const;         // of seqs
  uint64_t Greatest() const; // 0 when empty
  const std::vector<SeqRange>& ranges() const { return ranges_; }

 private:
  std::vector<SeqRange> ranges_;  // ascending
};

struct Stream {
  struct Inserted {
    uint64_t seq = 0;
    uint64_t hash = 0;
  };

  Intervals seen, lost;
  std::vector<Inserted> recent;  // at most 64, oldest first

  // Seqs below the greatest seen or lost that are neither.
  Int Missing() const;
  void Insert(uint64_t seq, uint64_t hash);
  // The hash of a seq among the last 64 inserted.
  std::optional<uint64_t> RecentHash(uint64_t seq) const;
};

inline constexpr size_t kIntervalsMax = 1024;

}  // namespace odometer::model
