// tests/compat/append_only.h: the gate that keeps a schema readable for ever.
//
//   std::vector<std::string> breaks = AppendOnlyBreaks(released_bfbs, current_bfbs);   // empty: nothing broke
//
// Both are schemas in binary form (flatc --binary --schema). What was released must still be there, under the same
// name, number, type and default; what is new may only be added. flatc has a check of its own (--conform), which lets
// deleted fields, enum values and union members pass.
//
// A new field of a table, a new table, a new enum value and a new union member are fine. Marking a field as deprecated
// is fine too: its number stays taken. A struct has no room for anything: any change of it breaks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace odometer::testing {

// One sentence for each break, naming the table and field, enum and value.
std::vector<std::string> AppendOnlyBreaks(std::string_view released_bfbs, std::string_view current_bfbs);

}  // namespace odometer::testing
