#include "consumers/queries_projects.h"

#include <algorithm>
#include <map>

#include "consumers/project_hour.h"
#include "core/event.h"
#include "core/period.h"

namespace odometer {
namespace {

constexpr size_t kFilteredReadsMax = 5000;

int64_t HourStart(int64_t hour) { return hour * kUsPerHour; }

Result<HourCell> FetchCell(PartitionLog& log, uint64_t offset, std::string* user) {
  Result<OwnedRecord> record = log.Fetch(offset);
  if (!record.ok()) return record.status();
  Event event;
  if (!DecodeOperation(record->bytes, &event)) {
    return Status(Code::kCorrupt, "offset " + std::to_string(offset) + ": listed as an operation, is none");
  }
  user->assign(event.operation.user);
  return CellOf(event);
}

// Sums what matches a query, cell by cell.
class UsageSum {
 public:
  UsageSum(const View& view, PartitionLog& log, const UsageQuery& query, UsageCache* cache)
      : view_(view), log_(log), query_(query), cache_(cache) {}

  // The rows of the hours [first, last].
  Status AddHours(int64_t first, int64_t last) {
    if (first > last) return Status::Ok();
    if (cache_ == nullptr) return AddRows(first, last);
    std::vector<int64_t> hours;
    Result<bool> held = cache_->ForEachHour(view_, query_.tenant, query_.project, first, last,
                                            [&](int64_t hour, const std::vector<HourCell>& cells) {
                                              if (query_.user) return hours.push_back(hour);
                                              for (const HourCell& cell : cells) Add(cell, 1);
                                            });
    if (!held.ok()) return held.status();
    if (!*held) return AddRows(first, last);
    for (int64_t hour : hours) {
      Result<ProjectHourRow> row = RowOrEmpty<ProjectHourRow>(view_, UserHour(hour));
      if (!row.ok()) return row.status();
      for (const HourCell& cell : row->cells) Add(cell, 1);
    }
    return Status::Ok();
  }

  // The part [from, to) of one hour.
  Status AddPart(int64_t hour, int64_t from_us, int64_t to_us) {
    KeyBuilder list = HourPostings(query_.tenant, query_.project, hour);
    if (!query_.user) return AddMinutes(list, from_us, to_us);
    auto row = view_.Get(UserHour(hour).view());
    if (!row.ok()) return row.status();
    if (!row->has_value()) return Status::Ok();
    return AddOf({HourStart(hour), HourStart(hour + 1)}, list, from_us, to_us, [&] { return AddHours(hour, hour); });
  }

  ProjectUsage Take() {
    for (HourCell& cell : cells_) {
      if (cell.count != 0) usage_.cells.push_back(cell);
    }
    return std::move(usage_);
  }

 private:
  // Some of an hour's operations: those whose times are in [from, to), which stand between two offsets.
  struct Stretch {
    int64_t from_us, to_us;
    uint64_t first_offset = 0, last_offset = INT64_MAX;
  };

  KeyBuilder UserHour(int64_t hour) const {
    KeyBuilder key;
    key.Begin(RowKind::kProjectHour).Text(query_.tenant).Text(query_.project).Number(hour).Text(*query_.user);
    return key;
  }
  std::string HourKey(int64_t hour) const {
    return KeyBuilder().Begin(RowKind::kProjectHour).Text(query_.tenant).Text(query_.project).Number(hour).str();
  }
  std::string MinuteKey(int64_t minute) const {
    return KeyBuilder().Begin(RowKind::kProjectMinute).Text(query_.tenant).Text(query_.project).Number(minute).str();
  }
  bool Matches(OperationKind operation, OperationStatus status) const {
    return (!query_.operation || *query_.operation == operation) && (!query_.status || *query_.status == status);
  }
  void Add(const HourCell& cell, int64_t sign) {
    auto operation = static_cast<size_t>(cell.operation), status = static_cast<size_t>(cell.status) - 1;
    if (operation >= kOperationKinds || status >= kOperationStatuses || !Matches(cell.operation, cell.status)) return;
    HourCell& sum = cells_[operation * kOperationStatuses + status];
    sum.operation = cell.operation;
    sum.status = cell.status;
    AddCell(cell, sign, &sum);
  }

  Status AddRows(int64_t first, int64_t last) {
    Status decoded;
    Status scanned = view_.Scan(HourKey(first), HourKey(last + 1), [&](std::string_view key, std::string_view value) {
      KeyReader reader(key);
      std::string_view tenant, project, user;
      int64_t hour = 0;
      ProjectHourRow row;
      bool readable = reader.Text(&tenant) && reader.Text(&project) && reader.Number(&hour) && reader.Text(&user);
      bool is_other = readable && query_.user && *query_.user != user;
      if (is_other) return true;
      if (!readable || !DecodeRow(value, &row)) {
        decoded = Status(Code::kCorrupt, "store: a project_hour row cannot be read");
        return false;
      }
      for (const HourCell& cell : row.cells) Add(cell, 1);
      return true;
    });
    return scanned.ok() ? decoded : scanned;
  }

  using Minutes = std::map<int64_t, ProjectMinuteRow>;  // by their number since 1970

  Result<Minutes> ReadMinutes(int64_t first, int64_t last) const {
    Minutes minutes;
    Status decoded;
    auto read = [&](std::string_view key, std::string_view value) {
      KeyReader reader(key);
      std::string_view part;
      int64_t minute = 0;
      bool is_read = reader.Text(&part) && reader.Text(&part) && reader.Number(&minute) &&
                     DecodeRow(value, &minutes[minute]);
      if (!is_read) decoded = Status(Code::kCorrupt, "store: a project_minute row cannot be read");
      return is_read;
    };
    ODOMETER_RETURN_IF_ERROR(view_.Scan(MinuteKey(first), MinuteKey(last + 1), read));
    if (!decoded.ok()) return decoded;
    return minutes;
  }

  // Of the minutes of one hour what is in [from, to).
  Status AddMinutes(const KeyBuilder& list, int64_t from_us, int64_t to_us) {
    Minutes minutes;
    ODOMETER_ASSIGN(minutes, ReadMinutes(from_us / kUsPerMinute, (to_us - 1) / kUsPerMinute));
    for (const auto& [number, minute] : minutes) {
      int64_t start_us = number * kUsPerMinute;
      Stretch stretch{start_us, start_us + kUsPerMinute, minute.first_offset, minute.last_offset};
      ODOMETER_RETURN_IF_ERROR(AddOf(stretch, list, from_us, to_us, [&minute = minute, this] {
        for (const HourCell& cell : minute.cells) Add(cell, 1);
        return Status::Ok();
      }));
    }
    return Status::Ok();
  }

  // What of a stretch is in [from, to). add_all adds all of it: then what is outside is taken away again, if that reads
  // less than what is inside.
  template <class AddAll>
  Status AddOf(const Stretch& stretch, const KeyBuilder& list, int64_t from_us, int64_t to_us, AddAll&& add_all) {
    if (to_us <= stretch.from_us || from_us >= stretch.to_us) return Status::Ok();
    if (from_us <= stretch.from_us && to_us >= stretch.to_us) return add_all();
    std::vector<ListedOperation> inside, outside;
    ODOMETER_RETURN_IF_ERROR(ScanOperations(
        view_, list, stretch.first_offset, stretch.last_offset + 1, [&](const ListedOperation& listed) {
          bool is_of_it = listed.time_us >= stretch.from_us && listed.time_us < stretch.to_us;
          if (!is_of_it || !Matches(listed.operation, listed.status)) return;
          (listed.time_us >= from_us && listed.time_us < to_us ? inside : outside).push_back(listed);
        }));
    if (inside.size() <= outside.size()) return AddEvents(inside, 1);
    ODOMETER_RETURN_IF_ERROR(add_all());
    return AddEvents(outside, -1);
  }

  Status AddEvents(const std::vector<ListedOperation>& listed, int64_t sign) {
    usage_.events_read += listed.size();
    return ReadOperations(log_, listed, [&](size_t, const Event& event) {
      if (!query_.user || event.operation.user == *query_.user) Add(CellOf(event), sign);
    });
  }

  const View& view_;
  PartitionLog& log_;
  const UsageQuery& query_;
  UsageCache* const cache_;
  std::array<HourCell, kOperationKinds * kOperationStatuses> cells_{};
  ProjectUsage usage_;
};

// The postings of one hour that the query may list, newest first.
void SortNewestFirst(std::vector<Posting>* postings) {
  std::sort(postings->begin(), postings->end(), [](const Posting& a, const Posting& b) {
    return a.time_us != b.time_us ? a.time_us > b.time_us : a.offset > b.offset;
  });
}

class OperationLister {
 public:
  OperationLister(const View& view, PartitionLog& log, const OperationQuery& query)
      : view_(view), log_(log), query_(query) {}

  Result<OperationPage> List() {
    KeyBuilder project;
    project.Begin(RowKind::kProjectPostings).Text(query_.tenant).Text(query_.project);
    std::string end = PrefixEnd(project.view());
    if (query_.after_time_us != INT64_MAX) {
      end = KeyBuilder(project).Number(HourOf(FoldTime{query_.after_time_us}) + 1).str();
    }
    Status decoded;
    Status scanned = view_.ScanBack(project.view(), end, [&](std::string_view key, std::string_view value) {
      decoded = OnChunk(key, value);
      return decoded.ok() && !full_;
    });
    ODOMETER_RETURN_IF_ERROR(scanned.ok() ? decoded : scanned);
    if (!full_) ODOMETER_RETURN_IF_ERROR(EndHour());
    return std::move(page_);
  }

 private:
  Status OnChunk(std::string_view key, std::string_view value) {
    KeyReader reader(key);
    std::string_view tenant, project;
    int64_t hour = 0;
    PostingChunk chunk;
    if (!reader.Text(&tenant) || !reader.Text(&project) || !reader.Number(&hour) || !DecodeRow(value, &chunk)) {
      return Status(Code::kCorrupt, "store: a project's postings cannot be read");
    }
    if (hour != hour_) ODOMETER_RETURN_IF_ERROR(EndHour());
    if (full_) return Status::Ok();
    hour_ = hour;
    for (const Posting& posting : chunk.entries) {
      bool before = posting.time_us != query_.after_time_us ? posting.time_us < query_.after_time_us
                                                            : posting.offset < query_.after_offset;
      if (before && posting.offset < query_.pinned) postings_.push_back(posting);
    }
    return Status::Ok();
  }

  // Lists what was gathered of the hour; sets full_ when the page has one more than it may hold, or has cost enough.
  Status EndHour() {
    if (postings_.empty()) return Status::Ok();
    SortNewestFirst(&postings_);
    Result<bool> any = UserWasThere();
    if (!any.ok()) return any.status();
    for (size_t i = 0; *any && i < postings_.size() && !full_; ++i) ODOMETER_RETURN_IF_ERROR(Offer(postings_[i]));
    postings_.clear();
    return Status::Ok();
  }

  Result<bool> UserWasThere() const {
    if (!query_.user) return true;
    KeyBuilder key;
    key.Begin(RowKind::kProjectHour).Text(query_.tenant).Text(query_.project).Number(hour_).Text(*query_.user);
    auto row = view_.Get(key.view());
    if (!row.ok()) return row.status();
    return row->has_value();
  }

  Status Offer(const Posting& posting) {
    if (page_.postings.size() == query_.limit || reads_ == kFilteredReadsMax) {
      full_ = page_.more = true;
      return Status::Ok();
    }
    page_.next = posting;
    if (query_.user) {
      ++reads_;
      std::string user;
      Result<HourCell> cell = FetchCell(log_, posting.offset, &user);
      if (!cell.ok()) return cell.status();
      if (user != *query_.user) return Status::Ok();
    }
    page_.postings.push_back(posting);
    return Status::Ok();
  }

  const View& view_;
  PartitionLog& log_;
  const OperationQuery& query_;
  OperationPage page_;
  std::vector<Posting> postings_;
  int64_t hour_ = INT64_MIN;
  size_t reads_ = 0;
  bool full_ = false;
};

void AddProject(const ProjectRow& row, int64_t hour, ProjectRow* total) {
  if (row.first_use_us != kNever && (total->first_use_us == kNever || row.first_use_us < total->first_use_us)) {
    total->first_use_us = row.first_use_us;
  }
  total->last_use_us = std::max(total->last_use_us, row.last_use_us);
  for (size_t i = 0; i < kOperationKinds; ++i) {
    OperationFigures& sum = total->operations[i];
    const OperationFigures& figures = row.operations[i];
    for (size_t s = 0; s < kOperationStatuses; ++s) AddSaturating(sum.by_status[s], figures.by_status[s]);
    AddSaturating(sum.requested, figures.requested);
    AddSaturating(sum.succeeded, figures.succeeded);
    AddSaturating(sum.payload_bytes, figures.payload_bytes);
    AddSaturating(sum.duration_us, figures.duration_us);
    AddSaturating(sum.timed, figures.timed);
  }
  AddSaturating(total->inserted, row.inserted);
  AddSaturating(total->results, row.results);
  AddSaturating(total->filtered, row.filtered);
  AddSaturating(total->vectors, row.vectors);
  AddSaturating(total->bytes, row.bytes);
  AddSaturating(total->collections, row.collections);
  Ring ring = row.searches_ring.AgedTo(hour);
  total->searches_ring.MoveTo(ring.newest_hour);
  for (int64_t back = 0; back < Ring::kHours; ++back) {
    int64_t at = ring.newest_hour - back;
    if (at >= 0) total->searches_ring.Add(at, std::min(ring.At(at), UINT32_MAX - total->searches_ring.At(at)));
  }
}

}  // namespace

std::optional<OperationKind> OperationFromName(std::string_view name) {
  for (int i = 0; i < kOperationKinds; ++i) {
    if (name == OperationName(static_cast<OperationKind>(i))) return static_cast<OperationKind>(i);
  }
  return std::nullopt;
}

std::optional<OperationStatus> OperationStatusFromName(std::string_view name) {
  for (int i = 1; i <= kOperationStatuses; ++i) {
    if (name == StatusName(static_cast<OperationStatus>(i))) return static_cast<OperationStatus>(i);
  }
  return std::nullopt;
}

HourCell SumOf(const std::vector<HourCell>& cells) {
  HourCell sum;
  for (const HourCell& cell : cells) AddCell(cell, 1, &sum);
  return sum;
}

Result<ProjectUsage> ReadProjectUsage(const View& view, PartitionLog& log, const UsageQuery& query, UsageCache* cache) {
  UsageSum sum(view, log, query, cache);
  // Place times lie in [0, kEventTimeLimitUs): what is asked beyond is empty.
  int64_t from_us = std::max<int64_t>(query.from_us, 0);
  int64_t to_us = std::min(query.to_us, kEventTimeLimitUs);
  if (from_us >= to_us) return sum.Take();
  int64_t first = HourOf(FoldTime{from_us}), last = HourOf(FoldTime{to_us - 1});
  bool starts_whole = HourStart(first) == from_us, ends_whole = HourStart(last + 1) == to_us;
  if (first == last && !(starts_whole && ends_whole)) {
    ODOMETER_RETURN_IF_ERROR(sum.AddPart(first, from_us, to_us));
    return sum.Take();
  }
  if (!starts_whole) ODOMETER_RETURN_IF_ERROR(sum.AddPart(first, from_us, HourStart(first + 1)));
  if (!ends_whole) ODOMETER_RETURN_IF_ERROR(sum.AddPart(last, HourStart(last), to_us));
  ODOMETER_RETURN_IF_ERROR(sum.AddHours(starts_whole ? first : first + 1, ends_whole ? last : last - 1));
  return sum.Take();
}

Result<OperationPage> ListOperations(const View& view, PartitionLog& log, const OperationQuery& query) {
  return OperationLister(view, log, query).List();
}

Result<UserProjects> ListUserProjects(const View& view, std::string_view tenant, std::string_view user,
                                      std::optional<std::string_view> after, size_t limit, int64_t hour) {
  UserProjects projects;
  KeyBuilder prefix;
  prefix.Begin(RowKind::kProjectUser).Text(tenant).Text(user);
  std::string after_key = after ? KeyBuilder(prefix).Text(*after).str() : std::string();
  Status scanned = ScanRows<ProjectRow>(view, prefix, [&](std::string_view key, ProjectRow& row) {
    KeyReader reader(key);
    std::string_view part, project;
    if (!reader.Text(&part) || !reader.Text(&part) || !reader.Text(&project)) return true;
    ++projects.count;
    AddProject(row, hour, &projects.total);
    if (key <= after_key) return true;
    projects.more = projects.page.size() == limit;
    if (!projects.more) projects.page.push_back({std::string(project), std::move(row)});
    return true;
  });
  if (!scanned.ok()) return scanned;
  return projects;
}

}  // namespace odometer
