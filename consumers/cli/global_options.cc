#include <CLI/CLI.hpp>

#include "consumers/cli/verbs.h"

namespace odometer::cli {

void RegisterGlobalOptions(::CLI::App& app, Context& context) {
  app.fallthrough();  // so that they may stand behind the verb too
  app.add_option("--server", context.server, "Where the daemon listens")
      ->envname("ODOMETER_SERVER")
      ->capture_default_str();
  app.add_option("--tenant", context.tenant, "Whose events and figures")
      ->envname("ODOMETER_TENANT")
      ->capture_default_str();
  app.add_flag("--json", context.json, "Answer in JSON");
  app.footer(
      "Data goes to standard output, progress and errors to standard error.\n"
      "Exit codes: 0 fine or match, 1 drift or denied, 2 usage, 3 unreachable, 4 auth, 5 bad data, 6 partial.\n"
      "Every verb has --help with examples.");
}

}  // namespace odometer::cli
