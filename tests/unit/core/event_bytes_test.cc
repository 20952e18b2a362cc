// What hostile or damaged bytes can do to Decode(): get a reason, nothing else.

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <iostream>
#include <memory>

#include "tests/unit/core/event_samples.h"
#include "tests/unit/core/event_text.h"

namespace odometer {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::voffset_t;
using testing::FullEvent;

// Field number to place in a vtable. The numbers are those of schemas/event.fbs, written out: they never change.
constexpr voffset_t Slot(int id) { return static_cast<voffset_t>(4 + 2 * id); }
constexpr voffset_t kId = Slot(0), kTenant = Slot(1), kIdKind = Slot(5), kPayloadType = Slot(8), kPayload = Slot(9);

struct RawUuid {
  uint8_t bytes[16];
};

// An event made by hand: any payload number, with any table or none.
std::string RawEvent(uint8_t type, const std::function<Offset<void>(FlatBufferBuilder&)>& payload) {
  FlatBufferBuilder builder;
  Offset<void> table = payload ? payload(builder) : Offset<void>();
  auto tenant = builder.CreateString("default");
  RawUuid id = {{1, 2, 3}};
  auto start = builder.StartTable();
  builder.AddStruct(kId, &id);
  builder.AddOffset(kTenant, tenant);
  builder.AddElement<uint8_t>(kIdKind, 1, 0);
  builder.AddElement<uint8_t>(kPayloadType, type, 0);
  if (payload) builder.AddOffset(kPayload, table);
  builder.Finish(Offset<flatbuffers::Table>(builder.EndTable(start)), "ODEV");
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

Offset<void> EmptyTable(FlatBufferBuilder& builder) {
  auto start = builder.StartTable();
  return builder.EndTable(start);
}

Reason DecodeRaw(const std::string& bytes) {
  Event event;
  return Decode(bytes, &event);
}

TEST(EventBytes, ARecordWithoutAValueIsANullPayload) {
  Event event;
  EXPECT_EQ(Decode(std::string_view(), &event), Reason::kNullPayload);
  EXPECT_EQ(Decode("", &event), Reason::kNotAnEvent);
}

TEST(EventBytes, MisalignedBytesAreRefusedNotRead) {
  std::string bytes = Encode(FullEvent(EventType::kTurnRecorded));
  for (size_t shift = 0; shift < 9; ++shift) {
    std::string moved(shift, '\0');
    moved += bytes;
    Event event;
    Reason expected = shift % 8 == 0 ? Reason::kNone : Reason::kNotAnEvent;
    EXPECT_EQ(Decode(std::string_view(moved).substr(shift), &event), expected) << shift;
  }
}

TEST(EventBytes, AnotherFileIdentifierIsNotAnEvent) {
  std::string bytes = Encode(FullEvent(EventType::kTurnRecorded));
  ASSERT_EQ(bytes.substr(4, 4), "ODEV");
  bytes[7] = 'W';
  EXPECT_EQ(DecodeRaw(bytes), Reason::kNotAnEvent);
}

TEST(EventBytes, AnUnknownPayloadNumberIsNamedAsSuch) {
  for (int type : {0, 26, 29, 35, 37, 44, 59, 64, 255}) {
    EXPECT_EQ(DecodeRaw(RawEvent(static_cast<uint8_t>(type), EmptyTable)), Reason::kUnknownType) << type;
    EXPECT_EQ(DecodeRaw(RawEvent(static_cast<uint8_t>(type), nullptr)), Reason::kUnknownType) << type;
  }
}

TEST(EventBytes, ATypeWithoutItsTableIsAMissingPayload) {
  for (EventType type : AllEventTypes()) {
    EXPECT_EQ(DecodeRaw(RawEvent(static_cast<uint8_t>(type), nullptr)), Reason::kMissingPayload) << TypeName(type);
  }
}

TEST(EventBytes, AVectorTypeWithoutItsOperationIsAMissingPayload) {
  for (EventType type : AllEventTypes()) {
    if (!IsVector(type) && type != EventType::kTurnAmended) continue;
    EXPECT_EQ(DecodeRaw(RawEvent(static_cast<uint8_t>(type), EmptyTable)), Reason::kMissingPayload) << TypeName(type);
  }
}

TEST(EventBytes, AnItemWithoutIdOrInteractionIsAMissingPayload) {
  auto batch = [](bool has_id, bool has_interaction) {
    return RawEvent(static_cast<uint8_t>(EventType::kInteractionBatch), [=](FlatBufferBuilder& builder) {
      Offset<void> interaction = EmptyTable(builder);
      RawUuid id = {{9}};
      auto start = builder.StartTable();
      if (has_id) builder.AddStruct(Slot(0), &id);
      if (has_interaction) builder.AddOffset(Slot(2), interaction);
      Offset<flatbuffers::Table> item(builder.EndTable(start));
      auto items = builder.CreateVector(&item, 1);
      start = builder.StartTable();
      builder.AddOffset(Slot(0), items);
      return Offset<void>(builder.EndTable(start));
    });
  };
  EXPECT_EQ(DecodeRaw(batch(false, true)), Reason::kMissingPayload);
  EXPECT_EQ(DecodeRaw(batch(true, false)), Reason::kMissingPayload);
  EXPECT_EQ(DecodeRaw(batch(true, true)), Reason::kMissingField);  // complete, and its user is missing
}

TEST(EventBytes, ABatchWithoutItemsIsEmpty) {
  EXPECT_EQ(DecodeRaw(RawEvent(static_cast<uint8_t>(EventType::kInteractionBatch), EmptyTable)), Reason::kEmptyBatch);
}

TEST(EventBytes, ATurnWithoutTokensHasNone) {
  Event event = testing::MinimalTurn();
  std::string bytes = Encode(event);
  Event decoded = FullEvent(EventType::kTurnRecorded);
  ASSERT_EQ(Decode(bytes, &decoded), Reason::kNone);
  EXPECT_EQ(testing::Describe(decoded.turn.tokens), testing::Describe(Tokens{}));
}

TEST(EventBytes, AnEventIsAtMost64KiB) {
  std::string metadata(kEventBytesMax, 'x');
  Event event = testing::MinimalTurn();
  event.turn.metadata = metadata;
  EXPECT_EQ(DecodeRaw(Encode(event)), Reason::kTooLarge);
  event.turn.metadata = std::string_view(metadata).substr(1000);
  EXPECT_EQ(DecodeRaw(Encode(event)), Reason::kTextTooLong);
}

TEST(EventBytes, ABatchIsAtMost512KiB) {
  std::string metadata(kMetadataBytesMax, 'x'), name(kIdTextBytesMax, 'n');
  Event event = FullEvent(EventType::kInteractionBatch);
  event.interactions.assign(kInteractionsMax, testing::FullInteraction(1));
  for (Interaction& item : event.interactions) item.metadata = metadata;
  std::string bytes = Encode(event);
  EXPECT_GT(bytes.size(), 400u * 1024);
  EXPECT_EQ(DecodeRaw(bytes), Reason::kNone);
  for (Interaction& item : event.interactions) item.user = item.session = item.service = item.operation = name;
  bytes = Encode(event);
  EXPECT_GT(bytes.size(), kBatchBytesMax);
  EXPECT_EQ(DecodeRaw(bytes), Reason::kTooLarge);
}

TEST(EventBytes, ManyTablesAreNotAnEvent) {
  Event event = FullEvent(EventType::kInteractionBatch);
  event.interactions.assign(400, testing::FullInteraction(1));  // 4 tables each
  EXPECT_EQ(DecodeRaw(Encode(event)), Reason::kNotAnEvent);
}

// Copies to memory of exactly this size, so that the address sanitizer sees a read of one byte too much.
Reason DecodeExactly(std::string_view bytes, Event* event) {
  std::unique_ptr<char[]> exact(new char[bytes.size()]);  // new[] is 16-aligned
  std::memcpy(exact.get(), bytes.data(), bytes.size());
  Reason reason = Decode({exact.get(), bytes.size()}, event);
  if (reason == Reason::kNone) {
    // What passed must be whole: it can be read and written again without a further check.
    EXPECT_EQ(CheckMeaning(*event), Reason::kNone);
    EXPECT_FALSE(Encode(*event).empty());
    EXPECT_FALSE(testing::Describe(*event).empty());
  }
  return reason;
}

TEST(EventBytes, MoreLimitsThanTablesAreNotAnEvent) {
  Event event = FullEvent(EventType::kLimitOverridden);
  event.definition.limits.assign(100, Limit{});
  EXPECT_EQ(DecodeRaw(Encode(event)), Reason::kTextTooLong);
  event.definition.limits.assign(1000, Limit{});
  EXPECT_EQ(DecodeRaw(Encode(event)), Reason::kNotAnEvent);
}

TEST(EventBytes, EveryTruncationGetsAReason) {
  Event event;
  for (EventType type : AllEventTypes()) {
    std::string bytes = Encode(FullEvent(type));
    for (size_t size = 0; size < bytes.size(); ++size) {
      DecodeExactly(std::string_view(bytes).substr(0, size), &event);
    }
    EXPECT_EQ(DecodeExactly(std::string_view(bytes).substr(0, bytes.size() / 2), &event), Reason::kNotAnEvent);
  }
}

TEST(EventBytes, EveryBitFlipGetsAReasonOrAWholeEvent) {
  Event event;
  int refused = 0;
  for (EventType type : AllEventTypes()) {
    std::string bytes = Encode(FullEvent(type));
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
      refused += DecodeExactly(bytes, &event) != Reason::kNone;
      bytes[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(EventBytes, RandomDamageGetsAReasonOrAWholeEvent) {
  uint64_t seed = testing::Seed();
  std::cout << "ODOMETER_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  std::vector<std::string> corpus;
  for (EventType type : AllEventTypes()) corpus.push_back(Encode(FullEvent(type)));
  Event event;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = corpus[random() % corpus.size()];
    for (uint64_t damages = 1 + random() % 4; damages > 0; --damages) {
      size_t at = random() % (bytes.size() - 4);
      uint32_t word = random() % 2 == 0 ? static_cast<uint32_t>(random() % 64) : static_cast<uint32_t>(random());
      std::memcpy(bytes.data() + at, &word, 1 + random() % 4);
    }
    DecodeExactly(bytes, &event);
  }
}

TEST(EventBytes, RandomBytesAreNotAnEvent) {
  std::mt19937_64 random(testing::Seed());
  Event event;
  for (int round = 0; round < 5'000; ++round) {
    std::string bytes(random() % 300, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % (round % 2 == 0 ? 256 : 24));
    if (bytes.size() >= 8) bytes.replace(4, 4, "ODEV");
    EXPECT_NE(DecodeExactly(bytes, &event), Reason::kNone);
  }
}

// A vector of structs with elements of 8-byte alignment at an address that has only 4: the verifier lets it pass.
TEST(EventBytes, AMisalignedListOfRangesIsReadWithoutTrust) {
  Event gap = FullEvent(EventType::kGapReported);
  std::string bytes = Encode(gap);
  std::string first(8, '\0');
  first[0] = 5;
  size_t at = bytes.find(first + first);  // {5, 5}
  ASSERT_NE(at, std::string::npos);
  // Moves the list 4 bytes forward by pointing into it: its length is then read from the upper half of a number.
  uint32_t length = 1;
  std::memcpy(bytes.data() + at, &length, 4);
  for (size_t i = 0; i + 4 <= at; i += 4) {
    uint32_t offset;
    std::memcpy(&offset, bytes.data() + i, 4);
    if (i + offset != at - 4) continue;
    offset += 4;
    std::memcpy(bytes.data() + i, &offset, 4);
  }
  Event event;
  DecodeExactly(bytes, &event);  // any reason will do; the undefined-behaviour sanitizer is the judge
}

}  // namespace
}  // namespace odometer
