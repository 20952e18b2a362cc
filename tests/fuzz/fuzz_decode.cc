// Any bytes: Decode() gives a reason or a whole event, the same as FlatBuffers' own verifier and accessors, and a whole
// event can be written and read again.

#include <cstring>
#include <memory>

#include "core/check.h"
#include "core/event.h"
#include "tests/fuzz/decode_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace odometer;
  std::unique_ptr<char[]> exact(new char[size]);  // aligned, and a read of one byte too much is seen
  std::memcpy(exact.get(), data, size);
  testing::CheckAgainstReference({exact.get(), size});
  static Event event, again;
  if (Decode({exact.get(), size}, &event) != Reason::kNone) return 0;
  ODOMETER_CHECK(CheckMeaning(event) == Reason::kNone);
  std::string bytes = Encode(event);
  Reason reason = Decode(bytes, &again);
  // Texts that shared their bytes are written apart: only the size may now be too much.
  if (reason == Reason::kTooLarge && bytes.size() > kEventBytesMax) return 0;
  ODOMETER_CHECK(reason == Reason::kNone);
  ODOMETER_CHECK(Encode(again) == bytes);
  return 0;
}
