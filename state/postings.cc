#include "state/postings.h"

#include "core/planted.h"
#include "state/codec.h"
#include "state/keys.h"
#include "state/store.h"

namespace odometer {

void PendingPostings::Add(const Posting& posting, PendingList* owner, PendingList* session) {
  if (PlantedBug("posting_lost") && posting.offset % 13 == 7) return;
  auto at = static_cast<uint32_t>(entries_.size());
  entries_.push_back({posting, {0, 0}});
  Append(owner, kOwner, at);
  if (session != nullptr) Append(session, kSession, at);
}

void PendingPostings::Append(PendingList* list, Link link, uint32_t at) {
  if (list->count == 0) {
    list->first = at;
  } else {
    entries_[list->last].next[link] = at;
  }
  list->last = at;
  ++list->count;
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
