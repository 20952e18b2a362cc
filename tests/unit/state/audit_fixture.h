// tests/unit/state/audit_fixture.h: AuditTest, a data directory as a stopped daemon leaves it, of two partitions with a
// mix of everything; ways to spoil a copy of it; and its audit.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consumers/refold.h"
#include "log/local_log.h"
#include "tests/support/random.h"
#include "tests/unit/log/temp_directory.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {

class AuditTest : public testing::Test {
 protected:
  static constexpr uint32_t kPartitions = 2;
  static constexpr int kRecords = 400;  // of each partition, besides Genesis

  static void SetUpTestSuite();
  static void TearDownTestSuite();
  AuditTest();

  // A copy of the whole data directory that a test may spoil, or of its stores.
  std::string CopyData();
  std::string CopyStores();
  static std::string data_dir() { return base_->path() + "/data"; }

  AuditResult RunAudit(const std::string& data_dir, const std::string& store_dir = "",
                       std::optional<std::string> user = std::nullopt);
  // The differences at this place.
  static std::vector<Difference> At(const AuditResult& result, const std::string& place);
  static std::string Describe(const AuditResult& result);

  // --- Stores

  struct Row {
    uint32_t partition = 0;
    std::string key, value;
  };
  // Every row of a kind, of all partitions.
  static std::vector<Row> RowsOf(RowKind kind);
  // No value: the row is deleted. `meta`, when given, is what the store then says of itself.
  static void PutRow(const std::string& store_dir, uint32_t partition, const std::string& key,
                     std::optional<std::string> value, const MetaRow* meta = nullptr);
  static MetaRow MetaOf(const std::string& store_dir, uint32_t partition);

  // --- Logs

  // The records of a partition, Genesis first.
  static std::vector<TestRecord> ReadLog(const std::string& data_dir, uint32_t partition);
  // Instead of the partition's segments, new ones with these records at offsets from 0: valid in every checksum.
  static void WriteLog(const std::string& data_dir, uint32_t partition, const std::vector<TestRecord>& records);
  static std::vector<std::string> SegmentsOf(const std::string& data_dir, uint32_t partition);

  uint64_t seed_ = SeedFromEnvironment(81);
  Random random_{seed_};

 private:
  static void Build();
  static TempDirectory* base_;

  TempDirectory directory_;
  int copies_ = 0;
};

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);
// Every file below a directory, with its bytes.
std::map<std::string, std::string> FilesBelow(const std::string& directory);

}  // namespace odometer
