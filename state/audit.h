// state/audit.h: CompareStores, whether two stores of one partition say the same: every logical and positional row
// field by field, derived rows entry by entry, and the conservation law from both ends.
//
//   AuditReport report = CompareStores(*live, *refolded, {}).value();
//   for (const Difference& d : report.differences) Print(d);     // empty: drift is zero
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"
#include "state/store.h"

namespace odometer {

struct Difference {
  std::string place;  // "account[default,ann]", "meta[]", "log"
  std::string tenant;
  std::string subject;        // the user or project, when the row has one
  std::string field;          // "output_tokens"; "row" when one side has no such row
  std::string stored;         // what the audited store holds
  std::string folded;         // what the log folds to
  uint64_t first_offset = 0;  // where to look: [first, next)
  uint64_t next_offset = 0;
};

struct AuditOptions {
  std::optional<std::string> user;  // only rows of this user or project
  size_t differences_max = 1000;    // counted beyond, not listed
};

struct AuditReport {
  uint64_t rows = 0;  // logical rows compared
  uint64_t fields = 0;
  uint64_t other_rows = 0;  // positional and derived
  uint64_t difference_count = 0;
  std::vector<Difference> differences;
  void Add(Difference difference, size_t most);
};

Result<AuditReport> CompareStores(const View& stored, const View& folded, const AuditOptions& options);

// The conservation law over one view, the sums read back from its rows; a difference for each side that does not hold.
Result<std::vector<Difference>> CheckConservation(const View& view);

}  // namespace odometer
