// bench fold: an audit's fold from segment files (read, checksum, verify, dedupe, fold, postings; no RocksDB write)
// against reading the same segments alone, interleaved, medians.
#include <fmt/format.h>
#include <rocksdb/env.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "bench/allocations.h"
#include "bench/die.h"
#include "bench/measure.h"
#include "bench/traffic.h"
#include "log/local_log.h"
#include "state/projection.h"

namespace odometer {
namespace {

struct Flags {
  uint64_t events = 1'000'000;
  uint32_t users = 100'000;
  uint64_t commit_every = 0;
  bool lean = false;
  int runs = 5;
  std::string work_dir = "build/bench-fold";
};

void WriteLog(const Flags& flags, const std::string& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  ManualClock clock(1'800'000'000'000'000);
  Must(LocalLog::Create(PosixFileSystem(), clock, directory, Uuid5(kNamespaceDns, "bench"), 1));
  LocalLog::Options options;
  options.fsync = false;
  Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(PosixFileSystem(), clock, directory, options);
  Must(log.ok() ? Status::Ok() : log.status());
  TrafficOptions traffic_options;
  traffic_options.users = flags.users;
  traffic_options.lean = flags.lean;
  Traffic traffic(traffic_options);
  std::vector<std::string> batch;
  for (uint64_t sent = 0; sent < flags.events; sent += batch.size()) {
    batch.clear();
    for (uint64_t i = 0; i < 1000 && sent + i < flags.events; ++i) batch.push_back(traffic.Next());
    std::vector<std::string_view> views(batch.begin(), batch.end());
    Result<Appended> appended = (*log)->partition(0).Append(views);
    Must(appended.ok() ? Status::Ok() : appended.status());
  }
}

// CPU seconds of one pass over the log, a batch at a time.
template <class F>
double Pass(EventLog& log, F&& each) {
  double begun = CpuSeconds();
  Result<std::unique_ptr<EventReader>> reader = log.partition(0).Read(0);
  Must(reader.ok() ? Status::Ok() : reader.status());
  uint64_t end = log.partition(0).range().end;
  while ((*reader)->next_offset() < end) {
    Result<std::span<const Record>> records = (*reader)->Poll(4096, 0);
    Must(records.ok() ? Status::Ok() : records.status());
    each(*records);
  }
  return CpuSeconds() - begun;
}

double FoldPass(EventLog& log, const Flags& flags, uint64_t* rows, uint64_t* allocated) {
  std::unique_ptr<rocksdb::Env> env(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  StoreOptions options;
  options.path = flags.commit_every == 0 ? "/fold" : flags.work_dir + "/state";
  if (flags.commit_every == 0) options.env = env.get();
  std::filesystem::remove_all(options.path);
  options.log_id = log.log_id();
  Result<std::unique_ptr<Store>> store = Store::Open(options);
  Must(store.ok() ? Status::Ok() : store.status());
  Projection projection(**store, ProjectionOptions());
  std::vector<Outcome> outcomes;
  uint64_t uncommitted = 0;
  uint64_t before = Allocations();
  double seconds = Pass(log, [&](std::span<const Record> records) {
    outcomes.clear();
    Must(projection.Apply(records, &outcomes));
    uncommitted += records.size();
    if (flags.commit_every != 0 && uncommitted >= flags.commit_every) {
      Must(projection.Commit());
      uncommitted = 0;
    }
    for (const Outcome& outcome : outcomes) {
      if (outcome.kind != Outcome::Kind::kApplied)
        Must(Status(Code::kCorrupt, "an event of the bench was not applied"));
    }
  });
  *allocated = Allocations() - before;
  *rows = projection.rows_in_memory();
  return seconds;
}

int Run(const Flags& flags) {
  std::string directory = flags.work_dir + "/log";
  WriteLog(flags, directory);
  LocalLog::Options options;
  options.read_only = true;
  Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(PosixFileSystem(), SystemClock(), directory, options);
  Must(log.ok() ? Status::Ok() : log.status());
  std::vector<double> reads, folds;
  uint64_t rows = 0, bytes = 0, allocated = 0;
  for (int run = 0; run < flags.runs; ++run) {
    bytes = 0;
    reads.push_back(Pass(**log, [&](std::span<const Record> records) {
      for (const Record& record : records) bytes += record.bytes.size();
    }));
    folds.push_back(FoldPass(**log, flags, &rows, &allocated));
    std::cerr << fmt::format("run {}: read alone {:.3f} s, fold {:.3f} s of CPU\n", run + 1, reads.back(),
                             folds.back());
  }
  double events = static_cast<double>(flags.events);
  double read = events / Median(reads), fold = events / Median(folds);
  std::cerr << fmt::format(
      "{} events of {} bytes: read alone {:.0f}/s, fold {:.0f}/s a core, ratio {:.3f}; {} rows in RAM, {} "
      "allocations\n",
      flags.events, bytes / flags.events, read, fold, fold / read, rows, allocated);
  std::cout << fmt::format(
      "{{\"bench\":\"fold\",\"events\":{},\"users\":{},\"runs\":{},\"event_bytes\":{},\"fold_events_per_s\":{:.0f},"
      "\"read_events_per_s\":{:.0f},\"ratio\":{:.4f},\"rows\":{},\"allocations\":{}}}\n",
      flags.events, flags.users, flags.runs, bytes / flags.events, fold, read, fold / read, rows, allocated);
  std::filesystem::remove_all(flags.work_dir);
  return 0;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  odometer::Flags flags;
  CLI::App app("audit fold from segments, against reading them alone");
  app.add_option("--events", flags.events)->capture_default_str();
  app.add_option("--users", flags.users)->capture_default_str();
  app.add_option("--commit-every", flags.commit_every, "Events between two commits to a store on disk; 0: none at all")
      ->capture_default_str();
  app.add_flag("--lean", flags.lean, "Turns of 271 bytes: of ids, model, tokens and cost");
  app.add_option("--runs", flags.runs)->capture_default_str();
  app.add_option("--work-dir", flags.work_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return odometer::Run(flags);
}
