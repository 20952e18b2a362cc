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

  MetaRow& mutable_meta() { return meta_; }
  template <class Row>
  void Put(const KeyBuilder& key, const Row& row) {
    rows_[key.str()] = EncodeRow(row);
  }
  void PutBytes(const KeyBuilder& key, std::string bytes) { rows_[key.str()] = std::move(bytes); }

  // Appends a chunk to a list, as the fold does when it commits after each record.
  void AddPosting(const KeyBuilder& list, const Posting& posting) {
    PostingChunk chunk;
    chunk.entries.push_back(posting);
    rows_[KeyBuilder(list).Number(static_cast<int64_t>(posting.offset)).str()] = EncodeRow(chunk);
  }

 private:
  std::map<std::string, std::string, std::less<>> rows_;
  MetaRow meta_;
};

}  // namespace odometer
