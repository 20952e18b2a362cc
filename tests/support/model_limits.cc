#include "tests/support/model_limits.h"

#include <tuple>

namespace odometer::model {

namespace {

void PutTokens(const TokenSums& tokens, Amounts* amounts) {
  (*amounts)[Meter::kInputTokens] = tokens.Total() - tokens.output;
  (*amounts)[Meter::kOutputTokens] = tokens.output;
  (*amounts)[Meter::kTotalTokens] = tokens.Total();
}

void PutTokens(const Tokens& tokens, Amounts* amounts) {
  TokenSums sums;
  sums.Add(tokens);
  PutTokens(sums, amounts);
}

}  // namespace

std::optional<Subject> PartsIn(Scope scope, const Subject& subject) {
  bool has_user = !subject.user.empty();
  bool has_project = !subject.project.empty();
  if (scope == Scope::kTenant) return Subject();
  if (scope == Scope::kUser && has_user) return Subject{subject.user, "", ""};
  if (scope == Scope::kProject && has_project) return Subject{"", subject.project, ""};
  if (scope == Scope::kUserInProject && has_user && has_project) return Subject{subject.user, subject.project, ""};
  if (scope == Scope::kCollection && has_project && !subject.collection.empty()) {
    return Subject{"", subject.project, subject.collection};
  }
  return std::nullopt;
}

std::vector<Scope> ScopesOf(const Subject& subject) {
  std::vector<Scope> scopes;
  for (Scope scope : {Scope::kTenant, Scope::kUser, Scope::kProject, Scope::kUserInProject, Scope::kCollection}) {
    if (PartsIn(scope, subject).has_value()) scopes.push_back(scope);
  }
  return scopes;
}

std::vector<Applying> Decide(const std::vector<Said>& levels, const Subject& subject) {
  std::map<std::pair<Meter, Window>, Applying> first;
  for (const Said& said : levels) {
    for (const Limit& limit : said.limits) {
      first.try_emplace({limit.meter, limit.window},
                        Applying{limit, limit.over.value_or(said.scope), said.level, said.source, said.definition});
    }
  }
  std::vector<Applying> applying;
  for (const auto& [key, decided] : first) {
    if (decided.limit.cap.has_value() && PartsIn(decided.over, subject).has_value()) applying.push_back(decided);
  }
  return applying;
}

bool HasCounter(Window window) { return window != Window::kGauge; }

std::optional<std::vector<Limit>> BuiltInLimits(std::string_view name) {
  struct Caps {
    std::string_view name;
    int64_t hourly, daily, config;
    std::optional<int64_t> input, output;
  };
  static const std::vector<Caps> kProfiles = {{"Free", 50, 500, 5, 100'000, 50'000},
                                              {"Pro", 200, 2'000, 20, 500'000, 250'000},
                                              {"Enterprise", 500, 5'000, 50, 2'000'000, 1'000'000},
                                              {"Unlimited", 1'000, 10'000, 100, {}, {}}};
  for (const Caps& caps : kProfiles) {
    if (caps.name != name) continue;
    auto limit = [](Meter meter, Window window, std::optional<int64_t> cap) {
      Limit made;
      made.meter = meter;
      made.window = window;
      made.cap = cap;
      return made;
    };
    return std::vector<Limit>{limit(Meter::kRequests, Window::kRollingHour, caps.hourly),
                              limit(Meter::kRequests, Window::kRolling24h, caps.daily),
                              limit(Meter::kConfigChanges, Window::kRollingHour, caps.config),
                              limit(Meter::kInputTokens, Window::kMonth, caps.input),
                              limit(Meter::kOutputTokens, Window::kMonth, caps.output)};
  }
  return std::nullopt;
}

std::vector<Limit> InOrder(std::vector<Limit> limits) {
  std::sort(limits.begin(), limits.end(),
            [](const Limit& a, const Limit& b) { return std::tie(a.meter, a.window) < std::tie(b.meter, b.window); });
  return limits;
}

bool IsBudget(Meter meter) {
  return meter == Meter::kInputTokens || meter == Meter::kOutputTokens || meter == Meter::kTotalTokens ||
         meter == Meter::kCost;
}

Amounts AmountsOf(const std::vector<Amount>& amounts) {
  Amounts sums;
  for (const Amount& amount : amounts) sums[amount.meter] += amount.amount;
  return sums;
}

Amounts AmountsOf(const Turn& turn) {
  Amounts amounts = {{Meter::kRequests, 1},
                     {Meter::kLlmCalls, turn.llm_calls.value_or(1)},
                     {Meter::kCost, turn.provided_cost_nano_usd.value_or(0)}};
  PutTokens(turn.tokens, &amounts);
  return amounts;
}

Amounts AmountsOf(const Amendment& amendment) {
  Amounts amounts = {{Meter::kLlmCalls, amendment.llm_calls_delta},
                     {Meter::kCost, amendment.provided_cost_delta_nano_usd}};
  PutTokens(amendment.tokens_delta, &amounts);
  return amounts;
}

Amounts AmountsOf(const Interaction& interaction) {
  CostParts cost = interaction.provided_cost.value_or(CostParts{});
  Amounts amounts = {{Meter::kCost, Int{cost.ai_tokens_nano_usd} + cost.db_ops_nano_usd + cost.api_calls_nano_usd +
                                        cost.compute_time_nano_usd}};
  PutTokens(interaction.tokens, &amounts);
  return amounts;
}

Amounts AmountsOf(EventType type, const Operation& operation) {
  Amounts amounts = {{Meter::kVectors, operation.vectors_delta}, {Meter::kBytes, operation.bytes_delta}};
  if (operation.status == OperationStatus::kQuotaExceeded) return amounts;
  amounts[Meter::kOperations] = 1;
  if (type == EventType::kVectorsSearched) amounts[Meter::kSearches] = 1;
  return amounts;
}

Amounts AmountsOf(const Usage& usage) {
  Amounts amounts = {
      {Meter::kRequests, usage.requests},
      {Meter::kLlmCalls, usage.llm_calls},
      {Meter::kConfigChanges, usage.config_changes},
      {Meter::kCost, usage.cost_ai_tokens + usage.cost_db_ops + usage.cost_api_calls + usage.cost_compute_time}};
  PutTokens(usage.tokens, &amounts);
  return amounts;
}

Amounts AmountsOf(const DayRow& day) {
  Amounts amounts = {{Meter::kRequests, day.requests},
                     {Meter::kLlmCalls, day.llm_calls},
                     {Meter::kConfigChanges, day.config_changes},
                     {Meter::kCost, day.cost}};
  PutTokens(day.tokens, &amounts);
  return amounts;
}

}  // namespace odometer::model
