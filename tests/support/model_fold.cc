// What each type of event adds to which rows: sections 2 to 4 of docs/figures.md.

#include "tests/support/model.h"

namespace odometer {

using model::Int;
using model::RowName;

namespace {

bool DidSomething(OperationStatus status) {
  return status == OperationStatus::kSuccess || status == OperationStatus::kPartialFailure;
}

Int TotalOf(const Tokens& tokens) {
  model::TokenSums sums;
  sums.Add(tokens);
  return sums.Total();
}

Int CostOf(const Interaction& interaction) {
  CostParts cost = interaction.provided_cost.value_or(CostParts{});
  return Int{cost.ai_tokens_nano_usd} + cost.db_ops_nano_usd + cost.api_calls_nano_usd + cost.compute_time_nano_usd;
}

int HourOfDay(FoldTime place) { return static_cast<int>(HourOf(place) - DayOf(place) * 24); }

}  // namespace

// --- Rows of the record at hand

model::TenantRow& Model::TouchTenant() { return Touch(&Tables::tenant, RowName("tenant", event_.tenant).Take()); }

Model::Place Model::TouchPlace(std::string_view user, FoldTime place) {
  std::string account = RowName("account", event_.tenant).Text(user).Take();
  model::TenantRow& tenant = TouchTenant();
  if (!Exists(&Tables::account, account)) {
    tenant.users += 1;
    is_over_cardinality_ |= tenant.users > options_.users_max;
  }
  std::string period = RowName("period", event_.tenant).Text(user).Number(Period::Of(place).month).Take();
  std::string day = RowName("day", event_.tenant).Text(user).Number(DayOf(place)).Take();
  return {Touch(&Tables::account, account), Touch(&Tables::period, period), Touch(&Tables::day, day), tenant};
}

// Makes the session if there is none, and moves its first and last time.
model::SessionRow& Model::TouchSession(std::string_view user, std::string_view session, FoldTime place) {
  std::string name = RowName("session", event_.tenant).Text(user).Text(session).Take();
  bool is_new = !Exists(&Tables::session, name);
  model::SessionRow& row = Touch(&Tables::session, name);
  bool is_earlier = !is_new && place.us < row.span.first_us;
  if (is_earlier) {
    Place old_place = TouchPlace(user, FoldTime{row.span.first_us});
    old_place.period.usage.sessions -= 1;
    old_place.day.sessions -= 1;
    old_place.account.sessions_ring.Take(HourOf(FoldTime{row.span.first_us}));
  }
  if (is_new || is_earlier) {
    Place new_place = TouchPlace(user, place);
    new_place.period.usage.sessions += 1;
    new_place.day.sessions += 1;
    new_place.account.sessions_ring.Add(HourOf(place));
    if (is_new) {
      new_place.account.usage.sessions += 1;
      new_place.tenant.usage.sessions += 1;
    }
  }
  row.span.Add(place.us);
  return row;
}

model::ServiceDayRow& Model::TouchServiceDay(FoldTime place, std::string_view service, std::string_view operation,
                                             std::string_view model) {
  RowName name("service_day", event_.tenant);
  name.Number(DayOf(place)).Text(service).Text(operation).Text(model);
  return Touch(&Tables::service_day, name.Take());
}

model::ProjectRow& Model::TouchProjectUser(std::string_view user) {
  return Touch(&Tables::project_user,
               RowName("project_user", event_.tenant).Text(user).Text(event_.operation.project).Take());
}

// --- Turns

void Model::FoldTurn() {
  const Turn& turn = event_.turn;
  FoldTime place = EnvelopePlace();
  Place at = TouchPlace(turn.user, place);
  Int total = TotalOf(turn.tokens);
  Int llm_calls = turn.llm_calls.value_or(1);
  Int cost = turn.provided_cost_nano_usd.value_or(0);
  auto add = [&](auto& row) {
    row.usage.Add(turn);
    row.models.Add(turn.model(), 1, total);
    row.providers.Add(turn.provider, 1, total);
  };
  add(at.account);
  add(at.period);
  add(at.tenant);
  at.account.events += 1;
  at.account.use.Add(place.us);
  at.period.use.Add(place.us);
  at.account.turns_ring.Add(HourOf(place));
  if (is_request_admitted_) {  // its admit has counted it
    for (model::Usage* usage : {&at.account.usage, &at.period.usage, &at.tenant.usage}) usage->requests -= 1;
  } else {
    at.account.requests_ring.Add(HourOf(place));
    at.day.requests += 1;
    at.day.hours[HourOfDay(place)] += 1;
  }

  at.day.turns += 1;
  at.day.llm_calls += llm_calls;
  at.day.tokens.Add(turn.tokens);
  at.day.cost += cost;

  if (!turn.session.empty()) {
    model::SessionRow& session = TouchSession(turn.user, turn.session, place);
    session.turns += 1;
    session.llm_calls += llm_calls;
    session.tokens.Add(turn.tokens);
    session.cost += cost;
    session.last_turn_number = std::max(session.last_turn_number, Int{turn.turn_number.value_or(0)});
  }
  model::ServiceDayRow& service = TouchServiceDay(place, turn.service, turn.operation, turn.model());
  service.turns += 1;
  service.llm_calls += llm_calls;
  service.tokens.Add(turn.tokens);
  service.cost += cost;
  service.duration_us += turn.duration_us.value_or(0);
}

void Model::FoldAmendment() {
  const Amendment& amendment = event_.amendment;
  FoldTime place = PlaceAt(amendment.original_time, append_);
  Place at = TouchPlace(amendment.user, place);
  auto add = [&](auto& row) {
    row.usage.Add(amendment);
    row.models.Add(amendment.model, 0, TotalOf(amendment.tokens_delta));
    row.providers.Add(amendment.provider, 0, TotalOf(amendment.tokens_delta));
  };
  add(at.account);
  add(at.period);
  add(at.tenant);
  at.account.events += 1;

  at.day.llm_calls += amendment.llm_calls_delta;
  at.day.tokens.Add(amendment.tokens_delta);
  at.day.cost += amendment.provided_cost_delta_nano_usd;

  if (!amendment.session.empty()) {
    model::SessionRow& session = TouchSession(amendment.user, amendment.session, place);
    session.amendments += 1;
    session.llm_calls += amendment.llm_calls_delta;
    session.tokens.Add(amendment.tokens_delta);
    session.cost += amendment.provided_cost_delta_nano_usd;
  }
  model::ServiceDayRow& service = TouchServiceDay(place, amendment.service, amendment.operation, amendment.model);
  service.amendments += 1;
  service.llm_calls += amendment.llm_calls_delta;
  service.tokens.Add(amendment.tokens_delta);
  service.cost += amendment.provided_cost_delta_nano_usd;
}

// --- Sessions

void Model::FoldSession() {
  const SessionFact& fact = event_.session;
  FoldTime place = EnvelopePlace();
  TouchPlace(fact.user, place).account.events += 1;
  model::SessionRow& session = TouchSession(fact.user, fact.session, place);
  bool is_started = event_.type == EventType::kSessionStarted;
  bool is_named = event_.type == EventType::kSessionRenamed || (is_started && !fact.name.empty());
  if (is_named && session.name_stamp.Move(place.us, event_.id)) session.name = fact.name;
  bool is_state = is_started || event_.type == EventType::kSessionEnded;
  if (is_state && session.state_stamp.Move(place.us, event_.id)) session.ended = !is_started;
  if (event_.type == EventType::kSessionSummarized && session.summary_stamp.Move(place.us, event_.id)) {
    session.summary = fact.summary;
    session.key_points.assign(fact.key_points.begin(), fact.key_points.end());
  }
}

// --- Interactions

void Model::FoldInteraction(const Interaction& interaction) {
  FoldTime place = PlaceAt(interaction.event_time, append_);
  Place at = TouchPlace(interaction.user, place);
  auto add = [&](auto& row) {
    row.usage.Add(interaction);
    row.models.Add(interaction.model, 0, TotalOf(interaction.tokens));
  };
  add(at.account);
  add(at.period);
  add(at.tenant);
  at.account.use.Add(place.us);
  at.period.use.Add(place.us);
  at.tenant.max_fold_us = std::max(at.tenant.max_fold_us, place.us);

  at.day.interactions += 1;
  at.day.tokens.Add(interaction.tokens);
  at.day.cost += CostOf(interaction);

  if (!interaction.session.empty()) {
    model::SessionRow& session = TouchSession(interaction.user, interaction.session, place);
    session.interactions += 1;
    session.tokens.Add(interaction.tokens);
    session.cost += CostOf(interaction);
  }
  model::ServiceDayRow& service = TouchServiceDay(place, interaction.service, interaction.operation, interaction.model);
  service.interactions += 1;
  service.tokens.Add(interaction.tokens);
  service.cost += CostOf(interaction);
  service.duration_us += interaction.duration_us.value_or(0);
}

// A batch counts once, with its first item's user; so does a single interaction.
void Model::CountInteractions() {
  const Interaction& first = event_.interactions.front();
  TouchPlace(first.user, PlaceAt(first.event_time, append_)).account.events += 1;
}

// --- Knowledge and configuration

void Model::FoldKnowledge() {
  const Knowledge& knowledge = event_.knowledge;
  FoldTime place = EnvelopePlace();
  Place at = TouchPlace(knowledge.user, place);
  at.account.events += 1;
  if (event_.type == EventType::kCaseChampioned) {
    at.account.usage.champion_cases += 1;
    at.period.usage.champion_cases += 1;
    at.tenant.usage.champion_cases += 1;
    return;
  }
  model::SubscriptionRow& subscription =
      Touch(&Tables::subscription,
            RowName("subscription", event_.tenant).Text(knowledge.user).Text(knowledge.collection).Take());
  if (!subscription.state_stamp.Move(place.us, event_.id)) return;
  if (subscription.subscribed) at.account.collections_subscribed -= 1;
  subscription.subscribed = event_.type == EventType::kCollectionSubscribed;
  if (subscription.subscribed) at.account.collections_subscribed += 1;
}

void Model::FoldConfig() {
  Place at = TouchPlace(event_.config.user, EnvelopePlace());
  at.account.events += 1;
  at.account.usage.config_changes += 1;
  at.period.usage.config_changes += 1;
  at.tenant.usage.config_changes += 1;
  at.day.config_changes += 1;
}

// --- Vector operations

std::string Model::GaugesName(std::string_view user) const {
  return RowName("user_gauges", event_.tenant).Text(user).Take();
}

void Model::FoldOperation() {
  const Operation& operation = event_.operation;
  FoldTime place = EnvelopePlace();
  size_t number = static_cast<size_t>(event_.type) - static_cast<size_t>(EventType::kVectorsAdded);
  bool is_search = event_.type == EventType::kVectorsSearched && operation.status != OperationStatus::kQuotaExceeded;
  model::OperationSums sums;
  sums.Add(event_.type, operation);

  model::TenantRow& tenant = TouchTenant();
  std::string project_name = RowName("project", event_.tenant).Text(operation.project).Take();
  if (!Exists(&Tables::project, project_name)) {
    tenant.projects += 1;
    is_over_cardinality_ |= tenant.projects > options_.projects_max;
  }
  model::ProjectRow& project = Touch(&Tables::project, project_name);
  project.events += 1;
  for (model::ProjectRow* row : {&project, &TouchProjectUser(operation.user)}) {
    row->use.Add(place.us);
    model::ProjectRow::ByOperation& by_operation = row->operations[number];
    by_operation.statuses[static_cast<size_t>(operation.status) - 1] += 1;
    by_operation.requested += sums.requested;
    by_operation.succeeded += sums.succeeded;
    by_operation.payload_bytes += sums.payload_bytes;
    by_operation.duration_us += sums.duration_us;
    by_operation.timed += sums.timed;
    row->inserted += sums.inserted;
    row->results += sums.results;
    row->filtered += sums.filtered;
    row->vectors += sums.vectors_delta;
    row->bytes += sums.bytes_delta;
    if (is_search) row->searches_ring.Add(HourOf(place));
  }
  if (sums.vectors_delta != 0 || sums.bytes_delta != 0) {
    model::UserGaugesRow& gauges = Touch(&Tables::user_gauges, GaugesName(operation.user));
    gauges.vectors += sums.vectors_delta;
    gauges.bytes += sums.bytes_delta;
  }
  tenant.operations += 1;
  tenant.searches += is_search ? 1 : 0;
  tenant.vectors += sums.vectors_delta;
  tenant.bytes += sums.bytes_delta;

  RowName hour("project_hour", event_.tenant);
  hour.Text(operation.project).Number(HourOf(place)).Text(operation.user);
  std::string cell =
      std::string(model::kOperationNames[number]) + "." + std::string(model::StatusName(operation.status)) + ".";
  Touch(&Tables::project_hour, hour.Take()).cells[cell].Add(sums);

  model::ServiceDayRow& service = TouchServiceDay(place, operation.service, operation.operation, "");
  service.vector_operations += 1;
  service.duration_us += sums.duration_us;

  if (!operation.collection.empty()) FoldCollection(project, is_search);
}

void Model::FoldCollection(model::ProjectRow& project, bool is_search) {
  const Operation& operation = event_.operation;
  RowName name("collection", event_.tenant);
  name.Text(operation.project).Text(operation.collection);
  model::CollectionRow& collection = Touch(&Tables::collection, name.Take());
  collection.operations += 1;
  collection.searches += is_search ? 1 : 0;
  collection.vectors += operation.vectors_delta;
  collection.bytes += operation.bytes_delta;
  if (!DidSomething(operation.status)) return;

  if (event_.type == EventType::kVectorsCounted) SetCounted(collection, project);
  bool is_create = event_.type == EventType::kCollectionCreated;
  bool is_drop = event_.type == EventType::kCollectionDropped;
  if (!is_create && !is_drop) return;
  if (!collection.state_stamp.Move(EnvelopePlace().us, event_.id)) return;
  SetExists(collection, project, is_create);
  if (is_drop) TakeOutDropped(collection, project);
}

void Model::SetExists(model::CollectionRow& collection, model::ProjectRow& project, bool exists) {
  auto count = [&](Int change) {
    if (!collection.exists) return;
    project.collections += change;
    TouchTenant().collections += change;
    TouchProjectUser(collection.owner).collections += change;
    Touch(&Tables::user_gauges, GaugesName(collection.owner)).collections += change;
  };
  count(-1);
  collection.exists = exists;
  collection.owner = exists ? event_.operation.user : std::string_view();
  count(+1);
}

void Model::SetCounted(model::CollectionRow& collection, model::ProjectRow& project) {
  Int vectors = event_.operation.counted_vectors - collection.vectors;
  Int bytes = event_.operation.counted_bytes - collection.bytes;
  collection.vectors += vectors;
  collection.bytes += bytes;
  project.vectors += vectors;
  project.bytes += bytes;
  project.correction_vectors += vectors;
  project.correction_bytes += bytes;
  TouchTenant().vectors += vectors;
  TouchTenant().bytes += bytes;
}

void Model::TakeOutDropped(model::CollectionRow& collection, model::ProjectRow& project) {
  project.vectors -= collection.vectors;
  project.bytes -= collection.bytes;
  project.dropped_vectors += collection.vectors;
  project.dropped_bytes += collection.bytes;
  TouchTenant().vectors -= collection.vectors;
  TouchTenant().bytes -= collection.bytes;
  collection.vectors = 0;
  collection.bytes = 0;
}

}  // namespace odometer
