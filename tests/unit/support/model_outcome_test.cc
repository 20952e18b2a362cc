// The model by examples: sections 1 and 5 of docs/figures.md.

#include "tests/unit/support/model_fixture.h"

namespace odometer {
namespace {

class ModelOutcome : public ModelTest {
 protected:
  Event Gap(uint32_t id, std::vector<SeqRange> ranges) {
    Event event = MakeEvent(EventType::kGapReported, id);
    event.gap.producer = Id(99);
    event.gap.epoch = 1;
    event.gap.slot = SlotOf("t");
    event.gap.ranges = std::move(ranges);
    return event;
  }
  std::string Missing() { return Get("tenant[t]", "missing_events"); }
  std::string Lost() { return Get("tenant[t]", "lost_events"); }
};

TEST_F(ModelOutcome, BytesThatDoNotDecodeAreQuarantinedWithTheirReason) {
  EXPECT_EQ(ApplyBytes(std::string_view(), kThen), "null_payload");
  EXPECT_EQ(ApplyBytes("", kThen), "not_an_event");
  EXPECT_EQ(ApplyBytes("noise", kThen), "not_an_event");
  Event turn = MakeTurn(1);
  turn.turn.user = "";
  EXPECT_EQ(Apply(turn), "missing_field");
  EXPECT_EQ(model_.counts().quarantined_by_reason,
            (std::map<std::string, uint64_t>{{"missing_field", 1}, {"not_an_event", 2}, {"null_payload", 1}}));
  std::map<uint64_t, std::string> by_offset = {
      {1, "null_payload"}, {2, "not_an_event"}, {3, "not_an_event"}, {4, "missing_field"}};
  EXPECT_EQ(model_.Quarantine(), by_offset);
  EXPECT_TRUE(model_.LogicalRows().empty());
}

TEST_F(ModelOutcome, GenesisStandsAtOffsetZeroAndNothingElseDoes) {
  EXPECT_EQ(model_.counts().applied_by_type.at("Genesis"), 1u);
  EXPECT_EQ(ApplyBytes(genesis_, kThen), "genesis_position");
  Model fresh{ModelOptions{}};
  fresh.Apply(0, kThen, Encode(MakeTurn(1)));
  EXPECT_EQ(fresh.Quarantine().at(0), "genesis_position");
}

TEST_F(ModelOutcome, TickIsAppliedWithoutDedupe) {
  Event tick = MakeEvent(EventType::kTick, 1);
  tick.tenant = "";
  EXPECT_EQ(Apply(tick), "applied");
  EXPECT_EQ(Apply(tick), "applied");
  EXPECT_EQ(model_.counts().own_events, 3u);
  EXPECT_TRUE(model_.LogicalRows().empty());
}

TEST_F(ModelOutcome, StampOfAnotherSlotIsMisplaced) {
  Event turn = MakeTurn(1);
  turn.producer = ProducerStamp{Id(99), 1, (SlotOf("t") + 1) % kSlots, 1};
  EXPECT_EQ(Apply(turn), "misplaced");
  Event gap = Gap(2, {{1, 1}});
  gap.gap.slot = (SlotOf("t") + 1) % kSlots;
  EXPECT_EQ(Apply(gap), "misplaced");
}

TEST(Model, TenantOfAnotherPartitionIsMisplaced) {
  uint32_t elsewhere = 1 - PartitionOf("t", 2);
  Model model(ModelOptions{.partition = elsewhere, .partitions = 2});
  model.Apply(5, kThen, Encode(MakeTurn(1)));
  EXPECT_EQ(model.Quarantine().at(5), "misplaced");
}

TEST_F(ModelOutcome, SeenSeqIsADuplicateAConflictOrUnverified) {
  EXPECT_EQ(ApplyStamped(MakeTurn(1), 1), "applied");
  EXPECT_EQ(ApplyStamped(MakeTurn(1), 1), "duplicate");
  EXPECT_EQ(ApplyStamped(MakeTurn(2), 1), "conflict");
  for (uint64_t seq = 2; seq <= 64; ++seq) ApplyStamped(MakeTurn(1), seq);
  EXPECT_EQ(ApplyStamped(MakeTurn(2), 1), "conflict");  // 1 is the oldest of the last 64
  EXPECT_EQ(ApplyStamped(MakeTurn(1), 65), "applied");
  EXPECT_EQ(ApplyStamped(MakeTurn(2), 1), "duplicate");
  EXPECT_EQ(model_.counts().duplicate, 2u);
  EXPECT_EQ(model_.counts().duplicate_unverified, 1u);
  EXPECT_EQ(Get("account[t,u]", "requests"), "65");  // minted and stamped: the id is not looked up
}

TEST_F(ModelOutcome, StreamHoldsAtMost1024Intervals) {
  for (uint64_t seq = 1; seq <= 2047; seq += 2) ASSERT_EQ(ApplyStamped(MakeTurn(1), seq), "applied");
  EXPECT_EQ(Missing(), "1023");
  EXPECT_EQ(ApplyStamped(MakeTurn(1), 2049), "too_many_gaps");
  EXPECT_EQ(Missing(), "1023");
  EXPECT_EQ(ApplyStamped(MakeTurn(1), 2), "applied");  // joins two
  EXPECT_EQ(ApplyStamped(MakeTurn(1), 2049), "applied");
  EXPECT_EQ(Missing(), "1023");
}

TEST_F(ModelOutcome, UnstampedIdIsADuplicateAnotherDoorOrAConflict) {
  EXPECT_EQ(Apply(MakeTurn(1)), "applied");
  EXPECT_EQ(Apply(MakeTurn(1)), "duplicate");
  Event other_content = MakeTurn(1);
  other_content.turn.model_served = "m";
  EXPECT_EQ(Apply(other_content), "conflict");
  Event other_source = other_content;
  other_source.source = "elsewhere";
  EXPECT_EQ(Apply(other_source), "duplicate");
  EXPECT_EQ(model_.counts().duplicate, 2u);
  EXPECT_EQ(model_.counts().duplicate_other_door, 1u);
  Event other_tenant = MakeTurn(1);
  other_tenant.tenant = "t2";
  EXPECT_EQ(Apply(other_tenant), "applied");
}

TEST_F(ModelOutcome, DuplicateByIdStillCountsItsSeqAsSeen) {
  Event derived = MakeTurn(1);
  derived.id_kind = IdKind::kDerived;
  EXPECT_EQ(Apply(derived), "applied");
  derived.source = "sdk";
  EXPECT_EQ(ApplyStamped(derived, 3), "duplicate");
  EXPECT_EQ(Missing(), "2");
  EXPECT_EQ(ApplyStamped(derived, 3), "duplicate");
  EXPECT_EQ(model_.counts().duplicate_other_door, 1u);  // the second time the seq says it
  derived.source = "host";
  EXPECT_EQ(ApplyStamped(derived, 1), "conflict");
  EXPECT_EQ(Missing(), "1");
}

TEST_F(ModelOutcome, WhatTheFoldQuarantinesIsSeenAllTheSame) {
  Event turn = MakeTurn(1);
  turn.turn.tokens.output = INT64_MAX;
  EXPECT_EQ(ApplyStamped(turn, 1), "applied");
  turn.id = Id(2);
  EXPECT_EQ(ApplyStamped(turn, 3), "overflow");
  EXPECT_EQ(ApplyStamped(turn, 3), "duplicate");
  EXPECT_EQ(Missing(), "1");
  EXPECT_EQ(Get("account[t,u]", "requests"), "1");
  turn.producer.reset();
  EXPECT_EQ(Apply(turn), "overflow");
  EXPECT_EQ(Apply(turn), "duplicate");
}

TEST_F(ModelOutcome, MissingFallsWhenASeqComesOrIsReportedLost) {
  ApplyStamped(MakeTurn(1), 1);
  ApplyStamped(MakeTurn(2), 4);
  EXPECT_EQ(Missing(), "2");
  ApplyStamped(MakeTurn(3), 2);
  EXPECT_EQ(Missing(), "1");
  EXPECT_EQ(Apply(Gap(4, {{2, 3}})), "applied");  // 2 is seen: only 3 is lost
  EXPECT_EQ(Missing(), "0");
  EXPECT_EQ(Lost(), "1");
  ApplyStamped(MakeTurn(5), 3);
  EXPECT_EQ(Missing(), "0");
  EXPECT_EQ(Lost(), "0");
  EXPECT_EQ(Apply(Gap(6, {{10, 12}, {11, 12}})), "applied");  // above the greatest: 5…9 are missing now
  EXPECT_EQ(Missing(), "5");
  EXPECT_EQ(Lost(), "3");
  EXPECT_EQ(Get("tenant[t]", "max_fold_us"), std::to_string(kThen));
  EXPECT_EQ(model_.counts().own_events, 3u);
}

TEST_F(ModelOutcome, TenantsThatShareASlotShareTheSumOfMissing) {
  std::string other = "t";
  for (int i = 0; other == "t" || SlotOf(other) != SlotOf("t"); ++i) other = "t" + std::to_string(i);
  ApplyStamped(MakeTurn(1), 5);
  Event turn = MakeTurn(2);
  turn.tenant = other;
  ApplyStamped(turn, 2);
  EXPECT_EQ(Missing(), "4");
  EXPECT_EQ(Get("tenant[" + other + "]", "missing_events"), "-1");
}

TEST_F(ModelOutcome, ReportThatNeedsMoreThan1024IntervalsChangesNothing) {
  std::vector<SeqRange> odd;
  for (uint64_t seq = 1; seq <= 2047; seq += 2) odd.push_back({seq, seq});
  EXPECT_EQ(Apply(Gap(1, odd)), "applied");
  EXPECT_EQ(Lost(), "1024");
  EXPECT_EQ(Missing(), "1023");
  EXPECT_EQ(Apply(Gap(2, {{2049, 2049}})), "too_many_gaps");
  EXPECT_EQ(Lost(), "1024");
  EXPECT_EQ(Apply(Gap(3, {{2, 2}})), "applied");
  EXPECT_EQ(Lost(), "1025");
}

TEST_F(ModelOutcome, CountersAreConserved) {
  Apply(MakeTurn(1));
  Apply(MakeTurn(1));
  ApplyBytes("", kThen);
  Apply(MakeOperation(EventType::kVectorsAdded, 2));
  Apply(Gap(3, {{1, 1}}));
  const ModelCounts& counts = model_.counts();
  EXPECT_EQ(counts.records, 6u);
  EXPECT_EQ(counts.applied, 4u);  // Genesis, turn, vectors, gap
  EXPECT_EQ(counts.own_events, 2u);
  EXPECT_EQ(Get("account[t,u]", "events"), "1");
  EXPECT_EQ(Get("project[t,p]", "events"), "1");
  EXPECT_EQ(Get("tenant[t]", "events"), "0");
}

class ModelCardinality : public ModelTest {
 protected:
  ModelCardinality() : ModelTest({.users_max = 2, .projects_max = 1}) {}
};

TEST_F(ModelCardinality, NewUserOrProjectAboveTheLimitIsQuarantined) {
  EXPECT_EQ(Apply(MakeTurn(1)), "applied");
  Event batch = MakeEvent(EventType::kInteractionBatch, 2);
  batch.interactions = {MakeItem(3, "v"), MakeItem(4, "w")};
  EXPECT_EQ(Apply(batch), "cardinality");
  EXPECT_EQ(Get("tenant[t]", "users"), "1");
  batch.id = Id(5);
  batch.interactions[1].user = "u";
  EXPECT_EQ(Apply(batch), "applied");
  EXPECT_EQ(Get("tenant[t]", "users"), "2");
  Event operation = MakeOperation(EventType::kVectorsAdded, 6);
  operation.operation.user = "not an account";
  EXPECT_EQ(Apply(operation), "applied");
  operation.id = Id(7);
  operation.operation.project = "p2";
  EXPECT_EQ(Apply(operation), "cardinality");
  EXPECT_EQ(Get("tenant[t]", "projects"), "1");
}

}  // namespace
}  // namespace odometer
