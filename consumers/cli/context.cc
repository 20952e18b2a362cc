#include "consumers/cli/context.h"

namespace odometer::cli {

Failure FailureOf(const Status& status) {
  int exit_code = status.code() == Code::kUnavailable ? kExitUnreachable : kExitBadData;
  return {exit_code, status.message()};
}

int Context::Fail(const Failure& failure) const {
  *err << "odometer: " << failure.message << "\n";
  return failure.exit_code;
}

}  // namespace odometer::cli
