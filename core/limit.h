// core/limit.h: the words of limits: what is counted (meter), for how long (window), over whom (scope), and what
// happens at the cap.
//
//   Limit limit{.meter = Meter::kRequests, .window = Window::kRollingHour, .cap = 50};
//   MeterName(limit.meter);   // "requests"
//
// The numbers are those of schemas/event.fbs. Docs: docs/limits.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace odometer {

// Amounts are counts, but for cost (nano-dollars) and bytes.
enum class Meter : uint8_t {
  kRequests = 1,
  kLlmCalls = 2,
  kConfigChanges = 3,
  kInputTokens = 4,  // all input buckets together
  kOutputTokens = 5,
  kTotalTokens = 6,
  kCost = 7,
  kSearches = 8,
  kOperations = 9,  // of vectors, searches included
  kVectors = 10,
  kCollections = 11,
  kBytes = 12,
};
inline constexpr size_t kMeters = 12;

// Rolling: the span before a moment, in steps of 1 s, 1 min, 1 h; the oldest step counts whole. Calendar hours, days
// and months are those of the tenant's zone.
enum class Window : uint8_t {
  kRollingMinute = 1,
  kRollingHour = 2,
  kRolling24h = 3,
  kHour = 4,
  kDay = 5,
  kMonth = 6,
  kLifetime = 7,
  kGauge = 8,  // what there is now
};

enum class Scope : uint8_t { kTenant = 1, kUser = 2, kProject = 3, kUserInProject = 4, kCollection = 5 };

enum class LimitMode : uint8_t { kHard = 1, kSoft = 2 };  // soft: warns and lets through
enum class WhenUnavailable : uint8_t { kAllow = 1, kDeny = 2, kLastKnown = 3 };
enum class Enforcement : uint8_t { kOn = 1, kObserve = 2, kOff = 3 };  // observe: decides and records, lets through

// Who a QuotaSet speaks of. kDefault: each project that none of the three above says anything of; kCollection and
// kTenant are checked besides.
enum class QuotaLevel : uint8_t {
  kUserProject = 1,
  kUser = 2,
  kProject = 3,
  kDefault = 4,
  kCollection = 5,
  kTenant = 6,
};

struct Limit {
  Meter meter = Meter::kRequests;
  Window window = Window::kRollingHour;
  std::optional<Scope> over;   // absent: what its level speaks of
  std::optional<int64_t> cap;  // absent: no limit, and no lower level is asked; 0: nothing is allowed
  LimitMode mode = LimitMode::kHard;
  WhenUnavailable when_unavailable = WhenUnavailable::kDeny;
  friend bool operator==(const Limit&, const Limit&) = default;
};

struct Amount {
  Meter meter = Meter::kRequests;
  int64_t amount = 0;
  friend bool operator==(const Amount&, const Amount&) = default;
};

inline constexpr size_t kLimitsMax = 64;        // of one definition
inline constexpr size_t kAmountsMax = kMeters;  // of one ask, each meter once

// "input_tokens", "rolling_24h", "user_in_project", …; "" for a number that is none.
std::string_view MeterName(Meter meter);
std::string_view WindowName(Window window);
std::string_view ScopeName(Scope scope);
std::string_view ModeName(LimitMode mode);
std::string_view WhenUnavailableName(WhenUnavailable what);
std::string_view EnforcementName(Enforcement enforcement);
std::string_view QuotaLevelName(QuotaLevel level);
std::optional<Meter> MeterFromName(std::string_view name);
std::optional<Window> WindowFromName(std::string_view name);
std::optional<Scope> ScopeFromName(std::string_view name);
std::optional<LimitMode> ModeFromName(std::string_view name);
std::optional<WhenUnavailable> WhenUnavailableFromName(std::string_view name);
std::optional<Enforcement> EnforcementFromName(std::string_view name);
std::optional<QuotaLevel> QuotaLevelFromName(std::string_view name);

// Vectors, collections and bytes are there or not; all else happens.
inline bool IsGauge(Meter meter) { return meter >= Meter::kVectors; }
// Whether the two belong together: a gauge is limited by what there is now, all else in a window.
inline bool CanLimit(Meter meter, Window window) { return IsGauge(meter) == (window == Window::kGauge); }
inline bool IsRolling(Window window) { return window <= Window::kRolling24h; }
inline bool IsCalendar(Window window) { return window >= Window::kHour && window <= Window::kMonth; }

// A profile that every tenant has without defining it; one that it defines by the same name takes its place.
struct BuiltInProfile {
  std::string_view name;
  std::vector<Limit> limits;
};
const std::vector<BuiltInProfile>& BuiltInProfiles();  // Free, Pro, Enterprise, Unlimited
const BuiltInProfile* FindBuiltIn(std::string_view name);

}  // namespace odometer
