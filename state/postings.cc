#include "state/postings.h"

#include <algorithm>
#include <new>
#include <utility>

#include "core/check.h"
#include "core/planted.h"
#include "state/codec.h"
#include "state/keys.h"
#include "state/store.h"

namespace odometer {

void PendingPostings::Add(const Posting& posting, PendingList* owner, PendingList* session) {
  if (PlantedBug("posting_lost") && posting.offset % 13 == 7) return;
  ODOMETER_CHECK(size_ < UINT32_MAX);
  uint32_t at = size_++;
  if (at / kBlockEntries == blocks_.size()) blocks_.push_back(NewMemory(kHugePageBytes));
  if (at / kBlockLinks == links_.size()) links_.push_back(NewMemory(kHugePageBytes));
  new (&Of(at)) Entry{posting};
  Links* links = new (&LinksOf(at)) Links{{Append(owner, at), 0}};
  if (session != nullptr) links->before[kSession] = Append(session, at);
}

uint32_t PendingPostings::Append(PendingList* list, uint32_t at) {
  ++list->count;
  return std::exchange(list->last, at);
}

void PendingPostings::Follow(std::span<const PendingList> lists, Link link) {
  std::array<uint32_t, kSideBySide> at{};
  uint32_t longest = 0;
  for (size_t list = 0; list < lists.size(); ++list) {
    at[list] = lists[list].last;
    longest = std::max(longest, lists[list].count);
    chains_[list].clear();
  }
  for (uint32_t step = 0; step < longest; ++step) {
    for (size_t list = 0; list < lists.size(); ++list) {
      if (step >= lists[list].count) continue;
      AskFor(&Of(at[list]), sizeof(Entry));
      chains_[list].push_back(at[list]);
      at[list] = LinksOf(at[list]).before[link];
    }
  }
}

void PendingPostings::Clear() {
  if (blocks_.size() > kBlocksKept && size_ < blocks_.size() * kBlockEntries / 2) {
    blocks_.resize(kBlocksKept);
    links_.clear();
  }
  size_ = 0;
}

ChunkWriter::ChunkWriter(RowBatch* batch, KeyBuilder* list)
    : batch_(batch), list_(list), prefix_bytes_(list->view().size()) {}

void ChunkWriter::Add(const Posting& posting) {
  if (count_ == kPostingsPerChunk) Flush();
  if (count_ == 0) first_offset_ = posting.offset;
  EncodeRow(posting, &entries_);
  ++count_;
}

void ChunkWriter::Flush() {
  if (count_ == 0) return;
  std::string chunk;
  RowWriter(&chunk).Unsigned(count_);
  chunk += entries_;
  batch_->Put(list_->Number(static_cast<int64_t>(first_offset_)).view(), chunk);
  list_->Cut(prefix_bytes_);
  entries_.clear();
  count_ = 0;
}

}  // namespace odometer
