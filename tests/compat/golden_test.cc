// Every event that was ever released is read as it was meant then. The files are never changed: see schemas/README.md.

#include <gtest/gtest.h>

#include <set>

#include "core/event.h"
#include "tests/compat/files.h"
#include "tests/unit/core/event_samples.h"
#include "tests/unit/core/event_text.h"

namespace odometer::testing {
namespace {

std::vector<std::filesystem::path> GoldenEvents() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(ODOMETER_GOLDEN_DIR)) {
    if (entry.path().extension() == ".bin") paths.push_back(entry.path());
  }
  return paths;
}

// Nothing, as the default of a field that came later than the buffer.
bool SaysNothing(const Json& value) {
  return value.is_null() || value == Json(0) || value == Json(false) || value == Json("") || value == Json::array();
}

TEST(Golden, EveryBufferSaysForEverWhatItSaid) {
  for (const std::filesystem::path& path : GoldenEvents()) {
    std::string bytes = ReadFile(path);
    std::filesystem::path says = path;
    Json expected = Json::parse(ReadFile(says.replace_extension(".json")));
    Event event;
    ASSERT_EQ(ReasonName(Decode(bytes, &event)), "none") << path.filename();
    // Fields that were added later say nothing in an old buffer; those of its time must all be there.
    Json now = Describe(event);
    for (const auto& patch : Json::diff(now, expected)) {
      bool is_later_field = patch["op"] == "remove" && SaysNothing(now[Json::json_pointer(patch["path"])]);
      EXPECT_TRUE(is_later_field) << path.filename() << ": " << patch.dump();
    }
  }
}

// Dedupe compares an event's bytes with those folded before: a retry encoded by a newer version must be the same.
TEST(Golden, EveryBufferIsEncodedToTheSameBytesAgain) {
  for (const std::filesystem::path& path : GoldenEvents()) {
    std::string bytes = ReadFile(path);
    Event event;
    ASSERT_EQ(Decode(bytes, &event), Reason::kNone) << path.filename();
    EXPECT_EQ(Encode(event), bytes) << path.filename();
  }
}

TEST(Golden, EveryTypeHasABufferWithEveryFieldSet) {
  std::set<EventType> types;
  for (const std::filesystem::path& path : GoldenEvents()) {
    std::string bytes = ReadFile(path);
    Event event;
    ASSERT_EQ(Decode(bytes, &event), Reason::kNone) << path.filename();
    types.insert(event.type);
  }
  for (EventType type : AllEventTypes()) EXPECT_EQ(types.count(type), 1u) << TypeName(type);
}

}  // namespace
}  // namespace odometer::testing
