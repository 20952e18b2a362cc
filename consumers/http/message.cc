#include "consumers/http/message.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/utf8.h"

namespace odometer {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> Unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return Status(Code::kInvalid, "the target has a '%' that is not followed by two hex digits");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (!IsUtf8(out)) return Status(Code::kInvalid, "the target is not UTF-8 once its escapes are decoded");
  return out;
}

Status SplitPath(std::string_view path, std::vector<std::string>* segments) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    size_t end = std::min(path.find('/'), path.size());
    Result<std::string> segment = Unescape(path.substr(0, end), false);
    if (!segment.ok()) return segment.status();
    segments->push_back(std::move(*segment));
    path.remove_prefix(end);
  }
  return Status::Ok();
}

Status SplitQuery(std::string_view query, std::vector<std::pair<std::string, std::string>>* out) {
  while (!query.empty()) {
    size_t end = std::min(query.find('&'), query.size());
    std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    size_t equals = std::min(pair.find('='), pair.size());
    Result<std::string> name = Unescape(pair.substr(0, equals), true);
    if (!name.ok()) return name.status();
    if (name->empty()) return Status(Code::kInvalid, "the query has a parameter without a name");
    Result<std::string> value = Unescape(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!value.ok()) return value.status();
    for (const auto& [seen, unused] : *out) {
      if (seen == *name) return Status(Code::kInvalid, "the parameter '" + *name + "' is given twice");
    }
    out->emplace_back(std::move(*name), std::move(*value));
  }
  return Status::Ok();
}

bool IsTokenChar(char c) {
  if (std::isalnum(static_cast<unsigned char>(c))) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool EqualsLower(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() && std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct FramingFields {
  int lengths = 0;
  int encodings = 0;
  int hosts = 0;
};

// The error of one header line, or null.
const char* CheckField(std::string_view line, FramingFields* seen) {
  if (line.front() == ' ' || line.front() == '\t') return "a header line is folded";
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return "a header line has no name or no colon";
  std::string_view name = line.substr(0, colon);
  if (!std::all_of(name.begin(), name.end(), IsTokenChar)) return "a header name has a character that it may not have";
  std::string_view value = Trim(line.substr(colon + 1));
  if (EqualsLower(name, "content-length")) {
    bool digits =
        !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return "Content-Length is not a number";
    if (++seen->lengths > 1) return "Content-Length is given twice";
  } else if (EqualsLower(name, "transfer-encoding")) {
    if (!EqualsLower(value, "chunked")) return "the only Transfer-Encoding taken is chunked";
    if (++seen->encodings > 1) return "Transfer-Encoding is given twice";
  } else if (EqualsLower(name, "host")) {
    if (++seen->hosts > 1) return "Host is given twice";
  }
  if (seen->lengths > 0 && seen->encodings > 0) return "Content-Length and Transfer-Encoding are both given";
  return nullptr;
}

HeadScan Bad(HeadScan scan, const char* error) {
  scan.kind = HeadScan::Kind::kBad;
  scan.error = error;
  return scan;
}

}  // namespace

Result<std::string_view> OnlyHeader(const HttpRequest& request, std::string_view lower_case_name) {
  std::optional<std::string_view> found;
  for (const auto& [name, value] : request.headers) {
    if (name != lower_case_name) continue;
    if (found) return Status(Code::kInvalid, "the header '" + name + "' is given twice");
    found = value;
  }
  return found.value_or(std::string_view());
}

Result<Target> SplitTarget(std::string_view target) {
  if (target.empty() || target[0] != '/') return Status(Code::kInvalid, "the target must start with '/'");
  for (char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '#') {
      return Status(Code::kInvalid, "the target has a character that must be percent-encoded");
    }
  }
  size_t question = std::min(target.find('?'), target.size());
  Target split;
  ODOMETER_RETURN_IF_ERROR(SplitPath(target.substr(0, question), &split.segments));
  ODOMETER_RETURN_IF_ERROR(SplitQuery(target.substr(std::min(question + 1, target.size())), &split.query));
  return split;
}

HeadScan ScanHead(std::string_view bytes) {
  HeadScan scan;
  FramingFields seen;
  size_t start = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == '\0') return Bad(scan, "the head has a NUL");
    if (bytes[i] == '\n') return Bad(scan, "a line ends without CR");
    if (bytes[i] != '\r') continue;
    if (i + 1 == bytes.size()) return scan;
    if (bytes[i + 1] != '\n') return Bad(scan, "a CR stands alone");
    std::string_view line = bytes.substr(start, i - start);
    start = i + 2;
    ++i;
    if (scan.line_size == 0) {
      if (line.empty()) return Bad(scan, "the request line is empty");
      scan.line_size = line.size();
    } else if (line.empty()) {
      scan.kind = HeadScan::Kind::kDone;
      scan.size = start;
      return scan;
    } else {
      ++scan.fields;
      if (const char* error = CheckField(line, &seen)) return Bad(scan, error);
    }
  }
  return scan;
}

}  // namespace odometer
