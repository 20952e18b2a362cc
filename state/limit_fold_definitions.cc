// The definitions of LimitFold: profiles, who has which, overrides, quotas, enforcement and zone.

#include <algorithm>

#include "core/placement.h"
#include "state/limit_fold.h"

namespace odometer {

namespace {

template <class Row, class Table>
Result<const Row*> RowIn(Table& table, std::string_view key) {
  auto node = table.Find(key);
  if (!node.ok()) return node.status();
  return *node == nullptr ? static_cast<const Row*>(nullptr) : &(*node)->row;
}

template <class Table>
Result<typename Table::Node*> MakeIn(Table& table, std::string_view key) {
  auto node = table.FindOrMake(key);
  if (!node.ok()) return node.status();
  (*node)->made = false;  // a definition is refused before its row is made
  return *node;
}

bool IsExpected(const Definition& definition, const Uuid& standing) {
  return !definition.expected || *definition.expected == standing;
}

std::vector<LimitItem> ItemsOf(const std::vector<Limit>& limits) {
  std::vector<LimitItem> items;
  items.reserve(limits.size());
  for (const Limit& limit : limits) items.push_back(LimitItem::Of(limit));
  std::sort(items.begin(), items.end(), [](const LimitItem& a, const LimitItem& b) {
    return std::pair(a.meter, a.window) < std::pair(b.meter, b.window);
  });
  return items;
}

// What was taken away stands no more: its id is nil again.
Defined DefinedBy(const Event& event, bool stands) {
  Defined defined;
  if (stands) defined.id = event.id;
  defined.who = event.definition.who;
  defined.why = event.definition.why;
  return defined;
}

}  // namespace

Result<const PolicyRow*> LimitFold::PolicyIn(uint32_t slot, std::string_view tenant) {
  KnownPolicy& known = policies_[slot];
  if (known.of == tables_.policies.generation() && IsSameName(known.tenant, tenant)) return known.row;
  Result<const PolicyRow*> found =
      RowIn<PolicyRow>(tables_.policies, tables_.key.Begin(RowKind::kPolicy).Text(tenant).view());
  if (found.ok()) known = {std::string(tenant), *found, tables_.policies.generation()};
  return found;
}
Result<const ProfileRow*> LimitFold::Profile(std::string_view tenant, std::string_view name) {
  return RowIn<ProfileRow>(tables_.profiles, ProfileKey(tables_.key, tenant, name).view());
}
Result<const AssignmentRow*> LimitFold::Assignment(std::string_view tenant, std::string_view user) {
  return RowIn<AssignmentRow>(tables_.assignments, AssignmentKey(tables_.key, tenant, user).view());
}
Result<const LimitsRow*> LimitFold::Override(std::string_view tenant, std::string_view user) {
  return RowIn<LimitsRow>(tables_.overrides, OverrideKey(tables_.key, tenant, user).view());
}
Result<const LimitsRow*> LimitFold::Quota(QuotaLevel level, const Subject& own) {
  return RowIn<LimitsRow>(tables_.quotas, QuotaKey(tables_.key, level, own).view());
}

Result<const LimitUseRow*> LimitFold::Use(Scope scope, const Subject& subject) {
  return RowIn<LimitUseRow>(tables_.limit_uses, UseKey(tables_.key, scope, subject).view());
}
Result<const TenantRow*> LimitFold::Tenant(const Subject& subject) {
  return RowIn<TenantRow>(tables_.tenants, tables_.key.Begin(RowKind::kTenant).Text(subject.tenant).view());
}
// Its tally is closed: the rows of a user's period and day are whole after this, too.
Result<const AccountRow*> LimitFold::Account(const Subject& subject) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kAccount).Text(subject.tenant).Text(subject.user);
  Result<AccountNode*> account = tables_.accounts.Find(key.view());
  if (!account.ok()) return account.status();
  if (*account == nullptr) return static_cast<const AccountRow*>(nullptr);
  tables_.CloseTally(*account);
  return static_cast<const AccountRow*>(&(*account)->row);
}
Result<const PeriodRow*> LimitFold::UserPeriod(const Subject& subject, Period period) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kPeriod).Text(subject.tenant).Text(subject.user);
  return RowIn<PeriodRow>(tables_.periods, key.Number(period.month).view());
}
Result<const DayRow*> LimitFold::UserDay(const Subject& subject, int64_t day) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kDay).Text(subject.tenant).Text(subject.user);
  return RowIn<DayRow>(tables_.days, key.Number(day).view());
}
Result<const ProjectRow*> LimitFold::Project(const Subject& subject) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kProject).Text(subject.tenant).Text(subject.project);
  return RowIn<ProjectRow>(tables_.projects, key.view());
}
Result<const ProjectRow*> LimitFold::UserInProject(const Subject& subject) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kProjectUser).Text(subject.tenant).Text(subject.user);
  return RowIn<ProjectRow>(tables_.project_users, key.Text(subject.project).view());
}
Result<const CollectionRow*> LimitFold::Collection(const Subject& subject) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kCollection).Text(subject.tenant).Text(subject.project);
  return RowIn<CollectionRow>(tables_.collections, key.Text(subject.collection).view());
}

Result<const UserGaugesRow*> LimitFold::UserGauges(const Subject& subject) {
  KeyBuilder& key = tables_.key.Begin(RowKind::kUserGauges).Text(subject.tenant).Text(subject.user);
  return RowIn<UserGaugesRow>(tables_.user_gauges, key.view());
}

Result<Reason> LimitFold::FoldDefinition(const Event& event) {
  auto found = MakeIn(tables_.policies, tables_.key.Begin(RowKind::kPolicy).Text(event.tenant).view());
  if (!found.ok()) return found.status();
  auto* policy = *found;
  Result<Reason> defined = Define(event, &policy->row);
  if (!defined.ok() || *defined != Reason::kNone) return defined;
  ++policy->row.definitions;
  tables_.policies.MarkDirty(policy);
  policies_[SlotOf(event.tenant)] = KnownPolicy();
  last_resolved_ = nullptr;
  resolved_.clear();
  return Reason::kNone;
}

Result<Reason> LimitFold::Define(const Event& event, PolicyRow* policy) {
  const Definition& definition = event.definition;
  switch (event.type) {
    case EventType::kProfileDefined:
      return DefineProfile(event);
    case EventType::kProfileAssigned:
      return Assign(event, policy);
    case EventType::kLimitOverridden: {
      int64_t tenant_wide = 0;
      OverrideKey(tables_.key, event.tenant, definition.user);
      return DefineLimits(tables_.overrides, event, definition.user.empty() ? &tenant_wide : &policy->user_overrides);
    }
    case EventType::kQuotaSet: {
      Subject own{event.tenant, definition.user, definition.project, definition.collection};
      QuotaKey(tables_.key, definition.level, own);
      return DefineLimits(tables_.quotas, event, &policy->quotas[static_cast<size_t>(definition.level) - 1]);
    }
    case EventType::kEnforcementSet:
      if (!IsExpected(definition, policy->enforced.id)) return Reason::kNotExpected;
      policy->enforced = DefinedBy(event, true);
      policy->enforcement = static_cast<uint8_t>(definition.enforcement);
      return Reason::kNone;
    case EventType::kZoneSet:
      if (!IsExpected(definition, policy->zoned.id)) return Reason::kNotExpected;
      policy->zoned = DefinedBy(event, true);
      policy->zone = definition.name;
      policy->first_offset_s = definition.first_offset_s;
      policy->shifts.clear();
      for (const ZoneShift& shift : definition.shifts) {
        policy->shifts.push_back(shift.at_us);
        policy->shifts.push_back(shift.offset_s);
      }
      return Reason::kNone;
    default:
      ODOMETER_CHECK(false && "not a definition");
  }
  return Reason::kNone;
}

Result<Reason> LimitFold::DefineProfile(const Event& event) {
  const Definition& definition = event.definition;
  auto node = MakeIn(tables_.profiles, ProfileKey(tables_.key, event.tenant, definition.name).view());
  if (!node.ok()) return node.status();
  ProfileRow& row = (*node)->row;
  if (!IsExpected(definition, row.defined.id)) return Reason::kNotExpected;
  if (definition.is_deleted && row.assigned > 0) return Reason::kProfileInUse;
  row.defined = DefinedBy(event, !definition.is_deleted);
  row.description = definition.description;
  row.limits = ItemsOf(definition.limits);
  tables_.profiles.MarkDirty(*node);
  return Reason::kNone;
}

Result<Reason> LimitFold::Assign(const Event& event, PolicyRow* policy) {
  const Definition& definition = event.definition;
  if (!definition.name.empty() && FindBuiltIn(definition.name) == nullptr) {
    Result<const ProfileRow*> profile = Profile(event.tenant, definition.name);
    if (!profile.ok()) return profile.status();
    if (*profile == nullptr || (*profile)->defined.id.is_nil()) return Reason::kUnknownProfile;
  }
  auto node = MakeIn(tables_.assignments, AssignmentKey(tables_.key, event.tenant, definition.user).view());
  if (!node.ok()) return node.status();
  AssignmentRow& row = (*node)->row;
  if (!IsExpected(definition, row.defined.id)) return Reason::kNotExpected;
  ODOMETER_RETURN_IF_ERROR(CountAssigned(event.tenant, row.profile, -1));
  ODOMETER_RETURN_IF_ERROR(CountAssigned(event.tenant, definition.name, 1));
  policy->assignments += (definition.name.empty() ? 0 : 1) - (row.profile.empty() ? 0 : 1);
  row.defined = DefinedBy(event, !definition.name.empty());
  row.profile = definition.name;
  tables_.assignments.MarkDirty(*node);
  return Reason::kNone;
}

Status LimitFold::CountAssigned(std::string_view tenant, std::string_view profile, int64_t change) {
  if (profile.empty()) return Status::Ok();
  auto node = MakeIn(tables_.profiles, ProfileKey(tables_.key, tenant, profile).view());
  if (!node.ok()) return node.status();
  (*node)->row.assigned += change;
  tables_.profiles.MarkDirty(*node);
  return Status::Ok();
}

// Its key is in tables_.key. `standing` counts the rows that say something.
Result<Reason> LimitFold::DefineLimits(RowTable<LimitsRow>& table, const Event& event, int64_t* standing) {
  const Definition& definition = event.definition;
  auto node = MakeIn(table, tables_.key.view());
  if (!node.ok()) return node.status();
  LimitsRow& row = (*node)->row;
  if (!IsExpected(definition, row.defined.id)) return Reason::kNotExpected;
  *standing += (definition.limits.empty() ? 0 : 1) - (row.limits.empty() ? 0 : 1);
  row.defined = DefinedBy(event, !definition.limits.empty());
  row.limits = ItemsOf(definition.limits);
  table.MarkDirty(*node);
  return Reason::kNone;
}

// The zone of the policy last asked for is kept: its shifts are many.
const Zone& LimitFold::ZoneOf(const PolicyRow* policy) {
  static const Zone kUtc;
  if (policy == nullptr || policy->zoned.id.is_nil()) return kUtc;
  if (zone_id_ != policy->zoned.id) {
    zone_ = policy->ToZone();
    zone_id_ = policy->zoned.id;
  }
  return zone_;
}

}  // namespace odometer
