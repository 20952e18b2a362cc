// The daemon in this process, with a clock and a fold that the test holds in its hands.
#include "consumers/daemon.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>

#include "consumers/http/routes.h"
#include "consumers/refold.h"

namespace odometer {
namespace {

constexpr int64_t kNowUs = 1'700'000'000'000'000;  // 2023-11-14T22:13:20Z

// The machine's files, whose syncs a test can hold up.
class StallingFiles : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    Result<std::unique_ptr<File>> file = files_.Open(path, mode);
    if (!file.ok()) return file;
    return std::unique_ptr<File>(std::make_unique<Handle>(*this, std::move(*file)));
  }
  Status CreateDirectories(const std::string& path) override { return files_.CreateDirectories(path); }
  Result<std::vector<std::string>> List(const std::string& path) override { return files_.List(path); }
  Result<bool> Exists(const std::string& path) override { return files_.Exists(path); }
  Status Rename(const std::string& from, const std::string& to) override { return files_.Rename(from, to); }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status SyncDirectory(const std::string& path) override { return files_.SyncDirectory(path); }
  Result<std::unique_ptr<File>> Lock(const std::string& path) override { return files_.Lock(path); }

  void Stall(bool is_stalled) {
    std::lock_guard lock(mutex_);
    is_stalled_ = is_stalled;
    changed_.notify_all();
  }

 private:
  class Handle : public File {
   public:
    Handle(StallingFiles& files, std::unique_ptr<File> file) : files_(files), file_(std::move(file)) {}
    Result<size_t> ReadAt(uint64_t position, char* into, size_t bytes) const override {
      return file_->ReadAt(position, into, bytes);
    }
    Status WriteAt(uint64_t position, std::string_view bytes) override { return file_->WriteAt(position, bytes); }
    Status Sync() override {
      std::unique_lock lock(files_.mutex_);
      files_.changed_.wait(lock, [this] { return !files_.is_stalled_; });
      return file_->Sync();
    }
    Status Truncate(uint64_t size) override { return file_->Truncate(size); }
    Result<uint64_t> Size() const override { return file_->Size(); }

   private:
    StallingFiles& files_;
    std::unique_ptr<File> file_;
  };

  FileSystem& files_ = PosixFileSystem();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_stalled_ = false;
};

class DaemonTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = (std::filesystem::temp_directory_path() / ("odometer-daemon-" + std::to_string(::getpid()))).string();
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override {
    api_.reset();
    daemon_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Open(std::function<void()> before_batch = nullptr) {
    api_.reset();
    daemon_.reset();
    DaemonOptions options;
    options.data_dir = directory_;
    options.partitions = partitions_;
    options.file_system = &files_;
    options.runner.before_batch = std::move(before_batch);
    options.runner.poll_wait_us = 1000;
    options.runner.log = [this](const char*, const std::string& text) {
      std::lock_guard lock(lines_mutex_);
      lines_ += text + "\n";
    };
    Result<std::unique_ptr<Daemon>> daemon = Daemon::Open(options, clock_);
    ASSERT_TRUE(daemon.ok()) << daemon.status().ToString();
    daemon_ = std::move(*daemon);
    daemon_->Start();
    api_ = std::make_unique<Api>(*daemon_, ApiOptions());
  }

  nlohmann::json Get(const std::string& target) {
    HttpResponse response = api_->Handle({"GET", target, {}, ""});
    EXPECT_EQ(response.status, 200) << response.body;
    return nlohmann::json::parse(response.body);
  }
  nlohmann::json Post(const std::string& body) {
    HttpResponse response =
        api_->Handle({"POST", "/v1/events?wait=folded", {{"content-type", "application/json"}}, body});
    EXPECT_EQ(response.status, 202) << response.body;
    return nlohmann::json::parse(response.body);
  }
  std::string lines() {
    std::lock_guard lock(lines_mutex_);
    return lines_;
  }

  std::string directory_;
  uint32_t partitions_ = 1;
  ManualClock clock_{kNowUs};
  StallingFiles files_;
  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Api> api_;
  std::mutex lines_mutex_;
  std::string lines_;
};

const char kTurn[] = R"({"type":"TurnRecorded","user":"ann","session":"s","provider":"p","model_requested":"m",
                        "tokens":{"input_uncached":10,"output":5},"status":"success"})";

TEST_F(DaemonTest, UserWhoSendsNothingFor25HoursShowsZeroInTheHourAndTheDayBeforeAndAfterARestart) {
  Open();
  Post(kTurn);
  nlohmann::json now = Get("/v1/consumption/summary?user=ann");
  EXPECT_EQ(now["requests_this_hour"], 1);
  EXPECT_EQ(now["requests_last_24h"], 1);
  EXPECT_EQ(now["tokens_today"], 15);

  clock_.Advance(25 * kUsPerHour);
  nlohmann::json later = Get("/v1/consumption/summary?user=ann");
  EXPECT_EQ(later["requests_this_hour"], 0);
  EXPECT_EQ(later["requests_last_24h"], 0);
  EXPECT_EQ(later["turns_last_24h"], 0);
  EXPECT_EQ(later["sessions_last_24h"], 0);
  EXPECT_EQ(later["tokens_today"], 0);
  EXPECT_EQ(later["total_tokens"], 15);

  Open();
  nlohmann::json restarted = Get("/v1/consumption/summary?user=ann");
  EXPECT_EQ(restarted["requests_this_hour"], 0);
  EXPECT_EQ(restarted["requests_last_24h"], 0);
  EXPECT_EQ(restarted["total_tokens"], 15);
}

TEST_F(DaemonTest, ReadsWriteNothing) {
  Open();
  Post(kTurn);
  uint64_t end = daemon_->runner(0).state().log_end;
  uint64_t commits = daemon_->runner(0).state().commits;
  for (const char* target :
       {"/v1/consumption/summary?user=ann", "/v1/consumption/users", "/v1/consumption/system-summary",
        "/v1/consumption/turns?user=ann", "/v1/consumption/sessions?user=ann", "/v1/admin/digest"}) {
    Get(target);
  }
  EXPECT_EQ(api_->Handle({"GET", "/v1/consumption/summary?user=nobody", {}, ""}).status, 404);
  EXPECT_EQ(daemon_->runner(0).state().log_end, end);
  EXPECT_EQ(daemon_->runner(0).state().commits, commits);
}

TEST_F(DaemonTest, StuckFoldIsNotReadyAndNamesItsStepAndIsReadyAgainAfter) {
  std::mutex mutex;
  std::condition_variable changed;
  bool blocked = false;
  Open([&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !blocked; });
  });
  Post(kTurn);
  EXPECT_TRUE(daemon_->CheckReady(2'000'000).ready);
  {
    std::lock_guard lock(mutex);
    blocked = true;
  }
  // Nothing came back for a while: a tick is sent, and does not come back either.
  clock_.Advance(5 * kUsPerSecond);
  Readiness stuck = daemon_->CheckReady(200'000);
  for (int i = 0; i < 20 && stuck.ready; ++i) {
    // A batch that had passed the block before it closed may have brought the first tick back.
    clock_.Advance(5 * kUsPerSecond);
    stuck = daemon_->CheckReady(200'000);
  }
  EXPECT_FALSE(stuck.ready);
  EXPECT_EQ(stuck.failing_step, "fold");
  HttpResponse response = api_->Handle({"GET", "/readyz", {}, ""});
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(nlohmann::json::parse(response.body)["failing_step"], "fold");
  {
    std::lock_guard lock(mutex);
    blocked = false;
  }
  changed.notify_all();
  EXPECT_TRUE(daemon_->CheckReady(5'000'000).ready);
  clock_.Advance(kUsPerSecond);  // the API answers from its last look for a quarter of a second
  EXPECT_EQ(api_->Handle({"GET", "/readyz", {}, ""}).status, 200);
  // The fold calls what stands on this stack.
  api_.reset();
  daemon_.reset();
}

TEST_F(DaemonTest, ALogThatDoesNotAnswerIsNotReadyWithinTheTimeAskedForAndIsReadyAgainAfter) {
  partitions_ = 8;
  Open();
  ASSERT_TRUE(daemon_->CheckReady(5'000'000).ready);
  files_.Stall(true);
  clock_.Advance(5 * kUsPerSecond);
  for (int i = 0; i < 3; ++i) {
    auto begun = std::chrono::steady_clock::now();
    Readiness stuck = daemon_->CheckReady(100'000);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
    EXPECT_FALSE(stuck.ready);
    EXPECT_EQ(stuck.failing_step, "append");
  }
  files_.Stall(false);
  EXPECT_TRUE(daemon_->CheckReady(5'000'000).ready);
}

TEST_F(DaemonTest, SecondDaemonOnTheSameDirectoryIsRefused) {
  Open();
  DaemonOptions options;
  options.data_dir = directory_;
  Result<std::unique_ptr<Daemon>> second = Daemon::Open(options, clock_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kConflict) << second.status().ToString();
}

TEST_F(DaemonTest, AnotherNumberOfPartitionsIsRefusedNamingBoth) {
  Open();
  api_.reset();
  daemon_.reset();
  DaemonOptions options;
  options.data_dir = directory_;
  options.partitions = 4;
  Result<std::unique_ptr<Daemon>> other = Daemon::Open(options, clock_);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.status().message().find('4'), std::string::npos) << other.status().ToString();
  EXPECT_NE(other.status().message().find('1'), std::string::npos) << other.status().ToString();
}

TEST_F(DaemonTest, StoreAheadOfItsLogIsFoldedAnewBesideAndSaysWhichOffsetsAreGone) {
  Open();
  for (int i = 0; i < 5; ++i) Post(kTurn);
  api_.reset();
  daemon_.reset();
  // The log is put back to an older copy: its last records are gone.
  std::filesystem::path segment;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ + "/log")) {
    if (entry.path().extension() == ".seg") segment = entry.path();
  }
  std::filesystem::resize_file(segment, std::filesystem::file_size(segment) - 300);
  Open();
  EXPECT_NE(lines().find("folded anew"), std::string::npos) << lines();
  uint64_t end = daemon_->runner(0).state().log_end;
  EXPECT_LT(end, 6u);
  ASSERT_NE(daemon_->runner(0).WaitFor(end, 5'000'000), nullptr);
  EXPECT_EQ(Get("/v1/consumption/summary?user=ann")["turns"], static_cast<int64_t>(end - 1));
}

// On the machine's own files, where partitions are opened side by side.
TEST_F(DaemonTest, AStoreThatCannotBeOpenedIsNamedAndTheOthersAreClosed) {
  DaemonOptions options;
  options.data_dir = directory_;
  options.partitions = 16;
  {
    std::unique_ptr<Daemon> daemon = Daemon::Open(options, clock_).value();
    daemon->Start();
    for (uint32_t partition = 0; partition < 16; ++partition)
      ASSERT_NE(daemon->runner(partition).WaitFor(1, 10'000'000), nullptr);
  }
  std::filesystem::path current = PartitionPath(directory_ + "/state", 11) + "/CURRENT";
  std::filesystem::rename(current, current.string() + ".aside");
  std::filesystem::create_directory(current);
  Status refused = Daemon::Open(options, clock_).status();
  EXPECT_NE(refused.message().find("p00011"), std::string::npos) << refused.ToString();
  std::filesystem::remove(current);
  std::filesystem::rename(current.string() + ".aside", current);
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Open(options, clock_);
  ASSERT_TRUE(daemon.ok()) << daemon.status().ToString();
  for (uint32_t partition = 0; partition < 16; ++partition) {
    EXPECT_EQ((*daemon)->runner(partition).partition(), partition);
    EXPECT_EQ((*daemon)->runner(partition).state().committed.cursor, 1u);
  }
}

TEST_F(DaemonTest, StoreOfAnotherFoldVersionIsPutAsideAndFoldedAnewFromTheLog) {
  Open();
  for (int i = 0; i < 3; ++i) Post(kTurn);
  Uuid log_id = daemon_->log().log_id();
  api_.reset();
  daemon_.reset();
  {
    StoreOptions options;
    options.path = PartitionPath(directory_ + "/state", 0);
    options.log_id = log_id;
    std::unique_ptr<Store> store = Store::Open(options).value();
    MetaRow meta = store->meta();
    meta.fold_version = kFoldVersion + 1;
    RowBatch batch;
    ASSERT_TRUE(store->Commit(batch, meta).ok());
  }
  Open();
  EXPECT_NE(lines().find("outdated"), std::string::npos) << lines();
  ASSERT_NE(daemon_->runner(0).WaitFor(4, 5'000'000), nullptr);
  EXPECT_EQ(Get("/v1/consumption/summary?user=ann")["turns"], 3);
}

}  // namespace
}  // namespace odometer
