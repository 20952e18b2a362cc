// state/keys.h: every key of the store, in one file. One column family, a prefix byte, then length-prefixed parts, so
// that no two tenants' ranges overlap whatever bytes their names hold.
//
//   key   = prefix u8 ‖ part*
//   text  = length u16 big-endian ‖ bytes          number = u64 big-endian, sign bit flipped
//
// Each prefix belongs to one class: logical rows are the figures (in state_digest), positional rows are a function of
// this very log (audited row by row, never in the digest), derived rows are found again from both, operational rows are
// nobody's truth.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "state/rows.h"

namespace odometer {

enum class RowKind : char {
  // logical
  kAccount = 'a',       // tenant, user
  kCollection = 'c',    // tenant, project, collection
  kDay = 'd',           // tenant, user, day
  kProjectHour = 'h',   // tenant, project, hour, user
  kProject = 'j',       // tenant, project
  kProjectUser = 'k',   // tenant, user, project
  kSubscription = 'n',  // tenant, user, collection
  kPeriod = 'p',        // tenant, user, month
  kSession = 's',       // tenant, user, session
  kTenant = 't',        // tenant
  kUserGauges = 'u',    // tenant, user
  kServiceDay = 'v',    // tenant, day, service, operation, model
  kProfile = 'f',       // tenant, name
  kAssignment = 'g',    // tenant, user; no user: the fallback
  kLimitUse = 'l',      // tenant, scope, user, project, collection
  kOverride = 'o',      // tenant, user; no user: tenant-wide
  kQuota = 'q',         // tenant, level, user, project, collection
  kPolicy = 'y',        // tenant
  // positional
  kAlert = 'A',       // tenant, offset of its LimitCrossed
  kAlertOrder = 'C',  // offset, tenant: the alerts of all tenants in the order of the log
  kAsk = 'B',         // tenant, id of the ask
  kHoldDue = 'D',     // due, tenant, id of the ask: of open holds
  kAskGone = 'E',     // when it is no longer kept, tenant, id of the ask
  kProjectMinute = 'H',  // tenant, project, minute: of all its users
  kChain = 'L',       // offset: the rolling hash before it, at every multiple of 256
  kIdIndex = 'I',     // tenant, id
  kMeta = 'M',        // name: identity, cursor and counts
  kOutbox = 'O',      // tenant, id: of crossings whose LimitCrossed has not been read back
  kQuarantine = 'Q',  // offset
  kStream = 'T',      // producer, epoch, slot
  // derived
  kProjectPostings = 'P',  // tenant, project, hour, offset of the first
  kSessionPostings = 'S',  // tenant, user, session, offset of the first
  kUserPostings = 'U',     // tenant, user, offset of the first
  // operational
  kOperational = 'X',  // name
};

enum class RowClass { kLogical, kPositional, kDerived, kOperational };
RowClass ClassOf(RowKind kind);
// The logical kinds in key order.
const std::vector<RowKind>& LogicalKinds();
const char* RowKindName(RowKind kind);  // "account", …

// Builds one key in place; reuse it. Confined to one thread.
class KeyBuilder {
 public:
  KeyBuilder& Begin(RowKind kind) {
    size_ = 0;
    *Room(1) = static_cast<char>(kind);
    return *this;
  }
  // Another kind with the same parts.
  KeyBuilder& Rename(RowKind kind) {
    bytes_[0] = static_cast<char>(kind);
    return *this;
  }
  // Back to its first bytes.
  KeyBuilder& Cut(size_t bytes) {
    size_ = bytes;
    return *this;
  }
  KeyBuilder& Assign(std::string_view prefix) {
    size_ = 0;
    std::memcpy(Room(prefix.size()), prefix.data(), prefix.size());
    return *this;
  }
  KeyBuilder& Text(std::string_view text) {
    char* at = Room(2 + text.size());
    at[0] = static_cast<char>(text.size() >> 8);
    at[1] = static_cast<char>(text.size());
    if (!text.empty()) std::memcpy(at + 2, text.data(), text.size());
    return *this;
  }
  KeyBuilder& Number(int64_t number) {
    uint64_t flipped = static_cast<uint64_t>(number) ^ (uint64_t{1} << 63);
    char* at = Room(8);
    for (int i = 0; i < 8; ++i) at[i] = static_cast<char>(flipped >> (56 - 8 * i));
    return *this;
  }
  KeyBuilder& Id(const Uuid& id) {
    std::memcpy(Room(id.bytes.size()), id.bytes.data(), id.bytes.size());
    return *this;
  }
  std::string_view view() const { return {bytes_.data(), size_}; }
  std::string str() const { return std::string(view()); }

 private:
  char* Room(size_t bytes) {
    if (size_ + bytes > bytes_.size()) bytes_.resize(2 * (size_ + bytes));
    char* at = bytes_.data() + size_;
    size_ += bytes;
    return at;
  }

  std::vector<char> bytes_ = std::vector<char>(128);
  size_t size_ = 0;
};

// Reads a key back, part by part, in the order it was built. Every call answers false when the key is too short.
class KeyReader {
 public:
  explicit KeyReader(std::string_view key)
      : rest_(key.substr(key.empty() ? 0 : 1)), kind_(key.empty() ? '\0' : key[0]) {}
  RowKind kind() const { return static_cast<RowKind>(kind_); }
  bool Text(std::string_view* text);
  bool Number(int64_t* number);
  bool Id(Uuid* id);
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  char kind_;
};

// The parts of a logical row's key, as text and numbers, and the row's printable name: "account[default,ann]".
// Bytes of a text other than A-Z a-z 0-9 _ . : - are written %XX.
struct RowName {
  RowKind kind = RowKind::kAccount;
  std::vector<std::string> texts;
  std::vector<int64_t> numbers;
  std::string text;
  std::string_view tenant() const { return texts.empty() ? std::string_view() : std::string_view(texts[0]); }
};
std::optional<RowName> NameOf(std::string_view key);
// The inverse: the key that a printable name stands for.
std::optional<std::string> KeyOfName(std::string_view name);

// Whether what follows byte `from` of a key is these texts and nothing else.
bool KeyGoesOn(std::string_view key, size_t from, std::initializer_list<std::string_view> texts);

// Bytes of a key's kind, tenant and user, of kinds of which a user has many rows, which are read together; of others 0.
// Rows of one user and kind are next to each other, and they alone begin with these bytes.
size_t UserPrefixSize(std::string_view key);

// The least key above every key that begins with `prefix`.
std::string PrefixEnd(std::string_view prefix);

}  // namespace odometer
