// state/codec.h: the bytes of a row, from the fields that the row names itself.
//
//   std::string bytes = EncodeRow(row);
//   AccountRow row;
//   if (!DecodeRow(bytes, &row)) return Corrupt(key);
//
// Integers are zigzag LEB128, so a row of small numbers is small; texts are length-prefixed. Sets are written in key
// order, so equal rows have equal bytes whatever order their events came in.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/ids.h"
#include "state/name_table.h"
#include "state/ring.h"
#include "state/rows.h"
#include "state/steps.h"

namespace odometer {

// What it has written is in `out` when it ends.
class RowWriter {
 public:
  explicit RowWriter(std::string* out) : out_(out) {}
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;
  ~RowWriter() { Flush(); }

  void Unsigned(uint64_t value) {
    if (used_ + kNumberBytes > sizeof buffer_) Flush();
    while (value >= 0x80) {
      buffer_[used_++] = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    buffer_[used_++] = static_cast<char>(value);
  }
  void Signed(int64_t value) { Unsigned((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63)); }

  template <class T>
  void operator()(const char*, const T& value) {
    Write(value);
  }

  void Write(int64_t value) { Signed(value); }
  void Write(uint64_t value) { Unsigned(value); }
  void Write(uint32_t value) { Unsigned(value); }
  void Write(uint8_t value) { Unsigned(value); }
  void Write(EventType value) { Unsigned(static_cast<uint8_t>(value)); }
  void Write(bool value) { Unsigned(value ? 1 : 0); }
  void Text(std::string_view value) {
    Unsigned(value.size());
    Bytes(value);
  }
  void Write(const std::string& value) { Text(value); }
  void Write(const Uuid& value) { Bytes({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()}); }
  void Write(const Ring& ring) {
    Signed(ring.newest_hour);
    ring.ForEachBack([this](uint32_t count) { Unsigned(count); });
  }
  void Write(const Steps& steps) {
    Unsigned(static_cast<uint64_t>(steps.window));
    Signed(steps.newest);
    Write(steps.counts);
  }
  void Write(const NameCount& count) {
    Text(count.name.view());
    Signed(count.turns);
    Signed(count.tokens);
  }
  template <size_t kNames>
  void Write(const NameTable<kNames>& table) {
    typename NameTable<kNames>::Order order;
    table.Sort(&order);
    Unsigned(table.names.size());
    for (size_t i = 0; i < table.names.size(); ++i) Write(*order[i]);
    Unsigned(0);  // of no name
    Signed(table.other.turns);
    Signed(table.other.tokens);
  }
  void Write(const OperationFigures& figures) {
    for (int64_t n : figures.by_status) Signed(n);
    Signed(figures.requested);
    Signed(figures.succeeded);
    Signed(figures.payload_bytes);
    Signed(figures.duration_us);
    Signed(figures.timed);
  }
  void Write(const HourCell& cell) {
    Unsigned(static_cast<uint64_t>(cell.operation));
    Unsigned(static_cast<uint64_t>(cell.status));
    HourCell::Fields(cell, *this);
  }
  // A struct that names its fields.
  template <class T>
  requires requires(const T& row, RowWriter& writer) { T::Fields(row, writer); }
  void Write(const T& value) { T::Fields(value, *this); }
  template <class T, size_t n>
  void Write(const std::array<T, n>& values) {
    for (const T& value : values) Write(value);
  }
  template <class T>
  void Write(const std::vector<T>& values) {
    Unsigned(values.size());
    for (const T& value : values) Write(value);
  }

 private:
  static constexpr size_t kNumberBytes = 10;

  void Bytes(std::string_view bytes) {
    if (used_ + bytes.size() > sizeof buffer_) Flush();
    if (bytes.size() > sizeof buffer_) {
      *out_ += bytes;
      return;
    }
    bytes.copy(buffer_ + used_, bytes.size());
    used_ += bytes.size();
  }
  // Rare, and out of the way of what is inlined; within it, gcc 12 takes the buffer for unwritten.
  [[gnu::noinline]] void Flush() {
    out_->append(buffer_, used_);
    used_ = 0;
  }

  std::string* out_;
  size_t used_ = 0;
  char buffer_[512];
};

// Every Read leaves ok() false once the bytes do not fit; nothing throws, nothing is read past the end.
class RowReader {
 public:
  explicit RowReader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      uint8_t byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  int64_t Signed() {
    uint64_t value = Unsigned();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }

  template <class T>
  void operator()(const char*, T& value) {
    Read(value);
  }

  void Read(int64_t& value) { value = Signed(); }
  void Read(uint64_t& value) { value = Unsigned(); }
  void Read(uint32_t& value) { value = static_cast<uint32_t>(Unsigned()); }
  void Read(uint8_t& value) { value = static_cast<uint8_t>(Unsigned()); }
  void Read(EventType& value) { value = static_cast<EventType>(Unsigned()); }
  void Read(bool& value) { value = Unsigned() != 0; }
  void Read(std::string& value) { value.assign(Text()); }
  void Read(Uuid& value) {
    if (rest_.size() < value.bytes.size()) ok_ = false;
    if (!ok_) return;
    std::memcpy(value.bytes.data(), rest_.data(), value.bytes.size());
    rest_.remove_prefix(value.bytes.size());
  }
  void Read(Ring& ring) {
    ring.newest_hour = Signed();
    if (ring.newest_hour < 0 || ring.newest_hour > Ring::kHourMax) {
      ok_ = false;
      ring.newest_hour = 0;
    }
    for (int64_t back = 0; back < Ring::kHours; ++back) {
      uint32_t count = static_cast<uint32_t>(Unsigned());
      int64_t hour = ring.newest_hour - back;
      if (ok_ && hour >= 0) ring.Bucket(hour) = count;
    }
  }
  // Empty when they cannot be.
  void Read(Steps& steps) {
    steps = Steps();
    uint64_t window = Unsigned();
    int64_t newest = Signed();
    uint64_t size = Unsigned();
    ok_ &= window >= static_cast<uint64_t>(Window::kRollingMinute) &&
           window <= static_cast<uint64_t>(Window::kRolling24h);
    if (!ok_) return;
    steps.window = static_cast<Window>(window);
    ok_ = newest >= 0 && newest <= Steps::NewestMax(steps.window) && size <= Steps::CountOf(steps.window);
    if (!ok_) return;
    steps.newest = newest;
    for (uint64_t i = 0; i < size && ok_; ++i) steps.counts.push_back(Signed());
    ok_ &= steps.counts.empty() || steps.counts.back() != 0;
    if (!ok_) steps.counts.clear();
  }
  std::string_view Text() {
    uint64_t size = Unsigned();
    if (size > rest_.size()) ok_ = false;
    if (!ok_) return {};
    std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }
  void Read(NameCount& count) {
    count.name = NameText(Text());
    count.turns = Signed();
    count.tokens = Signed();
  }
  template <size_t kNames>
  void Read(NameTable<kNames>& table) {
    uint64_t size = Unsigned();
    ok_ &= size <= kNames;
    table.names.Clear();
    for (uint64_t i = 0; i < size && ok_; ++i) {
      NameCount count;
      Read(count);
      table.names.Add(std::move(count));
    }
    ok_ &= Unsigned() == 0;
    table.other.turns = Signed();
    table.other.tokens = Signed();
  }
  void Read(OperationFigures& figures) {
    for (int64_t& n : figures.by_status) n = Signed();
    figures.requested = Signed();
    figures.succeeded = Signed();
    figures.payload_bytes = Signed();
    figures.duration_us = Signed();
    figures.timed = Signed();
  }
  void Read(HourCell& cell) {
    cell.operation = static_cast<OperationKind>(Unsigned());
    cell.status = static_cast<OperationStatus>(Unsigned());
    HourCell::Fields(cell, *this);
  }
  template <class T>
  requires requires(T& row, RowReader& reader) { T::Fields(row, reader); }
  void Read(T& value) { T::Fields(value, *this); }
  template <class T, size_t n>
  void Read(std::array<T, n>& values) {
    for (T& value : values) Read(value);
  }
  template <class T>
  void Read(std::vector<T>& values) {
    uint64_t size = Unsigned();
    values.clear();
    for (uint64_t i = 0; i < size && ok_; ++i) Read(values.emplace_back());
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// Appends the row's bytes.
template <class Row>
void EncodeRow(const Row& row, std::string* out) {
  RowWriter writer(out);
  Row::Fields(row, writer);
}
template <class Row>
std::string EncodeRow(const Row& row) {
  std::string out;
  EncodeRow(row, &out);
  return out;
}
template <class Row>
bool DecodeRow(std::string_view bytes, Row* row) {
  RowReader reader(bytes);
  Row::Fields(*row, reader);
  return reader.done();
}

}  // namespace odometer
