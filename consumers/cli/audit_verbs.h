// consumers/cli/audit_verbs.h: what `odometer doctor` asks of the verbs of audits.
#pragma once

#include <optional>
#include <string>

#include "consumers/cli/context.h"
#include "consumers/refold.h"

namespace odometer::cli {

struct AuditFlags {
  std::string data_dir;
  std::string store;
  std::string user;
  std::string work_dir;
};

// Of a data directory, whether a daemon works on it or not; nullopt: `failure` says why not.
std::optional<AuditResult> AuditNow(const AuditFlags& flags, Context& context, Failure* failure);

// Where the daemon listens that works on a data directory, by what it wrote there; nullopt: it wrote nothing.
std::optional<std::string> DaemonOf(const std::string& data_dir);

}  // namespace odometer::cli
