#include "state/postings.h"

#include "state/tables.h"

namespace odometer {

Status AddPosting(Tables& tables, KeyBuilder& list, const Posting& posting) {
  std::string prefix = list.str();
  Result<RowTable<PostingChunk>::Node*> open = tables.postings.FindOrMake(list.Number(kOpenChunk).view());
  if (!open.ok()) return open.status();
  PostingChunk& chunk = (*open)->row;
  (*open)->made = false;
  tables.postings.MarkDirty(*open);
  if (PlantedBug("posting_lost") && posting.offset % 13 == 7) return Status::Ok();
  chunk.entries.push_back(posting);
  if (chunk.entries.size() < kPostingsPerChunk) return Status::Ok();

  KeyBuilder full_key;
  full_key.Assign(prefix).Number(chunk.full_chunks);
  Result<RowTable<PostingChunk>::Node*> full = tables.postings.FindOrMake(full_key.view());
  if (!full.ok()) return full.status();
  (*full)->made = false;
  tables.postings.MarkDirty(*full);
  (*full)->row.full_chunks = chunk.full_chunks;
  (*full)->row.entries.swap(chunk.entries);
  chunk.entries.clear();
  ++chunk.full_chunks;
  return Status::Ok();
}

}  // namespace odometer
