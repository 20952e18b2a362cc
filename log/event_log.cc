#include "log/event_log.h"

#include <charconv>
#include <cstring>

#include "core/event.h"
#include "core/placement.h"

namespace odometer {

namespace {

// Digits without sign or leading zero, so that a position has one token only.
template <class T>
bool ParseNumber(std::string_view text, T* number) {
  if (text.empty() || (text.size() > 1 && text[0] == '0') || text[0] < '0' || text[0] > '9') return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

template <class T>
void AddDifference(const char* name, const T& found, const T& expected, std::string* differences) {
  if (found == expected) return;
  if (!differences->empty()) *differences += ", ";
  *differences += std::string(name) + " is " + found + ", expected " + expected;
}

}  // namespace

std::string Position::ToToken() const { return "p" + std::to_string(partition) + "." + std::to_string(next_offset); }

Result<Position> Position::FromToken(std::string_view token) {
  Position position;
  size_t dot = token.find('.');
  if (token.empty() || token[0] != 'p' || dot == std::string_view::npos ||
      !ParseNumber(token.substr(1, dot - 1), &position.partition) ||
      !ParseNumber(token.substr(dot + 1), &position.next_offset)) {
    return Status(Code::kInvalid, "not a position token: \"" + std::string(token.substr(0, 40)) + "\"");
  }
  return position;
}

OwnedRecord OwnedRecord::Copy(const Record& record) {
  OwnedRecord copy{record.offset, record.append_time, nullptr, {}};
  if (record.bytes.data() == nullptr) return copy;
  copy.storage = std::make_unique_for_overwrite<uint64_t[]>(record.bytes.size() / 8 + 1);
  char* bytes = reinterpret_cast<char*>(copy.storage.get());
  if (!record.bytes.empty()) std::memcpy(bytes, record.bytes.data(), record.bytes.size());
  copy.bytes = std::string_view(bytes, record.bytes.size());
  return copy;
}

Result<std::vector<OwnedRecord>> PartitionLog::FetchAll(std::span<const uint64_t> offsets) {
  std::vector<OwnedRecord> records;
  for (uint64_t offset : offsets) {
    Result<OwnedRecord> record = Fetch(offset);
    if (!record.ok()) return record.status();
    records.push_back(std::move(*record));
  }
  return records;
}

std::string GenesisBytes(const Uuid& log_id, uint32_t partition, uint32_t partitions, int64_t now_us) {
  Event event;
  event.type = EventType::kGenesis;
  event.id = Uuid5(log_id, "genesis-" + std::to_string(partition));
  event.id_kind = IdKind::kDerived;
  event.event_time = EventTime{now_us};
  event.source = "odometer";
  event.genesis = {log_id, partition, partitions, kPlacementVersion};
  return Encode(event);
}

Status CheckGenesis(const Record& record, const Uuid& log_id, uint32_t partition, uint32_t partitions) {
  std::string where = "partition " + std::to_string(partition) + ": ";
  if (record.offset != 0) {
    return Status(Code::kCorrupt, where + "Genesis is at offset 0, this record at " + std::to_string(record.offset));
  }
  Event event;
  Reason reason = record.bytes.data() == nullptr ? Reason::kNullPayload : Decode(record.bytes, &event);
  if (reason != Reason::kNone) {
    return Status(Code::kCorrupt, where + "record 0 cannot be read: " + std::string(ReasonName(reason)));
  }
  if (event.type != EventType::kGenesis) {
    return Status(Code::kCorrupt, where + "record 0 is a " + std::string(TypeName(event.type)) + ", not Genesis");
  }
  std::string differences;
  AddDifference("log_id", event.genesis.log_id.ToString(), log_id.ToString(), &differences);
  AddDifference("partition", std::to_string(event.genesis.partition), std::to_string(partition), &differences);
  AddDifference("partitions", std::to_string(event.genesis.partitions), std::to_string(partitions), &differences);
  AddDifference("placement_version", std::to_string(event.genesis.placement_version),
                std::to_string(kPlacementVersion), &differences);
  if (differences.empty()) return Status::Ok();
  return Status(Code::kCorrupt, where + "Genesis differs: " + differences);
}

}  // namespace odometer
