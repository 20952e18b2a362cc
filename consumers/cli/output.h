// consumers/cli/output.h: Table, aligned text for people; and how the tool writes numbers and bytes.
//
//   Table table({{"user"}, {"requests", Align::kRight}});
//   table.Add({"user-007", Grouped(28185)});
//   table.Print(*context.out);
//
//   user      requests
//   user-007    28,185
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace odometer::cli {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Control characters of a cell are shown as "?": text of others must not steer a terminal.
  void Print(std::ostream& out) const;
  size_t rows() const { return rows_.size(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "6,417,600"
std::string Grouped(int64_t value);
// "12.000375": nano-dollars in dollars, with as many decimals as they need, at least two.
std::string Dollars(int64_t nano_usd);
// An integer, also one that JSON carries as a text because it is above 2^53; `otherwise` when it is neither.
int64_t IntegerOf(const nlohmann::json& value, int64_t otherwise = 0);
// On one line; what is not UTF-8 is replaced.
std::string Dumped(const nlohmann::ordered_json& json);
// A member for a cell: a text as it is, an integer grouped, null and absent as "-", the rest as JSON.
std::string CellOf(const nlohmann::json& object, std::string_view member);
// Without control characters, and cut to `columns` characters with "…" where it is longer.
std::string Shown(std::string_view text, size_t columns = 60);

}  // namespace odometer::cli
