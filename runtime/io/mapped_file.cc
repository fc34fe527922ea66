#include "runtime/io/mapped_file.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "runtime/io/file.h"
#include "runtime/status_macros.h"

namespace lq {

Result<std::shared_ptr<const MappedFile>> MappedFile::Map(const std::string& path) {
  LQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  const size_t size = file.size();
  if (size == 0) return InvalidArgument(fmt::format("{}: 0 bytes", path));
  void* const memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (memory == MAP_FAILED) return IoError(fmt::format("{}: {} bytes: {}", path, size, std::strerror(errno)));
  return std::shared_ptr<const MappedFile>(new MappedFile({static_cast<const std::byte*>(memory), size}));
}

MappedFile::~MappedFile() { munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

}  // namespace lq
