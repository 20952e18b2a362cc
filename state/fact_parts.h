// state/fact_parts.h: PartsOf(), what a fact adds to what limits have used: whose it is, how much, and when.
//
//   PartsOf(event, record.append_time, &parts);   // one for each item of a batch; none for what uses nothing
//
// The rules: docs/limits.md, section 4. What an ask that the fact names takes off is the fold's to say.
#pragma once

#include <array>
#include <vector>

#include "core/event.h"
#include "core/time.h"
#include "state/resolve.h"

namespace odometer {

using MeterSums = std::array<__int128, kMeters>;  // by Meter − 1

struct FactPart {
  Subject subject;  // its texts are the event's
  MeterSums amounts{};
  int64_t at_us = 0;  // where the fact is placed
};

void PartsOf(const Event& event, AppendTime append, std::vector<FactPart>* parts);

}  // namespace odometer
