#include "core/status.h"

namespace odometer {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk: return "ok";
    case Code::kInvalid: return "invalid";
    case Code::kNotFound: return "not_found";
    case Code::kConflict: return "conflict";
    case Code::kUnavailable: return "unavailable";
    case Code::kDiskFull: return "disk_full";
    case Code::kOutdated: return "outdated";
    case Code::kCorrupt: return "corrupt";
    case Code::kIo: return "io";
  }
  return "unknown";
}

const std::string& Status::message() const {
  static const std::string kNone;
  return ok() ? kNone : failure_->message;
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  return std::string(CodeName(code())) + ": " + message();
}

}  // namespace odometer
