#include "consumers/daemon.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "consumers/fresh_id.h"
#include "consumers/refold.h"
#include "core/event.h"
#include "core/period.h"
#include "log/archived_partition.h"
#include "log/at_once.h"
#include "log/kafka_log.h"
#include "log/local_log.h"
#include "log/log_manifest.h"
#include "state/chain.h"

namespace odometer {

namespace {

constexpr uint64_t kSegmentRoomBytes = 1 << 20;  // of a log with fsync: some thousands of asks

// A partition from which nothing came back for this long is asked with a Tick; a probe that is out this long has
// failed.
constexpr int64_t kQuietUs = 2'500'000;
// Below this a segment's next frames and a store's next commit may not fit.
constexpr uint64_t kRoomBytesMin = 1 << 20;
// Of stores and partitions that are opened side by side: each waits for the disk, and replays its write-ahead log.
constexpr size_t kOpenThreadsMax = 8;

std::string TickBytes(Clock& clock) {
  Event tick;
  tick.type = EventType::kTick;
  tick.id = FreshId(clock.NowUs());
  tick.event_time = EventTime{clock.NowUs()};
  tick.source = "odometerd";
  tick.tick_reason = "readiness";
  return Encode(tick);
}

// Whether the log below the store's cursor is the one that was folded: the rolling hash from the last mark on.
Status CheckChain(PartitionLog& log, const Store& store) {
  const MetaRow& meta = store.meta();
  if (meta.cursor == 0) return Status::Ok();
  uint64_t mark = (meta.cursor - 1) / kChainStep * kChainStep;
  Result<std::optional<std::string>> bytes =
      store.Get(KeyBuilder().Begin(RowKind::kChain).Number(static_cast<int64_t>(mark)).view());
  if (!bytes.ok()) return bytes.status();
  ChainRow row;
  if (!bytes->has_value() || !DecodeRow(**bytes, &row)) return Status::Ok();  // a hole stood at the mark
  Result<std::unique_ptr<EventReader>> reader = log.ReadHeld(mark);
  if (!reader.ok()) return reader.status();
  std::array<uint64_t, 2> hash = row.rolling_hash;
  while ((*reader)->next_offset() < meta.cursor) {
    Result<std::span<const Record>> records = (*reader)->Poll(meta.cursor - (*reader)->next_offset(), 0);
    if (!records.ok()) return records.status();
    if (records->empty()) break;
    for (const Record& record : *records) hash = ChainLink(hash, record);
  }
  if (hash == meta.rolling_hash) return Status::Ok();
  return {Code::kCorrupt,
          fmt::format(
              "partition {}: the log's records from offset {} to {} are not the ones that the store was folded from; "
              "run `odometer audit`, then restore the log or remove the store to fold it anew",
              log.partition(), mark, meta.cursor)};
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Open(DaemonOptions options, Clock& clock) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options), clock));
  ODOMETER_RETURN_IF_ERROR(daemon->OpenLog());
  daemon->runner_of_.resize(daemon->partitions());
  daemon->probes_.resize(daemon->partitions());
  daemon->archived_.resize(daemon->owned_.size());
  daemon->runners_.resize(daemon->owned_.size());
  Status opened = DoAtOnce(daemon->owned_.size(), daemon->OpenThreadsMax(),
                           [&daemon](size_t at) { return daemon->OpenPartition(at); });
  if (opened.ok()) return daemon;
  std::erase(daemon->runners_, nullptr);
  return opened;
}

Daemon::~Daemon() {
  Status stopped = Stop();
  (void)stopped;  // each runner has said what failed
}

FileSystem& Daemon::Files() const {
  return options_.file_system != nullptr ? *options_.file_system : PosixFileSystem();
}

// A simulated disk counts what is done on it: one thing after another.
size_t Daemon::OpenThreadsMax() const { return options_.file_system == nullptr ? kOpenThreadsMax : 1; }

Status Daemon::OpenLog() {
  FileSystem& files = Files();
  std::string directory = options_.data_dir + "/log";
  ODOMETER_RETURN_IF_ERROR(files.CreateDirectories(directory));
  ODOMETER_RETURN_IF_ERROR(files.CreateDirectories(options_.data_dir + "/state"));
  if (options_.log != nullptr) {
    log_ = options_.log;
    return ChooseOwned(log_->partitions());
  }
  ODOMETER_RETURN_IF_ERROR(options_.log_url.empty() ? OpenLocalLog(files, directory) : OpenKafkaLog(files, directory));
  log_ = opened_log_.get();
  return Status::Ok();
}

// An embedded log takes appends of one process, so what that one did not own, nobody could.
Status Daemon::ChooseOwned(uint32_t partitions) {
  Result<std::vector<uint32_t>> owned = options_.owned.Of(partitions);
  if (!owned.ok()) return owned.status();
  owned_ = *std::move(owned);
  bool is_embedded = options_.log_url.empty() && options_.log == nullptr;
  if (!is_embedded || owned_.size() == partitions) return Status::Ok();
  return {Code::kInvalid, fmt::format("partitions names {} of the {} that the log has; one daemon owns all of an "
                                      "embedded log: leave it out, or use a log on Kafka (how many a new log gets is "
                                      "log_partitions)",
                                      ShowPartitions(owned_), partitions)};
}

Status Daemon::OpenLocalLog(FileSystem& files, const std::string& directory) {
  LocalLog::Options log_options;
  log_options.fsync = options_.fsync;
  log_options.room_bytes = kSegmentRoomBytes;
  log_options.partitions = options_.partitions;
  log_options.open_threads_max = OpenThreadsMax();
  Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(files, clock_, directory, log_options);
  if (!log.ok() && log.status().code() == Code::kNotFound) {
    uint32_t partitions = options_.partitions != 0 ? options_.partitions : kDefaultPartitions;
    ODOMETER_RETURN_IF_ERROR(ChooseOwned(partitions));
    ODOMETER_RETURN_IF_ERROR(LocalLog::Create(files, clock_, directory, FreshId(clock_.NowUs()), partitions));
    log = LocalLog::Open(files, clock_, directory, log_options);
  }
  if (!log.ok()) return log.status();
  for (const TailCut& cut : (*log)->tail_cuts()) {
    Note("warn", fmt::format("partition={} offset={} step=append a half-written tail of {} bytes was cut off",
                             cut.partition, cut.expected_offset, cut.bytes));
  }
  opened_log_ = std::move(*log);
  return ChooseOwned(opened_log_->partitions());
}

// The manifest beside the segments says whose copy they are: another log, cluster or topic is not taken for it.
Status Daemon::OpenKafkaLog(FileSystem& files, const std::string& directory) {
  Result<KafkaAddress> address = KafkaAddress::Parse(options_.log_url);
  if (!address.ok()) return address.status();
  KafkaLog::Options log_options;
  log_options.partitions = options_.partitions;
  Result<LogManifest> manifest = ReadManifest(files, directory);
  if (!manifest.ok() && manifest.status().code() != Code::kNotFound) return manifest.status();
  if (manifest.ok() && manifest->copy_of.empty()) {
    return {Code::kConflict,
            directory + " holds an embedded log, not a copy of " + options_.log_url + ": name another data directory"};
  }
  if (manifest.ok()) log_options.log_id = manifest->log_id;
  if (manifest.ok() && log_options.partitions == 0) log_options.partitions = manifest->partitions;
  Result<std::unique_ptr<KafkaLog>> log = KafkaLog::Open(*address, log_options);
  if (!log.ok()) return log.status();
  std::string copy_of = fmt::format("topic {} of cluster {}", address->topic, (*log)->cluster_id());
  if (manifest.ok() && manifest->copy_of != copy_of) {
    return {Code::kConflict,
            fmt::format("{} is a copy of {}, and {} is {}", directory, manifest->copy_of, options_.log_url, copy_of)};
  }
  ODOMETER_RETURN_IF_ERROR(ChooseOwned((*log)->partitions()));
  if (!manifest.ok())
    ODOMETER_RETURN_IF_ERROR(WriteManifest(files, directory, {(*log)->log_id(), (*log)->partitions(), copy_of}));
  opened_log_ = std::move(*log);
  return Status::Ok();
}

Result<PartitionLog*> Daemon::OpenPartitionLog(size_t at, uint64_t cursor) {
  uint32_t partition = owned_[at];
  if (options_.log_url.empty()) return &log_->partition(partition);
  ArchivedPartition::Options archive;
  archive.directory = SegmentsPath(options_.data_dir + "/log", partition);
  archive.log_id = log_->log_id();
  Result<std::unique_ptr<ArchivedPartition>> archived =
      ArchivedPartition::Open(Files(), clock_, std::move(archive), log_->partition(partition), cursor);
  if (!archived.ok()) return archived.status();
  archived_[at] = std::move(*archived);
  return archived_[at].get();
}

Status Daemon::OpenPartition(size_t at) {
  uint32_t partition = owned_[at];
  StoreOptions store_options;
  store_options.path = PartitionPath(options_.data_dir + "/state", partition);
  store_options.log_id = log_->log_id();
  store_options.partition = partition;
  store_options.partitions = log_->partitions();
  Result<std::unique_ptr<Store>> store = Store::Open(store_options);
  if (store.status().code() == Code::kOutdated) {
    Note("warn", fmt::format("partition={} offset=0 {}", partition, store.status().message()));
    store = OpenAnew(store_options, "outdated");
  } else if (uint64_t end = log_->partition(partition).range().end;
             options_.log_url.empty() && store.ok() && (*store)->cursor() > end) {
    // The log lost its end (a power loss in "written" mode): the store is ahead of the truth.
    Note("error",
         fmt::format(
             "partition={} offset={} the log ends here but the store had folded up to {}: those records are gone",
             partition, end, (*store)->cursor()));
    store->reset();
    store = OpenAnew(store_options, "ahead");
  }
  if (!store.ok()) return store.status();
  Result<PartitionLog*> opened = OpenPartitionLog(at, (*store)->cursor());
  if (!opened.ok()) return opened.status();
  PartitionLog& log = **opened;
  ODOMETER_RETURN_IF_ERROR(CheckChain(log, **store));
  RunnerOptions runner_options = options_.runner;
  runner_options.projection.memory_bytes_max /= owned_.size();
  runners_[at] = std::make_unique<Runner>(log, std::move(*store), clock_, std::move(runner_options));
  runner_of_[partition] = runners_[at].get();
  return Status::Ok();
}

// What a store holds can be had from the log again: it is put aside, not removed, and an empty one takes its place.
Result<std::unique_ptr<Store>> Daemon::OpenAnew(const StoreOptions& options, const char* why) {
  std::string aside = fmt::format("{}.{}-{}", options.path, why, clock_.NowUs());
  Note("warn", fmt::format("partition={} offset=0 the store is moved to {} and folded anew from the log",
                           options.partition, aside));
  std::error_code failed;
  std::filesystem::rename(options.path, aside, failed);
  if (failed) return Status(Code::kIo, "cannot move " + options.path + ": " + failed.message());
  return Store::Open(options);
}

void Daemon::Note(const char* level, const std::string& text) const {
  if (options_.runner.log) options_.runner.log(level, text);
}

void Daemon::Start() {
  for (std::unique_ptr<Runner>& runner : runners_) runner->Start();
  prober_ = std::thread([this] { ProbeLoop(); });
}

Status Daemon::Stop() {
  Status first;
  for (std::unique_ptr<Runner>& runner : runners_) runner->BeginStop();
  {
    std::lock_guard lock(probe_mutex_);
    is_stopping_ = true;
  }
  probe_wanted_.notify_all();
  if (prober_.joinable()) prober_.join();
  for (std::unique_ptr<Runner>& runner : runners_) {
    Status stopped = runner->Stop();
    if (first.ok()) first = stopped;
  }
  return first;
}

void Daemon::NoteAppend(uint32_t partition, const Status& status) {
  std::lock_guard lock(probe_mutex_);
  ProbeState& probe = probes_[partition];
  probe.append_status = status;
  probe.refused = status;
  probe.refused_us = clock_.MonotonicUs();
}

// A tick may still fit where nothing else does, so room is asked for too.
Status Daemon::CheckRoom() const {
  std::error_code failed;
  std::filesystem::space_info space = std::filesystem::space(options_.data_dir, failed);
  if (failed) return {Code::kIo, "cannot look at " + options_.data_dir + ": " + failed.message()};
  if (space.available >= kRoomBytesMin) return Status::Ok();
  return {Code::kDiskFull,
          fmt::format("{} bytes are left on the disk of {}: free some", space.available, options_.data_dir)};
}

// Where nothing came back lately, or where the last append failed.
bool Daemon::NeedsProbe(uint32_t partition, ProbeState& probe) const {
  RunnerState state = runner(partition).state();
  // One that went into another log never comes back, and nothing is put into one.
  bool is_doubtful = state.failing_step == "verify" || !runner(partition).is_log_verified();
  bool is_void = is_doubtful || probe.next_offset > state.log_end;
  if (is_void || state.committed.cursor >= probe.next_offset) probe.outstanding = false;
  if (is_doubtful || probe.outstanding) return false;
  bool is_quiet = clock_.MonotonicUs() - state.last_readback_us > kQuietUs;
  return is_quiet || !probe.append_status.ok() || !state.failing_step.empty();
}

void Daemon::AwaitProbes(int64_t wait_us) {
  std::unique_lock lock(probe_mutex_);
  for (uint32_t partition : owned_) probes_[partition].is_wanted |= NeedsProbe(partition, probes_[partition]);
  probe_wanted_.notify_one();
  probed_.wait_for(lock, std::chrono::microseconds(wait_us), [this] {
    return std::ranges::none_of(probes_, [](const ProbeState& probe) { return probe.is_wanted; });
  });
}

void Daemon::ProbeLoop() {
  std::unique_lock lock(probe_mutex_);
  for (;;) {
    auto wanted = std::ranges::find_if(probes_, [](const ProbeState& probe) { return probe.is_wanted; });
    if (is_stopping_) return;
    if (wanted == probes_.end()) {
      probed_.notify_all();
      probe_wanted_.wait(lock);
      continue;
    }
    lock.unlock();
    Probe(static_cast<uint32_t>(wanted - probes_.begin()));
    lock.lock();
  }
}

void Daemon::Probe(uint32_t partition) {
  int64_t sent_us = clock_.MonotonicUs();
  std::string tick = TickBytes(clock_);
  std::string_view event = tick;
  Result<Appended> appended = runner(partition).log().Append({&event, 1});
  std::lock_guard lock(probe_mutex_);
  ProbeState& probe = probes_[partition];
  probe.is_wanted = false;
  probe.append_status = appended.status();
  if (!appended.ok()) {
    // Where one broker does not answer, the next partition's would be waited for in vain.
    if (appended.status().code() == Code::kUnavailable)
      for (ProbeState& other : probes_) other.is_wanted = false;
    return;
  }
  probe.outstanding = true;
  probe.next_offset = appended->next_offset;
  probe.sent_us = sent_us;
}

std::optional<Readiness> Daemon::FailureOf(uint32_t partition, int64_t wait_us) {
  uint64_t awaited = 0;
  int64_t sent_us = 0;
  // Of all that may fail then, this says why.
  RunnerState before = runner(partition).state();
  if (before.failing_step == "verify")
    return Readiness{false, before.failing_step, static_cast<int>(partition), before.failure};
  if (!runner(partition).is_log_verified()) {
    bool is_said = !before.failing_step.empty();
    return Readiness{false, is_said ? before.failing_step : "verify", static_cast<int>(partition),
                     is_said ? before.failure : "the log could not be read on; whether it is still the same is asked"};
  }
  {
    std::lock_guard lock(probe_mutex_);
    const ProbeState& probe = probes_[partition];
    // What the API was refused counts for as long as a probe would: a small tick proves nothing for a large request.
    bool refused = !probe.refused.ok() && clock_.MonotonicUs() - probe.refused_us < kQuietUs;
    if (refused) return Readiness{false, "append", static_cast<int>(partition), probe.refused.message()};
    if (!probe.append_status.ok())
      return Readiness{false, "append", static_cast<int>(partition), probe.append_status.message()};
    if (probe.is_wanted)
      return Readiness{false, "append", static_cast<int>(partition), "the log has not said yet whether it took a tick"};
    if (probe.outstanding) awaited = probe.next_offset;
    sent_us = probe.sent_us;
  }
  bool back = awaited == 0 || runner(partition).WaitFor(awaited, wait_us) != nullptr;
  RunnerState state = runner(partition).state();
  if (!state.failing_step.empty())
    return Readiness{false, state.failing_step, static_cast<int>(partition), state.failure};
  if (back) return std::nullopt;
  int64_t waited_us = clock_.MonotonicUs() - sent_us;
  return Readiness{false, "fold", static_cast<int>(partition),
                   fmt::format("a tick appended {} ms ago has not come back; {} records wait", waited_us / 1000,
                               std::max(state.log_end, state.committed.cursor) - state.committed.cursor)};
}

Readiness Daemon::CheckReady(int64_t wait_us) {
  int64_t deadline_us = clock_.MonotonicUs() + wait_us;
  if (Status room = CheckRoom(); !room.ok()) return Readiness{false, "append", -1, room.message()};
  AwaitProbes(wait_us);
  for (uint32_t partition : owned_) {
    int64_t left_us = std::max<int64_t>(deadline_us - clock_.MonotonicUs(), 0);
    if (std::optional<Readiness> failure = FailureOf(partition, left_us)) return *failure;
  }
  return Readiness{true, "", -1, ""};
}

Result<std::string> Daemon::Checkpoint(const std::string& name) {
  // A store that has never committed has nothing that a copy could be opened with.
  for (std::unique_ptr<Runner>& runner : runners_) {
    if (runner->WaitFor(1, 5 * kUsPerSecond) != nullptr) continue;
    return Status(Code::kUnavailable,
                  fmt::format("partition {} has not folded its first record yet", runner->partition()));
  }
  std::string chosen = name.empty() ? fmt::format("{}", clock_.NowUs()) : name;
  std::string directory = options_.data_dir + "/checkpoints/" + chosen;
  std::error_code failed;
  if (std::filesystem::exists(directory, failed))
    return Status(Code::kConflict, "checkpoint " + chosen + " exists already");
  std::filesystem::create_directories(directory, failed);
  if (failed) return Status(Code::kIo, "cannot make " + directory + ": " + failed.message());
  for (std::unique_ptr<Runner>& runner : runners_) {
    Result<uint64_t> cursor = runner->Checkpoint(PartitionPath(directory, runner->partition()));
    if (!cursor.ok()) return cursor.status();
  }
  return directory;
}

}  // namespace odometer
