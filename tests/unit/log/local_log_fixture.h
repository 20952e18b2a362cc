// tests/unit/log/local_log_fixture.h: LocalLogTest, a LocalLog of one partition on a simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "log/local_log.h"
#include "tests/support/memory_file_system.h"

namespace odometer {

class LocalLogTest : public testing::Test {
 protected:
  static constexpr int64_t kNowUs = 1'700'000'000'123'456;
  inline static const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
  inline static const std::string kDirectory = "/log";

  static std::string SegmentPath(uint64_t base_offset) { return kDirectory + "/p00000/" + SegmentName(base_offset); }

  void Create(MemoryFileSystem& files, uint32_t partitions = 1) {
    Status created = LocalLog::Create(files, clock_, kDirectory, kLogId, partitions);
    ASSERT_TRUE(created.ok()) << created.ToString();
  }
  Result<std::unique_ptr<LocalLog>> TryOpen(MemoryFileSystem& files, LocalLog::Options options = {}) {
    return LocalLog::Open(files, clock_, kDirectory, options);
  }
  std::unique_ptr<LocalLog> Open(MemoryFileSystem& files, LocalLog::Options options = {}) {
    Result<std::unique_ptr<LocalLog>> log = TryOpen(files, options);
    EXPECT_TRUE(log.ok()) << log.status().ToString();
    return std::move(log).value();
  }
  static LocalLog::Options SmallSegments(uint64_t bytes_max) {
    LocalLog::Options options;
    options.segment_bytes_max = bytes_max;
    return options;
  }

  static Result<Appended> Append(LocalLog& log, const std::vector<std::string>& events) {
    std::vector<std::string_view> views(events.begin(), events.end());
    return log.partition(0).Append(views);
  }

  // What a reader gives up to the end of the log, or up to an error.
  struct Read {
    std::vector<std::string> events;
    Status status;
  };
  static Read ReadAll(LocalLog& log, uint64_t from = 1) {
    Read read;
    std::unique_ptr<EventReader> reader = log.partition(0).Read(from).value();
    while (reader->next_offset() < log.partition(0).range().end) {
      Result<std::span<const Record>> batch = reader->Poll(5, 0);
      if (!batch.ok()) {
        read.status = batch.status();
        break;
      }
      if (batch->empty()) {
        ADD_FAILURE() << "nothing at offset " << reader->next_offset();
        break;
      }
      for (const Record& record : *batch) read.events.emplace_back(record.bytes);
    }
    return read;
  }

  // A disk with the log of `files`, whose segments are replaced by these contents.
  std::unique_ptr<MemoryFileSystem> WithSegments(const MemoryFileSystem& files,
                                                 const std::vector<std::pair<uint64_t, std::string>>& segments) {
    auto copy = std::make_unique<MemoryFileSystem>();
    EXPECT_TRUE(copy->CreateDirectories(kDirectory + "/p00000").ok());
    copy->SetContents(kDirectory + "/log.manifest", files.Contents(kDirectory + "/log.manifest"));
    for (const auto& [base_offset, bytes] : segments) copy->SetContents(SegmentPath(base_offset), bytes);
    return copy;
  }
  std::unique_ptr<MemoryFileSystem> WithSegment(const MemoryFileSystem& files, const std::string& bytes) {
    return WithSegments(files, {{0, bytes}});
  }

  ManualClock clock_{kNowUs};
};

inline bool IsPrefix(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace odometer
