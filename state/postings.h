// state/postings.h: Postings, where the turns, interactions and vector operations of a user, a session or a project's
// hour stand in the log. Derived rows: the log has the events themselves.
//
// A list is a key (user, session or project hour) with chunks of at most 64 entries. The open chunk stands at chunk
// number −1 with the number of full chunks before it; a full chunk stands at its own number and never changes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/ids.h"

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

inline constexpr size_t kPostingsPerChunk = 64;
inline constexpr int64_t kOpenChunk = -1;

struct PostingChunk {
  int64_t full_chunks = 0;  // before this one; meaningful in the open chunk
  std::vector<Posting> entries;

  template <class Self, class V>
  static void Fields(Self& chunk, V&& v) {
    v("full_chunks", chunk.full_chunks);
    v("entries", chunk.entries);
  }
};

}  // namespace odometer
