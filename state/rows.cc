#include "state/rows.h"

#include "core/check.h"

namespace odometer {

const char* OperationName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kAdd:
      return "add";
    case OperationKind::kUpsert:
      return "upsert";
    case OperationKind::kDelete:
      return "delete";
    case OperationKind::kSearch:
      return "search";
    case OperationKind::kCount:
      return "count";
    case OperationKind::kCollectionCreate:
      return "collection_create";
    case OperationKind::kCollectionDrop:
      return "collection_drop";
  }
  return "";
}

const char* StatusName(OperationStatus status) {
  switch (status) {
    case OperationStatus::kSuccess:
      return "success";
    case OperationStatus::kFailure:
      return "failure";
    case OperationStatus::kPartialFailure:
      return "partial_failure";
    case OperationStatus::kQuotaExceeded:
      return "quota_exceeded";
  }
  return "";
}

const char* StatusName(TurnStatus status) {
  switch (status) {
    case TurnStatus::kSuccess:
      return "success";
    case TurnStatus::kFailed:
      return "failed";
    case TurnStatus::kError:
      return "error";
    case TurnStatus::kCancelled:
      return "cancelled";
    case TurnStatus::kPartial:
      return "partial";
    case TurnStatus::kTimeout:
      return "timeout";
  }
  return "";
}

const char* StatusName(InteractionStatus status) {
  switch (status) {
    case InteractionStatus::kCompleted:
      return "completed";
    case InteractionStatus::kFailed:
      return "failed";
    case InteractionStatus::kTimeout:
      return "timeout";
  }
  return "";
}

const char* KindName(InteractionKind kind) {
  switch (kind) {
    case InteractionKind::kChat:
      return "chat";
    case InteractionKind::kDb:
      return "db";
    case InteractionKind::kApi:
      return "api";
    case InteractionKind::kCostEvent:
      return "cost-event";
  }
  return "";
}

OperationKind OperationOf(EventType type) {
  ODOMETER_CHECK(IsVector(type));
  return static_cast<OperationKind>(static_cast<int>(type) - static_cast<int>(EventType::kVectorsAdded));
}

}  // namespace odometer
