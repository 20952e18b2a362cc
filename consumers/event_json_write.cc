#include <cstdio>

#include "consumers/event_json.h"
#include "consumers/event_json_fields.h"
#include "consumers/json_reader.h"
#include "core/period.h"

namespace odometer {

namespace {

using json::Field;

// Above this, many JSON libraries would lose digits: such a number is written as text.
constexpr uint64_t kExactMax = uint64_t{1} << 53;

// As deep as metadata can stand: in an item of a batch in an array of events.
constexpr int kMetadataDepth = 4;

class EventWriter {
 public:
  std::string Write(const Event& event) {
    Open('{');
    Name("type");
    Quote(TypeName(event.type));
    WriteEnvelope(event);
    WritePayload(event);
    Close('}');
    return std::move(out_);
  }

 private:
  // --- JSON

  void Open(char bracket) {
    out_ += bracket;
    is_first_ = true;
  }
  void Close(char bracket) {
    out_ += bracket;
    is_first_ = false;
  }
  void Comma() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }
  void Name(std::string_view name) {
    Comma();
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void Quote(std::string_view text) {
    out_ += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
        out_ += escaped;
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }
  void Number(uint64_t magnitude, bool is_negative) {
    std::string digits = (is_negative ? "-" : "") + std::to_string(magnitude);
    out_ += magnitude > kExactMax ? '"' + digits + '"' : digits;
  }
  void Number(uint64_t number) { Number(number, false); }
  // The magnitude of the lowest number does not fit into int64: it is taken in unsigned arithmetic.
  void Number(int64_t number) {
    uint64_t bits = static_cast<uint64_t>(number);
    Number(number < 0 ? 0 - bits : bits, number < 0);
  }

  // --- fields: a text, a list or an optional that says nothing is left out

  void TextField(std::string_view name, std::string_view text) {
    if (text.empty()) return;
    Name(name);
    Quote(text);
  }
  template <class T>
  void NumberField(std::string_view name, T number) {
    Name(name);
    Number(number);
  }

  template <class T>
  void Fields(std::span<const Field<T>> fields, const T& part) {
    for (const Field<T>& field : fields) {
      std::visit([&](const auto& at) { WriteAt(field.name, at, part); }, field.at);
    }
  }
  template <class T>
  void Object(std::string_view name, std::span<const Field<T>> fields, const T& part) {
    Name(name);
    Open('{');
    Fields(fields, part);
    Close('}');
  }

  template <class T>
  void Objects(std::string_view name, std::span<const Field<T>> fields, const std::vector<T>& parts) {
    if (parts.empty()) return;
    Name(name);
    Open('[');
    for (const T& part : parts) {
      Comma();
      Open('{');
      Fields(fields, part);
      Close('}');
    }
    Close(']');
  }

  template <class T>
  void WriteAt(std::string_view name, const json::Text<T>& at, const T& part) {
    TextField(name, part.*at.member);
  }
  // As posted: an object as such, on one line (outside of its texts a line break is white space), else a text.
  template <class T>
  void WriteAt(std::string_view name, const json::Metadata<T>& at, const T& part) {
    std::string_view text = part.*at.member;
    if (!IsJsonObject(text, kMetadataDepth)) return TextField(name, text);
    Name(name);
    for (char c : text) out_ += c == '\n' || c == '\r' ? ' ' : c;
  }
  template <class T>
  void WriteAt(std::string_view name, const json::HexBytes<T>& at, const T& part) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string digits;
    for (unsigned char byte : part.*at.member) {
      digits += kHex[byte >> 4];
      digits += kHex[byte & 15];
    }
    TextField(name, digits);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::TextList<T>& at, const T& part) {
    if ((part.*at.member).empty()) return;
    Name(name);
    Open('[');
    for (std::string_view text : part.*at.member) {
      Comma();
      Quote(text);
    }
    Close(']');
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Amount<T>& at, const T& part) {
    NumberField(name, part.*at.member);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Delta<T>& at, const T& part) {
    NumberField(name, part.*at.member);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::MaybeAmount<T>& at, const T& part) {
    if ((part.*at.member).has_value()) NumberField(name, *(part.*at.member));
  }
  template <class T>
  void WriteAt(std::string_view name, const json::MaybeCount<T>& at, const T& part) {
    if ((part.*at.member).has_value()) NumberField(name, *(part.*at.member));
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Flag<T>& at, const T& part) {
    Name(name);
    out_ += part.*at.member ? "true" : "false";
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Id<T>& at, const T& part) {
    TextField(name, (part.*at.member).ToString());
  }
  template <class T>
  void WriteAt(std::string_view name, const json::MaybeId<T>& at, const T& part) {
    if ((part.*at.member).has_value()) TextField(name, (part.*at.member)->ToString());
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Time<T>& at, const T& part) {
    TextField(name, TimeToString((part.*at.member).us));
  }
  template <class T>
  void WriteAt(std::string_view name, const json::MaybeTime<T>& at, const T& part) {
    if ((part.*at.member).has_value()) TextField(name, TimeToString((part.*at.member)->us));
  }
  template <class T>
  void WriteAt(std::string_view name, const json::TokenAmounts<T>& at, const T& part) {
    Object<Tokens>(name, json::kTokenAmountFields, part.*at.member);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::TokenDeltas<T>& at, const T& part) {
    Object<Tokens>(name, json::kTokenDeltaFields, part.*at.member);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::MaybeCost<T>& at, const T& part) {
    if ((part.*at.member).has_value()) Object<CostParts>(name, json::kCostFields, *(part.*at.member));
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Nested<T>& at, const T& part) {
    if (at.is_there == nullptr || part.*at.is_there) Object<T>(name, at.fields, part);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::TimeUs<T>& at, const T& part) {
    TextField(name, TimeToString(part.*at.member));
  }
  template <class T>
  void WriteAt(std::string_view name, const json::MeterAmounts<T>& at, const T& part) {
    if ((part.*at.member).empty()) return;
    Name(name);
    Open('{');
    for (const json::EnumName& meter : json::kMeterNames) {
      for (const Amount& amount : part.*at.member) {
        if (static_cast<uint8_t>(amount.meter) == meter.number) NumberField(meter.name, amount.amount);
      }
    }
    Close('}');
  }
  template <class T>
  void WriteAt(std::string_view name, const json::LimitList<T>& at, const T& part) {
    Objects<Limit>(name, json::kLimitFields, part.*at.member);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::ShiftList<T>& at, const T& part) {
    Objects<ZoneShift>(name, json::kShiftFields, part.*at.member);
  }
  template <class T>
  void WriteAt(std::string_view name, const json::Choice<T>& at, const T& part) {
    uint8_t number = at.get(part);
    for (const json::EnumName& known : at.names) {
      if (known.number == number) return TextField(name, known.name);
    }
  }

  // --- the event

  void WriteEnvelope(const Event& event) {
    json::Envelope envelope;
    envelope.id = event.id;
    envelope.event_time = event.event_time;
    envelope.source = event.source;
    envelope.ask = event.ask;
    envelope.tenant = event.tenant;
    envelope.id_kind = event.id_kind;
    Fields<json::Envelope>(json::kEnvelopeFields, envelope);
    if (!event.producer.has_value()) return;
    Name("producer");
    Open('{');
    TextField("id", event.producer->id.ToString());
    NumberField("epoch", event.producer->epoch);
    NumberField("slot", event.producer->slot);
    NumberField("seq", event.producer->seq);
    Close('}');
  }

  void WriteItems(const std::vector<Interaction>& items) {
    Name("items");
    Open('[');
    for (const Interaction& item : items) {
      Comma();
      Open('{');
      json::Envelope envelope;
      envelope.id = item.id;
      envelope.event_time = item.event_time;
      Fields(json::kItemEnvelopeFields, envelope);
      Fields<Interaction>(json::kInteractionFields, item);
      Close('}');
    }
    Close(']');
  }

  void WriteGap(const Gap& gap) {
    TextField("of_producer", gap.producer.ToString());
    NumberField("epoch", gap.epoch);
    NumberField("slot", gap.slot);
    Name("ranges");
    Open('[');
    for (const SeqRange& range : gap.ranges) {
      Comma();
      Open('{');
      NumberField("first", range.first);
      NumberField("last", range.last);
      Close('}');
    }
    Close(']');
    TextField("reason", gap.reason);
  }

  // `source` is the envelope's.
  void WriteCrossing(const Crossing& crossing) {
    TextField("user", crossing.user);
    TextField("project", crossing.project);
    TextField("collection", crossing.collection);
    TextField("over", ScopeName(crossing.over));
    TextField("meter", MeterName(crossing.meter));
    TextField("window", WindowName(crossing.window));
    NumberField("percent", uint64_t{crossing.percent});
    NumberField("cap", crossing.cap);
    NumberField("used", crossing.used);
    TextField("level", crossing.level);
    TextField("of_source", crossing.source);
    TextField("definition", crossing.definition.ToString());
    NumberField("instance", crossing.instance);
    TextField("cause", crossing.cause.ToString());
  }

  void WriteGenesis(const GenesisFact& genesis) {
    TextField("log_id", genesis.log_id.ToString());
    NumberField("partition", uint64_t{genesis.partition});
    NumberField("partitions", uint64_t{genesis.partitions});
    NumberField("placement_version", uint64_t{genesis.placement_version});
  }

  void WritePayload(const Event& event) {
    if (IsVector(event.type)) {
      Fields<Operation>(json::kOperationFields, event.operation);
      return Fields(json::ExtraOperationFields(event.type), event.operation);
    }
    if (IsAsk(event.type)) return Fields(json::AskFields(event.type), event.asked);
    if (IsHoldEnd(event.type)) return Fields(json::HoldEndFields(event.type), event.end);
    if (IsDefinition(event.type)) {
      Fields(json::DefinitionFields(event.type), event.definition);
      return Fields<Definition>(json::kWhyFields, event.definition);
    }
    switch (event.type) {
      case EventType::kTurnRecorded: return Fields<Turn>(json::kTurnFields, event.turn);
      case EventType::kTurnAmended: return Fields<Amendment>(json::kAmendmentFields, event.amendment);
      case EventType::kInteractionRecorded:
        return Fields<Interaction>(json::kInteractionFields, event.interactions[0]);
      case EventType::kInteractionBatch: return WriteItems(event.interactions);
      case EventType::kCaseChampioned:
      case EventType::kCollectionSubscribed:
      case EventType::kCollectionUnsubscribed:
        return Fields(json::KnowledgeFields(event.type), event.knowledge);
      case EventType::kConfigChanged: return Fields<ConfigChange>(json::kConfigFields, event.config);
      case EventType::kGenesis: return WriteGenesis(event.genesis);
      case EventType::kTick: return TextField("reason", event.tick_reason);
      case EventType::kGapReported: return WriteGap(event.gap);
      case EventType::kLimitCrossed: return WriteCrossing(event.crossing);
      default: return Fields(json::SessionFields(event.type), event.session);
    }
  }

  std::string out_;
  bool is_first_ = true;
};

}  // namespace

std::string EventToJson(const Event& event) { return EventWriter().Write(event); }

}  // namespace odometer
