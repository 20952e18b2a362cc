// consumers/http/render.h: figures as JSON. Field names are those of docs/figures.md; a time loses its "_us" and
// becomes RFC 3339, null when it has not been.
#pragma once

#include <optional>
#include <string_view>

#include "consumers/http/json_writer.h"
#include "consumers/queries_account.h"
#include "consumers/queries_projects.h"
#include "consumers/queries_system.h"
#include "consumers/runner.h"

namespace odometer {

// The view that an answer was read from and the moment that its windows were aged to.
struct AsOf {
  uint32_t partition = 0;
  uint64_t cursor = 0;
  int64_t now_us = 0;
  uint64_t log_end = 0;
};

// Each writes members into an object that is open.
void WriteAsOf(JsonWriter& json, const AsOf& as_of);
void WriteTokens(JsonWriter& json, const TokenFigures& tokens);  // six figures, input_tokens and total_tokens
void WriteUsage(JsonWriter& json,
                const Usage& usage);  // every figure, turns, input_tokens, total_tokens, cost_nano_usd, rates
// What is capped in a month, an hour and a day, and what is left of it; null: nothing.
void WriteLimits(JsonWriter& json, const std::vector<LimitStatus>& limits);
void WriteCell(JsonWriter& json, const HourCell& cell);
void WriteProject(JsonWriter& json, const ProjectRow& row, int64_t now_hour, bool of_a_user);
void WriteQuotient(JsonWriter& json, std::string_view name, std::optional<int64_t> value);

// Each writes one value.
void WriteShares(JsonWriter& json, std::vector<NameCount> names, const NameFigures& other);
void WriteVelocity(JsonWriter& json, const Ring& requests, const Ring& turns);
void WriteSession(JsonWriter& json, std::string_view session, const SessionRow& row, int64_t now_us);
// The costliest turns as the array that they are.
void WriteAccountSummary(JsonWriter& json, std::string_view tenant, std::string_view user,
                         const AccountSummary& summary, int64_t now_us,
                         std::string_view costliest_turns, const AsOf& as_of);

}  // namespace odometer
