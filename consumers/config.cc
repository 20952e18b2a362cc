#include "consumers/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>

#include "log/kafka_address.h"

namespace odometer {
namespace {

enum class Shape { kText, kNumber, kBool };

struct Setting {
  std::string_view name;
  Shape shape;
  std::string_view fallback;
  std::string_view may_be;  // for messages
  std::function<bool(std::string_view, DaemonConfig*)> set;
};

bool Number(std::string_view text, uint64_t least, uint64_t most, uint64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() && *out >= least && *out <= most;
}

bool OneOf(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

bool SetListen(std::string_view text, DaemonConfig* config) {
  auto listen = ParseListen(text);
  if (!listen.ok()) return false;
  config->listen_host = listen->first;
  config->listen_port = listen->second;
  return true;
}

bool SetLogPartitions(std::string_view text, DaemonConfig* config) {
  uint64_t number = 0;
  if (!Number(text, 0, 256, &number)) return false;
  config->log_partitions = static_cast<uint32_t>(number);
  return true;
}

bool SetPartitions(std::string_view text, DaemonConfig* config) {
  std::optional<PartitionSet> set = PartitionSet::Parse(text);
  if (set) config->partitions = *std::move(set);
  return set.has_value();
}

bool SetDurability(std::string_view text, DaemonConfig* config) {
  config->fsync = text == "fsync";
  return OneOf(text, {"fsync", "written"});
}

bool SetRawRecords(std::string_view text, DaemonConfig* config) {
  config->raw_records = text == "true";
  return OneOf(text, {"true", "false"});
}

bool SetLogLevel(std::string_view text, DaemonConfig* config) {
  config->log_level = text;
  return OneOf(text, {"debug", "info", "warn", "error", "off"});
}

bool SetLog(std::string_view text, DaemonConfig* config) {
  config->log_url = text == "embedded" ? "" : text;
  return text == "embedded" || KafkaAddress::Parse(std::string(text)).ok();
}

bool SetLogFormat(std::string_view text, DaemonConfig* config) {
  config->log_format = text;
  return OneOf(text, {"text", "json"});
}

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = {
      {"data_dir", Shape::kText, "", "a directory",
       [](std::string_view text, DaemonConfig* config) {
         config->data_dir = text;
         return !text.empty();
       }},
      {"listen", Shape::kText, "127.0.0.1:8780", "ADDRESS:PORT, such as 127.0.0.1:8780 or [::1]:0", SetListen},
      {"log", Shape::kText, "embedded", "embedded or kafka://HOST:PORT[,HOST:PORT][/TOPIC]", SetLog},
      {"log_partitions", Shape::kNumber, "0", "0 to 256; 0 means as the log has", SetLogPartitions},
      {"partitions", Shape::kText, "all",
       "all, or which of the log's partitions to own, each once, such as \"0,2-3\" (how many a new log gets is "
       "log_partitions)",
       SetPartitions},
      {"durability", Shape::kText, "fsync", "fsync or written", SetDurability},
      {"memory_mib", Shape::kNumber, "1024", "16 to 1048576",
       [](std::string_view text, DaemonConfig* config) { return Number(text, 16, 1 << 20, &config->memory_mib); }},
      {"raw_records", Shape::kBool, "false", "true or false", SetRawRecords},
      {"log_level", Shape::kText, "info", "debug, info, warn, error or off", SetLogLevel},
      {"log_format", Shape::kText, "text", "text or json", SetLogFormat},
  };
  return settings;
}

const Setting* FindSetting(std::string_view name) {
  for (const Setting& setting : Settings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

std::string AllNames() {
  std::string names;
  for (const Setting& setting : Settings()) names += (names.empty() ? "" : ", ") + std::string(setting.name);
  return names;
}

std::string VariableOf(std::string_view name) {
  std::string variable = "ODOMETER_";
  for (char c : name) variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return variable;
}

using Values = std::map<std::string, std::string, std::less<>>;

// The text of a TOML value of the setting's shape.
std::optional<std::string> TextOf(const toml::node& node, Shape shape) {
  if (shape == Shape::kText && node.is_string()) return node.as_string()->get();
  if (shape == Shape::kNumber && node.is_integer()) return std::to_string(node.as_integer()->get());
  if (shape == Shape::kBool && node.is_boolean()) return node.as_boolean()->get() ? "true" : "false";
  return std::nullopt;
}

Result<toml::table> ParseToml(const ConfigSources& sources) {
  try {
    return toml::parse(sources.file_text);
  } catch (const toml::parse_error& error) {
    return Status(Code::kInvalid, "config: " + sources.file_name + ":" + std::to_string(error.source().begin.line) +
                                      ": " + std::string(error.description()));
  }
}

std::string PlaceOf(const ConfigSources& sources, const toml::node& node) {
  return "config: " + sources.file_name + ":" + std::to_string(node.source().begin.line) + ": ";
}

// The settings of a [[webhooks]] table.
struct WebhookTexts {
  std::string_view name;
  std::string WebhookConfig::*text;
};
constexpr WebhookTexts kWebhookTexts[] = {{"name", &WebhookConfig::name},
                                          {"url", &WebhookConfig::url},
                                          {"secret_file", &WebhookConfig::secret_file},
                                          {"tenant", &WebhookConfig::tenant}};
struct WebhookNumbers {
  std::string_view name;
  int64_t WebhookConfig::*number;
  int64_t most;
};
constexpr WebhookNumbers kWebhookNumbers[] = {{"attempts_max", &WebhookConfig::attempts_max, 1'000},
                                              {"timeout_ms", &WebhookConfig::timeout_ms, 120'000},
                                              {"backoff_min_ms", &WebhookConfig::backoff_min_ms, 86'400'000},
                                              {"backoff_max_ms", &WebhookConfig::backoff_max_ms, 86'400'000}};

// What is wrong with it; "" when it was set.
std::string SetWebhook(std::string_view name, const toml::node& node, WebhookConfig* webhook) {
  for (const WebhookTexts& one : kWebhookTexts) {
    if (one.name != name) continue;
    if (!node.is_string() || node.as_string()->get().empty()) return "must be a text";
    webhook->*one.text = node.as_string()->get();
    return "";
  }
  for (const WebhookNumbers& one : kWebhookNumbers) {
    if (one.name != name) continue;
    bool is_fine = node.is_integer() && node.as_integer()->get() >= 1 && node.as_integer()->get() <= one.most;
    if (!is_fine) return "must be 1 to " + std::to_string(one.most);
    webhook->*one.number = node.as_integer()->get();
    return "";
  }
  return "is no setting of a webhook; there are name, url, secret_file, tenant, attempts_max, timeout_ms, "
         "backoff_min_ms, backoff_max_ms";
}

bool IsWebhookName(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

std::string WhatIsWrong(const WebhookConfig& webhook, const std::vector<WebhookConfig>& others) {
  if (!IsWebhookName(webhook.name)) return "needs a name of a-z, 0-9, _ and -, at most 64 long";
  for (const WebhookConfig& other : others) {
    if (other.name == webhook.name) return "has the name of another one: '" + webhook.name + "'";
  }
  bool is_http = webhook.url.starts_with("http://") || webhook.url.starts_with("https://");
  if (!is_http) return "'" + webhook.name + "' needs a url of http:// or https://";
  return webhook.backoff_min_ms > webhook.backoff_max_ms
             ? "'" + webhook.name + "': backoff_min_ms is above backoff_max_ms"
             : "";
}

Result<std::vector<WebhookConfig>> FileWebhooks(const ConfigSources& sources) {
  std::vector<WebhookConfig> webhooks;
  Result<toml::table> table = ParseToml(sources);
  if (!table.ok()) return table.status();
  const toml::node* node = table->get("webhooks");
  if (node == nullptr) return webhooks;
  if (!node->is_array_of_tables())
    return Status(Code::kInvalid, PlaceOf(sources, *node) + "webhooks are tables: [[webhooks]]");
  for (const toml::node& one : *node->as_array()) {
    WebhookConfig webhook;
    for (const auto& [key, value] : *one.as_table()) {
      std::string wrong = SetWebhook(key.str(), value, &webhook);
      if (!wrong.empty())
        return Status(Code::kInvalid, PlaceOf(sources, value) + "'" + std::string(key.str()) + "' " + wrong);
    }
    std::string wrong = WhatIsWrong(webhook, webhooks);
    if (!wrong.empty()) return Status(Code::kInvalid, PlaceOf(sources, one) + "a webhook " + wrong);
    webhooks.push_back(std::move(webhook));
  }
  return webhooks;
}

Result<Values> FileValues(const ConfigSources& sources) {
  Values values;
  Result<toml::table> table = ParseToml(sources);
  if (!table.ok()) return table.status();
  for (const auto& [key, node] : *table) {
    std::string name(key.str());
    if (name == "webhooks") continue;
    std::string where = PlaceOf(sources, node);
    const Setting* setting = FindSetting(name);
    if (setting == nullptr)
      return Status(Code::kInvalid, where + "there is no setting '" + name + "'; there are " + AllNames());
    std::optional<std::string> text = TextOf(node, setting->shape);
    if (!text) return Status(Code::kInvalid, where + "'" + name + "' must be " + std::string(setting->may_be));
    values[name] = *text;
  }
  return values;
}

Result<Values> FlagValues(const ConfigSources& sources) {
  Values values;
  for (const auto& [name, text] : sources.flags) {
    if (FindSetting(name) == nullptr)
      return Status(Code::kInvalid, "config: there is no setting '" + name + "'; there are " + AllNames());
    values[name] = text;
  }
  return values;
}

// Values by setting; what is not a setting's variable goes into `unknown`.
Values EnvironmentValues(const ConfigSources& sources, std::vector<std::string>* unknown) {
  Values values;
  for (const auto& [variable, text] : sources.environment) {
    if (variable.rfind("ODOMETER_", 0) != 0) continue;
    auto known = std::find_if(Settings().begin(), Settings().end(),
                              [&](const Setting& setting) { return VariableOf(setting.name) == variable; });
    if (known == Settings().end()) {
      unknown->push_back(variable);
    } else {
      values[std::string(known->name)] = text;
    }
  }
  std::sort(unknown->begin(), unknown->end());
  return values;
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

const char* OriginName(ConfigOrigin origin) {
  switch (origin) {
    case ConfigOrigin::kDefault:
      return "default";
    case ConfigOrigin::kFile:
      return "file";
    case ConfigOrigin::kEnvironment:
      return "environment";
    case ConfigOrigin::kFlag:
      return "flag";
  }
  return "";
}

Result<std::pair<std::string, uint16_t>> ParseListen(std::string_view text) {
  Status invalid(Code::kInvalid, "'" + std::string(text) + "' is not ADDRESS:PORT");
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return invalid;
  std::string_view host = text.substr(0, colon);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return invalid;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return invalid;
  }
  uint64_t port = 0;
  if (!Number(text.substr(colon + 1), 0, 65535, &port)) return invalid;
  return std::pair(std::string(host), static_cast<uint16_t>(port));
}

Result<LoadedConfig> LoadConfig(const ConfigSources& sources) {
  LoadedConfig loaded;
  Result<Values> file = FileValues(sources);
  if (!file.ok()) return file.status();
  Result<Values> flags = FlagValues(sources);
  if (!flags.ok()) return flags.status();
  Result<std::vector<WebhookConfig>> webhooks = FileWebhooks(sources);
  if (!webhooks.ok()) return webhooks.status();
  loaded.config.webhooks = *std::move(webhooks);
  Values environment = EnvironmentValues(sources, &loaded.unknown_variables);
  for (const Setting& setting : Settings()) {
    ConfigValue value{std::string(setting.name), std::string(setting.fallback), ConfigOrigin::kDefault};
    for (const auto& [values, origin] :
         {std::pair(&*file, ConfigOrigin::kFile), std::pair(&environment, ConfigOrigin::kEnvironment),
          std::pair(&*flags, ConfigOrigin::kFlag)}) {
      auto found = values->find(setting.name);
      if (found == values->end()) continue;
      value.value = found->second;
      value.origin = origin;
    }
    bool missing = value.origin == ConfigOrigin::kDefault && value.value.empty();
    if (missing)
      return Status(Code::kInvalid, "config: " + value.name + " is not set: give --data-dir DIR, " +
                                        VariableOf(value.name) + " or a file");
    if (!setting.set(value.value, &loaded.config)) {
      return Status(Code::kInvalid, "config: " + value.name + " from " + OriginName(value.origin) + " is '" +
                                        value.value + "'; it must be " + std::string(setting.may_be));
    }
    loaded.values.push_back(std::move(value));
  }
  return loaded;
}

std::string ShowConfig(const LoadedConfig& loaded, bool with_origin) {
  std::string out;
  for (const ConfigValue& value : loaded.values) {
    const Setting& setting = *FindSetting(value.name);
    out += value.name + " = " + (setting.shape == Shape::kText ? Quoted(value.value) : value.value);
    if (with_origin) out += std::string("  # ") + OriginName(value.origin);
    out += '\n';
  }
  for (const WebhookConfig& webhook : loaded.config.webhooks) {
    out += "\n[[webhooks]]\n";
    for (const WebhookTexts& one : kWebhookTexts) {
      if (!(webhook.*one.text).empty()) out += std::string(one.name) + " = " + Quoted(webhook.*one.text) + "\n";
    }
    for (const WebhookNumbers& one : kWebhookNumbers)
      out += std::string(one.name) + " = " + std::to_string(webhook.*one.number) + "\n";
  }
  return out;
}

}  // namespace odometer
