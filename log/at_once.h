// log/at_once.h: DoAtOnce(), the same work for each of several numbers, on a few threads.
//
//   Status opened = DoAtOnce(partitions, 8, [&](size_t partition) { return OpenOne(partition); });
#pragma once

#include <cstddef>
#include <functional>

#include "core/status.h"

namespace odometer {

// Calls work(0) to work(count - 1), up to threads_max of them at once, and returns when every call that has begun has
// returned; with one thread in that order, on the caller's. After an error no further call begins; the answer is the
// error of the lowest number that had one.
Status DoAtOnce(size_t count, size_t threads_max, const std::function<Status(size_t)>& work);

}  // namespace odometer
