// Random appends, faults, crashes and re-openings of a LocalLog, against a list of what it acknowledged.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "tests/unit/log/local_log_fixture.h"

namespace odometer {
namespace {

using Survives = MemoryFileSystem::Survives;

class LocalLogCrashTest : public LocalLogTest {
 protected:
  static uint64_t Seed() {
    const char* text = std::getenv("ODOMETER_SEED");
    uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
    std::printf("ODOMETER_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return seed;
  }

  struct World {
    explicit World(uint64_t seed) : random(seed), files(seed) {}
    uint64_t Pick(uint64_t below) { return random() % below; }

    std::mt19937_64 random;
    MemoryFileSystem files;
    std::vector<std::string> kept;   // what must be in the log, in order
    std::vector<std::string> doubt;  // what may follow it, in order
    size_t synced = 0;               // of kept, in written mode
    int sent = 0;
    uint64_t cut_bytes = 0;
  };

  static std::vector<std::string> SomeEvents(World& world) {
    std::vector<std::string> events;
    for (uint64_t n = world.Pick(6) + 1; n > 0; --n) {
      uint64_t bytes = world.Pick(world.Pick(3) == 0 ? 3000 : 60);
      events.push_back(std::to_string(world.sent++) + ":" + std::string(bytes, 'e'));
    }
    return events;
  }

  static void SomeFault(World& world) {
    Code code = world.Pick(2) == 0 ? Code::kDiskFull : Code::kIo;
    switch (world.Pick(4)) {
      case 0: world.files.FailWrite(world.Pick(4) + 1, code); break;
      case 1: world.files.FailSync(world.Pick(4) + 1, code); break;
      case 2: world.files.FailTruncate(1, code); break;
      case 3: world.files.SetBytesLeft(world.Pick(5000)); break;
    }
  }

  // True when the log must be reopened.
  static bool AppendSome(LocalLog& log, World& world) {
    std::vector<std::string> events = SomeEvents(world);
    Result<Appended> appended = Append(log, events);
    if (appended.ok()) {
      EXPECT_EQ(appended->first_offset, world.kept.size() + 1);
      world.kept.insert(world.kept.end(), events.begin(), events.end());
      return false;
    }
    if (appended.status().code() == Code::kUnavailable) {
      world.doubt = events;
      return true;
    }
    EXPECT_TRUE(appended.status().code() == Code::kDiskFull || appended.status().code() == Code::kIo);
    world.files.SetBytesLeft(std::nullopt);
    return false;
  }

  // What is in the log now: `kept` and a beginning of `doubt`; in written mode after a crash less, but what was synced.
  void CheckAndAdopt(LocalLog& log, World& world, size_t kept_min) {
    Read read = ReadAll(log);
    ASSERT_TRUE(read.status.ok()) << read.status.ToString();
    std::vector<std::string> possible = world.kept;
    possible.insert(possible.end(), world.doubt.begin(), world.doubt.end());
    ASSERT_TRUE(IsPrefix(read.events, possible)) << read.events.size() << " of " << possible.size();
    ASSERT_GE(read.events.size(), kept_min);
    world.kept = read.events;
    world.doubt.clear();
    world.synced = world.kept.size();
    world.cut_bytes += log.tail_cut_bytes();
  }

  void Run(uint64_t seed, bool fsync) {
    World world(seed);
    Create(world.files);
    LocalLog::Options options = SmallSegments(500 + world.Pick(20'000));
    options.fsync = fsync;
    options.room_bytes = world.Pick(2) * world.Pick(5'000);
    for (int life = 0; life < 6 && !HasFatalFailure(); ++life) {
      Result<std::unique_ptr<LocalLog>> log = TryOpen(world.files, options);
      ASSERT_TRUE(log.ok()) << "seed " << seed << ": " << log.status().ToString();
      CheckAndAdopt(**log, world, fsync ? world.kept.size() : world.synced);
      if (world.Pick(2) == 0) SomeFault(world);
      bool is_broken = false;
      for (uint64_t n = world.Pick(40); n > 0 && !is_broken; --n) {
        clock_.Advance(static_cast<int64_t>(world.Pick(4000)) - 1000);
        is_broken = AppendSome(**log, world);
        if (is_broken || world.Pick(8) != 0) continue;
        Status synced = (*log)->partition(0).SyncTo(world.kept.size() + 1);
        if (synced.ok()) world.synced = world.kept.size();
        is_broken = !synced.ok();
      }
      EndLife(std::move(*log), world);
    }
  }

  // A clean stop, a kill or a power loss, perhaps in the middle of an append.
  static void EndLife(std::unique_ptr<LocalLog> log, World& world) {
    world.files.SetBytesLeft(std::nullopt);
    world.files.FailWrite(0, Code::kIo);
    world.files.FailSync(0, Code::kIo);
    world.files.FailTruncate(0, Code::kIo);
    if (world.Pick(4) == 0) return;
    if (world.doubt.empty() && world.Pick(2) == 0) {
      // Its write reaches the cache, its sync never returns.
      world.doubt = SomeEvents(world);
      world.files.FailSync(world.Pick(2) + 1, Code::kIo);
      world.files.FailTruncate(1, Code::kIo);
      Result<Appended> appended = Append(*log, world.doubt);
      if (appended.ok()) {
        world.kept.insert(world.kept.end(), world.doubt.begin(), world.doubt.end());
        world.doubt.clear();
      }
    }
    constexpr Survives kWays[] = {Survives::kNothing, Survives::kAll, Survives::kPrefix, Survives::kSectors};
    world.files.Crash(kWays[world.Pick(4)]);
  }
};

TEST_F(LocalLogCrashTest, InFsyncModeNoAcknowledgedAppendIsEverLost) {
  uint64_t seed = Seed();
  for (uint64_t i = 0; i < 300 && !HasFailure(); ++i) {
    SCOPED_TRACE("ODOMETER_SEED=" + std::to_string(seed + i));
    Run(seed + i, true);
  }
}

TEST_F(LocalLogCrashTest, InWrittenModeACrashTakesAtMostWhatWasNotSynced) {
  uint64_t seed = Seed();
  for (uint64_t i = 0; i < 300 && !HasFailure(); ++i) {
    SCOPED_TRACE("ODOMETER_SEED=" + std::to_string(seed + i));
    Run(seed + i, false);
  }
}

TEST_F(LocalLogCrashTest, APowerLossUnderConcurrentAppendersKeepsWhatTheyWereTold) {
  uint64_t seed = Seed();
  for (uint64_t round = 0; round < 20; ++round) {
    MemoryFileSystem files(seed + round);
    Create(files);
    std::unique_ptr<LocalLog> log = Open(files, SmallSegments(4000));
    std::mutex mutex;
    std::map<uint64_t, std::string> acknowledged;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = 0;; ++i) {
          std::string event = std::to_string(t) + "/" + std::to_string(i) + std::string(i % 100, 'e');
          Result<Appended> appended = Append(*log, {event, event});
          if (!appended.ok()) return;
          std::lock_guard lock(mutex);
          acknowledged[appended->first_offset] = event;
        }
      });
    }
    while (files.writes() < 100 + round * 7) std::this_thread::yield();
    files.PowerOff();
    for (std::thread& thread : threads) thread.join();
    files.Crash(round % 2 == 0 ? Survives::kSectors : Survives::kNothing);
    log.reset();
    log = Open(files);
    for (const auto& [offset, event] : acknowledged) {
      for (uint64_t twin : {offset, offset + 1}) {
        Result<OwnedRecord> record = log->partition(0).Fetch(twin);
        ASSERT_TRUE(record.ok()) << record.status().ToString();
        ASSERT_EQ(record->bytes, event);
      }
    }
    EXPECT_TRUE(ReadAll(*log).status.ok());
  }
}

TEST_F(LocalLogCrashTest, APowerLossKeepsWhatWasSyncedWhileOthersAppended) {
  uint64_t seed = Seed();
  for (uint64_t round = 0; round < 20; ++round) {
    SCOPED_TRACE("ODOMETER_SEED=" + std::to_string(seed + round));
    MemoryFileSystem files(seed + round);
    Create(files);
    LocalLog::Options written = SmallSegments(4000);
    written.fsync = false;
    std::unique_ptr<LocalLog> log = Open(files, written);
    std::atomic<uint64_t> synced = 0;
    std::atomic<bool> is_off = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        Status appended;
        for (size_t i = 0; appended.ok(); ++i) appended = Append(*log, {std::string(i % 100, 'e')}).status();
        EXPECT_TRUE(is_off) << appended.ToString();
      });
      threads.emplace_back([&] {
        while (!is_off) {
          uint64_t end = log->partition(0).range().end;
          Status status = log->partition(0).SyncTo(end);
          EXPECT_TRUE(status.ok() || is_off) << status.ToString();
          if (!status.ok()) return;
          for (uint64_t known = synced; known < end && !synced.compare_exchange_weak(known, end);) {
          }
        }
      });
    }
    while (files.writes() < 300 + round * 7 || synced < 2) std::this_thread::yield();
    is_off = true;
    files.PowerOff();
    for (std::thread& thread : threads) thread.join();
    files.Crash(round % 2 == 0 ? Survives::kSectors : Survives::kNothing);
    log.reset();
    log = Open(files);
    EXPECT_TRUE(ReadAll(*log).status.ok());
    EXPECT_GE(log->partition(0).range().end, synced);
  }
}

}  // namespace
}  // namespace odometer
