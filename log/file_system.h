// log/file_system.h: the few calls that segments make on files, as an interface, so that a test can fill the disk, tear
// a write or lose what was not synced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace odometer {

// Thread-safe for reads beside one writer.
class File {
 public:
  virtual ~File() = default;
  // Fewer bytes than asked only at the end of the file.
  virtual Result<size_t> ReadAt(uint64_t position, char* into, size_t bytes) const = 0;
  // It is read soon: a device may bring it meanwhile.
  virtual void Expect(uint64_t position, uint64_t bytes) const { (void)position, (void)bytes; }
  // All of it or an error; after an error any part of it may be in the file. ENOSPC and EDQUOT are kDiskFull.
  virtual Status WriteAt(uint64_t position, std::string_view bytes) = 0;
  // Data and size on stable storage.
  virtual Status Sync() = 0;
  // What was synced of it need not stay in the machine's memory.
  virtual void LetGo(uint64_t position, uint64_t bytes) { (void)position, (void)bytes; }
  virtual Status Truncate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() const = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  enum class Mode { kRead, kWrite, kCreate };  // kWrite: exists; kCreate: must not exist
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) = 0;
  virtual Status CreateDirectories(const std::string& path) = 0;
  // Names only, sorted; kNotFound when there is no such directory.
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Remove(const std::string& path) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  // Held until the returned handle goes; kConflict when another process or handle holds it.
  virtual Result<std::unique_ptr<File>> Lock(const std::string& path) = 0;
};

// The machine's files.
FileSystem& PosixFileSystem();
// What an errno of a call on a path means, in words that say what to do where somebody can do something.
Status FileError(const char* doing, const std::string& path, int error);

}  // namespace odometer
