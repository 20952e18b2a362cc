// state/written_keys.h: WrittenKeys, which keys under a prefix commits have written since a moment, so that a cache of
// rows reads again only those.
//
//   written.Since(prefix, view->meta().cursor);   // nullopt: not known, and watched from now on; read them all
//   written.Note(batch, next_cursor);             // by each commit, before it writes
//   written.Since(prefix, cursor);                // the keys that commits beyond that cursor have written
//
// A prefix that nobody asks for costs no commit anything. What is remembered is bounded: when it is too much, what the
// last one to ask for a prefix knew already goes, and then who asked longest ago. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace odometer {

class RowBatch;

class WrittenKeys {
 public:
  static constexpr size_t kKeysMax = 100'000;  // of all prefixes together, one for each commit that wrote it
  static constexpr size_t kPrefixesMax = 256;

  explicit WrittenKeys(uint64_t cursor = 0) : cursor_(cursor) {}

  // In key order, each once, perhaps with some that are written as this is asked; nullopt when not known. From then on
  // the prefix is watched.
  std::optional<std::vector<std::string>> Since(std::string_view prefix, uint64_t cursor);
  // `cursor`: of the store once these rows are written. The batch is left in key order.
  void Note(RowBatch& rows, uint64_t cursor);

 private:
  struct Watch {
    uint64_t since = 0;                                  // every commit beyond this cursor is noted
    uint64_t asked_at = 0;                               // of asked_
    uint64_t known = 0;                                  // the cursor that was asked with last
    std::vector<std::pair<uint64_t, std::string>> keys;  // (cursor of the commit, key), by cursor
  };
  void Forget(std::map<std::string, Watch, std::less<>>::iterator watch);
  void ForgetKnown(Watch* watch);
  void ForgetOldest();

  std::mutex mutex_;  // guards everything below
  uint64_t cursor_;
  uint64_t asked_ = 0;
  size_t keys_ = 0;
  std::map<std::string, Watch, std::less<>> watches_;
};

}  // namespace odometer
