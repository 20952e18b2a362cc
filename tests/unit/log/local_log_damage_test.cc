// What a LocalLog makes of files that were torn, damaged or lost.
#include <gtest/gtest.h>

#include "core/planted.h"
#include "tests/unit/log/local_log_fixture.h"

namespace odometer {
namespace {

using Events = std::vector<std::string>;

class LocalLogDamageTest : public LocalLogTest {
 protected:
  // A log of one segment with these events, an append each; ends_[i] is where the frame of record i ends.
  void Fill(const Events& events) {
    Create(files_);
    std::unique_ptr<LocalLog> log = Open(files_);
    ends_.push_back(files_.Contents(SegmentPath(0)).size());
    for (const std::string& event : events) {
      ASSERT_TRUE(Append(*log, {event}).ok());
      ends_.push_back(files_.Contents(SegmentPath(0)).size());
    }
    bytes_ = files_.Contents(SegmentPath(0));
  }

  static std::string Flipped(std::string bytes, size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    return bytes;
  }

  // Opens, reads all, appends one more, reads all again, opens once more and reads all again.
  void ExpectUsable(MemoryFileSystem& files, Events expected) {
    std::unique_ptr<LocalLog> log = Open(files);
    EXPECT_EQ(ReadAll(*log).events, expected);
    ASSERT_TRUE(Append(*log, {"and on"}).ok());
    expected.push_back("and on");
    for (int i = 0; i < 2; ++i) {
      Read read = ReadAll(*log);
      EXPECT_TRUE(read.status.ok()) << read.status.ToString();
      EXPECT_EQ(read.events, expected);
      log.reset();
      log = Open(files);
      EXPECT_EQ(log->tail_cut_bytes(), 0u);
    }
  }

  MemoryFileSystem files_;
  std::vector<size_t> ends_;
  std::string bytes_;
};

TEST_F(LocalLogDamageTest, ATailTornAtAnyByteIsCutAndReported) {
  const Events events = {"one", "second", "third, somewhat longer than the others", ""};
  Fill(events);
  for (size_t size = ends_[0]; size < bytes_.size(); ++size) {
    size_t whole = 0;
    while (ends_[whole + 1] <= size) ++whole;
    std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, bytes_.substr(0, size));
    std::unique_ptr<LocalLog> log = Open(*disk);
    EXPECT_EQ(log->tail_cut_bytes(), size - ends_[whole]) << "cut at " << size;
    if (size > ends_[whole]) {
      ASSERT_EQ(log->tail_cuts().size(), 1u);
      const TailCut& cut = log->tail_cuts()[0];
      EXPECT_EQ(cut.partition, 0u);
      EXPECT_EQ(cut.path, SegmentPath(0));
      EXPECT_EQ(cut.position, ends_[whole]);
      EXPECT_EQ(cut.expected_offset, whole + 1);
    }
    log.reset();
    ExpectUsable(*disk, Events(events.begin(), events.begin() + static_cast<ptrdiff_t>(whole)));
  }
}

TEST_F(LocalLogDamageTest, GarbageBehindTheLastFrameIsCutAndReported) {
  Fill({"one", "two"});
  for (const std::string& tail :
       {std::string(1, 'x'), std::string(5000, 'x'), std::string(5000, '\0') + "x", std::string(7, '\0'),
        std::string(2'500'000, '\0') + "x", std::string(2'500'001, '\x01')}) {
    std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, bytes_ + tail);
    EXPECT_EQ(Open(*disk)->tail_cut_bytes(), tail.size());
    ExpectUsable(*disk, {"one", "two"});
  }
}

TEST_F(LocalLogDamageTest, ZerosBehindTheLastFrameAreRoomAndCutWithoutAWord) {
  Fill({"one", "two"});
  for (size_t size : {8, 5000, 2'500'001}) {
    std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, bytes_ + std::string(size, '\0'));
    EXPECT_EQ(Open(*disk)->tail_cut_bytes(), 0u);
    EXPECT_EQ(disk->Contents(SegmentPath(0)), bytes_);
    ExpectUsable(*disk, {"one", "two"});
  }
}

TEST_F(LocalLogDamageTest, ATornGenesisIsCorrupt) {
  Fill({});
  for (size_t size = 0; size < bytes_.size(); ++size) {
    std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, bytes_.substr(0, size));
    Status status = TryOpen(*disk).status();
    EXPECT_EQ(status.code(), Code::kCorrupt) << "cut at " << size << ": " << status.ToString();
    EXPECT_EQ(disk->Contents(SegmentPath(0)).size(), size);
  }
}

TEST_F(LocalLogDamageTest, NoFlippedBitGivesAWrongRecord) {
  const Events events = {"one", "", "three"};
  Fill(events);
  for (size_t bit = 0; bit < bytes_.size() * 8; ++bit) {
    std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, Flipped(bytes_, bit));
    Result<std::unique_ptr<LocalLog>> log = TryOpen(*disk);
    if (bit / 8 < ends_[2]) {
      ASSERT_EQ(log.status().code(), Code::kCorrupt) << "bit " << bit;
      continue;
    }
    ASSERT_TRUE(log.ok()) << "bit " << bit << ": " << log.status().ToString();
    EXPECT_EQ((*log)->tail_cut_bytes(), ends_[3] - ends_[2]);
    EXPECT_EQ(ReadAll(**log).events, (Events{"one", ""}));
  }
}

TEST_F(LocalLogDamageTest, DamageBeforeAWholeFrameNamesItsPlace) {
  Fill({"one", "two", "three"});
  Status status = TryOpen(*WithSegment(files_, Flipped(bytes_, (ends_[1] + 24) * 8))).status();
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_EQ(status.message(), SegmentPath(0) + ": at byte " + std::to_string(ends_[1]) +
                                  ", where offset 2 is expected: the frame fails its checksum");
}

TEST_F(LocalLogDamageTest, DamageInsideOneAppendIsCorruptToo) {
  Create(files_);
  std::unique_ptr<LocalLog> log = Open(files_);
  size_t start = files_.Contents(SegmentPath(0)).size();
  ASSERT_TRUE(Append(*log, Events(50, std::string(100, 'e'))).ok());
  bytes_ = files_.Contents(SegmentPath(0));
  for (size_t byte = start; byte + FrameBytes(100) < bytes_.size(); byte += 13) {
    EXPECT_EQ(TryOpen(*WithSegment(files_, Flipped(bytes_, byte * 8))).status().code(), Code::kCorrupt) << byte;
  }
}

// The disk may write the sectors of one append in any order before the power goes.
TEST_F(LocalLogDamageTest, ALostSectorOfTheLastAppendIsATornTail) {
  Create(files_);
  std::unique_ptr<LocalLog> log = Open(files_);
  size_t start = files_.Contents(SegmentPath(0)).size();
  ASSERT_TRUE(Append(*log, Events(50, std::string(100, 'e'))).ok());
  const std::string last = files_.Contents(SegmentPath(0));
  ASSERT_TRUE(Append(*log, {"acknowledged, so all before it had been synced"}).ok());
  const std::string followed = files_.Contents(SegmentPath(0));
  for (size_t sector = start / 512; sector < last.size() / 512; ++sector) {
    size_t from = std::max(start, sector * 512);
    size_t bytes = sector * 512 + 512 - from;
    std::string lost = last;
    lost.replace(from, bytes, bytes, '\0');
    std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, lost);
    Result<std::unique_ptr<LocalLog>> opened = TryOpen(*disk);
    ASSERT_TRUE(opened.ok()) << "sector " << sector << ": " << opened.status().ToString();
    EXPECT_EQ(ReadAll(**opened).events, Events((from - start) / FrameBytes(100), std::string(100, 'e')));
    lost = followed;
    lost.replace(from, bytes, bytes, '\0');
    EXPECT_EQ(TryOpen(*WithSegment(files_, lost)).status().code(), Code::kCorrupt) << "sector " << sector;
  }
}

TEST_F(LocalLogDamageTest, AFrameOfAnotherFileIsNoRecord) {
  Fill({"one"});
  MemoryFileSystem other;
  const Uuid other_id = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000bb");
  ASSERT_TRUE(LocalLog::Create(other, clock_, kDirectory, other_id, 1).ok());
  ASSERT_TRUE(Append(*Open(other), {"one", "strange"}).ok());
  std::string foreign = other.Contents(SegmentPath(0)).substr(ends_[1]);
  std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, bytes_ + foreign);
  EXPECT_EQ(Open(*disk)->tail_cut_bytes(), foreign.size());
  Status status = TryOpen(*WithSegment(files_, other.Contents(SegmentPath(0)))).status();
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_NE(status.message().find("belongs to log 018f3c1e-0000-7000-8000-0000000000bb"), std::string::npos);
}

TEST_F(LocalLogDamageTest, ARepeatedFrameIsNotATornTail) {
  Fill({"one", "two"});
  EXPECT_EQ(TryOpen(*WithSegment(files_, bytes_ + bytes_.substr(ends_[1]))).status().code(), Code::kCorrupt);
}

TEST_F(LocalLogDamageTest, ADamagedManifestIsCorrupt) {
  Fill({"one"});
  std::string good = files_.Contents(kDirectory + "/log.manifest");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    files_.SetContents(kDirectory + "/log.manifest", Flipped(good, bit));
    EXPECT_EQ(TryOpen(files_).status().code(), Code::kCorrupt) << "bit " << bit;
  }
}

// Three or more segments, and a log that was closed.
class EarlierSegmentTest : public LocalLogDamageTest {
 protected:
  void SetUp() override {
    Create(files_);
    std::unique_ptr<LocalLog> log = Open(files_, SmallSegments(600));
    for (int i = 0; i < 24; ++i) {
      sent_.push_back("event " + std::to_string(i) + std::string(30, '.'));
      ASSERT_TRUE(Append(*log, {sent_.back()}).ok());
    }
    log.reset();
    const Events names = files_.List(kDirectory + "/p00000").value();
    for (const std::string& name : names) {
      uint64_t base_offset = *SegmentBaseOf(name);
      segments_.emplace_back(base_offset, files_.Contents(SegmentPath(base_offset)));
    }
    ASSERT_GE(segments_.size(), 3u);
  }

  Events sent_;
  std::vector<std::pair<uint64_t, std::string>> segments_;
};

TEST_F(EarlierSegmentTest, AnyFlippedBitIsFoundWhenItIsRead) {
  for (size_t bit = 0; bit < segments_[1].second.size() * 8; bit += 3) {
    auto damaged = segments_;
    damaged[1].second = Flipped(damaged[1].second, bit);
    std::unique_ptr<MemoryFileSystem> disk = WithSegments(files_, damaged);
    Result<std::unique_ptr<LocalLog>> log = TryOpen(*disk);
    if (bit / 8 < kSegmentHeaderBytes) {
      EXPECT_EQ(log.status().code(), Code::kCorrupt) << "bit " << bit;
      continue;
    }
    ASSERT_TRUE(log.ok()) << "bit " << bit << ": " << log.status().ToString();
    Read read = ReadAll(**log);
    EXPECT_EQ(read.status.code(), Code::kCorrupt) << "bit " << bit;
    EXPECT_TRUE(IsPrefix(read.events, sent_));
    EXPECT_NE(read.status.message().find(SegmentPath(damaged[1].first)), std::string::npos);
    EXPECT_EQ(ReadAll(**log, segments_[2].first).status.code(), Code::kOk);
  }
}

TEST_F(EarlierSegmentTest, AShorterLongerOrMissingOneIsCorruptAtOnce) {
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    auto cut = segments_;
    cut[i].second.resize(cut[i].second.size() - 8);
    EXPECT_EQ(TryOpen(*WithSegments(files_, cut)).status().code(), Code::kCorrupt) << i;
    auto longer = segments_;
    longer[i].second += std::string(8, '\0');
    EXPECT_EQ(TryOpen(*WithSegments(files_, longer)).status().code(), Code::kCorrupt) << i;
    auto missing = segments_;
    missing.erase(missing.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_EQ(TryOpen(*WithSegments(files_, missing)).status().code(), Code::kCorrupt) << i;
  }
}

TEST_F(EarlierSegmentTest, ASegmentThatACrashCutShortInItsHeaderIsDropped) {
  uint64_t next = sent_.size() + 1;
  SegmentHeader header = SegmentHeader::Decode(segments_.back().second, "x").value();
  header.base_offset = next;
  header.bytes_before = segments_.back().second.size();
  for (size_t size = 0; size <= kSegmentHeaderBytes; ++size) {
    auto begun = segments_;
    begun.emplace_back(next, header.Encode().substr(0, size));
    std::unique_ptr<MemoryFileSystem> disk = WithSegments(files_, begun);
    EXPECT_EQ(Open(*disk)->tail_cut_bytes(), 0u);
    ExpectUsable(*disk, sent_);
  }
}

TEST_F(EarlierSegmentTest, WhatABegunSegmentSaysWasWholeIsNoTornTail) {
  uint64_t next = sent_.size() + 1;
  SegmentHeader header = SegmentHeader::Decode(segments_.back().second, "x").value();
  header.base_offset = next;
  header.bytes_before = segments_.back().second.size();
  auto begun = segments_;
  begun.emplace_back(next, header.Encode());
  for (size_t lost : {1, 8, 100}) {
    begun[begun.size() - 2].second.resize(header.bytes_before - lost);
    EXPECT_EQ(TryOpen(*WithSegments(files_, begun)).status().code(), Code::kCorrupt) << lost;
  }
}

#ifdef ODOMETER_PLANTED_BUGS
TEST_F(LocalLogDamageTest, TheTestsWouldCatchATornTailThatIsAccepted) {
  Fill({"one", "two"});
  std::unique_ptr<MemoryFileSystem> disk = WithSegment(files_, bytes_ + std::string(30, 'x'));
  SetPlantedBug("torn_tail_accepted");
  std::unique_ptr<LocalLog> log = Open(*disk);
  SetPlantedBug("");
  EXPECT_EQ(log->tail_cut_bytes(), 0u);
  ASSERT_TRUE(Append(*log, {"three"}).ok());
  EXPECT_EQ(ReadAll(*log).status.code(), Code::kCorrupt);
}
#endif

}  // namespace
}  // namespace odometer
