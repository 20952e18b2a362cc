#include "consumers/cli/event_text.h"

#include <algorithm>

#include "consumers/cli/decimal.h"
#include "consumers/cli/event_fields.h"
#include "consumers/cli/output.h"
#include "core/period.h"

namespace odometer::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kSource = "odometer-cli";

Result<ordered_json> ValueOf(const EventField& field, const std::string& text) {
  Status invalid(Code::kInvalid, std::string(field.path) + " cannot be \"" + text + "\"");
  switch (field.kind) {
    case FieldKind::kText:
    case FieldKind::kTime: return ordered_json(text);
    case FieldKind::kTexts: {
      auto texts = ordered_json::array();
      for (size_t start = 0; start <= text.size();) {
        size_t comma = std::min(text.find(',', start), text.size());
        texts.push_back(text.substr(start, comma - start));
        start = comma + 1;
      }
      return texts;
    }
    case FieldKind::kBool:
      if (text != "true" && text != "false") return invalid;
      return ordered_json(text == "true");
    case FieldKind::kChoice:
      if (std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end()) return invalid;
      return ordered_json(text);
    case FieldKind::kAmount: break;
  }
  Result<Scaled> amount = ScaleDecimal(text, 0);
  if (!amount.ok() || !amount->is_exact) return invalid;
  return ordered_json(amount->value);
}

Status SetByFlag(EventType type, const std::string& path, const std::string& text, ordered_json* event) {
  const EventField* field = FindEventField(type, path);
  if (field == nullptr) {
    return {Code::kInvalid, "a " + std::string(TypeName(type)) + " has no field \"" + path +
                                "\"; it has: " + EventFieldNames(type)};
  }
  Result<ordered_json> value = ValueOf(*field, text);
  if (!value.ok()) return value.status();
  SetAtPath(event, path, std::move(*value));
  return Status::Ok();
}

std::string Quoted(std::string_view text) { return ordered_json(text).dump(); }

}  // namespace

bool EventFlags::is_any() const {
  return !user.empty() || !session.empty() || !time.empty() || !source.empty() || !key.empty() || !sets.empty();
}

Result<std::string> EventFromFlags(const EventFlags& flags, const EnvelopeDefaults& defaults) {
  EventType type = TypeFromName(flags.type).value_or(EventType::kNone);
  if (EventFields(type).empty()) {
    return Status(Code::kInvalid, "--type: \"" + flags.type + "\" cannot be given by flags");
  }
  if (!flags.time.empty() && !ParseTime(flags.time).has_value()) {
    return Status(Code::kInvalid, "--time: \"" + flags.time + "\" is not RFC 3339, such as 2023-11-16T18:17:03Z");
  }
  ordered_json event = {{"type", flags.type},
                        {"key", flags.key.empty() ? defaults.key : flags.key},
                        {"source", flags.source.empty() ? kSource : flags.source},
                        {"event_time", flags.time.empty() ? TimeToString(defaults.now_us) : flags.time}};
  std::string at = type == EventType::kTurnAmended ? "original." : "";
  if (!flags.user.empty()) ODOMETER_RETURN_IF_ERROR(SetByFlag(type, at + "user", flags.user, &event));
  if (!flags.session.empty()) ODOMETER_RETURN_IF_ERROR(SetByFlag(type, at + "session", flags.session, &event));
  for (const std::string& set : flags.sets) {
    size_t equals = set.find('=');
    if (equals == std::string::npos) return Status(Code::kInvalid, "--set: \"" + set + "\" is not PATH=VALUE");
    ODOMETER_RETURN_IF_ERROR(SetByFlag(type, set.substr(0, equals), set.substr(equals + 1), &event));
  }
  return Dumped(event);
}

Result<std::string> CompletedEvent(const std::string& text, const std::function<EnvelopeDefaults()>& defaults) {
  ordered_json event = ordered_json::parse(text, nullptr, false);
  if (!event.is_object()) return Status(Code::kInvalid, "not a JSON object");
  bool needs_key = !event.contains("id") && !event.contains("key");
  bool needs_time = !event.contains("event_time");
  std::string added;
  if (needs_key || needs_time) {
    EnvelopeDefaults fresh = defaults();
    if (needs_key) added += "\"key\":" + Quoted(fresh.key) + ",";
    if (needs_key && !event.contains("source")) added += "\"source\":" + Quoted(kSource) + ",";
    if (needs_time) added += "\"event_time\":" + Quoted(TimeToString(fresh.now_us)) + ",";
  }
  if (event.empty()) added.clear();
  std::string line = text;
  line.insert(line.find('{') + 1, added);
  // Line breaks between tokens only: inside of texts JSON has them escaped.
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

}  // namespace odometer::cli
