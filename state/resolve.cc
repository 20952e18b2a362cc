#include "state/resolve.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace odometer {

namespace {

constexpr std::array<std::string_view, 11> kLevelNames = {
    "tenant_override", "user_override", "profile",       "fallback_profile", "built_in",    "user_project_quota",
    "user_quota",      "project_quota", "default_quota", "collection_quota", "tenant_quota"};

std::vector<Limit> LimitsOf(const std::vector<LimitItem>& items) {
  std::vector<Limit> limits;
  limits.reserve(items.size());
  for (const LimitItem& item : items) limits.push_back(item.ToLimit());
  return limits;
}

// One order of precedence: of each meter and window, the first level that says anything decides.
class Chain {
 public:
  Chain(const Subject& subject, std::vector<AppliedLimit>* limits) : subject_(subject), limits_(limits) {}

  void Add(const std::vector<Limit>& limits, Level level, Scope own, std::string_view source, const Uuid& definition) {
    for (const Limit& limit : limits) {
      size_t said = SaidAt(limit);
      if (said_[said]) continue;
      saying_.push_back(said);
      Scope scope = limit.over.value_or(own);
      if (!limit.cap || !LiesIn(scope, subject_)) continue;
      limits_->push_back({limit, scope, level, std::string(source), definition});
    }
    for (size_t said : saying_) said_[said] = true;
    saying_.clear();
  }

 private:
  static constexpr size_t kWindows = 9;
  static size_t SaidAt(const Limit& limit) {
    return static_cast<size_t>(limit.meter) * kWindows + static_cast<size_t>(limit.window);
  }

  const Subject& subject_;
  std::vector<AppliedLimit>* limits_;
  std::array<bool, (kMeters + 1) * kWindows> said_{};
  std::vector<size_t> saying_;
};

Scope ScopeOf(QuotaLevel level) {
  switch (level) {
    case QuotaLevel::kUserProject:
      return Scope::kUserInProject;
    case QuotaLevel::kUser:
      return Scope::kUser;
    case QuotaLevel::kProject:
    case QuotaLevel::kDefault:
      return Scope::kProject;
    case QuotaLevel::kCollection:
      return Scope::kCollection;
    case QuotaLevel::kTenant:
      return Scope::kTenant;
  }
  return Scope::kTenant;
}

bool IsSpokenOf(QuotaLevel level, const Subject& subject) {
  if (level == QuotaLevel::kDefault) return !subject.project.empty();
  return level == QuotaLevel::kTenant || LiesIn(ScopeOf(level), subject);
}

Status AddQuota(LimitSource& source, const PolicyRow& policy, QuotaLevel level, const Subject& subject, Chain* chain) {
  if (policy.quotas[static_cast<size_t>(level) - 1] == 0 || !IsSpokenOf(level, subject)) return Status::Ok();
  const LimitsRow* quota = nullptr;
  Subject own = QuotaSubject(level, subject);
  ODOMETER_ASSIGN(quota, source.Quota(level, own));
  if (quota == nullptr || quota->limits.empty()) return Status::Ok();
  auto at = static_cast<Level>(static_cast<uint8_t>(Level::kUserProjectQuota) + static_cast<uint8_t>(level) - 1);
  std::string_view whose = !own.collection.empty() ? own.collection : !own.project.empty() ? own.project : own.user;
  chain->Add(LimitsOf(quota->limits), at, ScopeOf(level), whose, quota->defined.id);
  return Status::Ok();
}

Status AddOverride(LimitSource& source, const Subject& subject, std::string_view user, Level level, Chain* chain) {
  const LimitsRow* row = nullptr;
  ODOMETER_ASSIGN(row, source.Override(subject.tenant, user));
  if (row != nullptr) chain->Add(LimitsOf(row->limits), level, Scope::kUser, user, row->defined.id);
  return Status::Ok();
}

Status AddUserLimits(LimitSource& source, const PolicyRow& policy, const Subject& subject,
                     std::vector<AppliedLimit>* limits) {
  if (subject.user.empty()) return Status::Ok();
  Chain chain(subject, limits);
  ODOMETER_RETURN_IF_ERROR(AddOverride(source, subject, "", Level::kTenantOverride, &chain));
  if (policy.user_overrides > 0)
    ODOMETER_RETURN_IF_ERROR(AddOverride(source, subject, subject.user, Level::kUserOverride, &chain));
  if (policy.assignments == 0) return Status::Ok();
  for (Level level : {Level::kProfile, Level::kFallbackProfile}) {
    std::optional<FoundProfile> profile;
    ODOMETER_RETURN_IF_ERROR(FindProfile(source, subject, level, &profile));
    if (profile) chain.Add(profile->limits, level, Scope::kUser, profile->name, profile->definition);
  }
  return Status::Ok();
}

}  // namespace

std::string_view LevelName(Level level) {
  auto n = static_cast<size_t>(level);
  return n >= 1 && n <= kLevelNames.size() ? kLevelNames[n - 1] : std::string_view();
}

bool LiesIn(Scope scope, const Subject& subject) {
  switch (scope) {
    case Scope::kTenant:
      return true;
    case Scope::kUser:
      return !subject.user.empty();
    case Scope::kProject:
      return !subject.project.empty();
    case Scope::kUserInProject:
      return !subject.user.empty() && !subject.project.empty();
    case Scope::kCollection:
      return !subject.project.empty() && !subject.collection.empty();
  }
  return false;
}

KeyBuilder& ProfileKey(KeyBuilder& key, std::string_view tenant, std::string_view name) {
  return key.Begin(RowKind::kProfile).Text(tenant).Text(name);
}
KeyBuilder& AssignmentKey(KeyBuilder& key, std::string_view tenant, std::string_view user) {
  return key.Begin(RowKind::kAssignment).Text(tenant).Text(user);
}
KeyBuilder& OverrideKey(KeyBuilder& key, std::string_view tenant, std::string_view user) {
  return key.Begin(RowKind::kOverride).Text(tenant).Text(user);
}
KeyBuilder& QuotaKey(KeyBuilder& key, QuotaLevel level, const Subject& own) {
  key.Begin(RowKind::kQuota).Text(own.tenant).Number(static_cast<int64_t>(level));
  return key.Text(own.user).Text(own.project).Text(own.collection);
}
KeyBuilder& UseKey(KeyBuilder& key, Scope scope, const Subject& subject) {
  bool has_user = scope == Scope::kUser || scope == Scope::kUserInProject;
  bool has_project = scope != Scope::kTenant && scope != Scope::kUser;
  key.Begin(RowKind::kLimitUse).Text(subject.tenant).Number(static_cast<int64_t>(scope));
  key.Text(has_user ? subject.user : std::string_view()).Text(has_project ? subject.project : std::string_view());
  return key.Text(scope == Scope::kCollection ? subject.collection : std::string_view());
}

Subject QuotaSubject(QuotaLevel level, const Subject& subject) {
  Subject own{.tenant = subject.tenant, .user = {}, .project = {}, .collection = {}};
  if (level == QuotaLevel::kUserProject || level == QuotaLevel::kUser) own.user = subject.user;
  bool has_project =
      level == QuotaLevel::kUserProject || level == QuotaLevel::kProject || level == QuotaLevel::kCollection;
  if (has_project) own.project = subject.project;
  if (level == QuotaLevel::kCollection) own.collection = subject.collection;
  return own;
}

Status FindProfile(LimitSource& source, const Subject& subject, Level level, std::optional<FoundProfile>* found) {
  found->reset();
  std::string_view whose = level == Level::kProfile ? subject.user : std::string_view();
  const AssignmentRow* assigned = nullptr;
  ODOMETER_ASSIGN(assigned, source.Assignment(subject.tenant, whose));
  if (assigned == nullptr || assigned->profile.empty()) return Status::Ok();
  const ProfileRow* profile = nullptr;
  ODOMETER_ASSIGN(profile, source.Profile(subject.tenant, assigned->profile));
  FoundProfile& its = found->emplace();
  its.name = assigned->profile;
  if (profile != nullptr && !profile->defined.id.is_nil()) {
    its.definition = profile->defined.id;
    its.limits = LimitsOf(profile->limits);
  } else if (const BuiltInProfile* built_in = FindBuiltIn(its.name)) {
    its.limits = built_in->limits;
  }
  return Status::Ok();
}

Status Resolve(LimitSource& source, const Subject& subject, std::vector<AppliedLimit>* limits) {
  limits->clear();
  const PolicyRow* policy = nullptr;
  ODOMETER_ASSIGN(policy, source.Policy(subject.tenant));
  if (policy == nullptr || policy->definitions == 0) return Status::Ok();
  ODOMETER_RETURN_IF_ERROR(AddUserLimits(source, *policy, subject, limits));
  Chain quotas(subject, limits);
  for (QuotaLevel level : {QuotaLevel::kUserProject, QuotaLevel::kUser, QuotaLevel::kProject, QuotaLevel::kDefault})
    ODOMETER_RETURN_IF_ERROR(AddQuota(source, *policy, level, subject, &quotas));
  for (QuotaLevel level : {QuotaLevel::kCollection, QuotaLevel::kTenant}) {
    Chain besides(subject, limits);
    ODOMETER_RETURN_IF_ERROR(AddQuota(source, *policy, level, subject, &besides));
  }
  auto order = [](const AppliedLimit& l) { return std::tuple(l.limit.meter, l.limit.window, l.level); };
  std::sort(limits->begin(), limits->end(),
            [&](const AppliedLimit& a, const AppliedLimit& b) { return order(a) < order(b); });
  return Status::Ok();
}

}  // namespace odometer
