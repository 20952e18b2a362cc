// core/planted.h: PlantedBug, which switches on one known bug by name, so that a test can show that the tests would
// catch it. In a normal build it is the constant false and leaves no code behind.
//
//   if (PlantedBug("torn_tail_accepted")) return kept;   // only a build with ODOMETER_PLANTED_BUGS can get here
#pragma once

#ifdef ODOMETER_PLANTED_BUGS
#include <string>
#endif

namespace odometer {

#ifdef ODOMETER_PLANTED_BUGS

inline std::string& PlantedBugName() {
  static std::string name;
  return name;
}
// Set it before threads start: it is process-wide and not guarded. "" is none.
inline void SetPlantedBug(const char* name) { PlantedBugName() = name; }
inline bool PlantedBug(const char* name) { return PlantedBugName() == name; }

#else

constexpr bool PlantedBug(const char*) { return false; }

#endif

}  // namespace odometer
