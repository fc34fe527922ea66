#include "runtime/io/npz.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "runtime/io/file.h"
#include "runtime/io/memory_budget.h"
#include "runtime/io/name_limit.h"
#include "runtime/io/npy.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

constexpr zip_int64_t kMaxArrays = 65536;
constexpr uint64_t kMaxRatio = 1032;  // of deflate: a claim above it is a lie

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using ZipPtr = std::unique_ptr<zip_t, CloseZip>;
using EntryPtr = std::unique_ptr<zip_file_t, CloseEntry>;

std::string ZipMessage(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string message = zip_error_strerror(&error);
  zip_error_fini(&error);
  return message;
}

// Bytes in order, from an entry of an archive or a bare file.
class Source {
 public:
  virtual ~Source() = default;
  virtual Status Read(std::span<std::byte> out) = 0;
};

class EntrySource : public Source {
 public:
  explicit EntrySource(zip_file_t* file) : file_(file) {}
  Status Read(std::span<std::byte> out) override {
    while (!out.empty()) {
      const zip_int64_t got = zip_fread(file_, out.data(), out.size());
      if (got < 0) return InvalidArgument(zip_error_strerror(zip_file_get_error(file_)));
      if (got == 0) return InvalidArgument(fmt::format("its data end {} bytes early", out.size()));
      out = out.subspan(static_cast<size_t>(got));
    }
    return OkStatus();
  }
  // The checksum is compared when the end is read.
  Status ReadEnd() {
    std::byte byte;
    const zip_int64_t got = zip_fread(file_, &byte, 1);
    if (got == 0) return OkStatus();
    return InvalidArgument(got < 0 ? zip_error_strerror(zip_file_get_error(file_)) : "data beyond its end");
  }

 private:
  zip_file_t* file_;
};

class FileSource : public Source {
 public:
  explicit FileSource(const File& file) : file_(file) {}
  Status Read(std::span<std::byte> out) override {
    LQ_RETURN_IF_ERROR(file_.ReadAt(offset_, out));
    offset_ += out.size();
    return OkStatus();
  }

 private:
  const File& file_;
  uint64_t offset_ = 0;
};

// `bytes`: of header and data together, as the archive or the file system says.
Result<NamedArray> ReadNpy(Source& source, uint64_t bytes, MemoryBudget& budget) {
  std::string header(std::min<uint64_t>(bytes, kNpyPrefixBytes), '\0');
  LQ_RETURN_IF_ERROR(source.Read(std::as_writable_bytes(std::span(header))));
  LQ_ASSIGN_OR_RETURN(const size_t offset, NpyDataOffset(header));
  if (offset < header.size() || offset > bytes) return InvalidArgument("ends inside its .npy header");
  const size_t prefix = header.size();
  header.resize(offset);
  LQ_RETURN_IF_ERROR(source.Read(std::as_writable_bytes(std::span(header).subspan(prefix))));
  LQ_ASSIGN_OR_RETURN(const NpyHeader parsed, ParseNpyHeader(header));
  LQ_ASSIGN_OR_RETURN(const uint64_t data_bytes, NpyDataBytes(parsed));
  if (bytes - offset != data_bytes) {
    return InvalidArgument(fmt::format("{} bytes of data, but {} of shape {} need {}", bytes - offset,
                                       NameOf(parsed.dtype), parsed.shape.ToString(), data_bytes));
  }
  LQ_RETURN_IF_ERROR(budget.Take("this array", data_bytes));
  NamedArray array{"", parsed.dtype, parsed.shape, std::vector<std::byte>(data_bytes)};
  LQ_RETURN_IF_ERROR(source.Read(array.bytes));
  if (parsed.fortran_order) array.bytes = FromFortranOrder(parsed, array.bytes);
  return array;
}

Result<NamedArray> ReadEntry(zip_t* zip, zip_uint64_t index, MemoryBudget& budget) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  if (zip_stat_index(zip, index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
    return InvalidArgument(zip_strerror(zip));
  }
  if (stat.size / kMaxRatio > stat.comp_size) {
    return InvalidArgument(fmt::format("claims to unpack {} bytes to {}; deflate cannot", stat.comp_size, stat.size));
  }
  const EntryPtr file(zip_fopen_index(zip, index, 0));
  if (file == nullptr) return InvalidArgument(zip_strerror(zip));
  EntrySource source(file.get());
  LQ_ASSIGN_OR_RETURN(NamedArray array, ReadNpy(source, stat.size, budget));
  LQ_RETURN_IF_ERROR(source.ReadEnd());
  return array;
}

Result<std::string> EntryName(zip_t* zip, zip_uint64_t index) {
  const char* text = zip_get_name(zip, index, ZIP_FL_ENC_RAW);
  const std::string_view name = text != nullptr ? text : "";
  constexpr std::string_view kSuffix = ".npy";
  if (name.size() > kMaxNameBytes || name.size() < kSuffix.size() ||
      name.substr(name.size() - kSuffix.size()) != kSuffix) {
    return InvalidArgument(
        fmt::format("entry {} '{}' is not an array: its name of {} bytes does not end in .npy within "
                    "{} bytes",
                    index, name.substr(0, 64), name.size(), kMaxNameBytes));
  }
  return std::string(name.substr(0, name.size() - kSuffix.size()));
}

Result<std::vector<NamedArray>> ReadArchive(const File& file, uint64_t max_bytes) {
  int code = 0;
  const int descriptor = dup(file.descriptor());
  const ZipPtr zip(zip_fdopen(descriptor, 0, &code));
  if (zip == nullptr) {
    if (descriptor >= 0) close(descriptor);
    return InvalidArgument(fmt::format("not a zip archive: {}", ZipMessage(code)));
  }
  const zip_int64_t count = zip_get_num_entries(zip.get(), 0);
  if (count > kMaxArrays) return Unsupported(fmt::format("{} arrays; up to {} are read", count, kMaxArrays));
  MemoryBudget budget(max_bytes);
  std::unordered_set<std::string> names;
  std::vector<NamedArray> arrays;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    LQ_ASSIGN_OR_RETURN(std::string name, EntryName(zip.get(), i));
    if (!names.insert(name).second) return InvalidArgument(fmt::format("array '{}': twice in the archive", name));
    Result<NamedArray> array = ReadEntry(zip.get(), i, budget);
    if (!array.ok()) {
      return Status(array.status().code(), fmt::format("array '{}': {}", name, array.status().message()));
    }
    array->name = std::move(name);
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

Result<std::vector<NamedArray>> ReadBareArray(const File& file, uint64_t max_bytes) {
  MemoryBudget budget(max_bytes);
  FileSource source(file);
  LQ_ASSIGN_OR_RETURN(NamedArray array, ReadNpy(source, file.size(), budget));
  std::vector<NamedArray> arrays;
  arrays.push_back(std::move(array));
  return arrays;
}

Status AddArray(zip_t* zip, const NamedArray& array, const std::string& npy) {
  zip_source_t* source = zip_source_buffer(zip, npy.data(), npy.size(), 0);
  const std::string name = array.name + ".npy";
  const zip_int64_t index =
      source != nullptr ? zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8) : zip_int64_t{-1};
  if (index < 0) {
    zip_source_free(source);
    return InvalidArgument(fmt::format("array '{}': {}", array.name, zip_strerror(zip)));
  }
  const zip_uint64_t at = static_cast<zip_uint64_t>(index);
  // Stored, dated 1980-01-01 like NumPy's: the same arrays give the same bytes.
  if (zip_set_file_compression(zip, at, ZIP_CM_STORE, 0) != 0 || zip_file_set_dostime(zip, at, 0, 33, 0) != 0) {
    return IoError(fmt::format("array '{}': {}", array.name, zip_strerror(zip)));
  }
  return OkStatus();
}

Result<std::string> ToNpy(const NamedArray& array) {
  const int64_t count = array.shape.NumElements();
  if (count < 0 || static_cast<uint64_t>(count) != array.bytes.size() / SizeOf(array.dtype) ||
      array.bytes.size() % SizeOf(array.dtype) != 0) {
    return InvalidArgument(fmt::format("array '{}': {} bytes are not {} of shape {}", array.name, array.bytes.size(),
                                       NameOf(array.dtype), array.shape.ToString()));
  }
  std::string npy = MakeNpyHeader(array.dtype, array.shape);
  npy.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  return npy;
}

Status WriteArchive(const std::string& path, const std::vector<NamedArray>& arrays) {
  if (arrays.empty()) return InvalidArgument("no arrays to write: a zip archive has at least one entry");
  int code = 0;
  ZipPtr zip(zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (zip == nullptr) return IoError(ZipMessage(code));
  std::vector<std::string> files;  // alive until zip_close has read them
  files.reserve(arrays.size());
  for (const NamedArray& array : arrays) {
    LQ_ASSIGN_OR_RETURN(std::string npy, ToNpy(array));
    files.push_back(std::move(npy));
    LQ_RETURN_IF_ERROR(AddArray(zip.get(), array, files.back()));
  }
  // Writes a temporary beside `path` and renames it.
  if (zip_close(zip.get()) != 0) return IoError(zip_strerror(zip.get()));
  (void)zip.release();  // closed
  return OkStatus();
}

}  // namespace

Result<std::vector<NamedArray>> ReadNpz(const std::string& path, uint64_t max_bytes) {
  LQ_ASSIGN_OR_RETURN(const File file, File::Open(path));
  std::array<std::byte, 2> magic{};
  if (file.size() >= magic.size()) LQ_RETURN_IF_ERROR(file.ReadAt(0, magic));
  const bool is_zip = magic[0] == std::byte{'P'} && magic[1] == std::byte{'K'};
  Result<std::vector<NamedArray>> arrays = is_zip ? ReadArchive(file, max_bytes) : ReadBareArray(file, max_bytes);
  if (!arrays.ok()) return InFile(path, arrays.status());
  return arrays;
}

Status WriteNpz(const std::string& path, const std::vector<NamedArray>& arrays) {
  return InFile(path, WriteArchive(path, arrays));
}

}  // namespace lq
