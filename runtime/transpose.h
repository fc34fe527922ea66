// The other order of a matrix in memory.
#ifndef LANEQUANT_RUNTIME_TRANSPOSE_H_
#define LANEQUANT_RUNTIME_TRANSPOSE_H_

#include <cstddef>
#include <vector>

namespace lq {

// [rows][columns] -> [columns][rows].
template <class T>
std::vector<T> Transposed(const std::vector<T>& in, size_t rows, size_t columns) {
  std::vector<T> out(in.size());
  for (size_t c = 0; c < columns; ++c) {
    for (size_t r = 0; r < rows; ++r) out[c * rows + r] = in[r * columns + c];
  }
  return out;
}

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_TRANSPOSE_H_
