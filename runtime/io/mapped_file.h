// MappedFile: a whole file as read-only memory, shared with every process that maps it. For files that their owners
// replace and never change (weight_store.h); whatever else is read goes through File.
#ifndef LANEQUANT_RUNTIME_IO_MAPPED_FILE_H_
#define LANEQUANT_RUNTIME_IO_MAPPED_FILE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "lanequant/status.h"

namespace lq {

class MappedFile {
 public:
  // Errors: those of File::Open, an empty file.
  static Result<std::shared_ptr<const MappedFile>> Map(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_MAPPED_FILE_H_
