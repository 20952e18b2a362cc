#include "tests/unit/state/audit_fixture.h"

#include "core/placement.h"
#include "tests/unit/state/limit_records.h"

#include <fstream>
#include <iostream>
#include <sstream>

#include "consumers/runner.h"
#include "log/segment_writer.h"

namespace odometer {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kStartUs = 1'701'201'600'000'000;
constexpr uint64_t kSegmentBytes = 48 << 10;

LocalLog::Options LogOptions(bool read_only) {
  LocalLog::Options options;
  options.fsync = false;
  options.segment_bytes_max = kSegmentBytes;
  options.read_only = read_only;
  return options;
}

StoreOptions OptionsOf(const std::string& store_dir, uint32_t partition, uint32_t partitions) {
  StoreOptions options;
  options.path = PartitionPath(store_dir, partition);
  options.log_id = kTestLogId;
  options.partition = partition;
  options.partitions = partitions;
  return options;
}

}  // namespace

TempDirectory* AuditTest::base_ = nullptr;

void AuditTest::SetUpTestSuite() {
  base_ = new TempDirectory;
  Build();
}

void AuditTest::TearDownTestSuite() {
  delete base_;
  base_ = nullptr;
}

AuditTest::AuditTest() { std::cout << "seed " << seed_ << "\n"; }

void AuditTest::Build() {
  ManualClock clock(kStartUs);
  std::string log_dir = data_dir() + "/log";
  ASSERT_TRUE(LocalLog::Create(PosixFileSystem(), clock, log_dir, kTestLogId, kPartitions).ok());
  fs::create_directories(data_dir() + "/state");
  std::unique_ptr<LocalLog> log = LocalLog::Open(PosixFileSystem(), clock, log_dir, LogOptions(false)).value();
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    MixOptions options{.seed = 7 + partition, .partition = partition, .partitions = kPartitions, .tenants = 2};
    options.users = 6;
    options.start_us = kStartUs;
    std::vector<TestRecord> records = odometer::RecordsOf(options, kRecords - kLimitRecords);
    std::string tenant = "limits";
    while (PartitionOf(tenant, kPartitions) != partition) tenant += "'";
    for (TestRecord& record : LimitRecords(tenant, records.back().append_us)) records.push_back(std::move(record));
    for (const TestRecord& record : records) {
      std::string_view view = record.view();
      clock.Set(record.append_us);
      ASSERT_TRUE(log->partition(partition).Append({&view, 1}).ok());
    }
    std::unique_ptr<Store> store = Store::Open(OptionsOf(data_dir() + "/state", partition, kPartitions)).value();
    Runner runner(log->partition(partition), std::move(store), clock, RunnerOptions());
    while (runner.view()->meta().cursor < log->partition(partition).range().end) ASSERT_TRUE(runner.Step(0).ok());
    ASSERT_TRUE(runner.Stop().ok());
  }
}

std::string AuditTest::CopyData() {
  std::string copy = directory_.path() + "/copy" + std::to_string(++copies_);
  fs::copy(data_dir(), copy, fs::copy_options::recursive);
  return copy;
}

std::string AuditTest::CopyStores() {
  std::string copy = directory_.path() + "/copy" + std::to_string(++copies_);
  fs::copy(data_dir() + "/state", copy, fs::copy_options::recursive);
  return copy;
}

AuditResult AuditTest::RunAudit(const std::string& data_dir, const std::string& store_dir,
                                std::optional<std::string> user) {
  AuditRequest request;
  request.data_dir = data_dir;
  request.store_dir = store_dir;
  request.work_dir = directory_.path() + "/audit";
  request.user = std::move(user);
  Result<AuditResult> result = Audit(request, nullptr);
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_FALSE(fs::exists(request.work_dir));
  return result.ok() ? std::move(result).value() : AuditResult();
}

std::vector<Difference> AuditTest::At(const AuditResult& result, const std::string& place) {
  std::vector<Difference> found;
  for (const Difference& difference : result.report.differences) {
    if (difference.place == place) found.push_back(difference);
  }
  return found;
}

std::string AuditTest::Describe(const AuditResult& result) {
  std::ostringstream text;
  text << result.report.difference_count << " differences";
  for (size_t i = 0; i < result.report.differences.size() && i < 8; ++i) {
    const Difference& d = result.report.differences[i];
    text << "\n  " << d.place << "." << d.field << " " << d.stored << " / " << d.folded;
    text << " [" << d.first_offset << ", " << d.next_offset << ")";
  }
  return text.str();
}

std::vector<AuditTest::Row> AuditTest::RowsOf(RowKind kind) {
  std::vector<Row> rows;
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    StoreOptions options = OptionsOf(data_dir() + "/state", partition, kPartitions);
    options.read_only = true;
    std::unique_ptr<Store> store = Store::Open(options).value();
    std::string begin = KeyBuilder().Begin(kind).str();
    EXPECT_TRUE(store->NewView()
                    ->Scan(begin, PrefixEnd(begin),
                           [&](std::string_view key, std::string_view value) {
                             rows.push_back({partition, std::string(key), std::string(value)});
                             return true;
                           })
                    .ok());
  }
  return rows;
}

void AuditTest::PutRow(const std::string& store_dir, uint32_t partition, const std::string& key,
                       std::optional<std::string> value, const MetaRow* meta) {
  std::unique_ptr<Store> store = Store::Open(OptionsOf(store_dir, partition, kPartitions)).value();
  RowBatch batch;
  value.has_value() ? batch.Put(key, *value) : batch.Delete(key);
  ASSERT_TRUE(store->Commit(batch, meta == nullptr ? store->meta() : *meta).ok());
}

MetaRow AuditTest::MetaOf(const std::string& store_dir, uint32_t partition) {
  StoreOptions options = OptionsOf(store_dir, partition, kPartitions);
  options.read_only = true;
  return Store::Open(options).value()->meta();
}

std::vector<TestRecord> AuditTest::ReadLog(const std::string& data_dir, uint32_t partition) {
  std::unique_ptr<LocalLog> log =
      LocalLog::Open(PosixFileSystem(), SystemClock(), data_dir + "/log", LogOptions(true)).value();
  std::unique_ptr<EventReader> reader = log->partition(partition).Read(0).value();
  std::vector<TestRecord> records;
  while (reader->next_offset() < log->partition(partition).range().end) {
    Result<std::span<const Record>> batch = reader->Poll(1000, 0);
    EXPECT_TRUE(batch.ok() && !batch->empty());
    if (!batch.ok() || batch->empty()) break;
    for (const Record& record : *batch) {
      records.push_back({std::string(record.bytes), record.bytes.data() == nullptr, record.append_time.us});
    }
  }
  return records;
}

void AuditTest::WriteLog(const std::string& data_dir, uint32_t partition, const std::vector<TestRecord>& records) {
  std::string directory = PartitionPath(data_dir + "/log", partition);
  fs::remove_all(directory);
  fs::create_directories(directory);
  SegmentHeader header;
  header.log_id = kTestLogId;
  header.partition = partition;
  std::unique_ptr<SegmentWriter> writer =
      SegmentWriter::Create(PosixFileSystem(), directory, header, kSegmentBytes).value();
  for (const TestRecord& record : records) {
    Record frame{writer->end().next_offset, AppendTime{record.append_us}, record.view()};
    ASSERT_TRUE(writer->Write({&frame, 1}, SegmentWriter::Durable::kNo).ok());
  }
  ASSERT_TRUE(writer->Sync().ok());
}

std::vector<std::string> AuditTest::SegmentsOf(const std::string& data_dir, uint32_t partition) {
  std::vector<std::string> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(PartitionPath(data_dir + "/log", partition))) {
    paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good());
}

std::map<std::string, std::string> FilesBelow(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) files[entry.path().string()] = ReadFile(entry.path().string());
  }
  return files;
}

}  // namespace odometer
