// core/table_reader.h: reads FlatBuffers tables out of bytes that nobody vouches for; each field is checked as it is
// read.
//
//   TableBuffer buffer(bytes, kTablesMax);
//   TableReader table;
//   bool is_sound = buffer.Root("ODEV", &table) &&
//                   table.Text(Stored::VT_TENANT, &tenant) &&    // "" if it is absent
//                   table.Number(Stored::VT_EPOCH, &epoch);      // 0 if it is absent
//
// False: what was asked for is broken, and its value is not to be used. It refuses what the verifier of FlatBuffers
// 2.0.8 refuses, no more and no less, if every field of every table is read: tests/fuzz/decode_reference.h holds it to
// that.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace odometer {

class TableReader;

// `bytes` are 8-aligned and less than 2 GiB. Outlives its readers.
class TableBuffer {
 public:
  TableBuffer(std::string_view bytes, uint32_t tables_max)
      : data_(reinterpret_cast<const uint8_t*>(bytes.data())), size_(bytes.size()), tables_left_(tables_max) {}
  TableBuffer(const TableBuffer&) = delete;
  TableBuffer& operator=(const TableBuffer&) = delete;

  bool Root(const char* file_identifier, TableReader* root);

 private:
  friend class TableReader;

  static constexpr size_t kBytesMin = 12;  // two offsets and an empty vtable: nothing is read of less

  const uint8_t* data_;
  size_t size_;
  uint32_t tables_left_;
};

// Elements of 4 bytes each that lead to texts or tables.
struct OffsetList {
  size_t at = 0;  // of the first element
  uint32_t count = 0;
};

// A field is named by its place in the vtable: the VT_ numbers of the generated code. Of a table that is not there,
// every field is absent. Small: pass it by value, then it stays in registers.
class TableReader {
 public:
  bool is_there() const { return at_ != 0; }

  // An integer or an enum.
  template <class T>
  [[gnu::always_inline]] bool Number(uint16_t field, T* to) const {
    *to = T{};
    uint16_t offset = OffsetOf(field);
    if (offset == 0) return true;
    size_t at = at_ + offset;
    if (!IsWithin(at, sizeof(T), sizeof(T))) return false;
    *to = Load<T>(at);
    return true;
  }
  template <class T>
  [[gnu::always_inline]] bool Number(uint16_t field, std::optional<T>* to) const {
    to->reset();
    uint16_t offset = OffsetOf(field);
    if (offset == 0) return true;
    size_t at = at_ + offset;
    if (!IsWithin(at, sizeof(T), sizeof(T))) return false;
    to->emplace(Load<T>(at));
    return true;
  }
  [[gnu::always_inline]] bool Flag(uint16_t field, bool* to) const {
    uint8_t byte;
    bool is_sound = Number(field, &byte);
    *to = byte != 0;
    return is_sound;
  }

  // Nothing but its bytes; nullptr if it is absent.
  [[gnu::always_inline]] bool Struct(uint16_t field, size_t size, size_t alignment, const void** to) const {
    *to = nullptr;
    uint16_t offset = OffsetOf(field);
    if (offset == 0) return true;
    if (!IsWithin(at_ + offset, size, alignment)) return false;
    *to = data_ + at_ + offset;
    return true;
  }

  [[gnu::always_inline]] bool Text(uint16_t field, std::string_view* to) const {
    *to = std::string_view();
    uint16_t offset = OffsetOf(field);
    if (offset == 0) return true;
    size_t at;
    return Follow(at_ + offset, 4, 4, &at) && TextAt(at, to);
  }

  // A vector's elements as bytes, which need not be aligned; "" if it is absent.
  bool Elements(uint16_t field, size_t element_size, std::string_view* to) const {
    *to = std::string_view();
    uint16_t offset = OffsetOf(field);
    if (offset == 0) return true;
    size_t at;
    if (!Follow(at_ + offset, 4, 4, &at)) return false;
    uint64_t bytes = uint64_t{Load<uint32_t>(at)} * element_size;
    *to = std::string_view(reinterpret_cast<const char*>(data_ + at + 4), bytes);
    return bytes <= size_ - at - 4;
  }
  bool Offsets(uint16_t field, OffsetList* to) const {
    *to = OffsetList();
    std::string_view elements;
    if (!Elements(field, sizeof(uint32_t), &elements)) return false;
    if (elements.empty()) return true;
    to->at = static_cast<size_t>(reinterpret_cast<const uint8_t*>(elements.data()) - data_);
    to->count = static_cast<uint32_t>(elements.size() / sizeof(uint32_t));
    return true;
  }
  bool TextOf(const OffsetList& list, uint32_t index, std::string_view* to) const {
    size_t at = ElementTarget(list, index);
    return IsWithin(at, 4, 4) && TextAt(at, to);
  }
  bool TableOf(const OffsetList& list, uint32_t index, TableReader* to) const {
    return to->Open(buffer_, ElementTarget(list, index));
  }

  [[gnu::always_inline]] bool Table(uint16_t field, TableReader* to) const {
    *to = TableReader();
    uint16_t offset = OffsetOf(field);
    if (offset == 0) return true;
    size_t at;
    return Follow(at_ + offset, 4, 4, &at) && to->Open(buffer_, at);
  }

  // Of a union: what its offset leads to is looked at only by who knows the table. 0 if it is absent.
  bool Union(uint16_t field, size_t* to) const {
    *to = 0;
    uint16_t offset = OffsetOf(field);
    return offset == 0 || Follow(at_ + offset, 1, 1, to);
  }
  bool TableAt(size_t at, TableReader* to) const { return to->Open(buffer_, at); }

 private:
  friend class TableBuffer;

  [[gnu::always_inline]] bool Open(TableBuffer* buffer, size_t at) {
    buffer_ = buffer;
    data_ = buffer->data_;
    size_ = buffer->size_;
    if (buffer->tables_left_ == 0 || !IsWithin(at, 4, 4)) return false;
    --buffer->tables_left_;
    // A vtable lies before its table or behind it. What would be below 0 wraps to a place far behind the bytes.
    size_t vtable = at - static_cast<size_t>(int64_t{Load<int32_t>(at)});
    if (!IsWithin(vtable, 2, 2)) return false;
    uint16_t vtable_size = Load<uint16_t>(vtable);
    if (vtable_size % 2 != 0 || vtable_size >= size_ || vtable > size_ - vtable_size) return false;
    at_ = at;
    vtable_ = vtable;
    vtable_size_ = vtable_size;
    return true;
  }

  template <class T>
  [[gnu::always_inline]] T Load(size_t at) const {
    T value;
    std::memcpy(&value, data_ + at, sizeof value);
    return value;
  }

  // In one comparison: rotated, what is not aligned is a huge number.
  [[gnu::always_inline]] bool IsWithin(size_t at, size_t size, size_t alignment) const {
    if (size > TableBuffer::kBytesMin && size > size_) return false;
    return std::rotr(at, std::countr_zero(alignment)) <= (size_ - size) / alignment;
  }

  // From the table's beginning; 0 if the field is absent.
  [[gnu::always_inline]] uint16_t OffsetOf(uint16_t field) const {
    return field < vtable_size_ ? Load<uint16_t>(vtable_ + field) : 0;
  }

  // Where the offset at `at` leads to, which must have so many bytes.
  [[gnu::always_inline]] bool Follow(size_t at, size_t size, size_t alignment, size_t* to) const {
    if (!IsWithin(at, sizeof(uint32_t), sizeof(uint32_t))) return false;
    uint32_t offset = Load<uint32_t>(at);
    *to = at + offset;
    return offset != 0 && IsWithin(*to, size, alignment);
  }

  // Unlike a field's, an element's offset may be 0.
  size_t ElementTarget(const OffsetList& list, uint32_t index) const {
    size_t at = list.at + sizeof(uint32_t) * index;
    return at + Load<uint32_t>(at);
  }

  // The 4 bytes of its size are known to be there; a NUL that does not count ends it.
  [[gnu::always_inline]] bool TextAt(size_t at, std::string_view* to) const {
    size_t size = Load<uint32_t>(at);
    size_t end = at + sizeof(uint32_t) + size;
    *to = std::string_view(reinterpret_cast<const char*>(data_ + at + sizeof(uint32_t)), size);
    return end < size_ && data_[end] == 0;
  }

  TableBuffer* buffer_ = nullptr;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t at_ = 0;
  size_t vtable_ = 0;
  uint16_t vtable_size_ = 0;
};

inline bool TableBuffer::Root(const char* file_identifier, TableReader* root) {
  if (size_ < kBytesMin || std::memcmp(data_ + 4, file_identifier, 4) != 0) return false;
  uint32_t at;
  std::memcpy(&at, data_, sizeof at);
  return at != 0 && root->Open(this, at);
}

}  // namespace odometer
