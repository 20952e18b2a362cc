// state/table.h: RowTable, the rows of one kind in RAM: an open-addressing index over stable rows, read through from
// the store on a miss, written back at a commit, evicted by a clock hand when clean.
//
//   Result<RowTable<AccountRow>::Node*> node = accounts.FindOrMake(key);   // made: node->made
//   change.Add(*node, (*node)->row.events, 1);                             // see state/change.h
//
// A Node* lives until the next Evict(). Confined to the runner thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/planted.h"
#include "core/status.h"
#include "state/codec.h"
#include "state/hash.h"
#include "state/store.h"

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
    for (uint32_t bucket : ring.buckets) Look(bucket);
  }
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

template <class Row>
class RowTable {
 public:
  struct Node {
    Row row;
    std::string key;
    uint64_t hash = 0;
    size_t bytes = 0;
    bool dirty = false;
    bool high = false;        // some figure is beyond kHighFigure
    bool made = false;        // by the record that is being folded
    bool referenced = false;  // since the clock hand last passed
    bool saved = false;       // by the Change in progress
  };

  // `store` is read on a miss, unless it is known to hold nothing that is not in RAM.
  explicit RowTable(Store& store) : store_(store), complete_(store.is_new()) { slots_.resize(64); }

  // Null when neither RAM nor the store has it.
  Result<Node*> Find(std::string_view key) {
    uint64_t hash = HashOf(key);
    if (Node* node = Lookup(key, hash)) return node;
    if (complete_) return static_cast<Node*>(nullptr);
    Result<std::optional<std::string>> bytes = store_.Get(key);
    if (!bytes.ok()) return bytes.status();
    if (!bytes->has_value()) return static_cast<Node*>(nullptr);
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

  Result<Node*> FindOrMake(std::string_view key) {
    Result<Node*> found = Find(key);
    if (!found.ok() || *found != nullptr) return found;
    Node* node = Insert(key, HashOf(key));
    node->made = true;
    return node;
  }

  void MarkDirty(Node* node) {
    node->referenced = true;
    if (node->dirty) return;
    node->dirty = true;
    dirty_.push_back(node);
  }

  // Takes a row out that was made by a record which is not folded after all.
  void Erase(Node* node) {
    if (node->dirty) std::erase(dirty_, node);
    size_t at = SlotOfNode(node);
    slots_[at] = kGone;
    bytes_ -= node->bytes;
    if (nodes_.back().get() == node) {
      nodes_.pop_back();
    } else {
      std::erase_if(nodes_, [node](const std::unique_ptr<Node>& owned) { return owned.get() == node; });
    }
  }

  bool dirty() const { return !dirty_.empty(); }
  size_t rows() const { return nodes_.size(); }
  size_t bytes() const { return bytes_; }

  void WriteTo(RowBatch* batch) {
    std::string value;
    size_t skip = PlantedBug("lost_write_back") && dirty_.size() > 3 ? 1 : 0;
    for (Node* node : dirty_) {
      if (skip != 0 && skip++ % 5 == 0) continue;
      value.clear();
      EncodeRow(node->row, &value);
      batch->Put(node->key, value);
      size_t now = sizeof(Node) + node->key.capacity() + value.size();
      bytes_ += now - node->bytes;
      node->bytes = now;
    }
  }
  void MarkClean() {
    for (Node* node : dirty_) node->dirty = false;
    dirty_.clear();
  }

  // Gives up clean rows until at most `bytes_max` are left; a row used since the hand last passed stays one round
  // longer.
  void Evict(size_t bytes_max) {
    if (bytes_ <= bytes_max) return;
    complete_ = false;
    std::vector<std::unique_ptr<Node>> kept;
    for (int round = 0; round < 2 && bytes_ > bytes_max; ++round) {
      kept.clear();
      for (std::unique_ptr<Node>& node : nodes_) {
        bool stays = node->dirty || (round == 0 && node->referenced && bytes_max > 0) || bytes_ <= bytes_max;
        node->referenced = node->referenced && round != 0;
        if (stays) {
          kept.push_back(std::move(node));
        } else {
          bytes_ -= node->bytes;
        }
      }
      nodes_.swap(kept);
    }
    Rebuild(slots_.size());
  }

 private:
  static inline Node* const kGone = reinterpret_cast<Node*>(1);

  Node* Lookup(std::string_view key, uint64_t hash) {
    for (size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
      Node* node = slots_[at];
      if (node == nullptr) return nullptr;
      if (node != kGone && node->hash == hash && node->key == key) {
        node->referenced = true;
        return node;
      }
    }
  }

  size_t SlotOfNode(const Node* node) const {
    size_t at = node->hash & (slots_.size() - 1);
    while (slots_[at] != node) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  Node* Insert(std::string_view key, uint64_t hash) {
    if ((used_ + 1) * 2 > slots_.size()) Rebuild(nodes_.size() * 4 < slots_.size() ? slots_.size() : slots_.size() * 2);
    nodes_.push_back(std::make_unique<Node>());
    Node* node = nodes_.back().get();
    node->key = key;
    node->hash = hash;
    node->referenced = true;
    node->bytes = sizeof(Node) + node->key.capacity();
    bytes_ += node->bytes;
    Place(node);
    ++used_;
    return node;
  }

  void Place(Node* node) {
    size_t at = node->hash & (slots_.size() - 1);
    while (slots_[at] != nullptr) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = node;
  }

  void Rebuild(size_t size) {
    slots_.assign(size, nullptr);
    for (const std::unique_ptr<Node>& node : nodes_) Place(node.get());
    used_ = nodes_.size();
  }

  Store& store_;
  bool complete_;
  std::vector<Node*> slots_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Node*> dirty_;
  size_t used_ = 0;  // slots that are not empty
  size_t bytes_ = 0;
};

}  // namespace odometer
