#include "log/segment.h"

#include <gtest/gtest.h>

#include <random>

#include "log/crc32c.h"
#include "log/segment_writer.h"
#include "tests/support/memory_file_system.h"

namespace odometer {
namespace {

const Uuid kLogId = *Uuid::Parse("018f3c1e-0000-7000-8000-0000000000aa");
constexpr AppendTime kTime{1'700'000'000'123'999};
constexpr uint32_t kChecksum = 0x12345678;

SegmentHeader Header() {
  SegmentHeader header;
  header.log_id = kLogId;
  header.partition = 3;
  header.base_offset = 42;
  header.append_time_before = kTime;
  header.bytes_before = 1234;
  header.checksum_before = 0x89abcdef;
  return header;
}

std::string Encoded(const Frame& frame) {
  std::string bytes;
  EncodeFrame(frame, kChecksum, &bytes);
  return bytes;
}

// Frames in a file, through the writer.
void WriteSegment(MemoryFileSystem& files, const SegmentHeader& header, const std::vector<Record>& records) {
  ASSERT_TRUE(files.CreateDirectories("/s").ok());
  auto writer = SegmentWriter::Create(files, "/s", header, kSegmentBytesMax).value();
  ASSERT_TRUE(writer->Write(records, SegmentWriter::Durable::kYes).ok());
}

TEST(Crc32c, GivesThePublishedValues) {
  EXPECT_EQ(Crc32c(0, "123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(0, std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(0, std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, TableAndInstructionAgreeAtEveryLengthAndSplit) {
  std::mt19937 random(7);
  std::string bytes(300, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t size = 0; size <= bytes.size(); ++size) {
    uint32_t whole = Crc32c(0, bytes.data(), size);
    EXPECT_EQ(whole, Crc32cPortable(0, bytes.data(), size));
    size_t split = size == 0 ? 0 : random() % size;
    EXPECT_EQ(whole, Crc32cPortable(Crc32c(0, bytes.data(), split), bytes.data() + split, size - split));
  }
}

TEST(SegmentWriter, WhatIsCaughtUpWithIsLetGoOnceItIsSyncedAndWhatIsLiveIsKept) {
  MemoryFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/s").ok());
  auto writer = SegmentWriter::Create(files, "/s", Header(), kSegmentBytesMax).value();
  std::string bytes(1 << 20, 'x');
  uint64_t offset = Header().base_offset;
  auto write = [&](int records) {
    for (int i = 0; i < records; ++i) {
      Record record{offset++, kTime, bytes};
      ASSERT_TRUE(writer->Write({&record, 1}, SegmentWriter::Durable::kNo).ok());
    }
  };
  write(30);
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(files.bytes_let_go(), 0u);
  write(40);
  EXPECT_EQ(files.bytes_let_go(), 0u) << "not before it is on stable storage";
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(files.bytes_let_go(), 40 * FrameBytes(bytes.size()));
}

TEST(SegmentName, SortsAsItsOffset) {
  EXPECT_EQ(SegmentName(0), "00000000000000000000.seg");
  EXPECT_EQ(SegmentName(UINT64_MAX), "18446744073709551615.seg");
  EXPECT_EQ(SegmentBaseOf("00000000000000000042.seg"), 42u);
  EXPECT_EQ(SegmentBaseOf("18446744073709551616.seg"), std::nullopt);
  EXPECT_EQ(SegmentBaseOf("0000000000000000042.seg"), std::nullopt);
  EXPECT_EQ(SegmentBaseOf("0000000000000000004x.seg"), std::nullopt);
}

TEST(SegmentHeader, ReadsBackAndLiesAsDocumented) {
  std::string bytes = Header().Encode();
  ASSERT_EQ(bytes.size(), kSegmentHeaderBytes);
  EXPECT_EQ(bytes.substr(0, 8), "odomseg\n");
  EXPECT_EQ(bytes[8], 1);
  EXPECT_EQ(bytes[12], 3);
  EXPECT_EQ(bytes[16], 42);
  EXPECT_EQ(SegmentHeader::Decode(bytes, "x").value(), Header());
  SegmentHeader with_holes = Header();
  with_holes.may_have_holes = true;
  EXPECT_EQ(SegmentHeader::Decode(with_holes.Encode(), "x").value(), with_holes);
}

TEST(SegmentHeader, AnyFlippedBitAndAnyCutIsCorrupt) {
  const std::string good = Header().Encode();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(SegmentHeader::Decode(bad, "x").status().code(), Code::kCorrupt) << "bit " << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(SegmentHeader::Decode(good.substr(0, size), "x").status().code(), Code::kCorrupt);
  }
}

TEST(Frame, ReadsBackWithItsPaddingForEveryLength) {
  for (size_t size = 0; size < 40; ++size) {
    std::string payload(size, 'p');
    std::string bytes = Encoded({{7, kTime, payload}, size % 2 == 0});
    EXPECT_EQ(bytes.size(), FrameBytes(size));
    EXPECT_EQ(bytes.size() % 8, 0u);
    Frame frame;
    size_t frame_bytes;
    ASSERT_EQ(DecodeFrame(bytes.data(), bytes.size(), kChecksum, &frame, &frame_bytes), FrameState::kWhole);
    EXPECT_EQ(frame_bytes, bytes.size());
    EXPECT_EQ(frame.record.offset, 7u);
    EXPECT_EQ(frame.record.append_time, kTime);
    EXPECT_EQ(frame.record.bytes, payload);
    EXPECT_NE(frame.record.bytes.data(), nullptr);
    EXPECT_EQ(frame.after_sync, size % 2 == 0);
  }
}

TEST(Frame, ANullPayloadIsNotAnEmptyOne) {
  std::string null = Encoded({{7, kTime, std::string_view()}, false});
  EXPECT_NE(null, Encoded({{7, kTime, std::string_view("", 0)}, false}));
  Frame frame;
  size_t frame_bytes;
  ASSERT_EQ(DecodeFrame(null.data(), null.size(), kChecksum, &frame, &frame_bytes), FrameState::kWhole);
  EXPECT_EQ(frame.record.bytes.data(), nullptr);
}

TEST(Frame, AnyFlippedBitIsNoFrame) {
  const std::string good = Encoded({{7, kTime, "hello"}, true});
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    Frame frame;
    size_t frame_bytes;
    EXPECT_NE(DecodeFrame(bad.data(), bad.size(), kChecksum, &frame, &frame_bytes), FrameState::kWhole) << bit;
  }
}

TEST(Frame, IsValidInItsOwnFileOnlyAndZerosAreNone) {
  std::string bytes = Encoded({{7, kTime, "hello"}, true});
  Frame frame;
  size_t frame_bytes;
  EXPECT_EQ(DecodeFrame(bytes.data(), bytes.size(), kChecksum + 1, &frame, &frame_bytes), FrameState::kDamaged);
  std::string zeros(64, '\0');
  EXPECT_EQ(DecodeFrame(zeros.data(), zeros.size(), kChecksum, &frame, &frame_bytes), FrameState::kDamaged);
  EXPECT_EQ(DecodeFrame(bytes.data(), 23, kChecksum, &frame, &frame_bytes), FrameState::kIncomplete);
  EXPECT_EQ(DecodeFrame(bytes.data(), 24, kChecksum, &frame, &frame_bytes), FrameState::kIncomplete);
  EXPECT_EQ(frame_bytes, bytes.size());
}

TEST(SparseIndex, FindsTheSpanFromTheLastEntryAtOrBelowToTheNext) {
  SparseIndex index;
  EXPECT_FALSE(index.Find(5).has_value());
  for (uint64_t i = 0; i < 1000; ++i) index.Add({10 + i, 64 + i * 1000});
  EXPECT_FALSE(index.Find(9).has_value());
  EXPECT_EQ(index.Find(10)->begin.offset, 10u);
  EXPECT_EQ(index.Find(26)->begin.position, 64u);  // the next kept one is 16.384 records on
  EXPECT_EQ(index.Find(26)->end_position, 64u + 17'000);
  EXPECT_EQ(index.Find(27)->begin.position, 64u + 17'000);
  EXPECT_EQ(index.Find(27)->begin.offset, 10u + 17);
  EXPECT_EQ(index.Find(5000)->begin.offset, 10u + 17 * 58);
  EXPECT_FALSE(index.Find(5000)->end_position.has_value());
}

TEST(SparseIndex, OneAfterAnotherGivesWhatBothHold) {
  SparseIndex whole, first, second;
  for (uint64_t i = 0; i < 1000; ++i) {
    whole.Add({10 + i, 64 + i * 1000});
    (i < 340 ? first : second).Add({10 + i, 64 + i * 1000});  // 340 begins a span
  }
  first.Add(second);
  for (uint64_t offset = 10; offset < 1010; ++offset) {
    EXPECT_EQ(first.Find(offset)->begin.position, whole.Find(offset)->begin.position);
    EXPECT_EQ(first.Find(offset)->end_position, whole.Find(offset)->end_position);
  }
}

TEST(SparseIndex, WhatIsTooFarFromItsFirstEntryIsFoundFromTheOneBefore) {
  SparseIndex index;
  index.Add({10, 64});
  index.Add({20, 64 + 17'000});
  index.Add({uint64_t{1} << 33, 64 + 34'000});
  index.Add({uint64_t{1} << 34, 64 + (uint64_t{1} << 36)});
  EXPECT_EQ(index.Find(uint64_t{1} << 35)->begin.offset, 20u);
  EXPECT_FALSE(index.Find(uint64_t{1} << 35)->end_position.has_value());
}

TEST(SegmentReader, ReadsRecordsLargerThanItsBufferAndManySmallOnes) {
  MemoryFileSystem files;
  std::vector<std::string> payloads;
  for (size_t i = 0; i < 200; ++i) payloads.emplace_back(i % 40 == 39 ? 5000 : i, static_cast<char>('a' + i % 26));
  std::vector<Record> records;
  for (const std::string& payload : payloads) records.push_back({42 + records.size(), kTime, payload});
  WriteSegment(files, Header(), records);
  auto reader = SegmentReader::Open(files, "/s/" + SegmentName(42), 512).value();
  EXPECT_EQ(reader->header(), Header());
  uint64_t end = reader->FileSize().value();
  size_t seen = 0;
  std::vector<Record> batch;
  for (;;) {
    batch.clear();
    Result<size_t> count = reader->Read(end, 7, &batch);
    ASSERT_TRUE(count.ok()) << count.status().ToString();
    if (*count == 0) break;
    EXPECT_EQ(*count, batch.size());
    for (const Record& record : batch) {
      EXPECT_EQ(record.offset, 42 + seen);
      EXPECT_EQ(record.bytes, payloads[seen++]);
    }
  }
  EXPECT_EQ(seen, payloads.size());
  EXPECT_EQ(reader->position(), end);
}

TEST(SegmentReader, AHoleIsDamageUnlessTheHeaderAllowsIt) {
  MemoryFileSystem files;
  for (bool may_have_holes : {false, true}) {
    SegmentHeader header = Header();
    header.base_offset = may_have_holes ? 50 : 42;
    header.may_have_holes = may_have_holes;
    uint64_t first = header.base_offset;
    WriteSegment(files, header, {{first, kTime, "a"}, {first + 3, kTime, "b"}});
    auto reader = SegmentReader::Open(files, "/s/" + SegmentName(first)).value();
    std::vector<Record> batch;
    Result<size_t> count = reader->Read(reader->FileSize().value(), 10, &batch);
    if (may_have_holes) {
      EXPECT_EQ(count.value(), 2u);
      EXPECT_EQ(reader->next_offset(), first + 4);
      continue;
    }
    EXPECT_EQ(count.value(), 1u);
    count = reader->Read(reader->FileSize().value(), 10, &batch);
    EXPECT_EQ(count.status().code(), Code::kCorrupt);
    EXPECT_NE(count.status().message().find("where offset 43 is expected: found offset 45"), std::string::npos)
        << count.status().message();
  }
}

TEST(SegmentWriter, MarksTheFirstFrameAfterASync) {
  MemoryFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/s").ok());
  SegmentHeader header = Header();
  auto writer = SegmentWriter::Create(files, "/s", header, kSegmentBytesMax).value();
  std::vector<Record> first = {{42, kTime, "a"}, {43, kTime, "b"}};
  std::vector<Record> second = {{44, kTime, "c"}};
  std::vector<Record> third = {{45, kTime, "d"}};
  ASSERT_TRUE(writer->Write(first, SegmentWriter::Durable::kNo).ok());
  ASSERT_TRUE(writer->Write(second, SegmentWriter::Durable::kYes).ok());
  ASSERT_TRUE(writer->Write(third, SegmentWriter::Durable::kNo).ok());
  EXPECT_FALSE(writer->is_synced());
  auto reader = SegmentReader::Open(files, "/s/" + SegmentName(42)).value();
  uint64_t end = reader->FileSize().value();
  std::vector<bool> marks;
  Frame frame;
  while (reader->ReadFrame(end, &frame).value()) marks.push_back(frame.after_sync);
  EXPECT_EQ(marks, (std::vector<bool>{true, false, false, true}));
}

}  // namespace
}  // namespace odometer
