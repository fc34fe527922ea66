// Files as the readers see them: regular, opened once, read by offset. Not mapped: a file that shrinks while it is
// mapped kills the process, one that shrinks while it is read is an error.
#ifndef LANEQUANT_RUNTIME_IO_FILE_H_
#define LANEQUANT_RUNTIME_IO_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "lanequant/status.h"

namespace lq {

class File {
 public:
  // Errors: no such file, not a regular one (a pipe would block, a folder cannot be read).
  static Result<File> Open(const std::string& path);

  // A file below `folder` by its relative path. Errors: an absolute path, "..", a symbolic link at any step, a hard
  // link (its other name may be anywhere). `owner` names in messages who asked.
  static Result<File> OpenBeneath(const std::string& folder, const std::string& relative, const std::string& owner);

  File(File&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}
  File& operator=(File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~File();

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // when it was opened
  int descriptor() const { return fd_; }

  // Fills `out` from `offset`. Errors: beyond the end, the file shrank.
  Status ReadAt(uint64_t offset, std::span<std::byte> out) const;

  // The whole file. Errors: larger than `max_bytes`.
  Result<std::string> ReadAll(uint64_t max_bytes) const;

 private:
  File(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  static Result<File> FromDescriptor(const std::string& path, int fd);

  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

// Bytes of an open file.
struct FileRange {
  const File* file;
  uint64_t offset, size;
};

// "path: message", with the same code: errors of a pass or a parser, once the file is known.
Status InFile(const std::string& path, const Status& status);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_FILE_H_
