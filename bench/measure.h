// bench/measure.h: wall time, CPU time, medians; the memory, files and disk of a process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace odometer {

double Seconds(std::chrono::steady_clock::time_point since);
double CpuSeconds();  // of this process, all threads
// CPU time that the host of this virtual machine has given to others while a core here had work to do, of all cores
// since it began; in ticks of 10 ms. What wall time lost by it says nothing of a program.
double StolenSeconds();
double Median(std::vector<double> values);
double Percentile(std::vector<double> values, int percent);  // 0 of none

uint64_t ResidentBytes(pid_t pid);
uint64_t OpenFiles(pid_t pid);
// Of all files below, or of those with this extension; those that vanish meanwhile are left out.
uint64_t BytesUnder(const std::string& directory, const std::string& extension = "");

}  // namespace odometer
