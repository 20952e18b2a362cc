#include "core/event.h"

#include <array>

namespace odometer {

namespace {

struct NamedType {
  EventType type;
  std::string_view name;
};

constexpr std::array kTypes = {
    NamedType{EventType::kTurnRecorded, "TurnRecorded"},
    NamedType{EventType::kTurnAmended, "TurnAmended"},
    NamedType{EventType::kSessionStarted, "SessionStarted"},
    NamedType{EventType::kSessionRenamed, "SessionRenamed"},
    NamedType{EventType::kSessionEnded, "SessionEnded"},
    NamedType{EventType::kSessionSummarized, "SessionSummarized"},
    NamedType{EventType::kInteractionRecorded, "InteractionRecorded"},
    NamedType{EventType::kInteractionBatch, "InteractionBatch"},
    NamedType{EventType::kCaseChampioned, "CaseChampioned"},
    NamedType{EventType::kCollectionSubscribed, "CollectionSubscribed"},
    NamedType{EventType::kCollectionUnsubscribed, "CollectionUnsubscribed"},
    NamedType{EventType::kVectorsAdded, "VectorsAdded"},
    NamedType{EventType::kVectorsUpserted, "VectorsUpserted"},
    NamedType{EventType::kVectorsDeleted, "VectorsDeleted"},
    NamedType{EventType::kVectorsSearched, "VectorsSearched"},
    NamedType{EventType::kVectorsCounted, "VectorsCounted"},
    NamedType{EventType::kCollectionCreated, "CollectionCreated"},
    NamedType{EventType::kCollectionDropped, "CollectionDropped"},
    NamedType{EventType::kConfigChanged, "ConfigChanged"},
    NamedType{EventType::kAdmitAsked, "AdmitAsked"},
    NamedType{EventType::kHoldAsked, "HoldAsked"},
    NamedType{EventType::kLeaseAsked, "LeaseAsked"},
    NamedType{EventType::kHoldSettled, "HoldSettled"},
    NamedType{EventType::kHoldReleased, "HoldReleased"},
    NamedType{EventType::kLeaseSettled, "LeaseSettled"},
    NamedType{EventType::kProfileDefined, "ProfileDefined"},
    NamedType{EventType::kProfileAssigned, "ProfileAssigned"},
    NamedType{EventType::kLimitOverridden, "LimitOverridden"},
    NamedType{EventType::kQuotaSet, "QuotaSet"},
    NamedType{EventType::kEnforcementSet, "EnforcementSet"},
    NamedType{EventType::kZoneSet, "ZoneSet"},
    NamedType{EventType::kGenesis, "Genesis"},
    NamedType{EventType::kTick, "Tick"},
    NamedType{EventType::kGapReported, "GapReported"},
    NamedType{EventType::kLimitCrossed, "LimitCrossed"},
};

}  // namespace

std::string_view TypeName(EventType type) {
  for (const NamedType& known : kTypes) {
    if (known.type == type) return known.name;
  }
  return "";
}

std::optional<EventType> TypeFromName(std::string_view name) {
  for (const NamedType& known : kTypes) {
    if (known.name == name) return known.type;
  }
  return std::nullopt;
}

const std::vector<EventType>& AllEventTypes() {
  static const std::vector<EventType> all = [] {
    std::vector<EventType> types;
    for (const NamedType& known : kTypes) types.push_back(known.type);
    return types;
  }();
  return all;
}

bool IsOwn(EventType type) {
  return type == EventType::kGenesis || type == EventType::kTick || type == EventType::kGapReported ||
         type == EventType::kLimitCrossed;
}

bool IsVector(EventType type) { return type >= EventType::kVectorsAdded && type <= EventType::kCollectionDropped; }

}  // namespace odometer
