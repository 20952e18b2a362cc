#include "consumers/queries_sessions.h"

#include <algorithm>
#include <utility>

namespace odometer {

Result<std::optional<std::vector<std::string>>> ListSessions(const View& view, std::string_view tenant,
                                                             std::string_view user) {
  using Names = std::vector<std::string>;
  auto account = view.Get(KeyBuilder().Begin(RowKind::kAccount).Text(tenant).Text(user).view());
  if (!account.ok()) return account.status();
  if (!account->has_value()) return std::optional<Names>();
  std::vector<std::pair<int64_t, std::string>> found;  // last event, negated, and name
  KeyBuilder prefix;
  prefix.Begin(RowKind::kSession).Text(tenant).Text(user);
  ODOMETER_RETURN_IF_ERROR(ScanRows<SessionRow>(view, prefix, [&](std::string_view key, const SessionRow& row) {
    KeyReader reader(key);
    std::string_view text;
    for (int i = 0; i < 3; ++i) reader.Text(&text);
    found.emplace_back(-row.last_us, text);
    return true;
  }));
  std::sort(found.begin(), found.end());
  Names names;
  names.reserve(found.size());
  for (auto& [time, name] : found) names.push_back(std::move(name));
  return std::optional<Names>(std::move(names));
}

}  // namespace odometer
