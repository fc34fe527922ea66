#include "runtime/io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "runtime/status_macros.h"

namespace lq {
namespace {

// O_NONBLOCK: opening a pipe must not wait for a writer.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr size_t kLargestRead = size_t{1} << 30;  // Linux reads at most 2^31 - 4096 bytes at once

Status SystemError(const std::string& path, int error) {
  std::string message = fmt::format("{}: {}", path, std::strerror(error));
  return error == ENOENT ? NotFound(std::move(message)) : IoError(std::move(message));
}

// Refuses what could lead out of the folder before the system sees it.
Status CheckRelative(const std::string& relative, const std::string& owner) {
  if (relative.empty() || relative.find('\0') != std::string::npos) {
    return InvalidArgument(fmt::format("{}: the location of its external data is empty or holds a 0 byte", owner));
  }
  if (relative.front() == '/') {
    return InvalidArgument(
        fmt::format("{}: external data at the absolute path '{}'; only files in the model's folder "
                    "are read",
                    owner, relative));
  }
  // "/../" inside, at the begin or at the end
  if (('/' + relative + '/').find("/../") != std::string::npos) {
    return InvalidArgument(fmt::format("{}: external data at '{}', which leaves the model's folder", owner, relative));
  }
  return OkStatus();
}

// Why the component `part` of an external data path did not open.
Status ComponentError(const std::string& owner, const std::string& relative, const std::string& part, int error) {
  if (error == ELOOP || error == ENOTDIR) {
    return InvalidArgument(
        fmt::format("{}: external data at '{}', where '{}' is a symbolic link or no folder", owner, relative, part));
  }
  return SystemError(fmt::format("{}: external data at '{}'", owner, relative), error);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

}  // namespace

File::~File() {
  if (fd_ >= 0) close(fd_);
}

Result<File> File::FromDescriptor(const std::string& path, int fd) {
  Descriptor descriptor(fd);
  struct stat status;
  if (fstat(fd, &status) != 0) return SystemError(path, errno);
  if (!S_ISREG(status.st_mode)) return InvalidArgument(fmt::format("{}: not a regular file", path));
  return File(path, descriptor.Release(), static_cast<uint64_t>(status.st_size));
}

Result<File> File::Open(const std::string& path) {
  const int fd = open(path.c_str(), kOpenFlags);
  if (fd < 0) return SystemError(path, errno);
  return FromDescriptor(path, fd);
}

// One openat per component, none of which follows a link: what openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS) does, on
// every kernel and inside sandboxes that forbid openat2.
Result<File> File::OpenBeneath(const std::string& folder, const std::string& relative, const std::string& owner) {
  LQ_RETURN_IF_ERROR(CheckRelative(relative, owner));
  const std::string path = folder + "/" + relative;
  Descriptor at(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.get() < 0) return SystemError(folder, errno);
  std::string_view rest = relative;
  while (true) {
    const size_t slash = rest.find('/');
    const std::string part(rest.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    const int flags = kOpenFlags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY);
    const int fd = openat(at.get(), part.empty() ? "." : part.c_str(), flags);
    if (fd < 0) return ComponentError(owner, relative, part, errno);
    at.Reset(fd);
    if (last) break;
    rest.remove_prefix(slash + 1);
  }
  struct stat status;
  if (fstat(at.get(), &status) != 0) return SystemError(path, errno);
  if (S_ISREG(status.st_mode) && status.st_nlink != 1) {
    return InvalidArgument(fmt::format("{}: external data at '{}', a file with {} names (hard links); 1 is allowed",
                                       owner, relative, status.st_nlink));
  }
  return FromDescriptor(path, at.Release());
}

Status File::ReadAt(uint64_t offset, std::span<std::byte> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    return InvalidArgument(
        fmt::format("{}: {} bytes at offset {}, but the file has {} bytes", path_, out.size(), offset, size_));
  }
  while (!out.empty()) {
    const ssize_t got = pread(fd_, out.data(), std::min(out.size(), kLargestRead), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(path_, errno);
    if (got == 0) return IoError(fmt::format("{}: the file shrank below {} bytes while it was read", path_, size_));
    out = out.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return OkStatus();
}

Result<std::string> File::ReadAll(uint64_t max_bytes) const {
  if (size_ > max_bytes) {
    return Unsupported(fmt::format("{}: {} bytes; files of up to {} bytes are read", path_, size_, max_bytes));
  }
  std::string bytes(size_, '\0');
  LQ_RETURN_IF_ERROR(ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

Status InFile(const std::string& path, const Status& status) {
  if (status.ok()) return status;
  return Status(status.code(), path + ": " + status.message());
}

}  // namespace lq
