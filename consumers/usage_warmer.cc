#include "consumers/usage_warmer.h"

#include <algorithm>
#include <utility>

namespace odometer {

void UsageWarmer::Want(const std::string& tenant, const std::string& project, const std::vector<int64_t>& hours,
                       Source source) {
  std::lock_guard lock(mutex_);
  auto work = std::find_if(wanted_.begin(), wanted_.end(), [&](const Work& wanted) {
    return wanted.tenant == tenant && wanted.project == project;
  });
  if (work == wanted_.end()) {
    if (wanted_.size() == kProjectsMax) return;
    work = wanted_.insert(wanted_.end(), Work{tenant, project, std::move(source), {}});
  }
  for (int64_t hour : hours) {
    if (work->hours.size() < kHoursMax) work->hours.push_back(hour);
  }
}

std::optional<int64_t> UsageWarmer::WarmSome() {
  if (hours_.empty() && !Begin()) return std::nullopt;
  if (!hours_.empty()) {
    int64_t hour = hours_.back();
    hours_.pop_back();
    WarmHour(hour);
  }
  return 0;
}

bool UsageWarmer::Begin() {
  {
    std::lock_guard lock(mutex_);
    if (wanted_.empty()) return false;
    work_ = std::move(wanted_.front());
    wanted_.pop_front();
  }
  hours_ = cache_.HoursOfAtLeast(kOperationsLeast, work_.tenant, work_.project);
  hours_.insert(hours_.end(), work_.hours.begin(), work_.hours.end());
  std::erase_if(hours_, [&](int64_t hour) {
    return cache_.MinutesOf(HourPostings(work_.tenant, work_.project, hour).view()) != nullptr;
  });
  cells_ = 0;
  return true;
}

void UsageWarmer::WarmHour(int64_t hour) {
  KeyBuilder list = HourPostings(work_.tenant, work_.project, hour);
  if (cache_.MinutesOf(list.view()) != nullptr) return;  // it was named and asked for
  auto minutes = std::make_shared<HourMinutes>();
  std::shared_ptr<const View> view = work_.source.newest();
  // What cannot be read is found again, and told, by who asks for that hour.
  if (!minutes->BringTo(*view, *work_.source.log, list).ok()) return;
  cells_ += minutes->CellCount();
  cache_.Keep(list.view(), minutes, minutes->CellCount());
  if (cells_ >= kCellsMax) hours_.clear();
}

}  // namespace odometer
