#include "runtime/cli/json.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace lq::cli {
namespace {

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

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

void JsonWriter::NewLine() {
  if (closing_.empty()) return;
  text_ += '\n';
  text_.append(2 * closing_.size(), ' ');
}

JsonWriter& JsonWriter::Put(std::string_view key, std::string_view value) {
  if (!first_) text_ += ',';
  NewLine();
  if (!key.empty()) text_ += Quote(key) + ": ";
  text_ += value;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Begin(std::string_view key, char open, char close) {
  Put(key, std::string_view(&open, 1));
  closing_ += close;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::End() {
  const char close = closing_.back();
  closing_.pop_back();
  if (!first_) {
    text_ += '\n';
    text_.append(2 * closing_.size(), ' ');
  }
  text_ += close;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view key, std::string_view value) { return Put(key, Quote(value)); }

JsonWriter& JsonWriter::Number(std::string_view key, double value) {
  return Put(key, std::isfinite(value) ? fmt::format("{}", value) : "null");
}

JsonWriter& JsonWriter::Bool(std::string_view key, bool value) { return Put(key, value ? "true" : "false"); }

Status WriteTextFile(const std::string& path, const std::string& text) {
  std::string temporary = path + ".XXXXXX";
  const int fd = mkstemp(temporary.data());
  if (fd < 0) return SystemError(path);
  // mkstemp makes files that only their owner reads; an output file follows the umask.
  const mode_t mask = umask(0);
  umask(mask);
  const bool written = fchmod(fd, 0666 & ~mask) == 0 && WriteAll(fd, text);
  const int error = errno;
  const bool closed = close(fd) == 0;
  if (!written) errno = error;
  if (written && closed && std::rename(temporary.c_str(), path.c_str()) == 0) return OkStatus();
  const Status status = SystemError(path);
  unlink(temporary.c_str());
  return status;
}

}  // namespace lq::cli
