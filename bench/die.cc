#include "bench/die.h"

#include <cstdlib>
#include <iostream>

namespace odometer {

void Die(const std::string& text) {
  std::cerr << "bench: " << text << "\n";
  std::exit(5);
}

void Must(const Status& status) {
  if (!status.ok()) Die(status.ToString());
}

}  // namespace odometer
