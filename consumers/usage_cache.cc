#include "consumers/usage_cache.h"

#include <algorithm>

#include "consumers/queries.h"
#include "state/refused_operation.h"

namespace odometer {
namespace {

// Records that are read and passed over between two that are wanted: more of them cost more than a place of its own.
constexpr uint64_t kGapMost = 128;
// Fewer in a row are fetched one by one.
constexpr size_t kRunLeast = 4;
constexpr size_t kPollMost = 4096;

}  // namespace

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

Status HourOperations::BringTo(const View& view, const KeyBuilder& list) {
  uint64_t cursor = view.meta().cursor;
  if (as_of == cursor && cursor != 0) return Status::Ok();
  // A chunk holds what one commit brought: what is new stands in the chunks that begin at or above as_of.
  std::string begin = KeyBuilder(list).Number(static_cast<int64_t>(as_of)).str();
  size_t before = listed.size();
  Status decoded;
  Status scanned = view.Scan(begin, PrefixEnd(list.view()), [&](std::string_view, std::string_view value) {
    PostingChunk chunk;
    if (!DecodeRow(value, &chunk)) {
      decoded = Status(Code::kCorrupt, "store: a row's bytes cannot be read");
      return false;
    }
    for (const Posting& posting : chunk.entries) {
      listed.push_back(
          {posting.time_us, posting.offset, OperationOf(posting.type), static_cast<OperationStatus>(posting.status)});
    }
    return true;
  });
  if (scanned.ok() && !decoded.ok()) scanned = decoded;
  if (!scanned.ok()) listed.resize(before);
  ODOMETER_RETURN_IF_ERROR(scanned);
  read.resize(listed.size());
  as_of = cursor;
  return Status::Ok();
}

Status HourOperations::Take(size_t at, const Record& record) {
  Event event;
  if (!DecodeOperation(record.bytes, &event)) {
    return Status(Code::kCorrupt, "offset " + std::to_string(record.offset) + ": listed as an operation, is none");
  }
  auto user = users_.find(event.operation.user);
  if (user == users_.end()) {
    user = users_.try_emplace(std::string(event.operation.user), static_cast<uint32_t>(users_.size())).first;
  }
  read[at] = {CellOf(event), user->second};
  return Status::Ok();
}

Status HourOperations::ReadFrom(PartitionLog& log, const std::vector<size_t>& wanted) {
  for (size_t begin = 0, end = 0; begin < wanted.size(); begin = end) {
    for (end = begin + 1; end < wanted.size(); ++end) {
      if (listed[wanted[end]].offset - listed[wanted[end - 1]].offset > kGapMost) break;
    }
    size_t next = begin;
    if (end - begin >= kRunLeast) {
      Result<std::unique_ptr<EventReader>> reader = log.ReadHeld(listed[wanted[begin]].offset);
      if (!reader.ok()) return reader.status();
      uint64_t stop = listed[wanted[end - 1]].offset + 1;
      while (next < end && (*reader)->next_offset() < stop) {
        uint64_t left = stop - (*reader)->next_offset();
        auto records = (*reader)->Poll(std::min<size_t>(left, kPollMost), 0);
        if (!records.ok()) return records.status();
        if (records->empty()) break;  // beyond what is at hand
        for (const Record& record : *records) {
          if (next == end || record.offset != listed[wanted[next]].offset) continue;
          ODOMETER_RETURN_IF_ERROR(Take(wanted[next++], record));
        }
      }
    }
    for (; next < end; ++next) {
      Result<OwnedRecord> record = log.Fetch(listed[wanted[next]].offset);
      if (!record.ok()) return record.status();
      ODOMETER_RETURN_IF_ERROR(Take(wanted[next], {record->offset, record->append_time, record->bytes}));
    }
  }
  return Status::Ok();
}

uint32_t HourOperations::UserNumber(std::string_view user) const {
  auto known = users_.find(user);
  return known == users_.end() ? UINT32_MAX : known->second;
}

Status UsageCache::ReadHours(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last,
                             Project* project) {
  if (first > last) return Status::Ok();
  auto from = project->hours.lower_bound(first), to = project->hours.upper_bound(last);
  for (auto at = from; at != to; ++at) project->cells -= at->second.size();
  project->hours.erase(from, to);
  Status decoded;
  ProjectHourRow row;
  std::string begin = KeyBuilder(prefix).Number(first).str(), end = KeyBuilder(prefix).Number(last + 1).str();
  Status scanned = view.Scan(begin, end, [&](std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view part;
    int64_t hour = 0;
    row.cells.clear();
    if (!reader.Text(&part) || !reader.Text(&part) || !reader.Number(&hour) || !DecodeRow(value, &row)) {
      decoded = Status(Code::kCorrupt, "store: a project_hour row cannot be read");
      return false;
    }
    std::vector<HourCell>& cells = project->hours[hour];
    size_t before = cells.size();
    for (const HourCell& cell : row.cells) AddToCells(cell, &cells);
    project->cells += cells.size() - before;
    return true;
  });
  return scanned.ok() ? decoded : scanned;
}

Status UsageCache::Bring(const View& view, const KeyBuilder& prefix, int64_t first, int64_t last, Project* project) {
  std::optional<std::vector<std::string>> written = view.WrittenSince(prefix.view(), project->as_of);
  if (!written || project->first > project->last) {
    project->hours.clear();
    project->cells = 0;
    project->first = first;
    project->last = last;
    return ReadHours(view, prefix, first, last, project);
  }
  int64_t known = INT64_MIN;
  for (const std::string& key : *written) {
    KeyReader reader(key);
    std::string_view part;
    int64_t hour = 0;
    bool is_read = reader.Text(&part) && reader.Text(&part) && reader.Number(&hour);
    if (!is_read || hour == known || hour < project->first || hour > project->last) continue;
    known = hour;
    ODOMETER_RETURN_IF_ERROR(ReadHours(view, prefix, hour, hour, project));
  }
  ODOMETER_RETURN_IF_ERROR(ReadHours(view, prefix, first, project->first - 1, project));
  ODOMETER_RETURN_IF_ERROR(ReadHours(view, prefix, project->last + 1, last, project));
  project->first = std::min(project->first, first);
  project->last = std::max(project->last, last);
  return Status::Ok();
}

Result<bool> UsageCache::ForEachHour(const View& view, std::string_view tenant, std::string_view project, int64_t first,
                                     int64_t last,
                                     const std::function<void(int64_t hour, const std::vector<HourCell>&)>& hour) {
  KeyBuilder prefix;
  prefix.Begin(RowKind::kProjectHour).Text(tenant).Text(project);
  std::shared_ptr<Project> mine = Find(&projects_, prefix.view());
  size_t cells = 0;
  {
    std::lock_guard lock(mine->mutex);
    if (view.meta().cursor < mine->as_of) return false;
    Status brought = Bring(view, prefix, first, last, mine.get());
    if (!brought.ok()) mine->last = mine->first - 1;  // nothing is known
    ODOMETER_RETURN_IF_ERROR(brought);
    mine->as_of = view.meta().cursor;
    cells = mine->cells;
    for (auto at = mine->hours.lower_bound(first); at != mine->hours.end() && at->first <= last; ++at) {
      hour(at->first, at->second);
    }
  }
  Resize(&projects_, prefix.view(), cells, kCellsMax, &cells_);
  return true;
}

std::shared_ptr<HourOperations> UsageCache::OperationsOf(std::string_view list) { return Find(&operations_, list); }

void UsageCache::Keep(std::string_view list, size_t operations) {
  Resize(&operations_, list, operations, kOperationsMax, &listed_);
}

template <class Item>
std::shared_ptr<Item> UsageCache::Find(Shelf<Item>* shelf, std::string_view key) {
  std::lock_guard lock(mutex_);
  auto at = shelf->find(key);
  if (at == shelf->end()) at = shelf->try_emplace(std::string(key)).first;
  at->second.used_at = ++uses_;
  return at->second.item;
}

template <class Item>
void UsageCache::Resize(Shelf<Item>* shelf, std::string_view key, size_t size, size_t size_max, size_t* sum) {
  std::lock_guard lock(mutex_);
  auto mine = shelf->find(key);
  if (mine == shelf->end()) return;
  // An empty one costs its place, too.
  *sum += size + 1 - mine->second.size;
  mine->second.size = size + 1;
  auto drop = [&](auto at) {
    *sum -= at->second.size;
    shelf->erase(at);
  };
  if (size > size_max / 4) return drop(mine);
  while (*sum > size_max) {
    drop(std::min_element(shelf->begin(), shelf->end(),
                          [](const auto& a, const auto& b) { return a.second.used_at < b.second.used_at; }));
  }
}

std::pair<size_t, size_t> UsageCache::held() const {
  std::lock_guard lock(mutex_);
  return {cells_, listed_};
}

}  // namespace odometer
