// producer/host_clock.h: HostClock(), the clock that a host's leases go by.
#pragma once

#include "core/time.h"

namespace odometer {

// MonotonicUs() costs a third of a steady_clock's and lags it by a tick of the kernel, 1 to 10 ms; a lease's unspent
// fifth is 200 ms at least. It stands still while the machine sleeps. NowUs() is for labels.
Clock& HostClock();

}  // namespace odometer
