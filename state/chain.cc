#include "state/chain.h"

#include "state/hash.h"

namespace odometer {

std::array<uint64_t, 2> ChainLink(const std::array<uint64_t, 2>& previous, const Record& record,
                                  const std::array<uint64_t, 2>& bytes_hash) {
  uint64_t size = record.bytes.data() == nullptr ? UINT64_MAX : record.bytes.size();
  uint64_t link[7] = {previous[0], previous[1],   record.offset, static_cast<uint64_t>(record.append_time.us),
                      size,        bytes_hash[0], bytes_hash[1]};
  return Hash128Of({reinterpret_cast<const char*>(link), sizeof link});
}

std::array<uint64_t, 2> ChainLink(const std::array<uint64_t, 2>& previous, const Record& record) {
  return ChainLink(previous, record, Hash128Of(record.bytes));
}

}  // namespace odometer
