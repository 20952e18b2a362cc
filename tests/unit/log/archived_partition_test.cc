// A log's copy in segments: what is read is copied, what was copied is read from there, and a source that is no longer
// what was copied is found out.
#include "log/archived_partition.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>

#include "tests/support/memory_file_system.h"

namespace odometer {
namespace {

const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");

// A log with holes that a test can change under its reader.
class HoledPartition : public PartitionLog {
 public:
  void Add(uint64_t offset, const std::string& bytes) {
    records_.push_back(OwnedRecord::Copy({offset, AppendTime{static_cast<int64_t>(offset) * 1000 + 999}, bytes}));
    end_ = offset + 1;
  }
  void EndAt(uint64_t end) { end_ = end; }
  void CutTo(uint64_t offset) {
    while (!records_.empty() && records_.back().offset >= offset) records_.pop_back();
    end_ = offset;
  }

  uint32_t partition() const override { return 0; }
  OffsetRange range() const override { return {start_, end_}; }
  Result<Appended> Append(std::span<const std::string_view>) override { return Status(Code::kInvalid, "not here"); }
  Result<std::unique_ptr<EventReader>> Read(uint64_t from) override {
    ++reads;
    return std::unique_ptr<EventReader>(std::make_unique<Reader>(*this, from));
  }
  Result<OwnedRecord> Fetch(uint64_t offset) override {
    if (offset < trimmed_to) return Status(Code::kNotFound, "trimmed");
    for (const OwnedRecord& record : records_) {
      if (record.offset == offset) return OwnedRecord::Copy({record.offset, record.append_time, record.bytes});
    }
    return Status(Code::kNotFound, "no such record");
  }
  size_t fetches_at_once() const override { return at_once; }
  Status SyncTo(uint64_t) override {
    start_ = trimmed_to;  // as the leader says, who is asked
    if (syncs_left && (*syncs_left)-- == 0) is_away = true;
    return is_away ? Status(Code::kUnavailable, "nobody answers") : Status::Ok();
  }
  void Wake() override {}

  int reads = 0;
  bool is_away = false;           // readers then give nothing
  bool is_silent = false;         // readers give nothing
  std::optional<int> syncs_left;  // until it is away
  size_t at_once = 1;
  uint64_t trimmed_to = 0;  // records below it are gone

 private:
  class Reader : public EventReader {
   public:
    Reader(HoledPartition& log, uint64_t from) : log_(log), next_offset_(from) {}
    Result<std::span<const Record>> Poll(size_t records_max, int64_t) override {
      given_.clear();
      if (log_.is_away || log_.is_silent) return std::span<const Record>();
      for (const OwnedRecord& record : log_.records_) {
        if (record.offset < next_offset_ || given_.size() == records_max) continue;
        given_.push_back({record.offset, record.append_time, record.bytes});
      }
      next_offset_ = given_.size() == records_max ? given_.back().offset + 1 : std::max(next_offset_, log_.end_);
      return std::span<const Record>(given_);
    }
    uint64_t next_offset() const override { return next_offset_; }

   private:
    HoledPartition& log_;
    uint64_t next_offset_;
    std::vector<Record> given_;
  };

  std::deque<OwnedRecord> records_;
  std::atomic<uint64_t> start_ = 0;
  uint64_t end_ = 0;
};

class ArchivedPartitionTest : public testing::Test {
 protected:
  ArchivedPartitionTest() {
    source_.Add(0, "genesis");
    source_.Add(1, "a");
    source_.Add(5, "after a hole");
    source_.Add(6, "b");
    source_.EndAt(9);
  }

  Result<std::unique_ptr<ArchivedPartition>> Open(uint64_t cursor) {
    return ArchivedPartition::Open(files_, clock_, {"/log/p00000", kLogId, 150}, source_, cursor);
  }
  // Or a power loss takes the directory, with all that is in it.
  static void MakeDirectory(MemoryFileSystem& files) {
    ASSERT_TRUE(files.CreateDirectories("/log/p00000").ok());
    ASSERT_TRUE(files.SyncDirectory("/").ok());
    ASSERT_TRUE(files.SyncDirectory("/log").ok());
  }
  // Offsets that a reader gives.
  static std::vector<uint64_t> Offsets(PartitionLog& log, uint64_t from, size_t records_max = 100) {
    std::vector<uint64_t> offsets;
    std::unique_ptr<EventReader> reader = log.Read(from).value();
    while (reader->next_offset() < log.range().end) {
      std::span<const Record> records = reader->Poll(records_max, 0).value();
      for (const Record& record : records) offsets.push_back(record.offset);
    }
    return offsets;
  }

  ManualClock clock_{1'700'000'000'000'000};
  MemoryFileSystem files_;
  HoledPartition source_;
};

// Whether the questions of a sync are asked one after another or side by side.
class ArchivedPartitionSync : public ArchivedPartitionTest, public testing::WithParamInterface<size_t> {
 protected:
  ArchivedPartitionSync() { source_.at_once = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(AtOnce, ArchivedPartitionSync, testing::Values(1, 3));

TEST_F(ArchivedPartitionTest, WhatWasReadOnceIsReadFromTheCopy) {
  auto archived = Open(0).value();
  EXPECT_EQ(Offsets(*archived, 0, 2), (std::vector<uint64_t>{0, 1, 5, 6}));
  int reads = source_.reads;
  std::unique_ptr<EventReader> reader = archived->Read(0).value();
  EXPECT_EQ(reader->Poll(100, 0).value().size(), 2u) << "the first of the small segments";
  EXPECT_EQ(archived->Fetch(5).value().bytes, "after a hole");
  EXPECT_EQ(source_.reads, reads);
}

TEST_F(ArchivedPartitionTest, ReadingFromAHoleGoesOnAtTheNextRecord) {
  auto archived = Open(0).value();
  Offsets(*archived, 0);
  EXPECT_EQ(Offsets(*archived, 3), (std::vector<uint64_t>{5, 6}));
  EXPECT_EQ(archived->Fetch(3).status().code(), Code::kNotFound);
}

TEST_F(ArchivedPartitionTest, NoneOfTheHolesOfALongCopyIsARecord) {
  for (uint64_t offset = 10; offset < 200; offset += 3) source_.Add(offset, std::string(offset * 100, 'x'));
  // In segments of many spans of an index.
  auto archived = ArchivedPartition::Open(files_, clock_, {"/log/p00000", kLogId, 200'000}, source_, 0).value();
  Offsets(*archived, 0);
  for (uint64_t offset = 10; offset < 197; ++offset) {
    bool is_hole = (offset - 10) % 3 != 0;
    EXPECT_EQ(archived->Fetch(offset).status().code(), is_hole ? Code::kNotFound : Code::kOk) << offset;
    EXPECT_EQ(archived->FetchAll({{5, offset}}).status().code(), is_hole ? Code::kNotFound : Code::kOk) << offset;
  }
}

TEST_F(ArchivedPartitionTest, IsCutToTheCursorWhenItIsOpened) {
  Offsets(*Open(0).value(), 0);
  auto archived = Open(5).value();
  source_.CutTo(5);
  source_.Add(5, "another");
  EXPECT_EQ(archived->Fetch(5).value().bytes, "another");
  EXPECT_TRUE(archived->SyncTo(5).ok());
}

TEST_F(ArchivedPartitionTest, WhatAPowerLossTookIsReadAgain) {
  Offsets(*Open(0).value(), 0);
  files_.Crash(MemoryFileSystem::Survives::kNothing);
  auto archived = Open(7).value();
  int reads = source_.reads;
  EXPECT_EQ(archived->Fetch(6).value().bytes, "b");
  EXPECT_EQ(archived->Fetch(0).value().bytes, "genesis");
  EXPECT_EQ(source_.reads, reads);
}

TEST_F(ArchivedPartitionTest, OpenedAtItsEndItWritesAndSyncsNothing) {
  Offsets(*Open(0).value(), 0);
  uint64_t writes = files_.writes(), syncs = files_.syncs();
  auto archived = Open(7).value();
  EXPECT_EQ(files_.writes(), writes);
  EXPECT_EQ(files_.syncs(), syncs);
}

// What an earlier process copied was perhaps not synced when this one goes on behind it.
TEST_F(ArchivedPartitionTest, WhatAPowerLossTookOfACopyThatWasOpenedAgainIsReadAgain) {
  for (uint64_t offset = 9; offset < 29; ++offset) source_.Add(offset, std::string(700, 'x'));
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    MemoryFileSystem files(seed);
    MakeDirectory(files);
    auto open = [&](uint64_t cursor) {
      return ArchivedPartition::Open(files, clock_, {"/log/p00000", kLogId, 80'000}, source_, cursor);
    };
    {
      auto first = open(0).value();
      std::unique_ptr<EventReader> reader = first->Read(0).value();
      ASSERT_EQ(reader->Poll(7, 0).value().size(), 7u);
    }
    Offsets(*open(12).value(), 12, 3);
    files.Crash(seed % 2 == 0 ? MemoryFileSystem::Survives::kSectors : MemoryFileSystem::Survives::kPrefix);
    Result<std::unique_ptr<ArchivedPartition>> archived = open(29);
    ASSERT_TRUE(archived.ok()) << "seed " << seed << ": " << archived.status().ToString();
    for (uint64_t offset = 9; offset < 29; ++offset)
      ASSERT_EQ((*archived)->Fetch(offset).value().bytes, std::string(700, 'x')) << "seed " << seed;
  }
}

TEST_F(ArchivedPartitionTest, WhatAFailedSyncLeftInTheCacheIsWrittenAnewBeforeTheNextSegment) {
  MakeDirectory(files_);
  auto archived = Open(0).value();
  std::unique_ptr<EventReader> reader = archived->Read(0).value();
  EXPECT_EQ(reader->Poll(2, 0).value().size(), 2u);
  files_.FailSync(1, Code::kIo);  // of the full segment
  EXPECT_FALSE(reader->Poll(1, 0).ok());
  EXPECT_EQ(reader->Poll(1, 0).value().size(), 1u);
  archived.reset();
  files_.Crash(MemoryFileSystem::Survives::kNothing);
  EXPECT_TRUE(Open(6).ok());
}

TEST_F(ArchivedPartitionTest, OpenedAtItsEndItAsksTheSourceForNothing) {
  Offsets(*Open(0).value(), 0);
  int reads = source_.reads;
  auto archived = Open(7).value();
  EXPECT_EQ(source_.reads, reads);
  EXPECT_EQ(archived->Fetch(6).value().bytes, "b");
}

TEST_F(ArchivedPartitionTest, ACursorAfterTheLastRecordIsNoLoss) {
  Offsets(*Open(0).value(), 0);
  Result<std::unique_ptr<ArchivedPartition>> archived = Open(9);
  ASSERT_TRUE(archived.ok()) << archived.status().ToString();
  EXPECT_EQ((*archived)->Read(9).value()->Poll(10, 0).value().size(), 0u);
}

TEST_F(ArchivedPartitionTest, ASourceThatEndsBelowTheCursorIsCorrupt) {
  Offsets(*Open(0).value(), 0);
  source_.CutTo(6);
  EXPECT_EQ(Open(9).status().code(), Code::kCorrupt);
}

TEST_P(ArchivedPartitionSync, AnotherRecordInThePlaceOfTheLastOneIsFoundByTheNextSync) {
  auto archived = Open(0).value();
  Offsets(*archived, 0);
  EXPECT_TRUE(archived->SyncTo(9).ok());
  source_.CutTo(6);
  EXPECT_EQ(archived->SyncTo(9).code(), Code::kCorrupt) << "gone";
  source_.Add(6, "x");
  Status other = archived->SyncTo(9);
  EXPECT_EQ(other.code(), Code::kCorrupt);
  EXPECT_NE(other.message().find("offset 6"), std::string::npos) << other.ToString();
  EXPECT_TRUE(archived->ForgetFrom(6).ok());
  EXPECT_TRUE(archived->SyncTo(6).ok());
  EXPECT_EQ(Offsets(*archived, 6), (std::vector<uint64_t>{6}));
  EXPECT_EQ(archived->Fetch(6).value().bytes, "x");
}

TEST_P(ArchivedPartitionSync, ALogThatLostRecordsAndAgreesAgainAtItsEndIsFoundByTheNextSync) {
  auto archived = Open(0).value();
  Offsets(*archived, 0);
  EXPECT_TRUE(archived->SyncTo(9).ok());
  source_.Add(9, "newest");
  Offsets(*archived, 9);
  source_.CutTo(6);
  source_.Add(6, "x");
  source_.Add(9, "newest");
  Status other = archived->SyncTo(10);
  EXPECT_EQ(other.code(), Code::kCorrupt);
  EXPECT_NE(other.message().find("offset 6"), std::string::npos) << other.ToString();
}

TEST_P(ArchivedPartitionSync, WhatWasTrimmedSinceTheLastOneIsNotTakenForGone) {
  auto archived = Open(0).value();
  Offsets(*archived, 0);
  EXPECT_TRUE(archived->SyncTo(9).ok());
  source_.Add(9, "newest");
  Offsets(*archived, 9);
  source_.trimmed_to = 9;
  Status synced = archived->SyncTo(10);
  EXPECT_TRUE(synced.ok()) << synced.ToString();
}

TEST_F(ArchivedPartitionTest, ReadersOfWhatIsHeldAskTheSourceForNothingAndCopyNothing) {
  auto archived = Open(0).value();
  std::unique_ptr<EventReader> line = archived->Read(0).value();
  EXPECT_EQ(line->Poll(2, 0).value().size(), 2u);
  int reads = source_.reads;
  EXPECT_EQ(archived->held().end, 2u);
  for (uint64_t from : {0u, 1u, 2u, 6u, 9u}) {
    std::unique_ptr<EventReader> reader = archived->ReadHeld(from).value();
    while (!reader->Poll(100, 0).value().empty()) {
    }
    EXPECT_EQ(reader->next_offset(), 2u);
  }
  EXPECT_EQ(source_.reads, reads);
  EXPECT_EQ(archived->held().end, 2u);
  EXPECT_EQ(line->Poll(100, 0).value().size(), 2u);
}

TEST_F(ArchivedPartitionTest, AReaderThatBeginsAboveWhatIsCopiedLeavesNoHoleInTheCopy) {
  auto archived = Open(0).value();
  std::unique_ptr<EventReader> reader = archived->Read(6).value();
  EXPECT_EQ(reader->Poll(100, 0).value().size(), 1u);
  int reads = source_.reads;
  EXPECT_EQ(Offsets(*archived, 0), (std::vector<uint64_t>{0, 1, 5, 6}));
  EXPECT_EQ(archived->Fetch(5).value().bytes, "after a hole");
  EXPECT_LE(source_.reads, reads + 1) << "for what lies above the last record";
}

TEST_F(ArchivedPartitionTest, WhatIsCopiedIsNotCutWhereTheSourceIsAnotherOneBelowTheCursor) {
  Offsets(*Open(0).value(), 0);
  source_.CutTo(5);
  source_.Add(5, "another");
  source_.Add(6, "b");
  Status refused = Open(6).status();
  EXPECT_EQ(refused.code(), Code::kCorrupt);
  EXPECT_NE(refused.message().find("offset 5"), std::string::npos) << refused.ToString();
  source_.is_away = true;
  EXPECT_EQ(Open(6).status().code(), Code::kUnavailable);
  source_.is_away = false;
  source_.CutTo(5);
  source_.Add(5, "after a hole");
  source_.Add(6, "b");
  auto archived = Open(0).value();
  EXPECT_EQ(archived->held().end, 7u);
}

TEST_F(ArchivedPartitionTest, WithCursor0WhatIsCopiedIsKept) {
  Offsets(*Open(0).value(), 0);
  auto archived = Open(0).value();
  EXPECT_EQ(archived->held().end, 7u);
}

TEST_F(ArchivedPartitionTest, WhatIsMissingIsNotWaitedForWithoutEndWhenNobodyAnswers) {
  Offsets(*Open(0).value(), 0, 2);
  files_.Crash(MemoryFileSystem::Survives::kNothing);
  source_.is_silent = true;
  source_.syncs_left = 1;
  EXPECT_EQ(Open(7).status().code(), Code::kUnavailable);
  source_.is_away = source_.is_silent = false;
  source_.syncs_left.reset();
  EXPECT_EQ(Open(7).value()->held().end, 7u);
}

TEST_F(ArchivedPartitionTest, AFirstSegmentWithoutARecordIsMadeAgainWhateverItsHeaderSays) {
  const std::string path = "/log/p00000/" + SegmentName(0);
  for (const std::string& header : {std::string(), std::string(63, 'x'), std::string(kSegmentHeaderBytes, '\0')}) {
    ASSERT_TRUE(files_.CreateDirectories("/log/p00000").ok());
    files_.SetContents(path, header);
    Result<std::unique_ptr<ArchivedPartition>> archived = Open(0);
    ASSERT_TRUE(archived.ok()) << archived.status().ToString();
    EXPECT_EQ(Offsets(**archived, 0), (std::vector<uint64_t>{0, 1, 5, 6}));
    archived->reset();
    std::vector<std::string> names = files_.List("/log/p00000").value();
    for (const std::string& name : names) ASSERT_TRUE(files_.Remove("/log/p00000/" + name).ok());
  }
}

TEST_F(ArchivedPartitionTest, AWriterThatBrokeIsOpenedAnew) {
  auto archived = Open(0).value();
  std::unique_ptr<EventReader> reader = archived->Read(0).value();
  EXPECT_EQ(reader->Poll(2, 0).value().size(), 2u);
  files_.FailWrite(2, Code::kIo);  // after the header of a new segment
  files_.FailTruncate(1, Code::kIo);
  EXPECT_FALSE(reader->Poll(100, 0).ok());
  Result<std::span<const Record>> again = reader->Poll(100, 0);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(again->size(), 2u);
  EXPECT_EQ(Offsets(*archived, 0), (std::vector<uint64_t>{0, 1, 5, 6}));
}

TEST_F(ArchivedPartitionTest, ARecordOf17MiBIsCopiedAndOneThatNoFrameHoldsIsRefusedByItsOffset) {
  source_.Add(9, std::string(17 << 20, 'x'));
  auto archived = Open(0).value();
  Offsets(*archived, 0);
  archived.reset();
  archived = Open(10).value();
  EXPECT_EQ(archived->Fetch(9).value().bytes.size(), size_t{17} << 20);
  source_.Add(10, std::string(kFramePayloadBytesMax + 1, 'x'));
  Status refused = archived->Read(10).value()->Poll(100, 0).status();
  EXPECT_EQ(refused.code(), Code::kInvalid);
  EXPECT_NE(refused.message().find("offset 10"), std::string::npos) << refused.ToString();
}

TEST_F(ArchivedPartitionTest, WhatCannotBeCopiedIsNotGiven) {
  auto archived = Open(0).value();
  std::unique_ptr<EventReader> reader = archived->Read(0).value();
  files_.SetBytesLeft(10);
  EXPECT_EQ(reader->Poll(100, 0).status().code(), Code::kDiskFull);
  EXPECT_EQ(reader->next_offset(), 0u);
  files_.SetBytesLeft(std::nullopt);
  EXPECT_EQ(reader->Poll(100, 0).value().size(), 4u);
}

}  // namespace
}  // namespace odometer
