#include "consumers/partition_set.h"

#include <algorithm>
#include <charconv>

#include "core/placement.h"

namespace odometer {
namespace {

std::optional<uint32_t> PartitionNumber(std::string_view text) {
  uint32_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number >= kSlots) return std::nullopt;
  return number;
}

}  // namespace

std::optional<PartitionSet> PartitionSet::Parse(std::string_view text) {
  PartitionSet set;
  if (text == "all") return set;
  for (;;) {
    size_t comma = text.find(',');
    if (!set.Add(text.substr(0, comma))) return std::nullopt;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::ranges::sort(set.numbers_);
  bool is_one_twice = std::ranges::adjacent_find(set.numbers_) != set.numbers_.end();
  return is_one_twice ? std::nullopt : std::optional(set);
}

// "3" or "2-5".
bool PartitionSet::Add(std::string_view item) {
  size_t dash = item.find('-');
  std::optional<uint32_t> first = PartitionNumber(item.substr(0, dash));
  std::optional<uint32_t> last = dash == std::string_view::npos ? first : PartitionNumber(item.substr(dash + 1));
  if (!first || !last || *last < *first) return false;
  for (uint32_t number = *first; number <= *last; ++number) numbers_.push_back(number);
  return true;
}

Result<std::vector<uint32_t>> PartitionSet::Of(uint32_t partitions) const {
  std::vector<uint32_t> numbers = numbers_;
  for (uint32_t number = 0; numbers_.empty() && number < partitions; ++number) numbers.push_back(number);
  if (numbers_.empty() || numbers_.back() < partitions) return numbers;
  return Status(Code::kInvalid, "partitions names " + std::to_string(numbers.back()) + ", and the log has " +
                                    std::to_string(partitions) + ", numbered from 0 to " +
                                    std::to_string(partitions - 1));
}

std::string ShowPartitions(std::span<const uint32_t> numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (last > i) text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace odometer
