// Why an ask was answered as it was.
#include <charconv>
#include <filesystem>
#include <utility>

#include "consumers/explain.h"
#include "consumers/http/limit_json.h"
#include "consumers/http/routes.h"

namespace odometer {

namespace {

// A request for more is one for the CLI, which shows how far it is.
constexpr uint64_t kRecordsMax = 20'000'000;

// "requests=1,input_tokens=500"
Result<std::vector<Amount>> AmountsOf(std::string_view text) {
  std::vector<Amount> amounts;
  while (!text.empty()) {
    std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    size_t equals = one.find('=');
    std::optional<Meter> meter = MeterFromName(one.substr(0, equals));
    int64_t amount = -1;
    if (equals != std::string_view::npos) {
      std::string_view digits = one.substr(equals + 1);
      auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), amount);
      if (error != std::errc() || end != digits.data() + digits.size()) amount = -1;
    }
    if (!meter || amount < 0 || amount > kAskAmountMax)
      return Status(Code::kInvalid, "'amounts' is METER=N with commas between, such as requests=1,input_tokens=500");
    amounts.push_back({*meter, amount});
  }
  return amounts;
}

}  // namespace

Result<HttpResponse> Api::GetExplanation(const Call& call) {
  ExplainRequest request;
  request.tenant = call.tenant;
  for (auto [name, into] : {std::pair<std::string_view, std::string*>{"user", &request.user},
                            {"project", &request.project},
                            {"collection", &request.collection}}) {
    Result<std::optional<std::string>> text = call.Text(name);
    if (!text.ok()) return text.status();
    if (*text) *into = **text;
  }
  Result<std::optional<std::string>> ask = call.Text("ask"), amounts = call.Text("amounts");
  if (!ask.ok()) return ask.status();
  if (!amounts.ok()) return amounts.status();
  if (*ask) request.ask = Uuid::Parse(**ask);
  if (*ask && !request.ask) return Status(Code::kInvalid, "'ask' is the id of an ask, a UUID");
  if (!request.ask && request.user.empty() && request.project.empty())
    return Status(Code::kInvalid, "name the ask, or a user, a project, or both");
  Result<std::vector<Amount>> parsed = AmountsOf(amounts->value_or("requests=1"));
  if (!parsed.ok()) return parsed.status();
  request.amounts = std::move(*parsed);
  Result<std::optional<int64_t>> at = call.Time("at");
  if (!at.ok()) return at.status();
  Result<std::optional<Position>> position = call.PositionToken("at_position");
  if (!position.ok()) return position.status();
  Runner& runner = RunnerOfTenant(call);
  if (*position && (*position)->partition != runner.partition())
    return Status(Code::kInvalid, "'at_position' is of another partition than this tenant's");
  if (*position) request.at_offset = (*position)->next_offset;
  request.at_us = *at ? **at : request.at_offset ? std::optional<int64_t>() : daemon_.clock().NowUs();
  return AnswerExplain(call, runner, std::move(request));
}

Result<HttpResponse> Api::AnswerExplain(const Call& call, Runner& runner, ExplainRequest request) {
  if (runner.log().held().end > kRecordsMax) {
    return Fail(call,
                {503, "too-long", "the log is too long to be folded while you wait: odometer explain --data-dir", 0});
  }
  std::unique_lock lock(explain_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return Fail(call, {503, "busy", "another explanation is being found out", 1});
  request.work_dir = daemon_.options().data_dir + "/explain";
  std::error_code ignored;
  std::filesystem::remove_all(request.work_dir, ignored);  // what a kill has left
  FoldSource source{daemon_.log().log_id(), daemon_.partitions(), &runner.log()};
  Result<Explanation> explanation = Explain(source, request, [&](uint64_t, uint64_t) { return !stopping_.load(); });
  if (!explanation.ok() && explanation.status().code() == Code::kNotFound)
    return Fail(call, {404, "not-found", std::string(explanation.status().message()), 0});
  if (!explanation.ok()) return explanation.status();
  JsonWriter json;
  json.Object();
  WriteExplanation(json, *explanation);
  json.End();
  return JsonResponse(json);
}

}  // namespace odometer
