// odometer: the command line tool. Each verb lives in a file of its own in consumers/cli/.
#include <CLI/CLI.hpp>
#include <iostream>

#include "consumers/cli/verbs.h"

int main(int argc, char** argv) {
  using namespace odometer::cli;
  Context context;
  context.out = &std::cout;
  context.err = &std::cerr;
  CLI::App app("odometer: the command line of Odometer, event-sourced usage metering", "odometer");
  app.set_version_flag("--version", "odometer " ODOMETER_VERSION);
  app.require_subcommand(1);
  RegisterGlobalOptions(app, context);
  RegisterImportVerbs(app, context);
  RegisterEmitVerb(app, context);
  RegisterEventsVerbs(app, context);
  RegisterUsersVerb(app, context);
  RegisterQuarantineVerbs(app, context);
  RegisterAuditVerbs(app, context);
  RegisterBackupVerbs(app, context);
  RegisterLimitsVerbs(app, context);
  RegisterExplainVerbs(app, context);
  RegisterAlertsVerbs(app, context);
  RegisterDoctorVerb(app, context);
  RegisterTopicsVerbs(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    bool is_unknown_verb = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) &&
                           app.get_subcommands().empty() && !app.remaining().empty();
    if (is_unknown_verb) {
      std::cerr << "odometer: no such verb: " << app.remaining().front() << "\nRun with --help for more information.\n";
      return kExitUsage;
    }
    return app.exit(error) == 0 ? kExitFine : kExitUsage;
  }
  std::cout.flush();
  return context.exit_code;
}
