#include "bench/die.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <vector>

namespace odometer {

namespace {

// Of those that have not run; never destroyed, for an exit reads it.
std::vector<const std::function<void()>*>& Waiting() {
  static auto* waiting = new std::vector<const std::function<void()>*>();
  return *waiting;
}

void RunWaiting() {
  while (!Waiting().empty()) {
    const std::function<void()>* last = Waiting().back();
    Waiting().pop_back();
    (*last)();
  }
}

}  // namespace

void Die(const std::string& text) {
  std::cerr << "bench: " << text << "\n";
  std::exit(5);
}

void Must(const Status& status) {
  if (!status.ok()) Die(status.ToString());
}

AtEnd::AtEnd(std::function<void()> work) : work_(std::move(work)) {
  static const int registered = std::atexit(RunWaiting);
  (void)registered;
  Waiting().push_back(&work_);
}

AtEnd::~AtEnd() {
  if (std::erase(Waiting(), &work_) != 0) work_();
}

}  // namespace odometer
