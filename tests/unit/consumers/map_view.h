// MapView: a View over a map, for queries without a store.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "state/codec.h"
#include "state/postings.h"
#include "state/store.h"

namespace odometer {

class MapView : public View {
 public:
  const MetaRow& meta() const override { return meta_; }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    auto found = rows_.find(key);
    if (found == rows_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Status Scan(std::string_view begin, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& row) const override {
    for (auto at = rows_.lower_bound(begin); at != rows_.end() && at->first < end; ++at) {
      if (!row(at->first, at->second)) break;
    }
    return Status::Ok();
  }
  Status ScanBack(std::string_view begin, std::string_view end,
                  const std::function<bool(std::string_view, std::string_view)>& row) const override {
    for (auto at = rows_.lower_bound(end); at != rows_.begin();) {
      --at;
      if (at->first < begin || !row(at->first, at->second)) break;
    }
    return Status::Ok();
  }

  std::optional<std::vector<std::string>> WrittenSince(std::string_view prefix, uint64_t cursor) const override {
    if (!knows_written_) return std::nullopt;
    std::vector<std::string> keys;
    for (auto at = written_.lower_bound(prefix); at != written_.end() && at->first.starts_with(prefix); ++at) {
      if (at->second > cursor) keys.push_back(at->first);
    }
    return keys;
  }

  MetaRow& mutable_meta() { return meta_; }
  // What is put from now on is known as written by the commit of the cursor that stands then.
  void KnowWritten() { knows_written_ = true; }
  template <class Row>
  void Put(const KeyBuilder& key, const Row& row) {
    PutBytes(key, EncodeRow(row));
  }
  void PutBytes(const KeyBuilder& key, std::string bytes) {
    rows_[key.str()] = std::move(bytes);
    written_[key.str()] = meta_.cursor;
  }

  // Appends a chunk to a list, as the fold does when it commits after each record.
  void AddPosting(const KeyBuilder& list, const Posting& posting) {
    PostingChunk chunk;
    chunk.entries.push_back(posting);
    PutBytes(KeyBuilder(list).Number(static_cast<int64_t>(posting.offset)), EncodeRow(chunk));
  }

 private:
  std::map<std::string, std::string, std::less<>> rows_;
  std::map<std::string, uint64_t, std::less<>> written_;  // the cursor of the commit
  bool knows_written_ = false;
  MetaRow meta_;
};

}  // namespace odometer
