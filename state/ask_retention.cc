#include "state/ask_retention.h"

#include <algorithm>

#include "core/planted.h"
#include "state/keys.h"

namespace odometer {

namespace {

constexpr size_t kRemovedMost = 4096;  // by one commit, or four times as many as it makes

std::string KeyOf(const std::tuple<int64_t, std::string, Uuid>& place) {
  const auto& [gone_us, tenant, id] = place;
  return KeyBuilder().Begin(RowKind::kAskGone).Number(gone_us).Text(tenant).Id(id).str();
}

// The ask may have been made anew under its id: then the row is another's.
Status RemoveRow(RowTable<AskRow>& asks, const std::tuple<int64_t, std::string, Uuid>& place) {
  const auto& [gone_us, tenant, id] = place;
  auto node = asks.Find(KeyBuilder().Begin(RowKind::kAsk).Text(tenant).Id(id).view());
  if (!node.ok()) return node.status();
  if (*node != nullptr && (*node)->row.gone_us == gone_us) asks.Remove(*node);
  return Status::Ok();
}

}  // namespace

void AskRetention::Add(int64_t gone_us, std::string_view tenant, const Uuid& id) {
  made_.emplace_back(gone_us, tenant, id);
  next_us_ = std::min(next_us_, gone_us);
}

Status AskRetention::Remove(const Store& store, RowTable<AskRow>& asks, int64_t log_time_us) {
  removed_.clear();
  if (next_us_ > log_time_us || PlantedBug("gone_ask_kept")) return Status::Ok();
  std::sort(made_.begin(), made_.end());
  auto kept = std::find_if(made_.begin(), made_.end(),
                           [&](const Place& place) { return std::get<int64_t>(place) > log_time_us; });
  for (auto place = made_.begin(); place != kept; ++place) ODOMETER_RETURN_IF_ERROR(RemoveRow(asks, *place));
  made_.erase(made_.begin(), kept);
  return RemoveStored(store, asks, log_time_us);
}

Status AskRetention::RemoveStored(const Store& store, RowTable<AskRow>& asks, int64_t log_time_us) {
  size_t most = std::max(kRemovedMost, 4 * made_.size());
  // From where the last removal ended: what was deleted before costs a scan as much as what is there.
  std::string begin = KeyBuilder().Begin(RowKind::kAskGone).Number(next_us_).str();
  std::string end = PrefixEnd(KeyBuilder().Begin(RowKind::kAskGone).view());
  next_us_ = made_.empty() ? INT64_MAX : std::get<int64_t>(made_.front());
  ODOMETER_RETURN_IF_ERROR(store.NewView()->Scan(begin, end, [&](std::string_view key, std::string_view) {
    Place place;
    std::string_view tenant;
    KeyReader reader(key);
    if (!reader.Number(&std::get<int64_t>(place)) || !reader.Text(&tenant) || !reader.Id(&std::get<Uuid>(place)))
      return true;
    bool is_taken = std::get<int64_t>(place) <= log_time_us && removed_.size() < most;
    if (!is_taken) {
      next_us_ = std::min(next_us_, std::get<int64_t>(place));
      return false;
    }
    std::get<std::string>(place) = tenant;
    removed_.push_back(std::move(place));
    return true;
  }));
  for (const Place& place : removed_) ODOMETER_RETURN_IF_ERROR(RemoveRow(asks, place));
  return Status::Ok();
}

void AskRetention::WriteTo(RowBatch* batch) const {
  for (const Place& place : removed_) batch->Delete(KeyOf(place));
  for (const Place& place : made_) batch->Put(KeyOf(place), {});
}

void AskRetention::MarkClean() {
  made_.clear();
  removed_.clear();
}

}  // namespace odometer
