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
  while (keys_ > kKeysMax) ForgetOldest();
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
