// state/sort_by_key.h: SortByKey, objects in the order of keys that begin alike and lie all over memory: the 16 bytes
// after what all keys share are compared side by side, and a key itself only where those are equal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "state/ask_for.h"

namespace odometer {

// Bytes [from, from + 8) as a number that orders as they do; 0 where the key has ended.
inline uint64_t KeyWord(std::string_view key, size_t from) {
  uint64_t word = 0;
  if (from < key.size()) std::memcpy(&word, key.data() + from, std::min<size_t>(8, key.size() - from));
  return __builtin_bswap64(word);
}

// key_of(object) gives a std::string_view that stays while this runs.
template <class T, class KeyOf>
void SortByKey(std::vector<T*>* objects, KeyOf&& key_of) {
  if (objects->size() < 2) return;
  std::string_view first = key_of(objects->front());
  size_t shared = first.size();
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < objects->size(); ++i) {
    // Objects begin with their keys, or nearly.
    if (i + kAhead < objects->size()) AskFor((*objects)[i + kAhead], 2 * kCacheLineBytes);
    std::string_view key = key_of((*objects)[i]);
    shared = std::min(shared, key.size());
    shared = static_cast<size_t>(
        std::mismatch(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(shared), key.begin()).first -
        first.begin());
  }
  struct Entry {
    uint64_t words[2];
    T* object;
  };
  std::vector<Entry> entries;
  entries.reserve(objects->size());
  for (size_t i = 0; i < objects->size(); ++i) {
    if (i + kAhead < objects->size()) AskFor((*objects)[i + kAhead], 2 * kCacheLineBytes);
    T* object = (*objects)[i];
    std::string_view key = key_of(object);
    entries.push_back({{KeyWord(key, shared), KeyWord(key, shared + 8)}, object});
  }
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    if (a.words[0] != b.words[0]) return a.words[0] < b.words[0];
    if (a.words[1] != b.words[1]) return a.words[1] < b.words[1];
    return key_of(a.object) < key_of(b.object);
  });
  for (size_t i = 0; i < entries.size(); ++i) (*objects)[i] = entries[i].object;
}

}  // namespace odometer
