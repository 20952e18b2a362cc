#include "consumers/cli/row_reader.h"

#include <array>
#include <set>

#include <nlohmann/json.hpp>

namespace odometer::cli {

namespace {

constexpr int kEnd = -1;

// Bytes of a stream, with one byte of foresight, that are counted and remembered as the raw row.
class Bytes {
 public:
  explicit Bytes(std::istream& stream) : stream_(stream) {}

  int Peek() {
    if (at_ == size_) {
      stream_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
      size_ = static_cast<size_t>(stream_.gcount());
      at_ = 0;
    }
    return size_ == 0 ? kEnd : static_cast<uint8_t>(buffer_[at_]);
  }
  int Take() {
    int byte = Peek();
    if (byte == kEnd) return kEnd;
    ++at_;
    ++taken_;
    return byte;
  }
  bool TakeIf(char wanted) {
    if (Peek() != static_cast<uint8_t>(wanted)) return false;
    Take();
    return true;
  }
  // Takes a line end, if one is next.
  bool TakeLineEnd() {
    if (TakeIf('\n')) return true;
    return TakeIf('\r') && (TakeIf('\n') || true);
  }
  void SkipLine() {
    for (int byte = Take(); byte != kEnd && byte != '\n'; byte = Take()) {
    }
  }
  void SkipByteOrderMark() {
    if (Peek() != 0xEF) return;
    for (int i = 0; i < 3; ++i) Take();
  }
  uint64_t taken() const { return taken_; }

 private:
  std::istream& stream_;
  std::array<char, 64 * 1024> buffer_;
  size_t at_ = 0;
  size_t size_ = 0;
  uint64_t taken_ = 0;
};

void SetBad(Row* row, std::string reason, std::string message) {
  row->reason = std::move(reason);
  row->message = std::move(message);
  row->cells.clear();
}

void SetTooLong(Row* row) {
  SetBad(row, "row_too_long", "a row has at most " + std::to_string(kRowBytesMax) + " bytes; is a quote left open?");
}

class CsvReader : public RowReader {
 public:
  explicit CsvReader(std::istream& stream) : bytes_(stream) { bytes_.SkipByteOrderMark(); }

  Status ReadHeader() {
    Row row;
    if (!ReadFields(&row)) return {Code::kInvalid, "there is no header line"};
    if (row.is_bad()) return {Code::kInvalid, "header line: " + row.message};
    std::set<std::string> seen;
    for (const std::string& name : fields_) {
      if (!seen.insert(name).second) return {Code::kInvalid, "header line: \"" + name + "\" stands twice"};
    }
    columns_ = fields_;
    return Status::Ok();
  }

  bool Next(Row* row) override {
    *row = Row{};
    row->number = number_ + 1;
    if (!ReadFields(row)) return false;
    ++number_;
    if (row->is_bad()) return true;
    if (fields_.size() != columns_.size()) {
      SetBad(row, "column_count", std::to_string(fields_.size()) + " cells where the header has " +
                                      std::to_string(columns_.size()));
      return true;
    }
    for (size_t i = 0; i < fields_.size(); ++i) {
      CellKind kind = fields_[i].empty() ? CellKind::kNull : CellKind::kText;
      row->cells.emplace_back(columns_[i], Cell{kind, std::move(fields_[i])});
    }
    return true;
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  uint64_t bytes_read() const override { return bytes_.taken(); }

 private:
  // Fills fields_ with the next row's; false at the end.
  bool ReadFields(Row* row) {
    while (bytes_.TakeLineEnd()) {
    }
    if (bytes_.Peek() == kEnd) return false;
    fields_.clear();
    do {
      fields_.emplace_back();
      bool ok = bytes_.Peek() == '"' ? ReadQuoted(row) : ReadPlain(row);
      if (!ok) {
        bytes_.SkipLine();
        return true;
      }
    } while (TakeComma(row));
    bytes_.TakeLineEnd();
    return true;
  }

  bool TakeComma(Row* row) {
    if (!bytes_.TakeIf(',')) return false;
    row->raw += ',';
    return true;
  }

  bool Keep(Row* row, int byte) {
    if (row->raw.size() >= kRowBytesMax) {
      SetTooLong(row);
      return false;
    }
    row->raw += static_cast<char>(byte);
    return true;
  }

  bool ReadPlain(Row* row) {
    for (int byte = bytes_.Peek(); byte != kEnd && byte != ',' && byte != '\n' && byte != '\r'; byte = bytes_.Peek()) {
      if (!Keep(row, bytes_.Take())) return false;
      fields_.back() += static_cast<char>(byte);
    }
    return true;
  }

  bool ReadQuoted(Row* row) {
    if (!Keep(row, bytes_.Take())) return false;
    for (;;) {
      int byte = bytes_.Take();
      if (byte == kEnd) {
        SetBad(row, "bad_csv", "a quote is left open");
        return false;
      }
      if (!Keep(row, byte)) return false;
      if (byte == '"') {
        if (bytes_.Peek() != '"') break;
        if (!Keep(row, bytes_.Take())) return false;
      }
      fields_.back() += static_cast<char>(byte);
    }
    int next = bytes_.Peek();
    if (next == kEnd || next == ',' || next == '\n' || next == '\r') return true;
    SetBad(row, "bad_csv", "text behind a closing quote");
    return false;
  }

  Bytes bytes_;
  uint64_t number_ = 0;
  std::vector<std::string> columns_;
  std::vector<std::string> fields_;
};

// Turns the parser's events into paths and texts.
class Flattener : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Flattener(Row* row) : row_(row) {}

  bool null() override { return Add(CellKind::kNull, ""); }
  bool boolean(bool value) override { return Add(CellKind::kBool, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return Add(CellKind::kNumber, std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return Add(CellKind::kNumber, std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return Add(CellKind::kNumber, text); }
  bool string(string_t& value) override { return Add(CellKind::kText, value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(-1); }
  bool key(string_t& name) override {
    path_.resize(levels_.back().prefix_bytes);
    path_ += name;
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return !levels_.empty() && Open(0); }
  bool end_array() override { return Close(); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    error_ = "not JSON at byte " + std::to_string(position);
    return false;
  }
  const std::string& error() const { return error_; }

 private:
  struct Level {
    size_t prefix_bytes;  // of path_, in front of the key or index
    int64_t index;        // of the next element; -1 in an object
  };

  void StartValue() {
    if (levels_.empty() || levels_.back().index < 0) return;
    path_.resize(levels_.back().prefix_bytes);
    path_ += std::to_string(levels_.back().index++);
  }
  bool Add(CellKind kind, std::string text) {
    if (levels_.empty()) return false;  // the row is not an object
    StartValue();
    row_->cells.emplace_back(path_, Cell{kind, std::move(text)});
    return true;
  }
  bool Open(int64_t index) {
    StartValue();
    if (!levels_.empty()) path_ += '.';
    levels_.push_back({path_.size(), index});
    return levels_.size() <= kDepthMax;
  }
  bool Close() {
    levels_.pop_back();
    return true;
  }

  static constexpr size_t kDepthMax = 32;
  Row* row_;
  std::string path_;
  std::vector<Level> levels_;
  std::string error_;
};

class JsonLinesReader : public RowReader {
 public:
  explicit JsonLinesReader(std::istream& stream) : bytes_(stream) { bytes_.SkipByteOrderMark(); }

  bool Next(Row* row) override {
    *row = Row{};
    if (!ReadLine(row)) return false;
    row->number = ++number_;
    if (row->is_bad()) return true;
    Flattener flattener(row);
    if (!nlohmann::json::sax_parse(row->raw, &flattener)) {
      SetBad(row, "bad_json", flattener.error().empty() ? "the line is not a JSON object" : flattener.error());
    }
    return true;
  }

  const std::vector<std::string>& columns() const override { return columns_; }
  uint64_t bytes_read() const override { return bytes_.taken(); }

 private:
  // The next line that is not blank; false at the end.
  bool ReadLine(Row* row) {
    while (bytes_.Peek() != kEnd) {
      row->raw.clear();
      for (int byte = bytes_.Take(); byte != kEnd && byte != '\n'; byte = bytes_.Take()) {
        if (row->raw.size() >= kRowBytesMax) {
          SetTooLong(row);
          bytes_.SkipLine();
          return true;
        }
        row->raw += static_cast<char>(byte);
      }
      if (!row->raw.empty() && row->raw.back() == '\r') row->raw.pop_back();
      if (row->raw.find_first_not_of(" \t") != std::string::npos) return true;
    }
    return false;
  }

  Bytes bytes_;
  uint64_t number_ = 0;
  std::vector<std::string> columns_;
};

}  // namespace

const Cell* Row::Find(std::string_view path) const {
  for (const auto& [name, cell] : cells) {
    if (name == path) return cell.kind == CellKind::kNull || cell.text.empty() ? nullptr : &cell;
  }
  return nullptr;
}

std::vector<std::string> Row::FindList(std::string_view path) const {
  std::vector<std::string> texts;
  if (const Cell* cell = Find(path)) texts.push_back(cell->text);
  for (;;) {
    const Cell* cell = Find(std::string(path) + "." + std::to_string(texts.size()));
    if (cell == nullptr) return texts;
    texts.push_back(cell->text);
  }
}

Result<std::unique_ptr<RowReader>> RowReader::Open(RowFormat format, std::istream& stream) {
  if (format == RowFormat::kJsonLines) return std::unique_ptr<RowReader>(std::make_unique<JsonLinesReader>(stream));
  auto reader = std::make_unique<CsvReader>(stream);
  ODOMETER_RETURN_IF_ERROR(reader->ReadHeader());
  return std::unique_ptr<RowReader>(std::move(reader));
}

}  // namespace odometer::cli
