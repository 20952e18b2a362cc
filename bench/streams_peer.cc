#include "bench/streams_peer.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "bench/die.h"

extern char** environ;

namespace odometer {
namespace {

double NumberIn(const std::string& json, const std::string& name) {
  size_t at = json.find("\"" + name + "\":");
  return at == std::string::npos ? 0 : std::strtod(json.c_str() + at + name.size() + 3, nullptr);
}

// What it wrote until its end, and what it took.
std::pair<std::string, rusage> RunToItsEnd(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe(ends) != 0) Die("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  pid_t pid = -1;
  if (posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ) != 0)
    Die(words[0] + " does not start");
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string answer;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) answer.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  rusage usage{};
  wait4(pid, &status, 0, &usage);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) Die("the Kafka Streams program failed: " + answer);
  return {answer, usage};
}

}  // namespace

StreamsRun RunStreamsPeer(const StreamsJob& job) {
  std::filesystem::remove_all(job.state_dir);
  auto [answer, usage] = RunToItsEnd({"java", "-Xms3g", "-Xmx3g", "-XX:+UseG1GC",
                                      "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp",
                                      "build/streams/classes:build/streams/lib/*", "odometer.bench.StreamsPeer",
                                      job.bootstrap, job.topic, job.state_dir, job.application_id,
                                      std::to_string(job.sums.turns), std::to_string(job.sums.input),
                                      std::to_string(job.sums.output), std::to_string(job.sums.cost_nano_usd)});
  return {NumberIn(answer, "events_per_s"), NumberIn(answer, "cpu_us_per_event"),
          static_cast<uint64_t>(usage.ru_maxrss) * 1024};
}

}  // namespace odometer
