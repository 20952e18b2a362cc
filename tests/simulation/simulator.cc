#include "tests/simulation/simulator.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "consumers/runner.h"
#include "log/local_log.h"
#include "log/memory_log.h"
#include "state/audit.h"
#include "state/dump.h"
#include "state/keys.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/mix.h"
#include "tests/support/model.h"
#include "tests/support/random.h"

namespace odometer {

namespace {

constexpr int64_t kStartUs = 1'701'201'600'000'000;
const char kDirectory[] = "/data/log";

// What was appended and acknowledged, by hosts or the runner, in order: the truth that logs and stores are held
// against.
struct Truth {
  std::string bytes;
  bool is_null = false;
  int64_t append_time_us = 0;
  std::string_view view() const { return is_null ? std::string_view() : std::string_view(bytes.data(), bytes.size()); }
};

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        clock_(kStartUs),
        files_(options.seed),
        env_(rocksdb::NewMemEnv(rocksdb::Env::Default())),
        mix_(MixFor(options.seed)),
        model_(ModelOptions{mix_.options().partition, mix_.options().partitions}) {}

  SimulationResult Run() {
    Choose();
    if (Check(OpenLog(true), "create log")) OpenStore();
    for (int step = 0; step < options_.records * 3 && result_.failure.empty() && given_ < options_.records; ++step)
      Act();
    if (result_.failure.empty()) Drain();
    if (result_.failure.empty()) CompareAll();
    return result_;
  }

 private:
  static MixOptions MixFor(uint64_t seed) {
    MixOptions options;
    options.seed = seed;
    Random random(seed ^ 0x5eed);
    options.partitions = 1 + static_cast<uint32_t>(random.Below(3));
    options.partition = static_cast<uint32_t>(random.Below(options.partitions));
    options.users = 2 + static_cast<int>(random.Below(6));
    options.tenants = 1 + static_cast<int>(random.Below(3));
    options.with_ticks = random.Below(2) == 0;
    options.start_us = kStartUs;
    if (random.Below(4) == 0) options.limits_percent = 60;
    if (random.Below(8) == 0) options.extreme_percent = 40;
    options.with_full_counters = random.Below(2) == 0;
    return options;
  }

  void Choose() {
    on_files_ = random_.Below(2) == 0;
    fsync_ = random_.Below(2) == 0;
    runner_options_.batch_records_max = PickOf<size_t>({1, 3, 7, 64, 4096});
    runner_options_.projection.memory_bytes_max = PickOf<uint64_t>({0, 1 << 16, 1 << 20, 1 << 30});
    runner_options_.commit_interval_us = PickOf<int64_t>({0, 1'000'000'000, 1'000'000'000'000});
    runner_options_.catch_up_interval_us = runner_options_.commit_interval_us;
    runner_options_.backlog_interval_us = runner_options_.commit_interval_us;
    runner_options_.commit_every_record = random_.Below(6) == 0;
    runner_options_.poll_wait_us = 0;
  }

  template <class T>
  T PickOf(std::vector<T> choices) {
    return choices[random_.Below(choices.size())];
  }

  uint32_t partition() const { return mix_.options().partition; }
  Uuid log_id() const { return Uuid5(kNamespaceDns, "simulation"); }

  bool Check(const Status& status, const std::string& doing) {
    if (!status.ok() && result_.failure.empty()) result_.failure = doing + ": " + status.ToString();
    return status.ok();
  }
  void Fail(const std::string& text) {
    if (result_.failure.empty())
      result_.failure = text;
    else if (result_.failure.size() < 2000)
      result_.failure += "\n  " + text;
  }

  Status OpenLog(bool create) {
    if (!on_files_) {
      if (create) log_ = std::make_unique<MemoryLog>(clock_, log_id(), mix_.options().partitions, fsync_);
    } else {
      if (create) {
        ODOMETER_RETURN_IF_ERROR(files_.CreateDirectories("/data"));
        ODOMETER_RETURN_IF_ERROR(files_.SyncDirectory("/"));
      }
      if (create)
        ODOMETER_RETURN_IF_ERROR(LocalLog::Create(files_, clock_, kDirectory, log_id(), mix_.options().partitions));
      LocalLog::Options options;
      options.fsync = fsync_;
      options.segment_bytes_max = 1 << 16;
      Result<std::unique_ptr<LocalLog>> log = LocalLog::Open(files_, clock_, kDirectory, options);
      if (!log.ok()) return log.status();
      log_ = std::move(*log);
    }
    return MatchTruth();
  }

  // After every opening the log holds exactly what was acknowledged; unsynced records may be gone in "written" mode.
  Status MatchTruth() {
    PartitionLog& log = log_->partition(partition());
    uint64_t end = log.range().end;
    if (truth_.empty() || end > truth_.size()) ODOMETER_RETURN_IF_ERROR(TakeIn(truth_.size(), end));
    if (end < truth_.size()) {
      if (fsync_)
        return {Code::kCorrupt, "the log lost acknowledged records: ends at " + std::to_string(end) + " of " +
                                    std::to_string(truth_.size())};
      truth_.resize(end);
    }
    for (uint64_t offset = truth_.size() < 20 ? 0 : truth_.size() - 20; offset < truth_.size(); ++offset) {
      Result<OwnedRecord> record = log.Fetch(offset);
      if (!record.ok()) return record.status();
      bool same = record->bytes == truth_[offset].view() && record->append_time.us == truth_[offset].append_time_us &&
                  (record->bytes.data() == nullptr) == truth_[offset].is_null;
      if (!same) return {Code::kCorrupt, "the log's record " + std::to_string(offset) + " is not what was appended"};
    }
    return Status::Ok();
  }

  // Records of the log that no caller was told of: Genesis, or an append that failed after it was written; each must be
  // one that was once given to the log. Or what the runner has appended by itself.
  Status TakeIn(uint64_t from, uint64_t to, bool by_runner = false) {
    for (uint64_t offset = from; offset < to; ++offset) {
      Result<OwnedRecord> record = log_->partition(partition()).Fetch(offset);
      if (!record.ok()) return record.status();
      Truth truth{std::string(record->bytes), record->bytes.data() == nullptr, record->append_time.us};
      bool is_expected = by_runner ? IsRunners(truth) : offset == 0 || IsAttempt(truth);
      if (!is_expected) return {Code::kCorrupt, "the log's record " + std::to_string(offset) + " was never appended"};
      truth_.push_back(std::move(truth));
    }
    return Status::Ok();
  }

  bool IsAttempt(const Truth& truth) const {
    return std::any_of(attempts_.begin(), attempts_.end(), [&](const Truth& attempt) {
      return attempt.bytes == truth.bytes && attempt.is_null == truth.is_null;
    });
  }

  // A crossing, or the Tick of a silent log.
  static bool IsRunners(const Truth& truth) {
    std::vector<uint64_t> aligned(truth.bytes.size() / 8 + 1);
    std::copy(truth.bytes.begin(), truth.bytes.end(), reinterpret_cast<char*>(aligned.data()));
    Event event;
    Reason reason = Decode({reinterpret_cast<const char*>(aligned.data()), truth.bytes.size()}, &event);
    return reason == Reason::kNone && event.source == "odometerd" &&
           (event.type == EventType::kLimitCrossed || event.type == EventType::kTick);
  }

  void OpenStore() {
    StoreOptions options;
    options.path = "/store";
    options.env = env_.get();
    options.log_id = log_id();
    options.partition = partition();
    options.partitions = mix_.options().partitions;
    options.memtable_bytes = 1 << 20;
    if (options_.seed % 2 == 0) options.file_rows_min = options_.seed % 3 * 8;  // some or all commits become files
    Result<std::unique_ptr<Store>> store = Store::Open(options);
    if (!Check(store.ok() ? Status::Ok() : store.status(), "open store")) return;
    if ((*store)->cursor() < checked_)
      Fail("the store fell back from " + std::to_string(checked_) + " to " + std::to_string((*store)->cursor()));
    if ((*store)->cursor() > truth_.size()) Fail("the store is ahead of the log");
    runner_ = std::make_unique<Runner>(log_->partition(partition()), std::move(*store), clock_, runner_options_);
    CompareCommitted();
  }

  void Act() {
    uint64_t choice = random_.Below(100);
    if (choice < 45) {
      Append();
    } else if (choice < 85) {
      Fold();
    } else if (choice < 91) {
      if (Check(runner_->CommitNow(), "commit")) CompareCommitted();
    } else if (choice < 96) {
      Kill();
    } else if (choice < 98) {
      CutPower();
    } else {
      FillDisk();
    }
  }

  void Append() {
    std::vector<Truth> batch;
    for (uint64_t n = 1 + random_.Below(8); n > 0 && given_ < options_.records; --n, ++given_) {
      MixRecord record = mix_.Next();
      clock_.Advance(record.suggested_append_advance_us);
      batch.push_back({std::move(record.bytes), record.is_null, 0});
    }
    AppendBatch(batch);
  }

  void AppendBatch(std::vector<Truth> batch) {
    if (batch.empty()) return;
    std::vector<std::string_view> events;
    for (const Truth& truth : batch) events.push_back(truth.view());
    Result<Appended> appended = log_->partition(partition()).Append(events);
    if (!appended.ok()) {
      ++result_.refused_appends;
      attempts_ = batch;
      // The producer tries again once the disk has room; what then stands twice is a duplicate by its id or seq.
      retry_ = std::move(batch);
      return;
    }
    if (appended->first_offset != truth_.size() || appended->next_offset != truth_.size() + batch.size())
      Fail("append gave wrong offsets");
    for (Truth& truth : batch) {
      truth.append_time_us = appended->append_time.us;
      truth_.push_back(std::move(truth));
    }
    result_.records += batch.size();
  }

  // How many records were folded.
  size_t Fold() {
    Result<size_t> folded = runner_->Step(0);
    if (!Check(folded.ok() ? Status::Ok() : folded.status(), "fold")) return 0;
    uint64_t end = log_->partition(partition()).range().end;
    if (!Check(TakeIn(truth_.size(), end, true), "what the runner appended")) return 0;
    CompareCommitted();
    return *folded;
  }

  void Kill() {
    ++result_.crashes;
    // The store's process is gone with everything uncommitted; so are the log's handles, but not what it wrote.
    Abandon();
    if (on_files_) {
      log_.reset();
      if (!Check(OpenLog(false), "open log after a kill")) return;
    }
    OpenStore();
  }

  void CutPower() {
    ++result_.power_losses;
    Abandon();
    if (on_files_) {
      log_.reset();
      files_.Crash(PickOf<MemoryFileSystem::Survives>(
          {MemoryFileSystem::Survives::kNothing, MemoryFileSystem::Survives::kAll, MemoryFileSystem::Survives::kPrefix,
           MemoryFileSystem::Survives::kSectors}));
      attempts_ = Unsynced();
    } else {
      static_cast<MemoryLog&>(*log_).DropUnsynced();
    }
    if (Check(OpenLog(false), "open log after a power loss")) OpenStore();
  }

  std::vector<Truth> Unsynced() const { return attempts_; }

  // Runner's destructor would commit: a kill must not.
  void Abandon() {
    runner_->Abandon();
    runner_.reset();
  }

  void FillDisk() {
    if (!on_files_) return;
    files_.SetBytesLeft(random_.Below(3000));
    Append();
    Append();
    files_.SetBytesLeft(std::nullopt);
    while (!retry_.empty() && result_.failure.empty()) {
      std::vector<Truth> again = std::move(retry_);
      retry_.clear();
      size_t before = truth_.size();
      AppendBatch(std::move(again));
      if (truth_.size() == before) {
        Fail("an append failed though the disk has room");
      }
    }
  }

  // Until there is nothing to read, and the runner has nothing to append either.
  void Drain() {
    for (int i = 0; i < 10'000 && result_.failure.empty(); ++i) {
      bool is_quiet = Fold() == 0 && runner_->view()->meta().cursor == truth_.size();
      if (is_quiet || !result_.failure.empty()) return;
      Check(runner_->CommitNow(), "commit");
      CompareCommitted();
    }
    Fail("the log was not folded to its end");
  }

  // Feeds the model up to the committed cursor and compares the rows that it touched.
  void CompareCommitted() {
    if (!result_.failure.empty()) return;
    std::shared_ptr<const View> view = runner_->view();
    uint64_t cursor = view->meta().cursor;
    if (cursor == checked_) return;
    if (cursor < checked_ || cursor > truth_.size()) return Fail("the cursor stands at " + std::to_string(cursor));
    ++result_.commits;
    for (; checked_ < cursor; ++checked_)
      model_.Apply(checked_, truth_[checked_].append_time_us, truth_[checked_].view());
    CompareMeta(view->meta());
    for (const std::string& name : model_.TakeTouched()) CompareRow(*view, name);
  }

  void CompareMeta(const MetaRow& meta) {
    const ModelCounts& counts = model_.counts();
    auto expect = [&](const std::string& what, uint64_t have, uint64_t want) {
      if (have != want) Fail(what + " is " + std::to_string(have) + ", the model says " + std::to_string(want) + At());
    };
    if (!meta.conserves()) Fail("the conservation law does not hold" + At());
    for (int reason = 1; reason < kReasons; ++reason) {
      std::string name(ReasonName(static_cast<Reason>(reason)));
      auto counted = counts.quarantined_by_reason.find(name);
      expect("quarantined " + name, meta.quarantined[static_cast<size_t>(reason)],
             counted == counts.quarantined_by_reason.end() ? 0 : counted->second);
    }
    for (EventType type : AllEventTypes()) {
      auto counted = counts.applied_by_type.find(std::string(TypeName(type)));
      expect("applied " + std::string(TypeName(type)), meta.applied[static_cast<size_t>(type)],
             counted == counts.applied_by_type.end() ? 0 : counted->second);
    }
    expect("applied", meta.applied_total(), counts.applied);
    expect("duplicate", meta.duplicate, counts.duplicate);
    expect("duplicate_unverified", meta.duplicate_unverified, counts.duplicate_unverified);
    expect("duplicate_other_door", meta.duplicate_other_door, counts.duplicate_other_door);
    expect("own_events", meta.own_events, counts.own_events);
  }

  std::string At() const {
    return " (seed " + std::to_string(options_.seed) + ", offset " + std::to_string(checked_) + ")";
  }

  // Also of positional rows, which KeyOfName() does not know: "ask[default,5f0c…]", "outbox[default,5f0c…]",
  // "alert[default,17]".
  static std::optional<std::string> KeyOf(const std::string& name) {
    static const std::map<std::string, RowKind> kPositional = {
        {"ask", RowKind::kAsk}, {"outbox", RowKind::kOutbox}, {"alert", RowKind::kAlert}};
    size_t open = name.find('[');
    auto kind = kPositional.find(name.substr(0, open));
    if (kind == kPositional.end()) return KeyOfName(name);
    size_t comma = name.rfind(',');
    if (comma == std::string::npos || name.back() != ']') return std::nullopt;
    std::optional<std::string> tenant = KeyOfName("tenant" + name.substr(open, comma - open) + "]");
    if (!tenant) return std::nullopt;
    KeyReader reader(*tenant);
    std::string_view text;
    if (!reader.Text(&text)) return std::nullopt;
    KeyBuilder key;
    key.Begin(kind->second).Text(text);
    std::string part = name.substr(comma + 1, name.size() - comma - 2);
    if (kind->second == RowKind::kAlert) return key.Number(std::stoll(part)).str();
    std::optional<Uuid> id = Uuid::Parse(part);
    return id ? std::optional(key.Id(*id).str()) : std::nullopt;
  }

  void CompareRow(const View& view, const std::string& name) {
    std::optional<std::string> key = KeyOf(name);
    if (!key) return Fail("the model names a row that the store cannot have: " + name);
    FieldMap want = model_.Row(name);
    Result<std::optional<std::string>> bytes = view.Get(*key);
    if (!Check(bytes.ok() ? Status::Ok() : bytes.status(), "read row " + name)) return;
    bool is_held = bytes->has_value() && !IsGone(view, *key, **bytes);
    if (want.empty() && is_held) return Fail("row " + name + " is still in the store" + At());
    if (want.empty()) return;  // taken out of the outbox, or an ask that is no longer kept
    if (!bytes->has_value()) return Fail("row " + name + " is not in the store" + At());
    KeyReader reader(*key);
    std::string_view tenant;
    if (!reader.Text(&tenant)) return Fail("no tenant in " + name);
    Result<int64_t> moment = MomentOf(view, tenant);
    std::optional<FieldMap> fields = FieldsOf(reader.kind(), **bytes, moment.ok() ? *moment : 0);
    if (!fields) return Fail("row " + name + " cannot be read" + At());
    CompareFields(name, *fields, want);
  }

  // An ask that is no longer kept, and its place among those that go: the store removes them when it gets to it.
  static bool IsGone(const View& view, std::string_view key, std::string_view value) {
    KeyReader reader(key);
    AskRow ask;
    int64_t gone_us = INT64_MAX;
    if (reader.kind() == RowKind::kAsk && DecodeRow(value, &ask)) gone_us = ask.gone_us;
    if (reader.kind() == RowKind::kAskGone) reader.Number(&gone_us);
    return gone_us <= view.meta().log_time_us;
  }

  void CompareFields(const std::string& name, const FieldMap& have, const FieldMap& want) {
    ++result_.rows_compared;
    if (have == want) return;
    for (const auto& [field, value] : want) {
      auto held = have.find(field);
      if (held == have.end()) return Fail(name + "." + field + " is absent, the model says " + value + At());
      if (held->second != value)
        return Fail(name + "." + field + " is " + held->second + ", the model says " + value + At());
    }
    for (const auto& [field, value] : have) {
      if (!want.contains(field))
        return Fail(name + "." + field + " is " + value + ", the model has no such field" + At());
    }
  }

  void CompareAll() {
    std::shared_ptr<const View> view = runner_->view();
    Result<std::map<std::string, FieldMap>> rows = DumpLogical(*view);
    if (!Check(rows.ok() ? Status::Ok() : rows.status(), "dump")) return;
    std::map<std::string, FieldMap> want = model_.LogicalRows();
    for (const auto& [name, fields] : *rows) {
      auto row = want.find(name);
      if (row == want.end()) return Fail("row " + name + " is in the store but not in the model" + At());
      CompareFields(name, fields, row->second);
    }
    for (const auto& [name, fields] : want) {
      if (!rows->contains(name)) return Fail("row " + name + " is not in the store" + At());
    }
    CompareAsks(*view);
    CompareCrossings(*view);
    CompareQuarantine(*view);
    ComparePostings(*view, want);
    Result<std::vector<Difference>> law = CheckConservation(*view);
    if (!law.ok() || !law->empty())
      Fail("conservation, read back from rows: " +
           (law.ok() ? law->front().field + ": " + law->front().stored + " and " + law->front().folded
                     : law.status().ToString()) +
           At());
    result_.applied_by_type = model_.counts().applied_by_type;
    result_.quarantined_by_reason = model_.counts().quarantined_by_reason;
    if (random_.Below(4) == 0) FoldAgain(*view);
  }

  // Every ask as the model has it, no other one, and what is due when.
  void CompareAsks(const View& view) {
    static constexpr std::array<const char*, 7> kStates = {"",        "refused",  "admitted", "open",
                                                           "settled", "released", "expired"};
    static constexpr std::array<const char*, 4> kRefusals = {"", "limit", "too_many_holds", "overflow"};
    std::set<std::string> asks, due, gone;
    std::map<std::string, FieldMap> want = model_.AskRows();
    for (const auto& [name, fields] : want) {
      CompareRow(view, name);
      std::string key = KeyOf(name).value_or("");
      asks.insert(key);
      KeyReader reader(key);
      std::string_view tenant;
      Uuid id;
      if (!reader.Text(&tenant) || !reader.Id(&id)) return Fail("no name of an ask: " + name);
      const char* state = kStates[std::stoul(fields.at("state"))];
      result_.asks[state] += 1;
      if (state == std::string("open")) {
        int64_t due_us = std::stoll(fields.at("due_us"));
        due.insert(KeyBuilder().Begin(RowKind::kHoldDue).Number(due_us).Text(tenant).Id(id).str());
      }
      int64_t gone_us = std::stoll(fields.at("gone_us"));
      gone.insert(KeyBuilder().Begin(RowKind::kAskGone).Number(gone_us).Text(tenant).Id(id).str());
      const char* refusal = kRefusals[std::stoul(fields.at("verdict.refusal"))];
      if (*refusal != '\0') result_.asks[std::string(refusal) + ", allowed " + fields.at("verdict.allowed")] += 1;
    }
    if (KeysOf(view, RowKind::kAsk) != asks) Fail("the store has other asks than the model" + At());
    if (KeysOf(view, RowKind::kAskGone) != gone) Fail("asks are to go at other times than the model says" + At());
    if (KeysOf(view, RowKind::kHoldDue) != due) Fail("other holds are due than the model has open" + At());
  }

  // Every alert as the model has it, no other one, and in the order of the log. The outbox is empty: all that crossed
  // has been read back.
  void CompareCrossings(const View& view) {
    std::set<std::string> outbox, alerts, order;
    for (const auto& [name, fields] : model_.CrossingRows()) {
      CompareRow(view, name);
      std::string key = KeyOf(name).value_or("");
      KeyReader reader(key);
      std::string_view tenant;
      int64_t offset = 0;
      if (!reader.Text(&tenant)) return Fail("no name of a crossing: " + name);
      if (reader.kind() == RowKind::kOutbox) {
        outbox.insert(key);
        continue;
      }
      if (!reader.Number(&offset)) return Fail("no name of an alert: " + name);
      alerts.insert(key);
      order.insert(KeyBuilder().Begin(RowKind::kAlertOrder).Number(offset).Text(tenant).str());
      Window window = static_cast<Window>(std::stoul(fields.at("window")));
      result_.crossings[std::string(WindowName(window)) + " " + fields.at("percent")] += 1;
      if (!IsCalendar(window) && fields.at("instance") != "0") result_.crossings["again"] += 1;
    }
    if (KeysOf(view, RowKind::kOutbox) != outbox) Fail("the store's outbox is not the model's" + At());
    if (KeysOf(view, RowKind::kAlert) != alerts) Fail("the store has other alerts than the model" + At());
    if (KeysOf(view, RowKind::kAlertOrder) != order) Fail("the alerts stand in another order" + At());
    if (!outbox.empty()) Fail("the outbox still has " + std::to_string(outbox.size()) + " rows" + At());
  }

  std::set<std::string> KeysOf(const View& view, RowKind kind) {
    std::set<std::string> keys;
    std::string begin = KeyBuilder().Begin(kind).str();
    auto keep = [&](std::string_view key, std::string_view value) {
      if (!IsGone(view, key, value)) keys.emplace(key);
      return true;
    };
    Check(view.Scan(begin, PrefixEnd(begin), keep), "scan keys");
    return keys;
  }

  void CompareQuarantine(const View& view) {
    std::map<uint64_t, std::string> have;
    std::string begin = KeyBuilder().Begin(RowKind::kQuarantine).str();
    Check(view.Scan(begin, PrefixEnd(begin),
                    [&](std::string_view key, std::string_view value) {
                      int64_t offset = 0;
                      KeyReader reader(key);
                      QuarantineRow row;
                      if (!reader.Number(&offset) || !DecodeRow(value, &row)) return true;
                      have[static_cast<uint64_t>(offset)] = std::string(ReasonName(static_cast<Reason>(row.reason)));
                      if (row.head != truth_[static_cast<size_t>(offset)].bytes.substr(0, 4096))
                        Fail("quarantined bytes differ at offset " + std::to_string(offset));
                      return true;
                    }),
          "scan quarantine");
    if (have != model_.Quarantine())
      Fail("the quarantine differs: " + std::to_string(have.size()) + " rows, the model has " +
           std::to_string(model_.Quarantine().size()) + At());
  }

  // Every turn and amendment of a user is posted once, with its offset and tokens.
  void ComparePostings(const View& view, const std::map<std::string, FieldMap>& rows) {
    for (const auto& [text, fields] : rows) {
      if (!text.starts_with("account[")) continue;
      std::optional<std::string> key = KeyOfName(text);
      std::optional<RowName> name = NameOf(*key);
      std::set<uint64_t> offsets;
      __int128 tokens = 0;
      std::string begin = KeyBuilder().Begin(RowKind::kUserPostings).Text(name->texts[0]).Text(name->texts[1]).str();
      Check(view.Scan(begin, PrefixEnd(begin),
                      [&](std::string_view, std::string_view value) {
                        PostingChunk chunk;
                        if (!DecodeRow(value, &chunk)) Fail("a posting chunk of " + text + " cannot be read");
                        for (const Posting& posting : chunk.entries) {
                          if (posting.type == EventType::kTurnRecorded) offsets.insert(posting.offset);
                          if (posting.type == EventType::kTurnRecorded || posting.type == EventType::kTurnAmended)
                            tokens += posting.tokens;
                        }
                        return true;
                      }),
            "scan postings");
      std::set<uint64_t> want;
      __int128 want_tokens = 0;
      for (const ListedTurn& turn : model_.ListedTurns(name->texts[0], name->texts[1])) {
        if (!turn.unmatched) want.insert(turn.offset);
        want_tokens += turn.tokens;
      }
      if (offsets != want)
        return Fail(text + ": " + std::to_string(offsets.size()) + " turns are posted, the model lists " +
                    std::to_string(want.size()) + At());
      bool comparable = tokens < INT64_MAX && tokens > INT64_MIN && want_tokens < INT64_MAX && want_tokens > INT64_MIN;
      if (comparable && tokens != want_tokens) return Fail(text + ": posted tokens differ from the listed ones" + At());
    }
  }

  // The audit: another store, other batches, no crash, the same rows byte for byte.
  void FoldAgain(const View& live) {
    std::unique_ptr<rocksdb::Env> env(rocksdb::NewMemEnv(rocksdb::Env::Default()));
    StoreOptions options;
    options.path = "/again";
    options.env = env.get();
    options.log_id = log_id();
    options.partition = partition();
    options.partitions = mix_.options().partitions;
    Result<std::unique_ptr<Store>> store = Store::Open(options);
    if (!Check(store.ok() ? Status::Ok() : store.status(), "open second store")) return;
    {
      Projection projection(**store, ProjectionOptions());
      std::vector<uint64_t> aligned;
      for (uint64_t offset = 0; offset < truth_.size(); ++offset) {
        std::string_view bytes = truth_[offset].view();
        aligned.resize(bytes.size() / 8 + 1);
        if (!bytes.empty()) std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(aligned.data()));
        std::string_view copy =
            bytes.data() == nullptr ? bytes : std::string_view(reinterpret_cast<char*>(aligned.data()), bytes.size());
        Result<Outcome> outcome = projection.Apply({offset, AppendTime{truth_[offset].append_time_us}, copy});
        if (!Check(outcome.ok() ? Status::Ok() : outcome.status(), "second fold")) return;
      }
      if (!Check(projection.Commit(), "second commit")) return;
    }
    Result<AuditReport> report = CompareStores(live, *(*store)->NewView(), {});
    if (!Check(report.ok() ? Status::Ok() : report.status(), "audit")) return;
    if (report->difference_count != 0) {
      const Difference& first = report->differences.front();
      Fail("audit: " + first.place + "." + first.field + " is " + first.stored + ", folded again " + first.folded +
           At());
    }
  }

  SimulationOptions options_;
  SimulationResult result_;
  Random random_;
  ManualClock clock_;
  MemoryFileSystem files_;
  std::unique_ptr<rocksdb::Env> env_;
  Mix mix_;
  Model model_;
  bool on_files_ = false;
  bool fsync_ = true;
  RunnerOptions runner_options_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<Runner> runner_;
  std::vector<Truth> truth_;     // by offset
  std::vector<Truth> attempts_;  // of the last append that failed
  std::vector<Truth> retry_;
  uint64_t checked_ = 0;  // the model has folded everything below
  int given_ = 0;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return Simulation(options).Run(); }

}  // namespace odometer
