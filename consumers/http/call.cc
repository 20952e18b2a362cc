#include "consumers/http/call.h"

#include <charconv>

#include "core/event.h"
#include "core/utf8.h"

namespace odometer {
namespace {

Status Invalid(std::string_view name, std::string_view what) {
  return Status(Code::kInvalid, "the parameter '" + std::string(name) + "' " + std::string(what));
}

// kInvalid unless it may be the name of a user, session, project or tenant.
Status CheckName(std::string_view name, std::string_view text) {
  if (text.empty()) return Invalid(name, "is empty");
  if (text.size() > kIdTextBytesMax) return Invalid(name, "is longer than 256 bytes");
  return Status::Ok();
}

std::optional<int64_t> WholeNumber(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::string_view> Call::Parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Result<std::string> Call::PathText(size_t index) const {
  const std::string& text = path[index];
  if (text.empty()) return Status(Code::kInvalid, "a part of the path is empty");
  if (text.size() > kIdTextBytesMax) return Status(Code::kInvalid, "a part of the path is longer than 256 bytes");
  return text;
}

Result<std::string> Call::RequiredText(std::string_view name) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return Invalid(name, "is missing");
  ODOMETER_RETURN_IF_ERROR(CheckName(name, *text));
  return std::string(*text);
}

Result<std::optional<std::string>> Call::Text(std::string_view name) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return std::optional<std::string>();
  ODOMETER_RETURN_IF_ERROR(CheckName(name, *text));
  return std::optional<std::string>(*text);
}

Result<int64_t> Call::Number(std::string_view name, int64_t fallback, int64_t least, int64_t most) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return fallback;
  std::optional<int64_t> number = WholeNumber(*text);
  if (!number || *number < least || *number > most) {
    return Invalid(name, "is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *number;
}

Result<std::optional<int64_t>> Call::Time(std::string_view name) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return std::optional<int64_t>();
  if (std::optional<int64_t> us = WholeNumber(*text)) return us;
  // "+01:00" that was not escaped has become " 01:00" in a query.
  std::string time(*text);
  if (size_t space = time.rfind(' '); space != std::string::npos && space > 10) time[space] = '+';
  std::optional<int64_t> us = ParseTime(time);
  if (!us) return Invalid(name, "is neither an RFC 3339 time nor whole microseconds since 1970");
  return us;
}

Result<std::optional<Period>> Call::Month(std::string_view name) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return std::optional<Period>();
  std::optional<Period> period = Period::Parse(*text);
  if (!period) return Invalid(name, "is not a month such as 2023-11");
  return period;
}

Result<std::optional<Position>> Call::PositionToken(std::string_view name) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return std::optional<Position>();
  Result<Position> position = Position::FromToken(*text);
  if (!position.ok()) return Invalid(name, "is not a position, such as p3.1042, as an answer gave it");
  return std::optional<Position>(*position);
}

Result<size_t> Call::OneOf(std::string_view name, const std::vector<std::string_view>& names, size_t fallback) const {
  std::optional<std::string_view> text = Parameter(name);
  if (!text) return fallback;
  std::string all;
  for (size_t i = 0; i < names.size(); ++i) {
    if (*text == names[i]) return i;
    all += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  return Invalid(name, "is none of " + all);
}

Result<std::string> TenantOf(const HttpRequest& request) {
  Result<std::string_view> tenant = OnlyHeader(request, "odometer-tenant");
  if (!tenant.ok()) return tenant.status();
  if (tenant->empty()) return std::string("default");
  if (tenant->size() > kIdTextBytesMax)
    return Status(Code::kInvalid, "the header Odometer-Tenant is longer than 256 bytes");
  if (!IsUtf8(*tenant)) return Status(Code::kInvalid, "the header Odometer-Tenant is not UTF-8");
  return std::string(*tenant);
}

}  // namespace odometer
