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
  for (uint32_t i = 0; i < options.tenants; ++i)
    tenants_.push_back(fmt::format("{}{:02}", options.lean ? "t" : "tenant-", i));
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
  uint32_t user = PickUser();
  bool is_operation = options_.vector_percent > 0 && Random() % 100 < options_.vector_percent;
  Stamp(tenants_[user % tenants_.size()]);
  return is_operation ? NextOperation(user) : NextTurn(user);
}

void Traffic::Stamp(const std::string& tenant) {
  now_us_ += options_.step_us;
  for (int i = 0; i < 2; ++i) {
    uint64_t word = Random();
    for (int b = 0; b < 8; ++b) event_.id.bytes[static_cast<size_t>(i * 8 + b)] = static_cast<uint8_t>(word >> (8 * b));
  }
  event_.id_kind = IdKind::kMinted;
  event_.tenant = tenant;
  event_.event_time = EventTime{now_us_};
  if (!options_.lean) event_.source = "bench";
  ProducerStamp stamp;
  stamp.id.bytes[0] = 7;
  stamp.epoch = 1;
  stamp.slot = SlotOf(tenant);
  stamp.seq = ++next_seq_[stamp.slot];
  event_.producer = stamp;
}

std::string Traffic::NextTurn(uint32_t user) {
  static const char* const kModels[] = {"gpt-4o", "gpt-4o-mini", "claude-sonnet", "llama-70b"};
  static const char* const kShortModels[] = {"o3", "gpt5", "opus", "qwen"};
  if (turns_[user] == 0) ++users_seen_;
  std::string name = fmt::format("{}{:07}", options_.lean ? "" : "user-", user);
  std::string session =
      fmt::format("{}{:07}-{}", options_.lean ? "" : "session-", user, turns_[user]++ / options_.session_turns);
  event_.type = EventType::kTurnRecorded;
  Turn& turn = event_.turn;
  turn.user = name;
  turn.session = session;
  turn.model_requested = (options_.lean ? kShortModels : kModels)[Random() % 4];
  turn.tokens.input_uncached = static_cast<int64_t>(Random() % 4000);
  turn.tokens.output = static_cast<int64_t>(Random() % 900);
  turn.provided_cost_nano_usd = static_cast<int64_t>(Random() % 40'000'000);
  ++sums_.turns;
  sums_.input += turn.tokens.input_uncached;
  sums_.output += turn.tokens.output;
  sums_.cost_nano_usd += *turn.provided_cost_nano_usd;
  if (options_.lean) return Encode(event_);
  turn.turn_number = event_.producer->seq;
  turn.provider = "openai";
  turn.llm_calls = 1;
  turn.duration_us = static_cast<int64_t>(Random() % 8'000'000);
  turn.service = "chat";
  turn.operation = "completion";
  return Encode(event_);
}

// Of 10: 5 searches, 4 upserts, 1 deletion. A tenant has 16 projects of 4 collections.
std::string Traffic::NextOperation(uint32_t user) {
  std::string name = fmt::format("user-{:07}", user);
  std::string project = fmt::format("project-{:02}", user / options_.tenants % 16);
  std::string collection = fmt::format("collection-{}", Random() % 4);
  uint64_t kind = Random() % 10;
  auto vectors = static_cast<int64_t>(1 + Random() % 100);
  Operation op;
  op.user = name;
  op.project = project;
  op.collection = collection;
  op.duration_us = static_cast<int64_t>(Random() % 200'000);
  op.service = "vectors";
  op.requested = op.succeeded = kind < 5 ? 1 : vectors;
  if (kind < 5) {
    event_.type = EventType::kVectorsSearched;
    op.results = static_cast<int64_t>(Random() % 50);
    op.had_filter = Random() % 4 == 0;
  } else {
    event_.type = kind < 9 ? EventType::kVectorsUpserted : EventType::kVectorsDeleted;
    op.inserted = kind < 9 ? vectors / 2 : 0;
    op.vectors_delta = kind < 9 ? op.inserted : -vectors;
    op.bytes_delta = op.vectors_delta * 3072;
    op.payload_bytes = kind < 9 ? vectors * 3072 : 0;
  }
  event_.operation = op;
  return Encode(event_);
}

}  // namespace odometer
