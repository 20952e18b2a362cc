// consumers/cli/row_reader.h: RowReader, the rows of a CSV or JSON Lines stream, one at a time.
//
//   std::unique_ptr<RowReader> reader = RowReader::Open(RowFormat::kCsv, stream).value();
//   for (Row row; reader->Next(&row);) {
//     if (row.is_bad()) Reject(row); else Use(row.Find("TIMESTAMP"));
//   }
//
// A row that cannot be read is given as a bad row, with its number, and reading goes on behind it.
// CSV is RFC 4180: a header line, commas, "quotes" with "" inside and line breaks in quotes; LF or CRLF. An empty cell
// is absent. JSON Lines: one object a line, flattened to paths ("usage.input", "choices.0.model"); a number keeps its
// text, so that no digit of it is lost. Blank lines are no rows.
//
// Limitations: a row has at most 1 MiB; a name with a dot and a nested name are the same path.
// Confined to one thread.
#pragma once

#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace odometer::cli {

enum class RowFormat { kCsv, kJsonLines };
enum class CellKind { kNull, kText, kNumber, kBool };

struct Cell {
  CellKind kind = CellKind::kNull;
  std::string text;  // as it stands in the source; of kBool "true" or "false"
};

struct Row {
  uint64_t number = 0;  // from 1; a CSV header is not counted
  std::string raw;      // the row's own bytes, without its line end
  std::vector<std::pair<std::string, Cell>> cells;
  std::string reason;   // of a bad row, such as "bad_json"
  std::string message;

  bool is_bad() const { return !reason.empty(); }
  // Null when absent, null or empty.
  const Cell* Find(std::string_view path) const;
  // The texts at path.0, path.1, ...; or the one at path.
  std::vector<std::string> FindList(std::string_view path) const;
};

class RowReader {
 public:
  // Reads a CSV's header at once. kInvalid: there is none, or a name stands twice in it. The stream must outlive it.
  static Result<std::unique_ptr<RowReader>> Open(RowFormat format, std::istream& stream);
  virtual ~RowReader() = default;

  // False at the end.
  virtual bool Next(Row* row) = 0;
  // The CSV's header; empty for JSON Lines.
  virtual const std::vector<std::string>& columns() const = 0;
  virtual uint64_t bytes_read() const = 0;
};

inline constexpr size_t kRowBytesMax = 1024 * 1024;

}  // namespace odometer::cli
