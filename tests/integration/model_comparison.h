// tests/integration/model_comparison.h: ModelComparison, what a daemon that is stopped has folded, held against the
// independent model: every logical row, ask with its verdict, crossing and outcome.
//
//   ModelComparison comparison({.data_dir = "data", .log = "kafka://127.0.0.1:9092/odometer"});
//   for (const ComparedPartition& partition : comparison.Run()) …    // throws Failed where they differ
//
// The model is fed from the log itself: the embedded one, or the topic; the daemon's copy of that must then be the same
// record for record. Without `log`, the copy is all that there is to feed it from.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "consumers/refold.h"
#include "log/kafka_log.h"
#include "log/local_log.h"
#include "state/dump.h"
#include "tests/support/model.h"

namespace odometer {

struct ComparedPartition {
  uint32_t partition = 0;
  ModelCounts counts;
  uint64_t cursor = 0;
  uint64_t holes = 0;        // offsets below the cursor that have no record
  uint64_t unfolded = 0;     // records above it: the daemon's own, of its last moment
  uint64_t quarantined = 0;
  uint64_t rows = 0, asks = 0, crossings = 0;
};

class ModelComparison {
 public:
  struct Options {
    std::string data_dir;
    std::string log;  // kafka://…; "" for what is in the data directory
    // Told of every record of the log.
    std::function<void(uint32_t partition, const Record& record)> on_record = nullptr;
  };
  explicit ModelComparison(Options options) : options_(std::move(options)) {}

  // Every partition that the data directory holds.
  std::vector<ComparedPartition> Run();

 private:
  ComparedPartition ComparePartition(uint32_t partition);
  void FeedModel(const MetaRow& meta, Model* model, ComparedPartition* compared);
  uint64_t CompareRows(const View& view, const Model& model);
  uint64_t ComparePositional(const View& view, RowKind kind, std::map<std::string, FieldMap> want);
  void CompareOutcomes(const View& view, const Model& model);

  const Options options_;
  std::unique_ptr<LocalLog> held_;   // the embedded log, or the copy
  std::unique_ptr<KafkaLog> topic_;  // null where there is none to compare with
};

}  // namespace odometer
