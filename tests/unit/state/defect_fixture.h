// tests/unit/state/defect_fixture.h: DefectTest, for what two metering systems that came before got wrong, each defect
// as tests named after what is right. D… and V… are the numbers under which those defects are written down.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/period.h"
#include "tests/support/event_maker.h"
#include "tests/unit/state/store_fixture.h"

namespace odometer {

inline constexpr int64_t kMinute = 60 * kUsPerSecond;
inline const int64_t kNoon = TimeOf("2024-03-15T12:00:00Z");

inline std::string AccountKey(std::string_view user) {
  return KeyBuilder().Begin(RowKind::kAccount).Text("acme").Text(user).str();
}
inline std::string ProjectKey(std::string_view project) {
  return KeyBuilder().Begin(RowKind::kProject).Text("acme").Text(project).str();
}
inline int64_t HourAt(int64_t us) { return HourOf(FoldTime{us}); }
inline std::string DayName(std::string_view user, int64_t us) {
  return "day[acme," + std::string(user) + "," + std::to_string(DayOf(FoldTime{us})) + "]";
}
inline std::string PeriodName(std::string_view user, int64_t us) {
  return "period[acme," + std::string(user) + "," + std::to_string(Period::Of(FoldTime{us}).month) + "]";
}

class DefectTest : public testing::Test {
 protected:
  AccountRow Account(std::string_view user) { return partition_.Read<AccountRow>(AccountKey(user)); }
  ProjectRow Project(std::string_view project) { return partition_.Read<ProjectRow>(ProjectKey(project)); }
  // What a reader shows at this time: rings are moved in a copy.
  uint64_t TurnsInTheLast24Hours(std::string_view user, int64_t now_us) {
    return Account(user).turns_ring.AgedTo(HourAt(now_us)).Sum();
  }
  uint64_t RequestsInThisHour(std::string_view user, int64_t now_us) {
    return Account(user).requests_ring.AgedTo(HourAt(now_us)).At(HourAt(now_us));
  }
  Event TokenTurn(int64_t input, int64_t output, int64_t at_us) {
    Event turn = make_.Turn("ann", at_us, "s");
    turn.turn.tokens.input_uncached = input;
    turn.turn.tokens.output = output;
    return turn;
  }

  EventMaker make_{"acme"};
  TestPartition partition_;
};

}  // namespace odometer
