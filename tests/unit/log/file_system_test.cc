#include "log/file_system.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/memory_file_system.h"
#include "tests/unit/log/temp_directory.h"

namespace odometer {
namespace {

using Mode = FileSystem::Mode;
using Survives = MemoryFileSystem::Survives;

std::string ReadAll(const File& file) {
  std::string bytes(file.Size().value(), '\0');
  EXPECT_EQ(file.ReadAt(0, bytes.data(), bytes.size()).value(), bytes.size());
  return bytes;
}

// The same on real files and on the simulated ones.
void CheckFiles(FileSystem& files, const std::string& root) {
  ASSERT_TRUE(files.CreateDirectories(root + "/a/b").ok());
  ASSERT_TRUE(files.CreateDirectories(root + "/a/b").ok());
  std::string path = root + "/a/b/file";
  EXPECT_EQ(files.Open(path, Mode::kRead).status().code(), Code::kNotFound);
  EXPECT_NE(files.Open(path, Mode::kRead).status().message().find(path), std::string::npos);
  EXPECT_EQ(files.List(root + "/none").status().code(), Code::kNotFound);
  std::unique_ptr<File> file = files.Open(path, Mode::kCreate).value();
  EXPECT_EQ(files.Open(path, Mode::kCreate).status().code(), Code::kConflict);
  ASSERT_TRUE(file->WriteAt(0, "hello world").ok());
  ASSERT_TRUE(file->WriteAt(6, "there").ok());
  ASSERT_TRUE(file->WriteAt(13, "!").ok());
  ASSERT_TRUE(file->Sync().ok());
  file->LetGo(0, 14);
  EXPECT_EQ(ReadAll(*file), std::string("hello there\0\0!", 14));
  ASSERT_TRUE(file->Truncate(5).ok());
  ASSERT_TRUE(file->Sync().ok());
  std::unique_ptr<File> reader = files.Open(path, Mode::kRead).value();
  EXPECT_EQ(ReadAll(*reader), "hello");
  char bytes[10];
  EXPECT_EQ(reader->ReadAt(3, bytes, 10).value(), 2u);
  EXPECT_EQ(reader->ReadAt(9, bytes, 10).value(), 0u);
  EXPECT_FALSE(reader->WriteAt(0, "x").ok());
  ASSERT_TRUE(files.Rename(path, root + "/a/b/other").ok());
  ASSERT_TRUE(files.SyncDirectory(root + "/a/b").ok());
  EXPECT_EQ(files.List(root + "/a/b").value(), std::vector<std::string>{"other"});
  EXPECT_EQ(files.List(root + "/a").value(), std::vector<std::string>{"b"});
  EXPECT_FALSE(files.Exists(path).value());
  EXPECT_TRUE(files.Exists(root + "/a/b/other").value());
  ASSERT_TRUE(files.Remove(root + "/a/b/other").ok());
  EXPECT_TRUE(files.List(root + "/a/b").value().empty());
}

void CheckLocks(FileSystem& files, const std::string& root) {
  ASSERT_TRUE(files.CreateDirectories(root).ok());
  std::unique_ptr<File> lock = files.Lock(root + "/lock").value();
  EXPECT_EQ(files.Lock(root + "/lock").status().code(), Code::kConflict);
  lock.reset();
  EXPECT_TRUE(files.Lock(root + "/lock").ok());
}

TEST(PosixFileSystem, DoesWhatItsInterfaceSays) {
  TempDirectory directory;
  CheckFiles(PosixFileSystem(), directory.path());
  CheckLocks(PosixFileSystem(), directory.path());
}

TEST(PosixFileSystem, AFullDeviceIsDiskFullAndNamesItsPath) {
  Result<std::unique_ptr<File>> full = PosixFileSystem().Open("/dev/full", Mode::kWrite);
  ASSERT_TRUE(full.ok()) << full.status().ToString();
  Status status = (*full)->WriteAt(0, "x");
  EXPECT_EQ(status.code(), Code::kDiskFull);
  EXPECT_NE(status.message().find("/dev/full"), std::string::npos);
}

TEST(PosixFileSystem, AnErrorOfAReadOnlyFileSystemNamesItsPathAndSaysWhatToDo) {
  Status status = FileError("open", "/data/log/lock", EROFS);
  EXPECT_EQ(status.code(), Code::kIo);
  EXPECT_EQ(status.message(),
            "open /data/log/lock: Read-only file system; mount it writable, or name a data directory that is");
}

TEST(MemoryFileSystem, DoesWhatItsInterfaceSays) {
  MemoryFileSystem files;
  CheckFiles(files, "/root");
  CheckLocks(files, "/root");
}

TEST(MemoryFileSystem, APowerLossKeepsWhatWasSyncedAndNamesOfSyncedDirectories) {
  MemoryFileSystem files;
  ASSERT_TRUE(files.CreateDirectories("/d").ok());
  ASSERT_TRUE(files.SyncDirectory("/").ok());
  std::unique_ptr<File> kept = files.Open("/d/kept", Mode::kCreate).value();
  ASSERT_TRUE(files.SyncDirectory("/d").ok());
  std::unique_ptr<File> nameless = files.Open("/d/nameless", Mode::kCreate).value();
  ASSERT_TRUE(kept->WriteAt(0, "synced").ok());
  ASSERT_TRUE(kept->Sync().ok());
  ASSERT_TRUE(kept->WriteAt(6, " and not").ok());
  ASSERT_TRUE(nameless->WriteAt(0, "synced").ok());
  ASSERT_TRUE(nameless->Sync().ok());
  files.Crash(Survives::kNothing);
  EXPECT_EQ(files.List("/d").value(), std::vector<std::string>{"kept"});
  EXPECT_EQ(files.Contents("/d/kept"), "synced");
  EXPECT_EQ(kept->WriteAt(0, "x").code(), Code::kIo);
  EXPECT_EQ(kept->Sync().code(), Code::kIo);
}

TEST(MemoryFileSystem, AFullDiskTakesWhatFits) {
  MemoryFileSystem files;
  std::unique_ptr<File> file = files.Open("/file", Mode::kCreate).value();
  files.SetBytesLeft(4);
  EXPECT_EQ(file->WriteAt(0, "123456").code(), Code::kDiskFull);
  EXPECT_EQ(files.Contents("/file"), "1234");
  ASSERT_TRUE(file->Truncate(1).ok());
  EXPECT_TRUE(file->WriteAt(1, "abc").ok());
  EXPECT_EQ(file->WriteAt(4, "d").code(), Code::kDiskFull);
}

TEST(MemoryFileSystem, AFailedSyncLosesItsWritesThoughALaterOneSucceeds) {
  MemoryFileSystem files;
  std::unique_ptr<File> file = files.Open("/file", Mode::kCreate).value();
  ASSERT_TRUE(files.SyncDirectory("/").ok());
  ASSERT_TRUE(file->WriteAt(0, "lost").ok());
  files.FailSync(1, Code::kIo);
  EXPECT_EQ(file->Sync().code(), Code::kIo);
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(files.Contents("/file"), "lost");
  files.Crash(Survives::kNothing);
  EXPECT_EQ(files.Contents("/file"), "");
}

TEST(MemoryFileSystem, TheSameSeedTearsTheSameWay) {
  for (Survives survives : {Survives::kPrefix, Survives::kSectors}) {
    std::string contents[2];
    for (std::string& content : contents) {
      MemoryFileSystem files(11);
      std::unique_ptr<File> file = files.Open("/file", Mode::kCreate).value();
      ASSERT_TRUE(files.SyncDirectory("/").ok());
      for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(file->WriteAt(i * 300, std::string(300, 'x')).ok());
      files.Crash(survives);
      content = files.Contents("/file");
    }
    EXPECT_EQ(contents[0], contents[1]);
    EXPECT_FALSE(contents[0].empty());
    EXPECT_NE(contents[0], std::string(6000, 'x'));
  }
}

}  // namespace
}  // namespace odometer
