// Definitions, and which limits apply: sections 2 and 3 of docs/limits.md.

#include "tests/support/model.h"

namespace odometer {

using model::Int;
using model::RowName;
using model::Said;
using model::Subject;

model::PolicyRow Model::Policy() const {
  const model::PolicyRow* policy = Find(&Tables::policy, RowName("policy", event_.tenant).Take());
  return policy == nullptr ? model::PolicyRow() : *policy;
}

// --- Definitions

void Model::FoldDefinition() {
  const Definition& definition = event_.definition;
  model::PolicyRow& policy = Touch(&Tables::policy, RowName("policy", event_.tenant).Take());
  policy.definitions += 1;
  if (event_.type == EventType::kProfileDefined) DefineProfile(policy);
  if (event_.type == EventType::kProfileAssigned) AssignProfile(policy);
  if (event_.type == EventType::kLimitOverridden) {
    Int tenant_wide = 0;
    std::string name = RowName("override", event_.tenant).Text(definition.user).Take();
    SetLimits(Touch(&Tables::overridden, name), definition.user.empty() ? &tenant_wide : &policy.user_overrides);
  }
  if (event_.type == EventType::kQuotaSet) {
    RowName name("quota", event_.tenant);
    name.Number(static_cast<int64_t>(definition.level)).Text(definition.user).Text(definition.project);
    SetLimits(Touch(&Tables::quota, name.Text(definition.collection).Take()),
              &policy.quotas[static_cast<size_t>(definition.level) - 1]);
  }
  if (event_.type == EventType::kEnforcementSet && IsExpected(policy.enforced)) {
    policy.enforced = Definer(false);
    policy.enforcement = definition.enforcement;
  }
  if (event_.type == EventType::kZoneSet && IsExpected(policy.zoned)) {
    policy.zoned = Definer(false);
    policy.zone_name = definition.name;
    policy.zone = Zone{definition.first_offset_s, definition.shifts};
  }
}

void Model::DefineProfile(model::PolicyRow&) {
  const Definition& definition = event_.definition;
  model::ProfileRow& row =
      Touch(&Tables::profile, RowName("profile", event_.tenant).Text(definition.name).Take());
  if (!IsExpected(row.defined)) return;
  if (definition.is_deleted && row.assigned > 0) {
    refusal_ = Reason::kProfileInUse;
    return;
  }
  row.defined = Definer(definition.is_deleted);
  row.description = definition.description;
  row.limits = model::InOrder(definition.limits);
}

void Model::AssignProfile(model::PolicyRow& policy) {
  const Definition& definition = event_.definition;
  std::string profile(definition.name);
  model::AssignmentRow& row =
      Touch(&Tables::assignment, RowName("assignment", event_.tenant).Text(definition.user).Take());
  if (!profile.empty() && !HasProfile(profile)) {
    refusal_ = Reason::kUnknownProfile;
    return;
  }
  if (!IsExpected(row.defined)) return;
  auto count = [&](const std::string& name, Int change) {
    if (name.empty()) return;
    Touch(&Tables::profile, RowName("profile", event_.tenant).Text(name).Take()).assigned += change;
    policy.assignments += change;
  };
  count(row.profile, -1);
  row.profile = profile;
  count(row.profile, +1);
  row.defined = Definer(profile.empty());
}

void Model::SetLimits(model::LimitsRow& row, Int* rows_with_limits) {
  if (!IsExpected(row.defined)) return;
  *rows_with_limits += (event_.definition.limits.empty() ? 0 : 1) - (row.limits.empty() ? 0 : 1);
  row.defined = Definer(event_.definition.limits.empty());
  row.limits = model::InOrder(event_.definition.limits);
}

bool Model::IsExpected(const model::Defined& standing) {
  bool is_expected = event_.definition.expected.value_or(standing.id) == standing.id;
  if (!is_expected) refusal_ = Reason::kNotExpected;
  return is_expected;
}

model::Defined Model::Definer(bool is_taken_away) const {
  return {is_taken_away ? EventId() : event_.id, std::string(event_.definition.who),
          std::string(event_.definition.why)};
}

// --- What applies

bool Model::HasProfile(std::string_view name) const {
  const model::ProfileRow* row = Find(&Tables::profile, RowName("profile", event_.tenant).Text(name).Take());
  return (row != nullptr && !row->defined.id.is_nil()) || model::BuiltInLimits(name).has_value();
}

// A profile that the tenant has defined takes the place of the built-in one of its name.
Said Model::SaidByProfile(model::Level level, std::string_view user) const {
  Said said{level, "", EventId(), Scope::kUser, {}};
  std::string assigned = RowName("assignment", event_.tenant).Text(user).Take();
  const model::AssignmentRow* assignment = Find(&Tables::assignment, assigned);
  if (assignment == nullptr || assignment->profile.empty()) return said;
  said.source = assignment->profile;
  std::string name = RowName("profile", event_.tenant).Text(assignment->profile).Take();
  const model::ProfileRow* profile = Find(&Tables::profile, name);
  if (profile != nullptr && !profile->defined.id.is_nil()) {
    said.definition = profile->defined.id;
    said.limits = profile->limits;
  } else {
    said.limits = model::BuiltInLimits(assignment->profile).value_or(std::vector<Limit>());
  }
  return said;
}

Said Model::SaidByLimits(Rows<model::LimitsRow> Tables::* table, const std::string& name, Said said) const {
  const model::LimitsRow* row = Find(table, name);
  if (row == nullptr) return said;
  said.definition = row->defined.id;
  said.limits = row->limits;
  return said;
}

std::vector<model::Applying> Model::LimitsOn(const Subject& subject) const {
  auto override_of = [&](model::Level level, const std::string& user) {
    return SaidByLimits(&Tables::overridden, RowName("override", event_.tenant).Text(user).Take(),
                        {level, user, EventId(), Scope::kUser, {}});
  };
  auto quota = [&](model::Level level, QuotaLevel quota_level, Scope scope, const Subject& of) {
    RowName name("quota", event_.tenant);
    name.Number(static_cast<int64_t>(quota_level)).Text(of.user).Text(of.project).Text(of.collection);
    std::string source = !of.collection.empty() ? of.collection : !of.project.empty() ? of.project : of.user;
    return SaidByLimits(&Tables::quota, name.Take(), {level, source, EventId(), scope, {}});
  };
  bool has_user = !subject.user.empty();
  bool has_project = !subject.project.empty();

  std::vector<Said> of_user;
  if (has_user) {
    of_user = {override_of(model::kTenantOverride, ""), override_of(model::kUserOverride, subject.user),
               SaidByProfile(model::kAssignedProfile, subject.user), SaidByProfile(model::kFallbackProfile, "")};
  }

  std::vector<Said> quotas;
  if (has_user && has_project) {
    quotas.push_back(quota(model::kUserProjectQuota, QuotaLevel::kUserProject, Scope::kUserInProject,
                           {subject.user, subject.project, ""}));
  }
  if (has_user) quotas.push_back(quota(model::kUserQuota, QuotaLevel::kUser, Scope::kUser, {subject.user, "", ""}));
  if (has_project) {
    quotas.push_back(quota(model::kProjectQuota, QuotaLevel::kProject, Scope::kProject, {"", subject.project, ""}));
  }
  if (has_project) quotas.push_back(quota(model::kDefaultQuota, QuotaLevel::kDefault, Scope::kProject, {}));

  std::vector<model::Applying> all;
  auto decide = [&](const std::vector<Said>& levels) {
    for (model::Applying& applying : model::Decide(levels, subject)) all.push_back(std::move(applying));
  };
  decide(of_user);
  decide(quotas);
  if (model::PartsIn(Scope::kCollection, subject).has_value()) {
    decide({quota(model::kCollectionQuota, QuotaLevel::kCollection, Scope::kCollection,
                  {"", subject.project, subject.collection})});
  }
  decide({quota(model::kTenantQuota, QuotaLevel::kTenant, Scope::kTenant, {})});
  std::stable_sort(all.begin(), all.end(), [](const model::Applying& a, const model::Applying& b) {
    return std::tie(a.limit.meter, a.limit.window) < std::tie(b.limit.meter, b.limit.window);
  });
  return all;
}

}  // namespace odometer
