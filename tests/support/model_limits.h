// tests/support/model_limits.h: what docs/limits.md says without rows: which scopes a subject lies in, which of the
// limits that levels name apply to it, and what the amounts of a fact are. For the Model alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "tests/support/model_limit_rows.h"

namespace odometer::model {

// Levels as rows number them.
enum Level {
  kTenantOverride = 1,
  kUserOverride = 2,
  kAssignedProfile = 3,
  kFallbackProfile = 4,
  kUserProjectQuota = 6,
  kUserQuota = 7,
  kProjectQuota = 8,
  kDefaultQuota = 9,
  kCollectionQuota = 10,
  kTenantQuota = 11,
};

// What one level says.
struct Said {
  Level level = kTenantOverride;
  std::string source;
  EventId definition;
  Scope scope = Scope::kUser;  // of limits that do not say
  std::vector<Limit> limits;
};

struct Applying {
  Limit limit;  // with a cap
  Scope over = Scope::kUser;
  Level level = kTenantOverride;
  std::string source;
  EventId definition;
};

// What a fact adds to counters.
struct CountedFact {
  Subject subject;
  Amounts amounts;
  int64_t place_us = 0;
};

// The parts that the scope's row is named by; nullopt: the subject does not lie in the scope.
std::optional<Subject> PartsIn(Scope scope, const Subject& subject);
std::vector<Scope> ScopesOf(const Subject& subject);
// Of every (meter, window) the first level that says anything decides.
std::vector<Applying> Decide(const std::vector<Said>& levels, const Subject& subject);
// Gauges are what rows say, but over a user.
bool HasCounter(Window window);
// nullopt: no built-in profile has that name.
std::optional<std::vector<Limit>> BuiltInLimits(std::string_view name);
std::vector<Limit> InOrder(std::vector<Limit> limits);  // of meter, window
bool IsBudget(Meter meter);                             // tokens and cost

Amounts AmountsOf(const std::vector<Amount>& amounts);
Amounts AmountsOf(const Turn& turn);
Amounts AmountsOf(const Amendment& amendment);
Amounts AmountsOf(const Interaction& interaction);
Amounts AmountsOf(EventType type, const Operation& operation);
Amounts AmountsOf(const Usage& usage);
Amounts AmountsOf(const DayRow& day);

}  // namespace odometer::model
