// state/amounts.h: what a record's amounts come to, and whether they are so large that adding them needs care
// (state/change.h).
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/event.h"
#include "state/rows.h"

namespace odometer {

// Amounts above this make the change careful; below it no single record can carry a figure out of range unseen.
inline constexpr int64_t kLargeAmount = int64_t{1} << 50;
inline bool Large(int64_t amount) { return amount > kLargeAmount || amount < -kLargeAmount; }
inline bool Large(const Tokens& t) {
  return Large(t.input_uncached) || Large(t.cache_read) || Large(t.cache_write_5m) || Large(t.cache_write_1h) ||
         Large(t.output) || Large(t.reasoning);
}

inline __int128 TotalOf(const Tokens& t) {
  return static_cast<__int128>(t.input_uncached) + t.cache_read + t.cache_write_5m + t.cache_write_1h + t.output;
}

inline __int128 TotalOf(const CostParts& cost) {
  return static_cast<__int128>(cost.ai_tokens_nano_usd) + cost.db_ops_nano_usd + cost.api_calls_nano_usd +
         cost.compute_time_nano_usd;
}

inline void Extend(int64_t time_us, int64_t* first_us, int64_t* last_us) {
  if (*first_us == kNever || time_us < *first_us) *first_us = time_us;
  *last_us = std::max(*last_us, time_us);
}

}  // namespace odometer
