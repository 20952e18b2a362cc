// tests/integration/ledger.h: Ledger, what was acknowledged to those who sent it, to be found in the log: each record
// as often as it was acknowledged.
//
//   ledger.Acknowledge(partition, batch, Ledger::As::kBytes);    // while events are sent
//   ledger.Find(partition, record.bytes);                        // each record of the log, at the end
//   ledger.Check();                                              // throws Failed when something is lost
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/mix.h"

namespace odometer {

class Ledger {
 public:
  // A door that makes the record anew from its JSON keeps its id and tenant, not its bytes.
  enum class As { kBytes, kId };
  // who: sent it, and what they were told: said of what is lost.
  void Acknowledge(uint32_t partition, std::span<const MixRecord> batch, As as, const std::string& who);
  // Sent in a transaction that is not to be aborted, whatever becomes of it.
  void Offer(uint32_t partition, std::span<const MixRecord> batch);
  // Sent in a transaction that was aborted: must not be read, unless it was offered as well.
  void Abort(uint32_t partition, std::span<const MixRecord> batch);

  void Find(uint32_t partition, std::string_view bytes);
  void Check() const;

  uint64_t acknowledged(As as) const;
  uint64_t aborted() const;

 private:
  using Key = std::pair<uint32_t, uint64_t>;  // partition, hash
  using Counts = std::map<Key, uint64_t>;
  struct Side {
    Counts bytes, ids;
  };
  // Throws Failed when any of them was found less often than it was acknowledged.
  void CheckFound(const Counts& acknowledged, const Counts& found, const std::string& what) const;

  mutable std::mutex mutex_;
  Side acknowledged_, found_;
  std::map<Key, std::string> who_;  // acknowledged it last
  std::set<Key> offered_, aborted_;
  uint64_t acknowledged_as_bytes_ = 0, acknowledged_as_id_ = 0;
};

}  // namespace odometer
