#include "state/limit_view.h"

#include "state/codec.h"
#include "state/standing.h"

namespace odometer {

template <class Row>
Result<const Row*> LimitView::Read(const KeyBuilder& key) {
  Result<std::optional<std::string>> bytes = view_.Get(key.view());
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return static_cast<const Row*>(nullptr);
  Row row;
  if (!DecodeRow(**bytes, &row)) return Status(Code::kCorrupt, "store: a row of limits cannot be read");
  return static_cast<const Row*>(std::any_cast<Row>(&rows_.emplace_back(std::move(row))));
}

Result<const PolicyRow*> LimitView::Policy(std::string_view tenant) {
  return Read<PolicyRow>(key_.Begin(RowKind::kPolicy).Text(tenant));
}
Result<const ProfileRow*> LimitView::Profile(std::string_view tenant, std::string_view name) {
  return Read<ProfileRow>(ProfileKey(key_, tenant, name));
}
Result<const AssignmentRow*> LimitView::Assignment(std::string_view tenant, std::string_view user) {
  return Read<AssignmentRow>(AssignmentKey(key_, tenant, user));
}
Result<const LimitsRow*> LimitView::Override(std::string_view tenant, std::string_view user) {
  return Read<LimitsRow>(OverrideKey(key_, tenant, user));
}
Result<const LimitsRow*> LimitView::Quota(QuotaLevel level, const Subject& own) {
  return Read<LimitsRow>(QuotaKey(key_, level, own));
}
Result<const LimitUseRow*> LimitView::Use(Scope scope, const Subject& subject) {
  return Read<LimitUseRow>(UseKey(key_, scope, subject));
}
Result<const TenantRow*> LimitView::Tenant(const Subject& subject) {
  return Read<TenantRow>(key_.Begin(RowKind::kTenant).Text(subject.tenant));
}
Result<const AccountRow*> LimitView::Account(const Subject& subject) {
  return Read<AccountRow>(key_.Begin(RowKind::kAccount).Text(subject.tenant).Text(subject.user));
}
Result<const PeriodRow*> LimitView::UserPeriod(const Subject& subject, Period period) {
  return Read<PeriodRow>(key_.Begin(RowKind::kPeriod).Text(subject.tenant).Text(subject.user).Number(period.month));
}
Result<const DayRow*> LimitView::UserDay(const Subject& subject, int64_t day) {
  return Read<DayRow>(key_.Begin(RowKind::kDay).Text(subject.tenant).Text(subject.user).Number(day));
}
Result<const ProjectRow*> LimitView::Project(const Subject& subject) {
  return Read<ProjectRow>(key_.Begin(RowKind::kProject).Text(subject.tenant).Text(subject.project));
}
Result<const ProjectRow*> LimitView::UserInProject(const Subject& subject) {
  return Read<ProjectRow>(
      key_.Begin(RowKind::kProjectUser).Text(subject.tenant).Text(subject.user).Text(subject.project));
}
Result<const CollectionRow*> LimitView::Collection(const Subject& subject) {
  return Read<CollectionRow>(
      key_.Begin(RowKind::kCollection).Text(subject.tenant).Text(subject.project).Text(subject.collection));
}
Result<const UserGaugesRow*> LimitView::UserGauges(const Subject& subject) {
  return Read<UserGaugesRow>(key_.Begin(RowKind::kUserGauges).Text(subject.tenant).Text(subject.user));
}

Result<Verdict> LimitView::Check(const Subject& subject, std::span<const Amount> amounts, int64_t at_us, bool is_hold) {
  Result<const PolicyRow*> policy = Policy(subject.tenant);
  if (!policy.ok()) return policy.status();
  AskedOf asked{.at_us = at_us,
                .amounts = amounts,
                .enforcement = Enforcement::kOn,
                .zone = nullptr,
                .has_too_many_holds = false};
  Zone zone;
  if (*policy != nullptr) {
    zone = (*policy)->ToZone();
    asked.enforcement = static_cast<Enforcement>((*policy)->enforcement);
  }
  asked.zone = &zone;
  std::vector<AppliedLimit> limits;
  std::vector<Standing> standings;
  std::deque<Counter> made;
  if (asked.enforcement != Enforcement::kOff) ODOMETER_RETURN_IF_ERROR(Resolve(*this, subject, &limits));
  for (const AppliedLimit& limit : limits) {
    Result<Standing> standing = StandingOf(*this, limit, subject, zone, at_us, &made);
    if (!standing.ok()) return standing.status();
    standings.push_back(*standing);
  }
  if (is_hold) {
    Result<const LimitUseRow*> use = Use(HoldOwner(subject), subject);
    if (!use.ok()) return use.status();
    asked.has_too_many_holds = *use != nullptr && (*use)->open_holds >= kOpenHoldsMax;
  }
  return Judge(asked, standings);
}

}  // namespace odometer
