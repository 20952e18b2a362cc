// state/meta.h: MetaRow, the positional row of a partition: where its store stands in the log and what became of every
// record up to there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "core/event.h"
#include "core/ids.h"
#include "core/reason.h"

namespace odometer {

// Raised whenever a figure's meaning or a row's bytes change: a store of another version is folded anew.
inline constexpr uint32_t kFoldVersion = 6;

struct MetaRow {
  uint32_t fold_version = kFoldVersion;  // first for ever: it says how to read the rest
  Uuid log_id;
  uint32_t partition = 0;
  uint32_t partitions = 1;

  uint64_t start = 0;   // the first offset that was folded
  uint64_t cursor = 0;  // the next one
  uint64_t holes = 0;   // offsets below the cursor at which the log has no record
  int64_t log_time_us = -1;
  std::array<uint64_t, 2> rolling_hash{};

  std::array<uint64_t, 64> applied{};  // by EventType
  uint64_t duplicate = 0;
  uint64_t duplicate_unverified = 0;  // of them
  uint64_t duplicate_other_door = 0;  // of them
  std::array<uint64_t, kReasons> quarantined{};
  uint64_t own_events = 0;

  uint64_t applied_total() const {
    uint64_t sum = 0;
    for (uint64_t n : applied) sum += n;
    return sum;
  }
  uint64_t quarantined_total() const {
    uint64_t sum = 0;
    for (uint64_t n : quarantined) sum += n;
    return sum;
  }
  // high watermark − start − holes = applied + duplicate + quarantined, for the records folded so far.
  bool conserves() const { return cursor - start - holes == applied_total() + duplicate + quarantined_total(); }

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("fold_version", row.fold_version);
    v("log_id", row.log_id);
    v("partition", row.partition);
    v("partitions", row.partitions);
    v("start", row.start);
    v("cursor", row.cursor);
    v("holes", row.holes);
    v("log_time_us", row.log_time_us);
    v("rolling_hash", row.rolling_hash);
    v("applied", row.applied);
    v("duplicate", row.duplicate);
    v("duplicate_unverified", row.duplicate_unverified);
    v("duplicate_other_door", row.duplicate_other_door);
    v("quarantined", row.quarantined);
    v("own_events", row.own_events);
  }
};

// The rolling hash before an offset, kept at every multiple of kChainStep, so that an audit can say where a log parts
// from the one that was folded.
inline constexpr uint64_t kChainStep = 256;
struct ChainRow {
  std::array<uint64_t, 2> rolling_hash{};

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("rolling_hash", row.rolling_hash);
  }
};

struct QuarantineRow {
  uint8_t reason = 0;
  int64_t append_time_us = 0;
  uint64_t size_bytes = 0;
  bool null_payload = false;
  std::string head;  // the first 4 KiB

  template <class Self, class V>
  static void Fields(Self& row, V&& v) {
    v("reason", row.reason);
    v("append_time_us", row.append_time_us);
    v("size_bytes", row.size_bytes);
    v("null_payload", row.null_payload);
    v("head", row.head);
  }
};

}  // namespace odometer
