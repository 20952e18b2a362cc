// state/age.h: AgeRow, a row as it would be if time had gone on without an event: its rings and steps moved.
//
//   AgeRow(&row, tenant.max_fold_us);   // before a row is hashed or compared
//
// Nothing moves back; a row without rings and steps stays as it is.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/period.h"
#include "state/ring.h"
#include "state/steps.h"

namespace odometer {

class Ager {
 public:
  explicit Ager(int64_t moment_us) : moment_us_(moment_us) {}

  template <class T>
  void operator()(const char*, T& value) {
    Age(value);
  }

 private:
  void Age(Ring& ring) { ring.MoveTo(HourOf(FoldTime{moment_us_})); }
  void Age(Steps& steps) { steps.MoveTo(moment_us_); }
  template <class T>
  requires requires(T& row, Ager& ager) { T::Fields(row, ager); }
  void Age(T& value) { T::Fields(value, *this); }
  template <class T, size_t n>
  void Age(std::array<T, n>& values) {
    for (T& value : values) Age(value);
  }
  template <class T>
  void Age(std::vector<T>& values) {
    for (T& value : values) Age(value);
  }
  template <class T>
  void Age(T&) {}

  int64_t moment_us_;
};

template <class Row>
void AgeRow(Row* row, int64_t moment_us) {
  Ager ager(moment_us);
  Row::Fields(*row, ager);
}

}  // namespace odometer
