#include "consumers/queries.h"

#include <algorithm>
#include <numeric>

namespace odometer {
namespace {

constexpr int64_t kWhole = 10'000;

}  // namespace

std::optional<int64_t> Hundredths(int64_t part, int64_t whole) {
  if (whole == 0) return std::nullopt;
  __int128 scaled = static_cast<__int128>(part) * kWhole;
  __int128 quotient = scaled / whole, rest = scaled % whole;
  if (rest < 0) rest = -rest;
  __int128 size = whole < 0 ? -static_cast<__int128>(whole) : whole;
  bool up = rest * 2 > size || (rest * 2 == size && quotient % 2 != 0);
  if (up) quotient += (scaled < 0) == (whole < 0) ? 1 : -1;
  return static_cast<int64_t>(quotient);
}

std::vector<int64_t> Shares(const std::vector<int64_t>& weights) {
  __int128 total = 0;
  for (int64_t weight : weights) total += std::max<int64_t>(weight, 0);
  std::vector<int64_t> shares(weights.size(), 0);
  if (total == 0) return shares;
  std::vector<__int128> rests(weights.size());
  int64_t given = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    __int128 scaled = static_cast<__int128>(std::max<int64_t>(weights[i], 0)) * kWhole;
    shares[i] = static_cast<int64_t>(scaled / total);
    rests[i] = scaled % total;
    given += shares[i];
  }
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rests[a] > rests[b]; });
  for (size_t i = 0; given < kWhole; ++i, ++given) ++shares[order[i]];
  return shares;
}

std::vector<NameShare> SharesOf(std::vector<NameCount> names, const NameFigures& other) {
  std::sort(names.begin(), names.end(), [](const NameCount& a, const NameCount& b) {
    if (a.turns != b.turns) return a.turns > b.turns;
    if (a.tokens != b.tokens) return a.tokens > b.tokens;
    return a.name.view() < b.name.view();
  });
  std::vector<NameShare> shares;
  for (NameCount& name : names) shares.push_back({std::move(name), false, 0, 0});
  if (other.turns != 0 || other.tokens != 0) shares.push_back({{other, NameText()}, true, 0, 0});
  std::vector<int64_t> turns, tokens;
  for (const NameShare& share : shares) {
    turns.push_back(share.count.turns);
    tokens.push_back(share.count.tokens);
  }
  turns = Shares(turns);
  tokens = Shares(tokens);
  for (size_t i = 0; i < shares.size(); ++i) {
    shares[i].turns_share = turns[i];
    shares[i].tokens_share = tokens[i];
  }
  return shares;
}

}  // namespace odometer
