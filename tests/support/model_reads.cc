// The model as it is read: rows as fields, and what section 6 of docs/figures.md only reads.

#include "tests/support/model.h"

namespace odometer {

// To which a tenant's rings and steps are moved; far in the past when nothing of it has a time yet.
int64_t Model::Moment(const std::string& tenant) const {
  int64_t max_fold_us = model::kNone;
  for (const auto& [name, row] : rows_.tenant) {
    if (row.tenant == tenant) max_fold_us = row.max_fold_us;
  }
  return max_fold_us;
}

std::map<std::string, Model::Fields> Model::LogicalRows() const {
  std::map<std::string, int64_t> moments;
  for (const auto& [name, row] : rows_.tenant) moments[row.tenant] = Moment(row.tenant);
  std::map<std::string, Fields> all;
  Tables::ForEachLogical([&](auto table) {
    for (const auto& [name, row] : rows_.*table) {
      model::FieldWriter writer(moments.at(row.tenant));
      row.Visit(writer);
      all[name] = writer.TakeFields();
    }
  });
  return all;
}

std::map<std::string, Model::Fields> Model::AskRows() const {
  std::map<std::string, Fields> all;
  for (const auto& [name, row] : rows_.ask) all[name] = Row(name);
  return all;
}

std::map<std::string, Model::Fields> Model::CrossingRows() const {
  std::map<std::string, Fields> all;
  for (auto table : {&Tables::outbox, &Tables::alert}) {
    for (const auto& [name, row] : rows_.*table) all[name] = Row(name);
  }
  return all;
}

Model::Fields Model::Row(const std::string& name) const {
  Fields fields;
  Tables::ForEach([&](auto table) {
    auto row = (rows_.*table).find(name);
    if (row == (rows_.*table).end()) return;
    model::FieldWriter writer(Moment(row->second.tenant));
    row->second.Visit(writer);
    fields = writer.TakeFields();
  });
  return fields;
}

std::vector<std::string> Model::TakeTouched() {
  std::vector<std::string> names(touched_.begin(), touched_.end());
  touched_.clear();
  return names;
}

std::vector<ListedTurn> Model::ListedTurns(const std::string& tenant, const std::string& user) const {
  auto facts = listed_.find({tenant, user});
  if (facts == listed_.end()) return {};
  std::map<uint64_t, ListedTurn> by_offset;
  std::map<std::pair<std::string, EventId>, uint64_t> offset_of_turn;  // (session, id)
  for (const ListedFact& fact : facts->second) {
    if (fact.is_amendment) continue;
    by_offset[fact.offset] = {fact.offset, fact.id, fact.session, fact.tokens, fact.cost_nano_usd};
    offset_of_turn.try_emplace({fact.session, fact.id}, fact.offset);
  }
  for (const ListedFact& fact : facts->second) {
    if (!fact.is_amendment) continue;
    auto turn = offset_of_turn.find({fact.session, fact.original_id});
    bool is_unmatched = turn == offset_of_turn.end();
    ListedTurn& row = by_offset[is_unmatched ? fact.offset : turn->second];
    if (is_unmatched) row = {fact.offset, fact.id, fact.session};
    row.tokens += fact.tokens;
    row.cost_nano_usd += fact.cost_nano_usd;
    row.amendments += 1;
    row.unmatched = is_unmatched;
  }
  std::vector<ListedTurn> newest_first;
  for (auto row = by_offset.rbegin(); row != by_offset.rend(); ++row) newest_first.push_back(row->second);
  return newest_first;
}

model::OperationSums Model::ProjectUsage(const ProjectQuery& query) const {
  model::OperationSums sums;
  for (const RememberedOperation& operation : operations_) {
    bool matches = operation.tenant == query.tenant && operation.project == query.project &&
                   operation.user == query.user.value_or(operation.user) &&
                   operation.operation == query.operation.value_or(operation.operation) &&
                   operation.status == query.status.value_or(operation.status) &&
                   operation.place_us >= query.from_us && operation.place_us < query.to_us;
    if (matches) sums.Add(operation.sums);
  }
  return sums;
}

}  // namespace odometer
