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
  kServiceDay = 'v',    // tenant, day, service, operation, model
  // positional
  kChain = 'L',       // offset: the rolling hash before it, at every multiple of 256
  kIdIndex = 'I',     // tenant, id
  kMeta = 'M',        // name: identity, cursor and counts
  kQuarantine = 'Q',  // offset
  kStream = 'T',      // producer, epoch, slot
  // derived
  kProjectPostings = 'P',  // tenant, project, hour, chunk
  kSessionPostings = 'S',  // tenant, user, session, chunk
  kUserPostings = 'U',     // tenant, user, chunk
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
    key_.clear();
    key_ += static_cast<char>(kind);
    return *this;
  }
  KeyBuilder& Assign(std::string_view prefix) {
    key_ = prefix;
    return *this;
  }
  KeyBuilder& Text(std::string_view text) {
    key_ += static_cast<char>(text.size() >> 8);
    key_ += static_cast<char>(text.size());
    key_ += text;
    return *this;
  }
  KeyBuilder& Number(int64_t number) {
    uint64_t flipped = static_cast<uint64_t>(number) ^ (uint64_t{1} << 63);
    for (int shift = 56; shift >= 0; shift -= 8) key_ += static_cast<char>(flipped >> shift);
    return *this;
  }
  KeyBuilder& Id(const Uuid& id) {
    key_.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
    return *this;
  }
  std::string_view view() const { return key_; }
  const std::string& str() const { return key_; }

 private:
  std::string key_;
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

// The least key above every key that begins with `prefix`.
std::string PrefixEnd(std::string_view prefix);

}  // namespace odometer
