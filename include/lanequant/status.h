// Status and Result: how every lanequant function says that its input was wrong.
// The library never throws, aborts or prints. A message is one sentence that names the tensor and the numbers.
#ifndef LANEQUANT_STATUS_H_
#define LANEQUANT_STATUS_H_

#include <optional>
#include <string>
#include <utility>

namespace lq {

enum class StatusCode {
  kOk,
  kInvalidArgument,  // the caller's or the file's numbers contradict each other
  kUnsupported,      // legal input that this version does not run; the message says what is supported
  kNotFound,         // a file, tensor or target that does not exist
  kIo,               // the operating system refused a read or a write
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // ok
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return Status(); }
inline Status InvalidArgument(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }
inline Status Unsupported(std::string message) { return Status(StatusCode::kUnsupported, std::move(message)); }
inline Status NotFound(std::string message) { return Status(StatusCode::kNotFound, std::move(message)); }
inline Status IoError(std::string message) { return Status(StatusCode::kIo, std::move(message)); }

// A value or the reason why there is none. Dereference only after ok(). Shaped like std::expected (C++23).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace lq

#endif  // LANEQUANT_STATUS_H_
