#include "tests/support/memory_file_system.h"

#include <algorithm>
#include <cstring>

namespace odometer {

namespace {

constexpr size_t kSectorBytes = 512;

std::string ParentOf(const std::string& path) {
  size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

void WriteInto(std::string* bytes, uint64_t position, std::string_view written) {
  if (bytes->size() < position + written.size()) bytes->resize(position + written.size(), '\0');
  std::memcpy(bytes->data() + position, written.data(), written.size());
}

}  // namespace

// A write, or (bytes empty) a truncation to `position`.
struct MemoryFileSystem::Change {
  uint64_t position = 0;
  std::string bytes;
  bool is_truncate = false;

  void ApplyTo(std::string* content) const {
    if (is_truncate) {
      content->resize(position, '\0');
    } else {
      WriteInto(content, position, bytes);
    }
  }
};

struct MemoryFileSystem::Inode {
  std::string bytes;
  std::string synced;
  std::vector<Change> unsynced;
};

class MemoryFileSystem::Handle : public File {
 public:
  Handle(MemoryFileSystem& files, std::string path, std::shared_ptr<Inode> inode, FileSystem::Mode mode, bool is_lock)
      : files_(files),
        path_(std::move(path)),
        inode_(std::move(inode)),
        mode_(mode),
        is_lock_(is_lock),
        generation_(files.generation_) {}

  ~Handle() override {
    if (!is_lock_) return;
    std::lock_guard lock(files_.mutex_);
    if (generation_ == files_.generation_) files_.locks_.erase(path_);
  }

  Result<size_t> ReadAt(uint64_t position, char* into, size_t bytes) const override {
    files_.CallBeforeRead();
    std::lock_guard lock(files_.mutex_);
    ODOMETER_RETURN_IF_ERROR(CheckAlive());
    if (position >= inode_->bytes.size()) return size_t{0};
    size_t count = std::min<uint64_t>(bytes, inode_->bytes.size() - position);
    std::memcpy(into, inode_->bytes.data() + position, count);
    return count;
  }

  Status WriteAt(uint64_t position, std::string_view bytes) override {
    std::lock_guard lock(files_.mutex_);
    ODOMETER_RETURN_IF_ERROR(CheckWritable());
    return files_.WriteLocked(*inode_, path_, position, bytes);
  }

  Status Sync() override {
    files_.WaitIfHeld(Hold::kBegin);
    Status synced = SyncNow();
    files_.WaitIfHeld(Hold::kReturn);
    return synced;
  }

  void LetGo(uint64_t, uint64_t bytes) override {
    std::lock_guard lock(files_.mutex_);
    files_.bytes_let_go_ += bytes;
  }

  Status Truncate(uint64_t size) override {
    std::lock_guard lock(files_.mutex_);
    ODOMETER_RETURN_IF_ERROR(CheckWritable());
    return files_.TruncateLocked(*inode_, path_, size);
  }

  Result<uint64_t> Size() const override {
    std::lock_guard lock(files_.mutex_);
    ODOMETER_RETURN_IF_ERROR(CheckAlive());
    return static_cast<uint64_t>(inode_->bytes.size());
  }

 private:
  Status CheckAlive() const {
    if (generation_ == files_.generation_) return files_.CheckOn(path_);
    return Status(Code::kIo, path_ + ": the machine has crashed since this file was opened");
  }
  Status CheckWritable() const {
    ODOMETER_RETURN_IF_ERROR(CheckAlive());
    return mode_ == FileSystem::Mode::kRead ? Status(Code::kIo, path_ + ": opened to read") : Status::Ok();
  }

  Status SyncNow() {
    std::lock_guard lock(files_.mutex_);
    ODOMETER_RETURN_IF_ERROR(CheckAlive());
    return files_.SyncLocked(*inode_, path_);
  }

  MemoryFileSystem& files_;
  const std::string path_;
  const std::shared_ptr<Inode> inode_;  // a removed file lives while it is open
  const FileSystem::Mode mode_;
  const bool is_lock_;
  const uint64_t generation_;
};

MemoryFileSystem::MemoryFileSystem(uint64_t seed) : random_state_(seed) {
  names_["/"] = nullptr;
  synced_names_["/"] = nullptr;
}

MemoryFileSystem::~MemoryFileSystem() = default;

Status MemoryFileSystem::CheckOn(const std::string& path) const {
  return is_off_ ? Status(Code::kIo, path + ": the power is off") : Status::Ok();
}

// splitmix64
uint64_t MemoryFileSystem::Random(uint64_t below) {
  random_state_ += 0x9e3779b97f4a7c15;
  uint64_t mixed = random_state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return (mixed ^ (mixed >> 31)) % below;
}

Result<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path, Mode mode) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  auto found = names_.find(path);
  if (found != names_.end() && found->second == nullptr) return Status(Code::kIo, "open " + path + ": is a directory");
  if (mode == Mode::kCreate) {
    if (found != names_.end()) return Status(Code::kConflict, "open " + path + ": exists");
    auto parent = names_.find(ParentOf(path));
    if (parent == names_.end() || parent->second != nullptr) {
      return Status(Code::kNotFound, "open " + path + ": no such directory");
    }
    found = names_.emplace(path, std::make_shared<Inode>()).first;
  }
  if (found == names_.end()) return Status(Code::kNotFound, "open " + path + ": no such file");
  return std::unique_ptr<File>(std::make_unique<Handle>(*this, path, found->second, mode, false));
}

Status MemoryFileSystem::CreateDirectories(const std::string& path) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    auto [entry, is_new] = names_.emplace(path.substr(0, end), nullptr);
    if (!is_new && entry->second != nullptr) return Status(Code::kIo, "create directory " + path + ": a file is there");
    if (end == std::string::npos) return Status::Ok();
  }
}

Result<std::vector<std::string>> MemoryFileSystem::List(const std::string& path) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  auto directory = names_.find(path);
  if (directory == names_.end() || directory->second != nullptr) {
    return Status(Code::kNotFound, "list " + path + ": no such directory");
  }
  std::vector<std::string> names;
  for (const auto& [name, inode] : names_) {
    if (name != "/" && ParentOf(name) == path) names.push_back(NameOf(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<bool> MemoryFileSystem::Exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  return names_.contains(path);
}

Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(from));
  auto found = names_.find(from);
  if (found == names_.end()) return Status(Code::kNotFound, "rename " + from + ": no such file");
  if (found->second == nullptr) return Status(Code::kIo, "rename " + from + ": is a directory");
  names_[to] = found->second;
  names_.erase(from);
  return Status::Ok();
}

Status MemoryFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  auto found = names_.find(path);
  if (found == names_.end()) return Status(Code::kNotFound, "remove " + path + ": no such file");
  if (bytes_left_ && found->second != nullptr) *bytes_left_ += found->second->bytes.size();
  names_.erase(found);
  return Status::Ok();
}

Status MemoryFileSystem::SyncDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  ++syncs_;
  if (fail_sync_.Strikes()) return Status(fail_sync_.code, "sync directory " + path + ": planned fault");
  if (!names_.contains(path)) return Status(Code::kNotFound, "sync directory " + path + ": no such directory");
  std::erase_if(synced_names_, [&](const auto& entry) { return entry.first != "/" && ParentOf(entry.first) == path; });
  for (const auto& [name, inode] : names_) {
    if (name != "/" && ParentOf(name) == path) synced_names_[name] = inode;
  }
  return Status::Ok();
}

Result<std::unique_ptr<File>> MemoryFileSystem::Lock(const std::string& path) {
  std::lock_guard lock(mutex_);
  ODOMETER_RETURN_IF_ERROR(CheckOn(path));
  auto parent = names_.find(ParentOf(path));
  if (parent == names_.end()) return Status(Code::kNotFound, "open " + path + ": no such directory");
  if (!locks_.insert(path).second) return Status(Code::kConflict, "lock " + path + ": held by another");
  auto file = names_.find(path);
  if (file == names_.end()) file = names_.emplace(path, std::make_shared<Inode>()).first;
  return std::unique_ptr<File>(std::make_unique<Handle>(*this, path, file->second, Mode::kWrite, true));
}

void MemoryFileSystem::SetBytesLeft(std::optional<uint64_t> bytes) {
  std::lock_guard lock(mutex_);
  bytes_left_ = bytes;
}

void MemoryFileSystem::FailWrite(uint64_t n, Code code) {
  std::lock_guard lock(mutex_);
  fail_write_ = {n, code};
}

void MemoryFileSystem::FailSync(uint64_t n, Code code) {
  std::lock_guard lock(mutex_);
  fail_sync_ = {n, code};
}

void MemoryFileSystem::FailTruncate(uint64_t n, Code code) {
  std::lock_guard lock(mutex_);
  fail_truncate_ = {n, code};
}

void MemoryFileSystem::HoldSync(Hold where) {
  std::lock_guard lock(mutex_);
  hold_ = where;
}

void MemoryFileSystem::AwaitHeldSync() {
  std::unique_lock lock(mutex_);
  hold_changed_.wait(lock, [this] { return is_holding_; });
}

void MemoryFileSystem::ReleaseSync() {
  std::lock_guard lock(mutex_);
  hold_ = Hold::kNothing;
  is_holding_ = false;
  hold_changed_.notify_all();
}

void MemoryFileSystem::BeforeRead(uint64_t n, std::function<void()> f) {
  std::lock_guard lock(mutex_);
  reads_left_ = n;
  before_read_ = std::move(f);
}

void MemoryFileSystem::CallBeforeRead() {
  std::function<void()> f;
  {
    std::lock_guard lock(mutex_);
    if (reads_left_ > 0 && --reads_left_ == 0) f.swap(before_read_);
  }
  if (f) f();
}

void MemoryFileSystem::WaitIfHeld(Hold where) {
  std::unique_lock lock(mutex_);
  if (hold_ != where) return;
  hold_ = Hold::kNothing;
  is_holding_ = true;
  hold_changed_.notify_all();
  hold_changed_.wait(lock, [this] { return !is_holding_; });
}

Status MemoryFileSystem::WriteLocked(Inode& inode, const std::string& path, uint64_t position,
                                     std::string_view bytes) {
  ++writes_;
  Status status;
  if (fail_write_.Strikes()) {
    status = Status(fail_write_.code, "write " + path + ": planned fault");
    bytes = bytes.substr(0, Random(bytes.size() + 1));
  }
  uint64_t grows = std::max<uint64_t>(position + bytes.size(), inode.bytes.size()) - inode.bytes.size();
  if (bytes_left_ && grows > *bytes_left_) {
    status = Status(Code::kDiskFull, "write " + path + ": no space left on device");
    bytes = bytes.substr(0, bytes.size() - (grows - *bytes_left_));
    grows = *bytes_left_;
  }
  if (bytes_left_) *bytes_left_ -= grows;
  Change change{position, std::string(bytes), false};
  change.ApplyTo(&inode.bytes);
  inode.unsynced.push_back(std::move(change));
  return status;
}

Status MemoryFileSystem::SyncLocked(Inode& inode, const std::string& path) {
  ++syncs_;
  if (fail_sync_.Strikes()) {
    inode.unsynced.clear();
    return Status(fail_sync_.code, "sync " + path + ": planned fault");
  }
  for (const Change& change : inode.unsynced) change.ApplyTo(&inode.synced);
  inode.unsynced.clear();
  return Status::Ok();
}

Status MemoryFileSystem::TruncateLocked(Inode& inode, const std::string& path, uint64_t size) {
  if (fail_truncate_.Strikes()) return Status(fail_truncate_.code, "truncate " + path + ": planned fault");
  if (bytes_left_ && size < inode.bytes.size()) *bytes_left_ += inode.bytes.size() - size;
  Change change{size, {}, true};
  change.ApplyTo(&inode.bytes);
  inode.unsynced.push_back(std::move(change));
  return Status::Ok();
}

void MemoryFileSystem::Crash(Survives survives) {
  std::lock_guard lock(mutex_);
  ++generation_;
  is_off_ = false;
  locks_.clear();
  fail_write_ = fail_sync_ = fail_truncate_ = Fault();
  CrashNames(survives);
  std::set<Inode*> seen;
  for (const auto& [name, inode] : names_) {
    if (inode != nullptr && seen.insert(inode.get()).second) CrashInode(*inode, survives);
  }
}

void MemoryFileSystem::PowerOff() {
  std::lock_guard lock(mutex_);
  is_off_ = true;
}

void MemoryFileSystem::CrashNames(Survives survives) {
  if (survives == Survives::kAll) {
    synced_names_ = names_;
    return;
  }
  Names kept = synced_names_;
  if (survives != Survives::kNothing) {
    for (const auto& [name, inode] : names_) {
      if (!synced_names_.contains(name) && Random(2) == 0) kept[name] = inode;
    }
    for (const auto& [name, inode] : synced_names_) {
      if (!names_.contains(name) && Random(2) == 0) kept.erase(name);
    }
  }
  // What lies in a directory that is gone is gone.
  std::erase_if(kept, [&](const auto& entry) { return entry.first != "/" && !kept.contains(ParentOf(entry.first)); });
  names_ = synced_names_ = std::move(kept);
}

void MemoryFileSystem::CrashInode(Inode& inode, Survives survives) {
  if (survives == Survives::kPrefix) KeepPrefix(inode);
  if (survives == Survives::kSectors) KeepSectors(inode);
  if (survives == Survives::kAll) inode.synced = inode.bytes;
  inode.bytes = inode.synced;
  inode.unsynced.clear();
}

void MemoryFileSystem::KeepPrefix(Inode& inode) {
  size_t whole = Random(inode.unsynced.size() + 1);
  for (size_t i = 0; i < whole; ++i) inode.unsynced[i].ApplyTo(&inode.synced);
  if (whole == inode.unsynced.size() || inode.unsynced[whole].is_truncate) return;
  Change part = inode.unsynced[whole];
  part.bytes.resize(Random(part.bytes.size() + 1));
  if (!part.bytes.empty()) part.ApplyTo(&inode.synced);
}

// A sector goes to the disk as it was after the write that touched it, with what earlier writes had put there. What
// follows a truncation that was lost is lost with it.
void MemoryFileSystem::KeepSectors(Inode& inode) {
  std::string latest = inode.synced;
  for (const Change& change : inode.unsynced) {
    if (change.is_truncate && Random(2) == 0) return;
    change.ApplyTo(&latest);
    if (change.is_truncate) change.ApplyTo(&inode.synced);
    uint64_t end = change.position + change.bytes.size();
    for (uint64_t at = change.position / kSectorBytes * kSectorBytes; at < end; at += kSectorBytes) {
      if (Random(2) == 0) WriteInto(&inode.synced, at, std::string_view(latest).substr(at, kSectorBytes));
    }
  }
}

uint64_t MemoryFileSystem::writes() const {
  std::lock_guard lock(mutex_);
  return writes_;
}

uint64_t MemoryFileSystem::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

uint64_t MemoryFileSystem::bytes_let_go() const {
  std::lock_guard lock(mutex_);
  return bytes_let_go_;
}

std::string MemoryFileSystem::Contents(const std::string& path) const {
  std::lock_guard lock(mutex_);
  auto found = names_.find(path);
  return found == names_.end() || found->second == nullptr ? std::string() : found->second->bytes;
}

void MemoryFileSystem::SetContents(const std::string& path, std::string bytes) {
  std::lock_guard lock(mutex_);
  auto inode = std::make_shared<Inode>();
  inode->bytes = inode->synced = std::move(bytes);
  names_[path] = synced_names_[path] = std::move(inode);
}

}  // namespace odometer
