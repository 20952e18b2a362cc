#include "core/limit.h"

#include <algorithm>

namespace odometer {

namespace {

constexpr std::array<std::string_view, 12> kMeterNames = {
    "requests",      "llm_calls", "config_changes", "input_tokens", "output_tokens", "total_tokens",
    "cost_nano_usd", "searches",  "operations",     "vectors",      "collections",   "bytes"};
constexpr std::array<std::string_view, 8> kWindowNames = {
    "rolling_minute", "rolling_hour", "rolling_24h", "hour", "day", "month", "lifetime", "gauge"};
constexpr std::array<std::string_view, 5> kScopeNames = {"tenant", "user", "project", "user_in_project", "collection"};
constexpr std::array<std::string_view, 2> kModeNames = {"hard", "soft"};
constexpr std::array<std::string_view, 3> kWhenUnavailableNames = {"allow", "deny", "last_known"};
constexpr std::array<std::string_view, 3> kEnforcementNames = {"on", "observe", "off"};
constexpr std::array<std::string_view, 6> kQuotaLevelNames = {"user_project", "user",       "project",
                                                              "default",      "collection", "tenant"};

template <class Names, class Enum>
std::string_view NameIn(const Names& names, Enum value) {
  auto n = static_cast<size_t>(value);
  return n >= 1 && n <= names.size() ? names[n - 1] : std::string_view();
}

template <class Enum, class Names>
std::optional<Enum> In(const Names& names, std::string_view name) {
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin() + 1);
}

BuiltInProfile MakeBuiltIn(std::string_view name, int64_t hourly, int64_t daily, int64_t config,
                           std::optional<int64_t> input, std::optional<int64_t> output) {
  BuiltInProfile profile{name, {}};
  auto add = [&](Meter meter, Window window, std::optional<int64_t> cap) {
    profile.limits.push_back({.meter = meter, .window = window, .over = {}, .cap = cap});
  };
  add(Meter::kRequests, Window::kRollingHour, hourly);
  add(Meter::kRequests, Window::kRolling24h, daily);
  add(Meter::kConfigChanges, Window::kRollingHour, config);
  add(Meter::kInputTokens, Window::kMonth, input);
  add(Meter::kOutputTokens, Window::kMonth, output);
  return profile;
}

}  // namespace

std::string_view MeterName(Meter meter) { return NameIn(kMeterNames, meter); }
std::string_view WindowName(Window window) { return NameIn(kWindowNames, window); }
std::string_view ScopeName(Scope scope) { return NameIn(kScopeNames, scope); }
std::string_view ModeName(LimitMode mode) { return NameIn(kModeNames, mode); }
std::string_view WhenUnavailableName(WhenUnavailable what) { return NameIn(kWhenUnavailableNames, what); }
std::string_view EnforcementName(Enforcement enforcement) { return NameIn(kEnforcementNames, enforcement); }
std::string_view QuotaLevelName(QuotaLevel level) { return NameIn(kQuotaLevelNames, level); }

std::optional<Meter> MeterFromName(std::string_view name) { return In<Meter>(kMeterNames, name); }
std::optional<Window> WindowFromName(std::string_view name) { return In<Window>(kWindowNames, name); }
std::optional<Scope> ScopeFromName(std::string_view name) { return In<Scope>(kScopeNames, name); }
std::optional<LimitMode> ModeFromName(std::string_view name) { return In<LimitMode>(kModeNames, name); }
std::optional<WhenUnavailable> WhenUnavailableFromName(std::string_view name) {
  return In<WhenUnavailable>(kWhenUnavailableNames, name);
}
std::optional<Enforcement> EnforcementFromName(std::string_view name) {
  return In<Enforcement>(kEnforcementNames, name);
}
std::optional<QuotaLevel> QuotaLevelFromName(std::string_view name) { return In<QuotaLevel>(kQuotaLevelNames, name); }

const std::vector<BuiltInProfile>& BuiltInProfiles() {
  static const std::vector<BuiltInProfile> profiles = {
      MakeBuiltIn("Free", 50, 500, 5, 100'000, 50'000),
      MakeBuiltIn("Pro", 200, 2'000, 20, 500'000, 250'000),
      MakeBuiltIn("Enterprise", 500, 5'000, 50, 2'000'000, 1'000'000),
      MakeBuiltIn("Unlimited", 1'000, 10'000, 100, std::nullopt, std::nullopt),
  };
  return profiles;
}

const BuiltInProfile* FindBuiltIn(std::string_view name) {
  const auto& profiles = BuiltInProfiles();
  auto found =
      std::find_if(profiles.begin(), profiles.end(), [&](const auto& profile) { return profile.name == name; });
  return found == profiles.end() ? nullptr : &*found;
}

}  // namespace odometer
