// tests/fuzz/decode_reference.h: Decode() by the verifier and the accessors that FlatBuffers generates, for comparing.
//
//   CheckAgainstReference(bytes);    // aborts if Decode() says otherwise, in its reason or in any field
#pragma once

#include <string_view>

#include "core/event.h"

namespace odometer::testing {

// As Decode(), without the meaning: kNone if the bytes have the structure and the shape of an event.
Reason DecodeByAccessors(std::string_view bytes, Event* event);

// `bytes` are 8-aligned. Returns what Decode() said.
Reason CheckAgainstReference(std::string_view bytes);

}  // namespace odometer::testing
