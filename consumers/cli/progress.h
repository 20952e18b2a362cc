// consumers/cli/progress.h: Progress, how far a long run is: one moving line on a terminal, a line every 5 seconds
// elsewhere.
//
//   Progress progress(std::cerr, isatty(STDERR_FILENO), "code.csv", bytes_total, SystemClock());
//   progress.Update(rows, bytes_done);   // cheap: writes only when it is time to
//   progress.Finish();                   // takes the moving line away
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "core/time.h"

namespace odometer::cli {

class Progress {
 public:
  Progress(std::ostream& out, bool is_terminal, std::string title, uint64_t total, Clock& clock);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t count, uint64_t done);
  void Finish();

 private:
  std::string Line(uint64_t count, uint64_t done, int64_t elapsed_us) const;

  std::ostream& out_;
  bool is_terminal_;
  std::string title_;
  uint64_t total_;  // 0: not known
  Clock& clock_;
  int64_t started_us_;
  int64_t written_us_;
  bool has_line_ = false;
};

}  // namespace odometer::cli
