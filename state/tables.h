// state/tables.h: Tables, every kind of row of one partition in RAM, under one memory cap.
#pragma once

#include <functional>

#include "state/limit_rows.h"
#include "state/name_ids.h"
#include "state/postings.h"
#include "state/streams.h"
#include "state/table.h"
#include "state/turn_tally.h"

namespace odometer {

// Of an account: the rows that its events nearly always move with it, as of generation `of` of their tables.
template <>
struct NodeHints<AccountRow> {
  uint64_t of = 0;
  RowTable<TenantRow>::Node* tenant = nullptr;
  RowTable<SessionRow>::Node* session = nullptr;  // of the last turn that was in one
  uint64_t session_digest = 0;                    // of its name
  PendingList postings;
  TurnTally tally;
  int64_t month = 0;
  int64_t day = 0;
  RowTable<PeriodRow>::Node* period = nullptr;
  RowTable<DayRow>::Node* in_day = nullptr;
};
// Of a tenant: where the names are that its turns give again and again. The ids are of Tables::names.
template <>
struct NodeHints<TenantRow> {
  struct ServiceDay {
    uint32_t service = 0, operation = 0, model = 0;
    RowTable<ServiceDayRow>::Node* node = nullptr;
  };
  std::array<uint32_t, 8> models{};     // of the first names in the row's table; 0: not known
  std::array<uint32_t, 4> providers{};  // likewise
  int64_t day = kNever;                 // of services
  uint64_t of = 0;                      // generation of the service days
  std::array<ServiceDay, 16> services{};
  uint32_t next_service = 0;
};
template <>
struct NodeHints<SessionRow> {
  PendingList postings;
};
template <>
struct NodeHints<ProjectRow> {
  PendingList postings;  // of a project, not of a user in it
  // Likewise: the minute of its last operation, as of generation `minute_of` of their table.
  int64_t minute = kNever;
  uint64_t minute_of = 0;
  RowTable<ProjectMinuteRow>::Node* in_minute = nullptr;
  // Of a user in a project: the rows that their operations nearly always move with it, as of generation `of`.
  uint64_t of = 0;
  int64_t hour = kNever;  // of in_hour, and of the day of `service`
  RowTable<TenantRow>::Node* tenant = nullptr;
  RowTable<ProjectRow>::Node* project = nullptr;
  RowTable<ProjectHourRow>::Node* in_hour = nullptr;
  RowTable<ServiceDayRow>::Node* service = nullptr;  // the last
  RowTable<UserGaugesRow>::Node* gauges = nullptr;   // null: not looked up yet
  std::array<RowTable<CollectionRow>::Node*, 4> collections{};
  uint32_t next_collection = 0;
};

struct Tables {
  explicit Tables(Store& store)
      : tenants(store),
        accounts(store),
        periods(store),
        days(store),
        sessions(store),
        subscriptions(store),
        projects(store),
        project_users(store),
        collections(store),
        project_hours(store),
        project_minutes(store),
        user_gauges(store),
        service_days(store),
        streams(store),
        ids(store),
        profiles(store),
        assignments(store),
        overrides(store),
        quotas(store),
        policies(store),
        limit_uses(store),
        asks(store) {}

  RowTable<TenantRow> tenants;
  RowTable<AccountRow> accounts;
  RowTable<PeriodRow> periods;
  RowTable<DayRow> days;
  RowTable<SessionRow> sessions;
  RowTable<SubscriptionRow> subscriptions;
  RowTable<ProjectRow> projects;
  RowTable<ProjectRow> project_users;
  RowTable<CollectionRow> collections;
  RowTable<ProjectHourRow> project_hours;
  RowTable<ProjectMinuteRow> project_minutes;
  RowTable<UserGaugesRow> user_gauges;
  RowTable<ServiceDayRow> service_days;
  RowTable<StreamRow> streams;
  RowTable<IdRow> ids;
  RowTable<ProfileRow> profiles;
  RowTable<AssignmentRow> assignments;
  RowTable<LimitsRow> overrides;
  RowTable<LimitsRow> quotas;
  RowTable<PolicyRow> policies;
  RowTable<LimitUseRow> limit_uses;
  RowTable<AskRow> asks;

  PendingPostings pending;
  NameIds names;
  KeyBuilder key;

  template <class F>
  void ForEach(F&& f) {
    f(tenants);
    f(accounts);
    f(periods);
    f(days);
    f(sessions);
    f(subscriptions);
    f(projects);
    f(project_users);
    f(collections);
    f(project_hours);
    f(project_minutes);
    f(user_gauges);
    f(service_days);
    f(streams);
    f(ids);
    f(profiles);
    f(assignments);
    f(overrides);
    f(quotas);
    f(policies);
    f(limit_uses);
    f(asks);
  }

  // Moves on when a hint of an account may be void.
  uint64_t hints_generation() const {
    return tenants.generation() + periods.generation() + days.generation() + sessions.generation();
  }
  // Likewise, a hint of a user in a project.
  uint64_t project_hints_generation() const {
    return tenants.generation() + projects.generation() + project_hours.generation() + service_days.generation() +
           collections.generation() + user_gauges.generation();
  }
  // Adds what an account's tally holds to its account, period and day, and closes it. Before any of the three is read.
  void CloseTally(RowTable<AccountRow>::Node* account);
  // Every changed row and new posting, in key order; `between` puts in what stands between two kinds: it is asked for
  // the rows of kinds that no table holds.
  void WriteTo(RowBatch* batch, const std::function<void(RowKind)>& between);
  // What WriteTo() has written is clean.
  void MarkClean();
  // And in the store.
  void TakeOutRemoved();

 private:
  void CloseTallies();
};

using TenantNode = RowTable<TenantRow>::Node;
using AccountNode = RowTable<AccountRow>::Node;
using PeriodNode = RowTable<PeriodRow>::Node;
using DayNode = RowTable<DayRow>::Node;
using ServiceDayNode = RowTable<ServiceDayRow>::Node;
using SessionNode = RowTable<SessionRow>::Node;
using ProjectNode = RowTable<ProjectRow>::Node;

}  // namespace odometer
