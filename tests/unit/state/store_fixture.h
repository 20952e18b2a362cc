// tests/unit/state/store_fixture.h: TestPartition, one partition's fold and store, in memory; and whole logs to fold.
//
//   TestPartition partition;
//   EXPECT_EQ(partition.Apply(event), "applied");
//   EXPECT_EQ(partition.Get("account[acme,ann]", "requests"), "1");
//
// Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "state/digest.h"
#include "state/dump.h"
#include "state/projection.h"
#include "state/store.h"
#include "tests/support/mix.h"

namespace odometer {

// ODOMETER_FULL: larger counts.
bool IsFullRun();

// Files that live as long as the object, for stores that are opened again.
class MemoryDisk {
 public:
  MemoryDisk();
  ~MemoryDisk();
  rocksdb::Env* env() const { return env_.get(); }
  // A store of partition 0 of 1 of kTestLogId.
  StoreOptions options(const std::string& path = "/store") const;
  std::unique_ptr<Store> Open(const std::string& path = "/store") const;

 private:
  std::unique_ptr<rocksdb::Env> env_;
};

extern const Uuid kTestLogId;

// A record for a log, with the time at which it is appended.
struct TestRecord {
  std::string bytes;
  bool is_null = false;
  int64_t append_us = 0;
  std::string_view view() const { return is_null ? std::string_view() : std::string_view(bytes.data(), bytes.size()); }
};

// The next `count` of a mix, each at the time that the mix supposes.
std::vector<TestRecord> RecordsOf(const MixOptions& options, int count);
// Null when the bytes are no event. The event lives as long as the object.
class DecodedEvent {
 public:
  explicit DecodedEvent(std::string_view bytes);
  Reason reason() const { return reason_; }
  Event& event() { return event_; }

 private:
  std::vector<uint64_t> storage_;
  Event event_;
  Reason reason_;
};

struct TestPartitionOptions {
  uint32_t partition = 0;
  uint32_t partitions = 1;
  ProjectionOptions projection;
};

class TestPartition {
 public:
  // Genesis is folded, as in every log.
  explicit TestPartition(TestPartitionOptions options = {});
  ~TestPartition();

  // "applied", "duplicate", or the reason of the quarantine. Appended when it happened, or when said.
  std::string Apply(const Event& event) { return Apply(event, event.event_time.us); }
  std::string Apply(const Event& event, int64_t append_us);
  std::string ApplyBytes(std::string_view bytes, int64_t append_us);
  std::string Apply(const TestRecord& record) { return ApplyBytes(record.view(), record.append_us); }

  void Commit();
  // As a stopped daemon that comes back; Crash() forgets what was not committed.
  void Restart();
  void Crash();

  // All below commit first.
  std::shared_ptr<const View> view();
  FieldMap Row(const std::string& name);
  // "(no row)", "(no field)".
  std::string Get(const std::string& name, const std::string& field);
  std::map<std::string, FieldMap> Rows();
  std::string Digest();
  template <class Row>
  Row Read(std::string_view key) {
    Result<std::optional<Row>> row = ReadRow<Row>(*view(), key);
    EXPECT_TRUE(row.ok() && row->has_value());
    return row.ok() && row->has_value() ? **row : Row();
  }

  Projection& projection() { return *projection_; }
  Store& store() { return *store_; }

 private:
  void Open();

  TestPartitionOptions options_;
  MemoryDisk disk_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projection> projection_;
};

// The state_digest over these views; fails the test when it cannot be computed.
std::string DigestOf(const std::vector<std::shared_ptr<const View>>& views);
inline std::string DigestOf(std::shared_ptr<const View> view) { return DigestOf(std::vector{std::move(view)}); }

}  // namespace odometer
