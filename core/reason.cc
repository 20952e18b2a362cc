#include "core/reason.h"

namespace odometer {

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kNone: return "none";
    case Reason::kNullPayload: return "null_payload";
    case Reason::kTooLarge: return "too_large";
    case Reason::kNotAnEvent: return "not_an_event";
    case Reason::kUnknownType: return "unknown_type";
    case Reason::kMissingPayload: return "missing_payload";
    case Reason::kMissingField: return "missing_field";
    case Reason::kInvalidEnum: return "invalid_enum";
    case Reason::kInvalidUtf8: return "invalid_utf8";
    case Reason::kTextTooLong: return "text_too_long";
    case Reason::kNegativeAmount: return "negative_amount";
    case Reason::kInconsistentAmounts: return "inconsistent_amounts";
    case Reason::kTimeRange: return "time_range";
    case Reason::kEmptyBatch: return "empty_batch";
    case Reason::kBatchTooLarge: return "batch_too_large";
    case Reason::kMisplaced: return "misplaced";
    case Reason::kGenesisPosition: return "genesis_position";
    case Reason::kWrongDoor: return "wrong_door";
    case Reason::kConflict: return "conflict";
    case Reason::kTooManyGaps: return "too_many_gaps";
    case Reason::kOverflow: return "overflow";
    case Reason::kCardinality: return "cardinality";
    case Reason::kUnknownProfile: return "unknown_profile";
    case Reason::kProfileInUse: return "profile_in_use";
    case Reason::kNotExpected: return "not_expected";
    case Reason::kNotCrossed: return "not_crossed";
  }
  return "unknown";
}

}  // namespace odometer
