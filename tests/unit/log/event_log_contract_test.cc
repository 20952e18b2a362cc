#include <gtest/gtest.h>

#include "log/local_log.h"
#include "log/memory_log.h"
#include "tests/support/archived_log.h"
#include "tests/support/log_contract.h"
#include "tests/support/memory_file_system.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
constexpr int64_t kNowUs = 1'700'000'000'123'456;

class MemoryHolder : public LogHolder {
 public:
  MemoryHolder(uint32_t partitions, bool fsync) : log_(clock_, kLogId, partitions, fsync) {}
  EventLog& log() override { return log_; }
  ManualClock* clock() override { return &clock_; }

 private:
  ManualClock clock_{kNowUs};
  MemoryLog log_;
};

class LocalHolder : public LogHolder {
 public:
  LocalHolder(FileSystem& files, std::string directory, uint32_t partitions, LocalLog::Options options)
      : files_(files), directory_(std::move(directory)), options_(options) {
    Status created = LocalLog::Create(files_, clock_, directory_, kLogId, partitions);
    EXPECT_TRUE(created.ok()) << created.ToString();
    Reopen();
  }
  EventLog& log() override { return *log_; }
  bool Reopen() override {
    log_.reset();
    log_ = LocalLog::Open(files_, clock_, directory_, options_).value();
    EXPECT_EQ(log_->tail_cut_bytes(), 0u);
    return true;
  }
  ManualClock* clock() override { return &clock_; }

 private:
  ManualClock clock_{kNowUs};
  FileSystem& files_;
  const std::string directory_;
  const LocalLog::Options options_;
  std::unique_ptr<LocalLog> log_;
};

class DiskHolder : public LogHolder {
 public:
  DiskHolder(uint32_t partitions, LocalLog::Options options)
      : local_(PosixFileSystem(), directory_.path() + "/data/log", partitions, options) {}
  EventLog& log() override { return local_.log(); }
  bool Reopen() override { return local_.Reopen(); }
  ManualClock* clock() override { return local_.clock(); }

 private:
  TempDirectory directory_;
  LocalHolder local_;
};

class SimulatedHolder : public LogHolder {
 public:
  SimulatedHolder(uint32_t partitions, LocalLog::Options options) : local_(files_, "/data/log", partitions, options) {}
  EventLog& log() override { return local_.log(); }
  // In fsync mode a restart of the machine takes nothing.
  bool Reopen() override {
    files_.Crash(MemoryFileSystem::Survives::kNothing);
    return local_.Reopen();
  }
  ManualClock* clock() override { return local_.clock(); }

 private:
  MemoryFileSystem files_;
  LocalHolder local_;
};

class ArchivedHolder : public LogHolder {
 public:
  ArchivedHolder(uint32_t partitions, uint64_t segment_bytes_max)
      : memory_(partitions, true), segment_bytes_max_(segment_bytes_max) {
    Reopen();
  }
  EventLog& log() override { return *archived_; }
  bool Reopen() override {
    archived_.reset();
    archived_ = std::make_unique<ArchivedLog>(files_, *clock(), "/data/log", memory_.log(), segment_bytes_max_);
    return true;
  }
  ManualClock* clock() override { return memory_.clock(); }

 private:
  MemoryHolder memory_;
  const uint64_t segment_bytes_max_;
  MemoryFileSystem files_;
  std::unique_ptr<ArchivedLog> archived_;
};

template <class Holder, class Options>
LogUnderTest Make(std::string name, Options options) {
  return {std::move(name), [options](uint32_t partitions) { return std::make_unique<Holder>(partitions, options); }};
}

LocalLog::Options Fsync(uint64_t segment_bytes_max = kSegmentBytesMax) {
  LocalLog::Options options;
  options.segment_bytes_max = segment_bytes_max;
  return options;
}

LocalLog::Options Written() {
  LocalLog::Options options;
  options.fsync = false;
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Logs, EventLogContract,
    testing::Values(Make<MemoryHolder>("Memory", true), Make<MemoryHolder>("MemoryUnsynced", false),
                    Make<ArchivedHolder>("Archived", kSegmentBytesMax),
                    Make<ArchivedHolder>("ArchivedSmallSegments", 300), Make<DiskHolder>("LocalFsync", Fsync()),
                    Make<DiskHolder>("LocalWritten", Written()), Make<DiskHolder>("LocalSmallSegments", Fsync(400)),
                    Make<SimulatedHolder>("LocalSimulated", Fsync()),
                    Make<SimulatedHolder>("LocalSimulatedSmallSegments", Fsync(200))),
    [](const testing::TestParamInfo<LogUnderTest>& info) { return info.param.name; });

}  // namespace
}  // namespace odometer
