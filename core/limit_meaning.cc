#include "core/limit_meaning.h"

#include <algorithm>

namespace odometer::limit_meaning {

namespace {

bool HasLimits(EventType type) {
  return type == EventType::kProfileDefined || type == EventType::kLimitOverridden || type == EventType::kQuotaSet;
}

// What an ask wants, or a settlement says; empty for the other types.
const std::vector<Amount>& AmountsOf(const Event& event) {
  static const std::vector<Amount> none;
  if (IsAsk(event.type)) return event.asked.amounts;
  return IsHoldEnd(event.type) && event.type != EventType::kHoldReleased ? event.end.amounts : none;
}

const std::vector<Limit>& LimitsOf(const Event& event) {
  static const std::vector<Limit> none;
  return HasLimits(event.type) ? event.definition.limits : none;
}

// --- fields

// Who a level or a scope speaks of.
struct Named {
  bool user = false;
  bool project = false;
  bool collection = false;
};

Named NamedBy(QuotaLevel level) {
  switch (level) {
    case QuotaLevel::kUserProject:
      return {.user = true, .project = true};
    case QuotaLevel::kUser:
      return {.user = true};
    case QuotaLevel::kProject:
      return {.project = true};
    case QuotaLevel::kCollection:
      return {.project = true, .collection = true};
    case QuotaLevel::kDefault:
    case QuotaLevel::kTenant:
      break;
  }
  return {};
}

Named NamedBy(Scope over) {
  switch (over) {
    case Scope::kUser:
      return {.user = true};
    case Scope::kProject:
      return {.project = true};
    case Scope::kUserInProject:
      return {.user = true, .project = true};
    case Scope::kCollection:
      return {.project = true, .collection = true};
    case Scope::kTenant:
      break;
  }
  return {};
}

template <class Part>
bool HasNamed(Named named, const Part& part) {
  return !(named.user && part.user.empty()) && !(named.project && part.project.empty()) &&
         !(named.collection && part.collection.empty());
}

bool HasNoOther(const Definition& quota) {
  Named named = NamedBy(quota.level);
  return (named.user || quota.user.empty()) && (named.project || quota.project.empty()) &&
         (named.collection || quota.collection.empty());
}

// --- enums

template <class Enum>
bool IsWithin(Enum value, Enum last) {
  return static_cast<uint8_t>(value) >= 1 && value <= last;
}

bool IsKnown(const Amount& amount) { return IsWithin(amount.meter, Meter::kBytes); }

bool IsKnown(const Limit& limit) {
  return IsWithin(limit.meter, Meter::kBytes) && IsWithin(limit.window, Window::kGauge) &&
         IsWithin(limit.over.value_or(Scope::kTenant), Scope::kCollection) && IsWithin(limit.mode, LimitMode::kSoft) &&
         IsWithin(limit.when_unavailable, WhenUnavailable::kLastKnown);
}

// --- crossings

bool HasFields(const Crossing& crossing) {
  return HasNamed(NamedBy(crossing.over), crossing) && !crossing.level.empty() && !crossing.definition.is_nil() &&
         !crossing.cause.is_nil();
}

bool HasKnownEnums(const Crossing& crossing) {
  bool is_percent = crossing.percent == 80 || crossing.percent == 95 || crossing.percent == 100;
  return is_percent && IsWithin(crossing.over, Scope::kCollection) && IsWithin(crossing.meter, Meter::kBytes) &&
         IsWithin(crossing.window, Window::kGauge);
}

// The instance of a calendar window is a time.
bool HasAmounts(const Crossing& crossing) {
  return crossing.cap >= 0 && crossing.used >= 0 && (crossing.instance >= 0 || IsCalendar(crossing.window));
}

bool IsConsistent(const Crossing& crossing) {
  return CanLimit(crossing.meter, crossing.window) && crossing.cap <= kCapMax;
}

// --- amounts and limits

bool AreConsistent(const std::vector<Amount>& amounts) {
  uint32_t seen = 0;
  for (const Amount& amount : amounts) {
    uint32_t bit = uint32_t{1} << static_cast<uint8_t>(amount.meter);
    if ((seen & bit) != 0 || amount.amount > kAskAmountMax) return false;
    seen |= bit;
  }
  return true;
}

// What happens once, where it is asked for.
bool IsAdmitted(const Amount& amount) {
  bool is_event = amount.meter == Meter::kRequests || amount.meter == Meter::kLlmCalls ||
                  amount.meter == Meter::kConfigChanges || amount.meter == Meter::kSearches ||
                  amount.meter == Meter::kOperations;
  return is_event && amount.amount == 1;
}

bool IsConsistent(EventType type, const Ask& ask) {
  auto is_within = [&](int64_t ttl_us_max) { return ask.ttl_us >= kHoldTtlMinUs && ask.ttl_us <= ttl_us_max; };
  auto is_zero = [](const Amount& amount) { return amount.amount == 0; };
  if (!AreConsistent(ask.amounts) || std::any_of(ask.amounts.begin(), ask.amounts.end(), is_zero)) return false;
  if (type == EventType::kHoldAsked) return is_within(kHoldTtlMaxUs);
  if (type == EventType::kLeaseAsked) return is_within(kLeaseTtlMaxUs);
  return ask.ttl_us == 0 && std::all_of(ask.amounts.begin(), ask.amounts.end(), IsAdmitted);
}

// A profile, and what overrides one, speaks of a user wherever they are.
bool IsOfUser(const std::optional<Scope>& over) {
  return !over.has_value() || *over == Scope::kTenant || *over == Scope::kUser || *over == Scope::kUserInProject;
}

bool AreConsistent(EventType type, const std::vector<Limit>& limits) {
  uint32_t seen[kMeters + 1] = {};  // windows of each meter
  for (const Limit& limit : limits) {
    uint32_t& windows = seen[static_cast<uint8_t>(limit.meter)];
    uint32_t bit = uint32_t{1} << static_cast<uint8_t>(limit.window);
    bool is_sound = (windows & bit) == 0 && CanLimit(limit.meter, limit.window) && limit.cap.value_or(0) <= kCapMax &&
                    (type == EventType::kQuotaSet || IsOfUser(limit.over));
    if (!is_sound) return false;
    windows |= bit;
  }
  return true;
}

bool IsTime(int64_t us) { return us >= 0 && us < kEventTimeLimitUs; }

bool IsOffset(int64_t offset_s) { return offset_s >= -kZoneOffsetMaxS && offset_s <= kZoneOffsetMaxS; }

bool IsConsistentZone(const Definition& zone) {
  if (!IsOffset(zone.first_offset_s)) return false;
  for (size_t i = 0; i < zone.shifts.size(); ++i) {
    if (!IsOffset(zone.shifts[i].offset_s)) return false;
    if (i > 0 && zone.shifts[i].at_us <= zone.shifts[i - 1].at_us) return false;
  }
  return true;
}

}  // namespace

bool HasFields(const Event& event) {
  if (IsAsk(event.type)) {
    const Ask& ask = event.asked;
    bool is_about_someone = !ask.user.empty() || !ask.project.empty();
    return is_about_someone && !(ask.project.empty() && !ask.collection.empty()) && !ask.amounts.empty();
  }
  if (IsHoldEnd(event.type)) return !event.end.hold.is_nil();
  if (event.type == EventType::kLimitCrossed) return HasFields(event.crossing);
  const Definition& definition = event.definition;
  if (definition.who.empty() || definition.why.empty()) return false;
  if (event.type == EventType::kQuotaSet) return HasNamed(NamedBy(definition.level), definition);
  bool needs_name = event.type == EventType::kProfileDefined || event.type == EventType::kZoneSet;
  return !needs_name || !definition.name.empty();
}

bool HasKnownEnums(const Event& event) {
  if (event.type == EventType::kLimitCrossed) return HasKnownEnums(event.crossing);
  const std::vector<Amount>& amounts = AmountsOf(event);
  const std::vector<Limit>& limits = LimitsOf(event);
  if (event.type == EventType::kEnforcementSet) return IsWithin(event.definition.enforcement, Enforcement::kOff);
  if (event.type == EventType::kQuotaSet && !IsWithin(event.definition.level, QuotaLevel::kTenant)) return false;
  return std::all_of(amounts.begin(), amounts.end(), [](const Amount& amount) { return IsKnown(amount); }) &&
         std::all_of(limits.begin(), limits.end(), [](const Limit& limit) { return IsKnown(limit); });
}

void CheckTexts(const Event& event, TextCheck& check) {
  check.Count(AmountsOf(event).size(), kAmountsMax);
  check.Count(LimitsOf(event).size(), kLimitsMax);
  if (IsAsk(event.type)) return check.Names(event.asked.user, event.asked.project, event.asked.collection);
  if (event.type == EventType::kHoldReleased) return check.Text(event.end.reason, kWhyBytesMax);
  if (IsHoldEnd(event.type)) return;
  if (event.type == EventType::kLimitCrossed) {
    const Crossing& crossing = event.crossing;
    return check.Names(crossing.user, crossing.project, crossing.collection, crossing.level, crossing.source);
  }
  const Definition& definition = event.definition;
  check.Text(definition.who, kWhyBytesMax);
  check.Text(definition.why, kWhyBytesMax);
  if (event.type == EventType::kProfileDefined) check.Text(definition.description, kWhyBytesMax);
  if (event.type == EventType::kZoneSet) check.Count(definition.shifts.size(), kZoneShiftsMax);
  if (event.type == EventType::kQuotaSet) {
    check.Names(definition.user, definition.project, definition.collection);
  } else if (event.type != EventType::kEnforcementSet) {
    bool has_user = event.type == EventType::kProfileAssigned || event.type == EventType::kLimitOverridden;
    if (has_user) check.Name(definition.user);
    if (event.type != EventType::kLimitOverridden) check.Name(definition.name);
  }
}

bool HasAmounts(const Event& event) {
  if (event.type == EventType::kLimitCrossed) return HasAmounts(event.crossing);
  const std::vector<Amount>& amounts = AmountsOf(event);
  const std::vector<Limit>& limits = LimitsOf(event);
  if (IsAsk(event.type) && event.asked.ttl_us < 0) return false;
  return std::all_of(amounts.begin(), amounts.end(), [](const Amount& amount) { return amount.amount >= 0; }) &&
         std::all_of(limits.begin(), limits.end(), [](const Limit& limit) { return limit.cap.value_or(0) >= 0; });
}

bool IsConsistent(const Event& event) {
  if (IsAsk(event.type)) return IsConsistent(event.type, event.asked);
  if (IsHoldEnd(event.type)) return AreConsistent(AmountsOf(event));
  if (event.type == EventType::kLimitCrossed) return IsConsistent(event.crossing);
  const Definition& definition = event.definition;
  if (event.type == EventType::kProfileDefined && definition.is_deleted && !definition.limits.empty()) return false;
  if (event.type == EventType::kQuotaSet && !HasNoOther(definition)) return false;
  if (event.type == EventType::kZoneSet) return IsConsistentZone(definition);
  return AreConsistent(event.type, LimitsOf(event));
}

bool HasTimesInRange(const Event& event) {
  if (event.type == EventType::kLimitCrossed) {
    return !IsCalendar(event.crossing.window) || IsTime(event.crossing.instance);
  }
  if (event.type != EventType::kZoneSet) return true;
  const std::vector<ZoneShift>& shifts = event.definition.shifts;
  return std::all_of(shifts.begin(), shifts.end(), [](const ZoneShift& shift) { return IsTime(shift.at_us); });
}

}  // namespace odometer::limit_meaning
