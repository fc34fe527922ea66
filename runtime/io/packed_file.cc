#include "runtime/io/packed_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "runtime/content_hash.h"
#include "runtime/io/file.h"
#include "runtime/status_macros.h"

namespace lq {
namespace {

// A change of any packed format of kernels/packing.h or packing_blocks.h, or of ContentHash, is a new version.
constexpr uint32_t kVersion = 1;
constexpr char kPackedMagic[8] = {'l', 'q', 'w', 'e', 'i', 'g', 'h', 't'};
constexpr uint32_t kMostLayers = 1 << 20;

struct FileHeader {
  char magic[8];
  uint32_t version, layers;
  uint64_t bytes;
  uint64_t zeros[5];
};
static_assert(sizeof(FileHeader) == 64);

struct PackedRecord {
  uint64_t checksum;  // of all that follows in the layer, this being 0
  uint64_t key;
  uint32_t format, has_offsets;
  uint64_t n, k, block, groups, group_bytes;
  int64_t largest_absolute_sum;
  char description[184];  // ends with a 0
};
static_assert(sizeof(PackedRecord) == 256);

Status CheckEndian(const std::string& path) {
  if (std::endian::native == std::endian::little) return OkStatus();
  return Unsupported(fmt::format("{}: files of packed weights are little endian, this machine is not", path));
}

size_t SumBytes(const PackedWeights& weights) {
  return HasFloatScales(weights.format) ? 0 : 2 * sizeof(int64_t) * weights.n * weights.groups;
}

uint64_t Checksum(PackedRecord record, std::span<const std::byte> packed, std::span<const std::byte> sums) {
  record.checksum = 0;
  ContentHash hash;
  hash.Add(std::as_bytes(std::span(&record, 1)));
  hash.Add(packed);
  hash.Add(sums);
  return hash.value();
}

// What the record says of sizes; nothing is computed from them before they are known to be small enough.
Status ReadSizes(const PackedRecord& record, size_t left, PackedWeights& out) {
  const auto bad = [](const char* what) { return InvalidArgument(fmt::format("its {} is impossible", what)); };
  if (record.format > static_cast<uint32_t>(WeightFormat::kBlockF32) || record.has_offsets > 1) return bad("format");
  // No format needs less than half a byte for a weight.
  const uint64_t most = 2 * static_cast<uint64_t>(left);
  if (record.n == 0 || record.k == 0 || record.groups == 0) return bad("size");
  if (record.n > most || record.k > most / record.n || record.groups > most / record.n / record.k) return bad("size");
  out.format = static_cast<WeightFormat>(record.format);
  out.has_offsets = record.has_offsets != 0;
  out.n = record.n;
  out.k = record.k;
  out.block = record.block;
  out.groups = record.groups;
  const bool in_s4 = out.format == WeightFormat::kS4;
  if (in_s4 && (out.block == 0 || out.block % 4 != 0 || out.k % out.block != 0)) return bad("block");
  if (HasFloatScales(out.format) && (out.block == 0 || out.block > out.k)) return bad("block");
  out.group_bytes = RoundUp(PackedGroupBytes(out), kAlignment);
  if (out.group_bytes != record.group_bytes || out.group_bytes > left / out.groups) return bad("number of bytes");
  if (SumBytes(out) > left - out.group_bytes * out.groups) return bad("number of sums");
  return OkStatus();
}

Status ReadSums(const PackedRecord& record, const std::byte* from, PackedWeights& out) {
  if (HasFloatScales(out.format)) return OkStatus();
  WeightSums& sums = out.sums;
  sums.n = out.n * out.groups;
  sums.k = out.k;
  sums.largest_absolute_sum = record.largest_absolute_sum;
  sums.sum.resize(sums.n);
  sums.scale.resize(sums.n);
  std::memcpy(sums.sum.data(), from, sums.n * sizeof(int64_t));
  std::memcpy(sums.scale.data(), from + sums.n * sizeof(int64_t), sums.n * sizeof(double));
  const int64_t most = sums.largest_absolute_sum;  // weights have at most 16 bits
  bool fits = most >= 0 && most <= (int64_t{1} << 62) && (most >> 15) <= static_cast<int64_t>(sums.k);
  for (const int64_t sum : sums.sum) fits = fits && sum >= -most && sum <= most;
  for (const double scale : sums.scale) fits = fits && std::isfinite(scale);
  return fits ? OkStatus() : InvalidArgument("its sums are impossible");
}

// The layer at `offset`; moves it behind the layer.
Status ReadLayer(const std::shared_ptr<const MappedFile>& file, size_t& offset, WeightsByKey& weights) {
  const std::span<const std::byte> rest = file->bytes().subspan(offset);
  PackedRecord record;
  if (rest.size() < sizeof(record)) return InvalidArgument("it lies beyond the end of the file");
  std::memcpy(&record, rest.data(), sizeof(record));
  auto packed = std::make_shared<PackedWeights>();
  LQ_RETURN_IF_ERROR(ReadSizes(record, rest.size() - sizeof(record), *packed));
  const size_t bytes = packed->group_bytes * packed->groups, sum_bytes = RoundUp(SumBytes(*packed), kAlignment);
  if (bytes + sum_bytes > rest.size() - sizeof(record)) return InvalidArgument("it lies beyond the end of the file");
  packed->bytes = rest.subspan(sizeof(record), bytes);
  packed->file = file;
  const std::span<const std::byte> sums = rest.subspan(sizeof(record) + bytes, sum_bytes);
  if (Checksum(record, packed->bytes, sums) != record.checksum) {
    return InvalidArgument("its contents do not fit their checksum");
  }
  LQ_RETURN_IF_ERROR(ReadSums(record, sums.data(), *packed));
  if (record.description[sizeof(record.description) - 1] != 0) return InvalidArgument("its description has no end");
  packed->description = record.description;
  weights[record.key] = std::move(packed);
  offset += sizeof(record) + bytes + sum_bytes;
  return OkStatus();
}

PackedRecord MakeRecord(uint64_t key, const PackedWeights& weights) {
  PackedRecord record{};
  record.key = key;
  record.format = static_cast<uint32_t>(weights.format);
  record.has_offsets = weights.has_offsets ? 1 : 0;
  record.n = weights.n;
  record.k = weights.k;
  record.block = weights.block;
  record.groups = weights.groups;
  record.group_bytes = weights.group_bytes;
  record.largest_absolute_sum = weights.sums.largest_absolute_sum;
  std::strncpy(record.description, weights.description.c_str(), sizeof(record.description) - 1);
  return record;
}

// A file under a name of its own that is renamed when it is whole, and else removed.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path), temporary_(fmt::format("{}.{}.tmp", path, getpid())) {
    fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(temporary_.c_str());
  }

  Status Write(std::span<const std::byte> bytes) {
    while (fd_ >= 0 && !bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), std::min(bytes.size(), size_t{1} << 30));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Error();
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return fd_ < 0 ? Error() : OkStatus();
  }
  Status Commit() {
    if (rename(temporary_.c_str(), path_.c_str()) != 0) return Error();
    close(std::exchange(fd_, -1));
    return OkStatus();
  }

 private:
  Status Error() const { return IoError(fmt::format("{}: {}", temporary_, std::strerror(errno))); }

  std::string path_, temporary_;
  int fd_;
};

Status WriteLayer(uint64_t key, const PackedWeights& weights, NewFile& file) {
  std::vector<std::byte> sums(RoundUp(SumBytes(weights), kAlignment));
  if (!sums.empty()) {
    const size_t bytes = SumBytes(weights) / 2;
    std::memcpy(sums.data(), weights.sums.sum.data(), bytes);
    std::memcpy(sums.data() + bytes, weights.sums.scale.data(), bytes);
  }
  PackedRecord record = MakeRecord(key, weights);
  record.checksum = Checksum(record, weights.bytes, sums);
  LQ_RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(&record, 1))));
  LQ_RETURN_IF_ERROR(file.Write(weights.bytes));
  return file.Write(sums);
}

}  // namespace

Result<WeightsByKey> MapPackedFile(const std::string& path) {
  LQ_RETURN_IF_ERROR(CheckEndian(path));
  LQ_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Map(path));
  FileHeader header;
  const size_t size = file->bytes().size();
  if (size < sizeof(header)) return InvalidArgument(fmt::format("{}: {} bytes are no packed weights", path, size));
  std::memcpy(&header, file->bytes().data(), sizeof(header));
  if (std::memcmp(header.magic, kPackedMagic, sizeof(kPackedMagic)) != 0) {
    return InvalidArgument(fmt::format("{}: it does not begin as packed weights do", path));
  }
  if (header.version != kVersion) {
    return Unsupported(
        fmt::format("{}: packed weights of version {}, but this is version {}", path, header.version, kVersion));
  }
  const bool has_zeros =
      std::all_of(std::begin(header.zeros), std::end(header.zeros), [](uint64_t z) { return z == 0; });
  if (header.bytes != size || header.layers > kMostLayers || !has_zeros) {
    return InvalidArgument(
        fmt::format("{}: {} layers in {} bytes, but the file has {} bytes", path, header.layers, header.bytes, size));
  }
  WeightsByKey weights;
  size_t offset = sizeof(header);
  for (uint32_t i = 0; i < header.layers; ++i) {
    const std::string where = fmt::format("{}: layer {} of {}", path, i, header.layers);
    LQ_RETURN_IF_ERROR(InFile(where, ReadLayer(file, offset, weights)));
  }
  if (offset != size) {
    return InvalidArgument(fmt::format("{}: {} layers end at byte {} of {}", path, header.layers, offset, size));
  }
  return weights;
}

Status WritePackedFile(const std::string& path, const WeightsByKey& weights) {
  LQ_RETURN_IF_ERROR(CheckEndian(path));
  FileHeader header{};
  std::memcpy(header.magic, kPackedMagic, sizeof(kPackedMagic));
  header.version = kVersion;
  header.layers = static_cast<uint32_t>(weights.size());
  header.bytes = sizeof(header);
  for (const auto& [key, packed] : weights) {
    header.bytes += sizeof(PackedRecord) + packed->bytes.size() + RoundUp(SumBytes(*packed), kAlignment);
  }
  NewFile file(path);
  LQ_RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(&header, 1))));
  for (const auto& [key, packed] : weights) LQ_RETURN_IF_ERROR(WriteLayer(key, *packed, file));
  return file.Commit();
}

}  // namespace lq
