// tests/support/log_contract.h: the contract of log/event_log.h as a test suite. Every implementation runs it:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, EventLogContract, testing::Values(LogUnderTest{"Memory", MakeMemoryLog}));
//
// It assumes nothing of how a log is stored: offsets may have holes, and other records than the test's own only where
// the contract has them (Genesis).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/time.h"
#include "log/event_log.h"

namespace odometer {

// A new log, and what keeps it alive.
class LogHolder {
 public:
  virtual ~LogHolder() = default;
  virtual EventLog& log() = 0;
  // Closes and opens it again, as a restart does; false when this log does not outlive its process.
  virtual bool Reopen() { return false; }
  // The log's clock, when the test can move it.
  virtual ManualClock* clock() { return nullptr; }
};

struct LogUnderTest {
  std::string name;
  std::function<std::unique_ptr<LogHolder>(uint32_t partitions)> make;
};

inline void PrintTo(const LogUnderTest& log, std::ostream* out) { *out << log.name; }

class EventLogContract : public testing::TestWithParam<LogUnderTest> {
 protected:
  static constexpr uint32_t kPartitions = 2;
  static constexpr int64_t kLongUs = 20'000'000;  // for what must come: a failing test ends, too

  struct Copy {
    uint64_t offset = 0;
    AppendTime append_time;
    std::string bytes;
    bool is_null = false;
    friend bool operator==(const Copy&, const Copy&) = default;
  };

  EventLogContract() : holder_(GetParam().make(kPartitions)) {}

  EventLog& log() { return holder_->log(); }
  PartitionLog& partition() { return log().partition(1); }

  static uint64_t Seed() {
    const char* text = std::getenv("ODOMETER_SEED");
    uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : 20231116;
    std::printf("ODOMETER_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return seed;
  }

  Appended AppendAll(const std::vector<std::string>& events) {
    std::vector<std::string_view> views(events.begin(), events.end());
    Result<Appended> appended = partition().Append(views);
    EXPECT_TRUE(appended.ok()) << appended.status().ToString();
    return appended.ok() ? *appended : Appended();
  }
  Appended AppendOne(const std::string& event) { return AppendAll({event}); }

  static std::vector<Copy> CopyOf(std::span<const Record> records) {
    std::vector<Copy> copies;
    for (const Record& record : records) {
      copies.push_back({record.offset, record.append_time, std::string(record.bytes), record.bytes.data() == nullptr});
    }
    return copies;
  }

  // All records from there to the end that the log has now.
  std::vector<Copy> ReadFrom(uint64_t from, size_t records_max = 1000) {
    std::vector<Copy> all;
    Result<std::unique_ptr<EventReader>> reader = partition().Read(from);
    EXPECT_TRUE(reader.ok()) << reader.status().ToString();
    uint64_t end = partition().range().end;
    while (reader.ok() && (*reader)->next_offset() < end) {
      Result<std::span<const Record>> batch = (*reader)->Poll(records_max, kLongUs);
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      if (!batch.ok() || batch->empty()) break;
      EXPECT_LE(batch->size(), records_max);
      for (Copy& copy : CopyOf(*batch)) all.push_back(std::move(copy));
      EXPECT_GT((*reader)->next_offset(), all.back().offset);
    }
    return all;
  }
  static std::vector<std::string> BytesOf(const std::vector<Copy>& copies) {
    std::vector<std::string> bytes;
    for (const Copy& copy : copies) bytes.push_back(copy.bytes);
    return bytes;
  }

  std::unique_ptr<LogHolder> holder_;
};

TEST_P(EventLogContract, RecordZeroOfEachPartitionIsItsGenesis) {
  ASSERT_EQ(log().partitions(), kPartitions);
  for (uint32_t i = 0; i < kPartitions; ++i) {
    EXPECT_EQ(log().partition(i).partition(), i);
    EXPECT_EQ(log().partition(i).range().start, 0u);
    Result<OwnedRecord> genesis = log().partition(i).Fetch(0);
    ASSERT_TRUE(genesis.ok()) << genesis.status().ToString();
    Record record{genesis->offset, genesis->append_time, genesis->bytes};
    Status status = CheckGenesis(record, log().log_id(), i, kPartitions);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
}

TEST_P(EventLogContract, TheEventsOfAnAppendAreAdjacentAndInOrder) {
  AppendOne("before");
  Appended appended = AppendAll({"a", "bb", "ccc"});
  AppendOne("after");
  std::vector<Copy> copies = ReadFrom(appended.first_offset);
  EXPECT_EQ(BytesOf(copies), (std::vector<std::string>{"a", "bb", "ccc", "after"}));
  EXPECT_EQ(copies[0].offset, appended.first_offset);
  EXPECT_EQ(copies[2].offset + 1, appended.next_offset);
  EXPECT_EQ(copies[2].append_time, appended.append_time);
}

TEST_P(EventLogContract, AReaderGivesEachRecordOnceWhateverTheBatchSize) {
  std::mt19937_64 random(Seed());
  std::vector<std::string> sent;
  for (int i = 0; i < 50; ++i) {
    std::vector<std::string> events;
    for (uint64_t n = random() % 8 + 1; n > 0; --n) {
      events.push_back(std::to_string(sent.size() + events.size()) + ":" + std::string(random() % 700, 'x'));
    }
    AppendAll(events);
    sent.insert(sent.end(), events.begin(), events.end());
  }
  for (size_t records_max : {1, 2, 7, 64, 100'000}) {
    EXPECT_EQ(BytesOf(ReadFrom(1, records_max)), sent) << "at most " << records_max << " a poll";
  }
}

TEST_P(EventLogContract, ReadingCanGoOnFromAnyNextOffset) {
  for (int i = 0; i < 12; ++i) AppendOne("event " + std::to_string(i));
  const std::vector<Copy> all = ReadFrom(0);
  ASSERT_EQ(all.size(), 13u);
  for (size_t split = 0; split < all.size(); ++split) {
    EXPECT_EQ(ReadFrom(all[split].offset), std::vector<Copy>(all.begin() + static_cast<ptrdiff_t>(split), all.end()));
  }
}

TEST_P(EventLogContract, FetchGivesTheRecordAtItsOffset) {
  for (int i = 0; i < 20; ++i) AppendOne(std::string(static_cast<size_t>(i) * 37, 'y'));
  for (const Copy& copy : ReadFrom(0)) {
    Result<OwnedRecord> record = partition().Fetch(copy.offset);
    ASSERT_TRUE(record.ok()) << record.status().ToString();
    Record borrowed{record->offset, record->append_time, record->bytes};
    EXPECT_EQ(CopyOf({&borrowed, 1})[0], copy);
  }
  EXPECT_EQ(partition().Fetch(partition().range().end).status().code(), Code::kNotFound);
  EXPECT_EQ(partition().Fetch(partition().range().end + 1000).status().code(), Code::kNotFound);
}

TEST_P(EventLogContract, FetchAllGivesTheRecordsInTheOrderTheyAreAskedFor) {
  for (size_t i = 0; i < 30; ++i) AppendOne(std::string(i * 1777, static_cast<char>('a' + i % 26)));
  std::vector<Copy> wanted = ReadFrom(0);
  std::shuffle(wanted.begin(), wanted.end(), std::mt19937_64(Seed()));
  wanted.push_back(wanted.front());
  std::vector<uint64_t> offsets;
  for (const Copy& copy : wanted) offsets.push_back(copy.offset);
  Result<std::vector<OwnedRecord>> records = partition().FetchAll(offsets);
  ASSERT_TRUE(records.ok()) << records.status().ToString();
  ASSERT_EQ(records->size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    Record borrowed{(*records)[i].offset, (*records)[i].append_time, (*records)[i].bytes};
    EXPECT_EQ(CopyOf({&borrowed, 1})[0], wanted[i]);
  }
  EXPECT_TRUE(partition().FetchAll({}).value().empty());
  offsets.push_back(partition().range().end);
  EXPECT_EQ(partition().FetchAll(offsets).status().code(), Code::kNotFound);
}

TEST_P(EventLogContract, ANullPayloadIsNotAnEmptyOne) {
  std::string_view events[] = {std::string_view("", 0), std::string_view(), "x"};
  Result<Appended> appended = partition().Append(events);
  ASSERT_TRUE(appended.ok()) << appended.status().ToString();
  std::vector<Copy> copies = ReadFrom(appended->first_offset);
  ASSERT_EQ(copies.size(), 3u);
  EXPECT_FALSE(copies[0].is_null);
  EXPECT_TRUE(copies[0].bytes.empty());
  EXPECT_TRUE(copies[1].is_null);
  EXPECT_FALSE(copies[2].is_null);
  EXPECT_NE(partition().Fetch(copies[0].offset).value().bytes.data(), nullptr);
  EXPECT_EQ(partition().Fetch(copies[1].offset).value().bytes.data(), nullptr);
}

TEST_P(EventLogContract, PayloadsAreEightAlignedAndAnyBytes) {
  std::vector<std::string> events;
  for (size_t size : {1, 7, 8, 9, 63, 1000, 70'000, 512 * 1024}) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + size);
    events.push_back(std::move(bytes));
  }
  uint64_t from = AppendAll(events).first_offset;
  Result<std::unique_ptr<EventReader>> reader = partition().Read(from);
  ASSERT_TRUE(reader.ok());
  std::vector<std::string> got;
  while (got.size() < events.size()) {
    Result<std::span<const Record>> batch = (*reader)->Poll(100, kLongUs);
    ASSERT_TRUE(batch.ok() && !batch->empty());
    for (const Record& record : *batch) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(record.bytes.data()) % 8, 0u);
      got.emplace_back(record.bytes);
    }
  }
  EXPECT_EQ(got, events);
  OwnedRecord fetched = partition().Fetch(from).value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(fetched.bytes.data()) % 8, 0u);
}

TEST_P(EventLogContract, AnEmptyAppendChangesNothing) {
  uint64_t end = partition().range().end;
  Result<Appended> appended = partition().Append({});
  ASSERT_TRUE(appended.ok()) << appended.status().ToString();
  EXPECT_EQ(appended->first_offset, appended->next_offset);
  EXPECT_EQ(partition().range().end, end);
}

TEST_P(EventLogContract, ReadingStartsInsideTheLogOnly) {
  AppendOne("event");
  uint64_t end = partition().range().end;
  EXPECT_TRUE(partition().Read(0).ok());
  EXPECT_TRUE(partition().Read(end).ok());
  EXPECT_EQ(partition().Read(end + 1).status().code(), Code::kInvalid);
}

TEST_P(EventLogContract, APollAtTheEndComesBackEmptyAndGoesOnLater) {
  std::unique_ptr<EventReader> reader = partition().Read(partition().range().end).value();
  EXPECT_TRUE(reader->Poll(10, 0).value().empty());
  EXPECT_TRUE(reader->Poll(10, 1000).value().empty());
  AppendOne("late");
  std::span<const Record> batch = reader->Poll(10, kLongUs).value();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].bytes, "late");
}

TEST_P(EventLogContract, ABlockedPollReturnsWhenARecordComes) {
  std::unique_ptr<EventReader> reader = partition().Read(partition().range().end).value();
  std::thread appender([this] { AppendOne("woken"); });
  Result<std::span<const Record>> batch = reader->Poll(10, kLongUs);
  appender.join();
  ASSERT_TRUE(batch.ok());
  ASSERT_EQ(batch->size(), 1u);
  EXPECT_EQ((*batch)[0].bytes, "woken");
}

TEST_P(EventLogContract, WakeEndsAWaitingPollWithoutARecord) {
  std::unique_ptr<EventReader> reader = partition().Read(partition().range().end).value();
  std::thread waker([this] { partition().Wake(); });
  Result<std::span<const Record>> batch = reader->Poll(10, kLongUs);
  waker.join();
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->empty());
  AppendOne("after the wake");
  EXPECT_EQ(reader->Poll(10, kLongUs).value().size(), 1u);
}

TEST_P(EventLogContract, PartitionsAreSeparate) {
  std::string_view event = "of partition 0";
  uint64_t end = partition().range().end;
  ASSERT_TRUE(log().partition(0).Append({&event, 1}).ok());
  EXPECT_EQ(partition().range().end, end);
  EXPECT_EQ(ReadFrom(0).size(), 1u);
}

TEST_P(EventLogContract, AppendTimeHasItsFormAndNeverFalls) {
  AppendTime last;
  for (int i = 0; i < 30; ++i) {
    if (holder_->clock() != nullptr) holder_->clock()->Advance(i % 3 == 2 ? -5'000'000 : 1'234'567);
    AppendTime append_time = AppendOne("event").append_time;
    EXPECT_EQ(append_time.us % 1000, 999);
    EXPECT_GE(append_time, last);
    last = append_time;
  }
  last = AppendTime();
  for (const Copy& copy : ReadFrom(0)) {
    EXPECT_GE(copy.append_time, last);
    last = copy.append_time;
  }
}

TEST_P(EventLogContract, SyncToTakesWhatTheLogHolds) {
  uint64_t end = AppendOne("event").next_offset;
  EXPECT_TRUE(partition().SyncTo(0).ok());
  EXPECT_TRUE(partition().SyncTo(end).ok());
  EXPECT_TRUE(partition().SyncTo(end).ok());
  // What the log does not hold was never there, or is no longer.
  Code beyond = partition().SyncTo(end + 1).code();
  EXPECT_TRUE(beyond == Code::kInvalid || beyond == Code::kCorrupt) << CodeName(beyond);
}

TEST_P(EventLogContract, ConcurrentAppendersLoseAndDoubleNothing) {
  constexpr int kThreads = 4, kAppends = 60, kEvents = 3;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kAppends; ++i) {
        std::vector<std::string> events;
        for (int e = 0; e < kEvents; ++e) events.push_back(std::to_string(t) + "/" + std::to_string(i * kEvents + e));
        Appended appended = AppendAll(events);
        EXPECT_EQ(partition().Fetch(appended.first_offset).value().bytes, events[0]);
      }
    });
  }
  std::map<std::string, int> next_of_thread;
  std::unique_ptr<EventReader> reader = partition().Read(1).value();
  for (int got = 0; got < kThreads * kAppends * kEvents;) {
    Result<std::span<const Record>> batch = reader->Poll(50, kLongUs);
    if (!batch.ok() || batch->empty()) {
      ADD_FAILURE() << "after " << got << " records: " << batch.status().ToString();
      break;
    }
    for (const Record& record : *batch) {
      size_t slash = record.bytes.find('/');
      std::string thread(record.bytes.substr(0, slash));
      EXPECT_EQ(record.bytes.substr(slash + 1), std::to_string(next_of_thread[thread]++));
      ++got;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(reader->Poll(50, 0).value().empty());
}

TEST_P(EventLogContract, AReopenedLogHoldsWhatItHeldAndGoesOn) {
  for (int i = 0; i < 10; ++i) AppendOne("event " + std::to_string(i));
  std::vector<Copy> before = ReadFrom(0);
  Uuid log_id = log().log_id();
  // A log that does not outlive its process must at least go on as it was.
  holder_->Reopen();
  EXPECT_EQ(log().log_id(), log_id);
  EXPECT_EQ(log().partitions(), kPartitions);
  EXPECT_EQ(ReadFrom(0), before);
  if (holder_->clock() != nullptr) holder_->clock()->Advance(-kUsPerHour);
  EXPECT_GE(AppendOne("and on").append_time, before.back().append_time);
  EXPECT_EQ(ReadFrom(0).size(), before.size() + 1);
}

}  // namespace odometer
