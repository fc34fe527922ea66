// The operands of a product of two activations, as the matmul kernels want them: rows of unsigned codes, panels of
// signed weights.
#ifndef LANEQUANT_RUNTIME_ACTIVATION_OPERANDS_H_
#define LANEQUANT_RUNTIME_ACTIVATION_OPERANDS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/contracts_pack.h"
#include "lanequant/encoding.h"

namespace lq {

// Codes as rows of the left side: u8 or u16, signed ones with 2^7 or 2^15 added, whole quads readable.
class LeftOperand {
 public:
  LeftOperand() = default;
  LeftOperand(const PerTensor& encoding, const std::string& max_isa);

  bool wide() const { return code_bytes_ == 2; }
  size_t code_bytes() const { return code_bytes_; }
  int64_t offset() const { return offset_; }  // of the codes as they are stored
  size_t CopyBytes(size_t rows, size_t k) const { return Copies(k) ? rows * Stride(k) : 0; }
  size_t Stride(size_t k) const;  // bytes
  // The rows: `in`, or a copy in `memory`.
  const std::byte* Prepare(const std::byte* in, size_t rows, size_t k, std::byte* memory) const;
  // The sum of the codes of each prepared row.
  void Sum(const std::byte* rows, size_t count, size_t k, double* out) const;

 private:
  bool Copies(size_t k) const { return grid_.is_signed || (code_bytes_ == 1 && k % 4 != 0); }

  Grid grid_;
  size_t code_bytes_ = 1;
  int64_t offset_ = 0;
  kernels::SumCodesFn sum_ = nullptr;
};

// Where a panel of the right side lies in a matrix [k][n], or [n][k] where channels are rows.
struct PanelSource {
  const std::byte* matrix;
  size_t n, k, n0, count;  // channels n0 .. n0 + count - 1
};

// Codes as weights: s8 or s16, unsigned ones with 2^7 or 2^15 taken off.
class RightOperand {
 public:
  RightOperand() = default;
  RightOperand(const PerTensor& encoding, bool channels_are_rows, const std::string& max_isa);

  bool wide() const { return code_bytes_ == 2; }
  size_t code_bytes() const { return code_bytes_; }
  int64_t offset() const { return offset_; }  // of the weights
  size_t PanelBytes(size_t k) const;
  // weight_sum: of each of the panel's 64 channels.
  void Pack(const PanelSource& source, std::byte* panel, double* weight_sum) const;

 private:
  void PackWide(const PanelSource& source, int16_t* panel, double* weight_sum) const;

  Grid grid_;
  bool channels_are_rows_ = false;
  size_t code_bytes_ = 1;
  int64_t offset_ = 0;
  kernels::PackCodesFn pack_ = nullptr;
};

}  // namespace lq

#endif  // LANEQUANT_RUNTIME_ACTIVATION_OPERANDS_H_
