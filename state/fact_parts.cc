#include "state/fact_parts.h"

#include "core/period.h"
#include "state/amounts.h"

namespace odometer {

namespace {

void Add(Meter meter, __int128 amount, FactPart* part) { part->amounts[static_cast<size_t>(meter) - 1] += amount; }

void AddTokens(const Tokens& tokens, FactPart* part) {
  __int128 total = TotalOf(tokens);
  Add(Meter::kInputTokens, total - tokens.output, part);
  Add(Meter::kOutputTokens, tokens.output, part);
  Add(Meter::kTotalTokens, total, part);
}

void AddTurn(const Turn& turn, FactPart* part) {
  part->subject.user = turn.user;
  Add(Meter::kRequests, 1, part);
  Add(Meter::kLlmCalls, turn.llm_calls.value_or(1), part);
  AddTokens(turn.tokens, part);
  Add(Meter::kCost, turn.provided_cost_nano_usd.value_or(0), part);
}

void AddAmendment(const Amendment& amendment, AppendTime append, FactPart* part) {
  part->subject.user = amendment.user;
  part->at_us = PlaceAt(amendment.original_time, append).us;
  Add(Meter::kLlmCalls, amendment.llm_calls_delta, part);
  AddTokens(amendment.tokens_delta, part);
  Add(Meter::kCost, amendment.provided_cost_delta_nano_usd, part);
}

void AddOperation(EventType type, const Operation& operation, FactPart* part) {
  part->subject.user = operation.user;
  part->subject.project = operation.project;
  part->subject.collection = operation.collection;
  if (operation.status != OperationStatus::kQuotaExceeded) {
    Add(Meter::kOperations, 1, part);
    if (type == EventType::kVectorsSearched) Add(Meter::kSearches, 1, part);
  }
  Add(Meter::kVectors, operation.vectors_delta, part);
  Add(Meter::kBytes, operation.bytes_delta, part);
}

FactPart PartOf(const Event& event, const Interaction& fact, AppendTime append) {
  FactPart part;
  part.subject.tenant = event.tenant;
  part.subject.user = fact.user;
  part.at_us = PlaceAt(fact.event_time, append).us;
  AddTokens(fact.tokens, &part);
  Add(Meter::kCost, TotalOf(fact.provided_cost.value_or(CostParts())), &part);
  return part;
}

}  // namespace

void PartsOf(const Event& event, AppendTime append, std::vector<FactPart>* parts) {
  parts->clear();
  if (event.type == EventType::kInteractionRecorded || event.type == EventType::kInteractionBatch) {
    for (const Interaction& fact : event.interactions) parts->push_back(PartOf(event, fact, append));
    return;
  }
  FactPart part;
  part.subject.tenant = event.tenant;
  part.at_us = PlaceAt(event.event_time, append).us;
  if (event.type == EventType::kTurnRecorded) {
    AddTurn(event.turn, &part);
  } else if (event.type == EventType::kTurnAmended) {
    AddAmendment(event.amendment, append, &part);
  } else if (event.type == EventType::kConfigChanged) {
    part.subject.user = event.config.user;
    part.subject.project = event.config.project;
    Add(Meter::kConfigChanges, 1, &part);
  } else if (IsVector(event.type)) {
    AddOperation(event.type, event.operation, &part);
  } else {
    return;
  }
  parts->push_back(part);
}

}  // namespace odometer
