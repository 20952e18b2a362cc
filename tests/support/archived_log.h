// tests/support/archived_log.h: ArchivedLog, every partition of a log with its copy in segments, as the daemon has
// them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "log/archived_partition.h"

namespace odometer {

class ArchivedLog : public EventLog {
 public:
  ArchivedLog(FileSystem& files, Clock& clock, const std::string& directory, EventLog& source,
              uint64_t segment_bytes_max = kSegmentBytesMax)
      : source_(source) {
    for (uint32_t i = 0; i < source.partitions(); ++i) {
      ArchivedPartition::Options options{directory + "/p" + std::to_string(i), source.log_id(), segment_bytes_max};
      Result<std::unique_ptr<ArchivedPartition>> partition =
          ArchivedPartition::Open(files, clock, options, source.partition(i), source.partition(i).range().end);
      EXPECT_TRUE(partition.ok()) << partition.status().ToString();
      partitions_.push_back(std::move(partition.value()));
    }
  }
  Uuid log_id() const override { return source_.log_id(); }
  uint32_t partitions() const override { return source_.partitions(); }
  PartitionLog& partition(uint32_t partition) override { return *partitions_[partition]; }

 private:
  EventLog& source_;
  std::vector<std::unique_ptr<ArchivedPartition>> partitions_;
};

}  // namespace odometer
