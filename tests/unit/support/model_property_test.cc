// The model against itself, over mixes: what must hold whatever comes.

#include <iostream>

#include "tests/support/mix.h"
#include "tests/unit/support/model_fixture.h"

namespace odometer {
namespace {

using model::Int;

// 12 seeds from ODOMETER_SEED on.
class ModelProperty : public testing::TestWithParam<int> {
 protected:
  ModelProperty() : seed_(SeedFromEnvironment(7000) + static_cast<uint64_t>(GetParam())) {
    RecordProperty("seed", std::to_string(seed_));
    Mix mix({.seed = seed_, .hostile_percent = 3, .with_ticks = true});
    for (uint64_t offset = 1; offset <= 500; ++offset) {
      MixRecord record = mix.Next();
      uint64_t applied = model_.counts().applied;
      model_.Apply(offset, mix.now_us(), record.is_null ? std::string_view() : std::string_view(record.bytes));
      if (model_.counts().applied > applied) NoteInteractions(record.bytes);
      NoteRequestsOfNoUser();
    }
    rows_ = model_.LogicalRows();
  }

  void NoteInteractions(const std::string& bytes) {
    std::vector<uint64_t> storage(bytes.size() / 8 + 1);
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(storage.data()));
    Event event;
    ASSERT_EQ(Decode({reinterpret_cast<const char*>(storage.data()), bytes.size()}, &event), Reason::kNone);
    if (!event.tenant.empty() && event.type != EventType::kGapReported) tenants_.insert(std::string(event.tenant));
    auto user = [&](std::string_view name) { return std::pair(std::string(event.tenant), std::string(name)); };
    if (event.type == EventType::kTurnRecorded) users_.insert(user(event.turn.user));
    if (event.type == EventType::kTurnAmended) users_.insert(user(event.amendment.user));
    if (event.type != EventType::kInteractionRecorded && event.type != EventType::kInteractionBatch) return;
    for (const Interaction& interaction : event.interactions) {
      model::TokenSums tokens;
      tokens.Add(interaction.tokens);
      interactions_[user(interaction.user)] += tokens.Total();
    }
  }
  static Int Number(const std::string& text) {
    Int value = 0;
    for (char c : text) {
      if (c != '-') value = value * 10 + (text[0] == '-' ? -(c - '0') : c - '0');
    }
    return value;
  }
  Int Sum(const std::string& row_start, const std::string& field) const {
    Int sum = 0;
    for (const auto& [name, fields] : rows_) {
      if (name.rfind(row_start, 0) == 0 && fields.contains(field)) sum += Number(fields.at(field));
    }
    return sum;
  }
  // Admits of a project alone count with the tenant only. They are gone after a week.
  void NoteRequestsOfNoUser() {
    for (const std::string& name : model_.TakeTouched()) {
      Model::Fields ask = name.starts_with("ask[") ? model_.Row(name) : Model::Fields();
      bool is_admit =
          !ask.empty() && ask["type"] == TypeName(EventType::kAdmitAsked) && ask["verdict.allowed"] == "true";
      bool is_of_requests = is_admit && ask["amounts.0.meter"] == "1";  // amounts are in the order of meters
      if (is_of_requests && ask["user"].empty())
        requests_of_no_user_[name + ask["verdict.judged_us"]] = Number(ask["amounts.0.amount"]);
    }
  }
  Int RequestsOfNoUser() const {
    Int requests = 0;
    for (const auto& [name, amount] : requests_of_no_user_) requests += amount;
    return requests;
  }
  static std::string TotalOf(const Model::Fields& row) {
    Int total = 0;
    for (const char* bucket : {"input_uncached_tokens", "cache_read_tokens", "cache_write_5m_tokens",
                               "cache_write_1h_tokens", "output_tokens"}) {
      total += Number(row.at(bucket));
    }
    return model::ToText(total);
  }

  uint64_t seed_;
  Model model_{ModelOptions{}};
  std::map<std::string, Model::Fields> rows_;
  std::map<std::string, Int> requests_of_no_user_;  // by the ask and when it was judged
  std::set<std::string> tenants_;
  std::set<std::pair<std::string, std::string>> users_;
  std::map<std::pair<std::string, std::string>, Int> interactions_;
};

TEST_P(ModelProperty, RecordsAreConserved) {
  const ModelCounts& counts = model_.counts();
  uint64_t quarantined = 0;
  for (const auto& [reason, count] : counts.quarantined_by_reason) quarantined += count;
  EXPECT_EQ(counts.records, counts.applied + counts.duplicate + quarantined) << "seed " << seed_;
  EXPECT_EQ(quarantined, model_.Quarantine().size());
  Int events = Sum("account[", "events") + Sum("project[", "events") + Sum("tenant[", "events") + counts.own_events;
  EXPECT_EQ(model::ToText(events), std::to_string(counts.applied)) << "seed " << seed_;
}

// Cross sums: what one row says, others say too.
TEST_P(ModelProperty, TenantIsTheSumOfItsParts) {
  for (const char* field : {"requests", "llm_calls", "input_uncached_tokens", "output_tokens", "cost_db_ops_nano_usd",
                            "cost_ai_tokens_nano_usd", "amendments", "sessions", "interactions_chat", "config_changes",
                            "rag_output_tokens_saved", "champion_cases", "duration_us", "timed_turns"}) {
    Int of_users = Sum("tenant[", field);
    if (field == std::string("requests")) of_users -= RequestsOfNoUser();
    EXPECT_EQ(model::ToText(of_users), model::ToText(Sum("account[", field))) << field << " " << seed_;
    EXPECT_EQ(model::ToText(of_users), model::ToText(Sum("period[", field))) << field << " " << seed_;
  }
  for (const char* field : {"vectors", "bytes", "collections"}) {
    EXPECT_EQ(model::ToText(Sum("tenant[", field)), model::ToText(Sum("project[", field))) << field << " " << seed_;
  }
  EXPECT_EQ(model::ToText(Sum("project[", "collections")), model::ToText(Sum("project_user[", "collections")));
  for (const char* field : {"sessions", "requests", "llm_calls", "output_tokens", "config_changes"}) {
    EXPECT_EQ(model::ToText(Sum("day[", field)), model::ToText(Sum("account[", field))) << field << " " << seed_;
  }
  Int turns = 0;  // a request may have been an admit's
  for (const char* status : {"success", "failed", "error", "cancelled", "partial", "timeout"}) {
    turns += Sum("tenant[", std::string("turns_") + status);
  }
  EXPECT_EQ(model::ToText(Sum("service_day[", "turns")), model::ToText(turns));
  EXPECT_EQ(model::ToText(Sum("service_day[", "vector_operations")), model::ToText(Sum("tenant[", "operations")));
  EXPECT_EQ(model::ToText(Sum("service_day[", "output_tokens")), model::ToText(Sum("tenant[", "output_tokens")));
}

TEST_P(ModelProperty, ListedTurnsSumToTheAccount) {
  ASSERT_FALSE(users_.empty());
  for (const auto& [tenant, user] : users_) {
    Int listed = 0;
    uint64_t before = UINT64_MAX;
    for (const ListedTurn& turn : model_.ListedTurns(tenant, user)) {
      listed += turn.tokens;
      EXPECT_LT(turn.offset, before);
      before = turn.offset;
    }
    Int interactions = interactions_[{tenant, user}];
    // The row of a user whose name needs no escape; the others are in the sums above.
    auto row = rows_.find("account[" + tenant + "," + user + "]");
    if (row == rows_.end()) continue;
    EXPECT_EQ(model::ToText(listed + interactions), TotalOf(row->second)) << row->first << " seed " << seed_;
  }
}

TEST_P(ModelProperty, ProjectUsageIsTheSumOfTheHours) {
  for (const char* operation : {"add", "upsert", "delete", "search", "count", "collection_create", "collection_drop"}) {
    std::string cell = std::string(operation) + ".success.";
    for (const std::string& tenant : tenants_) {
      ProjectQuery query{tenant, "project-0", std::nullopt, operation, "success"};
      model::OperationSums sums = model_.ProjectUsage(query);
      std::string start = "project_hour[" + tenant + ",project-0,";
      if (tenant.find('/') != std::string::npos) continue;  // an escaped name
      EXPECT_EQ(model::ToText(sums.count), model::ToText(Sum(start, cell + "count"))) << start << cell << seed_;
      EXPECT_EQ(model::ToText(sums.bytes_delta), model::ToText(Sum(start, cell + "bytes_delta")));
      EXPECT_EQ(model::ToText(sums.inserted), model::ToText(Sum(start, cell + "inserted")));
    }
  }
}

// Applying everything again changes no row: each is a duplicate or refused again.
TEST_P(ModelProperty, StampedRecordsAppliedAgainChangeNothing) {
  Mix mix({.seed = seed_, .hostile_percent = 3, .with_ticks = true});
  for (uint64_t offset = 1; offset <= 500; ++offset) {
    MixRecord record = mix.Next();
    model_.Apply(500 + offset, mix.now_us(), record.is_null ? std::string_view() : std::string_view(record.bytes));
  }
  EXPECT_EQ(model_.LogicalRows() == rows_, true) << "seed " << seed_;
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelProperty, testing::Range(0, 12));

}  // namespace
}  // namespace odometer
