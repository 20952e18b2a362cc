// state/missed_keys.h: MissedKeys, keys that were looked for lately and are neither in RAM nor in the store, so that
// rows which most subjects have none of are not looked for on disk at every event.
//
//   if (missed.Has(key, hash)) return nothing;
//   missed.Add(key, hash);      // the store has not got it either
//   missed.Forget(key, hash);   // a row of that key is made
//
// Right as long as a row comes to be in RAM alone. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace odometer {

class MissedKeys {
 public:
  bool Has(std::string_view key, uint64_t hash) const { return !keys_.empty() && keys_[hash % kKeys] == key; }
  void Add(std::string_view key, uint64_t hash) {
    if (keys_.empty()) keys_.resize(kKeys);
    keys_[hash % kKeys] = key;
  }
  void Forget(std::string_view key, uint64_t hash) {
    if (Has(key, hash)) keys_[hash % kKeys].clear();
  }

 private:
  static constexpr size_t kKeys = 4096;

  std::vector<std::string> keys_;  // by hash; "", which is no key, where there is none
};

}  // namespace odometer
