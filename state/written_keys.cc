#include "state/written_keys.h"

#include <algorithm>

#include "state/store.h"

namespace odometer {

std::optional<std::vector<std::string>> WrittenKeys::Since(std::string_view prefix, uint64_t cursor) {
  std::lock_guard lock(mutex_);
  auto at = watches_.find(prefix);
  if (at == watches_.end()) {
    if (watches_.size() >= kPrefixesMax) ForgetOldest();
    at = watches_.try_emplace(std::string(prefix)).first;
    at->second.since = cursor_;
  }
  Watch& watch = at->second;
  watch.asked_at = ++asked_;
  watch.known = cursor;
  if (cursor < watch.since) return std::nullopt;
  auto first = std::partition_point(watch.keys.begin(), watch.keys.end(),
                                    [&](const auto& noted) { return noted.first <= cursor; });
  std::vector<std::string> keys;
  keys.reserve(static_cast<size_t>(watch.keys.end() - first));
  for (auto noted = first; noted != watch.keys.end(); ++noted) keys.push_back(noted->second);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

void WrittenKeys::Note(RowBatch& rows, uint64_t cursor) {
  std::lock_guard lock(mutex_);
  // After a commit that failed another may come that goes less far: what is asked since then is not known.
  cursor_ = std::max(cursor_, cursor);
  if (watches_.empty()) return;
  for (auto& [prefix, watch] : watches_) {
    size_t before = watch.keys.size();
    rows.ForEachKey(prefix, [&, &watch = watch](std::string_view key) { watch.keys.emplace_back(cursor_, key); });
    keys_ += watch.keys.size() - before;
  }
  if (keys_ <= kKeysMax) return;
  for (auto& [prefix, watch] : watches_) ForgetKnown(&watch);
  while (keys_ > kKeysMax) ForgetOldest();
}

// A cache goes on from what it knows, so it does not ask for that again; one that does is told that it is not known.
void WrittenKeys::ForgetKnown(Watch* watch) {
  auto first = std::partition_point(watch->keys.begin(), watch->keys.end(),
                                    [&](const auto& noted) { return noted.first <= watch->known; });
  if (first == watch->keys.begin()) return;
  keys_ -= static_cast<size_t>(first - watch->keys.begin());
  watch->since = std::max(watch->since, watch->known);
  watch->keys.erase(watch->keys.begin(), first);
}

void WrittenKeys::ForgetOldest() {
  Forget(std::min_element(watches_.begin(), watches_.end(),
                          [](const auto& a, const auto& b) { return a.second.asked_at < b.second.asked_at; }));
}

void WrittenKeys::Forget(std::map<std::string, Watch, std::less<>>::iterator watch) {
  keys_ -= watch->second.keys.size();
  watches_.erase(watch);
}

}  // namespace odometer
