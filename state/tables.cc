#include "state/tables.h"

#include <algorithm>

#include "core/period.h"

namespace odometer {

namespace {

// The parts of a row's key under another kind.
KeyBuilder& Renamed(std::string_view key, RowKind kind, KeyBuilder* into) { return into->Assign(key).Rename(kind); }

// A project's operations go to the lists of their hours.
void WriteHours(const PendingPostings& pending, const ProjectNode& project, KeyBuilder* key, RowBatch* batch) {
  std::vector<Posting> postings;
  pending.ForEach(project.hints.postings, PendingPostings::kOwner,
                  [&](const Posting& posting) { postings.push_back(posting); });
  auto hour_of = [](const Posting& posting) { return HourOf(FoldTime{posting.time_us}); };
  std::stable_sort(postings.begin(), postings.end(),
                   [&](const Posting& a, const Posting& b) { return hour_of(a) < hour_of(b); });
  for (size_t at = 0; at < postings.size();) {
    int64_t hour = hour_of(postings[at]);
    ChunkWriter chunks(batch, &Renamed(project.key.view(), RowKind::kProjectPostings, key).Number(hour));
    for (; at < postings.size() && hour_of(postings[at]) == hour; ++at) chunks.Add(postings[at]);
  }
}

template <class Row>
void WriteLists(const PendingPostings& pending, const RowTable<Row>& table, RowKind kind, PendingPostings::Link link,
                KeyBuilder* key, RowBatch* batch) {
  for (const auto* node : table.dirty_nodes()) {
    if (node->hints.postings.count == 0) continue;
    ChunkWriter chunks(batch, &Renamed(node->key.view(), kind, key));
    pending.ForEach(node->hints.postings, link, [&](const Posting& posting) { chunks.Add(posting); });
  }
}

template <class Row>
void ClearLists(const RowTable<Row>& table) {
  for (auto* node : table.dirty_nodes()) node->hints.postings = PendingList();
}

}  // namespace

void Tables::WriteTo(RowBatch* batch, const std::function<void(RowKind)>& between) {
  ForEach([](auto& table) { table.SortDirty(); });
  ids.WriteTo(batch);
  between(RowKind::kChain);
  for (const ProjectNode* project : projects.dirty_nodes()) WriteHours(pending, *project, &key, batch);
  between(RowKind::kQuarantine);
  WriteLists(pending, sessions, RowKind::kSessionPostings, PendingPostings::kSession, &key, batch);
  streams.WriteTo(batch);
  WriteLists(pending, accounts, RowKind::kUserPostings, PendingPostings::kOwner, &key, batch);
  accounts.WriteTo(batch);
  collections.WriteTo(batch);
  days.WriteTo(batch);
  project_hours.WriteTo(batch);
  projects.WriteTo(batch);
  project_users.WriteTo(batch);
  subscriptions.WriteTo(batch);
  periods.WriteTo(batch);
  sessions.WriteTo(batch);
  tenants.WriteTo(batch);
  service_days.WriteTo(batch);
}

void Tables::MarkClean() {
  ClearLists(accounts);
  ClearLists(sessions);
  ClearLists(projects);
  pending.Clear();
  ForEach([](auto& table) { table.MarkClean(); });
}

}  // namespace odometer
