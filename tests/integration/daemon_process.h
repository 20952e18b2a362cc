// tests/integration/daemon_process.h: DaemonProcess, one odometerd after another on the same data directory.
//
//   DaemonProcess daemon(program, data_dir, {"--log", "embedded"});
//   daemon.Start();   // returns when it serves; throws Failed when it does not
//   daemon.Kill();
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>
#include <vector>

namespace odometer {

// url() is thread-safe; all else is called by one thread at a time.
class DaemonProcess {
 public:
  DaemonProcess(std::string program, std::string data_dir, std::vector<std::string> flags)
      : program_(std::move(program)), data_dir_(std::move(data_dir)), flags_(std::move(flags)) {}
  ~DaemonProcess() { Kill(); }

  void Start();
  void Kill();
  int Terminate();  // by SIGTERM: its exit code, −1 when a signal ended it
  std::string url() const;
  pid_t pid() const { return pid_; }

 private:
  int End(int signal);

  std::string program_;
  std::string data_dir_;
  std::vector<std::string> flags_;
  mutable std::mutex mutex_;
  std::string address_;  // guarded by mutex_
  pid_t pid_ = -1;
};

}  // namespace odometer
