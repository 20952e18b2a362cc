// core/status.h: Status and Result<T>, how an expected failure is returned.
//
//   Result<Record> record = reader.Fetch(7);
//   if (!record.ok()) return record.status();
//
// The code says what the caller can do; the message says where and what to do next. Nothing here throws.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/check.h"

namespace odometer {

enum class Code {
  kOk,
  kInvalid,      // the input is wrong: mend it, a retry of the same fails again
  kNotFound,     // there is nothing under that name or position
  kConflict,     // it exists already, or belongs to somebody else (another daemon, log or store)
  kUnavailable,  // not now: a retry may succeed
  kDiskFull,     // no space left: free some, then retry
  kOutdated,     // derived by another version of the fold: fold it anew
  kCorrupt,      // stored bytes are damaged or contradict each other: halt, do not guess
  kIo,           // the operating system refused: the message says what
};

std::string_view CodeName(Code code);

// One pointer, null when all is well: what nearly always comes back costs nothing to make, move or look at.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message)
      : failure_(code == Code::kOk ? nullptr : new Failure{code, std::move(message)}) {}
  Status(const Status& other) : failure_(other.ok() ? nullptr : new Failure(*other.failure_)) {}
  Status(Status&& other) noexcept = default;
  Status& operator=(const Status& other) { return *this = Status(other); }
  Status& operator=(Status&& other) noexcept = default;
  static Status Ok() { return Status(); }

  bool ok() const { return failure_ == nullptr; }
  Code code() const { return ok() ? Code::kOk : failure_->code; }
  const std::string& message() const;
  // "corrupt: segment 0…0.seg: frame at byte 88 fails its checksum"
  std::string ToString() const;

 private:
  struct Failure {
    Code code;
    std::string message;
  };
  std::unique_ptr<const Failure> failure_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                          // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) { ODOMETER_CHECK(!status_.ok()); }  // NOLINT

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    ODOMETER_CHECK(ok());
    return *value_;
  }
  const T& value() const& {
    ODOMETER_CHECK(ok());
    return *value_;
  }
  T&& value() && {
    ODOMETER_CHECK(ok());
    return std::move(*value_);
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace odometer

#define ODOMETER_RETURN_IF_ERROR(expression)                        \
  do {                                                              \
    if (::odometer::Status status_ = (expression); !status_.ok()) { \
      return status_;                                               \
    }                                                               \
  } while (0)

// What a Result holds, into what is there already; its status when it holds nothing.
#define ODOMETER_ASSIGN(into, expression)       \
  do {                                          \
    auto result_ = (expression);                \
    if (!result_.ok()) return result_.status(); \
    into = *result_;                            \
  } while (0)
