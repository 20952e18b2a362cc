// state/ask_for.h: AskFor, memory that will be written soon, asked for without waiting.
#pragma once

#include <cstddef>

namespace odometer {

inline constexpr size_t kCacheLineBytes = 64;

// Inlined by force: a compiler takes a call that only asks for memory for one that does nothing.
[[gnu::always_inline]] inline void AskFor(const void* memory, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kCacheLineBytes) __builtin_prefetch(static_cast<const char*>(memory) + at, 1);
}

}  // namespace odometer
