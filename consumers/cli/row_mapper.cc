#include "consumers/cli/row_mapper.h"

#include <openssl/evp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

#include "consumers/cli/decimal.h"
#include "core/period.h"
#include "core/time.h"
#include "core/utf8.h"

namespace odometer::cli {

namespace {

using nlohmann::ordered_json;

bool SetBad(MappedRow* mapped, std::string reason, std::string message) {
  mapped->reason = std::move(reason);
  mapped->message = std::move(message);
  return false;
}

// "user-007": at least three digits, and as many as the last user needs, so that names sort as numbers do.
std::string NumberedName(const std::string& prefix, uint64_t number, uint64_t count) {
  size_t width = std::max<size_t>(3, std::to_string(count - 1).size());
  std::string digits = std::to_string(number);
  return prefix + std::string(width - std::min(width, digits.size()), '0') + digits;
}

std::string WithStem(std::string text, const std::string& stem) {
  constexpr std::string_view kMark = "{stem}";
  for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + stem.size())) {
    text.replace(at, kMark.size(), stem);
  }
  return text;
}

// The value in the field's own unit. The rounding is of unit conversions only: an amount is whole or bad.
Result<int64_t> AmountOf(const FieldRule& rule, const Cell& cell, bool* is_rounded) {
  Result<Scaled> scaled = ScaleDecimal(cell.text, rule.power.value_or(0));
  if (!scaled.ok()) return scaled.status();
  if (!scaled->is_exact && !rule.power.has_value()) {
    return Status(Code::kInvalid, "\"" + cell.text + "\" is not a whole number");
  }
  *is_rounded |= !scaled->is_exact;
  int64_t value = 0;
  if (__builtin_mul_overflow(scaled->value, rule.scale, &value)) {
    return Status(Code::kInvalid, "\"" + cell.text + "\" is beyond 64 bits");
  }
  return value;
}

bool SetAmount(const FieldRule& rule, const Row& row, const Cell& cell, MappedRow* mapped) {
  Result<int64_t> value = AmountOf(rule, cell, &mapped->is_rounded);
  for (size_t i = 0; i < rule.minus.size() && value.ok(); ++i) {
    const Cell* other = row.Find(rule.minus[i]);
    if (other == nullptr) continue;
    Result<int64_t> part = AmountOf(rule, *other, &mapped->is_rounded);
    if (!part.ok()) {
      value = part;
    } else if (int64_t rest = 0; __builtin_sub_overflow(*value, *part, &rest)) {
      value = Status(Code::kInvalid, rule.from + " minus " + rule.minus[i] + " is beyond 64 bits");
    } else {
      value = rest;
    }
  }
  if (!value.ok()) return SetBad(mapped, "bad_amount", rule.from + ": " + value.status().message());
  SetAtPath(&mapped->event, rule.field->path, *value);
  return true;
}

bool SetBool(const FieldRule& rule, const Cell& cell, MappedRow* mapped) {
  bool is_true = cell.text == "true" || cell.text == "True" || cell.text == "TRUE" || cell.text == "1";
  bool is_false = cell.text == "false" || cell.text == "False" || cell.text == "FALSE" || cell.text == "0";
  if (!is_true && !is_false) return SetBad(mapped, "invalid_enum", rule.from + ": neither true nor false");
  SetAtPath(&mapped->event, rule.field->path, is_true);
  return true;
}

bool SetChoice(const FieldRule& rule, const ImportMap& map, const std::string& text, MappedRow* mapped) {
  std::string value = text;
  if (auto names = map.enums.find(rule.field->path); names != map.enums.end()) {
    auto found = names->second.find(text);
    if (found == names->second.end()) found = names->second.find("*");
    if (found != names->second.end()) value = found->second;
  }
  const auto& choices = rule.field->choices;
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    return SetBad(mapped, "invalid_enum",
                  rule.from + ": \"" + text + "\" is no " + std::string(rule.field->path) + "; map it in [enums]");
  }
  SetAtPath(&mapped->event, rule.field->path, value);
  return true;
}

}  // namespace

RowMapper::RowMapper(const ImportMap& map, FileIdentity file) : map_(map), file_(std::move(file)) {}

bool RowMapper::SetTime(std::string_view path, const std::string& from, const Row& row, MappedRow* mapped) const {
  const Cell* cell = row.Find(from);
  if (cell == nullptr) return SetBad(mapped, "missing_field", from + ": no time");
  std::optional<int64_t> time = map_.time_format.Read(cell->text);
  if (!time.has_value()) {
    return SetBad(mapped, "bad_time", from + ": \"" + cell->text + "\" is not " + map_.time_format.text());
  }
  int64_t shifted = 0;
  bool is_overflow = __builtin_add_overflow(*time, file_.shift_us, &shifted);
  if (is_overflow || shifted < 0 || shifted >= kEventTimeLimitUs) {
    return SetBad(mapped, "time_range", from + ": \"" + cell->text + "\" is before 1970 or after 9999");
  }
  SetAtPath(&mapped->event, path, TimeToString(shifted));
  return true;
}

std::optional<int64_t> RowMapper::TimeOf(const Row& row) const {
  const Cell* cell = row.Find(map_.time_field);
  return cell == nullptr ? std::nullopt : map_.time_format.Read(cell->text);
}

MappedRow RowMapper::Map(const Row& row) {
  MappedRow mapped;
  if (row.is_bad()) {
    SetBad(&mapped, row.reason, row.message);
    return mapped;
  }
  if (!IsUtf8(row.raw)) {
    SetBad(&mapped, "invalid_utf8", "the row is not UTF-8; convert the file first");
    return mapped;
  }
  mapped.event["type"] = TypeName(map_.type);
  mapped.event["key"] = KeyOf(row);
  mapped.event["source"] = map_.source();
  // Before anything that may fail: a bad row counts as a row of its user, so that mending it moves no other one.
  if (!SetUserAndSession(row, &mapped)) return mapped;
  if (!SetTime("event_time", map_.time_field, row, &mapped)) return mapped;
  for (const ConstantRule& rule : map_.constants) {
    bool is_text = rule.value.is_string();
    SetAtPath(&mapped.event, rule.field->path,
              is_text ? ordered_json(WithStem(rule.value.get<std::string>(), file_.stem)) : rule.value);
  }
  for (const FieldRule& rule : map_.fields) {
    if (!SetField(rule, row, &mapped)) return mapped;
  }
  return mapped;
}

bool RowMapper::SetField(const FieldRule& rule, const Row& row, MappedRow* mapped) const {
  if (rule.field->kind == FieldKind::kTexts) {
    std::vector<std::string> texts = row.FindList(rule.from);
    if (!texts.empty()) SetAtPath(&mapped->event, rule.field->path, texts);
    return true;
  }
  const Cell* cell = row.Find(rule.from);
  if (cell == nullptr) {
    // A choice is never left open; an unmapped absence may be named by "*".
    return rule.field->kind != FieldKind::kChoice || SetChoice(rule, map_, "", mapped);
  }
  switch (rule.field->kind) {
    case FieldKind::kAmount: return SetAmount(rule, row, *cell, mapped);
    case FieldKind::kBool: return SetBool(rule, *cell, mapped);
    case FieldKind::kChoice: return SetChoice(rule, map_, cell->text, mapped);
    case FieldKind::kTime: return SetTime(rule.field->path, rule.from, row, mapped);
    case FieldKind::kText:
    case FieldKind::kTexts: break;
  }
  SetAtPath(&mapped->event, rule.field->path, cell->text);
  return true;
}

std::optional<std::string> RowMapper::UserOf(const Row& row) const {
  const UserRule& users = map_.users;
  switch (users.assignment) {
    case UserAssignment::kRoundRobin: return NumberedName(users.prefix, row.number % users.count, users.count);
    case UserAssignment::kHashOfRow:
      return NumberedName(users.prefix, XXH3_64bits(row.raw.data(), row.raw.size()) % users.count, users.count);
    case UserAssignment::kField: break;
  }
  const Cell* cell = row.Find(users.field);
  return cell == nullptr ? std::nullopt : std::optional<std::string>(cell->text);
}

bool RowMapper::SetUserAndSession(const Row& row, MappedRow* mapped) {
  std::optional<std::string> user = UserOf(row);
  if (!user.has_value()) return SetBad(mapped, "missing_field", map_.users.field + ": no user");
  std::string at = map_.type == EventType::kTurnAmended ? "original." : "";
  SetAtPath(&mapped->event, at + "user", *user);
  if (const Cell* session = map_.sessions.field.empty() ? nullptr : row.Find(map_.sessions.field)) {
    SetAtPath(&mapped->event, at + "session", session->text);
  }
  uint64_t run_of = map_.sessions.run_of;
  if (run_of == 0) return true;
  uint64_t before = rows_of_user_[*user]++;
  SetAtPath(&mapped->event, at + "session",
            file_.stem + "-" + *user + "-" + NumberedName("", before / run_of + 1, 1000));
  bool has_number = FindEventField(map_.type, "turn_number") != nullptr;
  if (has_number) mapped->event["turn_number"] = before % run_of + 1;
  return true;
}

std::string RowMapper::KeyOf(const Row& row) const {
  std::string key = file_.sha256;
  if (file_.shift_us != 0) key += (file_.shift_us > 0 ? "+" : "") + std::to_string(file_.shift_us);
  if (const Cell* id = map_.id_field.empty() ? nullptr : row.Find(map_.id_field)) {
    // Two exports that overlap name the same fact by the same id: the file is no part of it.
    return "id" + key.substr(file_.sha256.size()) + ":" + id->text;
  }
  return key + ":" + std::to_string(row.number);
}

Result<std::string> Sha256OfFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return Status(Code::kNotFound, path + ": cannot be opened");
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  std::array<char, 64 * 1024> buffer;
  do {
    stream.read(buffer.data(), buffer.size());
    EVP_DigestUpdate(hash.get(), buffer.data(), static_cast<size_t>(stream.gcount()));
  } while (stream);
  if (stream.bad() || !stream.eof()) return Status(Code::kIo, path + ": cannot be read");
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  EVP_DigestFinal_ex(hash.get(), digest.data(), &size);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += {kHex[digest[i] >> 4], kHex[digest[i] & 15]};
  return hex;
}

std::string StemOf(const std::string& path) { return std::filesystem::path(path).stem().string(); }

}  // namespace odometer::cli
