#include "log/event_log.h"

#include <gtest/gtest.h>

#include "core/event.h"
#include "log/memory_log.h"

namespace odometer {
namespace {

const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
const Uuid kOtherLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000bb");
constexpr int64_t kNowUs = 1'700'000'000'123'456;

Record Aligned(const OwnedRecord& owned) { return {owned.offset, owned.append_time, owned.bytes}; }

TEST(Position, HasOneTokenAndReadsItBack) {
  Position position{3, 1042};
  EXPECT_EQ(position.ToToken(), "p3.1042");
  EXPECT_EQ(Position::FromToken("p3.1042").value(), position);
  EXPECT_EQ(Position::FromToken("p0.0").value(), (Position{0, 0}));
  EXPECT_EQ(Position::FromToken("p4294967295.18446744073709551615").value(), (Position{UINT32_MAX, UINT64_MAX}));
}

TEST(Position, AnythingElseIsNoToken) {
  for (const char* token : {"", "p", "3.4", "p3", "p3.", "p.4", "p03.4", "p3.04", "p3.4 ", " p3.4", "p-3.4", "p3.-4",
                            "p+3.4", "p3.4.5", "P3.4", "p3.4x", "p3,4", "p4294967296.0", "p0.18446744073709551616"}) {
    EXPECT_EQ(Position::FromToken(token).status().code(), Code::kInvalid) << token;
  }
}

TEST(Genesis, SaysWhichLogPartitionAndPlacement) {
  OwnedRecord record = OwnedRecord::Copy({0, AppendTimeOf(kNowUs), GenesisBytes(kLogId, 3, 8, kNowUs)});
  Event event;
  ASSERT_EQ(Decode(record.bytes, &event), Reason::kNone);
  EXPECT_EQ(event.type, EventType::kGenesis);
  EXPECT_EQ(event.id, Uuid5(kLogId, "genesis-3"));
  EXPECT_EQ(event.id_kind, IdKind::kDerived);
  EXPECT_EQ(event.event_time.us, kNowUs);
  EXPECT_TRUE(event.tenant.empty());
  EXPECT_TRUE(CheckGenesis(Aligned(record), kLogId, 3, 8).ok());
}

TEST(Genesis, ADifferenceIsNamedWithBothValues) {
  OwnedRecord record = OwnedRecord::Copy({0, AppendTimeOf(kNowUs), GenesisBytes(kLogId, 3, 8, kNowUs)});
  Status status = CheckGenesis(Aligned(record), kOtherLogId, 2, 16);
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_EQ(status.message(),
            "partition 2: Genesis differs: log_id is 018f3c1e-0000-7000-8000-0000000000aa, expected "
            "018f3c1e-0000-7000-8000-0000000000bb, partition is 3, expected 2, partitions is 8, expected 16");
}

TEST(Genesis, AnotherRecordIsNone) {
  OwnedRecord record = OwnedRecord::Copy({0, AppendTimeOf(kNowUs), "not an event"});
  EXPECT_EQ(CheckGenesis(Aligned(record), kLogId, 3, 8).code(), Code::kCorrupt);
  EXPECT_EQ(CheckGenesis({0, {}, {}}, kLogId, 3, 8).code(), Code::kCorrupt);
  OwnedRecord elsewhere = OwnedRecord::Copy({1, AppendTimeOf(kNowUs), GenesisBytes(kLogId, 3, 8, kNowUs)});
  EXPECT_EQ(CheckGenesis(Aligned(elsewhere), kLogId, 3, 8).code(), Code::kCorrupt);
}

TEST(MemoryLog, AppendAtGivesTheTimeThatATestNeeds) {
  ManualClock clock(kNowUs);
  MemoryLog log(clock, kLogId, 2);
  MemoryPartition& partition = log.memory_partition(1);
  std::string_view event = "event";
  AppendTime time = AppendTimeOf(kNowUs + kUsPerDay);
  EXPECT_EQ(partition.AppendAt({&event, 1}, time).value().append_time, time);
  EXPECT_EQ(partition.AppendAt({&event, 1}, AppendTimeOf(kNowUs)).status().code(), Code::kInvalid);
  EXPECT_EQ(partition.Append({&event, 1}).value().append_time, time);  // the clock is behind
}

TEST(MemoryLog, DropUnsyncedTakesWhatWasNotSyncedAndNoMore) {
  ManualClock clock(kNowUs);
  MemoryLog log(clock, kLogId, 1, false);
  MemoryPartition& partition = log.memory_partition(0);
  std::string_view events[] = {"a", "b", "c"};
  ASSERT_TRUE(partition.Append(events).ok());
  ASSERT_TRUE(partition.SyncTo(3).ok());
  std::unique_ptr<EventReader> reader = partition.Read(1).value();
  std::span<const Record> batch = reader->Poll(10, 0).value();
  ASSERT_EQ(batch.size(), 3u);
  log.DropUnsynced();
  EXPECT_EQ(batch[2].bytes, "c");  // lives until the next poll
  EXPECT_EQ(partition.range().end, 3u);
  EXPECT_EQ(reader->Poll(10, 0).status().code(), Code::kCorrupt);
  EXPECT_EQ(partition.Append({events, 1}).value().first_offset, 3u);
}

}  // namespace
}  // namespace odometer
