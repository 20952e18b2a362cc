// state/dump.h: rows as text, for comparing and for showing: every field of a row by its name in docs/figures.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "state/keys.h"
#include "state/store.h"

namespace odometer {

using FieldMap = std::map<std::string, std::string>;

// The fields of a row's bytes; nullopt when they are not a row of that kind. A ring is "hour=count,…" after it was
// moved to `ring_hour`, models and providers are "models.NAME.turns" …, cells "add.success.count" ….
std::optional<FieldMap> FieldsOf(RowKind kind, std::string_view bytes, int64_t ring_hour);

// The hour to which the rings of a tenant's rows are moved before they are compared: that of its max_fold_us.
Result<int64_t> RingHourOf(const View& view, std::string_view tenant);

// Every logical row of a view: printable name → fields.
Result<std::map<std::string, FieldMap>> DumpLogical(const View& view);

}  // namespace odometer
