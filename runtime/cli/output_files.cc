#include "runtime/cli/output_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "runtime/status_macros.h"

namespace lq::cli {
namespace {

Status SystemError(const std::string& path) { return IoError(fmt::format("{}: {}", path, std::strerror(errno))); }

bool WriteAll(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

OutputFiles::~OutputFiles() {
  for (const File& file : files_) unlink(file.temporary.c_str());
}

Result<int> OutputFiles::Create(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  // A rename would replace the device itself, and cannot replace a folder.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return IoError(fmt::format("{}: is no regular file", path));
  }
  std::string temporary = path + ".XXXXXX";
  const int fd = mkstemp(temporary.data());
  if (fd < 0) return SystemError(path);
  files_.push_back({path, temporary});
  // mkstemp makes files that only their owner reads; an output file follows the umask.
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(fd, 0666 & ~mask) == 0) return fd;
  const Status failed = SystemError(path);
  close(fd);
  return failed;
}

Status OutputFiles::AddNpz(const std::string& path, const std::vector<NamedArray>& arrays) {
  LQ_ASSIGN_OR_RETURN(const int fd, Create(path));
  close(fd);
  return WriteNpz(files_.back().temporary, arrays);
}

Status OutputFiles::AddText(const std::string& path, const std::string& text) {
  LQ_ASSIGN_OR_RETURN(const int fd, Create(path));
  const bool written = WriteAll(fd, text);
  const int error = errno;
  const bool closed = close(fd) == 0;
  if (!written) errno = error;
  return written && closed ? OkStatus() : SystemError(path);
}

Status OutputFiles::Commit() {
  for (File& file : files_) {
    if (std::rename(file.temporary.c_str(), file.path.c_str()) != 0) return SystemError(file.path);
  }
  files_.clear();
  return OkStatus();
}

}  // namespace lq::cli
