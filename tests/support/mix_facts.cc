// Payloads: who did what, when, how much.

#include <algorithm>
#include <array>

#include "core/period.h"
#include "tests/support/mix.h"

namespace odometer {

using namespace std::string_view_literals;

namespace {

constexpr uint64_t kModels = 80;     // more than the 64 that a row names
constexpr uint64_t kProviders = 24;  // more than the 16
constexpr uint64_t kCollections = 3;

// Texts that a careless key, escape or comparison mixes up.
const std::vector<std::string>& OddTexts() {
  static const std::vector<std::string> odd = {
      std::string("a\0"sv),
      std::string("a\0b"sv),
      std::string("\0"sv),
      std::string("\0\0"sv),
      std::string("a\0\xc3\xbf"sv),
      "a",
      "a,b",
      "a]",
      "b[a",
      "100%",
      "%41",
      "A",
      " ",
      "..",
      "a/b",
      "unit\x1fsep",
      "\x7f",
      "\xc3\xbc",    // ü
      "u\xcc\x88",   // ü, decomposed
      "\xe7\x94\xa8\xe6\x88\xb7-\xf0\x9f\x99\x82",
      "\xef\xbf\xbf",      // U+FFFF
      "\xf4\x8f\xbf\xbf",  // U+10FFFF
      "\xe2\x80\xae" "abc",  // right to left
      std::string(256, 'x'),
      std::string(255, 'x') + "y",
  };
  return odd;
}

}  // namespace

std::string_view Mix::Text(std::string text) { return texts_.emplace_back(std::move(text)); }

// Every third name is an odd one.
std::string_view Mix::Name(std::string_view kind, uint64_t number) {
  if (number % 3 == 2) return OddTexts()[(number / 3) % OddTexts().size()];
  return Text(std::string(kind) + "-" + std::to_string(number));
}

std::string_view Mix::User() {
  if (asker_.has_value() && !asker_->user.empty()) {
    std::string_view asker = Text(asker_->user);
    asker_->user.clear();  // of a batch, the first item's
    SetAmounts(asker);
    return asker;
  }
  uint64_t number = random_.Percent(30) ? random_.Below(2) : random_.Below(static_cast<uint64_t>(options_.users));
  std::string_view user = Name("user", number);
  SetAmounts(user);
  return user;
}

// One user has the big amounts; the extremes have a tenant.
void Mix::SetAmounts(std::string_view user) {
  if (amounts_ == Amounts::kExtreme) return;
  std::string_view big_user = Name("user", static_cast<uint64_t>(std::min(3, options_.users - 1)));
  amounts_ = options_.with_big_amounts && user == big_user ? Amounts::kBig : Amounts::kPlain;
}

std::string_view Mix::Session(std::string_view user) {
  uint64_t first = user.size();  // users share some session names, which are different sessions
  return Name("session", first + random_.Below(static_cast<uint64_t>(options_.sessions)));
}

std::string_view Mix::Model() {
  uint64_t roll = random_.Below(100);
  if (roll < 10) return "";
  return Name("model", roll < 80 ? random_.Below(5) : random_.Below(kModels));
}

std::string_view Mix::Provider() {
  if (random_.Percent(15)) return "";
  return Name("provider", random_.Percent(50) ? random_.Below(3) : random_.Below(kProviders));
}

std::string_view Mix::Service() {
  static constexpr std::array<std::string_view, 5> kServices = {"", "chat", "indexer", "svc,[1]", "s\0x"sv};
  return random_.Pick(kServices);
}

int64_t Mix::Amount(int64_t below) {
  constexpr int64_t kBig = int64_t{1} << 61;
  bool is_big = amounts_ != Amounts::kPlain && random_.Percent(8);
  if (is_big && amounts_ == Amounts::kBig) return random_.Percent(50) ? kBig : 2 * kBig;
  if (is_big && random_.Percent(40)) return INT64_MAX;
  if (is_big) return random_.Percent(50) ? INT64_MAX - random_.Between(1, 500) : 2 * kBig;
  uint64_t roll = random_.Below(100);
  if (roll < 20) return 0;
  if (roll < 40) return random_.Between(0, 9);
  return random_.Between(0, below);
}

int64_t Mix::Delta(int64_t below) {
  if (amounts_ == Amounts::kExtreme && random_.Percent(4)) return INT64_MIN;
  int64_t amount = Amount(below);
  return random_.Percent(50) ? -amount : amount;
}

Tokens Mix::PickTokens() {
  Tokens tokens{Amount(20'000), Amount(5'000), Amount(900), Amount(90), Amount(3'000), 0};
  if (random_.Percent(40)) tokens.reasoning = std::min(tokens.output, Amount(2'000));
  if (random_.Percent(10)) tokens.reasoning = tokens.output;
  return random_.Percent(10) ? Tokens{} : tokens;
}

Tokens Mix::PickTokensDelta() {
  if (random_.Percent(20)) return {};
  return {Delta(20'000), Delta(5'000), Delta(900), Delta(90), Delta(3'000), Delta(2'000)};
}

// Late, early, on an edge, or just now.
int64_t Mix::PickEventTime(int64_t skew_us) {
  auto us = [&](int64_t most) { return random_.Between(0, most); };
  int64_t time = now_us_ + skew_us;
  uint64_t roll = random_.Below(1000);
  if (roll < 600) {
    time -= us(10 * kUsPerSecond);
  } else if (roll < 740) {
    time -= us(3 * kUsPerHour);
  } else if (roll < 820) {
    time -= us(3 * kUsPerDay);
  } else if (roll < 870) {
    time -= us(70 * kUsPerDay);
  } else if (roll < 930) {
    time += us(300 * kUsPerSecond);
  } else if (roll < 950) {
    time += us(3 * kUsPerDay);
  } else if (roll < 990) {  // the edges of an hour, a day, a month
    int64_t month_us = Period::Of(FoldTime{time}).start_us();
    int64_t edge = random_.Percent(40)   ? time / kUsPerHour * kUsPerHour
                   : random_.Percent(50) ? time / kUsPerDay * kUsPerDay
                                         : month_us;
    time = edge - random_.Between(0, 1);
  } else {
    static constexpr std::array<int64_t, 3> kEnds = {0, 1, kEventTimeLimitUs - 1};
    time = random_.Pick(kEnds);
  }
  return std::clamp<int64_t>(time, 0, kEventTimeLimitUs - 1);
}

void Mix::PutPayload(Event* event) {
  EventType type = event->type;
  if (type == EventType::kTurnRecorded) PutTurn(event);
  if (type == EventType::kTurnAmended) PutAmendment(event);
  if (type >= EventType::kSessionStarted && type <= EventType::kSessionSummarized) PutSession(event);
  if (type == EventType::kInteractionRecorded) {
    event->interactions.resize(1);
    PutInteraction(&event->interactions[0]);
  }
  if (type == EventType::kInteractionBatch) PutBatch(event);
  if (type >= EventType::kCaseChampioned && type <= EventType::kCollectionUnsubscribed) PutKnowledge(event);
  if (IsVector(type)) PutOperation(event);
  if (type == EventType::kConfigChanged) PutConfig(event);
  PutLimitPayload(event);
  if (type == EventType::kTick && random_.Percent(50)) event->tick_reason = "due";
}

void Mix::PutTurn(Event* event) {
  Turn& turn = event->turn;
  turn.user = User();
  if (random_.Percent(85)) turn.session = Session(turn.user);
  if (random_.Percent(60)) turn.turn_number = random_.Percent(10) ? 0 : random_.Below(200);
  if (random_.PerMille(4)) turn.turn_number = random_.Percent(50) ? UINT64_MAX : uint64_t{INT64_MAX};
  turn.provider = Provider();
  turn.model_requested = Model();
  if (random_.Percent(40)) turn.model_served = Model();
  turn.tokens = PickTokens();
  if (random_.Percent(50)) turn.llm_calls = Amount(6);
  turn.status = static_cast<TurnStatus>(random_.Percent(50) ? 1 : random_.Between(1, 6));
  if (turn.status != TurnStatus::kSuccess && random_.Percent(70)) turn.error_type = "rate_limited";
  if (random_.Percent(70)) turn.duration_us = Amount(30'000'000);
  if (random_.Percent(60)) turn.time_to_first_token_us = Amount(2'000'000);
  if (random_.Percent(70)) turn.provided_cost_nano_usd = Amount(40'000'000);
  if (IsFull(15)) turn.provided_cost_nano_usd = INT64_MAX - random_.Between(0, kAskAmountMax);
  if (random_.Percent(40)) {
    turn.has_rag = true;
    turn.rag_used = random_.Percent(60);
    turn.rag_guided = random_.Percent(30);
    for (uint64_t i = random_.Below(4); i > 0; --i) turn.rag_collections.push_back(Name("collection", i));
    turn.rag_output_tokens_saved = Amount(500);
  }
  turn.service = Service();
  turn.operation = Service();
  if (random_.Percent(30)) turn.metadata = Text("{\"trace\":\"" + std::string(random_.Below(60), 't') + "\"}");
  if (random_.Percent(20)) {
    turn.query_digest = Text("\xff" + std::string(random_.Below(64), '\x80'));
  }
  if (random_.Percent(20)) turn.query_length_bytes = random_.Percent(10) ? UINT64_MAX : random_.Below(9000);
}

void Mix::PutAmendment(Event* event) {
  Amendment& amendment = event->amendment;
  const std::vector<KnownTurn>& turns = turns_[tenant_];
  if (!turns.empty() && random_.Percent(80)) {
    const KnownTurn& turn = random_.Pick(turns);
    amendment.original_id = turn.id;
    amendment.original_time.us = turn.event_time_us;
    amendment.user = Text(turn.user);
    SetAmounts(amendment.user);
    amendment.session = Text(turn.session);
    amendment.provider = Text(turn.provider);
    amendment.model = Text(turn.model);
    amendment.service = Text(turn.service);
    amendment.operation = Text(turn.operation);
    if (random_.Percent(10)) amendment.session = Session(amendment.user);
    if (random_.Percent(10)) amendment.original_time.us = PickEventTime(0);
    if (random_.Percent(8)) amendment.model = Model();
  } else {
    amendment.original_id = DerivedId("nobody", std::to_string(random_.Next()));
    amendment.original_time.us = PickEventTime(0);
    amendment.user = User();
    if (random_.Percent(80)) amendment.session = Session(amendment.user);
    amendment.provider = Provider();
    amendment.model = Model();
    amendment.service = Service();
    amendment.operation = Service();
  }
  amendment.tokens_delta = PickTokensDelta();
  if (random_.Percent(50)) amendment.llm_calls_delta = Delta(3);
  if (random_.Percent(60)) amendment.provided_cost_delta_nano_usd = Delta(9'000'000);
  if (random_.Percent(30)) amendment.rag_output_tokens_saved_delta = Delta(300);
  if (random_.Percent(50)) amendment.reason = "recount";
}

void Mix::PutSession(Event* event) {
  SessionFact& fact = event->session;
  fact.user = User();
  fact.session = Session(fact.user);
  bool is_named = event->type == EventType::kSessionStarted || event->type == EventType::kSessionRenamed;
  if (is_named && random_.Percent(70)) fact.name = Text("name " + std::to_string(random_.Below(1000)));
  if (event->type == EventType::kSessionStarted && random_.Percent(30)) fact.metadata = "{}";
  if (event->type != EventType::kSessionSummarized) return;
  if (random_.Percent(85)) fact.summary = Text("summary " + std::string(random_.Below(100), 's'));
  for (uint64_t i = random_.Below(5); i > 0; --i) {
    fact.key_points.push_back(random_.Percent(15) ? "" : Text("point " + std::to_string(random_.Below(1000))));
  }
}

void Mix::PutInteraction(Interaction* interaction) {
  interaction->user = User();
  if (random_.Percent(70)) interaction->session = Session(interaction->user);
  interaction->kind = static_cast<InteractionKind>(random_.Between(1, 4));
  interaction->status = static_cast<InteractionStatus>(random_.Between(1, 3));
  interaction->service = Service();
  interaction->operation = Service();
  interaction->model = Model();
  interaction->tokens = PickTokens();
  interaction->db_operations = Amount(40);
  interaction->api_calls = Amount(20);
  interaction->compute_us = Amount(4'000'000);
  if (random_.Percent(60)) interaction->duration_us = Amount(9'000'000);
  if (random_.Percent(60)) {
    interaction->provided_cost = CostParts{Amount(50'000), Amount(9'000), Amount(700), Amount(80)};
  }
  if (random_.Percent(20)) interaction->metadata = "{\"k\":1}";
}

// Few items mostly; sometimes a full one, with more models than a row names.
void Mix::PutBatch(Event* event) {
  bool is_full = random_.Percent(4);
  size_t count = is_full ? (random_.Percent(50) ? 100 : 90) : 1 + random_.Below(5);
  event->interactions.resize(count);
  uint64_t first_model = random_.Below(kModels);
  std::string_view user = User();
  for (size_t i = 0; i < count; ++i) {
    Interaction& item = event->interactions[i];
    PutInteraction(&item);
    if (is_full) {
      item.user = user;
      item.model = Name("model", (first_model + i) % kModels);
    }
    item.id = DerivedId("batch", std::to_string(random_.Next()));
    item.event_time.us = random_.Percent(60) ? event->event_time.us : PickEventTime(0);
  }
}

void Mix::PutKnowledge(Event* event) {
  Knowledge& knowledge = event->knowledge;
  knowledge.user = User();
  bool is_case = event->type == EventType::kCaseChampioned;
  if (!is_case || random_.Percent(70)) knowledge.collection = Name("collection", random_.Below(kCollections));
  if (is_case && random_.Percent(70)) knowledge.case_id = "case-1";
}

void Mix::PutOperation(Event* event) {
  EventType type = event->type;
  Operation& operation = event->operation;
  operation.user = User();
  operation.project = Name("project", random_.Below(static_cast<uint64_t>(options_.projects)));
  if (asker_.has_value() && !asker_->project.empty()) operation.project = Text(asker_->project);
  bool needs_collection = type == EventType::kVectorsCounted || type == EventType::kCollectionCreated ||
                          type == EventType::kCollectionDropped;
  if (needs_collection || random_.Percent(80)) operation.collection = Name("collection", random_.Below(kCollections));
  if (random_.Percent(40)) {  // each in turn, so that no pair of type and status is left to luck
    operation.status = static_cast<OperationStatus>(2 + statuses_[type]++ % 3);
  }
  PutOperationAmounts(type, &operation);
  if (random_.Percent(60)) operation.duration_us = Amount(500'000);
  operation.service = Service();
  operation.operation = Service();
  if (random_.Percent(20)) operation.metadata = "m";
}

void Mix::PutOperationAmounts(EventType type, Operation* operation) {
  bool did_something =
      operation->status == OperationStatus::kSuccess || operation->status == OperationStatus::kPartialFailure;
  operation->requested = Amount(2'000);
  operation->payload_bytes = Amount(90'000);
  if (did_something) {
    operation->succeeded = random_.Percent(60) ? operation->requested : std::min(operation->requested, Amount(2'000));
    int64_t vectors = Amount(2'000);
    bool is_down = type == EventType::kVectorsDeleted || type == EventType::kCollectionDropped;
    bool is_lowest = is_down && amounts_ == Amounts::kExtreme && random_.Percent(5);
    operation->vectors_delta = is_lowest ? INT64_MIN : is_down ? -vectors : vectors;
    if (type == EventType::kVectorsUpserted) operation->vectors_delta = Delta(500);
    operation->bytes_delta = random_.Percent(10) ? Delta(5'000) : is_down ? -Amount(90'000) : Amount(90'000);
    bool is_collection = type == EventType::kCollectionCreated || type == EventType::kCollectionDropped;
    if (is_collection && random_.Percent(70)) operation->vectors_delta = operation->bytes_delta = 0;
  }
  if (type == EventType::kVectorsSearched || type == EventType::kVectorsCounted) {
    operation->vectors_delta = operation->bytes_delta = 0;
  }
  if (type == EventType::kVectorsUpserted) operation->inserted = std::min(operation->succeeded, Amount(2'000));
  if (type == EventType::kVectorsSearched) {
    operation->results = Amount(50);
    operation->had_filter = random_.Percent(40);
  }
  if (type != EventType::kVectorsCounted) return;
  operation->counted_vectors = Amount(9'000);
  operation->counted_bytes = Amount(700'000);
}

void Mix::PutConfig(Event* event) {
  event->config.user = User();
  uint64_t project = random_.Below(static_cast<uint64_t>(options_.projects));
  if (random_.Percent(60)) event->config.project = Name("project", project);
  if (asker_.has_value() && random_.Percent(80)) event->config.project = Text(asker_->project);
  event->config.setting = random_.Percent(80) ? "theme" : "";
  if (random_.Percent(30)) event->config.metadata = "dark";
}

}  // namespace odometer
