// bench/die.h: how a benchmark ends that cannot go on: a line on standard error, exit code 5.
#pragma once

#include <string>

#include "core/status.h"

namespace odometer {

[[noreturn]] void Die(const std::string& text);
void Must(const Status& status);

}  // namespace odometer
