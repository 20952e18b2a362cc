// consumers/config.h: DaemonConfig, the settings of odometerd, and where each came from.
//
//   ConfigSources sources;
//   sources.flags = {{"listen", "127.0.0.1:0"}};                // flags > environment > file > defaults
//   sources.environment = {{"ODOMETER_DATA_DIR", "data"}};
//   sources.file_text = "log_partitions = 8\n";
//   Result<LoadedConfig> loaded = LoadConfig(sources);
//   if (!loaded.ok()) ...                                       // kInvalid: the setting, its origin, what it may be
//
// Every setting has one name: data_dir is --data-dir, ODOMETER_DATA_DIR and `data_dir` in the file. What no setting is
// called is an error in a file and among the flags. Environment variables ODOMETER_… that are none are listed, not
// refused: other programs of this family have theirs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consumers/partition_set.h"
#include "core/status.h"

namespace odometer {

// One `[[webhooks]]` table of the file: an address that is told of alerts.
struct WebhookConfig {
  std::string name;         // a-z, 0-9, _ and -; another one each
  std::string url;          // http:// or https://
  std::string secret_file;  // what signs: "whsec_" and base64, or the bytes themselves; empty: nothing is signed
  std::string tenant;       // empty: of all
  int64_t attempts_max = 20;
  int64_t timeout_ms = 10'000;
  int64_t backoff_min_ms = 1'000;  // doubled with each attempt, up to
  int64_t backoff_max_ms = 300'000;
};

struct DaemonConfig {
  std::string data_dir;
  std::string listen_host = "127.0.0.1";
  uint16_t listen_port = 8780;
  std::string log_url;          // "kafka://…"; "" for the embedded log
  uint32_t log_partitions = 0;  // 0: as the log has it, 8 for a new one
  PartitionSet partitions;      // that this daemon owns
  bool fsync = true;
  uint64_t memory_mib = 1024;
  bool raw_records = false;
  std::string log_level = "info";
  std::string log_format = "text";
  std::vector<WebhookConfig> webhooks;  // of the file alone
};

enum class ConfigOrigin { kDefault, kFile, kEnvironment, kFlag };
const char* OriginName(ConfigOrigin origin);  // "default", "file", "environment", "flag"

struct ConfigValue {
  std::string name;   // "data_dir"
  std::string value;  // as it would stand in a flag
  ConfigOrigin origin = ConfigOrigin::kDefault;
};

struct ConfigSources {
  std::vector<std::pair<std::string, std::string>> flags;        // by setting
  std::vector<std::pair<std::string, std::string>> environment;  // all of it, or only what begins with ODOMETER_
  std::string file_text;                                         // TOML
  std::string file_name;                                         // for messages
};

struct LoadedConfig {
  DaemonConfig config;
  std::vector<ConfigValue> values;  // every setting, in a fixed order
  std::vector<std::string> unknown_variables;
};

Result<LoadedConfig> LoadConfig(const ConfigSources& sources);

// "127.0.0.1:8780", "[::1]:0"; kInvalid when it is neither. The host is not looked up.
Result<std::pair<std::string, uint16_t>> ParseListen(std::string_view text);

// One line for each setting: "data_dir = \"data\"", with its origin as a comment. Reads back as a file.
std::string ShowConfig(const LoadedConfig& loaded, bool with_origin);

}  // namespace odometer
