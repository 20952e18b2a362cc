// state/table.h: RowTable, the rows of one kind in RAM: an open-addressing index over stable rows, read through from
// the store on a miss, written back at a commit, evicted by a clock hand when clean.
//
//   Result<RowTable<AccountRow>::Node*> node = accounts.FindOrMake(key);   // made: node->made
//   change.Add(*node, (*node)->row.events, 1);                             // see state/change.h
//
// Memory is what a lookup costs, so it is spent knowingly: a slot holds the key's hash, a node begins with its flags
// and its key, nearly always inline, and goes on with what is moved most. Who knows early which rows it will need calls
// Prefetch() and Peek().
//
// A Node* lives until Evict() or Erase() takes its row out; generation() then moves on. Confined to the runner thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/planted.h"
#include "core/status.h"
#include "state/absent_keys.h"
#include "state/ask_for.h"
#include "state/codec.h"
#include "state/hash.h"
#include "state/missed_keys.h"
#include "state/slab.h"
#include "state/sort_by_key.h"
#include "state/store.h"
#include "state/text_digest.h"

namespace odometer {

// A figure beyond this needs care: a few more additions could leave the int64 range.
inline constexpr int64_t kHighFigure = int64_t{1} << 58;
inline bool IsHigh(int64_t value) {
  return static_cast<uint64_t>(value) + static_cast<uint64_t>(kHighFigure) > 2 * static_cast<uint64_t>(kHighFigure);
}

// Finds out whether any figure of a row loaded from disk is high.
struct HighFinder {
  bool high = false;
  template <class T>
  void operator()(const char*, const T& value) {
    Look(value);
  }
  void Look(int64_t value) { high |= IsHigh(value); }
  void Look(uint32_t value) { high |= value > (1u << 30); }
  void Look(const Ring& ring) {
    Look(ring.newest);
    for (uint32_t bucket : ring.older) Look(bucket);
  }
  void Look(const Steps& steps) { Look(steps.counts); }
  template <size_t kNames>
  void Look(const NameTable<kNames>& table) {
    for (const NameCount& count : table.names) high |= IsHigh(count.tokens) || IsHigh(count.turns);
    high |= IsHigh(table.other.tokens) || IsHigh(table.other.turns);
  }
  void Look(const OperationFigures& figures) {
    for (int64_t n : figures.by_status) Look(n);
    high |= IsHigh(figures.requested) || IsHigh(figures.succeeded) || IsHigh(figures.payload_bytes) ||
            IsHigh(figures.duration_us);
  }
  void Look(const HourCell& cell) { HourCell::Fields(cell, *this); }
  template <class T, size_t n>
  void Look(const std::array<T, n>& values) {
    for (const T& value : values) Look(value);
  }
  template <class T>
  void Look(const std::vector<T>& values) {
    for (const T& value : values) Look(value);
  }
  template <class T>
  void Look(const T&) {}
};

// A key beside its row: inline when it is short, as nearly all are.
class InlineKey {
 public:
  static constexpr size_t kInlineBytes = 62;

  InlineKey() = default;
  InlineKey(const InlineKey&) = delete;
  InlineKey& operator=(const InlineKey&) = delete;
  ~InlineKey() {
    if (size_ > kInlineBytes) delete[] Outside();
  }
  // Once.
  void Set(std::string_view key) {
    size_ = static_cast<uint16_t>(key.size());
    char* bytes = bytes_;
    if (key.size() > kInlineBytes) {
      bytes = new char[key.size()];
      std::memcpy(bytes_, &bytes, sizeof bytes);
    }
    std::memcpy(bytes, key.data(), key.size());
  }
  std::string_view view() const { return {size_ > kInlineBytes ? Outside() : bytes_, size_}; }
  // As view() == key, without a call.
  bool Is(std::string_view key) const {
    if (key.size() != size_ || size_ > kInlineBytes || size_ < sizeof(uint64_t)) return view() == key;
    return IsSameText(bytes_, key.data(), size_);
  }
  // Whether one more text, with its size before it, is all that comes after so many bytes.
  bool GoesOnWith(size_t begin_bytes, std::string_view text) const {
    constexpr size_t kSizeBytes = 2;
    if (size_ != begin_bytes + kSizeBytes + text.size()) return false;
    const char* end = view().data() + size_ - text.size();
    return text.size() < sizeof(uint64_t) ? std::memcmp(end, text.data(), text.size()) == 0
                                          : IsSameText(end, text.data(), text.size());
  }
  size_t size() const { return size_; }
  size_t outside_bytes() const { return size_ > kInlineBytes ? size_ : 0; }

 private:
  char* Outside() const {
    char* bytes;
    std::memcpy(&bytes, bytes_, sizeof bytes);
    return bytes;
  }

  char bytes_[kInlineBytes];  // or where they are
  uint16_t size_ = 0;
};

// What a row's node knows besides the row: shortcuts to others. Never stored, never part of a figure.
template <class Row>
struct NodeHints {};

// Whether keys end with an id that most rows get by time: then a new one need not be looked for in the store.
template <class Row>
concept KeyedByTime = Row::kKeyedByTime;
// Whether rows are looked for again and again that are nowhere.
template <class Row>
concept OftenMissed = Row::kOftenMissed;

template <class Row>
class RowTable {
 public:
  struct alignas(64) Node {
    uint64_t hash = 0;
    uint32_t bytes = 0;
    bool dirty : 1 = false;
    bool saved : 1 = false;       // by the Change in progress
    bool referenced : 1 = false;  // since the clock hand last passed
    bool removed : 1 = false;     // goes with the next commit
    bool high = false;            // some figure is beyond kHighFigure
    bool made = false;            // by the record that is being folded
    uint8_t touches = 0;          // plain changes since the last review, see state/change.h
    InlineKey key;
    [[no_unique_address]] NodeHints<Row> hints;
    Row row;  // what is added to most comes first in it
  };

  // `store` is read on a miss, unless it is known to hold nothing that is not in RAM.
  explicit RowTable(Store& store) : store_(store), complete_(store.is_new()) { Resize(64); }
  ~RowTable() {
    ForEachNode([this](Node* node) { slab_.Delete(node); });
  }

  // Null when neither RAM nor the store has it.
  Result<Node*> Find(std::string_view key) { return Find(key, HashOf(key)); }
  Result<Node*> Find(std::string_view key, uint64_t hash) {
    if (Node* node = Lookup(key, hash)) return node;
    if (complete_) return static_cast<Node*>(nullptr);
    return Load(key, hash);
  }

  Result<Node*> FindOrMake(std::string_view key) { return FindOrMake(key, HashOf(key)); }
  Result<Node*> FindOrMake(std::string_view key, uint64_t hash) {
    Result<Node*> found = Find(key, hash);
    if (!found.ok() || *found != nullptr) return found;
    Node* node = Insert(key, hash);
    node->made = true;
    return node;
  }

  // Asks memory for the slot that a Peek() will read.
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&slots()[hash & mask_]); }
  // Finds again whether some figure is high; additions without care are counted, and this is due every 256th.
  static void Review(Node* node) {
    HighFinder finder;
    Row::Fields(node->row, finder);
    node->high |= finder.high;
  }
  // After `n` <= 255 additions without care.
  static void CountTouches(Node* node, uint32_t n) {
    uint32_t touches = node->touches + n;
    node->touches = static_cast<uint8_t>(touches);
    if (touches > UINT8_MAX) Review(node);
  }

  // A node that probably has the hash's key, without looking at it; null when there is none. Its memory is the table's
  // even when the row has gone since: compare before use.
  Node* Peek(uint64_t hash) const {
    for (size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots()[at];
      if (slot.node == nullptr) return nullptr;
      if (slot.hash == hash) return slot.node;
    }
  }
  // Moves on when a Node* may have become another row's.
  uint64_t generation() const { return generation_; }

  void MarkDirty(Node* node) {
    node->referenced = true;
    node->removed = false;
    if (node->dirty) return;
    node->dirty = true;
    dirty_.push_back(node);
  }

  // Takes a row out that was made by a record which is not folded after all.
  void Erase(Node* node) {
    if (node->dirty) std::erase(dirty_, node);
    TakeOut(node);
  }

  // The next commit takes the row out of the store, and then of RAM, unless it is changed before.
  void Remove(Node* node) {
    MarkDirty(node);
    node->removed = true;
  }

  bool dirty() const { return !dirty_.empty(); }
  const std::vector<Node*>& dirty_nodes() const { return dirty_; }
  size_t rows() const { return rows_; }
  size_t bytes() const { return bytes_; }

  // Before WriteTo(): what is written beside its neighbour is found at once.
  void SortDirty() {
    SortByKey(&dirty_, [](const Node* node) { return node->key.view(); });
  }
  void WriteTo(RowBatch* batch) {
    std::string value;
    size_t skip = PlantedBug("lost_write_back") && dirty_.size() > 3 ? 1 : 0;
    for (size_t i = 0; i < dirty_.size(); ++i) {
      constexpr size_t kAhead = 4;
      if (i + kAhead < dirty_.size()) AskFor(dirty_[i + kAhead], sizeof(Node));
      Node* node = dirty_[i];
      if (skip != 0 && skip++ % 5 == 0) continue;
      if (node->removed) {
        batch->Delete(node->key.view());
        continue;
      }
      value.clear();
      EncodeRow(node->row, &value);
      batch->Put(node->key.view(), value);
      size_t now = sizeof(Node) + node->key.outside_bytes() + value.size();
      bytes_ += now - node->bytes;
      node->bytes = static_cast<uint32_t>(now);
    }
  }
  // Once they are in a batch: what is changed from here on is the next commit's. Until the batch is in the store, what
  // it takes out stays here, lest it be read from there again, and nothing may be evicted.
  void MarkClean() {
    for (Node* node : dirty_) {
      node->dirty = false;
      if (node->removed) leaving_.push_back(node);
    }
    dirty_.clear();
  }
  // The batch is in the store.
  void TakeOutRemoved() {
    for (Node* node : leaving_) {
      if (node->removed && !node->dirty) TakeOut(node);
    }
    leaving_.clear();
  }

  // Gives up clean rows until at most `bytes_max` are left; a row used since the hand last passed stays one round
  // longer. The hand goes on where it stood, so that little given up is little work.
  void Evict(size_t bytes_max) {
    if (bytes_ <= bytes_max) return;
    complete_ = false;
    ++generation_;
    constexpr size_t kAhead = 8;
    for (size_t left = 2 * (mask_ + 1); left > 0 && bytes_ > bytes_max;) {
      if (Node* soon = slots()[(hand_ + kAhead) & mask_].node) __builtin_prefetch(soon);
      Node* node = slots()[hand_ & mask_].node;
      if (node != nullptr && !node->dirty && !(node->referenced && bytes_max > 0)) {
        if constexpr (KeyedByTime<Row>) {
          if (!PlantedBug("given_up_row_unknown")) absent_.Exclude(node->key.view());
        }
        Vacate(hand_ & mask_);  // another row may be there now
        Release(node);
        continue;
      }
      if (node != nullptr) node->referenced = false;
      ++hand_;
      --left;
    }
  }

 private:
  struct Slot {
    uint64_t hash;
    Node* node;
  };

  Slot* slots() const { return static_cast<Slot*>(slots_.get()); }
  template <class F>
  void ForEachNode(F&& f) const {
    for (size_t at = 0; at <= mask_; ++at) {
      if (slots()[at].node != nullptr) f(slots()[at].node);
    }
  }

  Node* Lookup(std::string_view key, uint64_t hash) {
    for (size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots()[at];
      if (slot.node == nullptr) return nullptr;
      if (slot.hash == hash && slot.node->key.Is(key)) {
        slot.node->referenced = true;
        return slot.node;
      }
    }
  }

  void TakeOut(Node* node) {
    size_t at = node->hash & mask_;
    while (slots()[at].node != node) at = (at + 1) & mask_;
    Vacate(at);
    Release(node);
    ++generation_;
  }

  Result<Node*> Load(std::string_view key, uint64_t hash) {
    if constexpr (KeyedByTime<Row>) {
      if (absent_.Knows(key)) return static_cast<Node*>(nullptr);
    }
    if constexpr (OftenMissed<Row>) {
      if (missed_.Has(key, hash)) return static_cast<Node*>(nullptr);
    }
    Result<std::optional<std::string>> bytes = store_.Get(key);
    if (!bytes.ok()) return bytes.status();
    if (!bytes->has_value()) return Missed(key, hash);
    Node* node = Insert(key, hash);
    if (!DecodeRow(**bytes, &node->row)) {
      Erase(node);
      return Status(Code::kCorrupt, "store: a row's bytes cannot be read");
    }
    HighFinder finder;
    Row::Fields(node->row, finder);
    node->high = finder.high;
    return node;
  }

  // The store has not got the key.
  Result<Node*> Missed(std::string_view key, [[maybe_unused]] uint64_t hash) {
    if constexpr (OftenMissed<Row>) missed_.Add(key, hash);
    if constexpr (KeyedByTime<Row>) {
      if (absent_.IsDue(key)) {
        auto neighbours = store_.Around(key);
        if (!neighbours.ok()) return neighbours.status();
        absent_.Learn(key, *neighbours);
      }
    }
    return static_cast<Node*>(nullptr);
  }

  Node* Insert(std::string_view key, uint64_t hash) {
    if ((rows_ + 1) * 2 > mask_ + 1) Resize((mask_ + 1) * 2);
    if constexpr (OftenMissed<Row>) {
      if (!PlantedBug("missed_for_ever")) missed_.Forget(key, hash);
    }
    Node* node = slab_.New();
    node->key.Set(key);
    node->hash = hash;
    node->referenced = true;
    node->bytes = static_cast<uint32_t>(sizeof(Node) + node->key.outside_bytes());
    bytes_ += node->bytes;
    ++rows_;
    Place({hash, node});
    return node;
  }

  // The row's slot is the caller's to vacate.
  void Release(Node* node) {
    bytes_ -= node->bytes;
    --rows_;
    slab_.Delete(node);
  }

  void Place(Slot slot) {
    size_t at = slot.hash & mask_;
    while (slots()[at].node != nullptr) at = (at + 1) & mask_;
    slots()[at] = slot;
  }

  // What stands behind the slot because it was taken moves up, so that a search may end at the first empty one.
  void Vacate(size_t at) {
    for (size_t next = (at + 1) & mask_; slots()[next].node != nullptr; next = (next + 1) & mask_) {
      size_t from_home = (next - slots()[next].hash) & mask_, from_hole = (next - at) & mask_;
      if (from_home < from_hole) continue;
      slots()[at] = slots()[next];
      at = next;
    }
    slots()[at].node = nullptr;
  }

  // To `size` slots, a power of two.
  void Resize(size_t size) {
    Memory old = std::move(slots_);
    size_t old_size = old == nullptr ? 0 : mask_ + 1;
    slots_ = NewMemory(size * sizeof(Slot));
    std::memset(slots_.get(), 0, size * sizeof(Slot));
    mask_ = size - 1;
    for (size_t at = 0; at < old_size; ++at) {
      Slot slot = static_cast<Slot*>(old.get())[at];
      if (slot.node != nullptr) Place(slot);
    }
  }

  struct Nothing {};
  struct NothingEither {};

  Store& store_;
  bool complete_;
  [[no_unique_address]] std::conditional_t<KeyedByTime<Row>, AbsentKeys, Nothing> absent_;
  [[no_unique_address]] std::conditional_t<OftenMissed<Row>, MissedKeys, NothingEither> missed_;
  Memory slots_;
  size_t mask_ = 0;
  Slab<Node> slab_;
  std::vector<Node*> dirty_;
  std::vector<Node*> leaving_;  // removed, by a batch that is not in the store yet
  size_t rows_ = 0;
  size_t bytes_ = 0;
  size_t hand_ = 0;  // of Evict(): the slot that is looked at next, counted on and on
  uint64_t generation_ = 1;
};

}  // namespace odometer
