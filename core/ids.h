// core/ids.h: Uuid, the 16 bytes that name an event, a log or a producer, and how one is made.
//
//   EventId id = Uuid5(Uuid5(kNamespaceDns, "my-app"), "order-17");   // the same for the same source and key, for ever
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace odometer {

struct Uuid {
  std::array<uint8_t, 16> bytes{};

  bool is_nil() const { return *this == Uuid{}; }
  // 36 characters, lower case.
  std::string ToString() const;
  // Takes the 36-character form in either case; anything else is nullopt.
  static std::optional<Uuid> Parse(std::string_view text);

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

using EventId = Uuid;

// RFC 4122 / RFC 9562 namespaces and versions.
extern const Uuid kNamespaceDns;
Uuid Uuid5(const Uuid& name_space, std::string_view name);
// time_us: microseconds since the epoch (the id keeps its milliseconds); random: 10 random bytes, from the caller.
Uuid Uuid7(int64_t time_us, const std::array<uint8_t, 10>& random);
// The id of an event for which its sender gives a key of its own: uuid5(uuid5(DNS, source), key).
EventId DerivedId(std::string_view source, std::string_view key);

}  // namespace odometer
