#include "bench/traffic.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/placement.h"

namespace odometer {

Traffic::Traffic(const TrafficOptions& options)
    : options_(options),
      state_(options.seed * 0x9e3779b97f4a7c15 + 1),
      now_us_(options.start_us),
      turns_(options.users) {
  for (uint32_t i = 0; i < options.tenants; ++i) tenants_.push_back(fmt::format("tenant-{:02}", i));
  if (!options.zipf) return;
  // Weight of rank r is 1/r: a ladder of a million rungs is close enough, and integers only.
  constexpr double kRungs = 1'000'000;
  double sum = 0;
  for (uint32_t rank = 1; rank <= options.users; ++rank) sum += 1.0 / rank;
  for (uint32_t rank = 1; rank <= options.users; ++rank) {
    auto rungs = static_cast<uint32_t>(kRungs / sum / rank + 0.5);
    ladder_.insert(ladder_.end(), std::max(rungs, 1u), rank - 1);
  }
}

uint64_t Traffic::Random() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint32_t Traffic::PickUser() {
  return options_.zipf ? ladder_[Random() % ladder_.size()] : static_cast<uint32_t>(Random() % options_.users);
}

std::string Traffic::Next() {
  static const char* const kModels[] = {"gpt-4o", "gpt-4o-mini", "claude-sonnet", "llama-70b"};
  uint32_t user = PickUser();
  const std::string& tenant = tenants_[user % tenants_.size()];
  uint32_t slot = SlotOf(tenant);
  uint64_t seq = ++next_seq_[slot];
  now_us_ += options_.step_us;
  std::string name = fmt::format("user-{:07}", user);
  std::string session = fmt::format("session-{:07}-{}", user, turns_[user]++ / options_.session_turns);
  event_.type = EventType::kTurnRecorded;
  for (int i = 0; i < 2; ++i) {
    uint64_t word = Random();
    for (int b = 0; b < 8; ++b) event_.id.bytes[static_cast<size_t>(i * 8 + b)] = static_cast<uint8_t>(word >> (8 * b));
  }
  event_.id_kind = IdKind::kMinted;
  event_.tenant = tenant;
  event_.event_time = EventTime{now_us_};
  event_.source = "bench";
  ProducerStamp stamp;
  stamp.id.bytes[0] = 7;
  stamp.epoch = 1;
  stamp.slot = slot;
  stamp.seq = seq;
  event_.producer = stamp;
  Turn& turn = event_.turn;
  turn.user = name;
  turn.session = session;
  turn.turn_number = seq;
  turn.provider = "openai";
  turn.model_requested = kModels[Random() % 4];
  turn.tokens.input_uncached = static_cast<int64_t>(Random() % 4000);
  turn.tokens.output = static_cast<int64_t>(Random() % 900);
  turn.llm_calls = 1;
  turn.duration_us = static_cast<int64_t>(Random() % 8'000'000);
  turn.provided_cost_nano_usd = static_cast<int64_t>(Random() % 40'000'000);
  turn.service = "chat";
  turn.operation = "completion";
  return Encode(event_);
}

}  // namespace odometer
