// bench/measure.h: wall time, CPU time and medians.
#pragma once

#include <chrono>
#include <vector>

namespace odometer {

double Seconds(std::chrono::steady_clock::time_point since);
double CpuSeconds();  // of this process, all threads
double Median(std::vector<double> values);

}  // namespace odometer
