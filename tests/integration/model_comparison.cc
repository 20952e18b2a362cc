#include "tests/integration/model_comparison.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/event.h"
#include "state/limit_rows.h"
#include "tests/integration/failed.h"
#include "tests/support/model_names.h"

namespace odometer {

namespace {

constexpr int64_t kPollUs = kUsPerSecond;
constexpr int kSilentPollsMax = 60;

// A log's records one by one, up to the end that it had at first.
class RecordStream {
 public:
  explicit RecordStream(PartitionLog& log) : end_(log.range().end) {
    Result<std::unique_ptr<EventReader>> reader = log.Read(log.range().start);
    Require(reader.ok(), "read log: " + reader.status().ToString());
    reader_ = std::move(*reader);
  }

  // nullptr at the end; lives until the next call.
  const Record* Next() {
    for (int silent = 0; at_ == records_.size(); ++silent) {
      if (reader_->next_offset() >= end_) return nullptr;
      Require(silent < kSilentPollsMax, fmt::format("the log gives nothing at offset {}, and ends at {}",
                                                    reader_->next_offset(), end_));
      Result<std::span<const Record>> records = reader_->Poll(4096, kPollUs);
      Require(records.ok(), "read log: " + records.status().ToString());
      records_ = *records;
      at_ = 0;
    }
    return &records_[at_++];
  }
  uint64_t end() const { return end_; }

 private:
  uint64_t end_;
  std::unique_ptr<EventReader> reader_;
  std::span<const Record> records_;
  size_t at_ = 0;
};

bool IsSame(const Record& one, const Record& other) {
  return one.offset == other.offset && one.append_time.us == other.append_time.us && one.bytes == other.bytes &&
         (one.bytes.data() == nullptr) == (other.bytes.data() == nullptr);
}

// What a daemon appends by itself, also in the moment that it is stopped.
bool IsOwn(const Record& record) {
  Event event;
  return record.bytes.data() != nullptr && Decode(record.bytes, &event) == Reason::kNone &&
         (event.type == EventType::kTick || event.type == EventType::kLimitCrossed);
}

void CompareFields(const std::string& name, const FieldMap& have, const FieldMap& want) {
  for (const auto& [field, value] : want) {
    auto held = have.find(field);
    Require(held != have.end() && held->second == value,
            fmt::format("{}.{} is {}, the model says {}", name, field, held == have.end() ? "absent" : held->second,
                        value));
  }
  Require(have.size() == want.size(), "row " + name + " has fields that the model does not know");
}

// An ask that is no longer kept: the store removes it when it gets to it.
bool IsGone(const View& view, RowKind kind, std::string_view value) {
  AskRow ask;
  return kind == RowKind::kAsk && DecodeRow(value, &ask) && ask.gone_us <= view.meta().log_time_us;
}

// As the model names it.
std::string NameOfPositional(RowKind kind, std::string_view key) {
  KeyReader reader(key);
  std::string_view tenant;
  Uuid id;
  int64_t offset = 0;
  bool has_tenant = reader.Text(&tenant);
  if (kind == RowKind::kAlert) {
    Require(has_tenant && reader.Number(&offset), "the key of an alert cannot be read");
    return model::RowName("alert", tenant).Number(offset).Take();
  }
  Require(has_tenant && reader.Id(&id), "the key of an ask or a crossing cannot be read");
  return model::RowName(kind == RowKind::kAsk ? "ask" : "outbox", tenant).Text(id.ToString()).Take();
}

std::map<std::string, FieldMap> BeginningWith(const std::string& begin, const std::map<std::string, FieldMap>& rows) {
  std::map<std::string, FieldMap> some;
  for (const auto& [name, fields] : rows) {
    if (name.starts_with(begin)) some.emplace(name, fields);
  }
  return some;
}

}  // namespace

std::vector<ComparedPartition> ModelComparison::Run() {
  LocalLog::Options options;
  options.read_only = true;
  Result<std::unique_ptr<LocalLog>> held =
      LocalLog::Open(PosixFileSystem(), SystemClock(), options_.data_dir + "/log", options);
  Require(held.ok(), "open log: " + held.status().ToString());
  held_ = std::move(*held);
  if (!options_.log.empty()) {
    Require(held_->is_copy(), options_.data_dir + "/log is a log of its own, no copy of " + options_.log);
    Result<KafkaAddress> address = KafkaAddress::Parse(options_.log);
    Require(address.ok(), address.status().ToString());
    KafkaLog::Options same;
    same.log_id = held_->log_id();
    same.partitions = held_->partitions();
    Result<std::unique_ptr<KafkaLog>> topic = KafkaLog::Open(*address, same);
    Require(topic.ok(), "open topic: " + topic.status().ToString());
    topic_ = std::move(*topic);
  }
  std::vector<ComparedPartition> compared;
  for (uint32_t partition = 0; partition < held_->partitions(); ++partition) {
    if (held_->holds(partition)) compared.push_back(ComparePartition(partition));
  }
  Require(!compared.empty(), options_.data_dir + " holds no partition");
  return compared;
}

ComparedPartition ModelComparison::ComparePartition(uint32_t partition) {
  StoreOptions options;
  options.path = PartitionPath(options_.data_dir + "/state", partition);
  options.read_only = true;
  Result<std::unique_ptr<Store>> store = Store::Open(options);
  Require(store.ok(), "open store: " + store.status().ToString());
  std::shared_ptr<const View> view = (*store)->NewView();
  ComparedPartition compared;
  compared.partition = partition;
  Model model(ModelOptions{partition, held_->partitions()});
  FeedModel(view->meta(), &model, &compared);
  compared.counts = model.counts();
  compared.quarantined = model.Quarantine().size();
  compared.rows = CompareRows(*view, model);
  compared.asks = ComparePositional(*view, RowKind::kAsk, model.AskRows());
  std::map<std::string, FieldMap> crossings = model.CrossingRows();
  compared.crossings = ComparePositional(*view, RowKind::kOutbox, BeginningWith("outbox[", crossings)) +
                       ComparePositional(*view, RowKind::kAlert, BeginningWith("alert[", crossings));
  CompareOutcomes(*view, model);
  return compared;
}

// Up to the store's cursor.
void ModelComparison::FeedModel(const MetaRow& meta, Model* model, ComparedPartition* compared) {
  PartitionLog& held = held_->partition(meta.partition);
  RecordStream source(topic_ != nullptr ? topic_->partition(meta.partition) : held);
  RecordStream copy(held);
  std::string what = fmt::format("partition {}: ", meta.partition);
  while (const Record* record = source.Next()) {
    const bool is_folded = record->offset < meta.cursor;
    if (const Record* copied = topic_ != nullptr ? copy.Next() : nullptr; copied != nullptr)
      Require(IsSame(*record, *copied),
              fmt::format("{}the topic has a record at offset {}, the copy at {}, or another one", what, record->offset,
                          copied->offset));
    else
      Require(topic_ == nullptr || !is_folded, fmt::format("{}the copy lacks offset {}", what, record->offset));
    Require(is_folded || IsOwn(*record), fmt::format("{}was folded to {}, and offset {} holds what the daemon did not "
                                                     "append by itself",
                                                     what, meta.cursor, record->offset));
    if (is_folded) model->Apply(record->offset, record->append_time.us, record->bytes);
    if (!is_folded) ++compared->unfolded;
    if (options_.on_record) options_.on_record(meta.partition, *record);
  }
  Require(topic_ == nullptr || copy.Next() == nullptr, what + "the copy goes on where the topic ends");
  // A copy does not hold the holes after its last record.
  const bool is_whole = topic_ != nullptr || !held_->is_copy();
  Require(meta.cursor == source.end() || compared->unfolded > 0 || (!is_whole && meta.cursor > source.end()),
          fmt::format("{}was folded to {}, its log ends at {}", what, meta.cursor, source.end()));
  compared->cursor = meta.cursor;
  compared->holes = meta.cursor - meta.start - model->counts().records;
  Require(meta.holes == compared->holes,
          fmt::format("{}{} holes were recorded, the log has {} below {}", what, meta.holes, compared->holes,
                      meta.cursor));
  Require(compared->holes == 0 || held_->is_copy(), what + "an embedded log has holes");
}

uint64_t ModelComparison::CompareRows(const View& view, const Model& model) {
  Result<std::map<std::string, FieldMap>> rows = DumpLogical(view);
  Require(rows.ok(), "dump: " + rows.status().ToString());
  std::map<std::string, FieldMap> want = model.LogicalRows();
  for (const auto& [name, fields] : want) {
    auto row = rows->find(name);
    Require(row != rows->end(), "row " + name + " is not in the store");
    CompareFields(name, row->second, fields);
  }
  Require(rows->size() == want.size(), fmt::format("the store has {} rows, the model {}", rows->size(), want.size()));
  return rows->size();
}

// Every row of this kind as the model has it, and no other one.
uint64_t ModelComparison::ComparePositional(const View& view, RowKind kind, std::map<std::string, FieldMap> want) {
  uint64_t rows = 0;
  std::string begin = KeyBuilder().Begin(kind).str();
  Status scanned = view.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
    if (IsGone(view, kind, value)) return true;
    std::string name = NameOfPositional(kind, key);
    auto row = want.find(name);
    Require(row != want.end(), "row " + name + " is in the store, and not in the model");
    std::optional<FieldMap> fields = FieldsOf(kind, value, 0);
    Require(fields.has_value(), "row " + name + " cannot be read");
    CompareFields(name, *fields, row->second);
    want.erase(row);
    ++rows;
    return true;
  });
  Require(scanned.ok(), "scan: " + scanned.ToString());
  Require(want.empty(), want.empty() ? "" : "row " + want.begin()->first + " is not in the store");
  return rows;
}

void ModelComparison::CompareOutcomes(const View& view, const Model& model) {
  const ModelCounts& counts = model.counts();
  const MetaRow& meta = view.meta();
  Require(meta.conserves() && meta.applied_total() == counts.applied && meta.duplicate == counts.duplicate &&
              meta.duplicate_unverified == counts.duplicate_unverified &&
              meta.duplicate_other_door == counts.duplicate_other_door && meta.own_events == counts.own_events,
          "outcomes differ from the model's");
  for (EventType type : AllEventTypes()) {
    auto applied = counts.applied_by_type.find(std::string(TypeName(type)));
    Require(meta.applied[static_cast<size_t>(type)] == (applied == counts.applied_by_type.end() ? 0 : applied->second),
            "another number of applied " + std::string(TypeName(type)) + " than the model's");
  }
  std::map<uint64_t, std::string> quarantine;
  std::string begin = KeyBuilder().Begin(RowKind::kQuarantine).str();
  Status scanned = view.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
    int64_t offset = 0;
    QuarantineRow row;
    KeyReader reader(key);
    if (reader.Number(&offset) && DecodeRow(value, &row))
      quarantine[static_cast<uint64_t>(offset)] = std::string(ReasonName(static_cast<Reason>(row.reason)));
    return true;
  });
  Require(scanned.ok() && quarantine == model.Quarantine(), "the quarantine is not the model's");
  Result<std::vector<Difference>> law = CheckConservation(view);
  Require(law.ok() && law->empty(), "the conservation law does not hold when read back from rows");
}

}  // namespace odometer
