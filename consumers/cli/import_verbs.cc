#include <CLI/CLI.hpp>
#include <fstream>
#include <memory>
#include <sstream>

#include "consumers/cli/importer.h"
#include "consumers/cli/verbs.h"

namespace odometer::cli {

namespace {

struct ImportFlags {
  std::string map_path;  // "": the built-in map
  ImportOptions options;
};

void AddCommonFlags(::CLI::App* verb, ImportFlags* flags) {
  ImportOptions& options = flags->options;
  verb->add_option("file", options.files, "The files, in the order in which they are imported")->required();
  verb->add_flag("--dry-run", options.is_dry_run, "Show what the first rows become, count the bad ones, send nothing");
  verb->add_option("--rows", options.preview_rows, "How many rows a dry run shows")->capture_default_str();
  verb->add_option("--rejects", options.rejects_path, "Where rejected rows go (default: FILE.rejected.jsonl)");
  ::CLI::Option* to_now =
      verb->add_flag("--shift-to-now", options.shift_to_now, "Move all times so that the latest row is now");
  verb->add_option("--shift-us", options.shift_us, "Move all times by this many microseconds")->excludes(to_now);
  verb->add_option("--batch", options.sender.batch_events_max, "Events in one request")
      ->check(::CLI::Range(1, 1000))
      ->capture_default_str();
  verb->add_option("--retry-for-ms", options.sender.retry_for_ms, "How long a daemon that is away is asked again")
      ->check(::CLI::NonNegativeNumber)
      ->capture_default_str();
}

Result<ImportMap> LoadMap(const std::string& path) {
  if (path.empty()) return ParseImportMap(AzureLlmMapText());
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream) return Status(Code::kNotFound, path + ": cannot be read");
  Result<ImportMap> map = ParseImportMap(text.str());
  if (!map.ok()) return Status(Code::kInvalid, path + ": " + map.status().message());
  return map;
}

int RunImport(const ImportFlags& flags, Context& context) {
  Result<ImportMap> map = LoadMap(flags.map_path);
  if (!map.ok()) return context.Fail({kExitUsage, map.status().message()});
  if (map->format.has_value() && *map->format != flags.options.format) {
    return context.Fail({kExitUsage, flags.map_path + ": source.format says another format than the verb"});
  }
  ImportOptions options = flags.options;
  options.map = std::move(*map);
  return Import(std::move(options), context, SystemClock());
}

::CLI::App* AddVerb(::CLI::App* parent, Context& context, const std::string& name, const std::string& text,
                    RowFormat format, bool has_map) {
  auto flags = std::make_shared<ImportFlags>();
  flags->options.format = format;
  ::CLI::App* verb = parent->add_subcommand(name, text);
  AddCommonFlags(verb, flags.get());
  if (has_map) verb->add_option("--map", flags->map_path, "TOML file: which column becomes which field")->required();
  verb->callback([flags, &context] { context.exit_code = RunImport(*flags, context); });
  return verb;
}

}  // namespace

void RegisterImportVerbs(::CLI::App& app, Context& context) {
  ::CLI::App* import = app.add_subcommand("import", "Import files of others: each row becomes one event");
  import->require_subcommand(1);
  import->footer(
      "Importing a file again changes nothing: a row's id is made of the file's content and the row's number.\n"
      "Rows that cannot be imported go to FILE.rejected.jsonl with a reason; then the exit code is 6.");
  AddVerb(import, context, "azure-llm", "The LLM inference traces of the AzurePublicDataset, 2023 (CSV)",
          RowFormat::kCsv, false)
      ->footer(
          "The traces name no users: rows are assigned round robin to 100 users (user-NNN, NNN = row number mod 100),\n"
          "each user's rows in sessions of 20. The model is called after the file: azure-llm-code for code.csv.\n\n"
          "Examples:\n"
          "  odometer import azure-llm code.csv conv.csv\n"
          "  odometer import azure-llm --dry-run code.csv\n"
          "  odometer import azure-llm --shift-to-now conv.csv");
  AddVerb(import, context, "jsonl", "JSON Lines: one object a line", RowFormat::kJsonLines, true)
      ->footer(
          "Examples:\n"
          "  odometer import jsonl usage.jsonl --map openai.toml --dry-run\n"
          "  odometer --tenant acme import jsonl usage.jsonl --map openai.toml --rejects bad.jsonl");
  AddVerb(import, context, "csv", "CSV with a header line", RowFormat::kCsv, true)
      ->footer(
          "Examples:\n"
          "  odometer import csv turns.csv --map turns.toml --dry-run --rows 10\n"
          "  odometer import csv turns.csv --map turns.toml --json");
}

}  // namespace odometer::cli
