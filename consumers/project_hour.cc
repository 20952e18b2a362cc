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
// Operations that are listed before they are read: a bound on memory, for an hour may hold millions.
constexpr size_t kWantedMost = 16'384;

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

}  // namespace

KeyBuilder HourPostings(std::string_view tenant, std::string_view project, int64_t hour) {
  KeyBuilder list;
  list.Begin(RowKind::kProjectPostings).Text(tenant).Text(project).Number(hour);
  return list;
}

void AddCell(const HourCell& from, int64_t sign, HourCell* to) {
  AddSaturating(to->count, sign * from.count);
  AddSaturating(to->requested, sign * from.requested);
  AddSaturating(to->succeeded, sign * from.succeeded);
  AddSaturating(to->vectors_delta, sign * from.vectors_delta);
  AddSaturating(to->bytes_delta, sign * from.bytes_delta);
  AddSaturating(to->payload_bytes, sign * from.payload_bytes);
  AddSaturating(to->duration_us, sign * from.duration_us);
  AddSaturating(to->timed, sign * from.timed);
  AddSaturating(to->results, sign * from.results);
  AddSaturating(to->filtered, sign * from.filtered);
  AddSaturating(to->inserted, sign * from.inserted);
}

bool DecodeOperation(std::string_view bytes, Event* event) {
  if (Decode(bytes, event) != Reason::kNone) return false;
  return IsVector(event->type) || (IsAsk(event->type) && RefusedOperation(*event, event));
}

HourCell CellOf(const Event& event) {
  const Operation& operation = event.operation;
  HourCell cell;
  cell.operation = OperationOf(event.type);
  cell.status = operation.status;
  cell.count = 1;
  cell.requested = operation.requested;
  cell.succeeded = operation.succeeded;
  cell.vectors_delta = operation.vectors_delta;
  cell.bytes_delta = operation.bytes_delta;
  cell.payload_bytes = operation.payload_bytes;
  cell.duration_us = operation.duration_us.value_or(0);
  cell.timed = operation.duration_us ? 1 : 0;
  cell.results = operation.results;
  cell.filtered = operation.had_filter ? 1 : 0;
  cell.inserted = operation.inserted;
  return cell;
}

void AddToCells(const HourCell& cell, std::vector<HourCell>* cells) {
  auto same = std::find_if(cells->begin(), cells->end(), [&](const HourCell& sum) {
    return sum.operation == cell.operation && sum.status == cell.status;
  });
  same == cells->end() ? cells->push_back(cell) : AddCell(cell, 1, &*same);
}

Status ScanOperations(const View& view, const KeyBuilder& list, uint64_t begin, uint64_t end,
                      const std::function<void(uint64_t chunk, const ListedOperation& listed)>& f) {
  std::string first = KeyBuilder(list).Number(static_cast<int64_t>(begin)).str();
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
      f(chunk.entries.front().offset, {posting.time_us, posting.offset, OperationOf(posting.type),
                                       static_cast<OperationStatus>(posting.status)});
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

Result<size_t> HourMinutes::BringTo(const View& view, PartitionLog& log, const KeyBuilder& list) {
  uint64_t cursor = view.meta().cursor;
  if (as_of == cursor && cursor != 0) return size_t{0};
  std::map<int64_t, Minute> sums;
  std::vector<ListedOperation> wanted;
  std::vector<uint64_t> chunks;
  size_t count = 0;
  auto add = [&](size_t i, const Event& event) {
    auto [at, is_new] = sums.try_emplace(wanted[i].time_us - wanted[i].time_us % kUsPerMinute);
    Minute& minute = at->second;
    if (is_new) minute.first_chunk = chunks[i];
    minute.last_chunk = chunks[i];
    AddToCells(CellOf(event), &minute.cells);
  };
  Status read;
  auto read_wanted = [&] {
    if (count == 0 && !wanted.empty()) sums = minutes;
    count += wanted.size();
    if (read.ok()) read = ReadOperations(log, wanted, add);
    wanted.clear();
    chunks.clear();
  };
  // A chunk holds what one commit brought: what is new stands in the chunks that begin at or above as_of.
  ODOMETER_RETURN_IF_ERROR(
      ScanOperations(view, list, as_of, UINT64_MAX, [&](uint64_t chunk, const ListedOperation& listed) {
        if (wanted.size() == kWantedMost) read_wanted();
        wanted.push_back(listed);
        chunks.push_back(chunk);
      }));
  read_wanted();
  ODOMETER_RETURN_IF_ERROR(read);
  if (count > 0) minutes = std::move(sums);
  as_of = cursor;
  return count;
}

size_t HourMinutes::CellCount() const {
  size_t count = 0;
  for (const auto& [start_us, minute] : minutes) count += minute.cells.size() + 1;
  return count;
}

}  // namespace odometer
