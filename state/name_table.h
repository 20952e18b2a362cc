// state/name_table.h: NameTable, counts by name for the first N names of a row; what comes later counts as `other`.
//
// The first few names stand in the row itself, their text too when it is short: a record that names a model moves lines
// that its row has fetched anyway.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace odometer {

struct NameFigures {
  int64_t turns = 0;
  int64_t tokens = 0;
  friend bool operator==(const NameFigures&, const NameFigures&) = default;
};

// A text of 32 bytes beside its figures: up to 31 bytes in place, longer ones elsewhere.
class NameText {
 public:
  NameText() = default;
  explicit NameText(std::string_view text) { Set(text); }
  NameText(const NameText& other) { Set(other.view()); }
  NameText& operator=(const NameText& other) {
    if (this != &other) {
      Clear();
      Set(other.view());
    }
    return *this;
  }
  NameText(NameText&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = {}; }
  NameText& operator=(NameText&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~NameText() { Clear(); }

  std::string_view view() const {
    if (is_outside()) return *Outside();
    return {bytes_.data(), static_cast<uint8_t>(bytes_[kInline])};
  }
  friend bool operator==(const NameText& a, const NameText& b) { return a.view() == b.view(); }

 private:
  static constexpr size_t kInline = 31;
  static constexpr char kOutside = '\xff';  // in the last byte, where the size is

  bool is_outside() const { return bytes_[kInline] == kOutside; }
  std::string* Outside() const {
    std::string* text;
    std::memcpy(&text, bytes_.data(), sizeof text);
    return text;
  }
  void Set(std::string_view text) {
    if (text.size() <= kInline) {
      std::copy(text.begin(), text.end(), bytes_.begin());
      bytes_[kInline] = static_cast<char>(text.size());
      return;
    }
    auto* outside = new std::string(text);
    std::memcpy(bytes_.data(), &outside, sizeof outside);
    bytes_[kInline] = kOutside;
  }
  void Clear() {
    if (is_outside()) delete Outside();
    bytes_ = {};
  }

  alignas(8) std::array<char, kInline + 1> bytes_{};
};

struct NameCount : NameFigures {
  NameText name;
  friend bool operator==(const NameCount&, const NameCount&) = default;
};

// Equality of short texts without a call.
inline bool IsSameName(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a.size() < 8 || a.size() > 16) return a == b;
  uint64_t first[2], last[2];
  std::memcpy(&first[0], a.data(), 8);
  std::memcpy(&first[1], b.data(), 8);
  std::memcpy(&last[0], a.data() + a.size() - 8, 8);
  std::memcpy(&last[1], b.data() + b.size() - 8, 8);
  return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
}

// The first kInline in place, the others elsewhere; in order of first use.
template <size_t kInline>
class NameList {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  NameCount& operator[](size_t i) { return i < kInline ? inline_[i] : more_[i - kInline]; }
  const NameCount& operator[](size_t i) const { return i < kInline ? inline_[i] : more_[i - kInline]; }
  NameCount& Add(NameCount count) {
    if (size_ >= kInline) {
      ++size_;
      return more_.emplace_back(std::move(count));
    }
    return inline_[size_++] = std::move(count);
  }
  void Clear() { *this = NameList(); }
  std::vector<NameCount> All() const {
    std::vector<NameCount> all;
    for (const NameCount& count : *this) all.push_back(count);
    return all;
  }

  template <class List>
  struct Iterator {
    List* list;
    size_t at;
    auto& operator*() const { return (*list)[at]; }
    Iterator& operator++() {
      ++at;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at != other.at; }
  };
  Iterator<NameList> begin() { return {this, 0}; }
  Iterator<NameList> end() { return {this, size_}; }
  Iterator<const NameList> begin() const { return {this, 0}; }
  Iterator<const NameList> end() const { return {this, size_}; }

 private:
  size_t size_ = 0;
  std::array<NameCount, kInline> inline_;
  std::vector<NameCount> more_;
};

template <size_t kNames>
struct NameTable {
  static constexpr size_t kInline = kNames >= 64 ? 4 : 2;
  NameList<kInline> names;
  NameFigures other;

  const NameFigures& Get(std::string_view name) const {
    static const NameFigures kZero;
    for (const NameCount& count : names) {
      if (IsSameName(count.name.view(), name)) return count;
    }
    return names.size() < kNames ? kZero : other;
  }
  NameFigures& Slot(std::string_view name) {
    for (NameCount& count : names) {
      if (IsSameName(count.name.view(), name)) return count;
    }
    if (names.size() >= kNames) return other;
    return names.Add(NameCount{{}, NameText(name)});
  }
  using Order = std::array<const NameCount*, kNames>;
  // By name, in order's first names.size() places; valid until the table changes.
  void Sort(Order* order) const {
    size_t n = 0;
    for (const NameCount& count : names) (*order)[n++] = &count;
    std::sort(order->begin(), order->begin() + n,
              [](const NameCount* a, const NameCount* b) { return a->name.view() < b->name.view(); });
  }
};

using ModelTable = NameTable<64>;
using ProviderTable = NameTable<16>;

}  // namespace odometer
