// consumers/cli/event_text.h: the JSON of an event that `odometer emit` sends: made from flags, or completed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/status.h"

namespace odometer::cli {

// Made once, before the first try: a retry must send the same event.
struct EnvelopeDefaults {
  std::string key;
  int64_t now_us = 0;
};

struct EventFlags {
  std::string type;
  std::string user;
  std::string session;
  std::string time;
  std::string source;
  std::string key;
  std::vector<std::string> sets;  // "tokens.output=12"

  bool is_any() const;
};

// kInvalid: a type, a path or a value that an event cannot have.
Result<std::string> EventFromFlags(const EventFlags& flags, const EnvelopeDefaults& defaults);

// The same text on one line, with a key where it has neither id nor key, and a time where it has none: what a daemon
// filled in would differ from one try to the next. Everything else stays byte for byte. kInvalid: not a JSON object.
Result<std::string> CompletedEvent(const std::string& text, const std::function<EnvelopeDefaults()>& defaults);

}  // namespace odometer::cli
