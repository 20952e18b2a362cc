#include "bench/measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace odometer {

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double StolenSeconds() {
  std::ifstream file("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft_irq = 0, stolen = 0;
  file >> name >> user >> nice >> system >> idle >> waiting >> irq >> soft_irq >> stolen;
  return stolen / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Percentile(std::vector<double> values, int percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() * static_cast<size_t>(percent) / 100, values.size() - 1)];
}

uint64_t ResidentBytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t OpenFiles(pid_t pid) {
  std::error_code gone;
  std::filesystem::directory_iterator files("/proc/" + std::to_string(pid) + "/fd", gone);
  return gone ? 0 : static_cast<uint64_t>(std::distance(begin(files), end(files)));
}

uint64_t BytesUnder(const std::string& directory, const std::string& extension) {
  uint64_t bytes = 0;
  std::error_code gone;
  for (std::filesystem::recursive_directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    std::error_code vanished;
    if (!at->is_regular_file(vanished)) continue;
    if (!extension.empty() && at->path().extension() != extension) continue;
    uint64_t size = at->file_size(vanished);
    if (!vanished) bytes += size;
  }
  return bytes;
}

}  // namespace odometer
