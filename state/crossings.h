// state/crossings.h: Crossings, which limits have been crossed at 80, 95 and 100 percent of their caps, each once an
// instance, and how what was crossed comes into the log and out of it. The rules: docs/limits.md, section 6.
//
//   Crossings::Lower(standing, &use);                      // before use grows
//   if (Crossings::HasReached(standing)) crossings.Raise(subject, standing, moment, &use);   // and after
//   for (std::string& bytes : crossings.Take()) Append(bytes);                               // once that is committed
//   bool is_ours = crossings.ReadBack(event, offset);      // its LimitCrossed: an alert from here on
//
// Confined to the runner thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/event.h"
#include "state/judge.h"
#include "state/limit_rows.h"
#include "state/resolve.h"
#include "state/store.h"

namespace odometer {

class Crossings {
 public:
  // When, by log_time, and by which event.
  struct Moment {
    int64_t at_us = 0;
    Uuid cause;
  };

  // Reads the outbox. Once, before anything else.
  Status Open(const Store& store);

  // Whether any percentage is reached.
  static bool HasReached(const Standing& standing);
  // What was raised and has fallen since. True: the row has changed.
  static bool Lower(const Standing& standing, LimitUseRow* use);
  // What is reached and was not raised goes into the outbox.
  void Raise(const Subject& subject, const Standing& standing, const Moment& moment, LimitUseRow* use);

  // Of a LimitCrossed at this offset; false: the outbox has none of that id.
  bool ReadBack(const Event& event, uint64_t offset);
  // One that came again.
  void Forget(const Event& event);

  // The stored form of each that is committed and was not taken before, as events for the log.
  std::vector<std::string> Take();
  size_t waiting() const { return outbox_.size(); }

  // At a commit, of one kind: every change since the last one.
  void WriteTo(RowKind kind, RowBatch* batch) const;
  // It is written into a batch, and that is in the store.
  void MarkClean();
  void Committed() { takeable_ = written_; }

 private:
  using Key = std::pair<std::string, Uuid>;  // tenant, id

  void Add(const Subject& own, const Standing& standing, const CrossedItem& item, const Moment& moment);

  std::map<Key, CrossingRow> outbox_;
  std::vector<Key> untaken_;
  size_t written_ = 0;   // of those, the first so many, into a batch
  size_t takeable_ = 0;  // and the first so many are committed
  std::vector<Key> changed_;                                 // of the outbox
  std::vector<std::pair<std::string, CrossingRow>> alerts_;  // by key, since the last commit
  std::vector<std::string> order_;                           // keys, likewise
};

}  // namespace odometer
