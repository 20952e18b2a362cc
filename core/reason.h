// core/reason.h: why a record cannot be folded, or an event cannot be appended. Each has one name, used in quarantine,
// answers, logs and metrics alike.
#pragma once

#include <cstdint>
#include <string_view>

namespace odometer {

enum class Reason : uint8_t {
  kNone = 0,
  // The bytes.
  kNullPayload = 1,     // a record without a value
  kTooLarge = 2,        // above 64 KiB, or 512 KiB for an InteractionBatch
  kNotAnEvent = 3,      // the FlatBuffers verifier or the file identifier says no
  // What the bytes say.
  kUnknownType = 4,     // a payload number that this version does not know
  kMissingPayload = 5,  // a type without its table, or a table without a part that it cannot be without
  kMissingField = 6,    // no id, tenant, user, project, session or collection where the type needs one
  kInvalidEnum = 7,     // 0 or a value that this version does not know
  kInvalidUtf8 = 8,
  kTextTooLong = 9,     // limits: docs/api.md
  kNegativeAmount = 10,
  kInconsistentAmounts = 11,  // such as more succeeded than requested, reasoning above output, a delta on a failure
  kTimeRange = 12,            // before 1970 or after 9999
  kEmptyBatch = 13,
  kBatchTooLarge = 14,        // above 100 interactions
  // Where it stands.
  kMisplaced = 15,       // the tenant's slot belongs to another partition
  kGenesisPosition = 16, // Genesis at another offset than 0, or something else at 0
  kWrongDoor = 17,       // a family that this door may not use
  // What has been folded before.
  kConflict = 18,    // the same id or seq with other content
  kTooManyGaps = 19, // above 1,024 disjoint intervals of seqs
  kOverflow = 20,    // a figure would leave the 64-bit range
  kCardinality = 21, // above 10 million users or 100,000 projects of one tenant
  // Definitions, which change nothing when they are refused.
  kUnknownProfile = 22,  // assigned, but neither defined nor built in
  kProfileInUse = 23,    // deleted, but somebody has it
  kNotExpected = 24,     // another definition stands where this one expected its own
  // Odometer's own.
  kNotCrossed = 25,  // a LimitCrossed that the fold has not found itself
};
inline constexpr int kReasons = 26;

// "negative_amount"
std::string_view ReasonName(Reason reason);

}  // namespace odometer
