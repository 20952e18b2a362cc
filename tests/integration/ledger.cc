#include "tests/integration/ledger.h"

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "state/hash.h"
#include "tests/integration/failed.h"

namespace odometer {

namespace {

// Of an event's tenant and id; nullopt when the bytes are no event.
std::optional<uint64_t> IdHash(std::string_view bytes) {
  std::vector<uint64_t> storage(bytes.size() / 8 + 1);
  if (!bytes.empty()) std::memcpy(storage.data(), bytes.data(), bytes.size());
  Event event;
  if (Decode({reinterpret_cast<const char*>(storage.data()), bytes.size()}, &event) != Reason::kNone)
    return std::nullopt;
  return HashOf(std::string(event.tenant) + '\0' + event.id.ToString());
}

}  // namespace

void Ledger::Acknowledge(uint32_t partition, std::span<const MixRecord> batch, As as,
                         const std::string& who) {
  std::lock_guard lock(mutex_);
  (as == As::kBytes ? acknowledged_as_bytes_ : acknowledged_as_id_) += batch.size();
  for (const MixRecord& record : batch) {
    const Key bytes{partition, HashOf(record.bytes)};
    if (as == As::kBytes) ++acknowledged_.bytes[bytes];
    who_[bytes] = who;
    if (std::optional<uint64_t> id = IdHash(record.bytes)) {
      ++acknowledged_.ids[{partition, *id}];
      who_[{partition, *id}] = who;
    }
  }
}

void Ledger::Offer(uint32_t partition, std::span<const MixRecord> batch) {
  std::lock_guard lock(mutex_);
  for (const MixRecord& record : batch) offered_.insert({partition, HashOf(record.bytes)});
}

// Bytes that are no event may be anybody's.
void Ledger::Abort(uint32_t partition, std::span<const MixRecord> batch) {
  std::lock_guard lock(mutex_);
  for (const MixRecord& record : batch) {
    if (!record.hostile) aborted_.insert({partition, HashOf(record.bytes)});
  }
}

void Ledger::Find(uint32_t partition, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  ++found_.bytes[{partition, HashOf(bytes)}];
  if (std::optional<uint64_t> id = IdHash(bytes)) ++found_.ids[{partition, *id}];
}

void Ledger::CheckFound(const Counts& acknowledged, const Counts& found, const std::string& what) const {
  uint64_t missing = 0;
  std::set<std::string> of;
  for (const auto& [key, count] : acknowledged) {
    auto there = found.find(key);
    uint64_t held = there == found.end() ? 0 : there->second;
    if (held >= count) continue;
    missing += count - held;
    of.insert("partition " + std::to_string(key.first) + ", " + who_.at(key));
  }
  std::string text = std::to_string(missing) + " acknowledged " + what;
  for (const std::string& who : of) text += "; " + who;
  Require(missing == 0, text);
}

void Ledger::Check() const {
  std::lock_guard lock(mutex_);
  CheckFound(acknowledged_.bytes, found_.bytes, "records are not in the log");
  CheckFound(acknowledged_.ids, found_.ids, "events are not in the log: no record has their id");
  for (const Key& key : aborted_)
    Require(offered_.contains(key) || !found_.bytes.contains(key), "a record of an aborted transaction was read");
}

uint64_t Ledger::acknowledged(As as) const {
  std::lock_guard lock(mutex_);
  return as == As::kBytes ? acknowledged_as_bytes_ : acknowledged_as_id_;
}

uint64_t Ledger::aborted() const {
  std::lock_guard lock(mutex_);
  return aborted_.size();
}

}  // namespace odometer
