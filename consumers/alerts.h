// consumers/alerts.h: the alerts of a view: limits that were crossed, as the log tells them.
//
//   Result<AlertPage> page = NewestAlerts(view, "acme", {.user = "ann"}, UINT64_MAX, 50);
//   Result<AlertPage> next = AlertsFrom(view, "", offset, 100);    // of all tenants, in the order of the log
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/http/json_writer.h"
#include "state/limit_rows.h"
#include "state/store.h"

namespace odometer {

struct Alert {
  std::string tenant;
  uint64_t offset = 0;  // of its LimitCrossed
  CrossingRow row;
};

struct AlertFilter {
  std::optional<std::string> user;
  std::optional<std::string> project;
  int64_t percent = 0;  // at least
};

struct AlertPage {
  std::vector<Alert> alerts;
  std::optional<uint64_t> next;  // where the next page begins; nullopt: there is none
};

// Those below offset `before`, the newest first.
Result<AlertPage> NewestAlerts(const View& view, std::string_view tenant, const AlertFilter& filter, uint64_t before,
                               size_t limit);
// Those from an offset on, the oldest first; an empty tenant: of all. `next` is where to look again, also when all
// that there is was seen.
Result<AlertPage> AlertsFrom(const View& view, std::string_view tenant, uint64_t offset, size_t limit);

// As an object, within one that is open: its fields alone.
void WriteAlert(JsonWriter& json, uint32_t partition, const Alert& alert);

}  // namespace odometer
