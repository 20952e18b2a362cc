// tests/unit/consumers/asked_log.h: AskedLogTest, a log in memory that somebody asks in, for what is found out by
// folding it again.
//
//   Uuid id = Ask("ann", {{Meter::kRequests, 1}}, kStart + 5 * kUsPerSecond);
//   EXPECT_TRUE(ExplainAsk(id).verdict.allowed);
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "consumers/backtest.h"
#include "consumers/explain.h"
#include "core/period.h"
#include "log/memory_log.h"
#include "state/codec.h"
#include "tests/support/event_maker.h"
#include "tests/support/mix.h"
#include "tests/support/random.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {

inline bool IsFullRun() { return std::getenv("ODOMETER_FULL") != nullptr; }

class AskedLogTest : public testing::Test {
 protected:
  static constexpr int64_t kStart = 1'701'201'600'000'000;

  struct Judged {
    uint64_t offset = 0;
    Uuid id;
    AskRow row;
  };

  void AppendBytes(std::string_view bytes, int64_t at_us) {
    ASSERT_TRUE(log_.memory_partition(0).AppendAt({&bytes, 1}, AppendTimeOf(at_us)).ok());
  }
  Uuid Append(const Event& event, int64_t at_us) {
    AppendBytes(Encode(event), at_us);
    return event.id;
  }
  Uuid Ask(std::string_view user, std::vector<Amount> amounts, int64_t at_us) {
    Event event = make_.Make(EventType::kAdmitAsked, at_us);
    event.asked.user = user;
    event.asked.amounts = std::move(amounts);
    return Append(event, at_us);
  }
  Uuid DefineProfile(std::string_view name, int64_t requests_an_hour, int64_t at_us) {
    return Append(ProfileOf(name, requests_an_hour, at_us), at_us);
  }
  Event ProfileOf(std::string_view name, int64_t requests_an_hour, int64_t at_us) {
    Event event = make_.Make(EventType::kProfileDefined, at_us);
    event.definition.name = name;
    event.definition.who = "root";
    event.definition.why = "test";
    event.definition.limits = {
        Limit{.meter = Meter::kRequests, .window = Window::kRollingHour, .over = {}, .cap = requests_an_hour}};
    return event;
  }
  void Assign(std::string_view user, std::string_view profile, int64_t at_us) {
    Event event = make_.Make(EventType::kProfileAssigned, at_us);
    event.definition.user = user;
    event.definition.name = profile;
    event.definition.who = "root";
    event.definition.why = "test";
    Append(event, at_us);
  }
  void AppendMix(Mix& mix, int records) {
    int64_t at_us = mix.options().start_us;
    for (int i = 0; i < records; ++i) {
      MixRecord record = mix.Next();
      at_us += record.suggested_append_advance_us;
      AppendBytes(record.is_null ? std::string_view() : std::string_view(record.bytes), at_us);
    }
  }

  // Every ask of a tenant, as the whole fold judges it.
  std::vector<Judged> JudgedOf(const std::string& tenant) {
    StoreOptions options;
    options.path = directory_.path() + "/whole" + std::to_string(++folds_);
    options.log_id = log_.log_id();
    std::unique_ptr<Store> store = Store::Open(options).value();
    ProjectionOptions projection_options;
    projection_options.keeps_answers = true;
    Projection projection(*store, projection_options);
    std::vector<Judged> judged;
    EXPECT_TRUE(
        ReadRecords(source_, UINT64_MAX, nullptr, [&](const Record& record, const Event& event) -> Result<bool> {
          Result<Outcome> outcome = projection.Apply(record);
          if (!outcome.ok()) return outcome.status();
          std::vector<Answer> answers = projection.TakeAnswers();
          bool is_new = outcome->kind == Outcome::Kind::kApplied && IsAsk(event.type);
          if (is_new && event.tenant == tenant && !answers.empty() && answers.back().ask)
            judged.push_back({record.offset, event.id, *answers.back().ask});
          return true;
        }).ok());
    return judged;
  }

  ExplainRequest RequestOf(const std::string& tenant) {
    ExplainRequest request;
    request.tenant = tenant;
    request.work_dir = directory_.path() + "/explain";
    return request;
  }
  Explanation ExplainAsk(const Uuid& id, const std::string& tenant = "acme") {
    ExplainRequest request = RequestOf(tenant);
    request.ask = id;
    Result<Explanation> explanation = Explain(source_, request, nullptr);
    EXPECT_TRUE(explanation.ok()) << explanation.status().message();
    return explanation.ok() ? *explanation : Explanation();
  }
  Result<BacktestReport> TryOut(std::vector<Event> tried, int64_t from_us = 0, const std::string& tenant = "acme",
                                bool judges_unasked = false) {
    BacktestRequest request;
    request.tenant = tenant;
    request.tried = std::move(tried);
    request.from_us = from_us;
    request.judges_unasked = judges_unasked;
    request.work_dir = directory_.path() + "/backtest";
    return Backtest(source_, request, nullptr);
  }
  static std::string Shown(const Verdict& verdict) {
    AskRow row;
    row.verdict = verdict;
    return EncodeRow(row);
  }

  TempDirectory directory_;
  ManualClock clock_{kStart};
  MemoryLog log_{clock_, Uuid::Parse("018f3b6e-0000-7000-8000-000000000001").value(), 1};
  FoldSource source_{log_.log_id(), 1, &log_.partition(0)};
  EventMaker make_{"acme"};
  int folds_ = 0;
};

}  // namespace odometer
