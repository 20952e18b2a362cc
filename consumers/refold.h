// consumers/refold.h: Refold, the log of one partition folded again, from its first record, into a store of its own;
// and Audit, that fold held against what a daemon has committed.
//
//   Result<AuditResult> result = Audit({.data_dir = "data", .work_dir = "/tmp/audit"}, progress);
//   result->report.difference_count == 0;      // drift is zero, or it is a bug
//
// Both read only: the log is opened without its lock, stores as they are or as a checkpoint. Confined to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/event_log.h"
#include "state/audit.h"
#include "state/digest.h"
#include "state/store.h"

namespace odometer {

// Called now and then with records folded so far and of how many.
using RefoldProgress = std::function<void(uint64_t folded, uint64_t total)>;

struct RefoldOptions {
  std::string path;          // of the new store; must not exist
  uint64_t to = UINT64_MAX;  // folds [start, to); at most to the log's end
  uint64_t memory_bytes_max = 512ull << 20;
  size_t batch_records = 4096;
  bool commit_every_record = false;  // for tests
  // The log is a copy of one with holes: it does not hold those after its last record.
  bool skip_to_end = false;
};
// kCorrupt from the log names the file and the byte.
Result<std::unique_ptr<Store>> Refold(EventLog& log, uint32_t partition, const RefoldOptions& options,
                                      const RefoldProgress& progress);

struct AuditRequest {
  std::string data_dir;   // holds log/ and state/
  std::string store_dir;  // the stores to audit: a checkpoint, a copy; "" for data_dir/state
  std::string work_dir;   // for the fold; made, and removed at the end
  std::optional<std::string> user;
};
struct AuditResult {
  AuditReport report;
  uint64_t records = 0;  // folded
  uint32_t log_partitions = 0;
  std::vector<Position> positions;  // up to which each partition was audited; of a copy, each that has a store
  std::string stored_digest;        // state_digest of the audited stores
  std::string folded_digest;        // and of the fold
};
Result<AuditResult> Audit(const AuditRequest& request, const RefoldProgress& progress);

// "DIR/p00003"
std::string PartitionPath(const std::string& directory, uint32_t partition);

}  // namespace odometer
