// state/ask_retention.h: AskRetention, until when asks are kept, and the removal of their rows afterwards.
//
//   retention.Add(row.gone_us, tenant, id);               // of each ask that is made
//   retention.Remove(store, asks, log_time_us);           // before a commit
//
// An ask is gone at its moment, whether its row is there or not: when the row is removed shows in no figure, and so it
// is done a part at a time. Confined to the runner thread.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/status.h"
#include "state/limit_rows.h"
#include "state/store.h"
#include "state/table.h"

namespace odometer {

class AskRetention {
 public:
  void Add(int64_t gone_us, std::string_view tenant, const Uuid& id);
  // Marks rows of `asks` that are gone by `log_time_us` as removed.
  Status Remove(const Store& store, RowTable<AskRow>& asks, int64_t log_time_us);

  // At a commit: the order in which asks will be gone.
  void WriteTo(RowBatch* batch) const;
  void MarkClean();

 private:
  using Place = std::tuple<int64_t, std::string, Uuid>;  // gone_us, tenant, id

  Status RemoveStored(const Store& store, RowTable<AskRow>& asks, int64_t log_time_us);

  std::vector<Place> made_;      // since the last commit
  std::vector<Place> removed_;   // likewise; made before it
  int64_t next_us_ = INT64_MIN;  // none that has a row is gone earlier
};

}  // namespace odometer
