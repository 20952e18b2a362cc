// Decode() against the verifier and the accessors of FlatBuffers: one reason, one event, for whole and damaged bytes.

#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <memory>

#include "tests/fuzz/decode_reference.h"
#include "tests/unit/core/event_samples.h"

namespace odometer {
namespace {

using testing::CheckAgainstReference;

// In memory of exactly this size, so that the address sanitizer sees a read of one byte too much.
Reason CheckExactly(std::string_view bytes) {
  std::unique_ptr<char[]> exact(new char[bytes.size()]);  // new[] is 16-aligned
  std::memcpy(exact.get(), bytes.data(), bytes.size());
  return CheckAgainstReference({exact.get(), bytes.size()});
}

class Damager {
 public:
  explicit Damager(std::mt19937_64& random) : random_(random) {}

  void Damage(std::string* bytes, const std::string& other) {
    if (bytes->size() < 8) return;
    size_t at = random_() % (bytes->size() - 4);
    switch (random_() % 7) {
      case 0: (*bytes)[at] ^= static_cast<char>(1 << random_() % 8); break;
      case 1: bytes->resize(at); break;
      case 2: bytes->erase(at / 4 * 4, 4); break;
      case 3: *bytes = bytes->substr(0, at) + other.substr(std::min(at, other.size())); break;
      case 4: Shift<uint32_t>(bytes, at / 4 * 4); break;
      case 5: Shift<uint16_t>(bytes, at / 2 * 2); break;
      default: bytes->insert(at, bytes->substr(random_() % bytes->size(), 1 + random_() % 16)); break;
    }
  }

 private:
  // Moves what may be an offset or a size by a few bytes.
  template <class Word>
  void Shift(std::string* bytes, size_t at) {
    Word word;
    std::memcpy(&word, bytes->data() + at, sizeof word);
    word = static_cast<Word>(word + random_() % 65 - 32);
    std::memcpy(bytes->data() + at, &word, sizeof word);
  }

  std::mt19937_64& random_;
};

TEST(EventAgreement, WholeEventsOfEveryTypeAreReadAlike) {
  for (EventType type : AllEventTypes()) {
    EXPECT_EQ(CheckExactly(Encode(testing::FullEvent(type))), Reason::kNone) << TypeName(type);
  }
}

TEST(EventAgreement, EveryChangeOfOneByteIsReadAlike) {
  for (EventType type : AllEventTypes()) {
    std::string bytes = Encode(testing::FullEvent(type));
    for (char& byte : bytes) {
      char whole = byte;
      for (int change : {1, 2, 4, 8, 128, 255}) {
        byte = static_cast<char>(whole + change);
        CheckExactly(bytes);
      }
      byte = whole;
    }
  }
}

TEST(EventAgreement, EveryTruncationIsReadAlike) {
  for (EventType type : AllEventTypes()) {
    std::string bytes = Encode(testing::FullEvent(type));
    for (size_t size = 0; size < bytes.size(); ++size) CheckExactly(std::string_view(bytes).substr(0, size));
  }
}

TEST(EventAgreement, RandomEventsWithDamagesAreReadAlike) {
  uint64_t seed = testing::Seed();
  const char* text = std::getenv("ODOMETER_DAMAGED_EVENTS");
  uint64_t rounds = text == nullptr ? 50'000 : std::strtoull(text, nullptr, 10);
  std::cout << "ODOMETER_SEED=" << seed << "\n";
  std::string last;
  uint64_t reasons[2] = {};
  for (uint64_t round = 0; round < rounds;) {
    testing::Texts texts;
    testing::RandomEvents events(seed + round, &texts);
    Damager damager(events.random());
    for (EventType type : AllEventTypes()) {
      std::string whole = Encode(events.Next(type));
      ASSERT_EQ(CheckExactly(whole), Reason::kNone) << TypeName(type) << " in round " << round;
      for (int copy = 0; copy < 50; ++copy, ++round) {
        std::string bytes = whole;
        for (uint64_t damages = 1 + events.random()() % 3; damages > 0; --damages) damager.Damage(&bytes, last);
        ++reasons[CheckExactly(bytes) == Reason::kNone];
      }
      last = std::move(whole);
    }
  }
  EXPECT_GT(reasons[0], 0u);
  EXPECT_GT(reasons[1], 0u);
}

// The least that is an event without a payload has 16 bytes.
TEST(EventAgreement, TinyBuffersAreReadAlike) {
  static constexpr int32_t kWords[] = {0, 1, 2, 4, 6, 8, 10, 12, 16, 20, -4, -8, 0x40004, 0x80006, 0x100010};
  std::mt19937_64 random(testing::Seed());
  int read = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string bytes(random() % 33, '\0');
    for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
      std::memcpy(bytes.data() + at, &kWords[random() % std::size(kWords)], 4);
    }
    if (bytes.size() >= 8) bytes.replace(4, 4, "ODEV");
    read += CheckExactly(bytes) == Reason::kUnknownType;
  }
  EXPECT_GT(read, 1000);
}

TEST(EventAgreement, TheMostTablesAreCountedAlike) {
  Event event = testing::FullEvent(EventType::kInteractionBatch);
  Reason last = Reason::kNone;
  for (size_t items = 240; items < 260; ++items) {  // 4 tables each
    event.interactions.assign(items, testing::FullInteraction(1));
    last = CheckExactly(Encode(event));
  }
  EXPECT_EQ(last, Reason::kNotAnEvent);
}

TEST(EventAgreement, AboveTheSizeOfAnEventTheStructureStillComesFirst) {
  std::string metadata(kEventBytesMax, 'x');
  Event event = testing::MinimalTurn();
  event.turn.metadata = metadata;
  std::string bytes = Encode(event);
  EXPECT_EQ(CheckExactly(bytes), Reason::kTooLarge);
  bytes.back() = 'x';  // padding or the NUL of a text
  CheckExactly(bytes);
  EXPECT_EQ(CheckExactly(std::string_view(bytes).substr(0, bytes.size() - 8)), Reason::kNotAnEvent);
}

}  // namespace
}  // namespace odometer
