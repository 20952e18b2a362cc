// tests/support/memory_file_system.h: MemoryFileSystem, files in memory that fail the way real ones do, on demand and
// the same way for the same seed.
//
//   MemoryFileSystem files(seed);
//   files.SetBytesLeft(1000);                            // then kDiskFull, after what fits has been written
//   files.FailSync(2, Code::kIo);                        // the second sync from now
//   files.Crash(MemoryFileSystem::Survives::kSectors);   // power loss
//
// What a power loss keeps: what was synced, of files and of directories (a new, renamed or removed name is synced with
// its directory, not with its file), and of the rest what Survives says. Handles from before fail afterwards and locks
// are free, as after a restart of the machine.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "log/file_system.h"

namespace odometer {

// Thread-safe.
class MemoryFileSystem : public FileSystem {
 public:
  explicit MemoryFileSystem(uint64_t seed = 1);
  ~MemoryFileSystem() override;

  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override;
  Status CreateDirectories(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  Result<bool> Exists(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::unique_ptr<File>> Lock(const std::string& path) override;

  // Faults. n counts from the next call on: 1 is the next. A failed write has written a random part of its bytes. A
  // failed sync has synced nothing, and its writes can then not be synced any more: the kernel calls them clean.
  void SetBytesLeft(std::optional<uint64_t> bytes);
  void FailWrite(uint64_t n, Code code);
  void FailSync(uint64_t n, Code code);  // of a file or a directory
  void FailTruncate(uint64_t n, Code code);

  // The next sync of a file begins, or returns, when it is released.
  enum class Hold { kNothing, kBegin, kReturn };
  void HoldSync(Hold where);
  void AwaitHeldSync();
  void ReleaseSync();

  // Calls f before the n-th read from now.
  void BeforeRead(uint64_t n, std::function<void()> f);

  // Of what was not synced...
  enum class Survives {
    kNothing,
    kAll,
    kPrefix,   // the first few changes of each file, the last of them in part, and some names
    kSectors,  // 512-byte sectors at random, in any order, zeros in between; some names
  };
  void Crash(Survives survives);
  // Every call fails from now to the next Crash(): lets threads that are still at work run out.
  void PowerOff();

  // Counters, to place a fault.
  uint64_t writes() const;
  uint64_t syncs() const;
  uint64_t bytes_let_go() const;
  // The content now ("" when there is no such file), and a way to damage it (synced at once, without a trace).
  std::string Contents(const std::string& path) const;
  void SetContents(const std::string& path, std::string bytes);

 private:
  struct Change;
  struct Inode;
  class Handle;
  struct Fault {
    uint64_t in_calls = 0;  // 0: none
    Code code = Code::kIo;
    bool Strikes() { return in_calls != 0 && --in_calls == 0; }
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // null for a directory

  Status CheckOn(const std::string& path) const;
  uint64_t Random(uint64_t below);
  void WaitIfHeld(Hold where);
  void CallBeforeRead();
  void CrashInode(Inode& inode, Survives survives);
  void KeepPrefix(Inode& inode);
  void KeepSectors(Inode& inode);
  void CrashNames(Survives survives);
  Status WriteLocked(Inode& inode, const std::string& path, uint64_t position, std::string_view bytes);
  Status SyncLocked(Inode& inode, const std::string& path);
  Status TruncateLocked(Inode& inode, const std::string& path, uint64_t size);

  mutable std::mutex mutex_;
  // All below: guarded by mutex_.
  uint64_t random_state_;
  uint64_t generation_ = 0;  // of handles: a crash ends all of them
  bool is_off_ = false;
  Names names_;
  Names synced_names_;
  std::set<std::string> locks_;
  std::optional<uint64_t> bytes_left_;
  Hold hold_ = Hold::kNothing;
  bool is_holding_ = false;
  std::condition_variable hold_changed_;
  uint64_t reads_left_ = 0;
  std::function<void()> before_read_;
  Fault fail_write_;
  Fault fail_sync_;
  Fault fail_truncate_;
  uint64_t writes_ = 0;
  uint64_t syncs_ = 0;
  uint64_t bytes_let_go_ = 0;
};

}  // namespace odometer
