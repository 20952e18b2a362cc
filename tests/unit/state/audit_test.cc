// Planted drift: whatever is changed in a copy of a store or of a log, the audit finds it and says where.
#include "state/audit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "consumers/runner.h"
#include "state/meta.h"
#include "tests/support/event_maker.h"
#include "tests/unit/state/audit_fixture.h"
#include "tests/unit/state/limit_records.h"
#include "tests/unit/state/overlay_view.h"
#include "tests/unit/state/row_fields.h"

namespace odometer {
namespace {

using Changes = std::set<std::tuple<std::string, std::string, std::string>>;  // field, stored, folded

// What differs between two rows' bytes, as an audit should list it.
Changes ChangesBetween(RowKind kind, const std::string& stored, const std::string& folded) {
  FieldMap left = FieldsOf(kind, stored, 0).value(), right = FieldsOf(kind, folded, 0).value();
  Changes changes;
  for (const auto& [field, value] : left) {
    auto other = right.find(field);
    if (other == right.end()) changes.emplace(field, value, "(absent)");
    if (other != right.end() && other->second != value) changes.emplace(field, value, other->second);
  }
  for (const auto& [field, value] : right) {
    if (!left.contains(field)) changes.emplace(field, "(absent)", value);
  }
  return changes;
}

Changes Listed(const std::vector<Difference>& differences) {
  Changes changes;
  for (const Difference& d : differences) changes.emplace(d.field, d.stored, d.folded);
  return changes;
}

// --- No drift

TEST_F(AuditTest, WithoutDriftIsZeroAndTouchesNothing) {
  std::map<std::string, std::string> before = FilesBelow(data_dir());
  AuditResult result = RunAudit(data_dir());
  EXPECT_EQ(result.report.difference_count, 0u) << Describe(result);
  EXPECT_TRUE(result.report.differences.empty());
  uint64_t ends[] = {ReadLog(data_dir(), 0).size(), ReadLog(data_dir(), 1).size()};
  EXPECT_EQ(result.records, ends[0] + ends[1]);
  EXPECT_EQ(result.log_partitions, kPartitions);
  EXPECT_GT(result.report.rows, 500u);
  EXPECT_GT(result.report.fields, 10 * result.report.rows);
  EXPECT_GT(result.report.other_rows, 100u);
  EXPECT_EQ(result.stored_digest, result.folded_digest);
  EXPECT_EQ(result.positions, (std::vector<Position>{{0, ends[0]}, {1, ends[1]}}));
  EXPECT_EQ(FilesBelow(data_dir()), before);
}

TEST_F(AuditTest, OfARunningDaemonsCheckpointIsZeroAndDisturbsNothing) {
  std::string data = CopyData();
  std::vector<TestRecord> records = ReadLog(data, 0);
  ManualClock clock(records.back().append_us);
  std::unique_ptr<LocalLog> log = LocalLog::Open(PosixFileSystem(), clock, data + "/log", {}).value();
  std::vector<std::unique_ptr<Runner>> runners;
  std::string checkpoint = data + "/checkpoint";
  std::filesystem::create_directories(checkpoint);
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    StoreOptions options;
    options.path = PartitionPath(data + "/state", partition);
    options.log_id = kTestLogId;
    options.partition = partition;
    options.partitions = kPartitions;
    std::unique_ptr<Store> store = Store::Open(options).value();
    runners.push_back(std::make_unique<Runner>(log->partition(partition), std::move(store), clock, RunnerOptions()));
    ASSERT_TRUE(runners[partition]->Checkpoint(PartitionPath(checkpoint, partition)).ok());
    std::string_view more = records[5].bytes;  // the daemon goes on
    ASSERT_TRUE(log->partition(partition).Append({&more, 1}).ok());
    ASSERT_TRUE(runners[partition]->Step(0).ok());
  }
  AuditResult result = RunAudit(data, checkpoint);
  EXPECT_EQ(result.report.difference_count, 0u) << Describe(result);
  EXPECT_EQ(result.positions[0].next_offset, records.size()) << "up to the checkpoint";
  EXPECT_TRUE(runners[0]->Step(0).ok());
}

TEST_F(AuditTest, RefusesAWorkDirectoryThatExistsAndLeavesItThere) {
  std::string data = CopyData();
  AuditRequest request{data, "", data + "/state", std::nullopt};
  EXPECT_EQ(Audit(request, nullptr).status().code(), Code::kConflict);
  EXPECT_TRUE(std::filesystem::exists(data + "/state/p00000"));
}

// --- A value of a store

TEST_F(AuditTest, AChangedValueOfAnyKindOfRowIsNamedWithItsPlaceAndBothValues) {
  std::string stores = CopyStores();
  for (RowKind kind : LogicalKinds()) {
    std::vector<Row> rows = RowsOf(kind);
    ASSERT_FALSE(rows.empty()) << RowKindName(kind);
    for (int run = 0; run < (IsFullRun() ? 20 : 1); ++run) {
      const Row& row = random_.Pick(rows);
      uint64_t number = random_.Below(CountValues(kind, row.value));
      std::string changed = ChangeValue(kind, row.value, number);
      PutRow(stores, row.partition, row.key, changed);
      AuditResult result = RunAudit(data_dir(), stores);
      RowName name = *NameOf(row.key);
      std::string where = name.text + " value " + std::to_string(number) + " seed " + std::to_string(seed_) + ": ";
      where += Describe(result);
      std::vector<Difference> at = At(result, name.text);
      ASSERT_FALSE(at.empty()) << where;
      Changes want = ChangesBetween(kind, changed, row.value);
      if (!want.empty()) {
        EXPECT_EQ(Listed(at), want) << where;
      }
      for (const Difference& d : at) {
        EXPECT_EQ(d.tenant, name.texts[0]);
        EXPECT_NE(d.stored, d.folded) << where;
        EXPECT_LT(d.first_offset, d.next_offset);
        EXPECT_EQ(d.subject, name.texts.size() > 1 ? name.texts[1] : "");
      }
      // A second difference, where the conservation law sums up events; a project's hold those of its users.
      bool is_events = want.size() == 1 && std::get<0>(*want.begin()) == "events" && kind != RowKind::kProjectUser;
      EXPECT_EQ(result.report.difference_count, at.size() + (is_events ? 1 : 0)) << where;
      PutRow(stores, row.partition, row.key, row.value);
    }
  }
  EXPECT_EQ(RunAudit(data_dir(), stores).report.difference_count, 0u) << "all was put back";
}

// Not only one value by luck: each, of a row of each kind, positional and derived ones too.
// Where a difference in a row is reported: that of a chunk of postings under its list.
std::string PlaceOf(std::string_view key) {
  std::string name = NameOf(key)->text;
  return ClassOf(static_cast<RowKind>(key[0])) == RowClass::kDerived ? name.substr(0, name.rfind(',')) + "]" : name;
}

TEST_F(AuditTest, EveryValueOfEveryKindOfRowIsCompared) {
  TestPartition partition;
  for (const TestRecord& record : odometer::RecordsOf({.seed = 9, .tenants = 1, .users = 3}, 200)) {
    partition.Apply(record);
  }
  for (const TestRecord& record : LimitRecords("limits", TimeOf("2024-03-01T00:00:00Z"))) partition.Apply(record);
  std::shared_ptr<const View> view = partition.view();
  std::map<RowKind, std::vector<std::pair<std::string, std::string>>> rows;
  ASSERT_TRUE(view->Scan({}, {},
                         [&](std::string_view key, std::string_view value) {
                           rows[static_cast<RowKind>(key[0])].emplace_back(key, value);
                           return true;
                         })
                  .ok());
  EXPECT_EQ(rows.size(), 33u) << "a kind of row is missing from the mix";
  for (const auto& [kind, of_kind] : rows) {
    const auto& [key, value] = random_.Pick(of_kind);
    uint64_t values = CountValues(kind, value), step = IsFullRun() ? 1 : 1 + values / 80;
    for (uint64_t number = random_.Below(step); number < values; number += step) {
      std::string changed = ChangeValue(kind, value, number);
      OverlayView stored(view, key, changed);
      Result<AuditReport> report = CompareStores(stored, *view, {});
      ASSERT_TRUE(report.ok());
      std::string where = NameOf(key)->text + " value " + std::to_string(number) + " seed " + std::to_string(seed_);
      ASSERT_GT(report->difference_count, 0u) << where;
      for (const Difference& d : report->differences) ASSERT_EQ(d.place, PlaceOf(key)) << where;
    }
  }
}

// The range to look at may be narrow only if every event that moves the figure stands in it.
TEST_F(AuditTest, TheOffsetsToLookAtHoldEveryEventThatMovesTheFigure) {
  TestPartition partition;
  EventMaker make("acme");
  partition.Apply(make.Config("ann", 1));                                            // offset 1
  partition.Apply(make.Turn("ann", 2, "s"));                                         // 2
  partition.Apply(make.Turn("bob", 3, "t"));                                         // 3
  partition.Apply(make.Turn("ann", 4, "s"));                                         // 4
  partition.Apply(make.Turn("bob", 5, "t"));                                         // 5
  partition.Apply(make.Session(EventType::kSessionRenamed, "ann", "s", 6));          // 6
  partition.Apply(make.Vectors("ann", "bob", 3, 7));                                 // 7, a project named like a user
  partition.Apply(make.Knowledge(EventType::kCollectionSubscribed, "ann", "c", 8));  // 8
  std::shared_ptr<const View> view = partition.view();
  auto look_at = [&](const std::string& row, const std::string& field) {
    std::string key = *KeyOfName(row);
    std::string value = **view->Get(key);
    RowKind kind = NameOf(key)->kind;
    for (uint64_t number = 0; number < CountValues(kind, value); ++number) {
      OverlayView stored(view, key, ChangeValue(kind, value, number));
      std::vector<Difference> differences = CompareStores(stored, *view, {}).value().differences;
      if (differences.size() == 1 && differences[0].field == field) {
        return std::pair(differences[0].first_offset, differences[0].next_offset);
      }
    }
    ADD_FAILURE() << row << " has no " << field;
    return std::pair(uint64_t{0}, uint64_t{0});
  };
  using Offsets = std::pair<uint64_t, uint64_t>;
  Offsets all{0, 9};
  EXPECT_EQ(look_at("account[acme,ann]", "output_tokens"), (Offsets{2, 5}));
  EXPECT_EQ(look_at("session[acme,bob,t]", "turns"), (Offsets{3, 6}));
  EXPECT_EQ(look_at("account[acme,ann]", "config_changes"), all);
  EXPECT_EQ(look_at("account[acme,ann]", "events"), all);
  EXPECT_EQ(look_at("account[acme,ann]", "collections_subscribed"), all);
  EXPECT_EQ(look_at("session[acme,ann,s]", "name_us"), all);
  EXPECT_EQ(look_at("session[acme,ann,s]", "last_us"), all);
  EXPECT_EQ(look_at("subscription[acme,ann,c]", "subscribed"), all);
  EXPECT_EQ(look_at("project[acme,bob]", "vectors"), all);
  EXPECT_EQ(look_at("project_user[acme,ann,bob]", "vectors"), all);
}

TEST_F(AuditTest, ARowThatIsGoneOrShouldNotBeIsNamed) {
  std::string stores = CopyStores();
  for (RowKind kind : {RowKind::kPeriod, RowKind::kCollection, RowKind::kIdIndex, RowKind::kStream, RowKind::kChain}) {
    const Row row = random_.Pick(RowsOf(kind));
    PutRow(stores, row.partition, row.key, std::nullopt);
    AuditResult result = RunAudit(data_dir(), stores);
    std::vector<Difference> at = At(result, NameOf(row.key)->text);
    ASSERT_EQ(at.size(), 1u) << NameOf(row.key)->text << " " << Describe(result);
    EXPECT_EQ(at[0].field, "row");
    EXPECT_EQ(at[0].stored, "(absent)");
    PutRow(stores, row.partition, row.key, row.value);
  }
  std::string key = KeyBuilder().Begin(RowKind::kSession).Text("nowhere").Text("ann").Text("s").str();
  PutRow(stores, 0, key, EncodeRow(SessionRow()));
  std::vector<Difference> at = At(RunAudit(data_dir(), stores), "session[nowhere,ann,s]");
  ASSERT_EQ(at.size(), 1u);
  EXPECT_EQ(at[0].folded, "(absent)");
  EXPECT_EQ(at[0].tenant, "nowhere");
}

TEST_F(AuditTest, BytesThatAreNoRowAreADifferenceNotAFailure) {
  std::string stores = CopyStores();
  const Row row = random_.Pick(RowsOf(RowKind::kDay));
  PutRow(stores, row.partition, row.key, row.value + "?");
  EXPECT_EQ(At(RunAudit(data_dir(), stores), NameOf(row.key)->text).size(), 1u);
}

TEST_F(AuditTest, AMissingPostingIsFound) {
  std::string stores = CopyStores();
  for (RowKind kind : {RowKind::kUserPostings, RowKind::kSessionPostings, RowKind::kProjectPostings}) {
    const Row row = random_.Pick(RowsOf(kind));
    PostingChunk chunk;
    ASSERT_TRUE(DecodeRow(row.value, &chunk));
    chunk.entries.erase(chunk.entries.begin() + static_cast<ptrdiff_t>(random_.Below(chunk.entries.size())));
    PutRow(stores, row.partition, row.key, EncodeRow(chunk));
    AuditResult result = RunAudit(data_dir(), stores);
    EXPECT_EQ(At(result, PlaceOf(row.key)).size(), 1u) << Describe(result);
    EXPECT_EQ(result.stored_digest, result.folded_digest) << "no figure differs";
    PutRow(stores, row.partition, row.key, row.value);
  }
}

TEST_F(AuditTest, WhereChunksOfPostingsEndIsNoDifference) {
  std::string stores = CopyStores();
  const Row row = random_.Pick(RowsOf(RowKind::kUserPostings));
  PostingChunk all, last;
  ASSERT_TRUE(DecodeRow(row.value, &all));
  if (all.entries.size() < 2) GTEST_FAIL() << "the mix has no chunk of two";
  last.entries.push_back(all.entries.back());
  all.entries.pop_back();
  KeyBuilder key;
  key.Assign(row.key).Cut(row.key.size() - 8).Number(static_cast<int64_t>(last.entries[0].offset));
  PutRow(stores, row.partition, row.key, EncodeRow(all));
  PutRow(stores, row.partition, key.str(), EncodeRow(last));
  AuditResult result = RunAudit(data_dir(), stores);
  EXPECT_EQ(result.report.difference_count, 0u) << Describe(result);
}

TEST_F(AuditTest, AChunkOfPostingsThatCannotBeReadIsADifferenceNotAFailure) {
  std::string stores = CopyStores();
  const Row row = random_.Pick(RowsOf(RowKind::kSessionPostings));
  PutRow(stores, row.partition, row.key, row.value + "?");
  EXPECT_EQ(At(RunAudit(data_dir(), stores), NameOf(row.key)->text).size(), 1u);
}

TEST_F(AuditTest, AMissingQuarantineRowIsFoundFromBothEnds) {
  std::string stores = CopyStores();
  const Row row = random_.Pick(RowsOf(RowKind::kQuarantine));
  PutRow(stores, row.partition, row.key, std::nullopt);
  AuditResult result = RunAudit(data_dir(), stores);
  EXPECT_EQ(At(result, NameOf(row.key)->text).size(), 1u) << Describe(result);
  std::vector<Difference> law = At(result, "conservation[" + std::to_string(row.partition) + "]");
  ASSERT_EQ(law.size(), 1u) << Describe(result);
  EXPECT_EQ(law[0].field, "quarantined = quarantine rows");
}

TEST_F(AuditTest, AChangedCountOfOutcomesIsFound) {
  std::string stores = CopyStores();
  MetaRow right = MetaOf(stores, 1), wrong = right;
  ++wrong.duplicate;  // and the law still holds
  --wrong.applied[static_cast<size_t>(EventType::kTurnRecorded)];
  PutRow(stores, 1, "Xnote", "", &wrong);
  AuditResult result = RunAudit(data_dir(), stores);
  Changes listed = Listed(At(result, "meta[]"));
  EXPECT_TRUE(listed.contains({"duplicate", std::to_string(wrong.duplicate), std::to_string(right.duplicate)}))
      << Describe(result);
  EXPECT_EQ(listed.size(), 2u);
  std::vector<Difference> law = At(result, "conservation[1]");
  ASSERT_EQ(law.size(), 1u);
  EXPECT_EQ(law[0].field, "applied = sum of events over rows");
}

TEST_F(AuditTest, AStoreOfAnotherLogIsNoMatterOfDrift) {
  std::string data = CopyData();
  std::filesystem::remove_all(data + "/log");
  Uuid other = kTestLogId;
  other.bytes[15] ^= 1;
  ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), SystemClock(), data + "/log", other, kPartitions).ok());
  AuditResult result = RunAudit(data);
  ASSERT_EQ(result.report.difference_count, kPartitions) << Describe(result);
  EXPECT_NE(result.report.differences[0].folded.find("was folded from log"), std::string::npos);
}

// --- Records of the log, with valid checksums

class AuditOfLogs : public AuditTest {
 protected:
  // The audit of a copy whose partition 1 has these records instead.
  AuditResult AuditWith(const std::vector<TestRecord>& records) {
    std::string data = CopyData();
    WriteLog(data, 1, records);
    return RunAudit(data);
  }
  // Some range that an audit gives holds the offset, and is no wider than the marks of the chain allow.
  static void ExpectNear(const AuditResult& result, uint64_t offset) {
    EXPECT_GT(result.report.difference_count, 0u);
    bool near = false;
    for (const Difference& d : result.report.differences) {
      bool is_of_all = d.place.find("log[") == 0 || d.place.find("conservation") == 0;
      EXPECT_TRUE(is_of_all || d.first_offset / kChainStep == offset / kChainStep)
          << d.place << " " << d.first_offset << ", not near " << offset;
      near |= d.first_offset <= offset && offset < d.next_offset && d.next_offset - d.first_offset <= kChainStep;
    }
    EXPECT_TRUE(near) << "offset " << offset << ": " << Describe(result);
  }
  uint64_t AnyOffset() { return 1 + random_.Below(kRecords); }

  std::vector<TestRecord> records_ = ReadLog(data_dir(), 1);
};

TEST_F(AuditOfLogs, ALogWrittenAnewWithTheSameRecordsIsTheSame) {
  ASSERT_GT(records_.size(), kRecords) << "and what the runner told of crossings";
  EXPECT_EQ(AuditWith(records_).report.difference_count, 0u);
}

TEST_F(AuditOfLogs, ADeletedRecordIsFoundAndLocated) {
  for (uint64_t offset : {uint64_t{1}, AnyOffset(), uint64_t{kRecords}}) {
    std::vector<TestRecord> records = records_;
    records.erase(records.begin() + static_cast<ptrdiff_t>(offset));
    AuditResult result = AuditWith(records);
    ExpectNear(result, offset);
    std::vector<Difference> end = At(result, "log[p1]");
    ASSERT_EQ(end.size(), 1u);
    EXPECT_EQ(end[0].stored, std::to_string(records_.size()));
    EXPECT_EQ(end[0].folded, std::to_string(records.size()));
  }
}

TEST_F(AuditOfLogs, ADoubledRecordIsFoundAndLocated) {
  for (uint64_t offset : {uint64_t{1}, AnyOffset()}) {
    std::vector<TestRecord> records = records_;
    records.insert(records.begin() + static_cast<ptrdiff_t>(offset), records_[offset]);
    ExpectNear(AuditWith(records), offset + 1);
  }
}

TEST_F(AuditOfLogs, AnAlteredRecordIsFoundAndLocated) {
  uint64_t turn = AnyOffset();
  for (;; turn = AnyOffset()) {  // a turn that says a little more than it did
    DecodedEvent event(records_[turn].view());
    if (event.reason() != Reason::kNone || event.event().type != EventType::kTurnRecorded) continue;
    if (event.event().turn.tokens.input_uncached > 1'000'000) continue;
    event.event().turn.tokens.input_uncached += 1;
    std::vector<TestRecord> records = records_;
    records[turn].bytes = Encode(event.event());
    ExpectNear(AuditWith(records), turn);
    break;
  }
}

TEST_F(AuditOfLogs, AnAlteredTimeOrPayloadIsFoundEvenIfNoFigureDiffers) {
  uint64_t offset = AnyOffset();
  std::vector<TestRecord> later = records_;
  later[offset].append_us += 1;
  ExpectNear(AuditWith(later), offset);
  std::vector<TestRecord> emptied = records_;
  emptied[offset] = {"", false, records_[offset].append_us};
  ExpectNear(AuditWith(emptied), offset);
  std::vector<TestRecord> nulled = records_;
  nulled[offset] = {"", true, records_[offset].append_us};
  ExpectNear(AuditWith(nulled), offset);
}

TEST_F(AuditOfLogs, ASwappedTailIsFoundAndLocated) {
  std::vector<TestRecord> swapped = records_;
  std::swap(swapped[kRecords - 1].bytes, swapped[kRecords].bytes);
  std::swap(swapped[kRecords - 1].is_null, swapped[kRecords].is_null);
  ExpectNear(AuditWith(swapped), kRecords - 1);
  std::vector<TestRecord> foreign = records_;  // the tail of another partition, byte for byte
  std::vector<TestRecord> other = ReadLog(data_dir(), 0);
  for (size_t i = kRecords - 20; i <= kRecords; ++i) foreign[i].bytes = other[i].bytes;
  ExpectNear(AuditWith(foreign), kRecords - 20);
}

// --- Bytes of the log

class AuditOfFiles : public AuditTest {
 protected:
  // Either the damage is told with its file, or the log ends before it.
  void ExpectTold(const AuditResult& result, const std::string& path, uint32_t partition, const std::string& what) {
    ASSERT_GT(result.report.difference_count, 0u) << what;
    bool is_told = false;
    std::string own_place = "log[p" + std::to_string(partition) + "]";
    for (const Difference& d : result.report.differences) {
      if (d.place.find("log") != 0) continue;
      bool names_file = d.folded.find(path) != std::string::npos;
      is_told |= names_file || (d.field == "end" && d.place == own_place && d.first_offset < d.next_offset);
      EXPECT_TRUE(d.place == own_place || d.place == "log") << d.place << " for damage in " << path;
    }
    EXPECT_TRUE(is_told) << what << ": " << Describe(result);
  }
};

TEST_F(AuditOfFiles, AFlippedBitAnywhereInASegmentIsToldWithFileAndByte) {
  for (int run = 0; run < (IsFullRun() ? 200 : 12); ++run) {
    uint32_t partition = static_cast<uint32_t>(random_.Below(kPartitions));
    std::string data = CopyData();
    std::vector<std::string> segments = SegmentsOf(data, partition);
    ASSERT_GT(segments.size(), 2u);
    const std::string& path = random_.Pick(segments);
    std::string bytes = ReadFile(path);
    size_t at = run % 4 == 0 ? random_.Below(64) : random_.Below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_.Below(8)));
    WriteFile(path, bytes);
    AuditResult result = RunAudit(data);
    ExpectTold(result, path, partition, path + " byte " + std::to_string(at) + " seed " + std::to_string(seed_));
    std::filesystem::remove_all(data);
  }
}

TEST_F(AuditOfFiles, DamageThatStopsTheOpeningIsNotBlamedOnAnotherPartition) {
  std::string data = CopyData();
  std::string path = SegmentsOf(data, 1)[1];
  std::string bytes = ReadFile(path);
  bytes[20] = static_cast<char>(bytes[20] ^ 1);  // in the header
  WriteFile(path, bytes);
  AuditResult result = RunAudit(data);
  EXPECT_TRUE(At(result, "log[p0]").empty()) << Describe(result);
  ExpectTold(result, path, 1, "a damaged header");
}

TEST_F(AuditOfFiles, ADamagedFrameIsToldWithTheByteAtWhichItBegins) {
  std::string data = CopyData();
  std::string path = SegmentsOf(data, 1)[0];
  std::string bytes = ReadFile(path);
  bytes[80] = static_cast<char>(bytes[80] ^ 4);  // in the first frame, at byte 64
  WriteFile(path, bytes);
  AuditResult result = RunAudit(data);
  ASSERT_FALSE(result.report.differences.empty());
  EXPECT_NE(Describe(result).find("64"), std::string::npos) << Describe(result);
}

TEST_F(AuditOfFiles, FramesThatChangedPlacesAreTold) {
  std::string data = CopyData();
  std::string path = SegmentsOf(data, 0).back();
  std::string bytes = ReadFile(path);
  uint32_t length = 0;
  std::vector<size_t> begins;
  for (size_t at = kSegmentHeaderBytes; at < bytes.size(); at += FrameBytes(length & 0x1fffffff)) {
    begins.push_back(at);
    std::memcpy(&length, bytes.data() + at, sizeof length);
  }
  ASSERT_GT(begins.size(), 3u);
  size_t a = begins[begins.size() - 2], b = begins.back();
  WriteFile(path, bytes.substr(0, a) + bytes.substr(b) + bytes.substr(a, b - a));
  ExpectTold(RunAudit(data), path, 0, "the last two frames swapped");
  WriteFile(path, bytes.substr(0, b));
  ExpectTold(RunAudit(data), path, 0, "the last frame cut off");
  WriteFile(path, bytes.substr(0, b) + ReadFile(SegmentsOf(data, 1).back()).substr(kSegmentHeaderBytes));
  ExpectTold(RunAudit(data), path, 0, "another partition's frames at the end");
}

TEST_F(AuditOfFiles, AMissingSegmentPartitionOrManifestIsTold) {
  std::string data = CopyData();
  std::vector<std::string> segments = SegmentsOf(data, 1);
  std::string middle = ReadFile(segments[1]);
  std::filesystem::remove(segments[1]);
  EXPECT_GT(RunAudit(data).report.difference_count, 0u);
  WriteFile(segments[1], middle);
  EXPECT_EQ(RunAudit(data).report.difference_count, 0u);
  std::filesystem::remove(segments.back());
  EXPECT_GT(RunAudit(data).report.difference_count, 0u);
  std::filesystem::remove_all(PartitionPath(data + "/log", 1));
  EXPECT_GT(RunAudit(data).report.difference_count, 0u);
  std::string manifest = ReadFile(data + "/log/log.manifest");
  manifest[20] = static_cast<char>(manifest[20] ^ 1);
  WriteFile(data + "/log/log.manifest", manifest);
  EXPECT_GT(RunAudit(data).report.difference_count, 0u);
}

// --- One user

TEST_F(AuditTest, OfOneUserSeesThatUsersRowsAlone) {
  std::vector<Row> accounts = RowsOf(RowKind::kAccount);
  const Row first = accounts.front();
  const Row second = *std::find_if(accounts.begin(), accounts.end(), [&](const Row& row) {
    return NameOf(row.key)->texts[1] != NameOf(first.key)->texts[1];
  });
  std::string ann = NameOf(first.key)->texts[1], bob = NameOf(second.key)->texts[1];
  ASSERT_NE(ann, bob);
  std::string stores = CopyStores();
  auto drift = [&](const Row& row) {
    AccountRow account;
    ASSERT_TRUE(DecodeRow(row.value, &account));
    account.usage.champion_cases += 3;
    PutRow(stores, row.partition, row.key, EncodeRow(account));
  };
  drift(first);
  drift(second);
  EXPECT_EQ(RunAudit(data_dir(), stores).report.difference_count, 2u);
  for (const Row* row : std::initializer_list<const Row*>{&first, &second}) {
    AuditResult result = RunAudit(data_dir(), stores, NameOf(row->key)->texts[1]);
    ASSERT_EQ(result.report.difference_count, 1u) << Describe(result);
    EXPECT_EQ(result.report.differences[0].place, NameOf(row->key)->text);
    EXPECT_EQ(result.report.differences[0].field, "champion_cases");
    EXPECT_LT(result.report.rows, RunAudit(data_dir(), stores).report.rows);
  }
  EXPECT_EQ(RunAudit(data_dir(), stores, "nobody").report.difference_count, 0u);
}

TEST_F(AuditTest, OfOneProjectSeesItsRows) {
  std::string stores = CopyStores();
  const Row row = RowsOf(RowKind::kProject).front();
  ProjectRow project;
  ASSERT_TRUE(DecodeRow(row.value, &project));
  project.vectors -= 1;
  PutRow(stores, row.partition, row.key, EncodeRow(project));
  EXPECT_EQ(RunAudit(data_dir(), stores, NameOf(row.key)->texts[1]).report.difference_count, 1u);
}

TEST_F(AuditTest, AUserWhoIsNamedLikeATenantIsNotAllOfItsUsers) {
  std::string stores = CopyStores();
  const Row row = RowsOf(RowKind::kDay).front();
  DayRow day;
  ASSERT_TRUE(DecodeRow(row.value, &day));
  day.turns += 1;
  PutRow(stores, row.partition, row.key, EncodeRow(day));
  AuditResult result = RunAudit(data_dir(), stores, NameOf(row.key)->texts[0]);
  EXPECT_EQ(result.report.difference_count, 0u) << Describe(result);
}

}  // namespace
}  // namespace odometer
