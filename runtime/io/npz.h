// npz archives: NumPy arrays in a zip file, read and written with libzip.
#ifndef LANEQUANT_RUNTIME_IO_NPZ_H_
#define LANEQUANT_RUNTIME_IO_NPZ_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lanequant/status.h"
#include "lanequant/tensor.h"

namespace lq {

struct NamedArray {
  std::string name;  // without ".npy"
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<std::byte> bytes;  // little-endian, row-major

  ConstTensorView view() const { return {dtype, shape, bytes}; }
};

constexpr uint64_t kMaxNpzBytes = uint64_t{1} << 32;

// Reads all arrays of an .npz (stored or deflated), or the one of a bare .npy (its name is then ""). Fortran order is
// transposed. dtypes: f2 f4 f8 u1 i1 u2 i2 i4 i8 b1 (bool, as u8). Errors name the file, the array and the numbers. Arrays
// that would unpack to more than `max_bytes` in all are refused before memory is asked for.
Result<std::vector<NamedArray>> ReadNpz(const std::string& path, uint64_t max_bytes = kMaxNpzBytes);

// Writes to a temporary in the same folder and renames it: an existing file is replaced whole or not at all.
Status WriteNpz(const std::string& path, const std::vector<NamedArray>& arrays);

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_IO_NPZ_H_
