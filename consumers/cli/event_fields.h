// consumers/cli/event_fields.h: EventField, the paths of an event's JSON that a map or a flag may set, and what each
// takes.
//
//   const EventField* field = FindEventField(EventType::kTurnRecorded, "tokens.output");   // kAmount
//
// The envelope (id, key, source, event_time, type) is not among them: the tool itself sets it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/event.h"

namespace odometer::cli {

enum class FieldKind {
  kText,
  kTexts,   // a list
  kAmount,  // an integer
  kBool,
  kChoice,  // one of `choices`
  kTime,    // RFC 3339 or integer microseconds
};

struct EventField {
  std::string_view path;
  FieldKind kind;
  std::vector<std::string_view> choices = {};
};

// In the order in which they are shown. InteractionBatch and Odometer's own types have none; the lists of objects of
// definitions, limits and shifts, are not among them.
const std::vector<EventField>& EventFields(EventType type);
// Null when an event of this type has no such field.
const EventField* FindEventField(EventType type, std::string_view path);
// "a, b, c"
std::string EventFieldNames(EventType type);

// Sets json["tokens"]["output"] for "tokens.output".
void SetAtPath(nlohmann::ordered_json* json, std::string_view path, nlohmann::ordered_json value);

}  // namespace odometer::cli
