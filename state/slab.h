// state/slab.h: Slab, memory for many objects of one kind that never move: blocks that grow, a free list, and huge
// pages once a block is large, because rows in RAM are read at random and each is a page of its own to the translation
// cache.
//
//   Slab<Node> slab;
//   Node* node = slab.New();
//   slab.Delete(node);          // the memory stays the slab's, until the slab ends
//
// Thread-compatible.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "state/ask_for.h"

namespace odometer {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, FreeMemory>;

// Cache-line aligned; large ones on huge pages where the machine has them.
inline Memory NewMemory(size_t bytes) {
  bool huge = bytes >= kHugePageBytes;
  size_t alignment = huge ? kHugePageBytes : 64;
  size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  if (huge) madvise(memory, rounded, MADV_HUGEPAGE);  // a wish: without it all is the same, only slower
  return Memory(memory);
}

template <class T>
class Slab {
 public:
  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  T* New() {
    if (free_.empty()) Grow();
    T* at = free_.back();
    free_.pop_back();
    if (!free_.empty()) AskFor(free_.back(), sizeof(T));  // the next one's
    return new (at) T;  // T says what each of its fields begins with: there is nothing to be zeroed before
  }
  void Delete(T* object) {
    object->~T();
    free_.push_back(object);
  }

 private:
  static constexpr size_t kStride = (sizeof(T) + 63) / 64 * 64;
  static constexpr size_t kFirstBytes = 4096;
  static constexpr size_t kMostBytes = 8 * kHugePageBytes;

  void Grow() {
    block_bytes_ = block_bytes_ == 0 ? kFirstBytes : std::min(block_bytes_ * 2, kMostBytes);
    size_t count = std::max<size_t>(block_bytes_ / kStride, 1);
    blocks_.push_back(NewMemory(count * kStride));
    char* begin = static_cast<char*>(blocks_.back().get());
    // Taken from the back: neighbours in time are neighbours in memory.
    for (size_t i = count; i-- > 0;) free_.push_back(std::launder(reinterpret_cast<T*>(begin + i * kStride)));
  }

  std::vector<Memory> blocks_;
  std::vector<T*> free_;
  size_t block_bytes_ = 0;
};

}  // namespace odometer
