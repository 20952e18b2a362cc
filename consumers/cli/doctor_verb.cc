// odometer doctor: what is wrong, why, and what to do next.
#include <CLI/CLI.hpp>
#include <memory>

#include "consumers/cli/audit_verbs.h"
#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/verbs.h"
#include "log/file_system.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct DoctorFlags {
  std::string user, project, data_dir;
  bool is_audit = false;
};

struct Finding {
  bool is_problem = false;
  std::string check;
  std::string what;
  std::string next;  // what to do; of a problem
};

class Doctor {
 public:
  Doctor(const DoctorFlags& flags, Context& context)
      : flags_(flags), context_(context), client_({.server = context.server, .tenant = context.tenant}) {}

  std::vector<Finding> Examine() {
    if (!LookAtDaemon()) return std::move(findings_);
    LookAtReadiness();
    LookAtLag();
    LookAtTenant();
    LookAtQuarantine();
    if (!flags_.user.empty()) LookAtUser();
    if (!flags_.user.empty() || !flags_.project.empty()) LookAtLimits();
    LookAtWebhooks();
    if (flags_.is_audit) LookForDrift();
    return std::move(findings_);
  }

 private:
  void Fine(const std::string& check, const std::string& what) { findings_.push_back({false, check, what, ""}); }
  void Problem(const std::string& check, const std::string& what, const std::string& next) {
    findings_.push_back({true, check, what, next});
  }
  // Null when there is no such answer; what the daemon said instead is in `failure_`.
  json Get(const std::string& path) {
    std::optional<json> answer = GetJson(client_, path, &failure_);
    return answer ? *std::move(answer) : json();
  }
  int64_t Number(const json& object, const char* member) {
    return object.is_object() ? IntegerOf(object.value(member, json())) : 0;
  }

  bool LookAtDaemon() {
    json version = Get("/version");
    if (version.is_object()) {
      Fine("daemon", "odometer " + CellOf(version, "version") + " answers at " + context_.server);
      return true;
    }
    if (!flags_.data_dir.empty() && LookAtDirectory()) return false;
    Problem("daemon", failure_.message,
            "start it (odometerd --data-dir DIR), or name the one that runs with --server; DIR/http.address has its "
            "address, and doctor --data-dir DIR says who holds DIR");
    return false;
  }

  // Who has the directory, when nobody answers where it was asked. False: nothing was found that explains it.
  bool LookAtDirectory() {
    std::optional<std::string> address = DaemonOf(flags_.data_dir);
    Result<std::unique_ptr<File>> lock = PosixFileSystem().Lock(flags_.data_dir + "/log/lock");
    if (lock.status().code() == Code::kConflict) {
      bool is_elsewhere = address && *address != context_.server;
      Problem("lock", flags_.data_dir + " is held by a process that runs",
              is_elsewhere ? "ask the daemon that holds it: --server " + *address
                           : "it does not answer: look at its log; a second daemon cannot open what it holds, so stop "
                             "it before you start another");
      return true;
    }
    if (lock.ok() && address) {
      Problem("daemon", "the daemon of " + flags_.data_dir + " was killed: it left its address and holds no lock",
              "start it again: odometerd --data-dir " + flags_.data_dir + "; nothing that was accepted is lost");
      return true;
    }
    return false;
  }

  void LookAtReadiness() {
    Result<HttpResponse> response = client_.Get("/readyz");
    json ready = response.ok() ? json::parse(response->body, nullptr, false) : json();
    if (ready.is_object() && ready.value("ready", false)) return Fine("ready", "a record was written and read back");
    std::string step = CellOf(ready, "failing_step");
    std::string next = step == "append" ? "see that the disk has room, or the broker answers"
                       : step == "verify"
                           ? "the log may be another one than was folded: docs/operating.md, When it halts"
                       : step == "poll" ? "see that the broker answers"
                                        : "look at the daemon's log for partition " + CellOf(ready, "partition");
    Problem("ready", "step " + step + " fails: " + CellOf(ready, "detail"), next);
  }

  // By an answer for which nothing need be read from the log, which may be what the fold waits for.
  void LookAtLag() {
    json policy = Get("/v1/policy");
    if (!policy.is_object()) return;  // of that, LookAtTenant
    int64_t lag = Number(policy.value("as_of", json()), "lag");
    if (lag < 1000) return Fine("lag", Grouped(lag) + " records of this tenant's partition are not folded yet");
    Problem("lag",
            Grouped(lag) + " records of this tenant's partition are not folded yet: figures are of an earlier moment",
            "wait while odometer_consumer_lag_records falls; where it does not, see /readyz, and whether more is sent "
            "than one partition folds: tenants in other partitions are folded beside it");
  }

  void LookAtQuarantine() {
    json page = Get("/v1/admin/quarantine?limit=1");
    if (!page.is_object()) return Problem("quarantine", failure_.message, "ask again once the daemon is ready");
    int64_t total = Number(page, "total_count");
    if (total == 0) return Fine("quarantine", "no record was set aside");
    std::string reason = page["data"].empty() ? "" : ", the first for " + CellOf(page["data"][0], "reason");
    Problem("quarantine", Grouped(total) + " records are in no figure" + reason,
            "odometer quarantine list; docs/api.md says what each reason means; send what was meant under new ids");
  }

  void LookAtTenant() {
    json tenant = Get("/v1/consumption/system-summary");
    bool is_unknown = !tenant.is_object() && failure_.message.find("never seen") != std::string::npos;
    if (!tenant.is_object() && !is_unknown) {
      bool is_elsewhere = failure_.message.find("owns") != std::string::npos;
      return Problem("tenant", failure_.message,
                     is_elsewhere ? "ask the daemon that owns that partition: --server"
                                  : "its figures cannot be read: mend what else is found here, and ask again");
    }
    if (is_unknown || tenant.value("max_fold", json()).is_null()) {
      return Problem("tenant", "tenant '" + context_.tenant + "' has no events",
                     "name the tenant that was sent or imported: --tenant; an import prints the one it took");
    }
    int64_t missing = Number(tenant, "missing_events");
    if (missing > 0) {
      Problem("gaps", Grouped(missing) + " events have a number that a producer gave and never came",
              "they may still be on their way; what was lost is said by GapReported, and stays counted as lost");
    }
    if (Number(tenant, "clock_ahead_events") > 0) {
      Problem("clocks", Grouped(Number(tenant, "clock_ahead_events")) + " events came with a time ahead of the log's",
              "set the clocks of those hosts; the events count at their arrival");
    }
  }

  void LookAtUser() {
    json summary = Get("/v1/consumption/summary" + QueryString({{"user", flags_.user}}));
    if (!summary.is_object()) {
      return Problem("user", "user '" + flags_.user + "' of tenant '" + context_.tenant + "': " + failure_.message,
                     "compare how the host writes the id: odometer users");
    }
    json period = summary.value("period", json::object());
    bool is_old = Number(summary, "events") > 0 && Number(period, "requests") == 0 && Number(summary, "requests") > 0;
    if (!is_old) return Fine("user", Grouped(Number(summary, "requests")) + " requests in all");
    Problem("user",
            "all " + Grouped(Number(summary, "requests")) + " requests are of earlier months; the last was at " +
                CellOf(summary, "last_use"),
            "this month's figures and limits are 0 for that: what is imported counts in its own month; "
            "odometer users --period YYYY-MM");
  }

  void LookAtLimits() {
    json limits = Get("/v1/limits" + QueryString({{"user", flags_.user}, {"project", flags_.project}}));
    if (!limits.is_object()) return Problem("limits", failure_.message, "mend the names");
    std::string enforcement = limits.value("enforcement", "on");
    if (enforcement != "on") {
      Problem("limits", "enforcement is " + enforcement + ": nothing is refused",
              "odometer limits enforce on --who YOU --why WHY");
    }
    json all = limits.value("limits", json::array());
    if (all.empty()) {
      return Problem("limits", "no limit applies",
                     "odometer profiles assign, odometer limits override or odometer quotas set");
    }
    size_t soft = 0, exceeded = 0;
    for (const json& limit : all) {
      soft += limit.value("mode", "") == "soft";
      exceeded += IntegerOf(limit.value("percent", json())) >= 100 && limit.value("mode", "") == "hard";
    }
    if (soft == all.size()) {
      Problem("limits", "all " + std::to_string(soft) + " limits that apply are soft: they warn and let through",
              "define them with mode hard");
    }
    if (exceeded > 0) {
      Problem("limits", std::to_string(exceeded) + " hard limits have reached their cap, and facts still come",
              "limits refuse who asks: see that the host asks (admit, reserve or lease) before it executes, and heeds "
              "the answer; what is not asked for is counted all the same");
    }
    if (exceeded == 0 && soft < all.size())
      Fine("limits", std::to_string(all.size()) + " apply, none has reached its cap");
  }

  void LookAtWebhooks() {
    json webhooks = Get("/v1/admin/webhooks");
    if (!webhooks.is_object()) return Problem("webhooks", failure_.message, "ask again once the daemon is ready");
    for (const json& one : webhooks.value("webhooks", json::array())) {
      std::string name = CellOf(one, "name");
      if (!one.value("failing_since", json()).is_null()) {
        Problem("webhooks",
                name + " does not take alerts since " + CellOf(one, "failing_since") + ": " + CellOf(one, "error"),
                "see that the address answers 2xx; it is tried again at " + CellOf(one, "next_try_at"));
      }
      if (Number(one, "dead_letters") > 0) {
        Problem("webhooks", name + " has " + CellOf(one, "dead_letters") + " dead letters",
                "odometer webhooks dead-letters " + name + "; odometer webhooks resend " + name + " --all");
      }
    }
  }

  void LookForDrift() {
    Failure failure;
    std::optional<AuditResult> result = AuditNow({.data_dir = flags_.data_dir}, context_, &failure);
    if (!result) return Problem("drift", failure.message, "mend that, and audit again");
    uint64_t drift = result->report.difference_count;
    if (drift == 0) return Fine("drift", "0: every figure is what the log folds to");
    Problem("drift", std::to_string(drift) + " figures are not what the log folds to",
            "odometer audit --data-dir " + flags_.data_dir +
                " names each with its offsets: keep the directory, report it; "
                "moving DIR/state away folds the log anew");
  }

  const DoctorFlags& flags_;
  Context& context_;
  HttpClient client_;
  Failure failure_;
  std::vector<Finding> findings_;
};

int Run(const DoctorFlags& flags, Context& context) {
  if (flags.is_audit && flags.data_dir.empty()) return context.Fail({kExitUsage, "--audit needs --data-dir"});
  std::vector<Finding> findings = Doctor(flags, context).Examine();
  int problems = 0;
  ordered_json answer = {{"healthy", true}, {"findings", ordered_json::array()}};
  for (const Finding& finding : findings) {
    problems += finding.is_problem;
    answer["findings"].push_back({{"check", finding.check}, {"problem", finding.is_problem}, {"what", finding.what}});
    if (finding.is_problem) answer["findings"].back()["next"] = finding.next;
    if (context.json) continue;
    *context.out << (finding.is_problem ? "PROBLEM  " : "ok       ") << finding.check << ": "
                 << Shown(finding.what, 300) << "\n";
    if (finding.is_problem) *context.out << "         next: " << finding.next << "\n";
  }
  answer["healthy"] = problems == 0;
  if (context.json) *context.out << Dumped(answer) << "\n";
  return problems == 0 ? kExitFine : kExitDrift;
}

}  // namespace

void RegisterDoctorVerb(::CLI::App& app, Context& context) {
  auto flags = std::make_shared<DoctorFlags>();
  ::CLI::App* doctor = app.add_subcommand("doctor", "What is wrong, why, and what to do next");
  doctor->add_option("--user", flags->user, "Why this one's figures or limits are not what is expected");
  doctor->add_option("--project", flags->project, "Likewise");
  doctor->add_option("--data-dir", flags->data_dir, "Of the daemon: who holds it, when nobody answers");
  doctor->add_flag("--audit", flags->is_audit, "Fold the log of --data-dir again, and look for drift");
  doctor->callback([flags, &context] { context.exit_code = Run(*flags, context); });
  doctor->footer("Exit code 0: nothing found, 1: something.\n\nExample:\n  odometer doctor --user ann");
}

}  // namespace odometer::cli
