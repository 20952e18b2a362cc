#include "consumers/queries_turns.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace odometer {
namespace {

struct UuidHash {
  size_t operator()(const Uuid& id) const {
    uint64_t half[2];
    std::memcpy(half, id.bytes.data(), sizeof half);
    return half[0] * 0x9e3779b97f4a7c15ull ^ half[1];
  }
};

Result<std::vector<Posting>> PostingsOf(const View& view, const KeyBuilder& list, uint64_t pinned) {
  std::vector<Posting> postings;
  Status scanned = ScanRows<PostingChunk>(view, list, [&](std::string_view, const PostingChunk& chunk) {
    for (const Posting& posting : chunk.entries) {
      bool listed = posting.type == EventType::kTurnRecorded || posting.type == EventType::kTurnAmended;
      if (listed && posting.offset < pinned) postings.push_back(posting);
    }
    return true;
  });
  if (!scanned.ok()) return scanned;
  auto older = [](const Posting& a, const Posting& b) { return a.offset < b.offset; };
  std::sort(postings.begin(), postings.end(), older);
  return postings;
}

}  // namespace

Result<TurnList> ListTurns(const View& view, std::string_view tenant, std::string_view user, std::string_view session,
                           uint64_t pinned) {
  KeyBuilder list;
  if (session.empty()) {
    list.Begin(RowKind::kUserPostings).Text(tenant).Text(user);
  } else {
    list.Begin(RowKind::kSessionPostings).Text(tenant).Text(user).Text(session);
  }
  Result<std::vector<Posting>> postings = PostingsOf(view, list, pinned);
  if (!postings.ok()) return postings.status();
  return TurnList{pinned, JoinTurns(*postings)};
}

std::vector<TurnEntry> JoinTurns(const std::vector<Posting>& postings) {
  std::vector<TurnEntry> entries;
  std::unordered_map<Uuid, size_t, UuidHash> turns;  // the first turn of an id
  for (const Posting& posting : postings) {
    if (posting.type != EventType::kTurnRecorded) continue;
    turns.emplace(posting.id, entries.size());
    entries.push_back({posting, false, {}});
  }
  for (const Posting& posting : postings) {
    if (posting.type != EventType::kTurnAmended) continue;
    auto original = turns.find(posting.id);
    if (original == turns.end()) {
      entries.push_back({posting, true, {}});
      continue;
    }
    TurnEntry& entry = entries[original->second];
    entry.amendments.push_back(posting.offset);
    AddSaturating(entry.posting.tokens, posting.tokens);
    AddSaturating(entry.posting.cost_nano_usd, posting.cost_nano_usd);
  }
  auto newer = [](const TurnEntry& a, const TurnEntry& b) { return a.posting.offset > b.posting.offset; };
  std::sort(entries.begin(), entries.end(), newer);
  return entries;
}

std::vector<TurnEntry> CostliestTurns(const std::vector<TurnEntry>& entries, size_t count) {
  std::vector<const TurnEntry*> order;
  order.reserve(entries.size());
  for (const TurnEntry& entry : entries) order.push_back(&entry);
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
                    [](const TurnEntry* a, const TurnEntry* b) {
                      if (a->posting.tokens != b->posting.tokens) return a->posting.tokens > b->posting.tokens;
                      return a->posting.offset > b->posting.offset;
                    });
  std::vector<TurnEntry> costliest;
  for (size_t i = 0; i < count; ++i) costliest.push_back(*order[i]);
  return costliest;
}

}  // namespace odometer
