#include "state/audit.h"

#include <algorithm>

#include "state/dump.h"
#include "state/limit_rows.h"
#include "state/postings.h"

namespace odometer {

namespace {

struct RawRow {
  std::string key;
  std::string value;
};

std::string HexOf(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (char byte : bytes) {
    text += kHex[static_cast<uint8_t>(byte) >> 4];
    text += kHex[static_cast<uint8_t>(byte) & 15];
  }
  return text;
}

// Whether a part of the row's key after its tenant is this text.
bool Names(const RowName& name, const std::string& text) {
  return name.texts.size() > 1 && std::find(name.texts.begin() + 1, name.texts.end(), text) != name.texts.end();
}

// Whether only events that stand in a user's postings move the figure: not those of sessions, knowledge and settings.
// Requests are moved by asks that were let through, too; hours are requests by hour.
bool MovesByPostedEventsOnly(RowKind kind, std::string_view field) {
  static constexpr std::string_view kOthers[] = {
      "row",           "bytes",          "events",         "sessions",
      "sessions_ring", "champion_cases", "config_changes", "first_us",
      "last_us",       "name",           "name_us",        "name_id",
      "ended",         "state_us",       "state_id",       "summary",
      "key_points",    "summary_us",     "summary_id",     "collections_subscribed",
      "requests",      "requests_ring",  "hours"};
  bool is_of_a_user =
      kind == RowKind::kAccount || kind == RowKind::kPeriod || kind == RowKind::kDay || kind == RowKind::kSession;
  return is_of_a_user && std::find(std::begin(kOthers), std::end(kOthers), field) == std::end(kOthers);
}

// Rows of a view in key order, a page at a time, so that two views can be walked side by side.
class Walker {
 public:
  explicit Walker(const View& view, std::string from = {}, std::string end = {})
      : view_(view), from_(std::move(from)), end_(std::move(end)) {}

  Result<const RawRow*> Peek() {
    if (at_ == page_.size() && !done_) ODOMETER_RETURN_IF_ERROR(Load());
    return at_ < page_.size() ? &page_[at_] : static_cast<const RawRow*>(nullptr);
  }
  void Next() { ++at_; }

 private:
  static constexpr size_t kPage = 4096;
  Status Load() {
    page_.clear();
    at_ = 0;
    ODOMETER_RETURN_IF_ERROR(view_.Scan(from_, end_, [&](std::string_view key, std::string_view value) {
      page_.push_back({std::string(key), std::string(value)});
      return page_.size() < kPage;
    }));
    done_ = page_.size() < kPage;
    if (!page_.empty()) from_ = page_.back().key + '\0';
    return Status::Ok();
  }

  const View& view_;
  std::string from_, end_;
  std::vector<RawRow> page_;
  size_t at_ = 0;
  bool done_ = false;
};

// The postings of one kind of list, one after another: where a chunk ends is no difference.
class PostingWalker {
 public:
  struct Listed {
    std::string_view list;  // its key, without a chunk's offset
    const Posting* posting = nullptr;
  };

  PostingWalker(const View& view, RowKind kind) : rows_(view, Prefix(kind), PrefixEnd(Prefix(kind))) {}

  // Null at the end. kCorrupt: the chunk at key() cannot be read; Next() goes behind it.
  Result<std::optional<Listed>> Peek() {
    while (at_ == chunk_.entries.size()) {
      Result<const RawRow*> row = rows_.Peek();
      if (!row.ok()) return row.status();
      if (*row == nullptr) return std::optional<Listed>();
      key_ = (*row)->key;
      size_ = (*row)->value.size();
      at_ = 0;
      bool read = key_.size() >= kOffsetBytes && DecodeRow((*row)->value, &chunk_);
      rows_.Next();
      if (read) continue;
      chunk_.entries.clear();
      return Status(Code::kCorrupt, "a chunk of postings cannot be read");
    }
    return std::optional<Listed>({std::string_view(key_).substr(0, key_.size() - kOffsetBytes), &chunk_.entries[at_]});
  }
  void Next() { ++at_; }
  const std::string& key() const { return key_; }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kOffsetBytes = 8;
  static std::string Prefix(RowKind kind) { return KeyBuilder().Begin(kind).str(); }

  Walker rows_;
  std::string key_;
  size_t size_ = 0;
  PostingChunk chunk_;
  size_t at_ = 0;
};

class Comparison {
 public:
  Comparison(const View& stored, const View& folded, const AuditOptions& options)
      : stored_(stored), folded_(folded), options_(options) {}

  Result<AuditReport> Run() {
    ODOMETER_RETURN_IF_ERROR(FindChainBreak());
    Walker left(stored_), right(folded_);
    for (;;) {
      Result<const RawRow*> a = left.Peek();
      Result<const RawRow*> b = right.Peek();
      if (!a.ok()) return a.status();
      if (!b.ok()) return b.status();
      if (*a == nullptr && *b == nullptr) break;
      int order = *a == nullptr ? 1 : *b == nullptr ? -1 : (*a)->key.compare((*b)->key);
      ODOMETER_RETURN_IF_ERROR(Compare(order <= 0 ? *a : nullptr, order >= 0 ? *b : nullptr));
      if (order <= 0) left.Next();
      if (order >= 0) right.Next();
    }
    for (RowKind kind : {RowKind::kProjectPostings, RowKind::kSessionPostings, RowKind::kUserPostings})
      ODOMETER_RETURN_IF_ERROR(ComparePostings(kind));
    return report_;
  }

 private:
  using Listed = PostingWalker::Listed;

  Status ComparePostings(RowKind kind) {
    PostingWalker left(stored_, kind), right(folded_, kind);
    for (;;) {
      Result<std::optional<Listed>> a = Readable(left, true);
      Result<std::optional<Listed>> b = Readable(right, false);
      if (!a.ok()) return a.status();
      if (!b.ok()) return b.status();
      if (!*a && !*b) return Status::Ok();
      int order = !*a ? 1 : !*b ? -1 : Order(**a, **b);
      Compare(order <= 0 ? &**a : nullptr, order >= 0 ? &**b : nullptr);
      if (order <= 0) left.Next();
      if (order >= 0) right.Next();
    }
  }

  // Behind chunks that cannot be read, which are differences.
  Result<std::optional<Listed>> Readable(PostingWalker& postings, bool stored) {
    for (;;) {
      Result<std::optional<Listed>> listed = postings.Peek();
      if (listed.ok() || listed.status().code() != Code::kCorrupt) return listed;
      std::string bytes = std::to_string(postings.size()) + " bytes that cannot be read";
      Report(NameOf(postings.key()).value_or(RowName()), "row", stored ? bytes : "", stored ? "" : bytes);
    }
  }

  static int Order(const Listed& a, const Listed& b) {
    if (a.list != b.list) return a.list.compare(b.list);
    if (a.posting->offset == b.posting->offset) return 0;
    return a.posting->offset < b.posting->offset ? -1 : 1;
  }

  static std::string TextOf(const Listed* listed) {
    return listed == nullptr ? "(absent)" : HexOf(EncodeRow(*listed->posting));
  }

  void Compare(const Listed* a, const Listed* b) {
    const Listed& one = a != nullptr ? *a : *b;
    auto offset = static_cast<int64_t>(one.posting->offset);
    std::optional<RowName> name = NameOf(KeyBuilder().Assign(one.list).Number(offset).view());
    if (name && options_.user && !Names(*name, *options_.user)) return;
    ++report_.other_rows;
    if (a != nullptr && b != nullptr && *a->posting == *b->posting) return;
    if (!name) name = RowName();
    name->text = name->text.substr(0, name->text.rfind(',')) + "]";  // the list, not a chunk of it
    Report(*name, "posting." + std::to_string(offset), TextOf(a), TextOf(b));
  }

  // The first chain mark that differs says between which offsets the two logs part.
  Status FindChainBreak() {
    first_offset_ = stored_.meta().start;
    next_offset_ = std::max(stored_.meta().cursor, folded_.meta().cursor);
    std::string begin = KeyBuilder().Begin(RowKind::kChain).str();
    uint64_t last_equal = first_offset_;
    Status failure;
    ODOMETER_RETURN_IF_ERROR(stored_.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
      int64_t offset = 0;
      KeyReader reader(key);
      if (!reader.Number(&offset)) return true;
      Result<std::optional<std::string>> other = folded_.Get(key);
      if (!other.ok()) {
        failure = other.status();
        return false;
      }
      if (other->has_value() && **other == value) {
        last_equal = static_cast<uint64_t>(offset);
        return true;
      }
      next_offset_ = std::min(next_offset_, static_cast<uint64_t>(offset));
      logs_differ_ = true;
      return false;
    }));
    if (stored_.meta().rolling_hash != folded_.meta().rolling_hash) logs_differ_ = true;
    if (logs_differ_) first_offset_ = last_equal;
    return failure;
  }

  Status Compare(const RawRow* a, const RawRow* b) {
    const std::string& key = a != nullptr ? a->key : b->key;
    std::optional<RowName> name = NameOf(key);
    if (!name) {
      Report({}, "row", a, b);
      return Status::Ok();
    }
    if (ClassOf(name->kind) == RowClass::kOperational || ClassOf(name->kind) == RowClass::kDerived) return Status::Ok();
    if (options_.user && !Names(*name, *options_.user)) return Status::Ok();
    if (IsGone(*name, a) || IsGone(*name, b)) return Status::Ok();
    bool logical = ClassOf(name->kind) == RowClass::kLogical;
    ++(logical ? report_.rows : report_.other_rows);
    if (a == nullptr || b == nullptr) {
      Report(*name, "row", a, b);
      return Status::Ok();
    }
    std::optional<FieldMap> left, right;
    if (a->value == b->value && !logical) return Status::Ok();
    left = FieldsOf(name->kind, a->value, 0);
    right = FieldsOf(name->kind, b->value, 0);
    if (!left || !right) {
      Report(*name, "row", a, b);
      return Status::Ok();
    }
    if (logical) report_.fields += left->size();
    uint64_t before = report_.difference_count;
    CompareFields(*name, *left, *right);
    // What no field shows, such as the hour of an empty ring, still decides what the next event does.
    if (a->value != b->value && report_.difference_count == before)
      Report(*name, "bytes", HexOf(a->value), HexOf(b->value));
    return Status::Ok();
  }

  // Of an ask that is no longer kept: each store removes the row when it gets to it.
  bool IsGone(const RowName& name, const RawRow* row) const {
    int64_t now_us = std::max(stored_.meta().log_time_us, folded_.meta().log_time_us);
    if (row == nullptr) return false;
    if (name.kind == RowKind::kAskGone) {
      int64_t gone_us = 0;
      KeyReader reader(row->key);
      return reader.Number(&gone_us) && gone_us <= now_us;
    }
    AskRow ask;
    return name.kind == RowKind::kAsk && DecodeRow(row->value, &ask) && ask.gone_us <= now_us;
  }

  void CompareFields(const RowName& name, const FieldMap& left, const FieldMap& right) {
    for (const auto& [field, value] : left) {
      auto other = right.find(field);
      if (other == right.end() || other->second != value) {
        Report(name, field, value, other == right.end() ? "(absent)" : other->second);
      }
    }
    for (const auto& [field, value] : right) {
      if (!left.contains(field)) Report(name, field, "(absent)", value);
    }
  }

  void Report(const RowName& name, const std::string& field, const RawRow* a, const RawRow* b) {
    auto text = [](const RawRow* row) {
      return row == nullptr ? std::string("(absent)") : std::to_string(row->value.size()) + " bytes";
    };
    Report(name, field, text(a), text(b));
  }

  void Report(const RowName& name, const std::string& field, const std::string& stored, const std::string& folded) {
    Difference difference{name.text,
                          std::string(name.tenant()),
                          name.texts.size() > 1 ? name.texts[1] : "",
                          field,
                          stored,
                          folded,
                          first_offset_,
                          next_offset_};
    if (!logs_differ_ && report_.differences.size() < options_.differences_max) NarrowToUser(name, &difference);
    report_.Add(std::move(difference), options_.differences_max);
  }

  // The log is the same, so the row is wrong: a user's own postings say where its turns and interactions are.
  void NarrowToUser(const RowName& name, Difference* difference) {
    if (!MovesByPostedEventsOnly(name.kind, difference->field)) return;
    std::string begin = KeyBuilder().Begin(RowKind::kUserPostings).Text(name.texts[0]).Text(name.texts[1]).str();
    uint64_t first = UINT64_MAX, last = 0;
    Status scanned = folded_.Scan(begin, PrefixEnd(begin), [&](std::string_view, std::string_view value) {
      PostingChunk chunk;
      if (!DecodeRow(value, &chunk)) return true;
      for (const Posting& posting : chunk.entries) {
        first = std::min(first, posting.offset);
        last = std::max(last, posting.offset);
      }
      return true;
    });
    if (!scanned.ok() || first == UINT64_MAX) return;
    difference->first_offset = first;
    difference->next_offset = last + 1;
  }

  const View& stored_;
  const View& folded_;
  const AuditOptions& options_;
  AuditReport report_;
  uint64_t first_offset_ = 0;
  uint64_t next_offset_ = 0;
  bool logs_differ_ = false;
};

template <class Row>
Status SumEvents(const View& view, RowKind kind, uint64_t* sum) {
  std::string begin = KeyBuilder().Begin(kind).str();
  Status failure;
  ODOMETER_RETURN_IF_ERROR(view.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
    Row row;
    if (!DecodeRow(value, &row)) {
      std::optional<RowName> name = NameOf(key);
      failure = Status(Code::kCorrupt, "row " + (name ? name->text : "?") + " cannot be read");
      return false;
    }
    *sum += static_cast<uint64_t>(row.events);
    return true;
  }));
  return failure;
}

}  // namespace

void AuditReport::Add(Difference difference, size_t most) {
  ++difference_count;
  if (differences.size() < most) differences.push_back(std::move(difference));
}

Result<AuditReport> CompareStores(const View& stored, const View& folded, const AuditOptions& options) {
  return Comparison(stored, folded, options).Run();
}

Result<std::vector<Difference>> CheckConservation(const View& view) {
  std::vector<Difference> differences;
  const MetaRow& meta = view.meta();
  auto expect = [&](const std::string& field, uint64_t stored, uint64_t counted) {
    if (stored == counted) return;
    differences.push_back({"conservation[" + std::to_string(meta.partition) + "]", "", "", field,
                           std::to_string(stored), std::to_string(counted), meta.start, meta.cursor});
  };
  expect("cursor - start - holes = applied + duplicate + quarantined", meta.cursor - meta.start - meta.holes,
         meta.applied_total() + meta.duplicate + meta.quarantined_total());
  uint64_t events = meta.own_events;
  ODOMETER_RETURN_IF_ERROR(SumEvents<AccountRow>(view, RowKind::kAccount, &events));
  ODOMETER_RETURN_IF_ERROR(SumEvents<ProjectRow>(view, RowKind::kProject, &events));
  ODOMETER_RETURN_IF_ERROR(SumEvents<TenantRow>(view, RowKind::kTenant, &events));
  expect("applied = sum of events over rows", meta.applied_total(), events);
  uint64_t quarantined = 0;
  std::string begin = KeyBuilder().Begin(RowKind::kQuarantine).str();
  ODOMETER_RETURN_IF_ERROR(
      view.Scan(begin, PrefixEnd(begin), [&](std::string_view, std::string_view) { return ++quarantined > 0; }));
  expect("quarantined = quarantine rows", meta.quarantined_total(), quarantined);
  return differences;
}

}  // namespace odometer
