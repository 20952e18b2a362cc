#include "log/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace odometer {

namespace {

Code CodeOf(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return Code::kDiskFull;
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kConflict;
    default: return Code::kIo;
  }
}

constexpr ssize_t kWrittenOut = 1 << 20;  // bytes

class PosixFile : public File {
 public:
  PosixFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  ~PosixFile() override { close(descriptor_); }

  Result<size_t> ReadAt(uint64_t position, char* into, size_t bytes) const override {
    size_t done = 0;
    while (done < bytes) {
      ssize_t got = pread(descriptor_, into + done, bytes - done, static_cast<off_t>(position + done));
      if (got == 0) break;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileError("read", path_, errno);
      done += static_cast<size_t>(got);
    }
    return done;
  }

  void Expect(uint64_t position, uint64_t bytes) const override {
    (void)posix_fadvise(descriptor_, static_cast<off_t>(position), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
  }

  Status WriteAt(uint64_t position, std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t put = pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return FileError("write", path_, errno);
      // On its way to the disk at once: the sync that follows waits for less. What fails of it, that tells.
      off_t at = static_cast<off_t>(position);
      if (put >= kWrittenOut) (void)sync_file_range(descriptor_, at, put, SYNC_FILE_RANGE_WRITE);
      position += static_cast<uint64_t>(put);
      bytes.remove_prefix(static_cast<size_t>(put));
    }
    return Status::Ok();
  }

  // fdatasync takes along the size of a file that grew, for without it the data could not be read; that a file shrank
  // is not promised, so after a Truncate it is fsync.
  Status Sync() override {
    bool truncated = truncated_.exchange(false);
    int failed = truncated ? fsync(descriptor_) : fdatasync(descriptor_);
    if (failed == 0) return Status::Ok();
    int error = errno;
    if (truncated) truncated_ = true;
    return FileError("sync", path_, error);
  }

  void LetGo(uint64_t position, uint64_t bytes) override {
    (void)posix_fadvise(descriptor_, static_cast<off_t>(position), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
  }

  Status Truncate(uint64_t size) override {
    truncated_ = true;
    while (ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
      if (errno != EINTR) return FileError("truncate", path_, errno);
    }
    return Status::Ok();
  }

  Result<uint64_t> Size() const override {
    struct stat status;
    if (fstat(descriptor_, &status) != 0) return FileError("stat", path_, errno);
    return static_cast<uint64_t>(status.st_size);
  }

 private:
  const std::string path_;
  const int descriptor_;
  std::atomic<bool> truncated_ = false;
};

class Posix : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    int flags = O_CLOEXEC;
    if (mode == Mode::kRead) flags |= O_RDONLY;
    if (mode == Mode::kWrite) flags |= O_RDWR;
    if (mode == Mode::kCreate) flags |= O_RDWR | O_CREAT | O_EXCL;
    return OpenWith(path, flags);
  }

  Status CreateDirectories(const std::string& path) override {
    for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      std::string part = path.substr(0, end);
      if (mkdir(part.c_str(), 0777) != 0 && errno != EEXIST) return FileError("create directory", part, errno);
      if (end == std::string::npos) break;
    }
    struct stat status;
    if (stat(path.c_str(), &status) != 0) return FileError("stat", path, errno);
    if (!S_ISDIR(status.st_mode)) return FileError("create directory", path, ENOTDIR);
    return Status::Ok();
  }

  Result<std::vector<std::string>> List(const std::string& path) override {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
    if (directory == nullptr) return FileError("list", path, errno);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = readdir(directory.get());
      if (entry == nullptr) break;
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return FileError("list", path, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat status;
    if (stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return FileError("stat", path, errno);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) return FileError(("rename to " + to + ":").c_str(), from, errno);
    return Status::Ok();
  }

  Status Remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return FileError("remove", path, errno);
    return Status::Ok();
  }

  Status SyncDirectory(const std::string& path) override {
    int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return FileError("open", path, errno);
    int error = fsync(descriptor) == 0 ? 0 : errno;
    close(descriptor);
    return error == 0 ? Status::Ok() : FileError("sync directory", path, error);
  }

  // flock belongs to the open file, so two handles of one process exclude each other too.
  Result<std::unique_ptr<File>> Lock(const std::string& path) override {
    int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) return FileError("open", path, errno);
    auto file = std::make_unique<PosixFile>(path, descriptor);
    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return Status(Code::kConflict, "lock " + path + ": held by another");
      if (errno != EINTR) return FileError("lock", path, errno);
    }
    return std::unique_ptr<File>(std::move(file));
  }

 private:
  static Result<std::unique_ptr<File>> OpenWith(const std::string& path, int flags) {
    int descriptor = open(path.c_str(), flags, 0666);
    if (descriptor < 0) return FileError("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(path, descriptor));
  }
};

}  // namespace

Status FileError(const char* doing, const std::string& path, int error) {
  char text[128];
  std::string what = std::string(doing) + " " + path + ": " + strerror_r(error, text, sizeof text);
  if (error == EROFS) what += "; mount it writable, or name a data directory that is";
  return Status(CodeOf(error), what);
}

FileSystem& PosixFileSystem() {
  static Posix file_system;
  return file_system;
}

}  // namespace odometer
