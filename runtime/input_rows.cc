#include "runtime/input_rows.h"

namespace lq {

const std::byte* InputRows::Prepare(const std::byte* in, size_t rows, size_t k, std::byte* memory) const {
  if (!Copies(k)) return in;
  for (size_t i = 0; i < rows; ++i) {
    ShiftCodes(grid_, -grid_.qmin(), in + i * k * code_bytes(), k, memory + i * Stride(k));
  }
  return memory;
}

}  // namespace lq
