#include "tests/support/model_rows.h"

namespace odometer::model {

void TokenSums::Add(const Tokens& tokens) {
  input_uncached += tokens.input_uncached;
  cache_read += tokens.cache_read;
  cache_write_5m += tokens.cache_write_5m;
  cache_write_1h += tokens.cache_write_1h;
  output += tokens.output;
  reasoning += tokens.reasoning;
}

void Usage::Add(const Turn& turn) {
  requests += 1;
  llm_calls += turn.llm_calls.value_or(1);
  turns[static_cast<size_t>(turn.status) - 1] += 1;
  tokens.Add(turn.tokens);
  cost_ai_tokens += turn.provided_cost_nano_usd.value_or(0);
  (turn.provided_cost_nano_usd.has_value() ? priced_facts : unpriced_facts) += 1;
  if (turn.rag_used) rag_turns += 1;
  if (turn.rag_guided) rag_guided_turns += 1;
  rag_output_tokens_saved += turn.rag_output_tokens_saved;
  if (turn.rag_output_tokens_saved > 0) rag_unpriced_turns += 1;
  duration_us += turn.duration_us.value_or(0);
  if (turn.duration_us.has_value()) timed_turns += 1;
  first_token_us += turn.time_to_first_token_us.value_or(0);
  if (turn.time_to_first_token_us.has_value()) first_token_turns += 1;
}

void Usage::Add(const Amendment& amendment) {
  amendments += 1;
  llm_calls += amendment.llm_calls_delta;
  tokens.Add(amendment.tokens_delta);
  cost_ai_tokens += amendment.provided_cost_delta_nano_usd;
  rag_output_tokens_saved += amendment.rag_output_tokens_saved_delta;
}

void Usage::Add(const Interaction& interaction) {
  interactions_by_kind[static_cast<size_t>(interaction.kind) - 1] += 1;
  interactions_by_status[static_cast<size_t>(interaction.status) - 1] += 1;
  tokens.Add(interaction.tokens);
  CostParts cost = interaction.provided_cost.value_or(CostParts{});
  cost_ai_tokens += cost.ai_tokens_nano_usd;
  cost_db_ops += cost.db_ops_nano_usd;
  cost_api_calls += cost.api_calls_nano_usd;
  cost_compute_time += cost.compute_time_nano_usd;
  (interaction.provided_cost.has_value() ? priced_facts : unpriced_facts) += 1;
  db_operations += interaction.db_operations;
  api_calls += interaction.api_calls;
  compute_us += interaction.compute_us;
}

void NameSums::Add(std::string_view name, Int turns, Int tokens) {
  if (name.empty()) return;
  Entry* entry = nullptr;
  for (Entry& known : named) {
    if (known.name == name) entry = &known;
  }
  if (entry == nullptr && named.size() < names_max) entry = &named.emplace_back(Entry{std::string(name)});
  if (entry == nullptr) entry = &other;
  entry->turns += turns;
  entry->tokens += tokens;
}

void HourRing::MoveTo(int64_t hour) {
  newest = std::max(newest, hour);
  buckets.erase(buckets.begin(), buckets.lower_bound(newest - kRingHours));
}

void HourRing::Add(int64_t hour) {
  MoveTo(hour);
  if (hour >= newest - kRingHours) buckets[hour] += 1;
}

void HourRing::Take(int64_t hour) {
  if (hour >= newest - kRingHours) buckets[hour] -= 1;
}

void TimeSpan::Add(int64_t us) {
  first_us = first_us == kNone ? us : std::min(first_us, us);
  last_us = std::max(last_us, us);
}

bool Stamp::Move(int64_t at_us, const EventId& by) {
  if (std::pair(at_us, by) <= std::pair(us, id)) return false;
  us = at_us;
  id = by;
  return true;
}

void OperationSums::Add(EventType type, const Operation& operation) {
  count += 1;
  requested += operation.requested;
  succeeded += operation.succeeded;
  vectors_delta += operation.vectors_delta;
  bytes_delta += operation.bytes_delta;
  payload_bytes += operation.payload_bytes;
  duration_us += operation.duration_us.value_or(0);
  if (operation.duration_us.has_value()) timed += 1;
  if (type == EventType::kVectorsUpserted) inserted += operation.inserted;
  if (type != EventType::kVectorsSearched) return;
  results += operation.results;
  if (operation.had_filter) filtered += 1;
}

void OperationSums::Add(const OperationSums& sums) {
  count += sums.count;
  requested += sums.requested;
  succeeded += sums.succeeded;
  vectors_delta += sums.vectors_delta;
  bytes_delta += sums.bytes_delta;
  payload_bytes += sums.payload_bytes;
  duration_us += sums.duration_us;
  timed += sums.timed;
  results += sums.results;
  filtered += sums.filtered;
  inserted += sums.inserted;
}

void FitCheck::Names(std::string_view, const NameSums& names) {
  for (const NameSums::Entry& entry : names.named) {
    Sum(entry.turns);
    Sum(entry.tokens);
  }
  Sum(names.other.turns);
  Sum(names.other.tokens);
}

void FitCheck::Ring(std::string_view, const HourRing& ring) {
  for (const auto& [hour, count] : ring.buckets) Bucket(count);
}

void FitCheck::Hours(std::string_view, const std::array<Int, 24>& hours) {
  for (Int count : hours) Bucket(count);
}

std::string ToText(Int value) {
  bool is_negative = value < 0;
  std::string digits;
  do {
    int digit = static_cast<int>(value % 10);
    digits += static_cast<char>('0' + (digit < 0 ? -digit : digit));
    value /= 10;
  } while (value != 0);
  if (is_negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

void FieldWriter::Figure(std::string_view prefix, std::string_view name, Int value) {
  fields_[std::string(prefix) + std::string(name)] = ToText(value);
}

void FieldWriter::Names(std::string_view prefix, const NameSums& names) {
  for (const NameSums::Entry& entry : names.named) {
    Figure(prefix, entry.name + ".turns", entry.turns);
    Figure(prefix, entry.name + ".tokens", entry.tokens);
  }
  if (names.other.turns == 0 && names.other.tokens == 0) return;
  Figure(prefix, "(other).turns", names.other.turns);
  Figure(prefix, "(other).tokens", names.other.tokens);
}

void FieldWriter::Ring(std::string_view name, HourRing ring) {
  ring.MoveTo(HourOf(FoldTime{moment_us_}));
  std::string text;
  for (const auto& [hour, count] : ring.buckets) {
    if (count != 0) text += (text.empty() ? "" : ",") + std::to_string(hour) + "=" + ToText(count);
  }
  Text(name, text);
}

void FieldWriter::Hours(std::string_view name, const std::array<Int, 24>& hours) {
  std::string text;
  for (size_t hour = 0; hour < hours.size(); ++hour) {
    if (hours[hour] != 0) text += (text.empty() ? "" : ",") + std::to_string(hour) + "=" + ToText(hours[hour]);
  }
  Text(name, text);
}

void FieldWriter::Texts(std::string_view name, const std::vector<std::string>& texts) {
  std::string joined;
  for (size_t i = 0; i < texts.size(); ++i) joined += (i == 0 ? "" : "\x1f") + texts[i];
  Text(name, joined);
}

}  // namespace odometer::model
