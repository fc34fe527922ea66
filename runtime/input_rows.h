// InputRows: a layer's input as the matmul kernels read it: rows of u8 or u16 codes, whole quads readable.
#ifndef LANEQUANT_RUNTIME_INPUT_ROWS_H_
#define LANEQUANT_RUNTIME_INPUT_ROWS_H_

#include <cstddef>

#include "kernels/round_up.h"
#include "lanequant/encoding.h"
#include "runtime/views.h"

namespace lq {

class InputRows {
 public:
  InputRows() = default;
  explicit InputRows(const Grid& grid) : grid_(grid) {}

  bool wide() const { return code_bytes() == 2; }
  size_t code_bytes() const { return CodeBytes(grid_); }
  size_t Stride(size_t k) const {  // bytes
    return Copies(k) ? kernels::RoundUp(k * code_bytes(), 4) : k * code_bytes();
  }
  size_t CopyBytes(size_t rows, size_t k) const { return Copies(k) ? rows * Stride(k) : 0; }
  // The rows: `in`, or a copy in `memory`, with 2^(bitwidth - 1) added to signed codes.
  const std::byte* Prepare(const std::byte* in, size_t rows, size_t k, std::byte* memory) const;

 private:
  // Where the last quad of u8 codes is not whole, or codes are signed.
  bool Copies(size_t k) const { return grid_.is_signed || (code_bytes() == 1 && k % 4 != 0); }

  Grid grid_;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_INPUT_ROWS_H_
