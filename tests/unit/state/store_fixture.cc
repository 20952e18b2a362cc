#include "tests/unit/state/store_fixture.h"

// lint: layering because a store's files live in memory here
#include <rocksdb/env.h>

#include <cstdlib>
#include <cstring>

#include "core/check.h"
#include "log/event_log.h"

namespace odometer {

const Uuid kTestLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-00000000005e");

bool IsFullRun() { return std::getenv("ODOMETER_FULL") != nullptr; }

MemoryDisk::MemoryDisk() : env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {}
MemoryDisk::~MemoryDisk() = default;

StoreOptions MemoryDisk::options(const std::string& path) const {
  StoreOptions options;
  options.path = path;
  options.env = env_.get();
  options.log_id = kTestLogId;
  return options;
}

std::unique_ptr<Store> MemoryDisk::Open(const std::string& path) const {
  Result<std::unique_ptr<Store>> store = Store::Open(options(path));
  EXPECT_TRUE(store.ok()) << store.status().ToString();
  return std::move(store).value();
}

std::vector<TestRecord> RecordsOf(const MixOptions& options, int count) {
  Mix mix(options);
  std::vector<TestRecord> records;
  for (int i = 0; i < count; ++i) {
    MixRecord record = mix.Next();
    records.push_back({std::move(record.bytes), record.is_null, AppendTimeOf(mix.now_us()).us});
  }
  return records;
}

DecodedEvent::DecodedEvent(std::string_view bytes) : storage_(bytes.size() / 8 + 1) {
  std::memcpy(storage_.data(), bytes.data() == nullptr ? "" : bytes.data(), bytes.size());
  std::string_view aligned(reinterpret_cast<const char*>(storage_.data()), bytes.size());
  reason_ = Decode(bytes.data() == nullptr ? bytes : aligned, &event_);
}

TestPartition::TestPartition(TestPartitionOptions options) : options_(options) {
  Open();
  ApplyBytes(GenesisBytes(kTestLogId, options_.partition, options_.partitions, 0), 999);
}

TestPartition::~TestPartition() = default;

void TestPartition::Open() {
  StoreOptions options;
  options.path = "/store";
  options.env = disk_.env();
  options.log_id = kTestLogId;
  options.partition = options_.partition;
  options.partitions = options_.partitions;
  Result<std::unique_ptr<Store>> store = Store::Open(options);
  ODOMETER_CHECK(store.ok());
  store_ = std::move(*store);
  projection_ = std::make_unique<Projection>(*store_, options_.projection);
}

std::string TestPartition::Apply(const Event& event, int64_t append_us) {
  EXPECT_EQ(CheckMeaning(event), Reason::kNone) << ReasonName(CheckMeaning(event));
  return ApplyBytes(Encode(event), append_us);
}

std::string TestPartition::ApplyBytes(std::string_view bytes, int64_t append_us) {
  std::vector<uint64_t> storage(bytes.size() / 8 + 1);
  if (!bytes.empty()) std::memcpy(storage.data(), bytes.data(), bytes.size());
  std::string_view aligned(reinterpret_cast<const char*>(storage.data()), bytes.size());
  Record record{projection_->meta().cursor, AppendTime{append_us}, bytes.data() == nullptr ? bytes : aligned};
  Result<Outcome> outcome = projection_->Apply(record);
  EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
  if (!outcome.ok()) return "failed";
  return std::string(outcome->reason == Reason::kNone ? OutcomeName(outcome->kind) : ReasonName(outcome->reason));
}

void TestPartition::Commit() {
  Status committed = projection_->Commit();
  EXPECT_TRUE(committed.ok()) << committed.ToString();
}

void TestPartition::Restart() {
  Commit();
  Crash();
}

void TestPartition::Crash() {
  projection_.reset();
  store_.reset();
  Open();
}

std::shared_ptr<const View> TestPartition::view() {
  Commit();
  return store_->NewView();
}

FieldMap TestPartition::Row(const std::string& name) {
  std::optional<std::string> key = KeyOfName(name);
  EXPECT_TRUE(key.has_value()) << name;
  if (!key) return {};
  std::shared_ptr<const View> now = view();
  Result<std::optional<std::string>> bytes = now->Get(*key);
  EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
  if (!bytes.ok() || !bytes->has_value()) return {};
  std::optional<RowName> parsed = NameOf(*key);
  Result<int64_t> moment = MomentOf(*now, parsed->tenant());
  std::optional<FieldMap> fields = FieldsOf(parsed->kind, **bytes, moment.ok() ? *moment : 0);
  EXPECT_TRUE(fields.has_value()) << name;
  return fields.value_or(FieldMap());
}

std::string TestPartition::Get(const std::string& name, const std::string& field) {
  FieldMap fields = Row(name);
  if (fields.empty()) return "(no row)";
  auto found = fields.find(field);
  return found == fields.end() ? "(no field)" : found->second;
}

std::map<std::string, FieldMap> TestPartition::Rows() {
  Result<std::map<std::string, FieldMap>> rows = DumpLogical(*view());
  EXPECT_TRUE(rows.ok()) << rows.status().ToString();
  return rows.ok() ? *rows : std::map<std::string, FieldMap>();
}

std::string TestPartition::Digest() { return DigestOf(view()); }

std::string DigestOf(const std::vector<std::shared_ptr<const View>>& views) {
  Result<StateDigests> digests = ComputeDigests(views, std::nullopt);
  EXPECT_TRUE(digests.ok()) << digests.status().ToString();
  return digests.ok() ? digests->state.hex() : "";
}

}  // namespace odometer
