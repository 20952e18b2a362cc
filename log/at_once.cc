#include "log/at_once.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace odometer {

Status DoAtOnce(size_t count, size_t threads_max, const std::function<Status(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> has_failed = false;
  std::vector<Status> results(count);
  auto work_off = [&] {
    while (!has_failed) {
      size_t number = next++;
      if (number >= count) return;
      results[number] = work(number);
      if (!results[number].ok()) has_failed = true;
    }
  };
  std::vector<std::thread> helpers;
  try {
    for (size_t i = 1; i < std::min(count, threads_max); ++i) helpers.emplace_back(work_off);
  } catch (const std::system_error&) {
    // The machine gives no more threads: those that there are do it all.
  }
  work_off();
  for (std::thread& helper : helpers) helper.join();
  for (const Status& result : results) ODOMETER_RETURN_IF_ERROR(result);
  return Status::Ok();
}

}  // namespace odometer
