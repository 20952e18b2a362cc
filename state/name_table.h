// state/name_table.h: NameTable, counts by name for the first N names of a row; what comes later counts as `other`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace odometer {

struct NameCount {
  std::string name;
  int64_t turns = 0;
  int64_t tokens = 0;
  friend bool operator==(const NameCount&, const NameCount&) = default;
};

template <size_t kNames>
struct NameTable {
  std::vector<NameCount> names;  // in order of first use
  NameCount other;

  const NameCount& Get(std::string_view name) const {
    static const NameCount kZero;
    for (const NameCount& count : names) {
      if (count.name == name) return count;
    }
    return names.size() < kNames ? kZero : other;
  }
  NameCount& Slot(std::string_view name) {
    for (NameCount& count : names) {
      if (count.name == name) return count;
    }
    if (names.size() >= kNames) return other;
    names.push_back({std::string(name), 0, 0});
    return names.back();
  }
  std::vector<NameCount> Sorted() const {
    std::vector<NameCount> sorted = names;
    std::sort(sorted.begin(), sorted.end(), [](const NameCount& a, const NameCount& b) { return a.name < b.name; });
    return sorted;
  }
};

using ModelTable = NameTable<64>;
using ProviderTable = NameTable<16>;

}  // namespace odometer
