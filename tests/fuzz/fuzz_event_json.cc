// Any body: ParseEvents() gives a status, or each item an error or an event that can be stored; and what EventToJson()
// shows of it says the same again.

#include <cstdint>

#include "consumers/event_json.h"
#include "core/check.h"

namespace odometer {
namespace {

JsonOptions Options(Clock* clock) {
  JsonOptions options;
  options.tenant = "default";
  options.source = "api";
  options.clock = clock;
  options.random = [] { return std::array<uint8_t, 10>{1, 2, 3}; };
  options.events_max = 1000;
  return options;
}

void CheckItem(const ParsedEvent& item, const JsonOptions& options) {
  if (item.error.has_value()) {
    ODOMETER_CHECK(!item.error->reason.empty() && !item.error->message.empty());
    return;
  }
  ODOMETER_CHECK(CheckMeaning(item.event) == Reason::kNone);
  std::string bytes = Encode(item.event);
  Event stored;
  ODOMETER_CHECK(Decode(bytes, &stored) == Reason::kNone);
  std::string shown = EventToJson(stored);
  Result<ParsedEvents> again = ParseEvents(shown, JsonBody::kWhole, options);
  ODOMETER_CHECK(again.ok() && again->items.size() == 1 && !again->items[0].error.has_value());
  ODOMETER_CHECK(EventToJson(again->items[0].event) == shown);
}

}  // namespace
}  // namespace odometer

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace odometer;
  ManualClock clock(1'700'000'000'000'000);
  JsonOptions options = Options(&clock);
  std::string_view body(reinterpret_cast<const char*>(data), size);
  for (JsonBody form : {JsonBody::kWhole, JsonBody::kLines}) {
    Result<ParsedEvents> parsed = ParseEvents(body, form, options);
    if (!parsed.ok()) continue;
    for (const ParsedEvent& item : parsed->items) CheckItem(item, options);
  }
  return 0;
}
