// bench/feeder.h: Feeder, encoded events through the raw door of a daemon in batches of 1,000, by partition; and what
// its /metrics say.
//
//   Feeder feeder(served.url(), 8);
//   feeder.Add(partition, traffic.Next());
//   feeder.Flush();
//   WaitUntilFolded(client, 300);
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "consumers/cli/http_client.h"

namespace odometer {

class Feeder {
 public:
  Feeder(std::string url, uint32_t partitions)
      : client_({.server = std::move(url), .tenant = "default"}), batches_(partitions), ends_(partitions) {}
  // Ends the program when a batch is refused.
  void Add(uint32_t partition, std::string_view bytes);
  void Flush();
  // The offset after the last acknowledged record, by partition; 0 where there was none.
  const std::vector<uint64_t>& ends() const { return ends_; }
  uint64_t sent() const { return sent_; }

 private:
  struct Batch {
    std::string body;
    size_t count = 0;
  };
  void Send(uint32_t partition);

  cli::HttpClient client_;
  std::vector<Batch> batches_;
  std::vector<uint64_t> ends_;
  uint64_t sent_ = 0;
};

struct LineMetrics {
  uint64_t cursor = 0, end = 0;  // summed over partitions
  uint64_t commits = 0, row_bytes = 0, rows = 0;
  double commit_seconds = 0;
  uint64_t lag() const { return end - cursor; }
};
// Ends the program when /metrics does not answer.
LineMetrics AskMetrics(cli::HttpClient& client);
// Ends the program when the lag is not 0 within so many seconds.
LineMetrics WaitUntilFolded(cli::HttpClient& client, int seconds);

}  // namespace odometer
