#include "consumers/queries_projects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "consumers/project_hour.h"
#include "core/period.h"
#include "log/memory_log.h"
#include "tests/support/random.h"
#include "tests/unit/consumers/map_view.h"
#include "tests/unit/consumers/query_fixture.h"

namespace odometer {
namespace {

constexpr EventType kVectorTypes[] = {EventType::kVectorsAdded,     EventType::kVectorsUpserted,
                                      EventType::kVectorsDeleted,   EventType::kVectorsSearched,
                                      EventType::kVectorsCounted,   EventType::kCollectionCreated,
                                      EventType::kCollectionDropped};

// A log of random vector operations in one project, with the rows that a fold would make of them.
class ProjectQueries : public testing::Test {
 protected:
  struct Fact {
    uint64_t offset;
    int64_t time_us;
    std::string user;
    HourCell cell;
  };

  void Fill(int count, int64_t hours) {
    for (int i = 0; i < count; ++i)
      AddOne(kNowUs - static_cast<int64_t>(random_.Below(static_cast<uint64_t>(hours * kUsPerHour))));
  }

  void AddOne(int64_t time_us) {
    Event event;
    event.type = random_.Pick(std::vector<EventType>(std::begin(kVectorTypes), std::end(kVectorTypes)));
    event.id = Uuid7(time_us, {});
    event.tenant = "acme";
    event.event_time = EventTime{time_us};
    Operation& operation = event.operation;
    std::string user = "u" + std::to_string(random_.Below(3));
    operation.user = user;
    operation.project = "docs";
    operation.collection = "c";
    operation.status = static_cast<OperationStatus>(1 + random_.Below(4));
    bool effective =
        operation.status == OperationStatus::kSuccess || operation.status == OperationStatus::kPartialFailure;
    operation.requested = random_.Between(1, 9);
    operation.succeeded = effective ? operation.requested : 0;
    bool adds = event.type == EventType::kVectorsAdded && effective;
    operation.vectors_delta = adds ? operation.requested : 0;
    if (random_.Percent(50)) operation.duration_us = random_.Between(0, 99);
    if (event.type == EventType::kVectorsSearched) operation.had_filter = random_.Percent(50);
    std::string bytes = Encode(event);
    std::string_view view = bytes;
    uint64_t offset = log_.AppendAt({&view, 1}, AppendTime{kNowUs + 999}).value().first_offset;
    Record(event, offset, user);
  }

  void Record(const Event& event, uint64_t offset, const std::string& user) {
    const Operation& operation = event.operation;
    HourCell cell{OperationOf(event.type),
                  operation.status,
                  1,
                  operation.requested,
                  operation.succeeded,
                  operation.vectors_delta,
                  operation.bytes_delta,
                  operation.payload_bytes,
                  operation.duration_us.value_or(0),
                  operation.duration_us ? 1 : 0,
                  operation.results,
                  operation.had_filter ? 1 : 0,
                  operation.inserted};
    facts_.push_back({offset, event.event_time.us, user, cell});
    int64_t hour = HourOf(FoldTime{event.event_time.us});
    KeyBuilder key;
    key.Begin(RowKind::kProjectHour).Text("acme").Text("docs").Number(hour).Text(user);
    ProjectHourRow row = RowOrEmpty<ProjectHourRow>(view_, key).value();
    row.cells.push_back(cell);
    std::map<std::pair<int, int>, HourCell> sums;
    for (const HourCell& part : row.cells) AddTo(&sums, part);
    row.cells.clear();
    for (auto& [unused, sum] : sums) row.cells.push_back(sum);
    view_.Put(key, row);
    key.Begin(RowKind::kProjectMinute).Text("acme").Text("docs").Number(event.event_time.us / kUsPerMinute);
    ProjectMinuteRow minute = RowOrEmpty<ProjectMinuteRow>(view_, key).value();
    if (minute.cells.empty()) minute.first_offset = offset;
    minute.last_offset = offset;
    AddToCells(cell, &minute.cells);
    view_.Put(key, minute);
    view_.AddPosting(KeyBuilder().Begin(RowKind::kProjectPostings).Text("acme").Text("docs").Number(hour),
                     {offset, event.event_time.us, event.type, static_cast<uint8_t>(operation.status), event.id, 0, 0});
  }

  static void AddTo(std::map<std::pair<int, int>, HourCell>* sums, const HourCell& part) {
    auto [at, made] = sums->try_emplace({static_cast<int>(part.operation), static_cast<int>(part.status)}, part);
    if (made) return;
    HourCell& sum = at->second;
    sum.count += part.count;
    sum.requested += part.requested;
    sum.succeeded += part.succeeded;
    sum.vectors_delta += part.vectors_delta;
    sum.duration_us += part.duration_us;
    sum.timed += part.timed;
    sum.filtered += part.filtered;
  }

  std::string Scan(const UsageQuery& query) {
    std::map<std::pair<int, int>, HourCell> sums;
    for (const Fact& fact : facts_) {
      bool matches = fact.time_us >= query.from_us && fact.time_us < query.to_us &&
                     (!query.user || *query.user == fact.user) &&
                     (!query.operation || *query.operation == fact.cell.operation) &&
                     (!query.status || *query.status == fact.cell.status);
      if (matches) AddTo(&sums, fact.cell);
    }
    ProjectHourRow row;
    for (auto& [unused, sum] : sums) row.cells.push_back(sum);
    return EncodeRow(row);
  }

  UsageQuery RandomQuery() {
    UsageQuery query{"acme", "docs", {}, {}, {}, 0, INT64_MAX};
    if (random_.Percent(50)) query.user = "u" + std::to_string(random_.Below(4));
    if (random_.Percent(30)) query.operation = static_cast<OperationKind>(random_.Below(kOperationKinds));
    if (random_.Percent(30)) query.status = static_cast<OperationStatus>(1 + random_.Below(4));
    auto bound = [&] {
      const Fact& fact = facts_[random_.Below(facts_.size())];
      if (random_.Percent(30)) return HourOf(FoldTime{fact.time_us}) * kUsPerHour;
      return fact.time_us + random_.Between(-1, 1);
    };
    query.from_us = bound();
    query.to_us = bound();
    if (random_.Percent(10)) query.from_us = INT64_MIN;
    if (random_.Percent(10)) query.to_us = INT64_MAX;
    return query;
  }

  // As a commit would: what is added after belongs to it, and the view holds the log up to its end.
  void Commit(int count, int64_t hours) {
    view_.mutable_meta().cursor = log_.range().end + static_cast<uint64_t>(count);
    Fill(count, hours);
    ASSERT_EQ(view_.meta().cursor, log_.range().end);
  }

  std::string Read(const UsageQuery& query, UsageCache* cache = nullptr) { return ReadIn(view_, query, cache); }
  std::string ReadIn(const View& view, const UsageQuery& query, UsageCache* cache) {
    Result<ProjectUsage> usage = ReadProjectUsage(view, log_, query, cache);
    EXPECT_TRUE(usage.ok()) << usage.status().ToString();
    events_read_ = usage->events_read;
    return EncodeRow(ProjectHourRow{usage->cells});
  }

  Random random_ = Seeded();
  ManualClock clock_{kNowUs};
  MemoryPartition log_{clock_, 0, true};
  MapView view_;
  std::vector<Fact> facts_;
  uint64_t events_read_ = 0;
};

TEST_F(ProjectQueries, UsageOfAnySpanIsThatOfAScan) {
  Fill(600, 5);
  for (int round = 0; round < 400; ++round) {
    UsageQuery query = RandomQuery();
    ASSERT_EQ(Read(query), Scan(query)) << query.from_us << " to " << query.to_us;
  }
}

TEST_F(ProjectQueries, UsageWithACacheIsThatOfAScanWhateverIsCommittedBetweenReads) {
  for (bool knows_written : {false, true}) {
    UsageCache cache;
    if (knows_written) view_.KnowWritten();
    for (int commit = 0; commit < 60; ++commit) {
      Commit(1 + static_cast<int>(random_.Below(20)), 5);
      for (int read = 0; read < 10; ++read) {
        UsageQuery query = RandomQuery();
        ASSERT_EQ(Read(query, &cache), Scan(query)) << query.from_us << " to " << query.to_us;
      }
    }
  }
}

TEST_F(ProjectQueries, UsageOfAViewThatTheCacheIsBeyondIsStillThatOfTheView) {
  UsageCache cache;
  view_.KnowWritten();
  Commit(200, 5);
  MapView before = view_;
  std::vector<std::pair<UsageQuery, std::string>> expected;
  for (int read = 0; read < 50; ++read) {
    UsageQuery query = RandomQuery();
    expected.emplace_back(query, Scan(query));
  }
  Commit(200, 5);
  for (const auto& [query, answer] : expected) {
    EXPECT_EQ(Read(query, &cache), Scan(query));
    EXPECT_EQ(ReadIn(before, query, &cache), answer);
  }
}

TEST_F(ProjectQueries, UsageOfASpanReadsTheEventsOfNoMoreThanHalvesOfTwoMinutes) {
  Commit(1200, 1);
  UsageQuery query{"acme", "docs", {}, {}, {}, kNowUs - kUsPerHour / 2 + 1, kNowUs - kUsPerHour / 6 + 1};
  EXPECT_EQ(Read(query), Scan(query));
  EXPECT_GT(events_read_, 0u);
  EXPECT_LT(events_read_, 60u);
  query.user = "u1";
  EXPECT_EQ(Read(query), Scan(query));
  EXPECT_GT(events_read_, 200u) << "minutes are of all users";
}

TEST_F(ProjectQueries, UsageOfWholeMinutesReadsNoEvent) {
  Fill(300, 2);
  int64_t minute = kNowUs / kUsPerMinute;
  UsageQuery query{"acme", "docs", {}, {}, {}, (minute - 70) * kUsPerMinute, (minute - 10) * kUsPerMinute};
  EXPECT_EQ(Read(query), Scan(query));
  EXPECT_EQ(events_read_, 0u);
}

TEST_F(ProjectQueries, SpansMayBeReadByMany) {
  UsageCache cache;
  Commit(2000, 3);
  std::vector<std::pair<UsageQuery, std::string>> expected;
  for (int i = 0; i < 40; ++i) {
    UsageQuery query = RandomQuery();
    expected.emplace_back(query, Scan(query));
  }
  auto read = [&] {
    for (const auto& [query, answer] : expected) {
      Result<ProjectUsage> usage = ReadProjectUsage(view_, log_, query, &cache);
      EXPECT_EQ(EncodeRow(ProjectHourRow{usage.value().cells}), answer);
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  for (std::thread& reader : readers) reader.join();
}

TEST_F(ProjectQueries, AListedOperationThatTheLogHasNotIsAnError) {
  for (int i = 2; i < 6; ++i) AddOne(kNowUs + i);
  uint64_t beyond = log_.range().end;
  KeyBuilder key;
  key.Begin(RowKind::kProjectMinute).Text("acme").Text("docs").Number(kNowUs / kUsPerMinute);
  ProjectMinuteRow minute = RowOrEmpty<ProjectMinuteRow>(view_, key).value();
  minute.last_offset = beyond;
  AddToCells(HourCell{OperationKind::kAdd, OperationStatus::kSuccess, 1}, &minute.cells);
  view_.Put(key, minute);
  view_.AddPosting(HourPostings("acme", "docs", kNowHour),
                   {beyond, kNowUs, EventType::kVectorsAdded, 1, {}, 0, 0});
  UsageQuery query{"acme", "docs", {}, {}, {}, kNowUs, kNowUs + 1};
  EXPECT_FALSE(ReadProjectUsage(view_, log_, query).ok());
}

TEST_F(ProjectQueries, UsageCacheHoldsNoMoreThanItMay) {
  UsageCache cache;
  view_.KnowWritten();
  Commit(3000, 40);
  size_t of_one = 0;
  for (int i = 0; i < 2; ++i) {
    Result<bool> held = cache.ForEachHour(view_, "acme", "docs", 0, kNowHour, [&](int64_t, const auto& cells) {
      of_one += i == 0 ? cells.size() : 0;
    });
    EXPECT_TRUE(*held);
  }
  EXPECT_EQ(cache.held(), of_one + 1);
  for (int project = 0; project < 10; ++project) {
    auto ignore = [](int64_t, const auto&) {};
    EXPECT_TRUE(cache.ForEachHour(view_, "acme", std::to_string(project), 0, kNowHour, ignore).ok());
  }
  EXPECT_EQ(cache.held(), of_one + 11) << "an empty one costs its place";
}

TEST_F(ProjectQueries, UsageOfWholeHoursReadsNoEvent) {
  Fill(100, 3);
  UsageQuery query{"acme", "docs", {}, {}, {}, (kNowHour - 1) * kUsPerHour, kNowHour * kUsPerHour};
  EXPECT_EQ(Read(query), Scan(query));
  EXPECT_EQ(events_read_, 0u);
}

TEST_F(ProjectQueries, UsageOfAnEdgeReadsTheSmallerSideOfItsHour) {
  for (int i = 0; i < 100; ++i) AddOne(kNowHour * kUsPerHour + i);
  UsageQuery query{"acme", "docs", {}, {}, {}, kNowHour * kUsPerHour + 3, kNowHour * kUsPerHour + 100};
  EXPECT_EQ(Read(query), Scan(query));
  EXPECT_EQ(events_read_, 3u);
}

TEST_F(ProjectQueries, OperationsAreListedOnceNewestFirstOverAllPages) {
  Fill(500, 4);
  for (std::optional<std::string> user : {std::optional<std::string>(), std::optional<std::string>("u1")}) {
    OperationQuery query{"acme", "docs", user, UINT64_MAX, INT64_MAX, UINT64_MAX, 7};
    std::vector<std::pair<int64_t, uint64_t>> listed, expected;
    for (const Fact& fact : facts_) {
      if (!user || *user == fact.user) expected.emplace_back(fact.time_us, fact.offset);
    }
    std::sort(expected.rbegin(), expected.rend());
    for (bool more = true; more;) {
      Result<OperationPage> page = ListOperations(view_, log_, query);
      ASSERT_TRUE(page.ok()) << page.status().ToString();
      for (const Posting& posting : page->postings) listed.emplace_back(posting.time_us, posting.offset);
      more = page->more;
      ASSERT_LE(page->postings.size(), 7u);
      query.after_time_us = page->next.time_us;
      query.after_offset = page->next.offset;
    }
    EXPECT_EQ(listed, expected);
  }
}

TEST_F(ProjectQueries, OperationsLeaveOutWhatCameAfterTheyWerePinned) {
  Fill(50, 2);
  OperationQuery query{"acme", "docs", {}, 10, INT64_MAX, UINT64_MAX, 100};
  Result<OperationPage> page = ListOperations(view_, log_, query);
  ASSERT_TRUE(page.ok());
  for (const Posting& posting : page->postings) EXPECT_LT(posting.offset, 10u);
  EXPECT_EQ(page->postings.size(), 10u);
}

TEST(UserProjectsTest, PageThroughAllAndSumAll) {
  MapView view;
  for (int i = 0; i < 25; ++i) {
    ProjectRow row;
    row.vectors = i;
    row.searches_ring.Add(kNowHour - i, 1);
    row.first_use_us = kNowUs + i;
    view.Put(KeyBuilder().Begin(RowKind::kProjectUser).Text("acme").Text("ann").Text("p" + std::to_string(i)), row);
  }
  std::vector<std::string> names;
  std::optional<std::string> after;
  for (bool more = true; more;) {
    auto page = ListUserProjects(view, "acme", "ann", after, 10, kNowHour);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->count, 25);
    EXPECT_EQ(page->total.vectors, 300);
    EXPECT_EQ(page->total.first_use_us, kNowUs);
    EXPECT_EQ(page->total.searches_ring.Sum(), 25u);
    for (const UserProject& project : page->page) names.push_back(project.project);
    more = page->more;
    after = names.back();
  }
  EXPECT_EQ(names.size(), 25u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 25u);
}

TEST(OperationNames, AreFoundAgain) {
  for (int i = 0; i < kOperationKinds; ++i)
    EXPECT_EQ(OperationFromName(OperationName(static_cast<OperationKind>(i))), static_cast<OperationKind>(i));
  EXPECT_EQ(OperationStatusFromName("quota_exceeded"), OperationStatus::kQuotaExceeded);
  EXPECT_EQ(OperationFromName("nothing"), std::nullopt);
}

}  // namespace
}  // namespace odometer
