#include "consumers/event_json.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "consumers/event_json_faults.h"
#include "consumers/event_json_fields.h"
#include "consumers/json_reader.h"
#include "core/check.h"
#include "core/period.h"
#include "core/utf8.h"

namespace odometer {

namespace {

using json::Field;
using Kind = JsonReader::Kind;
using Value = JsonReader::Value;

constexpr int64_t kNotSaid = std::numeric_limits<int64_t>::min();

enum class Parsed { kOk, kNotWhole, kOutOfRange };

// -?(0|[1-9][0-9]*), so no fraction, exponent, sign + or leading 0.
bool IsWhole(std::string_view text) {
  std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return false;
  return digits.find_first_not_of("0123456789") == std::string_view::npos;
}

template <class T>
Parsed ParseWhole(std::string_view text, T* out) {
  if (!IsWhole(text)) return Parsed::kNotWhole;
  if (text == "-0") text = "0";
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() ? Parsed::kOk : Parsed::kOutOfRange;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool Unhex(std::string_view text, std::string* bytes) {
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    int high = HexValue(text[i]), low = HexValue(text[i + 1]);
    if (high < 0 || low < 0) return false;
    *bytes += static_cast<char>(high << 4 | low);
  }
  return text.size() % 2 == 0;
}

// Fields that go into one T, and which of them have been seen.
template <class T>
struct Part {
  std::span<const Field<T>> fields;
  T* into;
  uint64_t seen = 0;
};
// The one field of a batch beside the envelope.
struct ItemsPart {
  std::vector<Interaction>* into;
  bool seen = false;
};

template <class T>
void AppendNames(const Part<T>& part, std::string* names) {
  for (const Field<T>& field : part.fields) *names += (names->empty() ? "" : ", ") + std::string(field.name);
}
void AppendNames(const ItemsPart&, std::string* names) { *names += ", items"; }

std::string NamesOf(std::span<const json::EnumName> known) {
  std::string names;
  for (const json::EnumName& each : known) names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

// Reads one event after the other. Its functions return false if the text is not JSON; what is wrong with an event that
// is JSON is kept in the event's error, the first fault only, and the rest of it is skipped.
class EventReader {
 public:
  EventReader(JsonReader& reader, const JsonOptions& options)
      : reader_(reader),
        options_(options),
        tenant_(reader.Keep(options.tenant)),
        source_(reader.Keep(options.source)) {}

  bool Read(Value value, ParsedEvent* item) {
    item_ = item;
    path_.clear();
    envelope_ = {};
    item_envelopes_.clear();
    if (reader_.KindOf(value) != Kind::kObject) return Mistyped(value, "an event is an object: {\"type\":...}");
    if (!ReadEvent(value)) return false;
    if (!has_failed()) Finish();
    return true;
  }

 private:
  // --- faults

  bool has_failed() const { return item_->error.has_value(); }

  void Fail(std::string_view reason, std::string message) {
    if (!has_failed()) item_->error = ItemError{0, std::string(reason), path_, std::move(message)};
  }
  void Fail(Reason reason, std::string message) { Fail(ReasonName(reason), std::move(message)); }
  void FailAt(std::string path, Reason reason, std::string message) {
    path_ = std::move(path);
    Fail(reason, std::move(message));
  }
  bool Mistyped(Value value, std::string message) {
    Fail("wrong_type", std::move(message));
    return reader_.Skip(value);
  }

  // Adds a name to the path while it lives.
  class Step {
   public:
    Step(std::string& path, std::string_view name) : path_(path), size_(path.size()) {
      if (!path_.empty()) path_ += '.';
      path_ += name;
    }
    ~Step() { path_.resize(size_); }

   private:
    std::string& path_;
    size_t size_;
  };

  // --- objects

  bool ReadEvent(Value value) {
    JsonReader::Object object;
    std::string_view type;
    if (!reader_.Enter(value, "type", &object, &type)) return false;
    SetType(type);
    if (has_failed()) return ReadFields(object);
    Event& event = item_->event;
    if (IsVector(event.type)) {
      event.operation.status = OperationStatus{};
      return ReadFields(object, Envelope(), Part<Operation>{json::kOperationFields, &event.operation},
                        Part<Operation>{json::ExtraOperationFields(event.type), &event.operation});
    }
    if (event.type >= EventType::kAdmitAsked) return ReadOfLimits(object, &event);
    switch (event.type) {
      case EventType::kTurnRecorded:
        event.turn.status = TurnStatus{};
        return ReadFields(object, Envelope(), Part<Turn>{json::kTurnFields, &event.turn});
      case EventType::kTurnAmended:
        event.amendment.original_time.us = kNotSaid;
        return ReadFields(object, Envelope(), Part<Amendment>{json::kAmendmentFields, &event.amendment});
      case EventType::kInteractionRecorded:
        event.interactions.push_back(NewInteraction());
        return ReadFields(object, Envelope(), Part<Interaction>{json::kInteractionFields, &event.interactions[0]});
      case EventType::kInteractionBatch: return ReadFields(object, Envelope(), ItemsPart{&event.interactions});
      case EventType::kCaseChampioned:
      case EventType::kCollectionSubscribed:
      case EventType::kCollectionUnsubscribed:
        return ReadFields(object, Envelope(), Part<Knowledge>{json::KnowledgeFields(event.type), &event.knowledge});
      case EventType::kConfigChanged:
        return ReadFields(object, Envelope(), Part<ConfigChange>{json::kConfigFields, &event.config});
      default:
        return ReadFields(object, Envelope(), Part<SessionFact>{json::SessionFields(event.type), &event.session});
    }
  }

  // Asks, ends of holds and definitions.
  bool ReadOfLimits(JsonReader::Object& object, Event* event) {
    if (IsAsk(event->type)) {
      return ReadFields(object, Envelope(), Part<Ask>{json::AskFields(event->type), &event->asked});
    }
    if (IsHoldEnd(event->type)) {
      return ReadFields(object, Envelope(), Part<HoldEnd>{json::HoldEndFields(event->type), &event->end});
    }
    if (event->type == EventType::kQuotaSet) event->definition.level = QuotaLevel{};
    if (event->type == EventType::kEnforcementSet) event->definition.enforcement = Enforcement{};
    return ReadFields(object, Envelope(), Part<Definition>{json::DefinitionFields(event->type), &event->definition},
                      Part<Definition>{json::kWhyFields, &event->definition});
  }

  void SetType(std::string_view name) {
    Step step(path_, "type");
    std::optional<EventType> type = TypeFromName(name);
    if (name.empty()) return Fail(Reason::kMissingField, "say which event this is, such as \"type\":\"TurnRecorded\"");
    if (!type.has_value()) return Fail("unknown_type", "this version has no such type; see the list of event types");
    if (IsOwn(*type)) return Fail(Reason::kWrongDoor, "only Odometer itself writes events of this type");
    item_->event.type = *type;
  }

  Part<json::Envelope> Envelope() { return {json::kEnvelopeFields, &envelope_}; }

  static Interaction NewInteraction() {
    Interaction interaction;
    interaction.kind = InteractionKind{};
    interaction.status = InteractionStatus{};
    return interaction;
  }

  template <class... Parts>
  bool ReadFields(JsonReader::Object& object, Parts... parts) {
    return reader_.ForEachField(object, [&](std::string_view key, Value value) {
      if (has_failed()) return reader_.Skip(value);
      Step step(path_, key);
      bool is_json = true;
      bool is_known = (ReadIfIn(parts, key, value, &is_json) || ...);
      return is_known ? is_json : Unknown(value, parts...);
    });
  }

  template <class... Parts>
  bool Unknown(Value value, const Parts&... parts) {
    std::string names;
    (AppendNames(parts, &names), ...);
    Fail("unknown_field", "leave it out or mend its name; known here: " + names);
    return reader_.Skip(value);
  }

  bool Duplicate(Value value) {
    Fail("duplicate_field", "give it once");
    return reader_.Skip(value);
  }

  // Whether the part has such a field; if so it has been read.
  template <class T>
  bool ReadIfIn(Part<T>& part, std::string_view key, Value value, bool* is_json) {
    for (size_t i = 0; i < part.fields.size(); ++i) {
      if (part.fields[i].name != key) continue;
      bool is_again = (part.seen >> i & 1) != 0;
      part.seen |= uint64_t{1} << i;
      *is_json = is_again ? Duplicate(value) : ReadValue(part.fields[i], value, part.into);
      return true;
    }
    return false;
  }

  bool ReadIfIn(ItemsPart& part, std::string_view key, Value value, bool* is_json) {
    if (key != "items") return false;
    *is_json = part.seen ? Duplicate(value) : ReadItems(value, part.into);
    part.seen = true;
    return true;
  }

  bool ReadItems(Value value, std::vector<Interaction>* items) {
    if (reader_.KindOf(value) != Kind::kArray) return Mistyped(value, "give an array of interactions");
    path_.clear();
    return reader_.ForEachElement(value, [&](Value element) {
      // One above the limit is enough to refuse the batch; the rest need not be kept.
      if (has_failed() || items->size() > kInteractionsMax) return reader_.Skip(element);
      Step step(path_, "items[" + std::to_string(items->size()) + "]");
      return ReadItem(element, &items->emplace_back(NewInteraction()));
    });
  }

  bool ReadItem(Value value, Interaction* item) {
    if (reader_.KindOf(value) != Kind::kObject) return Mistyped(value, "an item is an object");
    json::Envelope& envelope = item_envelopes_.emplace_back();
    JsonReader::Object object;
    return reader_.Enter(value, &object) &&
           ReadFields(object, Part<json::Envelope>{json::kItemEnvelopeFields, &envelope},
                      Part<Interaction>{json::kInteractionFields, item});
  }

  // An array of objects at a field of the event itself: "limits[3]".
  template <class T>
  bool ReadParts(Value value, std::span<const Field<T>> fields, const T& fresh, size_t count_max,
                 std::vector<T>* into) {
    if (reader_.KindOf(value) != Kind::kArray) return Mistyped(value, "give an array of objects");
    std::string name = path_;
    return reader_.ForEachElement(value, [&](Value element) {
      if (has_failed()) return reader_.Skip(element);
      if (into->size() == count_max) {
        FailAt(name, Reason::kTextTooLong, "give at most " + std::to_string(count_max) + " of them");
        return reader_.Skip(element);
      }
      path_.clear();
      Step step(path_, name + "[" + std::to_string(into->size()) + "]");
      return ReadObject<T>(fields, element, &into->emplace_back(fresh));
    });
  }

  template <class T>
  bool ReadValue(const Field<T>& field, Value value, T* into) {
    if (reader_.KindOf(value) == Kind::kNull) return reader_.Skip(value);
    return std::visit([&](const auto& at) { return ReadAt(at, value, into); }, field.at);
  }

  template <class T>
  bool ReadObject(std::span<const Field<T>> fields, Value value, T* into) {
    if (reader_.KindOf(value) != Kind::kObject) return Mistyped(value, "give an object");
    JsonReader::Object object;
    return reader_.Enter(value, &object) && ReadFields(object, Part<T>{fields, into});
  }

  // --- values

  bool ReadText(Value value, size_t bytes_max, std::string_view* out) {
    if (reader_.KindOf(value) != Kind::kText) return Mistyped(value, "give a text");
    if (!reader_.Text(value, out)) return false;
    CheckText(*out, bytes_max);
    return true;
  }

  void CheckText(std::string_view text, size_t bytes_max) {
    if (text.size() > bytes_max) Fail(Reason::kTextTooLong, "give at most " + std::to_string(bytes_max) + " bytes");
    if (!IsUtf8(text)) Fail(Reason::kInvalidUtf8, "give text in UTF-8, without lone surrogates");
  }

  // Whole numbers, also as text.
  template <class Number>
  bool ReadWhole(Value value, Number* out) {
    Kind kind = reader_.KindOf(value);
    if (kind != Kind::kNumber && kind != Kind::kText) return Mistyped(value, "give a whole number");
    std::string_view digits;
    if (!(kind == Kind::kNumber ? reader_.Number(value, &digits) : reader_.Text(value, &digits))) return false;
    Parsed parsed = ParseWhole(digits, out);
    if (parsed == Parsed::kNotWhole) Fail("wrong_type", "give a whole number, without fraction and exponent");
    if (parsed == Parsed::kOutOfRange) Fail("number_out_of_range", "give a number that fits into 64 bits");
    return true;
  }

  bool ReadAmount(Value value, int64_t* out) {
    if (!ReadWhole(value, out)) return false;
    if (*out < 0) Fail(Reason::kNegativeAmount, "give 0 or more; what ends in _delta may be negative");
    return true;
  }

  bool ReadId(Value value, Uuid* out) {
    if (reader_.KindOf(value) != Kind::kText) return Mistyped(value, "give a UUID as text");
    std::string_view text;
    if (!reader_.Text(value, &text)) return false;
    std::optional<Uuid> id = Uuid::Parse(text);
    if (!id.has_value()) Fail("wrong_type", "give a UUID of 36 characters");
    *out = id.value_or(Uuid{});
    return true;
  }

  bool ReadTime(Value value, EventTime* out) {
    Kind kind = reader_.KindOf(value);
    if (kind == Kind::kNumber) {
      if (!ReadWhole(value, &out->us)) return false;
    } else {
      if (kind != Kind::kText) return Mistyped(value, "give a time, such as \"2023-11-16T18:17:03Z\"");
      std::string_view text;
      if (!reader_.Text(value, &text)) return false;
      std::optional<int64_t> us = ParseTime(text);
      if (!us.has_value() && ParseWhole(text, &out->us) != Parsed::kOk) {
        Fail("wrong_type", "give a time in RFC 3339, such as \"2023-11-16T18:17:03Z\", or microseconds since 1970");
      }
      if (us.has_value()) out->us = *us;
    }
    if (out->us < 0 || out->us >= kEventTimeLimitUs) Fail(Reason::kTimeRange, "give a time from 1970 to 9999");
    return true;
  }

  template <class T>
  bool ReadAt(const json::Text<T>& at, Value value, T* into) {
    return ReadText(value, at.bytes_max, &(into->*at.member));
  }

  template <class T>
  bool ReadAt(const json::Metadata<T>& at, Value value, T* into) {
    if (reader_.KindOf(value) == Kind::kText) return ReadText(value, kMetadataBytesMax, &(into->*at.member));
    if (reader_.KindOf(value) != Kind::kObject) return Mistyped(value, "give an object or a text");
    if (!reader_.Slice(value, &(into->*at.member))) return false;
    CheckText(into->*at.member, kMetadataBytesMax);
    return true;
  }

  template <class T>
  bool ReadAt(const json::HexBytes<T>& at, Value value, T* into) {
    std::string_view& bytes = into->*at.member;
    if (!ReadText(value, 2 * at.bytes_max, &bytes)) return false;
    std::string unhexed;
    if (!Unhex(bytes, &unhexed)) Fail("wrong_type", "give an even number of hexadecimal digits");
    reader_.Replace(&bytes, unhexed);
    return true;
  }

  template <class T>
  bool ReadAt(const json::TextList<T>& at, Value value, T* into) {
    if (reader_.KindOf(value) != Kind::kArray) return Mistyped(value, "give an array of texts");
    return reader_.ForEachElement(value, [&](Value element) {
      if (has_failed()) return reader_.Skip(element);
      std::vector<std::string_view>& texts = into->*at.member;
      if (texts.size() == at.count_max) {
        Fail(Reason::kTextTooLong, "give at most " + std::to_string(at.count_max) + " of them");
        return reader_.Skip(element);
      }
      return ReadText(element, at.bytes_max, &texts.emplace_back());
    });
  }

  template <class T>
  bool ReadAt(const json::Amount<T>& at, Value value, T* into) {
    return ReadAmount(value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::Delta<T>& at, Value value, T* into) {
    return ReadWhole(value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::MaybeAmount<T>& at, Value value, T* into) {
    return ReadAmount(value, &(into->*at.member).emplace());
  }
  template <class T>
  bool ReadAt(const json::MaybeCount<T>& at, Value value, T* into) {
    return ReadWhole(value, &(into->*at.member).emplace());
  }
  template <class T>
  bool ReadAt(const json::Flag<T>& at, Value value, T* into) {
    if (reader_.KindOf(value) != Kind::kBool) return Mistyped(value, "give true or false");
    return reader_.Bool(value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::Id<T>& at, Value value, T* into) {
    return ReadId(value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::MaybeId<T>& at, Value value, T* into) {
    return ReadId(value, &(into->*at.member).emplace());
  }
  template <class T>
  bool ReadAt(const json::Time<T>& at, Value value, T* into) {
    return ReadTime(value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::MaybeTime<T>& at, Value value, T* into) {
    return ReadTime(value, &(into->*at.member).emplace());
  }
  template <class T>
  bool ReadAt(const json::TokenAmounts<T>& at, Value value, T* into) {
    return ReadObject<Tokens>(json::kTokenAmountFields, value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::TokenDeltas<T>& at, Value value, T* into) {
    return ReadObject<Tokens>(json::kTokenDeltaFields, value, &(into->*at.member));
  }
  template <class T>
  bool ReadAt(const json::MaybeCost<T>& at, Value value, T* into) {
    return ReadObject<CostParts>(json::kCostFields, value, &(into->*at.member).emplace());
  }
  template <class T>
  bool ReadAt(const json::Nested<T>& at, Value value, T* into) {
    if (at.is_there != nullptr) into->*at.is_there = true;
    return ReadObject<T>(at.fields, value, into);
  }

  template <class T>
  bool ReadAt(const json::TimeUs<T>& at, Value value, T* into) {
    EventTime time;
    bool is_json = ReadTime(value, &time);
    into->*at.member = time.us;
    return is_json;
  }

  template <class T>
  bool ReadAt(const json::MeterAmounts<T>& at, Value value, T* into) {
    if (reader_.KindOf(value) != Kind::kObject) return Mistyped(value, "give an object, such as {\"requests\":1}");
    std::vector<Amount>& amounts = into->*at.member;
    uint32_t seen = 0;
    bool is_json = reader_.ForEachField(value, [&](std::string_view key, Value amount) {
      if (has_failed()) return reader_.Skip(amount);
      Step step(path_, key);
      std::optional<Meter> meter = MeterFromName(key);
      if (!meter.has_value()) {
        Fail(Reason::kInvalidEnum, "give meters by these names: " + NamesOf(json::kMeterNames));
        return reader_.Skip(amount);
      }
      uint32_t bit = uint32_t{1} << static_cast<uint8_t>(*meter);
      if ((seen & bit) != 0) return Duplicate(amount);
      seen |= bit;
      if (reader_.KindOf(amount) == Kind::kNull) return reader_.Skip(amount);
      return ReadAmount(amount, &amounts.emplace_back(Amount{*meter, 0}).amount);
    });
    std::sort(amounts.begin(), amounts.end(), [](const Amount& a, const Amount& b) { return a.meter < b.meter; });
    return is_json;
  }

  template <class T>
  bool ReadAt(const json::LimitList<T>& at, Value value, T* into) {
    Limit fresh;  // what is not said is a hard limit that denies
    fresh.meter = Meter{};
    fresh.window = Window{};
    return ReadParts<Limit>(value, json::kLimitFields, fresh, kLimitsMax, &(into->*at.member));
  }

  template <class T>
  bool ReadAt(const json::ShiftList<T>& at, Value value, T* into) {
    constexpr ZoneShift kFresh{kNotSaid, kNotSaid};
    return ReadParts<ZoneShift>(value, json::kShiftFields, kFresh, kZoneShiftsMax, &(into->*at.member));
  }

  template <class T>
  bool ReadAt(const json::Choice<T>& at, Value value, T* into) {
    std::string_view text;
    if (!ReadText(value, kIdTextBytesMax, &text)) return false;
    auto known = std::find_if(at.names.begin(), at.names.end(), [&](const auto& each) { return each.name == text; });
    if (known != at.names.end()) {
      at.set(into, known->number);
      return true;
    }
    Fail(Reason::kInvalidEnum, "give one of: " + NamesOf(at.names));
    return true;
  }

  // --- the event as a whole

  void Finish() {
    Event& event = item_->event;
    path_.clear();
    event.tenant = tenant_;
    event.source = envelope_.source.empty() ? source_ : envelope_.source;
    event.ask = envelope_.ask;
    if (!envelope_.tenant.empty() && envelope_.tenant != tenant_) {
      path_ = "tenant";
      return Fail("wrong_tenant", "leave it out: these credentials are for another tenant");
    }
    Identify("", envelope_, &event.id, &event.event_time, &event.id_kind);
    for (size_t i = 0; i < item_envelopes_.size(); ++i) {
      Interaction& item = event.interactions[i];
      IdKind kind;  // a batch has one for all
      Identify(json::ItemPath(event, i), item_envelopes_[i], &item.id, &item.event_time, &kind);
    }
    if (event.type == EventType::kInteractionRecorded) {
      event.interactions[0].id = event.id;
      event.interactions[0].event_time = event.event_time;
    }
    if (event.type == EventType::kTurnAmended && event.amendment.original_time.us == kNotSaid) {
      return FailAt("original.event_time", Reason::kMissingField, "say when the amended turn happened, as it was sent");
    }
    for (size_t i = 0; i < event.definition.shifts.size(); ++i) {
      const ZoneShift& shift = event.definition.shifts[i];
      if (shift.at_us != kNotSaid && shift.offset_s != kNotSaid) continue;
      return FailAt("shifts[" + std::to_string(i) + (shift.at_us == kNotSaid ? "].at" : "].offset_s"),
                    Reason::kMissingField, "say from when on which offset from UTC is in force");
    }
    Check();
  }

  // Given, derived from the sender's key, or minted.
  void Identify(const std::string& path, const json::Envelope& envelope, EventId* id, EventTime* time, IdKind* kind) {
    bool is_named = envelope.id.has_value() || envelope.has_key();
    if (envelope.id.has_value() && envelope.has_key()) {
      path_ = path + "key";
      return Fail("duplicate_field", "give id or key, not both");
    }
    if (is_named && !envelope.event_time.has_value()) {
      return FailAt(path + "event_time", Reason::kMissingField,
                    "an event with an id or key needs it, so that a retry says the same");
    }
    if (envelope.has_key() && envelope.key.empty()) {
      return FailAt(path + "key", Reason::kMissingField, "give a key that is not empty, or none");
    }
    if (envelope.id_kind != IdKind{} && !envelope.id.has_value()) {
      return FailAt(path + "id_kind", Reason::kInvalidEnum, "it goes with an id only: leave it out");
    }
    int64_t now_us = is_named ? 0 : options_.clock->NowUs();
    *time = envelope.event_time.value_or(EventTime{now_us});
    *kind = envelope.has_key() ? IdKind::kDerived : envelope.id_kind == IdKind{} ? IdKind::kMinted : envelope.id_kind;
    if (envelope.has_key()) {
      *id = DerivedId(item_->event.source, envelope.key);
    } else {
      *id = envelope.id.has_value() ? *envelope.id : Uuid7(now_us, options_.random());
    }
  }

  void Check() {
    if (has_failed()) return;
    const Event& event = item_->event;
    Reason reason = CheckMeaning(event);
    // Only a batch can be too large while each of its texts is within its limit, and only in a body of some size.
    bool may_be_large = event.type == EventType::kInteractionBatch && reader_.body_bytes() > kBatchBytesMax / 2;
    if (reason == Reason::kNone && may_be_large && Encode(event).size() > kBatchBytesMax) reason = Reason::kTooLarge;
    if (reason != Reason::kNone) FailAt(json::FieldOf(reason, event), reason, json::AdviceFor(reason, event.type));
  }

  JsonReader& reader_;
  const JsonOptions& options_;
  std::string_view tenant_;
  std::string_view source_;
  ParsedEvent* item_ = nullptr;
  std::string path_;
  json::Envelope envelope_;
  std::vector<json::Envelope> item_envelopes_;
};

Status Malformed(const JsonReader& reader) {
  return Status(Code::kInvalid, "malformed JSON at byte " + std::to_string(reader.ErrorOffset()) +
                                    ": the whole body was refused, mend it and send it again");
}

Status TooMany(const JsonOptions& options) {
  return Status(Code::kInvalid, "more than " + std::to_string(options.events_max) + " events: send fewer at a time");
}

Status ReadWhole(JsonReader& reader, EventReader& events, const JsonOptions& options, std::vector<ParsedEvent>* items) {
  if (!reader.Open(0, reader.body_bytes())) return Malformed(reader);
  bool is_json = reader.ForEachItem([&](Value value) {
    return items->size() < options.events_max && events.Read(value, &items->emplace_back());
  });
  if (is_json) return Status::Ok();
  if (reader.is_scalar()) return Status(Code::kInvalid, "the body must be one event object or an array of them");
  return items->size() == options.events_max ? TooMany(options) : Malformed(reader);
}

// The fault of a line is its own: the others are read all the same.
void ReadLine(JsonReader& reader, EventReader& events, size_t begin, size_t size, bool is_object, ParsedEvent* item) {
  bool is_json = reader.Open(begin, size) && reader.ForEachItem([&](Value value) {
    return is_object ? events.Read(value, item) : reader.Skip(value);
  });
  if (is_json && is_object) return;
  item->error.emplace();
  if (is_json || reader.is_scalar()) {
    item->error->reason = "wrong_type";
    item->error->message = "a line is one event object";
    return;
  }
  item->error->reason = "malformed_json";
  item->error->message = "mend the line at byte " + std::to_string(reader.ErrorOffset()) + " of the body";
}

Status ReadLines(JsonReader& reader, EventReader& events, std::string_view body, const JsonOptions& options,
                 std::vector<ParsedEvent>* items) {
  for (size_t begin = 0; begin < body.size();) {
    size_t end = std::min(body.find('\n', begin), body.size());
    std::string_view line = body.substr(begin, end - begin);
    size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos) {
      if (items->size() == options.events_max) return TooMany(options);
      ReadLine(reader, events, begin, line.size(), line[first] == '{', &items->emplace_back());
    }
    begin = end + 1;
  }
  return Status::Ok();
}

}  // namespace

Result<ParsedEvents> ParseEvents(std::string_view body, JsonBody form, const JsonOptions& options) {
  ODOMETER_CHECK(options.clock != nullptr && options.random != nullptr);
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return Status(Code::kInvalid, "the body is empty: send an event, an array of events, or one event per line");
  }
  JsonReader reader(body, options.tenant.size() + options.source.size());
  EventReader events(reader, options);
  ParsedEvents parsed;
  ODOMETER_RETURN_IF_ERROR(form == JsonBody::kWhole ? ReadWhole(reader, events, options, &parsed.items)
                                                    : ReadLines(reader, events, body, options, &parsed.items));
  for (size_t i = 0; i < parsed.items.size(); ++i) {
    if (parsed.items[i].error.has_value()) parsed.items[i].error->index = i;
  }
  JsonReader::Storage storage = reader.TakeStorage();
  parsed.body = std::move(storage.body);
  parsed.texts = std::move(storage.texts);
  return parsed;
}

}  // namespace odometer
