#include "consumers/queries_cursor.h"

#include <optional>

#include "state/codec.h"

namespace odometer {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kTokenBytesMax = 1024;
constexpr size_t kChecksumBytes = 8;

// FNV-1a: cursors guard against mistakes, not against forgery.
uint64_t Hash(std::string_view bytes, uint64_t hash = 0xcbf29ce484222325ull) {
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

std::string Number64(uint64_t number) {
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

std::string Encode64(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (count += 8; count >= 6; count -= 6) out += alphabet[(bits >> (count - 6)) & 63];
  }
  if (count > 0) out += alphabet[(bits << (6 - count)) & 63];
  return out;
}

std::optional<std::string> Decode64Url(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    size_t value = kUrlAlphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count);
    }
  }
  return out;
}

Status Broken() {
  return Status(Code::kInvalid, "the cursor is damaged; take it as it was given, or start again without one");
}

}  // namespace

uint64_t FilterHash(std::initializer_list<std::string_view> parts) {
  uint64_t hash = Hash("");
  for (std::string_view part : parts) hash = Hash(part, Hash(Number64(part.size()), hash));
  return hash;
}

std::string ToBase64(std::string_view bytes) {
  std::string text = Encode64(bytes, kAlphabet);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string ToBase64Url(std::string_view bytes) { return Encode64(bytes, kUrlAlphabet); }

std::string Cursor::ToToken() const {
  std::string bytes = EncodeRow(*this);
  return ToBase64Url(bytes + Number64(Hash(bytes)));
}

Result<Cursor> Cursor::FromToken(std::string_view token, uint64_t filter, size_t numbers) {
  if (token.size() > kTokenBytesMax) return Broken();
  std::optional<std::string> bytes = Decode64Url(token);
  if (!bytes || bytes->size() < kChecksumBytes || ToBase64Url(*bytes) != token) return Broken();
  std::string_view body = std::string_view(*bytes).substr(0, bytes->size() - kChecksumBytes);
  Cursor cursor;
  if (Number64(Hash(body)) != bytes->substr(body.size()) || !DecodeRow(body, &cursor)) return Broken();
  if (cursor.filter != filter)
    return Status(Code::kInvalid, "the cursor belongs to another listing: its filters differ");
  if (cursor.numbers.size() != numbers) return Broken();
  return cursor;
}

}  // namespace odometer
