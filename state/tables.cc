#include "state/tables.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "core/period.h"
#include "state/amounts.h"
#include "state/ask_for.h"

namespace odometer {

namespace {

// The parts of a row's key under another kind.
KeyBuilder& Renamed(std::string_view key, RowKind kind, KeyBuilder* into) { return into->Assign(key).Rename(kind); }

// A project's operations go to the lists of their hours.
void WriteHours(PendingPostings& pending, const ProjectNode& project, KeyBuilder* key, RowBatch* batch) {
  std::vector<Posting> postings;
  pending.ForEach({&project.hints.postings, 1}, PendingPostings::kOwner,
                  [&](const Posting& posting, size_t) { postings.push_back(posting); });
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
void WriteLists(PendingPostings& pending, const RowTable<Row>& table, RowKind kind, PendingPostings::Link link,
                KeyBuilder* key, RowBatch* batch) {
  const auto& dirty = table.dirty_nodes();
  constexpr size_t kAtOnce = PendingPostings::kSideBySide;
  for (size_t first = 0; first < dirty.size(); first += kAtOnce) {
    std::array<PendingList, kAtOnce> lists;
    size_t count = std::min(kAtOnce, dirty.size() - first);
    for (size_t i = 0; i < count; ++i) {
      if (first + i + 2 * kAtOnce < dirty.size()) AskFor(dirty[first + i + 2 * kAtOnce], 4 * kCacheLineBytes);
      if (first + i + kAtOnce < dirty.size()) pending.AskForLast(dirty[first + i + kAtOnce]->hints.postings);
      lists[i] = dirty[first + i]->hints.postings;
    }
    std::optional<ChunkWriter> chunks;
    size_t of = count;
    pending.ForEach(std::span(lists).first(count), link, [&](const Posting& posting, size_t list) {
      if (list != of) {
        chunks.reset();
        chunks.emplace(batch, &Renamed(dirty[first + list]->key.view(), kind, key));
        of = list;
      }
      chunks->Add(posting);
    });
  }
}

template <class Row>
void ClearLists(const RowTable<Row>& table) {
  for (auto* node : table.dirty_nodes()) node->hints.postings = PendingList();
}

template <size_t kNames, size_t kTallied>
void AddNames(const NameTally<kTallied>& tally, const NameIds& names, NameTable<kNames>* table) {
  for (uint32_t i = 0; i < tally.size; ++i) {
    NameFigures& figures = table->Slot(names.TextOf(tally.ids[i]));
    figures.turns += tally.turns[i];
    figures.tokens += tally.tokens[i];
  }
}

// What an account's and a period's rows have in common.
template <class Row>
void AddTally(const TurnTally& tally, const TurnUsage& usage, const NameIds& names, Row* row) {
  row->usage.Add(usage);
  Extend(tally.first_us, &row->first_use_us, &row->last_use_us);
  Extend(tally.last_us, &row->first_use_us, &row->last_use_us);
  AddNames(tally.models, names, &row->models);
  AddNames(tally.providers, names, &row->providers);
}

void AddTally(const TurnTally& tally, DayRow* row) {
  row->requests += tally.turns();
  row->turns += tally.turns();
  row->llm_calls += tally.sums.llm_calls;
  row->sessions += tally.sums.sessions;
  row->tokens.Add(tally.sums.tokens);
  row->cost_nano_usd += tally.sums.cost_ai_tokens_nano_usd;
  row->hours[static_cast<size_t>(tally.hour() % 24)] += tally.turns();
}

// Of what a tally's rows are spread over memory.
void AskForRows(const AccountNode* account) {
  const auto& hints = account->hints;
  if (hints.tally.turns() == 0) return;
  AskFor(&account->row, sizeof(TurnUsage) + 2 * kCacheLineBytes);
  AskFor(&account->row.models, 3 * kCacheLineBytes);
  AskFor(&account->row.requests_ring, sizeof(Ring) * 2);
  AskFor(&hints.period->row, sizeof(TurnUsage) + kCacheLineBytes);
  AskFor(&hints.period->row.models, 3 * kCacheLineBytes);
  AskFor(&hints.in_day->row, sizeof(DayRow));
}

}  // namespace

void Tables::CloseTally(AccountNode* account) {
  TurnTally& tally = account->hints.tally;
  if (tally.turns() > 0) {
    AccountRow& row = account->row;
    PeriodNode* period = account->hints.period;
    DayNode* day = account->hints.in_day;
    row.events += tally.turns();
    row.requests_ring.Add(tally.hour(), tally.turns());
    row.turns_ring.Add(tally.hour(), tally.turns());
    if (tally.sums.sessions > 0) row.sessions_ring.Add(tally.hour(), tally.sums.sessions);
    TurnUsage usage = tally.sums.ToUsage();
    AddTally(tally, usage, names, &row);
    AddTally(tally, usage, names, &period->row);
    AddTally(tally, &day->row);
    accounts.CountTouches(account, tally.turns());
    periods.CountTouches(period, tally.turns());
    days.CountTouches(day, tally.turns());
  }
  tally.Clear();
}

void Tables::CloseTallies() {
  const std::vector<AccountNode*>& dirty = accounts.dirty_nodes();
  constexpr size_t kAhead = 4;
  for (size_t i = 0; i < dirty.size(); ++i) {
    if (i + 2 * kAhead < dirty.size()) AskFor(&dirty[i + 2 * kAhead]->hints, sizeof(NodeHints<AccountRow>));
    if (i + kAhead < dirty.size()) AskForRows(dirty[i + kAhead]);
    CloseTally(dirty[i]);
  }
  if (names.is_full()) names.Clear();
}

void Tables::WriteTo(RowBatch* batch, const std::function<void(RowKind)>& between) {
  CloseTallies();
  ForEach([](auto& table) { table.SortDirty(); });
  between(RowKind::kAlert);
  asks.WriteTo(batch);
  between(RowKind::kAlertOrder);
  between(RowKind::kHoldDue);
  between(RowKind::kAskGone);
  project_minutes.WriteTo(batch);
  ids.WriteTo(batch);
  between(RowKind::kChain);
  between(RowKind::kOutbox);
  for (const ProjectNode* project : projects.dirty_nodes()) WriteHours(pending, *project, &key, batch);
  between(RowKind::kQuarantine);
  WriteLists(pending, sessions, RowKind::kSessionPostings, PendingPostings::kSession, &key, batch);
  streams.WriteTo(batch);
  WriteLists(pending, accounts, RowKind::kUserPostings, PendingPostings::kOwner, &key, batch);
  accounts.WriteTo(batch);
  collections.WriteTo(batch);
  days.WriteTo(batch);
  profiles.WriteTo(batch);
  assignments.WriteTo(batch);
  project_hours.WriteTo(batch);
  projects.WriteTo(batch);
  project_users.WriteTo(batch);
  limit_uses.WriteTo(batch);
  subscriptions.WriteTo(batch);
  overrides.WriteTo(batch);
  periods.WriteTo(batch);
  quotas.WriteTo(batch);
  sessions.WriteTo(batch);
  tenants.WriteTo(batch);
  user_gauges.WriteTo(batch);
  service_days.WriteTo(batch);
  policies.WriteTo(batch);
}

void Tables::MarkClean() {
  ClearLists(accounts);
  ClearLists(sessions);
  ClearLists(projects);
  pending.Clear();
  ForEach([](auto& table) { table.MarkClean(); });
}

void Tables::TakeOutRemoved() {
  ForEach([](auto& table) { table.TakeOutRemoved(); });
}

}  // namespace odometer
