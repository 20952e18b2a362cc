// consumers/cli/verbs.h: what registers each verb of the command line tool. A verb's file holds its flags, its help and
// what it does; odometer_main.cc only lists them.
#pragma once

#include "consumers/cli/context.h"

namespace CLI {
class App;
}

namespace odometer::cli {

// --server, --tenant, --json; taken before and after the verb.
void RegisterGlobalOptions(::CLI::App& app, Context& context);

void RegisterImportVerbs(::CLI::App& app, Context& context);
void RegisterEmitVerb(::CLI::App& app, Context& context);
void RegisterEventsVerbs(::CLI::App& app, Context& context);
void RegisterUsersVerb(::CLI::App& app, Context& context);
void RegisterQuarantineVerbs(::CLI::App& app, Context& context);
void RegisterAuditVerbs(::CLI::App& app, Context& context);
void RegisterBackupVerbs(::CLI::App& app, Context& context);
void RegisterLimitsVerbs(::CLI::App& app, Context& context);
void RegisterLimitsSetVerb(::CLI::App& limits, Context& context);  // below `limits`
void RegisterAlertsVerbs(::CLI::App& app, Context& context);
void RegisterDoctorVerb(::CLI::App& app, Context& context);
void RegisterExplainVerbs(::CLI::App& app, Context& context);
void RegisterTopicsVerbs(::CLI::App& app, Context& context);

}  // namespace odometer::cli
