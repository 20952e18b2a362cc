// write_golden DIRECTORY VERSION: writes a golden buffer of each event type and what it says, run by hand when a type
// is added. A file that exists is left alone: a released buffer never changes.

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

void WriteGolden(const std::filesystem::path& directory, const std::string& name, const Event& event) {
  std::string bytes = Encode(event);
  Event decoded;
  ODOMETER_CHECK(Decode(bytes, &decoded) == Reason::kNone);
  WriteOnce(directory / (name + ".bin"), bytes);
  WriteOnce(directory / (name + ".json"), Describe(decoded).dump(2) + "\n");
}

}  // namespace
}  // namespace odometer::testing

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: write_golden DIRECTORY VERSION, such as: write_golden schemas/golden v1\n");
    return 2;
  }
  std::string suffix = std::string(".") + argv[2];
  for (odometer::EventType type : odometer::AllEventTypes()) {
    std::string name(odometer::TypeName(type));
    odometer::testing::WriteGolden(argv[1], name + suffix, odometer::testing::FullEvent(type));
  }
  odometer::testing::WriteGolden(argv[1], "TurnRecorded-minimal" + suffix, odometer::testing::MinimalTurn());
  return 0;
}
