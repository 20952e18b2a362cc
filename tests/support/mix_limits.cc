// Limits: definitions, asks, their ends, and facts that name an ask. Small caps, so that much is refused; holds of
// seconds and minutes, so that many expire.

#include <algorithm>
#include <array>

#include "tests/support/mix.h"

namespace odometer {

namespace {

constexpr size_t kKnownAsksMax = 40;
constexpr std::array<std::string_view, 7> kProfiles = {"Team", "Trial", "Free", "Pro", "Enterprise", "Unlimited", "a]"};

bool HasAmounts(EventType type) { return type == EventType::kHoldSettled || type == EventType::kLeaseSettled; }

}  // namespace

void Mix::PutLimitPayload(Event* event) {
  if (IsAsk(event->type)) PutAsk(event);
  if (IsHoldEnd(event->type)) PutEnd(event);
  if (IsDefinition(event->type)) PutDefinition(event);
}

// --- Asks

void Mix::PutAsk(Event* event) {
  Ask& ask = event->asked;
  uint64_t roll = random_.Below(100);
  bool has_project = roll >= 55;
  if (roll < 88) ask.user = User();
  if (has_project) ask.project = LimitedProject();
  if (has_project && random_.Percent(50)) ask.collection = LimitedCollection();
  bool is_admit = event->type == EventType::kAdmitAsked;
  if (is_admit) {
    static constexpr std::array<Meter, 5> kOnes = {Meter::kRequests, Meter::kOperations, Meter::kSearches,
                                                   Meter::kConfigChanges, Meter::kLlmCalls};
    size_t first = random_.Percent(60) ? 0 : random_.Below(kOnes.size());
    size_t count = random_.Percent(50) ? 1 : 1 + random_.Below(kOnes.size());
    for (size_t i = 0; i < count; ++i) ask.amounts.push_back({kOnes[(first + i) % kOnes.size()], 1});
  } else {
    ask.amounts = PickAmounts(1);
    constexpr int64_t kSecond = kUsPerSecond;
    int64_t longest = event->type == EventType::kHoldAsked ? kHoldTtlMaxUs : kLeaseTtlMaxUs;
    uint64_t length = random_.Below(100);
    ask.ttl_us = length < 10   ? kSecond
                 : length < 25 ? random_.Between(kSecond, 20 * kSecond)
                 : length < 60 ? random_.Between(kSecond, 900 * kSecond)
                               : random_.Between(kSecond, longest);
  }
  std::vector<KnownAsk>& asks = asks_[tenant_];
  if (asks.size() >= kKnownAsksMax) asks.erase(asks.begin());
  asks.push_back({event->id, event->type, std::string(ask.user), std::string(ask.project)});
}

// One of each more often than others, so that what is asked is what is limited.
std::string_view Mix::LimitedProject() {
  uint64_t projects = static_cast<uint64_t>(options_.projects);
  return Name("project", random_.Percent(45) ? 0 : random_.Below(projects));
}

std::string_view Mix::LimitedCollection() { return Name("collection", random_.Percent(50) ? 0 : random_.Below(3)); }

bool Mix::IsFull(uint64_t percent) {
  return options_.with_full_counters && amounts_ == Amounts::kExtreme && random_.Percent(percent);
}

// Of one to four meters, each at least `least`.
std::vector<odometer::Amount> Mix::PickAmounts(int64_t least) {
  std::vector<odometer::Amount> amounts;
  size_t first = random_.Below(kMeters);
  size_t count = random_.Percent(60) ? 1 : random_.Below(4) + static_cast<size_t>(least);
  for (size_t i = 0; i < std::min(count, kMeters); ++i) {
    Meter meter = static_cast<Meter>((first + 5 * i) % kMeters + 1);
    if (random_.Percent(30)) meter = static_cast<Meter>(random_.Between(3, 6));
    if (IsFull(60)) meter = Meter::kCost;
    bool is_there = std::any_of(amounts.begin(), amounts.end(), [&](const auto& a) { return a.meter == meter; });
    int64_t amount = least + random_.Between(0, std::max<int64_t>(CapOf(meter) / 2, 3));
    if (random_.PerMille(20) || IsFull(60)) amount = kAskAmountMax;
    if (!is_there) amounts.push_back({meter, amount});
  }
  return amounts;
}

// What a fact or two are of.
int64_t Mix::CapOf(Meter meter) {
  switch (meter) {
    case Meter::kInputTokens:
    case Meter::kTotalTokens:
      return 60'000;
    case Meter::kOutputTokens:
      return 9'000;
    case Meter::kCost:
      return 90'000'000;
    case Meter::kVectors:
      return 4'000;
    case Meter::kBytes:
      return 200'000;
    default:
      return 4;
  }
}

const Mix::KnownAsk* Mix::PickAsk() {
  const std::vector<KnownAsk>& asks = asks_[tenant_];
  if (asks.empty()) return nullptr;
  size_t newest = random_.Percent(75) ? std::min<size_t>(asks.size(), 4) : asks.size();
  return &asks[asks.size() - 1 - random_.Below(newest)];
}

// A fact of its asker mostly, of somebody else sometimes.
void Mix::NameAsk(Event* event) {
  asker_.reset();
  if (options_.limits_percent == 0 || event->type > EventType::kConfigChanged || !random_.Percent(35)) return;
  const KnownAsk* ask = PickAsk();
  if (ask == nullptr) return;
  event->ask = ask->id;
  if (random_.Percent(85) && !ask->user.empty()) asker_ = *ask;
}

void Mix::PutEnd(Event* event) {
  HoldEnd& end = event->end;
  const KnownAsk* ask = nullptr;
  bool is_lease = event->type == EventType::kLeaseSettled;
  EventType wanted = is_lease ? EventType::kLeaseAsked : EventType::kHoldAsked;
  for (int i = 0; i < 6 && !random_.Percent(8); ++i) {  // one that fits, mostly
    ask = PickAsk();
    bool fits = ask != nullptr && (ask->type == wanted ||
                                   (event->type == EventType::kHoldReleased && ask->type == EventType::kLeaseAsked));
    if (fits) break;
  }
  end.hold = ask == nullptr ? DerivedId("no hold", std::to_string(random_.Next())) : ask->id;
  if (HasAmounts(event->type)) end.amounts = PickAmounts(0);
  if (event->type == EventType::kHoldReleased && random_.Percent(50)) end.reason = "given up";
  if (is_lease) end.is_final = random_.Percent(50);
}

// --- Definitions

void Mix::PutDefinition(Event* event) {
  Definition& definition = event->definition;
  definition.who = random_.Percent(50) ? "carla" : Text("admin \xc3\xbc");
  definition.why = Text("because " + std::to_string(random_.Below(1000)));
  switch (event->type) {
    case EventType::kProfileDefined:
      definition.name = random_.Pick(kProfiles);
      if (random_.Percent(60)) definition.description = "as agreed";
      definition.is_deleted = random_.Percent(25);
      if (!definition.is_deleted) definition.limits = PickLimits(false);
      break;
    case EventType::kProfileAssigned:
      if (random_.Percent(75)) definition.user = User();
      if (random_.Percent(85)) definition.name = random_.Percent(8) ? "nobody's" : random_.Pick(kProfiles);
      break;
    case EventType::kLimitOverridden:
      if (random_.Percent(70)) definition.user = User();
      if (random_.Percent(80)) definition.limits = PickLimits(false);
      break;
    case EventType::kQuotaSet:
      PutQuota(&definition);
      break;
    case EventType::kEnforcementSet:
      definition.enforcement = random_.Percent(30) ? Enforcement::kOn : static_cast<Enforcement>(random_.Between(1, 3));
      break;
    default:
      PutZone(&definition);
  }
  std::string place = std::string(TypeName(event->type)) + "/" + std::to_string(static_cast<int>(definition.level)) +
                      "/" + std::string(definition.user) + "/" + std::string(definition.project) + "/" +
                      std::string(definition.collection);
  if (event->type == EventType::kProfileDefined) place += definition.name;
  Uuid& standing = standing_[std::to_string(tenant_) + place];
  if (random_.Percent(25)) definition.expected = standing;
  if (random_.Percent(8)) definition.expected = random_.Percent(50) ? Uuid() : DerivedId("nobody", "expects");
  bool is_taken_away = definition.is_deleted ||
                       (event->type == EventType::kProfileAssigned && definition.name.empty()) ||
                       ((event->type == EventType::kLimitOverridden || event->type == EventType::kQuotaSet) &&
                        definition.limits.empty());
  standing = is_taken_away ? Uuid() : event->id;  // if it is not refused
}

void Mix::PutQuota(Definition* quota) {
  quota->level = static_cast<QuotaLevel>(random_.Between(1, 6));
  if (random_.Percent(20)) quota->level = random_.Percent(50) ? QuotaLevel::kCollection : QuotaLevel::kUserProject;
  bool has_user = quota->level == QuotaLevel::kUserProject || quota->level == QuotaLevel::kUser;
  bool has_collection = quota->level == QuotaLevel::kCollection;
  bool has_project = quota->level == QuotaLevel::kUserProject || quota->level == QuotaLevel::kProject || has_collection;
  if (has_user) quota->user = User();
  if (has_project) quota->project = LimitedProject();
  if (has_collection) quota->collection = LimitedCollection();
  if (random_.Percent(85)) quota->limits = PickLimits(true);
}

// Shifts lie around now: days and months of an odd length are to come, or have just been.
void Mix::PutZone(Definition* zone) {
  static constexpr std::array<int64_t, 8> kOffsets = {0, 3600, 7200, -18000, 19800, 50400, -kZoneOffsetMaxS, 20700};
  zone->name = random_.Percent(30) ? "UTC" : "Europe/Berlin";
  if (zone->name == "UTC") return;
  zone->first_offset_s = random_.Pick(kOffsets);
  int64_t at_us = now_us_ - random_.Between(0, 40 * kUsPerDay);
  for (uint64_t i = random_.Below(6); i > 0; --i) {
    zone->shifts.push_back({at_us, random_.Pick(kOffsets)});
    at_us += random_.Percent(60) ? random_.Between(1, 3 * kUsPerDay) : random_.Between(1, 60 * kUsPerDay);
  }
}

// One to five, no two of one meter and window; requests and tokens more often than others.
std::vector<Limit> Mix::PickLimits(bool is_quota) {
  std::vector<Limit> limits;
  for (uint64_t i = 1 + random_.Below(5); i > 0; --i) {
    Limit limit;
    limit.meter = static_cast<Meter>(random_.Percent(40) ? random_.Between(1, 6) : random_.Between(1, 12));
    if (is_quota && random_.Percent(40)) limit.meter = static_cast<Meter>(random_.Between(8, 12));
    bool is_to_overflow = IsFull(60);
    if (is_to_overflow) limit.meter = random_.Percent(70) ? Meter::kCost : Meter::kOutputTokens;
    limit.window = IsGauge(limit.meter) ? Window::kGauge : static_cast<Window>(random_.Between(1, 7));
    if (is_to_overflow) limit.window = Window::kLifetime;
    bool is_said = std::any_of(limits.begin(), limits.end(), [&](const Limit& other) {
      return other.meter == limit.meter && other.window == limit.window;
    });
    if (is_said) continue;
    static constexpr std::array<Scope, 3> kOfUser = {Scope::kTenant, Scope::kUser, Scope::kUserInProject};
    if (random_.Percent(35)) limit.over = is_quota ? static_cast<Scope>(random_.Between(1, 5)) : random_.Pick(kOfUser);
    if (is_to_overflow) limit.over = Scope::kTenant;
    uint64_t roll = random_.Below(100);
    // Some are large enough that 80, 95 and 100 percent of them are reached by different facts.
    if (roll < 80) limit.cap = random_.Between(1, CapOf(limit.meter)) * (roll < 20 ? 8 : roll < 40 ? 3 : 1);
    if (roll >= 80 && roll < 86) limit.cap = 0;
    if (roll >= 86 && roll < 92) limit.cap = kCapMax;
    limit.mode = random_.Percent(25) ? LimitMode::kSoft : LimitMode::kHard;
    limit.when_unavailable = static_cast<WhenUnavailable>(random_.Between(1, 3));
    limits.push_back(limit);
  }
  return limits;
}

}  // namespace odometer
