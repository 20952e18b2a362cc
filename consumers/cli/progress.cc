#include "consumers/cli/progress.h"

#include <algorithm>

#include "consumers/cli/output.h"

namespace odometer::cli {

Progress::Progress(std::ostream& out, bool is_terminal, std::string title, uint64_t total, Clock& clock)
    : out_(out),
      is_terminal_(is_terminal),
      title_(std::move(title)),
      total_(total),
      clock_(clock),
      started_us_(clock.MonotonicUs()),
      written_us_(started_us_) {}

void Progress::Update(uint64_t count, uint64_t done) {
  int64_t now = clock_.MonotonicUs();
  if (now - written_us_ < (is_terminal_ ? kUsPerSecond / 5 : 5 * kUsPerSecond)) return;
  written_us_ = now;
  std::string line = Line(count, done, now - started_us_);
  if (is_terminal_) {
    out_ << "\r" << line << "\033[K" << std::flush;
    has_line_ = true;
  } else {
    out_ << line << "\n" << std::flush;
  }
}

void Progress::Finish() {
  if (has_line_) out_ << "\r\033[K" << std::flush;
  has_line_ = false;
}

std::string Progress::Line(uint64_t count, uint64_t done, int64_t elapsed_us) const {
  auto elapsed = static_cast<uint64_t>(std::max<int64_t>(elapsed_us, 1));
  std::string line = title_ + ": " + Grouped(static_cast<int64_t>(count)) + " rows, " +
                     Grouped(static_cast<int64_t>(count * 1'000'000 / elapsed)) + "/s";
  if (total_ == 0 || done == 0) return line;
  uint64_t known = std::min(done, total_);
  uint64_t left_s = elapsed / 1000 * (total_ - known) / known / 1000;
  return line + ", " + std::to_string(known * 100 / total_) + " %, " + std::to_string(left_s) + " s left";
}

}  // namespace odometer::cli
