// state/resolve.h: Resolve(), which limits apply to a subject, each with the level that decides it.
//
//   std::vector<AppliedLimit> limits;
//   Status resolved = Resolve(source, {.tenant = "acme", .user = "ann"}, &limits);
//
// A source looks up what is defined: the fold's in its tables, a read's in a view. Order of the levels, and why:
// docs/limits.md.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/period.h"
#include "core/status.h"
#include "state/keys.h"
#include "state/limit_rows.h"

namespace odometer {

// Where a limit comes from. The first five and the next four are two orders of precedence, each by itself.
enum class Level : uint8_t {
  kTenantOverride = 1,
  kUserOverride = 2,
  kProfile = 3,
  kFallbackProfile = 4,
  kBuiltIn = 5,  // no limits: nobody said anything
  kUserProjectQuota = 6,
  kUserQuota = 7,
  kProjectQuota = 8,
  kDefaultQuota = 9,
  kCollectionQuota = 10,  // besides
  kTenantQuota = 11,      // besides
};
std::string_view LevelName(Level level);  // "tenant_override", …

// Of whom; what is not known is empty.
struct Subject {
  std::string_view tenant;
  std::string_view user;
  std::string_view project;
  std::string_view collection;
};

struct AppliedLimit {
  Limit limit;
  Scope scope = Scope::kUser;  // the limit's `over`, or what its level speaks of
  Level level = Level::kBuiltIn;
  std::string source;  // the profile, or the user or project whose it is
  Uuid definition;     // the event; nil for a built-in profile
};

// Null rows: nothing there. What it gives lives as long as the source is not told of changes.
class LimitSource {
 public:
  virtual ~LimitSource() = default;
  virtual Result<const PolicyRow*> Policy(std::string_view tenant) = 0;
  virtual Result<const ProfileRow*> Profile(std::string_view tenant, std::string_view name) = 0;
  virtual Result<const AssignmentRow*> Assignment(std::string_view tenant, std::string_view user) = 0;
  virtual Result<const LimitsRow*> Override(std::string_view tenant, std::string_view user) = 0;
  // Of that level, the parts of the subject that it does not speak of left empty.
  virtual Result<const LimitsRow*> Quota(QuotaLevel level, const Subject& own) = 0;

  virtual Result<const LimitUseRow*> Use(Scope scope, const Subject& subject) = 0;
  virtual Result<const TenantRow*> Tenant(const Subject& subject) = 0;
  virtual Result<const AccountRow*> Account(const Subject& subject) = 0;
  virtual Result<const PeriodRow*> UserPeriod(const Subject& subject, Period period) = 0;
  virtual Result<const DayRow*> UserDay(const Subject& subject, int64_t day) = 0;
  virtual Result<const ProjectRow*> Project(const Subject& subject) = 0;
  virtual Result<const ProjectRow*> UserInProject(const Subject& subject) = 0;
  virtual Result<const CollectionRow*> Collection(const Subject& subject) = 0;
  virtual Result<const UserGaugesRow*> UserGauges(const Subject& subject) = 0;
};

// The subject of a quota of that level.
Subject QuotaSubject(QuotaLevel level, const Subject& subject);
// Whether a subject lies in a scope at all: nobody is no user.
bool LiesIn(Scope scope, const Subject& subject);
inline constexpr std::array<Scope, 5> kScopes = {Scope::kTenant, Scope::kUser, Scope::kProject, Scope::kUserInProject,
                                                 Scope::kCollection};
// Keys of the rows.
KeyBuilder& ProfileKey(KeyBuilder& key, std::string_view tenant, std::string_view name);
KeyBuilder& AssignmentKey(KeyBuilder& key, std::string_view tenant, std::string_view user);
KeyBuilder& OverrideKey(KeyBuilder& key, std::string_view tenant, std::string_view user);
KeyBuilder& QuotaKey(KeyBuilder& key, QuotaLevel level, const Subject& own);
KeyBuilder& UseKey(KeyBuilder& key, Scope scope, const Subject& subject);

// In the order of (meter, window), then of level.
Status Resolve(LimitSource& source, const Subject& subject, std::vector<AppliedLimit>* limits);

struct FoundProfile {
  std::string name;
  Uuid definition;  // nil: built in
  std::vector<Limit> limits;
};
// What the user has of that level, kProfile or kFallbackProfile; nullopt: none.
Status FindProfile(LimitSource& source, const Subject& subject, Level level, std::optional<FoundProfile>* found);

}  // namespace odometer
