// core/check.h: CHECK, on in release builds too, for mistakes of the programmer only.
//
// A CHECK must never be reachable from bytes off the log, the wire or the HTTP API: those get a Status or a Reason.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace odometer {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
  std::abort();
}

}  // namespace odometer

#define ODOMETER_CHECK(condition) ((condition) ? (void)0 : ::odometer::CheckFailed(__FILE__, __LINE__, #condition))
