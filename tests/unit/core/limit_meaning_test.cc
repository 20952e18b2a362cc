// What CheckMeaning() asks of asks, ends of holds, definitions and crossings.

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/unit/core/event_samples.h"

namespace odometer {
namespace {

using testing::FullEvent;
using enum EventType;
using Reason::kInconsistentAmounts;
using Reason::kInvalidEnum;
using Reason::kInvalidUtf8;
using Reason::kMissingField;
using Reason::kNegativeAmount;
using Reason::kTextTooLong;
using Reason::kTimeRange;

constexpr Reason kTaken = Reason::kNone;
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

constexpr EventType kAsks[] = {kAdmitAsked, kHoldAsked, kLeaseAsked};
constexpr EventType kEnds[] = {kHoldSettled, kHoldReleased, kLeaseSettled};
constexpr EventType kDefinitions[] = {kProfileDefined, kProfileAssigned, kLimitOverridden,
                                      kQuotaSet,       kEnforcementSet,  kZoneSet};
constexpr EventType kWithAmounts[] = {kHoldAsked, kLeaseAsked, kHoldSettled, kLeaseSettled};
constexpr EventType kWithLimits[] = {kProfileDefined, kLimitOverridden, kQuotaSet};

// What a full event of this type is refused for after one change; the event about to be encoded and the decoded one
// must get the same answer.
Reason After(EventType type, const std::function<void(Event&)>& change) {
  Event event = FullEvent(type);
  change(event);
  Reason reason = CheckMeaning(event);
  std::string bytes = Encode(event);
  Event decoded;
  EXPECT_EQ(ReasonName(Decode(bytes, &decoded)), ReasonName(reason)) << TypeName(type);
  return reason;
}

Reason WithAmounts(EventType type, const std::vector<Amount>& amounts) {
  return After(type, [&](Event& event) { event.asked.amounts = event.end.amounts = amounts; });
}

Reason WithLimits(EventType type, const std::vector<Limit>& limits) {
  return After(type, [&](Event& event) { event.definition.limits = limits; });
}

Reason AfterLimit(EventType type, const std::function<void(Limit&)>& change) {
  return After(type, [&](Event& event) { change(event.definition.limits.back()); });
}

Reason AfterCrossing(const std::function<void(Crossing&)>& change) {
  return After(kLimitCrossed, [&](Event& event) { change(event.crossing); });
}

template <class Enum>
Enum Number(int value) {
  return static_cast<Enum>(value);
}

// --- asks

TEST(LimitMeaning, AnAskIsAboutAUserOrAProjectAndACollectionIsOfAProject) {
  struct Case {
    const char *user, *project, *collection;
    Reason expected;
  };
  constexpr Case kCases[] = {
      {"ana", "p-1", "c", kTaken},  {"ana", "p-1", "", kTaken},      {"ana", "", "", kTaken},
      {"", "p-1", "c", kTaken},     {"", "p-1", "", kTaken},         {"", "", "", kMissingField},
      {"", "", "c", kMissingField}, {"ana", "", "c", kMissingField},
  };
  for (EventType type : kAsks) {
    for (const Case& each : kCases) {
      auto set = [&](Event& event) {
        event.asked.user = each.user;
        event.asked.project = each.project;
        event.asked.collection = each.collection;
      };
      EXPECT_EQ(After(type, set), each.expected) << each.user << " " << each.project << " " << each.collection;
    }
  }
}

TEST(LimitMeaning, AnAskAsksForSomethingAndASettlementMayBeOfNothing) {
  for (EventType type : kAsks) EXPECT_EQ(WithAmounts(type, {}), kMissingField) << TypeName(type);
  for (EventType type : kEnds) EXPECT_EQ(WithAmounts(type, {}), kTaken) << TypeName(type);
}

TEST(LimitMeaning, AnAskedAmountIsAboveZeroAndASettledOneMayBeZero) {
  EXPECT_EQ(WithAmounts(kHoldAsked, {{Meter::kBytes, 0}}), kInconsistentAmounts);
  EXPECT_EQ(WithAmounts(kLeaseAsked, {{Meter::kRequests, 1}, {Meter::kBytes, 0}}), kInconsistentAmounts);
  EXPECT_EQ(WithAmounts(kAdmitAsked, {{Meter::kRequests, 0}}), kInconsistentAmounts);
  EXPECT_EQ(WithAmounts(kHoldSettled, {{Meter::kBytes, 0}}), kTaken);
  EXPECT_EQ(WithAmounts(kLeaseSettled, {{Meter::kBytes, 0}}), kTaken);
}

TEST(LimitMeaning, AnAmountIsFromZeroTo2To50) {
  for (EventType type : kWithAmounts) {
    EXPECT_EQ(WithAmounts(type, {{Meter::kCost, int64_t{1} << 50}}), kTaken) << TypeName(type);
    EXPECT_EQ(WithAmounts(type, {{Meter::kCost, (int64_t{1} << 50) + 1}}), kInconsistentAmounts) << TypeName(type);
    EXPECT_EQ(WithAmounts(type, {{Meter::kCost, kMax}}), kInconsistentAmounts) << TypeName(type);
    EXPECT_EQ(WithAmounts(type, {{Meter::kBytes, 1}, {Meter::kCost, -1}}), kNegativeAmount) << TypeName(type);
    EXPECT_EQ(WithAmounts(type, {{Meter::kCost, kMin}}), kNegativeAmount) << TypeName(type);
  }
  EXPECT_EQ(WithAmounts(kAdmitAsked, {{Meter::kRequests, -1}}), kNegativeAmount);
}

TEST(LimitMeaning, AMeterIsKnownAndNamedOnce) {
  for (EventType type : kWithAmounts) {
    for (int bad : {0, 13, 32, 255}) {
      EXPECT_EQ(WithAmounts(type, {{Meter::kRequests, 1}, {Number<Meter>(bad), 1}}), kInvalidEnum) << bad;
    }
    for (int meter = 1; meter <= 12; ++meter) {
      EXPECT_EQ(WithAmounts(type, {{Number<Meter>(meter), 1}}), kTaken) << meter;
      EXPECT_EQ(WithAmounts(type, {{Number<Meter>(meter), 1}, {Number<Meter>(meter), 1}}), kInconsistentAmounts);
    }
  }
  EXPECT_EQ(WithAmounts(kAdmitAsked, {{Number<Meter>(0), 1}}), kInvalidEnum);
}

TEST(LimitMeaning, AmountsTakeExactlyOneForEachMeter) {
  std::vector<Amount> all;
  for (int meter = 1; meter <= 12; ++meter) all.push_back({Number<Meter>(meter), 1});
  std::vector<Amount> more = all;
  more.push_back({Meter::kRequests, 1});
  for (EventType type : kWithAmounts) {
    EXPECT_EQ(WithAmounts(type, all), kTaken) << TypeName(type);
    EXPECT_EQ(WithAmounts(type, more), kTextTooLong) << TypeName(type);
  }
  EXPECT_EQ(WithAmounts(kAdmitAsked, more), kTextTooLong);
}

TEST(LimitMeaning, OnlyWhatHappensOnceCanBeAdmittedAndOneOfIt) {
  for (int meter = 1; meter <= 12; ++meter) {
    bool can_be = meter == 1 || meter == 2 || meter == 3 || meter == 8 || meter == 9;
    EXPECT_EQ(WithAmounts(kAdmitAsked, {{Number<Meter>(meter), 1}}), can_be ? kTaken : kInconsistentAmounts) << meter;
    EXPECT_EQ(WithAmounts(kAdmitAsked, {{Number<Meter>(meter), 2}}), kInconsistentAmounts) << meter;
  }
  EXPECT_EQ(WithAmounts(kAdmitAsked, {{Meter::kRequests, 1}, {Meter::kRequests, 1}}), kInconsistentAmounts);
}

TEST(LimitMeaning, AHoldLivesASecondToADayAndALeaseToAnHour) {
  struct Case {
    EventType type;
    int64_t ttl_us;
    Reason expected;
  };
  constexpr Case kCases[] = {
      {kHoldAsked, 1'000'000, kTaken},
      {kHoldAsked, 999'999, kInconsistentAmounts},
      {kHoldAsked, 0, kInconsistentAmounts},
      {kHoldAsked, -1, kNegativeAmount},
      {kHoldAsked, 86'400'000'000, kTaken},
      {kHoldAsked, 86'400'000'001, kInconsistentAmounts},
      {kLeaseAsked, 1'000'000, kTaken},
      {kLeaseAsked, 999'999, kInconsistentAmounts},
      {kLeaseAsked, kMin, kNegativeAmount},
      {kLeaseAsked, 3'600'000'000, kTaken},
      {kLeaseAsked, 3'600'000'001, kInconsistentAmounts},
  };
  for (const Case& each : kCases) {
    EXPECT_EQ(After(each.type, [&](Event& event) { event.asked.ttl_us = each.ttl_us; }), each.expected)
        << TypeName(each.type) << " " << each.ttl_us;
  }
}

TEST(LimitMeaning, WhatIsAdmittedHasNoTimeToLive) {
  Event event = FullEvent(kAdmitAsked);
  event.asked.ttl_us = kHoldTtlMinUs;  // not stored: of an event about to be encoded only
  EXPECT_EQ(CheckMeaning(event), kInconsistentAmounts);
}

// --- ends of holds

TEST(LimitMeaning, AnEndNamesItsHold) {
  for (EventType type : kEnds) {
    EXPECT_EQ(After(type, [](Event& event) { event.end.hold = Uuid{}; }), kMissingField) << TypeName(type);
  }
  EXPECT_EQ(After(kHoldReleased, [](Event& event) { event.end.reason = ""; }), kTaken);
}

// --- definitions

TEST(LimitMeaning, EveryDefinitionSaysWhoAndWhy) {
  for (EventType type : kDefinitions) {
    EXPECT_EQ(After(type, [](Event& event) { event.definition.who = ""; }), kMissingField) << TypeName(type);
    EXPECT_EQ(After(type, [](Event& event) { event.definition.why = ""; }), kMissingField) << TypeName(type);
    EXPECT_EQ(After(type, [](Event& event) { event.definition.expected.reset(); }), kTaken) << TypeName(type);
    EXPECT_EQ(After(type, [](Event& event) { event.definition.expected = Uuid{}; }), kTaken) << TypeName(type);
  }
}

TEST(LimitMeaning, ProfilesAndZonesHaveANameAndWhoIsAssignedOrOverriddenMayBeAll) {
  auto clear_name = [](Event& event) { event.definition.name = ""; };
  auto clear_user = [](Event& event) { event.definition.user = ""; };
  EXPECT_EQ(After(kProfileDefined, clear_name), kMissingField);
  EXPECT_EQ(After(kZoneSet, clear_name), kMissingField);
  EXPECT_EQ(After(kProfileAssigned, clear_name), kTaken);
  EXPECT_EQ(After(kProfileAssigned, clear_user), kTaken);
  EXPECT_EQ(After(kLimitOverridden, clear_user), kTaken);
  EXPECT_EQ(After(kProfileDefined, [](Event& event) { event.definition.description = ""; }), kTaken);
}

TEST(LimitMeaning, ADefinitionWithoutLimitsTakesThemAway) {
  for (EventType type : kWithLimits) EXPECT_EQ(WithLimits(type, {}), kTaken) << TypeName(type);
}

TEST(LimitMeaning, ADeletedProfileHasNoLimits) {
  EXPECT_EQ(CheckMeaning(testing::DeletedProfile()), kTaken);
  EXPECT_EQ(After(kProfileDefined, [](Event& event) { event.definition.is_deleted = true; }), kInconsistentAmounts);
}

TEST(LimitMeaning, AQuotaNamesWhatItsLevelSpeaksOfAndNothingElse) {
  struct Level {
    QuotaLevel level;
    bool user, project, collection;
  };
  constexpr Level kLevels[] = {
      {QuotaLevel::kUserProject, true, true, false}, {QuotaLevel::kUser, true, false, false},
      {QuotaLevel::kProject, false, true, false},    {QuotaLevel::kDefault, false, false, false},
      {QuotaLevel::kCollection, false, true, true},  {QuotaLevel::kTenant, false, false, false},
  };
  for (const Level& level : kLevels) {
    for (int named = 0; named < 8; ++named) {
      bool user = (named & 1) != 0, project = (named & 2) != 0, collection = (named & 4) != 0;
      bool lacks = (level.user && !user) || (level.project && !project) || (level.collection && !collection);
      bool has_more = (user && !level.user) || (project && !level.project) || (collection && !level.collection);
      Reason expected = lacks ? kMissingField : has_more ? kInconsistentAmounts : kTaken;
      auto set = [&](Event& event) {
        event.definition.level = level.level;
        event.definition.user = user ? "ana" : "";
        event.definition.project = project ? "p-1" : "";
        event.definition.collection = collection ? "c" : "";
      };
      EXPECT_EQ(After(kQuotaSet, set), expected) << static_cast<int>(level.level) << " " << named;
    }
  }
}

TEST(LimitMeaning, EveryWordOfADefinitionIsKnown) {
  for (int bad : {0, 200, 255}) {
    EXPECT_EQ(After(kQuotaSet, [&](Event& event) { event.definition.level = Number<QuotaLevel>(bad); }), kInvalidEnum);
    EXPECT_EQ(After(kEnforcementSet, [&](Event& event) { event.definition.enforcement = Number<Enforcement>(bad); }),
              kInvalidEnum);
    for (EventType type : kWithLimits) {
      EXPECT_EQ(AfterLimit(type, [&](Limit& limit) { limit.meter = Number<Meter>(bad); }), kInvalidEnum);
      EXPECT_EQ(AfterLimit(type, [&](Limit& limit) { limit.window = Number<Window>(bad); }), kInvalidEnum);
      EXPECT_EQ(AfterLimit(type, [&](Limit& limit) { limit.over = Number<Scope>(bad); }), kInvalidEnum);
      EXPECT_EQ(AfterLimit(type, [&](Limit& limit) { limit.mode = Number<LimitMode>(bad); }), kInvalidEnum);
      EXPECT_EQ(AfterLimit(type, [&](Limit& limit) { limit.when_unavailable = Number<WhenUnavailable>(bad); }),
                kInvalidEnum);
    }
  }
}

TEST(LimitMeaning, TheFirstNumberAfterEachWordIsRefused) {
  EXPECT_EQ(After(kQuotaSet, [](Event& event) { event.definition.level = Number<QuotaLevel>(7); }), kInvalidEnum);
  EXPECT_EQ(After(kEnforcementSet, [](Event& event) { event.definition.enforcement = Number<Enforcement>(4); }),
            kInvalidEnum);
  EXPECT_EQ(AfterLimit(kQuotaSet, [](Limit& limit) { limit.meter = Number<Meter>(13); }), kInvalidEnum);
  EXPECT_EQ(AfterLimit(kQuotaSet, [](Limit& limit) { limit.window = Number<Window>(9); }), kInvalidEnum);
  EXPECT_EQ(AfterLimit(kQuotaSet, [](Limit& limit) { limit.over = Number<Scope>(6); }), kInvalidEnum);
  EXPECT_EQ(AfterLimit(kQuotaSet, [](Limit& limit) { limit.mode = Number<LimitMode>(3); }), kInvalidEnum);
  EXPECT_EQ(AfterLimit(kQuotaSet, [](Limit& limit) { limit.when_unavailable = Number<WhenUnavailable>(4); }),
            kInvalidEnum);
}

// --- limits

TEST(LimitMeaning, AGaugeIsLimitedByWhatThereIsAndAllElseInAWindow) {
  for (EventType type : kWithLimits) {
    for (int meter = 1; meter <= 12; ++meter) {
      for (int window = 1; window <= 8; ++window) {
        bool fits = (meter >= 10) == (window == 8);
        EXPECT_EQ(WithLimits(type, {{.meter = Number<Meter>(meter), .window = Number<Window>(window), .cap = 1}}),
                  fits ? kTaken : kInconsistentAmounts)
            << meter << " " << window;
      }
    }
  }
}

TEST(LimitMeaning, ACapIsFromZeroTo2To60OrAbsent) {
  struct Case {
    std::optional<int64_t> cap;
    Reason expected;
  };
  const Case cases[] = {{std::nullopt, kTaken},       {0, kTaken},
                        {int64_t{1} << 60, kTaken},   {(int64_t{1} << 60) + 1, kInconsistentAmounts},
                        {kMax, kInconsistentAmounts}, {-1, kNegativeAmount},
                        {kMin, kNegativeAmount}};
  for (EventType type : kWithLimits) {
    for (const Case& each : cases) {
      EXPECT_EQ(AfterLimit(type, [&](Limit& limit) { limit.cap = each.cap; }), each.expected) << each.cap.value_or(7);
    }
  }
}

TEST(LimitMeaning, NoTwoLimitsOfADefinitionAreOfOneMeterAndWindow) {
  Limit hourly{.meter = Meter::kRequests, .window = Window::kHour, .cap = 5};
  Limit daily{.meter = Meter::kRequests, .window = Window::kDay, .cap = 50};
  Limit searches{.meter = Meter::kSearches, .window = Window::kHour, .cap = 7};
  Limit again = hourly;
  again.over = Scope::kTenant;
  again.cap = 6;
  for (EventType type : kWithLimits) {
    EXPECT_EQ(WithLimits(type, {hourly, daily, searches}), kTaken) << TypeName(type);
    EXPECT_EQ(WithLimits(type, {hourly, daily, searches, again}), kInconsistentAmounts) << TypeName(type);
  }
}

TEST(LimitMeaning, LimitsTakeExactlyTheirLimit) {
  std::vector<Limit> limits;
  for (int meter = 1; meter <= 9; ++meter) {
    for (int window = 1; window <= 7; ++window) limits.push_back({Number<Meter>(meter), Number<Window>(window)});
  }
  limits.push_back({Meter::kVectors, Window::kGauge});
  ASSERT_EQ(limits.size(), 64u);
  std::vector<Limit> more = limits;
  more.push_back({Meter::kBytes, Window::kGauge});
  for (EventType type : kWithLimits) {
    EXPECT_EQ(WithLimits(type, limits), kTaken) << TypeName(type);
    EXPECT_EQ(WithLimits(type, more), kTextTooLong) << TypeName(type);
  }
}

TEST(LimitMeaning, WhatIsOfAUserIsNotCountedOverAProjectOrCollection) {
  for (Scope over : {Scope::kTenant, Scope::kUser, Scope::kUserInProject, Scope::kProject, Scope::kCollection}) {
    bool is_of_project = over == Scope::kProject || over == Scope::kCollection;
    auto set = [&](Limit& limit) { limit.over = over; };
    EXPECT_EQ(AfterLimit(kProfileDefined, set), is_of_project ? kInconsistentAmounts : kTaken);
    EXPECT_EQ(AfterLimit(kLimitOverridden, set), is_of_project ? kInconsistentAmounts : kTaken);
    EXPECT_EQ(AfterLimit(kQuotaSet, set), kTaken);
  }
}

// --- zones

TEST(LimitMeaning, AnOffsetIsAtMost18HoursAndShiftsRunForward) {
  auto with = [](int64_t first, std::vector<ZoneShift> shifts) {
    return After(kZoneSet, [&](Event& event) {
      event.definition.first_offset_s = first;
      event.definition.shifts = shifts;
    });
  };
  EXPECT_EQ(with(64'800, {}), kTaken);
  EXPECT_EQ(with(-64'800, {}), kTaken);
  EXPECT_EQ(with(64'801, {}), kInconsistentAmounts);
  EXPECT_EQ(with(-64'801, {}), kInconsistentAmounts);
  EXPECT_EQ(with(kMin, {}), kInconsistentAmounts);
  EXPECT_EQ(with(0, {{0, 64'800}, {1, -64'800}}), kTaken);
  EXPECT_EQ(with(0, {{0, 0}, {1, 64'801}}), kInconsistentAmounts);
  EXPECT_EQ(with(0, {{0, -64'801}}), kInconsistentAmounts);
  EXPECT_EQ(with(0, {{5, 0}, {5, 3600}}), kInconsistentAmounts);
  EXPECT_EQ(with(0, {{5, 0}, {4, 3600}}), kInconsistentAmounts);
}

TEST(LimitMeaning, AShiftIsWithinTheRangeOfTimes) {
  auto with = [](std::vector<ZoneShift> shifts) {
    return After(kZoneSet, [&](Event& event) { event.definition.shifts = shifts; });
  };
  EXPECT_EQ(with({{0, 0}, {kEventTimeLimitUs - 1, 0}}), kTaken);
  EXPECT_EQ(with({{-1, 0}, {5, 0}}), kTimeRange);
  EXPECT_EQ(with({{5, 0}, {kEventTimeLimitUs, 0}}), kTimeRange);
}

// --- the order

TEST(LimitMeaning, TheFirstReasonInTheOrderOfTheListIsGiven) {
  std::string too_long(1025, 'x');
  Event event = FullEvent(kQuotaSet);
  event.event_time.us = -1;
  EXPECT_EQ(CheckMeaning(event), kTimeRange);
  event.definition.user = "ana";
  EXPECT_EQ(CheckMeaning(event), kInconsistentAmounts);
  event.definition.limits[0].cap = -1;
  EXPECT_EQ(CheckMeaning(event), kNegativeAmount);
  event.definition.who = too_long;
  EXPECT_EQ(CheckMeaning(event), kTextTooLong);
  event.definition.user = "\xff";
  EXPECT_EQ(CheckMeaning(event), kInvalidUtf8);
  event.definition.limits[0].mode = Number<LimitMode>(0);
  EXPECT_EQ(CheckMeaning(event), kInvalidEnum);
  event.definition.why = "";
  EXPECT_EQ(CheckMeaning(event), kMissingField);
}

// --- crossings

TEST(LimitMeaning, ACrossingNamesWhatItsScopeSpeaksOf) {
  struct Case {
    Scope over;
    bool user, project, collection;
  };
  constexpr Case kCases[] = {{Scope::kTenant, false, false, false},
                             {Scope::kUser, true, false, false},
                             {Scope::kProject, false, true, false},
                             {Scope::kUserInProject, true, true, false},
                             {Scope::kCollection, false, true, true}};
  for (const Case& each : kCases) {
    for (int named = 0; named < 8; ++named) {
      bool has_user = (named & 1) != 0, has_project = (named & 2) != 0, has_collection = (named & 4) != 0;
      auto set = [&](Crossing& crossing) {
        crossing.over = each.over;
        crossing.user = has_user ? "ana" : "";
        crossing.project = has_project ? "p-1" : "";
        crossing.collection = has_collection ? "manuals" : "";
      };
      bool has_all = has_user >= each.user && has_project >= each.project && has_collection >= each.collection;
      EXPECT_EQ(AfterCrossing(set), has_all ? kTaken : kMissingField) << ScopeName(each.over) << " " << named;
    }
  }
}

TEST(LimitMeaning, ACrossingHasALevelADefinitionAndACauseAndPerhapsASource) {
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.level = ""; }), kMissingField);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.definition = Uuid{}; }), kMissingField);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.cause = Uuid{}; }), kMissingField);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.source = ""; }), kTaken);
}

TEST(LimitMeaning, ACrossingIsOfKnownWordsAndOneOfThreePercentages) {
  for (int bad : {0, 6, 255}) {
    EXPECT_EQ(AfterCrossing([&](Crossing& crossing) { crossing.over = Number<Scope>(bad); }), kInvalidEnum) << bad;
  }
  for (int bad : {0, 13, 255}) {
    EXPECT_EQ(AfterCrossing([&](Crossing& crossing) { crossing.meter = Number<Meter>(bad); }), kInvalidEnum) << bad;
  }
  for (int bad : {0, 9, 255}) {
    EXPECT_EQ(AfterCrossing([&](Crossing& crossing) { crossing.window = Number<Window>(bad); }), kInvalidEnum) << bad;
  }
  for (int percent = 0; percent < 256; ++percent) {
    bool is_one = percent == 80 || percent == 95 || percent == 100;
    auto set = [&](Crossing& crossing) { crossing.percent = static_cast<uint8_t>(percent); };
    EXPECT_EQ(AfterCrossing(set), is_one ? kTaken : kInvalidEnum) << percent;
  }
}

TEST(LimitMeaning, ACrossedCapIsFromZeroTo2To60AndWhatWasUsedHasNoLimit) {
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.cap = 0; }), kTaken);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.cap = kCapMax; }), kTaken);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.cap = kCapMax + 1; }), kInconsistentAmounts);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.cap = -1; }), kNegativeAmount);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.used = kMax; }), kTaken);
  EXPECT_EQ(AfterCrossing([](Crossing& crossing) { crossing.used = kMin; }), kNegativeAmount);
}

TEST(LimitMeaning, ACrossingsMeterFitsItsWindowAndItsInstanceIsATimeOrACount) {
  for (int meter = 1; meter <= 12; ++meter) {
    for (int window = 1; window <= 8; ++window) {
      auto with = [&](int64_t instance) {
        return AfterCrossing([&](Crossing& crossing) {
          crossing.meter = Number<Meter>(meter);
          crossing.window = Number<Window>(window);
          crossing.instance = instance;
        });
      };
      bool is_calendar = window >= 4 && window <= 6;
      bool fits = (meter >= 10) == (window == 8);
      EXPECT_EQ(with(0), fits ? kTaken : kInconsistentAmounts) << meter << " " << window;
      if (!fits) continue;
      EXPECT_EQ(with(-1), is_calendar ? kTimeRange : kNegativeAmount) << meter << " " << window;
      EXPECT_EQ(with(kMax), is_calendar ? kTimeRange : kTaken) << meter << " " << window;
    }
  }
}

}  // namespace
}  // namespace odometer
