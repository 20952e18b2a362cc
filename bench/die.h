// bench/die.h: how a benchmark ends that cannot go on: a line on standard error, exit code 5.
#pragma once

#include <functional>
#include <string>

#include "core/status.h"

namespace odometer {

[[noreturn]] void Die(const std::string& text);
void Must(const Status& status);

// What must not be left behind: runs when it goes, or when the program ends by std::exit(), which leaves what stands on
// the stack as it is. Those that are left then run in the order in which they would have gone. Of one thread.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> work);
  ~AtEnd();
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  const std::function<void()> work_;
};

}  // namespace odometer
