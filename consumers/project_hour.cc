#include "consumers/project_hour.h"

#include <algorithm>
#include <memory>
#include <string>

#include "consumers/queries.h"
#include "state/postings.h"
#include "state/refused_operation.h"

namespace odometer {
namespace {

// Records that are read and passed over between two that are wanted: more of them cost more than a place of its own.
constexpr uint64_t kGapMost = 128;
// Fewer in a row are fetched one by one.
constexpr size_t kRunLeast = 4;
constexpr size_t kPollMost = 4096;

using OnEvent = std::function<void(size_t, const Event&)>;

// Hands on what it decodes, always into the same event: to make one costs as much as to decode it.
class OperationDecoder {
 public:
  explicit OperationDecoder(const OnEvent& on_event) : on_event_(on_event) {}
  Status Take(size_t i, uint64_t offset, std::string_view bytes) {
    if (!DecodeOperation(bytes, &event_)) {
      return Status(Code::kCorrupt, "offset " + std::to_string(offset) + ": listed as an operation, is none");
    }
    on_event_(i, event_);
    return Status::Ok();
  }

 private:
  const OnEvent& on_event_;
  Event event_;
};

// The records of wanted[begin] to wanted[end - 1]; answers how far it came before the end of what is at hand.
Result<size_t> ReadRun(PartitionLog& log, const std::vector<ListedOperation>& wanted, size_t begin, size_t end,
                       OperationDecoder* decoder) {
  Result<std::unique_ptr<EventReader>> reader = log.ReadHeld(wanted[begin].offset);
  if (!reader.ok()) return reader.status();
  uint64_t stop = wanted[end - 1].offset + 1;
  size_t next = begin;
  while (next < end && (*reader)->next_offset() < stop) {
    uint64_t left = stop - (*reader)->next_offset();
    auto records = (*reader)->Poll(std::min<size_t>(left, kPollMost), 0);
    if (!records.ok()) return records.status();
    if (records->empty()) break;
    for (const Record& record : *records) {
      if (next == end || record.offset != wanted[next].offset) continue;
      ODOMETER_RETURN_IF_ERROR(decoder->Take(next, record.offset, record.bytes));
      ++next;
    }
  }
  return next;
}

// Where a list is to be read from, so that nothing at or above an offset is missed: its last chunk that begins there or
// before it.
Result<std::string> ChunkBefore(const View& view, const KeyBuilder& list, uint64_t offset) {
  std::string found(list.view());
  if (offset == 0) return found;
  std::string end = KeyBuilder(list).Number(static_cast<int64_t>(offset + 1)).str();
  Status scanned = view.ScanBack(list.view(), end, [&](std::string_view key, std::string_view) {
    found = key;
    return false;
  });
  if (!scanned.ok()) return scanned;
  return found;
}

}  // namespace

KeyBuilder HourPostings(std::string_view tenant, std::string_view project, int64_t hour) {
  KeyBuilder list;
  list.Begin(RowKind::kProjectPostings).Text(tenant).Text(project).Number(hour);
  return list;
}

bool DecodeOperation(std::string_view bytes, Event* event) {
  if (Decode(bytes, event) != Reason::kNone) return false;
  return IsVector(event->type) || (IsAsk(event->type) && RefusedOperation(*event, event));
}

Status ScanOperations(const View& view, const KeyBuilder& list, uint64_t begin, uint64_t end,
                      const std::function<void(const ListedOperation& listed)>& f) {
  std::string first;
  ODOMETER_ASSIGN_OR_RETURN(first, ChunkBefore(view, list, begin));
  std::string last = end > INT64_MAX ? PrefixEnd(list.view())
                                     : KeyBuilder(list).Number(static_cast<int64_t>(end)).str();
  PostingChunk chunk;
  Status decoded;
  Status scanned = view.Scan(first, last, [&](std::string_view, std::string_view value) {
    if (!DecodeRow(value, &chunk)) {
      decoded = Status(Code::kCorrupt, "store: a row's bytes cannot be read");
      return false;
    }
    for (const Posting& posting : chunk.entries) {
      if (posting.offset < begin || posting.offset >= end) continue;
      f({posting.time_us, posting.offset, OperationOf(posting.type), static_cast<OperationStatus>(posting.status)});
    }
    return true;
  });
  return scanned.ok() ? decoded : scanned;
}

Status ReadOperations(PartitionLog& log, const std::vector<ListedOperation>& wanted, const OnEvent& f) {
  OperationDecoder decoder(f);
  for (size_t begin = 0, end = 0; begin < wanted.size(); begin = end) {
    for (end = begin + 1; end < wanted.size(); ++end) {
      if (wanted[end].offset - wanted[end - 1].offset > kGapMost) break;
    }
    size_t next = begin;
    if (end - begin >= kRunLeast) ODOMETER_ASSIGN_OR_RETURN(next, ReadRun(log, wanted, begin, end, &decoder));
    for (; next < end; ++next) {
      Result<OwnedRecord> record = log.Fetch(wanted[next].offset);
      if (!record.ok()) return record.status();
      ODOMETER_RETURN_IF_ERROR(decoder.Take(next, record->offset, record->bytes));
    }
  }
  return Status::Ok();
}

}  // namespace odometer
