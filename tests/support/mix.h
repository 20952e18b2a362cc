// tests/support/mix.h: Mix, a seeded stream of the records that hosts, or an enemy, would put into one partition.
//
//   Mix mix({.seed = 7, .partition = 1, .partitions = 2});
//   for (int i = 0; i < 300; ++i) {
//     MixRecord record = mix.Next();
//     append_time_us += record.suggested_append_advance_us;
//     ...
//   }
//
// The same options give the same bytes on every machine. Well-formed records hold every event type but Genesis, every
// enum value, every optional field with and without; late, early and out of order; stamped and not; with gaps, reports
// of them, duplicates and conflicts; definitions, asks, ends of holds, and facts that name an ask. Hostile ones hold
// every reason to refuse a record. Thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "tests/support/random.h"

namespace odometer {

struct MixOptions {
  uint64_t seed = 1;
  uint32_t partition = 0;  // all tenants live here, but those of misplaced records
  uint32_t partitions = 1;
  int tenants = 3;                           // the second shares the slot of the first
  int users = 10;                            // per tenant
  int sessions = 3;                          // per user
  int projects = 4;                          // per tenant, with 3 collections each
  int64_t start_us = 1'701'201'600'000'000;  // 2023-11-28T20:00Z
  int64_t clock_skew_us = 90'000'000;        // of each producer, at most, either way
  uint64_t duplicate_percent = 10;
  uint64_t hostile_percent = 1;
  bool with_ticks = false;
  bool with_gap_reports = true;
  uint64_t limits_percent = 25;  // definitions, asks, ends of holds; and with 0 no fact names an ask, either
  uint64_t extreme_percent = 3;  // with_big_amounts: in the tenant of the extremes
  // Amounts near 2^63: 2^61 and 2^62 of one user of each tenant, which leaves room for everybody else's; the extremes
  // in a tenant of their own, which is soon full.
  bool with_big_amounts = true;
  bool with_restamped_asks = true;  // whose id is minted: with another seq
  // In the tenant of the extremes, counters that have no room for what is asked.
  bool with_full_counters = false;
  // Seqs and gaps up to 2^62. Then missing_events can leave its range too.
  bool with_huge_seqs = false;
};

struct MixRecord {
  std::string bytes;
  bool is_null = false;                     // a null payload: bytes are empty
  int64_t suggested_append_advance_us = 0;  // before this record; Mix places its events as if it was followed
  EventType type = EventType::kNone;        // of a well-formed record, or of what a hostile one was made from
  bool hostile = false;                     // made to be refused; a flipped bit may still leave an event
  bool duplicate = false;                   // made from an earlier one
  bool stamped = false;                     // has a producer
  // Could have come through POST /v1/events: well-formed, not stamped, not Odometer's own. Decode() gives the event.
  bool fits_json_door = false;
};

struct MixCounts {
  uint64_t records = 0;
  uint64_t hostile = 0;
  uint64_t duplicates = 0;
  uint64_t stamped = 0;
  std::map<EventType, uint64_t> by_type;  // well-formed ones
};

class Mix {
 public:
  explicit Mix(MixOptions options);

  MixRecord Next();
  const MixCounts& counts() const { return counts_; }
  const MixOptions& options() const { return options_; }
  const std::vector<std::string>& tenants() const { return tenants_; }
  // The append time that Mix supposes for the record it gave last.
  int64_t now_us() const { return now_us_; }

 private:
  struct Stream {
    uint64_t next_seq = 1;
    std::vector<SeqRange> skipped;  // never sent, or not yet
  };
  struct Producer {
    Uuid id;
    uint64_t epoch = 1;
    int64_t skew_us = 0;
    uint64_t step = 1;                   // 2: leaves out every other seq
    std::map<uint32_t, Stream> streams;  // by slot, of this epoch
  };
  struct KnownTurn {
    EventId id;
    int64_t event_time_us = 0;
    std::string user, session, provider, model, service, operation;
  };
  struct KnownAsk {
    EventId id;
    EventType type = EventType::kNone;
    std::string user, project;
  };
  enum class Amounts { kPlain, kBig, kExtreme };

  // mix.cc: what comes next, and in which stream.
  MixRecord NextWellFormed();
  MixRecord Fresh(EventType type);
  MixRecord Again();
  MixRecord AgainChanged(const std::string& bytes, int variant);
  MixRecord GapReport();
  MixRecord Finish(const Event& event);
  EventType PickType();
  void PutEnvelope(EventType type, size_t tenant, Event* event);
  void PutIdentity(Event* event);
  void Stamp(size_t producer, Event* event);
  size_t PickProducer();
  void ReportLater(const std::string& bytes);
  void SkipSeqs(Stream* stream);
  std::vector<SeqRange> PickRanges(const Producer& producer, const Stream& stream);
  void KeepInHistory(const std::string& bytes);
  int64_t PickAdvance();

  // mix_facts.cc: payloads.
  void PutPayload(Event* event);
  void PutTurn(Event* event);
  void PutAmendment(Event* event);
  void PutSession(Event* event);
  void PutInteraction(Interaction* interaction);
  void PutBatch(Event* event);
  void PutKnowledge(Event* event);
  void PutOperation(Event* event);
  void PutOperationAmounts(EventType type, Operation* operation);
  void PutConfig(Event* event);
  Tokens PickTokens();
  Tokens PickTokensDelta();
  int64_t Amount(int64_t below);
  int64_t Delta(int64_t below);
  int64_t PickEventTime(int64_t skew_us);
  std::string_view User();
  void SetAmounts(std::string_view user);
  std::string_view Session(std::string_view user);
  std::string_view Model();
  std::string_view Provider();
  std::string_view Service();
  std::string_view Text(std::string text);  // lives until the next record
  std::string_view Name(std::string_view kind, uint64_t number);

  // mix_limits.cc: definitions, asks and their ends; and the facts that name one.
  void PutLimitPayload(Event* event);
  void PutAsk(Event* event);
  std::vector<odometer::Amount> PickAmounts(int64_t least);
  static int64_t CapOf(Meter meter);
  bool IsFull(uint64_t percent);
  std::string_view LimitedProject();
  std::string_view LimitedCollection();
  const KnownAsk* PickAsk();
  void NameAsk(Event* event);
  void PutEnd(Event* event);
  void PutDefinition(Event* event);
  void PutQuota(Definition* quota);
  void PutZone(Definition* zone);
  std::vector<Limit> PickLimits(bool is_quota);

  // mix_hostile.cc: records to be refused.
  MixRecord Hostile();
  std::string DamagedBytes(EventType* type);
  std::string TypePatched(std::string bytes);
  std::string BrokenEvent(EventType* type);
  Event FreshUnstamped(EventType type);
  void BreakPlace(Event* event);
  void BreakStamp(Event* event);
  void BreakBatch(Event* event);
  void BreakGap(Event* event);
  void MakeTooLarge(Event* event);
  void MakeGenesis(Event* event);

  MixOptions options_;
  Random random_;
  MixCounts counts_;
  std::vector<std::string> tenants_;
  std::string foreign_tenant_;  // lives in another partition; empty with one partition
  std::vector<Producer> producers_;
  std::vector<std::vector<KnownTurn>> turns_;  // by tenant
  std::vector<std::vector<KnownAsk>> asks_;    // likewise
  std::map<std::string, Uuid> standing_;       // by what is defined, the event that did it last
  std::optional<KnownAsk> asker_;              // whom the fact at hand is of, if it names an ask
  std::vector<std::string> history_;
  std::vector<std::string> held_;  // made, to be given later
  std::deque<std::string> texts_;
  std::map<EventType, uint64_t> statuses_;  // operations that did not succeed
  int64_t now_us_;
  size_t tenant_ = 0;  // of the event at hand
  Amounts amounts_ = Amounts::kPlain;
};

}  // namespace odometer
