// consumers/daemon.h: Daemon, one log, a Runner for each partition of it that is owned, and what the HTTP API asks of
// them.
//
//   auto daemon = Daemon::Open(options, SystemClock()).value();   // makes the log and stores on first use
//   daemon->Start();
//   uint32_t partition = daemon->PartitionOfTenant("acme");        // where a tenant lives
//   if (daemon->owns(partition)) daemon->runner(partition).log().Append(events);   // durable on return
//
// Thread-safe after Start().
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "consumers/partition_set.h"
#include "consumers/runner.h"
#include "core/placement.h"
#include "core/time.h"
#include "log/event_log.h"
#include "log/file_system.h"

namespace odometer {

struct DaemonOptions {
  std::string data_dir;
  uint32_t partitions = 0;  // of the log; 0: as it has them, kDefaultPartitions for a new one
  PartitionSet owned;       // all of an embedded log
  bool fsync = true;        // false: "written", survives kill -9 but not power loss
  std::string log_url;      // "kafka://…"; "" for the embedded log under data_dir
  EventLog* log = nullptr;  // one that is open already, for tests; must outlive the daemon
  RunnerOptions runner;
  FileSystem* file_system = nullptr;  // null: the machine's
};

// One step of the line that does not work, for /readyz.
struct Readiness {
  bool ready = false;
  std::string failing_step;  // "append", "poll", "fold", "commit"; "" when ready
  int partition = -1;
  std::string detail;
};

class Daemon {
 public:
  static Result<std::unique_ptr<Daemon>> Open(DaemonOptions options, Clock& clock);
  ~Daemon();

  void Start();
  Status Stop();

  Clock& clock() { return clock_; }
  EventLog& log() { return *log_; }
  uint32_t partitions() const { return log_->partitions(); }  // of the log
  std::span<const uint32_t> owned() const { return owned_; }  // rising
  bool owns(uint32_t partition) const { return partition < runner_of_.size() && runner_of_[partition] != nullptr; }
  Runner& runner(uint32_t partition) const {
    ODOMETER_CHECK(owns(partition));
    return *runner_of_[partition];
  }
  uint32_t PartitionOfTenant(std::string_view tenant) const { return PartitionOf(tenant, partitions()); }
  const DaemonOptions& options() const { return options_; }

  // A write and its read-back through the real line: appends a Tick where nothing came back lately, answers within
  // about wait_us.
  Readiness CheckReady(int64_t wait_us);
  // Remembers what an append through the API ended with, so that readiness shows it.
  void NoteAppend(uint32_t partition, const Status& status);
  // Copies of all stores under data_dir/checkpoints/NAME; answers their directory. name is from the clock when empty.
  Result<std::string> Checkpoint(const std::string& name);

 private:
  Daemon(DaemonOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}

  struct ProbeState {
    uint64_t next_offset = 0;  // of the Tick that is out
    int64_t sent_us = 0;
    bool outstanding = false;
    bool is_wanted = false;  // a Tick is to be appended, or is being
    Status append_status;    // of the last append, the API's or a Tick's
    Status refused;          // of the API's last append, while that was an error
    int64_t refused_us = 0;
  };

  FileSystem& Files() const;
  size_t OpenThreadsMax() const;
  Status OpenLog();
  Status ChooseOwned(uint32_t partitions);
  Status OpenLocalLog(FileSystem& files, const std::string& directory);
  Status OpenKafkaLog(FileSystem& files, const std::string& directory);
  // The log as a Runner reads it: itself, or with its copy in segments.
  Result<PartitionLog*> OpenPartitionLog(size_t at, uint64_t cursor);
  // What owned_[at] has; of several at once.
  Status OpenPartition(size_t at);
  Result<std::unique_ptr<Store>> OpenAnew(const StoreOptions& options, const char* why);
  void Note(const char* level, const std::string& text) const;
  Status CheckRoom() const;
  bool NeedsProbe(uint32_t partition, ProbeState& probe) const;
  void AwaitProbes(int64_t wait_us);
  void Probe(uint32_t partition);
  void ProbeLoop();
  std::optional<Readiness> FailureOf(uint32_t partition, int64_t wait_us);

  DaemonOptions options_;
  Clock& clock_;
  std::unique_ptr<EventLog> opened_log_;
  EventLog* log_ = nullptr;
  std::vector<uint32_t> owned_;
  std::vector<std::unique_ptr<PartitionLog>> archived_;  // of owned_, in its order; null unless the log is on Kafka
  std::vector<std::unique_ptr<Runner>> runners_;         // of owned_, in its order
  std::vector<Runner*> runner_of_;                       // by partition; null where it is not owned
  std::thread prober_;  // appends the Ticks: who asks for readiness does not wait for a log that does not answer
  std::mutex probe_mutex_;
  std::condition_variable probe_wanted_, probed_;
  // Guarded by probe_mutex_:
  std::vector<ProbeState> probes_;  // by partition; of those not owned, none is ever wanted
  bool is_stopping_ = false;
};

}  // namespace odometer
