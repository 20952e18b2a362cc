// consumers/cli/context.h: Context, what every verb of the command line tool is given, and the exit codes they share.
//
//   void RegisterUsersVerbs(CLI::App& app, Context& context) {
//     CLI::App* users = app.add_subcommand("users", "Usage of each user");
//     users->callback([&context] { context.exit_code = ListUsers(context); });
//   }
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "core/status.h"

namespace odometer::cli {

inline constexpr int kExitFine = 0;         // or: it matches
inline constexpr int kExitDrift = 1;        // or: denied
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;
inline constexpr int kExitAuth = 4;
inline constexpr int kExitBadData = 5;
inline constexpr int kExitPartial = 6;

// Why a verb stops, and what it exits with.
struct Failure {
  int exit_code = kExitBadData;
  std::string message;
};
// Of something local: a file, a map.
Failure FailureOf(const Status& status);

struct Context {
  std::string server = "http://127.0.0.1:8780";
  std::string tenant = "default";
  bool json = false;
  int exit_code = kExitFine;  // set by the verb that ran

  std::ostream* out = nullptr;  // data
  std::ostream* err = nullptr;  // progress and errors

  // Writes "odometer: MESSAGE" to err; answers the exit code.
  int Fail(const Failure& failure) const;
};

}  // namespace odometer::cli
