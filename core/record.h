// core/record.h: Record, an event's bytes as read from a log, with where and when the log put it.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/time.h"

namespace odometer {

// bytes are 8-aligned; data() is null for a null payload.
struct Record {
  uint64_t offset = 0;
  AppendTime append_time;
  std::string_view bytes;
};

}  // namespace odometer
