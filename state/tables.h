// state/tables.h: Tables, every kind of row of one partition in RAM, under one memory cap.
#pragma once

#include "state/postings.h"
#include "state/streams.h"
#include "state/table.h"

namespace odometer {

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
        service_days(store),
        streams(store),
        ids(store),
        postings(store) {}

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
  RowTable<ServiceDayRow> service_days;
  RowTable<StreamRow> streams;
  RowTable<IdRow> ids;
  RowTable<PostingChunk> postings;

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
    f(service_days);
    f(streams);
    f(ids);
    f(postings);
  }
};

using TenantNode = RowTable<TenantRow>::Node;
using AccountNode = RowTable<AccountRow>::Node;
using PeriodNode = RowTable<PeriodRow>::Node;
using DayNode = RowTable<DayRow>::Node;
using SessionNode = RowTable<SessionRow>::Node;

// Adds a posting to the list that `list` names (a key without its chunk number); list is left changed.
Status AddPosting(Tables& tables, KeyBuilder& list, const Posting& posting);

}  // namespace odometer
