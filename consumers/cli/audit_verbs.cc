// audit, replay and digest: what the log folds to, and whether the daemon's figures are that.
#include "consumers/cli/audit_verbs.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "consumers/cli/http_client.h"
#include "consumers/cli/output.h"
#include "consumers/cli/progress.h"
#include "consumers/cli/verbs.h"
#include "consumers/refold.h"
#include "core/placement.h"
#include "log/local_log.h"
#include "state/keys.h"

namespace odometer::cli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct ReplayFlags {
  std::string data_dir;
  std::string into;
  std::string work_dir;
  size_t batch = 4096;
  uint64_t memory_mib = 512;
};

struct DigestFlags {
  std::string data_dir;
  std::string at;
  std::string work_dir;
  bool one_tenant = false;
};

std::string WorkDirectory(const std::string& asked, const std::string& verb) {
  if (!asked.empty()) return asked;
  std::error_code ignored;
  return (std::filesystem::temp_directory_path(ignored) / ("odometer-" + verb + "-" + std::to_string(::getpid())))
      .string();
}

}  // namespace

std::optional<std::string> DaemonOf(const std::string& data_dir) {
  std::ifstream file(data_dir + "/http.address");
  std::string address;
  if (!(file >> address)) return std::nullopt;
  return "http://" + address;
}

namespace {

// A running daemon's stores are copied at their last commit; answers where to. nullopt: nobody runs there.
std::optional<std::string> LiveCheckpoint(const std::string& data_dir, const Context& context, Failure* failure) {
  std::optional<std::string> server = DaemonOf(data_dir);
  if (!server) return std::nullopt;
  HttpClient client({.server = *server, .tenant = context.tenant});
  Result<HttpResponse> response = client.Post("/v1/admin/checkpoint", "{}", "application/json");
  if (!response.ok()) return std::nullopt;  // the file is of a daemon that was killed
  if (response->status / 100 != 2) {
    *failure = FailureOf(*response);
    return std::nullopt;
  }
  json answer = json::parse(response->body, nullptr, false);
  if (!answer.is_object() || !answer.value("directory", json()).is_string()) {
    *failure = {kExitBadData, "the daemon's answer to a checkpoint names no directory"};
    return std::nullopt;
  }
  return answer["directory"].get<std::string>();
}

ordered_json ToJson(const Difference& difference) {
  return {{"place", difference.place},
          {"tenant", difference.tenant},
          {"subject", difference.subject},
          {"field", difference.field},
          {"stored", difference.stored},
          {"folded", difference.folded},
          {"first_offset", difference.first_offset},
          {"next_offset", difference.next_offset}};
}

// "8", or "2 of 8".
std::string OfPartitions(size_t covered, size_t all) {
  return covered == all ? std::to_string(all) : std::to_string(covered) + " of " + std::to_string(all);
}

void PrintAudit(const AuditResult& result, Context& context) {
  const AuditReport& report = result.report;
  bool match = report.difference_count == 0;
  if (context.json) {
    ordered_json answer{{"match", match},
                        {"drift", report.difference_count},
                        {"records", result.records},
                        {"partitions", result.log_partitions},
                        {"rows", report.rows},
                        {"fields", report.fields},
                        {"other_rows", report.other_rows},
                        {"stored_digest", result.stored_digest},
                        {"folded_digest", result.folded_digest}};
    answer["positions"] = ordered_json::array();
    for (const Position& position : result.positions) answer["positions"].push_back(position.ToToken());
    answer["differences"] = ordered_json::array();
    for (const Difference& difference : report.differences) answer["differences"].push_back(ToJson(difference));
    *context.out << Dumped(answer) << "\n";
    return;
  }
  for (const Difference& d : report.differences) {
    *context.out << "drift: " << Shown(d.place, 200) << " " << Shown(d.field, 120) << ": stored "
                 << Shown(d.stored, 200) << ", folded " << Shown(d.folded, 200) << "; look at offsets "
                 << d.first_offset << " to " << d.next_offset << "\n";
  }
  *context.out << "audit: " << Grouped(static_cast<int64_t>(result.records)) << " records of "
               << OfPartitions(result.positions.size(), result.log_partitions) << " partitions folded again, "
               << Grouped(static_cast<int64_t>(report.rows)) << " rows with "
               << Grouped(static_cast<int64_t>(report.fields)) << " fields and "
               << Grouped(static_cast<int64_t>(report.other_rows)) << " positional and derived rows compared\n"
               << "drift " << Grouped(static_cast<int64_t>(report.difference_count))
               << (match ? ": every figure is what the log folds to" : "") << "\n";
}

}  // namespace

std::optional<AuditResult> AuditNow(const AuditFlags& flags, Context& context, Failure* failure) {
  AuditRequest request;
  request.data_dir = flags.data_dir;
  request.store_dir = flags.store;
  request.work_dir = WorkDirectory(flags.work_dir, "audit");
  if (!flags.user.empty()) request.user = flags.user;
  std::optional<std::string> checkpoint;
  if (flags.store.empty()) {
    failure->message.clear();
    checkpoint = LiveCheckpoint(flags.data_dir, context, failure);
    if (!failure->message.empty()) return std::nullopt;
    if (checkpoint) request.store_dir = *checkpoint;
  }
  Progress progress(*context.err, ::isatty(STDERR_FILENO) != 0, "audit", 0, SystemClock());
  Result<AuditResult> result = Audit(request, [&](uint64_t folded, uint64_t) { progress.Update(folded, 0); });
  progress.Finish();
  if (checkpoint) {
    std::error_code ignored;
    std::filesystem::remove_all(*checkpoint, ignored);
  }
  if (result.ok()) return *std::move(result);
  *failure = FailureOf(result.status());
  return std::nullopt;
}

namespace {

int RunAudit(const AuditFlags& flags, Context& context) {
  Failure failure;
  std::optional<AuditResult> result = AuditNow(flags, context, &failure);
  if (!result) return context.Fail(failure);
  PrintAudit(*result, context);
  return result->report.difference_count == 0 ? kExitFine : kExitDrift;
}

Result<std::unique_ptr<LocalLog>> OpenLog(const std::string& data_dir) {
  LocalLog::Options options;
  options.read_only = true;
  return LocalLog::Open(PosixFileSystem(), SystemClock(), data_dir + "/log", options);
}

// Holds and leases that are open at the end of the log, of all tenants.
Result<uint64_t> OpenHolds(const View& view) {
  std::string due = KeyBuilder().Begin(RowKind::kHoldDue).str();
  uint64_t open = 0;
  ODOMETER_RETURN_IF_ERROR(view.Scan(due, PrefixEnd(due), [&](auto, auto) {
    ++open;
    return true;
  }));
  return open;
}

struct Removed {
  std::string path;
  ~Removed() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
};

int RunReplay(const ReplayFlags& flags, Context& context) {
  Result<std::unique_ptr<LocalLog>> log = OpenLog(flags.data_dir);
  if (!log.ok()) return context.Fail(FailureOf(log.status()));
  std::string into = flags.into.empty() ? WorkDirectory(flags.work_dir, "replay") : flags.into;
  Removed removed{flags.into.empty() ? into : ""};
  std::error_code ignored;
  std::filesystem::create_directories(into, ignored);
  std::vector<std::shared_ptr<const View>> views;
  uint64_t applied = 0, duplicate = 0, quarantined = 0, open_holds = 0;
  Progress progress(*context.err, ::isatty(STDERR_FILENO) != 0, "replay", 0, SystemClock());
  for (uint32_t partition = 0; partition < (*log)->partitions(); ++partition) {
    if (!(*log)->holds(partition)) continue;  // another daemon's
    RefoldOptions options;
    options.path = PartitionPath(into, partition);
    options.batch_records = flags.batch;
    options.memory_bytes_max = flags.memory_mib << 20;
    options.commit_every_record = flags.memory_mib == 0;
    Result<std::unique_ptr<Store>> store =
        Refold(**log, partition, options, [&](uint64_t folded, uint64_t) { progress.Update(folded, 0); });
    if (!store.ok()) return context.Fail(FailureOf(store.status()));
    const MetaRow& meta = (*store)->meta();
    applied += meta.applied_total();
    duplicate += meta.duplicate;
    quarantined += meta.quarantined_total();
    views.push_back((*store)->NewView());
    Result<uint64_t> open = OpenHolds(*views.back());
    if (!open.ok()) return context.Fail(FailureOf(open.status()));
    open_holds += *open;
  }
  progress.Finish();
  Result<StateDigests> digests = ComputeDigests(views, std::nullopt);
  if (!digests.ok()) return context.Fail(FailureOf(digests.status()));
  if (context.json) {
    ordered_json answer{{"applied", applied},
                        {"duplicate", duplicate},
                        {"quarantined", quarantined},
                        {"open_holds", open_holds},
                        {"state_digest", digests->state.hex()},
                        {"log_digest", LogDigest(views)},
                        {"into", flags.into}};
    *context.out << Dumped(answer) << "\n";
  } else {
    *context.out << "replay: applied " << applied << ", duplicate " << duplicate << ", quarantined " << quarantined
                 << ", open holds " << open_holds << "\n"
                 << "digest: " << digests->state.hex() << "\n";
  }
  return kExitFine;
}

void PrintDigests(const StateDigests& digests, const json& positions, Context& context) {
  if (context.json) {
    ordered_json answer{
        {"state_digest", digests.state.hex()}, {"positions", positions}, {"tenants", ordered_json::array()}};
    for (const auto& [tenant, digest] : digests.tenants)
      answer["tenants"].push_back({{"tenant", tenant}, {"digest", digest.hex()}});
    *context.out << Dumped(answer) << "\n";
    return;
  }
  for (const auto& [tenant, digest] : digests.tenants)
    *context.out << "tenant " << Shown(tenant) << ": " << digest.hex() << "\n";
  *context.out << "digest: " << digests.state.hex() << "\n";
}

// Of a past position: the partition folded again up to there.
int RunDigestAt(const DigestFlags& flags, Context& context) {
  Result<Position> at = Position::FromToken(flags.at);
  if (!at.ok()) return context.Fail({kExitUsage, "--at: " + at.status().message()});
  Result<std::unique_ptr<LocalLog>> log = OpenLog(flags.data_dir);
  if (!log.ok()) return context.Fail(FailureOf(log.status()));
  if (at->partition >= (*log)->partitions())
    return context.Fail({kExitUsage, "--at: the log has " + std::to_string((*log)->partitions()) + " partitions"});
  if (!(*log)->holds(at->partition))
    return context.Fail({kExitUsage, "--at: that partition is another daemon's; its records are not here"});
  if (at->next_offset > (*log)->partition(at->partition).range().end)
    return context.Fail({kExitUsage, "--at: the log does not reach that far"});
  Removed work{WorkDirectory(flags.work_dir, "digest")};
  std::error_code ignored;
  std::filesystem::create_directories(work.path, ignored);
  RefoldOptions options;
  options.path = PartitionPath(work.path, at->partition);
  options.to = at->next_offset;
  Result<std::unique_ptr<Store>> store = Refold(**log, at->partition, options, nullptr);
  if (!store.ok()) return context.Fail(FailureOf(store.status()));
  std::optional<std::string> tenant = flags.one_tenant ? std::optional<std::string>(context.tenant) : std::nullopt;
  Result<StateDigests> digests = ComputeDigests({(*store)->NewView()}, tenant);
  if (!digests.ok()) return context.Fail(FailureOf(digests.status()));
  PrintDigests(*digests, json::array({at->ToToken()}), context);
  return kExitFine;
}

// Of stores that nobody runs on.
int RunDigestOf(const DigestFlags& flags, Context& context) {
  std::vector<std::shared_ptr<const View>> views;
  json positions = json::array();
  for (uint32_t partition = 0; partition < kSlots; ++partition) {
    if (!std::filesystem::exists(PartitionPath(flags.data_dir + "/state", partition))) continue;
    StoreOptions options;
    options.path = PartitionPath(flags.data_dir + "/state", partition);
    options.read_only = true;
    Result<std::unique_ptr<Store>> store = Store::Open(options);
    if (!store.ok()) return context.Fail(FailureOf(store.status()));
    views.push_back((*store)->NewView());
    positions.push_back(Position{partition, (*store)->cursor()}.ToToken());
  }
  if (views.empty()) return context.Fail({kExitBadData, flags.data_dir + " holds no stores"});
  std::optional<std::string> tenant = flags.one_tenant ? std::optional<std::string>(context.tenant) : std::nullopt;
  Result<StateDigests> digests = ComputeDigests(views, tenant);
  if (!digests.ok()) return context.Fail(FailureOf(digests.status()));
  PrintDigests(*digests, positions, context);
  return kExitFine;
}

int RunDigest(const DigestFlags& flags, Context& context) {
  if (!flags.at.empty()) {
    if (flags.data_dir.empty()) return context.Fail({kExitUsage, "--at needs --data-dir: the log is folded again"});
    return RunDigestAt(flags, context);
  }
  std::string server = context.server;
  if (!flags.data_dir.empty()) {
    std::optional<std::string> running = DaemonOf(flags.data_dir);
    if (!running) return RunDigestOf(flags, context);
    server = *running;
  }
  HttpClient client({.server = server, .tenant = context.tenant});
  Failure failure;
  std::optional<json> answer = GetJson(
      client, "/v1/admin/digest" + (flags.one_tenant ? QueryString({{"tenant", context.tenant}}) : std::string()),
      &failure);
  if (!answer) {
    if (failure.exit_code == kExitUnreachable && !flags.data_dir.empty()) return RunDigestOf(flags, context);
    return context.Fail(failure);
  }
  if (context.json) {
    *context.out << Dumped(*answer) << "\n";
  } else {
    *context.out << "digest: " << (*answer)["state_digest"].get<std::string>() << "\n";
    size_t covered = (*answer)["positions"].size(), all = answer->value("partitions", covered);
    if (!flags.one_tenant && covered != all)
      *context.err << "of " << OfPartitions(covered, all) << " partitions: the daemon owns no more\n";
  }
  return kExitFine;
}

void AddDataDir(::CLI::App* verb, std::string& into, bool required) {
  ::CLI::Option* option =
      verb->add_option("--data-dir", into, "The daemon's data directory")->envname("ODOMETER_DATA_DIR");
  if (required) option->required();
}

}  // namespace

void RegisterAuditVerbs(::CLI::App& app, Context& context) {
  auto audit_flags = std::make_shared<AuditFlags>();
  ::CLI::App* audit = app.add_subcommand("audit", "Fold the log again and compare every figure");
  AddDataDir(audit, audit_flags->data_dir, true);
  audit->add_option("--store", audit_flags->store, "Audit these stores (a checkpoint or a copy), not the daemon's");
  audit->add_option("--user", audit_flags->user, "Only the rows of this user or project");
  audit->add_option("--work-dir", audit_flags->work_dir, "Where to fold; removed at the end");
  audit->footer(
      "Changes nothing. A running daemon is audited at a checkpoint that it makes.\nExit codes: 0 no drift, 1 drift, "
      "each difference named.\n"
      "Examples:\n  odometer audit --data-dir data\n  odometer audit --data-dir data --user ann --json");
  audit->callback([audit_flags, &context] { context.exit_code = RunAudit(*audit_flags, context); });

  auto replay_flags = std::make_shared<ReplayFlags>();
  ::CLI::App* replay = app.add_subcommand("replay", "Fold the log into stores of its own and print their digest");
  AddDataDir(replay, replay_flags->data_dir, true);
  replay->add_option("--into", replay_flags->into, "Keep the stores here; else they are removed");
  replay->add_option("--work-dir", replay_flags->work_dir, "Where to fold when they are not kept");
  replay->add_option("--batch", replay_flags->batch, "Records at a time; the digest does not depend on it")
      ->check(::CLI::Range(1, 65536))
      ->capture_default_str();
  replay->add_option("--memory-mib", replay_flags->memory_mib, "Rows in RAM; 0 writes and evicts after every record")
      ->capture_default_str();
  replay->footer(
      "Examples:\n  odometer replay --data-dir data\n  odometer replay --data-dir data --into refolded --json");
  replay->callback([replay_flags, &context] { context.exit_code = RunReplay(*replay_flags, context); });

  auto digest_flags = std::make_shared<DigestFlags>();
  ::CLI::App* digest =
      app.add_subcommand("digest", "The digest of all figures, or of one tenant's, now or at a position");
  AddDataDir(digest, digest_flags->data_dir, false);
  digest->add_option("--at", digest_flags->at,
                     "At this position (a token such as an answer's \"position\"): that partition's tenants");
  digest->add_option("--work-dir", digest_flags->work_dir, "Where to fold for --at");
  digest->footer(
      "With --tenant: only that tenant's.\nExamples:\n  odometer digest\n  odometer digest --tenant acme --at p3.1042 "
      "--data-dir data");
  digest->callback([digest_flags, &context, &app] {
    digest_flags->one_tenant = app.get_option("--tenant")->count() > 0;
    context.exit_code = RunDigest(*digest_flags, context);
  });
}

}  // namespace odometer::cli
