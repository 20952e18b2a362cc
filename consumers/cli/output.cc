#include "consumers/cli/output.h"

#include <algorithm>
#include <charconv>

namespace odometer::cli {

namespace {

// Characters, not bytes: close enough to columns for names and figures.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

void PrintLine(const std::vector<std::string>& cells, const std::vector<Column>& columns,
               const std::vector<size_t>& widths, std::ostream& out) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string& cell = cells[i];
    std::string space(widths[i] - Width(cell), ' ');
    if (i > 0) line += "  ";
    line += columns[i].align == Align::kRight ? space + cell : cell + space;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << "\n";
}

}  // namespace

void Table::Print(std::ostream& out) const {
  std::vector<std::string> titles;
  std::vector<size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(Width(column.title));
  }
  std::vector<std::vector<std::string>> rows = rows_;
  for (std::vector<std::string>& row : rows) {
    row.resize(columns_.size());
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = Shown(row[i], 120);
      widths[i] = std::max(widths[i], Width(row[i]));
    }
  }
  PrintLine(titles, columns_, widths, out);
  for (const std::vector<std::string>& row : rows) PrintLine(row, columns_, widths, out);
}

std::string Grouped(int64_t value) {
  std::string digits = std::to_string(value);
  size_t first = value < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string Dollars(int64_t nano_usd) {
  constexpr int64_t kNanoPerDollar = 1'000'000'000;
  std::string decimals = std::to_string(nano_usd % kNanoPerDollar);
  if (decimals.front() == '-') decimals.erase(0, 1);
  decimals.insert(0, 9 - decimals.size(), '0');
  decimals.resize(std::max<size_t>(2, decimals.find_last_not_of('0') + 1));
  std::string whole = Grouped(nano_usd / kNanoPerDollar);
  if (nano_usd < 0 && whole.front() != '-') whole.insert(0, 1, '-');
  return whole + '.' + decimals;
}

int64_t IntegerOf(const nlohmann::json& value, int64_t otherwise) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return otherwise;
  const auto& text = value.get_ref<const std::string&>();
  int64_t parsed = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? parsed : otherwise;
}

std::string Dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string CellOf(const nlohmann::json& object, std::string_view member) {
  auto found = object.is_object() ? object.find(std::string(member)) : object.end();
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_number_integer()) return Grouped(found->get<int64_t>());
  if (found->is_string()) return found->get<std::string>();
  return found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Shown(std::string_view text, size_t columns) {
  std::string shown;
  size_t count = 0;
  for (char c : text) {
    auto byte = static_cast<uint8_t>(c);
    bool starts_character = (byte & 0xC0) != 0x80;
    if (starts_character && count == columns) return shown + "…";
    count += starts_character;
    shown += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
  return shown;
}

}  // namespace odometer::cli
