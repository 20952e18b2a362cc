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

// The fields of a row's bytes; nullopt when they are not a row of that kind. Rings and steps are first moved to
// `moment_us`: a ring is "hour=count,…", steps are "rolling_hour step=amount,…"; models and providers are
// "models.NAME.turns" …, cells "add.success.count" ….
std::optional<FieldMap> FieldsOf(RowKind kind, std::string_view bytes, int64_t moment_us);

// The moment to which the rings and steps of a tenant's rows are moved before they are compared: its max_fold_us; 0
// without one.
Result<int64_t> MomentOf(const View& view, std::string_view tenant);

// Every logical row of a view: printable name → fields.
Result<std::map<std::string, FieldMap>> DumpLogical(const View& view);

}  // namespace odometer
