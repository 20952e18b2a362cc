#include "tests/support/model_streams.h"

namespace odometer::model {

void Intervals::Insert(SeqRange range) {
  auto touched = std::partition_point(ranges_.begin(), ranges_.end(), [&](const SeqRange& known) {
    return Int{known.last} + 1 < Int{range.first};
  });
  auto end = touched;
  while (end != ranges_.end() && Int{end->first} <= Int{range.last} + 1) {
    range = {std::min(range.first, end->first), std::max(range.last, end->last)};
    ++end;
  }
  ranges_.insert(ranges_.erase(touched, end), range);
}

void Intervals::Remove(SeqRange range) {
  std::vector<SeqRange> result;
  for (const SeqRange& known : ranges_) {
    if (known.last < range.first || known.first > range.last) {
      result.push_back(known);
      continue;
    }
    if (known.first < range.first) result.push_back({known.first, range.first - 1});
    if (known.last > range.last) result.push_back({range.last + 1, known.last});
  }
  ranges_ = std::move(result);
}

bool Intervals::Contains(uint64_t seq) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [seq](const SeqRange& range) { return range.first <= seq && seq <= range.last; });
}

Int Intervals::Count() const {
  Int count = 0;
  for (const SeqRange& range : ranges_) count += Int{range.last} - Int{range.first} + 1;
  return count;
}

uint64_t Intervals::Greatest() const { return ranges_.empty() ? 0 : ranges_.back().last; }

Int Stream::Missing() const { return Int{std::max(seen.Greatest(), lost.Greatest())} - seen.Count() - lost.Count(); }

void Stream::Insert(uint64_t seq, uint64_t hash) {
  seen.Insert({seq, seq});
  lost.Remove({seq, seq});
  recent.push_back({seq, hash});
  if (recent.size() > 64) recent.erase(recent.begin());
}

std::optional<uint64_t> Stream::RecentHash(uint64_t seq) const {
  for (const Inserted& inserted : recent) {
    if (inserted.seq == seq) return inserted.hash;
  }
  return std::nullopt;
}

}  // namespace odometer::model
