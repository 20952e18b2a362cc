#include "state/streams.h"

#include <algorithm>

namespace odometer {

size_t IntervalSet::IndexAtOrAfter(uint64_t seq) const {
  // Streams grow at their end nearly always.
  if (intervals_.empty() || intervals_.back().last < seq) return intervals_.size();
  auto at = std::lower_bound(intervals_.begin(), intervals_.end(), seq,
                             [](const Interval& interval, uint64_t value) { return interval.last < value; });
  return static_cast<size_t>(at - intervals_.begin());
}

bool IntervalSet::Contains(uint64_t seq) const {
  size_t at = IndexAtOrAfter(seq);
  return at < intervals_.size() && intervals_[at].first <= seq;
}

size_t IntervalSet::SizeWith(uint64_t seq) const {
  size_t at = IndexAtOrAfter(seq);
  if (at < intervals_.size() && intervals_[at].first <= seq) return intervals_.size();
  bool joins_before = at > 0 && intervals_[at - 1].last + 1 == seq;
  bool joins_after = at < intervals_.size() && intervals_[at].first == seq + 1;
  return intervals_.size() + 1 - (joins_before ? 1 : 0) - (joins_after ? 1 : 0);
}

void IntervalSet::InsertRange(uint64_t first, uint64_t last) {
  for (const Interval& part : MissingFrom(first, last)) count_ += part.last - part.first + 1;
  size_t begin = IndexAtOrAfter(first == 0 ? 0 : first - 1);
  size_t end = begin;
  while (end < intervals_.size() && intervals_[end].first <= last + 1) {
    first = std::min(first, intervals_[end].first);
    last = std::max(last, intervals_[end].last);
    ++end;
  }
  if (end == begin) {
    intervals_.insert(intervals_.begin() + static_cast<ptrdiff_t>(begin), Interval{first, last});
    return;
  }
  intervals_[begin] = Interval{first, last};
  intervals_.erase(intervals_.begin() + static_cast<ptrdiff_t>(begin) + 1,
                   intervals_.begin() + static_cast<ptrdiff_t>(end));
}

void IntervalSet::Remove(uint64_t seq) {
  size_t at = IndexAtOrAfter(seq);
  if (at == intervals_.size() || intervals_[at].first > seq) return;
  --count_;
  Interval old = intervals_[at];
  intervals_.erase(intervals_.begin() + static_cast<ptrdiff_t>(at));
  if (old.last > seq) intervals_.insert(intervals_.begin() + static_cast<ptrdiff_t>(at), Interval{seq + 1, old.last});
  if (old.first < seq) intervals_.insert(intervals_.begin() + static_cast<ptrdiff_t>(at), Interval{old.first, seq - 1});
}

std::vector<IntervalSet::Interval> IntervalSet::MissingFrom(uint64_t first, uint64_t last) const {
  std::vector<Interval> missing;
  for (size_t at = IndexAtOrAfter(first); first <= last; ++at) {
    if (at == intervals_.size() || intervals_[at].first > last) {
      missing.push_back({first, last});
      break;
    }
    if (intervals_[at].first > first) missing.push_back({first, intervals_[at].first - 1});
    if (intervals_[at].last >= last) break;
    first = intervals_[at].last + 1;
  }
  return missing;
}

const StreamRow::Recent* StreamRow::FindRecent(uint64_t seq) const {
  for (const Recent& entry : recent) {
    if (entry.seq == seq) return &entry;
  }
  return nullptr;
}

}  // namespace odometer
