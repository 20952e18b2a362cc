// consumers/loopback.h: IsLoopback(), whether a URL leads to this machine, past any proxy of the environment.
#pragma once

#include <string_view>

namespace odometer {

inline bool IsLoopback(std::string_view url) {
  for (std::string_view host : {"://127.", "://localhost", "://[::1]"}) {
    if (url.find(host) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace odometer
