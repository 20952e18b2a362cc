// state/limit_view.h: LimitView, limits as of a view: what `check`, listings and `explain` read.
//
//   LimitView source(*view);
//   Resolve(source, subject, &limits);
//
// Confined to one thread; the view outlives it.
#pragma once

#include <any>
#include <deque>
#include <span>

#include "state/resolve.h"
#include "state/store.h"

namespace odometer {

class LimitView : public LimitSource {
 public:
  explicit LimitView(const View& view) : view_(view) {}

  Result<const PolicyRow*> Policy(std::string_view tenant) override;
  Result<const ProfileRow*> Profile(std::string_view tenant, std::string_view name) override;
  Result<const AssignmentRow*> Assignment(std::string_view tenant, std::string_view user) override;
  Result<const LimitsRow*> Override(std::string_view tenant, std::string_view user) override;
  Result<const LimitsRow*> Quota(QuotaLevel level, const Subject& own) override;
  Result<const LimitUseRow*> Use(Scope scope, const Subject& subject) override;
  Result<const TenantRow*> Tenant(const Subject& subject) override;
  Result<const AccountRow*> Account(const Subject& subject) override;
  Result<const PeriodRow*> UserPeriod(const Subject& subject, Period period) override;
  Result<const DayRow*> UserDay(const Subject& subject, int64_t day) override;
  Result<const ProjectRow*> Project(const Subject& subject) override;
  Result<const ProjectRow*> UserInProject(const Subject& subject) override;
  Result<const CollectionRow*> Collection(const Subject& subject) override;
  Result<const UserGaugesRow*> UserGauges(const Subject& subject) override;

  // The verdict that an ask would get now; `at_us` as of the read. A hold or a lease may be one too many.
  Result<Verdict> Check(const Subject& subject, std::span<const Amount> amounts, int64_t at_us, bool is_hold = false);

 private:
  template <class Row>
  Result<const Row*> Read(const KeyBuilder& key);

  const View& view_;
  KeyBuilder key_;
  std::deque<std::any> rows_;  // all that were read
};

}  // namespace odometer
