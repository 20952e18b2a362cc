// state/postings.h: Postings, where the turns, interactions and vector operations of a user, a session or a project's
// hour stand in the log. Derived rows: the log has the events themselves.
//
// A list is a key (user, session or project hour) with chunks behind it, each at the offset of its first entry. A
// commit writes what was posted since the last one and never touches a chunk again, so where chunks end is the commits'
// doing; the entries of a list, one after another, are the fold's.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/ids.h"
#include "state/ask_for.h"
#include "state/slab.h"

namespace odometer {

struct Posting {
  uint64_t offset = 0;
  int64_t time_us = 0;  // place time
  EventType type = EventType::kNone;
  uint8_t status = 0;  // of a turn or an operation
  Uuid id;             // of the event; of the original, for an amendment
  int64_t tokens = 0;  // total tokens; of an amendment, the signed delta
  int64_t cost_nano_usd = 0;
  friend bool operator==(const Posting&, const Posting&) = default;

  template <class Self, class V>
  static void Fields(Self& posting, V&& v) {
    v("offset", posting.offset);
    v("time_us", posting.time_us);
    v("type", posting.type);
    v("status", posting.status);
    v("id", posting.id);
    v("tokens", posting.tokens);
    v("cost_nano_usd", posting.cost_nano_usd);
  }
};

inline constexpr size_t kPostingsPerChunk = 256;

struct PostingChunk {
  std::vector<Posting> entries;  // by offset

  template <class Self, class V>
  static void Fields(Self& chunk, V&& v) {
    v("entries", chunk.entries);
  }
};

// What has been posted to one list since the last commit: a chain through PendingPostings, from the last to the first.
struct PendingList {
  uint32_t last = 0;
  uint32_t count = 0;
};

// Posted since the last commit, in the log's order. One posting may stand in two lists: its user's or project's, and
// its session's.
class PendingPostings {
 public:
  enum Link : uint8_t { kOwner, kSession };

  // To `owner` and, when it is not null, `session`.
  void Add(const Posting& posting, PendingList* owner, PendingList* session);
  size_t bytes() const { return size_ * (sizeof(Entry) + sizeof(Links)); }
  void Clear();

  [[gnu::always_inline]] void AskForLast(const PendingList& list) {
    if (list.count == 0) return;
    AskFor(&LinksOf(list.last), sizeof(Links));
    AskFor(&Of(list.last), sizeof(Entry));
  }
  // What was posted to each of up to kSideBySide lists, in the log's order: f(posting, which of the lists). A step
  // through a chain waits for the one before it, so that chains are followed side by side.
  static constexpr size_t kSideBySide = 8;
  template <class F>
  void ForEach(std::span<const PendingList> lists, Link link, F&& f) {
    Follow(lists, link);
    for (size_t list = 0; list < lists.size(); ++list) {
      for (size_t i = chains_[list].size(); i-- > 0;) f(Of(chains_[list][i]).posting, list);
    }
  }

 private:
  struct alignas(kCacheLineBytes) Entry {
    Posting posting;
  };
  static_assert(sizeof(Entry) == kCacheLineBytes);
  struct Links {
    uint32_t before[2];  // in its lists
  };
  static constexpr size_t kBlocksKept = 32;  // what is beyond is given back after a commit that did not need half of it
  static constexpr size_t kBlockEntries = kHugePageBytes / sizeof(Entry);
  static constexpr size_t kBlockLinks = kHugePageBytes / sizeof(Links);

  Entry& Of(uint32_t at) { return static_cast<Entry*>(blocks_[at / kBlockEntries].get())[at % kBlockEntries]; }
  Links& LinksOf(uint32_t at) { return static_cast<Links*>(links_[at / kBlockLinks].get())[at % kBlockLinks]; }
  static uint32_t Append(PendingList* list, uint32_t at);
  void Follow(std::span<const PendingList> lists, Link link);

  std::vector<Memory> blocks_;  // never copied as they grow in number
  std::vector<Memory> links_;   // likewise
  uint32_t size_ = 0;
  std::array<std::vector<uint32_t>, kSideBySide> chains_;
};

class KeyBuilder;
class RowBatch;

// Writes postings of one list as chunks; `list` is the list's key, and is left changed.
class ChunkWriter {
 public:
  ChunkWriter(RowBatch* batch, KeyBuilder* list);
  ~ChunkWriter() { Flush(); }
  void Add(const Posting& posting);

 private:
  void Flush();

  RowBatch* batch_;
  KeyBuilder* list_;
  size_t prefix_bytes_;
  uint64_t first_offset_ = 0;
  size_t count_ = 0;
  std::string entries_;
};

}  // namespace odometer
