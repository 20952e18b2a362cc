#include "state/keys.h"

#include <charconv>

namespace odometer {

RowClass ClassOf(RowKind kind) {
  switch (kind) {
    case RowKind::kAlert:
    case RowKind::kAlertOrder:
    case RowKind::kAsk:
    case RowKind::kHoldDue:
    case RowKind::kAskGone:
    case RowKind::kProjectMinute:
    case RowKind::kChain:
    case RowKind::kIdIndex:
    case RowKind::kMeta:
    case RowKind::kOutbox:
    case RowKind::kQuarantine:
    case RowKind::kStream:
      return RowClass::kPositional;
    case RowKind::kProjectPostings:
    case RowKind::kSessionPostings:
    case RowKind::kUserPostings:
      return RowClass::kDerived;
    case RowKind::kOperational:
      return RowClass::kOperational;
    default:
      return RowClass::kLogical;
  }
}

const std::vector<RowKind>& LogicalKinds() {
  static const std::vector<RowKind> kinds = {
      RowKind::kAccount,     RowKind::kCollection, RowKind::kDay,         RowKind::kProfile,  RowKind::kAssignment,
      RowKind::kProjectHour, RowKind::kProject,    RowKind::kProjectUser, RowKind::kLimitUse, RowKind::kSubscription,
      RowKind::kOverride,    RowKind::kPeriod,     RowKind::kQuota,       RowKind::kSession,  RowKind::kTenant,
      RowKind::kUserGauges,  RowKind::kServiceDay, RowKind::kPolicy};
  return kinds;
}

const char* RowKindName(RowKind kind) {
  switch (kind) {
    case RowKind::kAccount:
      return "account";
    case RowKind::kCollection:
      return "collection";
    case RowKind::kDay:
      return "day";
    case RowKind::kProjectHour:
      return "project_hour";
    case RowKind::kProject:
      return "project";
    case RowKind::kProjectUser:
      return "project_user";
    case RowKind::kSubscription:
      return "subscription";
    case RowKind::kPeriod:
      return "period";
    case RowKind::kSession:
      return "session";
    case RowKind::kTenant:
      return "tenant";
    case RowKind::kUserGauges:
      return "user_gauges";
    case RowKind::kServiceDay:
      return "service_day";
    case RowKind::kProfile:
      return "profile";
    case RowKind::kAssignment:
      return "assignment";
    case RowKind::kLimitUse:
      return "limit_use";
    case RowKind::kOverride:
      return "override";
    case RowKind::kQuota:
      return "quota";
    case RowKind::kPolicy:
      return "policy";
    case RowKind::kAlert:
      return "alert";
    case RowKind::kAlertOrder:
      return "alert_order";
    case RowKind::kAsk:
      return "ask";
    case RowKind::kHoldDue:
      return "hold_due";
    case RowKind::kAskGone:
      return "ask_gone";
    case RowKind::kProjectMinute:
      return "project_minute";
    case RowKind::kChain:
      return "chain";
    case RowKind::kIdIndex:
      return "id_index";
    case RowKind::kMeta:
      return "meta";
    case RowKind::kOutbox:
      return "outbox";
    case RowKind::kQuarantine:
      return "quarantine";
    case RowKind::kStream:
      return "stream";
    case RowKind::kProjectPostings:
      return "project_postings";
    case RowKind::kSessionPostings:
      return "session_postings";
    case RowKind::kUserPostings:
      return "user_postings";
    case RowKind::kOperational:
      return "operational";
  }
  return "";
}

bool KeyReader::Text(std::string_view* text) {
  if (rest_.size() < 2) return false;
  size_t size = static_cast<size_t>(static_cast<uint8_t>(rest_[0])) << 8 | static_cast<uint8_t>(rest_[1]);
  if (rest_.size() < 2 + size) return false;
  *text = rest_.substr(2, size);
  rest_.remove_prefix(2 + size);
  return true;
}

bool KeyGoesOn(std::string_view key, size_t from, std::initializer_list<std::string_view> texts) {
  for (std::string_view text : texts) {
    if (key.size() < from + 2 + text.size()) return false;
    const char* at = key.data() + from;
    size_t size = static_cast<size_t>(static_cast<uint8_t>(at[0])) << 8 | static_cast<uint8_t>(at[1]);
    if (size != text.size() || key.compare(from + 2, size, text) != 0) return false;
    from += 2 + size;
  }
  return from == key.size();
}

size_t UserPrefixSize(std::string_view key) {
  KeyReader reader(key);
  switch (reader.kind()) {
    case RowKind::kDay:
    case RowKind::kProjectUser:
    case RowKind::kSubscription:
    case RowKind::kPeriod:
    case RowKind::kSession:
    case RowKind::kSessionPostings:
    case RowKind::kUserPostings:
      break;
    default:
      return 0;
  }
  std::string_view tenant, user;
  if (!reader.Text(&tenant) || !reader.Text(&user)) return 0;
  return 1 + 2 + tenant.size() + 2 + user.size();
}

bool KeyReader::Number(int64_t* number) {
  if (rest_.size() < 8) return false;
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
  *number = static_cast<int64_t>(value ^ (uint64_t{1} << 63));
  rest_.remove_prefix(8);
  return true;
}

bool KeyReader::Id(Uuid* id) {
  if (rest_.size() < id->bytes.size()) return false;
  for (size_t i = 0; i < id->bytes.size(); ++i) id->bytes[i] = static_cast<uint8_t>(rest_[i]);
  rest_.remove_prefix(id->bytes.size());
  return true;
}

namespace {

// The parts of each kind's key: t a text, n a number, i an id.
const char* ShapeOf(RowKind kind) {
  switch (kind) {
    case RowKind::kAccount:
      return "tt";
    case RowKind::kCollection:
      return "ttt";
    case RowKind::kDay:
      return "ttn";
    case RowKind::kProjectHour:
      return "ttnt";
    case RowKind::kProject:
      return "tt";
    case RowKind::kProjectUser:
      return "ttt";
    case RowKind::kSubscription:
      return "ttt";
    case RowKind::kPeriod:
      return "ttn";
    case RowKind::kSession:
      return "ttt";
    case RowKind::kTenant:
      return "t";
    case RowKind::kUserGauges:
      return "tt";
    case RowKind::kServiceDay:
      return "tnttt";
    case RowKind::kProfile:
      return "tt";
    case RowKind::kAssignment:
      return "tt";
    case RowKind::kLimitUse:
      return "tnttt";
    case RowKind::kOverride:
      return "tt";
    case RowKind::kQuota:
      return "tnttt";
    case RowKind::kPolicy:
      return "t";
    case RowKind::kAlert:
      return "tn";
    case RowKind::kAlertOrder:
      return "nt";
    case RowKind::kAsk:
      return "ti";
    case RowKind::kHoldDue:
    case RowKind::kAskGone:
      return "nti";
    case RowKind::kProjectMinute:
      return "ttn";
    case RowKind::kChain:
      return "n";
    case RowKind::kIdIndex:
      return "ti";
    case RowKind::kMeta:
      return "";
    case RowKind::kOutbox:
      return "ti";
    case RowKind::kQuarantine:
      return "n";
    case RowKind::kStream:
      return "inn";
    case RowKind::kProjectPostings:
      return "ttnn";
    case RowKind::kSessionPostings:
      return "tttn";
    case RowKind::kUserPostings:
      return "ttn";
    case RowKind::kOperational:
      return "t";
  }
  return nullptr;
}

void AppendEscaped(std::string_view text, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                 c == ':' || c == '-';
    if (plain) {
      *out += c;
    } else {
      *out += '%';
      *out += kHex[static_cast<uint8_t>(c) >> 4];
      *out += kHex[static_cast<uint8_t>(c) & 15];
    }
  }
}

}  // namespace

std::optional<RowName> NameOf(std::string_view key) {
  if (key.empty()) return std::nullopt;
  KeyReader reader(key);
  RowName name;
  name.kind = reader.kind();
  const char* shape = ShapeOf(name.kind);
  if (shape == nullptr) return std::nullopt;
  name.text = RowKindName(name.kind);
  name.text += '[';
  for (const char* part = shape; *part != '\0'; ++part) {
    if (part != shape) name.text += ',';
    std::string_view text;
    int64_t number = 0;
    Uuid id;
    if (*part == 't' && reader.Text(&text)) {
      name.texts.emplace_back(text);
      AppendEscaped(text, &name.text);
    } else if (*part == 'n' && reader.Number(&number)) {
      name.numbers.push_back(number);
      name.text += std::to_string(number);
    } else if (*part == 'i' && reader.Id(&id)) {
      name.texts.push_back(id.ToString());
      name.text += id.ToString();
    } else {
      return std::nullopt;
    }
  }
  if (!reader.done()) return std::nullopt;
  name.text += ']';
  return name;
}

namespace {

// The parts between the brackets, unescaped.
std::optional<std::vector<std::string>> PartsOf(std::string_view inside) {
  std::vector<std::string> parts(1);
  for (size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] == ',') {
      parts.emplace_back();
    } else if (inside[at] != '%') {
      parts.back() += inside[at];
    } else {
      uint8_t byte = 0;
      if (at + 2 >= inside.size() || std::from_chars(&inside[at + 1], &inside[at + 3], byte, 16).ptr != &inside[at + 3])
        return std::nullopt;
      parts.back() += static_cast<char>(byte);
      at += 2;
    }
  }
  return parts;
}

std::optional<RowKind> KindOfName(std::string_view name) {
  for (RowKind kind : LogicalKinds()) {
    if (name == RowKindName(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> KeyOfName(std::string_view name) {
  size_t open = name.find('[');
  if (open == std::string_view::npos || !name.ends_with(']')) return std::nullopt;
  std::optional<RowKind> kind = KindOfName(name.substr(0, open));
  std::optional<std::vector<std::string>> parts = PartsOf(name.substr(open + 1, name.size() - open - 2));
  if (!kind || !parts || parts->size() != std::string_view(ShapeOf(*kind)).size()) return std::nullopt;
  KeyBuilder key;
  key.Begin(*kind);
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string& part = (*parts)[i];
    int64_t number = 0;
    if (ShapeOf(*kind)[i] == 't') {
      key.Text(part);
    } else if (auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
               error == std::errc() && end == part.data() + part.size()) {
      key.Number(number);
    } else {
      return std::nullopt;
    }
  }
  return key.str();
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

}  // namespace odometer
