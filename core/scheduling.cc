#include "core/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace odometer {
namespace {

constexpr int kNice = 5;

}  // namespace

bool AskForTurnsOf(std::chrono::microseconds turn) {
  if (sched_getscheduler(0) != SCHED_OTHER) return false;  // as whoever started the daemon wants it
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns, deadline_ns, period_ns;
  } attributes{};
  attributes.size = sizeof attributes;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  attributes.turn_ns = static_cast<uint64_t>(std::chrono::nanoseconds(turn).count());
  return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

void GiveWay() {
  setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kNice);  // on Linux: of this thread
  if (sched_getscheduler(0) != SCHED_OTHER) return;
  sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);
}

}  // namespace odometer
