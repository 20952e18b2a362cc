#include "consumers/usage_cache.h"

#include <algorithm>

#include "consumers/queries.h"
#include "state/hour_cell.h"

namespace odometer {
namespace {

KeyBuilder HoursOf(std::string_view tenant, std::string_view project) {
  KeyBuilder prefix;
  prefix.Begin(RowKind::kProjectHour).Text(tenant).Text(project);
  return prefix;
}

}  // namespace

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
  KeyBuilder prefix = HoursOf(tenant, project);
  std::shared_ptr<Project> mine = ProjectOf(prefix.view());
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
  Resize(prefix.view(), cells);
  return true;
}

std::shared_ptr<UsageCache::Project> UsageCache::ProjectOf(std::string_view prefix) {
  std::lock_guard lock(mutex_);
  auto [at, is_new] = projects_.try_emplace(std::string(prefix));
  if (is_new) at->second.project = std::make_shared<Project>();
  at->second.used_at = ++uses_;
  return at->second.project;
}

void UsageCache::Resize(std::string_view prefix, size_t cells) {
  std::lock_guard lock(mutex_);
  auto mine = projects_.find(prefix);
  if (mine == projects_.end()) return;
  // An empty one costs its place, too.
  cells_ += cells + 1 - mine->second.cells;
  mine->second.cells = cells + 1;
  auto drop = [&](auto at) {
    cells_ -= at->second.cells;
    projects_.erase(at);
  };
  if (cells > kCellsMax / 4) return drop(mine);
  while (cells_ > kCellsMax) {
    drop(std::min_element(projects_.begin(), projects_.end(),
                          [](const auto& a, const auto& b) { return a.second.used_at < b.second.used_at; }));
  }
}

size_t UsageCache::held() const {
  std::lock_guard lock(mutex_);
  return cells_;
}

}  // namespace odometer
