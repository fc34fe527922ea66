// The .npy format: a header that is a Python dict literal, then the array's bytes.
#ifndef LANEQUANT_RUNTIME_IO_NPY_H_
#define LANEQUANT_RUNTIME_IO_NPY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

constexpr size_t kNpyPrefixBytes = 12;  // magic, version and header length: 10 bytes in version 1, 12 in 2 and 3

struct NpyHeader {
  DType dtype = DType::kF32;
  Shape shape;
  bool fortran_order = false;
};

// Bytes from the start of the file to the data. `prefix` is its first kNpyPrefixBytes bytes (or fewer: an error).
// Errors: another magic or version, a header above 64 KiB.
Result<size_t> NpyDataOffset(std::string_view prefix);

// Parses the first NpyDataOffset() bytes.
Result<NpyHeader> ParseNpyHeader(std::string_view bytes);

// Bytes of the data. Error: more than 2^63 - 1.
Result<uint64_t> NpyDataBytes(const NpyHeader& header);

// Column-major data -> row-major.
std::vector<std::byte> FromFortranOrder(const NpyHeader& header, std::span<const std::byte> data);

// The header of version 1 for an array, padded so that the data begin at a multiple of 64 bytes.
std::string MakeNpyHeader(DType dtype, const Shape& shape);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_NPY_H_
