#include "bench/feeder.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "bench/die.h"

namespace odometer {

namespace {

constexpr size_t kBatchEvents = 1000;

// Of all partitions.
double SumOf(const std::string& metrics, const std::string& name) {
  double sum = 0;
  std::string head = "\n" + name + "{";
  for (size_t at = metrics.find(head); at != std::string::npos; at = metrics.find(head, at + 1))
    sum += std::strtod(metrics.c_str() + metrics.find("} ", at) + 2, nullptr);
  return sum;
}

}  // namespace

void Feeder::Add(uint32_t partition, std::string_view bytes) {
  Batch& batch = batches_[partition];
  uint32_t size = static_cast<uint32_t>(bytes.size());
  for (int shift = 0; shift < 32; shift += 8) batch.body += static_cast<char>(size >> shift);
  batch.body += bytes;
  if (++batch.count == kBatchEvents) Send(partition);
}

void Feeder::Flush() {
  for (uint32_t partition = 0; partition < batches_.size(); ++partition) Send(partition);
}

void Feeder::Send(uint32_t partition) {
  Batch& batch = batches_[partition];
  if (batch.count == 0) return;
  Result<cli::HttpResponse> response =
      client_.Post(fmt::format("/v1/admin/records?partition={}", partition), batch.body, "application/octet-stream");
  if (!response.ok() || response->status != 202)
    Die("records were refused: " + (response.ok() ? response->body : response.status().ToString()));
  std::string position = fmt::format("\"position\":\"p{}.", partition);
  size_t at = response->body.find(position);
  if (at == std::string::npos) Die("an append was answered without a position: " + response->body);
  ends_[partition] = std::strtoull(response->body.c_str() + at + position.size(), nullptr, 10);
  sent_ += batch.count;
  batch.body.clear();
  batch.count = 0;
}

LineMetrics AskMetrics(cli::HttpClient& client) {
  Result<cli::HttpResponse> response = client.Get("/metrics");
  if (!response.ok() || response->status != 200) Die("/metrics does not answer");
  auto count = [&](const char* name) { return static_cast<uint64_t>(SumOf(response->body, name)); };
  LineMetrics metrics;
  metrics.cursor = count("odometer_cursor");
  metrics.end = count("odometer_log_end_offset");
  metrics.commits = count("odometer_commits_total");
  metrics.rows = count("odometer_memory_rows");
  metrics.row_bytes = count("odometer_memory_bytes");
  metrics.commit_seconds = SumOf(response->body, "odometer_commit_seconds_total");
  return metrics;
}

LineMetrics WaitUntilFolded(cli::HttpClient& client, int seconds) {
  for (int i = 0; i < seconds * 20; ++i) {
    LineMetrics metrics = AskMetrics(client);
    if (metrics.end > 0 && metrics.lag() == 0) return metrics;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  Die(fmt::format("what was sent was not folded in {} s", seconds));
}

}  // namespace odometer
