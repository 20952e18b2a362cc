// consumers/cli/row_mapper.h: RowMapper, from a row to an event by an ImportMap, the same each time.
//
//   RowMapper mapper(map, {.stem = "code", .sha256 = hex});
//   MappedRow mapped = mapper.Map(row);
//   if (mapped.is_bad()) Reject(row, mapped.reason, mapped.message); else Send(mapped.event);
//
// The event's key is "<sha256 of the file>:<row number>" ("id:<id>" where the map names an id field), its source
// "import:<map name>": importing the same file again makes the same ids. A shift of the times is part of the key
// ("<sha256>+<shift in µs>:..."), because the events are not the same.
//
// Rows must come in the order of the file: sessions are assigned by counting a user's rows. Confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "consumers/cli/import_map.h"
#include "consumers/cli/row_reader.h"
#include "core/status.h"

namespace odometer::cli {

struct FileIdentity {
  std::string stem;    // "code" of "/data/code.csv"
  std::string sha256;  // of its bytes, 64 lower-case hex digits
  int64_t shift_us = 0;
};

struct MappedRow {
  nlohmann::ordered_json event;
  bool is_rounded = false;  // an amount had finer digits than its field keeps
  std::string reason;       // of the row itself, or "missing_field", "bad_time", "time_range", "bad_amount", ...
  std::string message;

  bool is_bad() const { return !reason.empty(); }
};

class RowMapper {
 public:
  RowMapper(const ImportMap& map, FileIdentity file);

  MappedRow Map(const Row& row);
  // The row's own time, without the shift; nullopt when it has none that can be read.
  std::optional<int64_t> TimeOf(const Row& row) const;

 private:
  bool SetUserAndSession(const Row& row, MappedRow* mapped);
  bool SetTime(std::string_view path, const std::string& from, const Row& row, MappedRow* mapped) const;
  bool SetField(const FieldRule& rule, const Row& row, MappedRow* mapped) const;
  std::optional<std::string> UserOf(const Row& row) const;
  std::string KeyOf(const Row& row) const;

  const ImportMap& map_;
  FileIdentity file_;
  std::map<std::string, uint64_t, std::less<>> rows_of_user_;  // only where sessions are assigned
};

// SHA-256 of a whole file, in hex. kNotFound or kIo.
Result<std::string> Sha256OfFile(const std::string& path);
// "code" of "/data/code.csv"; a ".gz" or the like is not taken off twice.
std::string StemOf(const std::string& path);

}  // namespace odometer::cli
