// odometerd: one daemon over one data directory: the embedded log, its folds, and the HTTP API.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>
#include <sstream>

#include "consumers/config.h"
#include "consumers/daemon.h"
#include "consumers/http/json_writer.h"
#include "consumers/http/problem.h"
#include "consumers/http/routes.h"
#include "consumers/http/server.h"
#include "consumers/logging.h"
#include "consumers/webhooks.h"

#ifndef ODOMETER_VERSION
#define ODOMETER_VERSION "0.1.0"
#endif

extern char** environ;

namespace odometer {
namespace {

constexpr int kExitFine = 0;
constexpr int kExitUsage = 2;
constexpr int kExitFailed = 3;
constexpr int kExitBadData = 5;
constexpr time_t kOpenEveryS = 1;

int Complain(const std::string& what, int exit_code) {
  std::cerr << "odometerd: " << what << std::endl;
  return exit_code;
}

// What a supervisor can do about it: 3 may pass by itself, 5 needs somebody to look, 2 another command line.
int ExitCodeOf(const Status& status) {
  bool locked = status.code() == Code::kConflict && status.message().find("another daemon") != std::string::npos;
  if (locked) return kExitFailed;
  if (status.code() == Code::kCorrupt || status.code() == Code::kConflict || status.code() == Code::kOutdated)
    return kExitBadData;
  return status.code() == Code::kInvalid ? kExitUsage : kExitFailed;
}

struct CommandLine {
  std::string config_file;
  std::vector<std::pair<std::string, std::string>> flags;
  bool show_config = false;
  bool with_origin = false;
};

Result<ConfigSources> Sources(const CommandLine& line) {
  ConfigSources sources;
  sources.flags = line.flags;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    std::string_view text(*variable);
    size_t equals = text.find('=');
    if (text.rfind("ODOMETER_", 0) != 0 || equals == std::string_view::npos) continue;
    sources.environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (line.config_file.empty()) return sources;
  std::ifstream file(line.config_file);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Status(Code::kInvalid, "config: cannot read " + line.config_file);
  sources.file_name = line.config_file;
  sources.file_text = text.str();
  return sources;
}

// Where the daemon serves, for programs that start it with port 0.
class AddressFile {
 public:
  // Removes what a daemon that was killed left behind; the caller holds the directory's lock.
  explicit AddressFile(const std::string& data_dir) : path_(data_dir + "/http.address") { Remove(); }
  ~AddressFile() { Remove(); }

  Status Write(const std::string& address) {
    std::string fresh = path_ + ".tmp";
    std::ofstream file(fresh, std::ios::trunc);
    file << address << "\n";
    file.close();
    std::error_code failed;
    if (file) std::filesystem::rename(fresh, path_, failed);
    if (!file || failed) return Status(Code::kIo, "cannot write " + path_);
    return Status::Ok();
  }

 private:
  void Remove() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string path_;
};

// Signals are blocked in every thread and taken here. 0: none came in so many seconds; 0 seconds waits for ever.
int WaitForSignal(time_t seconds) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  timespec wait{seconds, 0};
  int signal = 0;
  do {
    signal = seconds == 0 ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &wait);
  } while (signal < 0 && errno == EINTR);
  return std::max(signal, 0);
}

void BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

DaemonOptions OptionsOf(const DaemonConfig& config, LogLines& lines) {
  DaemonOptions options;
  options.data_dir = config.data_dir;
  options.partitions = config.log_partitions;
  options.owned = config.partitions;
  options.log_url = config.log_url;
  options.fsync = config.fsync;
  options.runner.projection.memory_bytes_max = config.memory_mib << 20;
  options.runner.asks_linger_us = 200'000;
  options.runner.log = [&lines](const char* level, const std::string& text) { lines.Write(level, text); };
  return options;
}

bool IsLoopback(const std::string& host) { return host.rfind("127.", 0) == 0 || host == "::1"; }

// Who answers: the API, or until there is a log to answer from, what is waited for.
class Front {
 public:
  HttpResponse Handle(const HttpRequest& request) {
    if (Api* api = api_) return api->Handle(request);
    if (request.target == "/livez") return {200, "application/json", "{\"live\":true}", {}};
    std::lock_guard lock(mutex_);
    if (request.target == "/readyz") return NotReady(waiting_for_);
    return ToResponse({503, "starting", "odometerd waits for its log: " + waiting_for_, 1}, request.target, "");
  }
  bool IsInstant(const HttpRequest& request) const {
    const Api* api = api_;
    return api == nullptr || api->IsInstant(request);
  }
  bool Begin(HttpRequest& request, const HttpReply& reply) {
    Api* api = api_;
    return api != nullptr && api->Begin(request, reply);
  }
  void EndRound() {
    if (Api* api = api_) api->EndRound();
  }
  HttpResponse Refuse(int status, std::string_view detail) {
    if (Api* api = api_) return api->Refuse(status, detail);
    return ToResponse({status, std::string(DefaultKind(status)), std::string(detail), 0}, "", "");
  }
  void WaitFor(const std::string& what) {
    std::lock_guard lock(mutex_);
    waiting_for_ = what;
  }
  void Answer(Api& api) { api_ = &api; }

 private:
  static HttpResponse NotReady(const std::string& detail) {
    JsonWriter json;
    json.Object().Key("ready").Bool(false).Field("failing_step", "poll").Field("detail", detail).End();
    return JsonResponse(json, 503);
  }

  std::atomic<Api*> api_ = nullptr;
  std::mutex mutex_;
  std::string waiting_for_;
};

Result<std::unique_ptr<HttpServer>> StartServer(const DaemonConfig& config, Front& front) {
  HttpServerOptions options;
  options.host = config.listen_host;
  options.port = config.listen_port;
  options.handler = [&front](const HttpRequest& request) { return front.Handle(request); };
  options.refuse = [&front](int status, std::string_view detail) { return front.Refuse(status, detail); };
  options.is_instant = [&front](const HttpRequest& request) { return front.IsInstant(request); };
  options.begin = [&front](HttpRequest& request, const HttpReply& reply) { return front.Begin(request, reply); };
  options.end_round = [&front] { front.EndRound(); };
  return HttpServer::Start(std::move(options), SystemClock());
}

// One run of the daemon, from its settings to its exit code.
class Service {
 public:
  explicit Service(const LoadedConfig& loaded)
      : config_(loaded.config),
        lines_(SystemClock(), config_.log_format == "json" ? LogFormat::kJson : LogFormat::kText, config_.log_level) {
    for (const std::string& variable : loaded.unknown_variables)
      lines_.Write("warn", "config: " + variable + " is not a setting of odometerd");
  }

  int Run() {
    BlockSignals();
    if (Status locked = LockCopy(); !locked.ok()) return CannotOpen(locked);
    Result<std::unique_ptr<Daemon>> daemon = Daemon::Open(OptionsOf(config_, lines_), SystemClock());
    if (!daemon.ok() && IsWorthWaiting(daemon.status())) return RunOnceThereIsALog(daemon.status());
    if (!daemon.ok()) return CannotOpen(daemon.status());
    return RunWith(**daemon);
  }

 private:
  // An embedded log has its own lock; a copy's directory is this process's while it waits for the broker, too.
  Status LockCopy() {
    if (config_.log_url.empty()) return Status::Ok();
    std::string directory = config_.data_dir + "/log";
    ODOMETER_RETURN_IF_ERROR(PosixFileSystem().CreateDirectories(directory));
    Result<std::unique_ptr<File>> lock = PosixFileSystem().Lock(directory + "/lock");
    if (lock.ok()) lock_ = std::move(*lock);
    if (lock.status().code() == Code::kConflict)
      return Status(Code::kConflict, directory + ": another daemon has this log open");
    return lock.status();
  }
  bool IsWorthWaiting(const Status& status) const {
    return !config_.log_url.empty() && status.code() == Code::kUnavailable;
  }
  int CannotOpen(const Status& status) {
    return Complain("cannot open " + config_.data_dir + ": " + status.ToString(), ExitCodeOf(status));
  }

  // No broker answers: serves that, and tries again until one does.
  int RunOnceThereIsALog(Status why) {
    if (int failed = Listen(); failed != kExitFine) return failed;
    for (;;) {
      front_.WaitFor(why.message());
      lines_.Write("warn", "step=poll waiting for the log: " + why.ToString());
      if (WaitForSignal(kOpenEveryS) != 0) return Stop(nullptr, nullptr);
      Result<std::unique_ptr<Daemon>> daemon = Daemon::Open(OptionsOf(config_, lines_), SystemClock());
      if (daemon.ok()) return RunWith(**daemon);
      if (!IsWorthWaiting(daemon.status())) return CannotOpen(daemon.status());
      why = daemon.status();
    }
  }

  int RunWith(Daemon& daemon) {
    auto log = [this](const char* level, const std::string& text) { lines_.Write(level, text); };
    Result<std::unique_ptr<Webhooks>> webhooks =
        Webhooks::Open(config_.webhooks, daemon, config_.data_dir + "/webhooks", log);
    if (!webhooks.ok()) return CannotOpen(webhooks.status());
    daemon.Start();
    (*webhooks)->Start();
    ApiOptions api_options;
    api_options.webhooks = webhooks->get();
    api_options.raw_records = config_.raw_records;
    api_options.log = log;
    Api api(daemon, std::move(api_options));
    front_.Answer(api);
    if (server_ == nullptr) {
      if (int failed = Listen(); failed != kExitFine) {
        if (server_ != nullptr) server_->Stop();  // before the API that it calls goes
        return failed;
      }
    }
    lines_.Write("info",
                 fmt::format("serving address={} log={} log_partitions={} partitions={} durability={}",
                             server_->address(), config_.log_url.empty() ? "embedded" : config_.log_url,
                             daemon.partitions(), ShowPartitions(daemon.owned()), config_.fsync ? "fsync" : "written"));
    WaitForSignal(0);
    (*webhooks)->Stop();
    return Stop(&api, &daemon);
  }

  int Listen() {
    Result<std::unique_ptr<HttpServer>> server = StartServer(config_, front_);
    if (!server.ok())
      return Complain(server.status().ToString(), server.status().code() == Code::kInvalid ? kExitUsage : kExitFailed);
    server_ = std::move(*server);
    if (!IsLoopback(config_.listen_host))
      lines_.Write("warn",
                   "listening beyond this machine: there are no keys yet, whoever reaches it may read and write all");
    address_.emplace(config_.data_dir);
    Status written = address_->Write(server_->address());
    return written.ok() ? kExitFine : Complain(written.message(), kExitFailed);
  }

  int Stop(Api* api, Daemon* daemon) {
    lines_.Write("info", "stopping");
    if (api != nullptr) api->StopWaiting();
    server_->Stop();
    Status stopped = daemon != nullptr ? daemon->Stop() : Status::Ok();
    if (!stopped.ok()) return Complain("the last commit failed: " + stopped.ToString(), kExitFailed);
    lines_.Write("info", "stopped");
    return kExitFine;
  }

  const DaemonConfig config_;
  LogLines lines_;
  Front front_;
  std::unique_ptr<File> lock_;
  std::optional<AddressFile> address_;
  std::unique_ptr<HttpServer> server_;
};

void AddFlags(CLI::App& app, CommandLine& line) {
  auto setting = [&](const char* flag, const char* name, const char* help, const char* type) {
    app.add_option_function<std::string>(
           flag, [&line, name](const std::string& value) { line.flags.emplace_back(name, value); }, help)
        ->type_name(type);
  };
  app.add_option("--config", line.config_file, "Settings from a TOML file")->type_name("FILE");
  setting("--data-dir", "data_dir", "Where the log and the state live (required)", "DIR");
  setting("--listen", "listen", "Where to serve HTTP; port 0 takes a free one [127.0.0.1:8780]", "HOST:PORT");
  setting("--log", "log", "embedded, or kafka://HOST:PORT[,HOST:PORT][/TOPIC] [embedded]", "LOG");
  setting("--log-partitions", "log_partitions",
          "How many a new log gets; 0 takes an old one as it is, and 8 for a new one [0]", "N");
  setting("--partitions", "partitions", "Which of them to own, such as 0,2-3 [all]", "LIST");
  CLI::Option* fsync = app.add_flag_callback(
      "--fsync", [&line] { line.flags.emplace_back("durability", "fsync"); },
      "An accepted event survives power loss (default)");
  app.add_flag_callback(
         "--written", [&line] { line.flags.emplace_back("durability", "written"); },
         "An accepted event survives the end of the process, not power loss")
      ->excludes(fsync);
  setting("--memory-mib", "memory_mib", "Memory for rows, over all partitions [1024]", "N");
  app.add_flag_callback(
      "--raw-records", [&line] { line.flags.emplace_back("raw_records", "true"); },
      "Take POST /v1/admin/records: foreign logs, and tests");
  setting("--log-level", "log_level", "debug, info, warn, error or off [info]", "LEVEL");
  setting("--log-format", "log_format", "text or json [text]", "FORMAT");
}

int Main(int argc, char** argv) {
  CLI::App app("odometerd: takes usage events, folds them, answers what was used", "odometerd");
  CommandLine line;
  AddFlags(app, line);
  app.set_version_flag("--version", "odometerd " ODOMETER_VERSION);
  CLI::App* config = app.add_subcommand("config", "Settings");
  config->require_subcommand(1);
  CLI::App* show = config->add_subcommand("show", "Print the settings in force, as a file that --config takes");
  show->add_flag("--origin", line.with_origin, "And where each comes from");
  show->callback([&line] { line.show_config = true; });
  app.fallthrough();
  config->fallthrough();
  app.footer(
      "Every setting is also ODOMETER_NAME in the environment and `name` in the file: flags > environment > file.\n"
      "Who is told of alerts stands in [[webhooks]] of the file alone: docs/operating.md.\n"
      "DIR/http.address holds the address while it serves.\n\n"
      "Examples:\n"
      "  odometerd --data-dir data\n"
      "  odometerd --data-dir data --listen 127.0.0.1:0 --written --log-format json\n"
      "  odometerd --data-dir data --log kafka://127.0.0.1:9092\n"
      "  odometerd --data-dir half --log kafka://127.0.0.1:9092 --partitions 0-3\n"
      "  odometerd --config odometer.toml config show --origin");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitUsage;
  }
  Result<ConfigSources> sources = Sources(line);
  if (!sources.ok()) return Complain(sources.status().message(), kExitUsage);
  Result<LoadedConfig> loaded = LoadConfig(*sources);
  if (!loaded.ok()) return Complain(loaded.status().message(), kExitUsage);
  if (!line.show_config) return Service(*loaded).Run();
  std::cout << ShowConfig(*loaded, line.with_origin);
  return kExitFine;
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) { return odometer::Main(argc, argv); }
