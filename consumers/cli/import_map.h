// consumers/cli/import_map.h: ImportMap, how the rows of a foreign file become events. Its TOML form:
//
//   [source]
//   name = "chat-logs"                  # events get the source "import:chat-logs"
//   format = "jsonl"                    # or "csv"
//   [event]
//   type = "TurnRecorded"
//   [event.constants]                   # {stem} is the file's name without folder and ending
//   provider = "openai"
//   [fields]                            # target = column, or path in the row's JSON
//   "model_served" = "model"
//   "tokens.input_uncached" = {from = "usage.prompt_tokens", minus = ["usage.cached_tokens"]}
//   "provided_cost_nano_usd" = {from = "cost", unit = "usd"}     # usd, cents, micro_usd, nano_usd
//   "duration_us" = {from = "latency", unit = "ms"}              # s, ms, us, ns
//   "bytes_delta" = {from = "size_kib", scale = 1024}            # an integer
//   [time]
//   field = "created"
//   format = "unix_s"                   # see time_format.h; zone = "UTC" may be said, and nothing else
//   [users]
//   field = "user"                      # or assign = "round_robin:N" | "hash_of_row:N", with prefix = "user-"
//   [sessions]                          # may be left out
//   field = "conversation"              # or assign = "runs_of:K": the user's rows, K to a session
//   [ids]                               # may be left out: a row is then known by its file's content and its number
//   field = "id"
//   [enums.status]                      # a value of the source = a value of the field; "*" is any other
//   stop = "success"
//   "*" = "error"
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/cli/event_fields.h"
#include "consumers/cli/row_reader.h"
#include "consumers/cli/time_format.h"
#include "core/event.h"
#include "core/status.h"

namespace odometer::cli {

struct FieldRule {
  const EventField* field = nullptr;
  std::string from;
  std::vector<std::string> minus;
  std::optional<int> power;  // of a unit: value × 10^power, finer digits rounded half to even
  int64_t scale = 1;
};

struct ConstantRule {
  const EventField* field = nullptr;
  nlohmann::ordered_json value;
};

enum class UserAssignment { kField, kRoundRobin, kHashOfRow };

struct UserRule {
  UserAssignment assignment = UserAssignment::kField;
  std::string field;
  uint64_t count = 0;  // of assigned users
  std::string prefix = "user-";
};

struct SessionRule {
  std::string field;    // "" and
  uint64_t run_of = 0;  // 0: no sessions
};

struct ImportMap {
  std::string name;
  std::optional<RowFormat> format;
  EventType type = EventType::kNone;
  std::vector<ConstantRule> constants;
  std::vector<FieldRule> fields;
  std::string time_field;
  TimeFormat time_format;
  UserRule users;
  SessionRule sessions;
  std::string id_field;
  std::map<std::string, std::map<std::string, std::string>, std::less<>> enums;  // by target

  std::string source() const { return "import:" + name; }
  // Every column or path that a row is asked for.
  std::vector<std::string> SourcePaths() const;
};

// kInvalid: not TOML, a key that is not known, or a rule that cannot work; the message names it.
Result<ImportMap> ParseImportMap(std::string_view toml_text);

// The map behind `odometer import azure-llm`; examples/data/maps/azure-llm.toml is the same text.
std::string_view AzureLlmMapText();

}  // namespace odometer::cli
