// state/streams.h: what has been seen of each producer's stream and of each id: the positional rows that dedupe reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.h"

namespace odometer {

// Disjoint, ascending, never adjacent intervals of seqs, both ends inclusive.
class IntervalSet {
 public:
  struct Interval {
    uint64_t first = 0;
    uint64_t last = 0;
    friend bool operator==(const Interval&, const Interval&) = default;

    template <class Self, class V>
    static void Fields(Self& interval, V&& v) {
      v("first", interval.first);
      v("last", interval.last);
    }
  };

  bool Contains(uint64_t seq) const;
  // How many intervals there would be with seq in the set.
  size_t SizeWith(uint64_t seq) const;
  void Insert(uint64_t seq) {
    if (!intervals_.empty() && seq == intervals_.back().last + 1) {  // as streams grow nearly always
      intervals_.back().last = seq;
      ++count_;
    } else {
      InsertRange(seq, seq);
    }
  }
  void InsertRange(uint64_t first, uint64_t last);
  void Remove(uint64_t seq);
  // The parts of [first, last] that are not in the set.
  std::vector<Interval> MissingFrom(uint64_t first, uint64_t last) const;
  uint64_t count() const { return count_; }
  uint64_t greatest() const { return intervals_.empty() ? 0 : intervals_.back().last; }
  const std::vector<Interval>& intervals() const { return intervals_; }

  template <class Self, class V>
  static void Fields(Self& set, V&& v) {
    v("intervals", set.intervals_);
    v("count", set.count_);
  }

 private:
  size_t IndexAtOrAfter(uint64_t seq) const;  // of the first interval whose last >= seq

  std::vector<Interval> intervals_;
  uint64_t count_ = 0;  // of seqs
};

inline constexpr size_t kIntervalsMax = 1024;
inline constexpr size_t kRecentSeqs = 64;

struct StreamRow {
  struct Recent {
    uint64_t seq = 0;
    uint64_t hash = 0;

    template <class Self, class V>
    static void Fields(Self& recent, V&& v) {
      v("seq", recent.seq);
      v("hash", recent.hash);
    }
  };

  IntervalSet seen;
  IntervalSet lost;            // reported lost and not seen
  std::vector<Recent> recent;  // the last inserted seqs; a ring
  uint64_t next_recent = 0;

  // Seqs below the greatest known that are neither seen nor lost.
  int64_t missing() const {
    uint64_t greatest = seen.greatest() > lost.greatest() ? seen.greatest() : lost.greatest();
    return static_cast<int64_t>(greatest - seen.count() - lost.count());
  }
  // Whether it is the one that nearly always comes: just above all that are known, with nothing lost.
  bool IsNext(uint64_t seq) const {
    return !seen.intervals().empty() && seq == seen.greatest() + 1 && lost.intervals().empty();
  }
  const Recent* FindRecent(uint64_t seq) const;
  void Remember(uint64_t seq, uint64_t hash) {
    if (recent.size() < kRecentSeqs) {
      recent.push_back({seq, hash});
      return;
    }
    recent[next_recent] = {seq, hash};
    next_recent = (next_recent + 1) % kRecentSeqs;
  }

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("seen", row.seen);
    v("lost", row.lost);
    v("recent", row.recent);
    v("next_recent", row.next_recent);
  }
};

struct IdRow {
  static constexpr bool kKeyedByTime = true;  // by version 7, as most are

  uint64_t hash = 0;  // of the record's bytes
  uint64_t source_hash = 0;

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("hash", row.hash);
    v("source_hash", row.source_hash);
  }
};

}  // namespace odometer
