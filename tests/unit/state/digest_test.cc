// The state digest says the same however the same events were folded, and something else as soon as one figure differs.
#include "state/digest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <set>

#include "consumers/refold.h"
#include "consumers/runner.h"
#include "core/placement.h"
#include "log/local_log.h"
#include "log/memory_log.h"
#include "state/hash.h"
#include "tests/support/event_maker.h"
#include "tests/unit/log/temp_directory.h"
#include "tests/unit/state/overlay_view.h"
#include "tests/unit/state/limit_records.h"
#include "tests/unit/state/row_fields.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {
namespace {

constexpr int64_t kStartUs = 1'701'201'600'000'000;

// How one and the same list of records is appended and folded.
struct Way {
  uint32_t partitions = 1;
  size_t batch_records = 4096;
  uint64_t memory_bytes_max = 1 << 30;
  bool commit_every_record = false;
  int tick_every = 0;
  bool twice = false;
  int64_t append_later_us = 0;
};

// What came of it.
struct Folded {
  std::string digest;
  uint64_t rows_in_memory = 0;
  uint64_t bytes_in_memory = 0;
  uint64_t rows_stored = 0;
  uint64_t applied = 0;
  uint64_t duplicates = 0;
  uint64_t partitions_used = 0;
  std::vector<std::unique_ptr<MemoryDisk>> disks;
  std::vector<std::shared_ptr<const View>> views;
};

uint64_t CountLogicalRows(const View& view) {
  uint64_t rows = 0;
  EXPECT_TRUE(view.Scan({}, {},
                        [&](std::string_view key, std::string_view) {
                          rows += ClassOf(static_cast<RowKind>(key[0])) == RowClass::kLogical ? 1 : 0;
                          return true;
                        })
                  .ok());
  return rows;
}

void Append(MemoryPartition& log, const TestRecord& record, const Way& way) {
  std::string_view view = record.view();
  AppendTime time = AppendTimeOf(record.append_us + way.append_later_us);
  for (int i = 0; i < (way.twice ? 2 : 1); ++i) {
    Result<Appended> appended = log.AppendAt({&view, 1}, time);
    ASSERT_TRUE(appended.ok()) << appended.status().ToString();
  }
}

// Each record goes to its tenant's partition, as producers send it.
void AppendAll(const std::vector<TestRecord>& records, const Way& way, MemoryLog* log) {
  EventMaker make;
  int number = 0;
  for (const TestRecord& record : records) {
    DecodedEvent event(record.view());
    bool has_tenant = event.reason() == Reason::kNone && !event.event().tenant.empty();
    uint32_t partition = has_tenant ? PartitionOf(event.event().tenant, way.partitions) : 0;
    Append(log->memory_partition(partition), record, way);
    if (way.tick_every == 0 || ++number % way.tick_every != 0) continue;
    TestRecord tick{Encode(make.Tick(record.append_us)), false, record.append_us};
    Append(log->memory_partition(partition), tick, way);
  }
}

void Drain(Runner& runner) {
  while (runner.view()->meta().cursor < runner.log().range().end) {
    Result<size_t> folded = runner.Step(0);
    ASSERT_TRUE(folded.ok()) << folded.status().ToString();
  }
}

Folded FoldIn(const Way& way, const std::vector<TestRecord>& records) {
  ManualClock clock(kStartUs);
  MemoryLog log(clock, kTestLogId, way.partitions);
  AppendAll(records, way, &log);
  Folded folded;
  for (uint32_t partition = 0; partition < way.partitions; ++partition) {
    folded.disks.push_back(std::make_unique<MemoryDisk>());
    StoreOptions store_options;
    store_options.path = "/store";
    store_options.env = folded.disks.back()->env();
    store_options.log_id = kTestLogId;
    store_options.partition = partition;
    store_options.partitions = way.partitions;
    RunnerOptions options;
    options.batch_records_max = way.batch_records;
    options.commit_every_record = way.commit_every_record;
    options.projection.memory_bytes_max = way.memory_bytes_max;
    Runner runner(log.partition(partition), Store::Open(store_options).value(), clock, options);
    Drain(runner);
    RunnerState state = runner.state();
    folded.views.push_back(runner.view());
    folded.rows_in_memory += state.rows_in_memory;
    folded.bytes_in_memory += state.bytes_in_memory;
    folded.applied += state.committed.applied_total();
    folded.duplicates += state.committed.duplicate;
    uint64_t rows = CountLogicalRows(*folded.views.back());
    folded.rows_stored += rows;
    folded.partitions_used += rows > 0 ? 1 : 0;
  }
  folded.digest = DigestOf(folded.views);
  return folded;
}

class DigestTest : public testing::Test {
 protected:
  DigestTest() { std::cout << "seed " << seed_ << "\n"; }
  int count() const { return IsFullRun() ? 10'000 : 800; }
  std::vector<TestRecord> Mixed(int tenants = 3, int times = 1) const {
    return RecordsOf({.seed = seed_, .tenants = tenants, .start_us = kStartUs}, count() * times);
  }
  uint64_t seed_ = SeedFromEnvironment(61);
};

TEST_F(DigestTest, IsTheSameForEveryBatchSize) {
  std::vector<TestRecord> records = Mixed();
  Folded whole = FoldIn({}, records);
  EXPECT_GT(whole.applied, records.size() / 2);
  EXPECT_EQ(FoldIn({.batch_records = 1}, records).digest, whole.digest);
  EXPECT_EQ(FoldIn({.batch_records = 7}, records).digest, whole.digest);
  EXPECT_EQ(FoldIn({.batch_records = 7, .commit_every_record = true}, records).digest, whole.digest);
}

TEST_F(DigestTest, IsTheSameWhenEveryRowIsEvictedAfterEveryRecord) {
  std::vector<TestRecord> records = Mixed(3, IsFullRun() ? 1 : 4);
  Folded roomy = FoldIn({}, records);
  ASSERT_GT(roomy.bytes_in_memory, 1u << 20) << "too few rows to be evicted";
  Folded capped = FoldIn({.memory_bytes_max = 1 << 20, .commit_every_record = true}, records);
  EXPECT_LE(capped.bytes_in_memory, 1u << 20);
  EXPECT_LT(capped.rows_in_memory, roomy.rows_in_memory * 3 / 4);
  EXPECT_EQ(capped.digest, roomy.digest);
  Folded none = FoldIn({.memory_bytes_max = 0, .commit_every_record = true}, records);
  EXPECT_EQ(none.rows_in_memory, 0u);
  EXPECT_GT(none.rows_stored, 1000u);
  EXPECT_EQ(none.digest, roomy.digest);
}

TEST_F(DigestTest, IsTheSameWithTicksBetweenAndEveryRecordTwice) {
  std::vector<TestRecord> records = Mixed();
  Folded plain = FoldIn({}, records);
  Folded doubled = FoldIn({.tick_every = 7, .twice = true}, records);
  EXPECT_GT(doubled.duplicates, plain.duplicates + records.size() / 2);
  EXPECT_EQ(doubled.digest, plain.digest);
  Way hardest{.memory_bytes_max = 0, .commit_every_record = true, .tick_every = 7, .twice = true};
  EXPECT_EQ(FoldIn(hardest, records).digest, plain.digest);
}

TEST_F(DigestTest, IsTheSameForEveryNumberOfPartitions) {
  std::vector<TestRecord> records = Mixed(24);
  Folded one = FoldIn({}, records);
  Folded four = FoldIn({.partitions = 4}, records);
  Folded eight = FoldIn({.partitions = 8}, records);
  EXPECT_GE(four.partitions_used, 3u);
  EXPECT_GE(eight.partitions_used, 6u);
  EXPECT_EQ(four.applied, one.applied + 3) << "a Genesis each";
  EXPECT_EQ(four.digest, one.digest);
  EXPECT_EQ(eight.digest, one.digest);
}

// Where a fact is placed depends on its append time only if that is before the fact's own. Limits go by the log's time.
bool WasAppendedAfterAll(const TestRecord& record) {
  DecodedEvent event(record.view());
  if (event.reason() != Reason::kNone || event.event().event_time.us > record.append_us) return false;
  for (const Interaction& item : event.event().interactions) {
    if (item.event_time.us > record.append_us) return false;
  }
  EventType type = event.event().type;
  if (IsAsk(type) || IsHoldEnd(type) || IsDefinition(type)) return false;
  bool is_amendment = event.event().type == EventType::kTurnAmended;
  return !is_amendment || event.event().amendment.original_time.us <= record.append_us;
}

TEST_F(DigestTest, OfEventsThatWereAppendedAfterTheyHappenedItDoesNotDependOnWhen) {
  // What is asked is judged by when it is appended.
  MixOptions options{.seed = seed_, .tenants = 24, .start_us = kStartUs, .limits_percent = 0};
  std::vector<TestRecord> records = RecordsOf(options, count());
  std::erase_if(records, [](const TestRecord& record) { return !WasAppendedAfterAll(record); });
  ASSERT_GT(records.size(), static_cast<size_t>(count()) / 2);
  Folded now = FoldIn({}, records);
  EXPECT_EQ(FoldIn({.partitions = 4, .append_later_us = 3 * kUsPerHour}, records).digest, now.digest);
  EXPECT_EQ(FoldIn({.partitions = 8, .append_later_us = 70 * kUsPerDay}, records).digest, now.digest);
}

// --- Logs and stores on disk

class DigestOnDisk : public DigestTest {
 protected:
  StoreOptions StoreAt(const std::string& name) const {
    StoreOptions options;
    options.path = directory_.path() + "/" + name;
    options.log_id = kTestLogId;
    return options;
  }
  void OpenLog() {
    std::string path = directory_.path() + "/log";
    ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), clock_, path, kTestLogId, 1).ok());
    LocalLog::Options options;
    options.fsync = false;
    options.segment_bytes_max = 1 << 16;
    log_ = LocalLog::Open(PosixFileSystem(), clock_, path, options).value();
  }
  void AppendTo(const std::vector<TestRecord>& records, size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      std::string_view view = records[i].view();
      clock_.Set(records[i].append_us);
      ASSERT_TRUE(log_->partition(0).Append({&view, 1}).ok());
    }
  }

  TempDirectory directory_;
  ManualClock clock_{kStartUs};
  std::unique_ptr<LocalLog> log_;
};

TEST_F(DigestOnDisk, IsTheSameForALogInMemoryAndOneInFiles) {
  std::vector<TestRecord> records = Mixed();
  OpenLog();
  AppendTo(records, 0, records.size());
  std::unique_ptr<Store> store = Refold(*log_, 0, {.path = directory_.path() + "/store"}, nullptr).value();
  EXPECT_EQ(DigestOf(store->NewView()), FoldIn({}, records).digest);
}

TEST_F(DigestOnDisk, IsTheSameAfterACheckpointAndARestore) {
  std::vector<TestRecord> records = Mixed();
  OpenLog();
  AppendTo(records, 0, records.size() / 2);
  Runner live(log_->partition(0), Store::Open(StoreAt("live")).value(), clock_, RunnerOptions());
  Drain(live);
  std::string half = DigestOf(live.view());
  Result<uint64_t> checkpoint = live.Checkpoint(directory_.path() + "/copy");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().ToString();
  EXPECT_EQ(*checkpoint, live.view()->meta().cursor);
  AppendTo(records, records.size() / 2, records.size());
  Drain(live);
  {
    StoreOptions options = StoreAt("copy");
    options.read_only = true;
    EXPECT_EQ(DigestOf(Store::Open(options).value()->NewView()), half);
  }
  Runner restored(log_->partition(0), Store::Open(StoreAt("copy")).value(), clock_, RunnerOptions());
  Drain(restored);
  EXPECT_EQ(DigestOf(restored.view()), DigestOf(live.view()));
  EXPECT_NE(DigestOf(restored.view()), half);
  EXPECT_EQ(DigestOf(restored.view()), FoldIn({}, records).digest);
}

// --- What a digest is of

TEST_F(DigestTest, OfOneTenantItIsThatTenantsRowsAlone) {
  TestPartition both, one;
  EventMaker acme("acme"), globex("globex");
  for (int64_t i = 0; i < 5; ++i) {
    Event turn = acme.Turn("ann", kStartUs + i, "s");
    both.Apply(turn);
    one.Apply(turn);
    both.Apply(globex.Turn("ann", kStartUs + i, "s"));
  }
  StateDigests of_both = ComputeDigests({both.view()}, std::nullopt).value();
  StateDigests of_one = ComputeDigests({one.view()}, std::nullopt).value();
  EXPECT_EQ(of_both.tenants.size(), 2u);
  EXPECT_EQ(of_both.tenants.at("acme"), of_one.tenants.at("acme"));
  EXPECT_NE(of_both.tenants.at("acme"), of_both.tenants.at("globex"));
  EXPECT_EQ(ComputeDigests({both.view()}, "acme").value().state, of_one.state);
  EXPECT_NE(of_both.state, of_one.state);
  EXPECT_EQ(of_one.state.hex().size(), 64u);
}

TEST_F(DigestTest, HasNoPartInWhenOrWhereARecordStood) {
  EventMaker make;
  Event turn = make.Turn("ann", kStartUs, "s");
  TestPartition early, late;
  early.Apply(turn, kStartUs);
  late.Apply(make.Tick(kStartUs));
  late.ApplyBytes("no event", kStartUs);
  late.Apply(turn, kStartUs + kUsPerDay);
  EXPECT_EQ(early.Digest(), late.Digest());
  EXPECT_NE(LogDigest({early.view()}), LogDigest({late.view()})) << "the logs are not the same";
}

// --- One figure differs

class DigestOfDrift : public DigestTest {
 protected:
  struct Row {
    std::string key, value;
  };
  DigestOfDrift() {
    for (const TestRecord& record : RecordsOf({.seed = seed_, .tenants = 2, .users = 4, .start_us = kStartUs}, 250)) {
      partition_.Apply(record);
    }
    for (const TestRecord& record : LimitRecords("limits", kStartUs + kUsPerDay)) {
      EXPECT_EQ(partition_.Apply(record), "applied");
    }
    view_ = partition_.view();
    EXPECT_TRUE(view_
                    ->Scan({}, {},
                           [&](std::string_view key, std::string_view value) {
                             if (ClassOf(static_cast<RowKind>(key[0])) == RowClass::kLogical) {
                               rows_[static_cast<RowKind>(key[0])].push_back({std::string(key), std::string(value)});
                             }
                             return true;
                           })
                    .ok());
    digest_ = DigestOf(view_);
  }
  // "" when the changed row cannot be read.
  std::string DigestWith(const Row& row, const std::string& value) {
    std::shared_ptr<const View> changed = std::make_shared<OverlayView>(view_, row.key, value);
    Result<StateDigests> digests = ComputeDigests({changed}, std::nullopt);
    return digests.ok() ? digests->state.hex() : "";
  }
  // Whether the row's figures are others, as readers see them at the tenant's moment.
  bool Shows(const Row& row, const std::string& value) {
    RowName name = *NameOf(row.key);
    int64_t moment = MomentOf(*view_, name.tenant()).value();
    return FieldsOf(name.kind, row.value, moment) != FieldsOf(name.kind, value, moment);
  }

  TestPartition partition_;
  std::shared_ptr<const View> view_;
  std::map<RowKind, std::vector<Row>> rows_;
  std::string digest_;
  Random random_{seed_};
};

TEST_F(DigestOfDrift, AnyFigureOfAnyRowChangesIt) {
  for (RowKind kind : LogicalKinds()) {
    ASSERT_FALSE(rows_[kind].empty()) << RowKindName(kind);
    const Row& row = random_.Pick(rows_[kind]);
    uint64_t values = CountValues(kind, row.value), shown = 0;
    for (uint64_t number = 0; number < values; ++number) {
      std::string changed = ChangeValue(kind, row.value, number);
      bool shows = Shows(row, changed);
      shown += shows ? 1 : 0;
      if (!shows) continue;
      EXPECT_NE(DigestWith(row, changed), digest_) << NameOf(row.key)->text << " value " << number << " seed " << seed_;
    }
    EXPECT_GE(shown + 6, values) << "only what left a ring, and the newest hour of an empty one, may not show";
  }
}

TEST_F(DigestOfDrift, AnyByteOfAnyRowChangesItOrItsFigures) {
  for (RowKind kind : LogicalKinds()) {
    for (int run = 0; run < (IsFullRun() ? 500 : 12); ++run) {
      const Row& row = random_.Pick(rows_[kind]);
      std::string changed = row.value;
      size_t at = random_.Below(changed.size());
      changed[at] = static_cast<char>(changed[at] ^ (1 << random_.Below(8)));
      if (!Shows(row, changed)) continue;
      EXPECT_NE(DigestWith(row, changed), digest_) << NameOf(row.key)->text << " byte " << at << " seed " << seed_;
    }
  }
}

TEST_F(DigestOfDrift, ARowThatIsGoneChangesIt) {
  for (RowKind kind : LogicalKinds()) {
    const Row& row = random_.Pick(rows_[kind]);
    std::shared_ptr<const View> without = std::make_shared<OverlayView>(view_, row.key, std::nullopt);
    EXPECT_NE(DigestOf(without), digest_) << NameOf(row.key)->text;
  }
}

// --- The same on every machine and in every build

// Renew both when the mix gives other bytes; renew the digest alone when kFoldVersion is raised: a change of the digest
// without one means that stores in the field would be read by code that means something else by their rows.
constexpr uint64_t kGoldenInput = 7324785665520806432u;
const char kGoldenDigest[] = "80aa6f4e1f33113f578810192c4d6f47171a29f7f483576433fb7066eb690850";

TEST(GoldenDigest, OfAFixedSeedIsTheSameInEveryBuild) {
  std::vector<TestRecord> records = RecordsOf({.seed = 2024, .tenants = 6, .start_us = kStartUs}, 1500);
  std::string input;
  for (const TestRecord& record : records) {
    input += std::to_string(record.append_us) + (record.is_null ? "-" : "+") + record.bytes;
  }
  std::string digest = FoldIn({}, records).digest;
  std::cout << "fold version " << kFoldVersion << " input " << HashOf(input) << " digest " << digest << "\n";
  EXPECT_EQ(HashOf(input), kGoldenInput) << "the mix has changed";
  EXPECT_EQ(digest, kGoldenDigest) << "the fold has changed";
}

}  // namespace
}  // namespace odometer
