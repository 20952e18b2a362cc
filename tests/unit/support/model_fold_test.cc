// The model by examples: sections 2 to 4 of docs/figures.md, and what section 6 says of a turn's listing.

#include "tests/unit/support/model_fixture.h"

namespace odometer {
namespace {

using Fields = Model::Fields;

class ModelFold : public ModelTest {};

Event RichTurn(uint32_t id) {
  Event event = MakeTurn(id);
  Turn& turn = event.turn;
  turn.session = "s";
  turn.turn_number = 7;
  turn.provider = "openai";
  turn.model_requested = "small";
  turn.model_served = "large";
  turn.tokens = {1, 2, 4, 8, 16, 5};
  turn.llm_calls = 3;
  turn.status = TurnStatus::kPartial;
  turn.duration_us = 1000;
  turn.time_to_first_token_us = 0;
  turn.provided_cost_nano_usd = 500;
  turn.has_rag = turn.rag_used = turn.rag_guided = true;
  turn.rag_output_tokens_saved = 9;
  turn.service = "chat";
  turn.operation = "ask";
  return event;
}

TEST_F(ModelFold, TurnAddsToSixRows) {
  EXPECT_EQ(Apply(RichTurn(1), kThen + 5), "applied");
  std::string then = std::to_string(kThen);
  Fields tokens = {{"input_uncached_tokens", "1"},  {"cache_read_tokens", "2"}, {"cache_write_5m_tokens", "4"},
                   {"cache_write_1h_tokens", "8"}, {"output_tokens", "16"},    {"reasoning_tokens", "5"}};
  auto with_tokens = [&](Fields fields) {
    fields.insert(tokens.begin(), tokens.end());
    return fields;
  };
  Fields usage = with_tokens({{"requests", "1"},
                              {"llm_calls", "3"},
                              {"turns_partial", "1"},
                              {"cost_ai_tokens_nano_usd", "500"},
                              {"priced_facts", "1"},
                              {"rag_turns", "1"},
                              {"rag_guided_turns", "1"},
                              {"rag_output_tokens_saved", "9"},
                              {"rag_unpriced_turns", "1"},
                              {"duration_us", "1000"},
                              {"timed_turns", "1"},
                              {"first_token_turns", "1"},
                              {"sessions", "1"},
                              {"models.large.turns", "1"},
                              {"models.large.tokens", "31"},
                              {"providers.openai.turns", "1"},
                              {"providers.openai.tokens", "31"}});
  auto with_usage = [&](Fields fields) {
    fields.insert(usage.begin(), usage.end());
    return fields;
  };
  EXPECT_EQ(Nonzero("account[t,u]"), with_usage({{"events", "1"},
                                                 {"first_use_us", then},
                                                 {"last_use_us", then},
                                                 {"requests_ring", "472266=1"},
                                                 {"turns_ring", "472266=1"},
                                                 {"sessions_ring", "472266=1"}}));
  EXPECT_EQ(Nonzero("period[t,u,646]"), with_usage({{"first_use_us", then}, {"last_use_us", then}}));
  EXPECT_EQ(Nonzero("tenant[t]"), with_usage({{"users", "1"}, {"max_fold_us", then}}));
  EXPECT_EQ(Nonzero("day[t,u,19677]"), with_tokens({{"requests", "1"},
                                                    {"turns", "1"},
                                                    {"llm_calls", "3"},
                                                    {"sessions", "1"},
                                                    {"cost_nano_usd", "500"},
                                                    {"hours", "18=1"}}));
  EXPECT_EQ(Nonzero("session[t,u,s]"), with_tokens({{"first_us", then},
                                                    {"last_us", then},
                                                    {"turns", "1"},
                                                    {"llm_calls", "3"},
                                                    {"cost_nano_usd", "500"},
                                                    {"last_turn_number", "7"}}));
  EXPECT_EQ(Nonzero("service_day[t,19677,chat,ask,large]"),
            with_tokens({{"turns", "1"}, {"llm_calls", "3"}, {"cost_nano_usd", "500"}, {"duration_us", "1000"}}));
  EXPECT_EQ(model_.LogicalRows().size(), 6u);
  EXPECT_EQ(model_.TakeTouched().size(), 6u);
  EXPECT_TRUE(model_.TakeTouched().empty());
}

TEST_F(ModelFold, EveryFieldOfARowIsThereWithItsZero) {
  Apply(MakeTurn(1));
  Fields account = model_.Row("account[t,u]");
  EXPECT_EQ(account.at("llm_calls"), "1");  // absent counts as 1
  EXPECT_EQ(account.at("unpriced_facts"), "1");
  EXPECT_EQ(account.at("sessions_ring"), "");
  EXPECT_EQ(account.at("collections_subscribed"), "0");
  EXPECT_EQ(account.size(), 42u + 7u);  // usage; events, two times, three rings, the gauge
  EXPECT_EQ(model_.Row("session[t,u,s]"), Fields());
}

TEST_F(ModelFold, NamesOfRowsEscapeTheirParts) {
  Event turn = MakeTurn(1);
  turn.turn.user = std::string_view("a,\0[\xc3\xbc%", 7);
  turn.turn.session = "ok_.:-9Z";
  Apply(turn);
  EXPECT_EQ(Get("session[t,a%2C%00%5B%C3%BC%25,ok_.:-9Z]", "turns"), "1");
  EXPECT_EQ(Get("service_day[t,19677,,,]", "turns"), "1");
}

TEST_F(ModelFold, ClockThatRunsAheadIsCountedAndNotFollowed) {
  Apply(MakeTurn(1, kThen + 3 * kUsPerDay), kThen);
  EXPECT_EQ(Get("day[t,u,19677]", "requests"), "1");
  EXPECT_EQ(Get("tenant[t]", "clock_ahead_events"), "1");
  EXPECT_EQ(Get("tenant[t]", "max_fold_us"), std::to_string(kThen));
}

TEST_F(ModelFold, AmendmentGoesWhereItsOriginalWas) {
  Apply(RichTurn(1));
  Event amendment = MakeAmendment(2, 1, kThen);
  amendment.event_time.us = kThen + 40 * kUsPerDay;
  amendment.amendment.session = "s";
  amendment.amendment.model = "large";
  amendment.amendment.provider = "openai";
  amendment.amendment.tokens_delta = {-1, 0, 0, 0, 4, 0};
  amendment.amendment.llm_calls_delta = -1;
  amendment.amendment.provided_cost_delta_nano_usd = -600;
  amendment.amendment.rag_output_tokens_saved_delta = -9;
  EXPECT_EQ(Apply(amendment), "applied");
  EXPECT_EQ(Get("period[t,u,646]", "amendments"), "1");
  EXPECT_EQ(Get("period[t,u,646]", "cost_ai_tokens_nano_usd"), "-100");
  EXPECT_EQ(Get("period[t,u,646]", "models.large.tokens"), "34");
  EXPECT_EQ(Get("period[t,u,646]", "models.large.turns"), "1");
  EXPECT_EQ(Get("period[t,u,646]", "rag_output_tokens_saved"), "0");
  EXPECT_EQ(Get("period[t,u,647]", "amendments"), "(no row)");
  EXPECT_EQ(Get("day[t,u,19677]", "llm_calls"), "2");
  EXPECT_EQ(Get("day[t,u,19677]", "output_tokens"), "20");
  EXPECT_EQ(Get("session[t,u,s]", "amendments"), "1");
  EXPECT_EQ(Get("service_day[t,19677,,,large]", "amendments"), "1");
  EXPECT_EQ(Get("account[t,u]", "last_use_us"), std::to_string(kThen));  // an amendment is not use
  EXPECT_EQ(Get("tenant[t]", "max_fold_us"), std::to_string(amendment.event_time.us));
  // Its hour is 40 days behind the tenant's newest.
  EXPECT_EQ(Get("account[t,u]", "requests_ring"), "");
}

TEST_F(ModelFold, AmendmentIsAheadByItsOwnTimeOnly) {
  Event amendment = MakeAmendment(1, 9, kThen + kUsPerDay);  // of the future; placed at the append
  Apply(amendment, kThen);
  EXPECT_EQ(Get("tenant[t]", "clock_ahead_events"), "0");
  EXPECT_EQ(Get("day[t,u,19677]", "turns"), "0");
  amendment.id = Id(2);
  amendment.event_time.us = kThen + 1;
  Apply(amendment, kThen);
  EXPECT_EQ(Get("tenant[t]", "clock_ahead_events"), "1");
}

TEST_F(ModelFold, BatchCountsOnceAndPlacesEachItem) {
  Event batch = MakeEvent(EventType::kInteractionBatch, 1);
  Interaction first = MakeItem(2, "u", kThen - 20 * kUsPerDay);
  first.kind = InteractionKind::kDb;
  first.status = InteractionStatus::kTimeout;
  first.model = "m";
  first.tokens = {1, 1, 1, 1, 1, 1};
  first.db_operations = 3;
  first.provided_cost = CostParts{1, 2, 3, 4};
  first.duration_us = 8;
  Interaction second = MakeItem(3, "v", kThen + kUsPerDay);
  second.session = "s";
  batch.interactions = {first, second};
  EXPECT_EQ(Apply(batch, kThen), "applied");
  EXPECT_EQ(Get("account[t,u]", "events"), "1");
  EXPECT_EQ(Get("account[t,v]", "events"), "0");
  EXPECT_EQ(Get("period[t,u,645]", "interactions_db"), "1");
  EXPECT_EQ(Get("period[t,u,645]", "interactions_timeout"), "1");
  EXPECT_EQ(Get("period[t,u,645]", "cost_compute_time_nano_usd"), "4");
  EXPECT_EQ(Get("period[t,u,645]", "models.m.tokens"), "5");
  EXPECT_EQ(Get("period[t,u,645]", "models.m.turns"), "0");
  EXPECT_EQ(Get("period[t,u,645]", "first_use_us"), std::to_string(kThen - 20 * kUsPerDay));
  EXPECT_EQ(Get("day[t,u,19657]", "cost_nano_usd"), "10");
  EXPECT_EQ(Get("day[t,v,19677]", "interactions"), "1");
  EXPECT_EQ(Get("session[t,v,s]", "interactions"), "1");
  EXPECT_EQ(Get("service_day[t,19657,,,m]", "duration_us"), "8");
  EXPECT_EQ(Get("tenant[t]", "clock_ahead_events"), "1");
  EXPECT_EQ(Get("tenant[t]", "db_operations"), "3");
  EXPECT_EQ(Get("tenant[t]", "priced_facts"), "1");
  EXPECT_EQ(Get("tenant[t]", "unpriced_facts"), "1");
}

TEST_F(ModelFold, The65thModelAndThe17thProviderAreOther) {
  for (int i = 0; i < 66; ++i) {
    Event turn = MakeTurn(static_cast<uint32_t>(i + 1));
    std::string name = "n" + std::to_string(i);
    turn.turn.model_requested = turn.turn.provider = name;
    turn.turn.tokens.output = 10;
    ASSERT_EQ(Apply(turn), "applied");
  }
  Apply(MakeTurn(100));  // without a name
  EXPECT_EQ(Get("account[t,u]", "models.n63.turns"), "1");
  EXPECT_EQ(Get("account[t,u]", "models.n64.turns"), "(no field)");
  EXPECT_EQ(Get("account[t,u]", "models.(other).turns"), "2");
  EXPECT_EQ(Get("account[t,u]", "models.(other).tokens"), "20");
  EXPECT_EQ(Get("tenant[t]", "providers.n15.tokens"), "10");
  EXPECT_EQ(Get("tenant[t]", "providers.(other).turns"), "50");
}

TEST_F(ModelFold, RingTakesWhatIsAtMost24HoursOld) {
  Apply(MakeTurn(1, kThen));
  Apply(MakeTurn(2, kThen - 24 * kUsPerHour), kThen);
  Apply(MakeTurn(3, kThen - 25 * kUsPerHour), kThen);
  EXPECT_EQ(Get("account[t,u]", "turns_ring"), "472242=1,472266=1");
  Event other = MakeTurn(4, kThen + kUsPerHour);
  other.turn.user = "v";
  Apply(other);  // moves the tenant's newest hour, and with it what a comparison sees
  EXPECT_EQ(Get("account[t,u]", "turns_ring"), "472266=1");
  EXPECT_EQ(Get("account[t,u]", "requests"), "3");
}

TEST_F(ModelFold, EarlierEventMovesASessionToItsMonth) {
  Event turn = MakeTurn(1);
  turn.turn.session = "s";
  Apply(turn);
  EXPECT_EQ(Get("period[t,u,646]", "sessions"), "1");
  turn = MakeTurn(2, kThen - 2 * kUsPerHour);
  turn.turn.session = "s";
  Apply(turn, kThen);
  EXPECT_EQ(Get("account[t,u]", "sessions_ring"), "472264=1");
  turn = MakeTurn(3, kThen - 20 * kUsPerDay);
  turn.turn.session = "s";
  Apply(turn, kThen);
  EXPECT_EQ(Get("period[t,u,646]", "sessions"), "0");
  EXPECT_EQ(Get("period[t,u,645]", "sessions"), "1");
  EXPECT_EQ(Get("day[t,u,19677]", "sessions"), "0");
  EXPECT_EQ(Get("day[t,u,19657]", "sessions"), "1");
  EXPECT_EQ(Get("account[t,u]", "sessions"), "1");
  EXPECT_EQ(Get("account[t,u]", "sessions_ring"), "");
  EXPECT_EQ(Get("session[t,u,s]", "first_us"), std::to_string(kThen - 20 * kUsPerDay));
  EXPECT_EQ(Get("session[t,u,s]", "last_us"), std::to_string(kThen));
}

TEST_F(ModelFold, GreatestTimeThenIdWinsInASession) {
  Apply(MakeSessionFact(EventType::kSessionRenamed, 2, kThen, "second"));
  Apply(MakeSessionFact(EventType::kSessionRenamed, 1, kThen, "first"));
  Apply(MakeSessionFact(EventType::kSessionEnded, 3, kThen - 10));
  EXPECT_EQ(Get("session[t,u,s]", "ended"), "true");
  Apply(MakeSessionFact(EventType::kSessionStarted, 4, kThen + 1));  // no name: the name stays
  EXPECT_EQ(Get("session[t,u,s]", "name"), "second");
  EXPECT_EQ(Get("session[t,u,s]", "name_us"), std::to_string(kThen));
  EXPECT_EQ(Get("session[t,u,s]", "name_id"), "00000000-0000-0000-0000-000000000002");
  EXPECT_EQ(Get("session[t,u,s]", "ended"), "false");
  EXPECT_EQ(Get("session[t,u,s]", "state_us"), std::to_string(kThen + 1));
  Event summary = MakeSessionFact(EventType::kSessionSummarized, 8, kThen);
  summary.session.summary = "sum";
  summary.session.key_points = {"a", "", "b"};
  Apply(summary);
  EXPECT_EQ(Get("session[t,u,s]", "key_points"), "a\x1f\x1f" "b");
  Apply(MakeSessionFact(EventType::kSessionSummarized, 7, kThen));
  EXPECT_EQ(Get("session[t,u,s]", "summary"), "sum");
  Apply(MakeSessionFact(EventType::kSessionRenamed, 6, kThen + 2));
  EXPECT_EQ(Get("session[t,u,s]", "name"), "");  // a renaming to nothing
  EXPECT_EQ(Get("account[t,u]", "events"), "7");
}

TEST_F(ModelFold, SubscriptionsCountTheStandingOnes) {
  auto knowledge = [&](EventType type, uint32_t id, int64_t at) {
    Event event = MakeEvent(type, id, at);
    event.knowledge.user = "u";
    event.knowledge.collection = "c";
    return event;
  };
  Apply(knowledge(EventType::kCollectionUnsubscribed, 1, kThen));
  EXPECT_EQ(Get("account[t,u]", "collections_subscribed"), "0");
  Apply(knowledge(EventType::kCollectionSubscribed, 2, kThen - 1));  // older: loses
  EXPECT_EQ(Get("account[t,u]", "collections_subscribed"), "0");
  Apply(knowledge(EventType::kCollectionSubscribed, 3, kThen));
  Apply(knowledge(EventType::kCollectionSubscribed, 4, kThen));
  EXPECT_EQ(Get("account[t,u]", "collections_subscribed"), "1");
  EXPECT_EQ(Get("subscription[t,u,c]", "state_id"), "00000000-0000-0000-0000-000000000004");
  Apply(knowledge(EventType::kCaseChampioned, 5, kThen + 9));
  EXPECT_EQ(Get("subscription[t,u,c]", "state_us"), std::to_string(kThen));
  EXPECT_EQ(Get("account[t,u]", "champion_cases"), "1");
  Event config = MakeEvent(EventType::kConfigChanged, 6);
  config.config.user = "u";
  Apply(config);
  EXPECT_EQ(Get("day[t,u,19677]", "config_changes"), "1");
  EXPECT_EQ(Get("account[t,u]", "first_use_us"), "-1");
}

TEST_F(ModelFold, CollectionLivesAndTheGaugesFollow) {
  Event create = MakeOperation(EventType::kCollectionCreated, 1, kThen);
  Apply(create);
  EXPECT_EQ(Get("project_user[t,u,p]", "collections"), "1");
  Event add = MakeOperation(EventType::kVectorsAdded, 2, kThen);
  add.operation.requested = add.operation.succeeded = 10;
  add.operation.vectors_delta = 10;
  add.operation.bytes_delta = 100;
  add.operation.duration_us = 0;
  Apply(add);
  EXPECT_EQ(Get("project[t,p]", "add.timed"), "1");
  EXPECT_EQ(Get("project[t,p]", "add.succeeded"), "10");
  EXPECT_EQ(Get("collection[t,p,c]", "vectors"), "10");
  Event count = MakeOperation(EventType::kVectorsCounted, 3, kThen - kUsPerDay);  // by position, not by time
  count.operation.counted_vectors = 8;
  count.operation.counted_bytes = 130;
  Apply(count, kThen);
  EXPECT_EQ(Get("project[t,p]", "vectors"), "8");
  EXPECT_EQ(Get("project[t,p]", "correction_vectors"), "-2");
  EXPECT_EQ(Get("project[t,p]", "correction_bytes"), "30");
  EXPECT_EQ(Get("project_user[t,u,p]", "vectors"), "10");
  Event drop = MakeOperation(EventType::kCollectionDropped, 4, kThen + 1);
  drop.operation.user = "v";
  drop.operation.status = OperationStatus::kPartialFailure;
  drop.operation.vectors_delta = -3;
  Apply(drop);
  EXPECT_EQ(Get("project[t,p]", "vectors"), "0");
  EXPECT_EQ(Get("project[t,p]", "dropped_vectors"), "5");
  EXPECT_EQ(Get("project[t,p]", "dropped_bytes"), "130");
  EXPECT_EQ(Get("collection[t,p,c]", "vectors"), "0");
  EXPECT_EQ(Get("collection[t,p,c]", "exists"), "false");
  EXPECT_EQ(Get("project_user[t,v,p]", "vectors"), "-3");
  EXPECT_EQ(Get("project_user[t,u,p]", "collections"), "0");
  EXPECT_EQ(Get("project[t,p]", "collections"), "0");
  EXPECT_EQ(Get("tenant[t]", "vectors"), "0");
  EXPECT_EQ(Get("tenant[t]", "operations"), "4");
  EXPECT_EQ(Get("project[t,p]", "events"), "4");
  EXPECT_EQ(Get("project_user[t,v,p]", "events"), "0");
  create.id = Id(5);
  create.event_time.us = kThen;
  Apply(create);  // older than the drop: nothing exists
  EXPECT_EQ(Get("tenant[t]", "collections"), "0");
  create.id = Id(6);
  create.event_time.us = kThen + 2;
  create.operation.user = "v";
  Apply(create);
  EXPECT_EQ(Get("collection[t,p,c]", "owner"), "v");
  EXPECT_EQ(Get("project_user[t,v,p]", "collections"), "1");
}

TEST_F(ModelFold, SearchesThatAQuotaRefusedAreNotSearches) {
  Event search = MakeOperation(EventType::kVectorsSearched, 1);
  search.operation.results = 5;
  search.operation.had_filter = true;
  search.operation.service = "svc";
  search.operation.duration_us = 70;
  Apply(search);
  search.id = Id(2);
  search.operation.status = OperationStatus::kQuotaExceeded;
  Apply(search);
  EXPECT_EQ(Get("project[t,p]", "search.success"), "1");
  EXPECT_EQ(Get("project[t,p]", "search.quota_exceeded"), "1");
  EXPECT_EQ(Get("project[t,p]", "filtered"), "2");
  EXPECT_EQ(Get("project[t,p]", "searches_ring"), "472266=1");
  EXPECT_EQ(Get("collection[t,p,c]", "searches"), "1");
  EXPECT_EQ(Get("collection[t,p,c]", "operations"), "2");
  EXPECT_EQ(Get("tenant[t]", "searches"), "1");
  EXPECT_EQ(Get("project_hour[t,p,472266,u]", "search.quota_exceeded.results"), "5");
  EXPECT_EQ(model_.Row("project_hour[t,p,472266,u]").size(), 22u);
  EXPECT_EQ(Get("service_day[t,19677,svc,,]", "vector_operations"), "2");
  EXPECT_EQ(Get("service_day[t,19677,svc,,]", "duration_us"), "140");
  EXPECT_EQ(Get("account[t,u]", "events"), "(no row)");
  EXPECT_EQ(Get("tenant[t]", "users"), "0");
}

TEST_F(ModelFold, SumThatLeavesTheRangeFoldsNothing) {
  Event turn = MakeTurn(1);
  turn.turn.tokens = {INT64_MAX, 0, 0, 0, 0, 0};
  EXPECT_EQ(Apply(turn), "applied");
  turn = MakeTurn(2);
  turn.turn.tokens = {0, 0, 0, 0, 1, 0};  // its own figure fits; the row's total does not
  EXPECT_EQ(Apply(turn), "overflow");
  EXPECT_EQ(Get("tenant[t]", "requests"), "1");
  Event amendment = MakeAmendment(3, 1);
  amendment.amendment.tokens_delta.input_uncached = -1;
  EXPECT_EQ(Apply(amendment), "applied");
  turn.id = Id(4);
  EXPECT_EQ(Apply(turn), "applied");
  Event interaction = MakeEvent(EventType::kInteractionRecorded, 5);
  interaction.interactions = {MakeItem(5, "v")};
  interaction.interactions[0].provided_cost = CostParts{INT64_MAX, 1, 0, 0};
  EXPECT_EQ(Apply(interaction), "overflow");
  EXPECT_EQ(Get("account[t,v]", "events"), "(no row)");
  Event numbered = MakeTurn(6);
  numbered.turn.session = "s";
  numbered.turn.turn_number = uint64_t{1} << 63;
  EXPECT_EQ(Apply(numbered), "overflow");
}

TEST_F(ModelFold, ListingJoinsAmendmentsOfTheSameSession) {
  Event early = MakeAmendment(10, 1);
  early.amendment.session = "s";
  early.amendment.tokens_delta.output = 4;
  Apply(early);  // offset 1, before its turn
  Apply(RichTurn(1));  // offset 2
  Event elsewhere = early;
  elsewhere.id = Id(11);
  elsewhere.amendment.session = "s2";
  elsewhere.amendment.provided_cost_delta_nano_usd = 7;
  Apply(elsewhere);  // offset 3
  std::vector<ListedTurn> turns = model_.ListedTurns("t", "u");
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].offset, 3u);
  EXPECT_TRUE(turns[0].unmatched);
  EXPECT_EQ(model::ToText(turns[0].tokens), "4");
  EXPECT_EQ(model::ToText(turns[0].cost_nano_usd), "7");
  EXPECT_EQ(turns[1].offset, 2u);
  EXPECT_FALSE(turns[1].unmatched);
  EXPECT_EQ(model::ToText(turns[1].tokens), "35");
  EXPECT_EQ(model::ToText(turns[1].cost_nano_usd), "500");
  EXPECT_EQ(turns[1].amendments, 1u);
}

}  // namespace
}  // namespace odometer
