#include "state/postings.h"

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
  Entry* entry = new (&Of(at)) Entry{posting, {0, 0}};
  entry->before[kOwner] = Append(owner, at);
  if (session != nullptr) entry->before[kSession] = Append(session, at);
}

uint32_t PendingPostings::Append(PendingList* list, uint32_t at) {
  ++list->count;
  return std::exchange(list->last, at);
}

void PendingPostings::Clear() {
  size_ = 0;
  if (blocks_.size() > kBlocksKept) blocks_.resize(kBlocksKept);
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
