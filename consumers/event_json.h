// consumers/event_json.h: events as JSON: what hosts post, and what listings and `events tail` show.
//
//   JsonOptions options{.tenant = tenant, .source = "api", .clock = &clock, .random = random};
//   Result<ParsedEvents> parsed = ParseEvents(body, JsonBody::kWhole, options);
//   if (!parsed.ok()) return Refuse(parsed.status());            // not JSON at all: nothing of it was read
//   for (const ParsedEvent& item : parsed->items) {
//     if (item.error.has_value()) Answer(item.error->reason); else Append(Encode(item.event));
//   }
//
// The shape is flat: `type`, the envelope, and the fields of that type under their names in schemas/event.fbs.
//
//   {"type":"TurnRecorded","key":"order-17","event_time":"2023-11-16T18:17:03Z","user":"ana","status":"success",
//    "tokens":{"input_uncached":120,"output":40}}
//
// - `id` (a UUID of the sender's) or `key` (up to 256 bytes, the id is derived from source and key): a retry says the
//   same one, and `event_time` must be given too. With neither, an id is minted and event_time defaults to now.
// - `event_time`: RFC 3339 text, or whole microseconds since 1970.
// - Amounts are whole numbers; a text of digits is taken as well, since many JSON libraries lose digits above 2^53.
// - `metadata` is an object, kept as its own text exactly as posted, or a text.
// - `null` says nothing, like a field that is left out.
// - `query_digest` is hexadecimal.
// - `amounts` of asks and settlements are an object of meters, {"requests":1}, whose order does not matter. A limit
//   without `cap` limits nothing; it is hard and denies unless it says otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/status.h"
#include "core/time.h"

namespace odometer {

// kWhole: one event or an array of events. kLines: one event per line (application/x-ndjson), blank lines ignored.
enum class JsonBody { kWhole, kLines };

struct JsonOptions {
  std::string_view tenant;  // of the request: an event may name no other
  std::string_view source;  // for events that name none
  Clock* clock = nullptr;   // for events without id and key
  std::function<std::array<uint8_t, 10>()> random;  // likewise
  size_t events_max = 10'000;
};

// Why one event of a body cannot be taken. `reason` is a ReasonName() or one of malformed_json (of a line),
// unknown_field, unknown_type, wrong_type, number_out_of_range, duplicate_field, wrong_tenant.
struct ItemError {
  size_t index = 0;
  std::string reason;
  std::string field;    // "tokens.output", "items[3].user"; empty if it is the event as a whole
  std::string message;  // what to do
};

struct ParsedEvent {
  Event event;  // passes CheckMeaning() and fits its size limit, if there is no error
  std::optional<ItemError> error;
};

// The events' texts live as long as this does; moving it does not move them.
struct ParsedEvents {
  std::vector<ParsedEvent> items;  // one for each event of the body, in its order
  std::unique_ptr<char[]> body;
  std::unique_ptr<char[]> texts;
};

// kInvalid: the body is not JSON, with the offset of the byte; it is empty, or holds more than events_max events.
Result<ParsedEvents> ParseEvents(std::string_view body, JsonBody form, const JsonOptions& options);

// One line in the same shape, Odometer's own types included. Parsed again it gives the same event, except that
// ParseEvents() refuses own types and a `producer`, which are no host's to post, a line break between the values of
// metadata is a space, and amounts come in the order of their meters' numbers. The event must pass CheckMeaning().
std::string EventToJson(const Event& event);

}  // namespace odometer
