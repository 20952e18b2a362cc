#include "consumers/cli/import_map.h"

#include <charconv>
#include <initializer_list>

#include <toml++/toml.h>

namespace odometer::cli {

namespace {

Status Invalid(std::string message) { return {Code::kInvalid, std::move(message)}; }

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  for (std::string_view each : names) {
    if (each == name) return true;
  }
  return false;
}

// A table of the map, read so that nothing in it is overlooked.
class Section {
 public:
  Section(const toml::table* table, std::string name) : table_(table), name_(std::move(name)) {}

  bool exists() const { return table_ != nullptr; }
  const toml::table* table() const { return table_; }

  Status HasOnly(std::initializer_list<std::string_view> known) const {
    if (table_ == nullptr) return Status::Ok();
    for (const auto& [key, value] : *table_) {
      if (!IsOneOf(key.str(), known)) return Invalid("unknown key " + At(key.str()));
    }
    return Status::Ok();
  }
  // Fills a text; leaves it alone when the key is absent.
  Status Read(std::string_view key, std::string* text) const {
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    if (node == nullptr) return Status::Ok();
    std::optional<std::string> value = node->value_exact<std::string>();
    if (!value.has_value()) return Invalid(At(key) + " must be a text");
    *text = *value;
    return Status::Ok();
  }
  Section Child(std::string_view key) const {
    const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
    return {node == nullptr ? nullptr : node->as_table(), At(key)};
  }
  std::string At(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
  }

 private:
  const toml::table* table_;
  std::string name_;
};

// "round_robin:100" with name "round_robin"
std::optional<uint64_t> CountBehind(std::string_view text, std::string_view name) {
  if (text.size() <= name.size() + 1 || text.substr(0, name.size()) != name || text[name.size()] != ':') {
    return std::nullopt;
  }
  text.remove_prefix(name.size() + 1);
  uint64_t count = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  bool is_good = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && count >= 1;
  return is_good && count <= 10'000'000 ? std::optional<uint64_t>(count) : std::nullopt;
}

Status ParseSource(const Section& section, ImportMap* map) {
  ODOMETER_RETURN_IF_ERROR(section.HasOnly({"name", "format"}));
  std::string format;
  ODOMETER_RETURN_IF_ERROR(section.Read("name", &map->name));
  ODOMETER_RETURN_IF_ERROR(section.Read("format", &format));
  if (map->name.empty()) return Invalid("source.name is missing");
  if (format == "csv") map->format = RowFormat::kCsv;
  if (format == "jsonl") map->format = RowFormat::kJsonLines;
  if (!format.empty() && !map->format.has_value()) return Invalid("source.format must be \"csv\" or \"jsonl\"");
  return Status::Ok();
}

Result<const EventField*> Target(EventType type, std::string_view path, const std::string& where) {
  const EventField* field = FindEventField(type, path);
  if (field == nullptr) {
    return Invalid(where + ": a " + std::string(TypeName(type)) + " has no field \"" + std::string(path) +
                   "\"; it has: " + EventFieldNames(type));
  }
  return field;
}

// Calls visit(path, field, node) for each target in a section: "tokens.output" = ... or, unquoted, tokens.output = ...
template <class Visit>
Status ForEachTarget(const Section& section, EventType type, const std::string& prefix, const Visit& visit) {
  if (!section.exists()) return Status::Ok();
  for (const auto& [key, node] : *section.table()) {
    std::string path = prefix + std::string(key.str());
    bool is_group = node.is_table() && FindEventField(type, path) == nullptr;
    if (is_group) {
      ODOMETER_RETURN_IF_ERROR(ForEachTarget(section.Child(key.str()), type, path + ".", visit));
      continue;
    }
    Result<const EventField*> field = Target(type, path, section.At(key.str()));
    if (!field.ok()) return field.status();
    ODOMETER_RETURN_IF_ERROR(visit(section.At(key.str()), *field, node));
  }
  return Status::Ok();
}

std::optional<nlohmann::ordered_json> ConstantValue(const toml::node& node, const EventField& field) {
  switch (field.kind) {
    case FieldKind::kAmount:
      if (auto value = node.value_exact<int64_t>()) return *value;
      return std::nullopt;
    case FieldKind::kBool:
      if (auto value = node.value_exact<bool>()) return *value;
      return std::nullopt;
    case FieldKind::kTexts: {
      const toml::array* array = node.as_array();
      if (array == nullptr) return std::nullopt;
      auto texts = nlohmann::ordered_json::array();
      for (const toml::node& each : *array) {
        auto text = each.value_exact<std::string>();
        if (!text.has_value()) return std::nullopt;
        texts.push_back(*text);
      }
      return texts;
    }
    case FieldKind::kChoice:
    case FieldKind::kText:
    case FieldKind::kTime: break;
  }
  auto text = node.value_exact<std::string>();
  if (!text.has_value()) return std::nullopt;
  bool is_choice = field.choices.empty();
  for (std::string_view choice : field.choices) is_choice |= choice == *text;
  return is_choice ? std::optional<nlohmann::ordered_json>(*text) : std::nullopt;
}

Status ParseEvent(const Section& section, ImportMap* map) {
  ODOMETER_RETURN_IF_ERROR(section.HasOnly({"type", "constants"}));
  std::string type;
  ODOMETER_RETURN_IF_ERROR(section.Read("type", &type));
  map->type = TypeFromName(type).value_or(EventType::kNone);
  if (EventFields(map->type).empty()) return Invalid("event.type: \"" + type + "\" cannot be imported");
  auto add = [map](const std::string& where, const EventField* field, const toml::node& node) {
    std::optional<nlohmann::ordered_json> value = ConstantValue(node, *field);
    if (!value.has_value()) return Invalid(where + " has a value that the field cannot take");
    map->constants.push_back({field, std::move(*value)});
    return Status::Ok();
  };
  return ForEachTarget(section.Child("constants"), map->type, "", add);
}

Status ParseUnit(const std::string& unit, const std::string& where, FieldRule* rule) {
  static const std::map<std::string, int> kMoney = {{"usd", 9}, {"cents", 7}, {"micro_usd", 3}, {"nano_usd", 0}};
  static const std::map<std::string, int> kDuration = {{"s", 6}, {"ms", 3}, {"us", 0}, {"ns", -3}};
  std::string_view path = rule->field->path;
  const std::map<std::string, int>* units = path.ends_with("_nano_usd") ? &kMoney
                                            : path.ends_with("_us")     ? &kDuration
                                                                        : nullptr;
  if (units == nullptr) return Invalid(where + ": only money and durations have a unit; use scale");
  auto found = units->find(unit);
  if (found == units->end()) {
    return Invalid(where + ": unit \"" + unit + "\" is not one of " +
                   (units == &kMoney ? "usd, cents, micro_usd, nano_usd" : "s, ms, us, ns"));
  }
  rule->power = found->second;
  return Status::Ok();
}

Status ParseMinus(const toml::node* node, const std::string& where, FieldRule* rule) {
  if (node == nullptr) return Status::Ok();
  if (auto one = node->value_exact<std::string>()) {
    rule->minus.push_back(*one);
    return Status::Ok();
  }
  const toml::array* array = node->as_array();
  for (size_t i = 0; array != nullptr && i < array->size(); ++i) {
    auto text = array->get(i)->value_exact<std::string>();
    if (!text.has_value()) return Invalid(where + ".minus must be texts");
    rule->minus.push_back(*text);
  }
  return array == nullptr ? Invalid(where + ".minus must be a list of texts") : Status::Ok();
}

Status ParseFieldTable(const Section& section, const std::string& where, FieldRule* rule) {
  ODOMETER_RETURN_IF_ERROR(section.HasOnly({"from", "minus", "unit", "scale"}));
  std::string unit;
  ODOMETER_RETURN_IF_ERROR(section.Read("from", &rule->from));
  ODOMETER_RETURN_IF_ERROR(section.Read("unit", &unit));
  ODOMETER_RETURN_IF_ERROR(ParseMinus(section.table()->get("minus"), where, rule));
  if (const toml::node* node = section.table()->get("scale")) {
    rule->scale = node->value_exact<int64_t>().value_or(0);
    if (rule->scale <= 0) return Invalid(where + ".scale must be an integer above 0");
  }
  bool is_arithmetic = !rule->minus.empty() || !unit.empty() || rule->scale != 1;
  if (is_arithmetic && rule->field->kind != FieldKind::kAmount) return Invalid(where + " is not an amount");
  if (!unit.empty() && rule->scale != 1) return Invalid(where + ": unit and scale exclude each other");
  return unit.empty() ? Status::Ok() : ParseUnit(unit, where, rule);
}

Status ParseFields(const Section& section, ImportMap* map) {
  auto add = [map](const std::string& where, const EventField* field, const toml::node& node) {
    FieldRule rule{field};
    if (auto from = node.value_exact<std::string>()) {
      rule.from = *from;
    } else if (node.is_table()) {
      ODOMETER_RETURN_IF_ERROR(ParseFieldTable(Section(node.as_table(), where), where, &rule));
    }
    if (rule.from.empty()) return Invalid(where + " must be a column or {from = \"column\", ...}");
    map->fields.push_back(std::move(rule));
    return Status::Ok();
  };
  return ForEachTarget(section, map->type, "", add);
}

Status ParseTime(const Section& section, ImportMap* map) {
  ODOMETER_RETURN_IF_ERROR(section.HasOnly({"field", "format", "zone"}));
  std::string format = "rfc3339";
  std::string zone = "UTC";
  ODOMETER_RETURN_IF_ERROR(section.Read("field", &map->time_field));
  ODOMETER_RETURN_IF_ERROR(section.Read("format", &format));
  ODOMETER_RETURN_IF_ERROR(section.Read("zone", &zone));
  if (map->time_field.empty()) return Invalid("time.field is missing");
  if (zone != "UTC") return Invalid("time.zone: only \"UTC\" is known; convert local times first");
  Result<TimeFormat> parsed = TimeFormat::Parse(format);
  if (!parsed.ok()) return parsed.status();
  map->time_format = *parsed;
  return Status::Ok();
}

Status ParseUsers(const Section& section, ImportMap* map) {
  ODOMETER_RETURN_IF_ERROR(section.HasOnly({"field", "assign", "prefix"}));
  UserRule& users = map->users;
  std::string assign;
  ODOMETER_RETURN_IF_ERROR(section.Read("field", &users.field));
  ODOMETER_RETURN_IF_ERROR(section.Read("assign", &assign));
  ODOMETER_RETURN_IF_ERROR(section.Read("prefix", &users.prefix));
  if (users.field.empty() == assign.empty()) return Invalid("users needs either field or assign");
  if (assign.empty()) return Status::Ok();
  if (auto count = CountBehind(assign, "round_robin")) {
    users.assignment = UserAssignment::kRoundRobin;
    users.count = *count;
  } else if (auto hashed = CountBehind(assign, "hash_of_row")) {
    users.assignment = UserAssignment::kHashOfRow;
    users.count = *hashed;
  } else {
    return Invalid("users.assign must be \"round_robin:N\" or \"hash_of_row:N\", N from 1 to 10000000");
  }
  return Status::Ok();
}

Status ParseSessions(const Section& section, ImportMap* map) {
  ODOMETER_RETURN_IF_ERROR(section.HasOnly({"field", "assign"}));
  if (!section.exists()) return Status::Ok();
  std::string assign;
  ODOMETER_RETURN_IF_ERROR(section.Read("field", &map->sessions.field));
  ODOMETER_RETURN_IF_ERROR(section.Read("assign", &assign));
  if (map->sessions.field.empty() == assign.empty()) return Invalid("sessions needs either field or assign");
  if (assign.empty()) return Status::Ok();
  map->sessions.run_of = CountBehind(assign, "runs_of").value_or(0);
  return map->sessions.run_of == 0 ? Invalid("sessions.assign must be \"runs_of:K\", K from 1") : Status::Ok();
}

Status ParseEnums(const Section& section, ImportMap* map) {
  if (!section.exists()) return Status::Ok();
  for (const auto& [key, node] : *section.table()) {
    std::string where = section.At(key.str());
    Result<const EventField*> field = Target(map->type, key.str(), "enums");
    if (!field.ok()) return field.status();
    if ((*field)->kind != FieldKind::kChoice) return Invalid(where + ": the field does not take a choice of values");
    if (!node.is_table()) return Invalid(where + " must be a table");
    for (const auto& [from, to] : *node.as_table()) {
      if (!to.is_string() || !ConstantValue(to, **field).has_value()) {
        return Invalid(where + "." + std::string(from.str()) + " is not a value of the field");
      }
      map->enums[std::string(key.str())][std::string(from.str())] = *to.value_exact<std::string>();
    }
  }
  return Status::Ok();
}

// A field that every event of the type needs must come from somewhere; a field may come from one place only.
Status CheckWhole(const ImportMap& map) {
  std::map<std::string_view, int> ways;
  for (const ConstantRule& rule : map.constants) ++ways[rule.field->path];
  for (const FieldRule& rule : map.fields) ++ways[rule.field->path];
  bool is_amendment = map.type == EventType::kTurnAmended;
  ++ways[is_amendment ? "original.user" : "user"];
  if (!map.sessions.field.empty() || map.sessions.run_of > 0) ++ways[is_amendment ? "original.session" : "session"];
  for (const auto& [path, count] : ways) {
    if (count > 1) return Invalid("\"" + std::string(path) + "\" is set twice");
    if (FindEventField(map.type, path) == nullptr) {
      return Invalid("a " + std::string(TypeName(map.type)) + " has no \"" + std::string(path) + "\"");
    }
  }
  for (const EventField& field : EventFields(map.type)) {
    bool is_needed = field.kind == FieldKind::kChoice || field.path == "project" || field.path == "original.id";
    if (is_needed && ways[field.path] == 0) {
      return Invalid("nothing sets \"" + std::string(field.path) + "\": add it to [fields] or [event.constants]");
    }
  }
  return Status::Ok();
}

}  // namespace

std::vector<std::string> ImportMap::SourcePaths() const {
  std::vector<std::string> paths = {time_field};
  for (const FieldRule& rule : fields) {
    paths.push_back(rule.from);
    paths.insert(paths.end(), rule.minus.begin(), rule.minus.end());
  }
  for (const std::string& path : {users.field, sessions.field, id_field}) {
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

Result<ImportMap> ParseImportMap(std::string_view toml_text) {
  toml::table table;
  try {
    table = toml::parse(toml_text);
  } catch (const toml::parse_error& error) {
    return Invalid("line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
  Section root(&table, "");
  ODOMETER_RETURN_IF_ERROR(
      root.HasOnly({"source", "event", "fields", "time", "users", "sessions", "ids", "enums"}));
  for (const auto& [key, node] : table) {
    if (!node.is_table()) return Invalid(std::string(key.str()) + " must be a table");
  }
  ImportMap map;
  ODOMETER_RETURN_IF_ERROR(ParseSource(root.Child("source"), &map));
  ODOMETER_RETURN_IF_ERROR(ParseEvent(root.Child("event"), &map));
  ODOMETER_RETURN_IF_ERROR(ParseFields(root.Child("fields"), &map));
  ODOMETER_RETURN_IF_ERROR(ParseTime(root.Child("time"), &map));
  ODOMETER_RETURN_IF_ERROR(ParseUsers(root.Child("users"), &map));
  ODOMETER_RETURN_IF_ERROR(ParseSessions(root.Child("sessions"), &map));
  ODOMETER_RETURN_IF_ERROR(root.Child("ids").HasOnly({"field"}));
  ODOMETER_RETURN_IF_ERROR(root.Child("ids").Read("field", &map.id_field));
  ODOMETER_RETURN_IF_ERROR(ParseEnums(root.Child("enums"), &map));
  ODOMETER_RETURN_IF_ERROR(CheckWhole(map));
  return map;
}

std::string_view AzureLlmMapText() {
  static constexpr std::string_view kText = R"(# The AzurePublicDataset's LLM inference traces of 2023, a request a row.
# The traces name neither users nor sessions nor a model: the model is called after the file, and the rows are
# assigned round robin to 100 users, each user's rows in sessions of 20.

[source]
name = "azure-llm"
format = "csv"

[event]
type = "TurnRecorded"

[event.constants]
provider = "azure"
model_requested = "azure-llm-{stem}"
service = "{stem}"
operation = "chat"
status = "success"
llm_calls = 1

[fields]
"tokens.input_uncached" = "ContextTokens"
"tokens.output" = "GeneratedTokens"

[time]
field = "TIMESTAMP"
format = "%Y-%m-%d %H:%M:%S.%f"
zone = "UTC"

[users]
assign = "round_robin:100"

[sessions]
assign = "runs_of:20"
)";
  return kText;
}

}  // namespace odometer::cli
