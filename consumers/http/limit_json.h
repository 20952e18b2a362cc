// consumers/http/limit_json.h: limits, asks, verdicts and explanations as JSON, and as the headers of an answer.
//
//   JsonWriter json;
//   json.Object();
//   WriteVerdict(json, verdict);     // fields of the object that is open
//
// The shapes are those of openapi.yaml; the CLI shows the same.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "consumers/explain.h"
#include "consumers/http/json_writer.h"
#include "consumers/http/message.h"
#include "state/limit_rows.h"

namespace odometer {

std::string_view AskStateName(uint8_t state);   // "open"
std::string_view RefusalName(uint8_t refusal);  // "limit"; "" for none

// Whole percent of the cap that is used or held, rounded down; of a cap of 0: 100.
int64_t PercentOf(const LimitStatus& limit);
// "none", "warning" from 80 % on, "urgent" from 95, "critical" from 100.
std::string_view WarningOf(int64_t percent);

void WriteAmounts(JsonWriter& json, const std::vector<AmountItem>& amounts);
// An object; `is_taken`: what was asked for is used or held by now.
void WriteLimit(JsonWriter& json, const LimitStatus& limit, bool is_taken);
void WriteVerdict(JsonWriter& json, const Verdict& verdict);
void WriteAsk(JsonWriter& json, const Uuid& id, const AskRow& ask);
void WriteExplanation(JsonWriter& json, const Explanation& explanation);

// RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers: q quota, w window in seconds (none of months,
// lifetimes and gauges: the draft leaves it free), r what is left, t seconds until it is more, where time makes it so;
// Retry-After of a refusal that passes. Soft limits refuse nothing and are left out.
void AddRateLimits(const Verdict& verdict, HttpResponse* response);

}  // namespace odometer
