// write_golden DIRECTORY VERSION: writes a golden buffer of each event type and what it says, run by hand when a type
// is added. A file that exists is left alone, for a released buffer never changes; one that would say what an earlier
// version's says is not written.

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/check.h"
#include "core/event.h"
#include "tests/unit/core/event_samples.h"
#include "tests/unit/core/event_text.h"

namespace odometer::testing {
namespace {

void WriteOnce(const std::filesystem::path& path, const std::string& bytes) {
  if (std::filesystem::exists(path)) {
    std::printf("kept    %s\n", path.filename().c_str());
    return;
  }
  std::ofstream(path, std::ios::binary) << bytes;
  std::printf("written %s\n", path.filename().c_str());
}

// Whether a version before has the same buffer.
bool IsReleased(const std::filesystem::path& directory, const std::string& name, const std::string& bytes) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::string file = entry.path().filename();
    if (!file.starts_with(name + ".v") || !file.ends_with(".bin")) continue;
    std::ifstream stored(entry.path(), std::ios::binary);
    if (std::string(std::istreambuf_iterator<char>(stored), {}) == bytes) return true;
  }
  return false;
}

void WriteGolden(const std::filesystem::path& directory, const std::string& name, const std::string& version,
                 const Event& event) {
  std::string bytes = Encode(event);
  Event decoded;
  ODOMETER_CHECK(Decode(bytes, &decoded) == Reason::kNone);
  if (IsReleased(directory, name, bytes)) {
    std::printf("same    %s\n", name.c_str());
    return;
  }
  WriteOnce(directory / (name + "." + version + ".bin"), bytes);
  WriteOnce(directory / (name + "." + version + ".json"), Describe(decoded).dump(2) + "\n");
}

}  // namespace
}  // namespace odometer::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: write_golden DIRECTORY VERSION, such as: write_golden schemas/golden v1\n");
    return 2;
  }
  std::string version = argv[2];
  for (odometer::EventType type : odometer::AllEventTypes()) {
    std::string name(odometer::TypeName(type));
    odometer::testing::WriteGolden(argv[1], name, version, odometer::testing::FullEvent(type));
  }
  odometer::testing::WriteGolden(argv[1], "TurnRecorded-minimal", version, odometer::testing::MinimalTurn());
  odometer::testing::WriteGolden(argv[1], "ProfileDefined-deleted", version, odometer::testing::DeletedProfile());
  odometer::testing::WriteGolden(argv[1], "QuotaSet-user", version, odometer::testing::UserQuota());
  odometer::testing::WriteGolden(argv[1], "LimitCrossed-collection", version, odometer::testing::CollectionCrossing());
  return 0;
}
