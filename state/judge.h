// state/judge.h: Judge(), the verdict on an ask: a pure function of the limits that apply, what has been used of them,
// and the moment.
//
//   Verdict verdict = Judge({.at_us = log_time, .amounts = amounts, .enforcement = Enforcement::kOn}, standings);
//
// The fold judges asks with its rows, `check` and `explain` with those of a view: the same function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/zone.h"
#include "state/resolve.h"

namespace odometer {

// Open holds of one user, or of one project where nobody is named.
inline constexpr int64_t kOpenHoldsMax = 1'000;
// Whose holds are counted and bounded together.
inline Scope HoldOwner(const Subject& subject) { return subject.user.empty() ? Scope::kProject : Scope::kUser; }

// One limit, and what its scope has used at the moment of the ask.
struct Standing {
  const AppliedLimit* limit = nullptr;
  int64_t used = 0;
  int64_t held = 0;
  const Counter* counter = nullptr;  // null: nothing has been counted yet, or what there is now is
};

struct AskedOf {
  int64_t at_us = 0;  // log_time
  std::span<const Amount> amounts;
  Enforcement enforcement = Enforcement::kOn;
  const Zone* zone = nullptr;
  bool has_too_many_holds = false;
};

Verdict Judge(const AskedOf& asked, std::span<const Standing> standings);

// What a counter says at a moment, with what lies outside its window left out. A gauge's: not of a counter.
int64_t UsedAt(const Counter& counter, int64_t at_us);

}  // namespace odometer
