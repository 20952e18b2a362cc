// core/limit_meaning.h: what asks, ends of holds, definitions and crossings must say to mean something: a part of
// CheckMeaning(). Private to event_meaning.cc, which says in which order the reasons come.
#pragma once

#include "core/event.h"
#include "core/text_check.h"

namespace odometer::limit_meaning {

// The types that the functions below are for; all others are none of their business.
inline bool IsAbout(EventType type) {
  return (type >= EventType::kAdmitAsked && type <= EventType::kZoneSet) || type == EventType::kLimitCrossed;
}

bool HasFields(const Event& event);
bool HasKnownEnums(const Event& event);
void CheckTexts(const Event& event, TextCheck& check);
bool HasAmounts(const Event& event);
// Its lists are within their limits.
bool IsConsistent(const Event& event);
bool HasTimesInRange(const Event& event);

}  // namespace odometer::limit_meaning
