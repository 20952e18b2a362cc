// A user's row in a project remembers where its operations went; where they go does not depend on it.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "state/hour_cell.h"
#include "state/postings.h"
#include "tests/unit/state/defect_fixture.h"

namespace odometer {
namespace {

TEST(VectorPlaces, EveryOperationIsCountedInItsOwnHourServiceAndCollectionInAnyOrder) {
  EventMaker make("acme");
  TestPartition partition;
  std::map<std::string, int> expected;
  for (int i = 0; i < 400; ++i) {
    std::string user = "user" + std::to_string(i % 3);
    std::string project = "project" + std::to_string(i % 2);
    std::string collection = "c" + std::to_string(i * 5 % 11);
    std::string service = i % 7 < 3 ? "vectors" : "vector";  // one begins as the other
    int64_t at_us = kNoon + (i * 7 % 5 - 2) * 9 * kUsPerHour;
    Event event = make.Operation(EventType::kVectorsSearched, user, project, at_us);
    event.operation.collection = collection;
    event.operation.service = service;
    event.operation.operation = "s";
    ASSERT_EQ(partition.Apply(event, kNoon + 100 * kUsPerHour), "applied");
    std::string hour = std::to_string(HourAt(at_us)), day = std::to_string(DayOf(FoldTime{at_us}));
    ++expected["project_hour[acme," + project + "," + hour + "," + user + "] search.success.count"];
    ++expected["service_day[acme," + day + "," + service + ",s,] vector_operations"];
    ++expected["collection[acme," + project + "," + collection + "] operations"];
    ++expected["project_user[acme," + user + "," + project + "] search.success"];
    if (i % 50 == 49) partition.Restart();
  }
  for (const auto& [place, count] : expected) {
    size_t space = place.find(' ');
    EXPECT_EQ(partition.Get(place.substr(0, space), place.substr(space + 1)), std::to_string(count)) << place;
  }
}

using Cells = std::map<std::string, std::vector<HourCell>>;  // by tenant, project and hour

// Of the mix, in which times run to and fro and records are refused: what the minutes of a project's hour hold is what
// its users' rows of the hour hold, and each listed operation stands between the offsets of its minute.
TEST(VectorPlaces, TheMinutesOfAnHourSumUpToTheRowsOfItsUsers) {
  TestPartition partition;
  int applied = 0;
  for (const TestRecord& record : RecordsOf({.seed = 11, .tenants = 2, .users = 4, .with_big_amounts = true}, 3000)) {
    partition.Apply(record);
    if (++applied % 500 == 0) partition.Restart();
  }
  std::shared_ptr<const View> view = partition.view();
  auto scan = [&](RowKind kind, auto&& f) {
    KeyBuilder prefix;
    prefix.Begin(kind);
    ASSERT_TRUE(view->Scan(prefix.view(), PrefixEnd(prefix.view()), [&](std::string_view key, std::string_view value) {
                      KeyReader reader(key);
                      std::string_view tenant, project;
                      int64_t number = 0;
                      EXPECT_TRUE(reader.Text(&tenant) && reader.Text(&project) && reader.Number(&number));
                      f(std::string(tenant) + "/" + std::string(project) + "/", number, value);
                      return true;
                    }).ok());
  };
  Cells by_hour, by_minute;
  std::map<std::string, ProjectMinuteRow> minutes;
  scan(RowKind::kProjectHour, [&](const std::string& project, int64_t hour, std::string_view value) {
    ProjectHourRow row;
    ASSERT_TRUE(DecodeRow(value, &row));
    for (const HourCell& cell : row.cells) AddToCells(cell, &by_hour[project + std::to_string(hour)]);
  });
  scan(RowKind::kProjectMinute, [&](const std::string& project, int64_t minute, std::string_view value) {
    ProjectMinuteRow& row = minutes[project + std::to_string(minute)];
    ASSERT_TRUE(DecodeRow(value, &row));
    for (const HourCell& cell : row.cells) AddToCells(cell, &by_minute[project + std::to_string(minute / 60)]);
  });
  EXPECT_GT(by_hour.size(), 20u);
  EXPECT_GT(minutes.size(), by_hour.size());
  ASSERT_EQ(by_minute.size(), by_hour.size());
  for (const auto& [hour, cells] : by_hour) {
    EXPECT_EQ(EncodeRow(ProjectHourRow{by_minute[hour]}), EncodeRow(ProjectHourRow{cells})) << hour;
  }
  scan(RowKind::kProjectPostings, [&](const std::string& project, int64_t, std::string_view value) {
    PostingChunk chunk;
    ASSERT_TRUE(DecodeRow(value, &chunk));
    for (const Posting& posting : chunk.entries) {
      const ProjectMinuteRow& row = minutes[project + std::to_string(posting.time_us / kUsPerMinute)];
      EXPECT_GE(posting.offset, row.first_offset);
      EXPECT_LE(posting.offset, row.last_offset);
    }
  });
}

}  // namespace
}  // namespace odometer
