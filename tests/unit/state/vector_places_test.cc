// A user's row in a project remembers where its operations went; where they go does not depend on it.

#include <gtest/gtest.h>

#include <map>
#include <string>

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

}  // namespace
}  // namespace odometer
