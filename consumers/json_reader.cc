#include "consumers/json_reader.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/check.h"

namespace odometer {

namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A token runs to the next one, so it ends in the white space between them.
std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

size_t Digits(std::string_view text, size_t at) {
  while (at < text.size() && IsDigit(text[at])) ++at;
  return at;
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
bool IsNumber(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  size_t whole = Digits(text, at);
  if (whole == at || (text[at] == '0' && whole > at + 1)) return false;
  at = whole;
  if (at < text.size() && text[at] == '.') {
    size_t fraction = Digits(text, at + 1);
    if (fraction == at + 1) return false;
    at = fraction;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    size_t exponent = Digits(text, at);
    if (exponent == at) return false;
    at = exponent;
  }
  return at == text.size();
}

// Finds where a text stops being JSON. Only for the message: simdjson says that, not where.
class FaultFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::optional<size_t> position;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t read, const std::string& token, const nlohmann::json::exception& fault) override {
    constexpr int kNumberOutOfRange = 406;  // a limit of that library's, not a fault of the text
    if (fault.id == kNumberOutOfRange) return true;
    // The end, a whole token that stands in the wrong place, or the byte that fits into no token.
    std::string_view what = fault.what();
    bool is_end = what.find("end of input") != std::string_view::npos;
    bool is_token = what.find("unexpected") != std::string_view::npos;
    position = is_end ? std::string_view::npos : read - std::min(read, is_token ? token.size() : 1);
    return false;
  }
};

std::optional<size_t> FaultIn(std::string_view text) {
  FaultFinder finder;
  nlohmann::json::sax_parse(text.begin(), text.end(), &finder);
  return finder.position;
}

}  // namespace

JsonReader::JsonReader(std::string_view body, size_t extra_bytes) : body_bytes_(body.size()) {
  storage_.body = std::make_unique<char[]>(body.size() + simdjson::SIMDJSON_PADDING);
  if (!body.empty()) std::memcpy(storage_.body.get(), body.data(), body.size());
  texts_bytes_ = body.size() + extra_bytes;  // a text is never longer unescaped than escaped
  storage_.texts = std::make_unique_for_overwrite<char[]>(texts_bytes_);
}

bool JsonReader::Open(size_t begin, size_t size, int depth) {
  ODOMETER_CHECK(begin + size <= body_bytes_);
  open_begin_ = last_offset_ = begin;
  open_size_ = size;
  depth_ = depth;
  is_scalar_ = false;
  size_t readable = body_bytes_ - begin + simdjson::SIMDJSON_PADDING;
  simdjson::padded_string_view text(storage_.body.get() + begin, size, readable);
  return !parser_.iterate(text).get(document_);
}

size_t JsonReader::ErrorOffset() const {
  std::optional<size_t> fault = FaultIn({storage_.body.get() + open_begin_, open_size_});
  return fault.has_value() ? open_begin_ + std::min(*fault, open_size_) : last_offset_;
}

bool JsonReader::IsSound() const { return !FaultIn({storage_.body.get() + open_begin_, open_size_}).has_value(); }

bool JsonReader::At(Value value) {
  last_offset_ = static_cast<size_t>(value.raw_json_token().data() - storage_.body.get());
  return depth_ < kJsonDepthMax;
}

bool JsonReader::IsAtEnd() { return document_.current_location().error() == simdjson::OUT_OF_BOUNDS; }

JsonReader::Kind JsonReader::KindOf(Value value) {
  simdjson::ondemand::json_type type;
  if (value.type().get(type)) return Kind::kBroken;
  switch (type) {
    case simdjson::ondemand::json_type::object: return Kind::kObject;
    case simdjson::ondemand::json_type::array: return Kind::kArray;
    case simdjson::ondemand::json_type::string: return Kind::kText;
    case simdjson::ondemand::json_type::number: return Kind::kNumber;
    case simdjson::ondemand::json_type::boolean: return Kind::kBool;
    case simdjson::ondemand::json_type::null: return Kind::kNull;
  }
  return Kind::kBroken;
}

std::string_view JsonReader::Keep(std::string_view text) {
  ODOMETER_CHECK(texts_used_ + text.size() <= texts_bytes_);
  char* place = storage_.texts.get() + texts_used_;
  if (!text.empty()) std::memcpy(place, text.data(), text.size());
  texts_used_ += text.size();
  return {place, text.size()};
}

void JsonReader::Replace(std::string_view* kept, std::string_view text) {
  size_t at = static_cast<size_t>(kept->data() - storage_.texts.get());
  ODOMETER_CHECK(at + kept->size() <= texts_used_ && text.size() <= kept->size());
  if (!text.empty()) std::memcpy(storage_.texts.get() + at, text.data(), text.size());
  *kept = {storage_.texts.get() + at, text.size()};
}

bool JsonReader::Text(Value value, std::string_view* out) {
  std::string_view text;
  if (!At(value) || value.get_string().get(text)) return false;
  *out = Keep(text);
  return true;
}

bool JsonReader::Number(Value value, std::string_view* out) {
  if (!At(value)) return false;
  *out = Trimmed(value.raw_json_token());
  return IsNumber(*out);
}

bool JsonReader::Bool(Value value, bool* out) {
  if (!At(value)) return false;
  std::string_view word = Trimmed(value.raw_json_token());
  *out = word == "true";
  return *out || word == "false";
}

bool JsonReader::Slice(Value value, std::string_view* out) {
  const char* begin = value.raw_json_token().data();
  if (!Skip(value)) return false;
  const char* next;
  if (document_.current_location().get(next)) return false;
  *out = Trimmed({begin, static_cast<size_t>(next - begin)});
  return true;
}

bool JsonReader::Skip(Value value) {
  switch (KindOf(value)) {
    case Kind::kObject: return ForEachField(value, [this](std::string_view, Value field) { return Skip(field); });
    case Kind::kArray: return ForEachElement(value, [this](Value element) { return Skip(element); });
    case Kind::kText: {
      std::string_view text;
      return At(value) && !value.get_string().get(text);
    }
    case Kind::kNumber: {
      std::string_view digits;
      return Number(value, &digits);
    }
    case Kind::kBool: {
      bool is_true;
      return Bool(value, &is_true);
    }
    case Kind::kNull: return At(value) && Trimmed(value.raw_json_token()) == "null";
    case Kind::kBroken: break;
  }
  At(value);
  return false;
}

bool JsonReader::Enter(Value value, std::string_view tag_field, Object* entered, std::string_view* tag) {
  *tag = {};
  if (!Enter(value, entered)) return false;
  Value found;
  simdjson::error_code error = entered->find_field_unordered(tag_field).get(found);
  if (error != simdjson::SUCCESS && error != simdjson::NO_SUCH_FIELD) return false;
  if (error == simdjson::SUCCESS) {
    std::string_view token = Trimmed(found.raw_json_token());
    bool is_plain = token.size() >= 2 && token.front() == '"' && token.find('\\') == std::string_view::npos;
    if (is_plain) *tag = token.substr(1, token.size() - 2);
  }
  return !entered->reset().error();
}

bool IsJsonObject(std::string_view text, int depth) {
  if (!text.starts_with('{') || !text.ends_with('}')) return false;
  JsonReader reader(text);
  auto skip = [&](JsonReader::Value item) { return reader.Skip(item); };
  return reader.Open(0, text.size(), depth) && reader.ForEachItem(skip);
}

}  // namespace odometer
